"""The jobs of a server: a queue, a process for each that runs, and the ledger.

    submit ─▶ ledger: request.json, jobs/open/<job> ─▶ queue ─▶ process ─▶ report, or error.json
                                                                        ─▶ ledger: closed

The ledger alone says what is so. The queue and the processes are made again from it at the next
start: a job that was at work when the server ended is open, and its slices that are done are kept.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from fanfold.api.problems import ApiError, problem, problem_of_exit
from fanfold.api.routes import (
    HttpRequest,
    PageOfJobs,
    has_ended,
    invalid,
    no_such_job,
    parse_jobs,
    parse_logs,
    parse_submit,
)
from fanfold.api.types import (
    ChunkAnswer,
    Estimate,
    FailedSlice,
    Job,
    Jobs,
    LogLine,
    Logs,
    Problem,
    Results,
    Slices,
    State,
    is_job,
)
from fanfold.checked_json import Checked, DamagedDocument, encode_checked
from fanfold.engine.fan_out import available_cores
from fanfold.errors import FanfoldError, OutputError, PlanError
from fanfold.flow.plan import array_slice_bytes, default_slice_bytes
from fanfold.ledger import Ended, Entry, Ledger, Request, is_index, job_name, now
from fanfold.objects import LocalPlace, Source, is_remote, open_place
from fanfold.params import DEFAULT_SLICE_BYTES, Params
from fanfold.report.run_record import MASTER, PAGE, RUN, FileFacts
from fanfold.shown import escaped, without_secrets
from fanfold.submitting import check_request, compression_of, enter
from fanfold.web.buckets import BucketsOfServer
from fanfold.web.progress import Event, Progress
from fanfold.web.recent import Recent
from fanfold.web.settings import IMAGE, IMAGES, TOKEN, Settings
from fanfold.web.worker import Work

_KEPT_LINES = 10_000
_MOST_LINE_BYTES = 8192
_SAVE_SECONDS = 5.0
"""How often the log of a running job is written to the ledger."""

_KEPT_SECONDS = 2.0
"""How long what was read of a job is used again, unless this server changed it."""

_REMEMBERED = 100
"""Of so many jobs that have ended, the progress is kept for those who follow it."""

_GRACE_SECONDS = 5.0
"""How long a process may take to end when it is asked to."""

_TEXT_BYTES_PER_SECOND = 200 * 1024**2
_RATIO = 4
"""How much larger the text of an archive is, probably."""

_LOG = Checked(Logs)
_EVENT = msgspec.json.Decoder(Event)
_ENCODER = msgspec.json.Encoder()

_log = logging.getLogger("fanfold")


class ResultFile(msgspec.Struct, frozen=True):
    """A file of a job's results.

    Attributes:
        place_url: the folder or prefix that it lies in.
        name: its name there.
        facts: its size and CRC-64/NVME.
    """

    place_url: str
    name: str
    facts: FileFacts

    def blocks(self, start_byte: int, end_byte: int) -> Iterator[memoryview]:
        """The bytes [start_byte, end_byte), in blocks; each holds until the next is asked for."""
        return open_place(self.place_url).blocks(self.name, start_byte, end_byte)


class _Seen(NamedTuple):
    """What the ledger says of a job, and when it succeeded, if it did."""

    entry: Entry
    finished: datetime | None


@dataclass
class _Running:
    """A job that waits for its turn, or runs."""

    job: str
    attempt: int
    progress: Progress
    process: subprocess.Popen[bytes] | None = None
    lines: deque[LogLine] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))
    saved: float = 0.0

    @property
    def log_name(self) -> str:
        return _log_name(self.attempt)


class Service:
    """The jobs of a server. Its methods may be called by any thread, and block.

    Args:
        settings: the settings.

    Attributes:
        settings: the settings.
        buckets: the buckets.

    Raises:
        ParameterError: a setting is invalid.
        OutputError: another server works on the root, or it can't be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.buckets = BucketsOfServer(settings.root, settings.buckets)
        self._held = ExitStack()
        root = settings.root
        if not is_remote(root):
            place = open_place(root)
            if isinstance(place, LocalPlace):
                self._hold(place)
            root = place.where(".fanfold")
        self._ledger = Ledger(root)
        self._lock = threading.RLock()
        self._queue: deque[_Running] = deque()
        self._running: dict[str, _Running] = {}
        self._recent: OrderedDict[str, Progress] = OrderedDict()
        self._is_stopping = False
        self._looked = Recent[str, "_Seen | None"](_KEPT_SECONDS)
        self._pages = Recent[PageOfJobs, tuple[list[str], str | None]](_KEPT_SECONDS)

    def start(self) -> None:
        """Take up the jobs that had not ended when the server did."""
        entries = [
            entry for each in self._ledger.open_jobs() if (entry := self._own(each.job)) is not None
        ]
        for entry in sorted(entries, key=lambda each: each.request.created):
            if entry.has_report:
                self._finish(entry)
            elif entry.failure is not None:
                self._ledger.close_attempt(entry)
            else:
                self._enqueue(entry, entry.attempt)

    def stop(self) -> None:
        """End all processes; their jobs stay open. Then another server may work on the root."""
        with self._lock:
            self._is_stopping = True
            self._queue.clear()
            running = list(self._running.values())
        for each in running:
            if each.process is not None:
                each.process.kill()
        for each in running:
            if each.process is not None:
                with suppress(subprocess.TimeoutExpired):
                    each.process.wait(_GRACE_SECONDS)
        self._held.close()

    def submit(self, request: HttpRequest) -> ChunkAnswer:
        """Create a job, or take it up, and let it wait for its turn.

        Raises:
            ApiError: the request is refused.
        """
        asked = check_request(parse_submit(request))
        source = self.buckets.pin(asked.bucket, asked.key)
        job = job_name(asked, source, IMAGE)

        def new(created: datetime | None) -> Request:
            return Request(
                job=job,
                asked=asked,
                source=source,
                image=IMAGE,
                created=created or now(),
                estimate=self._estimate(source, asked.slice_bytes),
            )

        with self._lock:
            entry, attempt = enter(self._ledger, job, self._check_room, new)
            state: State = "SUCCEEDED"
            if attempt is not None:
                state = "RUNNING" if self._enqueue(entry, attempt) else "SUBMITTED"
            self._changed(job)
        url = f"{request.base_url}/jobs/{job}"
        return ChunkAnswer(
            job=job,
            state=state,
            status_url=url,
            results=Results(f"{url}/{MASTER}", f"{url}/{PAGE}"),
            estimate=entry.request.estimate,
        )

    def job(self, request: HttpRequest) -> Job:
        """How far a job is.

        Raises:
            ApiError: there is none of that name; so for all methods that take one.
        """
        return self.state(request.path.get("job", ""))

    def state(self, job: str) -> Job:
        """How far a job is, by its name."""
        return self._job(self._seen(job))

    def jobs(self, request: HttpRequest) -> Jobs:
        """The newest jobs, or those that follow.

        Raises:
            ApiError: a parameter is invalid.
        """
        page = parse_jobs(request)
        if page.after and not is_index(page.after):
            raise invalid("next: give what the answer before calls next")
        names, more = self._pages.get(page, lambda: self._ledger.newest(*page))
        found = []
        for name in names:
            try:
                found.append(self.state(name))
            except PlanError as error:
                _log.warning("%s", error)  # nothing of it can be told
            except ApiError:  # it is gone since
                continue
        return Jobs(tuple(found), more)

    def cancel(self, request: HttpRequest) -> Job:
        """Cancel a job; slices that are done are kept.

        Raises:
            ApiError: it has ended.
        """
        with self._lock:
            seen = self._seen(request.path.get("job", ""))
            entry, job = seen.entry, self._job(seen)
            if job.state in {"SUCCEEDED", "FAILED"}:
                raise has_ended(job)
            entry.fail(
                problem("cancelled", "Cancelled", "it was cancelled by a request"), "CANCELLED"
            )
            waiting = next((each for each in self._queue if each.job == job.job), None)
            if waiting is not None:
                self._queue.remove(waiting)
                waiting.progress.end()
            running = self._running.get(job.job)
            if running is not None and running.process is not None:
                running.process.kill()
            self._ledger.close_attempt(entry)
            self._changed(job.job)
            return self.state(job.job)

    def logs(self, request: HttpRequest) -> Logs:
        """The last lines of a job's log. It is one log, whatever the slice.

        Raises:
            ApiError: a parameter is invalid.
        """
        entry = self._seen(request.path.get("job", "")).entry
        asked = parse_logs(request)
        running = self._live(entry.job)
        if running is not None and running.process is not None:
            return Logs(running.log_name, tuple(running.lines)[-asked.limit :])
        for attempt in range(entry.attempt, 0, -1):
            with suppress(FileNotFoundError, DamagedDocument):
                kept = _LOG.decode(entry.place.read(f"state/{_log_name(attempt)}"))
                return Logs(kept.stream, kept.lines[-asked.limit :])
        return Logs(None, ())

    def progress(self, job: str) -> Progress | None:
        """How far a job is in detail; None if it didn't run since the server started."""
        with self._lock:
            live = self._live(job)
            return live.progress if live is not None else self._recent.get(job)

    def open_file(self, job: str, name: str) -> ResultFile:
        """A file of a job's results.

        Raises:
            ApiError: there is no such job or file.
        """
        entry = self._seen(job).entry
        run = entry.run
        facts = None
        if run is not None:
            record = run.record
            facts = record.files.get(name) or record.renderings.get(name)
            if name == RUN:
                facts = FileFacts(entry.files[RUN], run.plan)
        if facts is None:
            why = "it has no results yet" if run is None else "GET run.json lists its files"
            raise ApiError(
                404, "no-such-file", "No such file", f"{job}: no file {name[:80]!r}; {why}"
            )
        return ResultFile(entry.place.url, name, facts)

    def files(self, job: str) -> dict[str, int]:
        """The sizes of the files of a job's results, by name; none before they are there."""
        run = self._seen(job).entry.run
        if run is None:
            return {}
        files = {**run.record.files, **run.record.renderings}
        return {name: files[name].size_bytes for name in sorted(files)}

    # --- the ledger

    def _seen(self, job: str) -> _Seen:
        seen = self._looked.get(job, lambda: self._look(job)) if is_job(job) else None
        if seen is None:
            raise no_such_job(job)
        return seen

    def _look(self, job: str) -> _Seen | None:
        entry = self._ledger.look(job)
        if entry is None:
            return None
        ended = entry.ended("task") if entry.has_report else None
        return _Seen(entry, ended.at if ended is not None else None)

    def _changed(self, job: str) -> None:
        """What is known of a job is not so any more."""
        self._looked.forget(job)
        self._pages.forget_all()

    def _own(self, job: str) -> Entry | None:
        """What is known of a job, if a server of this kind created it and its request is whole."""
        try:
            entry = self._ledger.entry(job)
        except PlanError as error:
            _log.warning("%s", error)
            return None
        return entry if entry is not None and entry.request.image.startswith(IMAGES) else None

    def _job(self, seen: _Seen) -> Job:
        entry = seen.entry
        request, asked, failure = entry.request, entry.request.asked, entry.failure
        state: State = "SUBMITTED"
        slices, finished, error = Slices(None, 0, 0), None, None
        rate, seconds_left = None, None
        live = self.progress(entry.job)
        if live is not None and live.has_begun:
            slices = Slices(*live.counts())
        if entry.run is not None:
            state = "SUCCEEDED"
            count = entry.run.slices.count
            slices, finished = Slices(count, count, 0), seen.finished
        elif failure is not None:
            state, finished, error = failure.state, failure.at, failure.error
        elif live is not None and live.has_begun:
            state = "RUNNING"
            rate, seconds_left = live.rate()
        return Job(
            job=entry.job,
            state=state,
            slices=slices,
            bytes=request.source.size_bytes,
            created=request.created,
            finished=finished,
            error=error,
            bucket=asked.bucket,
            key=asked.key,
            k=asked.k,
            attempt=entry.attempt,
            rate_bytes_per_second=rate,
            seconds_left=seconds_left,
            asked=asked,
        )

    def _check_room(self) -> None:
        opened = len(self._queue) + len(self._running)
        if opened >= self.settings.max_open_jobs:
            raise ApiError(
                429,
                "too-many-jobs",
                "Too many jobs",
                f"{self.settings.max_open_jobs} jobs have not ended yet, as many as this server"
                " takes; post again when some have, or start it with more --max-open-jobs",
            )

    def _estimate(self, source: Source, slice_bytes: int) -> Estimate:
        size_bytes = source.size_bytes
        is_cut = compression_of(source) in {"none", "bgzf"}
        text_bytes = size_bytes if is_cut else size_bytes * _RATIO
        threads = self.settings.threads or available_cores()
        if slice_bytes == DEFAULT_SLICE_BYTES:
            slice_bytes = default_slice_bytes(size_bytes, threads)
        slices = max(1, -(-text_bytes // array_slice_bytes(text_bytes, slice_bytes)))
        seconds = max(1, -(-text_bytes // _TEXT_BYTES_PER_SECOND))
        return Estimate(slices=slices, vcpu_seconds=seconds, usd=0.0, usd_most=0.0)

    # --- the queue and the processes

    def _live(self, job: str) -> _Running | None:
        with self._lock:
            found = self._running.get(job)
            return found or next((each for each in self._queue if each.job == job), None)

    def _enqueue(self, entry: Entry, attempt: int) -> bool:
        """Have an attempt at a job worked on; whether it runs already."""
        with self._lock:
            live = self._live(entry.job)
            if live is None or live.attempt != attempt:
                progress = Progress(entry.request.source.size_bytes)
                self._queue.append(_Running(entry.job, attempt, progress))
                self._start_next()
            return entry.job in self._running

    def _start_next(self) -> None:
        """Start waiting jobs while there is room; called with the lock held.

        An attempt at a job waits until the one before it has ended.
        """
        if self._is_stopping:
            return
        for each in list(self._queue):
            if len(self._running) >= self.settings.jobs:
                return
            if each.job not in self._running:
                self._queue.remove(each)
                self._running[each.job] = each
                threading.Thread(
                    target=self._work, args=(each,), name=f"fanfold-job-{each.job}", daemon=True
                ).start()

    def _work(self, running: _Running) -> None:
        """Have a process do a job, and record how that ended."""
        entry = None
        try:
            entry = self._own(running.job)
            if entry is not None and entry.failure is None and not entry.has_report:
                code = self._run_process(running, entry)
                self._conclude(running, entry.again(), code)
            elif entry is not None and entry.has_report:
                self._finish(entry)
        except Exception:
            # The ledger can't be written, as when the disk is full: the job stays open, and is
            # taken up at the next start.
            _log.exception("%s: its end could not be recorded", running.job)
        finally:
            self._changed(running.job)
            with self._lock:
                del self._running[running.job]
                running.progress.end()
                self._recent[running.job] = running.progress
                while len(self._recent) > _REMEMBERED:
                    self._recent.popitem(last=False)
                self._start_next()

    def _run_process(self, running: _Running, entry: Entry) -> int:
        """Run the process of a job to its end; its exit code, or minus the signal that ended it."""
        request, asked = entry.request, entry.request.asked
        work = Work(
            source=request.source,
            out=entry.place.url,
            parameters=Params(asked.k, asked.canonical),
            slice_bytes=asked.slice_bytes,
            chunks=asked.chunks,
            threads=self.settings.threads,
            memory_bytes=self.settings.memory_bytes,
        )
        with self._lock:
            if self._is_stopping or entry.again().failure is not None:
                return -1
            process = subprocess.Popen(
                [sys.executable, "-m", "fanfold.web.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C in a terminal ends the server alone
                env={name: value for name, value in os.environ.items() if name != TOKEN},
            )
            running.process = process
            running.progress.begin()
        reader = threading.Thread(
            target=self._read_log, args=(running, entry), name="fanfold-log", daemon=True
        )
        reader.start()
        with process:
            if process.stdin is not None:
                with suppress(BrokenPipeError):
                    process.stdin.write(_ENCODER.encode(work) + b"\n")
                    process.stdin.flush()
            for line in process.stdout or ():
                with suppress(msgspec.DecodeError):  # the last line of a process that was killed
                    running.progress.hear(_EVENT.decode(line))
            reader.join()
            return process.wait()

    def _read_log(self, running: _Running, entry: Entry) -> None:
        """Collect what a job's process writes to its standard error."""
        stream = running.process.stderr if running.process is not None else None
        while stream is not None and (line := stream.readline(_MOST_LINE_BYTES)):
            text = escaped(without_secrets(line.decode("utf-8", "backslashreplace").rstrip("\n")))
            running.lines.append(LogLine(datetime.now(UTC), text))
            if time.monotonic() - running.saved > _SAVE_SECONDS:
                self._save_log(running, entry)
        self._save_log(running, entry)

    def _save_log(self, running: _Running, entry: Entry) -> None:
        running.saved = time.monotonic()
        document = encode_checked(Logs(running.log_name, tuple(running.lines)))
        try:
            entry.place.write(f"state/{running.log_name}", document)
        except OutputError as error:
            _log.warning("%s", error)  # the job is worth more than its log

    def _conclude(self, running: _Running, entry: Entry, code: int) -> None:
        """Record how a job ended."""
        if entry.has_report:
            self._finish(entry)
        elif entry.failure is not None:  # cancelled
            self._ledger.close_attempt(entry)
        elif not self._is_stopping:
            entry.fail(_why(running, code))
            self._ledger.close_attempt(entry)

    def _finish(self, entry: Entry) -> None:
        """What comes after the report; again if need be, until the job is closed."""
        entry.record_end("task", Ended(id=IMAGE, status="SUCCEEDED", at=now()))
        with suppress(FanfoldError):  # what is left is not wrong
            entry.open_plan().remove_objects()
        entry.forget_failure()
        self._ledger.publish(entry)
        self._ledger.close(entry.job)

    def _hold(self, place: LocalPlace) -> None:
        """Hold the root's lock as long as the server is there."""
        try:
            self._held.enter_context(place.lock())
        except OutputError as error:
            if "another run" not in str(error):
                raise
            raise OutputError(
                f"{place.url}: another server works on this root; end it, or give another --root"
            ) from error


def _why(running: _Running, code: int) -> Problem:
    """The problem that ended a job's process without a report."""
    said = [line.text for line in running.lines if line.text.startswith("fanfold: ")]
    failed = running.progress.failed()
    if code < 0:
        return problem(
            "container",
            "Its process was killed",
            f"its process was ended by signal {-code}"
            + (", as when memory runs out" if code == -9 else "")
            + "; post the job again: slices that are done are kept",
        )
    if not code:
        return problem("report", "No report", "its process ended without a report; post it again")
    detail = said[-1].removeprefix("fanfold: ") if said else f"its process ended with {code}"
    return problem_of_exit(code, detail, tuple(FailedSlice(index, detail) for index in failed))


def _log_name(attempt: int) -> str:
    return f"{attempt:04d}-log.json"
