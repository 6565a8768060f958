"""The record of a folder: which files fanfold wrote there, and the size and checksum of each.

A record lies under the key ``record`` of a JSON document, with a checksum of its own. It gives the
right to replace the files that it names, and it proves that they are what was written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from fanfold._kernel import crc64nvme


class FileFacts(msgspec.Struct, frozen=True):
    """A file as it was written.

    Attributes:
        size_bytes: its size.
        crc64nvme: its CRC-64/NVME, in hexadecimal.
    """

    size_bytes: int
    crc64nvme: str


class Record(msgspec.Struct, frozen=True):
    """The files of one report, or of a collection of reports.

    Attributes:
        job: the job that the files answer; empty for a collection.
        files: each file's facts, by name.
        checksum: the CRC-64/NVME of job and files, in hexadecimal.
    """

    job: str
    files: dict[str, FileFacts]
    checksum: str


class _Document(msgspec.Struct):
    record: Record


class MeasuredWriter:
    """Passes bytes on to `write`, and measures them."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._size_bytes = 0
        self._crc = 0

    def __call__(self, data: bytes) -> None:
        """Write some bytes."""
        self._write(data)
        self._size_bytes += len(data)
        self._crc = crc64nvme(data, self._crc)

    @property
    def facts(self) -> FileFacts:
        """The facts of what was written so far."""
        return FileFacts(self._size_bytes, f"{self._crc:016x}")


def facts_of(data: bytes) -> FileFacts:
    """The facts of a file that holds `data`."""
    return FileFacts(len(data), f"{crc64nvme(data):016x}")


def make_record(job: str, files: Mapping[str, FileFacts]) -> Record:
    """The record of some files."""
    return Record(job, dict(files), _checksum(job, files))


def decode_record(data: bytes) -> Record | None:
    """The record in a JSON document; None if it holds no valid one."""
    try:
        record = msgspec.json.decode(data, type=_Document).record
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return record if record.checksum == _checksum(record.job, record.files) else None


def _checksum(job: str, files: Mapping[str, FileFacts]) -> str:
    return f"{crc64nvme(msgspec.json.encode([job, sorted(files.items())])):016x}"
