"""Bytes after an archive's end: refused, or ignored by a parameter, which the report notes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from archives import bgzf

import fanfold
from fanfold.errors import ArchiveError, OutputError, ParameterError
from fanfold.flow.plan import job_of
from fanfold.objects import Source
from fanfold.params import Params, TrailingGarbage, check_params

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FASTA = b">a\nACGTNNNN\n>b\nGATTACA\n" * 900
GARBAGE = b"\0\0garbage"
KEPT_BYTES = len(b"garbage")

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bgzf": lambda text: bgzf(text, 3000),
    "zstd": zstd.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def facts(report: fanfold.Report) -> dict[str, Any]:
    """What a report says of its text: all but the object, the parameters and the notes."""
    data = msgspec.json.decode(report.data)
    return {name: data[name] for name in data.keys() - {"source", "parameters", "notes", "fanfold"}}


@pytest.fixture(params=PACKED)
def packed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "x.fa.gz"
    path.write_bytes(PACKED[request.param](FASTA) + GARBAGE)
    return path


@pytest.mark.parametrize("slice_bytes", [None, 100])
def test_it_is_ignored_and_noted(packed: Path, slice_bytes: int | None, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ArchiveError, match=r"not zero padding.*--trailing-garbage ignore"):
        fanfold.run(packed, out=out, slice_bytes=slice_bytes)
    report = fanfold.run(
        packed, out=out, slice_bytes=slice_bytes, trailing_garbage="ignore", fresh=True
    )
    (tmp_path / "plain.fa").write_bytes(FASTA)
    plain = fanfold.run(tmp_path / "plain.fa", out=tmp_path / "plain")
    assert {**facts(report), "sequences": None} == {**facts(plain), "sequences": None}
    master = report.master
    assert master.source.garbage_bytes == KEPT_BYTES
    assert master.parameters.trailing_garbage == "ignore"
    (note,) = (each for each in master.notes if each.kind == "trailing-garbage")
    assert (note.count, note.text) == (7, "7 bytes after the archive's end, ignored")
    assert b"7 bytes after the archive" in (out / "report.html").read_bytes()


def test_it_is_a_parameter_of_the_question(packed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = fanfold.run(packed, out=out, trailing_garbage="ignore")
    again = fanfold.run(packed, out=out, trailing_garbage="ignore")
    assert (again.data, again.resumed) == (first.data, True)
    with pytest.raises(OutputError, match="-k 5 --trailing-garbage ignore"):
        fanfold.run(packed, out=out)


def test_a_report_keeps_its_note_under_another_view(packed: Path, tmp_path: Path) -> None:
    fanfold.run(packed, out=tmp_path / "out", trailing_garbage="ignore")
    seen = fanfold.render(tmp_path / "out", view=fanfold.View(min_gap=3))
    fresh = fanfold.run(
        packed, out=tmp_path / "fresh", trailing_garbage="ignore", view=fanfold.View(min_gap=3)
    )
    assert seen.data == fresh.data
    assert b"trailing-garbage" in seen.data


def test_an_array_of_tasks_ignores_it_too(packed: Path, tmp_path: Path) -> None:
    folder = fanfold.plan(packed, out=tmp_path / "out", slice_bytes=700, trailing_garbage="ignore")
    for each in reversed(folder.slices):
        fanfold.task(folder, each.index)
    expected = fanfold.run(packed, out=tmp_path / "run", trailing_garbage="ignore")
    assert fanfold.fold(folder).data == expected.data


def test_many_inputs_and_the_command_line_take_it(packed: Path, tmp_path: Path) -> None:
    (outcome,) = fanfold.run_many([packed], out=tmp_path / "many", trailing_garbage="ignore")
    assert outcome.report is not None
    command = [sys.executable, "-m", "fanfold", "run", "-", "--name", packed.name]
    done = subprocess.run(
        [*command, "--trailing-garbage", "ignore", "--json", "--out", tmp_path / "out"],
        input=packed.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert msgspec.json.decode(done.stdout) == msgspec.json.decode(outcome.report.data)


@pytest.mark.parametrize("compression", ["none", *PACKED])
def test_there_is_no_note_without_garbage(compression: str, tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(PACKED.get(compression, bytes)(FASTA))
    report = fanfold.run(path, out=tmp_path / "out", trailing_garbage="ignore")
    assert report.master.source.garbage_bytes == 0
    assert b"garbage_bytes" not in report.data
    assert all(each.kind != "trailing-garbage" for each in report.master.notes)


def test_a_question_without_it_has_the_hash_that_it_had() -> None:
    source = Source("/x/a.fa", "a.fa", 9, "1-2-9")
    given = check_params(5, canonical=False, trailing_garbage="refuse")
    assert msgspec.json.encode(given) == b'{"k":[5],"canonical":false}'
    assert given == check_params(5, canonical=False)
    ignoring = Params((5,), False, "ignore")
    assert job_of(source, ignoring) != job_of(source, given)


def test_another_word_is_refused(tmp_path: Path) -> None:
    word = cast("TrailingGarbage", "drop")
    with pytest.raises(ParameterError, match="'drop' is neither 'refuse' nor 'ignore'"):
        fanfold.run(tmp_path / "x.fa", trailing_garbage=word)
