"""The report of a job in the cloud, fetched into a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from fanfold.errors import CloudError, OutputError, SourceError
from fanfold.flow.claim import log_replaced
from fanfold.flow.contents import (
    check_names,
    check_questions,
    decode_run,
    read_contents,
    read_finished,
)
from fanfold.flow.publication import NewReport, WriteTable
from fanfold.flow.publish import publisher_of
from fanfold.objects import Place, open_place, split_location
from fanfold.report.finished import Report
from fanfold.report.run_record import (
    MASTER,
    RUN,
    FileFacts,
    MeasuredWriter,
    Question,
    Record,
    facts_of,
)


def check_folder(out: str, question: Question, *, is_named: bool) -> str | None:
    """Check that a report may be fetched into a folder; what it replaces there, in words.

    Raises:
        OutputError: the folder has what may not be replaced.
    """
    place = open_place(out)
    contents = read_contents(place)
    check_names(place, contents, question)
    return check_questions(
        place, contents, question, is_named=is_named, remedy="give another --out"
    )


def fetch_report(master_url: str, out: str, *, is_named: bool, started: float) -> Report:
    """Fetch the files of a report; they are checked by its record, and appear together.

    Args:
        master_url: the URL of its `master.json`.
        out: where they go.
        is_named: whether the user named that.
        started: when the job was asked for, on the monotonic clock.

    Raises:
        CloudError: there is no report, or it is not what its record says.
        OutputError: they can't be read or written, or something else is in the way.
    """
    far = open_place(split_location(master_url)[0])
    try:
        with _reading():
            run = far.read(RUN)
            master = far.read(MASTER)
    except FileNotFoundError as error:
        raise CloudError(f"{master_url}: there is no report; submit the job again") from error
    decoded = decode_run(run)
    if decoded is None:
        raise CloudError(f"{far.where(RUN)}: damaged; submit the job again")
    record = decoded.record
    if facts_of(master) != record.files[MASTER]:
        raise _damaged(master_url)
    tables = [
        (name, _fetching(far, name, facts))
        for name, facts in record.files.items()
        if name != MASTER
    ]
    place = open_place(out)
    publisher = publisher_of(place)
    with publisher.hold(record.question.location):
        if read_finished(place, record.question) != master:
            replaced = check_folder(out, record.question, is_named=is_named)
            if replaced is not None:
                log_replaced(place, replaced)
            place.prepare("")
            report = NewReport(tables, master, lambda _: run, _renderings(far, record), {})
            publisher.publish(record.question, report, None)
    return Report(place, master, resumed=False, seconds=time.monotonic() - started)


def _renderings(far: Place, record: Record) -> dict[str, bytes]:
    """The renderings that are there; one that is not what its record says is left out.

    The report is complete without it, and `fanfold report` makes it again.
    """
    found = {}
    for name, facts in record.renderings.items():
        with suppress(FileNotFoundError, OutputError):
            data = far.read(name, facts.size_bytes)
            if facts_of(data) == facts:
                found[name] = data
    return found


def _fetching(far: Place, name: str, facts: FileFacts) -> WriteTable:
    def fetch(write: Callable[[bytes], object]) -> None:
        measured = MeasuredWriter(write)
        try:
            with _reading():
                for block in far.blocks(name):
                    measured(bytes(block))
        except FileNotFoundError as error:
            raise _damaged(far.where(name)) from error
        if measured.facts != facts:
            raise _damaged(far.where(name))

    return fetch


@contextmanager
def _reading() -> Iterator[None]:
    """What can't be read is the source of a fetch, and no result of this machine's."""
    try:
        yield
    except OutputError as error:
        raise SourceError(str(error)) from error


def _damaged(url: str) -> CloudError:
    return CloudError(f"{url}: not what its record says; submit the job again")
