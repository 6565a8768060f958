"""axe-core: finds what keeps readers with disabilities from reading a page."""

from __future__ import annotations

import json
from pathlib import Path

from node_packages import node_package
from playwright.sync_api import Browser

from browser.watching import Look, open_context

_PAGE_PACKAGES = json.loads((Path(__file__).parents[2] / "page" / "package.json").read_text())
AXE_CORE: str = _PAGE_PACKAGES["devDependencies"]["axe-core"]
"""The version that the page's packages name."""


def axe_source(packages: Path) -> str:
    """The script, installed below `packages` the first time.

    Raises:
        PackageUnavailableError: npm can't install it here.
    """
    folder = node_package("axe-core", AXE_CORE, packages)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


def barriers(browser: Browser, url: str, source: str, look: Look | None = None) -> list[str]:
    """What axe-core finds wrong with a page: a line for each rule, with the elements that break it.

    Playwright runs the script beside the page's own, so the page's policy stays in force.
    """
    with open_context(browser, look or Look()) as context:
        page = context.new_page()
        page.goto(url)
        page.evaluate(source)
        found = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}: "
        + ", ".join(str(node["target"]) for node in rule["nodes"])
        for rule in found["violations"]
    ]
