"""Plans and reports under a prefix of an object store, which has no rename and no lock.

Whose prefix it is, `plan.json` says: it is created or replaced only if nobody else did meanwhile,
and read back. The report is proven before the first object of an older one goes. Then its record is
written, the tables are created only where there are none, and `master.json` comes last. A crash on
the way leaves no report, but a record of what is there; the next run makes the report from the
slices' results.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from fanfold.errors import OutputError
from fanfold.flow.contents import (
    Contents,
    has_facts,
    read_record,
    sizes_of,
)
from fanfold.flow.plan import Plan, encode_plan
from fanfold.flow.publication import (
    NewReport,
    WriteTable,
    changed_meanwhile,
    check_claim,
    remove_work,
    replacing,
)
from fanfold.flow.run_folder import PLAN
from fanfold.objects import Place, is_any
from fanfold.report.run_record import (
    MASTER,
    RUN,
    FileFacts,
    MeasuredWriter,
    Question,
    Record,
    decode_run,
    facts_of,
)

_COPIED_BYTES = 1024**2

_CREATED_BYTES = 64 * 1024**2
"""Objects up to this size are written under the condition that there is none."""

_TRIES = 3


class InStore:
    """Writes plans and reports under a prefix; see `Publisher`.

    Args:
        place: the prefix.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    def hold(self, location: str) -> nullcontext[None]:  # noqa: ARG002 - nothing is removed
        """Nothing: there are no locks, and no interrupted publication."""
        return nullcontext()

    def claim(self, plan: Plan, contents: Contents) -> Plan:
        """Write `plan.json` unless somebody else did since `contents` were read."""
        plan = replacing(self._place, plan, contents)
        data = encode_plan(plan)
        if contents.plan_data is None:
            self._place.create(PLAN, data)
        else:
            self._place.swap(PLAN, contents.plan_data, data)
        # A condition may be ignored, and an answer lost: what is there now, counts.
        check_claim(self._place, plan)
        before, now = contents.record, read_record(self._place)
        if now is not None and now.question.job != plan.job and now != before:
            raise OutputError(
                f"{self._place.url}: the report of {now.question.location} has appeared meanwhile;"
                " give another --out, or --fresh to replace it"
            )
        return plan

    def update(self, plan: Plan) -> None:
        """Write what the plan knows more by now, over the same plan."""
        before = encode_plan(check_claim(self._place, plan))
        self._place.swap(PLAN, before, encode_plan(plan))
        check_claim(self._place, plan)

    def publish(self, question: Question, report: NewReport, plan: Plan | None) -> None:
        """Write the report; what another question left there goes first.

        The record is written before the files that it names: after a crash, they have an owner.
        """
        files = {**report.kept}
        files |= {name: measured(write) for name, write in report.tables}
        files |= {name: file.facts for name, file in report.ready.items()}
        files[MASTER] = facts_of(report.master)
        renderings = {name: facts_of(data) for name, data in report.renderings.items()}
        record = Record(question, files, renderings)
        before = read_record(self._place)
        if plan is not None:
            check_claim(self._place, plan)
        # Not what is there now, but what was there before the claim was read again.
        self._remove_others(question, before)
        self._write_run(record, report.run(record), plan)
        for name, write in report.tables:
            self._write_table(name, write, files[name], plan)
        for name, file in report.ready.items():
            self._write_table(name, partial(_copy, file.path), file.facts, plan)
        for name, data in report.renderings.items():
            self._create(name, data, plan)
        self._create(MASTER, report.master, plan)
        sizes = sizes_of(self._place, files)
        if any(sizes.get(name) != facts.size_bytes for name, facts in files.items()):
            raise changed_meanwhile(self._place)
        if plan is not None:
            check_claim(self._place, plan)
            remove_work(self._place, plan.replaces, [plan.source.url])

    def _remove_others(self, question: Question, record: Record | None) -> None:
        """Remove the files of another question's report, `master.json` first; its record stays."""
        if record is None or record.question.job == question.job:
            return
        tables = sorted((record.files.keys() | record.renderings.keys()) - {MASTER})
        for name in (MASTER, *tables):
            if is_any(self._place.where(name), [question.location]):
                raise OutputError(f"{self._place.where(name)}: the input itself is in the way")
        for names in ([MASTER], tables):  # a store may remove several in any order
            self._place.remove(names)

    def _write_run(self, record: Record, data: bytes, plan: Plan | None) -> None:
        """Write `run.json` in place of an older one; one with the same record stays."""
        for _ in range(_TRIES):
            try:
                there = self._place.read(RUN)
            except FileNotFoundError:
                self._place.create(RUN, data)
            else:
                run = decode_run(there)
                if run is not None and run.record == record:
                    return
                if plan is not None:
                    check_claim(self._place, plan)
                self._place.swap(RUN, there, data)
            if read_record(self._place) == record:  # what is there now, counts
                return
        raise OutputError(f"{self._place.where(RUN)}: another run writes it; run again")

    def _write_table(
        self, name: str, write: WriteTable, facts: FileFacts, plan: Plan | None
    ) -> None:
        if facts.size_bytes <= _CREATED_BYTES:
            data = io.BytesIO()
            write(data.write)
            self._create(name, data.getvalue(), plan)
        elif not has_facts(self._place, name, facts):
            if plan is not None:
                check_claim(self._place, plan)
            with self._place.writing(name) as file:
                write(file.write)

    def _create(self, name: str, data: bytes, plan: Plan | None) -> None:
        """Create an object; one that is there must have the same bytes, or goes."""
        for _ in range(_TRIES):
            if self._place.create(name, data) or has_facts(self._place, name, facts_of(data)):
                return
            self._remove(name, plan)
        raise OutputError(f"{self._place.where(name)}: another run writes it; run again")

    def _remove(self, name: str, plan: Plan | None) -> None:
        """Remove an object that is in the way of the report of the plan that has this place."""
        if plan is not None:
            check_claim(self._place, plan)
        self._place.remove([name])


def _copy(path: Path, write: Callable[[bytes], object]) -> None:
    """Write what a file of this machine holds."""
    with path.open("rb") as file:
        while data := file.read(_COPIED_BYTES):
            write(data)


def measured(write: WriteTable) -> FileFacts:
    """The facts of what a table will be."""
    writer = MeasuredWriter(lambda _: None)
    write(writer)
    return writer.facts
