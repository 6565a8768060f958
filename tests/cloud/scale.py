"""A thousand posts at once, and what they took: what `make scale` runs, which takes a while.

The figures go to benchmarks/STORM.md. SCALE_JOBS in the environment is another number.
"""

from __future__ import annotations

import os
from pathlib import Path

import machine
import pytest
import results
from servers.proxy import FaultProxy

from cloud.conftest import ROOT
from cloud.storm import Figures, storm
from cloud.system import System

JOBS = int(os.environ.get("SCALE_JOBS", "1000"))


def test_a_thousand_posts_at_once_all_end_and_none_twice(
    system: System, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = storm(system, proxy, JOBS, tmp_path, monkeypatch)

    results.write_whole(ROOT / "benchmarks/STORM.md", page(figures).encode())


def page(figures: Figures) -> str:
    """STORM.md."""
    answers = ", ".join(f"{count:,} of {status}" for status, count in figures.answers.items())
    return f"""\
# A thousand posts at once

One client posts {figures.jobs:,} genomes of one slice at once to an emulated AWS with the rates of
an account whose Lambda concurrency is 10: 30 requests a second, two chunkers. Three containers run
at a time. Half of the posts are refused with 429 at first. All jobs must end with a report, none
twice: `make scale` looks, and measures it again.

| | |
| --- | --- |
| until the last post was taken | {figures.posted_seconds:.0f} s |
| until the last job ended | {figures.ended_seconds:.0f} s |
| requests of the client | {figures.posts:,}: {answers} |
| Batch jobs | {figures.batch_jobs:,} |

Containers are processes of the machine, which also runs the emulator; on AWS they run beside each
other. So the figure is of what holds, not of how fast AWS is.

Machine: {machine.describe()}.
fanfold at {machine.commit(ROOT)}.
"""
