"""JSON documents with a checksum: what fanfold leaves for another process to read.

    {
     "checksum": "59dd5aee6c2f5fb9",
     "schema": 1,

The checksum is the CRC-64/NVME of every byte after the comma of its line, in hexadecimal. A
document whose checksum holds is what was written; its fields are validated all the same, since
anyone can compute a checksum.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from fanfold._kernel import crc64nvme
from fanfold.decoding import JsonDecoder

_HEAD = b'{\n "checksum": "%016x",'
_START = b'{\n "checksum": "'
_HEAD_BYTES = len(_HEAD % 0)

_ENCODER = msgspec.json.Encoder()

_Kind = TypeVar("_Kind")


class DamagedDocument(Exception):  # noqa: N818 - a finding; the caller decides what it means
    """A document that is not what fanfold wrote; the text says how."""


def encode_indented(document: object) -> bytes:
    """A document as JSON, one space a level, with a line end."""
    return msgspec.json.format(_ENCODER.encode(document), indent=1) + b"\n"


def encode_checked(document: object) -> bytes:
    """A document as JSON with its checksum first."""
    body = encode_indented(document)[1:]
    return _HEAD % crc64nvme(body) + body


class Checked(Generic[_Kind]):
    """The documents of one type.

    Args:
        kind: the type; without the checksum.
    """

    def __init__(self, kind: type[_Kind]) -> None:
        self._decoder = JsonDecoder(kind)

    def decode(self, data: bytes) -> _Kind:
        """The document in some bytes.

        Raises:
            DamagedDocument: the checksum doesn't hold, or a field is not what it should be.
        """
        body = memoryview(data)[_HEAD_BYTES:]
        if data[:_HEAD_BYTES] != _HEAD % crc64nvme(body):
            raise DamagedDocument("its checksum doesn't hold")
        try:
            return self._decoder.decode(b"{" + body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DamagedDocument(str(error)) from error


def is_own(data: bytes) -> bool:
    """Whether fanfold wrote a document, even if it is damaged by now.

    Holds also for an empty or zero-filled file, which a power cut leaves and nobody misses.
    """
    return data.startswith(_START) or is_blank(data)


def is_blank(data: bytes) -> bool:
    """Whether a file is empty or zero-filled, as a power cut leaves it."""
    return not data.strip(b"\0")
