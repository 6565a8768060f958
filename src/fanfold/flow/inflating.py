"""The text of an input that can't be cut, checked as it is inflated."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

import msgspec

from fanfold._kernel import crc64nvme
from fanfold.archives.bgzf import BgzfSlice, gzi
from fanfold.archives.inflate import inflate
from fanfold.archives.starts import Starts
from fanfold.archives.tail import Tail
from fanfold.engine.fan_out import GRACE_SECONDS
from fanfold.errors import ArchiveError, FastaError, InputError
from fanfold.flow.first_text import FIRST_TEXT_BYTES, check_first_text
from fanfold.flow.memory import BLOCK_MEMORY_BYTES, Take, unbounded
from fanfold.flow.plan import Plan, Slice
from fanfold.flow.scan import Watch
from fanfold.objects import check_unchanged

_BLOCKS_AHEAD = 8
"""Blocks of text, of at most 1 MiB, that wait for the scan."""


class TextMemory(NamedTuple):
    """The memory that an input's text may take.

    Attributes:
        take: is told of the memory that rows take, as they grow.
        window_bytes: the most for an archive's window; any amount when None.
    """

    take: Take = unbounded
    window_bytes: int | None = None


class Inflating:
    """The text of a plan's input, inflated on a thread that runs a few blocks ahead, or `here`.

    Attributes:
        crc64nvme: the CRC-64/NVME of the object, once all text was taken.
        object_bytes: its size, then.
        gzi: its `.gzi` index, then, if it is a BGZF file that can have one.
        garbage_bytes: how many bytes after the archive's end were ignored, then.
    """

    def __init__(
        self,
        plan: Plan,
        blocks: Iterable[memoryview],
        watch: Watch,
        memory: TextMemory,
        max_text_bytes: int | None = None,
    ) -> None:
        self.crc64nvme = 0
        self.object_bytes = 0
        self.gzi: bytes | None = None
        self.garbage_bytes = 0
        self._plan = plan
        self._blocks = blocks
        self._watch = watch
        self._memory = memory
        self._max_text_bytes = max_text_bytes
        self._starts: Starts | None = None
        self._queue: queue.Queue[bytes | BaseException] = queue.Queue(_BLOCKS_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._inflate, name="fanfold-inflate", daemon=True)

    def whole_plan(self, slices: list[Slice]) -> Plan:
        """The plan with its slices, and what is known now that all text was taken."""
        return msgspec.structs.replace(
            self._plan,
            gzi_crc64nvme=None if self.gzi is None else f"{crc64nvme(self.gzi):016x}",
            slices=tuple(slices),
            object_crc64nvme=f"{self.crc64nvme:016x}",
            text_bytes=slices[-1].end_byte,
            object_bytes=self.object_bytes,
            garbage_bytes=self.garbage_bytes,
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopped.set()
        # It may wait for a pipe that has no more for now, which nothing ends.
        end = time.monotonic() + GRACE_SECONDS
        while self._thread.is_alive() and time.monotonic() < end:
            with contextlib.suppress(queue.Empty):
                self._queue.get(timeout=0.01)  # the thread may be waiting for room

    def __iter__(self) -> Iterator[bytes]:
        while block := self._queue.get():
            if isinstance(block, BaseException):
                raise block
            yield block

    def _inflate(self) -> None:
        try:
            for text in self._measured():
                if self._stopped.is_set():
                    return
                self._queue.put(text)
            self._queue.put(b"")
        except BaseException as error:
            self._queue.put(self._told(error))

    def here(self, starts: Starts) -> Iterator[bytes]:
        """The text of a gzip object, inflated on the caller's thread; `starts` is told of it."""
        self._starts = starts
        try:
            yield from self._measured()
        except (ArchiveError, FastaError) as error:
            raise self._told(error) from None

    def _measured(self) -> Iterator[bytes]:
        """Text that passes through, unless there is too much of it, or the work has to stop."""
        text_bytes = 0
        for text in self._checked(self._text()):
            text_bytes += len(text)
            self._check_size(text_bytes)
            self._watch(0)  # a block of the input may have gigabytes of text
            yield text

    def _checked(self, texts: Iterator[bytes]) -> Iterator[bytes]:
        """Text that passes through, once enough of it shows that it may become FASTA."""
        first, is_checked = bytearray(), False
        for text in texts:
            if not is_checked:
                first += text[:FIRST_TEXT_BYTES]
                is_checked = len(first) >= FIRST_TEXT_BYTES
                if is_checked:
                    self._check_first(first)
            yield text
        if not is_checked:
            self._check_first(first)

    def _check_first(self, text: bytearray) -> None:
        plan = self._plan
        check_first_text(plan.source, plan.compression, bytes(text[:FIRST_TEXT_BYTES]))

    def _check_size(self, text_bytes: int) -> None:
        most_bytes = self._max_text_bytes
        if most_bytes is not None and text_bytes > most_bytes:
            raise InputError(
                self._plan.source.name,
                most_bytes,
                f"its text is more than {most_bytes} bytes, the most that is inflated here; raise"
                " max_text_bytes",
            )

    def _told(self, error: BaseException) -> BaseException:
        """The error, or that the input changed: a mixture of two objects is no damage.

        Not for whoever takes the text to find out: a store may take it amid another request.
        """
        if isinstance(error, (ArchiveError, FastaError)):
            try:
                check_unchanged(self._plan.source)
            except BaseException as changed:
                return changed
        return error

    def _text(self) -> Iterator[bytes]:
        source, compression = self._plan.source, self._plan.compression
        ignores_garbage = self._plan.parameters.ignores_garbage
        blocks = self._object_blocks()
        if compression == "none":
            yield from map(bytes, blocks)
        elif compression == "bgzf":
            whole = BgzfSlice(
                source, 0, sys.maxsize, blocks=blocks, ignores_garbage=ignores_garbage
            )
            blocks_seen = 0
            for text in whole:
                blocks_new = len(whole.block_start_bytes) - blocks_seen
                self._memory.take(BLOCK_MEMORY_BYTES * blocks_new)
                blocks_seen += blocks_new
                if text:
                    yield text
            self.garbage_bytes = whole.garbage_bytes
            if not whole.has_plain_member:
                self.gzi = gzi(whole.block_start_bytes, whole.block_text_bytes)
        else:
            tail = Tail(source, is_ignored=ignores_garbage)
            if self._starts is None:
                yield from inflate(source, compression, blocks, self._memory.window_bytes, tail)
            else:
                yield from self._starts.inflate(source, blocks, tail)
            self.garbage_bytes = tail.garbage_bytes

    def _object_blocks(self) -> Iterator[memoryview]:
        for block in self._blocks:
            self.crc64nvme = crc64nvme(block, self.crc64nvme)
            self.object_bytes += len(block)
            yield block
            self._watch(len(block))
