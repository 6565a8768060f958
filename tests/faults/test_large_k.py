"""Runs with k from 9 on that are killed, stopped, or out of room: no table is lost or mixed."""

from __future__ import annotations

import random
import signal
import subprocess
from pathlib import Path
from typing import Literal

import pytest
from naive_kmers import kmer_files

import fanfold
from fanfold.errors import MissingCountsError

from .pausing import Pause
from .processes import FANFOLD, running, wait_for

QUESTION = ("-k", "12,31", "--canonical", "--quiet")
BASES = 3_000_000


def genome(path: Path, seed: int) -> Path:
    bases = random.Random(seed).randbytes(BASES).translate(bytes(b"ACGT" * 64))
    path.write_bytes(b">x\n" + bases + b"\n")
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return genome(tmp_path_factory.mktemp("genome") / "x.fa", 5)


@pytest.fixture(scope="module")
def expected(path: Path) -> dict[str, bytes]:
    report = fanfold.run(path, [12, 31], canonical=True, out=path.parent / "out")
    return kmer_files(report.out) | {"master.json": report.data}


def results(out: Path) -> dict[str, bytes]:
    return kmer_files(out) | {"master.json": (out / "master.json").read_bytes()}


def leftovers(out: Path) -> list[Path]:
    """What is neither a report's, nor a slice's result."""
    left = [*out.glob("chunks/*/kmers"), *out.glob(".fanfold/?*/*"), *out.rglob(".*.fanfold-tmp")]
    return sorted(left)


STEPS = [
    "*/.fanfold/*/sequences.tsv",
    "*/.fanfold/*/kmers~k12~part-00000.parquet",
    "*/.fanfold/*/kmers~k31~part-00000.parquet",
    "*/.fanfold/*/run.json",
    "*/publish.json",
    "*/out/kmers/k12.hist",
    "*/out/kmers/k12/part-00000.parquet",
    "*/out/kmers/k31/part-00000.parquet",
    "*/out/run.json",
    "*/out/master.json",
]


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_is_killed_at_any_step_leaves_the_old_report_or_makes_the_new_one(
    step: str, path: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    other = genome(tmp_path / "x.fa", 6)
    old = fanfold.run(other, [12, 31], canonical=True, out=out)
    before = results(out)
    other.write_bytes(path.read_bytes())
    pause = Pause(tmp_path / "pause", "os.rename", step)
    with running("run", other, "--out", out, *QUESTION, **pause.variables) as process:
        wait_for(process, pause.is_reached)
        process.kill()
    if not (out / "publish.json").exists():
        assert results(out) == before

    report = fanfold.run(other, [12, 31], canonical=True, out=out)

    found = kmer_files(report.out)
    assert found == {name: data for name, data in expected.items() if name != "master.json"}
    assert report.master.kmers != old.master.kmers
    assert leftovers(out) == []
    assert fanfold.run(other, [12, 31], canonical=True, out=out).resumed


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_count_that_is_stopped_ends_soon_and_leaves_nothing(
    stop: signal.Signals, path: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with running("run", path, "--out", out, *QUESTION) as process:
        wait_for(process, lambda: bool([*out.glob("chunks/*/kmers/k*/part-*")]))
        process.send_signal(stop)
        _, stderr = process.communicate(timeout=60)

    assert process.returncode == 128 + stop
    assert "stopped" in stderr
    assert len(stderr.strip().splitlines()) == 1
    assert leftovers(out) == []
    fanfold.run(path, [12, 31], canonical=True, out=out)
    assert results(out) == expected


def test_a_table_that_finds_no_room_is_told_and_made_again(
    path: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    """No file may be larger than half a MB or so, by a limit of the process."""
    out = tmp_path / "out"
    words = ["sh", "-c", 'ulimit -f 1000 && exec "$@"', "sh", FANFOLD]

    done = subprocess.run(
        [*map(str, words), "run", path, "--out", out, *QUESTION],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 5
    assert "kmers/k" in done.stderr
    assert "can't be written" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (out / "master.json").exists()
    assert leftovers(out) == []
    fanfold.run(path, [12, 31], canonical=True, out=out)
    assert results(out) == expected


# --- arrays


@pytest.fixture
def planned(path: Path, tmp_path: Path) -> fanfold.RunFolder:
    """An array whose slices are scanned and folded, and whose k-mers are not counted."""
    folder = fanfold.plan(
        path, [12, 31], canonical=True, out=tmp_path / "out", slice_bytes=1_000_000
    )
    for each in folder.slices:
        fanfold.task(folder, each.index)
    with pytest.raises(MissingCountsError):
        fanfold.fold(folder)
    return folder


def array_leftovers(out: Path) -> list[Path]:
    left = [*out.glob("chunks/*/tables"), *out.glob("chunks/*/*.packed")]
    return sorted([*left, *leftovers(out)])


def count(planned: fanfold.RunFolder) -> None:
    for index in range(len(planned.plan.counts)):
        fanfold.reduce(planned, index)


@pytest.mark.parametrize("step", ["*/tables/k31/part-*", "*/tables/k31/0000.json"])
def test_a_count_of_an_array_that_is_killed_is_counted_again(
    step: str, planned: fanfold.RunFolder, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    pause = Pause(tmp_path / "pause", "os.rename", step)
    words = ("reduce", planned.plan_url, "--index", "1", "--quiet")
    with running(*words, **pause.variables) as process:
        wait_for(process, pause.is_reached)
        process.kill()

    with pytest.raises(MissingCountsError) as caught:
        fanfold.fold(planned)
    assert caught.value.indexes == (0, 1)
    count(planned)
    fanfold.fold(planned)

    assert results(out) == expected
    assert array_leftovers(out) == []


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_count_of_an_array_that_is_stopped_leaves_nothing(
    stop: signal.Signals, planned: fanfold.RunFolder, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    pause = Pause(tmp_path / "pause", "os.rename", "*/tables/k31/part-*")
    words = ("reduce", planned.plan_url, "--index", "1", "--quiet")
    with running(*words, **pause.variables) as process:
        wait_for(process, pause.is_reached)
        process.send_signal(stop)
        _, stderr = process.communicate(timeout=60)

    assert process.returncode == 128 + stop
    assert "stopped" in stderr
    assert len(stderr.strip().splitlines()) == 1
    assert [*out.glob("chunks/*/tables/k31/*")] == []


ITS_OWN_WORK = ["*/x.fa.chunk0001.packed", "*/tables/k12/part-00000.parquet"]
"""What goes when the report is there."""


@pytest.mark.parametrize("step", [*STEPS, *ITS_OWN_WORK])
def test_a_fold_of_counts_that_is_killed_is_done_again_without_counting(
    step: str, planned: fanfold.RunFolder, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    count(planned)
    event: Literal["os.rename", "os.remove"] = "os.remove" if step in ITS_OWN_WORK else "os.rename"
    pause = Pause(tmp_path / "pause", event, step)
    with running("fold", planned.plan_url, "--quiet", **pause.variables) as process:
        wait_for(process, pause.is_reached)
        process.kill()

    fanfold.fold(planned)

    assert results(out) == expected
    assert array_leftovers(out) == []
