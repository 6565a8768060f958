"""The statistics of a genome that are a row of a table: `fanfold stats` and `summary.tsv`."""

from __future__ import annotations

import msgspec

from fanfold.report.master import Composition, Gaps, Master, Parameters, Sequences
from fanfold.report.notes import Note
from fanfold.report.survey import STEPS, Survey


class Statistics(msgspec.Struct, frozen=True):
    """A genome in a row; None where there is nothing to tell.

    Lengths are in residues, of the records in view. Quartiles are interpolated linearly between
    ranks (type 7 of Hyndman and Fan 1996, as R and numpy do by default). Ratios are rounded once,
    half to even, to 3 decimals.

    Attributes:
        sequences: how many records there are.
        length: their summed length.
        shortest: the shortest.
        q1: the first quartile.
        median: the median.
        q3: the third quartile.
        mean: the mean.
        longest: the longest.
        N50: the length with which the longest together reach half of the length.
        L50: how many these are.
        N90: the same of 90 per cent.
        auN: the area under the Nx curve.
        gc_percent: 100·(G+C)/(A+C+G+T+U) of every record.
        N: N of every record.
        n_percent: N in 100 residues of every record.
        gaps: maximal runs of N of at least the view's `min_gap`.
        contig_N50: the N50 of what gaps leave.
        lowercase_percent: residues in lower case (soft-masked) in 100 of every record.
    """

    sequences: int
    length: int
    shortest: int | None
    q1: float | None
    median: float | None
    q3: float | None
    mean: float | None
    longest: int | None
    N50: int | None
    L50: int | None
    N90: int | None
    auN: float | None  # noqa: N815 - the field's name for it
    gc_percent: float | None
    N: int
    n_percent: float | None
    gaps: int
    contig_N50: int | None  # noqa: N815 - the field's name for it
    lowercase_percent: float | None


COLUMNS: tuple[str, ...] = Statistics.__struct_fields__
"""The columns of a table, after that of the file."""

_HEADINGS = {
    "q1": "Q1",
    "q3": "Q3",
    "gc_percent": "GC %",
    "n_percent": "N %",
    "contig_N50": "contig N50",
    "lowercase_percent": "lowercase %",
}
"""What a column is called on a screen, where that differs."""


def heading(column: str) -> str:
    """What a column is called on a screen."""
    return _HEADINGS.get(column, column)


class Counted(msgspec.Struct):
    """What a row is made of: `master.json` without its k-mers, which would take most of the time.

    The fields are those of `Master`.
    """

    total_bases: int
    gc_count: int
    gc_percent: float | None
    composition: Composition
    sequences: Sequences
    gaps: Gaps
    parameters: Parameters
    notes: list[Note]


def statistics_of(report: Master | Counted) -> Statistics:
    """The statistics of a report."""
    composition, sequences = report.composition, report.sequences
    return Statistics(
        sequences=sequences.count,
        length=sequences.length,
        shortest=sequences.shortest,
        q1=sequences.q1,
        median=sequences.median,
        q3=sequences.q3,
        mean=sequences.mean,
        longest=sequences.longest,
        N50=sequences.N50,
        L50=sequences.L50,
        N90=sequences.N90,
        auN=sequences.auN,
        gc_percent=report.gc_percent,
        N=composition.N,
        n_percent=composition.n_percent,
        gaps=report.gaps.count,
        contig_N50=sequences.contigs.N50,
        lowercase_percent=composition.soft_masked_percent,
    )


def nx_of(survey: Survey) -> tuple[int, ...]:
    """N(1) to N(100) of the records in view; empty where they have no residues."""
    return tuple(step.n for step in survey.records.steps[STEPS // 100 - 1 :: STEPS // 100])


def cell(value: int | float | None) -> str:  # noqa: PYI041 - an integer has no decimals
    """A value in a TSV table: empty where there is nothing to tell."""
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
