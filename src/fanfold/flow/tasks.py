"""The verbs of an array of tasks: plan, inflate, task, fold. `run` drives the same parts."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from fanfold._kernel import Findings
from fanfold.engine.progress import Progress, Watch
from fanfold.errors import ParameterError, PlanError
from fanfold.exhaustion import exhaustion_in_words
from fanfold.flow.claim import Asked, check, claim
from fanfold.flow.contents import read_finished
from fanfold.flow.finish import LAG_SECONDS, Scanned, fold_in, wait_for_lagging
from fanfold.flow.genome import Genome
from fanfold.flow.kept_text import KeptTexts, read_text, results_of
from fanfold.flow.kmer_tables import CountedTable
from fanfold.flow.look import look_again
from fanfold.flow.made import check_notes
from fanfold.flow.memory import Allowed, Take, unbounded
from fanfold.flow.plan import default_slice_bytes
from fanfold.flow.publication import remove_text
from fanfold.flow.publish import publisher_of
from fanfold.flow.reduce import count_partition, gathered_tables
from fanfold.flow.results import Results
from fanfold.flow.run_folder import PLAN, RunFolder, open_run
from fanfold.flow.scan import scan_slice
from fanfold.flow.uncut import plan_text
from fanfold.objects import open_place, path_of, read_blocks, split_location, stored_checksum
from fanfold.params import (
    DEFAULT_K,
    Alphabet,
    TrailingGarbage,
    check_alphabet,
    check_call,
    check_flags,
    check_params,
    check_positive,
    check_texts,
    check_whole,
)
from fanfold.report.finished import Report
from fanfold.report.notes import decode_notes
from fanfold.report.view import DEFAULT_VIEW, View, check_view
from fanfold.shown import shown


@exhaustion_in_words()
def plan(
    location: str | os.PathLike[str],
    k: Iterable[int] | int = DEFAULT_K,
    *,
    out: str | os.PathLike[str],
    canonical: bool = False,
    slice_bytes: int | None = None,
    fresh: bool = False,
    trailing_garbage: TrailingGarbage = "refuse",
    name: str | None = None,
    progress: Progress | None = None,
) -> RunFolder:
    """Plan a job for an array of tasks, at most 10,000: write ``plan.json`` into `out`.

    An archive that can't be cut is inflated, and its text written beside the plan. Arguments are
    as in `run`; ``slice_bytes`` is at most 100 MiB when None, and more where that made too many.

    Returns:
        The plan, and where it lies; `task` and `fold` take it, or the path or URL of its file.

    Raises:
        FanfoldError: see `fanfold.errors`.
    """
    parameters = check_params(k, canonical=canonical, trailing_garbage=trailing_garbage)
    slice_bytes = check_positive("slice_bytes", slice_bytes)
    check_flags(fresh=fresh)
    check_texts(name=name)
    check_call("progress", progress)
    place = open_place(path_of(out, "out"))
    genome = Genome(path_of(location), name)
    size_bytes = genome.source.size_bytes
    asked = Asked(
        parameters,
        slice_bytes or default_slice_bytes(size_bytes),
        grows=slice_bytes is None,
        fresh=fresh,
        is_named=True,
    )
    publisher = publisher_of(place)
    check(place, genome, asked)
    with publisher.hold(genome.source.url):
        folder = claim(place, genome, asked)
        if folder.plan.slices is None or folder.lacks_objects(results_of(folder).missing()):
            watch = Watch(size_bytes, progress)
            folder = folder.with_plan(plan_text(folder, genome.blocks(), watch.advance))
            publisher.update(folder.plan)
    return folder


@exhaustion_in_words()
def task(plan_location: str | os.PathLike[str], index: int, *, plan_id: str | None = None) -> int:
    """Scan one slice of a plan, unless its result is there already; bytes of input that it read.

    Args:
        plan_location: the path or URL of a ``plan.json``.
        index: the slice, from 0.
        plan_id: the plan that is meant; whichever is there when None.

    Raises:
        ParameterError: the plan has no such slice.
        PlanError: there is no plan, or another one than is meant.
        FanfoldError: see `fanfold.errors`.
    """
    folder = open_plan(plan_location, plan_id)
    if check_whole("index", index) is None or not 0 <= index < len(folder.slices):
        raise ParameterError(
            f"{plan_location}: there is no slice {index}; the plan has 0 to"
            f" {len(folder.slices) - 1}"
        )
    if results_of(folder).get(index) is not None:
        return 0
    watch = Watch(folder.slices[index].size_bytes, None)
    scan_into(folder, index, watch)
    return watch.read_bytes


def scan_into(
    folder: RunFolder,
    index: int,
    watch: Watch,
    take: Take = unbounded,
    results: Results | None = None,
) -> None:
    """Scan one slice, and keep its result, in the folder itself when `results` is None."""
    watch.check()
    each = folder.slices[index]
    with watch.scanning(index):
        result = scan_slice(folder.plan, each, folder.objects, watch.advance, take=take)
        (results or folder).put(result)
    logging.getLogger("fanfold").debug(
        "%s: slice %d: bytes %d to %d are scanned",
        folder.plan.source.name,
        index,
        each.start_byte,
        each.end_byte,
    )


@exhaustion_in_words()
def inflate(
    plan_location: str | os.PathLike[str],
    *,
    plan_id: str | None = None,
    max_text_bytes: int | None = None,
) -> int:
    """Write out the text of a plan's input, which can't be cut; bytes of input that were read.

    Args:
        plan_location: see `task`.
        plan_id: see `task`.
        max_text_bytes: the most text that is written; any amount when None.

    Raises:
        InputError: there is more text.
        FanfoldError: see `fanfold.errors`.
    """
    folder = open_plan(plan_location, plan_id)
    source = folder.plan.source
    watch = Watch(source.size_bytes, None)
    blocks = read_blocks(source, 0, source.size_bytes)
    text = plan_text(folder, blocks, watch.advance, max_text_bytes=max_text_bytes)
    publisher_of(folder.place).update(text)
    return watch.read_bytes


@exhaustion_in_words()
def reduce(
    plan_location: str | os.PathLike[str],
    index: int,
    *,
    plan_id: str | None = None,
    memory_bytes: int | None = None,
) -> int:
    """Count a range of the k-mers of one k from 9 on, unless that is done; bytes that it read.

    `fold` says once that its slices are folded; then these tasks count, and `fold` reports.

    Args:
        plan_location: see `task`.
        index: the count, from 0: the partitions of the smallest k come first.
        plan_id: see `task`.
        memory_bytes: the most memory to use; more is refused.

    Raises:
        ParameterError: the plan has no such count, or there is too little memory.
        MissingSlicesError: packed text of slices is gone or damaged.
        PlanError: there is no plan, it is another than is meant, or its slices are not folded.
        FanfoldError: see `fanfold.errors`.
    """
    folder = open_plan(plan_location, plan_id)
    memory_bytes = check_whole("memory_bytes", memory_bytes)
    last = len(folder.plan.counts) - 1
    if check_whole("index", index) is None or not 0 <= index <= last:
        there = f"the plan has 0 to {last}" if last >= 0 else "it asks for no k-mers from 9 on"
        raise ParameterError(f"{plan_location}: there is no count {index}; {there}")
    try:
        text = read_text(folder)
    except PlanError:
        if not folder.place.lags:
            raise
        time.sleep(LAG_SECONDS)
        text = read_text(folder)
    return count_partition(folder, text, index, Allowed(memory_bytes))


@exhaustion_in_words()
def fold(
    plan_location: str | os.PathLike[str],
    *,
    memory_bytes: int | None = None,
    view: View = DEFAULT_VIEW,
    alphabet: Alphabet = "any",
) -> Report:
    """Fold the results of all slices of a plan into the report. Can be run again.

    With k-mers from 9 on, it is run twice: before the tasks of `reduce`, and after them.

    Args:
        plan_location: see `task`.
        memory_bytes: the most memory to use; more is refused.
        view: see `run`.
        alphabet: see `run`.

    Raises:
        MissingSlicesError: results of slices are missing or damaged; names every one.
        MissingCountsError: counts of k-mers are; names every one.
        FanfoldError: see `fanfold.errors`.
    """
    started = time.monotonic()
    check_alphabet(alphabet)
    view = check_view(view)
    memory_bytes = check_whole("memory_bytes", memory_bytes)
    folder = open_plan(plan_location)
    plan, place = folder.plan, folder.place
    master = read_finished(place, plan.question)
    is_finished = master is not None
    if master is not None:
        check_notes(plan.source.name, decode_notes(master), alphabet)
        master = look_again(place, plan.question, master, view)
        remove_text(place, plan)  # if the fold that wrote it was killed meanwhile
    else:
        results = results_of(folder)
        wait_for_lagging(place, results)
        master = fold_in(
            folder,
            Watch(plan.size_bytes, None),
            Scanned("array", None, started),
            view,
            alphabet=alphabet,
            checksum=lambda: stored_checksum(plan.source),
            allowed=Allowed(memory_bytes),
            hold=lambda: publisher_of(place).hold(plan.source.url),
            results=results,
            count_tables=partial(_gathered, results),
        )
    return Report(place, master, resumed=is_finished, seconds=time.monotonic() - started)


@contextmanager
def _gathered(results: Results, findings: Findings) -> Iterator[Mapping[int, CountedTable]]:
    """The tables that tasks counted in the text of these results."""
    if not isinstance(results, KeptTexts):
        yield {}
        return
    with gathered_tables(results.folder, results.close(findings.packed)) as tables:
        yield tables


def open_plan(location: str | os.PathLike[str], plan_id: str | None = None) -> RunFolder:
    """The plan at a path or URL, with its files.

    Raises:
        PlanError: there is none, it can't be used, or it is another than `plan_id`.
    """
    check_texts(plan_id=plan_id)
    location = path_of(location, "plan_location")
    where, name = split_location(location)
    if name != PLAN:
        raise PlanError(f"{shown(location)}: can't be read: there is no plan.json there")
    place = open_place(where)
    folder = open_run(place)
    if plan_id not in {None, folder.plan.id} and place.lags:
        time.sleep(LAG_SECONDS)
        folder = open_run(place)
    if plan_id not in {None, folder.plan.id}:
        raise PlanError(f"{folder.plan_url}: another run has replaced the plan; run again")
    return folder
