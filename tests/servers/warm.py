"""Processes of fanfold that needn't import it: forked from one that has.

    done = warm_fanfold().run([FANFOLD, "check", "folder"])

Each is a process of its own, with its own session, environment, folder and end. Python's start and
fanfold's imports, left out here, take four fifths of the time of a command on a small genome. What
a test finds out about these, about a terminal, or about limits and signals that a command inherits,
takes a process that is started as usual.
"""

from __future__ import annotations

import io
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import IO, Self

from servers.process import ServerFailedError, server_process

_NUMBER = struct.Struct("<i")


class WarmProcess:
    """A command at work, as `subprocess.Popen` has it."""

    def __init__(self, connection: socket.socket, stdout: IO[bytes] | None = None) -> None:
        self.stdout = stdout
        self.returncode: int | None = None
        self._connection = connection
        self.pid = self._number()

    def poll(self) -> int | None:
        return self.wait() if self.ends_within(0) else None

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end, not for ever; whether it came."""
        has_ended = self.returncode is not None
        return has_ended or bool(select.select([self._connection], [], [], seconds)[0])

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = self._number()
        return self.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.stdout is not None:
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

    def __init__(self) -> None:
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
                environment = _of_pythons_start(os.environ)
                stack.enter_context(
                    server_process(
                        [*command, str(number)], Path(short), environment, pass_fds=[number]
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
        reading, writing = os.pipe()
        with Path(os.devnull).open("rb") as nothing:
            streams = (nothing.fileno(), writing, writing)
            connection = self._ask(words, folder, environment, streams)
        os.close(writing)
        return WarmProcess(connection, os.fdopen(reading, "rb"))

    def run(
        self,
        words: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        folder: Path | None = None,
        stdin: Path | None = None,
        errors: str = "strict",
        timeout_seconds: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, as `subprocess.run` does.

        Where its environment has other variables than this process's that act on Python's start, it
        is started as usual.

        Args:
            words: it, and its arguments.
            environment: all of it; None: that of this process.
            folder: where it runs; None: where this process does.
            stdin: a file; None: there is nothing to read.
            errors: how what is no UTF-8 in its output is decoded.
            timeout_seconds: how long it may take.
        """
        environment = os.environ if environment is None else environment
        is_warm = _of_pythons_start(environment) == _of_pythons_start(os.environ)
        with (
            Path(stdin or os.devnull).open("rb") as source,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            streams = (source.fileno(), out.fileno(), err.fileno())
            status = (self._run_warm if is_warm else _run_cold)(
                words, folder or Path.cwd(), environment, streams, timeout_seconds
            )
            said = []
            for stream in (out, err):
                stream.seek(0)
                with io.TextIOWrapper(stream, "utf-8", errors) as text:
                    said.append(text.read())
        return subprocess.CompletedProcess(list(words), status, *said)

    def _run_warm(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        streams: Sequence[int],
        timeout_seconds: float,
    ) -> int:
        with WarmProcess(self._ask(words, folder, environment, streams)) as process:
            if not process.ends_within(timeout_seconds):
                os.killpg(process.pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(words), timeout_seconds)
            return process.wait()

    def _ask(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        streams: Sequence[int],
    ) -> socket.socket:
        asked = {"words": words, "folder": str(folder), "environment": dict(environment)}
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._path)
        socket.send_fds(connection, [b"\0"], streams)
        connection.sendall(json.dumps(asked).encode())
        connection.shutdown(socket.SHUT_WR)
        return connection


def _run_cold(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    streams: Sequence[int],
    timeout_seconds: float,
) -> int:
    stdin, stdout, stderr = streams
    return subprocess.run(
        words,
        cwd=folder,
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        timeout=timeout_seconds,
        check=False,
    ).returncode


def _of_pythons_start(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that act on it."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(("PYTHON", "LANG", "LC_"))
    }


@cache
def warm_fanfold() -> WarmFanfold:
    """The one of this process; whoever ends the tests ends it."""
    return WarmFanfold().__enter__()


def end_warm_fanfold() -> None:
    """End it, if there is one."""
    if warm_fanfold.cache_info().currsize:
        warm_fanfold().__exit__()
        warm_fanfold.cache_clear()
