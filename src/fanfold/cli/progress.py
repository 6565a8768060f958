"""Progress bars on stderr, if that is a terminal. rich is imported for one alone."""

# ruff: noqa: PLC0415
from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fanfold.cli.streams import say
from fanfold.shown import escaped

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

    from fanfold.api.types import Job

_NARROW = 80
"""Columns that a bar with amount, rate and time needs."""

_WAIT_SECONDS = 0.3
"""Work that is done by then has no bar."""


@contextmanager
def progress_bar(
    name: str, *, quiet: bool, of_bytes: bool = True
) -> Iterator[Callable[[int, int], None] | None]:
    """A bar that is told how much is done, and of how much; None where nobody would see it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    bar = _LateBar(name, of_bytes=of_bytes)
    try:
        yield bar.show
    finally:
        bar.end()


class _LateBar:
    """A bar that shows once the work takes its time: what is quick is done before rich is there."""

    def __init__(self, name: str, *, of_bytes: bool) -> None:
        self._name = name
        self._of_bytes = of_bytes
        self._due = time.monotonic() + _WAIT_SECONDS
        self._lock = threading.Lock()
        self._bar: Progress | None = None

    def show(self, done: int, total: int) -> None:
        """Show how much is done, and of how much."""
        with self._lock:
            if self._bar is None and time.monotonic() < self._due:
                return
            if self._bar is None:
                self._bar = self._start(done, total)
            self._bar.update(self._bar.task_ids[0], completed=done, total=total or None)

    def end(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            self._bar.stop()

    def _start(self, done: int, total: int) -> Progress:
        from rich.progress import (
            DownloadColumn,
            FileSizeColumn,
            MofNCompleteColumn,
            SpinnerColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        if not total:
            bar = _of(SpinnerColumn(), _name(), FileSizeColumn(), TransferSpeedColumn())
        elif not self._of_bytes:
            bar = _bar(MofNCompleteColumn(), TimeRemainingColumn())
        else:
            bar = _bar(DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        bar.add_task(escaped(self._name), completed=done, total=total or None)
        bar.start()
        return bar


@contextmanager
def job_progress(name: str, *, quiet: bool) -> Iterator[Callable[[Job], None]]:
    """Is told of a job as it comes along: shows a bar, or a line for every state."""
    if quiet:
        yield lambda _job: None
        return
    if not sys.stderr.isatty():
        yield _StateLines()
        return
    from rich.progress import MofNCompleteColumn, TimeElapsedColumn

    name = escaped(name)
    with _bar(MofNCompleteColumn(), TimeElapsedColumn()) as bar:
        shown = bar.add_task(name, total=None)

        def show(job: Job) -> None:
            description = f"{name} {job.state}"
            if job.slices.failed:
                description += f", {job.slices.failed:,} failed"
            bar.update(
                shown,
                description=description,
                completed=job.slices.done,
                total=job.slices.total,
                refresh=True,
            )

        yield show


class _StateLines:
    """A line for every state that a job comes to."""

    def __init__(self) -> None:
        self._told: tuple[str, int | None] | None = None

    def __call__(self, job: Job) -> None:
        now = job.state, job.slices.total
        if now != self._told:
            self._told = now
            count = "" if job.slices.total is None else f": {job.slices.total:,} slices"
            say(f"  {job.state}{count}")


def _bar(*columns: ProgressColumn) -> Progress:
    """A bar with what fits beside it: on a narrow screen that is the share alone."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn

    if Console(stderr=True).width < _NARROW:
        return _of(_name(), BarColumn(bar_width=10), TaskProgressColumn())
    return _of(_name(), BarColumn(), *columns)


def _name() -> ProgressColumn:
    """The column of what the work is of. A long name gives way: the rest stays in one line."""
    from rich.console import Console
    from rich.progress import TextColumn
    from rich.table import Column

    most = max(8, Console(stderr=True).width // 3)
    column = Column(no_wrap=True, overflow="ellipsis", max_width=most)
    return TextColumn("{task.description}", markup=False, table_column=column)


def _of(*columns: ProgressColumn) -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    return Progress(*columns, console=Console(stderr=True), transient=True)
