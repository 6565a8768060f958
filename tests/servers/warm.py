"""Processes of fanfold that needn't import it: forked from one that has.

    with WarmFanfold(folder) as warm:
        double.images["*"] = Image(["fanfold"], start=warm.start)

Each is a process of its own, with its own session, environment, folder and end. Python's start and
fanfold's imports, left out here, take as long as all else that the task of a small slice does.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from servers.process import ServerFailedError, server_process

_NUMBER = struct.Struct("<i")


class WarmProcess:
    """A command at work, as `subprocess.Popen` has it."""

    def __init__(self, connection: socket.socket, output: int) -> None:
        self.stdout = os.fdopen(output, "rb")
        self.returncode: int | None = None
        self._connection = connection
        self.pid = self._number()

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = self._number()
        return self.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.wait()
        self._connection.close()

    def _number(self) -> int:
        sent = self._connection.recv(_NUMBER.size, socket.MSG_WAITALL)
        if len(sent) < _NUMBER.size:
            raise ServerFailedError("the process that starts commands of fanfold has ended")
        (number,) = _NUMBER.unpack(sent)
        return int(number)


class WarmFanfold:
    """Starts commands of fanfold, from `__enter__` to `__exit__`."""

    def __init__(self, folder: Path) -> None:
        """Keep what it logs in a folder."""
        self._folder = folder
        self._path = ""
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            # pytest's folders are too long for the path of a socket.
            short = stack.enter_context(tempfile.TemporaryDirectory(prefix="warm-"))
            self._path = f"{short}/socket"
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(self._path)
                listening.listen()
                program = Path(__file__).with_name("warm_process.py")
                # -P: the program's folder has modules with the names of others.
                command: list[str | Path] = [sys.executable, "-P", program]
                number = listening.fileno()
                environment = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
                stack.enter_context(
                    server_process(
                        [*command, str(number)], self._folder, environment, pass_fds=[number]
                    )
                )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> WarmProcess:
        """Start a command in a folder, without standard input; all that it writes is its stdout."""
        asked = {"words": words, "folder": str(folder), "environment": dict(environment)}
        reading, writing = os.pipe()
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._path)
        socket.send_fds(connection, [b"\0"], [writing])
        os.close(writing)
        connection.sendall(json.dumps(asked).encode())
        connection.shutdown(socket.SHUT_WR)
        return WarmProcess(connection, reading)
