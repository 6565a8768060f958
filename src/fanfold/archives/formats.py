"""Formats, recognised by magic bytes."""

from __future__ import annotations

import struct
from typing import Literal

Stream = Literal["gzip", "zstd", "bzip2", "xz"]
"""The formats that can't be cut."""

WINDOWED = ("zstd", "xz")
"""The formats whose archives say how large a window they take."""

Compression = Literal["none", "gzip", "bgzf", "zstd", "bzip2", "xz"]
"""What an object's bytes are: text, BGZF (which can be cut), or a format that can't be cut."""

HEAD_BYTES = 12 + 0xFFFF
"""What `detect_compression` looks at: a gzip header with the longest extra field there can be."""

_GZIP_HEADER = struct.Struct("<3sB6xH")
_GZIP_DEFLATE = b"\x1f\x8b\x08"
GZIP_FLAGS_BYTE = 3
"""Where the flags of a gzip header are (RFC 1952, section 2.3.1)."""
_FEXTRA, _RESERVED = 0b100, 0b1110_0000
_SUBFIELD = struct.Struct("<2sH")

MAGIC: dict[Stream, tuple[bytes, ...]] = {
    "gzip": (b"\x1f\x8b",),
    "zstd": (
        b"\x28\xb5\x2f\xfd",
        *(bytes((first, 0x2A, 0x4D, 0x18)) for first in range(0x50, 0x60)),
    ),
    "bzip2": (b"BZh",),
    "xz": (b"\xfd7zXZ\x00",),
}
"""The bytes that an object of each format starts with."""

MAGIC_BYTES = 6
"""The length of the longest magic number."""


def detect_compression(head: bytes) -> Compression:
    """What an object is, by its first bytes and never by its name.

    The magic numbers are those of RFC 1952 (gzip), the SAM specification, section 4.1 (BGZF), RFC
    8878 (zstd; a skippable frame counts), bzip2 and the .xz file format. What has none is text.

    Args:
        head: the object's first `HEAD_BYTES`, or all of it if it has fewer.
    """
    if bgzf_block_bytes(head) is not None:
        return "bgzf"
    for compression, magic in MAGIC.items():
        if head.startswith(magic):
            return compression
    return "none"


def bgzf_block_bytes(head: bytes | memoryview) -> int | None:
    """The size of the BGZF block that `head` starts with, or None if it starts with none.

    A BGZF block is a gzip member whose extra field has, anywhere, a subfield BC of 2 bytes: the
    block's size less one (SAM specification, section 4.1).
    """
    if len(head) < _GZIP_HEADER.size:
        return None
    magic, flags, extra_bytes = _GZIP_HEADER.unpack_from(head)
    if magic != _GZIP_DEFLATE or flags & (_FEXTRA | _RESERVED) != _FEXTRA:
        return None
    extra = head[_GZIP_HEADER.size : _GZIP_HEADER.size + extra_bytes]
    at = 0
    while len(extra) == extra_bytes and at + _SUBFIELD.size <= extra_bytes:
        name, payload_bytes = _SUBFIELD.unpack_from(extra, at)
        at += _SUBFIELD.size
        if name == b"BC" and payload_bytes == 2 and at + payload_bytes <= extra_bytes:
            return int.from_bytes(extra[at : at + 2], "little") + 1
        at += payload_bytes
    return None
