"""The sweep: compares open jobs with Batch, by the clock, and mends what was lost.

It does nothing itself: it wakes the function that does. Most open jobs wait or run. It sees that
from one listing and from what Batch says of a hundred jobs at a time, and reads the documents of
the others alone. It begins somewhere else each time and ends before its time is over, so that every
job has its turn.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from fanfold.api.problems import problem
from fanfold.api.types import PHASES, Phase
from fanfold.aws.batch import Batch, has_ended, has_just_ended
from fanfold.aws.deployment import Deployment, deployment, feed_chunker
from fanfold.aws.log import about, begin, measure_open_jobs
from fanfold.aws.phases import fail, forward
from fanfold.engine.ahead import map_ahead
from fanfold.errors import PlanError
from fanfold.ledger import BatchJob, Entry, Ledger, OpenJob, now

_GRACE_SECONDS = 1200
"""How old a job without a Batch job has to be: what a chunker that was killed takes, and some."""
_AGGREGATOR_SECONDS = 900
"""The aggregator's time-out: until then it may be at work on a job that has ended in Batch."""
_LONGEST_GRACES = 72
"""A job without a Batch job is taken up again at the latest after so many times the grace."""

_RESERVE_MS = 30_000
"""What is left of the function's time when it stops."""

_LOOKED_AT_ONCE = 100
"""Jobs that Batch describes at a time."""
_LOOKS_AHEAD = 16

_log = logging.getLogger("fanfold")


def handler(event: dict[str, Any], context: Any) -> None:
    """What the schedule invokes; its input may have another `grace_seconds`, and a `start`."""
    begin("sweep", context)
    seconds = event.get("grace_seconds", _GRACE_SECONDS)
    sweep = Sweep(deployment(), timedelta(seconds=seconds))
    for looked in sweep.all_from(event.get("start", os.urandom(4).hex())):
        if context.get_remaining_time_in_millis() < _RESERVE_MS:
            _log.warning("out of time after %d jobs; the next sweep begins elsewhere", looked)
            return


class Sweep:
    """Looks after open jobs.

    Args:
        deployed: the deployment.
        grace: how old a job has to be until what it lacks counts as lost.
    """

    def __init__(self, deployed: Deployment, grace: timedelta) -> None:
        self._deployed = deployed
        self._grace = grace
        self._ledger = Ledger(f"s3://{deployed.bucket}")
        self._batch = Batch(deployed)

    def all_from(self, start: str) -> Iterator[int]:
        """Look at every open job, from the first whose name sorts after `start` on.

        Yields:
            how many jobs were looked at, some at a time.
        """
        jobs = sorted(self._ledger.open_jobs(), key=lambda each: (each.job < start, each.job))
        oldest = min((each.since for each in jobs if each.since), default=now())
        measure_open_jobs(len(jobs), (now() - oldest).total_seconds())
        for at in range(0, len(jobs), _LOOKED_AT_ONCE):
            self._look(jobs[at : at + _LOOKED_AT_ONCE])
            yield min(at + _LOOKED_AT_ONCE, len(jobs))

    def _look(self, jobs: Sequence[OpenJob]) -> None:
        described = self._batch.describe_all([each.batch_id for each in jobs if each.batch_id])
        settled = min(self._grace, timedelta(seconds=_AGGREGATOR_SECONDS))

        def is_well(opened: OpenJob) -> bool:
            job = described.get(opened.batch_id or "")
            if job is not None:
                return not has_ended(job) or has_just_ended(job, settled)
            return opened.batch_id is None and not self._is_lost(opened)

        def mend(opened: OpenJob) -> None:
            about(opened.job)
            try:
                self._mend(opened, described)
            except PlanError as error:  # its request is damaged: the next POST mends that
                _log.error("%s can't be looked after: %s", opened.job, error)
            except Exception:  # one that can't be looked at doesn't keep from the others
                _log.exception("%s can't be looked after", opened.job)

        for _ in map_ahead(mend, [each for each in jobs if not is_well(each)], _LOOKS_AHEAD):
            pass

    def _is_lost(self, opened: OpenJob) -> bool:
        """Whether a job has waited too long for its chunker.

        The wait doubles each time that the chunker is woken: its queue may be long.
        """
        if opened.since is None:
            return True
        last = max(opened.since, opened.woken or opened.since)
        wait = min(max(self._grace, last - opened.since), self._grace * _LONGEST_GRACES)
        return now() - last > wait

    def _mend(self, opened: OpenJob, described: dict[str, dict[str, Any]]) -> None:
        """Wake who must act on a job, by its documents."""
        job = opened.job
        entry = self._ledger.entry(job) if self._ledger.is_open(job) else None
        if entry is None:  # a starter was killed before it made the job
            if self._is_lost(opened):
                self._ledger.close(job)
            return
        if entry.failure is not None:  # a function was killed that had failed it
            if self._is_lost(opened):
                self._ledger.close_attempt(entry)
            return
        phase = self._phase(entry)
        recorded = entry.batch_job(phase) if phase is not None else None
        if phase is None or recorded is None:
            if self._is_lost(opened):
                _log.warning("%s: has no Batch job; waking the chunker", job)
                feed_chunker(self._deployed, {"job": job, "attempt": entry.attempt})
                self._ledger.mark_woken(job)
            return
        found = described.get(recorded.id) or self._batch.describe(recorded.id)
        self._hold(entry, phase, recorded, found)

    def _hold(
        self, entry: Entry, phase: Phase, recorded: BatchJob, described: dict[str, Any] | None
    ) -> None:
        """Hold a job against what Batch says of it."""
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
        else:
            self._ledger.mark(entry.name(phase), recorded.id)

    def _phase(self, entry: Entry) -> Phase | None:
        """The last phase that has a Batch job, if one has."""
        for phase in reversed(PHASES):
            if entry.batch_job(phase) is not None:
                return phase
        return None
