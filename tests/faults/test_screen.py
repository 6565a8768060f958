"""What reaches a screen steers no terminal and forges no line: names, records, texts of servers."""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import struct
import subprocess
import sys
import sysconfig
import termios
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from servers.api import JOB, ApiServer, job_document, problem_document
from servers.proxy import Answer, FaultProxy
from servers.s3 import s3_server

import fanfold
from fanfold.cli.progress import progress_bar
from fanfold.shown import escaped, escaped_json

FANFOLD = str(Path(sysconfig.get_path("scripts")) / "fanfold")
PHIX = (Path(__file__).parents[1] / "data/phiX174.fa").read_bytes()

EVIL = "evil\x1b[31m\n\x7f\x9b2J\u2028\u202e\u2066"
"""It would colour, break the line, clear the screen, and turn what follows around."""
HARMLESS = r"evil\x1b[31m\x0a\x7f\x9b2J\u2028\u202e\u2066"
NO_UTF_8 = os.fsdecode(b"\xff\x9b")
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd]")


def run(
    *words: str | Path, variables: Mapping[str, str] | None = None, stdin: bytes = b""
) -> tuple[int, str, str]:
    """A command; its exit code, stdout, and stderr, which is checked."""
    done = subprocess.run(
        [FANFOLD, *map(str, words)],
        input=stdin,
        capture_output=True,
        env=os.environ | dict(variables or {}),
        check=False,
        timeout=60,
    )
    stderr = done.stderr.decode()
    assert not STEERING.search(stderr), stderr
    return done.returncode, os.fsdecode(done.stdout), stderr


def on_a_terminal(*words: str | Path, variables: Mapping[str, str] | None = None) -> str:
    """What a command writes to a terminal."""
    controller, terminal = os.openpty()
    with subprocess.Popen(
        [FANFOLD, *map(str, words)],
        stdout=terminal,
        stderr=terminal,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "200"} | dict(variables or {}),
    ):
        os.close(terminal)
        shown = b""
        with suppress(OSError):  # how Linux says that the terminal was closed
            while piece := os.read(controller, 4096):
                shown += piece
        os.close(controller)
    return shown.decode().replace("\r\n", "\n")


def fed_on_a_terminal(*words: str | Path, columns: int, until: str) -> str:
    """What a command writes to a terminal; its input comes until the terminal shows a text."""
    controller, terminal = os.openpty()
    size = struct.pack("HHHH", 24, columns, 0, 0)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
    variables = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    with subprocess.Popen(
        [FANFOLD, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env=variables | {"TERM": "xterm"},
    ) as process:
        os.close(terminal)
        assert process.stdin is not None
        process.stdin.write(b">a\n")
        shown = b""
        with suppress(OSError):  # how Linux says that the terminal was closed
            while until.encode() not in shown:
                process.stdin.write(b"ACGT" * 20_000 + b"\n")
                if select.select([controller], [], [], 0.01)[0]:
                    shown += os.read(controller, 4096)
            process.stdin.close()
            while piece := os.read(controller, 4096):
                shown += piece
        os.close(controller)
    assert process.returncode == 0
    return shown.decode()


def frames_of(shown: str) -> list[str]:
    """The lines that a terminal showed, one after another in the same place."""
    return [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", shown)]


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    path = tmp_path / f"{EVIL}.fa"
    path.write_bytes(PHIX)
    return path


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        error = {
            "type": "urn:fanfold:problem:input",
            "title": EVIL,
            "detail": f"{EVIL}: not FASTA",
            "slices": [{"index": 3, "reason": EVIL}],
        }
        server.set_job(JOB, [job_document(state="FAILED", key=EVIL, error=error)])
        server.logs = {
            "stream": "task/default/1",
            "lines": [{"time": "2026-11-24T21:00:00Z", "text": EVIL}] * 2,
        }
        yield server


# --- names of files ---------------------------------------------------------------------------


def test_a_summary_shows_a_name_escaped_and_scripts_get_the_path_itself(genome: Path) -> None:
    out = genome.parent / f"out{EVIL}"

    code, stdout, stderr = run("run", genome, "--out", out)

    assert code == 0
    assert stdout == f"{out}/master.json\n"
    assert stderr.endswith(f"/out{HARMLESS}/report.html\n")
    code, stdout, stderr = run("plan", genome, "--out", genome.parent / "p", "--slice-size", "2000")
    assert (code, stdout) == (0, f"{genome.parent}/p/plan.json\n")


def test_a_terminal_is_shown_paths_and_labels_escaped(genome: Path) -> None:
    shown = on_a_terminal("run", genome, "--out", genome.parent / f"out{EVIL}")

    for steering in EVIL:
        assert steering in "\x1b\nevil[31m2J" or steering not in shown
    assert "evil\x1b" not in shown
    assert shown.count(HARMLESS) >= 3
    last = shown.rstrip("\n").rpartition("\n")[2]
    assert last == f"{genome.parent}/out{HARMLESS}/master.json"


def test_the_label_of_a_bar_is_escaped(tmp_path: Path) -> None:
    words = ("run", "-", "--name", EVIL, "--out", tmp_path / "out")

    shown = fed_on_a_terminal(*words, columns=200, until=HARMLESS)

    assert "evil\x1b" not in shown


@pytest.mark.parametrize("columns", [20, 50, 80, 200])
def test_a_stream_shows_what_is_done_and_no_end_whatever_the_width(
    columns: int, tmp_path: Path
) -> None:
    name = "a-rather-long-name-of-a-genome-assembly.v1.2.fa"
    words = ("run", "-", "--name", name, "--out", tmp_path / "out")

    shown = fed_on_a_terminal(*words, columns=columns, until="MB/s")

    bars = [each for each in frames_of(shown) if "B/s" in each]
    assert bars
    assert max(map(len, bars)) <= columns
    assert not any("%" in each or "━" in each for each in bars)


@pytest.mark.parametrize("columns", [30, 50, 79, 80, 200])
def test_a_bar_is_one_line_whatever_the_width(
    columns: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("fanfold.cli.progress._WAIT_SECONDS", 0.0)

    with progress_bar("a-rather-long-name-of-a-genome-assembly.v1.2.fa", quiet=False) as show:
        assert show is not None
        show(3_000_000, 9_000_000)

    bars = [each for each in frames_of(capsys.readouterr().err) if "━" in each]
    assert bars
    assert max(map(len, bars)) <= columns
    assert "33%" in bars[-1] or "3.0/9.0 MB" in bars[-1]


def test_what_is_done_at_once_shows_no_bar(tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_bytes(PHIX)

    shown = on_a_terminal("stats", tmp_path / "x.fa")

    assert len(shown.splitlines()) == 2
    assert "\x1b" not in shown


@pytest.mark.parametrize("name", [EVIL, NO_UTF_8])
def test_an_error_shows_a_name_escaped_in_one_line(name: str, tmp_path: Path) -> None:
    harmless = HARMLESS if name == EVIL else r"\xff\x9b"
    folder = tmp_path / name
    folder.mkdir()
    (tmp_path / "x.fa").write_bytes(PHIX)
    (folder / "bad.fa").write_bytes(b"ACGT\n")
    (folder / "empty").mkdir()
    commands: list[list[str | Path]] = [
        ["run", folder / "gone.fa"],
        ["run", folder / "bad.fa"],
        ["run", folder / "empty"],
        ["plan", folder, "--out", tmp_path / "out"],
        ["run", tmp_path / "x.fa", "--out", folder / "bad.fa"],
        ["task", folder / "plan.json", "--index", "0"],
        ["fold", folder / "plan.json"],
    ]
    for words in commands:
        code, _, stderr = run(*words)
        assert code not in {0, 1}
        (line,) = stderr.splitlines()
        assert harmless in line or words[1] == folder / "bad.fa"
        run("--debug", *words)


def test_wrong_usage_shows_what_was_given_escaped() -> None:
    for words in (
        [EVIL],
        ["run", "x", "--slice-size", EVIL],
        ["run", "x", f"--{EVIL}"],
        ["fold", "x", EVIL],
        ["status", EVIL],
        ["run", "x", "--dask", EVIL],
        ["jobs", "--api", EVIL],
    ):
        code, _, stderr = run(*words)
        assert code == 2
        assert "evil" in stderr
        assert len(stderr.splitlines()) in {1, 4}


def test_a_warning_shows_a_path_escaped(genome: Path) -> None:
    out = genome.parent / f"out{EVIL}"
    fanfold.run(genome, out=out)
    genome.write_bytes(b">a\nACGT\n")

    code, _, stderr = run("run", genome, "--out", out)

    assert code == 0
    assert stderr.startswith(f"{genome.parent}/out{HARMLESS}: replacing the results ")


def test_check_shows_a_fault_a_line(genome: Path) -> None:
    out = genome.parent / f"out{EVIL}"
    fanfold.run_many([genome], out=out)
    assert run("check", out)[2] == f"{genome.parent}/out{HARMLESS}: complete\n"
    (out / genome.name / "gaps.bed").unlink()
    (out / genome.name / "sequences.tsv").unlink()

    code, stdout, _ = run("check", out)

    assert code == 6
    assert not STEERING.search(stdout)
    assert len(stdout.splitlines()) == 2
    assert all(f"{HARMLESS}.fa/" in line for line in stdout.splitlines())


def test_a_table_over_all_has_a_name_and_an_error_escaped(genome: Path) -> None:
    out = genome.parent / "out"
    tab = genome.parent / "tab\there.fa"
    tab.write_bytes(PHIX)

    code, _, stderr = run("run", genome, tab, f"{genome}.gone", "--out", out)

    assert code == 9
    assert len(stderr.splitlines()) == 5, "three of the table, one of all, and the error"
    table = (out / "summary.tsv").read_text()
    assert not STEERING.search(table.replace("\t", ""))
    rows = [line.split("\t") for line in table.splitlines()]
    assert {len(row) for row in rows} == {22}
    assert [row[0] for row in rows[1:]] == [
        f"{HARMLESS}.fa",
        r"tab\x09here.fa",
        f"{HARMLESS}.fa.gone",
    ]
    assert rows[3][-1].startswith(f"{genome.parent}/{HARMLESS}.fa.gone: can't be read")


def test_a_name_of_standard_input_is_escaped(tmp_path: Path) -> None:
    code, _, stderr = run("run", "-", "--name", EVIL, "--out", tmp_path / "out", stdin=b"ACGT\n")

    assert code == 3
    assert stderr.startswith(f"fanfold: {HARMLESS}: ")


# --- texts of servers -------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["status", JOB], ["jobs"], ["logs", JOB]], ids=str)
def test_what_an_api_says_is_escaped(words: list[str], api: ApiServer) -> None:
    for shown in (
        run(*words, variables=api.environment())[1],
        on_a_terminal(*words, variables=api.environment()),
    ):
        assert HARMLESS in shown
        assert not STEERING.search(shown)


def test_a_refusal_of_an_api_is_escaped(api: ApiServer) -> None:
    api.faults.append(problem_document(409, "has-ended", f"{EVIL}!"))

    code, _, stderr = run("cancel", JOB, variables=api.environment())

    assert (code, stderr) == (10, f"fanfold: {HARMLESS}!\n")


@pytest.mark.parametrize("words", [["status", JOB], ["jobs"]], ids=str)
def test_json_on_a_terminal_steers_nothing_and_says_the_same(
    words: list[str], api: ApiServer
) -> None:
    _, stdout, _ = run(*words, "--json", variables=api.environment())
    shown = on_a_terminal(*words, "--json", variables=api.environment())

    assert not STEERING.search(shown)
    assert EVIL[-1] in stdout
    assert json.loads(shown) == json.loads(stdout)


def test_what_a_store_says_is_escaped(genome: Path, tmp_path: Path) -> None:
    with s3_server(tmp_path / "s3") as s3, FaultProxy(s3.endpoint_url) as proxy:
        s3.create_bucket("bucket")
        proxy.inject(Answer(400, f"<Code>{EVIL}</Code>".encode()), times=None)
        more = {"AWS_ENDPOINT_URL": proxy.url, "FANFOLD_RETRY_TIMEOUT": "0.1"}
        for debug in ([], ["--debug"]):
            words: list[str | Path] = [*debug, "run", genome, "--out", "s3://bucket/\x9b\u202e"]
            code, _, stderr = run(*words, variables=s3.environment() | more)
            assert code == 5
            assert r"s3://bucket/\x9b\u202e/" in stderr
            assert (r"evil\x1b[31m" in stderr) == bool(debug)


def test_a_key_that_no_store_takes_is_refused(genome: Path, tmp_path: Path) -> None:
    with s3_server(tmp_path / "s3") as s3:
        s3.create_bucket("bucket")
        commands: list[list[str | Path]] = [
            ["run", f"s3://bucket/{EVIL}.fa"],
            ["run", "x.fa", "--out", f"s3://bucket/{EVIL}"],
            ["run", genome, "--out", "s3://bucket/out"],
        ]
        for words in commands:
            code, _, stderr = run(*words, variables=s3.environment())
            assert code == 2
            assert HARMLESS in stderr
            assert "control characters in a key are not supported" in stderr


# --- how it is escaped ------------------------------------------------------------------------


def test_every_character_that_steers_is_escaped_and_no_other() -> None:
    every = "".join(map(chr, range(0x2100))) + "\ud800\udcff🧬"
    plain = escaped(every)

    assert not STEERING.search(plain)
    assert "\n" not in plain
    assert plain.encode().decode()
    assert escaped("a\x00\x1b\n\t\x7f\x85é\\ü\u202e") == r"a\x00\x1b\x0a\x09\x7f\x85é\ü\u202e"
    assert escaped(NO_UTF_8 + "\ud800") == r"\xff\x9b\ud800"
    assert escaped("été 🧬 \u200b.fa") == "été 🧬 \u200b.fa"


def test_json_stays_what_it_says() -> None:
    document = json.dumps(
        {"a\u202e": ["\x1b", "\x7f\x9b\u2028", "é\\"]}, ensure_ascii=False, indent=1
    )

    plain = escaped_json(document)

    assert not STEERING.search(plain)
    assert json.loads(plain) == json.loads(document)
    assert plain.count("\n") == document.count("\n")


def test_a_name_forges_no_line_of_a_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [FANFOLD, "--debug", "run", "x\nfanfold: all is well\n.fa"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert "Traceback" in done.stderr
    assert r"x\x0afanfold: all is well\x0a.fa" in done.stderr
    assert "fanfold: all is well" not in done.stderr.splitlines()
