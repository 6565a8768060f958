"""Batch's resources and lists, as its API tells them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloud.emulator.cloud import Cloud
from cloud.emulator.parts import BatchParts, make_batch

SLEEP = "import time; time.sleep(600)"
ONE_VCPU = {
    "resourceRequirements": [
        {"type": "VCPU", "value": "1"},
        {"type": "MEMORY", "value": "2048"},
    ]
}

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def parts(cloud: Cloud, name: str) -> BatchParts:
    return make_batch(cloud, name)


@pytest.fixture
def batch(cloud: Cloud) -> Any:
    return cloud.client("batch")


def listed(batch: Any, **asked: Any) -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    for page in batch.get_paginator("list_jobs").paginate(**asked):
        found += [job["jobId"] for job in page["jobSummaryList"]]
    return found


def test_a_list_has_the_running_jobs_unless_another_status_is_asked(
    cloud: Cloud, parts: BatchParts, batch: Any
) -> None:
    cloud.batch.hold()
    held = parts.submit("pass")
    assert listed(batch, jobQueue=parts.queue) == []
    assert listed(batch, jobQueue=parts.queue, jobStatus="RUNNABLE") == [held]
    cloud.batch.release()
    cloud.batch.wait_idle()
    assert listed(batch, jobQueue=parts.name, jobStatus="SUCCEEDED") == [held]


@pytest.mark.parametrize(
    ("filter_name", "value", "expected"),
    [
        ("JOB_NAME", "one-task-1", ["one-task-1"]),
        ("JOB_NAME", "ONE-TASK-*", ["one-task-2", "one-task-1"]),
        ("JOB_NAME", "task", []),
        ("JOB_DEFINITION", "NAME", ["two-task-1", "one-task-2", "one-task-1"]),
        ("JOB_DEFINITION", "NAM*", []),
        ("AFTER_CREATED_AT", "0", ["two-task-1", "one-task-2", "one-task-1"]),
        ("BEFORE_CREATED_AT", "1000", []),
    ],
)
def test_a_filter_finds_jobs_of_any_status_the_newest_first(
    parts: BatchParts, batch: Any, filter_name: str, value: str, expected: list[str]
) -> None:
    jobs = {}
    for job in ("one-task-1", "one-task-2", "two-task-1"):
        program = "raise SystemExit(1)" if job == "one-task-1" else "pass"
        jobs[parts.submit(program, job)] = job
    parts.cloud.batch.wait_idle()
    asked = [{"name": filter_name, "values": [value.replace("NAME", parts.name)]}]
    found = listed(batch, jobQueue=parts.queue, jobStatus="RUNNING", filters=asked)
    assert [jobs[job] for job in found] == expected


def test_children_are_listed_by_status_in_pages(parts: BatchParts, batch: Any) -> None:
    failing = "import os; raise SystemExit(os.environ['AWS_BATCH_JOB_ARRAY_INDEX'] == '3')"
    array = parts.submit(failing, arrayProperties={"size": 5})
    parts.cloud.batch.wait_idle()
    succeeded = listed(
        batch, arrayJobId=array, jobStatus="SUCCEEDED", PaginationConfig={"PageSize": 2}
    )
    assert succeeded == [f"{array}:{index}" for index in (0, 1, 2, 4)]
    assert listed(batch, arrayJobId=array, jobStatus="FAILED") == [f"{array}:3"]
    assert listed(batch, arrayJobId=array) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"jobName": "no.dots"},
        {"jobQueue": "elsewhere"},
        {"jobDefinition": "unknown"},
        {"jobDefinition": "NAME:2"},
        {"arrayProperties": {"size": 1}},
        {"arrayProperties": {"size": 10001}},
        {"timeout": {"attemptDurationSeconds": 5}},
        {"retryStrategy": {"attempts": 11}},
        {"containerOverrides": {"environment": [{"name": "AWS_BATCH_JOB_ID", "value": "1"}]}},
        {"containerOverrides": {"resourceRequirements": [{"type": "VCPU", "value": "16"}]}},
    ],
)
def test_a_job_that_batch_refuses_is_refused(
    parts: BatchParts, batch: Any, wrong: dict[str, Any]
) -> None:
    asked = {"jobName": "one", "jobQueue": parts.queue, "jobDefinition": parts.definition} | wrong
    if "jobDefinition" in wrong:
        asked["jobDefinition"] = wrong["jobDefinition"].replace("NAME", parts.name)
    with pytest.raises(ClientError) as refused:
        batch.submit_job(**asked)
    assert refused.value.response["Error"]["Code"] == "ClientException"


def test_what_is_overridden_is_described(parts: BatchParts) -> None:
    needs = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "4096"}]
    overrides = {
        "command": ["print('Ref::program')"],
        "resourceRequirements": needs,
        "environment": [{"name": "TOKIO_WORKER_THREADS", "value": "1"}],
    }
    job = parts.finished(parts.submit("pass", containerOverrides=overrides))
    container = job["container"]
    assert container["resourceRequirements"] == needs
    assert container["command"] == ["print('Ref::program')"]
    assert {"name": "TOKIO_WORKER_THREADS", "value": "1"} in container["environment"]
    assert {"name": "AWS_REGION", "value": parts.cloud.region} in container["environment"]


def test_a_queue_and_its_environment_are_disabled_before_they_are_deleted(
    parts: BatchParts, batch: Any
) -> None:
    with pytest.raises(ClientError, match="ENABLED"):
        batch.delete_job_queue(jobQueue=parts.queue)
    batch.update_job_queue(jobQueue=parts.queue, state="DISABLED")
    with pytest.raises(ClientError, match="disabled"):
        parts.submit("pass")
    with pytest.raises(ClientError, match="ENABLED"):
        batch.delete_compute_environment(computeEnvironment=parts.name)
    batch.update_compute_environment(computeEnvironment=parts.name, state="DISABLED")
    with pytest.raises(ClientError, match="relationship"):
        batch.delete_compute_environment(computeEnvironment=parts.name)
    batch.delete_job_queue(jobQueue=parts.queue)
    batch.delete_compute_environment(computeEnvironment=parts.name)
    queues = batch.describe_job_queues(jobQueues=[parts.queue])["jobQueues"]
    environments = batch.describe_compute_environments(computeEnvironments=[parts.name])
    assert (queues, environments["computeEnvironments"]) == ([], [])


def test_the_type_of_a_fargate_environment_stays(parts: BatchParts, batch: Any) -> None:
    resources = {"type": "FARGATE_SPOT", "maxvCpus": 16}
    with pytest.raises(ClientError, match="type"):
        batch.update_compute_environment(computeEnvironment=parts.name, computeResources=resources)


def test_a_full_environment_overflows_to_the_next_of_its_queue(
    cloud: Cloud, name: str, batch: Any, eventually: Eventually
) -> None:
    parts, spare = make_batch(cloud, name, max_vcpus=1), make_batch(cloud, f"{name}-spare")
    order = [
        {"order": 2, "computeEnvironment": spare.name},
        {"order": 1, "computeEnvironment": parts.name},
    ]
    batch.update_job_queue(jobQueue=parts.queue, computeEnvironmentOrder=order)
    array = parts.submit(SLEEP, arrayProperties={"size": 2}, containerOverrides=ONE_VCPU)
    eventually(lambda: len(listed(batch, arrayJobId=array)) == 2)
    batch.terminate_job(jobId=array, reason="enough")


def test_an_environment_that_is_deleted_with_active_jobs_becomes_invalid(
    cloud: Cloud, name: str, batch: Any, eventually: Eventually
) -> None:
    parts, spare = make_batch(cloud, name), make_batch(cloud, f"{name}-spare")
    job = parts.submit(SLEEP)
    eventually(lambda: parts.describe(job)["status"] == "RUNNING")
    order = [{"order": 1, "computeEnvironment": spare.name}]
    batch.update_job_queue(jobQueue=parts.queue, computeEnvironmentOrder=order)
    batch.update_compute_environment(computeEnvironment=parts.name, state="DISABLED")
    batch.delete_compute_environment(computeEnvironment=parts.name)
    found = batch.describe_compute_environments(computeEnvironments=[parts.name])
    assert found["computeEnvironments"][0]["status"] == "INVALID"
    batch.terminate_job(jobId=job, reason="enough")


def test_a_queue_is_gone_once_its_jobs_are(
    parts: BatchParts, batch: Any, eventually: Eventually
) -> None:
    job = parts.submit(SLEEP)
    eventually(lambda: parts.describe(job)["status"] == "RUNNING")
    batch.update_job_queue(jobQueue=parts.queue, state="DISABLED")
    batch.delete_job_queue(jobQueue=parts.queue)
    eventually(lambda: not batch.describe_job_queues(jobQueues=[parts.queue])["jobQueues"])
    assert parts.describe(job)["status"] == "FAILED"


def test_jobs_wait_for_an_environment_that_is_enabled_and_large_enough(
    parts: BatchParts, batch: Any
) -> None:
    batch.update_compute_environment(
        computeEnvironment=parts.name, computeResources={"maxvCpus": 0}
    )
    job = parts.submit("pass")
    assert parts.describe(job)["status"] == "RUNNABLE"
    batch.update_compute_environment(
        computeEnvironment=parts.name, computeResources={"maxvCpus": 1}
    )
    assert parts.finished(job)["status"] == "SUCCEEDED"


def test_a_definition_has_revisions_of_which_the_last_active_one_is_used(
    parts: BatchParts, batch: Any
) -> None:
    first = batch.describe_job_definitions(jobDefinitions=[parts.definition])["jobDefinitions"][0]
    second = batch.register_job_definition(
        jobDefinitionName=parts.name,
        type="container",
        platformCapabilities=["FARGATE"],
        containerProperties=first["containerProperties"],
    )
    assert second["revision"] == 2
    assert second["jobDefinitionArn"] == parts.definition.removesuffix("1") + "2"

    def used() -> str:
        return str(parts.describe(parts.submit("pass", jobDefinition=parts.name))["jobDefinition"])

    assert used() == second["jobDefinitionArn"]
    batch.deregister_job_definition(jobDefinition=f"{parts.name}:2")
    assert used() == parts.definition
    active = batch.describe_job_definitions(jobDefinitionName=parts.name, status="ACTIVE")
    assert [one["revision"] for one in active["jobDefinitions"]] == [1]
    every = batch.describe_job_definitions(jobDefinitionName=parts.name)
    assert {one["revision"]: one["status"] for one in every["jobDefinitions"]} == {
        1: "ACTIVE",
        2: "INACTIVE",
    }


def test_resources_and_jobs_have_tags(parts: BatchParts, batch: Any) -> None:
    job = parts.describe(parts.submit("pass", tags={"of": "a test"}))
    for arn in (parts.queue, parts.definition, job["jobArn"]):
        batch.tag_resource(resourceArn=arn, tags={"project": "fanfold", "short": "lived"})
        batch.untag_resource(resourceArn=arn, tagKeys=["short"])
        tags = batch.list_tags_for_resource(resourceArn=arn)["tags"]
        assert tags["project"] == "fanfold"
        assert "short" not in tags
