"""Jobs of AWS Batch, and what the API and the events tell of them. No clock, no threads."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
Status: TypeAlias = Literal[
    "SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED"
]

STATUSES: tuple[Status, ...] = (
    "SUBMITTED",
    "PENDING",
    "RUNNABLE",
    "STARTING",
    "RUNNING",
    "SUCCEEDED",
    "FAILED",
)
ENDED: frozenset[Status] = frozenset({"SUCCEEDED", "FAILED"})
UNDERWAY: frozenset[Status] = frozenset({"STARTING", "RUNNING"})


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended, in the words that evaluateOnExit looks at."""

    status_reason: str
    exit_code: int | None = None
    reason: str | None = None
    log_stream: str | None = None
    timed_out: bool = False
    interrupted: bool = False
    """The machine was taken away, whatever the process came to."""

    @property
    def is_success(self) -> bool:
        return self.exit_code == 0 and not self.interrupted and not self.timed_out

    def told(self) -> Json:
        """The part that DescribeJobs has of the container."""
        told = {
            "exitCode": self.exit_code,
            "reason": self.reason,
            "logStreamName": self.log_stream,
        }
        return {name: value for name, value in told.items() if value is not None}


@dataclass(eq=False)
class Job:
    """A job, an array's parent, or one of its children. The scheduler alone changes it."""

    job_id: str
    arn: str
    name: str
    queue_arn: str
    definition_arn: str
    container: Json
    parameters: dict[str, str]
    retry: Json
    timeout_seconds: int | None
    depends_on: list[Json]
    tags: dict[str, str]
    platforms: list[str]
    created_at: int
    parent: Job | None = None
    index: int | None = None
    children: list[Job] = field(default_factory=list)
    status: Status = "SUBMITTED"
    status_reason: str | None = None
    started_at: int | None = None
    stopped_at: int | None = None
    attempts: list[Json] = field(default_factory=list)
    stop_reason: str | None = None
    """Why it is to end, once CancelJob or TerminateJob has asked; the first reason stays."""
    is_cancelled: bool = False
    is_terminated: bool = False

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    @property
    def vcpus(self) -> float:
        return float(self.resource("VCPU") or 0)

    def resource(self, kind: str) -> str | None:
        needs = self.container.get("resourceRequirements", [])
        return next((str(need["value"]) for need in needs if need["type"] == kind), None)

    def detail(self) -> Json:
        """As DescribeJobs and the state-change events have it."""
        detail: Json = {
            "jobArn": self.arn,
            "jobId": self.job_id,
            "jobName": self.name,
            "jobQueue": self.queue_arn,
            "jobDefinition": self.definition_arn,
            "status": self.status,
            "createdAt": self.created_at,
            "attempts": list(self.attempts),
            "retryStrategy": self.retry,
            "dependsOn": self.depends_on,
            "parameters": self.parameters,
            "container": dict(self.container),
            "tags": self.tags,
            "platformCapabilities": self.platforms,
            "isCancelled": self.is_cancelled,
            "isTerminated": self.is_terminated,
        }
        if self.timeout_seconds is not None:
            detail["timeout"] = {"attemptDurationSeconds": self.timeout_seconds}
        return detail | self._times_and_reason() | self._array()

    def summary(self) -> Json:
        """As ListJobs has it."""
        summary: Json = {
            "jobArn": self.arn,
            "jobId": self.job_id,
            "jobName": self.name,
            "jobDefinition": self.definition_arn,
            "status": self.status,
            "createdAt": self.created_at,
        }
        if "exitCode" in self.container:
            summary["container"] = {"exitCode": self.container["exitCode"]}
        return summary | self._times_and_reason() | self._array()

    def _times_and_reason(self) -> Json:
        told = {
            "statusReason": self.status_reason,
            "startedAt": self.started_at,
            "stoppedAt": self.stopped_at,
        }
        return {name: value for name, value in told.items() if value is not None}

    def _array(self) -> Json:
        if self.parent is not None:
            return {"arrayProperties": {"index": self.index, "statusSummary": {}}}
        if self.children:
            counted = Counter(child.status for child in self.children)
            summary = {status: counted[status] for status in STATUSES}
            return {"arrayProperties": {"size": len(self.children), "statusSummary": summary}}
        return {}


def blockers(job: Job, jobs: dict[str, Job]) -> list[Job]:
    """The jobs that must succeed before this one may run; those that Batch forgot block nothing."""
    found = []
    for dependency in job.depends_on:
        kind = dependency.get("type")
        if kind == "SEQUENTIAL" and job.parent is not None and job.index:
            found.append(job.parent.children[job.index - 1])
        other = jobs.get(dependency.get("jobId", ""))
        if other is None:
            continue
        if kind == "N_TO_N" and job.index is not None and job.index < len(other.children):
            other = other.children[job.index]
        found.append(other)
    return found


def attempt_record(outcome: Outcome, started_at: int, stopped_at: int) -> Json:
    """An attempt as DescribeJobs lists it."""
    return {
        "container": outcome.told(),
        "startedAt": started_at,
        "stoppedAt": stopped_at,
        "statusReason": outcome.status_reason,
    }
