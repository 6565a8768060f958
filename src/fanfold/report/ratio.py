"""Ratios from exact integers, rounded once."""

from __future__ import annotations

_THOUSAND = 1000


def ratio(numerator: int, denominator: int) -> float | None:
    """The quotient, rounded half to even to 3 decimals; None when the denominator is 0.

    The result is the double nearest to the rounded decimal, which prints as just that decimal.
    """
    if denominator == 0:
        return None
    scaled, rest = divmod(numerator * _THOUSAND, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and scaled % 2):
        scaled += 1
    return scaled / _THOUSAND


def percent(part: int, whole: int) -> float | None:
    """100 · part / whole, rounded as `ratio` does."""
    return ratio(100 * part, whole)
