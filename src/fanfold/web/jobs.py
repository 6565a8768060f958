"""The jobs of a server, as the API asks for them: a ledger, and a runner that works on them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import NamedTuple

import msgspec

from fanfold.api.problems import ApiError, problem
from fanfold.api.routes import (
    HttpRequest,
    PageOfJobs,
    has_ended,
    no_such_job,
    parse_jobs,
    parse_logs,
    parse_submit,
)
from fanfold.api.types import (
    ChunkAnswer,
    Estimate,
    Job,
    Jobs,
    Logs,
    Results,
    Slices,
    State,
    is_job,
)
from fanfold.engine.fan_out import available_cores
from fanfold.errors import FolderBusyError, OutputError, PlanError
from fanfold.flow.plan import array_slice_bytes, default_slice_bytes
from fanfold.ledger import Entry, Ledger, Request, job_name, now
from fanfold.objects import LocalPlace, Source, is_remote, open_place
from fanfold.params import DEFAULT_SLICE_BYTES
from fanfold.report.run_record import MASTER, PAGE, RUN, FileFacts
from fanfold.submitting import check_request, compression_of, enter
from fanfold.web.buckets import BucketsOfServer
from fanfold.web.progress import Progress
from fanfold.web.recent import Recent
from fanfold.web.runner import Runner
from fanfold.web.settings import IMAGE, Settings

_KEPT_SECONDS = 2.0
"""How long a read of the ledger is reused, unless this server changes the job."""

_TEXT_BYTES_PER_SECOND = 200 * 1024**2
_RATIO = 4
"""How much larger the text of an archive is, probably."""

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
        self._runner = Runner(settings, self._ledger, self._changed)
        self._lock = threading.Lock()
        self._looked = Recent[str, "_Seen | None"](_KEPT_SECONDS)
        self._pages = Recent[PageOfJobs, tuple[list[str], str | None]](_KEPT_SECONDS)

    def start(self) -> None:
        """Take up the jobs that had not ended when the server did."""
        self._runner.start()

    def stop(self) -> None:
        """End all processes; their jobs stay open. Then another server may work on the root."""
        self._runner.stop()
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
                state = "RUNNING" if self._runner.enqueue(entry, attempt) else "SUBMITTED"
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
        names, more = self._pages.get(page, lambda: self._ledger.newest(*page))
        found = []
        for name in names:
            try:
                found.append(self.state(name))
            except PlanError as error:
                _log.warning("%s", error)  # its request is damaged: there is nothing to list
            except ApiError:  # it is gone since
                continue
        return Jobs(tuple(found), more)

    def cancel(self, request: HttpRequest) -> Job:
        """Cancel a job; slices that are done are kept.

        Raises:
            ApiError: it has ended.
        """
        with self._lock:
            name = request.path.get("job", "")
            self._changed(name)  # what was read a moment ago may be too old to decide by
            seen = self._seen(name)
            entry, job = seen.entry, self._job(seen)
            if job.state in {"SUCCEEDED", "FAILED"}:
                raise has_ended(job)
            entry.fail(
                problem("cancelled", "Cancelled", "it was cancelled by a request"), "CANCELLED"
            )
            self._runner.cancel(job.job)
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
        found = self._runner.logs(entry)
        return Logs(found.stream, found.lines[-asked.limit :])

    def progress(self, job: str) -> Progress | None:
        """How far a job is in detail; None if it didn't run since the server started."""
        return self._runner.progress(job)

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
        """Drop what was read of a job: its state has changed."""
        self._looked.forget(job)
        self._pages.forget_all()

    def _job(self, seen: _Seen) -> Job:
        entry, live = seen.entry, self.progress(seen.entry.job)
        slices = Slices(*live.counts()) if live is not None else Slices(None, 0, 0)
        if entry.run is not None:
            count = entry.run.slices.count
            return entry.as_job("SUCCEEDED", Slices(count, count, 0), seen.finished)
        if entry.failure is not None:
            return entry.as_job(entry.failure.state, slices, entry.failure.at)
        if live is not None and live.has_begun:
            return entry.as_job("RUNNING", slices, None, *live.rate())
        return entry.as_job("SUBMITTED", slices, None)

    def _check_room(self) -> None:
        if self._runner.open_count >= self.settings.max_open_jobs:
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

    def _hold(self, place: LocalPlace) -> None:
        """Hold the root's lock as long as the server is there."""
        try:
            self._held.enter_context(place.lock())
        except FolderBusyError as error:
            raise OutputError(
                f"{place.url}: another server works on this root; end it, or give another --root"
            ) from error
