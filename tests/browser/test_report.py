"""The report's page in a browser: what its script adds, and that nothing else happens."""

from __future__ import annotations

import csv
import random
import re
import struct
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Locator, Page, expect
from report.pages import SVG
from report.pages import Page as ParsedPage
from report.reports import Report, large_report, report_of
from report.test_page import HOSTILE

from browser.conftest import OpenPage
from browser.watching import PHONE_WIDTH_PX, Look, WatchedPage
from fanfold.report.page.report_page import report_page

DATA = Path(__file__).parents[1] / "data"

PNG_SCALE = 2
FOCUS = "[tabindex='0']"

WriteReport = Callable[[Report], Path]


def draft(seed: int = 1) -> bytes:
    """The genome of phage lambda in 60 pieces, with a gap in every third."""
    sequence = b"".join((DATA / "lambda_NC_001416.fa").read_bytes().split(b"\n")[1:])
    draw = random.Random(seed)
    cuts = sorted(draw.sample(range(1, len(sequence)), 59))
    records = []
    for place, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(sequence)], strict=True)):
        piece = sequence[start:end]
        middle = len(piece) // 2
        gap = b"N" * draw.randrange(1, 300) if place % 3 == 0 else b""
        records.append(b">contig%d\n%s\n" % (place, piece[:middle] + gap + piece[middle:]))
    return b"".join(records)


@pytest.fixture(scope="module")
def report() -> Report:
    return report_of(draft(), (1, 2, 3, 4, 5, 6, 7, 8), name="draft.fa")


@pytest.fixture
def write_report(tmp_path: Path) -> WriteReport:
    def write(report: Report) -> Path:
        path = tmp_path / "report.html"
        path.write_bytes(report_page(*report))
        return path

    return write


def data_of(report: Report) -> dict[str, Any]:
    """What the page's script reads of the figures."""
    figures: dict[str, Any] = ParsedPage(report_page(*report)).data["figures"]
    return figures


def stage(opened: WatchedPage, figure: str) -> Locator:
    return opened.figure(figure).locator(FOCUS).first


def point_at(opened: WatchedPage, figure: str, x: float, y: float) -> str:
    """Move the pointer to a place in the drawing's coordinates; what the tip says then."""
    drawing = opened.figure(figure).locator("svg")
    drawing.scroll_into_view_if_needed()
    at = drawing.evaluate(
        """(drawing, [x, y]) => {
          const place = new DOMPoint(x, y).matrixTransform(drawing.getScreenCTM());
          return [place.x, place.y];
        }""",
        [x, y],
    )
    opened.page.mouse.move(*at)
    return tip(opened, figure)


def tip(opened: WatchedPage, figure: str) -> str:
    shown = opened.figure(figure).locator(".tip")
    return shown.inner_text().replace("\n", " | ") if shown.is_visible() else ""


def save(opened: WatchedPage, figure: str, kind: str, folder: Path) -> Path:
    return opened.download(
        opened.figure(figure).get_by_role("button", name=f"{kind}:", exact=False), folder
    )


def saved_rows(opened: WatchedPage, figure: str, folder: Path) -> list[dict[str, str]]:
    with save(opened, figure, "TSV", folder).open(newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


OPEN = "document.querySelectorAll('{}').forEach((each) => {{ each.open = true }})"


def open_everything(page: Page) -> None:
    page.evaluate(OPEN.format("details"))


@pytest.mark.parametrize("over_http", [False, True])
@pytest.mark.parametrize("genome", ["human_MT.fa", "lambda_NC_001416.fa", "phiX174.fa"])
def test_a_page_opens_and_each_plot_has_its_tools(
    genome: str, over_http: bool, open_page: OpenPage, write_report: WriteReport
) -> None:
    report = report_of((DATA / genome).read_bytes(), name=genome)

    opened = open_page(write_report(report), over_http=over_http)

    figures = opened.page.locator("figure.plot")
    assert figures.count() == len(data_of(report)) > 5
    for figure in figures.all():
        expect(figure.get_by_role("button", name="TSV:")).to_be_visible()
        expect(figure.locator(FOCUS).first).to_be_visible()
    assert opened.requests == [opened.url]


def test_the_value_that_keys_lead_to_is_announced(
    report: Report, open_page: OpenPage, write_report: WriteReport
) -> None:
    opened = open_page(write_report(report))
    sequences = report.master.sequences

    to_the_middle = opened.press("nx", *["ArrowRight"] * 200)
    assert to_the_middle == (
        f"records, x 50 % of the length: N(x) {sequences.N50:,} bases, L {sequences.L50}"
    )
    assert tip(opened, "nx").endswith(f"N(x) {sequences.N50:,} bases | L {sequences.L50}")
    assert opened.press("nx", "ArrowDown") == (
        f"contigs, x 50 % of the length: N(x) {sequences.contigs.N50:,} bases,"
        f" L {sequences.contigs.L50}"
    )
    assert f"N(x) {sequences.shortest:,} bases" in opened.press("nx", "ArrowUp", "End")
    assert f"N(x) {sequences.longest:,} bases" in opened.press("nx", "Home")

    assert opened.press("snail", *["ArrowRight"] * 200).startswith(
        f"x 50 %: N {sequences.N50:,}, L {sequences.L50}, GC "
    )
    assert f"summed length {sequences.length:,} bases" in opened.press("cumulative", "End")


def test_every_value_of_a_curve_is_announced(
    report: Report, open_page: OpenPage, write_report: WriteReport
) -> None:
    opened = open_page(write_report(report))

    said = stage(opened, "nx").evaluate(
        """(stage, presses) => Array.from({ length: presses }, () => {
          stage.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
          return stage.closest("figure").querySelector("[role=status]").textContent;
        })""",
        len(report.survey.records.steps),
    )

    assert said == [
        f"records, x {percent:g} % of the length: N(x) {step.n:,} bases, L {step.l}"
        for percent, step in zip(
            (each / 4 for each in range(1, 401)), report.survey.records.steps, strict=True
        )
    ]


def test_records_and_their_gaps_are_announced(
    report: Report, open_page: OpenPage, write_report: WriteReport
) -> None:
    opened = open_page(write_report(report))
    place, groups = next(each for each in enumerate(report.survey.tracks) if each[1])
    row, group = report.survey.listed[place], groups[0]

    said = opened.press("gap-tracks", "Home", *["ArrowDown"] * place)
    assert said == f"{row.name}, length {row.length:,} bases: 1 gap, {row.n:,} bases of N"
    said = opened.press("gap-tracks", "ArrowRight")
    assert said == (
        f"{row.name}, bases {group.start_base:,} to {group.end_base:,}:"
        f" 1 gap, {group.bases:,} bases of N"
    )

    longest = report.survey.listed[0]
    said = opened.press("gc", "End")
    assert said.startswith(f"records, {longest.name}, length {longest.length:,} bases: GC ")


@pytest.mark.parametrize("k", [1, 3, 6])
def test_the_chaos_game_picture_says_the_kmer_at_each_place(
    k: int, report: Report, open_page: OpenPage, write_report: WriteReport
) -> None:
    opened = open_page(write_report(report))
    left, top, side = data_of(report)[f"chaos-k{k}"]["square"]
    draw = random.Random(k)

    for code in {0, 4**k - 1, *(draw.randrange(4**k) for _ in range(20))}:
        kmer = "".join("ACGT"[code >> 2 * place & 3] for place in reversed(range(k)))
        # Each base goes half of the way to its corner (Jeffrey 1990).
        x, y = 0.5, 0.5
        for base in kmer:
            x, y = (x + (base in "GT")) / 2, (y + (base in "AT")) / 2

        said = point_at(opened, f"chaos-k{k}", left + side * x, top + side * y)

        assert said == f"{kmer} | count {report.counts[k][code]:,}"


def test_a_folded_picture_says_both_kmers_that_are_one(
    open_page: OpenPage, write_report: WriteReport, tmp_path: Path
) -> None:
    report = report_of(draft(), (2, 7), canonical=True)
    opened = open_page(write_report(report))

    assert opened.press("chaos-k2", "Home") == f"CC or GG: count {report.counts[2][0b0101]:,}"
    assert opened.press("chaos-k2", "ArrowDown").startswith("AC or GT: ")
    rows = saved_rows(opened, "chaos-k2", tmp_path)
    assert [row["kmer"] for row in rows] == [
        "AA",
        "AC",
        "AG",
        "AT",
        "CA",
        "CC",
        "CG",
        "GA",
        "GC",
        "TA",
    ]
    assert sum(int(row["count"]) for row in rows) == report.master.kmers[0].total
    assert len(saved_rows(opened, "chaos-k7", tmp_path)) == report.master.kmers[1].possible


def test_the_pointer_shows_what_is_nearest(
    report: Report, open_page: OpenPage, write_report: WriteReport
) -> None:
    opened = open_page(write_report(report))
    nx = data_of(report)["nx"]
    left, right = nx["x"]["range"]
    bottom, top = nx["y"]["range"]

    # Between 50 and 50.25 %, the curve has the value of its right end.
    said = point_at(opened, "nx", left + (right - left) * 0.5012, top)

    step = report.survey.records.steps[200]
    assert said == f"records | x 50.25 % of the length | N(x) {step.n:,} bases | L {step.l}"
    assert opened.announcement("nx").text_content() == ""
    assert point_at(opened, "nx", left - 30, bottom) == ""
    assert opened.figure("nx").locator(".cursor *").count() == 0


def test_the_pointer_tells_dots_apart_by_name(
    report: Report, open_page: OpenPage, write_report: WriteReport
) -> None:
    opened = open_page(write_report(report))
    dots = opened.figure("gc").locator("path.dots").get_attribute("d") or ""
    places = [tuple(map(float, each)) for each in re.findall(r"M([\d.]+) ([\d.]+)h0", dots)]
    names = [row.name for row in report.survey.listed]
    assert len(places) == len(names)

    for name, (x, y) in list(zip(names, places, strict=True))[::7]:
        assert f"| {name} |" in point_at(opened, "gc", x, y)


def test_what_a_finger_showed_stays_when_it_is_lifted(
    report: Report, open_page: OpenPage, write_report: WriteReport
) -> None:
    opened = open_page(write_report(report))
    drawing = opened.figure("nx").locator("svg")
    box = drawing.bounding_box()
    assert box is not None
    finger = {
        "pointerType": "touch",
        "clientX": box["x"] + box["width"] / 2,
        "clientY": box["y"] + box["height"] / 2,
    }

    drawing.dispatch_event("pointerdown", finger)
    shown = tip(opened, "nx")
    drawing.dispatch_event("pointerleave", finger)
    assert " | x " in shown
    assert tip(opened, "nx") == shown

    # The finger scrolls the page.
    drawing.dispatch_event("pointercancel", finger)
    assert tip(opened, "nx") == ""


def test_zoom_shows_a_part_with_ticks_of_its_own_and_escape_shows_the_whole(
    report: Report, open_page: OpenPage, write_report: WriteReport
) -> None:
    opened = open_page(write_report(report))
    figure = opened.figure("gc")
    before = figure.locator("svg").inner_html()

    opened.press("gc", "End", "+", "+")
    scale, *_, down = matrix(figure)
    assert scale == 4
    assert down != 0
    assert figure.locator("svg").inner_html() != before
    x_ticks = figure.locator(".axis.x .tick text").all_text_contents()
    assert len([each for each in x_ticks if each]) > 1
    frame = data_of(report)["gc"]["x"]["range"]
    spot = figure.locator(".cursor circle.spot")
    assert frame[0] <= float(spot.get_attribute("cx") or "") <= frame[1]

    opened.press("gc", "-")
    assert matrix(figure)[0] == 2
    assert opened.press("gc", "Escape") == ""
    assert figure.locator("svg").inner_html() == before


def matrix(figure: Locator) -> list[float]:
    """The transform of a figure's marks."""
    transform = figure.locator("g.marks").first.get_attribute("transform")
    return [float(each) for each in re.findall(r"-?[\d.]+(?:e-\d+)?", transform or "")]


def test_the_cursor_stays_in_view_when_zoomed(
    report: Report, open_page: OpenPage, write_report: WriteReport
) -> None:
    opened = open_page(write_report(report))
    frame = data_of(report)["nx"]["x"]["range"]

    opened.press("nx", "Home", "+", "+", "+", "End")

    spot = opened.figure("nx").locator(".cursor circle.spot")
    assert frame[1] - 2 <= float(spot.get_attribute("cx") or "") <= frame[1]
    expect(opened.figure("nx").locator(".axis.x .tick text").last).to_have_text("100")


def test_the_wheel_scrolls_the_page_unless_it_is_meant_for_the_plot(
    report: Report, open_page: OpenPage, write_report: WriteReport
) -> None:
    opened = open_page(write_report(report))
    page, figure = opened.page, opened.figure("nx")
    point_at(opened, "nx", 200, 200)

    before = page.evaluate("scrollY")
    page.mouse.wheel(0, 50)
    page.wait_for_function("before => scrollY > before", arg=before)
    assert matrix(figure) == []

    point_at(opened, "nx", 200, 200)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    expect(figure.locator("g.marks")).to_have_attribute("transform", re.compile("matrix"))

    zoomed = matrix(figure)
    page.mouse.down()
    page.mouse.move(10, 0)
    page.mouse.up()
    assert matrix(figure)[0] == zoomed[0]
    assert matrix(figure)[4] != zoomed[4]
    figure.get_by_role("button", name="Reset").click()
    assert matrix(figure) == []

    stage(opened, "nx").focus()
    point_at(opened, "nx", 200, 200)
    page.mouse.wheel(0, -200)
    expect(figure.locator("g.marks")).to_have_attribute("transform", re.compile("matrix"))


def test_a_curve_is_saved_as_the_reports_numbers(
    report: Report, open_page: OpenPage, write_report: WriteReport, tmp_path: Path
) -> None:
    opened = open_page(write_report(report))

    rows = saved_rows(opened, "nx", tmp_path)

    assert list(rows[0]) == ["series", "x_percent", "N_bases", "L"]
    survey = report.survey
    for name, lengths in (("records", survey.records), ("contigs", survey.contigs)):
        found = [row for row in rows if row["series"] == name]
        assert [(int(row["N_bases"]), int(row["L"])) for row in found] == [
            (step.n, step.l) for step in lengths.steps
        ]
        assert [float(row["x_percent"]) for row in found] == [each / 4 for each in range(1, 401)]
    assert (tmp_path / "draft.fa.nx.tsv").exists()


def test_records_are_saved_with_their_gaps(
    report: Report, open_page: OpenPage, write_report: WriteReport, tmp_path: Path
) -> None:
    opened = open_page(write_report(report))

    rows = saved_rows(opened, "gap-tracks", tmp_path)
    with_gaps = [row for row in rows if row["gaps"] != "0"]

    assert [(row["name"], int(row["start_base"]), int(row["end_base"])) for row in with_gaps] == [
        (row.name, group.start_base, group.end_base)
        for row, groups in zip(report.survey.listed, report.survey.tracks, strict=False)
        for group in groups
    ]
    assert {row["name"] for row in rows} == {row.name for row in report.survey.listed[:20]}

    rows = saved_rows(opened, "gc", tmp_path)
    assert [(row["name"], int(row["length_bases"])) for row in rows] == [
        (row.name, row.length) for row in report.survey.listed
    ]


def test_counts_of_kmers_are_saved_exactly_or_between_bounds(
    report: Report, open_page: OpenPage, write_report: WriteReport, tmp_path: Path
) -> None:
    opened = open_page(write_report(report))

    assert [int(row["count"]) for row in saved_rows(opened, "chaos-k5", tmp_path)] == list(
        report.counts[5]
    )
    rows = saved_rows(opened, "chaos-k8", tmp_path)
    assert len(rows) == 4**8
    for row, count in zip(rows, report.counts[8], strict=True):
        assert int(row["count_from"]) <= count <= int(row["count_to"])


def test_every_figure_is_saved_as_an_svg_that_stands_alone(
    report: Report, open_page: OpenPage, write_report: WriteReport, tmp_path: Path
) -> None:
    opened = open_page(write_report(report), Look(scheme="dark"))
    opened.press("nx", "End", "+")

    for figure in data_of(report):
        path = save(opened, figure, "SVG", tmp_path)
        assert path.name == f"draft.fa.{figure}.svg"
        root = ElementTree.parse(path).getroot()  # noqa: S314 - made here
        assert root.tag == f"{SVG}svg"
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        assert (float(root.attrib["width"]), float(root.attrib["height"])) == (width, height)
        assert root.findtext(f"{SVG}title")
        assert root.findtext(f"{SVG}desc")
        style = root.findtext(f"{SVG}style") or ""
        assert "--ink, #" in style
        assert "prefers-color-scheme" not in style
        assert not root.findall(f".//{SVG}g[@class='cursor']")
        assert {each.tag.removeprefix(SVG) for each in root.iter()} <= DRAWN
    zoomed = (tmp_path / "draft.fa.nx.svg").read_text()
    assert 'transform="matrix(2 0 0 1' in zoomed


DRAWN = {
    "svg",
    "title",
    "desc",
    "style",
    "rect",
    "clipPath",
    "g",
    "path",
    "line",
    "text",
    "circle",
    "image",
}


@pytest.mark.parametrize("figure", ["snail", "gc", "chaos-k8"])
def test_a_figure_is_saved_as_a_png_of_twice_its_size(
    figure: str, report: Report, open_page: OpenPage, write_report: WriteReport, tmp_path: Path
) -> None:
    opened = open_page(write_report(report), Look(scheme="dark"))
    box = opened.figure(figure).locator("svg").get_attribute("viewBox") or ""
    _, _, width, height = map(int, box.split())

    png = save(opened, figure, "PNG", tmp_path).read_bytes()

    assert struct.unpack(">II", png[16:24]) == (PNG_SCALE * width, PNG_SCALE * height)
    pixels = opened.page.evaluate(PIXELS, "data:image/png;base64," + b64encode(png).decode())
    assert pixels["corner"] == [255, 255, 255, 255]
    assert pixels["colours"] > 20


PIXELS = """async (url) => {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const colours = new Set();
  for (let i = 0; i < data.length; i += 4) colours.add(data.slice(i, i + 4).join());
  return { corner: [...data.slice(0, 4)], colours: colours.size };
}"""


def test_a_table_shows_at_most_2000_rows_and_says_so(
    report: Report, open_page: OpenPage, write_report: WriteReport
) -> None:
    opened = open_page(write_report(report))
    figure = opened.figure("chaos-k6")
    assert figure.locator("table").count() == 0

    figure.locator("summary").click()

    expect(figure.locator("tbody tr")).to_have_count(2000)
    expect(figure.locator("caption")).to_contain_text("the first 2,000 of 4,096 rows")
    opened.figure("nx").locator("summary").click()
    expect(opened.figure("nx").locator("tbody tr")).to_have_count(800)


def test_the_table_of_records_is_sorted_by_its_headers(
    report: Report, open_page: OpenPage, write_report: WriteReport
) -> None:
    opened = open_page(write_report(report))
    table = opened.page.locator("table.sortable")
    rows = report.survey.listed[:50]

    def column(place: int) -> list[str]:
        return table.locator(f"tbody td:nth-child({place})").all_text_contents()

    table.get_by_role("button", name="Name").click()
    assert column(2) == sorted(row.name for row in rows)
    header = table.get_by_role("columnheader", name="Name")
    expect(header).to_have_attribute("aria-sort", "ascending")

    table.get_by_role("button", name="Length", exact=True).click()
    table.get_by_role("button", name="Length", exact=True).click()
    assert column(3) == [f"{length:,}" for length in sorted(row.length for row in rows)]
    assert header.get_attribute("aria-sort") is None


def test_the_numbers_are_copied_as_text(
    report: Report, open_page: OpenPage, write_report: WriteReport
) -> None:
    opened = open_page(write_report(report))
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    opened.page.get_by_role("button", name="Copy as text").click()

    expect(opened.page.get_by_text("Copied.")).to_be_visible()
    copied = opened.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("file\tdraft.fa\n")
    assert f"{report.master.sequences.N50:,} bases" in copied


def test_hostile_names_stay_text(
    open_page: OpenPage, write_report: WriteReport, tmp_path: Path
) -> None:
    def report(names: list[bytes]) -> Report:
        text = b"".join(b">%s\n%s\n" % (name, b"ACGTNACGTT" * 30) for name in names)
        return report_of(text, name='a\u202e<img src=x onerror="alert(1)">.fa')

    def elements(opened: WatchedPage) -> dict[str, int]:
        """How many elements there are of each kind, with every table and tip shown."""
        open_everything(opened.page)
        for figure in ("gc", "gap-tracks"):
            opened.press(figure, "End")
        found: dict[str, int] = opened.page.evaluate(COUNTED)
        return found

    harmless = open_page(
        write_report(report([name and b"n%d" % i for i, name in enumerate(HOSTILE)]))
    )
    expected = elements(harmless)

    opened = open_page(write_report(report(list(HOSTILE))))

    assert elements(opened) == expected
    said = [opened.press("gap-tracks", "Home")]
    said += [opened.press("gap-tracks", "ArrowDown") for _ in HOSTILE]
    assert any("</script><script>alert(1)</script>" in each for each in said)
    path = save(opened, "gap-tracks", "TSV", tmp_path)
    assert path.parent == tmp_path
    assert b"<img/src=x/onerror=alert(1)>\t300\t" in path.read_bytes()
    for figure in ("gc", "gap-tracks"):
        ElementTree.parse(save(opened, figure, "SVG", tmp_path))  # noqa: S314 - made here


COUNTED = """() => {
  const found = {};
  for (const { localName } of document.querySelectorAll("*"))
    found[localName] = (found[localName] ?? 0) + 1;
  return found;
}"""


def test_the_plots_are_there_without_scripts(
    report: Report, open_page: OpenPage, write_report: WriteReport
) -> None:
    opened = open_page(write_report(report), Look(scripts=False))

    drawings = opened.page.locator("figure.plot > svg")
    assert drawings.count() == len(data_of(report))
    for drawing in drawings.all():
        box = drawing.bounding_box()
        assert box is not None
        assert box["width"] > 300
        assert box["height"] > 200
    assert opened.page.get_by_role("button", name="Copy as text").count() == 0
    assert opened.page.locator(".toolbar").count() == 0


def test_paper_has_light_colours_and_no_tools(
    report: Report, open_page: OpenPage, write_report: WriteReport
) -> None:
    opened = open_page(write_report(report), Look(scheme="dark"))
    body = opened.page.locator("body")
    expect(body).not_to_have_css("background-color", "rgb(255, 255, 255)")

    opened.page.emulate_media(media="print")

    expect(body).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(opened.page.locator("#nx-title")).to_have_css("color", "rgb(29, 38, 48)")
    for tools in opened.page.locator(".toolbar, #copy, details.data").all():
        expect(tools).to_be_hidden()
    assert opened.pdf().startswith(b"%PDF-")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_page_without_scrolling_sideways(
    scheme: Any, open_page: OpenPage, write_report: WriteReport
) -> None:
    report = report_of(draft(), (2, 7), name="draft.fa" * 20)
    opened = open_page(write_report(report), Look(width_px=PHONE_WIDTH_PX, scheme=scheme))
    opened.page.evaluate(OPEN.format("details.fold"))

    for figure in data_of(report):
        if not figure.startswith("chaos-k7"):
            opened.figure(figure).locator("summary").click()
        opened.press(figure, "End")
        assert opened.overflow_px() == 0, figure
        box = opened.figure(figure).locator(".tip").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE_WIDTH_PX


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width_px", [1280, PHONE_WIDTH_PX])
def test_there_is_no_barrier_when_things_are_open(
    scheme: Any, width_px: int, axe: str, open_page: OpenPage, write_report: WriteReport
) -> None:
    # axe-core takes minutes for tables of thousands of rows.
    report = report_of(draft(), (2,), name="draft.fa")
    opened = open_page(write_report(report), Look(width_px=width_px, scheme=scheme))
    opened.page.evaluate(OPEN.format("details.fold"))
    for figure in ("gc", "gap-tracks", "chaos-k2"):
        opened.figure(figure).locator("summary").click()
    opened.press("gc", "End", "+")

    opened.page.evaluate(axe)
    found = opened.page.evaluate("axe.run({resultTypes: ['violations']})")

    assert [
        (each["id"], each["impact"], each["nodes"][0]["target"]) for each in found["violations"]
    ] == []


def test_the_largest_page_answers_the_pointer_and_saves_all_of_its_cells(
    open_page: OpenPage, write_report: WriteReport, tmp_path: Path
) -> None:
    report = large_report(draft(), with_grid=True, name="record")
    opened = open_page(write_report(report))
    grid = report.survey.grid
    assert grid is not None

    rows = saved_rows(opened, "gc", tmp_path)

    cells = [row for row in rows if row["name"] == ""]
    assert [(int(row["count"]), int(row["sum_length_bases"])) for row in cells] == [
        (cell.count, cell.sum) for cell in grid.cells
    ]
    assert "count " in point_at(opened, "gc", 200, 250)
