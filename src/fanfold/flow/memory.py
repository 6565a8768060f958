"""What a run may take of memory, and the refusal of what would take more.

A run has its base, which is Python, its libraries and what its allocator holds on to; a share for
each worker; and the rows of records and gaps, whose number the input alone tells. Rows are counted
while they are scanned, as what they take until their fold is done: what can't be folded is refused
when it shows, and not when it is all there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from fanfold.archives.formats import WINDOWED, Compression
from fanfold.engine.fan_out import available_cores
from fanfold.errors import ParameterError
from fanfold.params import check_positive, check_whole

_MIB = 1024**2

_BASE_BYTES = 72 * _MIB
"""Memory of a run beside its workers and its rows; `_LEAST_BYTES` are for rows at least."""
_LEAST_BYTES = 24 * _MIB

_WORKER_BYTES = 24 * _MIB
"""Memory of a worker; `_REMOTE_BYTES` more where it reads from a store."""
_REMOTE_BYTES = 48 * _MIB

LEAST_MEMORY_PER_ROW_BYTE = 3
"""What rows take at least until their fold is done, for each byte of their files."""

MOST_MEMORY_PER_ROW_BYTE = 13
"""And at most, by the kernel's bound: 3 for records with names of 40 bytes, 5 for short names, 7 to
9 for gaps, and 12.5 for records that are nothing but a `>`."""

BLOCK_MEMORY_BYTES = 64
"""What is kept of a BGZF block takes so much until it is in the `.gzi`."""

Take = Callable[[int], None]
"""Is told of memory that is about to be taken; may raise to refuse it."""


def unbounded(_more_bytes: int) -> None:
    """Take any amount."""


class Allowed(NamedTuple):
    """What ``--memory`` allows.

    Attributes:
        memory_bytes: all of it; any amount when None.
        others_bytes: what of it is not for rows.
        runs: how many runs at once share what is for rows.
    """

    memory_bytes: int | None
    others_bytes: int = _BASE_BYTES
    runs: int = 1

    @property
    def rows_bytes(self) -> int | None:
        """What is for rows, those of one run."""
        if self.memory_bytes is None:
            return None
        return (self.memory_bytes - self.others_bytes) // self.runs

    def beside_window(self, compression: Compression) -> tuple[Allowed, int | None]:
        """What is left beside an archive's window, and what that may take: half of it each.

        All is left, and no limit set, where the format has none that an archive sets.
        """
        if self.rows_bytes is None or compression not in WINDOWED:
            return self, None
        window_bytes = max(0, self.rows_bytes // 2)
        others_bytes = self.others_bytes + self.runs * window_bytes
        return self._replace(others_bytes=others_bytes), window_bytes


def divide(
    memory_bytes: int | None, workers: int | None, *, is_remote: bool
) -> tuple[int, Allowed]:
    """The workers to run, those asked for or fewer, and what is left for rows: half at least.

    Args:
        memory_bytes: the most memory to use.
        workers: as many; one a core when None.
        is_remote: whether they read from a store.

    Raises:
        ParameterError: not even one worker is affordable.
    """
    workers = check_positive("workers", workers)
    memory_bytes = check_whole("memory_bytes", memory_bytes)
    wanted = available_cores() if workers is None else workers
    worker_bytes = _WORKER_BYTES + (_REMOTE_BYTES if is_remote else 0)
    if memory_bytes is None:
        return wanted, Allowed(None)
    least_bytes = _BASE_BYTES + worker_bytes + _LEAST_BYTES
    if memory_bytes < least_bytes:
        raise ParameterError(
            f"--memory {memory_bytes} is too little: a run takes {least_bytes // _MIB}MiB at least"
        )
    affordable = max(1, (memory_bytes - _BASE_BYTES) // 2 // worker_bytes)
    count = min(wanted, affordable)
    return count, Allowed(memory_bytes, _BASE_BYTES + count * worker_bytes)


class RowsMemory:
    """Counts what the rows of one input take, over threads, and refuses too much.

    Args:
        name: the input's.
        allowed: what is allowed.
    """

    def __init__(self, name: str, allowed: Allowed) -> None:
        self._name = name
        self._allowed = allowed
        self._taken_bytes = 0
        self._lock = threading.Lock()

    def take(self, more_bytes: int, done_share: float = 0.0) -> None:
        """Count memory that rows take, when such a share of the input is done; 0 if unknown.

        Raises:
            ParameterError: it is more than is allowed.
        """
        with self._lock:
            self._taken_bytes += more_bytes
            taken_bytes = self._taken_bytes
        self.check(taken_bytes, done_share)

    def check(self, taken_bytes: int, done_share: float = 0.0) -> None:
        """Check that rows of such a share of the input may take so much.

        Raises:
            ParameterError: it is more than is allowed.
        """
        allowed = self._allowed
        if allowed.rows_bytes is None or taken_bytes <= allowed.rows_bytes:
            return
        needed_bytes = 2 * (allowed.memory_bytes or 0)
        if done_share:
            needed_bytes = allowed.others_bytes + allowed.runs * int(taken_bytes / done_share)
        raise ParameterError(
            f"{self._name}: its records and gaps take more memory than --memory allows; give"
            f" {'about' if done_share else 'more, such as'} {needed_bytes // _MIB + 1}MiB, and run"
            " again: what is finished is kept"
        )
