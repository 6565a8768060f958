"""The watch over a run: how far it is, and whether it has been asked to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable

from fanfold.errors import Cancelled

Progress = Callable[[int, int], None]
"""Is told of bytes of the input that are done, and how many there are in all."""


class Watch:
    """Counts bytes over threads, tells of them, and stops the scans when asked to.

    Args:
        size_bytes: how many bytes there are.
        progress: is told.
        stopped: is set when all work has to stop, this run's and others'.

    Attributes:
        read_bytes: bytes of the input that were read.
    """

    def __init__(
        self, size_bytes: int, progress: Progress | None, stopped: threading.Event | None = None
    ) -> None:
        self.read_bytes = 0
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
                self._progress(self._done_bytes, max(self._size_bytes, self._done_bytes))

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

    def start_over(self, size_bytes: int) -> None:
        """Count anew, towards `size_bytes`: text, once an archive is inflated."""
        with self._lock:
            self._size_bytes = size_bytes
            self._done_bytes = 0

    def stop(self) -> None:
        """Have every scan that is told of here stop at its next block."""
        self._stopped.set()
