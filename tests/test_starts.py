"""Start points inside a gzip object: slices that are inflated from them have its text."""

from __future__ import annotations

import gzip
import random
import struct
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive_deflate import inflate as naive_inflate

from fanfold._kernel import Inflater
from fanfold.archives.inflate import TEXT_BYTES, inflate
from fanfold.archives.starts import WINDOW_BYTES, Start, Starts, inflate_from
from fanfold.archives.tail import Tail
from fanfold.errors import ArchiveError
from fanfold.objects import Source

BASES = st.text("ACGTacgtN\n", max_size=300).map(str.encode)
TEXTS = st.one_of(
    st.binary(max_size=2000),
    st.builds(lambda text, times: text * times, BASES, st.integers(0, 12)),
    st.builds(
        lambda seed, size: bytes(random.Random(seed).choices(b"ACGT\n", k=size)),
        st.integers(0, 99),
        st.integers(0, 5000),
    ),
)
FLUSHES = (zlib.Z_NO_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH)
HEADER_CHECKSUM, EXTRA, NAME, COMMENT = 2, 4, 8, 16


class Member(NamedTuple):
    """A gzip member: its header, and its text in pieces, after each of which is a flush."""

    flags: int
    level: int
    strategy: int
    memory_level: int
    window_bits: int
    pieces: list[tuple[bytes, int]]

    @property
    def text(self) -> bytes:
        return b"".join(text for text, _ in self.pieces)

    @property
    def header(self) -> bytes:
        header = b"\x1f\x8b\x08" + bytes([self.flags]) + bytes(6)
        if self.flags & EXTRA:
            header += struct.pack("<H", 5) + b"AB\x01\x00z"
        if self.flags & NAME:
            header += b"genome.fa\0"
        if self.flags & COMMENT:
            header += b"a comment\0"
        if self.flags & HEADER_CHECKSUM:
            header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
        return header

    @property
    def stream(self) -> bytes:
        settings = (self.level, zlib.DEFLATED, -self.window_bits, self.memory_level, self.strategy)
        member = zlib.compressobj(*settings)
        made = b"".join(
            member.compress(text) + (member.flush(flush) if flush else b"")
            for text, flush in self.pieces
        )
        return made + member.flush()

    @property
    def data(self) -> bytes:
        text = self.text
        return self.header + self.stream + struct.pack("<II", zlib.crc32(text), len(text))


MEMBERS = st.builds(
    Member,
    st.sampled_from([0, 1, 4, 8, 16, 2, 4 | 8, 8 | 16, 2 | 4 | 8 | 16, 1 | 2 | 4]),
    st.integers(0, 9),
    st.integers(0, 4),
    st.integers(1, 9),
    st.integers(9, 15),
    st.lists(st.tuples(TEXTS, st.sampled_from(FLUSHES)), max_size=4),
)


def source_of(data: bytes) -> Source:
    return Source("/x/genome.fa.gz", "genome.fa.gz", len(data), "")


def blocks_of(data: bytes, block_bytes: int, start_byte: int = 0) -> Iterator[bytes]:
    for start in range(start_byte, len(data), block_bytes):
        yield data[start : start + block_bytes]


def found(data: bytes, slice_bytes: int, block_bytes: int) -> tuple[bytes, list[Start]]:
    """The text of an object, and where its slices begin."""
    source, starts = source_of(data), Starts(lambda _: slice_bytes)
    texts, begun = list[bytes](), [Start(0, 0, None)]
    for text in starts.inflate(source, blocks_of(data, block_bytes), Tail(source)):
        assert 0 < len(text) <= TEXT_BYTES
        if starts.begun is not None:
            begun.append(starts.begun)
        texts.append(text)
    return b"".join(texts), begun


def expected_starts(members: list[Member], slice_bytes: int) -> list[tuple[int, int]]:
    """The text offset and the bit of each slice's start, as the definition says."""
    starts, text_byte, at_byte, text_bytes = list[tuple[int, int]](), 0, 0, 0
    whole = sum(len(each.text) for each in members)
    for each in members:
        stream_bit = 8 * (at_byte + len(each.header))
        blocks = naive_inflate(each.stream).blocks
        starts.append((text_bytes, 8 * at_byte))
        starts += [(text_bytes + text_byte, stream_bit + bit) for bit, text_byte in blocks]
        at_byte += len(each.data)
        text_bytes += len(each.text)
    chosen = [(0, 0)]
    for text_byte, bit in starts[1:]:
        if chosen[-1][0] + slice_bytes <= text_byte < whole:
            chosen.append((text_byte, bit))
    return chosen


@given(
    st.lists(MEMBERS, min_size=1, max_size=4),
    st.sampled_from([1, 2, 100, 1000, 5000]),
    st.sampled_from([1, 3, 64, 1000, 1 << 20]),
)
def test_slices_begin_at_the_first_block_after_their_size_and_have_its_text(
    members: list[Member], slice_bytes: int, block_bytes: int
) -> None:
    data = b"".join(each.data for each in members)
    text = b"".join(each.text for each in members)

    whole, begun = found(data, slice_bytes, block_bytes)

    assert whole == text == gzip.decompress(data)
    assert [each[:2] for each in begun] == expected_starts(members, slice_bytes)
    ends = [*(each.text_byte for each in begun[1:]), len(text)]
    end_bytes = [*(-(-each.bit // 8) for each in begun[1:]), len(data)]
    for start, end, end_byte in zip(begun, ends, end_bytes, strict=True):
        stored = blocks_of(data[:end_byte], block_bytes, start.bit // 8)
        wanted = end - start.text_byte
        assert text_from(data, start, stored, wanted) == text[start.text_byte : end]


def text_from(data: bytes, start: Start, blocks: Iterator[bytes], count_bytes: int) -> bytes:
    got = b""
    texts = inflate_from(source_of(data), start.bit, start.window, blocks)
    while len(got) < count_bytes:
        got += next(texts)
    return got[:count_bytes]


def test_text_may_refer_to_the_first_byte_of_the_window() -> None:
    rest = random.Random(1).randbytes(WINDOW_BYTES - 260)
    member = Member(0, 9, 0, 9, 15, [(b"Z" * 260 + rest, zlib.Z_SYNC_FLUSH), (b"Z" * 258, 0)])

    text, (_, *starts) = found(member.data, WINDOW_BYTES, 1000)

    assert starts
    assert starts[0].window == text[:WINDOW_BYTES]
    assert text_from(member.data, starts[0], blocks_of(member.data, 9, starts[0].bit // 8), 258)


def test_a_window_has_zeros_where_its_member_has_no_text() -> None:
    members = [
        Member(0, 6, 0, 9, 15, [(b"ACGT", 0)]),
        Member(0, 6, 0, 9, 15, [(b"GG", 2), (b"A", 0)]),
    ]
    data = b"".join(each.data for each in members)

    _, begun = found(data, 1, 1000)

    assert [each.window and each.window.lstrip(b"\0") for each in begun] == [None, None, b"GG"]
    assert {len(each.window) for each in begun if each.window is not None} == {WINDOW_BYTES}


@pytest.mark.parametrize("level", [0, 6])
def test_a_block_larger_than_slices_is_one_slice(level: int) -> None:
    text = bytes(random.Random(2).choices(b"ACGT", k=200_000))
    one = zlib.compressobj(level, zlib.DEFLATED, 31, 9, zlib.Z_DEFAULT_STRATEGY)
    data = one.compress(text) + one.flush()
    blocks = naive_inflate(data[10:-8]).blocks

    _, begun = found(data, 1000, 1 << 20)

    assert [each.text_byte for each in begun] == sorted(
        {each.text_byte for each in blocks} - {len(text)}
    )
    assert max(right - left for left, right in pairwise(each.text_byte for each in begun)) > 10_000


def test_nothing_that_has_no_text_is_a_slice() -> None:
    empty = Member(8, 6, 0, 9, 15, [(b"", zlib.Z_SYNC_FLUSH), (b"", zlib.Z_FULL_FLUSH)]).data
    member = Member(0, 6, 0, 9, 15, [(b"ACGT", zlib.Z_SYNC_FLUSH)]).data
    padding = bytes(1000)

    text, begun = found(empty + member + empty + padding, 1, 7)

    assert text == b"ACGT"
    assert len(begun) == 1


# --- damage


WHOLE = [
    Member(0, 9, 0, 9, 15, [(b">a\n" + b"ACGTTGCA" * 20, zlib.Z_SYNC_FLUSH), (b"GATTACA\n", 0)]),
    Member(2 | 4 | 8 | 16, 6, zlib.Z_FIXED, 9, 15, [(b">b\nACGTTTACG\n", 0)]),
    Member(8, 0, 0, 9, 15, [(b">c\n" + bytes(range(65, 90)) * 3, 0)]),
]
"""Blocks of all three kinds: with codes of their own, with fixed codes, and stored."""


def outcome(texts: Iterator[bytes]) -> bytes | None:
    try:
        return b"".join(texts)
    except ArchiveError:
        return None


def check_same_outcome(data: bytes) -> None:
    """That the text is that of another inflater, or that both refuse it."""
    source = source_of(data)
    usual = outcome(inflate(source, "gzip", blocks_of(data, 50)))

    here = outcome(Starts(lambda _: 10).inflate(source, blocks_of(data, 50), Tail(source)))

    assert here == usual


def test_every_truncation_is_refused_as_ever() -> None:
    data = b"".join(each.data for each in WHOLE)

    for end in range(len(data)):
        check_same_outcome(data[:end])


def test_every_flipped_bit_is_refused_or_not_as_ever() -> None:
    data = b"".join(each.data for each in WHOLE)

    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        check_same_outcome(bytes(flipped))


@given(st.binary(max_size=300))
def test_any_bytes_in_a_member_are_refused_or_not_as_ever(rest: bytes) -> None:
    check_same_outcome(b"\x1f\x8b\x08\0\0\0\0\0\0\0" + rest)


@given(st.binary(max_size=300), st.integers(0, 7))
def test_any_bytes_are_refused_or_inflated_inside_a_member(rest: bytes, bit: int) -> None:
    window = bytes(WINDOW_BYTES)

    texts = inflate_from(source_of(rest), bit, window, iter([rest]))

    for _, text in zip(range(10), outcome_pieces(texts), strict=False):
        assert 0 < len(text) <= TEXT_BYTES


def outcome_pieces(texts: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from texts
    except ArchiveError:
        return


def test_a_member_that_failed_stays_so() -> None:
    inflater = Inflater()

    for _ in range(2):
        with pytest.raises(ValueError, match=r"header|failed"):
            inflater.decompress(b"\x1f\x8b\x08\xe0" + bytes(20), 100)
    assert not inflater.eof


def test_a_window_has_32_kib_at_most_and_a_byte_8_bits() -> None:
    for window, skipped_bits in ((bytes(WINDOW_BYTES + 1), 0), (b"", 8)):
        with pytest.raises(ValueError, match="32 KiB"):
            Inflater.inside(window, skipped_bits)


def test_text_comes_in_parts_and_what_follows_is_left() -> None:
    inflater = Inflater()
    data = gzip.compress(b"ACGT" * 1000) + b"rest"

    parts = [inflater.decompress(data, 999)]
    while not inflater.eof:
        parts.append(inflater.decompress(b"", 999))

    assert b"".join(parts) == b"ACGT" * 1000
    assert max(map(len, parts)) == 999
    assert inflater.unused_data == b"rest"
    assert inflater.taken_bytes == len(data) - 4
    assert inflater.decompress(b"", 10) == b""
