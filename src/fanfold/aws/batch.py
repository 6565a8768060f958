"""AWS Batch: jobs are submitted, found by name, looked at, and stopped.

SubmitJob has no token by which a repeated call would be the same (AWS Batch API reference): whoever
submits looks for the name first, and two who do it at once are sorted out by the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from fanfold.aws.deployment import Deployment, client
from fanfold.aws.sizes import Size, billed_seconds
from fanfold.ledger import Ended, Name

_DESCRIBED_AT_ONCE = 100
_FAILED_AT_MOST = 300
_SAID_AT_MOST = 200

_ENDED = ("SUCCEEDED", "FAILED")


class Billed(NamedTuple):
    """What the containers of a Batch job took.

    Attributes:
        seconds: of all containers, as they are billed.
        vcpu_seconds: the same, times their vCPUs.
        usd: what that costs, all of it on Spot where that is on.
        usd_most: what it costs if none of it ran on Spot. (Batch doesn't tell where it did.)
    """

    seconds: float
    vcpu_seconds: float
    usd: float
    usd_most: float


class Batch:
    """The queue of a deployment.

    Args:
        deployed: the deployment.

    Attributes:
        deployed: the deployment.
    """

    def __init__(self, deployed: Deployment) -> None:
        self.deployed = deployed
        self._client = client("batch")

    def submit(
        self, name: Name, definition: str, plan_url: str, size: Size, slices: int | None
    ) -> str:
        """Submit a job, unless it was under this name; its id.

        Args:
            name: its name.
            definition: the ARN of its definition.
            plan_url: the plan that it works on.
            size: the size of its containers.
            slices: how many slices there are, for a job that scans them.
        """
        there = self.find(name)
        if there is not None:
            return there
        overrides: dict[str, Any] = {
            "resourceRequirements": [
                {"type": "VCPU", "value": f"{size.vcpus:g}"},
                {"type": "MEMORY", "value": str(size.memory_mb)},
            ]
        }
        more: dict[str, Any] = {}
        if slices == 1:  # an array has two children at least
            overrides["command"] = ["task", plan_url, "--index", "0"]
        elif slices is not None:
            more["arrayProperties"] = {"size": slices}
        submitted = self._client.submit_job(
            jobName=str(name),
            jobQueue=self.deployed.queue,
            jobDefinition=definition,
            parameters={"plan": plan_url},
            containerOverrides=overrides,
            **more,
        )
        return str(submitted["jobId"])

    def find(self, name: Name) -> str | None:
        """The id of the first job that was submitted under a name, if Batch remembers one."""
        filters = [{"name": "JOB_NAME", "values": [str(name)]}]
        pages = self._client.get_paginator("list_jobs").paginate(
            jobQueue=self.deployed.queue, filters=filters
        )
        found = [job for page in pages for job in page["jobSummaryList"]]
        first = min(found, key=lambda job: (job.get("createdAt", 0), job["jobId"]), default=None)
        return None if first is None else str(first["jobId"])

    def describe(self, batch_id: str) -> dict[str, Any] | None:
        """What Batch says of a job, or None if it has forgotten it."""
        return self.describe_all([batch_id]).get(batch_id)

    def describe_all(self, batch_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What Batch says of jobs, by their ids; those that it has forgotten are left out."""
        found: dict[str, dict[str, Any]] = {}
        for at in range(0, len(batch_ids), _DESCRIBED_AT_ONCE):
            described = self._client.describe_jobs(jobs=batch_ids[at : at + _DESCRIBED_AT_ONCE])
            found |= {job["jobId"]: job for job in described["jobs"]}
        return found

    def stop(self, batch_id: str, reason: str) -> None:
        """Have a job end, whether it waits or runs; its children with it."""
        self._client.terminate_job(jobId=batch_id, reason=reason)

    def failed(self, batch_id: str, size: int | None) -> dict[int, dict[str, Any]]:
        """The failed children of an array, or the job itself, by index: some, when many have."""
        return dict(self._described(batch_id, size, "FAILED", _FAILED_AT_MOST))

    def billed(self, batch_id: str, size: int | None) -> Billed:
        """What a job's containers took, as far as Batch tells."""
        prices = self.deployed.prices
        seconds = vcpu_seconds = usd = usd_most = 0.0
        for status in ("SUCCEEDED", "FAILED"):
            for _, job in self._described(batch_id, size, status):
                for begin, end in _spans(job):
                    each_seconds = billed_seconds((end - begin) / 1000)
                    container = _size_of(job)
                    seconds += each_seconds
                    vcpu_seconds += each_seconds * container.vcpus
                    usd += container.usd(each_seconds, prices)
                    usd_most += container.usd(each_seconds, prices.on_demand())
        return Billed(seconds, vcpu_seconds, usd, usd_most)

    def _described(
        self,
        batch_id: str,
        size: int | None,
        status: Literal["SUCCEEDED", "FAILED"],
        at_most: int | None = None,
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """The job, or the children of an array, that ended in a status, by index."""
        if size is None:
            job = self.describe(batch_id)
            if job is not None and job["status"] == status:
                yield 0, job
            return
        pages = self._client.get_paginator("list_jobs").paginate(
            arrayJobId=batch_id, jobStatus=status
        )
        ids = [job["jobId"] for page in pages for job in page["jobSummaryList"]][:at_most]
        for job in self.describe_all(ids).values():
            yield job["arrayProperties"]["index"], job


def has_ended(job: dict[str, Any]) -> bool:
    """Whether a job that Batch describes has ended."""
    return job["status"] in _ENDED


def has_just_ended(job: dict[str, Any], within: timedelta) -> bool:
    """Whether a job has ended, and not long ago."""
    stopped_ms = job.get("stoppedAt")
    if not has_ended(job) or not stopped_ms:
        return False
    return datetime.now(UTC) - datetime.fromtimestamp(stopped_ms / 1000, UTC) < within


def ended_of(job: dict[str, Any]) -> Ended:
    """How a job ended, by an event's detail or by what Batch describes: they have one form."""
    stopped_ms = job.get("stoppedAt")
    return Ended(
        id=job["jobId"],
        status=job["status"],
        at=datetime.fromtimestamp(stopped_ms / 1000, UTC) if stopped_ms else datetime.now(UTC),
        reason=job.get("statusReason", ""),
        children=job.get("arrayProperties", {}).get("statusSummary", {}),
    )


def exit_code_of(job: dict[str, Any]) -> int | None:
    """The exit code of a job's last attempt, if its container came to have one."""
    attempts = job.get("attempts") or [{"container": job.get("container", {})}]
    code = attempts[-1].get("container", {}).get("exitCode")
    return None if code is None else int(code)


def why_failed(job: dict[str, Any]) -> str:
    """Why a job failed, in words, by what Batch says of its last attempt."""
    last = (job.get("attempts") or [{}])[-1]
    container = last.get("container") or job.get("container", {})
    said = [last.get("statusReason") or job.get("statusReason", ""), container.get("reason", "")]
    if container.get("exitCode") is not None:
        said.append(f"exit code {container['exitCode']}")
    attempts = len(job.get("attempts", ()))
    if attempts > 1:
        said.append(f"{attempts} attempts")
    return "; ".join(each[:_SAID_AT_MOST] for each in said if each) or "Batch gives no reason"


def log_stream_of(job: dict[str, Any]) -> str | None:
    """The log stream of a job's last attempt, if it came to have one."""
    attempts = job.get("attempts") or [{}]
    container = attempts[-1].get("container", {})
    stream = container.get("logStreamName") or job.get("container", {}).get("logStreamName")
    return None if stream is None else str(stream)


def _spans(job: dict[str, Any]) -> Iterator[tuple[int, int]]:
    for each in job.get("attempts") or [job]:
        if each.get("startedAt") and each.get("stoppedAt"):
            yield each["startedAt"], each["stoppedAt"]


def _size_of(job: dict[str, Any]) -> Size:
    needs = job.get("container", {}).get("resourceRequirements", ())
    amounts = {each["type"]: float(each["value"]) for each in needs}
    return Size(amounts.get("VCPU", 0), int(amounts.get("MEMORY", 0)))
