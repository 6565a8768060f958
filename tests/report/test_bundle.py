"""The script of the pages, as it is committed: built from `page/`, and harmless by itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "page"
ASSETS = ROOT / "src" / "fanfold" / "report" / "page" / "assets"
SERVER = ROOT / "src" / "fanfold" / "web" / "assets"
BUILT = (ASSETS / "page.js", ASSETS / "page.js.LICENSES.txt", SERVER / "serve.js")

MOST_BYTES = 120_000
"""Every page holds the script."""


def test_the_committed_script_is_what_its_source_makes(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("*** LEFT OUT: BUILDING THE PAGE'S SCRIPT: no `npm` here: install Node.js 20")
    copy, made = tmp_path / "page", tmp_path / "made"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("node_modules"))
    install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    installed = subprocess.run(install, cwd=copy, capture_output=True, text=True, check=False)
    assert "EUSAGE" not in installed.stderr, "package.json and package-lock.json differ"
    if installed.returncode:
        pytest.skip(f"*** LEFT OUT: BUILDING THE PAGE'S SCRIPT: npm ci: {installed.stderr[-500:]}")

    subprocess.run(["npm", "run", "build", "--", made], cwd=copy, capture_output=True, check=True)

    for path in BUILT:
        assert (made / path.name).read_bytes() == path.read_bytes(), f"{path.name}: `make page`"


def test_nothing_in_the_script_makes_markup_or_code_of_text_or_loads_anything() -> None:
    script = (ASSETS / "page.js").read_text()

    found = re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment"
        r"|setHTMLUnsafe|DOMParser|\beval\(|\bFunction\(|\bfetch\(|XMLHttpRequest|WebSocket"
        r"|\bimport\(|sendBeacon|localStorage|document\.cookie",
        script,
    )

    assert found == []


def test_nothing_in_the_server_s_script_makes_markup_or_code_of_text() -> None:
    script = (SERVER / "serve.js").read_text()

    found = re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment"
        r"|setHTMLUnsafe|DOMParser|\beval\(|\bFunction\(|WebSocket|\bimport\(|sendBeacon"
        r"|localStorage|document\.cookie|https?:",
        script,
    )

    assert found == []


def test_the_script_can_stand_in_a_page() -> None:
    script = (ASSETS / "page.js").read_bytes()

    assert script.isascii()
    assert re.search(rb"</script|<!--|<script", script, re.IGNORECASE) is None
    assert len(script) < MOST_BYTES


def test_the_script_holds_the_licences_of_what_it_is_built_from() -> None:
    script = (ASSETS / "page.js").read_text()
    notice = script[: script.index("*/")]
    packages = (ASSETS / "page.js.LICENSES.txt").read_text().split(f"\n{'-' * 80}\n\n")

    for each in packages:
        title, text = each.split("\n\n", 1)
        assert title.split()[0] in notice
        assert text.strip() in notice
    assert {each.split()[0] for each in packages} >= {"d3-selection", "d3-zoom", "d3-ease"}
