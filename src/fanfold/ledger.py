"""The ledger: what is known of jobs, as objects in a bucket or files in a folder.

    results/<job>/request.json             what was asked; whoever creates it, creates the job
    results/<job>/state/created-<time>.json     when it was created
    results/<job>/state/attempt-0002.json  an attempt after the first
    results/<job>/state/0001-task.json     the Batch job of a phase of an attempt
    results/<job>/state/0001-task.ended.json    how it ended, since Batch forgets
    results/<job>/error.json               why an attempt failed, or that it was cancelled
    results/<job>/cost.json                what the containers took
    jobs/open/<job>                        the job has not ended
    jobs/open/<job>-task-1.<id>            the Batch job of a phase and attempt of an open job
    jobs/open/<job>.woken                  the sweep has woken its chunker
    jobs/all/<time>-<job>                  an index of all, the newest first

After an upgrade, open jobs go on with the containers that they began with: whoever submits a phase
takes the definitions from `request.json`. Functions of another version read the plan, since its
form is the same, and write one in the name of the version that will read it: how an object is cut
changes no byte of the report. Only containers of that version scan and fold. Where the form of
plans has changed, the job fails, and a post of the same genome is another job.

An attempt is numbered, so that what belongs to an older one changes nothing. Objects are created
unless they are there, or replaced whole: every step can be made twice, by two at once.

What the sweep needs of an open job is in the names and times of `jobs/open/`: a listing of 10,000
jobs is some 20 requests, where a GET of each would cost more in a day than the jobs themselves.
These names are hints. A job whose Batch job runs according to them is left alone; of any other, the
documents are read, and they alone count. So a hint may be missing, late, or of an older attempt.
Only `jobs/open/<job>` itself says that a job is open: it is written before the job can be seen, and
what is left without it is removed.

Each document has a checksum. What a damaged one means:

    request.json    an error, until the next POST of the same request writes it again
    state/          treated as missing, and written again: Batch finds its jobs by name
    error.json      the newest attempt has failed; the next attempt replaces it
    jobs/open/      nothing: that it is there, and since when, says all
"""

from __future__ import annotations

import hashlib
import logging
import re
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby, islice, takewhile
from typing import Literal, NamedTuple, TypeVar

import msgspec

from fanfold._kernel import VERSION
from fanfold.api.problems import problem, problem_of
from fanfold.api.types import (
    PHASES,
    ChunkRequest,
    Estimate,
    Job,
    Phase,
    Problem,
    Slices,
    State,
    is_job,
    parse_phase,
)
from fanfold.checked_json import Checked, DamagedDocument, encode_checked
from fanfold.errors import PlanError
from fanfold.flow.plan import PLAN_SCHEMA, Plan, job_of
from fanfold.flow.run_folder import RunFolder, read_plan
from fanfold.objects import Listed, Place, Source, open_place
from fanfold.params import Params
from fanfold.report.run_record import MASTER, RUN, RunRecord, decode_run

REQUEST = "request.json"
ERROR = "error.json"
COST = "cost.json"

_STATE = "state"
_ATTEMPT = re.compile(r"attempt-(\d{4,})\.json")
_CREATED = re.compile(r"created-(\d{14})\.json")
_INDEXED = re.compile(r"\d{14}-([0-9a-f]{32})")
_JOB_LENGTH = 32
_WOKEN = ".woken"
_NAME = re.compile(rf"([0-9a-f]{{32}})-({'|'.join(PHASES)})-(\d+)")

_END_OF_TIME_MS = 10**14 - 1
"""Times count down in the index, so that a listing has the newest first."""

_State = TypeVar("_State")

_log = logging.getLogger("fanfold")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked, as `request.json`.

    Attributes:
        job: the job's name.
        asked: the request.
        source: the genome, pinned as it was.
        image: the container that answers, by digest.
        created: when.
        estimate: what was expected of it.
        definitions: the ARN of each phase's job definition, whose containers are of that image.
        version: the fanfold in that image.
        plan_schema: the form of the plans that it reads.
    """

    job: str
    asked: ChunkRequest
    source: Source
    image: str
    created: datetime
    estimate: Estimate
    definitions: dict[Phase, str] = {}
    version: str = VERSION
    plan_schema: int = PLAN_SCHEMA


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


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What the containers of a job took, as `cost.json`: known when its report is there already.

    Attributes:
        job: the job's name.
        attempt: the attempt that made the report.
        image: the container, by digest.
        batch_jobs: the ids of the Batch jobs of each phase, of all attempts, the oldest first.
        billed_seconds: of all their containers, as they are billed.
        billed_vcpu_seconds: the same of all phases, times their vCPUs.
        estimated_cost_usd: what that costs by list prices, all of it on Spot where that is on.
        estimated_cost_usd_most: the same if none of it ran on Spot.
    """

    job: str
    attempt: int
    image: str
    batch_jobs: dict[str, tuple[str, ...]]
    billed_seconds: dict[str, float]
    billed_vcpu_seconds: float
    estimated_cost_usd: float
    estimated_cost_usd_most: float


class OpenJob(NamedTuple):
    """An open job, as `jobs/open/` has it.

    Attributes:
        job: its name.
        since: when it was opened; None if only hints of it are left.
        woken: when the sweep woke its chunker, if it did.
        batch_id: the Batch job of the last phase of the newest attempt, if there is a hint of one.
    """

    job: str
    since: datetime | None
    woken: datetime | None
    batch_id: str | None


_ENCODER = msgspec.json.Encoder()
_REQUEST, _FAILURE = Checked(Request), Checked(Failure)
_BATCH_JOB, _ENDED = Checked(BatchJob), Checked(Ended)


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
    phase = None if match is None else parse_phase(match[2])
    return None if match is None or phase is None else Name(match[1], phase, int(match[3]))


def job_name(asked: ChunkRequest, source: Source, image: str) -> str:
    """The identity of a job: the same for the same question to the same object and image."""
    identity = _ENCODER.encode(
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


def now() -> datetime:
    """The time, in UTC, in whole milliseconds: names in the ledger hold no more."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


class Ledger:
    """The jobs of a bucket or a folder.

    Args:
        root: the URL of the bucket, or the path of the folder.

    Attributes:
        results_url: where the results of jobs are, each in a folder or prefix of its name.
    """

    def __init__(self, root: str) -> None:
        self.results_url = f"{root}/results"
        self._results = open_place(self.results_url)
        self._jobs = open_place(f"{root}/jobs")

    def entry(self, job: str) -> Entry | None:
        """What is known of a job, or None if there is none of that name.

        Raises:
            PlanError: its request is damaged, or another job's.
        """
        place = open_place(f"{self.results_url}/{job}")
        request = _read(place, REQUEST, _REQUEST)
        if request is not None and request.job != job:
            raise _damaged(place, REQUEST, "it is of another job")
        return None if request is None else Entry(place, request)

    def create(self, request: Request) -> Entry:
        """Create a job, unless it is there, and tell what is known of it.

        It is open before anybody can have seen it. A damaged request is written again.
        """
        job = request.job
        place = open_place(f"{self.results_url}/{job}")
        place.prepare(_STATE)
        self._jobs.prepare("all")
        self.reopen(job)
        known = _create(place, REQUEST, request, _REQUEST)
        if known.job != job:
            place.write(REQUEST, encode_checked(request), durable=True)
            known = request
        created_ms = round(known.created.timestamp() * 1000)
        # First, so that a job in the index is found there again though its request is damaged.
        document = encode_checked({"created": known.created})
        place.write(f"{_STATE}/created-{created_ms:014d}.json", document, durable=True)
        self._jobs.write(f"all/{_END_OF_TIME_MS - created_ms:014d}-{job}", b"", durable=True)
        return Entry(place, known)

    def look(self, job: str) -> Entry | None:
        """What is known of a job. One that has ended, but has no report any more, has failed.

        Raises:
            PlanError: its request is damaged.
        """
        entry = self.entry(job)
        if entry is None or entry.has_ended or self.is_open(job):
            return entry
        entry = entry.again()  # it may have ended in between
        if not entry.has_ended:
            lost = problem(
                "report",
                "No report",
                f"{job}: its report is gone, or is not what was written; post the job again",
            )
            ended = entry.ended("fold") or entry.ended("task")
            at = entry.request.created if ended is None else ended.at
            entry.failure = Failure(entry.attempt, "FAILED", at, lost)
        return entry

    def created(self, job: str) -> datetime | None:
        """When a job was created, according to a name in its state."""
        states = open_place(f"{self.results_url}/{job}").sizes(_STATE)
        found = [int(match[1]) for each in states if (match := _CREATED.fullmatch(each))]
        return datetime.fromtimestamp(min(found) / 1000, UTC) if found else None

    def reopen(self, job: str) -> None:
        """Have a job looked after until it ends."""
        self._jobs.prepare("open")
        self._jobs.write(f"open/{job}", encode_checked({"since": now()}), durable=True)

    def close(self, job: str) -> None:
        """A job has ended."""
        hints = takewhile(lambda each: each.name.startswith(job), self._jobs.listed("open", job))
        self._jobs.remove([f"open/{job}", *(f"open/{each.name}" for each in hints)])

    def close_attempt(self, entry: Entry) -> None:
        """Close a job whose newest attempt has ended, unless another has begun by now.

        A post may begin one as soon as the failure can be seen. It opens the job again after that,
        so that whichever comes last leaves it open.
        """
        self.close(entry.job)
        now = entry.again()
        if now.failure is None and not now.has_report:
            self.reopen(entry.job)

    def mark(self, name: Name, batch_id: str) -> None:
        """Leave a hint of the Batch job of a phase of an open job."""
        self._jobs.write(f"open/{name}.{batch_id}", b"")

    def mark_woken(self, job: str) -> None:
        """Leave a hint that the chunker was woken for an open job."""
        self._jobs.write(f"open/{job}{_WOKEN}", b"")

    def is_open(self, job: str) -> bool:
        """Whether a job, or its newest attempt, has not ended."""
        try:
            self._jobs.read(f"open/{job}")
        except FileNotFoundError:
            return False
        return True

    def open_jobs(self) -> list[OpenJob]:
        """The jobs that have not ended, by name; and those of which hints are left."""
        listed = [each for each in self._jobs.listed("open") if is_job(each.name[:_JOB_LENGTH])]
        return [_open_job(job, list(of_job)) for job, of_job in groupby(listed, _job_of)]

    def newest(self, count: int, after: str = "") -> tuple[list[str], str | None]:
        """Some jobs from the newest on, and what to continue `after` if there are more."""
        listed = (each.name for each in self._jobs.listed("all", after))
        entries = list(islice(filter(_INDEXED.fullmatch, listed), count + 1))
        jobs = [each.partition("-")[2] for each in entries[:count]]
        return jobs, entries[count - 1] if len(entries) > count else None

    def publish(self, entry: Entry) -> None:
        """Copy a finished report to where a system of one run would leave it."""
        self._results.write(MASTER, entry.place.read(MASTER))


class Entry:
    """What is known of a job, at the moment it is made.

    Args:
        place: the job's results.
        request: what was asked.

    Attributes:
        place: the job's results.
        request: what was asked.
        files: the size of each object directly in them.
        attempt: the newest attempt.
        failure: why that ended without a report, if it did.
    """

    def __init__(self, place: Place, request: Request) -> None:
        self.place = place
        self.request = request
        self.files = place.sizes()
        self._states = place.sizes(_STATE)
        numbers = [int(match[1]) for each in self._states if (match := _ATTEMPT.fullmatch(each))]
        self.attempt = max([1, *numbers])
        self._has_damaged_error = False
        try:
            failure = _read(place, ERROR, _FAILURE) if ERROR in self.files else None
        except PlanError as error:
            self._has_damaged_error = True
            failure = Failure(self.attempt, "FAILED", now(), problem_of(error))
        self.failure = failure if failure and failure.attempt >= self.attempt else None

    @property
    def job(self) -> str:
        """The job's name."""
        return self.request.job

    @property
    def has_ended(self) -> bool:
        """Whether it is known how the newest attempt ended."""
        return self.has_report or self.failure is not None

    @property
    def has_report(self) -> bool:
        """Whether the report is there."""
        return self.run is not None

    @cached_property
    def run(self) -> RunRecord | None:
        """What `run.json` says, if the report is there: it answers the job, all sizes match."""
        if MASTER not in self.files:
            return None
        try:
            run = decode_run(self.place.read(RUN))
        except FileNotFoundError:
            return None
        asked = self.request.asked
        if run is None:
            return None
        question = run.record.question
        parameters = Params(asked.k, asked.canonical)
        if question.job != job_of(self.request.source, parameters, question.version):
            return None
        files = run.record.files.items()
        return run if all(self.files.get(name) == each.size_bytes for name, each in files) else None

    def as_job(
        self,
        state: State,
        slices: Slices,
        finished: datetime | None,
        rate_bytes_per_second: float | None = None,
        seconds_left: float | None = None,
    ) -> Job:
        """What the API answers about the job, in a state that an end has found it in."""
        request, asked, failure = self.request, self.request.asked, self.failure
        return Job(
            job=self.job,
            state=state,
            slices=slices,
            bytes=request.source.size_bytes,
            created=request.created,
            finished=finished,
            error=failure.error if failure is not None and failure.state == state else None,
            bucket=asked.bucket,
            key=asked.key,
            k=asked.k,
            attempt=self.attempt,
            rate_bytes_per_second=rate_bytes_per_second,
            seconds_left=seconds_left,
            asked=asked,
        )

    def plan(self) -> Plan | None:
        """The plan, if there is one; raises PlanError if it can't be used."""
        return read_plan(self.place, self.request.version)

    def open_plan(self) -> RunFolder:
        """The plan, which was there when its tasks were submitted, with its files.

        Raises:
            PlanError: somebody has removed it, or it can't be used.
        """
        try:
            plan = self.plan()
        except PlanError as error:
            raise PlanError(f"{error}: post the job again") from error
        if plan is None:
            raise PlanError(
                f"{self.request.source.name}: its plan.json is gone; post the job again"
            )
        return RunFolder(self.place, plan)

    def name(self, phase: Phase) -> Name:
        """The name of the Batch job of a phase of the newest attempt."""
        return Name(self.job, phase, self.attempt)

    def batch_job(self, phase: Phase) -> BatchJob | None:
        """The Batch job of a phase of the newest attempt, if it was recorded."""
        return self._read_state(phase, _BATCH_JOB)

    def batch_jobs(self, phase: Phase) -> list[BatchJob]:
        """The Batch jobs of a phase that were recorded, of all attempts, the oldest first."""
        found = (
            self._read_state(phase, _BATCH_JOB, attempt=attempt)
            for attempt in range(1, self.attempt + 1)
        )
        return [each for each in found if each is not None]

    def record(self, phase: Phase, batch_job: BatchJob) -> BatchJob:
        """Record the Batch job of a phase; the one that is recorded, which may be another's."""
        return _create(self.place, self._state_name(phase), batch_job, _BATCH_JOB)

    def ended(self, phase: Phase) -> Ended | None:
        """How the Batch job of a phase ended, if that was heard of."""
        return self._read_state(phase, _ENDED, ".ended")

    def record_end(self, phase: Phase, ended: Ended) -> None:
        """Record how the Batch job of a phase ended."""
        _create(self.place, self._state_name(phase, ".ended"), ended, _ENDED)

    def start_attempt(self, attempt: int) -> None:
        """Start an attempt; two may, at once."""
        if self._has_damaged_error:  # without its attempt, it would end the new one too
            self.place.write(ERROR, encode_checked(self.failure))
        name = f"{_STATE}/attempt-{attempt:04d}.json"
        self.place.create(name, encode_checked({"attempt": attempt, "at": now()}))

    def fail(self, error: Problem, state: Literal["FAILED", "CANCELLED"] = "FAILED") -> None:
        """The newest attempt ended without a report. What is known of its end already, stays."""
        data = encode_checked(Failure(self.attempt, state, now(), error))
        if ERROR in self.files and (self.failure is None or self._has_damaged_error):
            self.place.write(
                ERROR, data, durable=True
            )  # supersedes an older attempt's, or a damaged one
        else:
            self.place.create(ERROR, data)

    def forget_failure(self) -> None:
        """The job has a report after all."""
        self.place.remove([ERROR])

    def again(self) -> Entry:
        """What is known of it now."""
        return Entry(self.place, self.request)

    def _state_name(self, phase: Phase, suffix: str = "", attempt: int | None = None) -> str:
        return f"{_STATE}/{attempt or self.attempt:04d}-{phase}{suffix}.json"

    def _read_state(
        self,
        phase: Phase,
        form: Checked[_State],
        suffix: str = "",
        attempt: int | None = None,
    ) -> _State | None:
        """A document of a phase; None if it is missing or damaged, since Batch can tell again."""
        name = self._state_name(phase, suffix, attempt)
        if name.partition("/")[2] not in self._states:
            return None
        try:
            return _read(self.place, name, form)
        except PlanError as error:
            _log.warning("%s", error)
            return None


def _job_of(listed: Listed) -> str:
    return listed.name[:_JOB_LENGTH]


def _open_job(job: str, listed: list[Listed]) -> OpenJob:
    """What the names say that begin with a job's."""
    written = {each.name: each.written for each in listed}
    hints = [
        (name.attempt, PHASES.index(name.phase), batch_id)
        for text, _, batch_id in (each.partition(".") for each in written)
        if (name := parse_name(text)) is not None
    ]
    batch_id = max(hints)[2] if hints else None
    return OpenJob(job, written.get(job), written.get(job + _WOKEN), batch_id)


def _read(place: Place, name: str, form: Checked[_State]) -> _State | None:
    """What a document says; None if there is none.

    Raises:
        PlanError: it is damaged.
    """
    try:
        return form.decode(place.read(name))
    except FileNotFoundError:
        return None
    except DamagedDocument as error:
        raise _damaged(place, name, str(error)) from error


def _create(place: Place, name: str, document: _State, form: Checked[_State]) -> _State:
    """Create a document, or replace a damaged one; return the document that is there now."""
    place.create(name, encode_checked(document))
    try:
        found = _read(place, name, form)
    except PlanError as error:
        _log.warning("%s", error)
        found = None
    if found is not None:
        return found
    place.write(name, encode_checked(document))
    return document


def _damaged(place: Place, name: str, why: str) -> PlanError:
    return PlanError(f"{place.where(name)}: damaged ({why}); post the job again")
