"""The pictures in this folder, made again: `make pictures`.

    python docs/images/make.py [--genomes DIR]

Drawings are what `fanfold plot` writes; pictures of pages are taken with Debian's Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Page, sync_playwright

import fanfold

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]

GOOD = "S_cerevisiae_16chr.fa"
POOR = "draft_11239contigs.fa.gz"
GAPPED = "P_knowlesi_draft.fa.gz"
CHROMOSOME = "hs37_chr20.fa.gz"
COMPARED = (
    GOOD,
    GAPPED,
    "S_aureus_draft767.fa",
    "V_cholerae_draft1407.fa",
    "454AllContigs_mixedcase.fna",
    "ecoli_K12_GCF_000005845.2.fna.gz",
)

WIDTH_PX, HEIGHT_PX, SERVE_HEIGHT_PX = 1280, 1210, 740


class Drawing(NamedTuple):
    """An SVG file: what it is called, and the plot of which genome it is."""

    file: str
    genome: str
    plot: str
    k: int | None = None


DRAWINGS = (
    Drawing("snail-good.svg", GOOD, "snail"),
    Drawing("snail-poor.svg", POOR, "snail"),
    Drawing("nx-good.svg", GOOD, "nx"),
    Drawing("nx-poor.svg", POOR, "nx"),
    Drawing("cumulative-poor.svg", POOR, "cumulative"),
    Drawing("gc-good.svg", GOOD, "gc"),
    Drawing("gc-poor.svg", POOR, "gc"),
    Drawing("gaps.svg", GAPPED, "gaps"),
    Drawing("spectrum.svg", CHROMOSOME, "spectrum", 8),
    Drawing("cgr.svg", CHROMOSOME, "cgr", 6),
)


def main() -> None:
    """Analyse the genomes, and draw."""
    parser = argparse.ArgumentParser(description="Make the pictures of the documentation again.")
    parser.add_argument(
        "--genomes",
        type=Path,
        default=CHECKOUT.parent / "shared" / "genomes",
        help="folder of the real genomes",
    )
    genomes: Path = parser.parse_args().genomes
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no `chromium` here (Debian package chromium)")
    with tempfile.TemporaryDirectory(prefix="pictures-") as name:
        folder = Path(name)
        for each in (POOR, CHROMOSOME):
            fanfold.run(genomes / each, k=[6, 8], out=folder / each)
        for outcome in fanfold.run_many([genomes / each for each in COMPARED], out=folder):
            if outcome.error is not None:
                sys.exit(str(outcome.error))
        for drawing in DRAWINGS:
            svg = fanfold.plot(folder / drawing.genome, drawing.plot, k=drawing.k)
            (HERE / drawing.file).write_bytes(svg)
        take(chromium, folder / GOOD / "report.html", HERE / "report.png")
        take(chromium, folder / "index.html", HERE / "index.png", is_whole=True)
        take_server(chromium, genomes, folder / "root")


def take(chromium: str, page: Path, picture: Path, *, is_whole: bool = False) -> None:
    """Take a picture of a page: of its first screen, or of all of it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            # Nothing listens there: the page has to do without other hosts.
            args=["--proxy-server=127.0.0.1:9"],
        )
        shown = browser.new_page(viewport={"width": WIDTH_PX, "height": HEIGHT_PX})
        shown.goto(page.as_uri())
        shown.screenshot(path=picture, full_page=is_whole)
        browser.close()


def take_server(chromium: str, genomes: Path, root: Path) -> None:
    """Take pictures of the server's page: where jobs start, and one that runs."""
    bucket = root / "genomes"
    bucket.mkdir(parents=True)
    for name in (GOOD, GAPPED, CHROMOSOME):
        shutil.copy(genomes / name, bucket / name)
    command = [sys.executable, "-m", "fanfold", "serve", "--root", str(root), "--port", "0"]
    server = subprocess.Popen(  # noqa: S603 - this program itself
        [*command, "--threads", "1"], stdout=subprocess.PIPE, text=True
    )
    try:
        url = server.stdout.readline().strip() if server.stdout else ""
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium)
            page = browser.new_page(viewport={"width": WIDTH_PX, "height": SERVE_HEIGHT_PX})
            for name in (GOOD, GAPPED):
                start(page, url, name, 65_536)
                page.locator("#state", has_text="succeeded").wait_for()
            start(page, url, CHROMOSOME, 40_000)
            page.locator("#n-rate", has_text="/s").wait_for()
            page.screenshot(path=HERE / "serve-job.png")
            page.goto(url)
            page.locator("#jobs tbody tr").nth(2).wait_for()
            page.screenshot(path=HERE / "serve.png")
            browser.close()
    finally:
        server.terminate()
        server.wait()


def start(page: Page, url: str, name: str, slice_bytes: int) -> None:
    """Start a job of the bucket `genomes` by the page."""
    page.goto(url)
    page.locator("#genome").fill(f"genomes/{name}")
    page.get_by_text("More", exact=True).click()
    page.locator("#slice").fill(str(slice_bytes / 1024**2))
    page.get_by_role("button", name="Analyse").click()


if __name__ == "__main__":
    main()
