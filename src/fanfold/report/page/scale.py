"""Axes: where a value is drawn, and which values are marked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec

from fanfold.report.page.series import log2

_FEW = 2
_MANY_DECADES = 7
_TICKS = 6
_MARGIN = 16
"""The margin of an axis without round ends: this part of its first and last value."""


class Axis(msgspec.Struct, frozen=True):
    """An axis.

    Attributes:
        label: what it shows, with the unit.
        column: the same as the name of a column of a table.
        is_log: whether equal ratios, not equal differences, are equally far apart.
        domain: the first and the last value; whole numbers, on a log axis above 0.
        pixels: where these two are drawn.
    """

    label: str
    column: str
    is_log: bool
    domain: tuple[float, float]
    pixels: tuple[int, int]

    def at(self, value: float) -> float:
        """Where a value is drawn."""
        return self.places((value,))[0]

    def places(self, values: Iterable[float]) -> list[float]:
        """Where each value is drawn."""
        low, high = self.domain
        start, end = self.pixels
        if self.is_log:
            low, high = _logarithms(self.domain)
            values = map(log2, values)
        return [start + (end - start) * ((each - low) / (high - low)) for each in values]

    def ticks(self) -> list[int]:
        """The values that are marked: a few round ones."""
        low, high = self.domain
        if not self.is_log:
            step = _step(int(high - low))
            first = -(-int(low) // step) * step
            return list(range(first, int(high) + 1, step))
        decades = [each for each in _powers(high) if low <= each]
        if len(decades) > _MANY_DECADES:
            return decades[:: -(-len(decades) // _MANY_DECADES)]
        if len(decades) > _FEW:
            return decades
        return [each for each in _round_numbers(high) if low <= each]

    def data(self) -> dict[str, object]:
        """The axis as the page's script reads it."""
        return {
            "label": self.label,
            "column": self.column,
            "scale": "log" if self.is_log else "linear",
            "domain": self.domain,
            "range": self.pixels,
        }


def linear_domain(low: int, high: int) -> tuple[int, int]:
    """The domain from one value to another, widened to the ticks around them."""
    high = max(high, low + 1)
    step = _step(high - low)
    return low // step * step, -(-high // step) * step


def log_domain(low: int, high: int) -> tuple[int, int]:
    """The domain from one value above 0 to another, widened to 1, 2 or 5 times a power of ten."""
    below = max(each for each in _round_numbers(low))
    above = next(each for each in _round_numbers(max(high, 2) * 10) if each >= high)
    if below == above:
        above = next(each for each in _round_numbers(above * 10) if each > above)
    return below, above


def snug_log_domain(low: int, high: int) -> tuple[int, int]:
    """The domain from one value above 0 to another with a margin, so that no mark is cut.

    It is widened as that of `log_domain` where fewer than two values would be marked.
    """
    below, above = max(1, low - low // _MARGIN - 1), high + high // _MARGIN + 1
    marked = sum(1 for each in _round_numbers(above) if each >= below)
    return (below, above) if marked > 1 else log_domain(below, above)


def short(value: int) -> str:
    """A round number as a tick's text: 5000 is 5k, 1200000 is 1.2M."""
    for unit, letter in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= unit:
            whole, rest = divmod(value, unit)
            decimals = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0")
            return f"{whole}.{decimals}{letter}" if decimals else f"{whole}{letter}"
    return str(value)


@lru_cache(maxsize=16)
def _logarithms(domain: tuple[float, float]) -> tuple[float, float]:
    """The logarithms of a domain: an axis needs them for each of its points."""
    return log2(domain[0]), log2(domain[1])


def _step(width: int) -> int:
    """The least of 1, 2 or 5 times a power of ten that parts a width in at most `_TICKS`."""
    return next(each for each in _round_numbers(width * 10 + 10) if each * _TICKS >= width)


def _powers(most: float) -> Iterator[int]:
    power = 1
    while power <= most:
        yield power
        power *= 10


def _round_numbers(most: float) -> Iterator[int]:
    for power in _powers(most):
        for factor in (1, 2, 5):
            if power * factor <= most:
                yield power * factor
