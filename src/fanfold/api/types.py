"""The types of the API: requests, answers, and problem documents.

Every end and the client use these. Times are UTC, in the form of RFC 3339.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal, get_args

import msgspec

from fanfold.params import DEFAULT_K, DEFAULT_SLICE_BYTES

State = Literal["SUBMITTED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]

ENDED: frozenset[State] = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
"""The states in which a job stays, unless it is posted again."""

Chunks = Literal["ranges", "files"]
"""Whether slices are ranges of the object, or copied into objects of their own."""

Phase = Literal["inflate", "task", "fold"]
"""What a Batch job does for a job: inflate its archive, scan its slices, fold its results."""

PHASES: tuple[Phase, ...] = get_args(Phase)
"""The phases, in the order in which a job goes through them."""

_JOB = re.compile(r"[0-9a-f]{32}")


class ChunkRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``POST /chunk`` takes.

    Attributes:
        bucket: the bucket of the genome.
        key: its key.
        k: the k-mers to count, 1 to 8; none when empty.
        canonical: whether a k-mer and its reverse complement are counted as one.
        slice_bytes: the size of a slice; more where that made too many.
        chunks: how the slices are made.
    """

    bucket: str
    key: str
    k: tuple[int, ...] = DEFAULT_K
    canonical: bool = False
    slice_bytes: int = DEFAULT_SLICE_BYTES
    chunks: Chunks = "ranges"


class FailedSlice(msgspec.Struct, frozen=True):
    """A slice without a result, and why it has none."""

    index: int
    reason: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error, as RFC 9457 has it (``application/problem+json``).

    Attributes:
        type: a URN that names the kind of problem.
        title: the kind, in words.
        detail: what was found, where, and what to do.
        status: the HTTP status, of an answer that is one.
        slices: slices without a result, of a job that failed.
    """

    type: str
    title: str
    detail: str
    status: int | None = None
    slices: tuple[FailedSlice, ...] = ()


class Results(msgspec.Struct, frozen=True):
    """Where a job's results will be.

    Attributes:
        master: the URL of `master.json`.
        report: the URL of the page for people; None where none is written.
    """

    master: str
    report: str | None


class Estimate(msgspec.Struct, frozen=True):
    """What a job will probably take.

    Attributes:
        slices: how many there will be.
        vcpu_seconds: vCPUs times billed seconds, of all containers.
        usd: their price, storage and requests not counted.
        usd_most: their price if none runs on Spot and an archive holds more text than most do; None
            where that isn't told.
    """

    slices: int
    vcpu_seconds: int
    usd: float
    usd_most: float | None = None


class ChunkAnswer(msgspec.Struct, frozen=True):
    """What ``POST /chunk`` answers."""

    job: str
    state: State
    status_url: str
    results: Results
    estimate: Estimate


class Slices(msgspec.Struct, frozen=True):
    """How many slices there are (None before they are planned), and how many of them ended how."""

    total: int | None
    done: int
    failed: int


class Job(msgspec.Struct, frozen=True):
    """What ``GET /jobs/{job}`` answers.

    Attributes:
        job: its name, 32 hexadecimal digits.
        state: where it is.
        slices: how far.
        bytes: the size of the genome's object.
        created: when it was first asked for.
        finished: when it ended, if it has.
        error: why it failed, if it did.
        bucket: the bucket of the genome.
        key: its key.
        k: the k-mers that are counted.
        attempt: which attempt at it this is, from 1.
        rate_bytes_per_second: bytes of the genome's object that are scanned a second, while the job
            runs; None where that isn't measured, as on AWS.
        seconds_left: how long it will probably take; None where that isn't known, as on AWS.
        asked: the request that started it; a post of the same is the same job.
    """

    job: str
    state: State
    slices: Slices
    bytes: int
    created: datetime
    finished: datetime | None
    error: Problem | None
    bucket: str
    key: str
    k: tuple[int, ...]
    attempt: int
    rate_bytes_per_second: float | None = None
    seconds_left: float | None = None
    asked: ChunkRequest | None = None


class Jobs(msgspec.Struct, frozen=True):
    """What ``GET /jobs`` answers: jobs, newest first, and a token for more if there are any."""

    jobs: tuple[Job, ...]
    next: str | None


class LogLine(msgspec.Struct, frozen=True):
    """A line of a container's log."""

    time: datetime
    text: str


class Logs(msgspec.Struct, frozen=True):
    """What ``GET /jobs/{job}/logs`` answers: the last lines of one container.

    Attributes:
        stream: the log stream they are from; None when no container ran yet.
        lines: the lines, oldest first.
    """

    stream: str | None
    lines: tuple[LogLine, ...]


class Bucket(msgspec.Struct, frozen=True):
    """A bucket of a server: a folder, or a prefix in a store, that has a name."""

    name: str


class Buckets(msgspec.Struct, frozen=True):
    """What ``GET /buckets`` answers: the buckets, by name."""

    buckets: tuple[Bucket, ...]


class StoredObject(msgspec.Struct, frozen=True):
    """An object in a bucket.

    Attributes:
        key: its key.
        size_bytes: its size.
        modified: when it was last written.
    """

    key: str
    size_bytes: int
    modified: datetime


class Objects(msgspec.Struct, frozen=True):
    """What ``GET /buckets/{bucket}`` answers: what lies directly below a prefix.

    Attributes:
        bucket: the bucket's name.
        prefix: the prefix; empty, or ends in a slash.
        folders: longer prefixes below it, each ending in a slash, by name.
        objects: objects directly below it, by key.
        next: a token for more, if there are any.
    """

    bucket: str
    prefix: str
    folders: tuple[str, ...]
    objects: tuple[StoredObject, ...]
    next: str | None


def is_job(text: str) -> bool:
    """Whether a text can be a job's name."""
    return _JOB.fullmatch(text) is not None


def parse_phase(text: str) -> Phase | None:
    """The phase of a name, or None if there is none."""
    return next((phase for phase in PHASES if phase == text), None)
