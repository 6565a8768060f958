"""Standard input: read once, whatever is at the pipe's other end, and nothing of it is kept."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

import fanfold
from stores.driving import (
    FORMS,
    GENOME,
    OPTIONS,
    Bucket,
    assert_told,
    command,
    results,
    running,
    succeed,
)

every_form = pytest.mark.parametrize("name", FORMS)


@every_form
def test_a_pipe_makes_the_report_of_a_file_of_that_name(
    name: str, tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    out = tmp_path / "out"
    options: list[str | Path] = ["--name", name, "--out", out, *OPTIONS]
    done = succeed("run", "-", *options, variables={}, stdin=FORMS[name])
    assert done.stdout == f"{out}/master.json\n"
    assert results(out) == expected[name]
    assert (f"{name}.gzi" in results(out)) == name.endswith(".bgz")
    facts = json.loads((out / "run.json").read_bytes())
    assert facts["read_bytes"] == len(FORMS[name])
    assert facts["source"]["url"] == "-"


@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.bgz", "genome.fa.zst"])
def test_an_array_reads_a_pipe_once(
    name: str, tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    out = tmp_path / "out"
    sliced = [*OPTIONS[:4], "--slice-size", "20000", "--quiet"]
    options: list[str | Path] = ["--name", name, "--out", out, *sliced]
    where = succeed("plan", "-", *options, variables={}, stdin=FORMS[name]).stdout.strip()
    for index in range(3):
        fanfold.task(where, index)
    fanfold.fold(where)
    assert results(out) == expected[name]
    assert not list(out.rglob("*.fa"))


def test_a_pipe_without_a_name_is_called_stdin(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = succeed("run", "-", "--json", "--out", out, *OPTIONS, variables={}, stdin=GENOME)
    assert json.loads(done.stdout)["source"]["name"] == "stdin"
    assert (out / "stdin.fai").exists()


@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.bgz"])
def test_the_results_of_a_pipe_may_go_into_a_bucket(
    store: Bucket, prefix: str, name: str, expected: dict[str, dict[str, bytes]]
) -> None:
    options: list[str | Path] = ["--name", name, "--out", f"{store.url}/{prefix}", *OPTIONS]
    succeed("run", "-", *options, variables=store.variables, stdin=FORMS[name])
    assert store.results(prefix) == expected[name]


@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.bgz", "genome.fa.zst"])
def test_a_pipe_may_be_slow(
    name: str, tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    data, out = FORMS[name], tmp_path / "out"
    with running("run", "-", "--name", name, "--out", out, *OPTIONS, variables={}) as process:
        assert process.stdin is not None
        for byte in data[:50]:
            process.stdin.write(bytes([byte]))
            process.stdin.flush()
            time.sleep(0.002)
        _, err = process.communicate(data[50:], timeout=120)
    assert process.returncode == 0, err
    assert results(out) == expected[name]


def damaged(data: bytes) -> bytes:
    """The same with a few bits flipped in the middle."""
    middle = len(data) // 2
    return (
        data[:middle]
        + bytes(byte ^ 0x55 for byte in data[middle : middle + 8])
        + data[middle + 8 :]
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty: there is no FASTA record"),
        (b"@read\nACGT\n+\nIIII\n", "FASTQ"),
        (b"ACGT\n", "before the first header"),
        (GENOME.replace(b"\n", b"\r"), "bare CR"),
        (FORMS["genome.fa.gz"][:-100], "truncated"),
        (FORMS["genome.fa.bgz"][:-28], "truncated"),
        (FORMS["genome.fa.bgz"][:-2000], "truncated"),
        (FORMS["genome.fa.zst"][:-100], "truncated"),
        (damaged(FORMS["genome.fa.gz"]), "damaged"),
        (damaged(FORMS["genome.fa.bgz"]), "damaged"),
        (damaged(FORMS["genome.fa.zst"]), "damaged"),
        (FORMS["genome.fa.gz"] + b"more", "bytes after the archive's end"),
    ],
    ids=[
        "empty",
        "FASTQ",
        "no header",
        "bare CR",
        "truncated gzip",
        "BGZF without its end",
        "truncated BGZF",
        "truncated zstd",
        "damaged gzip",
        "damaged BGZF",
        "damaged zstd",
        "trailing bytes",
    ],
)
def test_what_is_wrong_with_a_pipe_is_told(data: bytes, words: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = command("run", "-", "--name", "x.fa", "--out", out, *OPTIONS, variables={}, stdin=data)
    assert_told(done, 3, "x.fa: ", words)
    assert not (out / "master.json").exists()


def test_a_pipe_that_was_cut_off_is_read_anew(
    tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    name, out = "genome.fa.gz", tmp_path / "out"
    options: list[str | Path] = ["--name", name, "--out", out, *OPTIONS]
    cut = command("run", "-", *options, variables={}, stdin=FORMS[name][:-1000])
    assert_told(cut, 3, "truncated")
    succeed("run", "-", *options, variables={}, stdin=FORMS[name])
    assert results(out) == expected[name]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "/x"])
def test_a_pipe_has_no_name_that_climbs(name: str, tmp_path: Path) -> None:
    options: list[str | Path] = ["--name", name, "--out", tmp_path / "out", *OPTIONS]
    done = command("run", "-", *options, variables={}, stdin=GENOME)
    assert_told(done, 2, "is no name")
    assert not (tmp_path / "out").exists()


def test_a_name_is_for_pipes_alone(tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_bytes(GENOME)
    for verb in ("run", "plan"):
        options: list[str | Path] = ["--name", "y.fa", "--out", tmp_path / "out", *OPTIONS]
        done = command(verb, tmp_path / "x.fa", *options, variables={})
        assert_told(done, 2, "a name can be given to standard input, bytes and open files")


def test_nothing_of_a_pipe_is_left_behind(tmp_path: Path) -> None:
    scratch, out = tmp_path / "scratch", tmp_path / "out"
    scratch.mkdir()
    options: list[str | Path] = ["--out", out, *OPTIONS]
    for data in (FORMS["genome.fa.gz"], FORMS["genome.fa.gz"][:-5]):
        command("run", "-", *options, variables={"TMPDIR": str(scratch)}, stdin=data)
        assert not list(scratch.iterdir())
        hidden = sorted(path for path in out.rglob("*") if ".fanfold" in path.parts)
        assert hidden == [out / ".fanfold", out / ".fanfold" / "lock"]
        assert not [path for path in out.rglob(".*") if path.name != ".fanfold"]
        assert not list(out.rglob("*.fa"))
