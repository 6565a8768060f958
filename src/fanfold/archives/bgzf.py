"""BGZF, cut by compressed ranges.

A BGZF file is a row of gzip members of at most 64 KiB, called blocks, that say their own sizes (SAM
specification, section 4.1), and so it can be read from its middle. A slice of it owns the blocks
that start in the slice's range. A slice that isn't told where its first block starts looks for
headers that form a chain. Such a chain may be a forgery inside a block that is stored and not
deflated, or a plain gzip member may have taken a block's place: therefore a slice reports the bytes
it owned, and `must_rescan` tells whether it has to be scanned again.

What a slice owns starts with a block and ends with one, except that zero padding after the last
block, and garbage where that is ignored, goes with that block. So a slice that owns bytes up to the
object's end holds the last block, and alone can tell whether it is the end-of-file marker.
"""

# ruff: noqa: PLC0415 - the decompressor is imported where an object needs it
from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Protocol

from fanfold._kernel import crc64nvme
from fanfold.archives.formats import MAGIC_BYTES, bgzf_block_bytes
from fanfold.archives.inflate import Member, truncated
from fanfold.archives.tail import Tail
from fanfold.errors import ArchiveError
from fanfold.objects import BLOCK_BYTES, Source, read_blocks

EOF_MARKER = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty block that every complete BGZF file ends with."""

_BLOCK_BYTES = 0x10000
"""The most that a block has, deflated or inflated."""

_CHAIN_BLOCKS = 8
"""How many headers in a row make a chain. More would only make a forgery dearer, and the search."""

_SEARCHED_HEADER_BYTES = 12 + 64
"""How much of a header a search looks at. A forged extra field can have thousands of subfields, and
hold thousands of headers that have as many; those of real files have 6 bytes."""

_RUN_ON_BYTES = 4 * 1024 * 1024
"""How much further a slice reads at a time when its last block's maximum wasn't enough."""

_GZIP = b"\x1f\x8b"
_GZIP_DEFLATE = re.compile(rb"\x1f\x8b\x08")


class Read(Protocol):
    """Gives an object's bytes [start_byte, end_byte), as `fanfold.objects.read_blocks` does."""

    def __call__(
        self, start_byte: int, end_byte: int, block_bytes: int = BLOCK_BYTES, /
    ) -> Iterator[memoryview]:
        """The bytes, in blocks of at most `block_bytes`."""


class BgzfSlice:
    """The text of the BGZF blocks that start in the range [start_byte, end_byte) of an object.

    Iterating, which can be done once, inflates it, in blocks of at most 1 MiB: an empty one where a
    BGZF block has no text. Every block's CRC and length are verified. A gzip member that is no BGZF
    block is inflated just as well, however far it runs; zero padding after the last block is read
    and checked.

    An `ArchiveError` while iterating counts only if the slice began where its neighbour ended: one
    that looked for its first block may have found a forged one (see `must_rescan`).

    Args:
        source: the object.
        start_byte: where the range starts.
        end_byte: where it ends.
        begin_byte: where the first block starts, which is not looked for then: where the slice on
            the left ended. It may lie beyond the range, and then the slice owns nothing. The slice
            at the object's start needs none.
        read_bytes: bytes a read.
        read: gives the object's bytes by range, where copies of it stand for it.
        blocks: the object's bytes, all and in order, when it can be read once only; then the range
            is all of it, however large `end_byte` is.
        ignores_garbage: whether what follows the last block may be something other than zeros.

    Attributes:
        owned_start_byte: where the first block starts that the slice owns.
        owned_end_byte: where its last one ends, or the tail after it, and so where the next
            slice's first one starts. Both are `begin_byte`, or else `start_byte`, when it owns
            nothing.
        crc64nvme: the CRC-64/NVME of the owned bytes, when all text was taken.
        block_start_bytes: where each owned block starts.
        block_text_bytes: the length of each owned block's text.
        has_plain_member: whether it holds a gzip member that is no BGZF block, so that the object
            can't have a `.gzi`.
        failed: whether an `ArchiveError` ended the iteration.
    """

    def __init__(
        self,
        source: Source,
        start_byte: int,
        end_byte: int,
        begin_byte: int | None = None,
        *,
        read_bytes: int = BLOCK_BYTES,
        read: Read | None = None,
        blocks: Iterator[memoryview] | None = None,
        ignores_garbage: bool = False,
    ) -> None:
        self.start_byte = start_byte
        self.end_byte = end_byte
        self.owned_start_byte = self.owned_end_byte = (
            start_byte if begin_byte is None else begin_byte
        )
        self.crc64nvme = 0
        self.block_start_bytes = array("Q")
        self.block_text_bytes = array("I")
        self.has_plain_member = False
        self.failed = False
        self._source = source
        self._read = read or partial(read_blocks, source)
        self._read_bytes = read_bytes
        self._blocks_once = blocks
        self._must_search = begin_byte is None and start_byte > 0
        self._ends_whole = True
        self._tail = Tail(source, is_ignored=ignores_garbage)

    @property
    def garbage_bytes(self) -> int:
        """How many of its bytes, the last, were ignored: what follows the last block."""
        return self._tail.garbage_bytes

    def __iter__(self) -> Iterator[bytes]:
        """The text.

        Raises:
            ArchiveError: the object ends inside a block or without its end-of-file marker; a block
                is damaged; or something other than zero padding follows the last one.
        """
        if self.owned_start_byte >= self.end_byte:
            return
        window = _Window(
            self._source,
            self._read,
            self.owned_start_byte,
            min(self.end_byte + _BLOCK_BYTES, self._source.size_bytes),
            self._read_bytes,
            blocks=self._blocks_once,
        )
        try:
            if not self._must_search or self._find_first_block(window):
                yield from self._blocks(window)
                self._take_tail(window)
                self.crc64nvme = window.leave(self.owned_end_byte)
        except ArchiveError:
            self.failed = True
            raise
        window.finish()

    def find_first_block(self) -> int | None:
        """Where the first block starts that a chain of headers shows in the range, if one does.

        Reads no more than that takes.
        """
        end_byte = min(self.start_byte + 3 * _BLOCK_BYTES, self._source.size_bytes)
        window = _Window(self._source, self._read, self.start_byte, end_byte, self._read_bytes)
        return self.owned_start_byte if self._find_first_block(window) else None

    def _find_first_block(self, window: _Window) -> bool:
        for stride_byte in range(self.start_byte, self.end_byte, _BLOCK_BYTES):
            # Wide enough to hold a candidate that starts in its first third, and the next header.
            data = window.view(stride_byte, 3 * _BLOCK_BYTES)
            for magic in _GZIP_DEFLATE.finditer(data):
                first_byte = stride_byte + magic.start()
                if first_byte >= min(stride_byte + _BLOCK_BYTES, self.end_byte):
                    break
                if _starts_chain(data[magic.start() :]):
                    self.owned_start_byte = self.owned_end_byte = first_byte
                    window.restart(first_byte)
                    return True
        return False

    def _blocks(self, window: _Window) -> Iterator[bytes]:
        while self.owned_end_byte < self.end_byte:
            start_byte = self.owned_end_byte
            data = window.view(start_byte, _BLOCK_BYTES)
            block_bytes = bgzf_block_bytes(data)
            if block_bytes is not None:
                block = data[:block_bytes]
                if len(block) < block_bytes:
                    raise truncated(self._source, start_byte + len(block), "BGZF block", start_byte)
                text = _inflate_block(self._source, start_byte, block)
                self._ends_whole = block == EOF_MARKER
                self.owned_end_byte += block_bytes
                self.block_start_bytes.append(start_byte)
                self.block_text_bytes.append(len(text))
                yield text
            elif data and data[:2] == _GZIP[: len(data)]:
                self._ends_whole = self.has_plain_member = True
                yield from self._plain_member(window)
            else:
                return

    def _plain_member(self, window: _Window) -> Iterator[bytes]:
        head = window.view(self.owned_end_byte, MAGIC_BYTES)
        member = Member(self._source, "gzip", head, self.owned_end_byte)
        while not member.ended:
            data = window.view(member.end_byte, _BLOCK_BYTES)
            if not data:
                raise truncated(self._source, member.end_byte, "gzip member", member.start_byte)
            yield from member.feed(data)
        self.owned_end_byte = member.end_byte

    def _take_tail(self, window: _Window) -> None:
        if self.owned_end_byte < self.end_byte or self._tail_follows(window):
            while data := window.view(self.owned_end_byte, _BLOCK_BYTES):
                self._tail.take(data, self.owned_end_byte)
                self.owned_end_byte += len(data)
        if not self._ends_whole and not window.view(self.owned_end_byte, 1):
            end_byte = self.owned_end_byte
            raise ArchiveError(
                self._source.name,
                end_byte,
                f"truncated: it ends at byte {end_byte} without BGZF's end-of-file block; get the"
                " whole file",
            )

    def _tail_follows(self, window: _Window) -> bool:
        """Whether the archive's tail starts beyond the range: a member there is the next slice's.

        Garbage that is refused is the next slice's too: it tells of it.
        """
        data = bytes(window.view(self.owned_end_byte, len(_GZIP)))
        if self._tail.is_ignored:
            return data != _GZIP[: len(data)]
        return data[:1] == b"\0"


class SliceRanges(Protocol):
    """What `must_rescan` looks at in a slice; a `BgzfSlice` has it."""

    @property
    def end_byte(self) -> int:
        """Where its range ends."""

    @property
    def owned_start_byte(self) -> int:
        """Where the bytes start that it owned."""

    @property
    def owned_end_byte(self) -> int:
        """Where they end."""

    @property
    def failed(self) -> bool:
        """Whether an `ArchiveError` ended its scan."""


def must_rescan(each: SliceRanges, begin_byte: int) -> bool:
    """Whether a slice has to be scanned again, because it didn't begin where it should.

    Asked of all slices in order, each of which starts where the range of the one before it ends, it
    makes their owned bytes tile the object: together they own every byte, and no byte twice. A
    slice that owns nothing is right when its whole range was owned before it. One that failed
    where it should begin is right: its error is the object's, and the leftmost.

    Args:
        each: the slice.
        begin_byte: where the slices before it ended: 0 for the first, then the `owned_end_byte` of
            the last that owned something. A slice that is scanned again has to begin here.
    """
    if begin_byte >= each.end_byte:
        return each.failed or each.owned_start_byte != each.owned_end_byte
    if each.owned_start_byte != begin_byte:
        return True
    return not each.failed and each.owned_end_byte < each.end_byte


def gzi(block_start_bytes: Iterable[int], block_text_bytes: Iterable[int]) -> bytes:
    """The `.gzi` index of a BGZF file, byte for byte as `bgzip -r` and `samtools faidx` write it.

    It has, for each block but the first, where it starts in the file and in the text. Blocks
    without text, and so the end-of-file marker, are not in it, and the first is the first with
    text. (For a file without text htslib 1.16 writes a count of 2^64 - 1, a defect since mended.)

    Args:
        block_start_bytes: where each block of the file starts, in order.
        block_text_bytes: the length of each block's text.
    """
    entries = array("Q")
    text_start_byte = 0
    for start_byte, text_bytes in zip(block_start_bytes, block_text_bytes, strict=True):
        if text_bytes:
            entries.extend((start_byte, text_start_byte))
            text_start_byte += text_bytes
    del entries[:2]
    entries.insert(0, len(entries) // 2)
    if sys.byteorder == "big":
        entries.byteswap()
    return entries.tobytes()


class _Window:
    """A view that moves over a source's bytes, which are read on in large pieces.

    Args:
        source: the source.
        read: gives its bytes by range.
        start_byte: where it starts.
        end_byte: as far as it will probably get; it can move beyond.
        read_bytes: bytes a read.
        blocks: all bytes from `start_byte` on, when they can be read once only.
    """

    def __init__(
        self,
        source: Source,
        read: Read,
        start_byte: int,
        end_byte: int,
        read_bytes: int,
        *,
        blocks: Iterator[memoryview] | None = None,
    ) -> None:
        self._source = source
        self._read_on = read
        self._read_bytes = read_bytes
        self._data = b""
        self._data_start_byte = start_byte
        self._reads = blocks or read(start_byte, end_byte, read_bytes)
        self._reads_end_byte = source.size_bytes if blocks else end_byte
        self._crc = 0

    def view(self, start_byte: int, count_bytes: int) -> memoryview:
        """The bytes from `start_byte` on: `count_bytes` of them, or those up to the object's end.

        What lies before them may be gone.
        """
        end_byte = start_byte + count_bytes
        if end_byte > self._data_start_byte + len(self._data):
            self.leave(start_byte)
            while end_byte > self._data_start_byte + len(self._data) and self._read():
                pass
        start = start_byte - self._data_start_byte
        return memoryview(self._data)[start : start + count_bytes]

    def leave(self, start_byte: int) -> int:
        """Drop what lies before `start_byte`; the CRC-64/NVME of all that was dropped."""
        count = start_byte - self._data_start_byte
        self._crc = crc64nvme(memoryview(self._data)[:count], self._crc)
        self._data = self._data[count:]
        self._data_start_byte = start_byte
        return self._crc

    def restart(self, start_byte: int) -> None:
        """Drop what lies before `start_byte`, and start the CRC there."""
        self.leave(start_byte)
        self._crc = 0

    def finish(self) -> None:
        """Read what was asked for to its end, so that the source is checked once more."""
        for _ in self._reads:
            pass

    def _read(self) -> bool:
        block = next(self._reads, None)
        while block is None:
            start_byte = self._reads_end_byte
            if start_byte == self._source.size_bytes:
                return False
            self._reads_end_byte = min(start_byte + _RUN_ON_BYTES, self._source.size_bytes)
            self._reads = self._read_on(start_byte, self._reads_end_byte, self._read_bytes)
            block = next(self._reads, None)
        self._data += block
        return True


def _starts_chain(data: memoryview) -> bool:
    """Whether `data` starts with BGZF blocks that follow each other, as far as it shows."""
    at = 0
    for _ in range(_CHAIN_BLOCKS):
        if at >= len(data):
            break
        block_bytes = bgzf_block_bytes(data[at : at + _SEARCHED_HEADER_BYTES])
        if block_bytes is None:
            after = data[at : at + 2]
            return at > 0 and (after[0] == 0 or after == _GZIP[: len(after)])
        at += block_bytes
    return True


def _inflate_block(source: Source, start_byte: int, block: memoryview) -> bytes:
    from isal import igzip_lib

    decompressor = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
    failure: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment] # its stub says instance
    try:
        text = decompressor.decompress(block, _BLOCK_BYTES + 1)
    except failure as error:
        raise _damaged(source, start_byte, str(error)) from error
    if len(text) > _BLOCK_BYTES:
        raise _damaged(source, start_byte, f"it has more than {_BLOCK_BYTES} bytes of text")
    if not decompressor.eof or decompressor.unused_data:
        raise _damaged(source, start_byte, f"it doesn't end after the {len(block)} bytes it claims")
    return text


def _damaged(source: Source, start_byte: int, reason: str) -> ArchiveError:
    return ArchiveError(
        source.name,
        start_byte,
        f"damaged: the BGZF block that starts at byte {start_byte} can't be inflated ({reason});"
        " get a fresh copy",
    )
