from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import random
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fed_bytes import FedBytes
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from fanfold.archives.formats import (
    HEAD_BYTES,
    Compression,
    Stream,
    bgzf_block_bytes,
    detect_compression,
)
from fanfold.archives.inflate import INFLATING_BYTES, TEXT_BYTES, inflate
from fanfold.archives.tail import Tail
from fanfold.archives.window import declared_window_bytes
from fanfold.errors import ArchiveError, ParameterError
from fanfold.objects import BLOCK_BYTES, Source, read_blocks, stat_source

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SHARED = Path(__file__).resolve().parents[2] / "shared"
DERIVED = SHARED / "tricky" / "_derived"
STREAMS: tuple[Stream, ...] = ("gzip", "zstd", "bzip2", "xz")
SKIPPABLE = b"\x5a\x2a\x4d\x18\x03\0\0\0abc"
TEXT = b">a\nACGTNNNN\n>b\nGATTACA\n" * 3


def gzip_member(text: bytes) -> bytes:
    return gzip.compress(text, mtime=0)


def zstd_frame(text: bytes) -> bytes:
    return zstd.compress(text, options={zstd.CompressionParameter.checksum_flag: 1})


MEMBER: dict[Stream, Callable[[bytes], bytes]] = {
    "gzip": gzip_member,
    "zstd": zstd_frame,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def reused_blocks(data: bytes, block_bytes: int) -> Iterator[memoryview]:
    """Views of one buffer that is spoilt before the next is given out, as `read_blocks` may do."""
    buffer = bytearray(block_bytes)
    for start in range(0, len(data), block_bytes):
        block = data[start : start + block_bytes]
        buffer[:] = b"\xa5" * block_bytes
        buffer[: len(block)] = block
        yield memoryview(buffer)[: len(block)]


def inflated(
    data: bytes,
    compression: Stream,
    block_bytes: int = 1 << 16,
    window_bytes: int | None = None,
    tail: Tail | None = None,
) -> bytes:
    source = Source("/x/archive", "archive", len(data), "")
    blocks = reused_blocks(data, block_bytes)
    texts = list(inflate(source, compression, blocks, window_bytes, tail))
    assert all(0 < len(text) <= TEXT_BYTES for text in texts)
    return b"".join(texts)


def gzip_header(extra: bytes, flags: int = 4) -> bytes:
    return b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + struct.pack("<H", len(extra)) + extra


@pytest.mark.parametrize(
    ("head", "compression"),
    [
        (b"", "none"),
        (b">chr1\nACGT\n", "none"),
        (b"\x1f", "none"),
        (gzip_member(TEXT), "gzip"),
        (gzip_header(b"BC\x02\x00\x1b\x00"), "bgzf"),
        (gzip_header(b"XY\x01\x00zBC\x02\x00\x1b\x00"), "bgzf"),
        (gzip_header(b"BC\x02\x00\x1b\x00XY\x01\x00z"), "bgzf"),
        (gzip_header(b"BC\x01\x00zBC\x02\x00\x1b\x00"), "bgzf"),
        (gzip_header(b"BC\x02\x00\x1b\x00", flags=4 | 8) + b"name\0", "bgzf"),
        (gzip_header(b"BC\x02\x00\x1b\x00", flags=0), "gzip"),
        (gzip_header(b"BC\x04\x00\x1b\x00\x00\x00"), "gzip"),
        (gzip_header(b"BC\x02\x00\x1b"), "gzip"),
        (gzip_header(b"XY\xff\xffBC\x02\x00\x1b\x00"), "gzip"),
        (gzip_header(b"BC\x02\x00\x1b\x00")[:-1], "gzip"),
        (gzip_header(b"BC\x02\x00\x1b\x00")[:9], "gzip"),
        (zstd_frame(TEXT), "zstd"),
        (b"\x50\x2a\x4d\x18", "zstd"),
        (b"\x5f\x2a\x4d\x18", "zstd"),
        (b"\x60\x2a\x4d\x18", "none"),
        (bz2.compress(TEXT), "bzip2"),
        (b"BZh", "bzip2"),
        (b"BZip", "none"),
        (lzma.compress(TEXT), "xz"),
        (lzma.compress(TEXT, lzma.FORMAT_ALONE), "none"),
    ],
)
def test_an_object_is_what_its_first_bytes_say(head: bytes, compression: Compression) -> None:
    assert detect_compression(head) == compression


def test_the_longest_extra_field_fits_the_head() -> None:
    subfield = b"BC\x02\x00\x1b\x00"
    filler_bytes = 0xFFFF - len(subfield) - 4
    extra = b"XY" + struct.pack("<H", filler_bytes) + bytes(filler_bytes) + subfield
    head = gzip_header(extra)
    assert len(head) == HEAD_BYTES
    assert detect_compression(head) == "bgzf"
    assert bgzf_block_bytes(memoryview(head)) == 0x1C


@pytest.mark.parametrize("compression", STREAMS)
@pytest.mark.parametrize("block_bytes", [1, 2, 3, 5, 7, 1000])
def test_all_members_are_read_whatever_the_blocks(compression: Stream, block_bytes: int) -> None:
    texts = [TEXT, b"", b"AC", b"", b"", TEXT]
    archive = b"".join(map(MEMBER[compression], texts))
    assert inflated(archive, compression, block_bytes) == b"".join(texts)


@pytest.mark.parametrize("compression", STREAMS)
@given(
    texts=st.lists(st.binary(max_size=200), min_size=1, max_size=4),
    padding_bytes=st.integers(0, 9),
    block_bytes=st.integers(1, 99),
)
def test_an_archive_inflates_to_its_members_texts(
    compression: Stream, texts: list[bytes], padding_bytes: int, block_bytes: int
) -> None:
    if compression == "xz":
        padding_bytes *= 4
    archive = b"".join(map(MEMBER[compression], texts)) + bytes(padding_bytes)
    assert inflated(archive, compression, block_bytes) == b"".join(texts)


def test_skippable_frames_may_stand_anywhere() -> None:
    archive = SKIPPABLE + zstd_frame(b"AC") + SKIPPABLE + SKIPPABLE + zstd_frame(b"GT") + SKIPPABLE
    for block_bytes in (1, 4, 1000):
        assert inflated(archive, "zstd", block_bytes) == b"ACGT"


def test_a_zstd_frame_may_ask_for_a_window_of_2_gib() -> None:
    # RFC 8878: a frame without content size, whose window is 2^(10+21), and one raw block.
    frame = b"\x28\xb5\x2f\xfd\x00\xa8" + (len(TEXT) << 3 | 1).to_bytes(3, "little") + TEXT
    assert inflated(frame, "zstd") == TEXT


def zstd_of(
    text: bytes, *, window: int | None, size_bytes: int = 0, dictionary_id_bytes: int = 0
) -> bytes:
    """A frame of one raw block by RFC 8878, with any header; without a window, a single segment."""
    sizes = (0, 2, 4, 8).index(size_bytes & ~1) << 6
    descriptor = sizes | (window is None) << 5 | (0, 1, 2, 4).index(dictionary_id_bytes)
    size = len(text) - 256 if size_bytes == 2 else len(text)
    return (
        b"\x28\xb5\x2f\xfd"
        + bytes([descriptor])
        + (b"" if window is None else bytes([window]))
        + bytes(dictionary_id_bytes)
        + (size.to_bytes(size_bytes, "little") if size_bytes else b"")
        + (len(text) << 3 | 1).to_bytes(3, "little")
        + text
    )


def check_window(archive: bytes, compression: Stream, text: bytes, needed_bytes: int) -> None:
    """Check that an archive is inflated in the memory that its window takes, and not in less."""
    for block_bytes in (1, 1000):
        assert inflated(archive, compression, block_bytes, needed_bytes) == text
        with pytest.raises(ParameterError, match=r"needs \d+MiB for its window"):
            inflated(archive, compression, block_bytes, needed_bytes - 1)


@pytest.mark.parametrize("dictionary_id_bytes", [0, 1, 2, 4])
@pytest.mark.parametrize("size_bytes", [0, 2, 4, 8])
def test_a_zstd_window_beyond_the_limit_is_refused(
    size_bytes: int, dictionary_id_bytes: int
) -> None:
    text = TEXT * 9
    for window, window_bytes in ((0x01, 1152), (0x28, 1 << 15), (0x5D, 13 << 18), (0xA8, 1 << 31)):
        archive = zstd_of(
            text, window=window, size_bytes=size_bytes, dictionary_id_bytes=dictionary_id_bytes
        )
        check_window(archive, "zstd", text, len(text) if size_bytes else window_bytes)


@pytest.mark.parametrize("dictionary_id_bytes", [0, 1, 2, 4])
@pytest.mark.parametrize("size_bytes", [1, 2, 4, 8])
def test_a_zstd_segment_beyond_the_limit_is_refused(
    size_bytes: int, dictionary_id_bytes: int
) -> None:
    text = TEXT * (1 if size_bytes == 1 else 9)
    archive = zstd_of(
        text, window=None, size_bytes=size_bytes, dictionary_id_bytes=dictionary_id_bytes
    )
    check_window(archive, "zstd", text, len(text))


@pytest.mark.parametrize("window_log", range(10, 24))
def test_the_windows_that_zstd_writes_are_read_from_its_headers(window_log: int) -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: window_log}
    compressor = zstd.ZstdCompressor(options=options)
    archive = compressor.compress(TEXT) + compressor.flush()
    check_window(archive, "zstd", TEXT, 1 << window_log)
    content_bytes = (1 << window_log) - 1
    check_window(
        zstd.compress(bytes(content_bytes), options=options),
        "zstd",
        bytes(content_bytes),
        content_bytes,
    )


@pytest.mark.parametrize("window", [0xA9, 0xFF])
@pytest.mark.parametrize("window_bytes", [None, 0, 1 << 40])
def test_a_zstd_window_that_no_memory_lets_be_read_is_damage(
    window: int, window_bytes: int | None
) -> None:
    with pytest.raises(ArchiveError, match="damaged"):
        inflated(zstd_of(TEXT, window=window), "zstd", window_bytes=window_bytes)


def xz_of(text: bytes, dictionary_bytes: int, *filters: dict[str, int]) -> bytes:
    """A stream that declares a dictionary, but needs one of 4 KiB."""
    lzma2 = {"id": lzma.FILTER_LZMA2, "dict_size": 4096}
    archive = bytearray(lzma.compress(text, filters=[*filters, lzma2]))
    crc_byte = 8 + 4 * (archive[12] + 1)
    exponent = dictionary_bytes.bit_length() - 1
    declared = 2 * (exponent - 12) + (dictionary_bytes != 1 << exponent)
    archive[archive.index(b"\x21\x01\0") + 2] = declared
    archive[crc_byte : crc_byte + 4] = struct.pack("<I", zlib.crc32(archive[12:crc_byte]))
    return bytes(archive)


@pytest.mark.parametrize("dictionary_bytes", [4096, 6144, 1 << 20, 3 << 19, 1 << 26, 3 << 29])
@pytest.mark.parametrize("filters", range(4))
def test_an_xz_dictionary_beyond_the_limit_is_refused(filters: int, dictionary_bytes: int) -> None:
    before = [
        {"id": lzma.FILTER_DELTA, "dist": 4},
        {"id": lzma.FILTER_X86},
        {"id": lzma.FILTER_ARM},
    ]
    archive = xz_of(TEXT, dictionary_bytes, *before[:filters])
    check_window(archive, "xz", TEXT, dictionary_bytes)


@pytest.mark.skipif(shutil.which("xz") is None, reason="xz isn't installed")
def test_an_xz_block_header_may_have_its_sizes() -> None:
    command = ["xz", "-c", "-T2", "--block-size=20000", "--lzma2=preset=0,dict=1536KiB"]
    archive = subprocess.run(command, check=True, input=TEXT * 1000, capture_output=True).stdout
    assert archive[13] == 0xC0
    check_window(archive, "xz", TEXT * 1000, 1536 << 10)


SMALL_AND_LARGE: dict[Stream, tuple[bytes, bytes]] = {
    "zstd": (zstd_of(b"ACGT", window=0), zstd_of(TEXT, window=0x80)),
    "xz": (xz_of(b"ACGT", 4096), xz_of(TEXT, 1 << 26)),
}


@pytest.mark.parametrize("compression", SMALL_AND_LARGE)
@pytest.mark.parametrize("block_bytes", [1, 1000])
def test_a_later_member_beyond_the_limit_is_refused(compression: Stream, block_bytes: int) -> None:
    small, large = SMALL_AND_LARGE[compression]
    before = small + (SKIPPABLE if compression == "zstd" else b"") + small
    source = Source("/x/archive", "archive", len(before + large), "")
    texts = inflate(source, compression, reused_blocks(before + large, block_bytes), 10 << 20)
    tool = {"zstd": "zstd -19", "xz": "xz -6"}[compression]
    text = b""
    with pytest.raises(ParameterError) as raised:  # noqa: PT012 - the text before it counts
        for each in texts:
            text += each
    assert text == b"ACGT" * 2
    assert str(raised.value).startswith("archive: the ")
    assert str(raised.value).endswith(
        f" that starts at byte {len(before)} needs 64MiB for its window, but --memory leaves 10MiB"
        f" for it; give more, or recompress it with `{tool}`, which takes 8MiB"
    )


@pytest.mark.parametrize("block_bytes", [1, 1000])
def test_a_later_xz_block_beyond_the_limit_is_refused(block_bytes: int) -> None:
    small, large = SMALL_AND_LARGE["xz"]
    index_bytes = 4 * (struct.unpack("<I", small[-8:-4])[0] + 1)
    archive = small[: -12 - index_bytes] + large[12:]
    # Its index lacks the first block.
    with pytest.raises(ArchiveError, match="damaged"):
        inflated(archive, "xz", block_bytes, 1 << 26)
    with pytest.raises(ParameterError, match="needs more than 10MiB for its window"):
        inflated(archive, "xz", block_bytes, 10 << 20)


@pytest.mark.parametrize("compression", STREAMS)
def test_damage_is_an_error_under_a_limit_too(compression: Stream) -> None:
    archive = MEMBER[compression](TEXT)
    for at in range(len(archive)):
        for flip in (0x01, 0x10, 0x40, 0xFF):
            damaged = bytearray(archive)
            damaged[at] ^= flip
            with contextlib.suppress(ArchiveError, ParameterError):
                assert inflated(bytes(damaged), compression, window_bytes=len(TEXT)) == TEXT


@given(st.binary(min_size=8, max_size=24).map(lambda rest: rest[: len(rest) // 4 * 4]))
def test_any_xz_block_header_has_a_window(rest: bytes) -> None:
    header = bytes([len(rest) // 4]) + rest[1:]
    stream = lzma.compress(b"")[:12] + header + struct.pack("<I", zlib.crc32(header))
    window_bytes = declared_window_bytes("xz", stream)
    assert window_bytes is not None
    assert 0 <= window_bytes <= 1 << 44


@pytest.mark.parametrize("compression", ["gzip", "bzip2"])
def test_formats_without_windows_need_no_memory_for_them(compression: Stream) -> None:
    assert inflated(MEMBER[compression](TEXT), compression, window_bytes=0) == TEXT


def test_an_empty_gzip_has_no_text() -> None:
    assert len(gzip_member(b"")) == 20
    assert inflated(gzip_member(b""), "gzip") == b""


def test_a_gzip_member_may_hold_more_than_4_gib() -> None:
    count = 4097
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    mebibyte = deflater.compress(bytes(1 << 20)) + deflater.flush(zlib.Z_FULL_FLUSH)
    one = crc = zlib.crc32(bytes(1 << 20))
    for _ in range(count - 1):
        crc = isal_zlib.crc32_combine(crc, one, 1 << 20)
    size = struct.pack("<Q", count << 20)[:4]
    archive = gzip_member(b"")[:10] + mebibyte * count + b"\x03\0" + struct.pack("<I", crc) + size
    source = Source("/x/archive", "archive", len(archive), "")
    texts = inflate(source, "gzip", reused_blocks(archive, 1 << 16))
    assert sum(map(len, texts)) == count << 20


@pytest.mark.parametrize("compression", STREAMS)
def test_every_truncation_is_an_error_that_says_where(compression: Stream) -> None:
    first, second = MEMBER[compression](TEXT), MEMBER[compression](b"ACGT")
    archive = first + second
    for size in range(1, len(archive)):
        for block_bytes in (1, 1000):
            if size == len(first):
                assert inflated(archive[:size], compression, block_bytes) == TEXT
                continue
            with pytest.raises(ArchiveError, match="truncated: it ends at byte") as raised:
                inflated(archive[:size], compression, block_bytes)
            assert raised.value.offset_byte == size
            member_start = 0 if size < len(first) else len(first)
            assert f"that starts at byte {member_start};" in str(raised.value)


@pytest.mark.parametrize("compression", STREAMS)
@pytest.mark.parametrize("block_bytes", [3, 1000])
def test_no_damaged_byte_changes_the_text(compression: Stream, block_bytes: int) -> None:
    archive = MEMBER[compression](TEXT) + MEMBER[compression](b"ACGT")
    found_bytes = []
    for at in range(len(archive)):
        for flip in (0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF):
            damaged = bytearray(archive)
            damaged[at] ^= flip
            try:
                assert inflated(bytes(damaged), compression, block_bytes) == TEXT + b"ACGT"
            except ArchiveError as error:
                found_bytes.append(error.offset_byte)
    assert len(found_bytes) > 4 * len(archive)
    assert all(0 <= offset_byte <= len(archive) for offset_byte in found_bytes)


@pytest.mark.parametrize("compression", STREAMS)
def test_damage_is_found_near_where_it_is(compression: Stream) -> None:
    whole = MEMBER[compression](TEXT)
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    with pytest.raises(ArchiveError, match="damaged") as raised:
        inflated(whole + damaged, compression, 16)
    message = str(raised.value)
    assert message.startswith("archive: ")
    assert f"that starts at byte {len(whole)} " in message
    assert len(whole) <= raised.value.offset_byte < 2 * len(whole)
    assert f"found in bytes {raised.value.offset_byte} to" in message


@pytest.mark.parametrize("trailer", ["crc", "size"])
def test_a_gzip_trailer_is_verified(trailer: str) -> None:
    damaged = bytearray(gzip_member(TEXT))
    damaged[-8 if trailer == "crc" else -1] ^= 1
    for block_bytes in (1, 1000):
        with pytest.raises(ArchiveError, match="damaged: the gzip member that starts at byte 0"):
            inflated(bytes(damaged), "gzip", block_bytes)


@pytest.mark.parametrize("compression", STREAMS)
@pytest.mark.parametrize(
    ("tail", "offset"),
    [(b"\n", 0), (b"garbage", 0), (bytes(9) + b"\n" + bytes(9), 9), (bytes(70) + b"x", 70)],
)
@pytest.mark.parametrize("block_bytes", [1, 8, 1000])
def test_only_zeros_may_follow(
    compression: Stream, tail: bytes, offset: int, block_bytes: int
) -> None:
    archive = MEMBER[compression](TEXT)
    with pytest.raises(ArchiveError, match="not zero padding") as raised:
        inflated(archive + tail, compression, block_bytes)
    assert raised.value.offset_byte == len(archive) + offset


@pytest.mark.parametrize("compression", ["gzip", "zstd", "bzip2"])
def test_padding_is_the_end_even_if_a_member_follows(compression: Stream) -> None:
    member = MEMBER[compression](TEXT)
    with pytest.raises(ArchiveError, match="not zero padding") as raised:
        inflated(member + bytes(8) + member, compression)
    assert raised.value.offset_byte == len(member) + 8


@pytest.mark.parametrize("compression", STREAMS)
def test_a_member_of_another_format_is_not_the_archive_s(compression: Stream) -> None:
    member = MEMBER[compression](TEXT)
    other = MEMBER["xz" if compression != "xz" else "gzip"](TEXT)
    with pytest.raises(ArchiveError, match="not zero padding") as raised:
        inflated(member + other, compression)
    assert raised.value.offset_byte == len(member)


def test_text_is_given_out_before_more_is_asked_for() -> None:
    asked = 0

    def blocks() -> Iterator[bytes]:
        nonlocal asked
        for text in (b"AC", b"GT"):
            asked += 1
            yield gzip_member(text)

    texts = inflate(Source("/x/archive", "archive", 44, ""), "gzip", blocks())
    assert (next(texts), asked) == (b"AC", 1)
    assert (next(texts), asked) == (b"GT", 2)


@pytest.mark.parametrize("count", [100, 5000])
@pytest.mark.parametrize("text_bytes", [0, 72, 999])
@pytest.mark.parametrize("compression", STREAMS)
def test_many_members_are_fed_in_linear_time(
    compression: Stream, text_bytes: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = random.Random(1).randbytes(text_bytes)
    archive = MEMBER[compression](text) * count
    fed = FedBytes(monkeypatch)
    assert inflated(archive, compression, BLOCK_BYTES) == text * count
    assert len(archive) <= fed.count <= 8 * len(archive)


@pytest.mark.parametrize("count", [100, 5000])
def test_many_skippable_frames_are_fed_in_linear_time(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = bytes.fromhex("502a4d18 00000000") * count
    fed = FedBytes(monkeypatch)
    assert inflated(archive, "zstd", BLOCK_BYTES) == b""
    assert len(archive) <= fed.count <= 8 * len(archive)


BOMB = """
import sys
from fanfold.archives.inflate import inflate
from fanfold.objects import read_blocks, stat_source

def peak_bytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024

source = stat_source(sys.argv[2])
before = peak_bytes()
texts = inflate(source, sys.argv[1], read_blocks(source, 0, source.size_bytes))
print(sum(map(len, texts)), peak_bytes() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("compression", STREAMS)
def test_a_bomb_takes_no_memory(compression: Stream, tmp_path: Path) -> None:
    text_bytes = 64 << 20
    deflate: Callable[[bytes], bytes] = {
        "gzip": lambda text: gzip.compress(text, 9),
        "zstd": zstd.compress,
        "bzip2": bz2.compress,
        "xz": lambda text: lzma.compress(text, preset=0),
    }[compression]
    path = tmp_path / "bomb"
    # A bomb in one block, and another behind it.
    path.write_bytes(deflate(bytes(text_bytes)) * 2)
    command = [sys.executable, "-c", BOMB, compression, str(path)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    count, grown_bytes = map(int, result.stdout.split())
    assert count == 2 * text_bytes
    most_window_bytes = 2 << 20
    assert grown_bytes < INFLATING_BYTES + most_window_bytes


REFUSED = """
import sys
from fanfold.archives.inflate import inflate
from fanfold.errors import ParameterError
from fanfold.objects import read_blocks, stat_source

def peak_bytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmPeak")) * 1024

source = stat_source(sys.argv[2])
for limit_bytes in (1 << 20, None):
    before = peak_bytes()
    blocks = read_blocks(source, 0, source.size_bytes)
    try:
        text_bytes = sum(map(len, inflate(source, sys.argv[1], blocks, limit_bytes)))
    except ParameterError:
        text_bytes = None
    print(text_bytes, peak_bytes() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    ("compression", "archive"),
    [("zstd", zstd_of(TEXT, window=0xA8)), ("xz", xz_of(TEXT, 3 << 29))],
)
def test_a_window_is_refused_before_its_memory_is_reserved(
    compression: Stream, archive: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "archive"
    path.write_bytes(archive)
    command = [sys.executable, "-c", REFUSED, compression, str(path)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    refused, read = (line.split() for line in result.stdout.splitlines())
    assert refused[0] == "None"
    assert int(refused[1]) < 256 << 20
    assert read[0] == str(len(TEXT))
    assert int(read[1]) > 1 << 30


@pytest.mark.parametrize(
    ("tool", "compression"),
    [("gzip", "gzip"), ("pigz", "gzip"), ("zstd", "zstd"), ("bzip2", "bzip2"), ("xz", "xz")],
)
def test_what_the_tools_write_is_read(tool: str, compression: Stream, tmp_path: Path) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} isn't installed")
    text = b"".join(b">%d\n%s\n" % (i, b"ACGTTGCANN"[i % 9 :] * (i % 50)) for i in range(20_000))
    path = tmp_path / "genome"
    with path.open("wb") as archive:
        for member in (text, b"", text[:99]):
            subprocess.run([tool, "-c"], check=True, input=member, stdout=archive)
    source = stat_source(path)
    assert detect_compression(path.read_bytes()) == compression
    blocks = read_blocks(source, 0, source.size_bytes, 1000)
    assert b"".join(inflate(source, compression, blocks)) == text + text[:99]


needs_shared = pytest.mark.skipif(not DERIVED.is_dir(), reason=f"{DERIVED} is not there")


@needs_shared
@pytest.mark.parametrize(
    "name",
    [
        "empty_member.fa.gz",
        "lambda.fa.bz2",
        "lambda.fa.xz",
        "lambda_gz_named_fa.fa",
        "phi_lambda_mt.multimember.fa.gz",
        "phi_lambda_mt.multimember_midline.fa.gz",
        "lambda_trailing_zeros.fa.gz",
    ],
)
def test_odd_but_whole_archives_are_read(name: str) -> None:
    data = (DERIVED / name).read_bytes()
    compression = detect_compression(data)
    assert compression in ("gzip", "bzip2", "xz")
    expected = {"gzip": gzip.decompress, "bzip2": bz2.decompress, "xz": lzma.decompress}
    assert inflated(data, compression) == expected[compression](data)


@needs_shared
@pytest.mark.parametrize(
    ("name", "offset", "found"),
    [
        ("lambda_truncated.fa.gz", 9000, "truncated"),
        ("lambda_truncated_trailer.fa.gz", 15396, "truncated"),
        ("lambda_badcrc.fa.gz", 8192, "damaged"),
        ("lambda_trailing_garbage.fa.gz", 15404, "not zero padding"),
    ],
)
def test_broken_archives_are_refused(name: str, offset: int, found: str) -> None:
    with pytest.raises(ArchiveError, match=found) as raised:
        inflated((DERIVED / name).read_bytes(), "gzip")
    assert raised.value.offset_byte == offset


def test_importing_the_module_imports_no_decompressor() -> None:
    code = (
        "import sys, fanfold.archives.inflate, fanfold.archives.bgzf;"
        "print({'isal', '_bz2', '_lzma', 'backports', '_zstd'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "set()"


def gzip_with_header(flags: int, fields: bytes, text: bytes, *, wrong: int = 0) -> bytes:
    """A gzip member by RFC 1952; with flag 2 its header has a checksum, `wrong` away from right."""
    header = b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + fields
    if flags & 2:
        header += ((zlib.crc32(header) + wrong) & 0xFFFF).to_bytes(2, "little")
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
    deflated = deflater.compress(text) + deflater.flush()
    return header + deflated + struct.pack("<II", zlib.crc32(text), len(text))


@pytest.mark.parametrize("block_bytes", [1, 3, 64, 1 << 20])
@pytest.mark.parametrize("name_bytes", [0, 100, 70_000])
def test_a_gzip_header_may_have_a_checksum(block_bytes: int, name_bytes: int) -> None:
    text = b">a\n" + b"ACGT" * 700_000
    data = gzip_with_header(0b1010, b"n" * name_bytes + b"\0", text)
    assert gzip.decompress(data) == text
    data += gzip_member(b"AC") + gzip_with_header(0b10, b"", b"GT")
    assert inflated(data, "gzip", block_bytes) == text + b"ACGT"


@pytest.mark.parametrize("flags", [0x20, 0x40, 0x80])
def test_reserved_flags_of_a_gzip_header_are_refused(flags: int) -> None:
    with pytest.raises(ArchiveError, match="damaged: the gzip member that starts at byte 0"):
        inflated(gzip_with_header(flags, b"", TEXT), "gzip")


def test_a_gzip_header_with_a_wrong_checksum_is_refused() -> None:
    with pytest.raises(ArchiveError, match="damaged: the gzip member that starts at byte 0"):
        inflated(gzip_with_header(2, b"", TEXT, wrong=1), "gzip")


@pytest.mark.parametrize("flags", range(32))
@pytest.mark.parametrize("block_bytes", [1, 100, 1 << 20])
def test_a_gzip_header_may_have_any_fields(flags: int, block_bytes: int) -> None:
    fields = struct.pack("<H", 50) + b"x" * 50 if flags & 4 else b""
    fields += (b"n" * 60 + b"\0") * (bool(flags & 8) + bool(flags & 16))
    text = random.Random(flags).randbytes(200_000)
    data = gzip_with_header(flags, fields, text)
    assert gzip.decompress(data) == text
    assert inflated(data, "gzip", block_bytes) == text


@pytest.mark.parametrize("extra_bytes", [0, 1, 0xFFFF])
@pytest.mark.parametrize("block_bytes", [1, 64, 1 << 20])
def test_a_gzip_extra_field_may_have_any_size(extra_bytes: int, block_bytes: int) -> None:
    fields = struct.pack("<H", extra_bytes) + bytes(extra_bytes)
    data = gzip_with_header(0b100, fields, TEXT) + gzip_with_header(
        0b1_1110, fields + b"\0\0", TEXT
    )
    assert inflated(data, "gzip", block_bytes) == gzip.decompress(data) == TEXT * 2


@pytest.mark.parametrize("at", [4, 8, 9])
def test_time_level_and_system_of_a_gzip_header_are_anything(at: int) -> None:
    for byte in (1, 0x80, 0xFF):
        data = bytearray(gzip_member(TEXT))
        data[at] = byte
        assert inflated(bytes(data), "gzip") == TEXT


@pytest.mark.parametrize("method", [0, 7, 9, 255])
def test_a_gzip_member_of_another_method_is_refused(method: int) -> None:
    data = bytearray(gzip_member(TEXT))
    data[2] = method
    with pytest.raises(ArchiveError, match="damaged: the gzip member that starts at byte 0"):
        inflated(bytes(data), "gzip")


@pytest.mark.parametrize("block_bytes", [1, 3, 5, 1000])
@pytest.mark.parametrize("padding_bytes", range(14))
def test_xz_streams_are_padded_to_multiples_of_4_bytes(
    padding_bytes: int, block_bytes: int
) -> None:
    one, other = lzma.compress(TEXT), lzma.compress(b"ACGT")
    padded = one + bytes(padding_bytes)
    for data, text in ((padded, TEXT), (padded + other + bytes(8), TEXT + b"ACGT")):
        if padding_bytes % 4:
            with pytest.raises(ArchiveError, match="no multiple of 4") as raised:
                inflated(data, "xz", block_bytes)
            assert raised.value.offset_byte == len(one)
        else:
            assert inflated(data, "xz", block_bytes) == text


def test_xz_padding_may_be_followed_by_nothing_else_than_a_stream() -> None:
    member = lzma.compress(TEXT)
    with pytest.raises(ArchiveError, match="not zero padding") as raised:
        inflated(member + bytes(4) + gzip_member(TEXT), "xz")
    assert raised.value.offset_byte == len(member) + 4


@pytest.mark.skipif(not (SHARED / "cases").is_dir(), reason="the cases are not there")
def test_the_xz_case_with_stream_padding_is_read() -> None:
    data = (SHARED / "cases/xz_two_streams_with_4_bytes_of_stream_padding.fa.xz").read_bytes()
    # Python's lzma.decompress stops at the padding.
    assert lzma.decompress(data) == b">a desc\nA"
    assert inflated(data, "xz") == b">a desc\nACGTACGTNN\nACG\n>b\nTTTT\n"


@pytest.mark.parametrize(
    "check", [lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64, lzma.CHECK_SHA256]
)
def test_every_check_of_xz_is_verified(check: int) -> None:
    data = lzma.compress(TEXT, check=check)
    assert inflated(data, "xz", 7) == TEXT
    check_bytes = {0: 0, 1: 4, 4: 8, 10: 32}[check]
    # The index of one block takes 8 bytes and its CRC, the footer 12.
    check_byte = data.rindex(b"\0\x01", 0, -12) - check_bytes
    for at in range(check_byte, check_byte + check_bytes):
        damaged = bytearray(data)
        damaged[at] ^= 1
        with pytest.raises(ArchiveError, match="damaged: the xz stream"):
            inflated(bytes(damaged), "xz")


@pytest.mark.parametrize("distance", [1, 4, 256])
@pytest.mark.parametrize(
    "branches",
    [
        *((each,) for each in (lzma.FILTER_X86, lzma.FILTER_ARM, lzma.FILTER_ARMTHUMB)),
        *((each,) for each in (lzma.FILTER_POWERPC, lzma.FILTER_IA64, lzma.FILTER_SPARC)),
        (),
        (lzma.FILTER_X86, lzma.FILTER_ARM),
    ],
)
def test_every_filter_of_xz_is_undone(branches: tuple[int, ...], distance: int) -> None:
    filters: list[dict[str, int]] = [{"id": each} for each in branches]
    filters += [{"id": lzma.FILTER_DELTA, "dist": distance}, {"id": lzma.FILTER_LZMA2, "preset": 1}]
    text = random.Random(1).randbytes(9999)
    assert inflated(lzma.compress(text, filters=filters), "xz", 100) == text


@pytest.mark.parametrize("level", range(1, 10))
def test_every_block_size_of_bzip2_is_read(level: int) -> None:
    text = random.Random(level).randbytes(250_000)
    data = bz2.compress(text, level) + bz2.compress(b"", level) + bz2.compress(b"AC", level)
    assert data[3:4] == str(level).encode()
    assert inflated(data, "bzip2") == text + b"AC"


@pytest.mark.parametrize("size", [b"0", b":", b"h"])
def test_another_block_size_of_bzip2_is_damage(size: bytes) -> None:
    data = bz2.compress(TEXT)
    with pytest.raises(ArchiveError, match="damaged: the bzip2 stream"):
        inflated(data[:3] + size + data[4:], "bzip2")


@pytest.mark.parametrize("number", range(16))
def test_every_kind_of_skippable_frame_is_skipped(number: int) -> None:
    magic = bytes((0x50 + number, 0x2A, 0x4D, 0x18))
    for content in (b"", b"x", b"\x28\xb5\x2f\xfd" * 9999):
        skippable = magic + struct.pack("<I", len(content)) + content
        data = skippable + zstd_frame(b"AC") + skippable + zstd_frame(b"GT") + skippable
        assert detect_compression(data) == "zstd"
        assert inflated(data, "zstd", 5000) == b"ACGT"
        with pytest.raises(ArchiveError, match="truncated"):
            inflated(data[:-1], "zstd")


@pytest.mark.parametrize("block_bytes", [1, 1000])
@pytest.mark.parametrize(("dictionary_id", "id_bytes"), [(7, 1), (0x1234, 2), (0x12345678, 4)])
@pytest.mark.parametrize("before", [b"", zstd_frame(TEXT), SKIPPABLE])
def test_a_zstd_frame_says_which_dictionary_it_needs(
    before: bytes, dictionary_id: int, id_bytes: int, block_bytes: int
) -> None:
    content = random.Random(1).randbytes(4000)
    trained = zstd.train_dict([content[start : start + 400] for start in range(0, 3600, 40)], 2000)
    numbered = trained.dict_content[:4] + struct.pack("<I", dictionary_id)
    dictionary = zstd.ZstdDict(numbered + trained.dict_content[8:])
    frame = zstd.compress(TEXT, zstd_dict=dictionary)
    assert (0, 1, 2, 4)[frame[4] & 3] == id_bytes
    with pytest.raises(
        ArchiveError, match=f"needs a dictionary, number {dictionary_id},"
    ) as raised:
        inflated(before + frame, "zstd", block_bytes)
    assert raised.value.offset_byte == len(before)
    assert f"the zstd frame that starts at byte {len(before)} " in str(raised.value)


GARBAGE = (b"\n", b"garbage", bytes(9) + b"\n" + bytes(9), bytes(70) + b"x" * 70, b"\0>a\nACGT\n")


@pytest.mark.parametrize("compression", STREAMS)
@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("block_bytes", [1, 8, 1000])
def test_garbage_can_be_ignored_and_is_counted(
    compression: Stream, garbage: bytes, block_bytes: int
) -> None:
    archive = MEMBER[compression](TEXT) + MEMBER[compression](b"AC")
    data = archive + garbage
    tail = Tail(Source("/x/archive", "archive", len(data), ""), is_ignored=True)
    assert inflated(data, compression, block_bytes, tail=tail) == TEXT + b"AC"
    assert tail.garbage_bytes == len(garbage.lstrip(b"\0"))


@pytest.mark.parametrize("compression", STREAMS)
def test_neither_damage_nor_a_lost_end_is_garbage(compression: Stream) -> None:
    first, second = MEMBER[compression](TEXT), MEMBER[compression](b"ACGT")
    damaged = bytearray(second)
    damaged[len(damaged) // 2] ^= 0xFF
    for data, found in ((first + second[:-1], "truncated"), (first + damaged, "damaged")):
        tail = Tail(Source("/x/archive", "archive", len(data), ""), is_ignored=True)
        with pytest.raises(ArchiveError, match=found):
            inflated(data, compression, tail=tail)


@pytest.mark.parametrize("compression", STREAMS)
@pytest.mark.parametrize("padding_bytes", [0, 1, 4, 9])
def test_padding_is_no_garbage(compression: Stream, padding_bytes: int) -> None:
    data = MEMBER[compression](TEXT) + bytes(padding_bytes)
    tail = Tail(Source("/x/archive", "archive", len(data), ""), is_ignored=True)
    assert inflated(data, compression, tail=tail) == TEXT
    assert tail.garbage_bytes == 0


def test_a_stream_after_padding_of_another_size_is_garbage_when_that_is_ignored() -> None:
    stream = lzma.compress(TEXT)
    data = stream + bytes(3) + stream
    tail = Tail(Source("/x/archive", "archive", len(data), ""), is_ignored=True)
    assert inflated(data, "xz", tail=tail) == TEXT
    assert tail.garbage_bytes == len(stream)
