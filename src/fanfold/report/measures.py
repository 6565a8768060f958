"""The measures of a genome that tables over many genomes show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from fanfold.decoding import JsonDecoder
from fanfold.report.master import Master
from fanfold.report.ratio import percent
from fanfold.report.statistics import Counted, Statistics, statistics_of


class Measures(NamedTuple):
    """A genome in a row; None where there is nothing to tell.

    Attributes:
        length: the summed length of the records in view, in residues.
        sequences: the records in view.
        N50: the N50 of the records in view.
        L50: their L50.
        longest: the longest of them.
        contig_N50: the N50 of the contigs of the records in view.
        gaps: the gaps in view.
        notes: how many notes the report has.
        gc: G and C of every record, in either case.
        acgtu: A, C, G, T and U of every record, in either case.
        n: N of every record.
        lowercase: residues of every record in lower case.
        residues: the summed length of every record.
    """

    length: int
    sequences: int
    N50: int | None
    L50: int | None
    longest: int | None
    contig_N50: int | None  # noqa: N815 - the field's name for it
    gaps: int
    notes: int
    gc: int
    acgtu: int
    n: int
    lowercase: int
    residues: int

    @property
    def gc_percent(self) -> float | None:
        """G and C in 100 of A, C, G, T and U."""
        return percent(self.gc, self.acgtu)

    @property
    def n_percent(self) -> float | None:
        """N in 100 residues."""
        return percent(self.n, self.residues)

    @property
    def soft_masked_percent(self) -> float | None:
        """Lower case in 100 residues."""
        return percent(self.lowercase, self.residues)


class IndexRow(NamedTuple):
    """A genome that has a report.

    Attributes:
        name: its base name, which is the name of its folder beside the page.
        measures: what the table shows.
        nx: N(1) to N(100) of its records; empty without residues.
    """

    name: str
    measures: Measures
    nx: Sequence[int]


_DECODER = JsonDecoder(Counted)


def decode_measures(data: bytes) -> tuple[Measures, Statistics, tuple[int, ...]]:
    """The measures, the statistics and the k in a `master.json`.

    Raises:
        ValueError: it is none.
    """
    try:
        found = _DECODER.decode(data)
    except RecursionError as error:
        raise ValueError("too deep") from error
    measures, statistics = measures_of(found), statistics_of(found)
    values = (*measures, *msgspec.structs.astuple(statistics))
    if not all(each is None or 0 <= each < 2**63 for each in values):
        raise ValueError("a count that can't be")
    return measures, statistics, found.parameters.k


def measures_of(master: Master | Counted) -> Measures:
    """The measures of a report."""
    sequences, composition = master.sequences, master.composition
    return Measures(
        length=sequences.length,
        sequences=sequences.count,
        N50=sequences.N50,
        L50=sequences.L50,
        longest=sequences.longest,
        contig_N50=sequences.contigs.N50,
        gaps=master.gaps.count,
        notes=len(master.notes),
        gc=master.gc_count,
        acgtu=master.total_bases + composition.U,
        n=composition.N,
        lowercase=composition.lowercase,
        residues=sequences.all.length,
    )
