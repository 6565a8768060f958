"""What grows with the input takes memory that may not be there: an error, and the process lives."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from servers.web import WebServer

from fanfold.errors import ExhaustedError

CHILD = """
import resource
from pathlib import Path

import fanfold
from fanfold import Summary
from fanfold._kernel import Scanner, Survey

EMPTY_RECORDS, GAPS = b">\\n" * 2**20, b"AN" * 2**20
SEQUENCES_TSV = "name length A C G T N other lowercase gc_percent start_byte U".replace(" ", "\\t")
SHORT_RECORDS = b"\\t1\\t1\\t0\\t0\\t0\\t0\\t0\\t0\\t0.000\\t0\\t0\\n" * 2**20


def leave(mebibytes):
    used_bytes = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used_bytes + mebibytes * 2**20,) * 2)


def scanned(block, start=b""):
    scanner = Scanner(3)
    scanner.update(start)
    for _ in range(5):
        scanner.update(block)
    return scanner.finish()


def main():
    {statements}


try:
    main()
except MemoryError as error:
    print("MemoryError", error)
print("lives", fanfold.scan(b">a\\nACGT\\n").findings().composition["A"])
"""

CASES = {
    "records": ["leave(24)", "scanned(EMPTY_RECORDS)"],
    "gaps": ["leave(12)", "scanned(GAPS, b'>a\\n')"],
    "findings": ["summary = scanned(EMPTY_RECORDS)", "leave(24)", "summary.findings()"],
    "rows": ["summary = scanned(EMPTY_RECORDS)", "leave(24)", "summary.rows()"],
    "forms": [
        "summary = scanned(EMPTY_RECORDS)",
        "forms = summary.state_json(), b'{}', summary.rows()",
        "leave(24)",
        "Summary.from_forms(*forms)",
    ],
    "a survey of records": [
        "survey = Survey(1, 0, None)",
        "survey.add_sequences(SEQUENCES_TSV.encode() + b'\\n')",
        "leave(24)",
        "survey.add_sequences(SHORT_RECORDS)",
    ],
    "a survey of contigs": [
        "survey = Survey(1, 0, None)",
        "survey.add_sequences(SEQUENCES_TSV.encode() + b'\\n')",
        "survey.add_sequences(SHORT_RECORDS)",
        "leave(12)",
        "survey.finish()",
    ],
}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory so")
@pytest.mark.parametrize("case", CASES)
def test_memory_that_is_not_there_is_an_error_and_no_crash(case: str) -> None:
    child = CHILD.replace("{statements}", "\n    ".join(CASES[case]))

    done = subprocess.run(
        [sys.executable, "-c", child], capture_output=True, text=True, check=False
    )

    assert done.stdout.splitlines()[0].startswith("MemoryError no memory"), done.stderr
    assert done.stdout.splitlines()[1:] == ["lives 1"]
    assert done.returncode == 0


COMMAND = Path(sys.executable).with_name("fanfold")
RECORDS = b"".join(b">contig%07d\nACGTNACGT\n" % number for number in range(400_000))


def limited(kind: int, most: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (most, most))


def run(location: str | Path, out: Path, kind: int, most: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "run", location, "--out", out, "--quiet", "--workers", "2"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited(kind, most),
    )


def assert_told_or_done(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """It ended well, or said in one line what ran out."""
    if done.returncode:
        (told,) = done.stderr.splitlines()
        assert done.returncode == ExhaustedError.exit_code, done.stderr
        assert any(each in told for each in words)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory so")
def test_a_command_without_memory_says_so_and_is_taken_up_with_more(tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(RECORDS)
    ended = set()
    for mebibytes in (60, 400, 450, 1000):
        done = run(path, tmp_path / "out", resource.RLIMIT_AS, mebibytes * 2**20)
        assert_told_or_done(done, "not enough memory", "no more threads")
        ended.add(done.returncode)
    assert ended == {0, ExhaustedError.exit_code}


def test_a_command_without_files_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(RECORDS)
    ended = set()
    for files in range(5, 12):
        done = run(path, tmp_path / "out", resource.RLIMIT_NOFILE, files)
        assert_told_or_done(done, "too many files are open")
        ended.add(done.returncode)
    assert ended == {0, ExhaustedError.exit_code}


def test_a_store_that_can_not_be_asked_for_want_of_files_is_no_defect(tmp_path: Path) -> None:
    """The library that asks panics, and says so itself; the last line is ours."""
    (tmp_path / "x.fa").write_bytes(RECORDS)
    with WebServer(tmp_path) as server:
        done = run(f"{server.url}/x.fa", tmp_path / "out", resource.RLIMIT_NOFILE, 6)
    assert done.returncode == ExhaustedError.exit_code, done.stderr
    assert "too many files are open" in done.stderr.splitlines()[-1]
