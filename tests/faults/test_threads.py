"""Threads that do the same for the first time at once, in a process that has just started."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import fanfold

DATA = Path(__file__).parents[1] / "data"
PROCESSES = 400

FOLD = """
import json, os, sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from fanfold.flow.tasks import open_plan

def fold():
    folder = open_plan(sys.argv[1])
    barrier = Barrier(25)

    def get(index):
        barrier.wait()
        return folder.get(index)

    sys.setswitchinterval(1e-6)
    with ThreadPoolExecutor(25) as pool:
        return None in list(pool.map(get, range(25)))

codes = []
for _ in range(int(sys.argv[2])):  # forked, so that each is the first to decode
    child = os.fork()
    if child == 0:
        os._exit(fold())
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(codes))
"""


def test_results_that_are_first_read_by_many_threads_at_once(tmp_path: Path) -> None:
    """The first decoding of a type made msgspec 0.22 follow a NULL pointer: exit code -11."""
    made = fanfold.plan(DATA / "human_MT.fa", out=tmp_path, slice_bytes=675)
    assert len(made.slices) == 25
    for each in made.slices:
        fanfold.task(made, each.index)

    done = subprocess.run(
        [sys.executable, "-c", FOLD, made.plan_url, str(PROCESSES)],
        stdout=subprocess.PIPE,
        check=True,
    )

    assert json.loads(done.stdout) == [0] * PROCESSES
