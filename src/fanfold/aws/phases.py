"""What the functions share: a phase's Batch job is submitted once, and a job ends once."""

from __future__ import annotations

import logging
from typing import Any

from fanfold.api.problems import problem
from fanfold.api.types import Phase, Problem, is_job
from fanfold.aws.batch import Batch
from fanfold.aws.deployment import Deployment, feed_chunker, wake
from fanfold.aws.log import about, count_failure
from fanfold.aws.sizes import Size
from fanfold.errors import (
    ChecksumError,
    InputError,
    ParameterError,
    PlanError,
    ProofError,
    SourceChangedError,
    SourceElsewhereError,
    SourceMissingError,
)
from fanfold.flow.run_folder import PLAN
from fanfold.ledger import BatchJob, Entry, Ledger, parse_name

FINAL = (
    ChecksumError,
    InputError,
    ParameterError,
    PlanError,
    ProofError,
    SourceChangedError,
    SourceElsewhereError,
    SourceMissingError,
)
"""Errors that are the same when a function is run again."""

_log = logging.getLogger("fanfold")


def submit(
    ledger: Ledger,
    entry: Entry,
    phase: Phase,
    size: Size,
    batch: Batch,
    *,
    slices: int | None = None,
) -> BatchJob:
    """Have Batch do a phase of the newest attempt, unless it does already.

    Two may do this at once, or one be killed between its steps: the job that is recorded counts,
    and another that was submitted is stopped. (What it did until then is as good.)
    """
    name = entry.name(phase)
    definition = definition_of(entry, phase, batch.deployed)
    batch_id = batch.submit(name, definition, entry.place.where(PLAN), size, slices)
    array_size = slices if slices is not None and slices > 1 else None
    recorded = entry.record(phase, BatchJob(batch_id, array_size))
    ledger.mark(name, recorded.id)
    _log.info("%s is Batch job %s", name, recorded.id)
    if recorded.id != batch_id:
        batch.stop(batch_id, "another was submitted at the same moment")
    # A cancellation that came meanwhile may not have seen it.
    failure = entry.again().failure
    if failure is not None and failure.state == "CANCELLED":
        batch.stop(recorded.id, "cancelled")
    return recorded


def definition_of(entry: Entry, phase: Phase, deployed: Deployment) -> str:
    """The ARN of the definition that does a phase of a job."""
    return deployed.definition(phase, entry.request.image, entry.request.definitions)


def known(ledger: Ledger, job: str) -> Entry | None:
    """What is known of a job; None if there is none, or its request is damaged.

    A damaged request is an error that the status tells, and the next POST mends. The job stays
    open, so that the sweep makes up for what is left undone until then.
    """
    try:
        return ledger.entry(job)
    except PlanError as error:
        _log.error("%s", error)
        return None


def fail(ledger: Ledger, entry: Entry, error: Problem) -> None:
    """The newest attempt has failed."""
    _log.warning("%s, attempt %d, failed: %s", entry.job, entry.attempt, error.detail)
    entry.fail(error)
    ledger.close_attempt(entry)
    count_failure(error)


def subject_of(message: dict[str, Any]) -> tuple[str, int]:
    """The job and attempt that a message is about, or an event of Batch; no name if about none."""
    name = parse_name(str(message.get("detail", {}).get("jobName", "")))
    if name is not None:
        return name.job, name.attempt
    return str(message.get("job", "")), int(message.get("attempt", 0))


def give_up(ledger: Ledger, job: str, attempt: int, why: str) -> None:
    """A function could not do its work for an attempt, which fails unless it has ended by now."""
    about(job, attempt)
    entry = known(ledger, job) if is_job(job) else None
    if entry is None or entry.attempt != attempt or entry.failure or not ledger.is_open(job):
        _log.warning("a failure that concerns no open job: %s", why)
        return
    fail(ledger, entry, problem("function", "A function failed", f"{why}; post the job again"))


def forward(deployed: Deployment, phase: Phase, event: dict[str, Any]) -> None:
    """Send the end of a phase's Batch job where the rules of EventBridge send it."""
    if phase == "inflate" and event["detail"]["status"] == "SUCCEEDED":
        feed_chunker(deployed, event)
    else:
        wake(deployed.aggregator, event)
