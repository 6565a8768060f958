"""What follows an archive's end: zero padding, or bytes that are refused or ignored."""

from __future__ import annotations

from fanfold.errors import ArchiveError
from fanfold.objects import Source


class Tail:
    """The bytes of an object after the end of its last member.

    Args:
        source: the object.
        is_ignored: whether bytes that are not zero padding are counted, and not refused.

    Attributes:
        is_ignored: the same.
        garbage_bytes: how many bytes were ignored: all from the first that is not zero.
    """

    def __init__(self, source: Source, *, is_ignored: bool = False) -> None:
        self.is_ignored = is_ignored
        self.garbage_bytes = 0
        self._source = source

    def take(self, data: bytes | memoryview, start_byte: int) -> None:
        """Take the next bytes of the tail, which start at `start_byte` of the object.

        Raises:
            ArchiveError: one of them is not zero, and that is not ignored.
        """
        if self.garbage_bytes:
            self.garbage_bytes += len(data)
            return
        zeros = count_zeros(data)
        if zeros == len(data):
            return
        offset_byte = start_byte + zeros
        if self.is_ignored:
            self.garbage_bytes = len(data) - zeros
            return
        raise ArchiveError(
            self._source.name,
            offset_byte,
            "bytes after the archive's end that are not zero padding, from byte"
            f" {offset_byte} on; cut them off, get a fresh copy, or ignore them"
            " (--trailing-garbage ignore)",
        )


def count_zeros(data: bytes | memoryview) -> int:
    """How many zeros some bytes start with."""
    return len(data) - len(bytes(data).lstrip(b"\0"))
