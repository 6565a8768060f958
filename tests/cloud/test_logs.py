"""What functions and containers log: JSON documents that name the job, and metrics."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from cloud.conftest import FANFOLD
from cloud.emulator.batch_runner import Image
from cloud.system import System
from cloud.test_jobs import eventually, permission_removed, setting, varied

ROLES = ("starter", "status", "chunker", "aggregator", "failures", "sweep")


@pytest.fixture(autouse=True)
def _containers_log_json(system: System) -> None:
    system.cloud.batch.images["*"] = Image([FANFOLD], {"FANFOLD_LOG": "json"})


def documents(system: System, job: str) -> list[dict[str, Any]]:
    """What the functions logged of a job. Lambda's own lines are no documents."""
    logs = system.cloud.client("logs").get_paginator("filter_log_events")
    lines = [
        event["message"]
        for role in ROLES
        for page in logs.paginate(logGroupName=f"/aws/lambda/{system.function(role)}")
        for event in page["events"]
    ]
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [each for each in found if each.get("job") == job]


def metrics(system: System, job: str) -> list[dict[str, float]]:
    """The metrics of a job."""
    return [
        {name: value for name, value in each.items() if name[0].isupper()}
        for each in documents(system, job)
        if "_aws" in each
    ]


def test_functions_log_documents_and_count_a_success_once(system: System) -> None:
    job = system.start("input/logged.fa", varied(600), slice_bytes=3000)
    system.succeed(job)
    eventually(lambda: metrics(system, job))

    found = documents(system, job)

    assert {each.get("function") for each in found} >= {"chunker", "aggregator"}
    assert {each.get("attempt") for each in found if "_aws" not in each} <= {1, None}
    cost = json.loads(system.get(f"results/{job}/cost.json"))
    slices = json.loads(system.get(f"results/{job}/run.json"))["slices"]["count"]
    usd = cost["estimated_cost_usd"]
    assert metrics(system, job) == [{"JobsSucceeded": 1, "Slices": slices, "Usd": usd}]


@pytest.mark.parametrize(
    ("role", "action"), [("chunker", "batch:SubmitJob"), ("aggregator", "s3:PutObject")]
)
def test_an_error_that_another_try_may_mend_names_the_job(
    system: System, role: str, action: str
) -> None:
    with permission_removed(system, role, action):
        job = system.start(f"input/error-of-{role}.fa", varied(603), slice_bytes=3000)
        eventually(
            lambda: [
                each
                for each in documents(system, job)
                if (each.get("function"), each.get("level")) == (role, "ERROR")
            ]
        )
    system.sweep()
    system.succeed(job)


def test_a_containers_words_are_told_without_their_form(system: System) -> None:
    data = gzip.compress(varied(601), mtime=0)[:-20]
    with setting(system, "chunker", FANFOLD_INFLATED_HERE_BYTES="100"):
        job = system.start("input/logged-cut.fa.gz", data, slice_bytes=1500)
        error = system.fail(job, "truncated")
    logs = system.call("GET", f"/jobs/{job}/logs?phase=inflate").document

    assert error["detail"].startswith("logged-cut.fa.gz: truncated")
    assert [line["text"] for line in logs["lines"]] == [f"fanfold: {error['detail']}"]
    eventually(lambda: metrics(system, job))
    assert metrics(system, job) == [{"JobsRefused": 1}]


def test_a_cancellation_is_counted_once(system: System) -> None:
    system.cloud.batch.hold()
    job = system.start("input/logged-cancelled.fa", varied(602), slice_bytes=1500)
    eventually(lambda: system.batch_jobs(job))

    for _ in range(2):
        system.call("DELETE", f"/jobs/{job}")
    system.cloud.batch.calm()
    system.cloud.batch.wait_idle()

    eventually(lambda: metrics(system, job))
    assert metrics(system, job) == [{"JobsCancelled": 1}]
