"""A thousand posts at once, and what they took: what `make scale` runs, which takes a while.

SCALE_JOBS in the environment is another number.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from servers.proxy import FaultProxy

from cloud.storm import storm
from cloud.system import System

JOBS = int(os.environ.get("SCALE_JOBS", "1000"))


def test_a_thousand_posts_at_once_all_end_and_none_twice(
    system: System, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = storm(system, proxy, JOBS, tmp_path, monkeypatch)

    answers = ", ".join(f"{status}: {count}" for status, count in figures.answers.items())
    print(  # noqa: T201 - what it is for
        f"\n{figures.jobs} jobs: posted within {figures.posted_seconds:.0f} s by {figures.posts}"
        f" requests ({answers}), ended within {figures.ended_seconds:.0f} s,"
        f" {figures.batch_jobs} Batch jobs"
    )
