"""How the process of a command ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import atexit
import threading
from fanfold.cli.ending import end_at_once

class Kept:
    def __del__(self):
        print("taken apart")

kept = Kept()

def work():
    threading.main_thread().join()
    print("thread")

end_at_once(lambda: 3)
atexit.register(print, "handler")
threading.Thread(target=work).start()
print("command")
"""


def test_a_process_ends_after_its_threads_and_handlers_and_takes_nothing_apart() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True, check=False
    )

    assert done.stdout.splitlines() == ["command", "thread", "handler"]
    assert done.returncode == 3


def test_every_exit_code_is_the_commands() -> None:
    codes = [
        subprocess.run(
            [sys.executable, "-m", "fanfold", *words], capture_output=True, check=False
        ).returncode
        for words in (["--version"], ["stats", "--no-such"], ["stats", "no-such.fa"])
    ]

    assert codes == [0, 2, 4]


STOPPED_AMID_A_WAIT = """
import signal
import sys
import threading
from fanfold.cli.ending import Terminated, ended

condition = threading.Condition()

def wait(raised):
    with condition:
        condition.release()
        raise raised

def command():
    try:
        wait(eval(sys.argv[1]))
    except RuntimeError as error:
        if sys.argv[2] == "told as another":
            raise OSError(5, "it can't be read") from error
        raise

sys.exit(ended(command, debug=False))
"""


@pytest.mark.parametrize("told", ["as it is", "told as another"])
@pytest.mark.parametrize(
    ("raised", "status"),
    [
        ("KeyboardInterrupt()", 130),
        ("Terminated(signal.SIGTERM)", 143),
        ("Terminated(signal.SIGHUP)", 129),
    ],
)
def test_a_stop_amid_a_wait_is_a_stop(raised: str, status: int, told: str) -> None:
    """`Condition.wait` has let go of the lock for a moment in which nothing takes it again."""
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_AMID_A_WAIT, raised, told],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == status
    assert done.stderr.startswith("fanfold: stopped")
    assert len(done.stderr.splitlines()) == 1
