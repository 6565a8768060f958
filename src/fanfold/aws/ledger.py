"""The ledger: what is known of jobs, as objects in the project's bucket.

    results/<job>/request.json             what was asked; whoever creates it, creates the job
    results/<job>/state/attempt-0002.json  an attempt after the first
    results/<job>/state/0001-task.json     the Batch job of a phase of an attempt
    results/<job>/state/0001-task.ended.json    how it ended, since Batch forgets
    results/<job>/error.json               why an attempt failed, or that it was cancelled
    jobs/open/<job>                        the job has not ended
    jobs/all/<time>-<job>                  an index of all, the newest first

An attempt is numbered, so that what belongs to an older one changes nothing. Objects are created
unless they are there, or replaced whole: every step can be made twice, by two at once.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Literal, TypeVar

import msgspec

from fanfold.api import ChunkRequest, Estimate, Phase, Problem
from fanfold.flow.run_folder import MASTER, Folder
from fanfold.objects import Place, Source, open_place

REQUEST = "request.json"
ERROR = "error.json"

_STATE = "state"
_JOB = re.compile(r"[0-9a-f]{32}")
_ATTEMPT = re.compile(r"attempt-(\d{4,})\.json")
_NAME = re.compile(r"([0-9a-f]{32})-(task|inflate|fold)-(\d+)")

_END_OF_TIME_MS = 10**14 - 1
"""Times count down in the index, so that a listing has the newest first."""

_PHASES: tuple[Phase, ...] = ("task", "inflate", "fold")

_State = TypeVar("_State")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked, as `request.json`.

    Attributes:
        job: the job's name.
        asked: the request.
        source: the genome, pinned as it was.
        image: the container that answers, by digest.
        created: when.
        estimate: what was expected of it.
    """

    job: str
    asked: ChunkRequest
    source: Source
    image: str
    created: datetime
    estimate: Estimate


class Failure(msgspec.Struct, frozen=True):
    """Why an attempt ended without a report, as `error.json`."""

    attempt: int
    state: Literal["FAILED", "CANCELLED"]
    at: datetime
    error: Problem


class BatchJob(msgspec.Struct, frozen=True):
    """The Batch job of a phase; `size` children if it is an array."""

    id: str
    size: int | None = None


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a Batch job ended.

    Attributes:
        id: its id.
        status: its last status.
        at: when that was heard of.
        reason: what Batch says.
        children: how many children ended how, of an array.
    """

    id: str
    status: Literal["SUCCEEDED", "FAILED"]
    at: datetime
    reason: str = ""
    children: dict[str, int] = {}


class _Opened(msgspec.Struct, frozen=True):
    since: datetime


class Name(msgspec.Struct, frozen=True):
    """What the name of a Batch job says."""

    job: str
    phase: Phase
    attempt: int

    def __str__(self) -> str:
        return f"{self.job}-{self.phase}-{self.attempt}"


def parse_name(text: str) -> Name | None:
    """What a Batch job's name says, or None if it is none of ours."""
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    phase = next(each for each in _PHASES if each == match[2])
    return Name(match[1], phase, int(match[3]))


def job_name(asked: ChunkRequest, source: Source, image: str) -> str:
    """The identity of a job: the same for the same question to the same object and image."""
    identity = msgspec.json.encode(
        [
            asked.bucket,
            asked.key,
            source.etag,
            source.size_bytes,
            asked.k,
            asked.canonical,
            asked.slice_bytes,
            asked.chunks,
            image,
        ]
    )
    return hashlib.sha256(identity).hexdigest()[:32]


def is_job(text: str) -> bool:
    """Whether a text can be a job's name."""
    return _JOB.fullmatch(text) is not None


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Ledger:
    """The jobs of a bucket.

    Args:
        bucket: its name.
    """

    def __init__(self, bucket: str) -> None:
        self.results_url = f"s3://{bucket}/results"
        self._results = open_place(self.results_url)
        self._jobs = open_place(f"s3://{bucket}/jobs")

    def entry(self, job: str) -> Entry | None:
        """What is known of a job, or None if there is none of that name."""
        folder = Folder(open_place(f"{self.results_url}/{job}"))
        request = _read(folder.place, REQUEST, Request)
        return None if request is None else Entry(folder, request)

    def create(self, request: Request) -> None:
        """Create a job, unless it is there; it is open before anybody can have seen it."""
        job = request.job
        folder = Folder(open_place(f"{self.results_url}/{job}"))
        self.reopen(job)
        folder.place.create(REQUEST, _json(request))
        known = _read(folder.place, REQUEST, Request) or request
        count_down_ms = _END_OF_TIME_MS - int(known.created.timestamp() * 1000)
        self._jobs.write(f"all/{count_down_ms:014d}-{job}", b"")

    def reopen(self, job: str) -> None:
        """Have a job looked after until it ends."""
        self._jobs.write(f"open/{job}", _json({"since": now()}))

    def close(self, job: str) -> None:
        """A job has ended."""
        self._jobs.remove([f"open/{job}"])

    def open_since(self, job: str) -> datetime | None:
        """Since when a job, or its newest attempt, has not ended; None if it has."""
        opened = _read(self._jobs, f"open/{job}", _Opened)
        return None if opened is None else opened.since

    def open_jobs(self) -> list[str]:
        """The jobs that have not ended."""
        return sorted(filter(is_job, self._jobs.sizes("open")))

    def newest(self, count: int, after: str = "") -> tuple[list[str], str | None]:
        """Some jobs from the newest on, and what to continue `after` if there are more."""
        entries = sorted(each for each in self._jobs.sizes("all") if each > after)
        page = entries[:count]
        jobs = [each.partition("-")[2] for each in page]
        return list(filter(is_job, jobs)), page[-1] if len(entries) > count else None

    def publish(self, entry: Entry) -> None:
        """Copy a finished report to where a system of one run would leave it."""
        self._results.write(MASTER, entry.folder.place.read(MASTER))


class Entry:
    """What is known of a job, at the moment it is made.

    Args:
        folder: the job's results.
        request: what was asked.

    Attributes:
        folder: the job's results.
        request: what was asked.
        files: the objects directly in them.
        attempt: the newest attempt.
        failure: why that ended without a report, if it did.
    """

    def __init__(self, folder: Folder, request: Request) -> None:
        self.folder = folder
        self.request = request
        self.files = folder.place.sizes()
        self._states = folder.place.sizes(_STATE)
        numbers = [int(match[1]) for each in self._states if (match := _ATTEMPT.fullmatch(each))]
        self.attempt = max([1, *numbers])
        failure = _read(folder.place, ERROR, Failure) if ERROR in self.files else None
        self.failure = failure if failure and failure.attempt >= self.attempt else None

    @property
    def job(self) -> str:
        """The job's name."""
        return self.request.job

    @property
    def has_report(self) -> bool:
        """Whether the report is there."""
        return MASTER in self.files

    def name(self, phase: Phase) -> Name:
        """The name of the Batch job of a phase of the newest attempt."""
        return Name(self.job, phase, self.attempt)

    def batch_job(self, phase: Phase) -> BatchJob | None:
        """The Batch job of a phase of the newest attempt, if it was recorded."""
        return self._read_state(phase, BatchJob)

    def record(self, phase: Phase, batch_job: BatchJob) -> BatchJob:
        """Record the Batch job of a phase; the one that is recorded, which may be another's."""
        name = self._state_name(phase)
        self.folder.place.create(name, _json(batch_job))
        return _read(self.folder.place, name, BatchJob) or batch_job

    def ended(self, phase: Phase) -> Ended | None:
        """How the Batch job of a phase ended, if that was heard of."""
        return self._read_state(phase, Ended, ".ended")

    def record_end(self, phase: Phase, ended: Ended) -> None:
        """Record how the Batch job of a phase ended."""
        self.folder.place.create(self._state_name(phase, ".ended"), _json(ended))

    def start_attempt(self, attempt: int) -> None:
        """Start an attempt; two may, at once."""
        name = f"{_STATE}/attempt-{attempt:04d}.json"
        self.folder.place.create(name, _json({"attempt": attempt, "at": now()}))

    def fail(self, error: Problem, state: Literal["FAILED", "CANCELLED"] = "FAILED") -> None:
        """The newest attempt ended without a report. What is known of its end already, stays."""
        data = _json(Failure(self.attempt, state, now(), error))
        if ERROR in self.files and self.failure is None:
            self.folder.place.write(ERROR, data)  # supersedes an older attempt's
        else:
            self.folder.place.create(ERROR, data)

    def forget_failure(self) -> None:
        """The job has a report after all."""
        self.folder.place.remove([ERROR])

    def again(self) -> Entry:
        """What is known of it now."""
        return Entry(self.folder, self.request)

    def _state_name(self, phase: Phase, suffix: str = "") -> str:
        return f"{_STATE}/{self.attempt:04d}-{phase}{suffix}.json"

    def _read_state(self, phase: Phase, kind: type[_State], suffix: str = "") -> _State | None:
        name = self._state_name(phase, suffix)
        if name.partition("/")[2] not in self._states:
            return None
        return _read(self.folder.place, name, kind)


def _read(place: Place, name: str, kind: type[_State]) -> _State | None:
    try:
        return msgspec.json.decode(place.read(name), type=kind)
    except FileNotFoundError:
        return None


def _json(document: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
