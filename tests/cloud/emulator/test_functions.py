"""Functions from zips: whose permissions they have, what they see, and what follows a failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloud.emulator.cloud import Cloud
from cloud.emulator.parts import allow, make_bucket, make_function, make_queue, make_role

READS = """
import boto3

def handler(event, context):
    found = boto3.client("s3").get_object(Bucket=event["bucket"], Key=event["key"])
    return found["Body"].read().decode()
"""
TELLS = """
import importlib.util, os
import boto3

def handler(event, context):
    return {
        "environment": dict(os.environ),
        "caller": boto3.client("sts").get_caller_identity()["Arn"],
        "packages": [one for one in event["packages"] if importlib.util.find_spec(one)],
        "left_ms": context.get_remaining_time_in_millis(),
    }
"""
FAILS = """
def handler(event, context):
    print("attempt")
    raise ValueError("no")
"""
DIES = """
import os

def handler(event, context):
    os._exit(1)
"""
SLEEPS = """
import time

def handler(event, context):
    time.sleep(600)
"""
NOTES = """
import json, os
import boto3

def handler(event, context):
    key = "notes/" + context.aws_request_id
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=key, Body=json.dumps(event))
"""
COUNTS = """
import json, os, time
import boto3

def handler(event, context):
    s3, bucket = boto3.client("s3"), os.environ["BUCKET"]
    mine = context.aws_request_id
    s3.put_object(Bucket=bucket, Key="at-work/" + mine, Body=b"")
    time.sleep(0.5)
    at_work = s3.list_objects_v2(Bucket=bucket, Prefix="at-work/")["KeyCount"]
    ended = s3.list_objects_v2(Bucket=bucket, Prefix="notes/")["KeyCount"]
    s3.put_object(Bucket=bucket, Key="notes/" + mine, Body=json.dumps(at_work - ended))
"""
HURRIES_AND_FAILS = """
import os
import boto3

def handler(event, context):
    (record,) = event["Records"]
    print("received", record["attributes"]["ApproximateReceiveCount"])
    boto3.client("sqs").change_message_visibility(
        QueueUrl=os.environ["QUEUE"], ReceiptHandle=record["receiptHandle"], VisibilityTimeout=1
    )
    raise ValueError("no")
"""

Eventually = Callable[[Callable[[], object]], None]


def invoked(cloud: Cloud, function: str, event: object) -> Any:
    answer = cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    return json.loads(answer["Payload"].read())


def notes(cloud: Cloud, bucket: str) -> list[Any]:
    s3 = cloud.client("s3")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="notes/").get("Contents", [])
    return [
        json.loads(s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()) for one in listed
    ]


def test_a_function_has_the_permissions_of_its_role_and_no_more(cloud: Cloud, name: str) -> None:
    bucket = make_bucket(cloud, name)
    for key in ("results/a", "input/a"):
        cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=b"text")
    make_function(cloud, name, READS, allow("s3:GetObject", f"arn:aws:s3:::{bucket}/results/*"))
    assert invoked(cloud, name, {"bucket": bucket, "key": "results/a"}) == "text"
    refused = invoked(cloud, name, {"bucket": bucket, "key": "input/a"})
    assert "AccessDenied" in refused["errorMessage"]


def test_a_permission_that_is_taken_away_is_gone_at_once(cloud: Cloud, name: str) -> None:
    bucket = make_bucket(cloud, name)
    cloud.client("s3").put_object(Bucket=bucket, Key="a", Body=b"text")
    make_function(cloud, name, READS, allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    assert invoked(cloud, name, {"bucket": bucket, "key": "a"}) == "text"
    cloud.client("iam").delete_role_policy(RoleName=f"{name}-role", PolicyName=f"{name}-role")
    assert "AccessDenied" in invoked(cloud, name, {"bucket": bucket, "key": "a"})["errorMessage"]


@pytest.mark.parametrize(
    ("condition", "status"),
    [({}, 404), ({"StringLike": {"s3:prefix": "results/*"}}, 403)],
    ids=["the bucket", "a prefix"],
)
def test_a_missing_key_is_told_to_who_may_list_the_bucket(
    cloud: Cloud, name: str, condition: dict[str, Any], status: int
) -> None:
    bucket = make_bucket(cloud, name)
    listing = allow("s3:ListBucket", f"arn:aws:s3:::{bucket}") | {"Condition": condition}
    reading = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*")
    role = make_role(cloud, name, "lambda.amazonaws.com", reading, listing)
    s3 = cloud.session_for(role, "s3")
    s3.list_objects_v2(Bucket=bucket, Prefix="results/")
    for ask in (s3.get_object, s3.head_object):
        with pytest.raises(ClientError) as refused:
            ask(Bucket=bucket, Key="results/missing")
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_function_sees_the_endpoint_its_region_and_its_roles_session(
    cloud: Cloud, name: str
) -> None:
    variables = {"Variables": {"FANFOLD_BUCKET": "bucket", "AWS_REGION": "mars-north-1"}}
    make_function(cloud, name, TELLS, Environment=variables, MemorySize=3008)
    told = invoked(cloud, name, {"packages": []})
    environment = told["environment"]
    assert environment["AWS_ENDPOINT_URL"] == cloud.endpoint_url
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == cloud.region
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert environment["AWS_SESSION_TOKEN"]
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "3008"
    assert environment["FANFOLD_BUCKET"] == "bucket"
    assert not {"AUTH", "BATCH_DOUBLE", "LOG_LEVEL", "SERVICES"} & environment.keys()
    assert told["caller"] == f"arn:aws:sts::{cloud.account}:assumed-role/{name}-role/{name}"
    assert 0 < told["left_ms"] <= 120_000


def test_a_function_finds_boto3_and_nothing_that_its_zip_lacks(cloud: Cloud, name: str) -> None:
    make_function(cloud, name, TELLS)
    packages = ["boto3", "fanfold", "isal", "msgspec", "obstore"]
    told = invoked(cloud, name, {"packages": packages})
    assert told["packages"] == ["boto3"]


def test_a_failed_asynchronous_call_is_made_three_times_and_then_told_to_the_queue(
    cloud: Cloud, name: str
) -> None:
    url, queue = make_queue(cloud, name)
    make_function(cloud, name, FAILS)
    configure_failures(cloud, name, queue)
    cloud.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=b'{"job": "one"}'
    )
    told = received(cloud, url)
    assert told["requestPayload"] == {"job": "one"}
    assert told["requestContext"]["condition"] == "RetriesExhausted"
    assert told["responsePayload"]["errorMessage"] == "no"
    lines = cloud.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    assert sum("attempt" in line["message"] for line in lines) == 3


@pytest.mark.parametrize(
    ("source", "seconds", "told"), [(DIES, 120, "died"), (SLEEPS, 1, "timed out after 1")]
)
def test_a_function_that_dies_or_takes_too_long_has_failed(
    cloud: Cloud, name: str, source: str, seconds: int, told: str
) -> None:
    make_function(cloud, name, source, Timeout=seconds)
    for _ in range(2):
        answer = cloud.client("lambda").invoke(FunctionName=name, Payload=b"{}")
        assert answer["FunctionError"] == "Unhandled"
        assert told in json.loads(answer["Payload"].read())["errorMessage"]


def test_a_queue_wakes_a_function(cloud: Cloud, name: str, eventually: Eventually) -> None:
    bucket = make_bucket(cloud, name)
    url, queue = make_queue(cloud, name)
    writing = allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*")
    make_function(cloud, name, NOTES, writing, Environment={"Variables": {"BUCKET": bucket}})
    cloud.client("lambda").create_event_source_mapping(
        EventSourceArn=queue, FunctionName=name, BatchSize=1
    )
    cloud.client("sqs").send_message(QueueUrl=url, MessageBody="failed")
    eventually(lambda: notes(cloud, bucket))
    (event,) = notes(cloud, bucket)
    (record,) = event["Records"]
    assert (record["body"], record["eventSourceARN"]) == ("failed", queue)


def test_a_mapping_runs_no_more_functions_at_once_than_it_may(
    cloud: Cloud, name: str, eventually: Eventually
) -> None:
    bucket = make_bucket(cloud, name)
    url, queue = make_queue(cloud, name)
    using = allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bucket}/*")
    listing = allow("s3:ListBucket", f"arn:aws:s3:::{bucket}")
    variables = {"Variables": {"BUCKET": bucket}}
    make_function(cloud, name, COUNTS, using, listing, Environment=variables)
    for body in range(6):
        cloud.client("sqs").send_message(QueueUrl=url, MessageBody=str(body))
    cloud.client("lambda").create_event_source_mapping(
        EventSourceArn=queue,
        FunctionName=name,
        BatchSize=1,
        ScalingConfig={"MaximumConcurrency": 2},
    )
    eventually(lambda: len(notes(cloud, bucket)) == 6)
    assert max(notes(cloud, bucket)) <= 2


def test_a_message_that_a_function_failed_on_comes_again_and_is_then_given_up(
    cloud: Cloud, name: str
) -> None:
    dead_url, dead = make_queue(cloud, f"{name}-dead")
    url, queue = make_queue(cloud, name)
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 3})
    # Longer than the test takes: the function itself lets the message come sooner.
    attributes = {"RedrivePolicy": redrive, "VisibilityTimeout": "3600"}
    cloud.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=attributes)
    hurrying = allow("sqs:ChangeMessageVisibility", queue)
    make_function(
        cloud, name, HURRIES_AND_FAILS, hurrying, Environment={"Variables": {"QUEUE": url}}
    )
    cloud.client("lambda").create_event_source_mapping(
        EventSourceArn=queue, FunctionName=name, BatchSize=1
    )
    cloud.client("sqs").send_message(QueueUrl=url, MessageBody='{"job": "one"}')
    assert received(cloud, dead_url) == {"job": "one"}
    lines = cloud.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    received_counts = [line["message"] for line in lines if "received" in line["message"]]
    assert [line.split()[-1] for line in received_counts] == ["1", "2", "3"]


def configure_failures(cloud: Cloud, function: str, queue: str) -> None:
    cloud.client("lambda").put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=2,
        MaximumEventAgeInSeconds=21600,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )


def received(cloud: Cloud, url: str) -> Any:
    """The message that comes; two minutes at most."""
    for _ in range(12):
        answer = cloud.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10)
        if "Messages" in answer:
            break
    (message,) = answer["Messages"]
    return json.loads(message["Body"])
