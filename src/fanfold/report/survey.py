"""The survey: what one pass over `sequences.tsv` and `gaps.bed` finds, under a view.

The kernel makes it (`fanfold._kernel.Survey`). Everything is an exact integer; lengths are in
residues. Records are *in view* if they have at least the view's `min_length`. Longest first means
by length, then by place in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from fanfold._kernel import Survey as KernelSurvey
from fanfold.decoding import JsonDecoder
from fanfold.report.view import View

STEPS = 400
"""Points of the curves over a total length: one every quarter of a per cent."""

TRACKS = 20
"""How many of the longest records have their gaps drawn."""

ALL_LISTED = 2000
"""Up to this many records in view, all of them are listed."""

LONGEST_LISTED = 500
"""How many of the longest are listed where there are more."""

NAME_CHARACTERS = 100
"""Longer names are cut, and end with an ellipsis."""


class Sums(msgspec.Struct, frozen=True):
    """The columns of `sequences.tsv`, summed over every record; `records` is how many there are."""

    records: int
    length: int
    A: int
    C: int
    G: int
    T: int
    N: int
    other: int
    lowercase: int
    U: int


class Step(msgspec.Struct, frozen=True, array_like=True):
    """Where the longest sequences together reach a share of a length.

    Attributes:
        n: the length of the sequence with which they reach it: N(x).
        l: how many they are: L(x).
        reached: their summed length.
    """

    n: int
    l: int  # noqa: E741 - the field's name for it
    reached: int


def step_at(steps: Sequence[Step | None], per_cent: int) -> Step | None:
    """The step at a whole per cent; None where it is never reached, or there are no steps."""
    return steps[per_cent * STEPS // 100 - 1] if steps else None


class Neighbours(msgspec.Struct, frozen=True, array_like=True):
    """The lengths below and above a quarter of the way from the shortest to the longest."""

    low: int
    high: int


class Lengths(msgspec.Struct, frozen=True):
    """Statistics of the lengths of a set of sequences.

    Attributes:
        count: how many there are.
        sum: their summed length.
        sum_of_squares: the sum of their squared lengths.
        longest: the longest, 0 without any.
        shortest: the shortest, 0 without any.
        quarters: for q = 1 to 3, the lengths with the ranks floor(h) and floor(h) + 1, where
            h = (count - 1)·q/4 counts from the shortest, from 0; empty without any.
        steps: for i = 1 to `STEPS`, where the longest reach i/STEPS of the summed length; empty
            when that is 0.
        ng_steps: the same of the view's genome size, None where they never reach it; empty without
            a genome size.
        ng_area: the sum over sequences, longest first, of the length times what the sequence adds
            until the genome size is reached; auNG is that by the genome size. 0 without one.
    """

    count: int
    sum: int
    sum_of_squares: int
    longest: int
    shortest: int
    quarters: list[Neighbours]
    steps: list[Step]
    ng_steps: list[Step | None]
    ng_area: int


class GapLengths(msgspec.Struct, frozen=True):
    """How many gaps there are, their summed length, and the longest (0 without any)."""

    count: int
    sum: int
    longest: int


class Threshold(msgspec.Struct, frozen=True):
    """What a `min_gap` makes of the records in view.

    Attributes:
        min_gap: the threshold.
        gaps: the gaps of at least this length.
        contigs: how many contigs are left between them, empty ones left out.
        contig_length: their summed length.
        contig_n50: their N50; 0 without residues.
        contig_l50: their L50; 0 without residues.
    """

    min_gap: int
    gaps: GapLengths
    contigs: int
    contig_length: int
    contig_n50: int
    contig_l50: int


class AtLeast(msgspec.Struct, frozen=True, array_like=True):
    """How many of all records have at least `length` residues, and their summed length."""

    length: int
    count: int
    sum: int


class Row(msgspec.Struct, frozen=True):
    r"""A record, as its row in `sequences.tsv` has it.

    Attributes:
        name: UTF-8 stands for itself; other bytes, control characters and the backslash are
            ``\xNN``. Cut to `NAME_CHARACTERS`.
        length: its residues.
        gc: G and C among them.
        acgtu: A, C, G, T and U.
        n: N.
        lowercase: residues in lower case.
    """

    name: str
    length: int
    gc: int
    acgtu: int
    n: int
    lowercase: int


class SnailStep(msgspec.Struct, frozen=True, array_like=True):
    """The residues of the records, in full, that have a part in one step of the summed length."""

    gc: int
    at: int
    n: int
    other: int


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """A cell of the grid that holds records.

    Attributes:
        x: its place among the lengths.
        y: its place among the shares of GC.
        count: how many records are in it.
        sum: their summed length.
    """

    x: int
    y: int
    count: int
    sum: int


class Grid(msgspec.Struct, frozen=True):
    """Records with bases by length and GC, at most 128 by 96 cells.

    Lengths are binned at floor(2^(i/16)), equal edges taken once; the range in use is cropped, and
    neighbours (2i, 2i + 1) are joined until 128 are left. GC is binned in steps of half a per cent
    (100 % belongs to the last), cropped and joined to 96 in the same way.

    Attributes:
        length_edges: the edges of the bins of length, one more than bins.
        gc_edges_permille: the edges of the bins of GC, in thousandths.
        cells: those that hold records, by x, then y.
    """

    length_edges: list[int]
    gc_edges_permille: list[int]
    cells: list[Cell]


class GapGroup(msgspec.Struct, frozen=True, array_like=True):
    """Gaps of one record that lie too close together to be drawn apart, 0-based, half open."""

    start_base: int
    end_base: int
    count: int
    bases: int


class GapBin(msgspec.Struct, frozen=True, array_like=True):
    """Gaps of [from_bases, to_bases): how many, and their summed length."""

    from_bases: int
    to_bases: int
    count: int
    sum: int


class Survey(msgspec.Struct, frozen=True):
    """What the tables hold.

    Attributes:
        sums: the columns of `sequences.tsv`, every record.
        all_gaps: every run of N of every record.
        below_200: records of fewer than 200 residues.
        unnamed: records with an empty name.
        at_least: every record, at 0, 1,000, 5,000, 10,000, 25,000 and 50,000 residues.
        records: lengths of the records in view.
        contigs: lengths of what gaps of at least `min_gap` leave of them, empty pieces left out.
        gaps: the gaps of at least `min_gap` in records in view.
        gap_n50: the length with which the longest of these together reach half of their summed
            length; 0 without any.
        thresholds: for 1, 10 and the view's `min_gap`, ascending, each once.
        snail: for each of the records' steps, the composition; empty as those are.
        gc_histogram: summed length of the records in view with bases, in 200 bins of GC, half a
            per cent each.
        grid: records in view by length and GC; None where all of them are listed.
        listed: records in view, longest first: all up to `ALL_LISTED`, else `LONGEST_LISTED`.
        tracks: the gaps of at least `min_gap` in the first `TRACKS` of `listed`. A cell is a 400th
            of the longest record in view, rounded up; a gap that starts in the cell where the one
            before it ends, or in the next cell, is in its group.
        gap_lengths: the gaps in view in bins at floor(2^(i/4)), equal edges taken once; those that
            hold any.
    """

    sums: Sums
    all_gaps: GapLengths
    below_200: int
    unnamed: int
    at_least: list[AtLeast]
    records: Lengths
    contigs: Lengths
    gaps: GapLengths
    gap_n50: int
    thresholds: list[Threshold]
    snail: list[SnailStep]
    gc_histogram: list[int]
    grid: Grid | None
    listed: list[Row]
    tracks: list[list[GapGroup]]
    gap_lengths: list[GapBin]


_DECODER = JsonDecoder(Survey)

Feed = Callable[[Callable[[bytes | memoryview], object]], object]
"""Passes the bytes of a table on, piece by piece."""


def survey_of(view: View, sequences: Feed, gaps: Feed) -> Survey:
    """The survey of two tables.

    Args:
        view: how lengths and gaps are looked at.
        sequences: passes on the bytes of `sequences.tsv`.
        gaps: passes on the bytes of `gaps.bed`.

    Raises:
        ValueError: they are not what fanfold writes.
        MemoryError: there is none for the lengths of all records.
    """
    survey = KernelSurvey(view.min_gap, view.min_length, view.genome_size)
    sequences(survey.add_sequences)
    gaps(survey.add_gaps)
    return _DECODER.decode(survey.finish())
