"""The sweep: holds open jobs against what is so, by the clock, and mends what was lost.

It does nothing itself: it wakes the function that does.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from fanfold.api import PHASES, Phase, problem
from fanfold.aws.batch import Batch, has_ended
from fanfold.aws.deployment import Deployment, deployment, feed_chunker
from fanfold.aws.ledger import BatchJob, Entry, Ledger, now
from fanfold.aws.phases import fail, forward
from fanfold.errors import PlanError

_GRACE_SECONDS = 1200
"""How old a job without a Batch job has to be: the chunker's longest run, and some."""

_log = logging.getLogger("fanfold")


def handler(event: dict[str, Any], _context: object) -> None:
    """What the schedule invokes; its input may have another `grace_seconds`."""
    _log.setLevel(logging.INFO)
    seconds = event.get("grace_seconds", _GRACE_SECONDS)
    Sweep(deployment(), timedelta(seconds=seconds)).all()


class Sweep:
    """Looks after open jobs.

    Args:
        deployed: the deployment.
        grace: how old a job has to be until what it lacks counts as lost.
    """

    def __init__(self, deployed: Deployment, grace: timedelta) -> None:
        self._deployed = deployed
        self._grace = grace
        self._ledger = Ledger(deployed.bucket)
        self._batch = Batch(deployed)

    def all(self) -> None:
        """Look at every open job; one that can't be looked at doesn't keep from the others."""
        for job in self._ledger.open_jobs():
            try:
                self._look(job)
            except PlanError as error:  # its request is damaged: the next POST mends that
                _log.error("%s can't be looked after: %s", job, error)
            except Exception:
                _log.exception("%s can't be looked after", job)

    def _look(self, job: str) -> None:
        since = self._ledger.open_since(job)
        entry = self._ledger.entry(job)
        is_old = since is not None and now() - since > self._grace
        if entry is None or entry.failure is not None:
            # A starter that was killed before it made the job, or a function that had failed it.
            if is_old:
                self._ledger.close(job)
            return
        phase = self._phase(entry)
        recorded = entry.batch_job(phase) if phase is not None else None
        if phase is None or recorded is None:
            if is_old:
                _log.warning("%s: has no Batch job; waking the chunker", job)
                feed_chunker(self._deployed, {"job": job, "attempt": entry.attempt})
            return
        self._hold(entry, phase, recorded)

    def _hold(self, entry: Entry, phase: Phase, recorded: BatchJob) -> None:
        """Hold a job against what Batch says of it."""
        described = self._batch.describe(recorded.id)
        if described is None:
            if entry.has_report:
                self._ledger.close(entry.job)
                return
            error = problem(
                "forgotten",
                "Forgotten by Batch",
                f"Batch has forgotten the {phase} job {recorded.id}; post the job again",
            )
            fail(self._ledger, entry, error)
        elif has_ended(described):
            _log.warning("%s: its %s job has ended; sending that again", entry.job, phase)
            forward(self._deployed, phase, {"detail": described})

    def _phase(self, entry: Entry) -> Phase | None:
        """The last phase that has a Batch job, if one has."""
        for phase in reversed(PHASES):
            if entry.batch_job(phase) is not None:
                return phase
        return None
