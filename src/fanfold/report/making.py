"""How a report is made: what was counted, and what a survey of the tables finds under a view.

    findings ──▶ facts ──┐
    tables ──▶ survey ───┴──▶ Master

A finished report gives its facts back, so that another view of it needs no input.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import msgspec

from fanfold._kernel import VERSION, Findings
from fanfold.decoding import JsonDecoder
from fanfold.errors import ProofError
from fanfold.params import Params
from fanfold.report.master import (
    SCHEMA,
    Composition,
    Contiguity,
    Cpg,
    Fai,
    Gaps,
    GapThreshold,
    KmerProof,
    Kmers,
    MadeBy,
    Master,
    Parameters,
    Proof,
    Sequences,
    SourceFacts,
    Total,
)
from fanfold.report.notes import Unusual, notes_of
from fanfold.report.ratio import percent, ratio
from fanfold.report.run_record import KMER_TABLES
from fanfold.report.survey import Lengths, Step, Survey, step_at
from fanfold.report.view import View

_EXTREMES = 10

_NONE: Mapping[int, Kmers] = MappingProxyType({})


class Facts(msgspec.Struct, frozen=True):
    """What a report says whatever the view; the fields are those of `Master`.

    Attributes:
        kmer_counts: the map as JSON, as the kernel wrote it: a dictionary of 65,536 k-mers takes as
            long as the scan.
    """

    total_bases: int
    gc_count: int
    gc_percent: float | None
    kmer_counts: msgspec.Raw
    kmers: list[Kmers]
    composition: Composition
    comment_lines: int
    empty: int
    duplicate_names: int
    fai: Fai
    cpg: Cpg
    source: SourceFacts
    parameters: Params
    proof: Proof


def counts_of_findings(findings: Findings, parameters: Params) -> dict[int, memoryview[int]]:
    """For each k up to 8, 4^k counts by code; of canonical k-mers only their own are filled."""
    return {
        k: memoryview(findings.kmer_counts(k, parameters.canonical)).cast("Q")
        for k in parameters.small_k
    }


def facts_of_findings(
    findings: Findings,
    counts: Mapping[int, Sequence[int]],
    source: SourceFacts,
    parameters: Params,
    text_bytes: int,
    *,
    large: Mapping[int, Kmers] = _NONE,
) -> Facts:
    """The facts of a whole object.

    Args:
        findings: what the object holds.
        counts: its k-mers, as `counts_of_findings` gives them.
        source: the object.
        parameters: what was asked.
        text_bytes: the bytes of text that were scanned.
        large: what is said of the k-mers of each k from 9 on.

    Raises:
        ProofError: they contradict each other.
    """
    residues = findings.composition
    total_bases = residues["A"] + residues["C"] + residues["G"] + residues["T"]
    gc_count = residues["G"] + residues["C"]
    cpg_count = memoryview(findings.kmer_counts(2, False)).cast("Q")[0b0110]
    canonical = parameters.canonical
    kmers = [_kmers(counts[k], k, canonical=canonical) for k in parameters.small_k]
    kmers += [large[k] for k in parameters.large_k]
    return Facts(
        total_bases=total_bases,
        gc_count=gc_count,
        gc_percent=percent(gc_count, total_bases + residues["U"]),
        kmer_counts=msgspec.Raw(findings.kmer_counts_json(parameters.small_k, canonical)),
        kmers=kmers,
        composition=Composition(
            **residues,
            gc_percent_of_length=percent(gc_count, findings.length),
            n_percent=percent(residues["N"], findings.length),
            soft_masked_percent=percent(residues["lowercase"], findings.length),
        ),
        comment_lines=findings.comment_lines,
        empty=findings.empty_records,
        duplicate_names=findings.repeated_names,
        fai=_fai(source.compression, findings),
        cpg=Cpg(cpg_count, _cpg_ratio(cpg_count, residues)),
        source=source,
        parameters=parameters,
        proof=_proof(kmers, findings, text_bytes),
    )


def _cpg_ratio(cpg_count: int, residues: Mapping[str, int]) -> float | None:
    """CpG o/e; None where it isn't defined, as in RNA: its 2-mers with U are not counted."""
    if residues["U"] > residues["T"]:
        return None
    total_bases = residues["A"] + residues["C"] + residues["G"] + residues["T"]
    return ratio(cpg_count * total_bases, residues["C"] * residues["G"])


class _Counts(msgspec.Struct):
    kmer_counts: msgspec.Raw


_COUNTS = JsonDecoder(_Counts)


def facts_of_report(master: Master, data: bytes) -> Facts:
    """The facts of a finished report.

    Args:
        master: the report.
        data: the bytes of its `master.json`.
    """
    sequences, asked = master.sequences, master.parameters
    return Facts(
        total_bases=master.total_bases,
        gc_count=master.gc_count,
        gc_percent=master.gc_percent,
        kmer_counts=_COUNTS.decode(data).kmer_counts,
        kmers=master.kmers,
        composition=master.composition,
        comment_lines=sequences.comment_lines,
        empty=sequences.empty,
        duplicate_names=sequences.duplicate_names,
        fai=sequences.fai,
        cpg=master.cpg,
        source=master.source,
        parameters=Params(asked.k, asked.canonical, asked.trailing_garbage),
        proof=master.proof,
    )


def make_report(facts: Facts, survey: Survey, view: View) -> Master:
    """The report.

    Args:
        facts: what was counted.
        survey: what the tables hold under the view.
        view: the view.

    Raises:
        ProofError: the tables hold something else than was counted.
    """
    _check_tables(facts, survey)
    composition, proof, asked = facts.composition, facts.proof, facts.parameters
    return Master(
        total_bases=facts.total_bases,
        gc_count=facts.gc_count,
        gc_percent=facts.gc_percent,
        composition=composition,
        sequences=Sequences(
            **_contiguity(survey.records, view),
            all=Total(survey.sums.records, survey.sums.length),
            ungapped_length=survey.sums.length - composition.N,
            at_least=survey.at_least,
            empty=facts.empty,
            duplicate_names=facts.duplicate_names,
            comment_lines=facts.comment_lines,
            contigs=Contiguity(**_contiguity(survey.contigs, view)),
            fai=facts.fai,
        ),
        gaps=_gaps(survey),
        cpg=facts.cpg,
        source=facts.source,
        parameters=Parameters(asked.k, asked.canonical, view, asked.trailing_garbage),
        proof=proof,
        notes=notes_of(
            Unusual(
                compression=facts.source.compression,
                text_bytes=proof.text_bytes,
                garbage_bytes=facts.source.garbage_bytes,
                records=survey.sums.records,
                length=survey.sums.length,
                comment_lines=facts.comment_lines,
                repeated_names=facts.duplicate_names,
                unnamed=survey.unnamed,
                empty=facts.empty,
                gap_characters=composition.gap_characters,
                asterisks=composition.asterisk,
                other=composition.other,
                acgtun=facts.total_bases + composition.U + composition.N,
                thymine=composition.T,
                uracil=composition.U,
                lowercase=composition.lowercase,
                below_200=survey.below_200,
            )
        ),
        fanfold=MadeBy(VERSION, SCHEMA),
        kmers=facts.kmers,
        kmer_counts=cast("dict[str, int]", facts.kmer_counts),
    )


def check_kmers(master: Master, counts: Mapping[int, Sequence[int]]) -> None:
    """Check that the summaries of k-mers in a report follow from its counts.

    Args:
        master: the report.
        counts: for each k up to 8, 4^k counts by code.

    Raises:
        ProofError: they don't.
    """
    for each in master.kmers:
        found = counts.get(each.k)
        if found is not None and each != _kmers(found, each.k, canonical=each.canonical):
            raise ProofError(f"its summary of {each.k}-mers is not that of its counts")


def _check_tables(facts: Facts, survey: Survey) -> None:
    counted, sums = facts.composition, survey.sums
    found = (sums.A, sums.C, sums.G, sums.T, sums.N, sums.U, sums.lowercase, sums.length)
    expected = (
        *(counted.A, counted.C, counted.G, counted.T, counted.N, counted.U, counted.lowercase),
        facts.proof.residues[1],
    )
    if found != expected or survey.all_gaps.sum != counted.N:
        raise ProofError(f"the tables hold {found}, but {expected} was counted; please report this")


def _gaps(survey: Survey) -> Gaps:
    return Gaps(
        count=survey.gaps.count,
        length=survey.gaps.sum,
        longest=survey.gaps.longest,
        mean=ratio(survey.gaps.sum, survey.gaps.count),
        N50=survey.gap_n50 or None,
        all=Total(survey.all_gaps.count, survey.all_gaps.sum),
        thresholds=[
            GapThreshold(
                min_gap=each.min_gap,
                gaps=each.gaps.count,
                gap_length=each.gaps.sum,
                contigs=each.contigs,
                contig_N50=each.contig_n50 or None,
                contig_L50=each.contig_l50 or None,
            )
            for each in survey.thresholds
        ],
    )


def _kmers(counts: Sequence[int], k: int, *, canonical: bool) -> Kmers:
    spectrum = sorted((count, kmers) for count, kmers in Counter(counts).items() if count)
    observed = [(count, code) for code, count in enumerate(counts) if count]
    top = heapq.nsmallest(_EXTREMES, observed, key=lambda item: (-item[0], item[1]))
    bottom = heapq.nsmallest(_EXTREMES, observed)
    extremes = [[(_kmer(code, k), count) for count, code in rows] for rows in (top, bottom)]
    return kmers_of(
        k, spectrum, (extremes[0], extremes[1]), canonical=canonical, table=KMER_TABLES[k]
    )


def kmers_of(
    k: int,
    spectrum: list[tuple[int, int]],
    extremes: tuple[list[tuple[str, int]], list[tuple[str, int]]],
    *,
    canonical: bool,
    table: str,
) -> Kmers:
    """What is said of the k-mers of one length; all but the last follows from their spectrum.

    Args:
        k: their length.
        spectrum: (multiplicity, number of distinct k-mers), ascending.
        extremes: the 10 most and the 10 least frequent with their counts, ties by k-mer.
        canonical: whether a k-mer and its reverse complement count as one.
        table: the name of the table of counts, or of the folder of its parts.
    """
    palindromes = 4 ** (k // 2) if k % 2 == 0 else 0
    top, bottom = extremes
    return Kmers(
        k=k,
        canonical=canonical,
        total=sum(times * distinct for times, distinct in spectrum),
        distinct=sum(distinct for _, distinct in spectrum),
        possible=(4**k + palindromes) // 2 if canonical else 4**k,
        singletons=spectrum[0][1] if spectrum and spectrum[0][0] == 1 else 0,
        max=spectrum[-1][0] if spectrum else 0,
        spectrum=spectrum,
        top=top,
        bottom=bottom,
        table=table,
    )


def _kmer(code: int, k: int) -> str:
    """The k-mer of a code: 2 bits a base, the first in the highest."""
    return "".join("ACGT"[code >> 2 * place & 3] for place in reversed(range(k)))


def _contiguity(lengths: Lengths, view: View) -> dict[str, Any]:
    def at(steps: Sequence[Step | None], per_cent: int) -> tuple[int | None, int | None]:
        step = step_at(steps, per_cent)
        return (None, None) if step is None else (step.n, step.l)

    (n50, l50), (n90, l90) = at(lengths.steps, 50), at(lengths.steps, 90)
    (ng50, lg50), (ng90, lg90) = at(lengths.ng_steps, 50), at(lengths.ng_steps, 90)
    return {
        "count": lengths.count,
        "length": lengths.sum,
        "longest": lengths.longest if lengths.count else None,
        "shortest": lengths.shortest if lengths.count else None,
        "mean": ratio(lengths.sum, lengths.count),
        "q1": quartile(lengths, 1),
        "median": quartile(lengths, 2),
        "q3": quartile(lengths, 3),
        "N50": n50,
        "L50": l50,
        "N90": n90,
        "L90": l90,
        "auN": ratio(lengths.sum_of_squares, lengths.sum),
        "NG50": ng50,
        "LG50": lg50,
        "NG90": ng90,
        "LG90": lg90,
        "auNG": None if view.genome_size is None else ratio(lengths.ng_area, view.genome_size),
    }


def quartile(lengths: Lengths, quarter: int) -> float | None:
    """A quartile of lengths, interpolated linearly between ranks; None without any.

    With h = (count - 1)·quarter/4 it is x[floor(h)] + (h - floor(h))·(x[floor(h) + 1] -
    x[floor(h)]): type 7 of Hyndman and Fan 1996, as R and numpy do by default.
    """
    if not lengths.quarters:
        return None
    low, high = msgspec.structs.astuple(lengths.quarters[quarter - 1])
    part = (lengths.count - 1) * quarter % 4
    return ratio(low * (4 - part) + high * part, 4)


def _fai(compression: str, findings: Findings) -> Fai:
    note = findings.fai_refusal
    if note is None and compression not in {"none", "bgzf"}:
        note = "of the decompressed text: samtools needs that text, or the same packed by bgzip"
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
        residues=(residues, findings.length),
        gap_residues=(counts["N"], findings.gap_length),
        text_bytes=text_bytes,
    )
    pairs = [(each.counted, each.in_runs) for each in proof.kmers]
    pairs += [proof.bases, proof.residues, proof.gap_residues]
    if any(one != other for one, other in pairs):
        raise ProofError(f"the report contradicts itself ({proof}); please report this")
    return proof
