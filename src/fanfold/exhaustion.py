"""What a process ran out of, in words: memory, threads, open files."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from fanfold.errors import ExhaustedError

_MEMORY = "there is not enough memory; give --memory SIZE, fewer --workers, or a machine with more"
_THREADS = "no more threads can be started; give fewer --workers, or raise the limit (ulimit -u)"
_FILES = "too many files are open; give fewer --workers, or raise the limit (ulimit -n)"

_BY_NUMBER = {
    errno.ENOMEM: _MEMORY,
    errno.EAGAIN: _THREADS,
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
}

_NUMBER_IN_PANIC = re.compile(r"Os \{ code: (\d+)")
"""What the libraries that read from stores say when they can't start: as Rust shows an error."""


@contextmanager
def exhaustion_in_words() -> Iterator[None]:
    """Raise `ExhaustedError` in place of any error that came of something that ran out.

    As a decorator, it does so for a function.

    Raises:
        ExhaustedError: something ran out.
    """
    try:
        yield
    except ExhaustedError:
        raise
    except BaseException as error:  # a panic in Rust is no Exception
        cause: BaseException | None = error
        while cause is not None:
            ran_out = _what_ran_out(cause)
            if ran_out is not None:
                raise ExhaustedError(f"{ran_out}. What is finished is kept: run again") from error
            cause = cause.__cause__
        raise


def _what_ran_out(error: BaseException) -> str | None:
    match error:
        case MemoryError():
            return _MEMORY
        case OSError() if error.errno != errno.EAGAIN:  # which is said of locks, too
            return _BY_NUMBER.get(error.errno or 0)
        case RuntimeError() if "can't start new thread" in str(error):
            return _THREADS
        case _ if type(error).__name__ == "PanicException":
            number = _NUMBER_IN_PANIC.search(str(error))
            return _BY_NUMBER.get(int(number[1])) if number else None
        case _:
            return None
