"""The rows of a table of k up to 8, whose counts are in `master.json`."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from functools import cached_property

from fanfold.kmers.rows import Block


class MasterRows:
    """Rows in memory; there are 65,536 at most.

    Args:
        load: gives 4^k counts by code, when they are needed.
    """

    def __init__(self, load: Callable[[], array[int]]) -> None:
        self._load = load

    def blocks(self) -> Iterator[Block]:
        """All rows at once, unless there is none."""
        codes = array("Q", (code for code, count in enumerate(self._counts) if count))
        if codes:
            counts = array("Q", filter(None, self._counts))
            yield memoryview(codes), memoryview(counts)

    def get(self, codes: array[int]) -> array[int]:
        """The count of each code, 0 where there is none."""
        return array("Q", map(self._counts.__getitem__, codes))

    @cached_property
    def _counts(self) -> array[int]:
        return self._load()
