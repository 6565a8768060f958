from __future__ import annotations

import gzip
import random
import shutil
import struct
import subprocess
import sys
import tracemalloc
import zlib
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from archives import Folded, folded
from fed_bytes import FedBytes
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold._kernel import crc64nvme, crc64nvme_combine
from fanfold.archives.bgzf import EOF_MARKER, BgzfSlice, gzi, must_rescan
from fanfold.errors import ArchiveError, SourceChangedError
from fanfold.objects import BLOCK_BYTES, Source, stat_source

GENOMES = Path(__file__).resolve().parents[2] / "shared" / "genomes"

needs_bgzip = pytest.mark.skipif(shutil.which("bgzip") is None, reason="bgzip isn't installed")


def block(text: bytes, *, level: int = 6, extra: bytes = b"", flags: int = 4) -> bytes:
    """A BGZF block; `extra` are subfields that stand before its BC, level 0 stores the text."""
    deflater = zlib.compressobj(level, zlib.DEFLATED, -15)
    deflated = deflater.compress(text) + deflater.flush()
    name = b"name\0" if flags & 8 else b""
    size = 12 + len(extra) + 6 + len(name) + len(deflated) + 8
    return (
        b"\x1f\x8b\x08"
        + struct.pack("<B5xBH", flags, 0xFF, len(extra) + 6)
        + extra
        + b"BC\x02\x00"
        + struct.pack("<H", size - 1)
        + name
        + deflated
        + struct.pack("<II", zlib.crc32(text), len(text))
    )


def bgzf(*texts: bytes) -> bytes:
    return b"".join(map(block, texts)) + EOF_MARKER


def plain(text: bytes) -> bytes:
    return gzip.compress(text, mtime=0)


def gzip_header(extra_bytes: int) -> bytes:
    """The header of a gzip member, as far as the length of its extra field."""
    return b"\x1f\x8b\x08\x04" + bytes(6) + struct.pack("<H", extra_bytes)


def noise(count: int) -> bytes:
    return random.Random(count).randbytes(count)


def check(data: bytes, text: bytes, result: Folded) -> None:
    """Check the text, that the slices tile the object, and that their CRCs combine to its own."""
    assert result.text == text
    crc = position_byte = 0
    for each in result.slices:
        owned_bytes = each.owned_end_byte - each.owned_start_byte
        assert owned_bytes == 0 or each.owned_start_byte == position_byte
        position_byte += owned_bytes
        crc = crc64nvme_combine(crc, each.crc64nvme, owned_bytes)
    assert position_byte == len(data)
    assert crc == crc64nvme(data)
    assert sum(sum(each.block_text_bytes) for each in result.slices) <= len(text)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bgzf") / "genome.fa.gz"


def source_of(path: Path, data: bytes) -> Source:
    path.write_bytes(data)
    return stat_source(path)


TEXTS = (b">a\nACGT\n", b"", noise(30), b"", b"", b"N" * 500, b"N" * 500, b"\n>b\nAC")
SMALL = b"".join(map(block, TEXTS)) + EOF_MARKER
MIXED = bgzf(b">a\nAC", b"GT") + plain(b"\n>b\n") + plain(b"") + plain(b"TT") + bgzf(b"", b"A\n")


@pytest.mark.parametrize("read_bytes", [1, 7, 1 << 16])
def test_any_two_slices_have_the_text_of_the_whole(path: Path, read_bytes: int) -> None:
    source = source_of(path, SMALL)
    for cut in range(len(SMALL) + 1):
        result = folded(source, [cut], read_bytes)
        check(SMALL, b"".join(TEXTS), result)
        assert not result.rescans


@pytest.mark.parametrize("slice_bytes", [1, 2, 3, 10, 27, 28, 29, 64, 100])
@pytest.mark.parametrize("padding_bytes", [0, 1, 40])
def test_small_slices_have_the_text_of_the_whole(
    path: Path, slice_bytes: int, padding_bytes: int
) -> None:
    data = SMALL + bytes(padding_bytes)
    result = folded(source_of(path, data), range(0, len(data), slice_bytes))
    check(data, b"".join(TEXTS), result)
    assert not result.rescans


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.binary(max_size=60), max_size=6),
    padding_bytes=st.integers(0, 50),
    cuts=st.sets(st.integers(1, 600), max_size=30),
    read_bytes=st.integers(1, 200),
)
def test_any_slices_of_any_bgzf_have_its_text(
    path: Path, texts: list[bytes], padding_bytes: int, cuts: set[int], read_bytes: int
) -> None:
    data = bgzf(*texts) + bytes(padding_bytes)
    check(data, b"".join(texts), folded(source_of(path, data), cuts, read_bytes))


@settings(max_examples=60, deadline=None)
@given(
    members=st.lists(
        st.tuples(st.sampled_from([block, plain]), st.binary(max_size=40)), max_size=6
    ),
    cuts=st.sets(st.integers(1, 500), max_size=30),
)
def test_gzip_members_among_the_blocks_are_inflated(
    path: Path, members: list[tuple[Callable[[bytes], bytes], bytes]], cuts: set[int]
) -> None:
    data = block(b">") + b"".join(make(text) for make, text in members) + EOF_MARKER
    result = folded(source_of(path, data), cuts)
    check(data, b">" + b"".join(text for _, text in members), result)
    has_plain_member = any(make is plain for make, _ in members)
    assert any(each.has_plain_member for each in result.slices) == has_plain_member


@pytest.mark.parametrize("read_bytes", [1, 1 << 16])
def test_bgzf_and_gzip_can_be_concatenated(path: Path, read_bytes: int) -> None:
    source = source_of(path, MIXED)
    for cut in range(len(MIXED) + 1):
        check(MIXED, gzip.decompress(MIXED), folded(source, [cut], read_bytes))
    check(MIXED, gzip.decompress(MIXED), folded(source, range(len(MIXED)), read_bytes))


def test_a_gzip_member_is_inflated_however_far_it_runs(path: Path) -> None:
    long_text = noise(9 << 20)
    data = bgzf(b">a\n") + gzip.compress(long_text, 1) + bgzf(b"ACGT")
    result = folded(source_of(path, data), range(0, len(data), 1 << 20), 1 << 18)
    check(data, b">a\n" + long_text + b"ACGT", result)
    owners = [each for each in result.slices if each.owned_start_byte != each.owned_end_byte]
    assert len(owners) == 2
    # The first slice inflated the member; the last one found the blocks behind it by itself.
    assert not result.rescans


def test_a_bgzf_that_ends_with_a_gzip_member_needs_no_marker(path: Path) -> None:
    data = block(b"AC") + plain(b"GT")
    check(data, b"ACGT", folded(source_of(path, data), range(len(data))))


FORGED = bgzf(b"FORGED", b"", b"TEXT")
REACHES_TRAILER = EOF_MARKER[:16] + struct.pack("<H", 18 + 8 - 1)
"""The header of a forged block that ends with the block in which it is stored."""


@pytest.mark.parametrize("after", [REACHES_TRAILER, bytes(50), b"\x1f\x8b\x08"])
def test_a_forged_chain_in_a_stored_block_is_found_out(path: Path, after: bytes) -> None:
    text = b">a\n" + FORGED + after
    stored = block(text, level=0)
    data = block(b"") + stored + bgzf(b"ACGT")
    source = source_of(path, data)
    forged_byte = data.index(FORGED)
    ends_inside = BgzfSlice(source, forged_byte, forged_byte + 40)
    assert b"".join(ends_inside) == b"FORGED"
    with pytest.raises(ArchiveError):
        list(BgzfSlice(source, forged_byte, len(data)))
    for cut in range(len(data)):
        result = folded(source, [cut])
        check(data, text + b"ACGT", result)
        if len(block(b"")) < cut <= forged_byte:
            assert result.rescans == [1]
    check(data, text + b"ACGT", folded(source, range(len(data))))
    check(data, text + b"ACGT", folded(source, range(0, len(data), 40)))


def test_a_lone_forged_block_fools_no_slice(path: Path) -> None:
    text = b">a\n" + EOF_MARKER + b"ACGT" * 9
    data = block(text, level=0) + bgzf(b"ACGT")
    source = source_of(path, data)
    for cut in range(len(data)):
        result = folded(source, [cut])
        check(data, text + b"ACGT", result)
        assert not result.rescans


def test_the_bc_subfield_may_stand_anywhere(path: Path) -> None:
    data = (
        block(b"AC", extra=b"XY\x03\x00abc")
        + block(b"GT", flags=4 | 8, extra=b"BC\x00\x00")
        + bgzf(b"N")
    )
    result = folded(source_of(path, data), range(len(data)))
    check(data, b"ACGTN", result)
    assert not any(each.has_plain_member for each in result.slices)


def test_a_search_passes_over_long_headers_and_the_text_is_whole(path: Path) -> None:
    long = b"XY" + struct.pack("<H", 0x100) + bytes(0x100)
    data = block(b"AC") + block(b"GT", extra=long) + block(b"NN", extra=long) + EOF_MARKER
    source = source_of(path, data)
    assert BgzfSlice(source, 1, len(data)).find_first_block() == len(data) - len(EOF_MARKER)
    for slice_bytes in (1, 100, len(block(b"AC")), len(data) - 1):
        result = folded(source, range(0, len(data), slice_bytes))
        check(data, b"ACGTNN", result)
        assert not any(each.has_plain_member for each in result.slices)


def test_a_block_may_hold_65536_bytes_and_no_more(path: Path) -> None:
    full = noise(32) * 2048
    assert folded(source_of(path, bgzf(full))).text == full
    data = block(b"AC") + bgzf(full + b"A")
    with pytest.raises(ArchiveError, match="more than 65536 bytes of text") as raised:
        folded(source_of(path, data))
    assert raised.value.offset_byte == len(block(b"AC"))
    with pytest.raises(ArchiveError, match="more than 65536 bytes of text"):
        folded(source_of(path, bgzf(bytes(60 << 20))))


def test_every_truncation_is_an_error(path: Path) -> None:
    data = bgzf(b"ACGT", b"") + block(b"N") + plain(b"TT") + bgzf(b"GATTACA")
    whole = {
        len(bgzf(b"ACGT")): b"ACGT",  # here the marker is the empty block in the middle
        len(bgzf(b"ACGT", b"")): b"ACGT",
        len(bgzf(b"ACGT", b"") + block(b"N") + plain(b"TT")): b"ACGTNTT",
        len(data): b"ACGTNTTGATTACA",
    }
    for size in range(1, len(data) + 1):
        source = source_of(path, data[:size])
        for cuts in (range(0), range(0, size, 10)):
            if size in whole:
                check(data[:size], whole[size], folded(source, cuts))
                continue
            with pytest.raises(ArchiveError, match=f"truncated: it ends at byte {size}") as raised:
                folded(source, cuts)
            assert raised.value.offset_byte == size


@pytest.mark.parametrize("padding_bytes", [0, 1, 100])
def test_a_bgzf_without_its_marker_is_truncated(path: Path, padding_bytes: int) -> None:
    other_empty_block = block(b"", level=0)
    assert other_empty_block != EOF_MARKER
    for last in (b"", other_empty_block):
        data = block(b"ACGT") + block(b"N") + last + bytes(padding_bytes)
        source = source_of(path, data)
        for cut in range(len(data)):
            with pytest.raises(ArchiveError, match="without BGZF's end-of-file block"):
                folded(source, [cut])


@pytest.mark.parametrize("tail", [b"\n", bytes(30) + b"x", bytes(3) + bgzf(b"A")])
def test_only_zeros_may_follow(path: Path, tail: bytes) -> None:
    archive = bgzf(b"ACGT", b"N")
    data = archive + tail
    source = source_of(path, data)
    offset = len(archive) + len(tail) - len(tail.lstrip(b"\0"))
    for cuts in [range(len(data)), *(range(cut, cut + 1) for cut in range(len(data)))]:
        with pytest.raises(ArchiveError, match="not zero padding") as raised:
            folded(source, cuts)
        assert raised.value.offset_byte == offset


@pytest.mark.parametrize(
    "tail", [b"\n", b"x" * 40, bytes(30) + b"x", bytes(3) + bgzf(b"A"), b"x" + bgzf(b"A", b"C") * 9]
)
def test_what_follows_can_be_ignored_however_it_is_cut(path: Path, tail: bytes) -> None:
    data = bgzf(b"ACGT", b"N") + tail
    source = source_of(path, data)
    for cuts in [range(len(data)), *(range(cut, cut + 1) for cut in range(len(data)))]:
        whole = folded(source, cuts, ignores_garbage=True)
        check(data, b"ACGTN", whole)
        assert sum(each.garbage_bytes for each in whole.slices) == len(tail.lstrip(b"\0"))


@pytest.mark.parametrize("tail", [b"x", b"x" + EOF_MARKER, bytes(9) + b"x"])
def test_the_marker_of_a_bgzf_is_asked_for_where_garbage_is_ignored(
    path: Path, tail: bytes
) -> None:
    data = block(b"ACGT") + block(b"N") + tail
    source = source_of(path, data)
    for cut in range(len(data)):
        with pytest.raises(ArchiveError, match="without BGZF's end-of-file block"):
            folded(source, [cut], ignores_garbage=True)


def test_no_damaged_byte_changes_the_text(path: Path) -> None:
    # Two equal blocks: a damaged size that swallows the second one leaves every checksum right.
    data = bgzf(b">a\n", b"ACGT", b"ACGT", noise(9))
    text = b">a\nACGTACGT" + noise(9)
    errors = 0
    for at in range(len(data)):
        for flip in (0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[at] ^= flip
            source = source_of(path, bytes(damaged))
            try:
                assert folded(source, [len(data) // 2]).text == text
            except ArchiveError:
                errors += 1
    assert errors > 4 * len(data)


@pytest.mark.parametrize("claimed_blocks", [0.5, 2])
def test_a_block_of_another_size_than_it_claims_is_damaged(
    path: Path, claimed_blocks: float
) -> None:
    equal = block(b"N" * 100)
    claim = struct.pack("<H", int(len(equal) * claimed_blocks) - 1)
    data = block(b"A") + equal[:16] + claim + equal[18:] + equal + EOF_MARKER
    with pytest.raises(ArchiveError, match="doesn't end after the") as raised:
        folded(source_of(path, data))
    assert raised.value.offset_byte == len(block(b"A"))


@pytest.mark.parametrize("trailer", ["crc", "size"])
def test_a_block_s_trailer_is_verified(path: Path, trailer: str) -> None:
    damaged = bytearray(block(b"ACGT"))
    damaged[-8 if trailer == "crc" else -1] ^= 1
    data = block(b"A") + damaged + EOF_MARKER
    with pytest.raises(ArchiveError, match="damaged: the BGZF block that starts at byte") as raised:
        folded(source_of(path, data))
    assert raised.value.offset_byte == len(block(b"A"))


def test_a_slice_starts_with_the_first_block_in_its_range(path: Path) -> None:
    data = plain(noise(300_000)) + bgzf(b"AC", b"GT")
    source = source_of(path, data)
    first_byte = len(plain(noise(300_000)))
    for multiple in range(4):
        for distance in (0, 1, 65_535):
            start_byte = first_byte - 65_536 * multiple - distance
            each = BgzfSlice(source, start_byte, len(data))
            assert b"".join(each) == b"ACGT"
            assert each.owned_start_byte == first_byte
    assert b"".join(BgzfSlice(source, 0, len(data))) == noise(300_000) + b"ACGT"


def test_a_slice_that_owns_nothing_says_so(path: Path) -> None:
    data = block(b"AC") + plain(b"GT") + bgzf(b"ACGT")
    source = source_of(path, data)
    next_byte = len(block(b"AC") + plain(b"GT"))
    searching = BgzfSlice(source, 1, next_byte)
    assert list(searching) == []
    assert (searching.owned_start_byte, searching.owned_end_byte) == (1, 1)
    assert (searching.crc64nvme, len(searching.block_start_bytes)) == (0, 0)
    path.unlink()
    passed_over = BgzfSlice(source, 1, 20, next_byte)  # reads nothing
    assert list(passed_over) == []
    assert (passed_over.owned_start_byte, passed_over.owned_end_byte) == (next_byte, next_byte)
    assert (passed_over.crc64nvme, len(passed_over.block_start_bytes)) == (0, 0)


@pytest.mark.parametrize("count", [100, 5000])
def test_many_small_members_are_fed_in_linear_time(
    path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = block(b"AC") + plain(b"") * count + EOF_MARKER * count
    source = source_of(path, data)
    fed = FedBytes(monkeypatch)
    assert b"".join(BgzfSlice(source, 0, len(data), read_bytes=BLOCK_BYTES)) == b"AC"
    assert len(data) <= fed.count <= 8 * len(data)


def lines_run(call: Callable[[], object]) -> int:
    """How many lines of Python run in a call."""
    count = 0

    def trace(_frame: object, event: str, _argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


SKIPS_A_HEADER = b"XY" + struct.pack("<H", 12)
"""A subfield whose content is the header of a gzip member."""


@pytest.mark.parametrize("size", [1 << 16, 1 << 18])
@pytest.mark.parametrize(
    "unit",
    [b"\x1f\x8b\x08", SKIPS_A_HEADER + gzip_header(0x8000), SKIPS_A_HEADER + gzip_header(0x40)],
)
def test_a_search_among_forged_headers_is_linear(path: Path, unit: bytes, size: int) -> None:
    member = gzip.compress(unit * (size // len(unit)), 0)
    data = block(b"AC") + member + bgzf(b"GT")
    each = BgzfSlice(source_of(path, data), len(block(b"AC")) + 1, len(data))
    assert lines_run(each.find_first_block) < 10 * len(data)
    assert each.owned_start_byte == len(data) - len(bgzf(b"GT"))


def test_a_source_that_changes_under_a_slice_is_an_error(path: Path) -> None:
    data = bgzf(*(noise(60_000) for _ in range(9)))
    for cut in (len(data) // 2, len(data)):
        texts = iter(BgzfSlice(source_of(path, data), 0, cut))
        next(texts)
        with path.open("ab") as file:
            file.write(b"\0")
        with pytest.raises(SourceChangedError):
            list(texts)


class Ranges(NamedTuple):
    """A slice of the range [10, 20)."""

    owned_start_byte: int
    owned_end_byte: int
    failed: bool = False
    end_byte: int = 20


@pytest.mark.parametrize(
    ("begin_byte", "each", "is_wrong"),
    [
        (10, Ranges(10, 20), False),
        (12, Ranges(12, 25), False),
        (12, Ranges(11, 25), True),
        (12, Ranges(13, 25), True),
        (12, Ranges(10, 10), True),
        (10, Ranges(10, 10), True),
        (12, Ranges(12, 12, failed=True), False),
        (12, Ranges(12, 19, failed=True), False),
        (12, Ranges(13, 19, failed=True), True),
        (20, Ranges(10, 10), False),
        (25, Ranges(25, 25), False),
        (25, Ranges(14, 25), True),
        (25, Ranges(14, 14, failed=True), True),
    ],
)
def test_a_slice_that_does_not_meet_its_neighbour_is_scanned_again(
    begin_byte: int, each: Ranges, *, is_wrong: bool
) -> None:
    assert must_rescan(each, begin_byte) == is_wrong


def gzi_of(slices: Iterable[BgzfSlice]) -> bytes:
    starts: list[int] = []
    texts: list[int] = []
    for each in slices:
        starts.extend(each.block_start_bytes)
        texts.extend(each.block_text_bytes)
    return gzi(starts, texts)


@needs_bgzip
@pytest.mark.parametrize(
    "data",
    [
        bgzf(b"A"),
        bgzf(b"ACGT", b"N"),
        bgzf(b"", b"ACGT", b"N"),
        bgzf(b"ACGT", b"", b"N", b"", b"", b"GG"),
        bgzf(b"ACGT", b"N") + bgzf(b"ACGT", b"N"),
        bgzf(b"A" * 65536, b"C" * 65536),
    ],
)
def test_the_gzi_is_what_bgzip_writes(path: Path, data: bytes) -> None:
    source = source_of(path, data)
    subprocess.run(["bgzip", "-r", path], check=True, capture_output=True)
    expected = path.with_name(f"{path.name}.gzi").read_bytes()
    for slice_bytes in (7, 1000):
        assert gzi_of(folded(source, range(0, len(data), slice_bytes)).slices) == expected


def test_a_file_without_text_has_an_empty_gzi() -> None:
    assert gzi([0], [0]) == gzi([], []) == bytes(8)


def test_a_gzi_takes_memory_for_its_own_bytes_alone() -> None:
    block_start_bytes = array("Q", range(0, 29 * 100_000, 29))
    block_text_bytes = array("I", [1]) * 100_000
    tracemalloc.start()
    try:
        index = gzi(block_start_bytes, block_text_bytes)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert index[-16:] == struct.pack("<2Q", 29 * 99_999, 99_999)
    assert peak_bytes < 3 * len(index)


@needs_bgzip
def test_what_bgzip_writes_is_read(path: Path) -> None:
    bases = noise(1_500_000).translate(b"ACGT" * 64)
    text = b">chr1\n" + bases + b"N" * 700_000 + b"\n"
    data = subprocess.run(["bgzip", "-c"], check=True, input=text, capture_output=True).stdout
    source = source_of(path, data)
    for slice_bytes in (3_000, 100_000, len(data)):
        result = folded(source, range(0, len(data), slice_bytes))
        check(data, text, result)
        assert not result.rescans


@pytest.mark.skipif(not GENOMES.is_dir(), reason=f"{GENOMES} is not there")
@pytest.mark.parametrize("name", ["hg18_trimmed_softmasked.fasta.gz", "LPA.fa.gz"])
def test_real_genomes_are_read_in_slices(name: str) -> None:
    data = (GENOMES / name).read_bytes()
    result = folded(stat_source(GENOMES / name), range(0, len(data), 100_000))
    check(data, gzip.decompress(data), result)
    assert not result.rescans


@pytest.mark.skipif(not GENOMES.is_dir(), reason=f"{GENOMES} is not there")
def test_the_gzi_of_a_real_genome_is_right() -> None:
    path = GENOMES / "hg18_trimmed_softmasked.fasta.gz"
    result = folded(stat_source(path))
    # Its index is of an old htslib, which counted the end-of-file marker.
    marker = struct.pack("<2Q", path.stat().st_size - len(EOF_MARKER), len(result.text))
    (count,) = struct.unpack_from("<Q", gzi_of(result.slices))
    expected = struct.pack("<Q", count + 1) + gzi_of(result.slices)[8:] + marker
    assert expected == path.with_name(f"{path.name}.gzi").read_bytes()
