"""What Batch admits, and when it tries again: the double's rules, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from cloud.emulator.batch_model import Outcome
from cloud.emulator.batch_rules import (
    ClientError,
    check_environment,
    check_fargate_resources,
    check_name,
    check_retry,
    check_timeout,
    overridden,
    retries,
    substituted,
)

EXITED = "Essential container in task exited"
HOST_LOST = "Host EC2 (instance i-0123456789abcdef0) terminated."
NOT_FOR_BAD_INPUT = [{"onExitCode": code, "action": "EXIT"} for code in ("2", "3", "6", "7")]


def needs(vcpus: str, memory: str) -> list[dict[str, str]]:
    return [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}]


@pytest.mark.parametrize(
    ("conditions", "outcome", "again"),
    [
        pytest.param([], Outcome(EXITED, 1), True, id="without conditions every failure"),
        pytest.param(NOT_FOR_BAD_INPUT, Outcome(EXITED, 3), False, id="an exit code that is named"),
        pytest.param(NOT_FOR_BAD_INPUT, Outcome(EXITED, 33), True, id="a code is compared whole"),
        pytest.param(NOT_FOR_BAD_INPUT, Outcome(EXITED, 137), True, id="no match means again"),
        pytest.param(NOT_FOR_BAD_INPUT, Outcome(HOST_LOST), True, id="no exit code matches none"),
        pytest.param(
            [{"onExitCode": "13*", "action": "exit"}], Outcome(EXITED, 137), False, id="a prefix"
        ),
        pytest.param(
            [
                {"onStatusReason": "Host EC2*", "action": "RETRY"},
                {"onReason": "*", "action": "EXIT"},
            ],
            Outcome(HOST_LOST, 3),
            True,
            id="the first match decides",
        ),
        pytest.param(
            [{"onStatusReason": "Host EC2", "action": "EXIT"}],
            Outcome(HOST_LOST),
            True,
            id="without an asterisk the whole reason",
        ),
        pytest.param(
            [{"onReason": "CannotPull*", "action": "EXIT"}],
            Outcome("Task failed to start", reason="CannotPullContainerError: no"),
            False,
            id="the container's reason",
        ),
        pytest.param(
            [{"onExitCode": "1", "onStatusReason": "Host*", "action": "EXIT"}],
            Outcome(EXITED, 1),
            True,
            id="all parts of a condition must match",
        ),
        pytest.param(
            [{"onStatusReason": "*", "action": "RETRY"}],
            Outcome("Job attempt duration exceeded timeout", 143, timed_out=True),
            False,
            id="never after a time-out",
        ),
    ],
)
def test_an_attempt_is_made_again_as_the_conditions_say(
    conditions: list[dict[str, str]], outcome: Outcome, again: bool
) -> None:
    retry = {"attempts": 3, "evaluateOnExit": conditions}
    check_retry(retry)
    assert retries(retry, 1, outcome) is again
    assert not retries(retry, 3, outcome)


@pytest.mark.parametrize(
    "retry",
    [
        {"attempts": 0},
        {"attempts": 11},
        {"evaluateOnExit": NOT_FOR_BAD_INPUT},
        {"attempts": 2, "evaluateOnExit": [{"onExitCode": "1", "action": "EXIT"}] * 6},
        {"attempts": 2, "evaluateOnExit": [{"onExitCode": "*1", "action": "EXIT"}]},
        {"attempts": 2, "evaluateOnExit": [{"onReason": "a*b", "action": "EXIT"}]},
        {"attempts": 2, "evaluateOnExit": [{"onExitCode": "1", "action": "STOP"}]},
        {"attempts": 2, "evaluateOnExit": [{"onExitCode": "1"}]},
    ],
)
def test_a_retry_strategy_that_batch_refuses_is_refused(retry: dict[str, Any]) -> None:
    with pytest.raises(ClientError):
        check_retry(retry)


@pytest.mark.parametrize(
    ("vcpus", "memory"), [("0.25", "512"), ("0.5", "4096"), ("1", "2048"), ("16", "122880")]
)
def test_fargate_has_these_sizes(vcpus: str, memory: str) -> None:
    check_fargate_resources(needs(vcpus, memory))


@pytest.mark.parametrize(
    ("vcpus", "memory"),
    [("0.25", "4096"), ("3", "8192"), ("8", "17408"), ("1", "1024"), ("one", "2048")],
)
def test_fargate_has_not_these(vcpus: str, memory: str) -> None:
    with pytest.raises(ClientError):
        check_fargate_resources(needs(vcpus, memory))


def test_fargate_needs_both_sizes() -> None:
    with pytest.raises(ClientError):
        check_fargate_resources(needs("1", "2048")[:1])


def test_names_have_128_letters_digits_hyphens_underscores() -> None:
    check_name("a" * 128, "Job name")
    check_name("0-task_1", "Job name")
    for name in ("", "a" * 129, "-a", "a.b", "ä"):
        with pytest.raises(ClientError):
            check_name(name, "Job name")


def test_names_of_variables_may_not_be_batchs_own() -> None:
    check_environment([{"name": "AWS_REGION", "value": "eu-west-1"}])
    with pytest.raises(ClientError):
        check_environment([{"name": "AWS_BATCH_JOB_ID", "value": "1"}])


def test_a_time_out_is_a_minute_or_more() -> None:
    check_timeout({"attemptDurationSeconds": 60})
    with pytest.raises(ClientError):
        check_timeout({"attemptDurationSeconds": 59})


def test_parameters_are_put_in_where_a_word_is_a_reference() -> None:
    command = ["task", "Ref::plan", "Ref::other", "x-Ref::plan"]
    assert substituted(command, {"plan": "s3://bucket/plan.json"}) == [
        "task",
        "s3://bucket/plan.json",
        "Ref::other",
        "x-Ref::plan",
    ]


def test_overrides_replace_by_name_and_leave_the_rest() -> None:
    container = {
        "image": "fanfold",
        "command": ["task"],
        "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "resourceRequirements": needs("0.25", "512"),
    }
    overrides = {
        "environment": [{"name": "B", "value": "3"}],
        "resourceRequirements": needs("1", "2048"),
    }
    assert overridden(container, overrides) == {
        "image": "fanfold",
        "command": ["task"],
        "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}],
        "resourceRequirements": needs("1", "2048"),
    }
