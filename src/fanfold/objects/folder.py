"""A folder on disk, as a place for results."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from fanfold.errors import OutputError
from fanfold.objects.local import reason
from fanfold.objects.lock import Holder, locked, read_holder
from fanfold.objects.place import DOCUMENT_BYTES, Kind, Listed
from fanfold.objects.source import BLOCK_BYTES

STATE = ".fanfold"
"""The folder of the lock, and of reports that are not published yet."""

_TEMPORARY_NAME = re.compile(r"\.fanfold\.[0-9a-f]{12}\.fanfold-tmp")

_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF}
"""What file systems answer that sync a name with its file."""

_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class LocalPlace:
    """A folder on disk; see `Place`.

    Args:
        path: the folder, which need not be there.
    """

    reads_ahead = 2
    lags = True  # a network file system may show other machines' names late

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
            self._path.mkdir(parents=True, exist_ok=True)
            self._inside(below, is_folder=True).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{path}: the folder for the results can't be made: {reason(error)};"
                " give another --out"
            ) from error

    def lock(self, wait_seconds: float = 0.0) -> AbstractContextManager[bool]:
        """Hold the folder's lock; see `locked`."""
        self.prepare(STATE)
        return locked(self._path / STATE / "lock", wait_seconds)

    def holder(self) -> Holder | None:
        """Who holds the folder's lock, or held it last; see `read_holder`."""
        return read_holder(self._path / STATE / "lock")

    def keeps(self, location: str) -> bool:
        """Whether a file lies where fanfold keeps its lock, its staged and its temporary files."""
        path, place = Path(location).resolve(), self._path.resolve()
        is_inside = path.is_relative_to(place)
        return path.is_relative_to(place / STATE) or (is_inside and _is_temporary(path.name))

    def read(self, name: str, most_bytes: int = DOCUMENT_BYTES) -> bytes:
        """A file, whole."""
        with self._opened(name) as file:
            size_bytes = os.fstat(file.fileno()).st_size
            data = b""
            while max(size_bytes, len(data)) <= most_bytes:
                more = file.read(max(size_bytes + 1 - len(data), BLOCK_BYTES))
                if not more:
                    return data
                data += more
            raise OSError(errno.EFBIG, f"more than {most_bytes} bytes")

    def blocks(
        self, name: str, start_byte: int = 0, end_byte: int | None = None
    ) -> Iterator[memoryview]:
        """The bytes [start_byte, end_byte) of a file, in blocks."""
        buffer = memoryview(bytearray(BLOCK_BYTES))
        with self._opened(name) as file:
            size_bytes = os.fstat(file.fileno()).st_size
            left_bytes = (size_bytes if end_byte is None else end_byte) - file.seek(start_byte)
            while left_bytes > 0 and (count := file.readinto(buffer[:left_bytes])):
                yield buffer[:count]
                left_bytes -= count

    def write(
        self,
        name: str,
        data: bytes | Iterable[bytes],
        *,
        durable: bool = False,
        is_private: bool = False,
    ) -> None:
        """Write a file that appears whole or not at all; a private one is its owner's alone."""
        with self.writing(name, durable=durable, is_private=is_private) as file:
            file.writelines((data,) if isinstance(data, bytes) else data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless there is one; whether it was written."""
        try:
            with self.creating(name) as file:
                file.write(data)
        except FileExistsError:
            return False
        return True

    def swap(self, name: str, old: bytes, new: bytes) -> bool:
        """Replace a file if it is still `old`. Only the folder's lock makes that one step."""
        try:
            if self.read(name) != old:
                return False
        except FileNotFoundError:
            return False
        self.write(name, new, durable=True)
        return True

    @contextlib.contextmanager
    def writing(
        self, name: str, *, durable: bool = False, is_private: bool = False
    ) -> Iterator[BinaryIO]:
        """A file to write to, which appears whole at the end of the block, or not at all."""
        path = self._path / name
        try:
            path = self._inside(name)
            with _temporary_of(path, is_private=is_private) as (temporary, file):
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
                temporary.replace(path)
            if durable:
                _sync_folder(path.parent)
        except OSError as error:
            raise OutputError(_unwritable(path, error)) from error

    @contextlib.contextmanager
    def creating(self, name: str) -> Iterator[BinaryIO]:
        """A file to write to, which appears whole at the end of the block if there is none."""
        path = self._path / name
        try:
            path = self._inside(name)
            with _temporary_of(path) as (temporary, file):
                yield file
                file.flush()
                os.fsync(file.fileno())
                _link(temporary, path)
            _sync_folder(path.parent)
        except FileExistsError:
            raise
        except OSError as error:
            raise OutputError(_unwritable(path, error)) from error

    def sync(self, below: str = "") -> None:
        """Wait until the disk has the names in `below`.

        Raises:
            OutputError: it has not.
        """
        try:
            _sync_folder(self._path / below)
        except OSError as error:
            raise OutputError(_unwritable(self._path / below, error)) from error

    def move(self, name: str, to: str) -> None:
        """Give a file, if it is there, another name, where it replaces what is there."""
        path = self._path / to
        try:
            self._inside(name).replace(self._inside(to))
        except FileNotFoundError:
            return
        except OSError as error:
            raise OutputError(_unwritable(path, error)) from error

    def adopt(self, path: Path, name: str) -> None:
        """Move a file of this machine here, in place of what is there, once the disk has it.

        Raises:
            OutputError: it can't be moved.
        """
        try:
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.replace(self._inside(name))
        except OSError as error:
            raise OutputError(_unwritable(self._path / name, error)) from error

    def sizes(self, below: str = "") -> dict[str, int]:
        """The size of each file directly in `below`, by name."""
        return {
            entry.name: entry.stat(follow_symlinks=False).st_size
            for entry in self._entries(below)
            if entry.is_file(follow_symlinks=False) and not _is_temporary(entry.name)
        }

    def listed(self, below: str, after: str = "") -> Iterator[Listed]:
        """The files directly in `below` whose names sort after `after`, by name."""
        for name in sorted(each for each in self.sizes(below) if each > after):
            with contextlib.suppress(FileNotFoundError):
                status = (self._path / below / name).stat(follow_symlinks=False)
                yield Listed(name, datetime.fromtimestamp(status.st_mtime, UTC), status.st_size)

    def children(self, below: str = "") -> tuple[list[str], list[Listed]]:
        """The folders and the files directly in `below`, each by name."""
        return self.folders(below), list(self.listed(below))

    def folders(self, below: str = "") -> list[str]:
        """The names of the folders directly in `below`, sorted."""
        return sorted(
            entry.name for entry in self._entries(below) if entry.is_dir(follow_symlinks=False)
        )

    def kinds(self, names: Iterable[str]) -> dict[str, Kind]:
        """What is there under names directly in this folder; each is looked up by itself.

        A listing would miss a name that differs by case alone, where case doesn't count.
        """
        found: dict[str, Kind] = {}
        for name in names:
            path = self._path / name
            try:
                mode = path.lstat().st_mode
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise OutputError(_unusable(path, error)) from error
            found[name] = (
                "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"
            )
        return found

    def remove(self, names: Iterable[str]) -> None:
        """Remove the files that are there."""
        for name in names:
            path = self._path / name
            try:
                self._inside(name).unlink(missing_ok=True)
            except NotADirectoryError:
                continue
            except OSError as error:
                raise OutputError(f"{path}: can't be removed: {reason(error)}") from error

    def remove_folder(self, below: str) -> None:
        """Remove the folder `below` if nothing is left in it."""
        with contextlib.suppress(OSError):
            self._inside(below).rmdir()

    def sweep(self, below: str = "") -> None:
        """Remove what `writing` left behind in `below` when it was killed.

        A live writer holds a lock on its file; where there are no locks, nothing is removed.
        """
        for entry in self._entries(below):
            if _is_temporary(entry.name) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _remove_unless_locked(Path(entry.path))

    def _inside(self, name: str, *, is_folder: bool = False) -> Path:
        """The path of a name, unless a link on the way leads out of the folder."""
        parts = PurePosixPath(name).parts
        for count in range(1, len(parts) + is_folder):
            folder = self._path.joinpath(*parts[:count])
            if folder.is_symlink():
                raise OSError(errno.ELOOP, "a link", os.fspath(folder))
        return self._path.joinpath(*parts)

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[FileIO]:
        path = self._path / name
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(self._inside(name), flags)
            try:
                # A FIFO would wait for its writer, and a device may go on for ever.
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise OSError(errno.EINVAL, "not a regular file")
                with open(descriptor, "rb", buffering=0, closefd=False) as file:
                    yield file
            finally:
                os.close(descriptor)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileNotFoundError(path) from error
        except OSError as error:
            raise OutputError(_unusable(path, error)) from error

    def _entries(self, below: str) -> Iterator[os.DirEntry[str]]:
        folder = self._path / below
        try:
            with os.scandir(self._inside(below, is_folder=True)) as entries:
                for entry in entries:
                    # A file may go while the folder is read: another writer's.
                    with contextlib.suppress(FileNotFoundError):
                        entry.stat(follow_symlinks=False)
                        yield entry
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise OutputError(_unusable(folder, error)) from error


@contextlib.contextmanager
def _temporary_of(path: Path, *, is_private: bool = False) -> Iterator[tuple[Path, BinaryIO]]:
    """A locked temporary file beside `path`, which is gone at the end unless it was renamed."""
    temporary = path.with_name(f".fanfold.{os.urandom(6).hex()}.fanfold-tmp")
    try:
        if is_private:
            temporary.touch(0o600)
        with temporary.open("wb") as file:
            # Who sweeps leaves alone what is locked. (Where locks don't work, nobody sweeps.)
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield temporary, file
    finally:
        temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> None:
    """Give a file its name, unless it is taken; raises FileExistsError then."""
    try:
        path.hardlink_to(temporary)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # Not in one step: a reader sees by the checksum whether it is whole.
        with temporary.open("rb") as source, path.open("xb") as file:
            for block in iter(lambda: source.read(BLOCK_BYTES), b""):
                file.write(block)


def _remove_unless_locked(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def _is_temporary(name: str) -> bool:
    return _TEMPORARY_NAME.fullmatch(name) is not None


def _unusable(path: Path, error: OSError) -> str:
    return f"{path}: can't be read: {reason(error)}; check --out"


def _unwritable(path: Path, error: OSError) -> str:
    return (
        f"{path}: can't be written: {reason(error)}; check space and permissions, then run again:"
        " what is finished is kept"
    )
