"""Nothing of a user's is removed or overwritten; a report is believed only when proven."""

from __future__ import annotations

import errno
import fcntl
import gzip
import json
import os
import re
import subprocess
import sysconfig
import threading
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest
from naive import crc64nvme
from servers.warm import warm_fanfold

import fanfold
from fanfold.errors import FanfoldError, OutputError, PlanError
from fanfold.flow.check import find_faults
from fanfold.flow.publish import publisher_of
from fanfold.objects import open_place

DATA = Path(__file__).parents[1] / "data"
PHIX = (DATA / "phiX174.fa").read_bytes()
MT = (DATA / "human_MT.fa").read_bytes()
FANFOLD = Path(sysconfig.get_path("scripts")) / "fanfold"

OF_THE_REPORT = ["master.json", "sequences.tsv", "gaps.bed", "nx.tsv", "kmers.k5.tsv", "x.fa.fai"]


def written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def report_files(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in OF_THE_REPORT}


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder but its lock, which tells who held it last."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def faults_in(out: Path) -> list[str]:
    """What `fanfold check` would print of a folder, without the start of a process."""
    return list(find_faults(open_place(str(out))))


def emptied(_: bytes) -> bytes:
    return b""


def zero_filled(data: bytes) -> bytes:
    return bytes(len(data))


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def altered(data: bytes) -> bytes:
    return data[:-2] + bytes((data[-2] ^ 1,)) + data[-1:]


def sealed(document: dict[str, object]) -> bytes:
    """A document with a checksum that holds, as anyone can compute it."""
    body = json.dumps({key: document[key] for key in document if key != "checksum"})[1:].encode()
    return b'{\n "checksum": "%b",' % b64decode(crc64nvme(body)).hex().encode() + body


def by_run(path: Path, out: Path, *, fresh: bool = False) -> object:
    return fanfold.run(path, out=out, fresh=fresh)


def by_array(path: Path, out: Path, *, fresh: bool = False) -> object:
    made = fanfold.plan(path, out=out, fresh=fresh)
    for each in made.slices:
        fanfold.task(made.plan_url, each.index)
    return fanfold.fold(made.plan_url)


def by_command(path: Path, out: Path, *, fresh: bool = False) -> object:
    """The command line; its error as the library's."""
    words = [FANFOLD, "run", "-q", path, "--out", out, *(["--fresh"] if fresh else [])]
    done = warm_fanfold().run([str(word) for word in words])
    if done.returncode == OutputError.exit_code:
        raise OutputError(done.stderr)
    if done.returncode:
        raise FanfoldError(done.stderr)
    return done


def by_many(path: Path, out: Path, *, fresh: bool = False) -> object:
    """One of many; the folder of its results is below the collection's."""
    assert out.name == path.name
    (outcome,) = fanfold.run_many([path], out=out.parent, fresh=fresh)
    if outcome.error is not None:
        raise outcome.error
    return outcome.report


WRITERS: list[Callable[..., object]] = [by_run, by_array, by_command, by_many]

every_writer = pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path / "x.fa", b">a\nACGTNNAC\n" + PHIX)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder for results, named after the input as those of many are."""
    return tmp_path / "out" / "x.fa"


# --- whose a file is --------------------------------------------------------------------------


def test_inputs_called_like_slices_stay(tmp_path: Path) -> None:
    inputs = [
        written(tmp_path / "data" / "chunks" / f"part.chunk000{index}.fa", PHIX) for index in (1, 2)
    ]
    for path in inputs:
        fanfold.run(path, out=tmp_path / "data", fresh=True)

    assert [path.read_bytes() for path in inputs] == [PHIX, PHIX]


@every_writer
@pytest.mark.parametrize("suffix", ["json", "rows", "fa"])
def test_a_file_called_like_a_slice_stays(
    write: Callable[..., object], suffix: str, path: Path, out: Path
) -> None:
    theirs = [
        written(out / "chunks" / f"{stem}.chunk0000.{suffix}", b"theirs") for stem in ("x.fa", "y")
    ]
    write(path, out)
    write(path, out, fresh=True)

    assert [each.read_bytes() for each in theirs] == [b"theirs"] * 2


@every_writer
@pytest.mark.parametrize(
    "name",
    [
        *(*OF_THE_REPORT, "run.json", "plan.json", "publish.json", "chunks", ".fanfold"),
        *("report.html", "multiqc"),
    ],
)
@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_a_file_or_link_under_a_name_to_be_written_is_refused_and_stays(
    write: Callable[..., object], name: str, kind: str, path: Path, out: Path
) -> None:
    out.mkdir(parents=True)
    elsewhere = path.parent / "elsewhere"
    if kind == "file":
        (out / name).write_bytes(b"theirs\n")
    else:
        (out / name).symlink_to(elsewhere)
    if kind == "link" and name in {"chunks", ".fanfold", "multiqc"}:
        elsewhere.mkdir()
    elif kind == "link":
        elsewhere.write_bytes(b"theirs\n")

    for fresh in (False, True):
        with pytest.raises(OutputError, match=r"move it|link"):
            write(path, out, fresh=fresh)

    assert [each.name for each in out.iterdir()] == [name]
    if kind == "file":
        assert (out / name).read_bytes() == b"theirs\n"
    elif elsewhere.is_dir():
        assert list(elsewhere.iterdir()) == []
    elif kind == "link":
        assert elsewhere.read_bytes() == b"theirs\n"
    else:
        assert not elsewhere.exists()


@every_writer
def test_a_folder_in_place_of_the_report_is_refused_and_stays(
    write: Callable[..., object], path: Path, out: Path
) -> None:
    write(path, out)
    (out / "master.json").unlink()
    theirs = written(out / "master.json" / "notes.txt", b"theirs")

    with pytest.raises(OutputError, match=r"master\.json"):
        write(path, out)

    assert theirs.read_bytes() == b"theirs"


@pytest.mark.parametrize("name", ["sequences.tsv", "gaps.bed", "master.json", "plan.json"])
@pytest.mark.parametrize("by_link", [False, True])
def test_an_input_under_the_name_of_a_result_is_refused(
    name: str, by_link: bool, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    fanfold.run(written(tmp_path / "x.fa", MT), out=out)
    genome = written(out / name, PHIX)
    asked = genome
    if by_link:
        asked = tmp_path / "link.fa"
        asked.symlink_to(genome)

    for fresh in (False, True):
        with pytest.raises(OutputError, match=r"in the way|the input has a name"):
            fanfold.run(asked, out=out, fresh=fresh)

    assert genome.read_bytes() == PHIX


def test_an_input_among_the_work_of_a_replaced_plan_stays(tmp_path: Path) -> None:
    """The user takes a slice's text, or puts a genome there, and asks about it in that folder."""
    out = tmp_path / "out"
    made = fanfold.plan(written(tmp_path / "x.fa", MT), out=out)
    genome = written(out / "chunks" / made.plan.id / "x.fa.chunk0007.fa", PHIX)

    report = fanfold.run(genome, out=out, fresh=True)

    assert report.master.sequences.length == 5386
    assert genome.read_bytes() == PHIX


@pytest.mark.parametrize("name", ["summary.tsv", "index.html", "collection.json"])
def test_a_file_over_all_that_fanfold_did_not_write_is_not_overwritten(
    name: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "x.fa", PHIX)
    theirs = written(tmp_path / "out" / name, b"{}\n")

    with pytest.raises(OutputError, match=f"{name}: in the way"):
        fanfold.run_many([path], out=tmp_path / "out")

    assert theirs.read_bytes() == b"{}\n"
    assert [each.name for each in (tmp_path / "out").iterdir()] == [name]


LOCKED = {".fanfold/lock", ".fanfold/" + "0" * 32 + "/x.fai", ".fanfold.0123456789ab.fanfold-tmp"}


@pytest.mark.parametrize("name", sorted(LOCKED))
@pytest.mark.parametrize("verb", ["run", "plan"])
def test_an_input_where_fanfold_keeps_its_own_files_is_refused(
    name: str, verb: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    genome = written(out / name, PHIX)
    linked = tmp_path / "link.fa"
    linked.symlink_to(genome)

    for asked in (genome, linked):
        with pytest.raises(OutputError, match="where fanfold keeps its own files"):
            (fanfold.run if verb == "run" else fanfold.plan)(asked, out=out)

    assert genome.read_bytes() == PHIX


def test_a_file_of_a_user_in_place_of_the_lock_is_not_written(path: Path, out: Path) -> None:
    theirs = written(path.parent / "theirs", b"theirs")
    (out / ".fanfold").mkdir(parents=True)
    (out / ".fanfold" / "lock").hardlink_to(theirs)

    fanfold.run(path, out=out)

    assert theirs.read_bytes() == b"theirs"


@pytest.mark.parametrize("name", [".mine.fanfold-tmp", ".x.0123.fanfold-tmp", "x.fanfold-tmp"])
def test_a_file_that_is_called_almost_like_a_temporary_one_stays(
    name: str, path: Path, out: Path
) -> None:
    theirs = written(out / name, b"theirs")

    fanfold.run(path, out=out)

    assert theirs.read_bytes() == b"theirs"


@pytest.mark.parametrize("name", ["summary.tsv", "index.html", "collection.json"])
def test_an_input_of_many_is_not_taken_for_a_file_over_them(name: str, tmp_path: Path) -> None:
    out, first = tmp_path / "out", written(tmp_path / "a.fa", MT)
    fanfold.run_many([first], out=out)
    before = (out / name).read_bytes()
    linked = tmp_path / "b.fa"
    linked.symlink_to(out / name)

    with pytest.raises(OutputError, match="in the way"):
        fanfold.run_many([first, linked], out=out)

    assert (out / name).read_bytes() == before


def test_an_input_of_many_among_the_results_of_another_is_refused(tmp_path: Path) -> None:
    out, first = tmp_path / "out", written(tmp_path / "a.fa", MT)
    fanfold.run_many([first], out=out)
    genome = written(out / "a.fa" / "sequences.tsv", PHIX)

    with pytest.raises(OutputError, match="lies in a folder for results of this call"):
        fanfold.run_many([genome, first], out=out)

    assert genome.read_bytes() == PHIX


# --- whose a folder is ------------------------------------------------------------------------


@every_writer
def test_a_folder_of_another_question_is_refused_and_fresh_replaces_it(
    write: Callable[..., object], path: Path, out: Path, tmp_path: Path
) -> None:
    other = written(tmp_path / "other" / "x.fa", MT)
    write(other, out)
    before = contents(out)

    with pytest.raises(OutputError, match=r"holds the report of .*other/x\.fa"):
        write(path, out)
    assert contents(out) == before

    write(path, out, fresh=True)
    assert json.loads((out / "master.json").read_bytes())["sequences"]["length"] == 5394
    assert len(list((out / "chunks").iterdir())) == 1, "the other's work is gone"


def test_other_parameters_are_refused_where_the_user_named_the_folder(
    path: Path, tmp_path: Path
) -> None:
    fanfold.run(path, 5, out=tmp_path / "out")
    with pytest.raises(OutputError, match="holds the report for -k 5; give another --out"):
        fanfold.run(path, 3, out=tmp_path / "out")


def test_other_parameters_replace_the_report_in_the_default_folder_and_say_so(
    path: Path, tmp_path: Path
) -> None:
    def run(k: str) -> subprocess.CompletedProcess[str]:
        words: list[str | Path] = [FANFOLD, "run", path, "-q", "-k", k]
        return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert run("5").stderr == ""
    assert "replacing the results with -k 5" in run("3").stderr
    assert json.loads((tmp_path / "x.fa.fanfold/master.json").read_bytes())["parameters"] == {
        "k": [3],
        "canonical": False,
        "view": {"min_gap": 1, "min_length": 0, "genome_size": None},
    }


def test_unfinished_work_of_another_question_is_refused_in_every_folder(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fanfold.plan(path, 5, out="x.fa.fanfold")
    for out in (None, "x.fa.fanfold"):
        with pytest.raises(OutputError, match="unfinished work for -k 5"):
            fanfold.run(path, 3, out=out)
    assert fanfold.run(path, 5, out="x.fa.fanfold").master.parameters.k == (5,)


@every_writer
def test_a_changed_input_replaces_the_report_once_the_new_one_is_whole(
    write: Callable[..., object], path: Path, out: Path
) -> None:
    write(path, out)
    old = report_files(out)
    path.write_bytes(b">a\nAC\x80GT\n")
    with pytest.raises(FanfoldError):
        write(path, out)
    assert report_files(out) == old

    path.write_bytes(MT)
    write(path, out)

    assert json.loads((out / "master.json").read_bytes())["sequences"]["length"] == 16569


def test_the_same_input_by_another_path_is_the_same_input(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    fanfold.run(path, out=tmp_path / "out")
    monkeypatch.chdir(tmp_path / "sub")

    for same in ("../x.fa", "../link/x.fa", "./../sub/../x.fa"):
        assert fanfold.run(same, out="../out").resumed


def test_another_standard_input_is_another_input(out: Path) -> None:
    def run(text: bytes, *more: str) -> subprocess.CompletedProcess[bytes]:
        words: list[str | Path] = [FANFOLD, "run", "-q", "-", "--out", out, *more]
        return subprocess.run(words, input=text, capture_output=True, check=False)

    assert run(PHIX).returncode == 0
    before = (out / "master.json").read_bytes()
    refused = run(MT)
    assert refused.returncode == OutputError.exit_code
    assert b"holds the report of standard input or bytes (stdin)" in refused.stderr
    assert (out / "master.json").read_bytes() == before

    assert run(MT, "--fresh").returncode == 0


def test_the_work_of_a_plan_that_never_had_a_slice_goes_as_well(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(3):
        fanfold.plan(path, out=out, fresh=True)
    assert len(list((out / "chunks").iterdir())) == 3

    fanfold.run(path, out=out)

    assert len(list((out / "chunks").iterdir())) == 1


def test_a_late_task_of_a_replaced_plan_harms_nobody(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    old = fanfold.plan(path, 5, out=out)
    report = fanfold.run(path, 3, out=out, fresh=True)

    with pytest.raises(PlanError, match="another run has replaced the plan"):
        fanfold.task(old.plan_url, 0, plan_id=old.plan.id)

    assert fanfold.run(path, 3, out=out).data == report.data


# --- many in one folder -----------------------------------------------------------------------


def rows(folder: Path) -> list[list[str]]:
    return [line.split("\t") for line in (folder / "summary.tsv").read_text().splitlines()[1:]]


def test_another_plan_that_takes_the_folder_over_is_left_alone(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where locks don't work: the run that lost ends before it writes its report."""
    out, others = tmp_path / "out", list[fanfold.RunFolder]()

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)

    def progress(*_: int) -> None:
        if not others:
            others.append(fanfold.plan(path, 3, out=out, fresh=True))

    with pytest.raises(OutputError, match="another run has replaced it"):
        fanfold.run(path, 5, out=out, progress=progress)

    assert json.loads((out / "plan.json").read_bytes())["id"] == others[0].plan.id
    assert not (out / "master.json").exists()
    assert fanfold.run(path, 3, out=out).master.parameters.k == (3,)


@pytest.mark.parametrize("name", [*OF_THE_REPORT, "run.json"])
def test_a_file_of_a_user_that_appears_during_the_run_stays(
    name: str, path: Path, out: Path
) -> None:
    def progress(*_: int) -> None:
        (out / name).write_bytes(b"theirs")

    with pytest.raises(OutputError, match="in the way"):
        fanfold.run(path, out=out, progress=progress)

    assert (out / name).read_bytes() == b"theirs"
    (out / name).unlink()
    assert not fanfold.run(path, out=out).resumed


def test_a_late_inflation_does_not_bring_its_plan_back(tmp_path: Path) -> None:
    out = tmp_path / "out"
    packed = written(tmp_path / "x.fa.gz", gzip.compress(PHIX))
    late = fanfold.plan(packed, out=out)
    other = fanfold.plan(written(tmp_path / "y.fa", MT), out=out, fresh=True)

    with pytest.raises(OutputError, match="another run has replaced it"):
        publisher_of(late.place).update(late.plan)

    assert json.loads((out / "plan.json").read_bytes())["id"] == other.plan.id


def test_a_smaller_call_does_not_shorten_the_table_over_all(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a.fa", PHIX), written(tmp_path / "b.fa", MT)
    fanfold.run_many([first, second], out=tmp_path / "out")
    before = (tmp_path / "out" / "summary.tsv").read_bytes()

    fanfold.run_many([second], out=tmp_path / "out")

    assert (tmp_path / "out" / "summary.tsv").read_bytes() == before


def test_a_failure_of_an_earlier_call_drops_out_of_the_table(tmp_path: Path) -> None:
    good, bad = written(tmp_path / "a.fa", PHIX), written(tmp_path / "b.fa", b"not FASTA")
    out = tmp_path / "out"
    fanfold.run_many([bad, good], out=out)
    assert [(row[0], row[-3]) for row in rows(out)] == [("b.fa", "failed"), ("a.fa", "ok")]

    fanfold.run_many([good], out=out)

    assert [(row[0], row[-3]) for row in rows(out)] == [("a.fa", "ok")]


def test_calls_at_once_into_one_collection_lose_no_row(tmp_path: Path) -> None:
    inputs = [written(tmp_path / f"{index}.fa", PHIX) for index in range(12)]
    out = tmp_path / "out"
    calls = [
        threading.Thread(target=fanfold.run_many, args=([path],), kwargs={"out": out})
        for path in inputs
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()

    assert sorted(row[0] for row in rows(out)) == sorted(path.name for path in inputs)


@pytest.mark.parametrize("damage", [emptied, zero_filled, altered])
def test_a_damaged_record_of_a_collection_is_made_again(
    damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    inputs = [written(tmp_path / f"{name}.fa", PHIX) for name in "ab"]
    out = tmp_path / "out"
    fanfold.run_many(inputs, out=out)
    record = out / "collection.json"
    record.write_bytes(damage(record.read_bytes()))
    assert faults_in(out)

    fanfold.run_many(inputs, out=out)

    assert not faults_in(out)
    assert [row[0] for row in rows(out)] == ["a.fa", "b.fa"]


def test_a_collection_from_before_there_was_a_page_gets_one(tmp_path: Path) -> None:
    path, out = written(tmp_path / "a.fa", PHIX), tmp_path / "out"
    fanfold.run_many([path], out=out)
    before = (out / "index.html").read_bytes()
    forget_page(out)
    assert not faults_in(out)

    fanfold.run_many([path], out=out)

    assert (out / "index.html").read_bytes() == before
    assert json.loads((out / "collection.json").read_bytes())["index"]["size_bytes"] == len(before)


def test_a_page_of_a_user_in_a_collection_from_before_there_was_one_stays(tmp_path: Path) -> None:
    path, out = written(tmp_path / "a.fa", PHIX), tmp_path / "out"
    fanfold.run_many([path], out=out)
    forget_page(out)
    written(out / "index.html", b"<h1>mine</h1>")

    with pytest.raises(OutputError, match=r"index\.html: in the way"):
        fanfold.run_many([path], out=out)

    assert (out / "index.html").read_bytes() == b"<h1>mine</h1>"


@pytest.mark.parametrize("name", ["summary.tsv", "index.html"])
def test_a_file_of_a_user_beside_a_damaged_record_of_a_collection_stays(
    name: str, tmp_path: Path
) -> None:
    path, out = written(tmp_path / "a.fa", PHIX), tmp_path / "out"
    fanfold.run_many([path], out=out)
    record = out / "collection.json"
    record.write_bytes(altered(record.read_bytes()))
    (out / name).write_bytes(b"theirs")

    with pytest.raises(OutputError, match=f"{re.escape(name)}: in the way"):
        fanfold.run_many([path], out=out)

    assert (out / name).read_bytes() == b"theirs"


def forget_page(out: Path) -> None:
    """Make a collection what versions before there was a page left."""
    document = json.loads((out / "collection.json").read_bytes())
    del document["index"]
    (out / "collection.json").write_bytes(sealed(document))
    (out / "index.html").unlink()


@pytest.mark.parametrize("name", ["a\0b", "../a.fa", "/etc", "", "..", "a" * 300])
def test_a_collection_that_names_what_is_no_name_is_damaged(name: str, tmp_path: Path) -> None:
    path, out = written(tmp_path / "a.fa", PHIX), tmp_path / "out"
    fanfold.run_many([path], out=out)
    document = json.loads((out / "collection.json").read_bytes())
    document["names"].append(name)
    (out / "collection.json").write_bytes(sealed(document))

    assert "collection.json: damaged" in "".join(faults_in(out))
    assert fanfold.run_many([path], out=out)[0].error is None


# --- completeness -----------------------------------------------------------------------------


@every_writer
@pytest.mark.parametrize("name", OF_THE_REPORT)
@pytest.mark.parametrize("damage", [emptied, zero_filled, truncated, altered, None])
def test_a_report_that_is_not_as_written_is_folded_again(
    write: Callable[..., object],
    name: str,
    damage: Callable[[bytes], bytes] | None,
    path: Path,
    out: Path,
) -> None:
    write(path, out)
    expected = report_files(out)
    if damage is None:
        (out / name).unlink()
    else:
        (out / name).write_bytes(damage((out / name).read_bytes()))
    assert faults_in(out)

    write(path, out)

    assert report_files(out) == expected
    assert not faults_in(out)
    assert fanfold.run(path, out=out).resumed


@pytest.mark.parametrize("damage", [emptied, zero_filled, altered, truncated, None])
def test_a_record_that_is_damaged_or_gone_is_made_again(
    damage: Callable[[bytes], bytes] | None, path: Path, tmp_path: Path
) -> None:
    out = fanfold.run(path, out=tmp_path / "out").out
    expected = report_files(out)
    if damage is None:
        (out / "run.json").unlink()
    else:
        (out / "run.json").write_bytes(damage((out / "run.json").read_bytes()))

    assert not fanfold.run(path, out=out).resumed
    assert report_files(out) == expected
    assert fanfold.run(path, out=out).resumed


def test_a_damaged_record_gives_no_right_to_remove_a_file(path: Path, tmp_path: Path) -> None:
    out = fanfold.run(path, out=tmp_path / "out").out
    theirs = [written(out / name, b"theirs") for name in (".fai", ".gzi", "x.fa.gzi")]
    (out / "run.json").write_bytes(altered((out / "run.json").read_bytes()))

    fanfold.run(path, 3, out=out, fresh=True)

    assert [each.read_bytes() for each in theirs] == [b"theirs"] * 3
    assert not (out / "publish.json").exists()
    assert not faults_in(out)


@pytest.mark.parametrize("left", [b"{}", b'{"record": 1}', b"\xff", b"theirs\n"])
def test_a_record_that_fanfold_did_not_write_is_refused(
    left: bytes, path: Path, tmp_path: Path
) -> None:
    out = fanfold.run(path, out=tmp_path / "out").out
    (out / "run.json").write_bytes(left)

    with pytest.raises(OutputError, match=r"run\.json: in the way"):
        fanfold.run(path, out=out)

    assert (out / "run.json").read_bytes() == left


def test_no_flipped_bit_of_a_plan_gives_another_answer(tmp_path: Path) -> None:
    """Every bit of every byte, before the tasks; a fold and a run each."""
    path = written(tmp_path / "x.fa", b">a\nACGTNNAC\n")
    out = tmp_path / "out"
    made = fanfold.plan(path, 2, out=out, slice_bytes=5)
    for each in made.slices:
        fanfold.task(made.plan_url, each.index)
    plan = (out / "plan.json").read_bytes()
    for at in range(8 * len(plan)):
        flipped = bytearray(plan)
        flipped[at // 8] ^= 1 << at % 8
        (out / "plan.json").write_bytes(flipped)
        with pytest.raises(PlanError, match="plan anew"):
            fanfold.fold(made.plan_url)
    assert not (out / "master.json").exists()

    assert fanfold.run(path, 2, out=out).master.sequences.length == 8


@every_writer
@pytest.mark.parametrize("damage", [emptied, zero_filled, truncated, altered])
def test_a_plan_that_is_damaged_is_replaced(
    write: Callable[..., object], damage: Callable[[bytes], bytes], path: Path, out: Path
) -> None:
    write(path, out)
    expected = report_files(out)
    (out / "plan.json").write_bytes(damage((out / "plan.json").read_bytes()))
    assert faults_in(out)
    (out / "master.json").unlink()

    write(path, out)

    assert report_files(out) == expected
    assert not faults_in(out)


@pytest.mark.parametrize("name", ["plan.json", "run.json", "gaps.bed"])
@pytest.mark.parametrize("kind", ["fifo", "endless"])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(
    name: str, kind: str, path: Path, tmp_path: Path
) -> None:
    out = fanfold.run(path, out=tmp_path / "out").out
    (out / name).unlink()
    if kind == "fifo":
        os.mkfifo(out / name)
    else:
        (out / name).symlink_to("/dev/zero")

    fresh = ["--fresh"] if name == "plan.json" else []  # the report is complete without a plan
    commands: list[list[str | Path]] = [
        ["run", "-q", path, "--out", out, *fresh],
        ["check", out],
    ]
    for words in commands:
        done = subprocess.run([FANFOLD, *words], capture_output=True, timeout=120, check=False)
        assert done.returncode in {OutputError.exit_code, PlanError.exit_code}
        assert str(out / name).encode() in done.stdout + done.stderr
        assert b"Traceback" not in done.stderr


def test_a_report_file_of_an_insane_size_is_not_read_to_its_end(path: Path, tmp_path: Path) -> None:
    out = fanfold.run(path, out=tmp_path / "out").out
    (out / "sequences.tsv").unlink()
    written(out / "sequences.tsv", b"")
    os.truncate(out / "sequences.tsv", 2**40)

    assert not fanfold.run(path, out=out).resumed
    assert fanfold.run(path, out=out).resumed


def test_a_publication_whose_files_are_gone_destroys_nothing(path: Path, tmp_path: Path) -> None:
    out = fanfold.run(path, 5, out=tmp_path / "out").out
    before = report_files(out)
    document = json.loads((out / "run.json").read_bytes())
    files = document["record"]["files"] | {"run.json": {"size_bytes": 1, "crc64nvme": "0" * 16}}
    files["master.json"] = {"size_bytes": 1, "crc64nvme": "0" * 16}
    publication = {
        "question": document["record"]["question"] | {"job": "0" * 20},
        "token": "0" * 32,
        "files": files,
        "goes": ["x.fa.fai"],
        "replaces": [],
    }
    (out / "publish.json").write_bytes(sealed(publication))

    assert fanfold.run(path, 5, out=out).master.parameters.k == (5,)

    assert report_files(out) == before
    assert not (out / "publish.json").exists()


def test_a_document_of_an_insane_size_is_refused(path: Path, tmp_path: Path) -> None:
    out = fanfold.run(path, out=tmp_path / "out").out
    os.truncate(out / "run.json", 2**40)

    with pytest.raises(OutputError, match=r"run\.json: can't be read: more than"):
        fanfold.run(path, out=out)


@pytest.mark.parametrize("name", ["../x.fa", "chunks/x", "/etc/passwd", "notes.txt", ".."])
def test_a_record_that_names_other_files_proves_nothing_and_gives_no_right(
    name: str, path: Path, tmp_path: Path
) -> None:
    out = fanfold.run(path, out=tmp_path / "out").out
    theirs, genome = written(out / "notes.txt", b"theirs"), path.read_bytes()
    document = json.loads((out / "run.json").read_bytes())
    document["record"]["files"][name] = {"size_bytes": 6, "crc64nvme": "0" * 16}
    (out / "run.json").write_bytes(sealed(document))

    assert not fanfold.run(path, out=out).resumed
    assert fanfold.run(path, 3, out=out, fresh=True).master.parameters.k == (3,)

    assert theirs.read_bytes() == b"theirs"
    assert path.read_bytes() == genome


@pytest.mark.parametrize("name", ["master.json", "sequences.tsv", "gaps.bed", "nx.tsv"])
def test_a_record_that_leaves_out_a_file_proves_nothing(
    name: str, path: Path, tmp_path: Path
) -> None:
    out = fanfold.run(path, out=tmp_path / "out").out
    document = json.loads((out / "run.json").read_bytes())
    del document["record"]["files"][name]
    (out / "run.json").write_bytes(sealed(document))

    assert not fanfold.run(path, out=out).resumed


def test_the_report_of_another_question_is_not_taken_for_the_answer(
    path: Path, tmp_path: Path
) -> None:
    """As left by two runs in one folder, of which the first planned ended last."""
    out = tmp_path / "out"
    other = fanfold.run(path, 5, out=tmp_path / "other").out
    fanfold.run(path, 3, out=out)
    for name in (*OF_THE_REPORT, "run.json"):
        (out / name).write_bytes((other / name).read_bytes())

    with pytest.raises(OutputError, match="holds the report for -k 5"):
        fanfold.run(path, 3, out=out)
    assert fanfold.run(path, 3, out=out, fresh=True).master.parameters.k == (3,)


def test_a_report_is_a_value_that_later_runs_do_not_change(path: Path, tmp_path: Path) -> None:
    first = fanfold.run(path, 5, out=tmp_path / "out")
    data = first.data
    fanfold.run(path, 3, out=tmp_path / "out", fresh=True)

    assert first.master.parameters.k == (5,)
    assert first.data == data
    assert sum(first.master.kmer_counts.values()) == first.master.kmers[0].total


# --- fanfold check ----------------------------------------------------------------------------


def check(*folders: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([FANFOLD, "check", *folders], capture_output=True, text=True, check=False)


def test_check_says_that_a_report_is_complete(path: Path, tmp_path: Path) -> None:
    out = fanfold.run(path, out=tmp_path / "out").out
    before = {each: each.stat().st_mtime_ns for each in out.rglob("*")}

    done = check(out)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{out}: complete\n")
    assert {each: each.stat().st_mtime_ns for each in out.rglob("*")} == before


def test_check_names_everything_that_is_wrong(path: Path, tmp_path: Path) -> None:
    out = fanfold.run(path, out=tmp_path / "out", slice_bytes=1000).out
    for each in (out / "gaps.bed", out / "plan.json", out / "master.json"):
        each.write_bytes(altered(each.read_bytes()))
    done = check(out)
    assert done.returncode == 6
    assert [line.partition(": ")[0] for line in done.stdout.splitlines()] == [
        str(out / name) for name in ("gaps.bed", "master.json", "plan.json")
    ]

    fanfold.run(path, out=out, slice_bytes=1000)
    (result,) = out.glob("chunks/*/*.chunk0003.json")
    (rows,) = out.glob("chunks/*/*.rows")
    result.write_bytes(truncated(result.read_bytes()))
    rows.unlink()
    done = check(out)
    assert done.returncode == 6
    assert [line.partition(": ")[0] for line in done.stdout.splitlines()] == [
        str(rows.with_suffix(".json")),
        str(result),
    ]


def test_check_looks_at_every_report_of_many(tmp_path: Path) -> None:
    inputs = [written(tmp_path / f"{name}.fa", PHIX) for name in "abc"]
    out = tmp_path / "out"
    fanfold.run_many(inputs, out=out)
    assert check(out).returncode == 0

    table = out / "b.fa" / "sequences.tsv"
    table.write_bytes(altered(table.read_bytes()))
    (out / "summary.tsv").unlink()
    page = out / "index.html"
    page.write_bytes(altered(page.read_bytes()))
    done = check(out)

    assert done.returncode == 6
    assert done.stdout.splitlines() == [
        f"{out / 'summary.tsv'}: gone; run again",
        f"{page}: not what was written; run again",
        f"{table}: not what was written; run again",
    ]


def test_check_says_that_there_is_nothing_or_nothing_yet(path: Path, tmp_path: Path) -> None:
    nothing, planned = tmp_path / "nothing", tmp_path / "planned"
    fanfold.plan(path, out=planned, slice_bytes=1000)
    fanfold.task(planned / "plan.json", 0)

    done = check(nothing, planned)

    assert done.returncode == 6
    assert done.stdout.splitlines() == [
        f"{nothing}: no report and no plan are here",
        f"{planned}: no report yet; 1 of 6 slices have results",
    ]
