"""Inputs that can't be cut: inflated once, on a thread of its own, and cut as text."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Self

import msgspec

from fanfold._kernel import crc64nvme
from fanfold.archives.bgzf import BgzfSlice, gzi
from fanfold.archives.inflate import inflate
from fanfold.archives.tail import Tail
from fanfold.engine.fan_out import GRACE_SECONDS
from fanfold.errors import ArchiveError, FastaError, InputError, ParameterError
from fanfold.flow.first_text import FIRST_TEXT_BYTES, check_first_text
from fanfold.flow.memory import BLOCK_MEMORY_BYTES, Take, unbounded
from fanfold.flow.plan import MAX_SLICES, Plan, Slice
from fanfold.flow.results import Results
from fanfold.flow.run_folder import RunFolder
from fanfold.flow.scan import Watch, scan_stream
from fanfold.flow.slice_file import SliceResult
from fanfold.objects import check_unchanged

_BLOCKS_AHEAD = 8
"""Blocks of text, of at most 1 MiB, that wait for the scan."""

_GROWTH_STARTS, _GROWTH_STEP = 5000, 250
"""Slices that grow double in size every so many, from there on: the text's end isn't known."""


class TextMemory(NamedTuple):
    """The memory that an input's text may take.

    Attributes:
        take: is told of the memory that rows take, as they grow.
        window_bytes: the most for an archive's window; any amount when None.
    """

    take: Take = unbounded
    window_bytes: int | None = None


_ANY_MEMORY = TextMemory()


def scan_text(
    plan: Plan,
    results: Results,
    blocks: Iterable[memoryview],
    watch: Watch,
    *,
    memory: TextMemory = _ANY_MEMORY,
    scanning: Callable[[int], AbstractContextManager[None]] = lambda _index: nullcontext(),
) -> tuple[Plan, bytes | None]:
    """Inflate a plan's input, and scan its text slice by slice.

    Slices whose result is there are not scanned again.

    Args:
        plan: the plan.
        results: where its results are, and go.
        blocks: all bytes of the input, in order; each is done with when the next is asked for.
        watch: is told of bytes of the input that were read.
        memory: bounds what it takes.
        scanning: the block in which a slice is scanned, by its index.

    Returns:
        The plan that results, and the `.gzi` index, if the input is a BGZF file that can have one.

    Raises:
        ArchiveError: the archive is truncated or damaged.
        FastaError: no text that starts as this one does is FASTA.
        ParameterError: the text makes too many slices, or takes too much memory.
    """
    slices = list[Slice]()
    with _Inflating(plan, blocks, watch, memory) as inflating:
        text = _Text(inflating)
        while not slices or not text.ended():
            index, start_byte = len(slices), text.position_byte
            pieces = text.take(_slice_bytes(plan, index))
            with scanning(index):
                if results.get(index) is None:
                    result = scan_stream(
                        plan, Slice(index, start_byte, start_byte), pieces, memory.take
                    )
                    results.put(_ending(result, text.position_byte))
                for _ in pieces:
                    pass
            slices.append(Slice(index, start_byte, text.position_byte))
    return _whole_plan(plan, slices, inflating), inflating.gzi


def plan_text(
    folder: RunFolder,
    blocks: Iterable[memoryview],
    watch: Watch,
    memory: TextMemory = _ANY_MEMORY,
    max_text_bytes: int | None = None,
) -> Plan:
    """Inflate a plan's input, and write its text out in slices for tasks; the plan that results.

    Args and errors are those of `scan_text`; no more than ``max_text_bytes`` are written.

    Raises:
        InputError: there is more text than ``max_text_bytes``. What was written is removed.
        OutputError: a file can't be written.
    """
    plan, slices = folder.plan, list[Slice]()
    with _Inflating(plan, blocks, watch, memory, max_text_bytes) as inflating:
        text = _Text(inflating)
        try:
            while not slices or not text.ended():
                index, start_byte = len(slices), text.position_byte
                name = plan.object_name(index)
                pieces = _Summed(text.take(_slice_bytes(plan, index)))
                folder.objects.write(name, pieces)
                slices.append(
                    Slice(index, start_byte, text.position_byte, name, f"{pieces.crc64nvme:016x}")
                )
        except InputError:
            # No other run gets further, and what is written costs until it expires.
            folder.objects.remove(plan.object_name(index) for index in range(len(slices)))
            raise
    keep_gzi(folder, inflating.gzi)
    return _whole_plan(plan, slices, inflating)


def _slice_bytes(plan: Plan, index: int) -> int:
    """The size of a slice of text; the last one may have less."""
    if index == MAX_SLICES:
        raise ParameterError(
            f"{plan.source.name}: its text is more than {MAX_SLICES:,} slices of"
            f" {plan.slice_bytes} bytes; give a larger --slice-size, and --fresh"
        )
    doublings = max(0, index - _GROWTH_STARTS) // _GROWTH_STEP if plan.grows else 0
    return plan.slice_bytes << doublings


def _ending(result: SliceResult, end_byte: int) -> SliceResult:
    return msgspec.structs.replace(result, end_byte=end_byte, owned_end_byte=end_byte)


def keep_gzi(folder: RunFolder, gzi: bytes | None) -> None:
    """Write the `.gzi` index that the inflater made, if there is one, where the fold finds it."""
    if gzi is not None:
        folder.place.write(folder.plan.gzi_name, gzi)


def _whole_plan(plan: Plan, slices: list[Slice], inflating: _Inflating) -> Plan:
    return msgspec.structs.replace(
        plan,
        gzi_crc64nvme=None if inflating.gzi is None else f"{crc64nvme(inflating.gzi):016x}",
        slices=tuple(slices),
        object_crc64nvme=f"{inflating.crc64nvme:016x}",
        text_bytes=slices[-1].end_byte,
        object_bytes=inflating.object_bytes,
        garbage_bytes=inflating.garbage_bytes,
    )


class _Summed:
    """Pieces of text that pass through, with the CRC-64/NVME of those that did."""

    def __init__(self, pieces: Iterable[memoryview]) -> None:
        self.crc64nvme = 0
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.crc64nvme = crc64nvme(piece, self.crc64nvme)
            yield bytes(piece)


class _Text:
    """Text that comes in blocks and is taken in slices."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self.position_byte = 0
        self._blocks = iter(blocks)
        self._rest = memoryview(b"")

    def ended(self) -> bool:
        """Whether all of it was taken; waits for the next block if need be."""
        if not self._rest:
            self._rest = memoryview(next(self._blocks, b""))
        return not self._rest

    def take(self, count_bytes: int) -> Iterator[memoryview]:
        """The next `count_bytes`, or what there is."""
        end_byte = self.position_byte + count_bytes
        while self.position_byte < end_byte and not self.ended():
            piece = self._rest[: end_byte - self.position_byte]
            self._rest = self._rest[len(piece) :]
            self.position_byte += len(piece)
            yield piece


class _Inflating:
    """The text of a plan's input, inflated on a thread that runs a few blocks ahead.

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
        self._queue: queue.Queue[bytes | BaseException] = queue.Queue(_BLOCKS_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._inflate, name="fanfold-inflate", daemon=True)

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
            text_bytes = 0
            for text in self._checked(self._text()):
                if self._stopped.is_set():
                    return
                text_bytes += len(text)
                self._check_size(text_bytes)
                self._watch(0)  # a block of the input may have gigabytes of text
                self._queue.put(text)
            self._queue.put(b"")
        except BaseException as error:
            self._queue.put(self._told(error))

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
            yield from inflate(source, compression, blocks, self._memory.window_bytes, tail)
            self.garbage_bytes = tail.garbage_bytes

    def _object_blocks(self) -> Iterator[memoryview]:
        for block in self._blocks:
            self.crc64nvme = crc64nvme(block, self.crc64nvme)
            self.object_bytes += len(block)
            yield block
            self._watch(len(block))
