"""What the functions share: a phase's Batch job is submitted once, and a job ends once."""

from __future__ import annotations

import logging
from typing import Any

from fanfold.api import Phase, Problem
from fanfold.aws.batch import Batch
from fanfold.aws.deployment import Deployment, feed_chunker, wake
from fanfold.aws.ledger import BatchJob, Entry, Ledger
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
    entry: Entry, phase: Phase, size: Size, batch: Batch, slices: int | None = None
) -> BatchJob:
    """Have Batch do a phase of the newest attempt, unless it does already.

    Two may do this at once, or one be killed between its steps: the job that is recorded counts,
    and another that was submitted is stopped. (What it did until then is as good.)
    """
    name = entry.name(phase)
    batch_id = batch.submit(name, entry.place.where(PLAN), size, slices)
    array_size = slices if slices is not None and slices > 1 else None
    recorded = entry.record(phase, BatchJob(batch_id, array_size))
    _log.info("%s is Batch job %s", name, recorded.id)
    if recorded.id != batch_id:
        batch.stop(batch_id, "another was submitted at the same moment")
    # A cancellation that came meanwhile may not have seen it.
    failure = entry.again().failure
    if failure is not None and failure.state == "CANCELLED":
        batch.stop(recorded.id, "cancelled")
    return recorded


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
    ledger.close(entry.job)


def forward(deployed: Deployment, phase: Phase, event: dict[str, Any]) -> None:
    """Send the end of a phase's Batch job where the rules of EventBridge send it."""
    if phase == "inflate" and event["detail"]["status"] == "SUCCEEDED":
        feed_chunker(deployed, event)
    else:
        wake(deployed.aggregator, event)
