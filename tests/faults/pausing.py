"""A command that waits in the middle of its work, until a test has done there what it is about."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

_HOOK = """\
import os, sys
from fnmatch import fnmatchcase

def wait(event, arguments):
    if event == {event!r} and fnmatchcase(str(arguments[{position}]), {pattern!r}):
        pipe = os.open({pipe!r}, os.O_RDWR)
        try:
            os.mkdir({reached!r})
        except FileExistsError:
            return
        os.read(pipe, 1)

sys.addaudithook(wait)
"""
_PATIENT = """\
from fanfold.cli import ending

ending._GRACE_SECONDS = ending._HELD_UP_SECONDS = 60
"""
_POSITIONS = {"open": 0, "os.rename": 1, "os.remove": 0}
"""Which of the event's arguments is the path: of a rename, the new one."""


class Pause:
    """A command waits, the first time that it opens or removes such a path, or gives it to a file.

    Other threads of it go on. A signal to the thread that waits ends the wait.

    Attributes:
        variables: what the command needs in its environment for that.
    """

    def __init__(
        self,
        folder: Path,
        event: Literal["open", "os.rename", "os.remove"],
        pattern: str,
        *,
        is_patient: bool = False,
    ) -> None:
        """Make what it takes in a new folder.

        A command that is stopped gives its threads half a second to end. If it is patient, it is a
        minute, so that a busy machine changes nothing of what is left behind.
        """
        folder.mkdir()
        self._pipe, self._reached = folder / "pipe", folder / "reached"
        os.mkfifo(self._pipe)
        hook = _HOOK.format(
            event=event,
            position=_POSITIONS[event],
            pattern=pattern,
            pipe=str(self._pipe),
            reached=str(self._reached),
        )
        (folder / "sitecustomize.py").write_text(hook + (_PATIENT if is_patient else ""))
        before = os.environ.get("PYTHONPATH")
        self.variables = {
            "PYTHONPATH": os.pathsep.join([str(folder), *([before] if before else [])])
        }

    def is_reached(self) -> bool:
        return self._reached.is_dir()

    def end(self) -> None:
        """Let the command go on; it has reached the pause."""
        with self._pipe.open("r+b", buffering=0) as pipe:
            pipe.write(b".")
