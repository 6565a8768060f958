"""Where results go: a folder or a prefix, seen as names with bytes behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO, Literal, NamedTuple, Protocol

Kind = Literal["file", "folder", "other"]
"""What is under a name: a regular file, a folder, or a link, a device and the like."""

DOCUMENT_BYTES = 256 * 1024**2
"""The largest document that is read whole, unless more is asked for."""


class Listed(NamedTuple):
    """An object as a listing has it: its name, when it was last written, and its size."""

    name: str
    written: datetime
    size_bytes: int


class Place(Protocol):
    """A folder on disk, or a prefix in an object store, that one run writes into.

    Names are relative to it, with ``/`` between their parts. What is written appears whole or not
    at all. Links are never followed below the place itself.

    Attributes:
        url: its absolute path, or its URL without a slash at the end.
        reads_ahead: how many objects are well read at once.
        lags: whether a name that another machine wrote may be seen only some seconds later.
    """

    url: str
    reads_ahead: int
    lags: bool

    def where(self, name: str) -> str:
        """The path or URL of what is called `name`."""

    def prepare(self, below: str) -> None:
        """Make the folder `below`, where folders have to be made.

        Raises:
            OutputError: it can't be made, or a link is in its place.
        """

    def read(self, name: str, most_bytes: int = DOCUMENT_BYTES) -> bytes:
        """An object, whole.

        Raises:
            FileNotFoundError: there is none.
            OutputError: it can't be read, is no regular file, or has more than `most_bytes`.
        """

    def blocks(
        self, name: str, start_byte: int = 0, end_byte: int | None = None
    ) -> Iterator[memoryview]:
        """The bytes [start_byte, end_byte) of an object of any size, in blocks; raises as `read`.

        A block holds until the next is asked for. The bytes go to the object's end when `end_byte`
        is None, and never beyond.
        """

    def write(self, name: str, data: bytes | Iterable[bytes], *, durable: bool = False) -> None:
        """Write an object, from its bytes or from pieces of them; raises as `writing` does."""

    def create(self, name: str, data: bytes) -> bool:
        """Write an object unless there is one; whether it was written. One of many wins.

        A store whose answer was lost may tell of the writer's own object, and one that ignores the
        condition overwrites: read back what counts.

        Raises:
            OutputError: it can't be written.
        """

    def swap(self, name: str, old: bytes, new: bytes) -> bool:
        """Replace an object if it is still `old`; whether it was. As `create`, read it back."""

    def writing(self, name: str, *, durable: bool = False) -> AbstractContextManager[BinaryIO]:
        """An object to write to, which appears whole at the end of the block, or not at all.

        Args:
            name: its name; its folder must be there.
            durable: whether to wait until a disk has it, and its name.

        Raises:
            OutputError: it can't be written; nothing is left behind.
        """

    def creating(self, name: str) -> AbstractContextManager[BinaryIO]:
        """As `writing`, durable, but the object appears only if there is none by then.

        A store takes a large object whose parts were sent even so: who needs more looks first.

        Raises:
            FileExistsError: there is one.
            OutputError: it can't be written; nothing is left behind.
        """

    def sizes(self, below: str = "") -> dict[str, int]:
        """The size of each object directly in `below`, by its name without `below`.

        Raises:
            OutputError: they can't be listed.
        """

    def listed(self, below: str, after: str = "") -> Iterator[Listed]:
        """The objects directly in `below` whose names sort after `after`, by name.

        A store is asked for the next thousand when they are taken; raises as `sizes`.
        """

    def children(self, below: str = "") -> tuple[list[str], list[Listed]]:
        """The folders and the objects directly in `below`, each by name; raises as `sizes`."""

    def folders(self, below: str = "") -> list[str]:
        """The names of the folders directly in `below`, sorted; raises as `sizes`."""

    def kinds(self, names: Iterable[str]) -> dict[str, Kind]:
        """What is there under names directly in this place; names of nothing are left out."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove the objects that are there.

        Raises:
            OutputError: one can't be removed.
        """

    def remove_folder(self, below: str) -> None:
        """Remove the folder `below` if nothing is left in it."""

    def sweep(self, below: str = "") -> None:
        """Remove what a killed writer left half-written directly in `below`; not a live one's."""
