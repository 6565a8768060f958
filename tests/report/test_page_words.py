from __future__ import annotations

import pytest

from fanfold.report.page.words import (
    NOTHING,
    counted,
    number,
    share,
    short_bases,
    short_count,
    shown_name,
)


def test_one_thing_and_many_have_their_forms() -> None:
    assert [counted(each, "record") for each in (0, 1, 1840)] == [
        *("0 records", "1 record", "1,840 records")
    ]


def test_numbers_have_separators_and_no_empty_decimals() -> None:
    assert [number(each) for each in (None, 1234567, 406152.365, 5386.0)] == [
        *(NOTHING, "1,234,567", "406,152.365", "5,386")
    ]


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (0, "0 b"),
        (999, "999 b"),
        (1000, "1.00 kb"),
        (5386, "5.39 kb"),
        (25_989_094, "26.0 Mb"),
        (999_499, "999 kb"),
        (999_500, "1.00 Mb"),
        (3_100_000_000, "3.10 Gb"),
        (2 * 10**15, "2,000 Tb"),
    ],
)
def test_a_length_has_three_digits_and_its_unit(length: int, words: str) -> None:
    assert short_bases(length) == words


def test_a_count_has_three_digits_and_its_unit() -> None:
    assert [short_count(each) for each in (7, 3_729_956)] == ["7", "3.73M"]


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (0, 7, "0 %"),
        (1, 3, "33.33 %"),
        (1, 300, "0.333 %"),
        (1, 10**9, "< 0.001 %"),
        (7, 7, "100 %"),
        (99_999, 100_000, "> 99.99 %"),
        (11, 19, "57.89 %"),  # 57.8947: 57.895 on the way would make it 57.90
        (1, 200_000, "< 0.001 %"),  # half to even
        (12_345, 100_000, "12.34 %"),  # half to even
        (99_985, 100_000, "99.98 %"),
        (0, 0, NOTHING),
    ],
)
def test_a_share_is_in_per_cent(part: int, whole: int, words: str) -> None:
    assert share(part, whole) == words


def test_a_name_is_one_line_and_at_most_200_bytes() -> None:
    assert shown_name("a\x1bb\u202ec\u2028") == "a\\x1bb\\u202ec\\u2028"
    assert shown_name("\u061ca\u200fb\u200ec") == "\\u061ca\\u200fb\\u200ec"
    assert shown_name("\ufffe\uffff") == "\\ufffe\\uffff"  # XML can't have them
    assert shown_name("n" * 100) == "n" * 100
    assert shown_name("<" * 100) == "<" * 32 + "…"
    assert len(shown_name("\N{GRINNING FACE}" * 99).encode()) <= 203
