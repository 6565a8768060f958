"""Standard input: read once, whatever is at the pipe's other end, and nothing of it is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from servers.web import WebServer

import fanfold
from stores.driving import (
    FANFOLD,
    FORMS,
    GENOME,
    OPTIONS,
    Bucket,
    assert_told,
    clean_environment,
    command,
    results,
    run_array,
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
        assert_told(done, 2, "a name can be given to standard input or a pipe alone")


# --- other pipes ------------------------------------------------------------------------------


@contextmanager
def named_pipe(path: Path, data: bytes) -> Iterator[None]:
    """A named pipe that a process writes into, once: a second reader would wait for ever."""
    os.mkfifo(path)
    program = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    words = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as writer, ThreadPoolExecutor(1) as aside:
        try:
            fed = aside.submit(writer.communicate, data)
            yield
            fed.result(timeout=120)
        finally:
            writer.kill()
    assert writer.returncode == 0


@every_form
def test_a_named_pipe_is_read_once_and_names_its_results(
    name: str, tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    out = tmp_path / "out"
    with named_pipe(tmp_path / name, FORMS[name]):
        succeed("run", tmp_path / name, "--out", out, *OPTIONS, variables={})
    assert results(out) == expected[name]
    assert json.loads((out / "run.json").read_bytes())["source"]["url"] == "-"


def test_a_named_pipe_may_be_given_another_name(
    tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    name, out = "genome.fa.gz", tmp_path / "out"
    options: list[str | Path] = ["--name", name, "--out", out, *OPTIONS]
    with named_pipe(tmp_path / "pipe", FORMS[name]):
        succeed("run", f"file://{tmp_path}/pipe", *options, variables={})
    assert results(out) == expected[name]


def test_an_array_reads_a_named_pipe_once(
    tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    name, out = "genome.fa.bgz", tmp_path / "out"
    with named_pipe(tmp_path / name, FORMS[name]):
        made = run_array(tmp_path / name, str(out))
    assert results(made.out) == expected[name]


def test_a_named_pipe_is_one_of_many(tmp_path: Path, expected: dict[str, dict[str, bytes]]) -> None:
    name, other, out = "genome.fa.gz", tmp_path / "genome.fa", tmp_path / "out"
    other.write_bytes(GENOME)
    with named_pipe(tmp_path / name, FORMS[name]):
        succeed("run", tmp_path / name, other, "--out", out, *OPTIONS, variables={})
    assert results(out / name) == expected[name]
    assert results(out / "genome.fa") == expected["genome.fa"]


@pytest.mark.parametrize("path", ["/dev/stdin", "/dev/fd/0", "file:///dev/stdin"])
def test_the_path_of_standard_input_is_standard_input(
    path: str, tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    name, out = "genome.fa.zst", tmp_path / "out"
    options: list[str | Path] = ["--name", name, "--out", out, *OPTIONS]
    succeed("run", path, *options, variables={}, stdin=FORMS[name])
    assert results(out) == expected[name]
    unnamed = tmp_path / "unnamed"
    succeed("run", path, "--out", unnamed, *OPTIONS, variables={}, stdin=FORMS[name])
    assert (unnamed / "stdin.fai").exists()


def test_a_file_at_standard_input_is_read_from_where_it_is(
    tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    path, out = tmp_path / "file", tmp_path / "out"
    path.write_bytes(b"no FASTA\n" + GENOME)
    words = [FANFOLD, "run", "/dev/stdin", "--name", "genome.fa", "--out", str(out), *OPTIONS]
    with path.open("rb", buffering=0) as file:
        file.readline()
        subprocess.run(words, stdin=file, check=True, env=clean_environment(), timeout=120)
    assert results(out) == expected["genome.fa"]


PIPED_BY_BASH = ("bash", "-c", 'exec "$0" "$@" <(cat "$FILE")', FANFOLD)


def test_what_a_shell_pipes_in_needs_a_name(
    tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    name, out = "genome.fa.gz", tmp_path / "out"
    (tmp_path / "file").write_bytes(FORMS[name])
    variables = {"FILE": str(tmp_path / "file")}
    options: list[str | Path] = ["--out", out, *OPTIONS]
    done = command("run", *options, variables=variables, program=PIPED_BY_BASH)
    assert_told(done, 2, "/dev/fd/", "--name")
    named = ["--name", name, *options]
    done = command("run", *named, variables=variables, program=PIPED_BY_BASH)
    assert done.returncode == 0, done.stderr
    assert results(out) == expected[name]


def test_a_descriptor_that_is_not_open_is_told(tmp_path: Path) -> None:
    options: list[str | Path] = ["--name", "x", "--out", tmp_path / "out"]
    done = command("run", "/dev/fd/77", *options, variables={})
    assert_told(done, 4, "/dev/fd/77: can't be read")


def test_a_device_is_no_pipe(tmp_path: Path) -> None:
    done = command("run", "/dev/null", "--out", tmp_path / "out", variables={})
    assert_told(done, 4, "/dev/null: not a regular file")


# --- names ------------------------------------------------------------------------------------

ODD_NAMES = [
    "a\nb.fa",
    "a\tb.fa",
    "a\x1b[31mb.fa",
    "a\x9bb.fa",
    "\u202eb.fa",
    "\uffffb.fa",
    "a" * 238,
]
NO_NAMES = [
    ("a\udcffb.fa", r"a\xffb.fa", "is not UTF-8"),
    ("a" * 239, "239 bytes", "238 are the most"),
    ("ü" * 120, "240 bytes", "238 are the most"),
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_an_odd_name_works_wherever_it_comes_from(name: str, tmp_path: Path) -> None:
    made = {}
    (tmp_path / name).write_bytes(GENOME)
    options = ["--json", *OPTIONS]
    with WebServer(tmp_path) as web:
        locations: dict[str, str | Path] = {
            "path": tmp_path / name,
            "web": f"{web.url}/{quote(name)}",
            "stdin": "-",
        }
        for kind, location in locations.items():
            named = ["--name", name] if kind == "stdin" else []
            out = tmp_path / f"{kind}.out"
            done = succeed(
                "run", location, *named, "--out", out, *options, variables={}, stdin=GENOME
            )
            assert json.loads(done.stdout)["source"]["name"] == name
            made[kind] = results(out)
    assert made["path"] == made["web"] == made["stdin"]
    assert f"{name}.fai" in made["path"]


@pytest.mark.parametrize(("name", "shown", "why"), NO_NAMES, ids=["bytes", "long", "letters"])
def test_a_name_that_cannot_be_is_told_wherever_it_comes_from(
    name: str, shown: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(GENOME)
    out = tmp_path / "out"
    quoted = quote(os.fsencode(name))
    locations: list[str | Path] = [
        tmp_path / name,
        f"file://{quote(str(tmp_path))}/{quoted}",
        f"http://127.0.0.1:1/{name}",
        f"s3://bucket/{name}",
    ]
    for verb in ("run", "plan"):
        for location in locations:
            done = command(verb, location, "--out", out, variables={})
            assert done.returncode in {2, 4}
            assert_told(done, done.returncode, why.partition(" ")[2])
        done = command(verb, "-", "--name", name, "--out", out, variables={}, stdin=GENOME)
        assert_told(done, 2, shown, why)
    many = command("run", tmp_path / name, tmp_path / name[1:], "--out", out, variables={})
    assert many.returncode == 9
    assert "Traceback" not in many.stderr


def test_a_path_of_any_length_is_told_in_a_line_or_two(tmp_path: Path) -> None:
    for location in ("a" * 300, "a/" * 3000, f"s3://bucket/{'a' * 2000}", "file:///a%00b"):
        done = command("run", location, "--out", tmp_path / "out", variables={})
        assert done.returncode in {2, 4}, done.stderr
        assert_told(done, done.returncode)
        assert len(done.stderr) < 1500


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
