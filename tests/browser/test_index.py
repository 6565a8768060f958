"""The page over many genomes, in a browser."""

from __future__ import annotations

import re
from array import array
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from report.genomes import HOSTILE_NAMES, genome, thousand_genomes

from browser.axe import barriers
from browser.conftest import OpenPage
from browser.watching import PHONE_WIDTH_PX, Look
from fanfold.report.distances import distances_of
from fanfold.report.measures import IndexRow
from fanfold.report.page.index_page import index_page

GENOMES = [
    *(genome(f"{place}.fa", 1000 + place, 500 + place) for place in range(9)),
    genome("long.fa", 90_000, 40_000, gc=45_000),
    genome("poor.fa", 1004, 100, gc=40, n=7),
]
FAILED = {"reads.fq": "reads.fq: FASTQ, not FASTA"}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return written(tmp_path, GENOMES)


def written(folder: Path, rows: list[IndexRow]) -> Path:
    path = folder / "index.html"
    path.write_bytes(index_page(rows, FAILED))
    return path


def names(page: Page) -> list[str]:
    return page.locator("tbody th").all_inner_texts()


def header(page: Page, title: str) -> Locator:
    return page.locator("thead th").filter(has_text=re.compile(f"^{title}$"))


def press(page: Page, title: str) -> None:
    header(page, title).get_by_role("button").click()


def test_a_header_sorts_the_genomes_and_says_so(open_page: OpenPage, index: Path) -> None:
    page = open_page(index).page

    press(page, "N50")
    assert names(page)[:3] == ["long.fa", "8.fa", "7.fa"]
    expect(header(page, "N50")).to_have_attribute("aria-sort", "descending")
    press(page, "N50")
    assert names(page)[:3] == ["poor.fa", "0.fa", "1.fa"]
    expect(header(page, "N50")).to_have_attribute("aria-sort", "ascending")
    press(page, "Outlier in")
    assert set(names(page)[:2]) == {"long.fa", "poor.fa"}
    expect(page.locator("th[aria-sort]")).to_have_count(1)


def test_a_thousand_genomes_can_be_sorted(open_page: OpenPage, tmp_path: Path) -> None:
    rows = thousand_genomes()
    page = open_page(written(tmp_path, rows)).page

    press(page, "Length")

    longest = sorted(rows, key=lambda row: -row.measures.length)
    assert names(page) == [row.name for row in longest]


def test_the_keys_walk_along_the_curves_and_from_one_to_the_next(
    open_page: OpenPage, index: Path
) -> None:
    opened = open_page(index)

    assert "0.fa" in opened.press("nx-all", "ArrowRight")
    said = opened.press("nx-all", "ArrowDown")
    assert "1.fa" in said
    assert "501" in said


def test_all_curves_are_downloaded_with_exact_numbers(
    open_page: OpenPage, index: Path, tmp_path: Path
) -> None:
    opened = open_page(index)
    button = opened.page.locator("#nx-all").get_by_role("button", name="TSV")

    saved = opened.download(button, tmp_path)

    titles, *rows = saved.read_text().splitlines()
    assert titles.split("\t") == ["series", "x_percent", "N_bases"]
    assert [row.split("\t") for row in rows] == [
        [row.name, str(x), str(n)] for row in GENOMES for x, n in enumerate(row.nx, 1)
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_bars_readers_with_disabilities(
    scheme: str, browser: Browser, axe: str, index: Path
) -> None:
    look = Look(scheme="dark" if scheme == "dark" else "light")

    assert barriers(browser, index.as_uri(), axe, look) == []


@pytest.mark.parametrize("rows", [GENOMES, [genome(name) for name in HOSTILE_NAMES]])
def test_a_phone_does_not_scroll_sideways(
    rows: list[IndexRow], open_page: OpenPage, tmp_path: Path
) -> None:
    opened = open_page(written(tmp_path, rows), Look(width_px=PHONE_WIDTH_PX))

    assert opened.overflow_px() == 0


def test_names_beside_the_heat_map_are_whole(open_page: OpenPage, tmp_path: Path) -> None:
    rows = [genome(name) for name in ("GCF_000005845.2_ASM584v2.fna.gz", "ECOLI_K12_MG1655.fna")]
    distances = distances_of([array("Q", [1, 2, 3, 4]), array("Q", [4, 3, 2, 1])], 1)
    path = tmp_path / "index.html"
    path.write_bytes(index_page(rows, {}, distances))

    drawn = open_page(path).figure("heat").locator("svg").first
    starts = drawn.evaluate("svg => [...svg.querySelectorAll('text')].map(t => t.getBBox().x)")

    assert len(starts) == 4  # two names, and two ends of the scale
    assert min(starts) >= 0


def test_hostile_names_are_text(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(written(tmp_path, [genome(name) for name in HOSTILE_NAMES])).page

    press(page, "Genome")

    assert len(names(page)) == len(HOSTILE_NAMES)
    assert page.locator("main img, main style, main script").count() == 0


def test_without_scripts_the_table_and_the_curves_show(open_page: OpenPage, index: Path) -> None:
    page = open_page(index, Look(scripts=False)).page

    assert names(page) == [row.name for row in GENOMES]
    expect(page.get_by_text("FASTQ, not FASTA")).to_be_visible()
    expect(page.locator("#nx-all svg")).to_be_visible()
    expect(page.locator("#copy")).to_be_hidden()


def test_each_of_a_thousand_curves_is_found_by_keys_and_drawn_on_top(
    open_page: OpenPage, tmp_path: Path
) -> None:
    genomes = thousand_genomes()
    path = tmp_path / "index.html"
    path.write_bytes(index_page(genomes, {}))
    opened = open_page(path)

    said = opened.press("nx-all", *["ArrowRight"] * 50, *["ArrowDown"] * 3)

    fourth = genomes[3]
    assert said.endswith(f", x 50 % of the length: N(x) {fourth.nx[49]:,} bases")
    trace = opened.figure("nx-all").locator(".cursor path.trace").get_attribute("d") or ""
    assert len(re.findall(r"[ML]", trace)) == 200


def test_a_table_of_hostile_names_is_sorted_and_scrolled_by_keys_on_a_phone(
    axe: str, open_page: OpenPage, tmp_path: Path
) -> None:
    rows = [genome(name, n50=100 + place) for place, name in enumerate(HOSTILE_NAMES)]
    path = tmp_path / "index.html"
    path.write_bytes(index_page(rows, {}))
    opened = open_page(path, Look(width_px=PHONE_WIDTH_PX))
    table = opened.page.locator("table.sortable")

    table.locator("thead button").first.click()
    opened.press("nx-all", "End")

    assert opened.overflow_px() == 0
    assert table.locator("tbody tr").count() == len(HOSTILE_NAMES)
    assert opened.page.locator("div.table").first.get_attribute("tabindex") == "0"
    opened.page.evaluate(axe)
    found = opened.page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    assert [(each["id"], each["impact"], each["nodes"][0]["target"]) for each in found] == []
