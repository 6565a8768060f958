"""The rows of a table of k-mers, wherever they are."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Protocol

Block = tuple["memoryview[int]", "memoryview[int]"]
"""The codes and the counts of some rows."""


class Rows(Protocol):
    """The rows of a table."""

    def blocks(self) -> Iterator[Block]:
        """The rows in order of codes, some at a time."""

    def get(self, codes: array[int]) -> array[int]:
        """The count of each code, 0 where there is none; the codes are sorted."""
