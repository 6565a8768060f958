"""Inputs that are files on this machine, or standard input."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from fanfold.errors import SourceChangedError, SourceError, SourceMissingError
from fanfold.objects.source import Source


def stat_source(path: str) -> Source:
    """The source that is the file at `path`, pinned as it is now.

    Raises:
        SourceError: there is no such regular file.
    """
    # Of a link the name stays: results are named after it.
    absolute = Path(path).parent.resolve() / Path(path).name
    try:
        status = absolute.stat()
    except FileNotFoundError as error:
        raise SourceMissingError(_unreadable(path, error)) from error
    except OSError as error:
        raise SourceError(_unreadable(path, error)) from error
    if not absolute.is_file():
        raise SourceError(f"{path}: not a regular file; give the path of a FASTA file")
    try:
        str(absolute).encode()
    except UnicodeEncodeError as error:
        raise SourceError(f"{path!r}: the file's path is not UTF-8; rename it") from error
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


def read_stdin(block_bytes: int) -> Iterator[memoryview]:
    """All bytes of standard input, in blocks of at most `block_bytes`, as `read_blocks` gives them.

    Raises:
        SourceError: it can't be read.
    """
    buffer = memoryview(bytearray(block_bytes))
    try:
        with open(0, "rb", buffering=0, closefd=False) as file:
            while count := file.readinto(buffer):
                yield buffer[:count]
    except OSError as error:
        raise SourceError(f"standard input can't be read: {reason(error)}") from error


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
    }.get(error.errno or 0, "check the disk")
    return f"{path}: can't be read: {reason(error)}; {hint}"


def reason(error: OSError) -> str:
    """What the system says of an error."""
    if error.errno == errno.ELOOP and not error.filename2:
        return "it is a link, which fanfold doesn't follow; move it"
    return error.strerror or type(error).__name__
