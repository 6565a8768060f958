"""The check: every checksum of a folder or prefix, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Container, Iterator

from fanfold.errors import OutputError, PlanError
from fanfold.flow.check_kmers import find_table_faults
from fanfold.flow.collection import COLLECTION, INDEX, SUMMARY, read_collection
from fanfold.flow.contents import PUBLISH, has_facts, judged_by_size, read_publication, read_record
from fanfold.flow.run_folder import PLAN, RunFolder, read_plan
from fanfold.objects import Place, open_place
from fanfold.report.run_record import RUN, FileFacts, Record


def find_faults(place: Place) -> Iterator[str]:
    """What is wrong in a folder or prefix, and in the reports of a collection; a line each.

    All files of a report are read, whatever their size, and all results of slices that are there.
    Tables of k-mers from 9 on are compared with the report.
    """
    try:
        kinds = place.kinds([COLLECTION, PLAN, RUN, PUBLISH])
        if COLLECTION in kinds:
            yield from _of_collection(place)
        if COLLECTION not in kinds or RUN in kinds or PLAN in kinds:
            yield from _of_run(place)
    except OutputError as error:
        yield str(error)


def _of_collection(place: Place) -> Iterator[str]:
    collection = read_collection(place)
    if collection is None:
        yield f"{place.where(COLLECTION)}: damaged; run again"
        return
    yield from _of_file(place, SUMMARY, collection.summary)
    if collection.index is not None:
        yield from _of_file(place, INDEX, collection.index)
    for name in collection.names:
        yield from find_faults(open_place(place.where(name)))


def _of_run(place: Place) -> Iterator[str]:
    kinds = place.kinds([RUN, PLAN])
    record = read_record(place)
    if record is not None:
        yield from _of_report(place, record)
    elif RUN in kinds:
        yield f"{place.where(RUN)}: damaged; run again"
    elif PLAN not in kinds:
        yield f"{place.url}: no report and no plan are here"
    publication = read_publication(place)
    if publication is not None and not all(
        has_facts(place, name, facts) for name, facts in publication.files.items()
    ):
        yield f"{place.where(PUBLISH)}: a report waits to be moved into place; run again"
    try:
        plan = read_plan(place)
    except PlanError as error:
        yield str(error)
        return
    if plan is None:
        return
    folder = RunFolder(place, plan)
    if plan.slices is None:
        yield f"{folder.plan_url}: the input is not inflated yet; run again"
        return
    missing = folder.missing()
    if record is None and RUN not in kinds:
        done = len(plan.slices) - len(missing)
        yield f"{place.url}: no report yet; {done} of {len(plan.slices)} slices have results"
    for each in plan.slices:
        if each.index not in missing and folder.get(each.index) is None:
            where = place.where(plan.chunk_name(each.index, "json"))
            yield f"{where}: damaged; run again{'' if record is None else ' with --fresh'}"


def _of_report(place: Place, record: Record) -> Iterator[str]:
    known = set()
    by_size = judged_by_size(record.files)
    for name, facts in (record.files | record.renderings).items():
        for fault in _of_file(place, name, facts, by_size):
            known.add(name)
            yield fault
    yield from find_table_faults(place, record, known)


def _of_file(
    place: Place, name: str, facts: FileFacts, by_size: Container[str] = ()
) -> Iterator[str]:
    kind = place.kinds([name]).get(name)
    if kind is None:
        yield f"{place.where(name)}: gone; run again"
    elif kind != "file":
        yield f"{place.where(name)}: not a regular file; move it, and run again"
    elif not has_facts(place, name, facts):
        fresh = " with --fresh" if name in by_size else ""
        yield f"{place.where(name)}: not what was written; run again{fresh}"
