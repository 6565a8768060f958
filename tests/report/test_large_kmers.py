"""What shows reports to people and to MultiQC, where k-mers have tables beside the report."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kmer_reports import kmers_of

from fanfold.errors import ParameterError
from fanfold.report.master import Kmers, check_report
from fanfold.report.multiqc import multiqc_files
from fanfold.report.page.kmers import spectrum_figure
from fanfold.report.page.notebook import notebook_html
from fanfold.report.page.numbers import as_rows, as_text
from fanfold.report.page.plot import plot_svg
from fanfold.report.page.report_page import report_page
from fanfold.report.page.svg import Figure
from report.reports import Report, report_of
from report.test_multiqc import run_multiqc

TEXT = b">a\n" + b"ACGTTGCA" * 40 + b"\n"

K = 21
ROWS = 5000


def large(rows: int = ROWS, k: int = K, *, canonical: bool = False) -> Kmers:
    """Some k-mers, of which three in five occur once, and one a million times."""
    chance = random.Random(rows)
    counts = {code: 1 if code % 5 < 3 else chance.randrange(2, 4000) for code in range(rows)}
    return kmers_of(counts | {rows: 10**6}, k, canonical=canonical)


def with_tables(made: Report, *tables: Kmers) -> Report:
    """A report that has counted more, which its counts don't have."""
    master = made.master
    kmers = [*master.kmers, *tables]
    parameters = msgspec.structs.replace(master.parameters, k=tuple(each.k for each in kmers))
    return made._replace(master=msgspec.structs.replace(master, kmers=kmers, parameters=parameters))


def long_spectrum() -> Kmers:
    """As many multiplicities as there may be in a large genome."""
    spectrum = [(times, 1 + 10**9 // times**2) for times in range(1, 100_001)]
    listed = [("ACGTTGCAACGTTGCAACGT" + base, 100_000) for base in "AC"]
    return Kmers(
        k=K,
        canonical=True,
        total=sum(times * count for times, count in spectrum),
        distinct=sum(count for _, count in spectrum),
        possible=4**K // 2,
        singletons=spectrum[0][1],
        max=100_000,
        spectrum=spectrum,
        top=listed,
        bottom=[(kmer, 1) for kmer, _ in listed],
        table=f"kmers/k{K}",
    )


def bars(figure: Figure) -> Any:
    """What the script draws of a spectrum."""
    data: Any = figure.data
    (series,) = data["series"]
    return series


# --- the page ---------------------------------------------------------------------------------


def test_a_long_spectrum_is_binned_on_the_page_and_says_where_it_is_whole() -> None:
    kmers = long_spectrum()

    figure = spectrum_figure(kmers)

    series = bars(figure)
    assert sum(series.y) == kmers.distinct  # nothing is left out at either end
    assert len(series.y) < 200
    assert (series.x[0], max(series.x_end)) == (1, 101_070)  # ⌊2^(133/8)⌋
    assert "the whole spectrum is kmers/k21.hist" in figure.finding


def test_a_spectrum_of_few_occurrences_is_whole_on_the_page() -> None:
    kmers = kmers_of({1: 1, 5: 64, 9: 3}, K)

    figure = spectrum_figure(kmers)

    series = bars(figure)
    assert (list(series.x), list(series.y)) == ([1, 3, 64], [1, 1, 1])
    assert ".hist" not in figure.finding


def test_a_page_of_a_long_spectrum_is_little_larger_than_one_of_a_short() -> None:
    short = report_page(*with_tables(report_of(TEXT, ()), kmers_of({1: 1}, K)))
    long = report_page(*with_tables(report_of(TEXT, ()), long_spectrum()))

    assert len(long) - len(short) < 20_000


def test_a_spectrum_says_the_shares_that_are_distinct_and_unique() -> None:
    kmers = kmers_of({1: 1, 2: 1, 3: 1, 4: 7}, K)

    assert spectrum_figure(kmers).finding == (
        "4 different 21-mers among 10 (40.00 %); 3 of them only once (75.00 %);"
        " AAAAAAAAAAAAAAAAAAACA most often (7 times, 70.00 %)."
    )


def test_a_page_has_a_section_for_each_k_and_the_pictures_that_there_are() -> None:
    page = report_page(*with_tables(report_of(TEXT, (3,)), large(), large(99, 32))).decode()

    for k in (3, 21, 32):
        assert f'<section id="section-k{k}">' in page
        assert f"Spectrum, k = {k}" in page
    figures = set(re.findall(r'id="(cgr|chaos|symmetry)[^"]*-k(\d+)', page))
    assert {k for _, k in figures} <= {"3"}
    assert "kmers.k21.tsv" not in page
    assert "symmetry is drawn for k up to" not in page


def test_a_page_of_large_k_alone_speaks_of_no_picture() -> None:
    made = with_tables(report_of(TEXT, (), canonical=True), large(canonical=True))

    page = report_page(*made).decode()

    assert "a k-mer and its reverse complement are one.</p>" in page
    assert "picture is folded" not in page


def test_a_table_without_k_mers_is_a_sentence() -> None:
    page = report_page(*with_tables(report_of(TEXT, ()), kmers_of({}, K))).decode()

    assert "No 21-mer occurs, so there is no spectrum." in page


def test_a_chaos_game_picture_is_of_the_largest_k_that_has_one() -> None:
    made = with_tables(report_of(TEXT, (2, 4)), large())

    assert b"k = 4" in plot_svg("cgr", *made)
    assert b"k = 21" in plot_svg("spectrum", *made)
    for each in (made, with_tables(report_of(TEXT, ()), large())):
        with pytest.raises(ParameterError, match=r"k = 21: there is no chaos-game picture"):
            plot_svg("cgr", *each, k=21)
    with pytest.raises(ParameterError, match=r"k = 21: there is no chaos-game picture"):
        plot_svg("cgr", *with_tables(report_of(TEXT, ()), large()))


# --- numbers ----------------------------------------------------------------------------------


def test_the_numbers_have_the_distinct_and_the_unique_of_each_large_k() -> None:
    canonical = kmers_of({1: 1, 2: 1, 3: 6}, 31, canonical=True)
    made = with_tables(report_of(TEXT, (5,)), large(), canonical)
    rows = {term: said for term, *said in as_rows(made.master)}

    assert rows["Distinct 31-mers"] == ["3", "canonical, 3 of 8 in all (37.50 %)"]
    assert rows["Unique 31-mers"] == ["66.67 %", "2 of 3 distinct occur once"]
    assert rows["Distinct 21-mers"][0] == "5.00k"
    assert rows["Unique 21-mers"][0] == "59.99 %"
    assert "Distinct 5-mers" not in rows
    assert "Unique 31-mers\t2 of 3 distinct occur once\n" in as_text(made.master)


def test_a_notebook_has_them_too() -> None:
    made = with_tables(report_of(TEXT, ()), kmers_of({1: 1, 3: 3}, K))

    html = notebook_html(made.master, made.survey, "report.html")

    assert "Distinct 21-mers" in html
    assert "2 of 4 in all (50.00 %)" in html


# --- MultiQC ----------------------------------------------------------------------------------


def table(made: Report) -> Any:
    files = multiqc_files(made.master, made.survey)
    return json.loads(files["multiqc/fanfold_table_mqc.json"])


def test_multiqc_gets_two_columns_for_each_large_k() -> None:
    made = with_tables(report_of(TEXT, (5,)), kmers_of({1: 1, 2: 1, 3: 6}, K, canonical=True))

    found = table(made)

    (data,) = found["data"].values()
    assert (data["k21_distinct"], data["k21_unique_percent"]) == (3, 66.667)
    assert found["headers"]["k21_distinct"]["description"] == "Different canonical 21-mers"
    assert found["headers"]["k21_unique_percent"]["max"] == 100
    assert not [key for key in found["headers"] if key.startswith("k5")]


def test_multiqc_gets_no_share_of_no_k_mers() -> None:
    (data,) = table(with_tables(report_of(TEXT, ()), kmers_of({}, K)))["data"].values()

    assert data["k21_distinct"] == 0
    assert "k21_unique_percent" not in data


def test_multiqc_shows_reports_of_several_k_beside_others(tmp_path: Path) -> None:
    shown = run_multiqc(
        tmp_path,
        {
            "a": with_tables(report_of(TEXT, name="a.fa"), large()),
            "b": with_tables(report_of(TEXT, name="b.fa"), large(), large(99, 31)),
            "c": report_of(TEXT, name="c.fa"),
        },
    )

    values = shown.values("table")
    assert values["a"]["k21_distinct"] == values["b"]["k21_distinct"] == ROWS + 1
    assert values["b"]["k31_distinct"] == 100
    assert "k31_distinct" not in values["a"]
    assert values["c"]["length"] == 320


# --- a report that nobody could have written --------------------------------------------------


def test_the_figures_of_any_report_follow_from_its_spectra() -> None:
    for text in (TEXT, b">a\n", b">a\nACG\n"):
        for canonical in (False, True):
            check_report(report_of(text, (1, 4, 8), canonical=canonical).master)


@pytest.mark.parametrize(
    "change",
    [
        {"total": 9},
        {"distinct": 4},
        {"singletons": 1},
        {"max": 7},
        {"possible": 2},
        {"possible": 4**7 + 1},
        {"canonical": True},
        {"spectrum": []},
        {"spectrum": [(6, 1), (1, 2)]},
        {"spectrum": [(1, 2), (6, 1), (6, 0)]},
        {"spectrum": [(-4, 1), (6, 2)]},
        {"top": []},
        {"top": [("A" * 7, 5), ("C" * 7, 1), ("G" * 7, 1)]},
        {"top": [("<" * 7, 6), ("C" * 7, 1), ("G" * 7, 1)]},
        {"bottom": [("A" * 6, 1), ("C" * 7, 1), ("G" * 7, 6)]},
        {"bottom": [("A" * 7, 1)]},
    ],
)
def test_figures_that_contradict_each_other_are_refused(change: dict[str, Any]) -> None:
    whole = kmers_of({1: 1, 2: 1, 3: 6}, 7)
    check_report(with_tables(report_of(TEXT, (5,)), whole).master)
    wrong = msgspec.structs.replace(whole, **change)

    with pytest.raises(ValueError, match="7-mers"):
        check_report(with_tables(report_of(TEXT, (5,)), wrong).master)
