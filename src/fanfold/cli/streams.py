"""What a command writes, and how it reaches a screen.

    stdout   what was asked for: written whole, or the command fails
    stderr   what is said about it: where that can't be written, the command goes on

Lines are without secrets, and escaped, so that no name and no text of a server steers a terminal or
forges a line. FANFOLD_LOG=json makes each a JSON document with its time and level, and with what
AWS Batch calls the process.
"""

from __future__ import annotations

import io
import logging
import os
import re
import select
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from fanfold.errors import OutputError
from fanfold.shown import escaped, escaped_json, without_secrets

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STDIN, _STDOUT, _STDERR = range(3)

_LOG = "FANFOLD_LOG"
_OF_BATCH = {"attempt": "AWS_BATCH_JOB_ATTEMPT", "index": "AWS_BATCH_JOB_ARRAY_INDEX"}
_PLAN = re.compile(r"([^/]+)/plan\.json\Z")

Level = Literal["INFO", "WARNING", "ERROR"]


class ReaderLeft(Exception):  # noqa: N818 - no fault: whoever reads stdout has enough
    """Nobody reads stdout any more."""


def open_streams() -> None:
    """Have stdout and stderr write as this module promises, and warnings written as errors are."""
    for descriptor in (_STDIN, _STDOUT, _STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            # Else the next file that is opened got its number. It stays unusable.
            os.open(os.devnull, os.O_WRONLY if descriptor == _STDIN else os.O_RDONLY)
    sys.stdout = _text(_Stdout(_STDOUT, "wb", closefd=False))
    sys.stderr = _text(_Stderr(_STDERR, "wb", closefd=False))
    logging.getLogger().addHandler(_Warnings())


def say(*lines: str, level: Level = "INFO") -> None:
    """Write lines to stderr; each as a JSON document where the environment asks for that."""
    if os.environ.get(_LOG) == "json":
        from fanfold.json_log import log_line  # noqa: PLC0415 - few ask for that

        facts = _facts()
        sys.stderr.write("".join(f"{log_line(level, line, facts)}\n" for line in lines))
    else:
        sys.stderr.write(_in_words(lines))


def show(*lines: str) -> None:
    """Write lines to stdout."""
    sys.stdout.write(_in_words(lines))


def show_cells(cells: Sequence[str]) -> None:
    """Write a row of a TSV table to stdout."""
    sys.stdout.write("\t".join(without_secrets(escaped(cell)) for cell in cells) + "\n")


def show_path(path: str) -> None:
    """Write a path to stdout: on a screen escaped, for a program as the path's own bytes."""
    if sys.stdout.isatty():
        sys.stdout.write(f"{escaped(path)}\n")
    else:
        sys.stdout.buffer.write(os.fsencode(path) + b"\n")


def show_json(document: bytes) -> None:
    """Write a JSON document to stdout: on a screen escaped, for a program as it is."""
    if sys.stdout.isatty():
        document = escaped_json(document.decode()).encode()
    sys.stdout.buffer.write(document)


class _Stream(io.FileIO):
    """Writes all that it is given, in parts if it must, and waits where there is no room."""

    def write(self, data: ReadableBuffer, /) -> int:
        left = memoryview(data).cast("B")
        while left:
            written = super().write(left)
            if written is None:
                select.select((), (self,), ())
            else:
                left = left[written:]
        return memoryview(data).nbytes


class _Stdout(_Stream):
    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError as error:
            raise ReaderLeft from error
        except OSError as error:
            raise OutputError(
                f"standard output can't be written: {error.strerror}; what is finished is kept"
            ) from error


class _Stderr(_Stream):
    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


class _Warnings(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        where: list[str] = []
        if record.exc_info and record.exc_info[0] is not None:
            where = "".join(traceback.format_exception(record.exc_info[1])).splitlines()
        say(record.getMessage(), *where, level="WARNING")


def _facts() -> dict[str, str | int]:
    """What this process works on, as a task of AWS Batch (user guide, "Job environment variables").

    The job is the folder of the plan that it is given.
    """
    facts: dict[str, str | int] = {}
    for argument in sys.argv:
        if match := _PLAN.search(argument):
            facts["job"] = escaped(match[1])
    for fact, variable in _OF_BATCH.items():
        if (value := os.environ.get(variable, "")).isdecimal():
            facts[fact] = int(value)
    return facts


def _text(stream: _Stream) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, errors="backslashreplace", write_through=True)


def _in_words(lines: Iterable[str]) -> str:
    return "".join(f"{without_secrets(escaped(line))}\n" for line in lines)
