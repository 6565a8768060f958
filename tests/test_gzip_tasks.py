"""Tasks of a gzip object inflate their slices as the plan saw them, or an error says why not."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import random
import subprocess
import sysconfig
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

import fanfold
from fanfold.archives.starts import WINDOW_BYTES, Starts
from fanfold.engine.progress import Watch
from fanfold.errors import (
    ArchiveError,
    FanfoldError,
    ParameterError,
    PlanError,
    SourceChangedError,
    SourceError,
)
from fanfold.flow import uncut
from fanfold.flow.genome import Genome
from fanfold.flow.plan import Plan, decode_plan, encode_plan
from fanfold.flow.run_folder import RunFolder
from fanfold.objects import open_place, read_blocks
from fanfold.params import Params

FANFOLD = Path(sysconfig.get_path("scripts")) / "fanfold"
K = (2, 5)


def genome(seed: int, bases: int) -> bytes:
    """Two records with repeats, lower case and N, in lines of 60."""
    draw = random.Random(seed)
    unique = "".join(draw.choices("ACGTacgt", k=bases))
    sequence = unique + "N" * 100 + unique[: bases // 2]
    lines = "\n".join(sequence[at : at + 60] for at in range(0, len(sequence), 60))
    return f">one first\n{lines}\n>two\n{lines[::-1]}\n".encode()


TEXT = genome(1, 40_000)


def flushed(text: bytes, every_bytes: int = 3000) -> bytes:
    """A gzip member with a flush after so much text, as pigz writes them."""
    member = zlib.compressobj(6, zlib.DEFLATED, 31)
    made = b"".join(
        member.compress(text[at : at + every_bytes]) + member.flush(zlib.Z_SYNC_FLUSH)
        for at in range(0, len(text), every_bytes)
    )
    return made + member.flush()


FORMS: dict[str, bytes] = {
    "one member": gzip.compress(TEXT, mtime=0),
    "flushes": flushed(TEXT),
    "stored": gzip.compress(TEXT, 0, mtime=0),
    "members": b"".join(
        gzip.compress(TEXT[at : at + 7000], mtime=0) + gzip.compress(b"")
        for at in range(0, len(TEXT), 7000)
    ),
    "padded": flushed(TEXT) + bytes(700),
}


def written(folder: Path, data: bytes) -> Path:
    path = folder / "genome.fa.gz"
    path.write_bytes(data)
    return path


def planned(folder: Path, data: bytes, slice_bytes: int = 5000) -> RunFolder:
    return fanfold.plan(written(folder, data), K, out=folder / "out", slice_bytes=slice_bytes)


def report(out: Path) -> dict[str, bytes]:
    work = {"plan.json", "run.json"}
    return {
        path.name: path.read_bytes()
        for path in out.glob("*.*")
        if path.is_file() and path.name not in work and not path.name.startswith(".")
    }


def windows(out: Path) -> list[Path]:
    return sorted(out.glob("chunks/*/windows/*.window"))


@pytest.mark.parametrize("slice_bytes", [1, 5000, 50_000, 10**6])
@pytest.mark.parametrize("form", FORMS)
def test_tasks_report_what_a_run_does(form: str, slice_bytes: int, tmp_path: Path) -> None:
    fanfold.run(written(tmp_path, FORMS[form]), K, out=tmp_path / "run")
    folder = planned(tmp_path, FORMS[form], slice_bytes)

    for index in reversed(range(len(folder.slices))):
        fanfold.task(folder, index)
    fanfold.fold(folder)

    assert report(tmp_path / "out") == report(tmp_path / "run")
    assert all(each.size_bytes >= slice_bytes for each in folder.slices[:-1])
    assert windows(tmp_path / "out") == []


def test_a_plan_has_windows_and_no_text(tmp_path: Path) -> None:
    folder = planned(tmp_path, FORMS["flushes"])

    there = windows(tmp_path / "out")
    assert len(there) == len(folder.slices) - 1 > 5
    assert [path.name for path in there] == [
        f"genome.fa.gz.chunk{index:04d}.window" for index in range(1, len(folder.slices))
    ]
    for path, each in zip(there, folder.slices[1:], strict=True):
        assert path.read_bytes() == TEXT[: each.start_byte][-WINDOW_BYTES:].rjust(
            WINDOW_BYTES, b"\0"
        )
    assert not list((tmp_path / "out").glob("chunks/*/*.fa"))


def test_a_task_reads_its_own_range_alone(tmp_path: Path) -> None:
    folder = planned(tmp_path, FORMS["flushes"])
    size_bytes = len(FORMS["flushes"])

    read = [fanfold.task(folder, index) for index in range(len(folder.slices))]

    # A byte may hold the end of one slice and the start of the next.
    assert size_bytes <= sum(read) <= size_bytes + len(read)


def test_the_verbs_do_the_same_from_a_shell(tmp_path: Path) -> None:
    fanfold.run(written(tmp_path, FORMS["members"]), K, out=tmp_path / "run")
    plan = tmp_path / "out" / "plan.json"
    sizes = ["-k", "2", "-k", "5", "--slice-size", "9000"]
    commands: list[list[str | Path]] = [
        ["plan", tmp_path / "genome.fa.gz", "--out", tmp_path / "out", *sizes],
        ["inflate", plan],
    ]
    for words in commands:
        subprocess.run([FANFOLD, *words], check=True, capture_output=True)
    slices = json.loads(plan.read_bytes())["slices"]
    for each in slices:
        index = str(each["index"])
        subprocess.run([FANFOLD, "task", plan, "--index", index], check=True, capture_output=True)
    subprocess.run([FANFOLD, "fold", plan], check=True, capture_output=True)

    assert len(slices) > 3
    assert report(tmp_path / "out") == report(tmp_path / "run")


# --- windows that are lost or altered, objects that change


@pytest.mark.parametrize("change", ["altered", "short", "long", "missing"])
def test_a_window_that_is_not_as_written_is_an_error_by_name(change: str, tmp_path: Path) -> None:
    folder = planned(tmp_path, FORMS["one member"])
    window = windows(tmp_path / "out")[0]
    kept = window.read_bytes()
    changed = {"altered": kept[::-1], "short": kept[1:], "long": kept + b"A"}
    if change == "missing":
        window.unlink()
    else:
        window.write_bytes(changed[change])

    with pytest.raises((PlanError, SourceError)) as caught:
        fanfold.task(folder, 1)

    assert window.name in str(caught.value)
    assert fanfold.task(folder, 0) > 0


@pytest.mark.parametrize("change", ["short", "missing"])
def test_a_plan_makes_a_lost_window_again(change: str, tmp_path: Path) -> None:
    folder = planned(tmp_path, FORMS["flushes"])
    window = windows(tmp_path / "out")[2]
    kept = window.read_bytes()
    if change == "missing":
        window.unlink()
    else:
        window.write_bytes(kept[1:])

    again = fanfold.plan(
        tmp_path / "genome.fa.gz", K, out=tmp_path / "out", slice_bytes=folder.plan.slice_bytes
    )

    assert window.read_bytes() == kept
    assert fanfold.task(again, 3) > 0


def test_windows_of_slices_that_are_done_are_not_missed(tmp_path: Path) -> None:
    folder = planned(tmp_path, FORMS["flushes"])
    for index in range(len(folder.slices)):
        fanfold.task(folder, index)
    for window in windows(tmp_path / "out"):
        window.unlink()

    assert not folder.lacks_objects(folder.missing())
    assert folder.lacks_objects([1])
    assert not folder.lacks_objects([0])


def test_an_object_that_changed_since_is_an_error(tmp_path: Path) -> None:
    folder = planned(tmp_path, FORMS["flushes"])
    written(tmp_path, flushed(TEXT[::-1]))

    with pytest.raises(SourceChangedError):
        fanfold.task(folder, 2)


def test_an_altered_object_that_looks_the_same_is_an_error(tmp_path: Path) -> None:
    data = bytearray(FORMS["stored"])
    folder = planned(tmp_path, bytes(data), 70_000)
    path = tmp_path / "genome.fa.gz"
    before = path.stat()
    data[-100] ^= 1
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(FanfoldError, match=r"chunk0001\.window|changed"):
        fanfold.task(folder, 1)


# --- what is wrong with an archive is told as ever


def told(make: Callable[[], object]) -> tuple[type[FanfoldError], str] | None:
    try:
        make()
    except FanfoldError as error:
        return type(error), str(error)
    return None


SMALL = gzip.compress(b">a\n" + b"ACGT" * 30 + b"\n", mtime=0) + flushed(b">b\nGATTACA\n" * 9, 30)


def damaged_forms() -> Iterator[tuple[str, bytes]]:
    for end in range(2, len(SMALL), 7):
        yield f"cut at {end}", SMALL[:end]
    for bit in range(16, 8 * len(SMALL), 37):
        flipped = bytearray(SMALL)
        flipped[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit}", bytes(flipped)
    yield "garbage", SMALL + b"\0\0garbage"
    yield "too much", gzip.compress(b"\n" * 200_000 + b"ACGT")


def test_a_plan_tells_what_is_wrong_as_a_run_does(tmp_path: Path) -> None:
    for name, data in damaged_forms():
        path = written(tmp_path, data)
        out = tmp_path / name
        by_run = told(partial(fanfold.run, path, K, out=out / "run"))
        by_plan = told(partial(fanfold.plan, path, K, out=out / "plan", slice_bytes=20))

        if by_run is not None and by_run[0] is not ArchiveError and by_plan is None:
            continue  # of a text that is whole, tasks and the fold tell
        assert by_plan == by_run, name
        assert by_run is None or windows(out / "plan") == []


def test_garbage_that_is_ignored_is_counted(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL + b"garbage")

    folder = fanfold.plan(path, K, out=tmp_path / "out", slice_bytes=20, trailing_garbage="ignore")

    assert folder.plan.garbage_bytes == 7
    for index in range(len(folder.slices)):
        fanfold.task(folder, index)
    fanfold.fold(folder)
    assert b'"total_bases": 183' in (tmp_path / "out" / "master.json").read_bytes()


def test_too_many_slices_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uncut, "MAX_SLICES", 5)

    with pytest.raises(ParameterError, match="more than 5 slices"):
        planned(tmp_path, FORMS["flushes"])


def test_an_archive_that_the_other_inflater_alone_takes_is_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*_: object) -> Iterator[bytes]:
        raise ArchiveError("genome.fa.gz", 0, "damaged")

    monkeypatch.setattr(Starts, "inflate", refusing)

    folder = planned(tmp_path, FORMS["flushes"])

    assert not folder.plan.is_inflated_by_tasks
    assert len(list((tmp_path / "out").glob("chunks/*/*.fa"))) == len(folder.slices)


def test_other_formats_are_written_out(tmp_path: Path) -> None:
    path = tmp_path / "genome.fa.bz2"
    path.write_bytes(bz2.compress(TEXT))

    folder = fanfold.plan(path, K, out=tmp_path / "out", slice_bytes=50_000)

    assert not folder.plan.is_inflated_by_tasks
    assert len(list((tmp_path / "out").glob("chunks/*/*.fa"))) == len(folder.slices)


# --- plans


Change = Callable[[Plan], Plan]


def with_slice(index: int, **fields: object) -> Change:
    def change(plan: Plan) -> Plan:
        slices = list(plan.known_slices())
        slices[index] = msgspec.structs.replace(slices[index], **fields)
        return msgspec.structs.replace(plan, slices=tuple(slices))

    return change


@pytest.mark.parametrize(
    "change",
    {
        "the first starts later": with_slice(0, start_bit=80),
        "one has no start": with_slice(2, start_bit=None, object=None),
        "one starts before the one before": with_slice(2, start_bit=1),
        "one starts beyond the object": with_slice(-1, start_bit=8 * 10**9),
        "a member starts within a byte": with_slice(2, object=None, start_bit=80_001),
        "a window has another name": with_slice(2, object="genome.fa.gz.fai"),
        "a window is that of another": with_slice(2, object="genome.fa.gz.chunk0001.window"),
        "it is no gzip": lambda plan: msgspec.structs.replace(plan, compression="zstd"),
    }.items(),
    ids=lambda case: case[0],
)
def test_a_plan_whose_starts_can_not_be_is_refused(
    change: tuple[str, Change], tmp_path: Path
) -> None:
    plan = planned(tmp_path, FORMS["flushes"]).plan

    assert decode_plan(encode_plan(plan), "plan.json") == plan
    with pytest.raises(PlanError, match=r"start one after the other|files outside"):
        decode_plan(encode_plan(change[1](plan)), "plan.json")


def test_windows_can_lie_apart(tmp_path: Path) -> None:
    genome_there = Genome(written(tmp_path, FORMS["flushes"]))
    plan = genome_there.plan(Params(K, canonical=False), 5000, apart=True)
    place = open_place(tmp_path / "data" / "results" / "job")
    place.prepare("")
    folder = RunFolder(place, plan)
    folder.objects.prepare("")

    size_bytes = plan.source.size_bytes
    made = uncut.plan_text(folder, read_blocks(plan.source, 0, size_bytes), Watch(0, None).advance)

    there = sorted((tmp_path / "data" / "chunks" / "job" / "windows").iterdir())
    names = [f"windows/{path.name}" for path in there]
    assert names == [each.object for each in made.known_slices()[1:]]
    assert not folder.with_plan(made).lacks_objects(range(len(there) + 1))
