"""Workers, clients, results and servers that fail in the middle: nothing is lost, or it is told.

What shall fail is held where it is, in the middle of a task: the server behind the proxy falls
silent after half of a slice.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import (
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from pathlib import Path
from typing import Any

import pytest
from servers.proxy import CorruptUpload, FaultProxy, Request, Stall
from servers.s3 import S3Server

import fanfold
from engines.dask_cluster import Cluster, dask_cluster
from engines.driving import (
    BUCKET,
    clean_environment,
    results,
    running,
    stored_results,
    wait_until,
    whole,
)
from fanfold.checked_json import encode_checked
from fanfold.errors import EngineError, PlanError

SLICE_BYTES = 5000
SLICES = 6
TEXT = b"".join(
    b">%d\n%b\n" % (number, b"\n".join([b"ACGTTGCATNGGCATTAGCA" * 4] * 24)) for number in range(15)
)
HELD = 3
"""The slice in whose middle the server falls silent."""
PATIENT = {"FANFOLD_READ_TIMEOUT": "600", "FANFOLD_RETRY_TIMEOUT": "600"}
"""A silent server is waited for longer than by this test."""


def starts_at(start_byte: int) -> Callable[[Request], bool]:
    return lambda request: (request.range or "").startswith(f"bytes={start_byte}-")


class Job:
    """An input in the store, reached through a proxy that can hold its readers."""

    def __init__(self, s3: S3Server, proxy: FaultProxy, prefix: str) -> None:
        self.s3 = s3
        self.proxy = proxy
        self.location = f"s3://{BUCKET}/{prefix}/x.fa"
        self.out = f"s3://{BUCKET}/{prefix}/out"
        self.variables = s3.environment(proxy.url)
        s3.put(BUCKET, f"{prefix}/x.fa", TEXT)

    def hold(self, index: int = HELD, times: int | None = 1) -> None:
        """Let the readers of a slice wait for its second half."""
        self.proxy.inject(
            Stall(SLICE_BYTES // 2),
            method="GET",
            path="*/x.fa",
            when=starts_at(index * SLICE_BYTES),
            times=times,
        )

    def is_held(self) -> bool:
        return any(each.fault and each.sent_bytes for each in self.proxy.log("GET"))

    def release(self) -> None:
        """Let all that is asked from now on pass, and forget what was asked."""
        self.proxy.throttle.bytes_per_second = None
        self.proxy.clear()

    def run(self, executor: Executor | None = None, **options: Any) -> fanfold.Report:
        return fanfold.run(
            self.location, out=self.out, executor=executor, slice_bytes=SLICE_BYTES, **options
        )

    def words(self) -> list[str]:
        """The words of the command that runs it."""
        return ["run", self.location, "--out", self.out, "--slice-size", str(SLICE_BYTES)]

    def is_planned(self) -> bool:
        return f"{self._prefix}/plan.json" in self.s3.keys(BUCKET, self._prefix)

    def chunk(self, index: int) -> str:
        """The name of a slice's result."""
        return f"chunks/{json.loads(self.read('plan.json'))['id']}/x.fa.chunk{index:04d}.json"

    def finished(self) -> set[int]:
        """The slices whose results are there."""
        keys = self.s3.keys(BUCKET, f"{self._prefix}/chunks/")
        return {int(key[-9:-5]) for key in keys if key.endswith(".json")}

    def reads(self) -> Counter[int]:
        """How often each slice was read."""
        asked = (each.request for each in self.proxy.log("GET"))
        starts = (
            int(request.range.removeprefix("bytes=").partition("-")[0])
            for request in asked
            if request.range and request.path.endswith("/x.fa")
        )
        return Counter(start // SLICE_BYTES for start in starts)

    def results(self) -> dict[str, bytes]:
        return stored_results(self.s3, self._prefix)

    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.s3.get(BUCKET, f"{self._prefix}/run.json"))
        return facts

    def write(self, name: str, content: bytes) -> None:
        self.s3.put(BUCKET, f"{self._prefix}/{name}", content)

    def read(self, name: str) -> bytes:
        return self.s3.get(BUCKET, f"{self._prefix}/{name}")

    def delete(self, name: str) -> None:
        self.s3.delete(BUCKET, f"{self._prefix}/{name}")

    def delete_source(self) -> None:
        self.s3.delete(BUCKET, self.location.removeprefix(f"s3://{BUCKET}/"))

    @property
    def _prefix(self) -> str:
        return self.out.removeprefix(f"s3://{BUCKET}/")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("whole") / "x.fa"
    path.write_bytes(TEXT)
    assert -(-len(TEXT) // SLICE_BYTES) == SLICES
    return whole(path, path.parent / "out")


@pytest.fixture(scope="module")
def started_proxy(s3: S3Server) -> Iterator[FaultProxy]:
    with FaultProxy(s3.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def job(
    store: S3Server, started_proxy: FaultProxy, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> Job:
    job = Job(store, started_proxy, prefix)
    job.release()
    for name, value in job.variables.items():
        monkeypatch.setenv(name, value)
    return job


@pytest.fixture(scope="module")
def scheduler(
    s3: S3Server, started_proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A scheduler, whose workers reach the store through the proxy."""
    folder = tmp_path_factory.mktemp("dask")
    with dask_cluster(folder, s3.environment(started_proxy.url)) as started:
        yield started


@pytest.fixture
def empty(scheduler: Cluster) -> Iterator[Cluster]:
    """A cluster without workers; what a test starts is killed at its end."""
    try:
        yield scheduler
    finally:
        scheduler.kill_workers()


@pytest.fixture
def pair(empty: Cluster) -> Cluster:
    """A cluster of two workers."""
    empty.start_worker("a")
    empty.start_worker("b")
    return empty


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    """A thread on which a run goes on while the test does it harm."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


# --- workers ----------------------------------------------------------------------------------


def test_a_worker_that_is_killed_in_the_middle_of_a_task_loses_nothing(
    job: Job, pair: Cluster, aside: ThreadPoolExecutor, expected: dict[str, bytes]
) -> None:
    job.hold()
    with pair.client() as client:
        running = aside.submit(job.run, client.get_executor())  # type: ignore[no-untyped-call]
        wait_until(lambda: job.is_held() and len(job.finished()) == SLICES - 1)
        wait_until(lambda: len(pair.busy(client)) == 1)
        (busy,) = pair.busy(client)

        pair.kill_worker(busy)

        assert not running.result(120).resumed
    assert job.results() == expected
    reads = job.reads()
    assert reads.pop(HELD) == 2
    assert reads.pop(0) == 2, "its first bytes, and its slice"
    assert set(reads.values()) == {1}, "a slice was read again that was finished"


def test_a_worker_that_is_killed_while_it_counts_loses_nothing(
    job: Job, pair: Cluster, aside: ThreadPoolExecutor, tmp_path: Path
) -> None:
    (tmp_path / "x.fa").write_bytes(TEXT)
    expected = whole(tmp_path / "x.fa", tmp_path / "out", (5, 11, 31))
    job.proxy.inject(Stall(10), method="GET", path="*.chunk0003.packed", times=1)
    with pair.client() as client:
        executor = client.get_executor()  # type: ignore[no-untyped-call]
        running = aside.submit(job.run, executor, k=(5, 11, 31))
        wait_until(job.is_held)
        wait_until(lambda: len(pair.busy(client)) == 1)
        (busy,) = pair.busy(client)

        pair.kill_worker(busy)

        running.result(120)
    assert job.results() == expected


def test_workers_that_are_all_killed_and_others_that_come_give_the_same_report(
    job: Job, pair: Cluster, aside: ThreadPoolExecutor, expected: dict[str, bytes]
) -> None:
    job.hold(1)
    job.hold(HELD)
    with pair.client() as client:
        running = aside.submit(job.run, client.get_executor())  # type: ignore[no-untyped-call]
        wait_until(lambda: len(pair.busy(client)) == 2 and sum(job.reads().values()) >= 3)
        wait_until(lambda: sum(bool(each.fault) for each in job.proxy.log("GET")) == 2)
        before = job.finished()

        pair.kill_workers()
        wait_until(lambda: not client.scheduler_info()["workers"])
        assert not running.done()
        pair.start_worker("c")

        running.result(120)
    assert job.results() == expected
    assert all(job.reads()[index] == 1 + (index == 0) for index in before)


def test_a_worker_that_comes_late_takes_part(
    job: Job, empty: Cluster, aside: ThreadPoolExecutor, expected: dict[str, bytes]
) -> None:
    job.hold(1)
    empty.start_worker("early")
    with empty.client() as client:
        running = aside.submit(job.run, client.get_executor())  # type: ignore[no-untyped-call]
        wait_until(job.is_held)

        empty.start_worker("late")

        wait_until(lambda: job.finished() == set(range(SLICES)) - {1})
        wait_until(lambda: set(empty.busy(client)) == {"early"})
        empty.kill_worker("early")
        running.result(120)
    assert job.results() == expected


def test_a_scheduler_that_is_killed_is_told(
    job: Job, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    job.hold()
    with (
        dask_cluster(tmp_path, job.variables, workers=1) as cluster,
        running(*job.words(), "--dask", cluster.address, variables=job.variables) as process,
    ):
        wait_until(job.is_held)

        cluster.kill_scheduler()

        out, err = process.communicate(timeout=120)
    assert process.returncode == EngineError.exit_code
    assert out == ""
    assert err.count("fanfold: ") == 1
    assert "run again" in err
    assert "master.json" not in job.results()
    job.release()
    job.run()
    assert job.results() == expected


# --- the client -------------------------------------------------------------------------------


def test_a_client_that_is_killed_and_started_again_reads_no_finished_slice_again(
    job: Job, pair: Cluster, expected: dict[str, bytes]
) -> None:
    job.proxy.throttle.bytes_per_second = 50_000
    with running(*job.words(), "--dask", pair.address, variables=job.variables) as process:
        wait_until(lambda: len(job.finished()) >= 2)
        process.kill()
    finished = job.finished()
    assert len(finished) < SLICES
    assert "master.json" not in job.results()
    job.release()

    with running(*job.words(), "--dask", pair.address, variables=job.variables) as process:
        process.communicate(timeout=120)

    assert process.returncode == 0
    assert job.results() == expected
    assert finished.isdisjoint(job.reads())
    assert job.facts()["read_bytes"] <= (SLICES - len(finished)) * SLICE_BYTES


@pytest.mark.parametrize(
    "on", ["dask", "threads", "many on dask", "many on threads", "no workers", "many, no workers"]
)
def test_an_interrupt_ends_a_run_on_a_silent_server_at_once_and_it_can_be_taken_up(
    on: str, job: Job, empty: Cluster, expected: dict[str, bytes]
) -> None:
    words = job.words()
    if "dask" in on:
        empty.start_worker("a")
        empty.start_worker("b")
    if "threads" not in on:
        words += ["--dask", empty.address]
    if "many" in on:
        job.s3.put(BUCKET, "other.fa", b">a\nACGT\n")
        words.insert(1, f"s3://{BUCKET}/other.fa")
    job.hold(times=None)
    with running(*words, variables=job.variables | PATIENT) as process:
        if "no workers" in on:
            assert process.stderr is not None
            assert "has no workers yet" in process.stderr.readline()
        else:
            wait_until(job.is_held)

        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)

    assert process.returncode == 130
    assert out == ""
    assert err.endswith("fanfold: stopped; run again to take it up where it is\n")
    if "many" in on:
        assert job.results() == {}, "there is no table over all"
        job.out += "/x.fa"
    job.release()
    finished = job.finished()
    job.run()
    assert job.results() == expected
    assert finished.isdisjoint(job.reads())


# --- results ----------------------------------------------------------------------------------


def test_a_result_that_is_damaged_on_its_way_is_done_again_by_name(
    job: Job, pair: Cluster, expected: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    job.proxy.inject(CorruptUpload(700), method="PUT", path=f"*.chunk{HELD:04d}.json")
    with pair.client() as client:
        job.run(client.get_executor())  # type: ignore[no-untyped-call]

    assert job.results() == expected
    assert job.facts()["slices"]["redone"] == [HELD]
    assert job.reads()[HELD] == 2
    assert f"scanning again: {HELD}" in caplog.text


def test_a_result_that_was_damaged_since_is_done_again_by_name(
    job: Job, threads: Executor, expected: dict[str, bytes]
) -> None:
    job.run(threads)
    name = job.chunk(HELD)
    kept = job.read(name)
    job.write(name, kept.replace(b'"gc_count": ', b'"gc_count": 1', 1))
    job.delete("master.json")
    job.proxy.clear()

    job.run(threads)

    assert job.results() == expected
    assert job.read(name) == kept
    assert job.reads() == Counter([HELD])


def test_a_result_that_is_damaged_again_and_again_is_told(job: Job, threads: Executor) -> None:
    job.proxy.inject(CorruptUpload(700), method="PUT", path=f"*.chunk{HELD:04d}.json", times=None)

    with pytest.raises(PlanError, match=rf"1 of {SLICES} slices have no valid result: {HELD}\."):
        job.run(threads)

    assert "master.json" not in job.results()


# --- the scheduler's address ------------------------------------------------------------------


def test_the_address_of_a_scheduler_needs_no_scheme(job: Job, pair: Cluster) -> None:
    address = pair.address.removeprefix("tcp://")
    with running(*job.words(), "--dask", address, variables=job.variables) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out == f"{job.out}/master.json\n"


def test_a_scheduler_that_does_not_answer_is_waited_for_with_a_word(job: Job) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with running(*job.words(), "--dask", address, variables=job.variables) as process:
            assert process.stderr is not None
            said = process.stderr.readline()
            process.terminate()
            process.communicate(timeout=120)
    assert said == f"waiting for the Dask scheduler at tcp://{address}\n"


@pytest.mark.parametrize(
    "address", ["host", "host:", ":8786", "tcp://host", "http://host:1", "a b"]
)
def test_an_address_that_cannot_be_is_told(address: str, job: Job) -> None:
    with running(*job.words(), "--dask", address, variables=job.variables) as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert f"'{address}' is no scheduler's address; write tcp://host:8786" in err


# --- tasks that can't succeed -----------------------------------------------------------------


def test_a_source_that_is_gone_before_a_worker_comes_is_told(job: Job, empty: Cluster) -> None:
    with running(*job.words(), "--dask", empty.address, variables=job.variables) as process:
        assert process.stderr is not None
        assert "has no workers yet" in process.stderr.readline()
        wait_until(job.is_planned)
        job.delete_source()
        empty.start_worker("a")
        out, err = process.communicate(timeout=120)

    assert process.returncode == 4
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"fanfold: {job.location}: can't be read: there is no such object")
    assert "master.json" not in job.results()
    assert job.finished() == set()


class MeddlingExecutor(Executor):
    """Threads; something happens before the first task."""

    def __init__(self, inner: Executor, meddle: Callable[[], None]) -> None:
        self._inner = inner
        self._meddle: Callable[[], None] | None = meddle

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._meddle is not None:
            self._meddle()
            self._meddle = None
        return self._inner.submit(fn, *args, **kwargs)


def test_a_worker_of_another_version_refuses_the_plan(job: Job, threads: Executor) -> None:
    def meddle() -> None:
        plan = json.loads(job.read("plan.json"))
        del plan["checksum"]
        job.write("plan.json", encode_checked(plan | {"version": "0.0.1"}))

    with pytest.raises(PlanError, match=r"made by fanfold 0\.0\.1, and this is .* plan anew"):
        job.run(MeddlingExecutor(threads, meddle))

    assert "master.json" not in job.results()


@pytest.mark.parametrize("kind", ["threads", "processes", "dask", "a closed client"])
def test_an_executor_that_was_shut_down_is_told(kind: str, tmp_path: Path, empty: Cluster) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(TEXT)
    executor: Executor
    with empty.client() as client:
        match kind:
            case "threads":
                executor = ThreadPoolExecutor(1)
            case "processes":
                executor = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
            case _:
                executor = client.get_executor()  # type: ignore[no-untyped-call]
        if kind != "a closed client":
            executor.shutdown()

    with pytest.raises(EngineError, match=r"takes no task: .*; run again with another"):
        fanfold.run(path, out=tmp_path / "out", executor=executor)

    assert not (tmp_path / "out" / "master.json").exists()
    fanfold.run(path, out=tmp_path / "out")


# --- processes --------------------------------------------------------------------------------


def test_a_process_that_is_killed_in_the_middle_of_a_task_is_told_and_the_next_run_completes(
    job: Job, aside: ThreadPoolExecutor, expected: dict[str, bytes]
) -> None:
    job.hold()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        worker = pool.submit(os.getpid).result()
        running = aside.submit(job.run, pool)
        wait_until(job.is_held)
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(EngineError, match=r"a task failed in a worker \(processes\): Broken"):
            running.result(120)
    assert "master.json" not in job.results()
    assert job.finished() == set(range(HELD))
    job.release()

    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        job.run(pool)

    assert job.results() == expected
    assert job.reads() == Counter(range(HELD, SLICES))


FORKED = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
import fanfold
from fanfold.errors import EngineError

location, out, local = sys.argv[1:]
fanfold.run(location, out=out + "/before")
with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
    fanfold.run(local, out=out + "/local", executor=pool)
    try:
        fanfold.run(location, out=out + "/forked", executor=pool, slice_bytes=5000)
    except EngineError as error:
        print(error)
fanfold.run(location, out=out + "/after")
"""


def run_script(script: str, job: Job, folder: Path) -> subprocess.CompletedProcess[str]:
    local = folder / "x.fa"
    local.write_bytes(TEXT)
    return subprocess.run(
        [sys.executable, "-c", script, job.location, str(folder), local],
        env=clean_environment() | job.variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_forked_processes_refuse_object_storage_and_do_not_hang(
    job: Job, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    done = run_script(FORKED, job, tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("a process that was forked from one that reads object storage")
    assert done.stdout.count("\n") == 1
    assert "get_context('spawn')" in done.stdout
    assert not (tmp_path / "forked" / "master.json").exists()
    for out in ("before", "local", "after"):
        assert results(tmp_path / out) == expected


def test_processes_that_were_forked_before_object_storage_was_read_can_read_it(
    job: Job, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    script = FORKED.replace('fanfold.run(location, out=out + "/before")\n', "")

    done = run_script(script, job, tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert results(tmp_path / "forked") == expected
