"""The functions of the cloud path at their limits: what `make bench-cloud` runs.

    PYTHONPATH=tests python benchmarks/cloud_functions.py [--bases N]

The chunker, and the aggregator's fold, run as processes whose data can't grow beyond the functions'
memory, on a server of S3 (MiniStack) that a proxy before it holds to a rate. The table goes to
CLOUD.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

import machine
import results
import tools
from cloud.emulator.cloud import Cloud, lambda_python
from cloud.emulator.parts import allow, make_batch, make_bucket
from object_store import generated, met
from servers.proxy import FaultProxy

HERE = Path(__file__).parent
ROOT = HERE.parent
RATE_BYTES = 70_000_000
MEMORY_BYTES = 3008 * 1024**2
LIMIT_SECONDS = 60
"""What is left of the chunker's 120 s once it has kept back what handing over takes."""
BUCKET = "bench-bucket"
STARTS = 7
FUNCTIONS = ("starter", "chunker", "aggregator", "status", "failures", "sweep")

CHUNKER = """
import json, resource, sys
from fanfold.aws import chunker
from fanfold.aws.deployment import deployment
class Context:
    def get_remaining_time_in_millis(self):
        return 120_000
chunker.hear(deployment(), json.loads(sys.argv[1]), Context())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""

STARTER = """
import json, sys
from fanfold.aws import starter
print(json.dumps(starter.handler(json.loads(sys.argv[1]), None)))
"""


FOLD = """
import json, resource, sys, time
import fanfold
from fanfold.flow import finish
page_seconds = 0.0
make = finish.renderings_of
def renderings(*given):
    global page_seconds
    started = time.process_time()
    try:
        return make(*given) if sys.argv[2] == "with" else {}
    finally:
        page_seconds = time.process_time() - started
finish.renderings_of = renderings
fanfold.fold(sys.argv[1])
used = resource.getrusage(resource.RUSAGE_SELF)
cpu_seconds = used.ru_utime + used.ru_stime
print(json.dumps([cpu_seconds, page_seconds, used.ru_maxrss * 1024]))
"""


class Records(NamedTuple):
    """An input of many records.

    Attributes:
        number: how many there are.
        least_bases: the shortest that a record may be.
        most_bases: the longest.
    """

    number: int
    least_bases: int
    most_bases: int


FOLDED = (Records(1_000_000, 300, 3000), Records(10_000_000, 100, 300))
BASES_OF_POOL = 16 * 1024**2


class Folded(NamedTuple):
    """What a fold took: seconds by the clock, of CPU, and of CPU for the page; its peak memory."""

    seconds: float
    cpu_seconds: float
    page_seconds: float
    peak_bytes: int


class Row(NamedTuple):
    """A line of the table."""

    work: str
    figure: str
    note: str = ""


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description="Measure the functions of the cloud path.")
    parser.add_argument("--bases", type=int, default=3_250_000_000)
    arguments = parser.parse_args()
    machine.pin_to_cores()
    with tempfile.TemporaryDirectory(prefix="cloud-", dir=HERE) as name:
        folder = Path(name)
        rows = [*zips(folder), *chunking(folder, arguments.bases)]
        for records in FOLDED:
            rows += folding(folder, records)
    text = page(rows, arguments.bases)
    results.write_whole(HERE / "CLOUD.md", text.encode())
    print(text)


def zips(folder: Path) -> Iterator[Row]:
    """The size of each function, and how long a new process takes until its handler is there."""
    python = lambda_python()
    for architecture in ("x86_64", "arm64"):
        out = folder / architecture
        program = str(ROOT / "deploy/build.py")
        asked = ["functions", "--architecture", architecture, "--out", str(out)]
        subprocess.run([sys.executable, program, *asked], check=True, stdout=subprocess.DEVNULL)
        for function in FUNCTIONS:
            archive = out / f"{function}.zip"
            with zipfile.ZipFile(archive) as opened:
                unzipped = sum(each.file_size for each in opened.infolist())
                opened.extractall(folder / "unzipped" / function)
            sizes = f"{archive.stat().st_size / 1e6:.1f} MB, {unzipped / 1e6:.1f} MB unzipped"
            note = ""
            if architecture == "x86_64":
                note = f"handler there after {starting(python, folder, function):.2f} s"
            yield Row(f"{function}.zip, {architecture}", sizes, note)


def starting(python: Path, folder: Path, function: str) -> float:
    """Seconds until a new process has a function's handler and its client: the median."""
    code = f"import fanfold.aws.{function}, boto3; boto3.client('batch', region_name='us-east-1')"
    place = folder / "unzipped" / function
    taken = []
    for _ in range(STARTS):
        started = time.perf_counter()
        subprocess.run([python, "-c", code], cwd=place, check=True)
        taken.append(time.perf_counter() - started)
    return median(taken)


def chunking(folder: Path, bases: int) -> Iterator[Row]:
    """The chunker on genomes of human size, plain and gzip."""
    plain = generated(folder / "genome.fa", bases)
    packed = folder / "genome.fa.gz"
    # What it inflates itself: an archive of less than 256 MiB.
    small = generated(folder / "small.fa", bases // 5)
    with packed.open("wb") as out:
        subprocess.run([shutil.which("pigz") or "gzip", "-1", "-c", small], check=True, stdout=out)
    cases = ((plain, "ranges"), (plain, "files"), (packed, "ranges"))
    with deployed(folder) as (cloud, proxy):
        for path, chunks in cases:
            size_bytes = path.stat().st_size
            with ProcessPoolExecutor(1, get_context("spawn")) as uploader:
                uploader.submit(upload, cloud.endpoint_url, cloud.region, path).result()
            seconds, peak_bytes = chunked(proxy, path.name, chunks)
            kept = seconds <= LIMIT_SECONDS
            kind = path.name.removeprefix("genome.")
            yield Row(
                f"chunker, {kind} of {size_bytes / 1e9:.2f} GB, {chunks}",
                f"{seconds:.1f} s (target {LIMIT_SECONDS} s: {met(kept)})",
                f"peak {peak_bytes / 1e6:.0f} MB",
            )


@contextmanager
def deployed(folder: Path) -> Iterator[tuple[Cloud, FaultProxy]]:
    """An account with all that the chunker needs, its containers held back."""
    with Cloud(folder / "account") as cloud, FaultProxy(cloud.endpoint_url) as proxy:
        make_bucket(cloud, BUCKET)
        parts = make_batch(cloud, "bench", allow("*", "*"))
        cloud.batch.hold()
        os.environ.update(cloud.environment())
        os.environ.update(
            FANFOLD_BUCKET=BUCKET,
            FANFOLD_SOURCES=json.dumps([f"{BUCKET}/input/"]),
            FANFOLD_IMAGE="image",
            FANFOLD_QUEUE=parts.queue,
            FANFOLD_TASK_DEFINITION=parts.definition,
            FANFOLD_INFLATE_DEFINITION=parts.definition,
            FANFOLD_FOLD_DEFINITION=parts.definition,
            FANFOLD_CHUNKER_QUEUE="none",
            FANFOLD_AGGREGATOR="none",
            FANFOLD_LOG_GROUP=parts.log_group,
            FANFOLD_MAX_OBJECT_BYTES=str(10**13),
            FANFOLD_PRICES='{"vcpu_hour": 0.04048, "gb_hour": 0.004445}',
        )
        yield cloud, proxy


def upload(endpoint_url: str, region: str, path: Path) -> None:
    """Put a genome into the store."""
    import boto3  # noqa: PLC0415 - in a process of its own

    client = boto3.client("s3", endpoint_url=endpoint_url, region_name=region)
    client.upload_file(str(path), BUCKET, f"input/{path.name}")


def chunked(proxy: FaultProxy, name: str, chunks: str) -> tuple[float, int]:
    """How long the chunker takes, within its memory and at the store's rate; its peak memory."""
    asked = {"bucket": BUCKET, "key": f"input/{name}", "chunks": chunks}
    event = {"httpMethod": "POST", "body": json.dumps(asked)}
    command = [sys.executable, "-c", STARTER, json.dumps(event)]
    # It can't wake the chunker, which isn't a function here; the job is there all the same.
    subprocess.run(command, check=True, capture_output=True)
    job = newest_job()
    proxy.throttle.bytes_per_second = RATE_BYTES
    event_of_chunker = json.dumps({"job": job, "attempt": 1})
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHUNKER, event_of_chunker],
        env=os.environ | {"AWS_ENDPOINT_URL": proxy.url},
        preexec_fn=limit_memory,
        check=True,
        stdout=subprocess.PIPE,
    )
    seconds = time.perf_counter() - started
    proxy.throttle.bytes_per_second = None
    return seconds, int(done.stdout)


def folding(folder: Path, records: Records) -> Iterator[Row]:
    """The aggregator's fold of an input of many records, with its page and without."""
    path = contigs(folder / "contigs.fa", records)
    with deployed(folder) as (_, proxy):
        out = f"s3://{BUCKET}/results/{records.number}"
        with ProcessPoolExecutor(1, get_context("spawn")) as scanner:
            rows_bytes = scanner.submit(scan, path, out).result()
        for kind in ("without", "with"):
            taken = folded(proxy, f"{out}/plan.json", kind)
            with ProcessPoolExecutor(1, get_context("spawn")) as remover:
                remover.submit(remove_report, out).result()
            yield Row(
                f"fold, {records.number:,} contigs of {records.least_bases:,} to"
                f" {records.most_bases:,} bases, {rows_bytes / 1e6:.0f} MB of rows, {kind} page",
                f"{taken.seconds:.0f} s, {taken.cpu_seconds:.1f} s of CPU"
                + (f", {taken.page_seconds:.2f} s for the page" if kind == "with" else ""),
                f"peak {taken.peak_bytes / 1e6:.0f} MB",
            )
    path.unlink()


def contigs(path: Path, records: Records) -> Path:
    """Write an input of many records, named as SPAdes names contigs; in each 20th is a gap."""
    drawn = Random(records.number)
    pool = drawn.randbytes(BASES_OF_POOL).translate(bytes(b"ACGT"[each % 4] for each in range(256)))
    with path.open("wb", buffering=2**20) as file:
        for number in range(1, records.number + 1):
            length = drawn.randint(records.least_bases, records.most_bases)
            start = drawn.randrange(BASES_OF_POOL - length)
            bases = pool[start : start + length]
            if number % 20 == 0:
                bases = bases[:40] + b"N" * 25 + bases[65:]
            file.write(b">NODE_%d_length_%d_cov_%f\n%b\n" % (number, length, start / 1e6, bases))
    return path


def scan(path: Path, out: str) -> int:
    """Scan an input into a store; the bytes of its rows."""
    import fanfold  # noqa: PLC0415 - in a process of its own

    folder = fanfold.plan(path, (5, 8), out=out)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: fanfold.task(folder.plan_url, each), range(len(folder.slices))))
    return folder.rows_bytes()


def folded(proxy: FaultProxy, plan_url: str, kind: str) -> Folded:
    """Fold, within the function's memory and at the store's rate."""
    proxy.throttle.bytes_per_second = RATE_BYTES
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", FOLD, plan_url, kind],
        env=os.environ | {"AWS_ENDPOINT_URL": proxy.url},
        preexec_fn=limit_memory,
        check=True,
        stdout=subprocess.PIPE,
    )
    seconds = time.perf_counter() - started
    proxy.throttle.bytes_per_second = None
    return Folded(seconds, *json.loads(done.stdout))


def remove_report(out: str) -> None:
    """Remove a report, so that it is folded again; its plan and its results stay."""
    from fanfold.objects import open_place  # noqa: PLC0415 - in a process of its own

    place = open_place(out)
    place.remove(name for name in place.sizes() if name != "plan.json")


def newest_job() -> str:
    """The job that was created last."""
    from fanfold.ledger import Ledger  # noqa: PLC0415 - settings are in the environment now

    return Ledger(BUCKET).newest(1)[0][0]


def limit_memory() -> None:
    """Hold a process to the function's memory."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))


def page(rows: list[Row], bases: int) -> str:
    """CLOUD.md."""
    fanfold = tools.find_fanfold()
    versions = tools.versions(fanfold) if fanfold else {}
    lines = [
        "# The functions of the cloud path",
        "",
        f"The chunker plans a genome of {bases:,} generated bases, and a gzip of a fifth, in",
        f"a process whose data can't grow beyond {MEMORY_BYTES // 1024**2:,} MB, the function's",
        "memory. The store is MiniStack on loopback behind a proxy that holds all bytes, in and",
        f"out, to {RATE_BYTES / 1e6:.0f} MB/s; both run on the same two cores. The time of a",
        "handler is that of a new Python process that imports it and makes a client of boto3;",
        "Lambda adds its own start. A fold is that of the aggregator: it reads the results of all",
        "slices from the store, and writes the whole report there. `make bench-cloud` measures it",
        "again.",
        "",
        "| work | figure | |",
        "| --- | --- | --- |",
        *(f"| {row.work} | {row.figure} | {row.note} |" for row in rows),
        "",
        f"Machine: {machine.describe()}.",
        f"fanfold {versions.get('fanfold', 'unknown')} at {machine.commit(ROOT)}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
