"""Commands that run while a test watches them."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FANFOLD = str(Path(sysconfig.get_path("scripts")) / "fanfold")


@contextmanager
def running(*words: str | Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The command at work. It is killed if it is still there at the end."""
    with subprocess.Popen(
        [FANFOLD, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | variables,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    """Wait until a command has come to some point."""
    while not reached():
        assert process.poll() is None, "it was done before it came to that"
        time.sleep(0.002)
