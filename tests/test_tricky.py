"""Hard inputs: each gets exact numbers, or an error that says what and where.

The texts and archives are made here from a real genome, with expectations written by hand; for
every answer the naive twin must agree in every number. The inputs of other projects' tests, in
../shared/tricky, have theirs in tricky_expected.tsv.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import struct
import sys
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from naive import LONGEST_HEADER_BYTES, NaiveError, NaiveReport, analyse, comparable, crc64nvme

import fanfold
from fanfold.errors import ArchiveError, FastaError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

HERE = Path(__file__).parent
TRICKY = Path(__file__).resolve().parents[2] / "shared" / "tricky"
KS = [1, 3, 8]

LAMBDA = (HERE / "data" / "lambda_NC_001416.fa").read_bytes()
PHIX = (HERE / "data" / "phiX174.fa").read_bytes()
MT = (HERE / "data" / "human_MT.fa").read_bytes()
HEADER = LAMBDA[:73]
# The header and the first ten lines of 70 bases: big enough to cut, small enough for a slow twin.
HEAD = LAMBDA[: 74 + 10 * 71]
BOM = b"\xef\xbb\xbf"


# --- texts ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Text:
    """`error` is kind and offset; `like` a plain text with the same bases and k-mers."""

    name: str
    text: bytes
    error: tuple[str, int] | None = None
    like: bytes | None = None


def put(text: bytes, at_byte: int, inserted: bytes) -> bytes:
    return text[:at_byte] + inserted + text[at_byte:]


def long_line(start: bytes, length: int) -> bytes:
    return start + b"x" * (length - len(start))


def wrap(text: bytes, width: int) -> bytes:
    """The same record with lines of another width."""
    bases = text[74:].replace(b"\n", b"")
    lines = [bases[at : at + width] for at in range(0, len(bases), width)]
    return b"\n".join([HEADER, *lines, b""])


def same_as_plain() -> Iterator[Text]:
    """What the line ends, lines, blanks and comments of a text are changes nothing."""
    for name, text in {
        "CRLF": LAMBDA.replace(b"\n", b"\r\n"),
        "byte order mark": BOM + LAMBDA,
        "a single line": wrap(LAMBDA, 10**6),
        "one base a line": wrap(LAMBDA, 1),
        "header of the greatest length": long_line(HEADER, LONGEST_HEADER_BYTES) + LAMBDA[73:],
    }.items():
        yield Text(name, text, like=LAMBDA)

    lines = HEAD.splitlines(keepends=True)
    long_comment = long_line(b";", LONGEST_HEADER_BYTES)
    for name, text in {
        "three CRs before each LF": HEAD.replace(b"\n", b"\r\r\r\n"),
        "LF and CRLF in turn": HEAD.replace(b"A\n", b"A\r\n"),
        "CRLF on the last line alone": HEAD[:-1] + b"\r\n",
        "byte order mark and CRLF": BOM + HEAD.replace(b"\n", b"\r\n"),
        "byte order mark and an empty line": BOM + b"\n" + HEAD,
        "no last line end": HEAD[:-1],
        "CR at the very end": HEAD[:-1] + b"\r",
        "CRs at the very end": HEAD[:-1] + b"\r\r\r",
        "an empty line of CRs at the very end": HEAD + b"\r\r",
        "many last line ends": HEAD + b"\n\r\n\n",
        "empty lines first": b"\n\r\n\n" + HEAD,
        "blank lines first": b" \t \n\t\r\n" + HEAD,
        "empty lines inside": HEAD.replace(b"\n", b"\n\n"),
        "comments first": b";one\n;\n; two\r\n" + HEAD,
        "comments inside": b";c >x\n".join(lines),
        "a comment last, without end": HEAD + b";the end",
        "a comment's bytes are free": put(HEAD, 145, b";\0\xff\xfe \x0b\x1a>\n"),
        "a comment of the greatest length": put(HEAD, 145, long_comment + b"\n"),
        "a comment of the greatest length, CRLF": put(HEAD, 145, long_comment + b"\r\n"),
        "a comment of the greatest length at the end": HEAD + long_comment,
        "header of the greatest length, CRs": long_line(HEADER, LONGEST_HEADER_BYTES)
        + b"\r\r"
        + HEAD[73:],
        "header and mark of the greatest length": BOM
        + long_line(HEADER, LONGEST_HEADER_BYTES)
        + HEAD[73:],
        "spaces and tabs in the lines": HEADER + HEAD[73:].replace(b"GA", b" G\t A  "),
        "lines that begin with a blank": HEADER + b"\n" + HEAD[74:].replace(b"\n", b"\n \t"),
        "lowercase": HEADER + HEAD[73:].lower(),
        "half lowercase": HEAD[:400] + HEAD[400:].lower(),
        "'>' in the header": b">" + HEAD,
        "';' in the header": b">;" + HEAD[1:],
        "a name that is not UTF-8": b">\xff\xfe\x80 \xe9" + HEAD[73:],
        "control bytes in the header": b">a\x01\x1b\x7f\x0b\x0c\x1a" + HEAD[73:],
        "no name": b">" + HEAD[73:],
        "a name after blanks": b"> \t\x0b\x0c name\x0brest" + HEAD[73:],
        "uneven lines": HEADER + HEAD[73:].replace(b"T", b"T\n"),
    }.items():
        yield Text(name, text, like=HEAD)


def answered() -> Iterator[Text]:
    """What changes the answer, and is no error."""
    every_residue = bytes(set(range(0x21, 0x7F)) - set(b">;"))
    for name, text in {
        "'>' in mid-line": put(LAMBDA, 2000, b">"),
        "U for T": HEADER + LAMBDA[73:].replace(b"T", b"U"),
        "the same record twice": LAMBDA + LAMBDA,
        "another record after it": LAMBDA + PHIX + MT,
    }.items():
        yield Text(name, text)

    for name, text in {
        "'>' after a blank": put(HEAD, 145, b" >x\n"),
        "';' in mid-line": put(HEAD, 150, b";"),
        "';' after a blank": put(HEAD, 145, b" ;x\n"),
        "'@' and '+' lines after the header": put(HEAD, 145, b"@x\nACGT\n+\nIIII\n"),
        "'#' after the header": put(HEAD, 145, b"# no comment\n"),
        "a header alone": b">x",
        "'>' alone": b">",
        "'>' and CR": b">\r",
        "'>' as the very last byte": HEAD + b">",
        "'>' on the last line": HEAD + b">\n",
        "three empty records": b">a\n>b\n\n>c\n",
        "an empty record first": b">a\n" + HEAD,
        "an empty record in the middle": HEAD + b">a\n" + HEAD,
        "an empty record last": HEAD + b">a\n",
        "a name thrice, an empty one twice": b">a\nA\n>\n>a x\nCC\n>\nG\n>a\tx\nTTT\n",
        "a name twice, one without lines": b">a\n>a\nAC\n>b\nAC\n",
        "every residue": b">x\nA" + every_residue + b"\n" + every_residue[::-1] + b"C\n",
        "protein": b">p\nMKVLAAGIVGLLLAQPSFWEYTRDNHC*\n",
        "RNA": b">r\nACGUUGGCCAAUU\n>s\nuuu\n",
        "as many U as T": b">r\nACGTTUUCG\n",
        "half of it is no nucleotide": b">x\nACRY--*\n",
        "no base": b">x\nRYSWKMBDHVryswkmbdhv\n>y\n--..**\n>z\nNNnn\n",
        "IUPAC breaks k-mers": HEADER + HEAD[73:].replace(b"GCG", b"GRG"),
        "N over line ends": HEADER + HEAD[73:].replace(b"A\n", b"NN\n\nnN"),
        "N over a comment": b">x\nACN\n;c\nNGTN\n",
        "N at the edges of records": b">x\nNNACGT\n>y\nACGTNN\n>z\nNNN\n>w\nN\nA\nN\n",
        "N in every other place": b">x\n" + b"NA" * 50 + b"\n",
        "'-' does not end a gap's contig": b">x\nAC-GT--NN-AC\n",
        "k-mers end at the header": b">x\nACG\n>y\nTAC\n",
        "runs as long as k": b">x\nACGTACGT\n>y\nACGTACG\n>z\nACGT\nACGTN\nACGTA\n",
        "lengths of which N50 and N90 are borders": b"".join(
            b">%d\n%b\n" % (length, b"A" * length) for length in (5, 2, 1, 1, 1)
        ),
        "1.5625 percent": b">x\nG" + b"A" * 63 + b"\n",
        "4.6875 percent": b">x\nGCG" + b"A" * 61 + b"\n",
        "a mean of 1.0625": b">x\nA\n" * 15 + b">y\nAA\n",
        "palindromes": b">x\nACGTACGTAATTGGCCGAATTC\n",
    }.items():
        yield Text(name, text)


def refused() -> Iterator[Text]:
    too_long = long_line(HEADER, LONGEST_HEADER_BYTES + 1)
    long_comment = long_line(b";", LONGEST_HEADER_BYTES + 1)
    for name, text, kind, offset_byte in [
        ("nothing", b"", "empty", 0),
        ("a line end", b"\n", "no-record", 0),
        ("a CR", b"\r", "no-record", 0),
        ("blanks", b" \t\n \n\t", "no-record", 0),
        ("comments alone", b";a\n;>b\n", "no-record", 0),
        ("a byte order mark alone", BOM, "no-record", 0),
        ("UTF-16LE", ("\ufeff" + LAMBDA.decode()).encode("utf-16-le"), "utf-16", 0),
        ("UTF-16BE", ("\ufeff" + HEAD.decode()).encode("utf-16-be"), "utf-16", 0),
        ("the mark of UTF-16LE alone", b"\xff\xfe", "utf-16", 0),
        ("half a mark of UTF-16", b"\xff", "invalid-byte", 0),
        ("half a mark of UTF-8", BOM[:2] + HEAD, "invalid-byte", 0),
        ("two byte order marks", BOM + BOM + HEAD, "invalid-byte", 3),
        ("a byte order mark inside", HEAD + BOM + HEAD, "invalid-byte", len(HEAD)),
        ("UTF-16 without mark", HEAD.decode().encode("utf-16-le"), "nul-in-header", 1),
        # bare CR
        ("old Mac line ends", LAMBDA.replace(b"\n", b"\r"), "bare-cr", 73),
        ("a bare CR in a line", put(HEAD, 200, b"\r"), "bare-cr", 200),
        ("bare CRs in a line", put(HEAD, 200, b"\r\r\r"), "bare-cr", 200),
        ("a bare CR before another line end", put(HEAD, 144, b"\rA\r"), "bare-cr", 144),
        ("a bare CR at a line start", put(HEAD, 145, b"\r"), "bare-cr", 145),
        ("a bare CR in the header", put(HEAD, 20, b"\r"), "bare-cr", 20),
        ("a bare CR in a comment", put(HEAD, 145, b";a\rb\n"), "bare-cr", 147),
        ("a bare CR in the last line", HEAD + b"AC\rGT\r", "bare-cr", len(HEAD) + 2),
        ("a bare CR before a header", HEAD + b"\r>x\nA\n", "bare-cr", len(HEAD)),
        ("a bare CR first of all", b"\r" + HEAD, "bare-cr", 0),
        ("a bare CR between blanks", b" \r \n" + HEAD, "bare-cr", 1),
        # residues before the first header
        ("no header", HEAD[74:], "sequence-before-header", 0),
        ("sequence first", b"AC\n" + HEAD, "sequence-before-header", 0),
        ("sequence after empty lines", b"\n\r\nAC\n" + HEAD, "sequence-before-header", 3),
        ("sequence after a blank", b" \tAC\n" + HEAD, "sequence-before-header", 2),
        ("sequence after a comment", b";c\nAC\n", "sequence-before-header", 3),
        ("sequence after a byte order mark", BOM + b"AC\n" + HEAD, "sequence-before-header", 3),
        ("'>' after a blank", b" " + HEAD, "sequence-before-header", 1),
        ("'#' first", b"# no comment\n" + HEAD, "sequence-before-header", 0),
        ("FASTQ", b"@read\nACGT\n+\nIIII\n", "fastq", 0),
        ("FASTQ after a byte order mark", BOM + b"@read\nACGT\n+\nIIII\n", "fastq", 3),
        ("FASTQ after an empty line", b"\n@read\nACGT\n+\nIIII\n", "fastq", 1),
        ("'@' is not the first residue", b"A@\n", "sequence-before-header", 0),
        # lines that are too long
        ("a long header", too_long + HEAD[73:], "header-too-long", 0),
        ("a long header after the mark", BOM + too_long + HEAD[73:], "header-too-long", 3),
        ("a long header further on", HEAD + too_long + b"\r\nA\n", "header-too-long", len(HEAD)),
        ("a long header without end", HEAD + too_long, "header-too-long", len(HEAD)),
        ("a long comment", put(HEAD, 145, long_comment + b"\n"), "comment-too-long", 145),
        ("a long comment first of all", long_comment + b"\n" + HEAD, "comment-too-long", 0),
        ("a long comment and no record", long_comment, "comment-too-long", 0),
        # the leftmost wins
        ("NUL in the header", put(HEAD, 5, b"\0"), "nul-in-header", 5),
        ("NUL after the header's name", put(HEAD, 60, b"\0\0"), "nul-in-header", 60),
        ("NUL in a long header", put(too_long, 9, b"\0") + HEAD[73:], "header-too-long", 0),
        ("NUL, then a bare CR", put(put(HEAD, 300, b"\r"), 200, b"\0"), "invalid-byte", 200),
        ("a bare CR, then NUL", put(put(HEAD, 300, b"\0"), 200, b"\r"), "bare-cr", 200),
        ("NUL in a line, then a long header", HEAD + b"\0\n" + too_long, "invalid-byte", len(HEAD)),
        ("a bare CR before the sequence", b"; \r;\nAC\n" + HEAD, "bare-cr", 2),
        ("an invalid byte before the sequence", b" \x80AC\n" + HEAD, "invalid-byte", 1),
        ("sequence, then an invalid byte", b" A\x80C\n" + HEAD, "sequence-before-header", 1),
        ("an error after many good lines", LAMBDA + b"\x80", "invalid-byte", len(LAMBDA)),
        ("NUL in a whole genome", put(LAMBDA, 5000, b"\0"), "invalid-byte", 5000),
        ("gzip in gzip's place", gzip.compress(HEAD)[1:], "invalid-byte", 0),
    ]:
        yield Text(name, text, error=(kind, offset_byte))
    for byte in (0x00, 0x01, 0x0B, 0x0C, 0x1A, 0x1F, 0x7F, 0x80, 0xA0, 0xC3, 0xFF):
        text = put(HEAD, 222, bytes([byte]))
        yield Text(f"byte {byte:#04x} in a line", text, error=("invalid-byte", 222))


def named(texts: Iterable[Text]) -> list[object]:
    return [pytest.param(text, id=text.name.replace(" ", "-")) for text in texts]


@pytest.mark.parametrize("case", named([*same_as_plain(), *answered()]))
def test_text_that_is_answered(case: Text, tmp_path: Path) -> None:
    given = json.loads(assert_answered(tmp_path, "text.fa.gz", case.text, case.text, "none").data)
    if case.like is not None:
        plain = answers_for_plain(case.like).master
        for key in ("total_bases", "gc_count", "gc_percent", "kmer_counts", "kmers", "cpg", "gaps"):
            assert given[key] == plain[key]
        for key in ("count", "length", "N50", "auN"):
            assert given["sequences"][key] == plain["sequences"][key]


@cache
def answers_for_plain(text: bytes) -> NaiveReport:
    return analyse(text, KS)


@pytest.mark.parametrize("case", named(refused()))
def test_text_that_is_refused(case: Text, tmp_path: Path) -> None:
    assert case.error is not None
    with pytest.raises(NaiveError) as twins:
        analyse(case.text, KS)

    assert (twins.value.kind, twins.value.offset_byte) == case.error
    assert_refused_text(tmp_path, case.text, *case.error)


# --- archives ---------------------------------------------------------------------------------


def bgzf_block(text: bytes) -> bytes:
    compressor = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = compressor.compress(text) + compressor.flush()
    last_byte = 18 + len(body) + 8 - 1
    head = struct.pack("<4BI2BH2B2H", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, last_byte)
    return head + body + struct.pack("<2I", zlib.crc32(text), len(text))


BGZF_END = bgzf_block(b"")


def bgzf(text: bytes, block_bytes: int = 300) -> bytes:
    """Without the end-of-file block."""
    return b"".join(
        bgzf_block(text[at : at + block_bytes]) for at in range(0, len(text), block_bytes)
    )


def gzip_with_every_field(text: bytes) -> bytes:
    """Extra field, name, comment and header CRC."""
    plain = gzip.compress(text, mtime=0)
    head = plain[:3] + b"\x1e" + plain[4:10] + b"\5\0XY\1\0z" + b"name\0" + b"comment\0"
    return head + struct.pack("<H", zlib.crc32(head) & 0xFFFF) + plain[10:]


def zstd_frame(text: bytes) -> bytes:
    """With the checksum that makes damage visible."""
    return zstd.compress(text, options={zstd.CompressionParameter.checksum_flag: 1})


def zstd_stream(text: bytes) -> bytes:
    """A frame that does not say how long its text is."""
    compressor = zstd.ZstdCompressor()
    return compressor.compress(text[:100]) + compressor.compress(text[100:]) + compressor.flush()


SKIPPABLE_FRAME = b"\x50\x2a\x4d\x18" + struct.pack("<I", 7) + b"skip me"
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bgzf": lambda text: bgzf(text) + BGZF_END,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd_frame,
}
WHOLE = {compression: compress(HEAD) for compression, compress in COMPRESS.items()}


@dataclass(frozen=True)
class Archive:
    name: str
    compression: str
    archive: bytes
    text: bytes = HEAD


def good_archives() -> Iterator[Archive]:
    # Cuts in the header, in a line, and right after a line end.
    pieces = [HEAD[:40], HEAD[40:145], HEAD[145:200], b"", HEAD[200:]]
    for compression in ("gzip", "bzip2", "xz", "zstd"):
        compress = COMPRESS[compression]
        empty = compress(b"")
        several = b"".join(compress(piece) for piece in pieces)
        whole = WHOLE[compression]
        for name, archive in {
            "whole": whole,
            "in several parts": several,
            "an empty part first": empty + whole,
            "an empty part last": whole + empty,
            "padded with zeros": whole + bytes(512),
            "padded with zeros after several parts": several + bytes(4),
        }.items():
            yield Archive(name, compression, archive)
        yield Archive("a whole genome", compression, compress(LAMBDA), LAMBDA)
        three = compress(PHIX) + compress(LAMBDA) + compress(MT)
        yield Archive("three genomes", compression, three, PHIX + LAMBDA + MT)
        yield Archive("with a byte order mark", compression, compress(BOM + HEAD), BOM + HEAD)

    yield Archive("every field of the header", "gzip", gzip_with_every_field(HEAD))
    yield Archive("not compressed", "gzip", gzip.compress(HEAD, compresslevel=0))
    yield Archive("without its text's length", "zstd", zstd_stream(HEAD))
    yield Archive("a skippable frame first", "zstd", SKIPPABLE_FRAME + WHOLE["zstd"])
    yield Archive("a skippable frame last", "zstd", WHOLE["zstd"] + SKIPPABLE_FRAME)

    halves = HEAD[:333], HEAD[333:]
    for name, archive in {
        "whole": WHOLE["bgzf"],
        "one byte a block": bgzf(HEAD, 1) + BGZF_END,
        "one line a block": bgzf_block(HEAD[:74]) + bgzf(HEAD[74:], 71) + BGZF_END,
        "two files in a row": b"".join(bgzf(half) + BGZF_END for half in halves),
        "empty blocks first and last": BGZF_END * 2 + WHOLE["bgzf"] + BGZF_END,
        "padded with zeros": WHOLE["bgzf"] + bytes(512),
        "a plain member among the blocks": bgzf(halves[0]) + gzip.compress(halves[1]) + BGZF_END,
    }.items():
        yield Archive(name, "bgzf", archive)
    yield Archive("a whole genome", "bgzf", bgzf(LAMBDA, 0xFF00) + BGZF_END, LAMBDA)
    yield Archive("old Mac line ends are not here", "bgzf", bgzf(LAMBDA, 71) + BGZF_END, LAMBDA)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{case.compression}-{case.name.replace(' ', '-')}")
        for case in good_archives()
    ],
)
def test_archive_that_is_answered(case: Archive, tmp_path: Path) -> None:
    """Under a name that says it is none."""
    assert_answered(tmp_path, "text.fa", case.archive, case.text, case.compression)


@pytest.mark.parametrize("compression", WHOLE)
def test_truncated_archive_is_refused(compression: str, tmp_path: Path) -> None:
    """At every cut that leaves the magic bytes: in the header, the middle, and all of the end."""
    magic_bytes = {"gzip": 2, "bgzf": 2, "bzip2": 3, "xz": 6, "zstd": 4}[compression]
    whole = WHOLE[compression]
    ends = range(len(whole) - 30, len(whole))
    for cut in {magic_bytes, magic_bytes + 1, 10, 11, 18, 19, len(whole) // 2, *ends}:
        assert_refused_archive(tmp_path, f"cut-at-{cut}", whole[:cut])


@pytest.mark.parametrize("compression", WHOLE)
def test_archive_cut_in_its_second_part_is_refused(compression: str, tmp_path: Path) -> None:
    first = bgzf(PHIX) if compression == "bgzf" else WHOLE[compression]
    second = WHOLE[compression]
    for cut in (1, 2, 5, 12, len(second) // 2, len(second) - 5, len(second) - 1):
        assert_refused_archive(tmp_path, f"cut-at-{cut}", first + second[:cut])


def test_bgzf_cut_between_two_blocks_is_refused(tmp_path: Path) -> None:
    """Every block is whole: only the missing end-of-file block tells."""
    assert_refused_archive(tmp_path, "no-end", bgzf(HEAD))
    assert_refused_archive(tmp_path, "no-end-of-lambda", bgzf(LAMBDA, 0xFF00))
    assert_refused_archive(tmp_path, "first-block", bgzf(HEAD)[: len(bgzf_block(HEAD[:300]))])
    assert_refused_archive(tmp_path, "no-end-but-zeros", bgzf(HEAD) + bytes(100))


@pytest.mark.parametrize("compression", WHOLE)
def test_what_follows_an_archive_is_refused_where_it_begins(
    compression: str, tmp_path: Path
) -> None:
    whole = WHOLE[compression]
    for name, garbage in {
        "text": b"garbage after the archive",
        "fasta": HEAD,
        "byte": b"\n",
    }.items():
        offset_byte = assert_refused_archive(tmp_path, name, whole + garbage)
        assert offset_byte == len(whole)
    offset_byte = assert_refused_archive(tmp_path, "padded", whole + bytes(8) + b"garbage")
    assert len(whole) <= offset_byte <= len(whole) + 8


@pytest.mark.parametrize("compression", WHOLE)
def test_damaged_archive_is_refused(compression: str, tmp_path: Path) -> None:
    whole = WHOLE[compression]
    checksum_at = {
        "gzip": len(whole) - 8,
        "bgzf": len(whole) - len(BGZF_END) - 8,
        "bzip2": 10,
        "xz": len(whole) - 12,
        "zstd": len(whole) - 4,
    }[compression]
    places = {"checksum": checksum_at, "data": 60}
    if compression in {"gzip", "bgzf"}:
        places["length"] = checksum_at + 4
    for name, place in places.items():
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        assert_refused_archive(tmp_path, name, bytes(damaged))


@pytest.mark.parametrize("compression", WHOLE)
def test_bad_text_in_an_archive_is_refused_at_its_place_in_the_text(
    compression: str, tmp_path: Path
) -> None:
    compress = COMPRESS[compression]
    for number, (text, kind, offset_byte) in enumerate(
        [
            (b"", "empty", 0),
            (b"\n\n", "no-record", 0),
            (HEAD.replace(b"\n", b"\r"), "bare-cr", 73),
            (put(HEAD, 500, b"\0"), "invalid-byte", 500),
            (HEAD.decode().encode("utf-16"), "utf-16", 0),
            (b"@r\nA\n+\nI\n", "fastq", 0),
            (gzip.compress(HEAD), "compressed-twice", 0),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert_refused_text(folder, compress(text), kind, offset_byte)


# --- other projects' inputs -------------------------------------------------------------------


def expectations() -> list[dict[str, str]]:
    with (HERE / "tricky_expected.tsv").open(newline="") as table:
        return list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize(
    "expected",
    [pytest.param(row, id=row["file"]) for row in expectations()]
    if TRICKY.is_dir()
    else [
        pytest.param(
            {},
            id="shared-tricky",
            marks=pytest.mark.skip(
                reason=f"{len(expectations())} TRICKY FILES NOT CHECKED: there is no {TRICKY}"
            ),
        )
    ],
)
def test_inputs_of_other_projects(expected: dict[str, str], tmp_path: Path) -> None:
    source = TRICKY / expected["file"]
    content = source.read_bytes()
    match expected["result"]:
        case "ArchiveError":
            offset_byte = assert_refused_archive(tmp_path, source.name, content)
            assert expected["offset_byte"] in {"", str(offset_byte)}
        case "FastaError":
            assert_refused_text(tmp_path, content, expected["kind"], int(expected["offset_byte"]))
        case _:
            compression, text = inflated(content)
            report = assert_answered(tmp_path, source.name, content, text, compression)
            master = json.loads(report.data)
            (kmers,) = (row for row in master["kmers"] if row["k"] == 3)
            fai = master["sequences"]["fai"]
            for column, found in {
                "records": master["sequences"]["count"],
                "length": master["sequences"]["length"],
                "total_bases": master["total_bases"],
                "gc_count": master["gc_count"],
                "n": master["composition"]["N"],
                "kmers3_distinct": kmers["distinct"],
                "kmers3_total": kmers["total"],
                "fai_records": fai["records"] if fai["written"] else "-",
            }.items():
                assert expected[column] == str(found), column


@pytest.mark.skipif(not TRICKY.is_dir(), reason=f"there is no {TRICKY}")
def test_every_file_of_other_projects_has_its_expectation() -> None:
    suffixes = {".fa", ".fasta", ".fna", ".fas", ".gz", ".bz2", ".xz", ".zst"}
    there = {str(path.relative_to(TRICKY)) for path in TRICKY.rglob("*") if path.suffix in suffixes}

    assert {row["file"] for row in expectations()} == there


def inflated(content: bytes) -> tuple[str, bytes]:
    if content.startswith(b"\x1f\x8b"):
        return "gzip", gzip.decompress(content)
    if content.startswith(b"BZh"):
        return "bzip2", bz2.decompress(content)
    if content.startswith(b"\xfd7zXZ"):
        return "xz", lzma.decompress(content)
    if content.startswith(b"\x28\xb5\x2f\xfd"):
        return "zstd", zstd.decompress(content)
    return "none", content


# --- what is asserted -------------------------------------------------------------------------


def assert_answered(
    folder: Path, name: str, content: bytes, text: bytes, compression: str
) -> fanfold.Report:
    """The whole on the strand given, and canonically in slices that cut it at odd places."""
    fasta = folder / name
    fasta.write_bytes(content)
    given = fanfold.run(fasta, k=KS, out=folder / "given")
    canonical = fanfold.run(
        fasta, k=KS, canonical=True, out=folder / "canonical", slice_bytes=len(content) // 5 + 1
    )
    for report, expected in (
        (given, analyse(text, KS)),
        (canonical, analyse(text, KS, canonical=True)),
    ):
        assert comparable(json.loads(report.data)) == comparable(expected.master)
        # Equal dicts may differ in order, and the order of these two is settled.
        assert [key for key in json.loads(report.data) if key in expected.master] == list(
            expected.master
        )
        assert list(json.loads(report.data)["kmer_counts"]) == list(expected.master["kmer_counts"])
        source = json.loads(report.data)["source"]
        assert source["name"] == name
        assert source["size_bytes"] == len(content)
        assert source["compression"] == compression
        assert source["crc64nvme"] == crc64nvme(content)
        assert (report.out / "sequences.tsv").read_bytes() == expected.sequences_tsv
        assert (report.out / "gaps.bed").read_bytes() == expected.gaps_bed
        index = report.out / f"{name}.fai"
        assert (index.read_bytes() if index.exists() else None) == expected.fai
    return given


def assert_refused_text(folder: Path, content: bytes, kind: str, offset_byte: int) -> None:
    fasta = folder / "text.fa"
    fasta.write_bytes(content)
    for slice_bytes in (None, len(content) // 5 + 1):
        out = folder / f"slices-of-{slice_bytes}"
        with pytest.raises(FastaError) as caught:
            fanfold.run(fasta, k=KS, out=out, slice_bytes=slice_bytes)
        assert (caught.value.kind, caught.value.offset_byte) == (kind, offset_byte)
        assert "text.fa" in str(caught.value)
        assert not (out / "master.json").exists()


def assert_refused_archive(folder: Path, name: str, content: bytes) -> int:
    """Returns the offset: within the archive, and the same however it is cut."""
    fasta = folder / f"{name}.fa"
    fasta.write_bytes(content)
    offsets = set()
    for slice_bytes in (None, len(content) // 5 + 1):
        out = folder / f"{name}-slices-of-{slice_bytes}"
        with pytest.raises(ArchiveError) as caught:
            fanfold.run(fasta, k=KS, out=out, slice_bytes=slice_bytes)
        offsets.add(caught.value.offset_byte)
        assert not (out / "master.json").exists()
    (offset_byte,) = offsets
    assert 0 <= offset_byte <= len(content)
    return offset_byte
