"""The status: ``GET /jobs``, ``GET /jobs/{job}`` and its logs, and ``DELETE /jobs/{job}``."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec

from fanfold.api import (
    PHASES,
    ApiError,
    Job,
    Jobs,
    LogLine,
    Logs,
    Slices,
    State,
    parse_phase,
    problem,
)
from fanfold.aws import gateway
from fanfold.aws.batch import Batch, log_stream_of
from fanfold.aws.deployment import Deployment, client, deployment
from fanfold.aws.ledger import BatchJob, Entry, Failure, Ledger, is_index, is_job
from fanfold.aws.log import about, begin, count_failure
from fanfold.engine.ahead import map_ahead
from fanfold.errors import PlanError
from fanfold.flow.plan import MAX_SLICES
from fanfold.json_log import message_of

_PAGE, _LARGEST_PAGE = 20, 100
_LOOKS_AT_ONCE = 16
_LINES, _MOST_LINES = 200, 10_000

_STARTED = ("STARTING", "RUNNING", "SUCCEEDED", "FAILED")
"""What a child that had its turn has come to."""

_log = logging.getLogger("fanfold")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """What API Gateway calls."""
    begin("status", context)
    return gateway.answer(event, Status(deployment()).answer)


class Status:
    """Tells of jobs, and cancels them.

    Args:
        deployed: the deployment.
    """

    def __init__(self, deployed: Deployment) -> None:
        self._deployed = deployed
        self._ledger = Ledger(deployed.bucket)
        self._batch = Batch(deployed)

    def answer(self, event: dict[str, Any]) -> msgspec.Struct:
        """The answer to a request.

        Raises:
            ApiError: it is refused.
        """
        method, resource = event.get("httpMethod"), event.get("resource")
        if (method, resource) == ("GET", "/jobs"):
            return self._jobs(event)
        entry = self._entry(str((event.get("pathParameters") or {}).get("job", "")))
        match method, resource:
            case "GET", "/jobs/{job}":
                return self.job(entry)
            case "DELETE", "/jobs/{job}":
                return self._cancel(entry)
            case "GET", "/jobs/{job}/logs":
                return self._logs(entry, event)
        raise ApiError(404, "no-such-path", "No such path", f"{method} {resource}: no such path")

    def job(self, entry: Entry) -> Job:
        """Where a job is."""
        state, slices, finished = self._progress(entry)
        request, failure = entry.request, entry.failure
        told = failure.error if failure is not None and state == failure.state else None
        return Job(
            job=entry.job,
            state=state,
            slices=slices,
            bytes=request.source.size_bytes,
            created=request.created,
            finished=finished,
            error=told,
            bucket=request.asked.bucket,
            key=request.asked.key,
            k=request.asked.k,
            attempt=entry.attempt,
        )

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

    def _jobs(self, event: dict[str, Any]) -> Jobs:
        limit = gateway.number_of(event, "limit", _PAGE, _LARGEST_PAGE) or _PAGE
        after = gateway.query_of(event, "next") or ""
        if after and not is_index(after):
            raise ApiError(
                400,
                "bad-request",
                "A parameter that can't be",
                "next: give what the answer before calls next",
            )
        names, more = self._ledger.newest(limit, after)

        def told(name: str) -> Job | None:
            try:
                entry = self._known(name)
            except PlanError as error:
                _log.warning("%s", error)  # nothing of it can be told
                return None
            return None if entry is None else self.job(entry)

        jobs = map_ahead(told, names, _LOOKS_AT_ONCE)
        return Jobs(tuple(job for job in jobs if job is not None), more)

    def _cancel(self, entry: Entry) -> Job:
        """Cancel a job: first in the ledger, where whoever submits looks afterwards."""
        state = self._progress(entry)[0]
        if state in {"SUCCEEDED", "FAILED"}:
            raise ApiError(
                409, "has-ended", "It has ended", f"{entry.job} has ended already: it is {state}"
            )
        cancelled = problem("cancelled", "Cancelled", "it was cancelled by a request")
        entry.fail(cancelled, "CANCELLED")
        entry = entry.again()
        for phase in PHASES:
            recorded = entry.batch_job(phase)
            batch_id = recorded.id if recorded is not None else self._batch.find(entry.name(phase))
            if batch_id is not None:
                self._batch.stop(batch_id, "cancelled")
        self._ledger.close_attempt(entry)
        if state != "CANCELLED":
            count_failure(cancelled)
        return self.job(entry)

    def _logs(self, entry: Entry, event: dict[str, Any]) -> Logs:
        """The last lines of one container."""
        phase = parse_phase(gateway.query_of(event, "phase") or "task")
        if phase is None:
            raise ApiError(
                400,
                "bad-request",
                "A parameter that can't be",
                f"phase: give {', '.join(PHASES)}",
            )
        index = gateway.number_of(event, "slice", None, MAX_SLICES - 1)
        limit = gateway.number_of(event, "limit", _LINES, _MOST_LINES) or _LINES
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

    def _entry(self, job: str) -> Entry:
        entry = None
        if is_job(job):
            about(job)
            entry = self._known(job)
        if entry is None:
            raise ApiError(
                404, "no-such-job", "No such job", f"{job[:80]}: no such job; GET /jobs lists them"
            )
        return entry

    def _known(self, job: str) -> Entry | None:
        """What is known of a job. One that has ended, but has no report any more, has failed.

        Raises:
            PlanError: its request is damaged.
        """
        entry = self._ledger.entry(job)
        if entry is None or _is_told(entry) or self._ledger.is_open(job):
            return entry
        entry = entry.again()  # it may have ended in between
        if not _is_told(entry):
            lost = problem(
                "report",
                "No report",
                f"{job}: its report is gone, or is not what was written; post the job again",
            )
            ended = entry.ended("fold") or entry.ended("task")
            at = entry.request.created if ended is None else ended.at
            entry.failure = Failure(entry.attempt, "FAILED", at, lost)
        return entry


def _is_told(entry: Entry) -> bool:
    """Whether it is known how the newest attempt ended."""
    return entry.has_report or entry.failure is not None
