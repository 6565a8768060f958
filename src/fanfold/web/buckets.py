"""The buckets of a server: folders, and prefixes in stores, under names.

A key is a path within its bucket. A folder of a root is a bucket unless its name starts with a dot.
Links may point inside their bucket alone: what they lead to is resolved before anything is read or
written.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import SpooledTemporaryFile
from threading import Lock
from typing import IO, Protocol

from fanfold.api.problems import ApiError
from fanfold.api.routes import PageOfObjects
from fanfold.api.types import Bucket, Buckets, Objects, StoredObject
from fanfold.errors import FanfoldError, ParameterError
from fanfold.objects import BLOCK_BYTES, LocalPlace, Source, is_remote, open_place, stat_source
from fanfold.submitting import invalid_field, no_such_object, pin

_NAME = re.compile(r"[^./\x00-\x1f\x7f\\][^/\x00-\x1f\x7f\\]*")
_OF_LEDGER = ("results", "jobs", "chunks")
"""What a bucket that is the root holds besides genomes; see `fanfold.ledger`."""
_UNFIT = re.compile(r"[\x00-\x1f\x7f\\]")
_MOST_KEY_BYTES = 1024
_SPOOL_BYTES = 64 * 1024**2
"""An upload to a store waits in memory up to this size, then in a temporary file."""

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


class Upload(Protocol):
    """An object that is being uploaded. It is not there until it is committed."""

    def write(self, data: bytes) -> None:
        """Add bytes at the end.

        Raises:
            ApiError: there is no space.
        """

    def commit(self) -> StoredObject:
        """Let the object appear, whole.

        Raises:
            ApiError: another has appeared under its key, or it can't be written.
        """

    def abort(self) -> None:
        """Leave nothing behind; does nothing after `commit`."""


class BucketsOfServer:
    """The buckets of a server.

    Args:
        root: the folder whose folders are buckets, or the URL of a bucket of S3.
        others: other buckets: their folder or URL, by name.

    Raises:
        ParameterError: the name of a bucket, or where it is, is invalid.
    """

    def __init__(self, root: str, others: Mapping[str, str]) -> None:
        self._root = None if is_remote(root) else Path(root)
        self._others: dict[str, str] = {}
        self._sweeping = Lock()
        self._store_root = root.rstrip("/") if self._root is None else None
        if self._store_root is not None:
            self._others[self._store_root.removeprefix("s3://")] = self._store_root
        for name, location in others.items():
            if not _NAME.fullmatch(name):
                raise ParameterError(
                    f"{name!r} is no name for a bucket: it has a slash, or begins with a dot"
                )
            if not is_remote(location) and not Path(location).is_dir():
                raise ParameterError(f"{location}: not a folder; give --bucket NAME=DIR|URL")
            self._others[name] = location.rstrip("/")
            open_place(self._others[name])

    def names(self) -> Buckets:
        """All buckets, by name."""
        return Buckets(tuple(Bucket(name) for name in sorted(self._names())))

    def pin(self, bucket: str, key: str) -> Source:
        """The genome under a key of a bucket, pinned.

        Raises:
            ApiError: there is none, or it may not be read.
        """
        shown = f"{bucket}/{key}"
        location = self._others.get(bucket) or self._folder(bucket)
        if location is None:
            known = ", ".join(sorted(self._names())) or "none yet: make a folder in the root"
            raise ApiError(
                403,
                "not-allowed",
                "Not to be read",
                f"{shown}: this server has no such bucket; its buckets: {known}",
            )
        check_key(key)
        if is_remote(location):
            return pin(f"{location}/{key}", shown)
        path = _resolved(Path(location), key)
        if path is None:
            raise no_such_object(shown)
        return pin(os.fspath(path), shown)

    def objects(self, bucket: str, page: PageOfObjects) -> Objects:
        """What lies directly below a prefix of a bucket.

        Raises:
            ApiError: there is no such bucket, the prefix is invalid, or the store doesn't answer.
        """
        location = self._known(bucket)
        below = page.prefix.rstrip("/")
        if below:
            check_key(below, "prefix")
        if not is_remote(location):
            folder = _resolved(Path(location), below) if below else Path(location).resolve()
            if folder is None or not folder.is_dir():
                return Objects(bucket, page.prefix, (), (), None)
            location, below = os.fspath(folder), ""
        place = open_place(location)
        try:
            folders, listed = place.children(below)
        except FanfoldError as error:
            raise ApiError(502, "unreadable", "The store refuses", str(error)) from error
        # A store may have an object in place of a folder, without a name of its own.
        left = [each for each in listed if each.name > page.after]
        found = left[: page.limit]
        visible = (name for name in folders if not page.after and not name.startswith(".fanfold"))
        return Objects(
            bucket,
            page.prefix,
            tuple(f"{page.prefix}{name}/" for name in visible),
            tuple(
                StoredObject(page.prefix + each.name, each.size_bytes, each.written)
                for each in found
            ),
            found[-1].name if left[page.limit :] else None,
        )

    def uploading(self, bucket: str, key: str, *, replace: bool) -> Upload:
        """Begin an upload.

        Raises:
            ApiError: there is no such bucket, the key is invalid, or there is an object already.
        """
        location = self._known(bucket)
        check_key(key)
        if location == self._store_root and key.partition("/")[0] in _OF_LEDGER:
            raise ApiError(
                403,
                "not-allowed",
                "Not to be written",
                f"{key}: the server keeps its results and its ledger there; give another key",
            )
        if is_remote(location):
            return _StoreUpload(location, key, replace=replace)
        path = _resolved(Path(location), key)
        if path is None or any(part.startswith(".fanfold") for part in Path(key).parts):
            raise invalid_field(f"key: {key!r} leads out of the bucket")
        return _FileUpload(path, key, replace=replace, sweeping=self._sweeping)

    def _names(self) -> set[str]:
        return {*self._others, *(name for name in self._folders() if self._folder(name))}

    def _folders(self) -> list[str]:
        if self._root is None or not self._root.is_dir():
            return []
        return [path.name for path in self._root.iterdir()]

    def _known(self, bucket: str) -> str:
        location = self._others.get(bucket) or self._folder(bucket)
        if location is None:
            raise ApiError(
                404,
                "no-such-bucket",
                "No such bucket",
                f"{bucket[:80]}: no such bucket; GET /buckets lists them",
            )
        return location

    def _folder(self, bucket: str) -> str | None:
        """The folder of the root that is a bucket of this name, if there is one; no link."""
        if self._root is None or not _NAME.fullmatch(bucket):
            return None
        path = self._root / bucket
        return os.fspath(path) if path.is_dir() and not path.is_symlink() else None


def check_key(key: str, name: str = "key") -> None:
    """Check that a key is a path that can only lead down.

    Raises:
        ApiError: it isn't.
    """
    parts = key.split("/")
    if _UNFIT.search(key):
        raise invalid_field(f"{name}: {key!r} has a control character or a backslash")
    if parts[-1] == "" and name == "key" and parts[0]:
        raise no_such_object(key)  # a folder
    if any(part in {"", ".", ".."} for part in parts):
        raise invalid_field(f"{name}: {key!r} has an empty part, '.' or '..'; give a path down")
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError as error:
        raise invalid_field(f"{name}: it is not Unicode text") from error
    if size_bytes > _MOST_KEY_BYTES:
        raise invalid_field(f"{name}: {size_bytes} bytes; {_MOST_KEY_BYTES} are the most")


def _resolved(folder: Path, key: str) -> Path | None:
    """Where a key of a folder leads, through links; None if that is not inside of it."""
    top = folder.resolve()
    try:
        path = (top / key).resolve()
    except (OSError, RuntimeError):  # links in a circle
        return None
    return path if path.is_relative_to(top) and path != top else None


class _FileUpload:
    """An upload into a folder: a temporary file beside its place, which then gets the name.

    Args:
        path: its place.
        key: its key.
        replace: whether an object that is there may go.
        sweeping: is held while files of killed uploads are removed, since one that has just begun
            looks like them until it is locked.
    """

    def __init__(self, path: Path, key: str, *, replace: bool, sweeping: Lock) -> None:
        self._key = key
        self._path = path
        self._replace = replace
        place = LocalPlace(path.parent)
        try:
            self._check_free()
            path.parent.mkdir(parents=True, exist_ok=True)
            self._temporary = path.with_name(f".fanfold.{os.urandom(6).hex()}.fanfold-tmp")
            with sweeping:
                place.sweep()
                self._file = self._temporary.open("xb", buffering=0)
                with suppress(OSError):  # where there are no locks, nothing is swept
                    fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (NotADirectoryError, FileExistsError) as error:
            raise _exists(key, "a part of it is an object") from error
        except OSError as error:
            raise _unwritable(key, error) from error

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise _unwritable(self._key, error) from error

    def commit(self) -> StoredObject:
        try:
            os.fsync(self._file.fileno())
            status = os.fstat(self._file.fileno())
            if self._replace:
                self._check_free()
                self._temporary.replace(self._path)
            else:
                os.link(self._temporary, self._path)
            LocalPlace(self._path.parent).sync()
        except FileExistsError as error:
            raise _exists(self._key) from error
        except (OSError, FanfoldError) as error:
            raise _unwritable(self._key, error) from error
        finally:
            self.abort()
        return StoredObject(self._key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def abort(self) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _check_free(self) -> None:
        if self._path.is_dir():
            raise _exists(self._key, "it is a folder")
        if not self._replace and os.path.lexists(self._path):
            raise _exists(self._key)


class _StoreUpload:
    """An upload into a store, which takes it when it is whole."""

    def __init__(self, location: str, key: str, *, replace: bool) -> None:
        self._place = open_place(location)
        self._key = key
        self._replace = replace
        self._file: IO[bytes] = SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - closed by abort
        self._size_bytes = 0
        self._check_free()

    def write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise _unwritable(self._key, error) from error
        self._size_bytes += len(data)

    def commit(self) -> StoredObject:
        try:
            self._file.seek(0)
            if self._replace or self._size_bytes > _SPOOL_BYTES:
                # No store takes the parts of a large object only if there is none.
                self._check_free()
                self._place.write(self._key, iter(lambda: self._file.read(BLOCK_BYTES), b""))
            elif not self._place.create(self._key, self._file.read()):
                raise _exists(self._key)
            source = stat_source(self._place.where(self._key))
        except FanfoldError as error:
            raise ApiError(502, "unwritable", "The store refuses", str(error)) from error
        finally:
            self.abort()
        return StoredObject(self._key, source.size_bytes, datetime.now(UTC))

    def abort(self) -> None:
        self._file.close()

    def _check_free(self) -> None:
        if self._replace:
            return
        try:
            is_there = bool(self._place.kinds([self._key]))
        except FanfoldError as error:
            raise ApiError(502, "unreadable", "The store refuses", str(error)) from error
        if is_there:
            raise _exists(self._key)


def _exists(key: str, why: str = "there is an object") -> ApiError:
    return ApiError(
        409,
        "object-exists",
        "The object exists",
        f"{key}: {why}; give another key, or ?replace=true for an object that may go",
    )


def _unwritable(key: str, error: Exception) -> ApiError:
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return ApiError(
            507, "no-space", "No space", f"{key}: no space is left for it; make room, send it again"
        )
    return ApiError(
        422,
        "unwritable",
        "Not written",
        f"{key}: can't be written: {getattr(error, 'strerror', None) or error}; check the bucket's"
        " permissions, or give a shorter key",
    )
