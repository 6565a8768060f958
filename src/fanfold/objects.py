"""Objects: inputs that are read by byte ranges, and outputs that appear whole or not at all.

This is the only module that knows storage. An input's identity is pinned when it is opened: one
that changes under a run is an error, never a mixture.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from fanfold.errors import OutputError, SourceChangedError, SourceError

BLOCK_BYTES = 256 * 1024
"""Bytes a read: small enough to stay in a core's second-level cache until it is scanned."""


_TEMPORARY = ".fanfold-tmp"


class Source(msgspec.Struct, frozen=True):
    """An input, pinned.

    Attributes:
        url: where it is; for a local file its absolute path.
        name: its base name.
        size_bytes: its size.
        etag: changes whenever its bytes do; for a local file made of inode, modification time
            (nanoseconds) and size.
    """

    url: str
    name: str
    size_bytes: int
    etag: str


def stat_source(path: str | os.PathLike[str]) -> Source:
    """The source at `path`, pinned as it is now.

    Raises:
        SourceError: there is no such regular file.
    """
    absolute = Path(path).absolute()
    try:
        status = absolute.stat()
    except OSError as error:
        raise SourceError(_unreadable(os.fspath(path), error)) from error
    if not absolute.is_file():
        raise SourceError(f"{path}: not a regular file; give the path of a FASTA file")
    try:
        absolute.name.encode()
    except UnicodeEncodeError as error:
        raise SourceError(f"{path!r}: the file's name is not UTF-8; rename it") from error
    return Source(str(absolute), absolute.name, status.st_size, _etag(status))


def read_blocks(
    source: Source, start_byte: int, end_byte: int, block_bytes: int = BLOCK_BYTES
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


def read_head(source: Source, count_bytes: int) -> bytes:
    """The first bytes of a source, or all if it has fewer; raises as `read_blocks` does."""
    end_byte = min(count_bytes, source.size_bytes)
    return b"".join(bytes(block) for block in read_blocks(source, 0, end_byte))


def read_file(path: Path) -> bytes:
    """A small file, whole.

    Raises:
        FileNotFoundError: there is none.
        OutputError: it can't be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise OutputError(_unusable(path, error)) from error


@contextlib.contextmanager
def writing(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """A file to write to, which appears whole at the end of the block, or not at all.

    Args:
        path: where; its folder must be there.
        durable: whether to wait until the disk has it.

    Raises:
        OutputError: it can't be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name[-200:]}.{os.urandom(6).hex()}{_TEMPORARY}")
    try:
        try:
            with temporary.open("wb") as file:
                yield file
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path}: can't be written: {_reason(error)}; check space and permissions, then run"
            " again: what is finished is kept"
        ) from error


def write_file(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file that appears whole or not at all; raises as `writing` does."""
    with writing(path, durable=durable) as file:
        file.write(data)


def remove_files(paths: Iterable[Path]) -> None:
    """Remove the files that are there.

    Raises:
        OutputError: one can't be removed.
    """
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{path}: can't be removed: {_reason(error)}") from error


def list_files(folder: Path) -> list[Path]:
    """The files in a folder, but not below it; none when it isn't there."""
    try:
        return [path for path in folder.iterdir() if not path.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OutputError(_unusable(folder, error)) from error


def is_left_over(path: Path) -> bool:
    """Whether a file is one that `writing` left behind when it was killed."""
    return path.name.startswith(".") and path.name.endswith(_TEMPORARY)


def make_directory(path: Path) -> None:
    """Make a folder and those above it, unless they are there.

    Raises:
        OutputError: it can't be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path}: the folder for the results can't be made: {_reason(error)}"
        ) from error


def check_unchanged(source: Source) -> None:
    """Check that a source is still what was pinned.

    Raises:
        SourceChangedError: it is not.
        SourceError: it is gone.
    """
    if stat_source(source.url) != source:
        raise SourceChangedError(_changed(source))


def _unusable(path: Path, error: OSError) -> str:
    return f"{path}: can't be read: {_reason(error)}; check --out"


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
    return f"{path}: can't be read: {_reason(error)}; {hint}"


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
