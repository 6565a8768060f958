"""Fifty posts at once; `make scale` posts a thousand."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers.proxy import FaultProxy

from cloud.storm import storm
from cloud.system import System

JOBS = 50


def test_fifty_posts_at_once_all_end_and_none_twice(
    system: System, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = storm(system, proxy, JOBS, tmp_path, monkeypatch)

    assert figures.answers[200] == JOBS
    assert figures.answers[429] >= JOBS // 2
