"""The fan-out: tasks on an executor, until all are done or one has failed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    as_completed,
    wait,
)
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from fanfold.engine.progress import Watch
from fanfold.errors import EngineError, FanfoldError
from fanfold.shown import without_secrets

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_LOOK_SECONDS = 0.5
"""How often a wait for tasks is left to see whether the work has to stop."""

GRACE_SECONDS = 2.0
"""How long tasks that are at work may take to notice that they have to stop."""


class Engine(NamedTuple):
    """What runs the tasks.

    Attributes:
        executor: it.
        name: what `run.json` calls it.
        workers: its workers, if that is known.
        is_own: whether it is the run's own threads, which share its memory and stop at its word.
            Any other executor may be anywhere: its tasks get a plan's URL and an index.
    """

    executor: Executor
    name: str
    workers: int | None
    is_own: bool


@contextmanager
def opened(executor: Executor | None, workers: int) -> Iterator[Engine]:
    """The engine of a run: an executor of the user's, which stays open, or threads of its own."""
    if executor is not None:
        yield Engine(executor, _name(executor), getattr(executor, "_max_workers", None), False)
        return
    pool = ThreadPoolExecutor(workers, "fanfold-scan")
    try:
        yield Engine(pool, "threads", workers, True)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def fan_out(
    engine: Engine,
    task: Callable[[_Item], _Result],
    items: Iterable[_Item],
    done: Callable[[_Item, _Result], None],
    watch: Watch,
) -> None:
    """Run ``task(item)`` for every item on an engine, and tell of each as it is done.

    When something fails, or the watch is told to stop, what hasn't begun doesn't begin.

    Args:
        engine: where they run; tasks of an engine that isn't the run's own are pickled.
        task: the task.
        items: the slices' indexes, or whatever else there is one task for.
        done: is told of each item and its result, in the order of completion.
        watch: stops the tasks of the run's own threads.

    Raises:
        EngineError: the executor lost a task, or something failed in it that nobody foresaw.
        FanfoldError: what a task raised first.
    """
    futures: dict[Future[_Result], _Item] = {}
    try:
        for item in items:
            futures[_submit(engine, task, item)] = item
        for future in _completed(futures, watch):
            done(futures[future], _result_of(engine, future))
    except BaseException:
        watch.stop()
        begun = [future for future in futures if not future.cancel()]
        if engine.is_own:
            wait(begun, GRACE_SECONDS)
        raise


def _completed(futures: Iterable[Future[_Result]], watch: Watch) -> Iterator[Future[_Result]]:
    """The futures, each as it is done, while the watch lets the work go on."""
    left = set(futures)
    while left:
        try:
            for future in as_completed(left, _LOOK_SECONDS):
                left.remove(future)
                yield future
        except TimeoutError:
            watch.check()


def _submit(engine: Engine, task: Callable[[_Item], _Result], item: _Item) -> Future[_Result]:
    """Hand a task to an engine.

    Raises:
        EngineError: it takes none.
    """
    # Dask would not run a task again that it remembers.
    options = {"pure": False} if engine.name == "dask" else {}
    try:
        return engine.executor.submit(task, item, **options)
    except Exception as error:  # shut down, broken, its client closed: each has its own
        raise EngineError(
            f"the executor ({engine.name}) takes no task: {without_secrets(error)}; run again with"
            " another: what is finished is kept"
        ) from error


def _result_of(engine: Engine, future: Future[_Result]) -> _Result:
    """What a task returned, when it is done.

    Raises:
        EngineError: the executor lost it, or something failed in it that nobody foresaw.
        FanfoldError: what it raised.
    """
    try:
        return future.result()
    except FanfoldError:
        raise
    except (Exception, CancelledError) as error:
        if engine.is_own:
            raise
        told = without_secrets(str(error).partition("\n")[0])[:300]
        raise EngineError(
            f"a task failed in a worker ({engine.name}): {type(error).__name__}"
            f"{told and f': {told}'}; see the worker's log, then run again: what is finished is"
            " kept"
        ) from error


def available_cores() -> int:
    """The cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _name(executor: Executor) -> str:
    module = type(executor).__module__
    if module.startswith("distributed."):
        return "dask"
    return {
        "concurrent.futures.thread": "threads",
        "concurrent.futures.process": "processes",
    }.get(module, type(executor).__name__)
