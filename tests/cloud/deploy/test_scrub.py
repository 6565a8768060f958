from __future__ import annotations

import subprocess
import sys

import pytest

from cloud.deploy.building import ROOT

JOB = "5d0f6c1b7a9e4c2f8b3a6d1e0f9c7b52"
BATCH_JOB = "0c5c1b7a-9e4c-4f8b-93a6-d1e0f9c7b52a"
TEXT = f"""
{{"Arn": "arn:aws:iam::987654321098:user/jane.doe", "UserId": "AIDAIOSFODNN7EXAMPLE"}}
arn:aws:sts::987654321098:assumed-role/Admin/jane@example.org
https://k3j4h5g6f7.execute-api.eu-west-1.amazonaws.com/prod/jobs/{JOB}
arn:aws:batch:eu-west-1:987654321098:job/{BATCH_JOB}:1
10.42.0.17 eni-0123456789abcdef0 subnet-0fedcba9876543210 ASIAIOSFODNN7EXAMPLE
"""


def scrubbed(text: str, salt: str) -> str:
    command = [sys.executable, str(ROOT / "deploy/scrub.py"), salt]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize(
    "told",
    [
        "987654321098",
        "jane",
        "AIDAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "k3j4h5g6f7",
        JOB,
        BATCH_JOB,
        "10.42.0.17",
        "0123456789abcdef0",
        "0fedcba9876543210",
    ],
)
def test_what_tells_an_account_apart_is_replaced(told: str) -> None:
    assert told in TEXT
    assert told not in scrubbed(TEXT, "salt")


def test_what_belongs_together_still_does() -> None:
    first, second = scrubbed(f"{JOB} {BATCH_JOB}", "salt").split()

    assert scrubbed(f"job {JOB}, {BATCH_JOB}:7", "salt") == f"job {first}, {second}:7"
    assert scrubbed(JOB, "another") != first


@pytest.mark.parametrize(
    "text",
    [
        '"createdAt": 1790000000000, "size": 268435456, "bytes": 123456789012345',
        "0.0.0.0/0",
        "arn:aws:batch:eu-west-1:111122223333:job-queue/fanfold-first-hour",
        "sha256:" + "5e" * 32,
        "2026-03-01T09:30:00Z",
    ],
)
def test_what_an_event_means_stays(text: str) -> None:
    assert scrubbed(text, "salt") == text
