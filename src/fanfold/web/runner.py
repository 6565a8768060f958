"""The queue of jobs, and the processes that run them.

    enqueue ─▶ queue ─▶ process ─▶ report there, or error.json ─▶ ledger: closed

The ledger is the only lasting state. The queue and the processes are rebuilt from it at the next
start: a job that was running when the server ended is still open, and its finished slices are kept.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from fanfold.api.problems import problem, problem_of_exit
from fanfold.api.types import FailedSlice, LogLine, Logs, Problem
from fanfold.checked_json import Checked, DamagedDocument, encode_checked
from fanfold.errors import FanfoldError, OutputError, PlanError
from fanfold.ledger import Ended, Entry, Ledger, now
from fanfold.params import Params
from fanfold.shown import escaped, without_secrets
from fanfold.web.progress import Event, Progress
from fanfold.web.settings import IMAGE, IMAGES, TOKEN, Settings
from fanfold.web.worker import Work

_KEPT_LINES = 10_000
_MOST_LINE_BYTES = 8192
_SAVE_SECONDS = 5.0
"""How often the log of a running job is written to the ledger."""

_REMEMBERED = 100
"""How many ended jobs keep their progress, for readers that still follow them."""

_GRACE_SECONDS = 5.0
"""How long jobs may take to end when the server does."""

_LOG = Checked(Logs)
_EVENT = msgspec.json.Decoder(Event)
_ENCODER = msgspec.json.Encoder()

_log = logging.getLogger("fanfold")


@dataclass
class _Running:
    """An attempt at a job that waits for its turn, or runs."""

    job: str
    attempt: int
    progress: Progress
    process: subprocess.Popen[bytes] | None = None
    thread: threading.Thread | None = None
    lines: deque[LogLine] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))
    saved: float = 0.0

    @property
    def log_name(self) -> str:
        return _log_name(self.attempt)


class Runner:
    """Works on jobs, some at once, the others in the order in which they came.

    Args:
        settings: the settings of the server.
        ledger: where the ends of jobs are recorded.
        changed: called with the name of each job whose state has changed.
    """

    def __init__(self, settings: Settings, ledger: Ledger, changed: Callable[[str], None]) -> None:
        self._settings = settings
        self._ledger = ledger
        self._changed = changed
        self._lock = threading.RLock()
        self._queue: deque[_Running] = deque()
        self._running: dict[str, _Running] = {}
        self._recent: OrderedDict[str, Progress] = OrderedDict()
        self._is_stopping = False

    def start(self) -> None:
        """Take up the jobs that had not ended when the server did."""
        opened = (self._own(each.job) for each in self._ledger.open_jobs())
        entries = [entry for entry in opened if entry is not None]
        for entry in sorted(entries, key=lambda each: each.request.created):
            if entry.has_report:
                self._finish(entry)
            elif entry.failure is not None:
                self._ledger.close_attempt(entry)
            else:
                self.enqueue(entry, entry.attempt)

    def stop(self) -> None:
        """End all processes; jobs without a report stay open."""
        with self._lock:
            self._is_stopping = True
            self._queue.clear()
            running = list(self._running.values())
            processes = [each.process for each in running if each.process is not None]
        for process in processes:
            process.kill()
        end = time.monotonic() + _GRACE_SECONDS
        for thread in [each.thread for each in running if each.thread is not None]:
            thread.join(max(0.0, end - time.monotonic()))  # it records a report that is there

    @property
    def open_count(self) -> int:
        """How many jobs wait or run."""
        with self._lock:
            return len(self._queue) + len(self._running)

    def enqueue(self, entry: Entry, attempt: int) -> bool:
        """Queue an attempt at a job, unless it is queued; return whether it runs already."""
        with self._lock:
            live = self._live(entry.job)
            if live is None or live.attempt != attempt:
                progress = Progress(entry.request.source.size_bytes)
                self._queue.append(_Running(entry.job, attempt, progress))
                self._start_next()
            return entry.job in self._running

    def cancel(self, job: str) -> None:
        """Stop working on a job. The ledger already says that it is cancelled."""
        with self._lock:
            for each in [each for each in self._queue if each.job == job]:
                self._queue.remove(each)
                self._remember(each)
            running = self._running.get(job)
            if running is not None and running.process is not None:
                running.process.kill()

    def progress(self, job: str) -> Progress | None:
        """How far a job is in detail; None if it didn't run since the server started."""
        with self._lock:
            live = self._live(job)
            return live.progress if live is not None else self._recent.get(job)

    def logs(self, entry: Entry) -> Logs:
        """The log of the newest attempt at a job that has one."""
        with self._lock:
            live = self._live(entry.job)
            if live is not None and live.process is not None:
                return Logs(live.log_name, tuple(live.lines))
        for attempt in range(entry.attempt, 0, -1):
            with suppress(FileNotFoundError, DamagedDocument):
                return _LOG.decode(entry.place.read(f"state/{_log_name(attempt)}"))
        return Logs(None, ())

    def _own(self, job: str) -> Entry | None:
        """What is known of a job, if a server of this kind created it and its request is whole."""
        try:
            entry = self._ledger.entry(job)
        except PlanError as error:
            _log.warning("%s", error)
            return None
        return entry if entry is not None and entry.request.image.startswith(IMAGES) else None

    def _live(self, job: str) -> _Running | None:
        with self._lock:
            found = self._running.get(job)
            return found or next((each for each in self._queue if each.job == job), None)

    def _start_next(self) -> None:
        """Start waiting jobs while there is room; called with the lock held.

        An attempt at a job waits until the one before it has ended.
        """
        if self._is_stopping:
            return
        for each in list(self._queue):
            if len(self._running) >= self._settings.jobs:
                return
            if each.job not in self._running:
                self._queue.remove(each)
                self._running[each.job] = each
                each.thread = threading.Thread(
                    target=self._work, args=(each,), name=f"fanfold-job-{each.job}", daemon=True
                )
                each.thread.start()

    def _work(self, running: _Running) -> None:
        """Run a job in a process, and record how it ended."""
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
                self._remember(running)
                self._start_next()

    def _remember(self, running: _Running) -> None:
        """Keep the progress of a job that is worked on no more; called with the lock held."""
        running.progress.end()
        self._recent[running.job] = running.progress
        while len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)

    def _run_process(self, running: _Running, entry: Entry) -> int:
        """Run the process of a job to its end; its exit code, or minus the signal that ended it."""
        request, asked = entry.request, entry.request.asked
        work = Work(
            source=request.source,
            out=entry.place.url,
            parameters=Params(asked.k, asked.canonical),
            slice_bytes=asked.slice_bytes,
            chunks=asked.chunks,
            threads=self._settings.threads,
            memory_bytes=self._settings.memory_bytes,
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
        """Record how an attempt at a job ended."""
        if entry.has_report:
            self._finish(entry)
        elif entry.attempt != running.attempt:  # it was cancelled, and another waits already
            return
        elif entry.failure is not None:  # cancelled
            self._ledger.close_attempt(entry)
        elif not self._is_stopping:
            entry.fail(_why(running, code))
            self._ledger.close_attempt(entry)

    def _finish(self, entry: Entry) -> None:
        """Do what follows the report. Can be repeated until the job is closed."""
        entry.record_end("task", Ended(id=IMAGE, status="SUCCEEDED", at=now()))
        with suppress(FanfoldError):  # what is left is not wrong
            entry.open_plan().remove_objects()
        entry.forget_failure()
        self._ledger.publish(entry)
        self._ledger.close(entry.job)


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
