"""Batch's events meet EventBridge's rules: which fire, how often, and when a target fails."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers.process import ServerUnavailableError

from cloud.emulator.cloud import Cloud
from cloud.emulator.parts import (
    BatchParts,
    allow,
    make_batch,
    make_bucket,
    make_function,
    make_queue,
)
from cloud.emulator.test_functions import FAILS, NOTES, configure_failures, notes, received

Eventually = Callable[[Callable[[], object]], None]


def pattern(parts: BatchParts, *status: str) -> dict[str, Any]:
    """As the deployed rules: the ends of arrays and of plain jobs, never of children."""
    return {
        "source": ["aws.batch"],
        "detail-type": ["Batch Job State Change"],
        "detail": {
            "jobQueue": [parts.queue],
            "jobDefinition": [{"prefix": parts.definition.rpartition(":")[0] + ":"}],
            "status": list(status),
            "arrayProperties": {"index": [{"exists": False}]},
        },
    }


def make_rule(cloud: Cloud, name: str, target: str, **rule: Any) -> None:
    events = cloud.client("events")
    events.put_rule(Name=name, **rule)
    answer = events.put_targets(Rule=name, Targets=[{"Id": "target", "Arn": target}])
    assert answer["FailedEntryCount"] == 0


def queued(cloud: Cloud, url: str) -> list[Any]:
    """The details of the events in a queue."""
    found: list[Any] = []
    sqs = cloud.client("sqs")
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"])["detail"] for message in messages]
    return found


def test_a_rule_fires_once_for_an_array_and_a_plain_job_and_not_for_children(
    cloud: Cloud, name: str
) -> None:
    parts, other = make_batch(cloud, name), make_batch(cloud, f"{name}-other")
    url, queue = make_queue(cloud, name)
    rule = pattern(parts, "SUCCEEDED", "FAILED")
    make_rule(cloud, name, queue, EventPattern=json.dumps(rule))
    array = parts.submit("pass", arrayProperties={"size": 3})
    plain = parts.submit("raise SystemExit(1)")
    other.submit("pass")
    cloud.batch.wait_idle()
    told = {detail["jobId"]: detail for detail in queued(cloud, url)}
    assert told.keys() == {array, plain}
    assert told[array]["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 3
    assert (told[array]["status"], told[plain]["status"]) == ("SUCCEEDED", "FAILED")
    assert "arrayProperties" not in told[plain]


def test_every_change_is_told_the_children_with_their_index(cloud: Cloud, name: str) -> None:
    parts = make_batch(cloud, name)
    url, queue = make_queue(cloud, name)
    rule = {"source": ["aws.batch"], "detail": {"jobQueue": [parts.queue]}}
    make_rule(cloud, name, queue, EventPattern=json.dumps(rule))
    parts.submit("pass", arrayProperties={"size": 2})
    cloud.batch.wait_idle()
    told = queued(cloud, url)
    of = {
        index: [one["status"] for one in told if one["arrayProperties"].get("index") == index]
        for index in (None, 0, 1)
    }
    assert of[None] == ["SUBMITTED", "PENDING", "SUCCEEDED"]
    assert of[0] == of[1] == ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]


def test_events_may_come_twice_in_any_order_or_not_at_all(cloud: Cloud, name: str) -> None:
    parts = make_batch(cloud, name)
    url, queue = make_queue(cloud, name)
    rule = {"source": ["aws.batch"], "detail": {"jobQueue": [parts.queue]}}
    make_rule(cloud, name, queue, EventPattern=json.dumps(rule))
    events = cloud.batch.events
    events.copies, events.shuffle = 2, random.Random(5)
    events.drops = lambda detail: detail["status"] == "RUNNABLE"
    parts.submit("pass")
    cloud.batch.wait_idle()
    told = [detail["status"] for detail in queued(cloud, url)]
    expected = ["SUBMITTED", "STARTING", "RUNNING", "SUCCEEDED"] * 2
    assert sorted(told) == sorted(expected)
    assert told != sorted(told, key=["SUBMITTED", "STARTING", "RUNNING", "SUCCEEDED"].index)


def test_a_target_that_fails_is_tried_again_and_then_told_to_the_queue(
    cloud: Cloud, name: str
) -> None:
    parts = make_batch(cloud, name)
    url, queue = make_queue(cloud, name)
    function = make_function(cloud, name, FAILS)
    configure_failures(cloud, name, queue)
    make_rule(cloud, name, function, EventPattern=json.dumps(pattern(parts, "SUCCEEDED")))
    job = parts.submit("pass")
    told = received(cloud, url)
    assert told["requestPayload"]["detail"]["jobId"] == job
    assert told["requestContext"]["condition"] == "RetriesExhausted"


def test_a_schedule_wakes_a_function(tmp_path: Path, name: str, eventually: Eventually) -> None:
    try:
        with Cloud(tmp_path, schedule_speed=1200) as cloud:
            bucket = make_bucket(cloud, name)
            writing = allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*")
            function = make_function(
                cloud, name, NOTES, writing, Environment={"Variables": {"BUCKET": bucket}}
            )
            make_rule(cloud, name, function, ScheduleExpression="rate(10 minutes)")
            eventually(lambda: len(notes(cloud, bucket)) >= 2)
            assert notes(cloud, bucket)[0]["detail-type"] == "Scheduled Event"
    except ServerUnavailableError as error:
        pytest.skip(f"SCHEDULES ARE NOT TESTED: {error}")
