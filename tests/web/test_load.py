"""Many readers during jobs: nobody is turned away, and no request fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks/serve.py"


def test_200_readers_are_answered_during_jobs() -> None:
    done = subprocess.run(
        [sys.executable, BENCHMARK, "--readers", "200", "--seconds", "20", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    alone, crowded = json.loads(done.stdout)
    assert alone["failures"] == crowded["failures"] == []
    assert crowded["jobs"] >= 1
    assert len(crowded["latencies_seconds"]) >= 400, "each reader was answered at least once"
    assert crowded["events"] >= 200
