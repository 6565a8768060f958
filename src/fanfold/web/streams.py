"""The progress of a job as server-sent events (WHATWG HTML, "Server-sent events").

event: snapshot    all slices, when a stream begins
event: change      the slices that changed since the event before
event: end         the job has ended: the last event, after which nobody should come back
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
from starlette.concurrency import run_in_threadpool

from fanfold.api.problems import ApiError
from fanfold.api.types import ENDED, Job
from fanfold.web.jobs import Service
from fanfold.web.progress import View, run_lengths
from fanfold.web.settings import MOST_STREAMS

_PAUSE_SECONDS = 0.25
_HEARTBEAT_SECONDS = 15.0

_ENCODER = msgspec.json.Encoder()


class Streams:
    """The streams that are open.

    Args:
        service: the jobs.
        is_stopping: whether the server ends, and so do its streams.
    """

    def __init__(self, service: Service, is_stopping: Callable[[], bool]) -> None:
        self._service = service
        self._is_stopping = is_stopping
        self._open = 0
        self._encoded: dict[str, tuple[int, Job, bytes]] = {}

    def check_room(self) -> None:
        """Check that another stream may be open.

        Raises:
            ApiError: too many are.
        """
        if self._open >= MOST_STREAMS:
            raise ApiError(
                429,
                "too-many-streams",
                "Too many streams",
                f"{MOST_STREAMS} streams of events are open, as many as there may be; ask for"
                " GET /jobs/{job} instead, or close a page",
            )

    async def follow(self, name: str, seen: str | None) -> AsyncIterator[bytes]:
        """The events of a job until it has ended.

        Args:
            name: the job.
            seen: the id of the last event that the reader has seen, if any.
        """
        self._open += 1
        try:
            async for event in self._events(name, seen):
                yield event
        finally:
            self._open -= 1

    async def _events(self, name: str, seen: str | None) -> AsyncIterator[bytes]:
        version, before, silent_seconds = -1, b"", 0.0
        while not self._is_stopping():
            progress = self._service.progress(name)
            if progress is None:  # another end works on it, or it ended before the server began
                job, encoded = await self._job(name, -1)
                if encoded != before:
                    yield _event("snapshot", _of_ledger(job), encoded)
                    before, silent_seconds = encoded, 0.0
                if job.state in ENDED:
                    yield _end(encoded)
                    return
            elif progress.version != version:
                version = progress.version
                job, encoded = await self._job(name, version)
                view = progress.since(seen)
                yield _event("change" if view.states is None else "snapshot", view, encoded)
                seen, silent_seconds = view.id, 0.0
                if view.stage == "ended" and job.state in ENDED:
                    yield _end(encoded)
                    return
            if silent_seconds >= _HEARTBEAT_SECONDS:
                silent_seconds = 0.0
                yield b": still there\n\n"
            await asyncio.sleep(_PAUSE_SECONDS)
            silent_seconds += _PAUSE_SECONDS

    async def _job(self, name: str, version: int) -> tuple[Job, bytes]:
        """A job, and its JSON, which all streams of a version share."""
        kept = self._encoded.get(name)
        if kept is not None and kept[0] == version >= 0:
            return kept[1], kept[2]
        job = await run_in_threadpool(self._service.state, name)
        encoded = _ENCODER.encode(job)
        if len(self._encoded) > MOST_STREAMS:
            self._encoded.clear()
        self._encoded[name] = version, job, encoded
        return job, encoded


def _event(kind: str, view: View, job: bytes) -> bytes:
    data = _ENCODER.encode(view)
    return b"".join(
        [
            *(b"id: ", view.id.encode(), b"\nevent: ", kind.encode()),
            *(b"\ndata: ", data[:-1], b',"job":', job, b"}\n\n"),
        ]
    )


def _end(job: bytes) -> bytes:
    return b"event: end\ndata: " + job + b"\n\n"


def _of_ledger(job: Job) -> View:
    """What the ledger knows of a job's slices, of one that this server didn't work on."""
    total = job.slices.total
    failed = {each.index for each in job.error.slices} if job.error is not None else set[int]()
    is_done = job.state == "SUCCEEDED"
    states = run_lengths(
        "f" if index in failed else "d" if is_done else "w" for index in range(total or 0)
    )
    return View(
        id="ledger-0",
        stage="ended" if job.finished is not None else "queued",
        total=total,
        states=states,
        done_bytes=job.bytes if is_done else 0,
        size_bytes=job.bytes,
    )
