"""How far a running job is: what its process reports, and the changes since any moment.

Each change of a slice has a number. A reader that has seen the changes up to one gets those that
followed; a reader that has seen none, or those of another server, gets the whole.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterable
from itertools import groupby
from typing import Literal

import msgspec

SliceState = Literal["w", "r", "d", "f"]
"""A slice waits, is running, is done, or failed."""

Stage = Literal["queued", "inflating", "scanning", "folding", "ended"]

_RATE_SECONDS = 5.0
"""The window over which the rate is measured."""


class Planned(msgspec.Struct, frozen=True, tag=True):
    """The job has a plan: how many slices it has if that is known, and which are done."""

    total: int | None
    done: tuple[int, ...]


class Changed(msgspec.Struct, frozen=True, tag=True):
    """A slice is in another state."""

    index: int
    state: SliceState


class Read(msgspec.Struct, frozen=True, tag=True):
    """How many bytes of the genome are done, and how many there are."""

    done_bytes: int
    size_bytes: int


class Folding(msgspec.Struct, frozen=True, tag=True):
    """The results are folded."""


Event = Planned | Changed | Read | Folding


class View(msgspec.Struct, frozen=True, kw_only=True):
    """How far a job is.

    Attributes:
        id: what a reader continues after.
        stage: what is done.
        total: how many slices there are; None where that isn't known.
        states: the states of all slices, run-length encoded (`d120,r2,w78`); None where `changes`
            says what is new.
        changes: slices and their new states, in order.
        done_bytes: bytes of the genome that are done.
        size_bytes: how many there are.
    """

    id: str
    stage: Stage
    total: int | None
    states: str | None
    changes: tuple[tuple[int, SliceState], ...] = ()
    done_bytes: int
    size_bytes: int


class Progress:
    """How far a job is; safe for threads.

    Args:
        size_bytes: the size of the genome.

    Attributes:
        version: changes with every event.
    """

    def __init__(self, size_bytes: int) -> None:
        self.version = 0
        self._epoch = os.urandom(6).hex()
        self._lock = threading.Lock()
        self._stage: Stage = "queued"
        self._total: int | None = None
        self._states: list[SliceState] = []
        self._changes: list[tuple[int, SliceState]] = []
        self._done_bytes = 0
        self._size_bytes = size_bytes
        self._samples: deque[tuple[float, int]] = deque()

    def hear(self, event: Event) -> None:
        """Take note of what the job's process reports."""
        with self._lock:
            self.version += 1
            match event:
                case Planned(total, done):
                    self._total = total
                    self._stage = "inflating" if total is None else "scanning"
                    self._extend(max([(total or 0) - 1, *done]))
                    for index in done:
                        self._change(index, "d")
                case Changed(index, state):
                    self._extend(index)
                    self._change(index, state)
                case Read(done_bytes, size_bytes):
                    self._done_bytes, self._size_bytes = done_bytes, size_bytes
                    self._sample(done_bytes)
                case Folding():
                    self._stage = "folding"
                    self._total = len(self._states)

    def begin(self) -> None:
        """The job's process has started."""
        with self._lock:
            self.version += 1
            self._stage = "scanning"

    def end(self) -> None:
        """The job has ended, however that was."""
        with self._lock:
            self.version += 1
            self._stage = "ended"

    def since(self, event_id: str | None) -> View:
        """The changes after those that a reader has seen; all, for one that has seen none."""
        with self._lock:
            seen = self._seen(event_id)
            return View(
                id=f"{self._epoch}-{len(self._changes)}",
                stage=self._stage,
                total=self._total,
                states=run_lengths(self._states) if seen is None else None,
                changes=() if seen is None else tuple(self._changes[seen:]),
                done_bytes=self._done_bytes,
                size_bytes=self._size_bytes,
            )

    @property
    def has_begun(self) -> bool:
        """Whether the job's process has started."""
        return self._stage != "queued"

    def counts(self) -> tuple[int | None, int, int]:
        """How many slices there are, if that is known; how many are done, and how many failed."""
        with self._lock:
            return self._total, self._states.count("d"), self._states.count("f")

    def failed(self) -> list[int]:
        """The slices that failed."""
        with self._lock:
            return [index for index, state in enumerate(self._states) if state == "f"]

    def rate(self) -> tuple[float | None, float | None]:
        """Bytes a second, and the seconds that are left at this rate; None where there is none."""
        with self._lock:
            if len(self._samples) < 2 or self._stage not in {"inflating", "scanning"}:
                return None, None
            (start, first_bytes), (end, last_bytes) = self._samples[0], self._samples[-1]
            if end - start <= 0 or last_bytes <= first_bytes:
                return None, None
            rate = (last_bytes - first_bytes) / (end - start)
            return round(rate, 1), round(max(0, self._size_bytes - last_bytes) / rate, 1)

    def _seen(self, event_id: str | None) -> int | None:
        """How many changes a reader has seen; None if it needs a snapshot."""
        epoch, _, digits = (event_id or "").rpartition("-")
        is_number = digits.isascii() and digits.isdigit() and len(digits) < 12
        if epoch != self._epoch or not is_number or int(digits) > len(self._changes):
            return None
        return int(digits)

    def _extend(self, index: int) -> None:
        """Have a state for every slice up to one."""
        self._states += ["w"] * (index + 1 - len(self._states))

    def _change(self, index: int, state: SliceState) -> None:
        self._states[index] = state
        self._changes.append((index, state))

    def _sample(self, done_bytes: int) -> None:
        now = time.monotonic()
        self._samples.append((now, done_bytes))
        while len(self._samples) > 2 and self._samples[0][0] < now - _RATE_SECONDS:
            self._samples.popleft()


def run_lengths(states: Iterable[SliceState]) -> str:
    """States of slices, one after the other, each with how many slices in a row have it."""
    runs = ((state, sum(1 for _ in run)) for state, run in groupby(states))
    return ",".join(f"{state}{count}" for state, count in runs)
