"""The run: plan, fan out over the slices, fold in, report."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from fanfold._kernel import Findings
from fanfold.engine.fan_out import Engine, fan_out, opened
from fanfold.engine.progress import Observer, Progress, Watch
from fanfold.errors import MissingCountsError, MissingSlicesError, ParameterError
from fanfold.exhaustion import exhaustion_in_words
from fanfold.flow import tasks
from fanfold.flow.claim import Asked, check, claim
from fanfold.flow.contents import read_finished
from fanfold.flow.finish import LAG_SECONDS, Scanned, fold_in, wait_for_lagging
from fanfold.flow.genome import Genome
from fanfold.flow.inflating import TextMemory
from fanfold.flow.inputs import check_label
from fanfold.flow.kept_text import KeptText, KeptTexts, results_of
from fanfold.flow.kmer_tables import (
    CountedTable,
    PackedSlices,
    PackingResults,
    check_memory,
    counted_tables,
)
from fanfold.flow.look import look_again
from fanfold.flow.made import check_notes
from fanfold.flow.memory import RowsMemory, divide
from fanfold.flow.options import Options
from fanfold.flow.phases import log_finished, log_planned, log_scanned
from fanfold.flow.plan import default_slice_bytes, question_of
from fanfold.flow.publish import publisher_of
from fanfold.flow.reduce import gathered_tables, missing_counts
from fanfold.flow.results import Results
from fanfold.flow.run_folder import RunFolder
from fanfold.flow.uncut import keep_gzi, plan_text, scan_text
from fanfold.objects import (
    BinaryFile,
    Source,
    absolute,
    blocks_of,
    is_location,
    is_remote,
    open_place,
    path_of,
    stored_checksum,
)
from fanfold.params import (
    DEFAULT_K,
    DEFAULT_SLICE_BYTES,
    Alphabet,
    TrailingGarbage,
    check_alphabet,
    check_call,
    check_executor,
    check_flags,
    check_params,
    check_positive,
    check_texts,
)
from fanfold.report.finished import Report
from fanfold.report.notes import decode_notes
from fanfold.report.view import DEFAULT_VIEW, View, check_view

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from typing_extensions import Buffer

_WORKERS_AT_MOST = 64
"""How many workers find work in a run by default, where nobody tells how many there are."""

_SENT_STREAM_SLICE_BYTES = 32 * 1024**2

_ROUNDS = 3
"""How often slices are scanned whose results turn out to be missing or damaged."""


@exhaustion_in_words()
def run(
    location: str | os.PathLike[str] | Buffer | BinaryFile,
    k: Iterable[int] | int = DEFAULT_K,
    *,
    canonical: bool = False,
    out: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
    slice_bytes: int | None = None,
    workers: int | None = None,
    memory_bytes: int | None = None,
    fresh: bool = False,
    trailing_garbage: TrailingGarbage = "refuse",
    name: str | None = None,
    label: str | None = None,
    view: View = DEFAULT_VIEW,
    alphabet: Alphabet = "any",
    progress: Progress | None = None,
) -> Report:
    """Analyse a FASTA object: plan, scan its slices in parallel, fold, report.

    A run that was stopped is taken up where it was; one that is complete is reported so.

    Args:
        location: its path, its URL (``s3://``, ``gs://``, ``az://``, ``https://``), ``-`` for
            standard input, a pipe, its bytes (any buffer), or a file that is open for them
            (``"rb"``, `io.BytesIO`): plain, gzip, BGZF, zstd, bzip2 or xz, told by its first bytes.
            Pipes, bytes and files are read once, files from where they are; a run of them can't be
            taken up. Bytes and files need `out` and `name`, and no executor; files stay open.
        k: the k-mers to count, 1 to 32, several at once; 0 or none counts none.
        canonical: count a k-mer and its reverse complement as one.
        out: the folder, or the URL of a prefix, for the results; ``./<name>.fanfold`` when None.
        executor: what runs the tasks: any `concurrent.futures.Executor`, whose workers have the
            same fanfold and reach `location` and `out` by themselves; it stays open. Threads of
            the run's own when None.
        slice_bytes: the size of a slice, from 1; what suits the input when None.
        workers: threads, when there is no executor; one a core when None.
        memory_bytes: the most memory to use; more is refused, and fewer threads run.
        fresh: start over even if results are there.
        trailing_garbage: what to do with bytes after an archive's end that are not zero padding:
            ``refuse`` the input, or ``ignore`` them, which the report notes.
        name: what to call standard input (``stdin`` when None), another pipe (its base name when
            None), bytes or a file.
        label: what to call the results' folder, ``./<label>.fanfold``, when `out` is None.
        view: how lengths and gaps are looked at. A report that is complete under another view is
            made again under this one, from its tables.
        alphabet: ``dna`` to refuse what looks like protein or RNA; ``any`` takes it, with a note.
        progress: is told how far the run is; see `Progress`.

    Raises:
        FanfoldError: see `fanfold.errors`; nothing half-written passes for complete.
    """
    parameters = check_params(k, canonical=canonical, trailing_garbage=trailing_garbage)
    slice_bytes = check_positive("slice_bytes", slice_bytes)
    check_flags(fresh=fresh)
    check_texts(name=name, label=label)
    check_executor(executor)
    check_call("progress", progress)
    out = None if out is None else path_of(out, "out")
    if is_location(location):
        location = path_of(location)
    else:
        _check_held(location, out, name, executor)
    from_store = is_location(location) and is_remote(location)
    workers, allowed = divide(memory_bytes, workers, is_remote=from_store)
    check_alphabet(alphabet)
    is_named = out is not None
    options = Options(
        parameters, slice_bytes, allowed, fresh, check_view(view), alphabet, is_named=is_named
    )
    if out is None and label is not None:
        check_label(label, "label")
        out = f"{label}.fanfold"
    if out is not None:
        open_place(out)  # it has to be possible before anything is read
    with opened(executor, workers) as engine:
        return run_on(engine, Genome(location, name), options, out, progress=progress)


def _check_held(
    given: Buffer | BinaryFile, out: str | None, name: str | None, executor: Executor | None
) -> None:
    """Check an input that the caller holds, and what can be asked of it."""
    blocks_of(given, "the input" if name is None else name)
    if out is None or name is None:
        raise ParameterError(
            "bytes and open files have no name and no place: give name= and out= too"
        )
    if executor is not None:
        raise ParameterError(
            "bytes and open files can't be sent to an executor: leave it out, or give a path or URL"
        )


@exhaustion_in_words()
def run_on(
    engine: Engine,
    genome: Genome,
    options: Options,
    out: str | os.PathLike[str] | None,
    *,
    progress: Progress | None = None,
    stopped: threading.Event | None = None,
    observer: Observer | None = None,
) -> Report:
    """Answer a question about one input on an engine that may have other work too.

    Args:
        engine: what runs the tasks.
        genome: the input.
        options: what is asked of it, and how.
        out: see `run`.
        progress: see `run`.
        stopped: is set when the work has to stop.
        observer: follows the slices.
    """
    started = time.monotonic()
    source = genome.source
    location = f"{source.name}.fanfold" if out is None else out
    place = open_place(location if engine.is_own else absolute(location))
    question = question_of(source, options.parameters)
    master = None if options.fresh else read_finished(place, question)
    if master is not None:
        check_notes(source.name, decode_notes(master), options.alphabet)
        master = look_again(place, question, master, options.view)
        log_finished(source.name, place)
        return Report(place, master, resumed=True, seconds=time.monotonic() - started)
    asked = Asked(
        options.parameters,
        options.slice_bytes or _default_slice_bytes(engine, source),
        grows=options.slice_bytes is None,
        fresh=options.fresh,
        is_named=options.is_named,
    )
    check(place, genome, asked)
    with publisher_of(place).hold(source.url):
        master = None if options.fresh else read_finished(place, question)
        is_finished = master is not None  # by the run that held the place until now
        if master is None:
            folder = claim(place, genome, asked)
            log_planned(folder.plan)
            watch = Watch(source.size_bytes, progress, stopped, observer)
            packed = None
            if options.parameters.large_k and engine.is_own:
                size_bytes = source.size_bytes if folder.plan.compression == "none" else None
                check_memory(source.name, size_bytes, options.parameters, options.allowed)
                packed = PackedSlices(options.allowed, source.name)
            job = _Job(engine, genome, watch, started, options, packed)
            master = _scan_and_fold(job, folder)
    if is_finished:
        check_notes(source.name, decode_notes(master), options.alphabet)
        master = look_again(place, question, master, options.view)
        log_finished(source.name, place)
    return Report(place, master, resumed=is_finished, seconds=time.monotonic() - started)


class _Job(NamedTuple):
    engine: Engine
    genome: Genome
    watch: Watch
    started: float
    options: Options
    packed: PackedSlices | None

    def results(self, folder: RunFolder) -> Results:
        """The results of the slices, as this run keeps them."""
        if self.packed is not None:
            return PackingResults(self.packed, folder)
        return folder if self.engine.is_own else results_of(folder)


def _scan_and_fold(job: _Job, folder: RunFolder) -> bytes:
    """The report, once every slice has a result; those that are lost or damaged are made again."""
    source = job.genome.source
    # Asked for meanwhile: the ETag is pinned, and a connection to S3 takes its time.
    asking = ThreadPoolExecutor(1, "fanfold-checksum")
    checksum = asking.submit(stored_checksum, source)
    scan = _scan_here if job.engine.is_own else _scan_elsewhere
    lost: tuple[int, ...] = ()
    redone: set[int] = set()
    try:
        for rounds_left in reversed(range(_ROUNDS)):
            folder = scan(job, folder, lost)
            log_scanned(folder.plan, job.watch.read_bytes)
            results = job.results(folder)
            try:
                if job.watch.observer is not None:
                    job.watch.observer.folding()
                return fold_in(
                    folder,
                    job.watch,
                    Scanned(
                        job.engine.name,
                        job.engine.workers,
                        job.started,
                        time.monotonic() - job.started,
                        tuple(sorted(redone)),
                    ),
                    job.options.view,
                    alphabet=job.options.alphabet,
                    checksum=checksum.result,
                    allowed=job.options.allowed,
                    hold=nullcontext,
                    results=results,
                    count_tables=partial(_count_tables, job, folder, results),
                )
            except MissingSlicesError as error:
                if not rounds_left or source.is_stream:
                    raise
                lost = error.indexes
            redone.update(lost)
            logging.getLogger("fanfold").warning(
                "%s: results of slices were lost or damaged; scanning again: %s",
                source.name,
                ", ".join(map(str, lost)),
            )
    finally:
        asking.shutdown(wait=False, cancel_futures=True)
    raise AssertionError("the last round returns or raises")


@contextmanager
def _count_tables(
    job: _Job, folder: RunFolder, results: Results, findings: Findings
) -> Iterator[Mapping[int, CountedTable]]:
    """The tables of k-mers from 9 on, counted here or by workers."""
    with ExitStack() as stack:
        if job.packed is not None:
            workers = job.engine.workers or 1
            counting = counted_tables(folder, job.packed, workers, job.watch, findings)
            yield stack.enter_context(counting)
        elif isinstance(results, KeptTexts):
            text = results.close(findings.packed)
            yield stack.enter_context(_counted_elsewhere(job, folder, text))
        else:
            yield {}


@contextmanager
def _counted_elsewhere(
    job: _Job, folder: RunFolder, text: KeptText
) -> Iterator[Mapping[int, CountedTable]]:
    """The tables that workers count; what is lost or damaged is counted again."""
    task = partial(tasks.reduce, folder.plan_url, plan_id=folder.plan.id)
    wanted: Sequence[int] = missing_counts(folder, text)
    with ExitStack() as stack:
        for rounds_left in reversed(range(_ROUNDS)):
            fan_out(job.engine, task, wanted, lambda _index, _read_bytes: None, job.watch)
            if folder.place.lags and missing_counts(folder, text):
                time.sleep(LAG_SECONDS)
            try:
                tables = stack.enter_context(gathered_tables(folder, text))
            except MissingCountsError as error:
                if not rounds_left:
                    raise
                wanted = error.indexes
            else:
                break
        yield tables


def _scan_here(job: _Job, folder: RunFolder, lost: Sequence[int]) -> RunFolder:
    """Scan the slices that were lost, or all without a result, on threads of this process."""
    wanted = _find_wanted(folder, lost, job.results(folder))
    if job.watch.observer is not None:
        slices = folder.plan.slices
        done = {each.index for each in slices or ()} - (wanted or set())
        job.watch.observer.planned(None if wanted is None or slices is None else len(slices), done)
    if wanted is None:
        return _scan_stream(job, folder)
    _pass_over_others(job, folder, wanted, is_again=bool(lost))
    rows = RowsMemory(job.genome.source.name, job.options.allowed)

    results = job.results(folder)

    def take(more_bytes: int) -> None:
        rows.take(more_bytes, job.watch.done_share)

    fan_out(
        job.engine,
        lambda index: tasks.scan_into(folder, index, job.watch, take, results),
        sorted(wanted),
        lambda _index, _result: None,
        job.watch,
    )
    return folder


def _scan_elsewhere(job: _Job, folder: RunFolder, lost: Sequence[int]) -> RunFolder:
    """Have slices scanned by workers that get the plan's URL, its id and an index."""
    wanted = _find_wanted(folder, lost, job.results(folder))
    if wanted is None:
        folder = _write_out(job, folder)
        wanted = set(lost) or job.results(folder).missing()
    watch, plan = job.watch, folder.plan
    if plan.cut == "text":
        watch.start_over(plan.text_bytes or 0)
    _pass_over_others(job, folder, wanted, is_again=bool(lost))

    def done(index: int, read_bytes: int) -> None:
        watch.pass_over(folder.slices[index].size_bytes, read_bytes)

    task = partial(tasks.task, folder.plan_url, plan_id=plan.id)
    fan_out(job.engine, task, sorted(wanted), done, watch)
    wait_for_lagging(folder.place, job.results(folder))
    return folder


def _find_wanted(folder: RunFolder, lost: Sequence[int], results: Results) -> set[int] | None:
    """The slices to scan; None if the input has to be inflated for them first."""
    if folder.plan.slices is None:
        return None
    wanted = set(lost) or results.missing()
    return None if folder.lacks_objects(wanted) else wanted


def _pass_over_others(job: _Job, folder: RunFolder, wanted: set[int], *, is_again: bool) -> None:
    """Count the slices whose results are there already, and say how many an earlier run made."""
    kept = [each for each in folder.slices if each.index not in wanted]
    if kept and wanted and not is_again:
        # Of its own, so that a program can pass over it: nothing is wrong.
        logging.getLogger("fanfold.resumed").warning(
            "%s: taking up a run: %s of %s slices are done",
            folder.url,
            f"{len(kept):,}",
            f"{len(folder.slices):,}",
        )
    for each in kept:
        job.watch.pass_over(each.size_bytes)


def _scan_stream(job: _Job, folder: RunFolder) -> RunFolder:
    """Inflate an input that can't be cut, and scan its text on the way."""
    allowed, window_bytes = job.options.allowed.beside_window(folder.plan.compression)
    # What is inflated runs ahead of what is scanned: the share that is done isn't known.
    memory = TextMemory(RowsMemory(job.genome.source.name, allowed).take, window_bytes)
    plan, gzi = scan_text(
        folder.plan,
        job.results(folder),
        job.genome.blocks(),
        job.watch.advance,
        memory=memory,
        scanning=job.watch.scanning,
    )
    keep_gzi(folder, gzi)
    publisher_of(folder.place).update(plan)
    return folder.with_plan(plan)


def _write_out(job: _Job, folder: RunFolder) -> RunFolder:
    """Inflate an input that can't be cut, and write its text out for workers to scan."""
    watch, plan = job.watch, folder.plan
    if plan.source.is_stream:
        _, window_bytes = job.options.allowed.beside_window(plan.compression)
        memory = TextMemory(window_bytes=window_bytes)
        plan = plan_text(folder, job.genome.blocks(), watch.advance, memory)
        publisher_of(folder.place).update(plan)
        return folder.with_plan(plan)

    def done(_: str, read_bytes: int) -> None:
        watch.pass_over(plan.source.size_bytes, read_bytes)

    fan_out(job.engine, partial(tasks.inflate, plan_id=plan.id), [folder.plan_url], done, watch)
    return tasks.open_plan(folder.plan_url, plan.id)


def _default_slice_bytes(engine: Engine, source: Source) -> int:
    """The size of a slice that suits the input and the engine."""
    if source.is_stream:
        return DEFAULT_SLICE_BYTES if engine.is_own else _SENT_STREAM_SLICE_BYTES
    return default_slice_bytes(source.size_bytes, engine.workers or _WORKERS_AT_MOST)
