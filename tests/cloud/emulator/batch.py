"""AWS Batch on Fargate as a double in the tests' process: jobs are processes of this machine.

MiniStack sends it the API's calls, and takes its events and logs. Tests hold the object itself:
they say what the images are, disturb the jobs and the events, wait, and look.

Each part says where it differs from AWS: `batch_api`, `batch_scheduler`, `batch_runner`,
`batch_events`, `task_roles`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

from servers.loopback import LoopbackConnection, LoopbackServer

from cloud.emulator.batch_api import BatchApi
from cloud.emulator.batch_events import EventSender
from cloud.emulator.batch_model import Job, Json
from cloud.emulator.batch_rules import ClientError
from cloud.emulator.batch_runner import Image, Interruption, Runner
from cloud.emulator.batch_scheduler import Scheduler
from cloud.emulator.clients import Clients
from cloud.emulator.task_roles import PATH as CREDENTIALS_PATH
from cloud.emulator.task_roles import TaskRoles

AT_ONCE = 3


class StillOpenError(Exception):
    """Jobs haven't ended, or events haven't been sent."""


class BatchDouble:
    """Batch; it listens at `url` from `__enter__` on, and works while it is `connected`."""

    def __init__(self, folder: Path, account: str, region: str) -> None:
        self._folder = folder
        self._account = account
        self._region = region
        self._server = _Server(self)
        self.api: BatchApi
        self.scheduler: Scheduler
        self.runner: Runner
        self.events: EventSender
        self.roles: TaskRoles

    @property
    def url(self) -> str:
        return self._server.url

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__(None, None, None)

    @contextmanager
    def connected(self, clients: Clients) -> Iterator[None]:
        """Work with the rest of AWS; what runs at the end is killed."""
        self.roles = TaskRoles(clients, self.url)
        self.runner = Runner(clients, self.roles, self._folder)
        with EventSender(clients.make("events")) as self.events:
            self.scheduler = Scheduler(
                run=self.runner.run,
                announce=self.events.send,
                # The API is made after the scheduler, which it is given.
                places=lambda queue: self.api.places_of(queue),  # noqa: PLW0108
                at_once=AT_ONCE,
            )
            self.api = BatchApi(self._account, self._region, self.scheduler)
            try:
                yield
            finally:
                self.scheduler.close()

    @property
    def images(self) -> dict[str, Image]:
        """Patterns of image names, and what such an image would run."""
        return self.runner.images

    def interrupt(self, interruption: Interruption) -> None:
        """Let Spot take the machine from attempts to come."""
        self.runner.interruptions.append(interruption)

    def hold(self, name: str = "*") -> None:
        """Leave jobs whose name matches RUNNABLE."""
        self.scheduler.hold(name)

    def release(self) -> None:
        """Let the held jobs start."""
        self.scheduler.release()

    def give_up(self, name: str = "*") -> None:
        """Let the queue's time limit for RUNNABLE jobs run out for those whose name matches."""
        with self.scheduler.changed:
            for job in self._named(name):
                self.api.give_up(job)

    def forget(self, name: str = "*") -> None:
        """Drop ended jobs whose name matches, as Batch does after a week or more."""
        with self.scheduler.changed:
            self.scheduler.forget(self._named(name))

    def calm(self) -> None:
        """Switch every disturbance off, and set what can be set as it was at the start."""
        self.runner.interruptions.clear()
        self.runner.grace_seconds, self.runner.timeout_speed = 30, 1
        self.events.in_order()
        self.api.last_child_first, self.scheduler.at_once = False, AT_ONCE
        self.release()

    def jobs(self, name: str = "*") -> list[Json]:
        """Arrays' parents and plain jobs whose name matches, the oldest first, as DescribeJobs."""
        with self.scheduler.changed:
            return [job.detail() for job in self._named(name)]

    def children(self, job_id: str) -> list[Json]:
        """The children of an array, in the order of their indices."""
        with self.scheduler.changed:
            return [child.detail() for child in self.scheduler.jobs[job_id].children]

    def wait_idle(self, seconds: float = 120) -> None:
        """Wait until every job has ended and every event is sent.

        Raises:
            StillOpenError: that didn't come to pass in time.
        """
        deadline = time.monotonic() + seconds
        left = self.scheduler.wait_ended(seconds)
        if left:
            raise StillOpenError(", ".join(f"{job.name}: {job.status}" for job in left[:10]))
        if not self.events.wait_sent(max(0.0, deadline - time.monotonic())):
            raise StillOpenError("events are on their way")

    def _named(self, name: str) -> list[Job]:
        jobs = self.scheduler.jobs.values()
        return [job for job in jobs if job.parent is None and fnmatchcase(job.name, name)]


class _Server(LoopbackServer):
    def __init__(self, double: BatchDouble) -> None:
        self.double = double
        super().__init__(_Connection)


class _Connection(LoopbackConnection):
    def do_GET(self) -> None:  # noqa: N802
        if self.path.startswith(CREDENTIALS_PATH):
            status, answer = self._double.roles.answer(self.path, self.headers["Authorization"])
            self._answer(status, answer)
        else:
            self._call()

    def do_POST(self) -> None:  # noqa: N802
        self._call()

    def do_DELETE(self) -> None:  # noqa: N802
        self._call()

    @property
    def _double(self) -> BatchDouble:
        assert isinstance(self.server, _Server)
        return self.server.double

    def _call(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        parts = urlsplit(self.path)
        try:
            answer = self._double.api.answer(
                self.command, parts.path, parse_qs(parts.query), json.loads(body or b"{}")
            )
        except ClientError as error:
            self._answer(400, {"message": str(error)}, error="ClientException")
        else:
            self._answer(200, answer)

    def _answer(self, status: int, answer: Json, error: str | None = None) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        if error is not None:
            self.send_header("x-amzn-ErrorType", error)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
