"""The program of a process that has imported fanfold, and forks another for each command.

    python warm_process.py FILE_DESCRIPTOR

It serves a listening socket that it inherits, and ends with its standard input. A client sends the
descriptors of the command's streams, then what it is as JSON; it is sent the command's process id
and, once that has ended, its exit status, four bytes each.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from fanfold.cli import main

IMPORTED = (
    "boto3",
    "fanfold.cli.local",
    "fanfold.objects.remote",
    "fanfold.objects.web",
    "fanfold.report.page.report_page",
    "urllib.request",
)
"""What tasks, inflations and folds on a store import, with all that these do."""
THREADS = Path("/proc/self/task")


def serve(listening: socket.socket) -> None:
    """Start commands until standard input ends; returns in the process of each."""
    # What another thread holds as it is forked is held for ever.
    assert not THREADS.is_dir() or len(list(THREADS.iterdir())) == 1
    gc.freeze()
    os.umask(0o022)  # as the tests have it, when the first command is started and later
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a keeper
    while True:
        ready, _, _ = select.select([listening, sys.stdin], [], [])
        if sys.stdin in ready:
            os._exit(0)
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            keep(connection)
            return
        connection.close()


def keep(connection: socket.socket) -> None:
    """Start a command and tell of its end; returns in its process alone."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as sent:
        asked = json.loads(sent.read())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = os.fork()
    if command != 0:
        for stream in streams:
            os.close(stream)
        _, status = os.waitpid(command, 0)
        connection.sendall(struct.pack("<i", os.waitstatus_to_exitcode(status)))
        os._exit(0)
    os.setsid()  # before anybody knows it, and may signal its group
    connection.sendall(struct.pack("<i", os.getpid()))
    connection.close()
    become(asked["words"], asked["folder"], asked["environment"], streams)


def become(
    words: list[str], folder: str, environment: dict[str, str], streams: Sequence[int]
) -> None:
    """Take over what a process gets from whoever starts it."""
    for own, stream in enumerate(streams):
        os.dup2(stream, own)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    sys.argv = words


if __name__ == "__main__":
    for name in IMPORTED:
        import_module(name)
    serve(socket.socket(fileno=int(sys.argv[1])))
    main()
