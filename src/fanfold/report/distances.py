"""How far genomes are apart, by their k-mers."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence

import msgspec

from fanfold._kernel import clustered_order, cosine_distances

LARGEST_K = 6
"""Distances are by k-mers of at most this length: in a genome, few of them are absent."""

LEAST_K_OF_SETS = 15
"""Below it nearly every k-mer is in every genome, so that Jaccard and containment tell nothing."""

MOST_IN_PICTURE = 2000
"""More genomes make a heat map of more than 4 MB."""

_DECIMALS = 6


class Distances(msgspec.Struct, frozen=True):
    """The distance of each pair of genomes.

    Attributes:
        k: the length of the k-mers.
        rows: a row a genome, of 1 minus the cosine of the counts of canonical k-mers, rounded to 6
            decimals: 0 for the same proportions, 1 where no k-mer is in both; None where a genome
            has no k-mer.
    """

    k: int
    rows: list[list[float | None]]

    def order(self) -> list[int]:
        """The genomes' places in an order that puts like beside like; see `clustered_order`."""
        flat = (math.nan if each is None else each for row in self.rows for each in row)
        return clustered_order(array("d", flat))


def common_k(ks: Iterable[Iterable[int]]) -> int | None:
    """The largest k up to `LARGEST_K` that is in each of some sets; None if there is none."""
    common = set(range(1, LARGEST_K + 1))
    for each in ks:
        common &= {*each}
    return max(common, default=None)


def distances_of(counts: Sequence[array[int]], k: int) -> Distances:
    """The distance of each pair of genomes.

    Args:
        counts: of each genome 4^k counts by code, of the given strand or of canonical k-mers.
        k: the length of the k-mers.
    """
    raw = memoryview(cosine_distances(counts, k)).cast("d")
    rounded = [None if math.isnan(each) else round(each, _DECIMALS) for each in raw]
    width = len(counts)
    rows = [rounded[start : start + width] for start in range(0, len(rounded), width or 1)]
    return Distances(k, rows)
