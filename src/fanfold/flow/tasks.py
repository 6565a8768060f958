"""The three verbs of an array of tasks: plan, task, fold. `run` drives the same parts."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from fanfold.engine.progress import Progress, Watch
from fanfold.errors import ParameterError, PlanError
from fanfold.flow.finish import Report, Scanned, fold_in
from fanfold.flow.genome import Input
from fanfold.flow.plan import Plan, array_slice_bytes, job_of
from fanfold.flow.run_folder import PLAN, Folder
from fanfold.flow.scan import scan_slice
from fanfold.flow.uncut import plan_text
from fanfold.objects import (
    Source,
    open_place,
    read_blocks,
    split_location,
    stored_checksum,
)
from fanfold.params import DEFAULT_K, DEFAULT_SLICE_BYTES, Params, check_params, check_positive


def plan(
    location: str | os.PathLike[str],
    k: Iterable[int] | int = DEFAULT_K,
    *,
    out: str | os.PathLike[str],
    canonical: bool = False,
    slice_bytes: int | None = None,
    fresh: bool = False,
    name: str | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Plan a job for an array of tasks, at most 10,000: write ``plan.json`` into `out`.

    An archive that can't be cut is inflated, and its text written beside the plan. Arguments are
    as in `run`; ``slice_bytes`` is 100 MiB when None, and more where that made too many slices.

    Raises:
        FanfoldError: see `fanfold.errors`.
    """
    parameters = check_params(k, canonical=canonical)
    check_positive("the size of a slice", slice_bytes)
    folder = Folder(open_place(out))
    source = Input(location, name)
    size_bytes = source.source.size_bytes
    wanted_bytes = DEFAULT_SLICE_BYTES if slice_bytes is None else slice_bytes
    there = None if fresh else plan_to_resume(folder, source.source, parameters)
    if there is not None and there.slices is not None:
        return there
    made = source.plan(parameters, array_slice_bytes(size_bytes, wanted_bytes))
    folder.clear(source.source.name, source.source)
    if made.slices is None:
        folder.write_plan(made)
        watch = Watch(size_bytes, progress)
        made = plan_text(made, folder, source.blocks(), watch.advance)
    folder.write_plan(made)
    return made


def task(plan_location: str | os.PathLike[str], index: int) -> int:
    """Scan one slice of a plan, unless its result is there already; bytes of input that it read.

    Raises:
        ParameterError: the plan has no such slice.
        FanfoldError: see `fanfold.errors`.
    """
    plan, folder = open_plan(plan_location)
    slices = plan.known_slices()
    if not 0 <= index < len(slices):
        raise ParameterError(
            f"{plan_location}: there is no slice {index}; the plan has 0 to {len(slices) - 1}"
        )
    if folder.kept(plan, index) is not None:
        return 0
    watch = Watch(slices[index].size_bytes, None)
    folder.keep(scan_slice(plan, slices[index], folder.objects(plan), watch.advance), plan)
    return watch.read_bytes


def inflate(plan_location: str | os.PathLike[str]) -> int:
    """Write out the text of a plan's input, which can't be cut; bytes of input that were read.

    Raises:
        FanfoldError: see `fanfold.errors`.
    """
    plan, folder = open_plan(plan_location)
    source = plan.source
    watch = Watch(source.size_bytes, None)
    blocks = read_blocks(source, 0, source.size_bytes)
    folder.write_plan(plan_text(plan, folder, blocks, watch.advance))
    return watch.read_bytes


def fold(plan_location: str | os.PathLike[str], *, memory_bytes: int | None = None) -> Report:
    """Fold the results of all slices of a plan into the report. Can be run again.

    Raises:
        MissingSlicesError: results of slices are missing or damaged; names every one.
        FanfoldError: see `fanfold.errors`.
    """
    started = time.monotonic()
    plan, folder = open_plan(plan_location)
    watch = Watch(plan.size_bytes, None)
    return fold_in(
        plan,
        folder,
        watch,
        Scanned("array", None, started),
        checksum=lambda: stored_checksum(plan.source),
        memory_bytes=memory_bytes,
    )


def open_plan(location: str | os.PathLike[str]) -> tuple[Plan, Folder]:
    """The plan at a path or URL, and the folder or prefix that it is in.

    Raises:
        PlanError: there is none, or it can't be used.
    """
    where, name = split_location(location)
    folder = Folder(open_place(where))
    found = folder.read_plan() if name == PLAN else None
    if found is None:
        raise PlanError(f"{os.fspath(location)}: can't be read: there is no plan.json there")
    return found, folder


def plan_to_resume(folder: Folder, source: Source, parameters: Params) -> Plan | None:
    """The plan of the same job that is there, if there is one."""
    try:
        plan = folder.read_plan()
    except PlanError:
        return None
    return plan if plan is not None and plan.job == job_of(source, parameters) else None
