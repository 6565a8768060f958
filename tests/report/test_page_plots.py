from __future__ import annotations

from xml.etree import ElementTree

import pytest

from fanfold.errors import ParameterError
from fanfold.report.busco import parse_busco
from fanfold.report.page.plot import PLOTS, plot_svg
from fanfold.report.renderings import renderings_of
from fanfold.report.view import View
from report.pages import SVG
from report.reports import report_of

GENOME = b">one\nACGTACGTNNNNNNNNNNACGGGT\n>two\nGGNGCC\n>three\nACGTAAAAAA\n"

BUSCO = parse_busco(b"C:98.9%[S:95.1%,D:3.8%],F:0.6%,M:0.5%,n:255")


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("text", [GENOME, b">a\n", b">a\nNN\n", b">a\nA\n"])
def test_a_plot_is_an_svg_file_that_says_what_it_shows(plot: str, text: bytes) -> None:
    report = report_of(text, (1, 3), view=View(genome_size=50))

    drawn = plot_svg(plot, *report, BUSCO)

    root = ElementTree.fromstring(drawn)  # noqa: S314 - made here
    assert root.tag == f"{SVG}svg"
    assert (root[0].tag, root[1].tag, root[2].tag) == (f"{SVG}title", f"{SVG}desc", f"{SVG}style")
    assert (root[0].text or "").endswith(": genome.fa")
    assert root[1].text
    assert root[3].attrib["class"] == "paper"
    assert drawn == plot_svg(plot, *report, BUSCO)


def test_a_plot_of_names_that_are_markup_is_well_formed() -> None:
    text = b'>"<script>&]]>\nACGTNNAC\n>\x1b\xff\xe2\x80\xae\nACGTNNAC\n'

    root = ElementTree.fromstring(plot_svg("gaps", *report_of(text, name="<&>.fa")))  # noqa: S314 - made here

    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert '"<script>&]]>' in texts
    assert "\\x1b\\xff\\u202e" in texts


def test_plots_of_k_mers_take_the_largest_k_unless_told() -> None:
    report = report_of(GENOME, (2, 4))

    assert b"k = 4" in plot_svg("spectrum", *report)
    assert b"k = 2" in plot_svg("cgr", *report, k=2)


@pytest.mark.parametrize("plot", ["spectrum", "cgr"])
def test_a_k_that_was_not_counted_is_refused(plot: str) -> None:
    with pytest.raises(ParameterError, match="k = 3 is not in the report, which has k = 2, 4"):
        plot_svg(plot, *report_of(GENOME, (2, 4)), k=3)
    with pytest.raises(ParameterError, match="no k-mers"):
        plot_svg(plot, *report_of(GENOME, ()))


def test_a_picture_without_counts_is_refused() -> None:
    master, survey, _ = report_of(GENOME, (2,))

    with pytest.raises(ParameterError, match="k = 2"):
        plot_svg("cgr", master, survey, {})


def test_an_unknown_plot_is_refused_with_those_there_are() -> None:
    with pytest.raises(ParameterError, match="no plot 'pie': there are snail, nx,"):
        plot_svg("pie", *report_of(GENOME))


def test_busco_is_in_the_corner_of_the_snail_when_given() -> None:
    report = report_of(GENOME)

    assert b"duplicated 3.8 %" in plot_svg("snail", *report, BUSCO)
    assert b"BUSCO: C:98.9%[S:95.1%,D:3.8%],F:0.6%,M:0.5%,n:255" in plot_svg(
        "snail", *report, BUSCO
    )
    assert b'class="busco' not in plot_svg("snail", *report)


def test_the_ring_of_a_snail_is_of_the_records_in_view() -> None:
    report = report_of(b">long\nACGTGG\n>short\nTTTT\n", view=View(min_length=5))

    words = _words(plot_svg("snail", *report))

    assert "GC 66.67 %" in words
    assert "N50 6 b (L50 1)" in words


def test_a_snail_of_one_record_has_no_line_of_counts_in_its_legend() -> None:
    one, many = (_words(plot_svg("snail", *report_of(b">a\nACGT\n" * n))) for n in (1, 11))

    assert not [each for each in one if each.startswith("records so far")]
    assert "records so far, log (circle: 10)" in many


def _words(drawn: bytes) -> list[str]:
    root = ElementTree.fromstring(drawn)  # noqa: S314 - made here
    return [each.text or "" for each in root.iter(f"{SVG}text")]


def test_an_axis_that_is_logarithmic_says_so() -> None:
    assert b">N(x) (bases, log)</text>" in plot_svg("nx", *report_of(GENOME))


def test_a_bin_of_gaps_is_no_length() -> None:
    text = b">a\nA" + b"A".join(b"N" * length for length in (95, 97, 99, 1)) + b"A\n"

    page = renderings_of(*report_of(text))["report.html"]

    assert b"The fullest bin, 90 to 99 bases, has 75.00 % of them." in page
