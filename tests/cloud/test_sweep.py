"""What a look at very many jobs asks of S3 and Batch, counted at a proxy before the account."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote

import obstore
import pytest
from obstore.store import S3Store
from servers.proxy import FaultProxy, Request

from cloud.emulator.clients import ROOT_KEY, ROOT_SECRET
from cloud.functions import run
from cloud.system import System
from cloud.test_jobs import ended, events_lost, eventually, varied

JOBS = 10_000
PAGE = 1000
SWEEPS_A_DAY = 144
USD = {"list": 0.005 / 1000, "put": 0.005 / 1000, "get": 0.0004 / 1000, "send": 0.4e-6}
"""List prices of us-east-1."""


def kind(request: Request) -> str:
    """What a request is, by what it costs."""
    if request.path.startswith("/v1/"):
        return request.path.removeprefix("/v1/")
    if request.method == "POST":
        return request.headers.get("x-amz-target", "other").rpartition(".")[2]
    if request.method == "GET" and "list-type" in request.query:
        return "list"
    return request.method.lower()


def counted(proxy: FaultProxy) -> Counter[str]:
    return Counter(kind(each.request) for each in proxy.log())


def usd(calls: Counter[str]) -> float:
    return sum(USD.get(each, 0) * count for each, count in calls.items())


@contextmanager
def objects(system: System, names: list[str]) -> Iterator[None]:
    """Empty objects in the bucket, removed at the end."""
    store = S3Store(
        system.bucket,
        endpoint=system.cloud.endpoint_url,
        access_key_id=ROOT_KEY,
        secret_access_key=ROOT_SECRET,
        region=system.cloud.region,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )

    async def put_all() -> None:
        turn = asyncio.Semaphore(16)

        async def put(name: str) -> None:
            async with turn:
                await obstore.put_async(store, name, b"")

        await asyncio.gather(*map(put, names))

    asyncio.run(put_all())
    try:
        yield
    finally:
        obstore.delete(store, names)


def job_name(number: int) -> str:
    """Names that are spread as the hashes are."""
    return f"{number * (16**32 // JOBS):032x}"


@pytest.fixture
def running(system: System) -> Iterator[list[str]]:
    """A hundred jobs that Batch keeps."""
    system.cloud.batch.hold()
    batch = system.cloud.client("batch")
    outputs = system.outputs
    ids = [
        batch.submit_job(
            jobName=f"held-{number}",
            jobQueue=outputs["queue_arn"],
            jobDefinition=f"{system.name}-task",
            parameters={"plan": "s3://nowhere/plan.json"},
        )["jobId"]
        for number in range(100)
    ]
    yield ids
    for each in ids:
        batch.terminate_job(jobId=each, reason="the test is over")
    system.cloud.batch.release()


def test_a_sweep_over_ten_thousand_jobs_that_run_reads_none_of_them(
    system: System, proxy: FaultProxy, running: list[str]
) -> None:
    jobs = [job_name(number) for number in range(JOBS)]
    hints = [f"{job}-task-1.{running[at % 100]}" for at, job in enumerate(jobs)]
    others = len(system.keys("jobs/open/"))
    with objects(system, [f"jobs/open/{each}" for each in (*jobs, *hints)]):
        proxy.clear()
        run(system, proxy, "sweep", {})

    calls = counted(proxy)
    assert calls["describejobs"] >= JOBS / 100
    assert calls["list"] <= (2 * JOBS + others) / PAGE + 2
    assert sum(calls.values()) == calls["list"] + calls["describejobs"]
    assert SWEEPS_A_DAY * usd(calls) < 0.05, calls


def test_jobs_that_wait_for_the_chunker_are_not_read_until_they_are_old(
    system: System, proxy: FaultProxy
) -> None:
    jobs = [f"jobs/open/{job_name(number)}" for number in range(200)]
    with objects(system, jobs):
        proxy.clear()
        run(system, proxy, "sweep", {})

    calls = counted(proxy)
    assert set(calls) <= {"list", "describejobs"}


def test_a_sweep_that_is_out_of_time_has_looked_from_where_it_began(
    system: System, proxy: FaultProxy
) -> None:
    """What hints leave without their job is removed, which shows where it was."""
    names = [f"jobs/open/{job_name(number * 10)}.woken" for number in range(300)]
    with objects(system, names):
        proxy.clear()
        run(system, proxy, "sweep", {"start": job_name(2495)}, remaining_ms=1000)
        there = set(system.keys("jobs/open/"))
        left = [each for each in names if each in there]
        assert left == names[50:250]  # the last fifty went, and then the first
        run(system, proxy, "sweep", {})
        assert not {*names} & {*system.keys("jobs/open/")}


def test_a_job_that_has_just_ended_is_left_to_the_aggregator(
    system: System, proxy: FaultProxy
) -> None:
    with events_lost(system):
        job = system.start("input/just-ended.fa", varied(50), slice_bytes=1500)
        eventually(lambda: ended(system, job))
    (hint,) = (key for key in system.keys(f"jobs/open/{job}") if not key.endswith(job))
    assert hint == f"jobs/open/{job}-task-1.{system.batch_jobs(job)[0]['jobId']}"

    proxy.clear()
    run(system, proxy, "sweep", {})

    assert not reads_of(proxy, f"results/{job}/")
    assert system.job(job)["state"] == "RUNNING"
    system.sweep()
    system.succeed(job)
    assert not system.keys(f"jobs/open/{job}")


def test_a_job_whose_hint_is_lost_has_it_again(system: System) -> None:
    system.cloud.batch.hold()
    job = system.start("input/no-hint.fa", varied(51), slice_bytes=1500)
    eventually(lambda: len(system.keys(f"jobs/open/{job}")) == 2)
    (hint,) = (key for key in system.keys(f"jobs/open/{job}") if not key.endswith(job))
    system.cloud.client("s3").delete_object(Bucket=system.bucket, Key=hint)

    system.sweep()

    assert hint in system.keys(f"jobs/open/{job}")
    system.cloud.batch.release()
    system.succeed(job)


def test_a_page_of_jobs_lists_a_page_of_the_index(system: System, proxy: FaultProxy) -> None:
    first = system.start("input/paged.fa", varied(52))
    second = system.start("input/paged.fa", k=[4])
    older = [f"jobs/all/{10**14 - 1 - number:014d}-{job_name(number)}" for number in range(2500)]
    event = {"httpMethod": "GET", "resource": "/jobs", "queryStringParameters": {"limit": "1"}}
    with objects(system, older):
        proxy.clear()
        page = json.loads(run(system, proxy, "status", event)["body"])
        event["queryStringParameters"] = {"limit": "1", "next": page["next"]}
        more = json.loads(run(system, proxy, "status", event)["body"])

    assert [each["job"] for each in (*page["jobs"], *more["jobs"])] == [second, first]
    assert len(reads_of(proxy, "jobs/all")) == 2
    for job in (first, second):
        system.succeed(job)


def test_a_damaged_request_is_written_again_without_a_walk_of_the_index(
    system: System, proxy: FaultProxy
) -> None:
    job = system.start("input/again.fa", varied(53))
    system.succeed(job)
    created = system.job(job)["created"]
    system.put(f"results/{job}/request.json", b"")
    asked = json.dumps({"bucket": system.bucket, "key": "input/again.fa"})

    proxy.clear()
    run(system, proxy, "starter", {"httpMethod": "POST", "resource": "/chunk", "body": asked})

    assert not reads_of(proxy, "jobs/all")
    assert system.job(job)["created"] == created
    assert len([key for key in system.keys("jobs/all/") if key.endswith(job)]) == 1


def test_a_page_of_jobs_continues_only_after_what_a_page_said(system: System) -> None:
    assert system.call("GET", "/jobs?next=..%2F..%2Fresults").status == 400


def reads_of(proxy: FaultProxy, below: str) -> list[Request]:
    """The requests that read an object or a listing whose name begins so."""
    return [
        each.request
        for each in proxy.log()
        if each.request.method == "GET"
        and (f"/{below}" in each.request.path or f"prefix={below}" in unquote(each.request.query))
    ]
