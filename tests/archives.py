"""Archives that the tests write themselves, and BGZF read as a run reads it."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from fanfold.archives.bgzf import BgzfSlice, Read, must_rescan
from fanfold.errors import ArchiveError
from fanfold.objects import Source


def bgzf(text: bytes, block_bytes: int = 0xFF00, *, level: int = 6, end: bool = True) -> bytes:
    """BGZF by the SAM specification, section 4.1, with or without its end-of-file block."""
    blocks = []
    for start in [*range(0, len(text), block_bytes), *([len(text)] if end else [])]:
        piece = text[start : start + block_bytes]
        deflater = zlib.compressobj(level, zlib.DEFLATED, -15)
        deflated = deflater.compress(piece) + deflater.flush()
        blocks.append(
            bytes.fromhex("1f8b0804 00000000 00ff0600 42430200")
            + struct.pack("<H", len(deflated) + 25)
            + deflated
            + struct.pack("<II", zlib.crc32(piece), len(piece))
        )
    return b"".join(blocks)


class Folded(NamedTuple):
    """What a run makes of its slices; `rescans` has the indexes of those it scanned twice."""

    text: bytes
    slices: list[BgzfSlice]
    rescans: list[int]


def scanned(bgzf_slice: BgzfSlice) -> tuple[BgzfSlice, bytes, ArchiveError | None]:
    """What a task hands to the fold: a slice, its text, and the error that ended it."""
    texts: list[bytes] = []
    error = None
    try:
        texts.extend(bgzf_slice)
    except ArchiveError as raised:
        error = raised
    assert bgzf_slice.failed == (error is not None)
    return bgzf_slice, b"".join(texts), error


def folded(
    source: Source,
    cuts: Iterable[int] = (),
    read_bytes: int = 1 << 16,
    read: Read | None = None,
    *,
    ignores_garbage: bool = False,
) -> Folded:
    """What a run does: scan every slice; in order, scan those again that don't meet."""
    size_bytes = source.size_bytes
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < size_bytes}), size_bytes]
    result = Folded(b"", [], [])
    texts = []
    begin_byte = 0
    for index, (start, end) in enumerate(itertools.pairwise(edges)):
        make = partial(
            BgzfSlice,
            source,
            start,
            end,
            read_bytes=read_bytes,
            read=read,
            ignores_garbage=ignores_garbage,
        )
        each, text, error = scanned(make())
        if must_rescan(each, begin_byte):
            each, text, error = scanned(make(begin_byte))
            assert not must_rescan(each, begin_byte)
            result.rescans.append(index)
        if error is not None:
            raise error
        begin_byte = max(begin_byte, each.owned_end_byte)
        result.slices.append(each)
        texts.append(text)
    return result._replace(text=b"".join(texts))


def gzip_of_small_blocks(text: bytes) -> bytes:
    """A gzip member of many deflate blocks, at whose starts plans cut."""
    compressor = zlib.compressobj(wbits=31, memLevel=1)
    return compressor.compress(text) + compressor.flush()
