"""The functions are killed between every two of their steps, and the job ends right all the same.

A step is a request that changes something. Each function runs here as a process of its own, with
its own role and settings, behind a proxy that lets the n-th step be done and its answer never come;
then the process is killed. What takes the job up is what would: the same request again, Lambda's
retry, Batch's event once more, or the sweep.
"""

from __future__ import annotations

import gzip
import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from servers.proxy import FaultProxy, Request

from cloud.functions import Killed, chunk, run
from cloud.system import Json, System, local_results
from cloud.test_jobs import ended, events_lost, eventually, varied

STEPS_AT_MOST = 30
SLICE_BYTES = 2500


def killed_after_each_step(
    system: System, proxy: FaultProxy, role: str, event: Json, step: int
) -> bool:
    """Run a function until a step is done; false if it has no such step."""
    try:
        run(system, proxy, role, event, kill_after=step)
    except Killed:
        return True
    return False


def kill_when_written(
    system: System, proxy: FaultProxy, name: str, key: str, **fields: object
) -> None:
    """Kill the starter of a genome as soon as it has written an object whose key matches."""

    def writes(request: Request) -> bool:
        return request.method == "PUT" and fnmatchcase(request.path, f"/{system.bucket}/{key}")

    with pytest.raises(Killed):
        run(system, proxy, "starter", posted(system, name, **fields), kill_after=1, of=writes)


def genome(seed: int, kind: str) -> tuple[str, bytes]:
    data = varied(seed)
    return (f"{kind}{seed}.fa", data) if kind == "plain" else (f"{kind}{seed}.gz", zipped(data))


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def posted(system: System, name: str, **fields: object) -> Json:
    """What API Gateway sends for a POST."""
    asked = {"bucket": system.bucket, "key": f"input/{name}", "slice_bytes": SLICE_BYTES, **fields}
    return {"httpMethod": "POST", "resource": "/chunk", "body": json.dumps(asked)}


def test_the_starter_is_killed_between_its_steps(
    system: System, proxy: FaultProxy, tmp_path: Path
) -> None:
    for step in range(1, STEPS_AT_MOST):
        name, data = genome(100 + step, "plain")
        system.put(f"input/{name}", data)
        if not killed_after_each_step(system, proxy, "starter", posted(system, name), step):
            break
        job = system.post(f"input/{name}", slice_bytes=SLICE_BYTES).document["job"]
        assert system.succeed(job) == local_results(tmp_path, name, data, (5,))
        assert system.job(job)["attempt"] == 1
        assert len(system.call("GET", "/jobs?limit=1").document["jobs"]) == 1
    assert 3 < step < STEPS_AT_MOST - 1


def test_a_starter_that_nobody_asks_again_is_mended_by_the_sweep(
    system: System, proxy: FaultProxy, tmp_path: Path
) -> None:
    name, data = genome(150, "plain")
    system.put(f"input/{name}", data)
    others = set(system.keys("jobs/open/"))
    kill_when_written(system, proxy, name, "results/*/request.json")
    (opened,) = set(system.keys("jobs/open/")) - others
    job = opened.rpartition("/")[2]

    system.sweep()

    assert system.succeed(job) == local_results(tmp_path, name, data, (5,))


@pytest.mark.parametrize("kind", ["plain", "gzip"])
def test_the_chunker_is_killed_between_its_steps(
    system: System, proxy: FaultProxy, tmp_path: Path, kind: str
) -> None:
    for step in range(1, STEPS_AT_MOST):
        name, data = genome(200 + step, kind)
        job = created(system, proxy, name, data)
        event = chunk(job)
        if not killed_after_each_step(system, proxy, "chunker", event, step):
            break
        if step % 2:
            proxy.clear()
            run(system, proxy, "chunker", event)
        else:
            system.sweep()
        assert system.succeed(job) == local_results(tmp_path, name, data, (5,))
        assert len(system.batch_jobs(job)) == 1
    assert 3 < step < STEPS_AT_MOST - 1


def test_the_aggregator_is_killed_between_its_steps(
    system: System, proxy: FaultProxy, tmp_path: Path
) -> None:
    for step in range(1, STEPS_AT_MOST):
        name, data = genome(300 + step, "plain")
        with events_lost(system):
            job = system.start(f"input/{name}", data, slice_bytes=SLICE_BYTES)
            eventually(lambda job=job: ended(system, job))  # type: ignore[misc]
        event = {"detail": system.batch_jobs(job)[0]}
        if not killed_after_each_step(system, proxy, "aggregator", event, step):
            break
        if step % 2:
            proxy.clear()
            run(system, proxy, "aggregator", event)
        else:
            system.sweep()
        assert system.succeed(job) == local_results(tmp_path, name, data, (5,))
        eventually(lambda job=job: not system.keys(f"jobs/open/{job}"))  # type: ignore[misc]
    assert 8 < step < STEPS_AT_MOST - 1


def test_an_archive_that_takes_too_long_is_handed_to_a_container(
    system: System, proxy: FaultProxy, tmp_path: Path
) -> None:
    name, data = genome(290, "gzip")
    job = created(system, proxy, name, data)
    proxy.clear()
    run(system, proxy, "chunker", chunk(job), remaining_ms=1000)

    assert system.succeed(job) == local_results(tmp_path, name, data, (5,))
    assert len(system.batch_jobs(job, "inflate")) == 1


def test_an_archive_whose_text_is_huge_is_handed_over_in_time(
    system: System, proxy: FaultProxy
) -> None:
    """All of it is in one block of the input, and many slices."""
    job = created(system, proxy, "huge.gz", zipped(varied(291) + b"ACGT" * 5_000_000))
    proxy.clear()
    run(system, proxy, "chunker", chunk(job), remaining_ms=1000)

    written = [each for each in proxy.log() if f"/chunks/{job}/" in each.request.path]
    assert len(written) < 10
    assert len(system.batch_jobs(job, "inflate")) == 1
    assert system.call("DELETE", f"/jobs/{job}").status == 200


def test_copying_that_takes_too_long_goes_on_in_another_run(
    system: System, proxy: FaultProxy, tmp_path: Path
) -> None:
    name, data = genome(295, "plain")
    job = created(system, proxy, name, data, chunks="files")
    proxy.clear()
    run(system, proxy, "chunker", chunk(job), remaining_ms=1000)

    assert system.succeed(job) == local_results(tmp_path, name, data, (5,))


def created(system: System, proxy: FaultProxy, name: str, data: bytes, **fields: object) -> str:
    """A job whose chunker was not woken: its starter was killed before that."""
    system.put(f"input/{name}", data)
    kill_when_written(system, proxy, name, "jobs/all/*", **fields)
    newest: str = system.call("GET", "/jobs?limit=1").document["jobs"][0]["job"]
    return newest
