"""Files on this machine, and standard input."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from fanfold.errors import OutputError, SourceChangedError, SourceError, SourceMissingError
from fanfold.objects.source import Source

_TEMPORARY = ".fanfold-tmp"


def stat_source(path: str) -> Source:
    """The source that is the file at `path`, pinned as it is now.

    Raises:
        SourceError: there is no such regular file.
    """
    absolute = Path(path).absolute()
    try:
        status = absolute.stat()
    except FileNotFoundError as error:
        raise SourceMissingError(_unreadable(path, error)) from error
    except OSError as error:
        raise SourceError(_unreadable(path, error)) from error
    if not absolute.is_file():
        raise SourceError(f"{path}: not a regular file; give the path of a FASTA file")
    try:
        absolute.name.encode()
    except UnicodeEncodeError as error:
        raise SourceError(f"{path!r}: the file's name is not UTF-8; rename it") from error
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
        raise SourceError(f"standard input can't be read: {_reason(error)}") from error


class LocalPlace:
    """A folder on disk; see `Place`.

    Args:
        path: the folder, which need not be there.
    """

    reads_ahead = 2

    def __init__(self, path: Path) -> None:
        self.url = os.fspath(path)
        self._path = path

    def where(self, name: str) -> str:
        """The path of what is called `name`."""
        return os.fspath(self._path / name)

    def prepare(self, below: str) -> None:
        """Make the folder `below`, and those above it, unless they are there."""
        path = self._path / below
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{path}: the folder for the results can't be made: {_reason(error)}"
            ) from error

    def read(self, name: str) -> bytes:
        """A small file, whole."""
        path = self._path / name
        try:
            _check_regular(path)
            return path.read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise OutputError(_unusable(path, error)) from error

    def write(self, name: str, data: bytes | Iterable[bytes], *, durable: bool = False) -> None:
        """Write a file that appears whole or not at all."""
        with self.writing(name, durable=durable) as file:
            file.writelines((data,) if isinstance(data, bytes) else data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless there is one; whether it was written."""
        path = self._path / name
        temporary = self._temporary(path)
        try:
            try:
                temporary.write_bytes(data)
                path.hardlink_to(temporary)
            finally:
                temporary.unlink(missing_ok=True)
        except FileExistsError:
            return False
        except OSError as error:
            raise OutputError(_unwritable(path, error)) from error
        return True

    @contextlib.contextmanager
    def writing(self, name: str, *, durable: bool = False) -> Iterator[BinaryIO]:
        """A file to write to, which appears whole at the end of the block, or not at all."""
        path = self._path / name
        temporary = self._temporary(path)
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
            raise OutputError(_unwritable(path, error)) from error

    def sizes(self, below: str = "") -> dict[str, int]:
        """The size of each file directly in `below`, by name."""
        return {name: size for name, size in self._files(below) if not _is_left_over(name)}

    def remove(self, names: Iterable[str]) -> None:
        """Remove the files that are there."""
        for name in names:
            path = self._path / name
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise OutputError(f"{path}: can't be removed: {_reason(error)}") from error

    def sweep(self, below: str = "") -> None:
        """Remove what `writing` left behind in `below` when it was killed."""
        left_over = [name for name, _ in self._files(below) if _is_left_over(name)]
        self.remove(f"{below}/{name}" if below else name for name in left_over)

    def _temporary(self, path: Path) -> Path:
        return path.with_name(f".{path.name[-200:]}.{os.urandom(6).hex()}{_TEMPORARY}")

    def _files(self, below: str) -> list[tuple[str, int]]:
        folder = self._path / below
        files = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    # A file may go while the folder is read: another writer's.
                    with contextlib.suppress(FileNotFoundError):
                        if not entry.is_dir():
                            files.append((entry.name, entry.stat(follow_symlinks=False).st_size))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OutputError(_unusable(folder, error)) from error
        return files


def _check_regular(path: Path) -> None:
    """Check that reading a path ends: a FIFO waits for its writer, a device may go on for ever."""
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "not a regular file")


def _is_left_over(name: str) -> bool:
    return name.startswith(".") and name.endswith(_TEMPORARY)


def _unusable(path: Path, error: OSError) -> str:
    return f"{path}: can't be read: {_reason(error)}; check --out"


def _unwritable(path: Path, error: OSError) -> str:
    return (
        f"{path}: can't be written: {_reason(error)}; check space and permissions, then run again:"
        " what is finished is kept"
    )


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
