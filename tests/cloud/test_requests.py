"""Requests that are refused: each with its problem document."""

from __future__ import annotations

import json

import pytest
from servers.proxy import Answer as ProxyAnswer
from servers.proxy import FaultProxy

from cloud.functions import run
from cloud.system import Answer, System
from cloud.test_jobs import setting, varied

PROBLEM = "application/problem+json"

ELSEWHERE = ProxyAnswer(301, headers={"x-amz-bucket-region": "us-west-2"})
"""What S3 answers to a HEAD for a bucket of another region."""


def refused(answer: Answer, status: int, word: str) -> str:
    """Check a refusal; its detail."""
    assert answer.status == status, answer
    assert answer.kind.startswith(PROBLEM), answer
    assert answer.document["status"] == status
    assert set(answer.document) >= {"type", "title", "detail"}
    detail = str(answer.document["detail"])
    assert word in detail, answer
    return detail


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"no json", ""),
        (b"", ""),
        (b"[]", ""),
        (b'{"bucket": "b"}', ""),
        (b'{"bucket": 1, "key": "k"}', ""),
        (b'{"bucket": "b", "key": "k", "chunks": "both"}', ""),
        (b'{"bucket": "b", "key": "k", "endpoint": "http://169.254.169.254"}', ""),
    ],
)
def test_a_body_that_is_no_request_is_refused(system: System, body: bytes, word: str) -> None:
    refused(system.call("POST", "/chunk", body), 400, word)


@pytest.mark.parametrize(
    ("fields", "word"),
    [({"k": [9]}, "k = 9"), ({"k": [0, 5]}, "alone"), ({"slice_bytes": 0}, "slice_bytes")],
)
def test_a_field_that_cannot_be_is_refused(
    system: System, fields: dict[str, object], word: str
) -> None:
    refused(system.post("input/phiX.fa", **fields), 400, word)


@pytest.mark.parametrize("key", ["input/../results/x", "input//x.fa", "input/./x.fa"])
def test_a_key_that_climbs_is_refused(system: System, key: str) -> None:
    refused(system.post(key), 400, "not supported")


def test_a_missing_key_is_told(system: System) -> None:
    refused(system.post("input/not-there.fa"), 404, "no such object")


def test_what_may_not_be_read_is_refused_whether_it_is_there_or_not(system: System) -> None:
    foreign = system.cloud.client("s3")
    foreign.put_object(Bucket="another-bucket", Key="secret/there.fa", Body=b">a\nACGT\n")

    there = refused(system.post("secret/there.fa", bucket="another-bucket"), 403, "another-bucket")
    absent = refused(system.post("secret/nowhere", bucket="another-bucket"), 403, "another-bucket")
    refused(system.post("results/master.json"), 403, "results/master.json")
    refused(system.post("allowed/x.fa", bucket="no-such-bucket"), 403, "no-such-bucket")

    assert there.replace("there.fa", "nowhere") == absent


def test_an_input_beyond_the_limit_is_refused(system: System) -> None:
    system.put("input/too-large.fa", b"A" * 50_000_001)

    refused(system.post("input/too-large.fa"), 413, "max_object_bytes")


def test_a_job_that_costs_too_much_is_refused(system: System) -> None:
    system.put("input/dear.fa", varied(500))
    with setting(system, "starter", FANFOLD_MAX_USD_PER_JOB="0.0001"):
        refused(system.post("input/dear.fa"), 422, "max_usd_per_job")

    assert system.post("input/dear.fa").status == 200


def test_a_job_too_many_is_refused_and_one_that_is_known_is_not(system: System) -> None:
    job = system.start("input/known.fa", varied(501))
    system.succeed(job)
    system.put("input/too-many.fa", varied(502))

    with setting(system, "starter", FANFOLD_MAX_OPEN_JOBS="0"):
        refused(system.post("input/too-many.fa"), 429, "max_open_jobs")
        assert system.post("input/known.fa").document["job"] == job

    assert system.post("input/too-many.fa").status == 200


def test_hints_of_jobs_that_have_ended_are_no_open_jobs(system: System) -> None:
    system.put("input/with-hints.fa", varied(503))
    opened = len([key for key in system.keys("jobs/open/") if len(key) == len("jobs/open/") + 32])
    hints = [f"jobs/open/{number:032x}-task-1.0" for number in range(5)]
    for hint in hints:
        system.put(hint, b"")

    with setting(system, "starter", FANFOLD_MAX_OPEN_JOBS=str(opened + 3)):
        job = system.start("input/with-hints.fa")

    system.sweep()
    assert not {*hints} & {*system.keys("jobs/open/")}
    system.succeed(job)


def test_a_bucket_of_another_region_is_refused(system: System, proxy: FaultProxy) -> None:
    proxy.clear()
    proxy.inject(ELSEWHERE, method="HEAD", times=None)
    asked = {"bucket": "another-bucket", "key": "allowed/far.fa"}
    event = {"httpMethod": "POST", "resource": "/chunk", "body": json.dumps(asked)}

    answer = run(system, proxy, "starter", event)

    assert answer["statusCode"] == 422
    assert "another region" in json.loads(answer["body"])["detail"]


def test_a_call_without_a_signature_is_refused_and_told_how_to_sign(system: System) -> None:
    answer = system.call("POST", "/chunk", b"{}", signed=False)

    assert answer.status == 403
    assert "Signature Version 4" in json.dumps(answer.document)


@pytest.mark.parametrize("job", ["0" * 32, "nonsense", "%2E%2E"])
def test_a_job_that_is_not_there_is_told(system: System, job: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/logs")):
        refused(system.call(method, f"/jobs/{job}{path}"), 404, "no such job")
