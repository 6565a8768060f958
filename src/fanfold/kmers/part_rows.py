"""The rows of a table of k from 9 on, whose parts are files beside the report."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from fanfold._kernel import KmerPart
from fanfold.engine.ahead import map_ahead
from fanfold.errors import OutputError
from fanfold.kmers.rows import Block
from fanfold.objects import Place
from fanfold.report.master import Kmers


class PartFile(NamedTuple):
    """A part as the record names it."""

    name: str
    size_bytes: int


class PartRows:
    """Rows in parts, which are read by ranges: on a disk, or in a store.

    Every page is proven as it is read. When the first one is, all parts are opened: each has to be
    of this table and to go on where the one before it ends, and together they have to have its
    rows.

    Args:
        place: where the report is.
        files: the parts, in order.
        kmers: what the report says of the table.
    """

    def __init__(self, place: Place, files: Sequence[PartFile], kmers: Kmers) -> None:
        self._place = place
        self._files = files
        self._kmers = kmers

    def blocks(self) -> Iterator[Block]:
        """The rows, a row group at a time.

        Raises:
            OutputError: a part is gone or damaged.
        """
        for file, part in self._parts:
            for index in range(part.groups):
                with self._faults_of(file):
                    codes, counts = part.read_group(index)
                yield memoryview(codes).cast("Q"), memoryview(counts).cast("Q")

    def get(self, codes: array[int]) -> array[int]:
        """The count of each code, 0 where there is none; the codes are sorted.

        Raises:
            OutputError: a part is gone or damaged.
        """
        found = array("Q", bytes(8 * len(codes)))
        start = 0
        for file, part in self._parts:
            if part.last_code is not None:
                end = bisect_right(codes, part.last_code, start)
                if start < end:
                    with self._faults_of(file):
                        found[start:end] = array("Q", part.get(codes[start:end]))
                start = end
        return found

    @cached_property
    def _parts(self) -> list[tuple[PartFile, KmerPart]]:
        parts = list(map_ahead(self._open, self._files, self._place.reads_ahead))
        found = list(zip(self._files, parts, strict=True))
        for (_, before), (file, part) in pairwise(found):
            ends = (before.last_code, part.first_code)
            if ends[0] is None or ends[1] is None or ends[0] >= ends[1]:
                raise self._damaged(file, "doesn't go on where the part before it ends")
        rows = sum(part.rows for part in parts)
        if rows != self._kmers.distinct:
            raise self._damaged(
                self._files[-1],
                f"the parts have {rows} rows, and the report {self._kmers.distinct} k-mers",
            )
        return found

    def _open(self, file: PartFile) -> KmerPart:
        def read(start_byte: int, end_byte: int) -> bytes:
            return b"".join(map(bytes, self._place.blocks(file.name, start_byte, end_byte)))

        with self._faults_of(file):
            part = KmerPart(read, file.size_bytes)
        if (part.k, part.canonical) != (self._kmers.k, self._kmers.canonical):
            raise self._damaged(file, "a part of another table")
        return part

    @contextmanager
    def _faults_of(self, file: PartFile) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise OutputError(f"{self._place.where(file.name)}: gone; run again") from error
        except ValueError as error:
            raise self._damaged(file, str(error)) from error

    def _damaged(self, file: PartFile, how: str) -> OutputError:
        return OutputError(
            f"{self._place.where(file.name)}: not what was written ({how}); run again with --fresh"
        )
