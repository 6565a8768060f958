"""`make` sets up what it needs: without a word of pip's or maturin's, unless they fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
QUIETLY = ROOT / "scripts" / "quietly"
NO_PACKAGES = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}


def test_what_succeeds_is_kept_in_the_log_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for number in "12":
        done = subprocess.run([QUIETLY, log, "echo", number], capture_output=True, check=True)
        assert (done.stdout, done.stderr) == (b"", b"")
    assert log.read_text() == "$ echo 1\n1\n$ echo 2\n2\n"


def test_what_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    log, script = tmp_path / "log", "seq 100; echo no such package >&2; exit 7"
    done = subprocess.run(
        [QUIETLY, log, "sh", "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (7, "")
    lines = done.stderr.splitlines()
    assert lines[-3:] == [
        *("100", "no such package"),
        f"failed, with exit code 7: all of it is in {log}",
    ]
    assert len(lines) < 20


@pytest.mark.skipif(
    not all(map(shutil.which, ["make", "cargo", "cc"])),
    reason="MAKE IS NOT TESTED: make, cargo and cc are not all here",
)
def test_a_demo_whose_packages_fail_is_not_taken_for_set_up(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "scripts", "kernel/Cargo.toml", "kernel/Cargo.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)

    for _ in range(2):
        done = subprocess.run(
            ["make", "demo", f"PYTHON={sys.executable}"],
            cwd=tmp_path,
            env=os.environ | NO_PACKAGES,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode
        assert "No matching distribution found for" in done.stderr
        assert "failed, with exit code 1: all of it is in .venv/install.log" in done.stderr
        assert not (tmp_path / ".venv" / ".built").exists()
