"""The watch over a run: how far it is, and whether it has been asked to stop."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Protocol

from fanfold.errors import Cancelled, FanfoldError


class Progress(Protocol):
    """Is called with how far a run is: any function of two numbers.

    The units are bytes of the input as it is stored, so compressed ones of an archive: first those
    that are done, among them those of slices whose results were kept, then those of the whole
    input; 0 where its size isn't known (a stream, bytes, open files). On an executor, an archive
    that can't be cut is counted twice: first its own bytes, then, from 0, those of its text.

    It is called by any thread, never by two at once, about once for each 256 KiB that are read. It
    holds up the run for as long as it takes, and an error that it raises ends the run.
    """

    def __call__(self, done_bytes: int, size_bytes: int, /) -> None:
        """Take note of bytes of the input that are done, and how many there are."""


class Observer(Protocol):
    """Follows the slices of a run. Its methods are called by any thread."""

    def planned(self, slice_count: int | None, done: Collection[int]) -> None:
        """The run has a plan, with the results of some slices.

        Args:
            slice_count: how many slices there are; None while that isn't known, as for an archive
                that is inflated.
            done: the slices whose results are kept.
        """

    def began(self, index: int) -> None:
        """A slice is being scanned."""

    def done(self, index: int) -> None:
        """The result of a slice is kept."""

    def failed(self, index: int) -> None:
        """The scan of a slice failed."""

    def folding(self) -> None:
        """Every slice has a result, and they are folded."""


class Watch:
    """Counts bytes over threads, tells of them, and stops the scans when asked to.

    Args:
        size_bytes: how many bytes there are.
        progress: is told.
        stopped: is set when all work has to stop, this run's and others'.
        observer: follows the slices.

    Attributes:
        read_bytes: bytes of the input that were read.
        observer: follows the slices; None where nobody does.
    """

    def __init__(
        self,
        size_bytes: int,
        progress: Progress | None,
        stopped: threading.Event | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.read_bytes = 0
        self.observer = observer
        self._size_bytes = size_bytes
        self._done_bytes = 0
        self._progress = progress
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._all_stopped = stopped or self._stopped

    def advance(self, count_bytes: int) -> None:
        """Tell of bytes that were read here.

        Raises:
            Cancelled: the work has to stop.
        """
        with self._lock:
            self.read_bytes += count_bytes
        self.pass_over(count_bytes)

    def pass_over(self, count_bytes: int, read_bytes: int = 0) -> None:
        """Tell of bytes that are done, of which others read `read_bytes`; raises as `advance`."""
        self.check()
        with self._lock:
            self.read_bytes += read_bytes
            self._done_bytes += count_bytes
            if self._progress is not None:
                total_bytes = max(self._size_bytes, self._done_bytes) if self._size_bytes else 0
                self._progress(self._done_bytes, total_bytes)

    @property
    def done_share(self) -> float:
        """The share of the input that is done, from 0 to 1; 0 where its size isn't known."""
        return min(1.0, self._done_bytes / self._size_bytes) if self._size_bytes else 0.0

    def check(self) -> None:
        """See whether the work may go on.

        Raises:
            Cancelled: it has to stop.
        """
        if self._stopped.is_set() or self._all_stopped.is_set():
            raise Cancelled("stopped; run again to take it up where it is")

    @contextmanager
    def scanning(self, index: int) -> Iterator[None]:
        """Let the observer know that a slice is scanned in this block, and how that ended."""
        if self.observer is None:
            yield
            return
        self.observer.began(index)
        try:
            yield
        except Cancelled:
            raise
        except (FanfoldError, OSError, MemoryError):
            self.observer.failed(index)
            raise
        self.observer.done(index)

    def start_over(self, size_bytes: int) -> None:
        """Count anew, towards `size_bytes`: text, once an archive is inflated."""
        with self._lock:
            self._size_bytes = size_bytes
            self._done_bytes = 0

    def stop(self) -> None:
        """Have every scan that is told of here stop at its next block."""
        self._stopped.set()
