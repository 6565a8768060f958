"""How far the run of a folder or prefix is, without a lock and without a write."""

from __future__ import annotations

import os
from typing import Literal

import msgspec

from fanfold.errors import PlanError
from fanfold.flow.contents import read_contents, read_finished
from fanfold.flow.plan import Plan
from fanfold.flow.run_folder import PLAN, RunFolder
from fanfold.objects import LocalPlace, Place, open_place
from fanfold.report.run_record import RUN

_MOST_BELOW = 10_000
"""More folders than these are not looked into."""


class HowFar(msgspec.Struct, frozen=True):
    """How far one run is.

    Attributes:
        name: the base name of its input.
        url: where its files are.
        state: ``complete``; ``running``, where a process of this machine is at work; ``stopped``
            otherwise: it may run elsewhere, or was stopped.
        done: the slices with a result.
        slices: how many slices there are; None while that isn't known, as for an archive that is
            inflated.
        done_bytes: what those with a result hold: of the input, or of its text.
        size_bytes: what all hold; None while that isn't known.
        holder: the process that is or was at work, such as ``process 7 on host, since …``; None if
            none has left its name.
    """

    name: str
    url: str
    state: Literal["complete", "running", "stopped"]
    done: int
    slices: int | None
    done_bytes: int
    size_bytes: int | None
    holder: str | None


def how_far(location: str | os.PathLike[str]) -> list[HowFar]:
    """How far the run in a folder or prefix is, or those in the folders directly in it.

    Args:
        location: what ``--out`` was.

    Raises:
        PlanError: there is no run of this version.
        OutputError: it can't be read.
    """
    place = open_place(location)
    found = _of(place)
    if found is not None:
        return [found]
    below = place.folders()[:_MOST_BELOW]
    runs = [_of(open_place(place.where(name))) for name in below if not name.startswith(".")]
    those = [each for each in runs if each is not None]
    if not those:
        raise PlanError(f"{place.url}: no run is here; give the folder that --out was")
    return those


def _of(place: Place) -> HowFar | None:
    """How far the run of a place is; None if there is none."""
    if not place.kinds([PLAN, RUN]):
        return None
    contents = read_contents(place)
    plan, record = contents.plan, contents.record
    is_of_record = record is not None and (plan is None or plan.job == record.question.job)
    if record is not None and is_of_record and read_finished(place, record.question) is not None:
        slices = () if plan is None else plan.slices or ()
        size_bytes = sum(each.size_bytes for each in slices)
        return HowFar(
            name=record.question.name,
            url=place.url,
            state="complete",
            done=len(slices),
            slices=len(slices),
            done_bytes=size_bytes,
            size_bytes=size_bytes,
            holder=None,
        )
    return None if plan is None else _of_work(place, plan)


def _of_work(place: Place, plan: Plan) -> HowFar:
    """How far a run without a report is."""
    holder = place.holder() if isinstance(place, LocalPlace) else None
    folder = RunFolder(place, plan)
    slices, size_bytes = None, None
    if plan.slices is None:
        done = sum(name.endswith(".json") for name in place.sizes(plan.folder))
        done_bytes = done * plan.slice_bytes
    else:
        missing = folder.missing()
        kept = [each.size_bytes for each in plan.slices if each.index not in missing]
        done, done_bytes = len(kept), sum(kept)
        slices, size_bytes = len(plan.slices), sum(each.size_bytes for each in plan.slices)
    return HowFar(
        name=plan.source.name,
        url=place.url,
        state="running" if holder is not None and holder.is_alive else "stopped",
        done=done,
        slices=slices,
        done_bytes=done_bytes,
        size_bytes=size_bytes,
        holder=None if holder is None else str(holder),
    )
