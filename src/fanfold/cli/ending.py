"""How a command ends: its exit code, a line or two about it, and no thread that holds it up."""

from __future__ import annotations

import atexit
import io
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import click

from fanfold.cli.streams import ReaderLeft, say
from fanfold.cli.words import advice_for
from fanfold.errors import Cancelled, FanfoldError, OutputError
from fanfold.exhaustion import exhaustion_in_words

EXIT_CODES = """\b
Exit codes:
  0    done
  1    an unexpected error: please report it (--debug shows more)
  2    wrong usage, or a parameter that can't be
  3    the input is not FASTA, or its archive is truncated or damaged
  4    the input can't be read, or changed meanwhile
  5    the results can't be written
  6    a plan that can't be used, slices without a result, or results that `check` finds wrong
  7    the report contradicts its own checks, and was not written
  8    the executor lost a task, or can't run one
  9    some of many inputs failed: summary.tsv tells which, and why
  10   the API refused or can't be reached, or a job in the cloud failed
  11   memory, threads or open files ran out
  129  stopped by SIGHUP, as when a terminal closes
  130  stopped by Ctrl-C
  141  nobody reads stdout any more, as after `| head -1`
  143  stopped by SIGTERM
"""

SOME_FAILED = 9

_GRACE_SECONDS = 0.5
"""How long threads may take to end after a command has failed."""

_HELD_UP_SECONDS = 4.0
"""How long a call that no signal interrupts may hold up the end; more than all else takes."""

_STOPPED = {
    signal.SIGINT: "stopped",
    signal.SIGTERM: "stopped by SIGTERM",
    signal.SIGHUP: "stopped by SIGHUP: the terminal is gone",
}


class Terminated(BaseException):
    """SIGTERM or SIGHUP came: what Ctrl-C is from a keyboard.

    A scheduler sends the one, a terminal that closes the other.

    Args:
        came: the signal.
    """

    def __init__(self, came: signal.Signals) -> None:
        super().__init__(came)
        self.came = came


def end_on_signals() -> None:
    """Have SIGTERM end this process as Ctrl-C does: what is open is cleaned up on the way out.

    The first signal ends it. A second one, in the midst of that, could leave a lock in disorder.
    """
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # else nohup ignores it
        signal.signal(signal.SIGHUP, _terminate)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)
    threading.Thread(target=_end_if_held_up, args=(woken,), daemon=True).start()


def _terminate(came: int, _frame: FrameType | None) -> None:
    _ignore_signals()
    raise Terminated(signal.Signals(came))


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    _ignore_signals()
    raise KeyboardInterrupt


def _end_if_held_up(woken: int) -> None:
    """End the process some time after a signal that should have ended it.

    The main thread may be in a call that knows no signals, such as a request to a store that
    doesn't answer. What is cut off by that is half of no file: it doesn't bear its name yet.
    """
    while (came := os.read(woken, 1)[0]) not in _STOPPED:
        pass
    time.sleep(_HELD_UP_SECONDS)
    os._exit(_stopped_by(signal.Signals(came)))


def ended(command: Callable[[], Any], *, debug: bool) -> int:
    """Run a command to its end; the exit code. Every foreseen error is told in a line or two.

    Args:
        command: it; what it returns is the exit code, if that is a number.
        debug: whether it is told where an error came from.
    """
    try:
        status = _status_of(command, debug=debug)
        _ignore_signals()  # this is the end already
    except (KeyboardInterrupt, click.Abort):
        status = _stopped_by(signal.SIGINT)
    except Terminated as terminated:
        status = _stopped_by(terminated.came)
    return status


def _status_of(command: Callable[[], Any], *, debug: bool) -> int:
    try:
        with exhaustion_in_words():
            return command() or 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except (click.Abort, KeyboardInterrupt, SystemExit, Terminated):
        raise
    except ReaderLeft:
        return 128 + signal.SIGPIPE
    except click.ClickException as error:
        say(*_usage(error), level="ERROR")
        return error.exit_code
    except BaseException as error:  # a panic in Rust is no Exception
        came = _signal_behind(error)
        if came is not None and not isinstance(error, Cancelled):  # which has words of its own
            return _stopped_by(came)
        status, *lines = _in_words(error)
        if debug:
            lines = _traced(error)
        say(*lines, level="ERROR")
        return status


def _signal_behind(error: BaseException | None) -> signal.Signals | None:
    """The signal that an error is a consequence of, if any.

    Python's own locks raise a `RuntimeError` in place of what a handler raises at a bad moment:
    a condition that is about to wait has let go of the lock that its `with` releases.
    """
    while error is not None:
        match error:
            case KeyboardInterrupt():
                return signal.SIGINT
            case Terminated():
                return error.came
        error = error.__cause__ or error.__context__
    return None


def _traced(error: BaseException) -> list[str]:
    """Where an error came from, what caused it first. What an error says stays one line."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = [] if cause is None else [*_traced(cause), "", "which led to:", ""]
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip("\n").split("\n")
    return [*lines, "Traceback (most recent call last):", *frames, f"{_name_of(error)}: {error}"]


def _name_of(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")


def _in_words(error: BaseException) -> tuple[int, str] | tuple[int, str, str]:
    """The exit code of an error, and what is said of it, a line or two."""
    match error:
        case FanfoldError():
            return error.exit_code, f"fanfold: {error}"
        case OSError():
            return OutputError.exit_code, f"fanfold: the output can't be written: {error.strerror}"
    said = str(error).partition("\n")[0]
    return (
        1,
        f"fanfold: unexpected {type(error).__name__}: {said}",
        "Please report this, with what `fanfold --debug …` prints.",
    )


def _usage(error: click.ClickException) -> list[str]:
    """What click says of wrong usage: how to use it, then the error in a line."""
    text = io.StringIO()
    error.show(text)
    usage, start, _ = text.getvalue().partition("Error: ")
    if isinstance(error, click.NoSuchOption):
        message = f"No such option: {error.option_name}; {advice_for(error)}"
    else:
        message = error.format_message()
    return [*usage.splitlines(), start + message]


def _stopped_by(came: signal.Signals) -> int:
    """Say that a signal stopped the command; the exit code for it."""
    say(f"fanfold: {_STOPPED[came]}; run again to take it up where it is", level="ERROR")
    return 128 + came


def end_at_once(status: Callable[[], int]) -> None:
    """Have the process end once everything that is to happen at its end has happened.

    Python would then take every module and object apart, which takes longer than the statistics of
    a small genome. Handlers run in the reverse order of their registration: this one, registered
    before any other of this program, is the last, and threads are joined before the first.

    Args:
        status: gives the exit code.
    """

    def leave_now() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status())

    atexit.register(leave_now)


def _ignore_signals() -> None:
    for each in _STOPPED:
        signal.signal(each, signal.SIG_IGN)


def leave(status: int) -> None:
    """End the process, though threads may wait for a store's answer that doesn't come.

    A file that one of them is writing has the time to appear, or to go.
    """
    _ignore_signals()
    end = time.monotonic() + _GRACE_SECONDS
    with suppress(RuntimeError):  # one that hasn't started can't be joined
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join(max(0.0, end - time.monotonic()))
    os._exit(status)
