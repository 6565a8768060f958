"""What Batch on Fargate admits and when it tries again: pure rules, with the documented numbers.

The messages are worded nearly as Batch words them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cloud.emulator.batch_model import Json, Outcome


class ClientError(Exception):
    """The caller's mistake: a ClientException, status 400."""


FARGATE_MEMORY_MB: dict[float, Iterable[int]] = {
    0.25: (512, 1024, 2048),
    0.5: range(1024, 4096 + 1, 1024),
    1: range(2048, 8192 + 1, 1024),
    2: range(4096, 16384 + 1, 1024),
    4: range(8192, 30720 + 1, 1024),
    8: range(16384, 61440 + 1, 4096),
    16: range(32768, 122880 + 1, 8192),
}
ARRAY_SIZES = range(2, 10_000 + 1)
ATTEMPTS = range(1, 10 + 1)
CONDITIONS_MOST = 5
DEPENDENCIES_MOST = 20
TIMEOUT_LEAST_SECONDS = 60
TIME_LIMIT_SECONDS = range(600, 86_400 + 1)
_TIME_LIMIT_REASONS = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
)
FARGATE_UPDATES = {"desiredvCpus", "maxvCpus", "minvCpus", "securityGroupIds", "subnets"}
"""What can be updated (User guide, "Updating AWS Fargate compute environments")."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_PLACEHOLDER = re.compile(r"Ref::([A-Za-z0-9_-]+)")
_ON_EXIT_CODE = re.compile(r"[0-9]{1,511}\*?|\*")
_ON_REASON = re.compile(r"[A-Za-z0-9.:\s]{0,511}\*?")
_CONDITIONS = {
    "onExitCode": _ON_EXIT_CODE,
    "onReason": _ON_REASON,
    "onStatusReason": _ON_REASON,
}


def check_name(name: object, what: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ClientError(f"{what} should match valid pattern: {_NAME.pattern}, not {name!r}")


def check_fargate_resources(needs: Iterable[Mapping[str, Any]]) -> None:
    """vCPU and memory must be a pair of the table of Fargate's task sizes."""
    values = {need.get("type"): need.get("value") for need in needs}
    try:
        vcpus, memory = float(str(values["VCPU"])), int(str(values["MEMORY"]))
    except (KeyError, TypeError, ValueError):
        raise ClientError(f"Fargate needs VCPU and MEMORY, not {values}") from None
    if memory not in FARGATE_MEMORY_MB.get(vcpus, ()):
        raise ClientError(f"Fargate resource requirements ({vcpus} vCPU, {memory}) are not valid")


def check_fargate_update(resources: Iterable[str]) -> None:
    refused = sorted(set(resources) - FARGATE_UPDATES)
    if refused:
        raise ClientError(f"Fargate compute environments can't be updated in {refused}")


def check_environment(environment: Iterable[Mapping[str, str]]) -> None:
    for variable in environment:
        if variable["name"].startswith("AWS_BATCH"):
            raise ClientError(
                f"Environment variable {variable['name']}: names may not start with AWS_BATCH"
            )


def check_timeout(timeout: Mapping[str, Any]) -> None:
    seconds = timeout.get("attemptDurationSeconds")
    if seconds is not None and seconds < TIMEOUT_LEAST_SECONDS:
        raise ClientError(f"attemptDurationSeconds {seconds} is below {TIMEOUT_LEAST_SECONDS}")


def check_retry(retry: Mapping[str, Any]) -> None:
    attempts, conditions = retry.get("attempts"), retry.get("evaluateOnExit", [])
    if attempts is not None and attempts not in ATTEMPTS:
        raise ClientError(f"RetryStrategy attempts {attempts} must be between 1 and 10")
    if conditions and attempts is None:
        raise ClientError("evaluateOnExit needs attempts")
    if len(conditions) > CONDITIONS_MOST:
        raise ClientError(f"evaluateOnExit has {len(conditions)} conditions, more than 5")
    for condition in conditions:
        if str(condition.get("action")).upper() not in {"RETRY", "EXIT"}:
            raise ClientError(f"evaluateOnExit action {condition.get('action')!r} is not valid")
        for name, pattern in _CONDITIONS.items():
            if name in condition and not pattern.fullmatch(condition[name]):
                raise ClientError(f"evaluateOnExit {name} {condition[name]!r} is not valid")


def check_time_limits(actions: Iterable[Mapping[str, Any]]) -> None:
    """What a queue does with jobs that stay RUNNABLE."""
    for action in actions:
        if action["state"] != "RUNNABLE" or action["action"] not in {"CANCEL", "TERMINATE"}:
            raise ClientError(f"jobStateTimeLimitActions: {action} is not valid")
        if action["reason"] not in _TIME_LIMIT_REASONS:
            raise ClientError(f"jobStateTimeLimitActions reason {action['reason']!r} is not valid")
        if action["maxTimeSeconds"] not in TIME_LIMIT_SECONDS:
            raise ClientError(f"maxTimeSeconds {action['maxTimeSeconds']} is not 600 to 86400")


def retries(retry: Mapping[str, Any], attempt: int, outcome: Outcome) -> bool:
    """Whether an attempt (from 1) that failed is followed by another.

    The first condition that matches in all its parts decides; none that matches means RETRY. A job
    that ran out of its time is never tried again.
    """
    if attempt >= int(retry.get("attempts", 1)) or outcome.timed_out:
        return False
    found = {
        "onExitCode": None if outcome.exit_code is None else str(outcome.exit_code),
        "onReason": outcome.reason,
        "onStatusReason": outcome.status_reason,
    }
    for condition in retry.get("evaluateOnExit", []):
        parts = [name for name in _CONDITIONS if name in condition]
        if all(_matches(condition[name], found[name]) for name in parts):
            return bool(str(condition["action"]).upper() == "RETRY")
    return True


def _matches(pattern: str, found: str | None) -> bool:
    """Equal, or beginning alike where the pattern ends in an asterisk."""
    if found is None:
        return False
    if pattern.endswith("*"):
        return found.startswith(pattern[:-1])
    return found == pattern


def substituted(command: Iterable[str], parameters: Mapping[str, str]) -> list[str]:
    """The command with its Ref:: words replaced; one that has no parameter stays as it is."""
    return [
        parameters.get(found[1], word) if (found := _PLACEHOLDER.fullmatch(word)) else word
        for word in command
    ]


def overridden(container: Json, overrides: Mapping[str, Any]) -> Json:
    """The container's properties with what SubmitJob overrides of them."""
    environment = {item["name"]: item["value"] for item in container.get("environment", [])}
    environment |= {item["name"]: item["value"] for item in overrides.get("environment", [])}
    needs = {need["type"]: need["value"] for need in container.get("resourceRequirements", [])}
    needs |= {need["type"]: need["value"] for need in overrides.get("resourceRequirements", [])}
    return container | {
        "command": list(overrides.get("command") or container.get("command", [])),
        "environment": [{"name": name, "value": environment[name]} for name in environment],
        "resourceRequirements": [{"type": kind, "value": needs[kind]} for kind in needs],
    }
