"""Outliers: modified z-scores, in fractions."""

from __future__ import annotations

import random
from fractions import Fraction
from statistics import median

import pytest

from fanfold.report.outliers import FEWEST, Spread, spread_of


def test_what_is_far_from_the_median_stands_out() -> None:
    spread = spread_of([10, 11, 12, 13, 14, 100, -80])

    assert spread == Spread(7, Fraction(12), Fraction(2), [0, 0, 0, 0, 0, 1, -1])


def test_the_median_of_an_even_number_of_values_is_halfway_between_two() -> None:
    assert spread_of([1, 2, 4, 9]).median == 3
    assert spread_of([1, 2, 5, 9]).median == Fraction(7, 2)


@pytest.mark.parametrize(("value", "sign"), [(7001, 1), (7000, 0), (-7000, 0), (-7001, -1)])
def test_the_limit_is_exact(value: int, sign: int) -> None:
    """0.6745 · 7000 / 1349 is 3.5, which no float has to decide."""
    values = [0, 0, 0, 1349, -1349, 1349, -1349, 1349, -1349, value]
    spread = spread_of([*values, -value])

    assert spread.median == 0
    assert spread.mad == 1349
    assert spread.signs[-2] == sign


@pytest.mark.parametrize("values", [[1, 2, 3, 1000], [1000], []])
def test_among_few_values_none_stands_out(values: list[int]) -> None:
    assert len(values) < FEWEST
    assert not any(spread_of(values).signs)


def test_where_half_of_the_values_are_the_same_none_stands_out() -> None:
    spread = spread_of([5, 5, 5, 5, 1000])

    assert spread.mad == 0
    assert spread.signs == [0] * 5


def test_what_is_not_there_is_left_out() -> None:
    assert spread_of([None, 10, 11, None, 12, 13, 14, 100, None]).signs == [0] * 7 + [1, 0]
    assert spread_of([None, None]) == Spread(0, None, None, [0, 0])


def test_values_are_judged_as_their_definition_says() -> None:
    draw = random.Random(8)
    for _ in range(200):
        values = [Fraction(draw.randrange(100), draw.randrange(1, 9)) for _ in range(7)]
        middle = median(values)
        mad = median(abs(each - middle) for each in values)
        expected = [
            0
            if mad == 0 or Fraction("0.6745") * abs(each - middle) / mad <= Fraction("3.5")
            else (1 if each > middle else -1)
            for each in values
        ]
        assert spread_of(values).signs == expected
