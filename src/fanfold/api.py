"""The API's words: what is asked, what is answered, and the problem documents of errors.

They are the same on AWS, locally, and in the client. Times are UTC, as RFC 3339 has them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

import msgspec

from fanfold.errors import FanfoldError
from fanfold.params import DEFAULT_K, DEFAULT_SLICE_BYTES

State = Literal["SUBMITTED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]

Chunks = Literal["ranges", "files"]
"""Whether slices are ranges of the object, or copied into objects of their own."""

Phase = Literal["inflate", "task", "fold"]
"""What a Batch job does for a job: inflate its archive, scan its slices, fold its results."""

PHASES: tuple[Phase, ...] = get_args(Phase)
"""The phases, in the order in which a job goes through them."""

_PROBLEM = "urn:fanfold:problem:"


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


class ApiError(Exception):
    """A request that is answered with a problem document."""

    def __init__(self, status: int, kind: str, title: str, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem(kind, title, detail, status)


def problem(
    kind: str,
    title: str,
    detail: str,
    status: int | None = None,
    slices: tuple[FailedSlice, ...] = (),
) -> Problem:
    """A problem document of a kind, such as ``no-such-object``."""
    return Problem(f"{_PROBLEM}{kind}", title, detail, status, slices)


_TITLES = {
    2: ("parameter", "A parameter that can't be"),
    3: ("input", "The input is not FASTA, or its archive is damaged"),
    4: ("source", "The input can't be read, or changed meanwhile"),
    5: ("output", "The results can't be written"),
    6: ("plan", "A plan that can't be used, or slices without a result"),
    7: ("proof", "The report contradicts its own checks"),
}


def problem_of_exit(exit_code: int, detail: str, slices: tuple[FailedSlice, ...] = ()) -> Problem:
    """The problem that an exit code of the command line, or an error with one, stands for."""
    kind, title = _TITLES.get(exit_code, ("container", "A container failed"))
    return problem(kind, title, detail, slices=slices)


def problem_of(error: FanfoldError) -> Problem:
    """The problem that an error is."""
    return problem_of_exit(error.exit_code, str(error))


_REQUEST = msgspec.json.Decoder(ChunkRequest)


def parse_phase(text: str) -> Phase | None:
    """The phase of a name, or None if there is none."""
    return next((phase for phase in PHASES if phase == text), None)


def parse_request(body: bytes) -> ChunkRequest:
    """The request that the body of a ``POST /chunk`` holds.

    Raises:
        ApiError: it holds none.
    """
    try:
        return _REQUEST.decode(body)
    except msgspec.ValidationError as error:
        raise ApiError(
            400, "bad-request", "A field that can't be", f"the request can't be taken: {error}"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(
            400,
            "not-json",
            "Not JSON",
            f'the body is no JSON ({error}); send {{"bucket": "…", "key": "…"}}',
        ) from error
