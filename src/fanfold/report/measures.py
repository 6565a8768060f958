"""The measures of a genome that tables over many genomes show."""

from __future__ import annotations

from typing import NamedTuple

from fanfold.report.master import Master
from fanfold.report.ratio import percent


class Measures(NamedTuple):
    """A genome in a row; None where there is nothing to tell.

    Attributes:
        length: the summed length of the records in view, in residues.
        sequences: the records in view.
        N50: the N50 of the records in view.
        L50: their L50.
        longest: the longest of them.
        contig_N50: the N50 of the contigs of the records in view.
        gc_percent: G and C in 100 of A, C, G and T.
        n_percent: N in 100 residues of every record.
        gaps: the gaps in view.
        soft_masked_percent: lower case in 100 residues of every record.
        notes: how many notes the report has.
    """

    length: int
    sequences: int
    N50: int | None
    L50: int | None
    longest: int | None
    contig_N50: int | None  # noqa: N815 - the field's name for it
    gc_percent: float | None
    n_percent: float | None
    gaps: int
    soft_masked_percent: float | None
    notes: int


def measures_of(master: Master) -> Measures:
    """The measures of a report."""
    sequences, composition = master.sequences, master.composition
    residues = sequences.all.length
    return Measures(
        length=sequences.length,
        sequences=sequences.count,
        N50=sequences.N50,
        L50=sequences.L50,
        longest=sequences.longest,
        contig_N50=sequences.contigs.N50,
        gc_percent=master.gc_percent,
        n_percent=percent(composition.N, residues),
        gaps=master.gaps.count,
        soft_masked_percent=percent(composition.lowercase, residues),
        notes=len(master.notes),
    )
