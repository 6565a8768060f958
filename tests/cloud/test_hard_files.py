"""The hard files beside the checkout, in the cloud as on this machine: reports and errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.system import System, local_results
from fanfold.errors import FanfoldError

TRICKY = Path(__file__).resolve().parents[3] / "shared" / "tricky"
LARGEST_BYTES = 20_000_000
K = (1, 4)

FILES = [
    path
    for path in sorted(TRICKY.rglob("*"))
    if path.is_file() and 0 < path.stat().st_size <= LARGEST_BYTES
]
"""An empty one is refused at once; see test_jobs.py."""


@pytest.mark.skipif(not FILES, reason=f"{TRICKY} is not there")
def test_a_hard_file_ends_in_the_cloud_as_it_does_here(system: System, tmp_path: Path) -> None:
    jobs = {}
    for number, path in enumerate(FILES):
        data = path.read_bytes()
        slice_bytes = max(1, -(-len(data) // 2))
        key = f"input/{number}/{path.name}"
        jobs[path] = system.start(key, data, k=K, slice_bytes=slice_bytes)
    differing = {}
    for number, (path, job) in enumerate(jobs.items()):
        told = system.wait(job, seconds=300)
        found = system.results(job) if told["state"] == "SUCCEEDED" else told["error"]["detail"]
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            expected: object = local_results(folder, path.name, path.read_bytes(), K)
        except FanfoldError as error:
            expected = str(error)
        if found != expected:
            differing[path] = told, expected if isinstance(expected, str) else "a report"
    assert not differing
