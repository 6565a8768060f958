"""Nothing of a user's is removed or overwritten; a report is believed only when proven."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fanfold
from fanfold.errors import OutputError
from fanfold.report.run_record import FileFacts, decode_record, facts_of, make_record

DATA = Path(__file__).parents[1] / "data"
PHIX = (DATA / "phiX174.fa").read_bytes()
FANFOLD = Path(sysconfig.get_path("scripts")) / "fanfold"

OF_THE_REPORT = ["master.json", "sequences.tsv", "gaps.bed", "x.fa.fai"]


def written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def report_files(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in OF_THE_REPORT}


def emptied(_: bytes) -> bytes:
    return b""


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def altered(data: bytes) -> bytes:
    return data[:-2] + bytes((data[-2] ^ 1,)) + data[-1:]


# --- ownership --------------------------------------------------------------------------------


def test_inputs_called_like_slices_stay(tmp_path: Path) -> None:
    inputs = [
        written(tmp_path / "data" / "chunks" / f"part.chunk000{index}.fa", PHIX) for index in (1, 2)
    ]

    for path in inputs:
        fanfold.run(path, out=tmp_path / "data")

    assert [path.read_bytes() for path in inputs] == [PHIX, PHIX]


@pytest.mark.parametrize("suffix", ["json", "rows", "fa"])
@pytest.mark.parametrize("fresh", [False, True])
def test_a_file_of_another_name_in_the_chunks_folder_stays(
    suffix: str, fresh: bool, tmp_path: Path
) -> None:
    path = written(tmp_path / "x.fa", PHIX)
    theirs = written(tmp_path / "out" / "chunks" / f"foo.chunk0001.{suffix}", b"theirs")

    fanfold.run(path, out=tmp_path / "out")
    fanfold.run(path, 5 if fresh else 3, out=tmp_path / "out", fresh=fresh)
    fanfold.plan(path, 2, out=tmp_path / "out", fresh=fresh)

    assert theirs.read_bytes() == b"theirs"


@pytest.mark.parametrize("by_link", [False, True])
def test_an_input_under_a_name_to_be_removed_is_refused(by_link: bool, tmp_path: Path) -> None:
    out = tmp_path / "out"
    fanfold.run(written(tmp_path / "x.fa", PHIX), out=out)
    path = written(out / "chunks" / "x.fa.chunk0007.fa", PHIX)
    asked = path
    if by_link:
        asked = tmp_path / "link.fa"
        asked.symlink_to(path)

    with pytest.raises(OutputError, match=r"chunk0007\.fa: the input has a name"):
        fanfold.run(asked, out=out)

    assert path.read_bytes() == PHIX
    assert (out / "master.json").exists()


@pytest.mark.parametrize("name", ["summary.tsv", "collection.json"])
def test_a_table_over_all_that_fanfold_did_not_write_is_not_overwritten(
    name: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "x.fa", PHIX)
    theirs = written(tmp_path / "out" / name, b"{}\n")

    with pytest.raises(OutputError, match=f"{name}: in the way"):
        fanfold.run_many([path], out=tmp_path / "out")

    assert theirs.read_bytes() == b"{}\n"
    assert [each.name for each in (tmp_path / "out").iterdir()] == [name]


def test_a_table_over_all_of_an_earlier_call_is_replaced(tmp_path: Path) -> None:
    path = written(tmp_path / "x.fa", PHIX)

    for k in (2, 3):
        assert fanfold.run_many([path], k, out=tmp_path / "out")[0].error is None


@pytest.mark.parametrize("left", [b"", bytes(4096)])
def test_a_plan_that_a_power_cut_emptied_is_replaced(left: bytes, tmp_path: Path) -> None:
    path = written(tmp_path / "x.fa", PHIX)
    written(tmp_path / "out" / "plan.json", left)

    report = fanfold.run(path, out=tmp_path / "out")

    assert report.master["sequences"]["length"] == 5386


# --- completeness -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_THE_REPORT)
@pytest.mark.parametrize("damage", [emptied, truncated, altered, None])
def test_a_report_that_is_not_as_written_is_folded_again(
    name: str, damage: Callable[[bytes], bytes] | None, tmp_path: Path
) -> None:
    path = written(tmp_path / "x.fa", b">a\nACGTNNAC\n" + PHIX)
    out = tmp_path / "out"
    fanfold.run(path, out=out)
    expected = report_files(out)
    if damage is None:
        (out / name).unlink()
    else:
        (out / name).write_bytes(damage((out / name).read_bytes()))

    report = fanfold.run(path, out=out)

    assert not report.resumed
    assert report_files(out) == expected
    assert fanfold.run(path, out=out).resumed


@pytest.mark.parametrize("left", [b"", b"{}", b'{"record": 1}', b"\xff", bytes(100)])
def test_a_record_that_is_none_proves_nothing(left: bytes, tmp_path: Path) -> None:
    path = written(tmp_path / "x.fa", PHIX)
    out = fanfold.run(path, out=tmp_path / "out").out
    (out / "run.json").write_bytes(left)

    assert not fanfold.run(path, out=out).resumed
    assert fanfold.run(path, out=out).resumed


@pytest.mark.parametrize("name", ["plan.json", "run.json", "gaps.bed"])
@pytest.mark.parametrize("kind", ["fifo", "endless"])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(
    name: str, kind: str, tmp_path: Path
) -> None:
    """`gaps.bed` is empty, as a FIFO's size is."""
    path = written(tmp_path / "x.fa", PHIX)
    out = fanfold.run(path, out=tmp_path / "out").out
    (out / name).unlink()
    if kind == "fifo":
        os.mkfifo(out / name)
    else:
        (out / name).symlink_to("/dev/zero")

    done = subprocess.run(
        [FANFOLD, "run", "-q", path, "--out", out], capture_output=True, timeout=60, check=False
    )

    if (name, kind) == ("gaps.bed", "endless"):  # a link has another size: the file is made again
        assert (done.returncode, (out / name).read_bytes()) == (0, b"")
        return
    assert done.returncode == 5
    assert f"{out / name}: can't be read: not a regular file".encode() in done.stderr


def replace_record(out: Path, files: dict[str, FileFacts]) -> None:
    """Put a record with a fitting checksum into `run.json`."""
    facts = json.loads((out / "run.json").read_bytes())
    facts["record"] = msgspec.to_builtins(make_record(facts["job"], files))
    (out / "run.json").write_text(json.dumps(facts))


def test_a_record_that_names_files_elsewhere_proves_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "x.fa", PHIX)
    out = fanfold.run(path, out=tmp_path / "out").out
    files = {name: facts_of(data) for name, data in report_files(out).items()}
    replace_record(out, {**files, "../x.fa": facts_of(PHIX)})

    assert not fanfold.run(path, out=out).resumed
    assert path.read_bytes() == PHIX


@pytest.mark.parametrize("name", ["master.json", "sequences.tsv", "gaps.bed"])
def test_a_record_that_leaves_out_a_file_proves_nothing(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / "x.fa", PHIX)
    out = fanfold.run(path, out=tmp_path / "out").out
    files = {each: facts_of(data) for each, data in report_files(out).items() if each != name}
    replace_record(out, files)

    assert not fanfold.run(path, out=out).resumed


def test_the_report_of_another_question_is_not_taken_for_the_answer(tmp_path: Path) -> None:
    """As left by two runs in one folder, of which the first planned ended last."""
    path = written(tmp_path / "x.fa", PHIX)
    out = tmp_path / "out"
    other = fanfold.run(path, 5, out=tmp_path / "other").out
    fanfold.run(path, 3, out=out)
    for name in (*OF_THE_REPORT, "run.json"):
        (out / name).write_bytes((other / name).read_bytes())

    done = subprocess.run(
        [FANFOLD, "run", "--json", path, "--out", out, "-k", "3"], capture_output=True, check=True
    )

    assert json.loads(done.stdout)["parameters"]["k"] == [3]
    assert b"complete already" not in done.stderr


@given(st.text(), st.dictionaries(st.text(), st.binary()), st.data())
def test_a_record_survives_another_encoding_and_no_change(
    job: str, contents: dict[str, bytes], data: st.DataObject
) -> None:
    record = make_record(job, {name: facts_of(each) for name, each in contents.items()})
    document = {"record": dict(reversed(msgspec.to_builtins(record).items())), "cloud": {}}
    assert decode_record(json.dumps(document).encode()) == record
    other = data.draw(st.text().filter(lambda text: text != job))
    document["record"]["job"] = other
    assert decode_record(json.dumps(document).encode()) is None
