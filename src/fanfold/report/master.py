"""The report: what `master.json` says, a pure function of the findings."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import msgspec

from fanfold._kernel import VERSION, Findings
from fanfold.checked_json import encode_indented
from fanfold.errors import ProofError
from fanfold.params import Params
from fanfold.report.ratio import percent, ratio

if TYPE_CHECKING:
    from fanfold._kernel import Lengths

SCHEMA = 1
"""The version of the form of `master.json`."""

_EXTREMES = 10


class Kmers(msgspec.Struct, frozen=True):
    """The k-mers of one length.

    Attributes:
        k: their length.
        canonical: whether a k-mer and its reverse complement count as one.
        total: the sum of their counts.
        distinct: different ones observed.
        possible: different ones there can be.
        singletons: observed once.
        max: the largest count.
        spectrum: (multiplicity, number of distinct k-mers), ascending.
        top: the 10 most frequent with their counts, ties by k-mer.
        bottom: the 10 least frequent of those observed.
        table: the table of counts, for k above 8.
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
    table: str | None


class Composition(msgspec.Struct, frozen=True):
    """Residues by kind, both cases together; `lowercase` across the kinds."""

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


class Contiguity(msgspec.Struct, frozen=True):
    """Lengths of a set of sequences, in residues; None where there is nothing to tell."""

    count: int
    length: int
    longest: int | None
    shortest: int | None
    mean: float | None
    N50: int | None
    L50: int | None
    N90: int | None
    L90: int | None
    auN: float | None  # noqa: N815 - the field's name for it


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


class Sequences(msgspec.Struct, frozen=True):
    """The records, and the contigs that are left of them when they are split at their gaps."""

    count: int
    length: int
    ungapped_length: int
    longest: int | None
    shortest: int | None
    mean: float | None
    N50: int | None
    L50: int | None
    N90: int | None
    L90: int | None
    auN: float | None  # noqa: N815 - the field's name for it
    empty: int
    duplicate_names: int
    comment_lines: int
    contigs: Contiguity
    fai: Fai


class Gaps(msgspec.Struct, frozen=True):
    """The maximal runs of N."""

    count: int
    length: int
    longest: int


class Cpg(msgspec.Struct, frozen=True):
    """CG 2-mers of the given strand: their count, and CG·(A+C+G+T)/(C·G)."""

    count: int
    observed_expected: float | None


class SourceFacts(msgspec.Struct, frozen=True):
    """The object that was read.

    Attributes:
        name: its base name.
        size_bytes: its size.
        compression: its format: ``none``, ``gzip``, ``bgzf``, ``zstd``, ``bzip2`` or ``xz``.
        crc64nvme: the CRC-64/NVME of its bytes in base64, as S3 writes it.
    """

    name: str
    size_bytes: int
    compression: str
    crc64nvme: str


class Parameters(msgspec.Struct, frozen=True):
    """What changes the answer."""

    k: tuple[int, ...]
    canonical: bool


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
        gc_percent: 100 times their ratio.
        kmer_counts: the count of every observed k-mer of every k.
        kmers: a summary for each k.
        composition: residues by kind.
        sequences: the records.
        gaps: the maximal runs of N.
        cpg: CG 2-mers.
        source: the object that was read.
        parameters: what was asked.
        proof: sums that were made in two ways.
        fanfold: what wrote it.
    """

    total_bases: int
    gc_count: int
    gc_percent: float | None
    kmer_counts: dict[str, int]
    kmers: list[Kmers]
    composition: Composition
    sequences: Sequences
    gaps: Gaps
    cpg: Cpg
    source: SourceFacts
    parameters: Parameters
    proof: Proof
    fanfold: MadeBy


def make_report(
    findings: Findings, source: SourceFacts, parameters: Params, text_bytes: int
) -> Master:
    """The report of a whole object.

    Args:
        findings: what the object holds.
        source: the object.
        parameters: what was asked.
        text_bytes: the bytes of text that were scanned.

    Raises:
        ProofError: it contradicts its own checks.
    """
    counts = findings.composition
    records = findings.records
    total_bases = counts["A"] + counts["C"] + counts["G"] + counts["T"]
    gc_count = counts["G"] + counts["C"]
    cpg_count = memoryview(findings.kmer_counts(2, False)).cast("Q")[0b0110]
    k, canonical = parameters.k, parameters.canonical
    kmers = [_kmers(findings, each, canonical=canonical) for each in k]
    return Master(
        total_bases=total_bases,
        gc_count=gc_count,
        gc_percent=percent(gc_count, total_bases),
        # JSON as the kernel wrote it: a dictionary of 65,536 k-mers takes as long as the scan.
        kmer_counts=cast("dict[str, int]", msgspec.Raw(findings.kmer_counts_json(k, canonical))),
        kmers=kmers,
        composition=Composition(**counts, gc_percent_of_length=percent(gc_count, records["sum"])),
        sequences=_sequences(source.compression, findings),
        gaps=Gaps(findings.gaps["count"], findings.gaps["sum"], findings.gaps["longest"]),
        cpg=Cpg(cpg_count, ratio(cpg_count * total_bases, counts["C"] * counts["G"])),
        source=source,
        parameters=Parameters(k, canonical),
        proof=_proof(kmers, findings, text_bytes),
        fanfold=MadeBy(VERSION, SCHEMA),
    )


_DECODER = msgspec.json.Decoder(Master)


def decode_report(data: bytes) -> Master:
    """What a `master.json` says.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _DECODER.decode(data)


def encode_report(master: Master) -> bytes:
    """The bytes of `master.json`."""
    return encode_indented(master)


def _kmers(findings: Findings, k: int, *, canonical: bool) -> Kmers:
    counts = memoryview(findings.kmer_counts(k, canonical)).cast("Q")
    spectrum = sorted((count, kmers) for count, kmers in Counter(counts).items() if count)
    observed = [(count, code) for code, count in enumerate(counts) if count]
    top = heapq.nsmallest(_EXTREMES, observed, key=lambda item: (-item[0], item[1]))
    bottom = heapq.nsmallest(_EXTREMES, observed)
    palindromes = 4 ** (k // 2) if k % 2 == 0 else 0
    return Kmers(
        k=k,
        canonical=canonical,
        total=sum(counts),
        distinct=len(observed),
        possible=(4**k + palindromes) // 2 if canonical else 4**k,
        singletons=spectrum[0][1] if spectrum and spectrum[0][0] == 1 else 0,
        max=spectrum[-1][0] if spectrum else 0,
        spectrum=spectrum,
        top=[(_kmer(code, k), count) for count, code in top],
        bottom=[(_kmer(code, k), count) for count, code in bottom],
        table=None,
    )


def _kmer(code: int, k: int) -> str:
    """The k-mer of a code: 2 bits a base, the first in the highest."""
    return "".join("ACGT"[code >> 2 * place & 3] for place in reversed(range(k)))


def _contiguity(lengths: Lengths) -> dict[str, Any]:
    n50, l50 = lengths["n50"] or (None, None)
    n90, l90 = lengths["n90"] or (None, None)
    return {
        "count": lengths["count"],
        "length": lengths["sum"],
        "longest": lengths["longest"] if lengths["count"] else None,
        "shortest": lengths["shortest"] if lengths["count"] else None,
        "mean": ratio(lengths["sum"], lengths["count"]),
        "N50": n50,
        "L50": l50,
        "N90": n90,
        "L90": l90,
        "auN": ratio(lengths["sum_of_squares"], lengths["sum"]),
    }


def _sequences(compression: str, findings: Findings) -> Sequences:
    return Sequences(
        **_contiguity(findings.records),
        ungapped_length=findings.records["sum"] - findings.composition["N"],
        empty=findings.empty_records,
        duplicate_names=findings.repeated_names,
        comment_lines=findings.comment_lines,
        contigs=Contiguity(**_contiguity(findings.contigs)),
        fai=_fai(compression, findings),
    )


def _fai(compression: str, findings: Findings) -> Fai:
    note = findings.fai_refusal
    if note is None and compression not in {"none", "bgzf"}:
        note = "of the inflated text: samtools reads it with that, or with BGZF of it"
    return Fai(
        written=findings.fai_refusal is None,
        records=findings.fai_rows,
        empty_left_out=findings.fai_lineless,
        repeated_left_out=findings.fai_repeated,
        note=note,
    )


def _proof(kmers: list[Kmers], findings: Findings, text_bytes: int) -> Proof:
    counts = findings.composition
    bases = counts["A"] + counts["C"] + counts["G"] + counts["T"]
    residues = sum(counts.values()) - counts["lowercase"]
    proof = Proof(
        kmers=[KmerProof(each.k, each.total, findings.kmers_in_runs(each.k)) for each in kmers],
        bases=(bases, sum(memoryview(findings.kmer_counts(1, False)).cast("Q"))),
        residues=(residues, findings.records["sum"]),
        gap_residues=(counts["N"], findings.gaps["sum"]),
        text_bytes=text_bytes,
    )
    pairs = [(each.counted, each.in_runs) for each in proof.kmers]
    pairs += [proof.bases, proof.residues, proof.gap_residues]
    if any(one != other for one, other in pairs):
        raise ProofError(f"the report contradicts itself ({proof}); please report this")
    return proof
