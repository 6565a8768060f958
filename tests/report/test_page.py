from __future__ import annotations

import random
from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from fanfold.report.busco import parse_busco
from fanfold.report.notes import Note
from fanfold.report.page.report_page import report_page
from fanfold.report.view import View
from report.pages import SVG, Page
from report.reports import large_report, report_of

GENOME = b">one first\nACGTACGTNNNNNNNNNNACGGGT\n>two\nGGNGCC\n>three\nACGTAAAAAA\n"

BUSCO = parse_busco(b"C:98.9%[S:95.1%,D:3.8%],F:0.6%,M:0.5%,n:255")

HOSTILE = (
    b"</script><script>alert(1)</script>",
    b"<style>*{display:none}</style>",
    b"<img/src=x/onerror=alert(1)>",
    b'"onmouseover="alert(1)',
    b"javascript:alert(1)",
    b"]]><!--",
    b"</title></style></svg></table>",
    b"\\u003c/script>&lt;b&gt;&amp;",
    "\u202egnp.exe\u2066\u2028\u2029\u200f".encode(),
    b"\x1b[31m\x07",
    b"\xff\xfe\x80",
    b"",
    "\N{GRINNING FACE}".encode() * 99,
    b"<" * 1_000_000,
)


def test_a_page_is_the_same_bytes_each_time() -> None:
    report = report_of(GENOME, (1, 5))

    assert report_page(*report, BUSCO) == report_page(*report, BUSCO)


def test_a_page_says_what_it_is_of_and_that_it_is_complete() -> None:
    page = Page(report_page(*report_of(GENOME)))

    assert f"genome.fa · {len(GENOME):,} bytes · complete: every check holds" in page.text
    assert "3 of 3 records below 200 residues" in page.text
    assert "Copy as text" in page.text


def test_a_page_without_notes_says_so() -> None:
    sequence = bytes(random.Random(1).choices(b"ACGT", k=400))

    assert "Nothing unusual." in Page(report_page(*report_of(b">a\n" + sequence))).text


def test_a_page_loads_nothing_and_runs_its_own_script_alone() -> None:
    page = Page(report_page(*report_of(GENOME)))

    digest = b64encode(sha256(page.script.encode()).digest()).decode()
    assert page.policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}';" in page.policy
    assert all(link.startswith(("./", "data:image/png;base64,")) for link in page.links)
    assert "url(" not in page.source.replace("url(#", "")


def test_hostile_names_leave_no_trace_but_text() -> None:
    def text(names: Iterable[bytes]) -> bytes:
        return b"".join(b">%s\n%s\n" % (name, b"ACGTNACGTT" * 30) for name in names)

    harmless = [name and b"name%d" % place for place, name in enumerate(HOSTILE)]
    one = Page(report_page(*report_of(text(harmless))))

    other = Page(report_page(*report_of(text(HOSTILE), name='"><script>alert(1)</script>.fa')))

    assert other.tags == one.tags
    assert "</script><script>alert(1)</script>" in other.texts["bdi"]
    assert not set("\x1b\x07\u202e\u2066\u2028\u2029").intersection(other.source)


def test_every_value_but_the_end_of_the_nx_curve_is_inside_its_axes() -> None:
    # From 35.06 to 65.6 % GC: the latter is just above a round number.
    text = b"".join(
        b">r%d\n%s\n" % (gc, b"G" * gc + b"ACT" * (333 - gc // 3) + b"N" * gc)
        for gc in (26, 35, 100, 484)
    )
    figures = Page(report_page(*report_of(text, (2, 5)))).data["figures"]

    assert {"gc", "gc-histogram", "cumulative", "gap-lengths", "spectrum-k5"} <= figures.keys()
    for name, figure in figures.items():
        for each in figure.get("series", []):
            for axis in ("x", "y"):
                low, high = figure[axis]["domain"]
                values = [value for value in each[axis] if value is not None]
                assert high >= max(values), (name, axis)
                assert low <= min(values) or name in {"nx", "gc-histogram"}, (name, axis)


def test_names_of_another_scheme_are_links_beside_the_page() -> None:
    page = Page(report_page(*report_of(GENOME, name="javascript:alert(1)//../x y?#.fa")))

    assert "./javascript%3Aalert%281%29%2F%2F..%2Fx%20y%3F%23.fa.fai" in page.links


def test_the_numbers_of_the_script_are_those_of_the_report() -> None:
    report = report_of(GENOME, (1, 3), view=View(min_gap=2, genome_size=60))
    page = Page(report_page(*report))
    figures = page.data["figures"]
    sequences = report.master.sequences

    records, contigs, ng = figures["nx"]["series"]
    assert records["y"][records["x"].index(50)] == sequences.N50
    assert records["extra"]["L"][records["x"].index(90)] == sequences.L90
    assert contigs["y"][contigs["x"].index(50)] == sequences.contigs.N50
    assert sequences.NG50 is not None
    assert ng["y"][ng["x"].index(50)] == sequences.NG50
    assert ng["y"][-1] is None
    assert figures["cumulative"]["series"][0]["y"][-1] == sequences.length
    assert figures["gc"]["series"][0]["x"] == [24, 10, 6]
    assert sum(figures["gc-histogram"]["series"][0]["y"]) == sequences.length
    assert figures["gap-tracks"]["rows"][0]["gaps"] == [[8, 18, 1, 10]]
    assert figures["gap-lengths"]["series"][0]["y"] == [1]
    assert figures["snail"]["rows"][199][1:3] == [sequences.N50, sequences.L50]
    assert figures["chaos-k3"]["counts"] == list(report.counts[3])
    spectrum = figures["spectrum-k3"]["series"][0]
    assert list(zip(spectrum["x"], spectrum["y"], strict=True)) == report.master.kmers[1].spectrum


def test_levels_of_a_large_k_hold_the_counts() -> None:
    report = report_of(GENOME, (7,))
    chaos = Page(report_page(*report)).data["figures"]["chaos-k7"]

    levels, bounds = b64decode(chaos["levels"]), chaos["bounds"]

    assert len(bounds) == 257
    assert all(
        bounds[level] <= count < bounds[level + 1]
        for level, count in zip(levels, report.counts[7], strict=True)
    )


def test_each_figure_of_the_data_is_drawn_with_its_marks_inside() -> None:
    page = Page(report_page(*report_of(GENOME, (1, 5, 8), view=View(genome_size=30)), BUSCO))

    for name, figure in page.data["figures"].items():
        drawing = page.drawing(name)
        _, _, width, height = map(int, drawing.attrib["viewBox"].split())
        labels = drawing.attrib["aria-labelledby"].split()
        assert labels == [f"{name}-title", f"{name}-finding"]
        assert all(f'id="{label}"' in page.source for label in labels)
        if figure["kind"] == "xy":
            assert 0 <= min(figure["x"]["range"]) < max(figure["x"]["range"]) <= width
            assert 0 <= min(figure["y"]["range"]) < max(figure["y"]["range"]) <= height
        if figure["kind"] in {"xy", "tracks"}:
            marks = drawing.find(f".//{SVG}g[@class='marks']")
            assert marks is not None
            assert {each.tag for each in marks} == {f"{SVG}path"}
            assert all("class" in each.attrib for each in marks)


Case = tuple[bytes, dict[str, Any], tuple[str, ...]]

DEGENERATE: dict[str, Case] = {
    "no gaps": (b">a\nACGT\n", {}, ("There are no gaps: no record has an N.",)),
    "no residue": (
        b">a\n>b\n",
        {},
        ("2 records without a residue", "No 5-mer occurs", "No residue"),
    ),
    "no base": (b">a\nNNNN\n", {}, ("No record in view has a base", "No 5-mer occurs")),
    "one record": (
        b">a\nACGTACGT\n",
        {},
        ("All of the length is in one record of 8 bases.", "One record of 8 bases is the whole"),
    ),
    "one base": (b">a\nA\n", {"k": (1,)}, ("in one record of 1 base.", "1 of 4 possible 1-mers")),
    "no k": (GENOME, {"k": ()}, ("No k-mers were counted.",)),
    "canonical": (
        GENOME,
        {"k": (2, 5), "canonical": True},
        ("The given strand's counts are not there", "The picture is folded"),
    ),
    "no record in view": (
        GENOME,
        {"view": View(min_length=100)},
        ("No record is in view", "of 40 in all"),
    ),
    "a part in view": (
        GENOME,
        {"view": View(min_length=20)},
        ("24 bases in records of 20 bases or more, of 40 in all", "1 of 20 bases or more, of 3"),
    ),
    "a genome size that is never reached": (
        GENOME,
        {"view": View(genome_size=1000)},
        ("NG50 is never reached", "auNG"),
    ),
    "gaps below the threshold": (
        GENOME,
        {"view": View(min_gap=11)},
        ("No gap of 11 bases or more is in view; 2 runs of N in all records.",),
    ),
    "no nucleotides": (b">p\nMKLV*XX-EE\n", {}, ("that no nucleotide code stands for",)),
    "palindromes alone": (b">a\nAT\n", {"k": (2,)}, ("No 2-mer occurs but palindromes",)),
}


@pytest.mark.parametrize("case", DEGENERATE.values(), ids=DEGENERATE.keys())
def test_a_page_without_something_has_a_sentence_in_its_place(case: Case) -> None:
    text, options, words = case
    page = Page(report_page(*report_of(text, **options)))

    for each in words:
        assert each in page.text
    for name in page.data["figures"]:
        page.drawing(name)
    assert not any(each in page.text for each in ("None", "NaN", "nan", "inf "))


def test_an_archive_is_not_unusual() -> None:
    master, survey, counts = report_of(b">a\n" + b"ACGT" * 50 + b"\n")
    note = Note("archive", 203, "a gzip archive of 203 bytes of text")

    page = Page(report_page(msgspec.structs.replace(master, notes=[note]), survey, counts)).text

    assert "a gzip archive of 203 bytes of text · complete" in page
    assert "Nothing unusual." in page


def test_the_longest_of_many_records_are_in_a_box_that_keys_can_scroll() -> None:
    few, many = (Page(report_page(*report_of(b">a\nACGT\n" * n))).source for n in (16, 17))

    assert 'class="table tall" role="region" aria-label="Longest records" tabindex="0"' in many
    assert "Longest records" in few
    assert "table tall" not in few.partition("<main")[2]


def test_no_bar_of_gaps_begins_below_the_threshold() -> None:
    text = b">a\nA" + b"N" * 10 + b"A" + b"N" * 30 + b"A\n"
    page = Page(report_page(*report_of(text, view=View(min_gap=10))))

    assert page.data["figures"]["gap-lengths"]["series"][0]["x"][0] == 10


def test_findings_count_one_and_many_in_words() -> None:
    one = Page(report_page(*report_of(b">a\nACGTN\n>b\nAC\n"))).text
    many = Page(report_page(*report_of(b">a\nACGT\n>b\nACGT\n>c\nACGT\n"))).text

    assert "Half of the length is in the longest record, of 5 bases; auN 4.143." in one
    assert "1 of the 2 longest records has gaps: 1 of 1 in all." in one
    assert "One gap, of 1 base." in one
    assert "Half of the length is in the 2 longest records, of 4 bases or more; auN 4." in many
    assert "3 records of 3 hold 90 % of the length" in many


def test_the_numbers_as_text_are_exact() -> None:
    report = report_of(GENOME)
    copied = dict(
        line.split("\t", 1) for line in Page(report_page(*report)).data["copy"].splitlines()
    )

    assert copied["file"] == "genome.fa"
    assert copied["Total length"] == "40 bases"
    assert copied["N50 (L50)"] == "24 bases (1)"
    assert copied["GC"] == "15 of 29 bases A, C, G, T"


@pytest.mark.parametrize("with_grid", [True, False])
@pytest.mark.parametrize("name", ["n" * 90, "<" * 90], ids=["plain", "hostile"])
def test_a_page_of_any_size_is_small(name: str, *, with_grid: bool) -> None:
    text = b">a\n" + bytes(random.Random(5).choices(b"ACGT", k=400_000)) + b"\n"
    report = large_report(text, with_grid=with_grid, name=name)

    page = report_page(*report, BUSCO)

    assert len(page) <= 1_500_000
    assert Page(page).data["figures"]["gc"]["series"][-1]["x"] == [
        each.length for each in report.survey.listed
    ]


def test_the_report_s_map_of_k_mers_is_not_read() -> None:
    report = report_of(GENOME)
    without = msgspec.structs.replace(report.master, kmer_counts={})

    assert report_page(without, *report[1:]) == report_page(*report)
