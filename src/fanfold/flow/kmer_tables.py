"""Tables of k-mers from 9 on: the scan packs text, and when all is folded, it is counted.

slices ──scan──▶ packed text ─┐
merges ──fold──▶ what joins ──┴─▶ count ──▶ parts of a table, for each k
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from fanfold._kernel import Findings, KmerCount, PackedText
from fanfold.engine.progress import Watch
from fanfold.errors import OutputError, ParameterError, ProofError
from fanfold.flow.memory import Allowed
from fanfold.flow.phases import log_counted
from fanfold.flow.publication import Ready, remove_counts
from fanfold.flow.run_folder import RunFolder
from fanfold.flow.slice_file import SliceResult
from fanfold.objects import LocalPlace, local_reason
from fanfold.params import Params
from fanfold.report.making import kmers_of
from fanfold.report.master import Kmers
from fanfold.report.run_record import FileFacts, kmer_folder

_MIB = 1024**2

_USUAL_BYTES = 512 * _MIB
"""Memory for the k-mers of a count, where nobody says how much: more makes it hardly faster."""

_LEAST_BYTES = 32 * _MIB
"""With less than this, a count would read the text again and again."""

_BYTES_A_BASE = 0.3
"""What packed text takes: 2 bits, and what is told of each piece."""

SHARE_OF_ARENA = 0.6
"""Of the memory for k-mers: the rest is for putting them in order, and for what is written."""

_LOOK_SECONDS = 0.2
"""How often a count is left to see whether the work has to stop."""


class CountedTable(NamedTuple):
    """A table that was counted, and is not in its place yet.

    Attributes:
        kmers: what the report says of it.
        parts: its files by their names in the report.
        spectrum: the bytes of its ``.hist``.
    """

    kmers: Kmers
    parts: Mapping[str, Ready]
    spectrum: bytes


class PackedSlices:
    """The packed text of a run's slices, in memory.

    Args:
        allowed: what the run may take of memory.
        name: the input's.
    """

    def __init__(self, allowed: Allowed, name: str) -> None:
        self._allowed = allowed
        self._name = name
        self._texts: dict[int, PackedText] = {}
        self._text_bytes = 0
        self._lock = threading.Lock()

    def put(self, index: int, text: PackedText) -> None:
        """Keep the text of a slice, in place of what is there.

        Raises:
            ParameterError: there is more text than memory for it.
        """
        with self._lock:
            before = self._texts.get(index)
            self._texts[index] = text
            self._text_bytes += text.size_bytes
            self._text_bytes -= 0 if before is None else before.size_bytes
        self.room_bytes()

    @property
    def indexes(self) -> set[int]:
        """The slices whose text is here."""
        with self._lock:
            return {*self._texts}

    @property
    def texts(self) -> list[PackedText]:
        """All text."""
        with self._lock:
            return [*self._texts.values()]

    def room_bytes(self) -> int:
        """The memory that a count may take beside the text.

        Raises:
            ParameterError: too little is left for it.
        """
        return room_bytes(self._allowed, self._text_bytes, self._name)


class PackingResults:
    """Results of slices on their way to where they are kept: their text goes to memory.

    An earlier run's results are there without text, so that their slices are scanned again.

    Args:
        packed: takes the text.
        folder: keeps the results.
    """

    def __init__(self, packed: PackedSlices, folder: RunFolder) -> None:
        self._packed = packed
        self._folder = folder

    def put(self, result: SliceResult) -> None:
        """Keep a result and its text."""
        if result.packed is not None:
            self._packed.put(result.index, result.packed)
        self._folder.put(msgspec.structs.replace(result, packed=None))

    def get(self, index: int) -> SliceResult | None:
        """The result of a slice whose text is there."""
        return self._folder.get(index) if index in self._packed.indexes else None

    def all(self) -> Iterator[tuple[int, SliceResult | None]]:
        """Every slice's index and result, in order."""
        return self._folder.all()

    def missing(self) -> set[int]:
        """Slices without a result, or without text."""
        indexes = {each.index for each in self._folder.slices}
        return self._folder.missing() | (indexes - self._packed.indexes)


def room_bytes(allowed: Allowed, text_bytes: int, name: str) -> int:
    """The memory that a count may take beside its text.

    Args:
        allowed: what is allowed in all.
        text_bytes: what the text takes.
        name: the input's.

    Raises:
        ParameterError: too little is left.
    """
    if allowed.memory_bytes is None or allowed.rows_bytes is None:
        return _USUAL_BYTES
    left_bytes = allowed.rows_bytes - text_bytes
    if left_bytes < _LEAST_BYTES:
        raise _too_little(name, allowed.memory_bytes + _LEAST_BYTES - left_bytes)
    return left_bytes


def check_memory(name: str, size_bytes: int | None, parameters: Params, allowed: Allowed) -> None:
    """Check, before work starts, that the text of an input can be packed and counted.

    Args:
        name: the input's.
        size_bytes: that of its text, if it is known.
        parameters: what is asked.
        allowed: what the run may take of memory.

    Raises:
        ParameterError: it can't.
    """
    if not parameters.large_k or allowed.rows_bytes is None or allowed.memory_bytes is None:
        return
    needed_bytes = int((size_bytes or 0) * _BYTES_A_BASE) + _LEAST_BYTES
    if needed_bytes > allowed.rows_bytes:
        raise _too_little(name, allowed.memory_bytes + needed_bytes - allowed.rows_bytes)


def _too_little(name: str, needed_bytes: int) -> ParameterError:
    return ParameterError(
        f"{name}: its k-mers can't be counted in so little memory; give --memory"
        f" {needed_bytes // _MIB + 1}MiB or more"
    )


@contextmanager
def counted_tables(
    folder: RunFolder, packed: PackedSlices, workers: int, watch: Watch, findings: Findings
) -> Iterator[dict[int, CountedTable]]:
    """The tables of a folded input, for as long as it takes to publish them.

    Args:
        folder: where the results are.
        packed: the text of its slices.
        workers: on how many threads to count.
        watch: tells whether the work has to stop.
        findings: what the slices show together.

    Raises:
        OutputError: a part can't be written.
        ParameterError: there is too little memory.
        ProofError: the count contradicts itself.
    """
    parameters = folder.plan.parameters
    with ExitStack() as stack:
        tables = {}
        for k in parameters.large_k:
            work = stack.enter_context(work_folder(folder, k))
            count = KmerCount(
                [*packed.texts, findings.packed],
                k,
                parameters.canonical,
                workers,
                int(SHARE_OF_ARENA * packed.room_bytes()),
                (0, 1),
            )
            tables[k] = _table(k, parameters, work, counted(count, work, watch))
            log_counted(folder.plan, tables[k].kmers)
        yield tables


def counted(count: KmerCount, work: Path, watch: Watch) -> dict[str, Any]:
    """What a count finds, on a thread, so that the work can be stopped meanwhile.

    Raises:
        OutputError: a part can't be written.
        ProofError: the count contradicts itself.
    """
    with ThreadPoolExecutor(1, "fanfold-kmers") as pool:
        future = pool.submit(count.run, work)
        try:
            while not future.done():
                watch.check()
                wait([future], _LOOK_SECONDS)
        except BaseException:
            count.stop()
            raise
    try:
        return future.result()
    except OSError as error:
        raise OutputError(
            f"{work}: can't be written: {local_reason(error)}; check space and rights, then run"
            " again"
        ) from error
    except RuntimeError as error:
        raise ProofError(f"the count contradicts itself ({error}); please report this") from error


def _table(k: int, parameters: Params, work: Path, found: Mapping[str, Any]) -> CountedTable:
    parts = {
        name: Ready(work / name, FileFacts(size_bytes, f"{crc:016x}"))
        for name, _rows, size_bytes, crc in found["parts"]
    }
    return table_of(k, parameters, found["spectrum"], (found["top"], found["bottom"]), parts)


def table_of(
    k: int,
    parameters: Params,
    spectrum: list[tuple[int, int]],
    listed: tuple[list[tuple[str, int]], list[tuple[str, int]]],
    parts: Mapping[str, Ready],
) -> CountedTable:
    """A table that was counted.

    Args:
        k: the length of its k-mers.
        parameters: what is asked.
        spectrum: how many k-mers have each multiplicity, ascending.
        listed: the most and the least frequent.
        parts: its files, by their names in its folder.
    """
    folder = kmer_folder(k)
    kmers = kmers_of(k, spectrum, listed, canonical=parameters.canonical, table=folder)
    rows = "".join(f"{times}\t{distinct}\n" for times, distinct in kmers.spectrum)
    ready = {f"{folder}/{name}": file for name, file in parts.items()}
    return CountedTable(kmers, ready, rows.encode())


@contextmanager
def work_folder(folder: RunFolder, k: int) -> Iterator[Path]:
    """A folder on this machine for the parts of a table; it is gone after the block.

    Beside the slices' results, where these are on a disk: so the parts can be moved into place.
    """
    place = folder.place
    if not isinstance(place, LocalPlace):
        import tempfile  # noqa: PLC0415 - for those who write to a store

        with tempfile.TemporaryDirectory(prefix="fanfold-") as work:
            yield Path(work)
        return
    below = folder.plan.kmer_folder(k)
    place.prepare(below)
    try:
        yield Path(place.where(below))
    finally:
        remove_counts(place, [folder.plan.id])
