"""What it costs to wait for the disk: a part of `make bench`.

    python benchmarks/sync_cost.py [--runs N]

The same run with and without its fsync calls, whole processes in turns. The table goes to SYNC.md.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import machine
import tools
from measure import measure

HERE = Path(__file__).parent
TARGET_PERCENT = 5.0

RUN = "from fanfold.cli import main; main()"
WITHOUT_SYNC = f"import os; os.fsync = lambda _: None; {RUN}"


class Case(NamedTuple):
    """A genome and how it is cut."""

    name: str
    bases: int
    slice_bytes: int


CASES = (
    Case("10,000 slices of 10 kB, k=5", 98_000_000, 10_000),
    Case("one slice of 100 kB, k=5", 100_000, 1_000_000),
)


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description="Measure what syncing costs.")
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    machine.pin_to_cores()
    fanfold = tools.find_fanfold()
    if fanfold is None:
        sys.exit("there is no fanfold to measure: make test sets it up")
    python = fanfold.with_name("python")
    with tempfile.TemporaryDirectory(prefix="sync-", dir=HERE) as name:
        lines = [row(case, python, Path(name), arguments.runs) for case in CASES]
    (HERE / "SYNC.md").write_text(document(lines, arguments.runs))
    print("\n".join(lines))


def row(case: Case, python: Path, folder: Path, runs: int) -> str:
    """A line of the table: medians, and the median of the ratios of neighbouring runs."""
    genome = folder / f"{case.bases}.fa"
    generate: list[str | Path] = [
        sys.executable,
        HERE / "generate.py",
        genome,
        "--bases",
        str(case.bases),
    ]
    subprocess.run(generate, check=True, stdout=subprocess.DEVNULL)
    walls: dict[str, list[float]] = {RUN: [], WITHOUT_SYNC: []}
    cpus: dict[str, list[float]] = {RUN: [], WITHOUT_SYNC: []}
    for turn in range(runs + 1):
        for program in (RUN, WITHOUT_SYNC) if turn % 2 else (WITHOUT_SYNC, RUN):
            out = folder / "out"
            words = ["run", str(genome), "--out", str(out), "-q"]
            words += ["--slice-size", str(case.slice_bytes)]
            found = measure([python, "-c", program, *words], folder)
            shutil.rmtree(out)
            if turn:  # the first is for the caches
                walls[program].append(found.wall_seconds)
                cpus[program].append(found.cpu_seconds)
    ratios = [one / other for one, other in zip(walls[RUN], walls[WITHOUT_SYNC], strict=True)]
    percent = 100 * (statistics.median(ratios) - 1)
    wall, cpu = (statistics.median(each[RUN]) for each in (walls, cpus))
    bare = statistics.median(walls[WITHOUT_SYNC])
    return f"| {case.name} | {wall:.3f} s | {bare:.3f} s | {percent:+.1f} % | {cpu:.2f} s |"


def document(lines: list[str], runs: int) -> str:
    """The table, with what it was measured on."""
    return "\n".join(
        [
            "# What syncing costs",
            "",
            f"`python benchmarks/sync_cost.py --runs {runs}`: whole processes in turns, medians;",
            f"the difference is the median of {runs} ratios. Target: below {TARGET_PERCENT:g} %.",
            "",
            machine.describe(),
            "",
            "| work | wall | without fsync | difference | CPU |",
            "| --- | --- | --- | --- | --- |",
            *lines,
            "",
            "Slices are not synced: each is proven when it is read, or scanned again.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
