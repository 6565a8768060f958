"""Values that stand out among those of many genomes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

FEWEST = 5
"""Among fewer values than this none stands out."""

_FACTOR = Fraction(6745, 10_000)
_LIMIT = Fraction(35, 10)


class Spread(NamedTuple):
    """What is usual among some values, and which stand out.

    A value x stands out if its modified z-score, 0.6745 · |x - median| / MAD, is above 3.5
    (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993). MAD is the median of the
    absolute deviations from the median. All of it is computed in fractions.

    Attributes:
        known: how many values there are.
        median: their median; None without any.
        mad: their MAD; None without any.
        signs: for each value, -1 or 1 if it stands out below or above the median, else 0; 0 for
            what is None. Nothing stands out among fewer than `FEWEST`, or where MAD is 0.
    """

    known: int
    median: Fraction | None
    mad: Fraction | None
    signs: list[int]


def spread_of(values: Sequence[int | Fraction | None]) -> Spread:
    """The spread of some values, where None is left out."""
    known = [Fraction(each) for each in values if each is not None]
    if not known:
        return Spread(0, None, None, [0] * len(values))
    median = _median(known)
    mad = _median([abs(each - median) for each in known])
    is_judged = len(known) >= FEWEST and mad > 0

    def sign(value: int | Fraction | None) -> int:
        if value is None or not is_judged or _FACTOR * abs(value - median) <= _LIMIT * mad:
            return 0
        return 1 if value > median else -1

    return Spread(len(known), median, mad, [sign(each) for each in values])


def _median(values: Sequence[Fraction]) -> Fraction:
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2
