"""How `fanfold serve` holds out with many readers during its jobs: a part of `make bench`.

    python benchmarks/serve.py [--readers N] [--seconds N] [--json]

A server of its own works on one job after another, while each reader holds a stream of events and
asks for the job's state, and for the list of jobs, every second. The table goes to SERVE.md; with
--json the figures go to standard output instead. The exit status is 1 if a request failed.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import machine

HERE = Path(__file__).parent
GENOME_BASES = 60_000_000
SLICE_BYTES = 1_000_000
PAUSE_SECONDS = 1.0
PATIENCE_SECONDS = 60.0


@dataclass
class Figures:
    """What was seen: a latency for each request that was answered, and every failure in words."""

    readers: int
    seconds: float
    jobs: int = 0
    events: int = 0
    latencies_seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    server_cpu_seconds: float = 0.0
    """With that of the processes of its jobs."""

    def latency_ms(self, share: float) -> float:
        """The latency that a share of the requests doesn't exceed."""
        ordered = sorted(self.latencies_seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def main() -> int:
    """Measure; the exit status."""
    parser = argparse.ArgumentParser(description="Measure a server with many readers.")
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    machine.pin_to_cores()
    load = os.getloadavg()[0]
    alone = measure(0, arguments.seconds)
    found = measure(arguments.readers, arguments.seconds)
    if arguments.json:
        print(json.dumps([asdict(alone), asdict(found)]))
    else:
        text = document(alone, found, load)
        (HERE / "SERVE.md").write_text(text)
        print(text)
    for failure in found.failures[:10]:
        print(failure, file=sys.stderr)
    return 1 if alone.failures or found.failures else 0


def measure(readers: int, seconds: float) -> Figures:
    """What some readers see of a new server, which works on jobs all the time."""
    figures = Figures(readers, seconds)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory(prefix="serve-", dir=HERE) as name:
        write_genome(Path(name) / "bucket")
        with server(Path(name)) as port:
            asyncio.run(read(port, figures))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures.server_cpu_seconds = sum(after[:2]) - sum(before[:2])
    return figures


def write_genome(bucket: Path) -> None:
    """A genome of one record, drawn."""
    bucket.mkdir()
    draw = random.Random(8)
    line = "".join(draw.choices("ACGT", k=60)) + "\n"
    with (bucket / "genome.fa").open("w") as file:
        file.write(">drawn\n")
        for _ in range(GENOME_BASES // 60):
            file.write(line)


@contextmanager
def server(root: Path) -> Iterator[int]:
    """A server on a free port, which is told."""
    command = [sys.executable, "-m", "fanfold", "serve", "--root", str(root), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline() if process.stdout is not None else ""
            yield urlsplit(url.strip()).port or 0
        finally:
            process.terminate()


async def read(port: int, figures: Figures) -> None:
    """Have jobs done, one after the other, and all readers read, until the time is over."""
    end = time.monotonic() + figures.seconds
    job = await start_job(port, figures, 0)
    current = [job]
    work = [keep_busy(port, figures, current, end)]
    for number in range(figures.readers):
        delay_seconds = number / figures.readers * PAUSE_SECONDS
        work += [
            ask(port, figures, current, end, delay_seconds),
            listen(port, figures, current, end),
        ]
    await asyncio.gather(*work)


async def start_job(port: int, figures: Figures, number: int) -> str:
    """Post the genome; each size of slices makes another job."""
    asked = {"bucket": "bucket", "key": "genome.fa", "slice_bytes": SLICE_BYTES + number}
    async with Connection.open(port) as connection:
        status, body = await connection.request("POST", "/chunk", json.dumps(asked).encode())
    if status != 200:
        figures.failures.append(f"POST /chunk: {status} {body[:200]!r}")
    return str(json.loads(body)["job"])


async def keep_busy(port: int, figures: Figures, current: list[str], end: float) -> None:
    """Start another job whenever one has ended."""
    async with Connection.open(port) as connection:
        while True:
            _, body = await connection.request("GET", f"/jobs/{current[0]}")
            state = json.loads(body)["state"]
            if state in {"SUCCEEDED", "FAILED", "CANCELLED"}:
                figures.jobs += 1
                if state != "SUCCEEDED":
                    figures.failures.append(f"job {current[0]}: {state}")
                if time.monotonic() > end:
                    return
                current[0] = await start_job(port, figures, figures.jobs)
            await asyncio.sleep(0.1)


async def ask(
    port: int, figures: Figures, current: list[str], end: float, delay_seconds: float
) -> None:
    """Ask for the state of the job and the list of jobs, again and again."""
    await asyncio.sleep(delay_seconds)
    async with Connection.open(port) as connection:
        while time.monotonic() < end:
            for path in (f"/jobs/{current[0]}", "/jobs"):
                began = time.monotonic()
                try:
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        status, _ = await connection.request("GET", path)
                except (OSError, EOFError, TimeoutError) as error:
                    figures.failures.append(f"GET {path}: {type(error).__name__} {error}")
                    return
                figures.latencies_seconds.append(time.monotonic() - began)
                if status != 200:
                    figures.failures.append(f"GET {path}: {status}")
            await asyncio.sleep(PAUSE_SECONDS)


async def listen(port: int, figures: Figures, current: list[str], end: float) -> None:
    """Hold a stream of events, of one job after the other."""
    while time.monotonic() < end:
        path = f"/jobs/{current[0]}/events"
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), Connection.open(port) as connection:
                status = await connection.begin("GET", path)
                if status != 200:
                    figures.failures.append(f"GET {path}: {status}")
                    return
                async for line in connection.lines():
                    figures.events += line.startswith(b"event:")
                    if line.startswith(b"event: end"):
                        break
                else:
                    figures.failures.append(f"GET {path}: it ended without an event `end`")
        except (OSError, EOFError, TimeoutError) as error:
            figures.failures.append(f"GET {path}: {type(error).__name__} {error}")
            return


class Connection:
    """A connection that is kept: HTTP/1.1, as far as this server's answers need it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._is_chunked = False

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int) -> AsyncIterator[Connection]:
        """Connect to a port of this machine, and close the connection at the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    async def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """The status and the body of the answer to a request."""
        status, headers = await self._send(method, path, body)
        return status, await self._reader.readexactly(int(headers[b"content-length"]))

    async def begin(self, method: str, path: str) -> int:
        """The status of the answer to a request whose body is read by lines."""
        status, headers = await self._send(method, path, b"")
        self._is_chunked = headers.get(b"transfer-encoding") == b"chunked"
        return status

    async def lines(self) -> AsyncIterator[bytes]:
        """The lines of a body, until it ends."""
        rest = b""
        while True:
            if self._is_chunked:
                size_bytes = int(await self._reader.readline(), 16)
                piece = await self._reader.readexactly(size_bytes)
                await self._reader.readline()
            else:
                piece = await self._reader.read(65_536)
            if not piece:
                return
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line

    async def _send(self, method: str, path: str, body: bytes) -> tuple[int, dict[bytes, bytes]]:
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._writer.write(head.encode() + b"\r\n" + body)
        await self._writer.drain()
        first, *rest = (await self._reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in rest if line)
        return int(first.split()[1]), headers


def document(alone: Figures, found: Figures, load: float) -> str:
    """The page of the figures."""
    rows = "".join(
        f"| {each.readers} | {each.jobs} | {len(each.latencies_seconds):,} | {each.events:,} |"
        f" {len(each.failures)} | {each.latency_ms(0.5):.0f} ms | {each.latency_ms(0.95):.0f} ms |"
        f" {each.latency_ms(1.0):.0f} ms | {each.server_cpu_seconds:.1f} s |\n"
        for each in (alone, found)
    )
    return f"""\
# A server with many readers

`python benchmarks/serve.py --readers {found.readers} --seconds {found.seconds:g}`: each reader
holds a stream of a job's events, and asks for the job's state and for the list of jobs every
second. The server scans a genome of {GENOME_BASES / 1e6:g} Mbase in slices of
{SLICE_BYTES / 1e6:g} MB, again and again. Readers and server share the cores.

{machine.describe()}; {versions()}.
The load of 1 minute before was {load:.1f}.

| readers | jobs done | requests | events | failed | median | 95 % | slowest | CPU of the server |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{rows}"""


def versions() -> str:
    """The versions of what serves."""
    names = ("fanfold", "starlette", "uvicorn")
    python = ".".join(map(str, sys.version_info[:3]))
    return ", ".join(
        [f"Python {python}", *(f"{name} {importlib.metadata.version(name)}" for name in names)]
    )


if __name__ == "__main__":
    sys.exit(main())
