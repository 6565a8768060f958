"""Inputs that are files on this machine, or pipes.

A file is read by ranges, by any process. A pipe (standard input, what a shell puts in place of
``<(command)``, a named pipe) is read once, from its start, by the process that was given it. One
that is open already is read by its descriptor: to open its path would open another end of it.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from fanfold.errors import SourceChangedError, SourceError, SourceMissingError
from fanfold.objects.source import STDIN, Source
from fanfold.shown import escaped, shortened

_STDIN_PATH = "/dev/stdin"
_DESCRIPTOR_PATH = re.compile(r"(?:/dev/fd|/proc/self/fd)/(\d{1,9})")


def stat_source(path: str) -> Source:
    """The source that is the file at `path`, pinned as it is now.

    Raises:
        SourceError: there is no such regular file.
    """
    if not path:
        raise SourceError("an empty path: give that of a FASTA file")
    # Of a link the name stays: results are named after it.
    absolute = Path(path).parent.resolve() / Path(path).name
    try:
        status = absolute.stat()
    except FileNotFoundError as error:
        raise SourceMissingError(_unreadable(path, error)) from error
    except OSError as error:
        raise SourceError(_unreadable(path, error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{escaped(path)}: not a regular file; give the path of a FASTA file")
    try:
        str(absolute).encode()
    except UnicodeEncodeError as error:
        raise SourceError(
            f"{escaped(path)}: the file's path is not UTF-8; rename it, or pipe it in:"
            " fanfold run - --name NAME < FILE"
        ) from error
    return Source(str(absolute), absolute.name, status.st_size, _etag(status))


def read_blocks(
    source: Source, start_byte: int, end_byte: int, block_bytes: int
) -> Iterator[memoryview]:
    """The bytes [start_byte, end_byte) of a source, in order, in blocks of at most `block_bytes`.

    Every block is a view of one reused buffer: it holds until the next is asked for.

    Raises:
        SourceError: the source can't be read.
        SourceChangedError: it is not, or is no longer, what was pinned.
    """
    try:
        with Path(source.url).open("rb", buffering=0) as file:
            _check_unchanged(source, file.fileno())
            file.seek(start_byte)
            buffer = memoryview(bytearray(min(block_bytes, end_byte - start_byte)))
            position = start_byte
            while position < end_byte:
                count = file.readinto(buffer[: end_byte - position])
                if not count:
                    raise SourceChangedError(_changed(source))
                yield buffer[:count]
                position += count
            _check_unchanged(source, file.fileno())
    except OSError as error:
        raise SourceError(_unreadable(source.url, error)) from error


def is_pipe(path: str) -> bool:
    """Whether a path, or ``-``, is read once, as a pipe is. Nothing is opened."""
    if path == STDIN or descriptor_of(path) is not None:
        return True
    try:
        return stat.S_ISFIFO(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def descriptor_of(path: str) -> int | None:
    """The descriptor of this process that a path stands for, as ``/dev/fd/63`` does."""
    if path in {STDIN, _STDIN_PATH}:
        return 0
    match = _DESCRIPTOR_PATH.fullmatch(path)
    return None if match is None else int(match[1])


def read_pipe(path: str, block_bytes: int) -> Iterator[memoryview]:
    """All bytes of a pipe, in blocks of at most `block_bytes`, as `read_blocks` gives them.

    It is opened when the first block is asked for, and once alone: whoever writes into a named
    pipe would see a second reader come, or the first one go.

    Raises:
        SourceError: it can't be read.
    """
    descriptor = descriptor_of(path)
    opened: int | str = path if descriptor is None else descriptor
    buffer = memoryview(bytearray(block_bytes))
    try:
        with open(opened, "rb", buffering=0, closefd=descriptor is None) as file:
            while count := file.readinto(buffer):
                yield buffer[:count]
    except OSError as error:
        told = "standard input" if descriptor == 0 else escaped(path)
        raise SourceError(
            f"{told}: can't be read: {reason(error)}; check what is piped in"
        ) from error


def _check_unchanged(source: Source, descriptor: int) -> None:
    if _etag(os.fstat(descriptor)) != source.etag:
        raise SourceChangedError(_changed(source))


def _etag(status: os.stat_result) -> str:
    return f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"


def _changed(source: Source) -> str:
    return (
        f"{source.url}: changed while it was being read; nothing was reported."
        " Run again when nothing writes to it"
    )


def _unreadable(path: str, error: OSError) -> str:
    hint = {
        errno.ENOENT: "check the path",
        errno.EACCES: "check its permissions",
        errno.EISDIR: "give the path of a FASTA file",
        errno.ENAMETOOLONG: "check the path",
    }.get(error.errno or 0, "check the disk")
    return f"{shortened(escaped(path))}: can't be read: {reason(error)}; {hint}"


def reason(error: OSError) -> str:
    """What the system says of an error."""
    if error.errno == errno.ELOOP and not error.filename2:
        return "it is a link, which fanfold doesn't follow; move it"
    return error.strerror or type(error).__name__
