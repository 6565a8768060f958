"""The aggregator: woken when a Batch job ends, it folds, or says what failed.

Events come at least once and in any order; the sweep sends what was lost. An event counts if it is
of the Batch job that is recorded for its phase, of the newest attempt. All else changes nothing.
"""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext
from typing import Any

import msgspec

from fanfold._kernel import VERSION
from fanfold.api.problems import problem, problem_of, problem_of_exit
from fanfold.api.types import PHASES, FailedSlice, Phase
from fanfold.aws.batch import (
    Batch,
    ended_of,
    exit_code_of,
    has_ended,
    log_stream_of,
    why_failed,
)
from fanfold.aws.deployment import Deployment, client, deployment
from fanfold.aws.log import about, begin, count_success
from fanfold.aws.phases import FINAL, definition_of, fail, known, submit
from fanfold.aws.sizes import fold_size
from fanfold.checked_json import encode_checked
from fanfold.engine.progress import Watch
from fanfold.errors import InputError, MissingSlicesError, PlanError, SourceError
from fanfold.flow.finish import Scanned, fold_in
from fanfold.flow.memory import Allowed
from fanfold.json_log import message_of
from fanfold.ledger import COST, BatchJob, Cost, Entry, Ledger, Name, parse_name
from fanfold.objects import stored_checksum
from fanfold.report.view import DEFAULT_VIEW

_FOLDED_HERE_SLICE_BYTES = 16 * 1024**3
"""Results of slices that are read in a third of the function's time, at 60 MB/s."""

_OF_THE_INPUT = {InputError.exit_code, SourceError.exit_code}
"""Exit codes of containers that could not do better with this input."""

_LAST_LINES = 20
_LOGS_AT_MOST = 20
"""Of so many containers the last words are looked up."""

_log = logging.getLogger("fanfold")


def handler(event: dict[str, Any], context: object) -> None:
    """What EventBridge invokes, and the sweep, which sends what DescribeJobs says instead."""
    begin("aggregator", context)
    detail = event.get("detail", {})
    name = parse_name(str(detail.get("jobName", "")))
    if name is None or not has_ended(detail):
        _log.info("nothing of a job in %s", detail.get("jobArn", "the event"))
        return
    about(name.job, name.attempt)
    try:
        Aggregator(deployment()).hear(name, detail)
    except Exception:
        _log.exception("could not act on %s", name)  # Lambda's own line names no job
        raise


class Aggregator:
    """Acts on what Batch tells.

    Args:
        deployed: the deployment.
    """

    def __init__(self, deployed: Deployment) -> None:
        self._deployed = deployed
        self._ledger = Ledger(f"s3://{deployed.bucket}")
        self._batch = Batch(deployed)

    def hear(self, name: Name, detail: dict[str, Any]) -> None:
        """Act on the end of a Batch job.

        Args:
            name: what its name says.
            detail: what Batch tells of it.

        Raises:
            FanfoldError: what another try may mend.
        """
        entry = known(self._ledger, name.job)
        if entry is None or name.attempt != entry.attempt:
            _log.info("%s: of no attempt that counts", name)
            return
        size = detail.get("arrayProperties", {}).get("size")
        recorded = entry.record(name.phase, BatchJob(detail["jobId"], size))
        if recorded.id != detail["jobId"]:
            _log.info("%s: %s is not the job that counts", name, detail["jobId"])
            return
        if entry.failure is not None and entry.failure.state == "CANCELLED":
            return
        entry.record_end(name.phase, ended_of(detail))
        entry = entry.again()
        try:
            self._act(entry, name.phase, recorded, detail)
        except FINAL as error:
            fail(self._ledger, entry, problem_of(error))

    def _act(self, entry: Entry, phase: Phase, recorded: BatchJob, detail: dict[str, Any]) -> None:
        if entry.has_report:
            self._finish(entry)
        elif detail["status"] == "FAILED":
            self._failed(entry, phase, recorded, detail)
        elif phase == "task":
            self._fold(entry)
        elif phase == "fold":
            fail(self._ledger, entry, problem("report", "No report", f"{entry.job}: it is gone"))

    def _fold(self, entry: Entry) -> None:
        """Fold the results into the report, here or in a container."""
        folder = entry.open_plan()
        if entry.failure is not None:
            self._ledger.reopen(entry.job)  # it seemed to have failed
        rows_bytes = folder.rows_bytes()
        own = self._deployed.definitions["fold"]
        if (
            definition_of(entry, "fold", self._deployed) != own  # it began with another image
            or folder.plan.version != VERSION
            or rows_bytes > self._deployed.folded_here_bytes
            or folder.results_bytes() > _FOLDED_HERE_SLICE_BYTES
        ):
            submit(self._ledger, entry, "fold", fold_size(rows_bytes), self._batch)
            return
        try:
            fold_in(
                folder,
                Watch(folder.plan.size_bytes, None),
                Scanned("aws-batch", None, time.monotonic()),
                DEFAULT_VIEW,
                checksum=lambda: stored_checksum(folder.plan.source),
                allowed=Allowed(None),
                hold=nullcontext,
            )
        except MissingSlicesError as error:
            self._lacks(entry, error)
        else:
            self._finish(entry.again())

    def _failed(
        self, entry: Entry, phase: Phase, batch_job: BatchJob, detail: dict[str, Any]
    ) -> None:
        """Say why a phase failed; a scan whose slices all have results is folded all the same."""
        if phase == "task":
            folder = entry.open_plan()
            missing = folder.missing()
            if not missing:
                self._fold(entry)
                return
            jobs = self._batch.failed(batch_job.id, batch_job.size)
            reasons = self._reasons(jobs)
            slices = tuple(
                FailedSlice(index, reasons.get(index, why_failed(detail)))
                for index in sorted(missing)
            )
            told = (
                f"{entry.request.source.name}: {len(missing)} of {len(folder.slices)} slices have"
                " no result"
            )
            codes = {exit_code_of(job) for job in jobs.values()}
            if len(codes) == 1 and codes <= _OF_THE_INPUT:
                error = problem_of_exit(codes.pop() or 0, f"{told}: {slices[0].reason}", slices)
            else:
                told += "; post the job again to scan these alone"
                error = problem("slices", "Slices without a result", told, slices=slices)
        else:
            code = exit_code_of(detail)
            said = self._last_line(detail)
            error = problem_of_exit(
                code or 0,
                said
                or f"{entry.request.source.name}: its {phase} job failed:"
                f" {why_failed(detail)}; post the job again",
            )
        fail(self._ledger, entry, error)

    def _reasons(self, jobs: dict[int, dict[str, Any]]) -> dict[int, str]:
        """Why slices failed, by index, in the containers' own last words where they had some."""
        reasons: dict[int, str] = {}
        for index, job in jobs.items():
            said = self._last_line(job) if len(reasons) < _LOGS_AT_MOST else None
            reasons[index] = f"{said} ({why_failed(job)})" if said else why_failed(job)
        return reasons

    def _lacks(self, entry: Entry, error: MissingSlicesError) -> None:
        """Say which results are missing or damaged, though Batch says that all are well."""
        slices = tuple(
            FailedSlice(index, "its result is missing or damaged") for index in error.indexes
        )
        told = problem_of(error)
        detail = f"{told.detail.rpartition('. ')[0]}. Post the job again to scan these alone"
        fail(self._ledger, entry, msgspec.structs.replace(told, detail=detail, slices=slices))

    def _finish(self, entry: Entry) -> None:
        """What comes after the report; again if need be, until the job is closed."""
        if not self._ledger.is_open(entry.job):
            return
        cost = self._tell_cost(entry)
        self._remove_objects(entry)
        entry.forget_failure()
        self._ledger.publish(entry)
        self._ledger.close(entry.job)
        slices = entry.run.slices.count if entry.run is not None else 0
        count_success(slices, cost.estimated_cost_usd)
        _log.info("%s has its report", entry.job)

    def _remove_objects(self, entry: Entry) -> None:
        """Remove the slices' own objects; without a plan that tells them, they expire."""
        try:
            entry.open_plan().remove_objects()
        except PlanError as error:
            _log.warning("%s", error)

    def _tell_cost(self, entry: Entry) -> Cost:
        """Write into `cost.json` what the containers of all attempts took."""
        jobs = {phase: found for phase in PHASES if (found := entry.batch_jobs(phase))}
        billed = {
            phase: [self._batch.billed(each.id, each.size) for each in found]
            for phase, found in jobs.items()
        }
        each_job = [each for found in billed.values() for each in found]
        cost = Cost(
            job=entry.job,
            attempt=entry.attempt,
            image=entry.request.image,
            batch_jobs={phase: tuple(each.id for each in found) for phase, found in jobs.items()},
            billed_seconds={
                phase: round(sum(each.seconds for each in found), 1)
                for phase, found in billed.items()
            },
            billed_vcpu_seconds=round(sum(each.vcpu_seconds for each in each_job), 1),
            estimated_cost_usd=round(sum(each.usd for each in each_job), 6),
            estimated_cost_usd_most=round(sum(each.usd_most for each in each_job), 6),
        )
        entry.place.write(COST, encode_checked(cost))
        return cost

    def _last_line(self, detail: dict[str, Any]) -> str | None:
        """The last words of a container, which are its error in a line or two."""
        stream = log_stream_of(detail)
        if stream is None:
            return None
        logs = client("logs")
        try:
            events = logs.get_log_events(
                logGroupName=self._deployed.log_group, logStreamName=stream, limit=_LAST_LINES
            )["events"]
        except logs.exceptions.ClientError as error:
            _log.warning("no log of %s: %s", stream, error)
            return None
        told = [message_of(each["message"]) for each in events]
        mine = [line for line in told if line.startswith("fanfold: ")]
        return mine[-1].removeprefix("fanfold: ") if mine else None
