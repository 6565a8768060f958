"""JSON documents with a checksum: what fanfold leaves for another process to read.

    {
     "checksum": "59dd5aee6c2f5fb9",
     "schema": 1,

The checksum is the CRC-64/NVME of every byte after the comma of its line, in hexadecimal. A
document whose checksum holds is what was written; its fields are validated all the same, since
anyone can compute a checksum.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from fanfold._kernel import crc64nvme

_HEAD = b'{\n "checksum": "%016x",'
_START = b'{\n "checksum": "'
_HEAD_BYTES = len(_HEAD % 0)

_Kind = TypeVar("_Kind")


class DamagedDocument(Exception):  # noqa: N818 - a finding; the caller decides what it means
    """A document that is not what fanfold wrote; the text says how."""


def encode_indented(document: object) -> bytes:
    """A document as JSON, one space a level, with a line end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def encode_checked(document: object) -> bytes:
    """A document as JSON with its checksum first."""
    body = encode_indented(document)[1:]
    return _HEAD % crc64nvme(body) + body


def decode_checked(data: bytes, kind: type[_Kind]) -> _Kind:
    """The document in some bytes.

    Args:
        data: what was read.
        kind: its type. A field `checksum`, which it doesn't have, is left out.

    Raises:
        DamagedDocument: the checksum doesn't hold, or a field is not what it should be.
    """
    body = memoryview(data)[_HEAD_BYTES:]
    if data[:_HEAD_BYTES] != _HEAD % crc64nvme(body):
        raise DamagedDocument("its checksum doesn't hold")
    try:
        return msgspec.json.decode(b"{" + body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedDocument(str(error)) from error


def is_own(data: bytes) -> bool:
    """Whether fanfold wrote a document, even if it is damaged by now.

    Holds also for an empty or zero-filled file, which a power cut leaves and nobody misses.
    """
    return data.startswith(_START) or not data.strip(b"\0")
