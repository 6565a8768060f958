"""fanfold on an object store, and its fold at scale: what `make bench-stores` runs.

    PYTHONPATH=tests python benchmarks/object_store.py [--bases N] [--runs N]

An S3-compatible server (MiniStack) runs on loopback, on the same two cores, with a proxy before it
that counts requests and holds all connections together to a rate. The table goes to STORES.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import machine
import results
import tools
from measure import Measurement, measure
from servers.proxy import FaultProxy
from servers.s3 import S3Server, s3_server

HERE = Path(__file__).parent
RATE_BYTES = 300_000_000
TARGET = 0.9
BUCKET = "bench-bucket"
FOLDS = (32, 1000, 10_000)
FOLD_BASES = 100_000_000


class Row(NamedTuple):
    """A line of the table."""

    work: str
    command: str
    figure: str
    note: str = ""


class Store(NamedTuple):
    """What the measurements of a store are made with."""

    fanfold: Path
    folder: Path
    server: S3Server
    proxy: FaultProxy
    genome: Path


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description="Measure fanfold on an object store.")
    parser.add_argument("--bases", type=int, default=1_000_000_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    machine.pin_to_cores()
    fanfold = tools.find_fanfold()
    if fanfold is None:
        sys.exit("there is no fanfold to measure: make test sets it up")
    with tempfile.TemporaryDirectory(prefix="stores-", dir=HERE) as name:
        folder = Path(name)
        genome = generated(folder / "genome.fa", arguments.bases)
        rows = []
        with served(folder, genome) as (server, proxy):
            store = Store(fanfold, folder, server, proxy, genome)
            rows += reading(store, arguments.runs)
            rows += requests(store)
        genome.unlink()
        small = generated(folder / "small.fa", FOLD_BASES)
        for k in (5, 8):
            rows += folding(fanfold, folder, small, k, arguments.runs)
    text = page(rows, fanfold, arguments.bases)
    results.write_whole(HERE / "STORES.md", text.encode())
    print(text)


def generated(path: Path, bases: int) -> Path:
    """A generated genome."""
    generate: list[str | Path] = [sys.executable, HERE / "generate.py", path, "--bases", str(bases)]
    subprocess.run(generate, check=True, stdout=subprocess.DEVNULL)
    return path


@contextmanager
def served(folder: Path, genome: Path) -> Iterator[tuple[S3Server, FaultProxy]]:
    """The genome in a store, and the proxy before it."""
    with s3_server(folder) as server, FaultProxy(server.endpoint_url) as proxy:
        server.create_bucket(BUCKET)
        # By a process of its own: a child's peak memory is seen only above its parent's.
        with ProcessPoolExecutor(1, get_context("spawn")) as uploader:
            uploader.submit(upload, server, genome).result()
        os.environ.update(server.environment())
        yield server, proxy


def upload(server: S3Server, genome: Path) -> None:
    """Put the genome into the store."""
    server.put(BUCKET, genome.name, genome.read_bytes())


def reading(store: Store, runs: int) -> list[Row]:
    """How fast the object comes in, beside what obstore alone reads, in turns."""
    fanfold, folder, server, proxy, genome = store
    url = f"s3://{BUCKET}/{genome.name}"
    commands: dict[str, Sequence[str | Path]] = {
        "fanfold run": [fanfold, "run", url, "--out", folder / "out", "--fresh", "--quiet"],
        "obstore alone": [sys.executable, HERE / "plain_reads.py", url],
    }
    size_bytes = genome.stat().st_size
    rows = []
    for rate, endpoint_url in ((RATE_BYTES, proxy.url), (None, server.endpoint_url)):
        proxy.throttle.bytes_per_second = rate
        os.environ["AWS_ENDPOINT_URL"] = endpoint_url
        work = f"reading at most {rate / 1e6:.0f} MB/s" if rate else "reading unthrottled"
        for name, taken in in_turns(commands, folder, runs).items():
            seconds = statistics.median(each.wall_seconds for each in taken)
            note = f"peak {max(each.peak_bytes for each in taken) / 1e6:.0f} MB"
            if rate and name == "fanfold run":
                share = size_bytes / seconds / rate
                note += f"; {share:.0%} of the rate (target 90 %: {met(share >= TARGET)})"
            figure = f"{size_bytes / seconds / 1e6:.0f} MB/s ({spread(taken)} s)"
            rows.append(Row(work, name, figure, note))
    return rows


def requests(store: Store) -> list[Row]:
    """What a slice of 100 MiB costs in requests and bytes, by the verbs, results in the store."""
    fanfold, folder, _, proxy, genome = store
    proxy.throttle.bytes_per_second = None
    os.environ["AWS_ENDPOINT_URL"] = proxy.url
    rows = []
    for k in (5, 8):
        out = f"s3://{BUCKET}/results-{k}"
        plan = f"{out}/plan.json"
        url = f"s3://{BUCKET}/{genome.name}"
        steps = {
            "plan": ["plan", url, "--out", out, "-k", str(k), "--quiet"],
            "task": ["task", plan, "--index", "1"],
        }
        for name, words in steps.items():
            proxy.clear()
            measure([fanfold, *words], folder)
            log = proxy.log()
            asked = Counter(each.request.method for each in log)
            counts = ", ".join(f"{count} {method}" for method, count in sorted(asked.items()))
            sent = sum(each.sent_bytes for each in log)
            written = sum(each.received_bytes for each in log)
            note = f"{sent / 1e6:.2f} MB in, {written / 1e6:.3f} MB out"
            rows.append(Row(f"requests, k={k}", f"fanfold {name}", counts, note))
    return rows


def folding(fanfold: Path, folder: Path, genome: Path, k: int, runs: int) -> list[Row]:
    """How long the fold of so many slices takes, from a local folder."""
    rows = []
    for slices in FOLDS:
        out = folder / f"fold-{k}-{slices}"
        slice_size = str(-(-genome.stat().st_size // slices))
        words: list[str | Path] = [
            "run",
            genome,
            "--out",
            out,
            "-k",
            str(k),
            "--slice-size",
            slice_size,
            "--quiet",
        ]
        measure([fanfold, *words], folder)
        fold: Sequence[str | Path] = [fanfold, "fold", out / "plan.json", "--quiet"]
        taken = in_turns({"fold": fold}, folder, runs)["fold"]
        size = sum(each.stat().st_size for each in (out / "chunks").iterdir())
        seconds = statistics.median(each.wall_seconds for each in taken)
        rows.append(
            Row(
                f"fold of {slices:,} slices, k={k}",
                "fanfold fold",
                f"{seconds:.2f} s ({spread(taken)})",
                f"{size / slices / 1e3:.1f} kB a slice;"
                f" peak {max(each.peak_bytes for each in taken) / 1e6:.0f} MB",
            )
        )
        subprocess.run(["rm", "-r", out], check=True)
    return rows


def in_turns(
    commands: dict[str, Sequence[str | Path]], folder: Path, runs: int
) -> dict[str, list[Measurement]]:
    """Each command so often, in turns, after a warm-up."""
    taken: dict[str, list[Measurement]] = {name: [] for name in commands}
    for turn in range(-1, runs):
        for name, command in commands.items():
            measured = measure(command, folder)
            if turn >= 0:
                taken[name].append(measured)
    return taken


def spread(taken: Sequence[Measurement]) -> str:
    """The least and the most seconds."""
    seconds = [each.wall_seconds for each in taken]
    return f"{min(seconds):.2f} to {max(seconds):.2f}"


def met(is_met: bool) -> str:
    """A verdict on a target."""
    return "met" if is_met else "NOT met"


def page(rows: Sequence[Row], fanfold: Path, bases: int) -> str:
    """STORES.md."""
    versions = tools.versions(fanfold)
    lines = [
        "# fanfold on an object store",
        "",
        f"Whole processes, from start to exit; medians (least to most). The object has {bases:,}",
        "generated bases. The store is MiniStack on loopback, on the same two cores as what is",
        "measured, so what the server takes is missing to the reader; throttled, a proxy stands",
        "before it. `make bench-stores` measures it again.",
        "",
        "| work | command | figure | |",
        "| --- | --- | --- | --- |",
        *(f"| {row.work} | {row.command} | {row.figure} | {row.note} |" for row in rows),
        "",
        f"Machine: {machine.describe()}.",
        f"fanfold {versions.get('fanfold', 'unknown')} at {machine.commit(HERE.parent)}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
