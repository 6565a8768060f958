"""Stores on a bad day: what passes is outlived, what stays is told, and no report is ever wrong.

A proxy before S3 breaks answers by rule. Every report is compared with that of an undisturbed run.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from servers.proxy import (
    INTERNAL_ERROR,
    SLOW_DOWN,
    CorruptDownload,
    CorruptUpload,
    Delay,
    Fault,
    FaultProxy,
    ReplaceETag,
    Request,
    Reset,
    ResetUpload,
    Stall,
    Truncate,
)
from servers.s3 import S3Server, s3_server
from stores.driving import AT_LEISURE, FORMS, GENOME, OF_A_STORE, OF_ONE_RUN, results, running

import fanfold
from fanfold.errors import (
    FanfoldError,
    MissingSlicesError,
    OutputError,
    SourceChangedError,
    SourceError,
)
from fanfold.objects import open_place

BUCKET = "bucket"
SLICE_BYTES = 16_000


class Store(NamedTuple):
    """S3 behind a proxy, and from behind."""

    s3: S3Server
    proxy: FaultProxy
    prefix: str

    @property
    def out(self) -> str:
        return f"s3://{BUCKET}/{self.prefix}"

    def has(self, name: str) -> bool:
        return f"{self.prefix}/{name}" in self.s3.keys(BUCKET, f"{self.prefix}/")

    def results(self) -> dict[str, bytes]:
        names = [
            key.removeprefix(f"{self.prefix}/") for key in self.s3.keys(BUCKET, f"{self.prefix}/")
        ]
        return {
            name: self.s3.get(BUCKET, f"{self.prefix}/{name}")
            for name in names
            if name.rpartition("/")[0] in {"", "multiqc"} and name not in OF_ONE_RUN
        }

    def chunk(self, name: str) -> str:
        """The key of a slice's file."""
        plan = json.loads(self.s3.get(BUCKET, f"{self.prefix}/plan.json"))
        return f"{self.prefix}/chunks/{plan['id']}/{name}"

    def slices_done(self) -> set[int]:
        """The slices whose results are there, of the plan that is there."""
        if not self.has("plan.json"):
            return set()
        chunks = self.s3.keys(BUCKET, self.chunk(""))
        return {int(key[-9:-5]) for key in chunks if key.endswith(".json")}

    def slices_read(self, name: str) -> list[int]:
        """The slices of the source whose first byte was asked for."""
        ranges = [
            exchange.request.range or ""
            for exchange in self.proxy.log("GET")
            if exchange.request.path == f"/{BUCKET}/{name}"
        ]
        starts = [int(each.removeprefix("bytes=").partition("-")[0]) for each in ranges]
        return [start // SLICE_BYTES for start in starts if start % SLICE_BYTES == 0]

    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.s3.get(BUCKET, f"{self.prefix}/run.json"))
        return facts


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        server.create_bucket(BUCKET)
        for name, data in FORMS.items():
            server.put(BUCKET, name, data)
        yield server


@pytest.fixture
def store(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store, which this process sees through the proxy."""
    for name in [name for name in os.environ if name.startswith(OF_A_STORE)]:
        monkeypatch.delenv(name)
    with FaultProxy(s3.endpoint_url) as proxy:
        for name, value in variables(s3, proxy).items():
            monkeypatch.setenv(name, value)
        yield Store(s3, proxy, tmp_path.name)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """What a run on this machine makes of each form."""
    folder = tmp_path_factory.mktemp("local")
    made = {}
    for name, data in FORMS.items():
        (folder / name).write_bytes(data)
        made[name] = results(fanfold.run(folder / name, 3, out=folder / f"{name}.out").out)
    return made


def variables(s3: S3Server, proxy: FaultProxy) -> dict[str, str]:
    return {
        **s3.environment(proxy.url),
        "AWS_EC2_METADATA_DISABLED": "true",
        **AT_LEISURE,
    }


def soon(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    """What stays is told soon: nothing is tried again.

    Only for what stalls is a silent server given up soon, and not so soon that one that is merely
    busy would be.
    """
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "0.1")
    if isinstance(fault, Stall):
        monkeypatch.setenv("FANFOLD_READ_TIMEOUT", "3")


def at_leisure(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in AT_LEISURE.items():
        monkeypatch.setenv(name, value)


def run(store: Store, name: str = "genome.fa") -> fanfold.Report:
    location = f"s3://{BUCKET}/{name}"
    return fanfold.run(location, 3, out=store.out, slice_bytes=SLICE_BYTES, workers=2)


def run_tasks(store: Store, name: str = "genome.fa") -> str:
    """A plan whose tasks are done."""
    where = f"{store.out}/plan.json"
    location = f"s3://{BUCKET}/{name}"
    made = fanfold.plan(location, 3, out=store.out, slice_bytes=SLICE_BYTES)
    for each in made.slices:
        fanfold.task(where, each.index)
    return where


def source(store: Store, asked: str) -> str:
    """What a run is to read so that it makes some requests: its key.

    Only a run that replaces a report deletes anything. This one replaces that of its input as it
    was before it changed.
    """
    if asked != "a deletion":
        return "genome.fa"
    key = f"{store.prefix}-in/genome.fa"
    store.s3.put(BUCKET, key, GENOME.lower())
    run(store, key)
    store.s3.put(BUCKET, key, GENOME)
    store.proxy.clear()
    return key


# --- every fault, on every request ------------------------------------------------------------


class Asked(NamedTuple):
    """Some requests of a run."""

    method: str
    path: str
    when: Callable[[Request], bool] = lambda _: True


ASKED = {
    "the source's HEAD": Asked("HEAD", "*/genome.fa"),
    "a range": Asked("GET", "*/genome.fa"),
    "a list": Asked("GET", f"/{BUCKET}*", lambda request: "list-type" in request.query),
    "a deletion": Asked("POST", f"/{BUCKET}*", lambda request: request.query == "delete"),
    "the upload of a result": Asked("PUT", "*/chunks/*"),
    "the upload of the report": Asked("PUT", "*/master.json"),
    "a result": Asked("GET", "*/chunks/*"),
}
FAULTS: dict[str, Fault] = {
    "500": INTERNAL_ERROR,
    "503": SLOW_DOWN,
    "a reset before the answer": Reset(),
    "a reset in its middle": Reset(after_bytes=20),
    "an answer that is cut": Truncate(after_bytes=20),
    "no answer": Stall(after_bytes=None),
    "an answer that stalls": Stall(after_bytes=20),
    "a request that is reset": ResetUpload(),
}
IN_THE_MIDDLE = {"a reset in its middle", "an answer that is cut", "an answer that stalls"}
"""Of an answer's body; a HEAD has none."""


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        (asked, fault)
        for asked in ASKED
        for fault in FAULTS
        if asked != "the source's HEAD" or fault not in IN_THE_MIDDLE
    ],
)
def test_what_passes_is_outlived(
    asked: str,
    fault: str,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    expected: dict[str, dict[str, bytes]],
) -> None:
    if isinstance(FAULTS[fault], Stall):
        monkeypatch.setenv("FANFOLD_READ_TIMEOUT", "0.3")
    method, path, when = ASKED[asked]
    times = 3 if fault == "500" else 1
    key = source(store, asked)
    store.proxy.inject(FAULTS[fault], method=method, path=path, when=when, times=times)

    report = run(store, key)

    assert [exchange for exchange in store.proxy.log() if exchange.fault]
    assert store.results() == expected["genome.fa"]
    assert not report.resumed
    assert store.facts()["slices"]["redone"] == []


@pytest.mark.parametrize("fault", ["500", "a reset before the answer", "no answer"])
@pytest.mark.parametrize("asked", ASKED)
def test_what_stays_is_told_and_the_next_run_takes_up_what_is_finished(
    asked: str,
    fault: str,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    expected: dict[str, dict[str, bytes]],
) -> None:
    key = source(store, asked)
    soon(monkeypatch, FAULTS[fault])
    method, path, when = ASKED[asked]
    skip = {"a range": 3, "the upload of a result": 2}.get(asked, 0)
    inject = partial(store.proxy.inject, method=method, path=path, when=when, times=None)
    inject(FAULTS[fault], skip=skip)
    before = store.results()

    with pytest.raises((SourceError, OutputError), match=r"can't be (read|written|listed|removed)"):
        run(store, key)

    # The answer to an upload may be lost, and not what was sent.
    assert not store.has("master.json") or (asked, fault) != ("the upload of the report", "500")
    if (asked, fault) == ("a deletion", "500"):
        assert store.results() == before, "the earlier report is what it was"
    done = store.slices_done()
    assert bool(done) == (asked not in {"the source's HEAD", "a list"})
    store.proxy.clear()
    at_leisure(monkeypatch)
    run(store, key)
    assert store.results() == expected["genome.fa"]
    assert not done.intersection(store.slices_read(key))


def test_a_body_that_always_breaks_off_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for asked in ("a range", "a list", "a deletion", "a result"):
        apart = store._replace(prefix=f"{store.prefix}-{asked[2:]}")
        store.proxy.clear()
        at_leisure(monkeypatch)
        key = source(apart, asked)
        soon(monkeypatch, Truncate(20))
        method, path, when = ASKED[asked]
        store.proxy.inject(Truncate(20), method=method, path=path, when=when, times=None)
        with pytest.raises((SourceError, OutputError), match="can't be"):
            run(apart, key)
        assert not apart.has("master.json")


# --- a source that changes --------------------------------------------------------------------


def at_request(
    store: Store, number: int, act: Callable[[], object], *, method: str, path: str
) -> None:
    """Do something as the request with this number, from 0, arrives; it is then passed on."""
    arrived = 0

    def when(_: Request) -> bool:
        nonlocal arrived
        if arrived == number:
            act()
        arrived += 1
        return False

    store.proxy.inject(Delay(0), method=method, path=path, when=when)


@pytest.mark.parametrize("change", ["other bytes", "another size", "gone"])
@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.gz", "genome.fa.bgz"])
def test_a_source_that_changes_under_a_run_is_an_error(
    name: str, change: str, store: Store
) -> None:
    key = f"{store.prefix}-{name}"
    data = FORMS[name]
    store.s3.put(BUCKET, key, data)

    def act() -> None:
        if change == "gone":
            store.s3.delete(BUCKET, key)
        else:
            other = data.replace(b"A", b"C", 1) if change == "other bytes" else data + b"\n"
            store.s3.put(BUCKET, key, other)

    at_request(store, 1, act, method="GET", path=f"/{BUCKET}/{key}")
    wanted = SourceError if change == "gone" else SourceChangedError
    with pytest.raises(wanted):
        run(store, key)
    assert not store.has("master.json")


def test_a_source_that_changes_while_it_is_folded_is_an_error(store: Store) -> None:
    key = f"{store.prefix}.fa"
    store.s3.put(BUCKET, key, GENOME)
    change = partial(store.s3.put, BUCKET, key, GENOME.lower())
    at_request(store, 0, change, method="GET", path="*/chunks/*")
    with pytest.raises(SourceChangedError):
        run(store, key)
    assert not store.has("master.json")


@pytest.mark.parametrize("skip", [0, 1, 4])
def test_an_answer_of_another_version_is_an_error(skip: int, store: Store) -> None:
    store.proxy.inject(ReplaceETag(), method="GET", path="*/genome.fa", skip=skip)
    with pytest.raises(SourceChangedError):
        run(store)
    assert not store.has("master.json")


def test_a_body_that_breaks_off_is_not_ended_with_another_version(store: Store) -> None:
    key = f"{store.prefix}.fa"
    store.s3.put(BUCKET, key, GENOME)
    path = f"/{BUCKET}/{key}"
    change = partial(store.s3.put, BUCKET, key, GENOME.replace(b"A", b"C"))
    at_request(store, 2, change, method="GET", path=path)
    store.proxy.inject(Reset(after_bytes=100), skip=1, method="GET", path=path)
    with pytest.raises(SourceChangedError):
        fanfold.run(f"s3://{BUCKET}/{key}", 3, out=store.out, workers=1)
    assert not store.has("master.json")


# --- results that are damaged -----------------------------------------------------------------


def change_result(store: Store, key: str, change: str) -> None:
    """Damage a result behind the back of who wrote it."""
    match change:
        case "gone":
            store.s3.delete(BUCKET, key)
        case "garbage":
            store.s3.put(BUCKET, key, b"\xffgarbage")
        case "cut in half":
            kept = store.s3.get(BUCKET, key)
            store.s3.put(BUCKET, key, kept[: len(kept) // 2])
        case "empty":
            store.s3.put(BUCKET, key, b"")
        case "another slice's":
            other = store.s3.get(BUCKET, key.replace("chunk0002", "chunk0001"))
            store.s3.put(BUCKET, key, other)


CHANGES = ["gone", "garbage", "cut in half", "empty", "another slice's"]
SUFFIXES = [("genome.fa", "json"), ("genome.fa.bgz", "json"), ("genome.fa.bgz", "rows")]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("name", "suffix"), SUFFIXES)
def test_a_damaged_result_is_refused_by_name_and_a_run_makes_it_anew(  # noqa: PLR0917 - cases
    name: str,
    suffix: str,
    change: str,
    store: Store,
    caplog: pytest.LogCaptureFixture,
    expected: dict[str, dict[str, bytes]],
) -> None:
    bgzf = name.endswith(".bgz")
    index = 1 if bgzf else 2
    where = run_tasks(store, name)
    key = store.chunk(f"{name}.chunk{index:04}.{suffix}")
    if change == "another slice's" and bgzf:
        store.s3.put(BUCKET, key, store.s3.get(BUCKET, key.replace("chunk0001", "chunk0000")))
    else:
        change_result(store, key, change)

    with pytest.raises(MissingSlicesError, match=rf"no valid result: {index}\.") as caught:
        fanfold.fold(where)
    assert caught.value.indexes == (index,)
    assert not store.has("master.json")

    store.proxy.clear()
    with caplog.at_level(logging.WARNING, "fanfold"):
        run(store, name)
    assert store.results() == expected[name]
    is_seen_before = change == "gone" and suffix == "json"
    assert store.facts()["slices"]["redone"] == ([] if is_seen_before else [index])
    warned = [record.getMessage() for record in caplog.records if record.name == "fanfold"]
    assert len(warned) == (0 if is_seen_before else 1)
    assert all(text.endswith(f"scanning again: {index}") for text in warned)
    assert store.facts()["read_bytes"] <= 2 * SLICE_BYTES


@pytest.mark.parametrize(("name", "suffix"), SUFFIXES)
def test_an_upload_that_was_damaged_on_its_way_is_made_anew(
    name: str, suffix: str, store: Store, expected: dict[str, dict[str, bytes]]
) -> None:
    chunk = f"*/chunks/*/{name}.chunk0001.{suffix}"
    store.proxy.inject(CorruptUpload(at_byte=5), method="PUT", path=chunk)
    run(store, name)
    assert store.results() == expected[name]
    assert store.facts()["slices"]["redone"] == [1]


def test_uploads_that_are_always_damaged_are_refused_by_name(store: Store) -> None:
    chunk = "*/chunks/*/genome.fa.chunk0001.json"
    store.proxy.inject(CorruptUpload(at_byte=50), method="PUT", path=chunk, times=None)
    with pytest.raises(MissingSlicesError) as caught:
        run(store)
    assert caught.value.indexes == (1,)
    assert not store.has("master.json")


@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.gz", "genome.fa.bgz"])
def test_a_result_that_is_damaged_when_it_is_read_is_not_believed(
    name: str, store: Store, expected: dict[str, dict[str, bytes]]
) -> None:
    store.proxy.inject(CorruptDownload(at_byte=500), method="GET", path="*/chunks/*.json", times=2)
    run(store, name)
    assert store.results() == expected[name]


def test_a_result_that_goes_while_it_is_folded_is_made_anew(
    store: Store, expected: dict[str, dict[str, bytes]]
) -> None:
    def gone() -> None:
        change_result(store, store.chunk("genome.fa.chunk0002.json"), "gone")

    at_request(store, 0, gone, method="GET", path="*/chunks/*chunk0002.json")
    run(store)
    assert store.results() == expected["genome.fa"]
    assert store.facts()["slices"]["redone"] == [2]


def test_a_plan_that_was_damaged_is_not_believed(
    store: Store, expected: dict[str, dict[str, bytes]]
) -> None:
    where = run_tasks(store)
    store.s3.put(BUCKET, f"{store.prefix}/plan.json", b"{")
    for verb in (partial(fanfold.task, where, 0), partial(fanfold.fold, where)):
        with pytest.raises(FanfoldError, match="not a plan"):
            verb()
    with pytest.raises(OutputError, match="in the way"):
        run(store)
    store.s3.delete(BUCKET, f"{store.prefix}/plan.json")
    run(store)
    assert store.results() == expected["genome.fa"]


# --- uploads ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sequences.tsv", "gaps.bed", "genome.fa.fai", "run.json"])
def test_there_is_no_report_without_what_goes_with_it(
    name: str,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    expected: dict[str, dict[str, bytes]],
) -> None:
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "0.1")
    store.proxy.inject(INTERNAL_ERROR, method="PUT", path=f"*/{name}", times=None)
    with pytest.raises(OutputError, match=f"{name}: can't be written"):
        run(store)
    assert not store.has("master.json")
    store.proxy.clear()
    at_leisure(monkeypatch)
    run(store)
    assert store.results() == expected["genome.fa"]
    assert store.slices_read("genome.fa") == []


def pending(store: Store) -> list[str]:
    """The uploads in parts that were neither completed nor aborted."""
    keys = store.s3.pending_uploads(BUCKET)
    return [key for key in keys if key.startswith(f"{store.prefix}/")]


@pytest.fixture(scope="module")
def long_text() -> bytes:
    """A text whose slices of 5.5 MiB go up in parts."""
    line = bytes(random.Random(1).choices(b"ACGT", k=60)) + b"\n"
    return b">long\n" + line * 95_000


@pytest.mark.parametrize(
    "fault", ["500", "a reset before the answer", "an answer that is cut", "no answer"]
)
@pytest.mark.parametrize("step", ["begun", "a part", "completed"])
def test_an_upload_in_parts_outlives_what_passes(
    step: str, fault: str, store: Store, long_text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "no answer":
        monkeypatch.setenv("FANFOLD_READ_TIMEOUT", "3")
    place = open_place(store.out)
    asked: dict[str, Callable[[Request], bool]] = {
        "begun": lambda request: request.query.startswith("uploads"),
        "a part": lambda request: "partNumber" in request.query,
        "completed": lambda request: request.method == "POST" and "uploadId" in request.query,
    }
    inject = partial(store.proxy.inject, FAULTS[fault], when=asked[step], times=1)
    inject(path="*/file")
    with place.writing("file") as file:
        file.write(long_text)
    names = {"file"}
    if fault != "an answer that is cut" or step == "a part":
        inject(path="*/pieces")
        million = 1_000_000
        starts = range(0, len(long_text), million)
        place.write("pieces", (long_text[start : start + million] for start in starts))
        names.add("pieces")
    assert sum(exchange.fault is not None for exchange in store.proxy.log()) == len(names)
    assert place.sizes() == dict.fromkeys(names, len(long_text))
    for name in names:
        assert store.s3.get(BUCKET, f"{store.prefix}/{name}") == long_text


@pytest.mark.parametrize("step", ["a part", "completed"])
def test_an_upload_in_parts_that_fails_is_aborted(
    step: str, store: Store, long_text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "0.1")
    method = "PUT" if step == "a part" else "POST"
    store.proxy.inject(
        INTERNAL_ERROR,
        method=method,
        when=lambda request: "uploadId" in request.query,
        times=None,
    )
    place = open_place(store.out)
    with pytest.raises(OutputError, match="long: can't be written"):
        place.write("long", iter([long_text]))
    with pytest.raises(OutputError, match="long: can't be written"), place.writing("long") as file:
        file.write(long_text)
    assert pending(store) == []
    assert not store.has("long")


def test_an_upload_whose_pieces_fail_leaves_nothing(store: Store, long_text: bytes) -> None:
    class PieceError(Exception):
        pass

    def pieces() -> Iterator[bytes]:
        yield long_text
        raise PieceError

    place = open_place(store.out)
    with pytest.raises(Exception):  # noqa: B017, PT011
        place.write("long", pieces())
    with pytest.raises(PieceError), place.writing("long") as file:
        file.writelines(pieces())
    assert pending(store) == []
    assert not store.has("long")


# --- kills ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.gz", "genome.fa.bgz"])
@pytest.mark.parametrize(
    ("method", "path", "number"),
    [
        ("GET", "*/genome*", 2),
        ("PUT", "*/chunks/*", 0),
        ("PUT", "*/chunks/*", 2),
        ("GET", "*/chunks/*", 1),
        ("PUT", "*/sequences.tsv", 0),
        ("PUT", "*/master.json", 0),
    ],
)
def test_a_client_that_is_killed_is_taken_up_where_it_was(  # noqa: PLR0917 - cases
    name: str,
    method: str,
    path: str,
    number: int,
    store: Store,
    expected: dict[str, dict[str, bytes]],
) -> None:
    options = ["-k", "3", "--slice-size", f"{SLICE_BYTES}", "--workers", "1", "--out", store.out]
    arguments = ["run", f"s3://{BUCKET}/{name}", *options]
    pids: list[int] = []
    at_request(store, number, lambda: os.kill(pids[0], signal.SIGKILL), method=method, path=path)
    told = variables(store.s3, store.proxy)
    with running(*arguments, variables=told) as process:
        pids.append(process.pid)
        process.communicate(timeout=120)
    assert process.returncode in {0, -signal.SIGKILL}
    assert process.returncode == -signal.SIGKILL
    # What was sent of the report when the client died may have been all of it.
    assert not store.has("master.json") or path == "*/master.json"
    done = store.slices_done()

    store.proxy.clear()
    run(store, name)

    assert store.results() == expected[name]
    if not name.endswith(".gz"):
        assert not done.intersection(store.slices_read(name))
    assert pending(store) == []
