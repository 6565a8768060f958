"""AWS Batch."""

# ruff: noqa: ARG002 - the verbs of all kinds take the same

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from cloud.terraform.account import Account
from cloud.terraform.kinds.kind import Computed, Kind, State, block, camel, given

_SECONDS_MOST = 120


class ComputeEnvironment(Kind):
    """Tries to change the type in place, which Batch refuses for Fargate.

    As resourceComputeEnvironmentCustomizeDiff and -Update of the provider's compute_environment.go.
    """

    replaced_by = frozenset({"name", "name_prefix", "type"})

    def create(self, account: Account, state: State) -> Computed:
        name = state["name"] or f"{state['name_prefix']}{uuid.uuid4().hex[:26]}"
        made = account.client("batch").create_compute_environment(
            computeEnvironmentName=name,
            type=state["type"],
            state="ENABLED",
            computeResources=self._resources(state),
        )
        return {"id": name, "name": name, "arn": made["computeEnvironmentArn"]}

    def update(self, account: Account, before: State, state: State) -> Computed:
        resources = self._resources(state)
        if resources["type"] == self._resources(before)["type"]:
            del resources["type"]
        account.client("batch").update_compute_environment(
            computeEnvironment=state["arn"], computeResources=resources
        )
        return {}

    def delete(self, account: Account, state: State) -> None:
        batch = account.client("batch")
        batch.update_compute_environment(computeEnvironment=state["arn"], state="DISABLED")
        batch.delete_compute_environment(computeEnvironment=state["arn"])
        _wait_until_gone(
            lambda: batch.describe_compute_environments(computeEnvironments=[state["arn"]])[
                "computeEnvironments"
            ]
        )

    @staticmethod
    def _resources(state: State) -> dict[str, Any]:
        resources = block(state["compute_resources"])
        return {
            "type": resources["type"],
            "maxvCpus": int(resources["max_vcpus"]),
            "subnets": resources["subnets"],
            "securityGroupIds": resources["security_group_ids"],
        }


class JobQueue(Kind):
    replaced_by = frozenset({"name"})

    def create(self, account: Account, state: State) -> Computed:
        made = account.client("batch").create_job_queue(
            jobQueueName=state["name"], **self._settings(state)
        )
        return {"id": made["jobQueueArn"], "arn": made["jobQueueArn"]}

    def update(self, account: Account, before: State, state: State) -> Computed:
        account.client("batch").update_job_queue(jobQueue=state["arn"], **self._settings(state))
        return {}

    def delete(self, account: Account, state: State) -> None:
        batch = account.client("batch")
        batch.update_job_queue(jobQueue=state["arn"], state="DISABLED")
        batch.delete_job_queue(jobQueue=state["arn"])
        _wait_until_gone(lambda: batch.describe_job_queues(jobQueues=[state["arn"]])["jobQueues"])

    @staticmethod
    def _settings(state: State) -> dict[str, Any]:
        return {
            "state": state["state"],
            "priority": int(state["priority"]),
            "computeEnvironmentOrder": [
                {"order": int(one["order"]), "computeEnvironment": one["compute_environment"]}
                for one in state["compute_environment_order"]
            ],
            "jobStateTimeLimitActions": [
                {camel(name): _whole(value) for name, value in action.items()}
                for action in state["job_state_time_limit_action"]
            ],
        }


class JobDefinition(Kind):
    """A change is a new revision; the one before is deregistered unless the argument says no.

    A removal deregisters every active revision (resourceJobDefinitionDelete of the provider).
    """

    replaced_by = frozenset({"name"})
    renewed = frozenset({"arn", "id", "revision"})

    def create(self, account: Account, state: State) -> Computed:
        retry, timeout = block(state["retry_strategy"]), block(state["timeout"])
        conditions = [
            given(**{camel(name): value for name, value in condition.items()})
            for condition in retry["evaluate_on_exit"]
        ]
        made = account.client("batch").register_job_definition(
            jobDefinitionName=state["name"],
            type=state["type"],
            platformCapabilities=state["platform_capabilities"],
            parameters=state["parameters"],
            propagateTags=bool(state["propagate_tags"]),
            containerProperties=json.loads(state["container_properties"]),
            retryStrategy={"attempts": int(retry["attempts"]), "evaluateOnExit": conditions},
            timeout={"attemptDurationSeconds": int(timeout["attempt_duration_seconds"])},
        )
        arn = made["jobDefinitionArn"]
        return {
            "id": arn,
            "arn": arn,
            "arn_prefix": arn.rpartition(":")[0],
            "revision": made["revision"],
        }

    def update(self, account: Account, before: State, state: State) -> Computed:
        made = self.create(account, state)
        if state["deregister_on_new_revision"] is not False:
            account.client("batch").deregister_job_definition(jobDefinition=before["arn"])
        return made

    def delete(self, account: Account, state: State) -> None:
        batch = account.client("batch")
        pages = batch.get_paginator("describe_job_definitions").paginate(
            jobDefinitionName=state["name"], status="ACTIVE"
        )
        for revision in [one for page in pages for one in page["jobDefinitions"]]:
            batch.deregister_job_definition(jobDefinition=revision["jobDefinitionArn"])


def _wait_until_gone(found: Callable[[], Iterable[State]]) -> None:
    deadline = time.monotonic() + _SECONDS_MOST
    while left := [one for one in found() if one["status"] != "DELETED"]:
        if any(one["status"] == "INVALID" for one in left):
            raise RuntimeError("unexpected state INVALID")
        if time.monotonic() > deadline:
            raise TimeoutError(f"still there after {_SECONDS_MOST} s")
        time.sleep(0.1)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) else value


KINDS: dict[str, Kind] = {
    "aws_batch_compute_environment": ComputeEnvironment(),
    "aws_batch_job_definition": JobDefinition(),
    "aws_batch_job_queue": JobQueue(),
}
