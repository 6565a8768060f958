"""A run whose bar shows on a terminal, and that is stopped then."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sysconfig
from contextlib import suppress
from pathlib import Path

FANFOLD = str(Path(sysconfig.get_path("scripts")) / "fanfold")
HIDES_CURSOR, SHOWS_CURSOR = b"\x1b[?25l", b"\x1b[?25h"


def stop_amid_a_bar(out: Path, stop: signal.Signals) -> tuple[int, bytes]:
    """The exit code of a run that is stopped while it shows a bar, and what the terminal got.

    It reads a pipe, which has more until the bar is there: what is done at once shows none.
    """
    controller, terminal = os.openpty()
    with subprocess.Popen(
        [FANFOLD, "run", "-", "--out", out],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env=os.environ | {"TERM": "xterm"},
    ) as process:
        os.close(terminal)
        assert process.stdin is not None
        process.stdin.write(b">a\n")
        shown = b""
        while HIDES_CURSOR not in shown:
            process.stdin.write(b"ACGT" * 20_000 + b"\n")
            if select.select([controller], [], [], 0.01)[0]:
                shown += os.read(controller, 4096)
        process.send_signal(stop)
        with suppress(OSError):  # how Linux says that the terminal was closed
            while piece := os.read(controller, 4096):
                shown += piece
        os.close(controller)
        with suppress(BrokenPipeError):
            process.stdin.close()
    return process.returncode, shown
