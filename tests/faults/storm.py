"""Many runs at once into few folders, killed at random: `python storm.py WORLD SEED FOLDER...`.

Each run is a forked process, so that it starts at once and can be killed. What each ended with goes
to stdout, a JSON line a run; the bytes that a run answered are in the file that its line names.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import random
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import fanfold
from fanfold.errors import FanfoldError

RUNS = 200
AT_ONCE = 8
KILLED = 0.4
"""The part of the runs that are killed."""

LENGTHS_K = (2, 3, 4)


@dataclass
class Run:
    """A run at work, and when it is killed."""

    genome: str
    k: int
    out: str
    fresh: bool
    answer: str
    end: float
    pid: int = 0


def work(run: Run) -> int:
    """What the process of a run does; its exit code."""
    try:
        report = fanfold.run(run.genome, run.k, out=run.out, fresh=run.fresh, slice_bytes=3000)
    except FanfoldError as error:
        return error.exit_code
    except BaseException:
        traceback.print_exc()
        return 1
    Path(run.answer).write_bytes(report.data)
    return 0


def start(run: Run) -> Run:
    run.pid = os.fork()
    if run.pid == 0:
        os._exit(work(run))
    return run


def storm(chance: random.Random, genomes: list[str], outs: list[str], answers: Path) -> None:
    """Start all runs, a few at once, and tell how each ended."""
    at_work: list[Run] = []
    left = RUNS
    while left or at_work:
        if left and len(at_work) < AT_ONCE:
            lasts = chance.uniform(0, 0.2) if chance.random() < KILLED else 600
            run = Run(
                genome=chance.choice(genomes),
                k=chance.choice(LENGTHS_K),
                out=chance.choice(outs),
                fresh=chance.random() < 0.5,
                answer=str(answers / f"{left}.json"),
                end=time.monotonic() + lasts,
            )
            at_work.append(start(run))
            left -= 1
        for run in list(at_work):
            if time.monotonic() > run.end:
                os.kill(run.pid, signal.SIGKILL)
            pid, status = os.waitpid(run.pid, os.WNOHANG)
            if pid:
                at_work.remove(run)
                told = {
                    "genome": run.genome,
                    "k": run.k,
                    "code": os.waitstatus_to_exitcode(status),
                    "answer": run.answer,
                }
                print(json.dumps(told), flush=True)  # noqa: T201 - it is a program
        time.sleep(0.001)


def flock_of_a_disk_without_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


if __name__ == "__main__":
    world, seed, answers, genomes, *outs = sys.argv[1:]
    if world == "no locks":
        fcntl.flock = flock_of_a_disk_without_locks
    logging.getLogger("fanfold").setLevel(logging.ERROR)
    storm(random.Random(int(seed)), genomes.split(","), outs, Path(answers))
