"""Inflate: the text of a compressed object, from its first byte to its last, in bounded blocks.

A gzip, zstd, bzip2 or xz object is one or more members in a row (gzip members, zstd frames, bzip2
or xz streams), then zero padding or nothing. Its text is that of its members, one after the other.
"""

# ruff: noqa: PLC0415 - only the decompressor that an object needs is imported
from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from fanfold.archives.formats import MAGIC, MAGIC_BYTES, Stream
from fanfold.errors import ArchiveError
from fanfold.objects import Source

TEXT_BYTES = 1024 * 1024
"""The most text in a block, so that an archive of any ratio takes no more memory than another."""

_FIRST_BYTES = 64
"""How much a member is fed at first. The smallest have 8 bytes."""

_MEMBER: dict[Stream, str] = {
    "gzip": "gzip member",
    "zstd": "zstd frame",
    "bzip2": "bzip2 stream",
    "xz": "xz stream",
}


def inflate(
    source: Source, compression: Stream, blocks: Iterable[bytes | memoryview]
) -> Iterator[bytes]:
    """The text of a whole object, in blocks of 1 to `TEXT_BYTES` bytes.

    Every member's own checks are verified: lengths, and checksums where the format has them.
    Memory is a few blocks, and for zstd and xz the window that the archive asks for.

    Args:
        source: the object.
        compression: what its first bytes show it to be.
        blocks: its bytes, all and in order. Each is done with when the next is asked for.

    Raises:
        ArchiveError: the object ends inside a member; a member is damaged; or something other than
            zero padding follows the last.
    """
    magics = MAGIC[compression]
    blocks = iter(blocks)
    member: Member | None = None
    position_byte = 0  # where `data` starts
    cut_magic = b""
    for block in blocks:
        data = memoryview(cut_magic + block if cut_magic else block)
        cut_magic = b""
        while data:
            if member is None:
                head = bytes(data[:MAGIC_BYTES])
                if any(magic.startswith(head) and magic != head for magic in magics):
                    cut_magic = head
                    break
                if not head.startswith(magics):
                    for padding in itertools.chain((data,), blocks):
                        check_padding(source, padding, position_byte)
                        position_byte += len(padding)
                    return
                member = Member(source, compression, position_byte)
            yield from member.feed(data)
            data = data[member.end_byte - position_byte :]
            position_byte = member.end_byte
            if member.ended:
                member = None
    if member is not None or cut_magic:
        start_byte = position_byte if member is None else member.start_byte
        end_byte = position_byte + len(cut_magic)
        raise truncated(source, end_byte, _MEMBER[compression], start_byte)


class Member:
    """A gzip member, zstd frame, bzip2 or xz stream that is inflated as its bytes come in.

    Args:
        source: the object that holds it.
        compression: its format.
        start_byte: where in the object it starts.

    Attributes:
        start_byte: where in the object it starts.
        end_byte: where in the object the bytes end that it has taken so far.
        ended: whether that was its last byte.
    """

    def __init__(self, source: Source, compression: Stream, start_byte: int) -> None:
        self.start_byte = start_byte
        self.end_byte = start_byte
        self.ended = False
        self._source = source
        self._name = _MEMBER[compression]
        self._codec = _codec(compression)

    def feed(self, data: bytes | memoryview) -> Iterator[bytes]:
        """The text that `data`, the next bytes, adds, in blocks of 1 to `TEXT_BYTES` bytes.

        What lies beyond the member's last byte, from `end_byte` on, is not taken.

        Raises:
            ArchiveError: the member is damaged. Its offset is where the piece starts that shows it.
        """
        data = memoryview(data)
        while data and not self.ended:
            # A decompressor copies what it is fed beyond the member's end. So it is fed as much
            # as it has taken before: many small members take time linear in their bytes.
            start_byte = self.end_byte
            yield from self._inflate(data[: max(_FIRST_BYTES, start_byte - self.start_byte)])
            data = data[self.end_byte - start_byte :]

    def _inflate(self, data: bytes | memoryview) -> Iterator[bytes]:
        decompressor, failure = self._codec
        data_start_byte = self.end_byte
        data_end_byte = self.end_byte = data_start_byte + len(data)
        while True:
            try:
                text = decompressor.decompress(data, TEXT_BYTES)
            except failure as error:
                raise ArchiveError(
                    self._source.name,
                    data_start_byte,
                    f"damaged: the {self._name} that starts at byte {self.start_byte} can't be"
                    f" inflated ({error}; found in bytes {data_start_byte} to {data_end_byte});"
                    " get a fresh copy",
                ) from error
            if text:
                yield text
            if decompressor.eof:
                self.ended = True
                self.end_byte -= len(decompressor.unused_data)
                return
            if decompressor.needs_input:
                return
            data = b""


def check_padding(source: Source, data: bytes | memoryview, start_byte: int) -> None:
    """Check that what follows an archive's end is zeros.

    Args:
        source: the object.
        data: some of its bytes that follow the end.
        start_byte: where in the object they start.

    Raises:
        ArchiveError: one of them is not zero.
    """
    zeros = len(data) - len(bytes(data).lstrip(b"\0"))
    if zeros < len(data):
        offset_byte = start_byte + zeros
        raise ArchiveError(
            source.name,
            offset_byte,
            "bytes after the archive's end that are not zero padding, from byte"
            f" {offset_byte} on; cut them off, or get a fresh copy",
        )


def truncated(source: Source, end_byte: int, what: str, start_byte: int) -> ArchiveError:
    """The error of an object that ends inside `what`, a part of it that starts at `start_byte`."""
    return ArchiveError(
        source.name,
        end_byte,
        f"truncated: it ends at byte {end_byte}, inside the {what} that starts at byte"
        f" {start_byte}; get the whole file",
    )


class _Decompressor(Protocol):
    """What the decompressors of all formats have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes | memoryview, max_length: int, /) -> bytes: ...


class _Codec(NamedTuple):
    decompressor: _Decompressor
    failure: type[Exception]


def _codec(compression: Stream) -> _Codec:
    """A decompressor of one member, and what it raises when the member is damaged."""
    match compression:
        case "gzip":
            from isal import igzip_lib

            failure: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment] # its stub says instance
            return _Codec(igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP), failure)
        case "bzip2":
            import bz2

            return _Codec(bz2.BZ2Decompressor(), OSError)
        case "xz":
            import lzma

            return _Codec(lzma.LZMADecompressor(lzma.FORMAT_XZ), lzma.LZMAError)
        case "zstd":
            if sys.version_info >= (3, 14):
                from compression import zstd
            else:
                from backports import zstd

            # 2 GiB, what `zstd --long=31` writes and refuses to read unless told; memory is
            # taken as the text fills it.
            window_log_max = zstd.DecompressionParameter.window_log_max
            return _Codec(
                zstd.ZstdDecompressor(options={window_log_max: window_log_max.bounds()[1]}),
                zstd.ZstdError,
            )
