"""The page over many genomes: what it shows, whatever they are called."""

from __future__ import annotations

import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from fanfold.report.master import encode_report
from fanfold.report.measures import IndexRow, decode_measures, measures_of
from fanfold.report.nx_table import nx_table, read_nx
from fanfold.report.page.index_page import index_page, is_index_page
from fanfold.report.page.words import NOTHING
from report.genomes import HOSTILE_NAMES, genome, thousand_genomes
from report.reports import report_of, report_of_file

DATA = Path(__file__).parents[1] / "data"
FILES = ("phiX174.fa", "lambda_NC_001416.fa", "human_MT.fa", "ecoli_K12_GCF_000005845.2.fna.gz")

HEADERS = [
    "Genome",
    "Outlier in",
    "Length",
    "Sequences",
    "N50",
    "L50",
    "Longest",
    "Contig N50",
    "GC %",
    "N %",
    "Gaps",
    "Soft-masked %",
    "Notes",
]


class Page(HTMLParser):
    """What a browser would make of a page, as far as the tests ask."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self.values: list[list[str]] = []
        self.texts: list[str] = []
        self._script = ""
        self._is_in_cell = self._is_data = False
        self.feed(page.decode())
        self.data: dict[str, Any] = json.loads(self._script)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag, tuple(name for name, _ in attrs)] += 1
        given = dict(attrs)
        self._is_data = tag == "script" and given.get("id") == "data"
        if tag == "a":
            self.links.append(given["href"] or "")
        if tag == "tr":
            self.rows.append([])
            self.values.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self.values[-1].append(given.get("data-value") or "")
            self._is_in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._is_in_cell &= tag not in {"td", "th"}
        self._is_data &= tag != "script"

    def handle_data(self, data: str) -> None:
        if self._is_data:
            self._script += data
        if self._is_in_cell:
            self.rows[-1][-1] += data
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def of_file(name: str) -> IndexRow:
    master, survey, _ = report_of_file(DATA / name)
    return IndexRow(name, measures_of(master), read_nx(nx_table(survey)))


def test_the_table_has_the_numbers_of_every_report() -> None:
    rows = [of_file(name) for name in FILES]

    page = Page(index_page(rows, {}))

    assert page.rows[0] == HEADERS
    assert [row[0] for row in page.rows[1:]] == list(FILES)
    assert page.rows[1] == [
        *("phiX174.fa", NOTHING, "5,386", "1", "5,386", "1", "5,386", "5,386", "44.764", "0.000"),
        *("0", "0.000", "0"),
    ]
    assert page.values[4] == [
        *("ecoli_K12_GCF_000005845.2.fna.gz", "0", "4641652", "1", "4641652", "1", "4641652"),
        *("4641652", "50.791", "0.0", "0", "0.0", str(rows[3].measures.notes)),
    ]
    assert page.links == [f"./{name}/report.html" for name in FILES]


def test_measures_are_the_same_without_the_counts_of_kmers() -> None:
    master, _, _ = report_of_file(DATA / "phiX174.fa")

    assert decode_measures(encode_report(master))[0] == measures_of(master)


def test_the_curves_of_all_are_in_one_figure() -> None:
    rows = [of_file(name) for name in FILES]

    page = Page(index_page(rows, {}))

    figure = page.data["figures"]["nx-all"]
    assert (figure["kind"], figure["y"]["scale"]) == ("xy", "log")
    assert [each["name"] for each in figure["series"]] == list(FILES)
    assert all(each["x"] == list(range(1, 101)) for each in figure["series"])
    assert [each["y"] for each in figure["series"]] == [row.nx for row in rows]
    assert page.tags["path", ("class", "d")] >= len(FILES)
    assert "N50 is between 5,386 bases (phiX174.fa) and 4,641,652 bases (ecoli" in page.text


def test_outliers_are_marked_by_more_than_colour_and_named() -> None:
    rows = [genome(f"{place}.fa", 1000 + place) for place in range(9)]
    rows += [genome("long.fa", 9000, gc=4500), genome("poor.fa", 1004, gc=40)]

    page = Page(index_page(rows, {}))

    cells = {row[0]: row for row in page.rows[1:]}
    length, gc = HEADERS.index("Length"), HEADERS.index("GC %")
    assert cells["long.fa"][length] == "▲ 9,000 (outlier, above the median)"
    assert cells["poor.fa"][gc] == "▼ 3.984 (outlier, below the median)"
    assert (cells["long.fa"][1], cells["poor.fa"][1]) == ("Length", "GC %")
    assert all(cells[f"{place}.fa"][1] == NOTHING for place in range(9))
    assert "Length: median 1,004 bases, MAD 2 bases; 1 genome of 11 marked." in page.text
    assert "N50: median 500 bases, MAD 0 bases: at least half" in page.text
    assert "Iglewicz and Hoaglin" in page.text


def test_values_are_compared_before_they_are_rounded() -> None:
    """All of these are 50.000 %, and one of them is far from the others."""
    rows = [genome(f"{place}.fa", 10**9, gc=5 * 10**8 + place) for place in range(9)]
    rows.append(genome("far.fa", 10**9, gc=5 * 10**8 + 100))

    page = Page(index_page(rows, {}))

    assert page.rows[-1][1] == "GC %"
    assert {row[HEADERS.index("GC %")].removeprefix("▲ ")[:6] for row in page.rows[1:]} == {
        "50.000"
    }


def test_among_few_genomes_none_is_marked_and_the_page_says_so() -> None:
    rows = [genome("a.fa"), genome("b.fa", 1001), genome("c.fa", 10**9)]

    page = Page(index_page(rows, {}))

    assert [row[1] for row in page.rows[1:]] == [NOTHING] * 3
    assert page.text.count("with fewer than 5 values none is marked") == 4


def test_failures_come_first_with_their_reason() -> None:
    failed = {"reads.fq": "reads.fq: FASTQ, not FASTA", "cut.fa.gz": "it is <truncated>"}

    page = Page(index_page([genome("a.fa")], failed))

    assert "1 genome with a report, 2 without: they failed." in page.text
    assert "reads.fq: FASTQ, not FASTA" in page.text
    assert "cut.fa.gz: it is <truncated>" in page.text
    assert page.text.index("it is <truncated>") < page.text.index("Exact statistics")


def test_failures_alone_make_a_page() -> None:
    page = Page(index_page([], {"a.fa": "gone"}))

    assert "0 genomes with a report, 1 without: it failed." in page.text
    assert "No genome has a report." in page.text
    assert page.data["figures"] == {}


def test_nothing_makes_a_page() -> None:
    assert "0 genomes with a report." in Page(index_page([], {})).text


def test_a_genome_without_residues_is_in_the_table_alone() -> None:
    master, survey, _ = report_of(b">a\n>b\n", name="none.fa")
    rows = [IndexRow("none.fa", measures_of(master), read_nx(nx_table(survey))), genome("a.fa")]

    page = Page(index_page(rows, {}))

    assert page.rows[1][2:9] == ["0", "2", NOTHING, NOTHING, "0", NOTHING, NOTHING]
    assert page.values[1][HEADERS.index("N50")] == ""
    assert [each["name"] for each in page.data["figures"]["nx-all"]["series"]] == ["a.fa"]
    assert "1 genome without a residue is left out" in page.text
    alone = Page(index_page(rows[:1], {}))
    assert alone.data["figures"] == {}
    assert "No genome has a residue" in alone.text


def test_names_are_text_whatever_they_hold() -> None:
    harmless = [f"{place}.fa" for place in range(len(HOSTILE_NAMES))]

    def page(names: list[str]) -> Page:
        rows = [genome(name) for name in names]
        return Page(index_page(rows, {name: f"{name}: why {name}" for name in names}))

    hostile = page(HOSTILE_NAMES)

    assert hostile.tags == page(harmless).tags
    assert all(link.startswith("./") for link in hostile.links)
    found = [
        unquote(link.removeprefix("./").removesuffix("/report.html")) for link in hostile.links
    ]
    assert found == HOSTILE_NAMES
    assert not {"\u202e", "\u2066", "\u2028", "\x1b"} & {*hostile.text}
    assert hostile.rows[8][0] == r"line\x0abreak\x09tab\x1b[2J.fa"


def test_a_name_that_is_not_utf_8_is_shown_and_linked() -> None:
    page = Page(index_page([genome("a\udcff.fa")], {"b\udcff.fa": "why"}))

    assert page.rows[1][0] == r"a\xff.fa"
    assert page.links == ["./a%FF.fa/report.html"]


def test_the_table_as_text_has_exact_numbers() -> None:
    page = Page(index_page([genome("a\tb.fa", n=2), of_file("phiX174.fa")], {}))

    header, first, second = page.data["copy"].splitlines()
    assert header.split("\t")[:4] == ["genome", "length", "sequences", "N50"]
    assert first.split("\t")[:2] == [r"a\x09b.fa", "1000"]
    assert second.split("\t")[7] == "44.764"


def test_the_same_genomes_make_the_same_bytes() -> None:
    rows = [of_file(name) for name in FILES]

    assert index_page(rows, {"x": "y"}) == index_page([*rows], {"x": "y"})


def test_headers_can_be_pressed_and_say_what_they_head() -> None:
    page = Page(index_page([genome("a.fa")], {}))

    assert page.tags["th", ("scope",)] == len(HEADERS)
    assert page.tags["th", ("scope", "data-value")] == 1
    assert page.tags["caption", ()] == 1


def test_a_thousand_genomes_fit() -> None:
    rows = thousand_genomes()

    data = index_page(rows, {})

    assert len(data) <= 5_000_000
    page = Page(data)
    assert len(page.rows) == 1001
    assert len(page.data["figures"]["nx-all"]["series"]) == 1000


def test_a_page_is_known_by_its_title() -> None:
    assert is_index_page(index_page([], {}))
    assert not is_index_page(b"<!doctype html><title>mine</title>")
    assert not is_index_page(b"")


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.replace(b"sequences_N", b"sequences_X"),
        lambda table: table.rpartition(b"\n100\t")[0],
        lambda table: table.replace(b"\n1\t1", b"\n1\t-1"),
        lambda table: table.replace(b"\n1\t1", b"\n1\t0"),
        lambda table: table.replace(b"\n1\t1", b"\n1\t" + b"9" * 30),
        lambda table: table.replace(b"\n7\t", b"\n7"),
        lambda table: table.replace(b"\n7\t", b"\n7\t\t"),
        lambda _: b"",
        lambda _: b"\xff\xfe",
    ],
)
def test_a_table_that_is_none_of_nx_is_refused(change: Any) -> None:
    table = nx_table(report_of(b">a\n" + b"A" * 100 + b"\n", name="a.fa").survey)
    assert read_nx(table) == [100] * 100

    with pytest.raises(ValueError, match=r".+"):
        read_nx(change(table))
