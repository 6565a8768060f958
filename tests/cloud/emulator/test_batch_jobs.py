"""Jobs of the double as they run: arrays, retries, ends before their time, credentials, logs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloud.emulator.batch import StillOpenError
from cloud.emulator.batch_runner import (
    HOST_TERMINATED,
    SPOT_TASK_INTERRUPTED,
    TIMED_OUT,
    Image,
    Interruption,
)
from cloud.emulator.cloud import Cloud
from cloud.emulator.parts import BatchParts, allow, grant, make_batch, make_bucket, make_role

PRINT_BATCHS_VARIABLES = """
import os
for name in sorted(os.environ):
    if name.startswith("AWS_BATCH"):
        print(name, os.environ[name])
"""
EXIT_WITH_ATTEMPT = """
import os
raise SystemExit(int(os.environ["AWS_BATCH_JOB_ATTEMPT"]))
"""
TELL_SIGTERM = """
import signal, sys, time
def end(*_):
    print("SIGTERM")
    sys.stdout.flush()
    raise SystemExit(143)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(600)
"""
WAIT_FOR_SPOT = """
import os, time
if (os.environ["AWS_BATCH_JOB_ARRAY_INDEX"], os.environ["AWS_BATCH_JOB_ATTEMPT"]) == ("1", "1"):
    time.sleep(600)
"""
IGNORE_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""
USE_CREDENTIALS = """
import os
import boto3, obstore
from obstore.store import S3Store

assert "AWS_ACCESS_KEY_ID" not in os.environ
client = boto3.client("s3", region_name=os.environ["AWS_REGION"])
store = S3Store("BUCKET", client_options={"allow_http": True})

def by_boto3(key):
    return client.get_object(Bucket="BUCKET", Key=key)["Body"].read()

def by_obstore(key):
    return bytes(obstore.get(store, key).bytes())

for read in (by_boto3, by_obstore):
    print(read("results/a").decode())
    try:
        print(read("input/a").decode())
    except Exception as error:
        print("refused", "AccessDenied" in str(error))
"""

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def parts(cloud: Cloud, name: str) -> BatchParts:
    return make_batch(cloud, name)


def has_written(parts: BatchParts, line: str) -> bool:
    """Whether any job, even one that runs, has come to a line of its output."""
    answer = parts.cloud.client("logs").filter_log_events(logGroupName=parts.log_group)
    return line in [event["message"] for event in answer["events"]]


def test_children_of_an_array_know_their_index(parts: BatchParts) -> None:
    array = parts.submit(PRINT_BATCHS_VARIABLES, arrayProperties={"size": 3})
    job = parts.finished(array)
    assert job["status"] == "SUCCEEDED"
    assert job["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 3
    child = parts.describe(f"{array}:2")
    assert child["arrayProperties"]["index"] == 2
    assert parts.log(child["container"]) == [
        "AWS_BATCH_CE_NAME fargate",
        "AWS_BATCH_JOB_ARRAY_INDEX 2",
        "AWS_BATCH_JOB_ARRAY_SIZE 3",
        "AWS_BATCH_JOB_ATTEMPT 1",
        f"AWS_BATCH_JOB_ID {array}:2",
        f"AWS_BATCH_JQ_NAME {parts.name}",
    ]


def test_an_array_is_pending_once_a_child_is_runnable(cloud: Cloud, parts: BatchParts) -> None:
    cloud.batch.hold()
    array = parts.submit("pass", arrayProperties={"size": 2})
    job = parts.describe(array)
    assert job["status"] == "PENDING"
    assert job["arrayProperties"]["statusSummary"]["RUNNABLE"] == 2
    cloud.batch.release()
    assert parts.finished(array)["status"] == "SUCCEEDED"


def test_an_array_fails_if_a_child_does(parts: BatchParts) -> None:
    failing = "import os; raise SystemExit(os.environ['AWS_BATCH_JOB_ARRAY_INDEX'] == '1')"
    job = parts.finished(parts.submit(failing, arrayProperties={"size": 3}))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Array Child Job failed")
    summary = job["arrayProperties"]["statusSummary"]
    assert (summary["SUCCEEDED"], summary["FAILED"]) == (2, 1)


def test_exit_codes_decide_whether_there_is_another_attempt(parts: BatchParts) -> None:
    retry = {"attempts": 5, "evaluateOnExit": [{"onExitCode": "3", "action": "EXIT"}]}
    job = parts.finished(parts.submit(EXIT_WITH_ATTEMPT, retryStrategy=retry))
    assert [one["container"]["exitCode"] for one in job["attempts"]] == [1, 2, 3]
    assert (job["status"], job["container"]["exitCode"]) == ("FAILED", 3)
    assert job["statusReason"] == "Essential container in task exited"


def test_spot_takes_one_child_and_it_is_run_again(cloud: Cloud, parts: BatchParts) -> None:
    cloud.batch.interrupt(Interruption(job=parts.name, index=1, attempt=1))
    retry = {"attempts": 2}
    array = parts.submit(WAIT_FOR_SPOT, arrayProperties={"size": 2}, retryStrategy=retry)
    assert parts.finished(array)["status"] == "SUCCEEDED"
    first, second = parts.describe(f"{array}:1")["attempts"]
    assert (first["statusReason"], first["container"]["exitCode"]) == (SPOT_TASK_INTERRUPTED, 137)
    assert second["container"]["exitCode"] == 0
    assert len(parts.describe(f"{array}:0")["attempts"]) == 1


def test_spot_may_come_when_the_work_is_done(cloud: Cloud, parts: BatchParts) -> None:
    cloud.batch.interrupt(Interruption(job=parts.name, after_seconds=None))
    job = parts.finished(parts.submit("print('done')", retryStrategy={"attempts": 2}))
    assert job["status"] == "SUCCEEDED"
    assert [parts.log(one["container"]) for one in job["attempts"]] == [["done"], ["done"]]
    assert job["attempts"][0]["statusReason"] == SPOT_TASK_INTERRUPTED


def test_spot_may_give_notice(cloud: Cloud, parts: BatchParts) -> None:
    interruption = Interruption(after_seconds=1.5, notice_seconds=10, status_reason=HOST_TERMINATED)
    cloud.batch.interrupt(interruption)
    job = parts.finished(parts.submit(TELL_SIGTERM))
    assert (job["status"], job["statusReason"]) == ("FAILED", HOST_TERMINATED)
    assert parts.log(job["container"]) == ["ready", "SIGTERM"]


def test_children_may_be_taken_up_from_the_last(cloud: Cloud, parts: BatchParts) -> None:
    cloud.batch.api.last_child_first = True
    cloud.batch.scheduler.at_once = 1
    array = parts.submit("pass", arrayProperties={"size": 3})
    parts.finished(array)
    started = [child["startedAt"] for child in cloud.batch.children(array)]
    assert started == sorted(started, reverse=True)


def test_a_terminated_job_gets_sigterm(
    cloud: Cloud, parts: BatchParts, eventually: Eventually
) -> None:
    job = parts.submit(TELL_SIGTERM, retryStrategy={"attempts": 3})
    eventually(lambda: has_written(parts, "ready"))
    cloud.client("batch").terminate_job(jobId=job, reason="no longer wanted")
    ended = parts.finished(job)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "no longer wanted")
    assert ended["container"]["exitCode"] == 143
    assert parts.log(ended["container"]) == ["ready", "SIGTERM"]
    assert len(ended["attempts"]) == 1


def test_who_ignores_sigterm_is_killed(
    cloud: Cloud, parts: BatchParts, eventually: Eventually
) -> None:
    cloud.batch.runner.grace_seconds = 0.2
    job = parts.submit(IGNORE_SIGTERM)
    eventually(lambda: has_written(parts, "ready"))
    cloud.client("batch").terminate_job(jobId=job, reason="no longer wanted")
    assert parts.finished(job)["container"]["exitCode"] == 137


def test_terminating_an_array_ends_its_children(
    cloud: Cloud, parts: BatchParts, eventually: Eventually
) -> None:
    cloud.batch.runner.grace_seconds = 0.2
    array = parts.submit("import time; time.sleep(600)", arrayProperties={"size": 20})
    eventually(
        lambda: parts.describe(array)["arrayProperties"]["statusSummary"]["RUNNING"] == 3,
    )
    cloud.client("batch").terminate_job(jobId=array, reason="no longer wanted")
    ended = parts.finished(array)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "no longer wanted")
    assert ended["arrayProperties"]["statusSummary"]["FAILED"] == 20


def test_cancelling_ends_what_has_not_started_and_nothing_else(
    cloud: Cloud, parts: BatchParts, eventually: Eventually, tmp_path: Path
) -> None:
    may_end = tmp_path / "may-end"
    running = parts.submit(
        f"import os, time\nwhile not os.path.exists({str(may_end)!r}): time.sleep(0.01)"
    )
    eventually(lambda: parts.describe(running)["status"] == "RUNNING")
    cloud.batch.hold()
    held = parts.submit("pass")
    for job in (running, held):
        cloud.client("batch").cancel_job(jobId=job, reason="changed my mind")
    cloud.batch.release()
    may_end.touch()
    ended = parts.finished(held)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "changed my mind")
    assert ended["attempts"] == []
    assert parts.finished(running)["status"] == "SUCCEEDED"


def test_a_job_that_takes_too_long_is_ended_and_not_tried_again(
    cloud: Cloud, parts: BatchParts, eventually: Eventually
) -> None:
    job = parts.submit(
        TELL_SIGTERM, timeout={"attemptDurationSeconds": 600}, retryStrategy={"attempts": 3}
    )
    eventually(lambda: has_written(parts, "ready"))
    cloud.batch.runner.timeout_speed = 600
    ended = parts.finished(job)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", TIMED_OUT)
    assert len(ended["attempts"]) == 1
    assert parts.log(ended["container"]) == ["ready", "SIGTERM"]


def test_a_job_waits_for_those_it_depends_on(cloud: Cloud, parts: BatchParts) -> None:
    cloud.batch.hold("first-*")
    first = parts.submit("pass", f"first-{parts.name}")
    then = parts.submit("pass", dependsOn=[{"jobId": first}])
    assert parts.describe(then)["status"] == "PENDING"
    cloud.batch.release()
    assert parts.finished(then)["status"] == "SUCCEEDED"
    assert parts.describe(first)["stoppedAt"] <= parts.describe(then)["startedAt"]


def test_a_job_fails_with_those_it_depends_on(parts: BatchParts) -> None:
    first = parts.submit("raise SystemExit(1)")
    then = parts.submit("pass", dependsOn=[{"jobId": first}])
    assert parts.finished(then)["statusReason"] == "Dependent Job failed"


def test_children_may_wait_for_their_twins_or_for_one_another(
    cloud: Cloud, parts: BatchParts
) -> None:
    cloud.batch.hold("first-*")
    first = parts.submit(
        "import os; raise SystemExit(os.environ['AWS_BATCH_JOB_ARRAY_INDEX'] == '1')",
        f"first-{parts.name}",
        arrayProperties={"size": 2},
    )
    twins = parts.submit(
        "pass",
        arrayProperties={"size": 2},
        dependsOn=[{"jobId": first, "type": "N_TO_N"}],
    )
    row = parts.submit("pass", arrayProperties={"size": 3}, dependsOn=[{"type": "SEQUENTIAL"}])
    cloud.batch.release()
    cloud.batch.wait_idle()
    assert [child["status"] for child in cloud.batch.children(twins)] == ["SUCCEEDED", "FAILED"]
    children = cloud.batch.children(row)
    assert all(one["stoppedAt"] <= other["startedAt"] for one, other in pairwise(children))


def test_a_queue_gives_up_jobs_that_stay_runnable(cloud: Cloud, parts: BatchParts) -> None:
    reason = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
    limit = {
        "reason": reason,
        "state": "RUNNABLE",
        "maxTimeSeconds": 3600,
        "action": "CANCEL",
    }
    cloud.client("batch").update_job_queue(jobQueue=parts.queue, jobStateTimeLimitActions=[limit])
    cloud.batch.hold(parts.name)
    array = parts.submit("pass", arrayProperties={"size": 2})
    cloud.batch.give_up(parts.name)
    assert parts.finished(array)["status"] == "FAILED"
    assert parts.describe(f"{array}:0")["statusReason"] == reason


def test_a_queues_vcpus_bound_how_many_run_at_once(cloud: Cloud, name: str) -> None:
    parts = make_batch(cloud, name, max_vcpus=1)
    sizes = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}]
    array = parts.submit(
        "import time; time.sleep(0.1)",
        arrayProperties={"size": 3},
        containerOverrides={"resourceRequirements": sizes},
    )
    assert parts.finished(array)["status"] == "SUCCEEDED"
    children = sorted(cloud.batch.children(array), key=lambda child: int(child["startedAt"]))
    assert children[0]["container"]["resourceRequirements"] == sizes
    assert all(one["stoppedAt"] <= other["startedAt"] for one, other in pairwise(children))


def test_boto3_and_obstore_find_the_job_roles_credentials(cloud: Cloud, name: str) -> None:
    bucket = make_bucket(cloud, name)
    for key in ("results/a", "input/a"):
        cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=b"text")
    reading = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/results/*")
    parts = make_batch(cloud, f"{name}-b", reading)
    job = parts.finished(parts.submit(USE_CREDENTIALS.replace("BUCKET", bucket)))
    assert parts.log(job["container"]) == ["text", "refused True"] * 2


def test_credentials_are_given_to_the_tasks_own_token_alone(cloud: Cloud, name: str) -> None:
    parts = make_batch(cloud, name)
    program = """
import os, urllib.request, urllib.error
for token in ("", "other"):
    request = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
    if token:
        request.add_header("Authorization", token)
    try:
        urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        print(error.code)
"""
    assert parts.log(parts.finished(parts.submit(program))["container"]) == ["401", "401"]


def test_logs_can_be_read_while_the_job_runs(
    cloud: Cloud, parts: BatchParts, eventually: Eventually
) -> None:
    job = parts.submit("import time; print('early', flush=True); time.sleep(600)")
    eventually(lambda: has_written(parts, "early"))
    cloud.batch.runner.grace_seconds = 0.2
    cloud.client("batch").terminate_job(jobId=job, reason="enough")
    stream = parts.finished(job)["container"]["logStreamName"]
    assert stream.startswith("task/default/")


@pytest.mark.parametrize("role", ["execution", "task"])
def test_a_task_whose_role_ecs_cannot_assume_fails_to_start(
    cloud: Cloud, parts: BatchParts, role: str
) -> None:
    cloud.client("iam").update_assume_role_policy(
        RoleName=f"{parts.name}-{role}",
        PolicyDocument='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",'
        ' "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}',
    )
    job = parts.finished(parts.submit("pass"))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    assert "unable to assume the role" in job["container"]["reason"]


def test_a_task_that_may_not_write_its_log_fails_to_start(cloud: Cloud, parts: BatchParts) -> None:
    role = f"{parts.name}-execution"
    cloud.client("iam").delete_role_policy(RoleName=role, PolicyName=role)
    job = parts.finished(parts.submit("pass", retryStrategy={"attempts": 2}))
    assert "logs:CreateLogStream" in job["container"]["reason"]
    assert len(job["attempts"]) == 2


def test_an_image_is_pulled_with_the_execution_roles_permissions(
    cloud: Cloud, parts: BatchParts
) -> None:
    registry = f"{cloud.account}.dkr.ecr.{cloud.region}.amazonaws.com"
    cloud.client("ecr").create_repository(repositoryName=parts.name)
    definition = cloud.client("batch").describe_job_definitions(jobDefinitions=[parts.definition])[
        "jobDefinitions"
    ][0]
    container = {
        **definition["containerProperties"],
        "image": f"{registry}/{parts.name}@sha256:{'a' * 64}",
    }
    revision = cloud.client("batch").register_job_definition(
        jobDefinitionName=parts.name,
        type="container",
        platformCapabilities=["FARGATE"],
        containerProperties=container,
    )["jobDefinitionArn"]
    job = parts.finished(parts.submit("pass", jobDefinition=revision, parameters={"program": "0"}))
    assert job["container"]["reason"].startswith("CannotPullContainerError")
    repository = f"arn:aws:ecr:{cloud.region}:{cloud.account}:repository/{parts.name}"
    pulling = [
        allow("ecr:GetAuthorizationToken", "*"),
        allow(
            [
                "ecr:BatchGetImage",
                "ecr:BatchCheckLayerAvailability",
                "ecr:GetDownloadUrlForLayer",
            ],
            repository,
        ),
    ]
    grant(cloud, f"{parts.name}-execution", *pulling)
    job = parts.finished(parts.submit("pass", jobDefinition=revision, parameters={"program": "0"}))
    assert job["status"] == "SUCCEEDED"


def test_an_image_that_is_nowhere_cannot_be_pulled(cloud: Cloud, parts: BatchParts) -> None:
    cloud.batch.images.clear()
    cloud.batch.images["another"] = Image([sys.executable])
    job = parts.finished(parts.submit("pass"))
    assert job["container"]["reason"].startswith("CannotPullContainerError")


def test_waiting_tells_which_jobs_are_open(cloud: Cloud, parts: BatchParts) -> None:
    cloud.batch.hold(parts.name)
    parts.submit("pass")
    with pytest.raises(StillOpenError, match=f"{parts.name}: RUNNABLE"):
        cloud.batch.wait_idle(0.1)


def test_batch_forgets(cloud: Cloud, parts: BatchParts) -> None:
    array = parts.submit("pass", arrayProperties={"size": 2})
    cloud.batch.wait_idle()
    cloud.batch.forget(parts.name)
    answer: Any = cloud.client("batch").describe_jobs(jobs=[array, f"{array}:0"])
    assert answer["jobs"] == []


def test_submitting_needs_the_queue_and_the_definition(cloud: Cloud, parts: BatchParts) -> None:
    stem = parts.definition.rpartition(":")[0]
    role = make_role(
        cloud,
        f"{parts.name}-submits",
        "lambda.amazonaws.com",
        allow("batch:SubmitJob", parts.queue, f"{stem}:*"),
    )
    batch = cloud.session_for(role, "batch")
    asked = {"jobName": "one", "jobQueue": parts.queue, "jobDefinition": parts.definition}
    job = batch.submit_job(**asked)["jobId"]
    other = make_batch(cloud, f"{parts.name}-other")
    for name, arn in (("jobQueue", other.queue), ("jobDefinition", other.definition)):
        with pytest.raises(ClientError, match="not authorized"):
            batch.submit_job(**{**asked, name: arn})
    with pytest.raises(ClientError, match="not authorized"):
        batch.terminate_job(jobId=job, reason="no")
    jobs = f"arn:aws:batch:{cloud.region}:{cloud.account}:job/*"
    grant(cloud, f"{parts.name}-submits", allow("batch:TerminateJob", jobs))
    batch.terminate_job(jobId=job, reason="no")
    with pytest.raises(ClientError, match="not authorized"):
        batch.describe_jobs(jobs=[job])


def test_a_thousand_children_come_and_go(cloud: Cloud, parts: BatchParts) -> None:
    cloud.batch.hold()
    array = parts.submit("pass", arrayProperties={"size": 1000})
    assert cloud.batch.events.wait_sent(120)
    cloud.client("batch").terminate_job(jobId=array, reason="enough")
    assert parts.finished(array)["arrayProperties"]["statusSummary"]["FAILED"] == 1000
