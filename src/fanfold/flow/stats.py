"""Statistics of genomes, with nothing written: the flow of `run`, with its results in memory."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from fanfold.engine.ahead import map_ahead
from fanfold.engine.fan_out import Engine, fan_out, opened
from fanfold.engine.progress import Progress, Watch
from fanfold.exhaustion import exhaustion_in_words
from fanfold.flow.fold import fold_results
from fanfold.flow.genome import Genome, open_unnamed
from fanfold.flow.inflating import TextMemory
from fanfold.flow.inputs import Input, find_inputs, labelled
from fanfold.flow.made import Made, check_checksum, check_notes, made_of
from fanfold.flow.memory import Allowed, RowsMemory, divide
from fanfold.flow.phases import log_folded, log_planned, log_scanned
from fanfold.flow.plan import Plan, Slice, default_slice_bytes
from fanfold.flow.results import MemoryResults, Results
from fanfold.flow.scan import scan_range
from fanfold.flow.slice_file import SliceResult
from fanfold.flow.uncut import scan_text
from fanfold.objects import (
    BinaryFile,
    check_unchanged,
    is_location,
    is_remote,
    path_of,
    paths_of,
    read_blocks,
    shown,
    stored_checksum,
)
from fanfold.params import (
    DEFAULT_SLICE_BYTES,
    Alphabet,
    Params,
    TrailingGarbage,
    check_alphabet,
    check_call,
    check_params,
    check_texts,
)
from fanfold.report.notes import ARCHIVE, Note
from fanfold.report.statistics import Statistics, nx_of, statistics_of
from fanfold.report.view import DEFAULT_VIEW, View, check_view
from fanfold.shown import describe

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Measured(NamedTuple):
    """A genome whose statistics are known.

    Attributes:
        statistics: them.
        nx: N(1) to N(100) of the records in view; empty where they have no residues.
        notes: what is unusual, however the genome is packed.
    """

    statistics: Statistics
    nx: tuple[int, ...]
    notes: tuple[Note, ...]

    def __repr__(self) -> str:
        found = self.statistics
        return (
            f"<Measured sequences={found.sequences} length={found.length} N50={found.N50}"
            f" gc_percent={found.gc_percent}>"
        )


class OutcomeOfStats(NamedTuple):
    """What came of one genome of many.

    Attributes:
        location: its path or URL.
        measured: its statistics; None when it failed.
        error: why it failed; None when it didn't.
        seconds: how long it took.
        label: what the caller calls it, if that is not its location.
    """

    location: str
    measured: Measured | None
    error: Exception | None
    seconds: float
    label: str | None = None

    def __repr__(self) -> str:
        came = describe(self.error) if self.measured is None else repr(self.measured)
        return f"<OutcomeOfStats {shown(self.location)!r}: {came}>"


@exhaustion_in_words()
def stats(
    location: str | os.PathLike[str] | Buffer | BinaryFile,
    *,
    view: View = DEFAULT_VIEW,
    alphabet: Alphabet = "any",
    workers: int | None = None,
    memory_bytes: int | None = None,
    trailing_garbage: TrailingGarbage = "refuse",
    name: str | None = None,
    progress: Progress | None = None,
) -> Measured:
    """The statistics of a FASTA object. Nothing is written.

    Args:
        location: its path, its URL, ``-`` for standard input, its bytes, or a binary file, as in
            `run`.
        view: how lengths and gaps are looked at.
        alphabet: ``dna`` to refuse what looks like protein or RNA; ``any`` takes it, with a note.
        workers: threads; one a core when None.
        memory_bytes: the most memory to use; more is refused, and fewer threads run.
        trailing_garbage: see `run`.
        name: what errors call standard input, bytes or a file.
        progress: is told how far it is; see `Progress`.

    Raises:
        FanfoldError: see `fanfold.errors`.
    """
    asked = _asked(view, trailing_garbage, alphabet)
    check_texts(name=name)
    check_call("progress", progress)
    if is_location(location):
        location = path_of(location)
    from_store = is_location(location) and is_remote(location)
    workers, allowed = divide(memory_bytes, workers, is_remote=from_store)
    genome = open_unnamed(location) if name is None else Genome(location, name)
    with opened(None, workers) as engine:
        return _measured(engine, genome, asked, allowed, progress=progress)


def stats_many(
    locations: Iterable[str | os.PathLike[str]],
    *,
    labels: Iterable[str | None] | None = None,
    view: View = DEFAULT_VIEW,
    alphabet: Alphabet = "any",
    workers: int | None = None,
    memory_bytes: int | None = None,
    trailing_garbage: TrailingGarbage = "refuse",
) -> Iterator[OutcomeOfStats]:
    """The statistics of many FASTA objects on one pool, as they are ready, in the order given.

    One that fails doesn't stop the others. Nothing is written.

    Args:
        locations: as in `stats`, as are the other arguments; and folders, prefixes and globs, as
            in `run_many`.
        labels: what to call each, or None; without it, none has a label.
        view: see `stats`.
        alphabet: see `stats`.
        workers: see `stats`.
        memory_bytes: see `stats`; the genomes that are under way share it.
        trailing_garbage: see `run`.

    Raises:
        ParameterError: an argument can't be: nothing was started.
        SourceError: a folder or prefix has no FASTA object, or nothing matches a glob.
    """
    asked = _asked(view, trailing_garbage, alphabet)
    inputs = find_inputs(labelled(paths_of(locations), labels))
    any_remote = any(is_remote(each.location) for each in inputs)
    workers, allowed = divide(memory_bytes, workers, is_remote=any_remote)
    ahead = max(1, min(len(inputs), workers))
    # The one that the consumer waits for, and those ahead of it.
    allowed = allowed._replace(runs=ahead + 1)
    return _in_order(inputs, asked, workers, ahead, allowed)


class _Asked(NamedTuple):
    view: View
    parameters: Params
    alphabet: Alphabet


def _asked(view: View, trailing_garbage: TrailingGarbage, alphabet: Alphabet) -> _Asked:
    parameters = check_params((), canonical=False, trailing_garbage=trailing_garbage)
    return _Asked(check_view(view), parameters, check_alphabet(alphabet))


def _in_order(
    inputs: list[Input], asked: _Asked, workers: int, ahead: int, allowed: Allowed
) -> Iterator[OutcomeOfStats]:
    stopped = threading.Event()

    with opened(None, workers) as engine:

        def measure(given: Input) -> OutcomeOfStats:
            started = time.monotonic()
            found, failure = None, None
            try:
                with exhaustion_in_words():
                    genome = open_unnamed(given.location)
                    found = _measured(engine, genome, asked, allowed, stopped=stopped)
            except Exception as error:
                failure = error
            seconds = time.monotonic() - started
            return OutcomeOfStats(given.location, found, failure, seconds, given.label)

        try:
            with closing(map_ahead(measure, inputs, ahead)) as outcomes:
                yield from outcomes
        finally:
            stopped.set()


def _measured(
    engine: Engine,
    genome: Genome,
    asked: _Asked,
    allowed: Allowed,
    *,
    progress: Progress | None = None,
    stopped: threading.Event | None = None,
) -> Measured:
    watch = Watch(genome.source.size_bytes, progress, stopped)
    report, survey, _ = analyse(
        engine, genome, asked.parameters, asked.view, allowed=allowed, watch=watch
    )
    check_notes(genome.source.name, report.notes, asked.alphabet)
    notes = tuple(each for each in report.notes if each.kind != ARCHIVE)
    return Measured(statistics_of(report), nx_of(survey), notes)


def analyse(
    engine: Engine,
    genome: Genome,
    parameters: Params,
    view: View,
    *,
    allowed: Allowed,
    watch: Watch,
) -> Made:
    """What `run` reports of a genome, with nothing written.

    Args:
        engine: runs the tasks: threads of this process.
        genome: the input.
        parameters: what is asked.
        view: how lengths and gaps are looked at.
        allowed: the memory that it may take.
        watch: counts the bytes that are read.

    Raises:
        FanfoldError: see `fanfold.errors`.
    """
    source = genome.source
    slice_bytes = DEFAULT_SLICE_BYTES
    if not source.is_stream:
        slice_bytes = default_slice_bytes(source.size_bytes, engine.workers or 1)
    plan = genome.plan(parameters, slice_bytes, is_kept=False)
    log_planned(plan)
    results = MemoryResults(plan)
    rows = RowsMemory(source.name, allowed)

    def take(more_bytes: int) -> None:
        rows.take(more_bytes, watch.done_share)

    def scan(each: Slice, begin_byte: int | None = None) -> SliceResult:
        watch.check()
        read = partial(read_blocks, source)
        return scan_range(plan, each, read, watch.advance, take=take, begin_byte=begin_byte)

    if plan.slices is None:
        plan = _scan_stream(genome, plan, results, allowed, watch)
    elif len(plan.slices) == 1:  # many genomes are as small as that, and each has a thread
        results.put(scan(plan.slices[0]))
    else:
        fan_out(engine, scan, plan.slices, lambda _, result: results.put(result), watch)
    log_scanned(plan, watch.read_bytes)
    found = ((each.index, results.get(each.index)) for each in plan.known_slices())
    folded = fold_results(plan, found, scan)
    log_folded(plan, folded.findings)
    check_unchanged(source)
    check_checksum(plan, folded, stored_checksum(source))
    return made_of(plan, folded, view)


def _scan_stream(
    genome: Genome, plan: Plan, results: Results, allowed: Allowed, watch: Watch
) -> Plan:
    """Inflate an input that can't be cut, and scan its text on the way; the plan that results."""
    allowed, window_bytes = allowed.beside_window(plan.compression)
    # What is inflated runs ahead of what is scanned: the share that is done isn't known.
    memory = TextMemory(RowsMemory(genome.source.name, allowed).take, window_bytes)
    return scan_text(plan, results, genome.blocks(), watch.advance, memory=memory)[0]
