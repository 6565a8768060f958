"""How a command ends: its exit code, a line or two about it, and no thread that holds it up."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import click

from fanfold.errors import FanfoldError, OutputError

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
  130  stopped by Ctrl-C
  143  stopped by SIGTERM
"""

SOME_FAILED = 9

_GRACE_SECONDS = 0.5
"""How long threads may take to end after a command has failed."""

_HELD_UP_SECONDS = 4.0
"""How long a call that no signal interrupts may hold up the end; more than all else takes."""

_STOPPED = {signal.SIGINT: "stopped", signal.SIGTERM: "stopped by SIGTERM"}


class Terminated(BaseException):
    """SIGTERM came: what Ctrl-C is from a keyboard, it is from a scheduler."""


def end_on_signals() -> None:
    """Have SIGTERM end this process as Ctrl-C does: what is open is cleaned up on the way out."""
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, _terminate)
    threading.Thread(target=_end_if_held_up, args=(woken,), daemon=True).start()


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
    raise Terminated


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
        debug: whether errors are raised instead.
    """
    status = 0
    try:
        status = command() or 0
    except click.exceptions.Exit as exit_:
        status = exit_.exit_code
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        status = _stopped_by(signal.SIGINT)
    except Terminated:
        status = _stopped_by(signal.SIGTERM)
    except FanfoldError as error:
        if debug:
            raise
        click.echo(f"fanfold: {error}", err=True)
        status = error.exit_code
    except BrokenPipeError:
        # Whoever read stdout has enough; nothing is left to flush there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + signal.SIGPIPE
    except OSError as error:
        if debug:
            raise
        click.echo(f"fanfold: the output can't be written: {error.strerror}", err=True)
        status = OutputError.exit_code
    except Exception as error:
        if debug:
            raise
        click.echo(
            f"fanfold: unexpected {type(error).__name__}: {error}\n"
            "Please report this, with what `fanfold --debug …` prints.",
            err=True,
        )
        status = 1
    return status


def _stopped_by(came: signal.Signals) -> int:
    """Say that a signal stopped the command; the exit code for it."""
    click.echo(f"fanfold: {_STOPPED[came]}; run again to take it up where it is", err=True)
    return 128 + came


def leave(status: int) -> None:
    """End the process, though threads may wait for a store's answer that doesn't come.

    A file that one of them is writing has the time to appear, or to go.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # this is the end already
    end = time.monotonic() + _GRACE_SECONDS
    with suppress(KeyboardInterrupt, RuntimeError):  # one that hasn't started can't be joined
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join(max(0.0, end - time.monotonic()))
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)
