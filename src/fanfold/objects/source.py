"""What is read: an object, pinned as it is."""

from __future__ import annotations

import msgspec

from fanfold.shown import shown

BLOCK_BYTES = 256 * 1024
"""Bytes a block: small enough to stay in a core's second-level cache until it is scanned."""


class Source(msgspec.Struct, frozen=True):
    """An input, pinned.

    Attributes:
        url: where it is; for a local file its absolute path, ``-`` for standard input.
        name: its base name.
        size_bytes: its size; 0 for standard input, whose size shows at its end.
        etag: changes whenever its bytes do: the store's ETag, or modification time and size where
            it has none; for a local file made of inode, modification time (nanoseconds) and size;
            a random one for standard input, which can't be read again.
    """

    url: str
    name: str
    size_bytes: int
    etag: str

    def __repr__(self) -> str:
        return f"<Source {shown(self.url)!r}: size_bytes={self.size_bytes} etag={self.etag!r}>"


class StoredChecksum(msgspec.Struct, frozen=True):
    """What a store tells of the CRC-64/NVME of a whole object.

    Attributes:
        crc64nvme: the checksum, or None.
        note: why there is none.
    """

    crc64nvme: int | None
    note: str = ""
