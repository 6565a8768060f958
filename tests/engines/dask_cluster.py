"""A Dask cluster on loopback: a scheduler and workers, each a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from distributed import Client

START_SECONDS = 60.0


class Cluster:
    """A scheduler that runs, and the workers that were started for it.

    A process sees PATH, a home of its own, and for workers the variables given: as on a machine
    elsewhere, nothing of what the client has.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        scheduler_file = folder / "scheduler.json"
        self._scheduler = self._start(
            "scheduler",
            *("--port", "0", "--dashboard-address", "127.0.0.1:0"),
            *("--scheduler-file", str(scheduler_file), "--idle-timeout", "10 minutes"),
        )
        self.address = str(_read_json(scheduler_file, self._scheduler)["address"])

    def start_worker(self, name: str) -> None:
        """Start a worker of one thread; it may take a second until it is there."""
        self.workers[name] = self._start(
            "worker",
            self.address,
            *("--name", name, "--nthreads", "1", "--no-nanny", "--memory-limit", "0"),
            *("--dashboard-address", "127.0.0.1:0", "--death-timeout", str(START_SECONDS)),
            *("--local-directory", str(self.folder / name)),
        )

    def kill_worker(self, name: str) -> None:
        """By SIGKILL: nothing in it can say goodbye."""
        process = self.workers.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def kill_workers(self) -> None:
        for name in list(self.workers):
            self.kill_worker(name)

    def kill_scheduler(self) -> None:
        self._scheduler.kill()
        self._scheduler.wait()

    @contextmanager
    def client(self) -> Iterator[Client]:
        with Client(self.address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            yield client

    def busy(self, client: Client) -> dict[str, int]:
        """The workers that have tasks, by name, and how many."""
        names = {
            address: str(worker["name"])
            for address, worker in client.scheduler_info(n_workers=-1)["workers"].items()
        }
        processing = client.processing()  # type: ignore[no-untyped-call]
        return {
            names[address]: len(tasks)
            for address, tasks in processing.items()
            if tasks and address in names
        }

    def _start(self, kind: str, *arguments: str) -> subprocess.Popen[bytes]:
        home = {"HOME": str(self.folder), "TMPDIR": str(self.folder), "PATH": os.environ["PATH"]}
        with (self.folder / f"{kind}.log").open("ab") as log:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", f"distributed.cli.dask_{kind}"),
                    *(*arguments, "--host", "127.0.0.1"),
                ],
                cwd=self.folder,
                env=home | {"DASK_TEMPORARY_DIRECTORY": str(self.folder)} | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


@contextmanager
def dask_cluster(
    folder: Path, environment: Mapping[str, str], workers: int = 0
) -> Iterator[Cluster]:
    """Start a scheduler and so many workers, and kill them at the end.

    Workers are killed, not asked: one may wait for a server that tests have silenced.
    """
    cluster = Cluster(folder, environment)
    try:
        for index in range(workers):
            cluster.start_worker(f"worker-{index}")
        if workers:
            with cluster.client() as client:
                client.wait_for_workers(workers, START_SECONDS)
        yield cluster
    finally:
        cluster.kill_workers()
        cluster.kill_scheduler()


def _read_json(path: Path, process: subprocess.Popen[bytes]) -> dict[str, object]:
    """What a process writes into a file when it is ready."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            found: dict[str, object] = json.loads(path.read_bytes())
        except (FileNotFoundError, json.JSONDecodeError):
            time.sleep(0.02)
        else:
            return found
    process.kill()
    process.wait()
    log = (path.parent / "scheduler.log").read_text(errors="replace")
    raise AssertionError(f"the scheduler doesn't start: {log[-2000:]}")
