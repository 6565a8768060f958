"""Start points inside a gzip object: where its text can be inflated without what comes before.

A member's text is inflated from the start of any of its deflate blocks on, which is at any bit,
with the 32 KiB of text before it at hand, to which the block may refer:

    object  | header | block | block | block | trailer | header | block | ...
                             ^ Start(bit, window)      ^ Start(bit, no window)
    text             |abc....|def....|ghi....|         |jkl....|
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from fanfold._kernel import Inflater
from fanfold.archives.inflate import Codec, Member, inflate
from fanfold.archives.tail import Tail
from fanfold.objects import Source

WINDOW_BYTES = 32 * 1024
"""How far back a deflate block may refer (RFC 1951, section 2)."""

_BYTE_BITS = 8


class Start(NamedTuple):
    """Where text can be inflated from.

    Attributes:
        text_byte: where in the text.
        bit: where in the object, in bits: byte ``bit // 8``, and ``bit % 8`` of its lowest bits are
            not part of it.
        window: the `WINDOW_BYTES` of text before it, with zeros before the member's first; None if
            a member starts here.
    """

    text_byte: int
    bit: int
    window: bytes | None


class Starts:
    """Finds the start points of slices while an object is inflated.

    A slice begins at the first start point at which the slice before it has its size, and which
    text follows.

    Args:
        slice_bytes: the size of a slice, by its index.

    Attributes:
        begun: where the slice begins that begins with the text that came last; None if that goes
            on with the slice before.
    """

    def __init__(self, slice_bytes: Callable[[int], int]) -> None:
        self.begun: Start | None = None
        self._slice_bytes = slice_bytes
        self._index = 0
        self._wanted_byte = slice_bytes(0)
        self._text_byte = 0
        self._next: Start | None = None  # until text follows

    def inflate(
        self, source: Source, blocks: Iterable[bytes | memoryview], tail: Tail
    ) -> Iterator[bytes]:
        """The text of a gzip object; see `fanfold.archives.inflate.inflate`."""
        return inflate(source, "gzip", blocks, tail=tail, codec_of=self._codec)

    def _codec(self, member_start_byte: int) -> Codec:
        return Codec(_Noting(self, member_start_byte), ValueError)

    @property
    def room_bytes(self) -> int:
        """How much text there is before a start point is wanted."""
        return max(0, self._wanted_byte - self._text_byte)

    @property
    def is_wanted(self) -> bool:
        """Whether the next start point is one that a slice begins at."""
        return self._text_byte >= self._wanted_byte

    def take(self, text: bytes) -> None:
        """Take note of text."""
        if text:
            self.begun, self._next = self._next, None
            self._text_byte += len(text)

    def note(self, bit: int, window: bytes | None) -> None:
        """Take note of a start point that is wanted."""
        self._next = Start(self._text_byte, bit, window)
        self._index += 1
        self._wanted_byte = self._text_byte + self._slice_bytes(self._index)


class _Noting:
    """A decompressor of a gzip member that tells of start points."""

    def __init__(self, starts: Starts, start_byte: int) -> None:
        self._starts = starts
        self._start_bit = start_byte * _BYTE_BITS
        self._inflater = Inflater()

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def needs_input(self) -> bool:
        return self._inflater.needs_input

    @property
    def unused_data(self) -> bytes:
        return self._inflater.unused_data

    def decompress(self, data: bytes | memoryview, max_length: int, /) -> bytes:
        starts, inflater = self._starts, self._inflater
        # Where the text that is wanted may end with a block, it has to stop between blocks before:
        # once that text is made, zlib goes on into the next block.
        room_bytes = starts.room_bytes
        if room_bytes:
            max_length = min(max_length, room_bytes)
        text = inflater.decompress(data, max_length, room_bytes <= max_length)
        starts.take(text)
        if starts.is_wanted:
            next_bit = inflater.next_block_bit
            if next_bit is not None:
                window = inflater.window().rjust(WINDOW_BYTES, b"\0")
                starts.note(self._start_bit + next_bit, window)
            elif inflater.eof:
                starts.note(self._start_bit + inflater.taken_bytes * _BYTE_BITS, None)
        return text


def inflate_from(
    source: Source, bit: int, window: bytes | None, blocks: Iterable[bytes | memoryview]
) -> Iterator[bytes]:
    """The text of a gzip object from a start point on; raises as `inflate`.

    Args:
        source: the object.
        bit: see `Start`.
        window: see `Start`.
        blocks: the object's bytes, from byte ``bit // 8`` on.
    """
    start_byte, skipped_bits = divmod(bit, _BYTE_BITS)
    begun = None
    if window is not None:
        inside = Codec(Inflater.inside(window, skipped_bits), ValueError)
        begun = Member(source, "gzip", b"", start_byte, codec=inside)
    return inflate(
        source,
        "gzip",
        blocks,
        tail=Tail(source, is_ignored=True),
        begun=begun,
        codec_of=lambda _: Codec(Inflater(), ValueError),
    )
