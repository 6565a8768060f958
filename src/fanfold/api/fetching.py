"""The report of a job, fetched into a folder: from S3, or from a server by its API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from fanfold.api.client import Client
from fanfold.api.types import ChunkAnswer
from fanfold.errors import CloudError, OutputError, SourceError
from fanfold.flow.claim import log_replaced
from fanfold.flow.contents import (
    check_names,
    check_questions,
    read_contents,
    read_finished,
)
from fanfold.flow.publication import NewReport, WriteTable
from fanfold.flow.publish import publisher_of
from fanfold.objects import DOCUMENT_BYTES, open_place, split_location
from fanfold.report.finished import Report
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


class Results(Protocol):
    """The files of a job's results, wherever they are; as `Place`."""

    def where(self, name: str) -> str:
        """The URL of a file."""

    def read(self, name: str, most_bytes: int = DOCUMENT_BYTES) -> bytes:
        """A file, whole; raises FileNotFoundError."""

    def blocks(self, name: str) -> Iterable[bytes | memoryview]:
        """The bytes of a file, in blocks; raises FileNotFoundError."""


class _ResultsOfServer:
    """The files of a job's results, by the API of a server."""

    def __init__(self, client: Client, job: str) -> None:
        self._client = client
        self._job = job

    def where(self, name: str) -> str:
        return f"{self._client.api_url}/jobs/{self._job}/{name}"

    def read(self, name: str, most_bytes: int = DOCUMENT_BYTES) -> bytes:
        data = bytearray()
        for block in self.blocks(name):
            data += block
            if len(data) > most_bytes:
                raise CloudError(f"{self.where(name)}: more than {most_bytes} bytes")
        return bytes(data)

    def blocks(self, name: str) -> Iterator[bytes]:
        try:
            with self._client.opened_file(self._job, name) as blocks:
                yield from blocks
        except CloudError as error:
            if error.status == 404:
                raise FileNotFoundError(self.where(name)) from error
            raise


def results_of(client: Client, answer: ChunkAnswer) -> Results:
    """The files of a job's results: in S3 for a deployment on AWS, else of the server itself.

    A server never says where else to read: that would be done with the caller's own AWS keys.
    """
    if client.region is not None:
        return open_place(split_location(answer.results.master)[0])
    return _ResultsOfServer(client, answer.job)


def fetch_report(far: Results, out: str, *, is_named: bool, started: float) -> Report:
    """Fetch the files of a report; they are checked by its record, and appear together.

    Args:
        far: the files.
        out: where they go.
        is_named: whether the user named that.
        started: when the job was asked for, on the monotonic clock.

    Raises:
        CloudError: there is no report, or it is not what its record says.
        OutputError: they can't be read or written, or something else is in the way.
    """
    master_url = far.where(MASTER)
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


def _renderings(far: Results, record: Record) -> dict[str, bytes]:
    """The renderings that are there; one that is not what its record says is left out.

    The report is complete without it, and `fanfold report` makes it again.
    """
    found = {}
    for name, facts in record.renderings.items():
        with suppress(FileNotFoundError, OutputError, CloudError):
            data = far.read(name, facts.size_bytes)
            if facts_of(data) == facts:
                found[name] = data
    return found


def _fetching(far: Results, name: str, facts: FileFacts) -> WriteTable:
    def fetch(write: Callable[[bytes], object]) -> None:
        measured = MeasuredWriter(write)
        try:
            with _reading():
                for block in far.blocks(name):
                    measured(bytes(block))
                    if measured.facts.size_bytes > facts.size_bytes:
                        raise _damaged(far.where(name))  # it may have no end
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
