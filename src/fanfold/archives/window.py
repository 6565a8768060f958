"""The window of an archive: how much text a decompressor keeps, as the headers declare it."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator

from fanfold.archives.formats import Stream

_ZSTD_FRAME = b"\x28\xb5\x2f\xfd"

ZSTD_HEADER_BYTES = 18
"""The length of the longest header of a zstd frame, magic number included (RFC 8878, 3.1.1)."""

_MOST_ZSTD_WINDOW_BYTES = 1 << 31
"""The largest window that zstd's library decodes; it refuses others by itself."""

_XZ_STREAM_HEADER_BYTES = 12
_XZ_LZMA2 = 0x21


def declared_window_bytes(compression: Stream, head: bytes) -> int | None:
    """The memory that a member's window takes, or None if `head` doesn't show it yet.

    It is 0 if the format or the member has none, or if the header can't be decoded.

    Args:
        compression: the format.
        head: the member's first bytes, at least its magic number.
    """
    match compression:
        case "zstd":
            return _zstd_window_bytes(head)
        case "xz":
            return _xz_dictionary_bytes(head)
        case _:
            return 0


def zstd_dictionary_id(head: bytes) -> int:
    """The dictionary that a zstd frame needs; 0 if its header names none, or isn't all there.

    Args:
        head: the frame's first bytes: `ZSTD_HEADER_BYTES` are enough.
    """
    if not head.startswith(_ZSTD_FRAME) or len(head) < 5:
        return 0
    descriptor = head[4]
    id_byte = 5 + (not descriptor & 0x20)
    id_bytes = (0, 1, 2, 4)[descriptor & 3]
    return int.from_bytes(head[id_byte : id_byte + id_bytes], "little")


def _zstd_window_bytes(head: bytes) -> int | None:
    """The window of a zstd frame (RFC 8878, section 3.1.1.1).

    It is never larger than the content, if the header has its size: that is what the library takes.
    """
    if not head.startswith(_ZSTD_FRAME):
        return 0  # a skippable frame
    if len(head) < 5:
        return None
    descriptor = head[4]
    is_single_segment = bool(descriptor & 0x20)
    dictionary_id_bytes = (0, 1, 2, 4)[descriptor & 3]
    size_bytes = (1 if is_single_segment else 0, 2, 4, 8)[descriptor >> 6]
    size_byte = 5 + (not is_single_segment) + dictionary_id_bytes
    if len(head) < size_byte + size_bytes:
        return None
    content_bytes = int.from_bytes(head[size_byte : size_byte + size_bytes], "little")
    if size_bytes == 2:
        content_bytes += 256
    exponent, mantissa = divmod(head[5], 8)
    window_bytes = content_bytes if is_single_segment else (8 + mantissa) << (7 + exponent)
    if window_bytes > _MOST_ZSTD_WINDOW_BYTES:
        return 0
    return min(window_bytes, content_bytes) if size_bytes else window_bytes


def _xz_dictionary_bytes(head: bytes) -> int | None:
    """The dictionary of an xz stream's first block (The .xz File Format 1.2.1, section 3.1)."""
    if len(head) <= _XZ_STREAM_HEADER_BYTES:
        return None
    header_bytes = 4 * (head[_XZ_STREAM_HEADER_BYTES] + 1)
    header = head[_XZ_STREAM_HEADER_BYTES : _XZ_STREAM_HEADER_BYTES + header_bytes]
    if header_bytes == 4:
        return 0  # the index: there is no block
    if len(header) < header_bytes:
        return None
    if zlib.crc32(header[:-4]) != int.from_bytes(header[-4:], "little"):
        return 0
    fields = iter(header[1:-4])
    flags = next(fields)
    for has_size in (flags & 0x40, flags & 0x80):
        if has_size:
            _xz_integer(fields)
    dictionary_bytes = 0
    for _ in range((flags & 3) + 1):
        filter_id = _xz_integer(fields)
        properties = bytes(itertools.islice(fields, min(_xz_integer(fields), header_bytes)))
        if filter_id == _XZ_LZMA2 and properties:
            exponent, mantissa = divmod(properties[0] & 0x3F, 2)
            dictionary_bytes = (2 + mantissa) << (11 + exponent)
    return dictionary_bytes


def _xz_integer(fields: Iterator[int]) -> int:
    """The next integer, in 7 bits a byte, the lowest first."""
    value = 0
    for place in itertools.count(0, 7):
        byte = next(fields, 0)
        value |= (byte & 0x7F) << place
        if not byte & 0x80:
            break
    return value
