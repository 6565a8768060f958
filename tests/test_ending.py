"""How the process of a command ends."""

from __future__ import annotations

import subprocess
import sys

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
