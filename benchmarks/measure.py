"""Running one command as a whole process: its time, its processor time and its peak memory."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 1800.0
TAIL_BYTES = 300
"""How much of a failed command's last words is told."""


class CommandFailed(Exception):  # noqa: N818 - it says what happened
    """A command that is missing, took too long or ended with an error."""


@dataclass(frozen=True)
class Measurement:
    """What one run took.

    Attributes:
        wall_seconds: from before the start to after the end.
        cpu_seconds: user and system time of all its threads.
        peak_bytes: the largest resident set. Linux lets a child start with its parent's, so that
            nothing below the size of this process (some 20 MB) can be seen.
        output: what it wrote to stdout, if that was kept.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str = ""


def measure(
    command: Sequence[str | Path],
    folder: Path,
    *,
    keep_output: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Measurement:
    """Run a command with its stderr (and its stdout, if kept) in files of `folder`.

    Raises:
        CommandFailed: it is missing, takes longer than `timeout_seconds`, or its exit code isn't 0.
    """
    stdout = folder / "stdout" if keep_output else Path(os.devnull)
    stderr = folder / "stderr"
    with stdout.open("wb") as out, stderr.open("wb") as err:
        started = time.perf_counter()
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        except OSError as error:
            raise CommandFailed(f"can't start {command[0]}: {error.strerror}") from error
        watchdog = threading.Timer(timeout_seconds, process.kill)
        watchdog.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            watchdog.cancel()
        wall_seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        if wall_seconds >= timeout_seconds:
            raise CommandFailed(f"killed after {timeout_seconds:.0f} s")
        raise CommandFailed(f"exit code {process.returncode}: {last_words(stderr)}")
    return Measurement(
        wall_seconds=wall_seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_bytes=usage.ru_maxrss * 1024,  # Linux counts it in KiB
        output=stdout.read_text() if keep_output else "",
    )


def last_words(stderr: Path) -> str:
    """The end of what a command wrote to stderr, on one line."""
    text = stderr.read_bytes()[-TAIL_BYTES:].decode(errors="replace")
    return " ".join(text.split()) or "no message"


def read_through(path: Path) -> None:
    """Read a file once, so that it is in the page cache."""
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass
