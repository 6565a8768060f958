"""How a plan and its report come into a folder or prefix: one interface, on disk and in a store.

    hold ──▶ claim (plan.json) ──▶ … slices … ──▶ publish (the report, master.json last)

Whatever fails or is killed before the report is whole leaves the one that was there as it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

import msgspec

from fanfold.errors import OutputError, PlanError
from fanfold.flow.contents import Contents
from fanfold.flow.plan import CHUNKS, TABLES, WINDOWS, Plan
from fanfold.flow.run_folder import PLAN, read_plan
from fanfold.objects import Place, is_any
from fanfold.report.run_record import KMERS, FileFacts, Question, Record

WriteTable = Callable[[Callable[[bytes], object]], object]

_WORK = re.compile(
    r".+\.(?:chunk\d{4,}\.(?:json|rows|fa|window|packed)|seams\.packed|text\.json|gzi)", re.DOTALL
)
_TEXT = re.compile(r".+\.(?:chunk\d{4,}\.packed|seams\.packed|text\.json)", re.DOTALL)
PART = re.compile(r"part-\d{5}\.parquet")
"""The name of a part of a table."""

_COUNT = re.compile(r"\d{4}\.json|part-\d{5}\.parquet")
_PRIVATE = re.compile(r"work-\w{8}")


class Ready(NamedTuple):
    """A file of a report that is whole already, on this machine, and is the run's own.

    Attributes:
        path: where it is.
        facts: what it is.
    """

    path: Path
    facts: FileFacts


class NewReport(NamedTuple):
    """A report that is proven, and not written yet.

    Attributes:
        tables: the name of each table, and what writes it, the same bytes at every call.
        master: the bytes of `master.json`.
        run: makes the bytes of `run.json` with a record.
        renderings: the bytes of what shows the report, by name.
        kept: the facts of tables that are in place already, by name.
        ready: tables that are written already, by name; where they can be moved, they are.
    """

    tables: Sequence[tuple[str, WriteTable]]
    master: bytes
    run: Callable[[Record], bytes]
    renderings: Mapping[str, bytes]
    kept: Mapping[str, FileFacts]
    ready: Mapping[str, Ready] = MappingProxyType({})


class Publisher(Protocol):
    """Writes plans and reports into one place."""

    def hold(self, location: str) -> AbstractContextManager[object]:
        """Keep others out for the length of the block, where that can be, and finish their work.

        Args:
            location: the input's, which is never touched.

        Raises:
            OutputError: another run is at work here.
        """

    def claim(self, plan: Plan, contents: Contents) -> Plan:
        """Make a plan the one of this place; it with the plans that it replaces.

        Args:
            plan: the plan.
            contents: what was there when it was decided that the plan may go here.

        Raises:
            OutputError: it can't be written, or another run was faster.
        """

    def update(self, plan: Plan) -> None:
        """Write what the plan of this place knows more by now; raises as `claim`."""

    def publish(self, question: Question, report: NewReport, plan: Plan | None) -> None:
        """Write a report, `master.json` last.

        Args:
            question: what it answers.
            report: the report.
            plan: the plan of this place, which has to be there still; None for a report that was
                made elsewhere.

        Raises:
            OutputError: it can't be written, or another run has replaced the plan.
        """


def check_claim(place: Place, plan: Plan) -> Plan:
    """Check that a plan is still the one of its place; the plan as it is there.

    Raises:
        OutputError: another is, or none.
    """
    try:
        found = read_plan(place, None)  # its id is a hash of the version too
        now = "it is gone" if found is None else f"it is of {found.question.location} now"
    except PlanError:
        found, now = None, "it can't be used now"
    if found is None or found.id != plan.id:
        raise OutputError(
            f"{place.where(PLAN)}: another run has replaced it ({now}); nothing was reported."
            " Give another --out"
        )
    return found


def changed_meanwhile(place: Place) -> OutputError:
    """The error of a report that another run has overwritten in part."""
    return OutputError(
        f"{place.url}: the report was changed while it was written: another run is at work here."
        " Run again when it is done, or give another --out"
    )


def replacing(place: Place, plan: Plan, contents: Contents) -> Plan:
    """A plan with the ids of those whose work is here and goes when its report is there."""
    there = {*contents.plans} & {*place.folders(CHUNKS)}
    return msgspec.structs.replace(plan, replaces=tuple(sorted(there - {plan.id})))


def remove_work(place: Place, plans: Iterable[str], inputs: Iterable[str]) -> None:
    """Remove the work of plans that were replaced: their folders in `chunks/`, and nothing else.

    An input that lies there stays.
    """
    for each in plans:
        remove_counts(place, [each])
        _remove_tables(place, f"{CHUNKS}/{each}/{TABLES}")
        for below in (f"{CHUNKS}/{each}/{WINDOWS}", f"{CHUNKS}/{each}"):
            names = [f"{below}/{name}" for name in place.sizes(below) if _WORK.fullmatch(name)]
            place.remove(name for name in names if not is_any(place.where(name), inputs))
            place.sweep(below)
            place.remove_folder(below)


def remove_counts(place: Place, plans: Iterable[str]) -> None:
    """Remove the parts of tables that counts of plans made and did not move into place."""
    for each in plans:
        kmers = f"{CHUNKS}/{each}/{KMERS}"
        for k in place.folders(kmers):
            below = f"{kmers}/{k}"
            place.remove(f"{below}/{name}" for name in place.sizes(below) if PART.fullmatch(name))
            place.remove_folder(below)
        place.remove_folder(kmers)


def remove_text(place: Place, plan: Plan) -> None:
    """Remove the packed text of a plan whose report is there, and what tasks counted in it."""
    if not plan.parameters.large_k:
        return
    below = plan.folder
    names = [f"{below}/{name}" for name in place.sizes(below) if _TEXT.fullmatch(name)]
    place.remove(name for name in names if not is_any(place.where(name), [plan.source.url]))
    remove_counts(place, [plan.id])
    _remove_tables(place, plan.tables_folder)


def _remove_tables(place: Place, tables: str) -> None:
    for k in place.folders(tables):
        below = f"{tables}/{k}"
        private = (f"{below}/{name}" for name in place.folders(below) if _PRIVATE.fullmatch(name))
        for folder in (*private, below):
            names = [name for name in place.sizes(folder) if _COUNT.fullmatch(name)]
            place.remove(f"{folder}/{name}" for name in names)
            place.sweep(folder)
            place.remove_folder(folder)
    place.remove_folder(tables)
