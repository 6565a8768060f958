"""The status: ``GET /jobs``, ``GET /jobs/{job}`` and its logs, and ``DELETE /jobs/{job}``."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from fanfold.api.problems import ApiError, problem
from fanfold.api.routes import (
    CANCEL,
    JOBS,
    LOGS,
    STATUS,
    HttpRequest,
    has_ended,
    no_such_job,
    parse_jobs,
    parse_logs,
)
from fanfold.api.types import PHASES, Job, Jobs, LogLine, Logs, Slices, State, is_job
from fanfold.aws import gateway
from fanfold.aws.batch import Batch, log_stream_of
from fanfold.aws.deployment import Deployment, client, deployment
from fanfold.aws.log import about, begin, count_failure
from fanfold.engine.ahead import map_ahead
from fanfold.errors import PlanError
from fanfold.json_log import message_of
from fanfold.ledger import BatchJob, Entry, Ledger

_LOOKS_AT_ONCE = 16

_STARTED = ("STARTING", "RUNNING", "SUCCEEDED", "FAILED")
"""What a child that had its turn has come to."""

_log = logging.getLogger("fanfold")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """What API Gateway calls."""
    begin("status", context)
    status = Status(deployment())
    calls = {JOBS: status.jobs, STATUS: status.job, CANCEL: status.cancel, LOGS: status.logs}
    return gateway.answer(event, calls)


class Status:
    """Tells of jobs, and cancels them.

    Args:
        deployed: the deployment.
    """

    def __init__(self, deployed: Deployment) -> None:
        self._deployed = deployed
        self._ledger = Ledger(f"s3://{deployed.bucket}")
        self._batch = Batch(deployed)

    def job(self, request: HttpRequest) -> Job:
        """Where a job is.

        Raises:
            ApiError: there is none of that name; so for all methods that take one.
        """
        return self._job(self._entry(request))

    def _job(self, entry: Entry) -> Job:
        return entry.as_job(*self._progress(entry))

    def _progress(self, entry: Entry) -> tuple[State, Slices, datetime | None]:
        recorded, ended = entry.batch_job("task"), entry.ended("task")
        last = entry.ended("fold") or ended
        size = (recorded.size or 1) if recorded is not None else None
        if entry.run is not None:
            count = entry.run.slices.count
            return "SUCCEEDED", Slices(count, count, 0), last.at if last is not None else None
        state: State = "SUBMITTED"
        slices = Slices(size, 0, 0)
        if recorded is not None:
            children = ended.children if ended is not None else self._children(recorded)
            if any(children.get(each) for each in _STARTED):
                state = "RUNNING"
            slices = Slices(size, children.get("SUCCEEDED", 0), children.get("FAILED", 0))
        elif entry.batch_job("inflate") is not None:
            state = "RUNNING"
        failure = entry.failure
        if failure is None:
            return state, slices, None
        failed = len(failure.error.slices)
        if failed and size is not None:
            slices = Slices(size, size - failed, failed)
        return failure.state, slices, failure.at

    def _children(self, recorded: BatchJob) -> dict[str, int]:
        """How many children of an array are in each status; one, of a plain job."""
        job = self._batch.describe(recorded.id)
        if job is None:
            return {}
        if recorded.size is None:
            return {job["status"]: 1}
        summary: dict[str, int] = job.get("arrayProperties", {}).get("statusSummary", {})
        return summary

    def jobs(self, request: HttpRequest) -> Jobs:
        """The newest jobs, or those that follow.

        Raises:
            ApiError: a parameter is invalid.
        """
        limit, after = parse_jobs(request)
        names, more = self._ledger.newest(limit, after)

        def told(name: str) -> Job | None:
            try:
                entry = self._ledger.look(name)
            except PlanError as error:
                _log.warning("%s", error)  # nothing of it can be told
                return None
            return None if entry is None else self._job(entry)

        jobs = map_ahead(told, names, _LOOKS_AT_ONCE)
        return Jobs(tuple(job for job in jobs if job is not None), more)

    def cancel(self, request: HttpRequest) -> Job:
        """Cancel a job: first in the ledger, where whoever submits looks afterwards.

        Raises:
            ApiError: it has ended.
        """
        entry = self._entry(request)
        job = self._job(entry)
        if job.state in {"SUCCEEDED", "FAILED"}:
            raise has_ended(job)
        cancelled = problem("cancelled", "Cancelled", "it was cancelled by a request")
        entry.fail(cancelled, "CANCELLED")
        entry = entry.again()
        for phase in PHASES:
            recorded = entry.batch_job(phase)
            batch_id = recorded.id if recorded is not None else self._batch.find(entry.name(phase))
            if batch_id is not None:
                self._batch.stop(batch_id, "cancelled")
        self._ledger.close_attempt(entry)
        if job.state != "CANCELLED":
            count_failure(cancelled)
        return self._job(entry)

    def logs(self, request: HttpRequest) -> Logs:
        """The last lines of one container.

        Raises:
            ApiError: a parameter is invalid, or there is no such slice.
        """
        entry = self._entry(request)
        phase, index, limit = parse_logs(request)
        recorded = entry.batch_job(phase)
        if recorded is None:
            return Logs(None, ())
        if recorded.size is not None and index is None:
            raise ApiError(
                400,
                "bad-request",
                "Which slice?",
                f"the job has {recorded.size} slices: give slice=0 to {recorded.size - 1}",
            )
        if index is not None and index >= (recorded.size or 1):
            raise ApiError(
                404,
                "no-such-slice",
                "No such slice",
                f"the job has the slices 0 to {(recorded.size or 1) - 1}",
            )
        child = recorded.id if recorded.size is None else f"{recorded.id}:{index}"
        stream = log_stream_of(self._batch.describe(child) or {})
        return Logs(stream, self._lines(stream, limit) if stream is not None else ())

    def _lines(self, stream: str, limit: int) -> tuple[LogLine, ...]:
        logs = client("logs")
        try:
            events = logs.get_log_events(
                logGroupName=self._deployed.log_group, logStreamName=stream, limit=limit
            )["events"]
        except logs.exceptions.ResourceNotFoundException:
            return ()  # its container has said nothing yet
        return tuple(
            LogLine(
                datetime.fromtimestamp(each["timestamp"] / 1000, UTC), message_of(each["message"])
            )
            for each in events
        )

    def _entry(self, request: HttpRequest) -> Entry:
        job = request.path.get("job", "")
        entry = None
        if is_job(job):
            about(job)
            entry = self._ledger.look(job)
        if entry is None:
            raise no_such_job(job)
        return entry
