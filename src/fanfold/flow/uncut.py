"""Inputs that can't be cut: inflated once, and cut as text.

A run on threads scans the text as it comes. For tasks, the text is written out in slices; but of a
gzip object they get the windows of start points, from which each inflates its slice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

import msgspec

from fanfold._kernel import crc64nvme
from fanfold.archives.starts import Start, Starts
from fanfold.errors import ArchiveError, InputError, ParameterError
from fanfold.flow.inflating import Inflating, TextMemory
from fanfold.flow.plan import MAX_SLICES, Plan, Slice
from fanfold.flow.results import Results
from fanfold.flow.run_folder import RunFolder
from fanfold.flow.scan import Watch, scan_stream
from fanfold.flow.slice_file import SliceResult
from fanfold.objects import read_blocks

_WINDOWS_AHEAD = 8
"""Windows that are written at once, while the next text is inflated."""

_GROWTH_STARTS, _GROWTH_STEP = 5000, 250
"""Slices that grow double in size every so many, from there on: the text's end isn't known."""


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
    with Inflating(plan, blocks, watch, memory) as inflating:
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
    return inflating.whole_plan(slices), inflating.gzi


def plan_text(
    folder: RunFolder,
    blocks: Iterable[memoryview],
    watch: Watch,
    memory: TextMemory = _ANY_MEMORY,
    max_text_bytes: int | None = None,
) -> Plan:
    """Inflate a plan's input, and write what its tasks need of it; the plan that results.

    That is the text, in slices; or, of a gzip object whose ranges can be read, the windows of its
    start points. Args and errors are those of `scan_text`; there is a limit of ``max_text_bytes``.

    Raises:
        InputError: there is more text than ``max_text_bytes``. What was written is removed.
        OutputError: a file can't be written.
    """
    source = folder.plan.source
    if folder.plan.compression == "gzip" and not source.is_stream:
        try:
            return _plan_starts(
                folder, Inflating(folder.plan, blocks, watch, memory, max_text_bytes)
            )
        except ArchiveError:
            # A run on threads inflates with another library. What one refuses the other may take:
            # what an archive holds, and what is wrong with it, is that one's to say.
            blocks = read_blocks(source, 0, source.size_bytes)
    plan, slices = folder.plan, list[Slice]()
    with Inflating(plan, blocks, watch, memory, max_text_bytes) as inflating:
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
    return inflating.whole_plan(slices)


def _plan_starts(folder: RunFolder, inflating: Inflating) -> Plan:
    """Inflate a plan's input, a gzip object, and write the windows of its slices' start points."""
    plan, slices = folder.plan, list[Slice]()

    def write(begun: tuple[int, Start]) -> None:
        index, start = begun
        if start.window is not None:
            folder.objects.write(plan.window_name(index), start.window)

    folder.objects.prepare(plan.windows_folder)
    folder.objects.sweep(plan.windows_folder)
    try:
        with ThreadPoolExecutor(_WINDOWS_AHEAD, "fanfold-window") as pool:
            under_way = deque[Future[None]]()
            for begun in _cut_at_starts(plan, inflating, slices):
                under_way.append(pool.submit(write, begun))
                if len(under_way) > _WINDOWS_AHEAD:
                    under_way.popleft().result()
            for each in under_way:
                each.result()
    except InputError:
        folder.objects.remove(plan.window_name(index) for index in range(1, len(slices) + 1))
        folder.objects.remove_folder(plan.windows_folder)
        raise
    return inflating.whole_plan(slices)


def _cut_at_starts(
    plan: Plan, inflating: Inflating, slices: list[Slice]
) -> Iterator[tuple[int, Start]]:
    """Inflate a gzip object: where slices begin, but for the first. Each is added at its end."""
    starts = Starts(lambda index: _grown_bytes(plan, index))
    start, end_byte, crc = Start(0, 0, None), 0, 0

    def end() -> None:
        index = len(slices)
        name = None if start.window is None else plan.window_name(index)
        slices.append(Slice(index, start.text_byte, end_byte, name, f"{crc:016x}", start.bit))

    for text in inflating.here(starts):
        if starts.begun is not None:
            end()
            start, crc = starts.begun, 0
            _check_count(plan, len(slices))
            yield len(slices), start
        crc = crc64nvme(text, crc)
        end_byte += len(text)
    end()


def _slice_bytes(plan: Plan, index: int) -> int:
    """The size of a slice of text; the last one may have less."""
    _check_count(plan, index)
    return _grown_bytes(plan, index)


def _grown_bytes(plan: Plan, index: int) -> int:
    doublings = max(0, index - _GROWTH_STARTS) // _GROWTH_STEP if plan.grows else 0
    return plan.slice_bytes << doublings


def _check_count(plan: Plan, index: int) -> None:
    if index == MAX_SLICES:
        raise ParameterError(
            f"{plan.source.name}: its text is more than {MAX_SLICES:,} slices of"
            f" {plan.slice_bytes} bytes; give a larger --slice-size, and --fresh"
        )


def _ending(result: SliceResult, end_byte: int) -> SliceResult:
    return msgspec.structs.replace(result, end_byte=end_byte, owned_end_byte=end_byte)


def keep_gzi(folder: RunFolder, gzi: bytes | None) -> None:
    """Write the `.gzi` index that the inflater made, if there is one, where the fold finds it."""
    if gzi is not None:
        folder.place.write(folder.plan.gzi_name, gzi)


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
