"""An upload on its way into a bucket."""

from __future__ import annotations

import errno
from contextlib import ExitStack, suppress
from datetime import UTC, datetime

from fanfold.api.problems import ApiError
from fanfold.api.types import StoredObject
from fanfold.errors import FanfoldError
from fanfold.objects import Place, is_remote

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


class _Aborted(Exception):  # noqa: N818 - ends the block in which an object is written
    pass


class Upload:
    """An object that is being uploaded. It is not there until it is committed.

    Args:
        place: the folder or bucket that it goes into.
        name: its name there.
        key: what the caller calls it.
        replace: whether an object that is there may go.

    Raises:
        ApiError: there is an object, or none can be written.
    """

    def __init__(self, place: Place, name: str, key: str, *, replace: bool) -> None:
        self._key = key
        self._is_remote = is_remote(place.url)
        self._size_bytes = 0
        self._writing = ExitStack()
        try:
            kind = place.kinds([name]).get(name)
            if kind not in {None, "file"} or (kind == "file" and not replace):
                raise _exists(key, f"there is {'an object' if kind == 'file' else 'a folder'}")
            place.prepare("")
            place.sweep()
            written = place.writing(name, durable=True) if replace else place.creating(name)
            self._file = self._writing.enter_context(written)
        except FanfoldError as error:
            raise self._unwritable(error) from error

    def write(self, data: bytes) -> None:
        """Add bytes at the end.

        Raises:
            ApiError: there is no space.
        """
        try:
            self._file.write(data)
        except (OSError, FanfoldError) as error:
            raise self._unwritable(error) from error
        self._size_bytes += len(data)

    def commit(self) -> StoredObject:
        """Let the object appear, whole.

        Raises:
            ApiError: another has appeared under its key, or it can't be written.
        """
        try:
            self._writing.close()
        except FileExistsError as error:
            raise _exists(self._key, "there is an object") from error
        except FanfoldError as error:
            raise self._unwritable(error) from error
        return StoredObject(self._key, self._size_bytes, datetime.now(UTC))

    def abort(self) -> None:
        """Leave nothing behind; does nothing after `commit`."""
        with suppress(_Aborted, OSError, FanfoldError):
            self._writing.__exit__(_Aborted, _Aborted(), None)

    def _unwritable(self, error: Exception) -> ApiError:
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(cause, OSError) and cause.errno in _NO_SPACE:
            return ApiError(
                507,
                "no-space",
                "No space",
                f"{self._key}: no space is left for it; make room, then send it again",
            )
        if self._is_remote:
            return ApiError(502, "unwritable", "The store refuses", str(error))
        reason = cause.strerror if isinstance(cause, OSError) else str(error)
        return ApiError(
            422,
            "unwritable",
            "Not written",
            f"{self._key}: can't be written: {reason}; check the bucket's permissions, or give"
            " another key",
        )


def _exists(key: str, why: str) -> ApiError:
    return ApiError(
        409,
        "object-exists",
        "The object exists",
        f"{key}: {why}; give another key, or ?replace=true for an object that may go",
    )
