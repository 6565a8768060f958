"""Very many tiny genomes, posted at once by the client of the API: all end, none twice or lost."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from servers.proxy import Answer, FaultProxy

from cloud.system import System, local_results
from cloud.test_jobs import varied
from fanfold.api.client import Client
from fanfold.api.types import ChunkRequest

SECONDS_A_JOB = 10
"""How long a job may take on a slow machine."""


class Figures(NamedTuple):
    """What the storm took: seconds until the last post was taken and until the last job ended."""

    jobs: int
    posted_seconds: float
    ended_seconds: float
    posts: int
    answers: Counter[int | None]
    batch_jobs: int


def storm(
    system: System, proxy: FaultProxy, count: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Figures:
    """Post so many genomes at once, wait until all have ended, and check each; what it took.

    The first half of the posts are refused, however slow this machine is.
    """
    names = [f"storm{number:05d}.fa" for number in range(count)]
    for number, name in enumerate(names):
        system.put(f"input/{name}", varied(100_000 + number))
    for variable, value in system.cloud.environment(system.user).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", str(60 + count * SECONDS_A_JOB))
    proxy.clear()
    proxy.inject(Answer(429), method="POST", times=count // 2)
    api_url = system.api_url.replace(system.cloud.endpoint_url, proxy.url)
    started = time.monotonic()
    with Client(api_url) as client, ThreadPoolExecutor(count) as pool:
        asked = [ChunkRequest(system.bucket, f"input/{name}") for name in names]
        jobs = [answer.job for answer in pool.map(client.submit, asked)]
        posted_seconds = time.monotonic() - started
    deadline = time.monotonic() + 60 + count * SECONDS_A_JOB
    while are_open(system, jobs):
        assert time.monotonic() < deadline, "some are still open"
        time.sleep(1)  # a look lists all of them
    ended_seconds = time.monotonic() - started

    assert len({*jobs}) == count
    indexed = Counter(key.rpartition("-")[2] for key in system.keys("jobs/all/"))
    batch_jobs = Counter(each["jobName"] for each in system.cloud.batch.jobs())
    for job in jobs:
        files = {key.rpartition("/")[2] for key in system.keys(f"results/{job}/")}
        assert "master.json" in files
        assert "error.json" not in files
        assert indexed[job] == 1
        assert [name for name in batch_jobs if name.startswith(job)] == [f"{job}-task-1"]
        assert batch_jobs[f"{job}-task-1"] == 1
    for name, job in list(zip(names, jobs, strict=True))[:: max(1, count // 3)]:
        number = int(name[5:10])
        assert system.results(job) == local_results(folder, name, varied(100_000 + number), (5,))
    answers = Counter(each.status for each in proxy.log())
    return Figures(
        count, posted_seconds, ended_seconds, answers.total(), answers, batch_jobs.total()
    )


def are_open(system: System, jobs: list[str]) -> bool:
    """Whether one of some jobs has not ended, by the marks of open jobs."""
    opened = {key.rpartition("/")[2] for key in system.keys("jobs/open/")}
    return not opened.isdisjoint(jobs)
