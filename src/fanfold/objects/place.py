"""Where results go: a folder or a prefix, seen as names with bytes behind them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol


class Place(Protocol):
    """A folder on disk, or a prefix in an object store, that one run writes into.

    Names are relative to it, with ``/`` between their parts. What is written appears whole or not
    at all.

    Attributes:
        url: its absolute path, or its URL without a slash at the end.
        reads_ahead: how many objects are well read at once.
    """

    url: str
    reads_ahead: int

    def where(self, name: str) -> str:
        """The path or URL of what is called `name`."""

    def prepare(self, below: str) -> None:
        """Make the folder `below`, where folders have to be made.

        Raises:
            OutputError: it can't be made.
        """

    def read(self, name: str) -> bytes:
        """A small object, whole.

        Raises:
            FileNotFoundError: there is none.
            OutputError: it can't be read.
        """

    def write(self, name: str, data: bytes | Iterable[bytes], *, durable: bool = False) -> None:
        """Write an object, from its bytes or from pieces of them; raises as `writing` does."""

    def create(self, name: str, data: bytes) -> bool:
        """Write an object unless there is one; whether it was written. One of many wins.

        A store whose answer was lost may tell of the writer's own object.

        Raises:
            OutputError: it can't be written.
        """

    def writing(self, name: str, *, durable: bool = False) -> AbstractContextManager[BinaryIO]:
        """An object to write to, which appears whole at the end of the block, or not at all.

        Args:
            name: its name; its folder must be there.
            durable: whether to wait until a disk has it.

        Raises:
            OutputError: it can't be written; nothing is left behind.
        """

    def sizes(self, below: str = "") -> dict[str, int]:
        """The size of each object directly in `below`, by its name without `below`.

        Raises:
            OutputError: they can't be listed.
        """

    def remove(self, names: Iterable[str]) -> None:
        """Remove the objects that are there.

        Raises:
            OutputError: one can't be removed.
        """

    def sweep(self, below: str = "") -> None:
        """Remove what a killed writer left half-written directly in `below`."""
