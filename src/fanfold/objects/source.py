"""What is read: an object, pinned as it is."""

from __future__ import annotations

import msgspec

from fanfold.shown import shown

BLOCK_BYTES = 256 * 1024
"""Bytes a block: small enough to stay in a core's second-level cache until it is scanned."""


STDIN = "-"
"""What stands for standard input, and for any pipe, where a location is asked for."""


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """An input, pinned.

    Attributes:
        url: where it is; for a local file its absolute path, ``-`` for standard input or a pipe.
        name: its base name.
        size_bytes: its size; 0 for a pipe, and wherever else it shows at the end alone.
        etag: changes whenever its bytes do: the store's ETag, or modification time and size where
            it has none; for a local file made of inode, modification time (nanoseconds) and size;
            a random one for a pipe, and for what is on the web with neither.
        has_ranges: whether any range of its bytes can be read. Some web servers send an object
            from its start alone.
    """

    url: str
    name: str
    size_bytes: int
    etag: str
    has_ranges: bool = True

    @property
    def is_stream(self) -> bool:
        """Whether it can only be read once, from its start: a pipe, or a server without ranges."""
        return self.url == STDIN or not self.has_ranges

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
