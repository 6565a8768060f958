"""What grows with the input takes memory that may not be there: an error, and the process lives."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHILD = """
import resource
from pathlib import Path

import fanfold
from fanfold import Summary
from fanfold._kernel import Scanner

EMPTY_RECORDS, GAPS = b">\\n" * 2**20, b"AN" * 2**20


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
