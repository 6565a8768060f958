"""The states of Batch's jobs, and when each changes: dependencies, capacity, retries, the end.

Batch places jobs on Fargate, which takes minutes; here a job starts as soon as it fits. A retry
follows at once. A cancelled job that waits for another ends at once, not when the other has ended.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

from cloud.emulator.batch_model import (
    UNDERWAY,
    Job,
    Json,
    Outcome,
    Status,
    attempt_record,
    blockers,
)
from cloud.emulator.batch_rules import retries

_JOIN_SECONDS = 10
_OF_AN_ATTEMPT = ("exitCode", "reason", "logStreamName")


class Place(NamedTuple):
    """A compute environment by its ARN, and the vCPUs that its jobs may take at once."""

    environment: str
    vcpus: float


@dataclass(eq=False)
class Attempt:
    """One attempt of a job, from 1, under way."""

    job: Job
    number: int
    environment: str
    """The ARN of the compute environment that it is in."""
    stopped: threading.Event = field(default_factory=threading.Event)
    """TerminateJob was called: SIGTERM, and SIGKILL in its time."""
    abandoned: threading.Event = field(default_factory=threading.Event)
    """The double closes: SIGKILL at once."""


def now_ms() -> int:
    """The time as Batch tells it."""
    return time.time_ns() // 1_000_000


class Scheduler:
    """Holds all jobs. Whoever reads or changes them holds `changed`."""

    def __init__(
        self,
        run: Callable[[Attempt, Callable[[], None]], Outcome],
        announce: Callable[[Json], None],
        places: Callable[[str], Sequence[Place]],
        at_once: int,
    ) -> None:
        """Run attempts, of which no more than some at once and a queue's vCPUs allow.

        Args:
            run: runs an attempt to its end; calls the function it is given once it runs.
            announce: takes a job's detail whenever its status changed.
            places: the compute environments of a queue, by its ARN, in their order.
            at_once: the most attempts at once, of all queues.
        """
        self.changed = threading.Condition(threading.RLock())
        self.jobs: dict[str, Job] = {}
        self.at_once = at_once
        self._run = run
        self._announce = announce
        self._places = places
        self._waiting: list[Job] = []
        self._runnable: deque[Job] = deque()
        self._attempts: dict[str, tuple[Attempt, threading.Thread]] = {}
        self._held: list[str] = []
        self._closed = False

    def submit(self, job: Job, *, last_first: bool = False) -> None:
        """Take a new job, with its children."""
        with self.changed:
            self.jobs[job.job_id] = job
            self._announce(job.detail())
            parts = job.children or [job]
            for part in reversed(parts) if last_first else parts:
                self.jobs[part.job_id] = part
                if part is not job:
                    self._announce(part.detail())
                self._waiting.append(part)
            self._advance()

    def cancel(self, job: Job, reason: str) -> None:
        """End what hasn't started."""
        with self.changed:
            for part in _open([job, *job.children]):
                part.is_cancelled = True
            self._end(job, reason)

    def terminate(self, job: Job, reason: str) -> None:
        """End what hasn't started, and stop what has."""
        with self.changed:
            for part in _open([job, *job.children]):
                part.is_terminated = True
                part.stop_reason = part.stop_reason or reason
                if part.job_id in self._attempts:
                    self._attempts[part.job_id][0].stopped.set()
            self._end(job, reason)

    def hold(self, name: str) -> None:
        """Leave jobs whose name matches the pattern RUNNABLE, until released."""
        with self.changed:
            self._held.append(name)

    def release(self) -> None:
        """Let every job start that was held."""
        with self.changed:
            self._held.clear()
            self._advance()

    def refresh(self) -> None:
        """Look again at what may start, for the capacity has changed."""
        with self.changed:
            self._advance()

    def forget(self, jobs: Iterable[Job]) -> None:
        """Drop jobs that ended, as Batch does after a week or more."""
        with self.changed:
            for job in jobs:
                for part in [job, *job.children]:
                    if part.has_ended:
                        self.jobs.pop(part.job_id, None)

    def wait_ended(self, seconds: float) -> list[Job]:
        """Wait until every job has ended; those that haven't."""

        with self.changed:
            self.changed.wait_for(lambda: not _open(self.jobs.values()), seconds)
            return _open(self.jobs.values())

    def is_used(self, environment: str) -> bool:
        """Whether an attempt is under way in a compute environment."""
        with self.changed:
            return any(one.environment == environment for one, _ in self._attempts.values())

    def close(self) -> None:
        """Start nothing more, kill what runs, and wait for it."""
        with self.changed:
            self._closed = True
            under_way = list(self._attempts.values())
            for attempt, _ in under_way:
                attempt.abandoned.set()
        for _, thread in under_way:
            thread.join(_JOIN_SECONDS)

    def _advance(self) -> None:
        """Make RUNNABLE what waits for nothing, start what fits; until nothing changes."""
        settled = False
        while not settled:
            settled = True
            for job in list(self._waiting):
                settled &= not self._look_at_dependencies(job)
        full = set[str]()
        for job in list(self._runnable):
            if self._closed or len(self._attempts) >= self.at_once:
                break
            if job.queue_arn in full or self._is_held(job):
                continue
            environment = self._room_for(job)
            if environment is not None:
                self._runnable.remove(job)
                self._start(job, environment)
            else:
                # First come, first served: no smaller job overtakes it.
                full.add(job.queue_arn)
        self.changed.notify_all()

    def _look_at_dependencies(self, job: Job) -> bool:
        """Whether that let another job go on."""
        others = blockers(job, self.jobs)
        if any(other.status == "FAILED" for other in others):
            self._waiting.remove(job)
            self._change(job, "FAILED", "Dependent Job failed")
            return True
        if not all(other.has_ended for other in others):
            if job.status == "SUBMITTED":
                self._change(job, "PENDING")
            return False
        self._waiting.remove(job)
        self._make_runnable(job)
        return False

    def _make_runnable(self, job: Job) -> None:
        self._change(job, "RUNNABLE")
        self._runnable.append(job)
        if job.parent is not None and job.parent.status == "SUBMITTED":
            self._change(job.parent, "PENDING")

    def _is_held(self, job: Job) -> bool:
        return any(fnmatchcase(job.name, name) for name in self._held)

    def _room_for(self, job: Job) -> str | None:
        """The first compute environment of its queue that has room for a job."""
        for place in self._places(job.queue_arn):
            taken = sum(
                attempt.job.vcpus
                for attempt, _ in self._attempts.values()
                if attempt.environment == place.environment
            )
            if taken + job.vcpus <= place.vcpus:
                return place.environment
        return None

    def _start(self, job: Job, environment: str) -> None:
        attempt = Attempt(job, len(job.attempts) + 1, environment)
        thread = threading.Thread(target=self._carry_out, args=(attempt,), name=job.job_id)
        self._attempts[job.job_id] = attempt, thread
        self._change(job, "STARTING")
        thread.start()

    def _carry_out(self, attempt: Attempt) -> None:
        job, started_at = attempt.job, now_ms()

        def runs() -> None:
            with self.changed:
                job.started_at = now_ms()
                self._change(job, "RUNNING")

        try:
            outcome = self._run(attempt, runs)
        except Exception as error:
            outcome = Outcome(f"The double failed: {error!r}")
            job.stop_reason = outcome.status_reason
            raise
        finally:
            with self.changed:
                del self._attempts[job.job_id]
                job.attempts.append(attempt_record(outcome, started_at, now_ms()))
                self._settle(job, attempt, outcome)
                self._advance()

    def _settle(self, job: Job, attempt: Attempt, outcome: Outcome) -> None:
        kept = {name: value for name, value in job.container.items() if name not in _OF_AN_ATTEMPT}
        job.container = kept | outcome.told()
        if job.stop_reason is not None:
            self._change(job, "FAILED", job.stop_reason)
        elif outcome.is_success:
            self._change(job, "SUCCEEDED", outcome.status_reason)
        elif retries(job.retry, attempt.number, outcome):
            job.status_reason = outcome.status_reason
            self._make_runnable(job)
        else:
            self._change(job, "FAILED", outcome.status_reason)

    def _end(self, job: Job, reason: str) -> None:
        for part in job.children or [job]:
            if part.has_ended or part.status in UNDERWAY:
                continue
            for queue in (self._waiting, self._runnable):
                if part in queue:
                    queue.remove(part)
            self._change(part, "FAILED", reason)
        self._advance()

    def _change(self, job: Job, status: Status, reason: str | None = None) -> None:
        job.status = status
        if reason is not None:
            job.status_reason = reason
        if job.has_ended:
            job.stopped_at = now_ms()
        self._announce(job.detail())
        if job.parent is not None and job.has_ended:
            self._end_parent(job.parent)

    def _end_parent(self, parent: Job) -> None:
        if parent.has_ended or not all(child.has_ended for child in parent.children):
            return
        if all(child.status == "SUCCEEDED" for child in parent.children):
            self._change(parent, "SUCCEEDED")
        else:
            self._change(parent, "FAILED", parent.stop_reason or "Array Child Job failed")


def _open(jobs: Iterable[Job]) -> list[Job]:
    return [job for job in jobs if not job.has_ended]
