"""An archive, whatever was done to it, is refused, or has the text that others find in it.

BGZF in slices has the text of the whole, or the same error. What others refuse is refused.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import re
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Protocol

from archives import bgzf, folded

from fanfold.archives.bgzf import EOF_MARKER, BgzfSlice
from fanfold.archives.formats import Stream, detect_compression
from fanfold.archives.inflate import TEXT_BYTES, inflate
from fanfold.errors import ArchiveError, ParameterError
from fanfold.objects import Source

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_MOST_TEXT_BYTES = 32 * 1024 * 1024
"""Text beyond is not looked at: an archive of a few KiB may hold gigabytes."""

_MAGIC = rb"\x1f\x8b"

_TEXT = b">a\nACGTNNNN\n>b\nGATTACA\n" * 3
_SKIPPABLE = b"\x5a\x2a\x4d\x18\x03\0\0\0abc"


def _gzip_with_every_field(text: bytes) -> bytes:
    """A gzip member with an extra field, a name, a comment and a checksum of its header."""
    head = b"\x1f\x8b\x08\x1e" + bytes(6) + b"\x05\0XY\x01\0z" + b"name\0comment\0"
    member = gzip.compress(text, mtime=0)
    return head + struct.pack("<H", zlib.crc32(head) & 0xFFFF) + member[10:]


def _gzip_with_two_fields(text: bytes) -> bytes:
    """A gzip member with an extra field and a name, longer than what is fed first."""
    member = gzip.compress(text, mtime=0)
    return member[:3] + b"\x0c" + member[4:10] + b"\x32\0" + b"x" * 50 + b"name.fa\0" + member[10:]


def _xz(text: bytes, check: int) -> bytes:
    return lzma.compress(text, check=check)


_MEMBERS = (
    gzip.compress(_TEXT, mtime=0),
    gzip.compress(_TEXT, 0, mtime=0),
    gzip.compress(b"", mtime=0),
    _gzip_with_every_field(_TEXT),
    _gzip_with_two_fields(_TEXT),
    zstd.compress(_TEXT),
    zstd.compress(b"", options={zstd.CompressionParameter.checksum_flag: 1}),
    zstd.compress(_TEXT, options={zstd.CompressionParameter.content_size_flag: 0}),
    _SKIPPABLE,
    bz2.compress(_TEXT),
    bz2.compress(b"", 1),
    _xz(_TEXT, lzma.CHECK_CRC32),
    _xz(_TEXT, lzma.CHECK_SHA256),
    _xz(b"", lzma.CHECK_NONE),
)
_BLOCKS = bgzf(_TEXT, 20, end=False)

TOKENS = (*_MEMBERS, _BLOCKS, EOF_MARKER, bytes(1), bytes(4), bytes(9), b"\x1f\x8b\x08\x04", b"BC")


def seeds() -> list[bytes]:
    forged = bgzf(bgzf(_TEXT, 9) * 2, level=0)  # blocks in a block that is stored
    return [
        *_MEMBERS,
        *(each + each for each in _MEMBERS),
        bgzf(_TEXT),
        _BLOCKS + EOF_MARKER,
        bgzf(_TEXT, 20) + bytes(7),
        forged + bgzf(_TEXT, 30),
        _BLOCKS + _MEMBERS[0] + _BLOCKS + EOF_MARKER,
        _MEMBERS[0] + _BLOCKS + EOF_MARKER,
    ]


def check(data: bytes) -> None:
    compression = detect_compression(data)
    if compression == "none":
        return
    draw = random.Random(zlib.crc32(data))
    if compression == "bgzf":
        _check_bgzf(data, draw)
        return
    expected = _texts_by_others(data, compression)
    for block_bytes in (len(data), draw.randrange(1, 40)):
        window_bytes = draw.choice((None, None, 0, 1 << 16, 8 << 20))
        blocks = _blocks(data, block_bytes)
        with suppress(ParameterError):  # a window that takes more
            text = _text_of(inflate(_source(data), compression, blocks, window_bytes))
            assert text in expected, (block_bytes, window_bytes)


def _check_bgzf(data: bytes, draw: random.Random) -> None:
    whole = _in_slices(data, ())
    # BGZF asks more of its blocks than gzip does.
    if isinstance(whole, bytes):
        assert whole in _texts_by_others(data, "gzip")
    once = BgzfSlice(_source(data), 0, sys.maxsize, blocks=_blocks(data, draw.randrange(1, 99)))
    assert _text_or_error(lambda: b"".join(once)) == whole
    magics = [found.start() for found in re.finditer(_MAGIC, data)]
    for _ in range(4):
        cuts = [draw.randrange(len(data)) for _ in range(draw.randrange(1, 6))]
        cuts += draw.sample(magics, draw.randrange(len(magics)))  # where a block may start
        assert _in_slices(data, cuts) == whole, cuts


def _in_slices(data: bytes, cuts: Sequence[int]) -> bytes | str:
    """The text of BGZF in slices, or its error."""

    def read(start_byte: int, end_byte: int, block_bytes: int = 99, /) -> Iterator[memoryview]:
        return _blocks(data[start_byte:end_byte], block_bytes)

    return _text_or_error(lambda: folded(_source(data), cuts, 99, read).text)


def _text_or_error(text: Callable[[], bytes]) -> bytes | str:
    try:
        return text()
    except ArchiveError as error:
        return str(error)


def _text_of(texts: Iterable[bytes]) -> bytes | None:
    """The text, as far as it is looked at; None if it is refused."""
    taken, taken_bytes = [], 0
    try:
        for text in texts:
            assert 0 < len(text) <= TEXT_BYTES
            taken.append(text)
            taken_bytes += len(text)
            if taken_bytes >= _MOST_TEXT_BYTES:
                break
    except ArchiveError:
        return None
    return b"".join(taken)[:_MOST_TEXT_BYTES]


def _texts_by_others(data: bytes, compression: Stream) -> set[bytes | None]:
    """What other decompressors make of an archive: at once, and byte by byte.

    zstd takes a block of no bytes only when it comes in pieces.
    """
    return {_text_by_others(data, compression, step_bytes) for step_bytes in (len(data), 1)}


def _text_by_others(data: bytes, compression: Stream, step_bytes: int) -> bytes | None:
    """The text of all members, those of xz padded to 4 bytes; None if one is refused."""
    texts: list[bytes] = []
    left_bytes = _MOST_TEXT_BYTES
    member, is_between = _member(compression), True
    at = 0
    while at < len(data):
        if is_between:
            zeros = len(data) - at - len(data[at:].lstrip(b"\0"))
            if compression == "xz" and zeros % 4:
                return None
            if at + zeros == len(data):
                break
            at += zeros if compression == "xz" else 0
        piece = data[at : at + step_bytes]
        try:
            texts.append(member.decompress(piece, left_bytes))
        except (zlib.error, OSError, lzma.LZMAError, zstd.ZstdError):
            return None
        left_bytes -= len(texts[-1])
        if not left_bytes:
            break
        at += len(piece) - len(member.unused_data)
        is_between = member.eof
        if is_between:
            member = _member(compression)
    return b"".join(texts) if is_between or not left_bytes else None


def _member(compression: Stream) -> _Member:
    match compression:
        case "gzip":
            return zlib.decompressobj(31)
        case "zstd":
            window_log_max = zstd.DecompressionParameter.window_log_max
            return zstd.ZstdDecompressor(options={window_log_max: window_log_max.bounds()[1]})
        case "bzip2":
            return bz2.BZ2Decompressor()
        case "xz":
            return lzma.LZMADecompressor(lzma.FORMAT_XZ)


class _Member(Protocol):
    """What the decompressors have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _source(data: bytes) -> Source:
    return Source("/x/archive", "archive", len(data), "")


def _blocks(data: bytes, block_bytes: int) -> Iterator[memoryview]:
    for start in range(0, len(data), block_bytes):
        yield memoryview(data)[start : start + block_bytes]
