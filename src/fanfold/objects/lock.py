"""A lock on a folder, held by one process of one machine, and told to others by name.

The lock is an advisory one of the operating system (flock), so it ends with its process however
that ends. Its file is never removed: whoever removed it could let two in at once.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import stat
import time
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from fanfold.decoding import JsonDecoder
from fanfold.errors import FolderBusyError, OutputError

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EBADF}
"""What file systems answer that have no locks."""

_LOOK_SECONDS = 0.05
_SIGN_SECONDS = 1.0
"""How long a holder is given to write its name; between its lock and that, its file names nobody,
or one that is gone."""

_HOLDER_BYTES = 4096

_held: weakref.WeakSet[_Descriptor] = weakref.WeakSet()
"""The locks of this process, so that a forked child can let go of them: flock is inherited, and a
worker that outlives its killed parent would hold its folder."""


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock, or held it last, as its file says."""

    host: str
    pid: int
    since: datetime

    def __str__(self) -> str:
        """The process in words."""
        return f"process {self.pid} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def is_alive(self) -> bool:
        """Whether a process of this machine has its number; False for one of another machine."""
        return self._is_local and not self.is_gone

    @property
    def is_gone(self) -> bool:
        """Whether it was a process of this machine, and is no more."""
        if not self._is_local:
            return False
        if not 0 < self.pid < 2**31:
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # another user's
            return False
        return False

    @property
    def _is_local(self) -> bool:
        return self.host == os.uname().nodename


_ENCODER, _DECODER = msgspec.json.Encoder(), JsonDecoder(Holder)


class _Descriptor:
    """An open lock file."""

    def __init__(self, number: int) -> None:
        self.number = number
        _held.add(self)

    def close(self) -> None:
        if self in _held:  # a forked child may have closed it already
            _held.discard(self)
            os.close(self.number)


def _let_go() -> None:
    for each in list(_held):
        each.close()


os.register_at_fork(after_in_child=_let_go)


@contextlib.contextmanager
def locked(path: Path, wait_seconds: float = 0.0) -> Iterator[bool]:
    """Hold the lock whose file is `path` for the length of the block.

    Args:
        path: the file; its folder must be there.
        wait_seconds: how long to wait for another holder.

    Yields:
        Whether it is held. Where the file system has no locks, a warning is logged and it is not.

    Raises:
        FolderBusyError: another process holds it.
        OutputError: its file can't be opened, or locked.
    """
    descriptor = _open(path)
    if descriptor is None:
        yield False
        return
    try:
        is_held = _take(descriptor, path, time.monotonic() + wait_seconds)
        if is_held:
            with contextlib.suppress(OSError):  # another user's file can be locked, not written
                _sign(descriptor)
        yield is_held
    finally:
        descriptor.close()


def _sign(descriptor: _Descriptor) -> None:
    """Write who holds a lock into its file, unless that is a file of another kind."""
    status = os.fstat(descriptor.number)
    is_lock = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    if not is_lock or (status.st_size and _holder_of(descriptor) is None):
        return
    holder = Holder(os.uname().nodename, os.getpid(), datetime.now(UTC))
    os.truncate(descriptor.number, 0)
    os.pwrite(descriptor.number, _ENCODER.encode(holder) + b"\n", 0)


def _holder_of(descriptor: _Descriptor) -> Holder | None:
    """Who a lock's file names; None if it names nobody."""
    try:
        return _parsed(os.pread(descriptor.number, _HOLDER_BYTES, 0))
    except OSError:
        return None


def read_holder(path: Path) -> Holder | None:
    """Who holds the lock whose file is `path`, or held it last; None if it names nobody.

    The lock isn't tried: a run that starts at that moment would take it for somebody else's.
    """
    try:
        with path.open("rb") as file:
            return _parsed(file.read(_HOLDER_BYTES))
    except OSError:
        return None


def _parsed(data: bytes) -> Holder | None:
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _open(path: Path) -> _Descriptor | None:
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        try:
            number = os.open(path, flags | os.O_RDWR | os.O_CREAT, 0o666)
        except PermissionError:
            number = os.open(path, flags | os.O_RDONLY)
    except PermissionError as error:
        _warn(path, error)
        return None
    except OSError as error:
        raise OutputError(
            f"{path}: can't be opened: {error.strerror}; check space and permissions"
        ) from error
    return _Descriptor(number)


def _take(descriptor: _Descriptor, path: Path, end: float) -> bool:
    """Lock an open file; False where that can't be."""
    while True:
        try:
            fcntl.flock(descriptor.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now, holder = time.monotonic(), _holder_of(descriptor)
            is_named = holder is not None and not holder.is_gone
            if now >= (end if is_named else end + _SIGN_SECONDS):
                raise FolderBusyError(_busy(path, holder)) from None
            time.sleep(_LOOK_SECONDS)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise OutputError(f"{path}: can't be locked: {error.strerror}") from error
            _warn(path, error)
            return False
        else:
            return True


def _busy(path: Path, holder: Holder | None) -> str:
    folder = path.parent.parent
    who = "another process" if holder is None else str(holder)
    return f"{folder}: another run is at work here ({who}); wait for it, or give another --out"


def _warn(path: Path, error: OSError) -> None:
    logging.getLogger("fanfold").warning(
        "%s: no lock can be held here (%s); don't run twice into this folder at once",
        path.parent.parent,
        error.strerror,
    )
