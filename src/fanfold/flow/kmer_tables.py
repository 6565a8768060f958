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

from fanfold._kernel import Findings, KmerCount, PackedText
from fanfold.engine.progress import Watch
from fanfold.errors import OutputError, ParameterError, ProofError
from fanfold.flow.memory import Allowed
from fanfold.flow.phases import log_counted
from fanfold.flow.publication import Ready, remove_counts
from fanfold.flow.results import Results
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

_SHARE_OF_ARENA = 0.6
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

    Results pass through it on their way to where they are kept: a slice has to be scanned, though
    an earlier run has kept its result, as long as its text is not here.

    Args:
        results: where the results are kept.
        allowed: what the run may take of memory.
        name: the input's.
    """

    def __init__(self, results: Results, allowed: Allowed, name: str) -> None:
        self._results = results
        self._allowed = allowed
        self._name = name
        self._texts: dict[int, PackedText] = {}
        self._text_bytes = 0
        self._lock = threading.Lock()

    def put(self, result: SliceResult) -> None:
        """Keep a result, and its text.

        Raises:
            ParameterError: there is more text than memory for it.
        """
        if result.packed is not None:
            with self._lock:
                before = self._texts.get(result.index)
                self._texts[result.index] = result.packed
                self._text_bytes += result.packed.size_bytes
                self._text_bytes -= 0 if before is None else before.size_bytes
            self.room_bytes()
        self._results.put(result)

    def get(self, index: int) -> SliceResult | None:
        """The result of a slice whose text is here."""
        return self._results.get(index) if index in self.indexes else None

    def all(self) -> Iterator[tuple[int, SliceResult | None]]:
        """Every slice's index and result, in order."""
        return self._results.all()

    def missing(self) -> set[int]:
        """Slices without a result."""
        return self._results.missing()

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
        if self._allowed.memory_bytes is None or self._allowed.rows_bytes is None:
            return _USUAL_BYTES
        left_bytes = self._allowed.rows_bytes - self._text_bytes
        if left_bytes < _LEAST_BYTES:
            needed_bytes = self._allowed.memory_bytes + _LEAST_BYTES - left_bytes
            raise _too_little(self._name, needed_bytes)
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
    folder: RunFolder, packed: PackedSlices | None, findings: Findings, workers: int, watch: Watch
) -> Iterator[dict[int, CountedTable]]:
    """The tables of a folded input, for as long as it takes to publish them.

    Args:
        folder: where the results are.
        packed: the text of its slices; None if no large k is asked for.
        findings: what they show together.
        workers: on how many threads to count.
        watch: tells whether the work has to stop.

    Raises:
        OutputError: a part can't be written.
        ParameterError: there is too little memory.
        ProofError: the count contradicts itself.
    """
    if packed is None:
        yield {}
        return
    parameters = folder.plan.parameters
    with ExitStack() as stack:
        tables = {}
        for k in parameters.large_k:
            work = stack.enter_context(_work_folder(folder, k))
            count = KmerCount(
                [*packed.texts, findings.packed],
                k,
                parameters.canonical,
                workers,
                int(_SHARE_OF_ARENA * packed.room_bytes()),
            )
            tables[k] = _table(k, parameters, work, _counted(count, work, watch))
            log_counted(folder.plan, tables[k].kmers)
        yield tables


def _counted(count: KmerCount, work: Path, watch: Watch) -> dict[str, Any]:
    """What a count finds, on a thread, so that the work can be stopped meanwhile."""
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
    kmers = kmers_of(
        k,
        found["spectrum"],
        (found["top"], found["bottom"]),
        canonical=parameters.canonical,
        table=kmer_folder(k),
    )
    parts = {
        f"{kmer_folder(k)}/{name}": Ready(work / name, FileFacts(size_bytes, f"{crc:016x}"))
        for name, _rows, size_bytes, crc in found["parts"]
    }
    rows = "".join(f"{times}\t{distinct}\n" for times, distinct in kmers.spectrum)
    return CountedTable(kmers, parts, rows.encode())


@contextmanager
def _work_folder(folder: RunFolder, k: int) -> Iterator[Path]:
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
