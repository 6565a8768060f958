"""The results of a plan's slices: put by tasks, read in order by the fold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from fanfold.flow.plan import Plan
from fanfold.flow.slice_file import SliceResult


class Results(Protocol):
    """Where results of slices are; a folder or prefix (`RunFolder`), or memory."""

    def put(self, result: SliceResult) -> None:
        """Keep a result, in place of one that is there.

        Raises:
            OutputError: it can't be written.
        """

    def get(self, index: int) -> SliceResult | None:
        """The result of a slice; None if there is none, or it is not what its task wrote.

        Raises:
            OutputError: it can't be read.
        """

    def all(self) -> Iterator[tuple[int, SliceResult | None]]:
        """Every slice's index and result, in order."""

    def missing(self) -> set[int]:
        """Slices without a result. Contents are verified by `get` alone."""


class MemoryResults:
    """Results in memory: nothing is written, and nothing outlives the process.

    Args:
        plan: the plan.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._results: dict[int, SliceResult] = {}

    def put(self, result: SliceResult) -> None:
        """Keep a result."""
        self._results[result.index] = result

    def get(self, index: int) -> SliceResult | None:
        """The result of a slice, or None."""
        return self._results.get(index)

    def all(self) -> Iterator[tuple[int, SliceResult | None]]:
        """Every slice's index and result, in order."""
        return ((each.index, self.get(each.index)) for each in self._plan.known_slices())

    def missing(self) -> set[int]:
        """Slices without a result."""
        return {each.index for each in self._plan.known_slices()} - self._results.keys()
