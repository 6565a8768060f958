"""What the pages cost: a part of `make bench`.

    python benchmarks/page.py [--runs N] [--quick]

A small whole run, the page alone of a large genome and of a million contigs, and the page over a
thousand genomes; each measurement is a process of its own. The table goes to PAGE.md.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import random
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import machine
import tools
from inputs import FULL, QUICK, Inputs
from measure import measure

HERE = Path(__file__).parent
CHECKOUT = HERE.parent

FANFOLD = (sys.executable, "-m", "fanfold")
CONTIGS, GENOMES = 1_000_000, 1_000
SHORTEST, MEAN_MORE = 200, 400
POOL_BASES = 16_000_000


class Cost(NamedTuple):
    """What a part of the work took, and the bytes of its page."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    page_bytes: int


class Target(NamedTuple):
    """What is asked of a case, in words and as a check."""

    words: str
    holds: Callable[[Cost], bool]


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description="Measure what the pages cost.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a smaller genome")
    parser.add_argument("--genomes", type=Path, default=CHECKOUT.parent / "shared" / "genomes")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(PARTS[arguments.part](arguments.folder)._asdict()))
        return
    machine.pin_to_cores()
    load = os.getloadavg()[0]
    data = HERE / "data"
    data.mkdir(exist_ok=True)
    scale = QUICK if arguments.quick else FULL
    inputs = Inputs(data, arguments.genomes, scale, tools.find_fanfold())
    with tempfile.TemporaryDirectory(prefix="page-", dir=HERE) as name:
        lines = list(rows(inputs, Path(name), arguments.runs))
    text = document(lines, arguments.runs, load)
    (HERE / "PAGE.md").write_text(text)
    print(text)


def rows(inputs: Inputs, folder: Path, runs: int) -> Iterator[str]:
    """The lines of the table."""
    phix, genome = inputs.make("phiX"), inputs.make("genome")
    yield row(
        "Python alone, for scale: `python -c pass`",
        [python_alone(folder) for _ in range(runs + 1)],
        None,
    )
    yield row(
        "phiX174 (5 kb), the whole of `fanfold run`, k=5",
        [whole_run(phix.path, folder) for _ in range(runs + 1)],
        Target("wall ≤ 0.15 s", lambda cost: cost.wall_seconds <= 0.15),
    )
    out = folder / "genome"
    run([genome.path], out, "-k", "5", "-k", "8")
    yield row(
        f"{genome.path.stat().st_size / 1e9:.1f} GB genome, the page alone, k=5 and 8",
        [part("page", out, folder) for _ in range(runs + 1)],
        Target(
            "wall ≤ 1 s, ≤ 1.5 MB",
            lambda cost: cost.wall_seconds <= 1 and cost.page_bytes <= 1_500_000,
        ),
    )
    shutil.rmtree(out)
    contigs, out = folder / "contigs.fa", folder / "contigs"
    write_contigs(contigs)
    run([contigs], out, "-k", "5", "-k", "8")
    contigs.unlink()
    yield row(
        f"{CONTIGS:,} contigs, survey and page, k=5 and 8",
        [part("page", out, folder) for _ in range(runs + 1)],
        Target(
            "wall ≤ 5 s, ≤ 200 MB, ≤ 1.5 MB",
            lambda cost: (
                cost.wall_seconds <= 5
                and cost.peak_bytes <= 200_000_000
                and cost.page_bytes <= 1_500_000
            ),
        ),
    )
    shutil.rmtree(out)
    many, out = folder / "many", folder / "results"
    write_genomes(many)
    run(sorted(many.iterdir()), out)
    yield row(
        f"{GENOMES:,} genomes, `summary.tsv` and `index.html`",
        [part("index", out, folder) for _ in range(runs + 1)],
        None,
    )


def python_alone(folder: Path) -> Cost:
    """The start and the end of Python, which every whole run includes."""
    found = measure([sys.executable, "-c", "pass"], folder)
    return Cost(found.wall_seconds, found.cpu_seconds, found.peak_bytes, 0)


def whole_run(genome: Path, folder: Path) -> Cost:
    """A run as a process."""
    out = folder / "out"
    found = measure([*FANFOLD, "run", genome, "--out", out, "-q"], folder)
    size = (out / "report.html").stat().st_size
    shutil.rmtree(out)
    return Cost(found.wall_seconds, found.cpu_seconds, found.peak_bytes, size)


def run(genomes: Iterable[Path], out: Path, *options: str) -> None:
    """Analyse genomes into a folder."""
    with tempfile.TemporaryDirectory() as name:
        command: list[str | Path] = [*FANFOLD, "run", "-q", *options, "--out", out, *genomes]
        measure(command, Path(name))


def part(name: str, results: Path, folder: Path) -> Cost:
    """A part of the work as a process: only that part is measured, not its preparation."""
    command = [sys.executable, __file__, "--part", name, "--folder", str(results)]
    found: dict[str, Any] = json.loads(measure(command, folder, keep_output=True).output)
    return Cost(**found)


def measured(work: Callable[[], int]) -> Cost:
    """What some work takes that makes a page of so many bytes; memory is what it adds."""
    before = peak_bytes()
    wall, cpu = time.perf_counter(), time.process_time()
    size = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Cost(wall, cpu, peak_bytes() - before, size)


def peak_bytes() -> int:
    """The most memory that this process had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


def page_of(results: Path) -> Cost:
    """The survey of the tables, and all that is made of it: nx.tsv, report.html, multiqc/."""
    from fanfold.objects import open_place  # noqa: PLC0415 - in the process that is measured
    from fanfold.report.kmer_counts import counts_of_map  # noqa: PLC0415
    from fanfold.report.master import decode_report  # noqa: PLC0415
    from fanfold.report.nx_table import nx_table  # noqa: PLC0415
    from fanfold.report.renderings import renderings_of  # noqa: PLC0415
    from fanfold.report.tables import survey_place  # noqa: PLC0415

    place = open_place(results)
    master = decode_report(place.read("master.json"))
    counts = {k: counts_of_map(master.kmer_counts, k) for k in master.parameters.k}

    def work() -> int:
        survey = survey_place(place, master.parameters.view)
        nx_table(survey)
        return len(renderings_of(master, survey, counts)["report.html"])

    return measured(work)


def index_of(results: Path) -> Cost:
    """The table and the page over many reports, which are read."""
    from fanfold.flow.collection import write_summary  # noqa: PLC0415 - as above
    from fanfold.objects import open_place  # noqa: PLC0415

    place = open_place(results)
    names = sorted(each.name for each in results.iterdir() if each.is_dir())

    def work() -> int:
        write_summary(place, names, {})
        return (results / "index.html").stat().st_size

    return measured(work)


PARTS: dict[str, Callable[[Path], Cost]] = {"page": page_of, "index": index_of}


def write_contigs(path: Path) -> None:
    """A draft of very many contigs, some with a gap; the same bytes each time."""
    draw = random.Random(1)
    pool = random_bases(draw, POOL_BASES)
    with path.open("wb", buffering=1 << 20) as file:
        for place in range(CONTIGS):
            length = SHORTEST + int(draw.expovariate(1 / MEAN_MORE))
            start = draw.randrange(POOL_BASES - length)
            bases = pool[start : start + length]
            if place % 50 == 0:
                bases = bases[:100] + b"N" * (1 + place % 97) + bases[100:]
            file.write(b">contig%d\n%b\n" % (place, bases))


def write_genomes(folder: Path) -> None:
    """Small genomes of some records each, the same bytes each time."""
    draw = random.Random(2)
    folder.mkdir()
    for place in range(GENOMES):
        records = b"".join(
            b">record%d\n%b\n" % (record, random_bases(draw, draw.randrange(200, 4000)))
            for record in range(10)
        )
        name = f"GCF_{place:09}.1_ASM{place}v1_genomic.fna"
        (folder / name).write_bytes(records)


def random_bases(draw: random.Random, count: int) -> bytes:
    """Bases, each equally likely."""
    return draw.randbytes(count).translate(b"ACGT" * 64)


def row(work: str, costs: list[Cost], target: Target | None) -> str:
    """A line of the table: medians of all turns but the first, which is for the caches."""
    middle = Cost(*(statistics.median(column) for column in zip(*costs[1:], strict=True)))
    said = "" if target is None else f"{target.words}: {'yes' if target.holds(middle) else 'NO'}"
    page = f"{middle.page_bytes / 1e3:,.0f} kB" if middle.page_bytes else ""
    return (
        f"| {work} | {middle.wall_seconds:.3f} s | {middle.cpu_seconds:.3f} s"
        f" | {middle.peak_bytes / 1e6:.0f} MB | {page} | {said} |"
    )


def document(lines: list[str], runs: int, load: float) -> str:
    """The table, with what it was measured on."""
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("msgspec", "markupsafe")
    )
    python = sys.version.split()[0]
    return "\n".join(
        [
            "# What the pages cost",
            "",
            f"`python benchmarks/page.py --runs {runs}`: each turn a process of its own, medians.",
            "Memory is the peak of the process for a whole run, and else what the part adds.",
            "",
            f"{machine.describe()}; Python {python}, {versions}.",
            f"The load of 1 minute before the first turn was {load:.1f} on {machine.CORES} cores:",
            "above that other programs take a share, and CPU seconds say more than wall seconds.",
            "",
            "| work | wall | CPU | memory | page | target |",
            "| --- | --- | --- | --- | --- | --- |",
            *lines,
            "",
            "The page alone is what `run` does after the fold: the survey of the tables, `nx.tsv`,",
            "`report.html` and `multiqc/`, with the import of what makes them.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
