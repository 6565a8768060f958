"""The run: plan, fan out over the slices, fold in, report."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from fanfold.engine.fan_out import Engine, available_cores, fan_out, opened
from fanfold.engine.progress import Progress, Watch
from fanfold.errors import MissingSlicesError, ParameterError
from fanfold.flow import tasks
from fanfold.flow.finish import BASE_BYTES, Report, Scanned, fold_in
from fanfold.flow.genome import Input
from fanfold.flow.plan import Plan, array_slice_bytes, local_slice_bytes
from fanfold.flow.run_folder import PLAN, Folder
from fanfold.flow.scan import scan_slice
from fanfold.flow.uncut import plan_text, scan_text
from fanfold.objects import (
    STDIN,
    Source,
    StoredChecksum,
    absolute,
    is_remote,
    open_place,
    stored_checksum,
)
from fanfold.params import DEFAULT_K, DEFAULT_SLICE_BYTES, Params, check_params, check_positive

if TYPE_CHECKING:
    from concurrent.futures import Executor

_WORKER_BYTES = 24 * 1024**2
"""Memory of a worker; `_REMOTE_BYTES` more where it reads from a store."""
_REMOTE_BYTES = 48 * 1024**2

_WORKERS_AT_MOST = 64
"""How many workers find work in a run by default, where nobody tells how many there are."""

_MIN_SENT_SLICE_BYTES = 8 * 1024**2
_STDIN_SLICE_BYTES = 32 * 1024**2

_ROUNDS = 3
"""How often slices are scanned whose results turn out to be missing or damaged."""


class Question(NamedTuple):
    """What is asked of an input, and how.

    Attributes:
        parameters: what changes the answer.
        slice_bytes: the size of a slice; what suits the input when None.
        memory_bytes: the most memory that a fold may take.
        fresh: start over even if results are there.
    """

    parameters: Params
    slice_bytes: int | None
    memory_bytes: int | None
    fresh: bool


def run(
    location: str | os.PathLike[str],
    k: Iterable[int] | int = DEFAULT_K,
    *,
    canonical: bool = False,
    out: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
    slice_bytes: int | None = None,
    workers: int | None = None,
    memory_bytes: int | None = None,
    fresh: bool = False,
    name: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """Analyse a FASTA object: plan, scan its slices in parallel, fold, report.

    A run that was stopped is taken up where it was; one that is complete is reported so.

    Args:
        location: its path, its URL (``s3://``, ``gs://``, ``az://``, ``https://``), or ``-`` for
            standard input: plain, gzip, BGZF, zstd, bzip2 or xz, told by its first bytes.
        k: the k-mers to count, 1 to 8, several at once; 0 or none counts none.
        canonical: count a k-mer and its reverse complement as one.
        out: the folder, or the URL of a prefix, for the results; ``./<name>.fanfold`` when None.
        executor: what runs the tasks: any `concurrent.futures.Executor`, whose workers have the
            same fanfold and reach `location` and `out` by themselves; it stays open. Threads of
            the run's own when None.
        slice_bytes: the size of a slice, from 1; what suits the input when None.
        workers: threads, when there is no executor; one a core when None.
        memory_bytes: the most memory to use; more is refused, and fewer threads run.
        fresh: start over even if results are there.
        name: what to call standard input; ``stdin`` when None.
        progress: is told how far the run is.

    Raises:
        FanfoldError: see `fanfold.errors`; nothing half-written passes for complete.
    """
    parameters = check_params(k, canonical=canonical)
    check_positive("the size of a slice", slice_bytes)
    workers = affordable_workers(workers, memory_bytes, is_remote=is_remote(location))
    question = Question(parameters, slice_bytes, memory_bytes, fresh)
    if out is not None:
        open_place(out)  # it has to be possible before anything is read
    with opened(executor, workers) as engine:
        return run_on(engine, Input(location, name), question, out, progress=progress)


def run_on(
    engine: Engine,
    source: Input,
    question: Question,
    out: str | os.PathLike[str] | None,
    *,
    progress: Progress | None = None,
    stopped: threading.Event | None = None,
) -> Report:
    """Answer a question about one input on an engine that may have other work too."""
    started = time.monotonic()
    pinned = source.source
    location = f"{pinned.name}.fanfold" if out is None else out
    folder = Folder(open_place(location if engine.is_own else absolute(location)))
    plan = None
    if not question.fresh:
        plan = tasks.plan_to_resume(folder, pinned, question.parameters)
    if plan is None:
        slice_bytes = question.slice_bytes or _default_slice_bytes(engine, pinned)
        if not engine.is_own:
            slice_bytes = array_slice_bytes(pinned.size_bytes, slice_bytes)
        plan = source.plan(question.parameters, slice_bytes)
        folder.clear(pinned.name, pinned)
        folder.write_plan(plan)
    elif folder.is_complete(plan):
        return Report(folder, resumed=True, seconds=time.monotonic() - started)
    else:
        folder.sweep()
    watch = Watch(pinned.size_bytes, progress, stopped)
    job = _Job(engine, source, folder, watch)
    # Asked for meanwhile: the ETag is pinned, and a connection to S3 takes its time.
    asking = ThreadPoolExecutor(1, "fanfold-checksum")
    checksum = asking.submit(stored_checksum, pinned)
    try:
        return _scan_and_fold(job, plan, started, checksum.result, question.memory_bytes)
    finally:
        asking.shutdown(wait=False, cancel_futures=True)


def _scan_and_fold(
    job: _Job,
    plan: Plan,
    started: float,
    checksum: Callable[[], StoredChecksum],
    memory_bytes: int | None,
) -> Report:
    """Scan what is unfinished, and fold; again what turns out to be lost or damaged."""
    engine, source, folder, watch = job
    lost: tuple[int, ...] = ()
    redone: set[int] = set()
    for rounds_left in reversed(range(_ROUNDS)):
        plan = _scan(job, plan, lost)
        scanned = Scanned(
            engine.name,
            engine.workers,
            started,
            time.monotonic() - started,
            tuple(sorted(redone)),
        )
        try:
            return fold_in(
                plan, folder, watch, scanned, checksum=checksum, memory_bytes=memory_bytes
            )
        except MissingSlicesError as error:
            if not rounds_left or source.source.url == STDIN:
                raise
            lost = error.indexes
        redone.update(lost)
        logging.getLogger("fanfold").warning(
            "%s: results of slices were lost or damaged; scanning again: %s",
            source.source.name,
            ", ".join(map(str, lost)),
        )
    raise AssertionError("the last round returns or raises")


def affordable_workers(
    workers: int | None, memory_bytes: int | None, *, is_remote: bool = False
) -> int:
    """The workers to run: those asked for, or fewer if the memory doesn't reach.

    Raises:
        ParameterError: not even one is affordable.
    """
    check_positive("the number of workers", workers)
    wanted = available_cores() if workers is None else workers
    if memory_bytes is None:
        return wanted
    worker_bytes = _WORKER_BYTES + (_REMOTE_BYTES if is_remote else 0)
    if memory_bytes < BASE_BYTES + worker_bytes:
        raise ParameterError(
            f"--memory {memory_bytes} is too little: a run takes"
            f" {(BASE_BYTES + worker_bytes) // 1024**2}MiB at least"
        )
    return min(wanted, (memory_bytes - BASE_BYTES) // worker_bytes)


def _default_slice_bytes(engine: Engine, source: Source) -> int:
    if source.url == STDIN:
        return DEFAULT_SLICE_BYTES if engine.is_own else _STDIN_SLICE_BYTES
    slice_bytes = local_slice_bytes(source.size_bytes, engine.workers or _WORKERS_AT_MOST)
    return slice_bytes if engine.workers else max(slice_bytes, _MIN_SENT_SLICE_BYTES)


class _Job(NamedTuple):
    engine: Engine
    source: Input
    folder: Folder
    watch: Watch


def _scan(job: _Job, plan: Plan, lost: Sequence[int]) -> Plan:
    """Have the slices scanned that were lost, or all that have no result; the plan with them."""
    engine, _, folder, watch = job
    if plan.slices is not None:
        wanted = set(lost) or folder.unfinished(plan)
    if plan.slices is None or folder.lacks_objects(plan, wanted):
        plan = _inflate(job, plan)
        if engine.is_own:
            return plan
        wanted = set(lost) or folder.unfinished(plan)
    if not engine.is_own and plan.cut == "text":
        watch.start_over(plan.text_bytes or 0)
    for each in plan.known_slices():
        if each.index not in wanted:
            watch.pass_over(each.size_bytes)

    def scan_here(index: int) -> int:
        watch.advance(0)
        each = plan.known_slices()[index]
        folder.keep(scan_slice(plan, each, folder.objects(plan), watch.advance), plan)
        return 0

    def done(index: int, read_bytes: int) -> None:
        if not engine.is_own:
            watch.pass_over(plan.known_slices()[index].size_bytes, read_bytes)

    task = scan_here if engine.is_own else partial(tasks.task, folder.place.where(PLAN))
    fan_out(engine, task, sorted(wanted), done, watch)
    return plan


def _inflate(job: _Job, plan: Plan) -> Plan:
    """The plan with its slices of text: scanned already, or written out for others to scan."""
    engine, source, folder, watch = job
    if engine.is_own:
        plan = scan_text(plan, folder, source.blocks(), watch.advance)
    elif plan.source.url == STDIN:
        plan = plan_text(plan, folder, source.blocks(), watch.advance)
    else:
        where = folder.place.where(PLAN)
        size_bytes = plan.source.size_bytes

        def done(_: str, read_bytes: int) -> None:
            watch.pass_over(size_bytes, read_bytes)

        fan_out(engine, tasks.inflate, [where], done, watch)
        return tasks.open_plan(where)[0]
    folder.write_plan(plan)
    return plan
