"""What is not FASTA but often given for it: recognised by its first bytes, and what to do about it.

Only a text that the scan refuses at its first visible byte is looked at. So no FASTA is taken for
something else.
"""

from __future__ import annotations

import re
import shlex
from pathlib import PurePath
from typing import NamedTuple

from fanfold.archives.formats import MAGIC, Compression
from fanfold.objects import STDIN, Source

TAR_BLOCK_BYTES = 512
"""The size of a tar header: the most that any format here is recognised by."""

_PACKED_SUFFIXES = frozenset(
    (
        *(".tar", ".tbz2", ".tgz", ".txz", ".zip", ".7z", ".rar"),
        *(".gz", ".bgz", ".bz2", ".xz", ".zst", ".lz4", ".lzma", ".Z", ".lz", ".lzo"),
        *(".gb", ".gbk", ".gbff", ".embl", ".gfa", ".sam", ".bam", ".cram"),
        *(".gff", ".gff3", ".gtf", ".2bit"),
    )
)
"""How names end of what holds FASTA, or is made into it."""

_FASTA_SUFFIXES = frozenset((".fa", ".fas", ".fasta", ".ffn", ".fna", ".frn", ".fsa"))

_INFLATERS: dict[Compression, str] = {
    "gzip": "gzip -dc",
    "bgzf": "gzip -dc",
    "zstd": "zstd -dc",
    "bzip2": "bzip2 -dc",
    "xz": "xz -dc",
}


class Foreign(NamedTuple):
    """A format that is not FASTA.

    Attributes:
        kind: its name, for a program.
        message: what it is, and what to do, for people.
    """

    kind: str
    message: str


class _Format(NamedTuple):
    """A format, by a pattern of its first bytes.

    Attributes:
        kind: its name, for a program.
        pattern: what it starts with.
        what: what it is.
        remedy: what to do; with `command`, what that makes.
        command: what makes FASTA of the file ``{file}``, on its standard output.
        inflates: whether the command reads a compressed file too.
    """

    kind: str
    pattern: re.Pattern[bytes]
    what: str
    remedy: str
    command: str | None = None
    inflates: bool = False


def _starts(pattern: bytes, flags: int = 0) -> re.Pattern[bytes]:
    return re.compile(pattern, flags | re.DOTALL)


_ANY = _starts(b"")
_PIPE_IN = "pipe in what it holds"
_PIPE_MEMBERS = "pipe in the FASTA that it holds"
_FASTA_OF = "give the FASTA of the genome"
_CHECK = "check where it came from, and get it again"

_TAR = _Format(
    "tar",
    _ANY,
    "a tar archive",
    _PIPE_MEMBERS,
    "tar -xOf {file} --wildcards '*.fna'",
    inflates=True,
)

_FORMATS = (
    # Archives and compressions that fanfold doesn't read.
    _Format(
        "zip",
        _starts(rb"PK(?:\x03\x04|\x05\x06|\x07\x08)"),
        "a zip archive",
        _PIPE_MEMBERS,
        "unzip -p {file} '*.fna'",
    ),
    _Format(
        "7z",
        _starts(rb"7z\xbc\xaf\x27\x1c"),
        "a 7z archive",
        _PIPE_MEMBERS,
        "7z x -so {file} '*.fna'",
    ),
    _Format(
        "rar",
        _starts(rb"Rar!\x1a\x07"),
        "a rar archive",
        _PIPE_MEMBERS,
        "unrar p -inul {file} '*.fna'",
    ),
    _Format(
        "lz4",
        _starts(rb"\x04\x22\x4d\x18|\x02\x21\x4c\x18"),
        "lz4",
        _PIPE_IN,
        "lz4 -dc {file}",
    ),
    _Format(
        "lzma",
        # The usual properties, a dictionary of whole 64 KiB, and the size of the text, if known.
        _starts(rb"\x5d\x00\x00..(?:\xff{8}|.{5}\x00{3})"),
        "lzma (the format before xz)",
        _PIPE_IN,
        "xz -dc --format=lzma {file}",
    ),
    _Format(
        "compress", _starts(rb"\x1f\x9d"), "a .Z file of compress", _PIPE_IN, "gzip -dc {file}"
    ),
    _Format("lzip", _starts(rb"LZIP[\x00\x01]"), "lzip", _PIPE_IN, "lzip -dc {file}"),
    _Format("lzop", _starts(rb"\x89LZO\x00\r\n\x1a\n"), "lzop", _PIPE_IN, "lzop -dc {file}"),
    _Format(
        "old-zstd",
        _starts(rb"[\x1e\x22-\x27]\xb5\x2f\xfd"),
        "zstd of before version 0.8",
        _PIPE_IN,
        "zstd -dc {file}",
    ),
    # Sequences and what belongs to them.
    _Format(
        "genbank",
        _starts(rb"LOCUS {2,}\S"),
        "GenBank",
        "pipe it in as FASTA",
        "any2fasta {file}",
        inflates=True,
    ),
    _Format(
        "embl",
        _starts(rb"ID {3}\S"),
        "EMBL",
        "pipe it in as FASTA",
        "any2fasta {file}",
        inflates=True,
    ),
    _Format(
        "sam",
        _starts(
            rb"@(?:HD|SQ|RG|PG)\t[A-Za-z][A-Za-z0-9]:|@CO\t"
            rb"|[!-?A-~][!-~]*\t\d+\t[!-~]+\t\d+\t\d+\t(?:\*|(?:\d+[MIDNSHPX=])+)\t"
        ),
        "alignments (SAM)",
        "pipe in their reads as FASTA",
        "samtools fasta {file}",
        inflates=True,
    ),
    _Format(
        "gfa",
        _starts(rb"H\tVN:Z:[12]|H\n|S\t[!-~]+\t(?:\d+\t)?(?:\*|[A-Za-z=.]+)(?:[\t\r\n]|\Z)"),
        "an assembly graph (GFA)",
        "pipe in its segments as FASTA",
        "gfatools gfa2fa {file}",
        inflates=True,
    ),
    _Format(
        "bam",
        _starts(rb"BAM\x01"),
        "alignments (BAM)",
        "pipe in their reads as FASTA",
        "samtools fasta {file}",
        inflates=True,
    ),
    _Format(
        "cram",
        _starts(rb"CRAM[\x01-\x09]"),
        "alignments (CRAM)",
        "pipe in their reads as FASTA",
        "samtools fasta {file}",
    ),
    _Format(
        "gff",
        _starts(
            rb"##gff-version|#!(?:gff|genome|processor)"
            rb"|[^\t\n]+\t[^\t\n]*\t[^\t\n]+\t\d+\t\d+\t[^\t\n]+\t[+.?-]\t[012.]\t"
        ),
        "annotations (GFF or GTF)",
        f"{_FASTA_OF}, or pipe in what follows ##FASTA, if anything does",
        "sed '1,/^##FASTA/d' {file}",
    ),
    _Format(
        "vcf",
        _starts(rb"##fileformat=VCF"),
        "variants (VCF)",
        "give the FASTA of their reference",
    ),
    _Format("bcf", _starts(rb"BCF\x02"), "variants (BCF)", "give the FASTA of their reference"),
    _Format(
        "fai",
        _starts(rb"[^\t\n]+\t\d+\t\d+\t\d+\t\d+(?:\t\d+)?\r?(?:\n|\Z)"),
        "an index of a sequence file (.fai)",
        "give the FASTA file that it is of",
    ),
    _Format(
        "bed",
        # In PAF a fourth number and a strand follow.
        _starts(rb"[^\t\n]+\t\d+\t\d+(?!\t\d+\t[+-]\t)(?:\t[^\n]*)?\r?(?:\n|\Z)"),
        "intervals (BED)",
        _FASTA_OF,
    ),
    _Format(
        "2bit",
        _starts(rb"\x43\x27\x41\x1a|\x1a\x41\x27\x43"),
        "2bit",
        "pipe it in as FASTA",
        "twoBitToFa {file} stdout",
    ),
    # What comes in place of the file.
    _Format(
        "git-lfs",
        _starts(rb"version https://git-lfs\.github\.com/spec/"),
        "a git-lfs pointer, which stands for the file",
        "get that with `git lfs pull`",
    ),
    _Format(
        "html",
        _starts(rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE),
        "an HTML page, such as a server's error or login page",
        _CHECK,
    ),
    _Format(
        "xml",
        _starts(rb"<(?:\?xml\b|Error>)"),
        "XML, such as a server's error answer",
        _CHECK,
    ),
    _Format(
        "json",
        _starts(rb"\{\s*(?:\"|\}|\Z)|\[\s*(?:[\[{\"\]]|-?\d|\Z)"),
        "JSON, such as a server's error answer",
        _CHECK,
    ),
    _Format("pdf", _starts(rb"%PDF-"), "a PDF document", "is this the right file?"),
)

_XML_ERROR = re.compile(rb"<Error>.{0,200}?<Code>([A-Za-z0-9.]{1,64})</Code>", re.DOTALL)


def recognise(source: Source, compression: Compression, text: bytes) -> Foreign | None:
    """What a text is that is not FASTA; None if it is nothing that is known here.

    Args:
        source: the input.
        compression: what its bytes are.
        text: the text from its first visible byte on: as much as there is, some 64 KiB at most.
    """
    if compression != "none":
        for inner, magics in MAGIC.items():
            if text.startswith(magics):
                inflate = f"{_INFLATERS[compression]} {{file}}"
                twice = _Format(
                    "compressed-twice",
                    _ANY,
                    f"{inner} in {compression}",
                    "pipe it in inflated once",
                    inflate,
                    inflates=True,
                )
                return Foreign(twice.kind, _message(twice, source, compression))
    for each in (_TAR,) if _is_tar(text) else _FORMATS:
        if each.pattern.match(text):
            return Foreign(each.kind, _message(_with_code(each, text), source, compression))
    return None


def _is_tar(text: bytes) -> bool:
    """Whether a text starts with a tar header, by the header's checksum.

    It is the sum of the header's bytes, itself counted as spaces (POSIX pax, ustar Interchange
    Format); headers of before POSIX have it too.
    """
    header = text[:TAR_BLOCK_BYTES]
    stated = re.fullmatch(rb"[ 0]*([0-7]+)[ \0]*", header[148:156])
    if len(header) < TAR_BLOCK_BYTES or stated is None:
        return False
    return int(stated[1], 8) == sum(header) - sum(header[148:156]) + 8 * ord(" ")


def _with_code(found: _Format, text: bytes) -> _Format:
    """An answer in XML with the error that it tells of, if it does as S3 does."""
    code = _XML_ERROR.search(text[:1024]) if found.kind == "xml" else None
    if code is None:
        return found
    return found._replace(what=f"a server's error answer in XML ({code[1].decode()})")


def _message(found: _Format, source: Source, compression: Compression) -> str:
    said = f"{found.what}, not FASTA; "
    if found.command is None:
        return said + found.remedy
    file = "FILE" if source.url == STDIN else _quoted(source.name)
    first = ""
    if compression != "none" and not found.inflates:
        inner = "INFLATED" if source.url == STDIN else _quoted(_without_suffix(source.name))
        first = f"inflate it (`{_INFLATERS[compression]} {file} > {inner}`), and "
        file = inner
    command = found.command.format(file=file)
    name = shlex.quote(_fasta_name(source.name))
    return f"{said}{first}{found.remedy}: `{command} | fanfold run - --name {name}`"


def _quoted(name: str) -> str:
    """A file's name as a word of a command; one that starts with a dash is no option."""
    return shlex.quote(f"./{name}" if name.startswith("-") else name)


def _without_suffix(name: str) -> str:
    path = PurePath(name)
    return path.stem if path.suffix in _PACKED_SUFFIXES else f"{name}.inflated"


def _fasta_name(name: str) -> str:
    """What to call the FASTA that comes of a file."""
    path = PurePath(name)
    while path.suffix in _PACKED_SUFFIXES:
        path = path.with_suffix("")
    return path.name if path.suffix in _FASTA_SUFFIXES else f"{path.name}.fa"
