"""Folders that builds write into. Only files that a build made are ever replaced or removed.

A record names each file that a build made, with its size and SHA-256, and has a checksum itself:

    out/.fanfold-build.json      what builds made here
    out/starter.zip …
    out/.fanfold-build.lock      one build at a time
    out/.fanfold-build-5e5e…/    staging, under a random name
        .fanfold-build.json      claims the folder: all that is in it is the build's
        new/                     filled first; then each name in it is moved to out/
        old/                     where the name's earlier files go just before

The record names both the earlier and the new files while names are moved. So whenever a build is
killed, the next one knows every file as a build's, and makes what is missing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypedDict

from building.messages import BuildError

ROOT = Path(__file__).resolve().parents[2]
_NAME = ".fanfold-build"
_RECORD = f"{_NAME}.json"
_LOCK = f"{_NAME}.lock"


class Made(TypedDict):
    """A file as a build made it."""

    bytes: int
    sha256: str


Record = dict[str, list[Made]]
"""What builds made, by the path in the folder. While names are moved, a path has two."""


class Staging(NamedTuple):
    """A build's own folder, within the one that it builds into."""

    folder: Path

    @property
    def new(self) -> Path:
        """What is built."""
        return self.folder / "new"

    @property
    def old(self) -> Path:
        """What gives way to it."""
        return self.folder / "old"

    @property
    def token(self) -> str:
        """What no other build's names have in them."""
        return self.folder.name.removeprefix(f"{_NAME}-")


def make(folder: Path) -> None:
    """Makes `folder` unless it is there.

    Raises:
        BuildError: a file or a link has its name, or that of a folder of the project above it.
    """
    path = folder.absolute()
    for part in (path, *(above for above in path.parents if ROOT in above.parents)):
        if part.is_symlink() or (part.exists() and not part.is_dir()):
            kind = "link" if part.is_symlink() else "file"
            raise BuildError(f"{part} is a {kind}: move it away, or build into another folder")
    path.mkdir(parents=True, exist_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[int]:
    """Holds the lock file at `path`, and yields its descriptor.

    A process that inherits the descriptor, and outlives a killed build, holds the lock until it
    ends. It is released expressly, for the servers of compilers that inherit it too.
    """
    if path.is_symlink() or path.is_dir():
        raise _foreign(path)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)


def remove_unfinished(folder: Path) -> None:
    """Removes the staging folders of killed builds. The caller holds the folder's lock."""
    for left in filter(_is_staging, list(folder.iterdir())):
        _remove(left)


@contextmanager
def staging(folder: Path) -> Iterator[Staging]:
    """A staging folder in `folder`, removed in the end."""
    made = Staging(folder / f"{_NAME}-{secrets.token_hex(8)}")
    made.folder.mkdir()
    try:
        (made.folder / _RECORD).write_bytes(_claim(made.folder))
        made.new.mkdir()
        made.old.mkdir()
        yield made
    finally:
        _remove(made.folder)


@contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """An empty folder to fill; its files take the place of those that a build made in `out`.

    Raises:
        BuildError: a file under one of the names isn't a build's; nothing was changed then.
    """
    make(out)
    with alone(out / _LOCK):
        remove_unfinished(out)
        with staging(out) as stage:
            yield stage.new
            _replace(stage, out)


def _replace(stage: Staging, out: Path) -> None:
    new, earlier = _manifest(stage.new), _read(out / _RECORD)
    tops = {Path(name).parts[0] for name in (*new, *earlier)}
    there = sorted(path for path in out.iterdir() if path.name in tops)
    for path in there:
        _refuse_foreign(path, earlier, out, stage.new)
    both = {name: earlier.get(name, []) + new.get(name, []) for name in (*earlier, *new)}
    _write(out, both, stage)
    for path in there:
        if path.is_dir() or not (stage.new / path.name).exists():
            path.rename(stage.old / path.name)
    for path in sorted(stage.new.iterdir()):
        path.replace(out / path.name)
    _write(out, new, stage)


def seal(folder: Path, stage: Staging) -> None:
    """Writes the record of all files of `folder`."""
    _write(folder, _manifest(folder), stage)


def is_sealed(folder: Path) -> bool:
    """Whether `folder` holds exactly what its record names."""
    try:
        record = _read(folder / _RECORD)
        return bool(record) and stat.S_ISDIR(folder.lstat().st_mode) and record == _manifest(folder)
    except (BuildError, OSError):
        return False


def _files(path: Path) -> Iterator[Path]:
    """The files at and below `path`, in order. No link is followed.

    Raises:
        BuildError: there is a link, or what is no file or folder.
    """
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode):
        for inner in sorted(path.iterdir()):
            yield from _files(inner)
    elif stat.S_ISREG(mode):
        yield path
    else:
        raise _foreign(path)


def _manifest(folder: Path) -> Record:
    files = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    return {name: [_made(path)] for name, path in files.items() if name != _RECORD}


def _made(path: Path) -> Made:
    data = path.read_bytes()
    return Made(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def _refuse_foreign(top: Path, record: Record, out: Path, new: Path) -> None:
    """Raises BuildError if a file at or below `top` isn't a build's.

    Builds before this record left none. Of theirs, a file is known that is what is built now, or
    its beginning: nothing is lost with it.
    """
    for path in _files(top):
        name = path.relative_to(out).as_posix()
        successor = new / name
        if _made(path) not in record.get(name, []) and not (
            successor.is_file() and successor.read_bytes().startswith(path.read_bytes())
        ):
            raise _foreign(path)


def _foreign(path: Path) -> BuildError:
    return BuildError(
        f"{path} isn't what a build made: nothing was removed\n"
        "    Move it away, remove it if it is of an earlier version, or build into another folder."
    )


def _read(path: Path) -> Record:
    """The record at `path`; empty if there is none.

    Raises:
        BuildError: something else is there.
    """
    if not os.path.lexists(path):
        return {}
    try:
        if stat.S_ISREG(path.lstat().st_mode):
            data = json.loads(path.read_bytes())
            record: Record = data["files"]
            if data["sha256"] == _checksum(record):
                return record
    except (ValueError, LookupError, TypeError):
        pass
    raise _foreign(path)


def _write(folder: Path, record: Record, stage: Staging) -> None:
    """Writes the record of `folder`, whole before it takes the earlier one's place."""
    whole = stage.folder / "record"
    data = {"files": record, "sha256": _checksum(record)}
    whole.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
    whole.replace(folder / _RECORD)


def _checksum(content: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _claim(folder: Path) -> bytes:
    content = {"staging": folder.name}
    return json.dumps({**content, "sha256": _checksum(content)}).encode()


def _is_staging(folder: Path) -> bool:
    """Whether a build claimed `folder`, or was killed before: nothing is in it then."""
    if not folder.name.startswith(f"{_NAME}-") or not stat.S_ISDIR(folder.lstat().st_mode):
        return False
    claim = folder / _RECORD
    inner = list(folder.iterdir())
    if claim not in inner or not stat.S_ISREG(claim.lstat().st_mode):
        return not inner
    written = claim.read_bytes()
    return written == _claim(folder) or (inner == [claim] and not written)


def _remove(folder: Path) -> None:
    """Removes a staging folder, its claim last: what can't be removed stays claimed."""
    for name in ("new", "old"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "record").unlink(missing_ok=True)
    if {inner.name for inner in folder.iterdir()} <= {_RECORD}:
        (folder / _RECORD).unlink(missing_ok=True)
        folder.rmdir()
