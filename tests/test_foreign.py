"""What is not FASTA is named, however it is packed and cut, and no FASTA is taken for it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from archives import bgzf
from hypothesis import given
from hypothesis import strategies as st

import fanfold
from fanfold._kernel import Fault
from fanfold.archives.foreign import TAR_BLOCK_BYTES
from fanfold.archives.formats import detect_compression
from fanfold.errors import ArchiveError, FastaError
from fanfold.flow.first_text import FIRST_TEXT_BYTES, check_first_text, first_text
from fanfold.flow.scan import scan
from fanfold.objects import Source

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FASTA = b">a\nACGTNNNN\n>b\nGATTACA\n" * 30
ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def tar_of(
    text: bytes = FASTA, *, name: str = "genome/x.fna", form: int = tarfile.PAX_FORMAT
) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=form) as members:
        member = tarfile.TarInfo(name)
        member.size = len(text)
        members.addfile(member, io.BytesIO(text))
    return archive.getvalue()


def tar_before_posix() -> bytes:
    """A tar archive whose header has no magic number: its checksum alone tells."""
    archive = bytearray(tar_of(form=tarfile.USTAR_FORMAT))
    archive[257:512] = bytes(255)
    archive[148:156] = b" " * 8
    archive[148:156] = b"%06o\0 " % sum(archive[:512])
    return bytes(archive)


def zip_of(text: bytes = FASTA) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("README.md", "# NCBI Datasets")
        members.writestr("ncbi_dataset/data/x.fna", text)
    return archive.getvalue()


GFF = b"ctg123\t.\tgene\t1000\t9000\t.\t+\t.\tID=gene00001\n"
SAM = b"r001\t99\tref\t7\t30\t8M2I4M1D3M\t=\t37\t39\tTTAGATAAAGGATACTG\t*\n"

FOREIGN: dict[str, tuple[str, bytes, str]] = {
    "zip": ("zip", zip_of(), "zip archive"),
    "an empty zip": ("zip", b"PK\x05\x06" + bytes(18), "zip archive"),
    "a zip in parts": ("zip", b"PK\x07\x08" + zip_of(), "zip archive"),
    "tar": ("tar", tar_of(), "tar archive"),
    "tar by GNU": ("tar", tar_of(name="x" * 300, form=tarfile.GNU_FORMAT), "tar archive"),
    "tar before POSIX": ("tar", tar_before_posix(), "tar archive"),
    "7z": ("7z", b"7z\xbc\xaf\x27\x1c\x00\x04", "7z archive"),
    "rar": ("rar", b"Rar!\x1a\x07\x01\x00", "rar archive"),
    "lz4": ("lz4", b"\x04\x22\x4d\x18\x64\x40", "lz4"),
    "lz4 of before": ("lz4", b"\x02\x21\x4c\x18\x64\x40", "lz4"),
    "lzma": ("lzma", lzma.compress(FASTA, lzma.FORMAT_ALONE), "lzma"),
    "lzma with a size": ("lzma", b"\x5d\0\0\x80\0\x40\0\0\0\0\0\0\0\0abc", "lzma"),
    ".Z": ("compress", b"\x1f\x9d\x90>\xc2", ".Z"),
    "lzip": ("lzip", b"LZIP\x01\x0c", "lzip"),
    "lzop": ("lzop", b"\x89LZO\0\r\n\x1a\n\x10", "lzop"),
    "zstd 0.1": ("old-zstd", b"\x1e\xb5\x2f\xfd\0", "before version 0.8"),
    "zstd 0.7": ("old-zstd", b"\x27\xb5\x2f\xfd\0", "before version 0.8"),
    "GFA": ("gfa", b"H\tVN:Z:1.0\nS\t11\tACCTT\n", "(GFA)"),
    "GFA without a header": ("gfa", b"S\tutg1\tACGT\tLN:i:4\nL\tutg1\t+\tutg1\t-\t0M\n", "(GFA)"),
    "GFA without sequence": ("gfa", b"S\tutg1\t*\tLN:i:4\n", "(GFA)"),
    "GFA 2": ("gfa", b"S\tutg1\t4\tACGT\n", "(GFA)"),
    "GenBank": ("genbank", b"LOCUS       SCU49845     5028 bp    DNA\n", "GenBank"),
    "EMBL": ("embl", b"ID   X56734; SV 1; linear; mRNA; STD; PLN; 1859 BP.\n", "EMBL"),
    "SAM": ("sam", b"@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:ref\tLN:45\n", "(SAM)"),
    "SAM with references first": ("sam", b"@SQ\tSN:ref\tLN:45\n", "(SAM)"),
    "SAM with a comment first": ("sam", b"@CO\tmade by hand\n", "(SAM)"),
    "SAM without a header": ("sam", SAM, "(SAM)"),
    "BAM": ("bam", b"BAM\1" + bytes(40), "(BAM)"),
    "CRAM": ("cram", b"CRAM\x03\x00", "(CRAM)"),
    "GFF": ("gff", b"##gff-version 3\n" + GFF, "(GFF or GTF)"),
    "GFF without a version": ("gff", GFF, "(GFF or GTF)"),
    "GTF": ("gff", b"#!genome-build GRCh38.p14\n", "(GFF or GTF)"),
    "VCF": ("vcf", b"##fileformat=VCFv4.3\n", "(VCF)"),
    "BCF": ("bcf", b"BCF\2\2" + bytes(40), "(BCF)"),
    "BED": ("bed", b"chr1\t0\t1000\n", "(BED)"),
    "BED with names": ("bed", b"chr1\t0\t1000\tgene\t0\t+\n", "(BED)"),
    ".fai": ("fai", b"chr1\t248956422\t112\t70\t71\n", ".fai"),
    "2bit": ("2bit", b"\x43\x27\x41\x1a" + bytes(12), "2bit"),
    "2bit of the other order": ("2bit", b"\x1a\x41\x27\x43" + bytes(12), "2bit"),
    "git-lfs": (
        "git-lfs",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "git lfs pull",
    ),
    "HTML": ("html", b"<!DOCTYPE html>\n<html><body>404</body></html>\n", "HTML"),
    "HTML in small letters": ("html", b"\n  <html lang='en'>\n", "HTML"),
    "an error of S3": (
        "xml",
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>',
        "(NoSuchKey)",
    ),
    "an error of S3 without a declaration": (
        "xml",
        b"<Error><Message>no</Message><Code>AccessDenied</Code></Error>",
        "(AccessDenied)",
    ),
    "XML": ("xml", b'<?xml version="1.0"?><eFetchResult/>', "XML"),
    "JSON": ("json", b'{"error": "API rate limit exceeded"}', "JSON"),
    "JSON on lines": ("json", b'\n{\n  "message": 1\n}\n', "JSON"),
    "a JSON list": ("json", b'[ {"accession": "GCF_000005845.2"} ]', "JSON"),
    "PDF": ("pdf", b"%PDF-1.7\n%\xe2\xe3", "PDF"),
}

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bgzf": bgzf,
    "bgzf in small blocks": lambda text: bgzf(text, 3),
    "zstd": zstd.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@contextmanager
def refused(kind: str, *words: str) -> Iterator[pytest.ExceptionInfo[FastaError]]:
    """What is tried in it is refused as a format, in one or two lines."""
    with pytest.raises(FastaError) as raised:
        yield raised
    assert raised.value.kind == kind
    said = str(raised.value)
    assert all(word in said for word in (*words, "not FASTA; "))
    assert len(said) < 300
    assert said.isprintable()


def refusal(text: bytes) -> FastaError | None:
    """Why a plain text is refused early, if it is."""
    try:
        check_first_text(Source("/x/x", "x", 1, ""), "none", text)
    except FastaError as error:
        return error
    return None


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("case", FOREIGN)
def test_it_is_named_by_its_first_text(case: str, packed: str) -> None:
    kind, text, words = FOREIGN[case]
    data = PACKED[packed](text)
    source = Source("/x/x.any", "x.any", len(data), "")
    compression = detect_compression(data)
    with refused(kind, words) as raised:
        check_first_text(source, compression, first_text(source, compression, data))
    assert raised.value.offset_byte == len(text) - len(text.lstrip())


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("case", ["zip", "tar", "SAM", "BAM", "JSON on lines", "2bit"])
def test_nothing_is_written_for_it(case: str, packed: str, tmp_path: Path) -> None:
    kind, text, words = FOREIGN[case]
    path, out = tmp_path / "x.any", tmp_path / "out"
    path.write_bytes(PACKED[packed](text))
    for slice_bytes in (None, 7):
        with refused(kind, words):
            fanfold.run(path, out=out, slice_bytes=slice_bytes)
    with refused(kind, words):
        fanfold.plan(path, out=out)
    (outcome,) = fanfold.run_many([path], out=tmp_path / "many")
    assert isinstance(outcome.error, FastaError)
    assert words in str(outcome.error)
    assert not out.exists()


@pytest.mark.parametrize("case", ["tar", "SAM", "HTML", "JSON"])
def test_it_is_named_where_the_first_bytes_show_no_text_yet(case: str, tmp_path: Path) -> None:
    kind, text, words = FOREIGN[case]
    rest = bytes(byte for seed in range(900) for byte in seed.to_bytes(2, "big") * 40)
    large = text + bz2.compress(rest * 9) * 40
    data = bz2.compress(large, 9)
    path = tmp_path / "x.any"
    path.write_bytes(data)
    with refused(kind, words):
        fanfold.run(path, out=tmp_path / "out")
    with refused(kind, words):
        fanfold.plan(path, out=tmp_path / "planned")
    assert not list(tmp_path.rglob("*.chunk*"))


@pytest.mark.parametrize("packed", ["gzip", "zstd", "bzip2", "xz", "bgzf"])
def test_damage_is_told_before_what_the_text_seems_to_be(packed: str, tmp_path: Path) -> None:
    data = bytearray(PACKED[packed](b"<" + FASTA[1:] * 99))
    data[len(data) // 2] ^= 0xFF
    for name, broken in (("damaged", bytes(data)), ("truncated", data[: len(data) // 2])):
        (tmp_path / name).write_bytes(broken)
        with pytest.raises(ArchiveError, match=name):
            fanfold.run(tmp_path / name, out=tmp_path / "out", fresh=True)


@pytest.mark.parametrize("packed", PACKED)
def test_reads_are_refused_before_anything_is_written(packed: str, tmp_path: Path) -> None:
    path, out = tmp_path / "x.fq.gz", tmp_path / "out"
    path.write_bytes(PACKED[packed](b"@r1\nACGTN\n+\nIIIII\n" * 99))
    with pytest.raises(FastaError, match="this looks like FASTQ") as raised:
        fanfold.run(path, out=out)
    assert (raised.value.kind, raised.value.offset_byte) == ("fastq", 0)
    assert not out.exists()


@pytest.mark.parametrize("packed", ["plain", "gzip", "bgzf", "bzip2"])
def test_it_is_named_on_standard_input(packed: str) -> None:
    command = [sys.executable, "-m", "fanfold", "run", "-", "--name", "x.tar.gz"]
    done = subprocess.run(command, input=PACKED[packed](tar_of()), capture_output=True, check=False)
    assert done.returncode == 3
    told = "fanfold: x.tar.gz: a tar archive, not FASTA; pipe in the FASTA that it holds: "
    command_line = "`tar -xOf FILE --wildcards '*.fna' | fanfold run - --name x.fa`\n"
    assert done.stderr.decode() == told + command_line
    assert done.stdout == b""


@pytest.mark.parametrize("outer", ["gzip", "zstd", "bzip2", "xz"])
@pytest.mark.parametrize("inner", ["gzip", "bgzf", "zstd", "bzip2", "xz"])
def test_what_is_compressed_twice_is_named(outer: str, inner: str) -> None:
    data = PACKED[outer](PACKED[inner](FASTA))
    source = Source("/x/x.fa.gz", "x.fa.gz", len(data), "")
    compression = detect_compression(data)
    named = "gzip" if inner == "bgzf" else inner
    with refused("compressed-twice", f"{named} in {outer}", "fanfold run - --name x.fa`"):
        check_first_text(source, compression, first_text(source, compression, data))


@pytest.mark.parametrize("name", ["plain name.tar", "it's.tar", "-x.tar", "$(reboot).tar"])
def test_a_name_in_a_command_is_one_word(name: str) -> None:
    with refused("tar") as raised:
        check_first_text(Source(f"/x/{name}", name, 1, ""), "none", tar_of())
    command = str(raised.value).partition("`")[2].removesuffix("`")
    words = shlex.split(command)
    assert words[2].removeprefix("./") == name
    assert words[-1] == name.replace(".tar", ".fa")
    assert not words[2].startswith("-")


COMMANDS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "x.zip": ("unzip", zip_of),
    "x.zip.gz": ("unzip", lambda text: gzip.compress(zip_of(text))),
    "x.tar": ("tar", tar_of),
    "x.tgz": ("tar", lambda text: gzip.compress(tar_of(text))),
    "x.tar.bz2": ("tar", lambda text: bz2.compress(tar_of(text))),
    "x.fa.lzma": ("xz", lambda text: lzma.compress(text, lzma.FORMAT_ALONE)),
    "x.fa.gz.gz": ("gzip", lambda text: gzip.compress(gzip.compress(text))),
    "x.gff": ("sed", lambda text: b"##gff-version 3\n" + GFF + b"##FASTA\n" + text),
    "x.sam": ("samtools", lambda _: b"@HD\tVN:1.6\nb\t4\t*\t0\t0\t*\t*\t0\t0\tGATTACA\t*\n"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_that_is_told_does_it(name: str, tmp_path: Path) -> None:
    tool, made = COMMANDS[name]
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} isn't installed")
    (tmp_path / name).write_bytes(made(FASTA))
    with pytest.raises(FastaError) as raised:
        fanfold.run(tmp_path / name, out=tmp_path / "out")
    commands = re.findall("`(.*?)`", str(raised.value))
    script = " && ".join(commands).replace("fanfold run", f"{sys.executable} -m fanfold run")
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (master,) = tmp_path.glob("*.fanfold/master.json")
    assert master.parent.name == "x.fa.fanfold"
    assert b'"GATTA"' in master.read_bytes()


@given(
    st.sampled_from([each[1] for each in FOREIGN.values()]),
    st.binary(max_size=20),
    st.integers(0, 40),
)
def test_what_is_refused_early_is_refused_whatever_follows(
    text: bytes, more: bytes, kept_bytes: int
) -> None:
    first = text[:kept_bytes]
    if refusal(first) is not None:
        for rest in (more, b"\n>a\nACGT\n" + more):
            assert isinstance(scan(first + rest).findings(), Fault)


@given(st.sampled_from([b">", b";", b"\n>", b"\xef\xbb\xbf>"]), st.data())
def test_what_starts_as_fasta_does_is_never_something_else(
    mark: bytes, data: st.DataObject
) -> None:
    kind, foreign, _ = data.draw(st.sampled_from(sorted(FOREIGN.values())))
    for text in (mark + foreign, mark + b"a\nACGT\n" + foreign, mark + b"a\n" + foreign):
        error = refusal(text)
        if mark != b";":
            assert error is None
        elif error is not None:
            assert isinstance(scan(text).findings(), Fault)
            assert error.kind in {kind, "fastq", "sequence-before-header"}


@pytest.mark.parametrize("at", [0, 100, 148, 160, 257, 511])
def test_a_header_with_another_checksum_is_no_tar(at: int) -> None:
    header = bytearray(tar_of()[:TAR_BLOCK_BYTES])
    header[at] ^= 1
    with pytest.raises(FastaError) as raised:
        check_first_text(Source("/x/x", "x", 1, ""), "none", bytes(header))
    assert raised.value.kind == "sequence-before-header"


@pytest.mark.parametrize(
    "text",
    [
        bytes(600),
        b"ACGT\nACGT\n",
        b"MKV\tL\n",
        b"S cerevisiae\n>a\nACGT\n",
        b"PKACGT\n",
        b"CRAMPED\n>a\nACGT\n",
        b"[a]\n>x\nACGT\n",
        b"<a>\n>x\nACGT\n",
        b"q\t100\t0\t50\t+\tt\t90\t1\t51\t50\t50\t60\n",
        b"\xff\xfe<\0h\0t\0m\0l\0",
    ],
)
def test_what_is_none_of_these_is_told_as_before(text: bytes) -> None:
    found = scan(text).findings()
    assert isinstance(found, Fault)
    error = refusal(text)
    assert error is None or (error.kind, error.offset_byte) == (found.kind, found.offset_byte)
    assert "not FASTA; " not in str(error)


def fasta_files() -> list[Path]:
    tests = [ROOT / "tests/data/human_MT.fa", ROOT / "tests/data/phiX174.fa"]
    genomes = [each for each in (SHARED / "genomes").glob("*") if ".f" in each.name]
    return sorted(each for each in (*tests, *genomes) if each.suffix not in {".fai", ".gzi", ".md"})


@pytest.mark.parametrize("path", fasta_files(), ids=lambda path: path.name)
def test_no_genome_is_taken_for_something_else(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(FIRST_TEXT_BYTES)
    source = Source(str(path), path.name, path.stat().st_size, "")
    compression = detect_compression(head)
    text = first_text(source, compression, head)
    assert text.startswith((b">", b";"))
    check_first_text(source, compression, text)
