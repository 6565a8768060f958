"""The second fan-out: tables of k-mers from 9 on that tasks count, as they are on threads."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from naive_kmers import kmer_files, naive_kmers, table_of
from servers.s3 import S3Server, s3_server
from test_large_k import HARD, LAMBDA, PACKED, written

import fanfold
from fanfold.checked_json import encode_checked
from fanfold.errors import (
    FanfoldError,
    MissingCountsError,
    MissingSlicesError,
    ParameterError,
    PlanError,
)
from fanfold.flow import plan as plans

KS = [3, 10, 21, 32]
TEXT = LAMBDA + HARD


def report_files(out: Path) -> dict[str, bytes]:
    """The files of a report that must not depend on how it was made."""
    own = {"plan.json", "run.json"}
    return kmer_files(out) | {
        path.name: path.read_bytes()
        for path in out.iterdir()
        if path.is_file() and path.name not in own
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("expected")
    report = fanfold.run(written(folder, TEXT), KS, canonical=True, out=folder / "out")
    return report_files(report.out)


def scan(planned: fanfold.RunFolder) -> None:
    for each in planned.slices:
        fanfold.task(planned, each.index)


def count(planned: fanfold.RunFolder) -> None:
    for index in range(len(planned.plan.counts)):
        fanfold.reduce(planned, index)


def fold(planned: fanfold.RunFolder) -> None:
    """The fold that comes before the counts."""
    with pytest.raises(MissingCountsError) as caught:
        fanfold.fold(planned)
    assert caught.value.indexes == tuple(range(len(planned.plan.counts)))


def work(out: Path) -> list[str]:
    """What of a plan's work is left beside the results of slices."""
    names = [path.relative_to(out).as_posix() for path in out.glob("chunks/**/*")]
    return sorted(
        name for name in names if not name.endswith((".json", ".rows")) and name.count("/") > 1
    )


# --- the verbs of an array


@pytest.mark.parametrize("compression", PACKED)
@pytest.mark.parametrize("slice_bytes", [None, 9000, 777])
def test_an_array_makes_the_report_of_a_run(
    compression: str, slice_bytes: int | None, expected: dict[str, bytes], tmp_path: Path
) -> None:
    path = written(tmp_path, PACKED[compression](TEXT))
    report = fanfold.run(path, KS, canonical=True, out=tmp_path / "run")
    out = tmp_path / "out"
    planned = fanfold.plan(path, KS, canonical=True, out=out, slice_bytes=slice_bytes)

    scan(planned)
    fold(planned)
    count(planned)
    folded = fanfold.fold(planned)

    assert kmer_files(out) == {name: expected[name] for name in kmer_files(report.out)}
    assert report_files(out) == report_files(report.out)
    assert work(out) == []
    assert fanfold.fold(planned).resumed
    assert folded.master == report.master


def test_slices_of_one_byte_count_every_k(tmp_path: Path) -> None:
    text = b">x\n" + HARD[-700:]
    planned = fanfold.plan(written(tmp_path, text), range(9, 33), out=tmp_path, slice_bytes=1)

    scan(planned)
    fold(planned)
    count(planned)
    fanfold.fold(planned)

    for k in range(9, 33):
        assert table_of(tmp_path, k) == naive_kmers(text, k, canonical=False), k


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> fanfold.Report:
    """Of more k-mers than two parts have."""
    folder = tmp_path_factory.mktemp("large")
    bases = random.Random(3).randbytes(20_000_000).translate(bytes(b"ACGT" * 64))
    return fanfold.run(written(folder, b">x\n" + bases + b"\n"), [12, 31], out=folder / "out")


@pytest.mark.parametrize("partitions", [1, 2, 3, 16])
def test_partitions_change_nothing(
    partitions: int, large: fanfold.Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = large.out.parent / "x.fa"
    size_bytes = -(-path.stat().st_size // partitions)
    monkeypatch.setattr(plans, "_PARTITION_BYTES", size_bytes)
    planned = fanfold.plan(path, [12, 31], out=tmp_path, slice_bytes=7_000_000)
    assert len(planned.plan.counts) == 2 * partitions
    assert len([name for name in kmer_files(large.out) if "k31/part" in name]) >= 3

    scan(planned)
    fold(planned)
    count(planned)
    fanfold.fold(planned)

    assert report_files(tmp_path) == report_files(large.out)


def test_small_k_alone_need_no_counts(tmp_path: Path) -> None:
    planned = fanfold.plan(written(tmp_path, TEXT), [3, 8], out=tmp_path, slice_bytes=9000)
    scan(planned)
    fanfold.fold(planned)

    with pytest.raises(ParameterError, match="it asks for no k-mers from 9 on"):
        fanfold.reduce(planned, 0)


def test_a_count_that_there_is_not_is_refused(tmp_path: Path) -> None:
    planned = fanfold.plan(written(tmp_path, TEXT), KS, out=tmp_path, slice_bytes=9000)

    with pytest.raises(ParameterError, match="there is no count 3; the plan has 0 to 2"):
        fanfold.reduce(planned, 3)
    with pytest.raises(PlanError, match="its slices are not folded yet: run `fanfold fold` once"):
        fanfold.reduce(planned, 0)


def test_too_little_memory_is_said(tmp_path: Path) -> None:
    planned = fanfold.plan(written(tmp_path, TEXT), KS, out=tmp_path, slice_bytes=9000)
    scan(planned)
    fold(planned)

    with pytest.raises(ParameterError, match="can't be counted in so little memory; give --memory"):
        fanfold.reduce(planned, 0, memory_bytes=50_000_000)


def test_a_count_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    planned = fanfold.plan(written(tmp_path, TEXT), KS, out=tmp_path, slice_bytes=9000)
    scan(planned)
    fold(planned)

    assert fanfold.reduce(planned, 1) > len(TEXT) / 5
    assert fanfold.reduce(planned, 1) == 0


# --- files that are lost or damaged


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "gone": lambda _: None,
    "empty": lambda _: b"",
    "cut": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "altered": lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
}
FILES = [
    "*.chunk0001.packed",
    "*.seams.packed",
    "*.text.json",
    "tables/k21/0000.json",
    "tables/k21/part-*",
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("when", ["before the counts", "after them"])
def test_what_is_damaged_is_told_and_the_same_lines_again_mend_it(
    file: str, damage: str, when: str, expected: dict[str, bytes], tmp_path: Path
) -> None:
    planned = fanfold.plan(
        written(tmp_path, TEXT), KS, canonical=True, out=tmp_path / "out", slice_bytes=9000
    )
    scan(planned)
    fold(planned)
    if when == "after them":
        count(planned)
    elif "tables" in file:
        fanfold.reduce(planned, 1)
    (damaged,) = (tmp_path / "out").glob(f"chunks/*/{file}")
    content = DAMAGES[damage](damaged.read_bytes())
    if content is None:
        damaged.unlink()
    else:
        damaged.write_bytes(content)

    told = []
    for _ in range(3):
        scan(planned)
        try:
            fanfold.fold(planned)
            break
        except MissingCountsError as error:
            told.append(error)
        count(planned)

    files = report_files(tmp_path / "out")
    assert {name: files[name] for name in expected} == expected
    assert work(tmp_path / "out") == []


@pytest.mark.parametrize(
    "forged",
    [
        {"spectrum": []},
        {"spectrum": [[1, 5], [1, 7]]},
        {"spectrum": [[2**70, 5]]},
        {"spectrum": [[2**62, 2**62]]},
        {"top": [["<b>", 3]]},
        {"bottom": []},
        {"parts": {"../../../x.fa": {"size_bytes": 0, "crc64nvme": "0" * 16}}},
        {"parts": {}},
        {"k": 22},
        {"partitions": 2},
        {"text": "0" * 16},
    ],
    ids=str,
)
def test_a_document_that_was_forged_is_refused_or_changes_nothing(
    forged: dict[str, Any], expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    path = written(tmp_path, TEXT)
    planned = fanfold.plan(path, KS, canonical=True, out=out, slice_bytes=9000)
    scan(planned)
    fold(planned)
    count(planned)
    (document,) = out.glob("chunks/*/tables/k21/0000.json")
    content = json.loads(document.read_bytes())
    del content["checksum"]
    document.write_bytes(encode_checked(content | forged))

    with pytest.raises(FanfoldError):
        fanfold.fold(planned)
    assert not (out / "master.json").exists()
    document.unlink()
    count(planned)
    fanfold.fold(planned)

    assert report_files(out) == expected
    assert path.read_bytes() == TEXT


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_count_names_slices_whose_text_is_damaged(damage: str, tmp_path: Path) -> None:
    planned = fanfold.plan(written(tmp_path, TEXT), KS, out=tmp_path, slice_bytes=9000)
    scan(planned)
    fold(planned)
    for index in (1, 3):
        (damaged,) = tmp_path.glob(f"chunks/*/*.chunk000{index}.packed")
        content = DAMAGES[damage](damaged.read_bytes())
        if content is None:
            damaged.unlink()
        else:
            damaged.write_bytes(content)

    with pytest.raises(
        MissingSlicesError, match=r"gone or damaged: 1, 3\. Run their tasks"
    ) as caught:
        fanfold.reduce(planned, 0)

    assert caught.value.indexes == (1, 3)
    assert not [*tmp_path.glob("chunks/*/tables/*/*")]


def test_results_that_a_run_on_threads_left_are_scanned_for_an_array(
    expected: dict[str, bytes], tmp_path: Path
) -> None:
    """A run that was stopped has kept results, and not their text."""
    path, out = written(tmp_path, TEXT), tmp_path / "out"
    planned = fanfold.plan(path, KS, canonical=True, out=out, slice_bytes=9000)
    scan(planned)
    for packed in out.glob("chunks/*/*.packed"):
        packed.unlink()

    with pytest.raises(MissingSlicesError) as caught:
        fanfold.fold(planned)
    assert len(caught.value.indexes) == len(planned.slices)
    scan(planned)
    fold(planned)
    count(planned)
    fanfold.fold(planned)

    assert report_files(out) == expected


def test_a_run_takes_the_place_of_an_array_and_leaves_none_of_its_work(
    expected: dict[str, bytes], tmp_path: Path
) -> None:
    path, out = written(tmp_path, TEXT), tmp_path / "out"
    for k in ([9, 30], KS):
        planned = fanfold.plan(path, k, canonical=True, out=out, slice_bytes=9000, fresh=True)
        scan(planned)
        fold(planned)
        fanfold.reduce(planned, 0)
        k_folder = out / f"chunks/{planned.plan.id}/tables/k{planned.plan.counts[0][0]}"
        (k_folder / "work-abcdefgh").mkdir(parents=True)
        (k_folder / "work-abcdefgh/part-00000.parquet").write_bytes(b"of a killed count")

    fanfold.run(path, KS, canonical=True, out=out)

    assert report_files(out) == expected
    assert [path.name for path in out.glob("chunks/*")] == [planned.plan.id]


# --- executors


class Losing(Executor):
    """Runs tasks on threads, and after some of them damages a file that they wrote."""

    def __init__(self, out: Path, patterns: list[str]) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._out = out
        self._patterns = patterns

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = self._pool.submit(fn, *args, **kwargs)
        future.exception()
        for pattern in [*self._patterns]:
            for path in self._out.glob(f"chunks/*/{pattern}"):
                path.write_bytes(path.read_bytes()[:-1])
                self._patterns.remove(pattern)
                break
        return future


@pytest.fixture(scope="module")
def executors() -> Iterator[dict[str, Executor]]:
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2) as processes:
        yield {"threads": threads, "processes": processes}


@pytest.mark.parametrize("compression", PACKED)
@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_an_executor_counts(
    kind: str,
    compression: str,
    executors: dict[str, Executor],
    expected: dict[str, bytes],
    tmp_path: Path,
) -> None:
    path = written(tmp_path, PACKED[compression](TEXT))

    report = fanfold.run(
        path, KS, canonical=True, out=tmp_path / "out", executor=executors[kind], slice_bytes=5000
    )

    assert kmer_files(report.out) == {name: expected[name] for name in kmer_files(report.out)}
    assert work(report.out) == []


@pytest.mark.parametrize(
    "lost",
    [
        ["*.chunk0000.packed"],
        ["tables/k10/0000.json"],
        ["tables/k32/part-*"],
        ["*.chunk0002.packed", "tables/k21/part-*"],
    ],
)
def test_what_an_executor_loses_is_done_again(
    lost: list[str], expected: dict[str, bytes], tmp_path: Path
) -> None:
    path, out = written(tmp_path, TEXT), tmp_path / "out"

    report = fanfold.run(
        path, KS, canonical=True, out=out, executor=Losing(out, [*lost]), slice_bytes=9000
    )

    assert report_files(report.out) == expected
    assert work(report.out) == []


def test_many_genomes_are_counted_on_an_executor(
    expected: dict[str, bytes], executors: dict[str, Executor], tmp_path: Path
) -> None:
    paths = [written(tmp_path, TEXT, name) for name in ("one.fa", "other.fa")]

    outcomes = fanfold.run_many(
        paths, KS, canonical=True, out=tmp_path / "out", executor=executors["processes"]
    )

    assert [each.error for each in outcomes] == [None, None]
    for path in paths:
        tables = kmer_files(tmp_path / "out" / path.name)
        assert tables == {name: expected[name] for name in tables}


# --- a store


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with s3_server(tmp_path / "s3") as server:
        server.create_bucket("bucket")
        server.put("bucket", "x.fa", TEXT)
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


def test_an_array_and_an_executor_count_in_a_store(
    s3: S3Server, expected: dict[str, bytes]
) -> None:
    planned = fanfold.plan(
        "s3://bucket/x.fa", KS, canonical=True, out="s3://bucket/array", slice_bytes=9000
    )
    scan(planned)
    fold(planned)
    count(planned)
    fanfold.fold(planned)
    with ThreadPoolExecutor(2) as threads:
        fanfold.run(
            "s3://bucket/x.fa",
            KS,
            canonical=True,
            out="s3://bucket/executor",
            executor=threads,
            slice_bytes=9000,
        )

    for prefix in ("array", "executor"):
        keys = {
            key.removeprefix(f"{prefix}/")
            for key in s3.keys("bucket")
            if key.startswith(f"{prefix}/")
        }
        assert {key: s3.get("bucket", f"{prefix}/{key}") for key in expected} == expected
        assert not [key for key in keys if key.endswith(".packed") or "/tables/" in key]
