"""The page over many inputs in a browser."""

from __future__ import annotations

import re
from pathlib import Path

from report.genomes import HOSTILE_NAMES, genome, thousand_genomes

from browser.conftest import OpenPage
from browser.watching import PHONE_WIDTH_PX, Look
from fanfold.report.page.index_page import index_page


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
