"""The form of the report: what `master.json` says."""

from __future__ import annotations

import re
from itertools import pairwise

import msgspec

from fanfold.checked_json import encode_indented
from fanfold.decoding import JsonDecoder
from fanfold.params import MAX_K, TrailingGarbage
from fanfold.report.notes import Note
from fanfold.report.ratio import percent
from fanfold.report.survey import AtLeast
from fanfold.report.view import View

SCHEMA = 3
"""The version of the form of `master.json`."""


class Kmers(msgspec.Struct, frozen=True):
    """The k-mers of one length.

    Attributes:
        k: their length.
        canonical: whether a k-mer and its reverse complement count as one.
        total: the sum of their counts.
        distinct: different ones observed.
        possible: different ones there can be: for k = 32 of the given strand 2^64, which takes
            more than 64 bits.
        singletons: observed once.
        max: the largest count.
        spectrum: (multiplicity, number of distinct k-mers), ascending.
        top: the 10 most frequent with their counts, ties by k-mer.
        bottom: the 10 least frequent of those observed.
        table: the name of the table of counts, or of the folder of its parts, from k = 9 on.
    """

    k: int
    canonical: bool
    total: int
    distinct: int
    possible: int
    singletons: int
    max: int
    spectrum: list[tuple[int, int]]
    top: list[tuple[str, int]]
    bottom: list[tuple[str, int]]
    table: str


class Composition(msgspec.Struct, frozen=True):
    """Residues by kind, both cases together; `lowercase` across the kinds.

    The percents are of all residues: G and C, N, and those in lower case.
    """

    A: int
    C: int
    G: int
    T: int
    N: int
    U: int
    iupac: int
    gap_characters: int
    asterisk: int
    other: int
    lowercase: int
    gc_percent_of_length: float | None
    n_percent: float | None
    soft_masked_percent: float | None


class Total(msgspec.Struct, frozen=True):
    """How many there are whatever the view, and their summed length."""

    count: int
    length: int


class Contiguity(msgspec.Struct, frozen=True):
    """Lengths of the sequences in view, in residues; None where there is nothing to tell.

    The quartiles q1, median and q3 are interpolated linearly between ranks (Hyndman and Fan 1996,
    type 7: the default of R and numpy).

    NG50, LG50, NG90 and LG90 refer to the view's genome size as N50 does to the length; None where
    the sequences never reach it. auNG is the integral of NG(x) for x from 0 to 1; NG(x) counts as 0
    where it isn't reached.
    """

    count: int
    length: int
    longest: int | None
    shortest: int | None
    mean: float | None
    q1: float | None
    median: float | None
    q3: float | None
    N50: int | None
    L50: int | None
    N90: int | None
    L90: int | None
    auN: float | None  # noqa: N815 - the field's name for it
    NG50: int | None
    LG50: int | None
    NG90: int | None
    LG90: int | None
    auNG: float | None  # noqa: N815 - the field's name for it


class Fai(msgspec.Struct, frozen=True):
    """The index that ``samtools faidx`` would write, or why there is none.

    Attributes:
        written: whether there is one.
        records: its rows.
        empty_left_out: records it leaves out because they have no sequence line.
        repeated_left_out: records it leaves out because an earlier row bears their name.
        note: what a reader should know.
    """

    written: bool
    records: int
    empty_left_out: int
    repeated_left_out: int
    note: str | None


class Sequences(Contiguity, frozen=True):
    """The records in view, and the contigs that are left of them when they are split at gaps.

    Attributes:
        all: every record, whatever its length.
        ungapped_length: residues of every record but N.
        at_least: for some lengths, every record of at least that: how many, and their length.
        empty: records of length 0.
        duplicate_names: records with a name that an earlier one has.
        comment_lines: lines that start with ``;``.
        contigs: the contigs of the records in view.
        fai: the index.
    """

    all: Total
    ungapped_length: int
    at_least: list[AtLeast]
    empty: int
    duplicate_names: int
    comment_lines: int
    contigs: Contiguity
    fai: Fai


class GapThreshold(msgspec.Struct, frozen=True):
    """What a `min_gap` makes of the records in view: gaps, and the contigs between them."""

    min_gap: int
    gaps: int
    gap_length: int
    contigs: int
    contig_N50: int | None  # noqa: N815 - the field's name for it
    contig_L50: int | None  # noqa: N815 - the field's name for it


class Gaps(msgspec.Struct, frozen=True):
    """The gaps of the records in view: maximal runs of N of at least the view's `min_gap`.

    Attributes:
        count: how many there are.
        length: their summed length.
        longest: the longest, 0 without any.
        mean: their mean length; None without any.
        N50: the length with which the longest together reach half of their length; None without
            any.
        all: every maximal run of N.
        thresholds: the gaps at the usual values of `min_gap`, and at the view's.
    """

    count: int
    length: int
    longest: int
    mean: float | None
    N50: int | None
    all: Total
    thresholds: list[GapThreshold]


class Cpg(msgspec.Struct, frozen=True):
    """CG 2-mers of the given strand: their count, and CG·(A+C+G+T)/(C·G)."""

    count: int
    observed_expected: float | None


class SourceFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """The object that was read.

    Attributes:
        name: its base name.
        size_bytes: its size.
        compression: its format: ``none``, ``gzip``, ``bgzf``, ``zstd``, ``bzip2`` or ``xz``.
        crc64nvme: the CRC-64/NVME of its bytes in base64, as S3 writes it.
        garbage_bytes: how many bytes after the archive's end were ignored; left out if 0.
    """

    name: str
    size_bytes: int
    compression: str
    crc64nvme: str
    garbage_bytes: int = 0


class Parameters(msgspec.Struct, frozen=True, omit_defaults=True):
    """What changes the answer; `view` changes lengths and gaps alone.

    `trailing_garbage` is left out if it is ``refuse``.
    """

    k: tuple[int, ...]
    canonical: bool
    view: View
    trailing_garbage: TrailingGarbage = "refuse"


class KmerProof(msgspec.Struct, frozen=True):
    """The k-mers counted, and those that the runs of bases hold by their lengths."""

    k: int
    counted: int
    in_runs: int


class Proof(msgspec.Struct, frozen=True):
    """Sums that were made in two ways, and are equal.

    Attributes:
        kmers: for each k.
        bases: the A, C, G and T of the composition, and the 1-mers.
        residues: the composition's, and the sum of the records' lengths.
        gap_residues: the composition's N, and the sum of the gaps' lengths.
        text_bytes: the bytes of text that were scanned.
    """

    kmers: list[KmerProof]
    bases: tuple[int, int]
    residues: tuple[int, int]
    gap_residues: tuple[int, int]
    text_bytes: int


class MadeBy(msgspec.Struct, frozen=True):
    """The fanfold that wrote the report, and the version of its form."""

    version: str
    schema: int


class Master(msgspec.Struct, frozen=True):
    """All of `master.json`.

    Attributes:
        total_bases: A, C, G and T, in either case.
        gc_count: G and C.
        gc_percent: 100·(G+C)/(A+C+G+T+U).
        composition: residues by kind.
        sequences: the records.
        gaps: the runs of N.
        cpg: CG 2-mers.
        source: the object that was read.
        parameters: what was asked.
        proof: sums that were made in two ways.
        notes: what is unusual.
        fanfold: what wrote it.
        kmers: a summary for each k.
        kmer_counts: the count of every observed k-mer of every k up to 8.
    """

    total_bases: int
    gc_count: int
    gc_percent: float | None
    composition: Composition
    sequences: Sequences
    gaps: Gaps
    cpg: Cpg
    source: SourceFacts
    parameters: Parameters
    proof: Proof
    notes: list[Note]
    fanfold: MadeBy
    kmers: list[Kmers]
    kmer_counts: dict[str, int]


_DECODER = JsonDecoder(Master)

_LIST = re.compile(rb"\[\n([^\[\]{}]+)\n *\]")
"""An indented list without another one in it. A text has no line end, so that none begins in it."""


def decode_report(data: bytes) -> Master:
    """What a `master.json` says.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _DECODER.decode(data)


def check_report(master: Master) -> None:
    """Check what a page is made of and tables don't prove.

    Raises:
        ValueError: it can't be what a run wrote.
    """
    counted, asked = master.composition, master.parameters
    gc, bases = counted.G + counted.C, counted.A + counted.C + counted.G + counted.T
    if (master.gc_count, master.total_bases) != (gc, bases) or not 0 <= gc <= bases < 2**63:
        raise ValueError("the bases are not those of the composition")
    if counted.U < 0 or master.gc_percent != percent(gc, bases + counted.U):
        raise ValueError("GC % is not that of the bases")
    if not 0 <= master.source.garbage_bytes <= master.source.size_bytes:
        raise ValueError("more bytes were ignored than there are")
    if asked.k != tuple(sorted({*asked.k})) or not all(1 <= k <= MAX_K for k in asked.k):
        raise ValueError("k can't be")
    if tuple(each.k for each in master.kmers) != asked.k:
        raise ValueError("the k-mers are of another k")
    for each in master.kmers:
        _check_kmers(each, canonical=asked.canonical)


def _check_kmers(kmers: Kmers, *, canonical: bool) -> None:
    """Check that figures of k-mers follow from their spectrum, and that k-mers are such."""
    k, spectrum = kmers.k, kmers.spectrum
    # Tables aren't read for a page, so that this is all that is known of k from 9 on.
    is_spectrum = all(count >= 1 for _, count in spectrum) and all(
        low < high for (low, _), (high, _) in pairwise([(0, 1), *spectrum])
    )
    distinct = sum(count for _, count in spectrum)
    total = sum(multiplicity * count for multiplicity, count in spectrum)
    singletons = spectrum[0][1] if spectrum and spectrum[0][0] == 1 else 0
    least, most = (spectrum[0][0], spectrum[-1][0]) if spectrum else (0, 0)
    figures = (kmers.canonical, kmers.distinct, kmers.total, kmers.singletons, kmers.max)
    if (
        not is_spectrum
        or figures != (canonical, distinct, total, singletons, most)
        or not distinct <= kmers.possible <= 4**k
        or total >= 2**63
    ):
        raise ValueError(f"the figures of {k}-mers don't follow from their spectrum")
    for listed, extreme in ((kmers.top, most), (kmers.bottom, least)):
        if (
            not min(distinct, 1) <= len(listed) <= distinct
            or len(listed) != len(kmers.top)
            or any(len(kmer) != k or kmer.strip("ACGT") for kmer, _ in listed)
            or any(not least <= count <= most for _, count in listed)
            or (listed and listed[0][1] != extreme)
        ):
            raise ValueError(f"the most or least frequent {k}-mers can't be")


def encode_report(master: Master) -> bytes:
    """The bytes of `master.json`: a list of numbers or words is one line."""
    return _LIST.sub(_in_one_line, encode_indented(master))


def _in_one_line(found: re.Match[bytes]) -> bytes:
    return b"[" + b", ".join(line.strip().rstrip(b",") for line in found[1].split(b"\n")) + b"]"
