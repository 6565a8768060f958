"""What two tables of k-mers share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isqrt

import msgspec

from fanfold._kernel import KmerMerge
from fanfold.kmers.rows import Block

_BITS = 64
"""How many bits of a root are behind the point."""


class Overlap(msgspec.Struct, frozen=True):
    """What two tables share. A ratio is None where it would be divided by 0.

    Attributes:
        k: the length of the k-mers.
        canonical: whether they are canonical.
        shared: k-mers that both have.
        only_a: k-mers that the first alone has.
        only_b: k-mers that the second alone has.
        jaccard: shared of all.
        containment_of_a: shared of those of the first.
        containment_of_b: shared of those of the second.
        cosine: the cosine of the angle between the counts, as vectors with an axis a k-mer.
    """

    k: int
    canonical: bool
    shared: int
    only_a: int
    only_b: int
    jaccard: float | None
    containment_of_a: float | None
    containment_of_b: float | None
    cosine: float | None


def overlap_of(a: Iterable[Block], b: Iterable[Block], k: int, *, canonical: bool) -> Overlap:
    """What two tables share, in the memory of a few blocks.

    Args:
        a: blocks of codes and counts of the first, in order.
        b: those of the second.
        k: the length of the k-mers of both.
        canonical: whether they are canonical.

    Raises:
        ValueError: codes don't ascend, or counts are too large.
    """
    merge = KmerMerge()
    one, other = _Rest(a), _Rest(b)
    while one.codes or other.codes:
        taken, other_taken = merge.push(one.codes, one.counts, other.codes, other.counts)
        one.drop(taken)
        other.drop(other_taken)
    shared, (a_distinct, b_distinct) = merge.shared, merge.distinct
    a_squares, b_squares = merge.squares
    return Overlap(
        k=k,
        canonical=canonical,
        shared=shared,
        only_a=a_distinct - shared,
        only_b=b_distinct - shared,
        jaccard=_ratio(shared, a_distinct + b_distinct - shared),
        containment_of_a=_ratio(shared, a_distinct),
        containment_of_b=_ratio(shared, b_distinct),
        # Of whole numbers, so that it is the same on every machine, and 1 for equal counts.
        cosine=_ratio(merge.products << _BITS, isqrt(a_squares * b_squares << 2 * _BITS)),
    )


class _Rest:
    """The rows of a table that come next: those of a block, or none at the table's end."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._blocks: Iterator[Block] = iter(blocks)
        self.codes, self.counts = self._next()

    def drop(self, rows: int) -> None:
        """Pass over some rows of the block."""
        self.codes, self.counts = self.codes[rows:], self.counts[rows:]
        if not self.codes:
            self.codes, self.counts = self._next()

    def _next(self) -> Block:
        none = memoryview(b"").cast("Q")
        return next((block for block in self._blocks if block[0]), (none, none))


def _ratio(numerator: int, denominator: int) -> float | None:
    return numerator / denominator if denominator else None
