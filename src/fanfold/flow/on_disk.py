"""Plans and reports in a folder on disk.

    .fanfold/lock           held while a run is at work
    .fanfold/<token>/       a whole report that waits
    publish.json            the commit: before it the old report is whole, after it the new one is,
                            and whoever holds the folder next moves into place what still waits

Safety comes from the order of these steps. The lock only keeps two runs from working for nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath

from fanfold.checked_json import encode_checked
from fanfold.errors import OutputError
from fanfold.flow.contents import (
    PUBLISH,
    Contents,
    Publication,
    has_facts,
    in_the_way,
    read_contents,
    read_finished,
    read_publication,
)
from fanfold.flow.plan import CHUNKS, Plan, encode_plan
from fanfold.flow.publication import (
    NewReport,
    changed_meanwhile,
    check_claim,
    remove_counts,
    remove_work,
    replacing,
)
from fanfold.flow.run_folder import PLAN
from fanfold.objects import STATE, LocalPlace, is_any, shown
from fanfold.report.run_record import (
    KMERS,
    MASTER,
    RENDERINGS,
    RUN,
    FileFacts,
    MeasuredWriter,
    Question,
    Record,
    facts_of,
    is_kmer_file,
    is_report_file,
)

_TOKEN = re.compile(r"[0-9a-f]{32}")

_SLASH = "~"
"""Stands in the name of a file that waits for what is between folders."""


class OnDisk:
    """Writes plans and reports into a folder; see `Publisher`.

    Args:
        place: the folder.
    """

    def __init__(self, place: LocalPlace) -> None:
        self._place = place

    @contextmanager
    def hold(self, location: str) -> Iterator[None]:
        """Hold the folder's lock, and finish a publication that was interrupted."""
        with self._place.lock() as is_held:
            publication = read_publication(self._place)
            if publication is not None:
                self._finish(publication, location)
            if is_held:  # else another may be writing there
                self._sweep()
            yield

    def claim(self, plan: Plan, contents: Contents) -> Plan:
        """Write a plan that lists the ones whose work goes when its report is there."""
        plan = replacing(self._place, plan, contents)
        self._write_plan(plan)
        return plan

    def update(self, plan: Plan) -> None:
        """Write what the plan knows more by now, if it is still the one of this folder."""
        check_claim(self._place, plan)
        self._write_plan(plan)

    def _write_plan(self, plan: Plan) -> None:
        self._place.prepare(plan.folder)
        url = plan.source.url
        self._place.write(PLAN, encode_plan(plan), durable=True, is_private=shown(url) != url)

    def publish(self, question: Question, report: NewReport, plan: Plan | None) -> None:
        """Write the whole report aside, commit it, and move it into place."""
        token = os.urandom(16).hex()
        staging = f"{STATE}/{token}"
        try:
            self._place.prepare(staging)
            files = self._stage(staging, question, report)
            self._place.sync(staging)
            self._place.sync(STATE)
            publication = self._publication(question, token, files, plan)
        except BaseException:
            with suppress(OutputError):
                self._discard(staging)
            raise
        # Whatever happens from here on, what was staged is for the next run to judge.
        self._place.write(PUBLISH, encode_checked(publication), durable=True)
        self._finish(publication, question.location)
        if read_finished(self._place, question) != report.master:
            raise changed_meanwhile(self._place)

    def _stage(self, staging: str, question: Question, report: NewReport) -> dict[str, FileFacts]:
        """Write all files of a report into a folder, synced; what was written."""
        files = {**report.kept}
        for name, write in report.tables:
            with self._place.writing(_staged(staging, name), durable=True) as table:
                measured = MeasuredWriter(table.write)
                write(measured)
            files[name] = measured.facts
        for name, file in report.ready.items():
            self._place.adopt(file.path, _staged(staging, name))
            files[name] = file.facts
        files[MASTER] = facts_of(report.master)
        self._place.write(f"{staging}/{MASTER}", report.master, durable=True)
        renderings = {name: facts_of(data) for name, data in report.renderings.items()}
        for name, data in report.renderings.items():
            self._place.write(_staged(staging, name), data, durable=True)
        run = report.run(Record(question, {**files}, renderings))
        self._place.write(f"{staging}/{RUN}", run, durable=True)
        return {**files, **renderings, RUN: facts_of(run)}

    def _publication(
        self, question: Question, token: str, files: dict[str, FileFacts], plan: Plan | None
    ) -> Publication:
        """What is committed; every name that it would replace or remove is checked before."""
        if plan is not None:
            check_claim(self._place, plan)
        contents = read_contents(self._place)
        folders = _folders_of(files)
        for folder, kind in self._place.kinds(folders).items():
            if kind != "folder":
                raise in_the_way(self._place.where(folder))
        for name, kind in self._place.kinds(files).items():
            if kind != "file" or (
                name != RUN
                and not contents.owns(name)
                and not has_facts(self._place, name, files[name])
            ):
                raise in_the_way(self._place.where(name))
        goes = sorted(contents.recorded - files.keys())
        for name in (*files, *goes):
            if is_any(self._place.where(name), [question.location]):
                raise in_the_way(self._place.where(name))
        replaces = () if plan is None or contents.plan is None else contents.plan.replaces
        return Publication(question, token, files, tuple(goes), replaces)

    def _finish(self, publication: Publication, location: str) -> None:
        """Move a committed report into place. Can be done again, and by two at once."""
        place, files = self._place, publication.files
        inputs = [location, publication.question.location]
        done = {name for name, facts in files.items() if has_facts(place, name, facts)}
        staged = place.sizes(publication.staging)
        if any(staged.get(_flat(name)) != files[name].size_bytes for name in files.keys() - done):
            # What was staged is gone: the files in place stay, and the next run judges them. What
            # the new record doesn't name any more would be nobody's.
            if RUN in done:
                self._remove_going(publication, inputs)
                self._sync_going(publication)
            place.remove([PUBLISH])
            return
        if MASTER not in done:
            place.remove([MASTER])
            place.sync()  # a power cut must not bring it back beside new tables
        for folder in _folders_of(files):
            place.prepare(folder)
        tables = files.keys() - {RUN, MASTER}
        for name in (*sorted(tables), RUN):
            if name not in done:
                place.move(_staged(publication.staging, name), name)
        if MASTER not in done:
            for folder in _folders_of(filter(is_kmer_file, files)):
                place.sync(folder)
            place.sync()  # nor lose tables beside a new master.json
            place.move(f"{publication.staging}/{MASTER}", MASTER)
        place.sync()
        self._remove_going(publication, inputs)
        remove_work(place, publication.replaces, inputs)
        if read_publication(place) == publication:
            if publication.goes:
                self._sync_going(publication)
            place.remove([PUBLISH])
        self._discard(publication.staging)

    def _remove_going(self, publication: Publication, inputs: list[str]) -> None:
        """Remove files that the new report doesn't have, and folders that this empties."""
        place = self._place
        kinds = place.kinds(publication.goes)
        files = (name for name, kind in kinds.items() if kind == "file")
        place.remove(name for name in files if not is_any(place.where(name), inputs))
        for folder in reversed(_folders_of([*publication.goes, *RENDERINGS])):
            place.remove_folder(folder)  # if that has left it empty

    def _sync_going(self, publication: Publication) -> None:
        """Wait until the disk has no file that went: one that came back would be nobody's."""
        for folder, kind in self._place.kinds(_folders_of(publication.goes)).items():
            if kind == "folder":
                self._place.sync(folder)
        self._place.sync()

    def _sweep(self) -> None:
        """Remove reports that were staged and never committed, and half-written files."""
        for token in self._place.folders(STATE):
            if _TOKEN.fullmatch(token):
                self._discard(f"{STATE}/{token}")
        self._place.sweep()
        counting = [f"{CHUNKS}/{plan}/{KMERS}" for plan in self._place.folders(CHUNKS)]
        if self._place.kinds(counting):
            remove_counts(self._place, read_contents(self._place).plans)

    def _discard(self, staging: str) -> None:
        flat = {*map(_flat, RENDERINGS)}
        staged = self._place.sizes(staging)
        names = [
            name
            for name in staged
            if name in flat or is_report_file(name) or is_report_file(_unflat(name))
        ]
        self._place.remove(f"{staging}/{name}" for name in names)
        self._place.sweep(staging)
        self._place.remove_folder(staging)


def _staged(staging: str, name: str) -> str:
    """Where a file of a report waits: folders are made when it is moved into place."""
    return f"{staging}/{_flat(name)}"


def _flat(name: str) -> str:
    """The name under which a file waits: tables of several k have parts of the same names."""
    return name.replace("/", _SLASH) if is_kmer_file(name) else PurePosixPath(name).name


def _unflat(name: str) -> str:
    return name.replace(_SLASH, "/")


def _folders_of(names: Iterable[str]) -> list[str]:
    """The folders of some files, each behind the one that it is in."""
    folders = {str(folder) for name in names for folder in PurePosixPath(name).parents}
    return sorted(folders - {"."})
