from __future__ import annotations

import json

import pytest

from fanfold.errors import ParameterError
from fanfold.report.busco import Busco, parse_busco

LINE = "C:98.9%[S:97.5%,D:1.4%],F:0.5%,M:0.6%,n:255"

FOUND = Busco(989, 975, 14, 5, 6, 255, "eukaryota_odb10")


def test_the_json_summary_is_read() -> None:
    summary = {
        "lineage_dataset": {"name": "eukaryota_odb10", "creation_date": "2020-09-10"},
        "results": {"one_line_summary": LINE, "Complete percentage": 98.9},
    }

    assert parse_busco(json.dumps(summary, indent=4).encode()) == FOUND


def test_the_text_summary_is_read() -> None:
    summary = (
        "# BUSCO version is: 5.2.2 \n"
        "# The lineage dataset is: eukaryota_odb10 (Creation date: 2020-09-10)\n"
        f"\n\t***** Results: *****\n\n\t{LINE}\t   \n\t252\tComplete BUSCOs (C)\t\n"
    )

    assert parse_busco(summary.encode()) == FOUND


def test_a_summary_is_written_as_busco_writes_it() -> None:
    assert parse_busco(LINE.encode()).summary == LINE
    assert FOUND.summary == f"{LINE} (eukaryota_odb10)"


def test_whole_shares_and_a_missing_share_below_0_are_read() -> None:
    found = parse_busco(b"C:100%[S:99.3%,D:0.7%],F:0.1%,M:-0.1%,n:124")

    assert (found.complete_permille, found.missing_permille) == (1000, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"\xff\xfe\x00",
        b"C:98.9%",
        b"C:50.0%[S:97.5%,D:1.4%],F:0.5%,M:0.6%,n:255",
        b"C:98.9%[S:97.5%,D:1.4%],F:0.5%,M:50.0%,n:255",
    ],
)
def test_anything_else_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(ParameterError, match="not a BUSCO short summary"):
        parse_busco(data)


def test_a_lineage_with_markup_is_left_out() -> None:
    data = f'{{"lineage_dataset": {{"name": "<b>"}}, "one_line_summary": "{LINE}"}}'

    assert parse_busco(data.encode()).lineage == ""
