"""Ctrl-C while the command line is still being imported."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

STOPS_AT = """
import os, signal, sys

class Stop:
    # The signal comes when a module is looked for: at the same moment on every machine.
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Stop())
sys.argv[1:] = ["--version"]
from fanfold.start import main
main()
"""


def start(module: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", STOPS_AT.format(module=module)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["fanfold.cli", "click", "fanfold.cli.streams"])
def test_ctrl_c_ends_the_imports_in_silence(module: str) -> None:
    done = start(module)

    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_ctrl_c_that_is_ignored_stays_ignored() -> None:
    held = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as `trap "" INT` does; it is inherited
    try:
        done = start("click")
    finally:
        signal.signal(signal.SIGINT, held)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("fanfold ")


def test_the_script_begins_there() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())

    assert project["project"]["scripts"] == {"fanfold": "fanfold.start:main"}
