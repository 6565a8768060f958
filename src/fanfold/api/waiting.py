"""The wait for a job of a server or a deployment."""

from __future__ import annotations

import time
from collections.abc import Callable

from fanfold.api.client import Client, is_passing
from fanfold.api.types import ENDED, Job
from fanfold.errors import Cancelled, CloudError

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, _GROWTH = 1.0, 10.0, 1.3

_PATIENCE_SECONDS = 900.0
"""How long the API may be out of reach while a job is waited for: a network's bad quarter."""


def wait_for(client: Client, name: str, tell: Callable[[Job], None]) -> Job:
    """Wait until a job has succeeded.

    Args:
        client: where to ask.
        name: the job.
        tell: is told of it after every look.

    Raises:
        CloudError: it failed or was cancelled, or the API has been out of reach for too long.
        Cancelled: by Ctrl-C; the job goes on.
    """
    try:
        job = _ended(client, name, tell)
    except KeyboardInterrupt as error:
        raise Cancelled(f"stopped waiting; {_goes_on(name)}") from error
    check_succeeded(job)
    return job


def check_succeeded(job: Job) -> None:
    """Check that a job that has ended did so with a report.

    Raises:
        CloudError: it failed, or was cancelled.
    """
    if job.state == "FAILED":
        problem = job.error
        detail = problem.detail if problem is not None else "it doesn't say why"
        more = f" (`fanfold status {job.job}` says why)" if problem and problem.slices else ""
        raise CloudError(
            f"job {job.job} failed: {detail}{more}",
            problem=problem.type if problem is not None else None,
        )
    if job.state == "CANCELLED":
        raise CloudError(f"job {job.job} was cancelled; submit it again to take it up")


def _ended(client: Client, name: str, tell: Callable[[Job], None]) -> Job:
    """The job, once it has ended. It is asked for ever more seldom while nothing changes."""
    pause_seconds = _FIRST_PAUSE_SECONDS
    answered = time.monotonic()
    before = None
    while True:
        try:
            job = client.job(name)
        except CloudError as error:
            if not is_passing(error) or time.monotonic() - answered > _PATIENCE_SECONDS:
                raise CloudError(
                    f"{error}; {_goes_on(name)}", error.status, error.problem
                ) from error
        else:
            answered = time.monotonic()
            tell(job)
            if job.state in ENDED:
                return job
            if job.state != before:
                before, pause_seconds = job.state, _FIRST_PAUSE_SECONDS
        time.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * _GROWTH, _LONGEST_PAUSE_SECONDS)


def _goes_on(name: str) -> str:
    return (
        f"job {name} goes on: `fanfold status {name} --wait` waits on, the same `fanfold submit"
        f" --wait` fetches its report, `fanfold cancel {name}` ends it"
    )
