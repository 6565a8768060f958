"""The buckets of a server: folders, and prefixes in stores, under names.

A key is a path within its bucket. A folder of a root is a bucket unless its name starts with a dot.
Links may point inside their bucket alone: what they lead to is resolved before anything is read or
written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from fanfold.api.problems import ApiError
from fanfold.api.routes import PageOfObjects
from fanfold.api.types import Bucket, Buckets, Objects, StoredObject
from fanfold.errors import FanfoldError, ParameterError
from fanfold.objects import Source, is_remote, open_place
from fanfold.submitting import invalid_field, no_such_object, pin
from fanfold.web.upload import Upload

_NAME = re.compile(r"[^./\x00-\x1f\x7f\\][^/\x00-\x1f\x7f\\]*")
_OF_LEDGER = ("results", "jobs", "chunks")
"""What a bucket that is the root holds besides genomes; see `fanfold.ledger`."""
_UNFIT = re.compile(r"[\x00-\x1f\x7f\\]")
_MOST_KEY_BYTES = 1024


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
        self._beginning = Lock()
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
        left = [each for each in listed if each.name > page.after and _can_be_asked_for(each.name)]
        found = left[: page.limit]
        visible = (
            name
            for name in folders
            if not page.after and not name.startswith(".fanfold") and _can_be_asked_for(name)
        )
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
        place, name = open_place(location), key
        if not is_remote(location):
            path = _resolved(Path(location), key)
            if path is None or any(part.startswith(".fanfold") for part in Path(key).parts):
                raise invalid_field(f"key: {key!r} leads out of the bucket")
            place, name = open_place(path.parent), path.name
        # What a killed upload left goes. One that has just begun looks like it until it is locked.
        with self._beginning:
            return Upload(place, name, key, replace=replace)

    def _names(self) -> set[str]:
        if self._root is None or not self._root.is_dir():
            return {*self._others}
        return {
            *self._others,
            *(each.name for each in self._root.iterdir() if self._folder(each.name)),
        }

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
        is_name = _NAME.fullmatch(bucket) is not None and _can_be_asked_for(bucket)
        if self._root is None or not is_name:
            return None
        path = self._root / bucket
        return os.fspath(path) if path.is_dir() and not path.is_symlink() else None


def _can_be_asked_for(name: str) -> bool:
    """Whether a key can have a name in it: not one that is not Unicode, as a file's may be."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return bool(name) and not _UNFIT.search(name)


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
