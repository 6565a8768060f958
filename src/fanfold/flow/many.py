"""Many inputs in one call: a report each, and one table and one page over all."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fanfold.engine.fan_out import GRACE_SECONDS, Engine, opened
from fanfold.errors import OutputError, ParameterError
from fanfold.exhaustion import exhaustion_in_words
from fanfold.flow.collection import (
    COLLECTION,
    INDEX,
    OF_MANY,
    SUMMARY,
    Failed,
    check_collection,
    read_collection,
    write_summary,
)
from fanfold.flow.genome import Genome
from fanfold.flow.inputs import find_inputs, labelled, names_of
from fanfold.flow.look import render
from fanfold.flow.memory import divide
from fanfold.flow.options import Options
from fanfold.flow.run import run_on
from fanfold.objects import (
    STATE,
    Place,
    absolute,
    find_below,
    is_pipe,
    is_remote,
    open_place,
    path_of,
    paths_of,
    shown,
)
from fanfold.params import (
    DEFAULT_K,
    Alphabet,
    TrailingGarbage,
    check_alphabet,
    check_call,
    check_executor,
    check_flags,
    check_params,
    check_positive,
)
from fanfold.report.finished import Report
from fanfold.report.view import DEFAULT_VIEW, View, check_view
from fanfold.shown import describe

if TYPE_CHECKING:
    from concurrent.futures import Executor

_DRIVERS = 16
"""How many inputs are under way at once on an executor, whose workers do the work."""


class ManyProgress(Protocol):
    """Is called with how far a call for many inputs is: any function of two numbers.

    The units are inputs: first those that are done, with a report or an error, then all. It is
    called by the thread that called `run_many`, once for each input.
    """

    def __call__(self, done_inputs: int, all_inputs: int, /) -> None:
        """Take note of inputs that are done, and how many there are."""


class Outcome(NamedTuple):
    """What came of one input of many.

    Attributes:
        location: its path or URL.
        name: what its results are called: its label, or its base name, with folders before it where
            several have that.
        report: its report; None when it failed.
        error: why it failed; None when it didn't.
        seconds: how long it took.
    """

    location: str
    name: str
    report: Report | None
    error: Exception | None
    seconds: float

    def __repr__(self) -> str:
        came = describe(self.error) if self.report is None else repr(self.report)
        return f"<Outcome {self.name!r}: {came}>"


@exhaustion_in_words()
def run_many(
    locations: Iterable[str | os.PathLike[str]],
    k: Iterable[int] | int = DEFAULT_K,
    *,
    out: str | os.PathLike[str] | None = None,
    labels: Iterable[str | None] | None = None,
    canonical: bool = False,
    executor: Executor | None = None,
    slice_bytes: int | None = None,
    workers: int | None = None,
    memory_bytes: int | None = None,
    fresh: bool = False,
    trailing_garbage: TrailingGarbage = "refuse",
    view: View = DEFAULT_VIEW,
    alphabet: Alphabet = "any",
    progress: ManyProgress | None = None,
) -> list[Outcome]:
    """Analyse many FASTA objects on one pool; an input that fails doesn't stop the others.

    Every input has its results in ``<out>/<name>/``, as `run` writes them, and is taken up where it
    was when it was stopped. ``<out>/summary.tsv`` has a row for each in the order given, after
    those of earlier calls; ``<out>/index.html`` shows them side by side.

    Args:
        locations: paths or URLs. A folder, or a URL of a store with a slash at its end, stands for
            the FASTA objects directly in it; a glob in a store's URL for those that match.
        k: as in `run`, as are the other arguments that it has.
        out: the folder, or the URL of a prefix, for all results; ``./fanfold-results`` when None.
        labels: what to call the results of each location, or None: by its base name, with as many
            folders before it as tell it from others (``a_x.fa`` and ``b_x.fa``).
        canonical: see `run`.
        executor: see `run`.
        slice_bytes: see `run`.
        workers: see `run`.
        memory_bytes: see `run`; the inputs that are under way share it.
        fresh: see `run`.
        trailing_garbage: see `run`.
        view: see `run`.
        alphabet: see `run`.
        progress: is told how many inputs are done.

    Returns:
        What came of each, in the order given.

    Raises:
        ParameterError: an input is given twice, names can't be told apart, or a parameter can't be:
            nothing was started.
        SourceError: a folder or prefix has no FASTA object, or nothing matches a glob.
        OutputError: the summary can't be written, or one that fanfold did not write is there.
    """
    parameters = check_params(k, canonical=canonical, trailing_garbage=trailing_garbage)
    check_alphabet(alphabet)
    view = check_view(view)
    slice_bytes = check_positive("slice_bytes", slice_bytes)
    check_flags(fresh=fresh)
    check_executor(executor)
    check_call("progress", progress)
    is_named = out is not None
    out = path_of(OF_MANY if out is None else out, "out")
    open_place(out)  # it has to be possible before anything is looked for
    found = find_inputs(labelled(paths_of(locations), labels))
    names = names_of(found)
    _check_names(names)
    inputs = [each.location for each in found]
    any_remote = any(map(is_remote, inputs))
    workers, allowed = divide(memory_bytes, workers, is_remote=any_remote)
    place = open_place(absolute(out))
    place.prepare("")
    check_collection(place, inputs)
    _check_places(place, inputs, names)
    stopped = threading.Event()
    with opened(executor, workers) as engine:
        drivers = min(len(inputs), workers if engine.is_own else _DRIVERS)
        allowed = allowed._replace(runs=max(drivers, 1))
        options = Options(
            parameters, slice_bytes, allowed, fresh, view, alphabet, is_named=is_named
        )

        def drive(index: int) -> Outcome:
            name = names[index]
            where = place.where(name)
            return _run_one(engine, inputs[index], name, options, where, stopped=stopped)

        outcomes = _drive_all(drive, len(inputs), drivers, progress, stopped)
    write_summary(place, names, _failed(outcomes))
    return outcomes


@exhaustion_in_words()
def render_many(
    location: str | os.PathLike[str], *, view: View = DEFAULT_VIEW
) -> list[Outcome] | None:
    """Make the reports of a collection again under a view, and the table and page over them.

    Args:
        location: the folder or the URL that `run_many` wrote.
        view: how lengths and gaps are looked at.

    Returns:
        What came of each, in the order of the table; None if there is no collection.

    Raises:
        ParameterError: the view can't be.
        OutputError: the table or the page can't be written.
    """
    view = check_view(view)
    place = open_place(path_of(location, "location"))
    collection = read_collection(place)
    if collection is None:
        return None
    outcomes = [_render_one(place.where(name), name, view) for name in collection.names]
    write_summary(place, (), _failed(outcomes))
    return outcomes


def _render_one(where: str, name: str, view: View) -> Outcome:
    return _outcome(where, name, lambda: render(where, view=view))


def _outcome(location: str, name: str, make: Callable[[], Report]) -> Outcome:
    """What comes of one input; whatever fails, the others go on, and the table tells of it."""
    started = time.monotonic()
    report, failure = None, None
    try:
        report = make()
    except Exception as error:
        failure = error
    return Outcome(location, name, report, failure, time.monotonic() - started)


def _failed(outcomes: Iterable[Outcome]) -> dict[str, Failed]:
    return {
        each.name: Failed(each.seconds, describe(each.error))
        for each in outcomes
        if each.report is None
    }


def _drive_all(
    drive: Callable[[int], Outcome],
    count: int,
    drivers: int,
    progress: ManyProgress | None,
    stopped: threading.Event,
) -> list[Outcome]:
    pool = ThreadPoolExecutor(max(drivers, 1), "fanfold-drive")
    futures: list[Future[Outcome]] = []
    try:
        futures.extend(pool.submit(drive, index) for index in range(count))
        for done, _ in enumerate(as_completed(futures), 1):
            if progress is not None:
                progress(done, count)
        return [future.result() for future in futures]
    except BaseException:
        stopped.set()
        wait([future for future in futures if not future.cancel()], GRACE_SECONDS)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _run_one(
    engine: Engine,
    location: str,
    name: str,
    options: Options,
    out: str,
    *,
    stopped: threading.Event,
) -> Outcome:
    def run() -> Report:
        genome = Genome(location, name if is_pipe(location) else None)
        return run_on(engine, genome, options, out, stopped=stopped)

    return _outcome(location, name, run)


def _check_places(place: Place, locations: Sequence[str], names: Sequence[str]) -> None:
    """Check that no input lies among the results of this call, which may replace it."""
    found = find_below(locations, [place.where(name) for name in names])
    if found is not None:
        raise OutputError(
            f"{shown(found)}: lies in a folder for results of this call; move it, or give another"
            " --out"
        )


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if name in {SUMMARY, INDEX, COLLECTION, STATE}:
            raise ParameterError(
                f"an input called {name} is in the way of the files over all; label it"
            )
