"""A server that runs as a process of its own, for as long as a test needs it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class ServerUnavailableError(Exception):
    """A server can't be had here; the message says what to install."""


class ServerFailedError(Exception):
    """A server didn't start; the message ends with its last words."""


@contextmanager
def server_process(
    command: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str],
    *,
    pass_fds: Sequence[int] = (),
) -> Iterator[Path]:
    """Run a server with everything it writes below a folder, and stop it; yields its log.

    It sees only the variables given, and PATH.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    own = {"HOME": str(folder), "TMPDIR": str(folder), "PATH": os.environ["PATH"]}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env=own | dict(environment),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=pass_fds,
        )
    with process:
        try:
            yield log
        except OSError as error:
            if process.poll() is not None:
                last_words = log.read_text(errors="replace")[-2000:]
                raise ServerFailedError(f"{command[0]} ended: {last_words}") from error
            raise
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
