"""What a notebook shows of a report."""

from __future__ import annotations

import gzip
import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import pytest

import fanfold
from fanfold.report.page.notebook import notebook_html
from report.genomes import HOSTILE_NAMES
from report.reports import report_of

TEXT = b">one\nACGTACGTGGG\n>two\nacgnnnac\n>three\nACGT\n"

DRAWN = re.compile('src="data:image/svg[+]xml;base64,([A-Za-z0-9+/=]+)"')


class Shown(HTMLParser):
    """The elements, the rows of the table, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag == "tr":
            self.rows.append([])
        if tag in {"th", "td"}:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows and self.tags[-1] in {"th", "td"}:
            self.rows[-1][-1] += data


@pytest.fixture
def report(tmp_path: Path) -> fanfold.Report:
    genome = tmp_path / "genome.fa"
    genome.write_bytes(TEXT)
    return fanfold.run(genome, k=[2], out=tmp_path / "out")


def shown(report: fanfold.Report) -> str:
    return report._repr_html_()


def test_the_numbers_are_those_of_the_report(report: fanfold.Report) -> None:
    rows = {row[0]: row[1:] for row in Shown(shown(report)).rows}

    # 23 residues in records of 11, 8 and 4; acgnnnac falls into 3 and 2.
    assert rows["Total length"] == ["23 b", "23 bases"]
    assert rows["Sequences"] == ["3", ""]
    assert rows["N50 (L50)"] == ["8 b (2)", "8 bases (2)"]
    assert rows["GC"] == ["60.00 %", "12 of 20 bases A, C, G, T"]
    assert rows["N, gaps"] == ["13.04 %, 1 gap", "3 N; 1 gap of 3 bases"]
    assert rows["Contigs"] == ["4", ""]


def test_what_is_unusual_and_where_the_page_is_stands_below(report: fanfold.Report) -> None:
    text = Shown(shown(report)).text

    assert "3 of 3 records below 200 residues" in text
    assert report.page_url in text


def test_to_be_an_archive_is_not_unusual(tmp_path: Path) -> None:
    genome = tmp_path / "genome.fa.gz"
    genome.write_bytes(gzip.compress(b">one\n" + 60 * b"ACGT" + b"\n"))
    report = fanfold.run(genome, k=[2], out=tmp_path / "out")

    assert [each.kind for each in report.master.notes] == ["archive"]
    assert "Nothing unusual." in Shown(shown(report)).text


def test_the_plot_is_the_snail_of_the_report(report: fanfold.Report) -> None:
    drawn = DRAWN.search(shown(report))

    assert drawn is not None
    assert b64decode(drawn[1]) == fanfold.plot(report.url, "snail")


def test_there_is_no_plot_when_the_tables_are_gone(report: fanfold.Report) -> None:
    (report.out / "sequences.tsv").unlink()

    html = shown(report)
    assert "23 bases" in html
    assert not DRAWN.search(html)


def test_there_is_no_plot_when_the_tables_are_damaged(report: fanfold.Report) -> None:
    (report.out / "gaps.bed").write_bytes(b"two\tx\n")

    assert not DRAWN.search(shown(report))


def test_there_is_no_plot_of_another_report_in_the_same_folder(
    report: fanfold.Report, tmp_path: Path
) -> None:
    # The same residues, in records of other lengths.
    (tmp_path / "genome.fa").write_bytes(b">one\nACGTACGTG\n>two\nGGacgnnnac\n>three\nACGT\n")
    other = fanfold.run(tmp_path / "genome.fa", k=[2], out=report.url)

    assert not DRAWN.search(shown(report))
    assert DRAWN.search(shown(other))


def test_another_view_in_the_folder_does_not_change_what_a_report_shows(
    report: fanfold.Report,
) -> None:
    before = shown(report)
    seen = fanfold.render(report.url, view=fanfold.View(min_length=5))

    assert shown(report) == before
    assert "19 bases in records of 5 bases or more" in Shown(shown(seen)).text


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_are_text(name: str) -> None:
    made = report_of(TEXT, name=name)

    html = notebook_html(made.master, made.survey, f"/results/{name}/report.html")

    usual = Shown(notebook_html(report_of(TEXT).master, made.survey, "/results/report.html"))
    assert Shown(html).tags == usual.tags
    assert not re.search("[\x00-\x08\x0a-\x1f\u202a-\u202e\u2066-\u2069]", html)


def test_it_is_plain_text_that_others_can_add_to(report: fanfold.Report) -> None:
    assert type(shown(report)) is str
