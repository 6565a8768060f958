"""Inflate: the text of a compressed object, from its first byte to its last, in bounded blocks.

A gzip, zstd, bzip2 or xz object is one or more members in a row (gzip members, zstd frames, bzip2
or xz streams), then zero padding or nothing. Its text is that of its members, one after the other.
Between two xz streams, and after the last, zeros may stand whose number is a multiple of four (The
.xz File Format 1.2.1, section 2.2).
"""

# ruff: noqa: PLC0415 - only the decompressor that an object needs is imported
from __future__ import annotations

import itertools
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from fanfold.archives.formats import GZIP_FLAGS_BYTE, MAGIC, MAGIC_BYTES, Stream
from fanfold.archives.tail import Tail, count_zeros
from fanfold.archives.window import (
    ZSTD_HEADER_BYTES,
    declared_window_bytes,
    zstd_dictionary_id,
)
from fanfold.errors import ArchiveError, ParameterError
from fanfold.objects import Source

TEXT_BYTES = 1024 * 1024
"""The most text in a block, so that an archive of any ratio takes no more memory than another."""

_MIB = 1024 * 1024

INFLATING_BYTES = 8 * _MIB
"""Memory that inflating takes at most beside the window: bzip2 takes 7 MiB, the others 4 MiB."""

_FIRST_BYTES = 64
"""How much a member is fed at first. The smallest have 8 bytes."""

_ISAL_FLAGS = {flags | text for flags in (0, 0b100, 0b1000, 0b1_0000) for text in (0, 1)}
"""The flags of the gzip headers that isal is given: at most one optional field. It misreads those
with more, and with a checksum, that come in parts, and ignores reserved flags, which RFC 1952 says
to refuse; zlib reads them right."""

_OUT_OF_MEMORY = "not enough memory"
"""What zstd says, in a longer text, when there is none for its window."""

_XZ_DECODER_BYTES = 128 * 1024
"""Memory that xz counts beside the dictionary; it is 67 KiB in its version 5.4."""

_XZ_LIMIT_EXCEEDED = "Memory usage limit exceeded"
"""What Python says of a block whose decoder takes more than `memlimit`."""

_SMALL_WINDOW: dict[Stream, str] = {"zstd": "zstd -19", "xz": "xz -6"}
"""What writes each format with a window of 8 MiB."""

_XZ_PADDING_BYTES = 4

_MEMBER: dict[Stream, str] = {
    "gzip": "gzip member",
    "zstd": "zstd frame",
    "bzip2": "bzip2 stream",
    "xz": "xz stream",
}


def inflate(
    source: Source,
    compression: Stream,
    blocks: Iterable[bytes | memoryview],
    window_bytes: int | None = None,
    tail: Tail | None = None,
    *,
    begun: Member | None = None,
    codec_of: Callable[[int], Codec] | None = None,
) -> Iterator[bytes]:
    """The text of a whole object, in blocks of 1 to `TEXT_BYTES` bytes.

    Every member's own checks are verified: lengths, and checksums where the format has them.
    Memory is `INFLATING_BYTES`, and for zstd and xz the window that the archive asks for.

    Args:
        source: the object.
        compression: what its first bytes show it to be.
        blocks: its bytes, all and in order. Each is done with when the next is asked for.
        window_bytes: the most memory for a window. One that takes more is refused before it does.
        tail: takes what follows the last member; nothing but zero padding when None.
        begun: the member inside which `blocks` starts; at the object's first byte when None.
        codec_of: what inflates the member that starts at a byte, where that is not the usual.

    Raises:
        ParameterError: a window takes more than `window_bytes`.
        ArchiveError: the object ends inside a member; a member is damaged or needs a dictionary; or
            something other than zero padding follows the last, unless `tail` ignores that.
    """
    magics = MAGIC[compression]
    blocks = iter(blocks)
    tail = Tail(source) if tail is None else tail
    padding = _StreamPadding(source, is_ignored=tail.is_ignored)
    member = begun
    position_byte = 0 if begun is None else begun.start_byte  # where `data` starts
    cut_head = b""
    for block in blocks:
        data = memoryview(cut_head + block if cut_head else block)
        cut_head = b""
        while data:
            if member is None:
                if compression == "xz":
                    zeros = padding.take(data, position_byte)
                    position_byte += zeros
                    data = data[zeros:]
                    if not data:
                        break
                head = bytes(data[:MAGIC_BYTES])
                is_cut = len(head) < MAGIC_BYTES
                if is_cut and any(magic.startswith(head[: len(magic)]) for magic in magics):
                    cut_head = head
                    break
                if not head.startswith(magics) or not padding.is_whole(position_byte):
                    for rest in itertools.chain((data,), blocks):
                        tail.take(rest, position_byte)
                        position_byte += len(rest)
                    return
                codec = None if codec_of is None else codec_of(position_byte)
                member = Member(source, compression, head, position_byte, window_bytes, codec=codec)
                padding.end()
            yield from member.feed(data)
            data = data[member.end_byte - position_byte :]
            position_byte = member.end_byte
            if member.ended:
                member = None
    if member is not None or cut_head:
        start_byte = position_byte if member is None else member.start_byte
        end_byte = position_byte + len(cut_head)
        raise truncated(source, end_byte, _MEMBER[compression], start_byte)
    padding.is_whole(position_byte)


class _StreamPadding:
    """The zeros between two xz streams, or after the last: four each time.

    Args:
        source: the object that holds them.
        is_ignored: whether zeros that aren't padding end the archive, and are no error.
    """

    def __init__(self, source: Source, *, is_ignored: bool) -> None:
        self._source = source
        self._is_ignored = is_ignored
        self._count = 0

    def take(self, data: memoryview, start_byte: int) -> int:
        """Take the zeros that `data` starts with, none at the object's start; how many."""
        zeros = count_zeros(data) if start_byte else 0
        self._count += zeros
        return zeros

    def is_whole(self, end_byte: int) -> bool:
        """Whether a stream may start at `end_byte`, where the zeros end.

        Raises:
            ArchiveError: it may not, and such zeros are not ignored.
        """
        if self._count % _XZ_PADDING_BYTES == 0:
            return True
        if self._is_ignored:
            return False
        raise ArchiveError(
            self._source.name,
            end_byte - self._count,
            f"damaged: the zero padding in bytes {end_byte - self._count} to {end_byte}, after an"
            f" xz stream, is no multiple of {_XZ_PADDING_BYTES} bytes; get a fresh copy",
        )

    def end(self) -> None:
        """Start over: a stream follows."""
        self._count = 0


class Member:
    """A gzip member, zstd frame, bzip2 or xz stream that is inflated as its bytes come in.

    Args:
        source: the object that holds it.
        compression: its format.
        head: its first bytes, `MAGIC_BYTES` at least unless the object ends there.
        start_byte: where in the object it starts.
        window_bytes: the most memory for its window.
        codec: what inflates it; what its format and head ask for when None.

    Attributes:
        start_byte: where in the object it starts.
        end_byte: where in the object the bytes end that it has taken so far.
        ended: whether that was its last byte.
    """

    def __init__(
        self,
        source: Source,
        compression: Stream,
        head: bytes | memoryview,
        start_byte: int,
        window_bytes: int | None = None,
        *,
        codec: Codec | None = None,
    ) -> None:
        self.start_byte = start_byte
        self.end_byte = start_byte
        self.ended = False
        self._source = source
        self._compression = compression
        self._name = _MEMBER[compression]
        self._codec = codec or _codec(compression, head, window_bytes)
        self._window_bytes = window_bytes
        self._head: bytes | None = b""  # until it shows the window
        self._zstd_header = b""

    def feed(self, data: bytes | memoryview) -> Iterator[bytes]:
        """The text that `data`, the next bytes, adds, in blocks of 1 to `TEXT_BYTES` bytes.

        What lies beyond the member's last byte, from `end_byte` on, is not taken.

        Raises:
            ParameterError: its window takes more memory than it may.
            ArchiveError: the member is damaged. Its offset is where the piece starts that shows it.
        """
        data = memoryview(data)
        while data and not self.ended:
            # A decompressor copies what it is fed beyond the member's end. So it is fed as much
            # as it has taken before: many small members take time linear in their bytes.
            start_byte = self.end_byte
            piece = data[: max(_FIRST_BYTES, start_byte - self.start_byte)]
            self._check_window(piece)
            if self._compression == "zstd" and len(self._zstd_header) < ZSTD_HEADER_BYTES:
                self._zstd_header += piece[:ZSTD_HEADER_BYTES]
            yield from self._inflate(piece)
            data = data[self.end_byte - start_byte :]

    def _inflate(self, data: bytes | memoryview) -> Iterator[bytes]:
        decompressor, failure = self._codec
        data_start_byte = self.end_byte
        data_end_byte = self.end_byte = data_start_byte + len(data)
        while True:
            try:
                text = decompressor.decompress(data, TEXT_BYTES)
            except failure as error:
                if str(error) == _XZ_LIMIT_EXCEEDED:
                    raise self._window_refused() from error
                if _OUT_OF_MEMORY in str(error):
                    raise MemoryError(str(error)) from error
                dictionary_id = zstd_dictionary_id(self._zstd_header)
                if dictionary_id:
                    raise self._dictionary_needed(dictionary_id) from error
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

    def _check_window(self, data: memoryview) -> None:
        if self._window_bytes is None or self._head is None:
            return
        self._head += data
        needed_bytes = declared_window_bytes(self._compression, self._head)
        if needed_bytes is not None:
            self._head = None
            if needed_bytes > self._window_bytes:
                raise self._window_refused(needed_bytes)

    def _dictionary_needed(self, dictionary_id: int) -> ArchiveError:
        return ArchiveError(
            self._source.name,
            self.start_byte,
            f"the {self._name} that starts at byte {self.start_byte} needs a dictionary, number"
            f" {dictionary_id}, which fanfold doesn't read; inflate it with `zstd -dc -D"
            " DICTIONARY`, and pipe that in",
        )

    def _window_refused(self, needed_bytes: int | None = None) -> ParameterError:
        left = f"{(self._window_bytes or 0) // _MIB}MiB"
        needed = f"more than {left}" if needed_bytes is None else f"{-(-needed_bytes // _MIB)}MiB"
        return ParameterError(
            f"{self._source.name}: the {self._name} that starts at byte {self.start_byte} needs"
            f" {needed} for its window, but --memory leaves {left} for it; give more, or recompress"
            f" it with `{_SMALL_WINDOW[self._compression]}`, which takes 8MiB"
        )


def truncated(source: Source, end_byte: int, what: str, start_byte: int) -> ArchiveError:
    """The error of an object that ends inside `what`, a part of it that starts at `start_byte`."""
    return ArchiveError(
        source.name,
        end_byte,
        f"truncated: it ends at byte {end_byte}, inside the {what} that starts at byte"
        f" {start_byte}; get the whole file",
    )


class Decompressor(Protocol):
    """What the decompressors of all formats have in common."""

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether there is no more text without more input."""

    @property
    def unused_data(self) -> bytes:
        """The bytes beyond the member, once it has ended."""

    def decompress(self, data: bytes | memoryview, max_length: int, /) -> bytes:
        """The text that follows, at most `max_length` bytes of it."""


class Codec(NamedTuple):
    """A decompressor of one member, and what it raises when the member is damaged."""

    decompressor: Decompressor
    failure: type[Exception]


class _Zlib:
    """Python's zlib, as the decompressors of other formats are."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)  # 16: of gzip
        self._is_full = False

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def needs_input(self) -> bool:
        return not (self._member.unconsumed_tail or self._is_full)

    @property
    def unused_data(self) -> bytes:
        return self._member.unused_data

    def decompress(self, data: bytes | memoryview, max_length: int, /) -> bytes:
        text = self._member.decompress(self._member.unconsumed_tail + data, max_length)
        self._is_full = len(text) == max_length
        return text


def _codec(compression: Stream, head: bytes | memoryview, window_bytes: int | None) -> Codec:
    """A decompressor of one member, and what it raises when the member is damaged.

    That of xz refuses each block whose dictionary takes more than `window_bytes`.
    """
    match compression:
        case "gzip" if len(head) > GZIP_FLAGS_BYTE and head[GZIP_FLAGS_BYTE] not in _ISAL_FLAGS:
            return Codec(_Zlib(), zlib.error)
        case "gzip":
            from isal import igzip_lib

            failure: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment] # its stub says instance
            return Codec(igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP), failure)
        case "bzip2":
            import bz2

            return Codec(bz2.BZ2Decompressor(), OSError)
        case "xz":
            import lzma

            limit_bytes = None if window_bytes is None else window_bytes + _XZ_DECODER_BYTES
            return Codec(lzma.LZMADecompressor(lzma.FORMAT_XZ, limit_bytes), lzma.LZMAError)
        case "zstd":
            if sys.version_info >= (3, 14):
                from compression import zstd
            else:
                from backports import zstd

            # 2 GiB, what `zstd --long=31` writes and refuses to read unless told; memory is
            # taken as the text fills it.
            window_log_max = zstd.DecompressionParameter.window_log_max
            return Codec(
                zstd.ZstdDecompressor(options={window_log_max: window_log_max.bounds()[1]}),
                zstd.ZstdError,
            )
