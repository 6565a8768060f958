"""Runs a Python program that is killed just before one of its changes to a folder.

    python killed.py CHANGE FOLDER PROGRAM ARGUMENT…

CHANGE counts from 0; the program ends as usual if it makes fewer changes.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path

_CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir"}


def main() -> None:
    change, folder, program, *arguments = sys.argv[1:]
    left = int(change)

    def watch(event: str, details: tuple[object, ...]) -> None:
        nonlocal left
        writes = event == "open" and isinstance(details[2], int) and details[2] & os.O_ACCMODE
        # What rmtree removes goes by a name in an open folder.
        if (writes or event in _CHANGES) and (
            not str(details[0]).startswith("/") or str(details[0]).startswith(folder)
        ):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.path[0] = str(Path(program).parent)
    sys.argv = [program, *arguments]
    sys.addaudithook(watch)
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
