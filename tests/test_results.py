"""Results in memory and in a folder are one interface, and fold to the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import fanfold
from fanfold.errors import MissingSlicesError
from fanfold.flow.fold import Folded, fold_results
from fanfold.flow.results import MemoryResults, Results
from fanfold.flow.run_folder import RunFolder
from fanfold.flow.scan import scan_slice
from fanfold.flow.slice_file import SliceResult

DATA = Path(__file__).parent / "data"


def of_a_folder(folder: RunFolder) -> Results:
    return folder


def of_memory(folder: RunFolder) -> Results:
    return MemoryResults(folder.plan)


def folded(folder: RunFolder, results: Results) -> Folded:
    def rescan(*_: object) -> SliceResult:
        raise AssertionError("ranges of bytes are where they should be")

    return fold_results(folder.plan, results.all(), rescan)


@pytest.mark.parametrize("made", [of_a_folder, of_memory])
def test_results_fold_to_the_same_wherever_they_are(
    made: Callable[[RunFolder], Results], tmp_path: Path
) -> None:
    report = fanfold.run(DATA / "human_MT.fa", out=tmp_path / "run")
    folder = fanfold.plan(DATA / "human_MT.fa", out=tmp_path / "plan", slice_bytes=3000)
    results = made(folder)
    for each in reversed(folder.slices[1:]):
        results.put(scan_slice(folder.plan, each, folder.objects, lambda _: None))
    assert results.missing() == {0}
    assert results.get(0) is None
    with pytest.raises(MissingSlicesError, match="1 of 6 slices"):
        folded(folder, results)

    first = folder.slices[0]
    results.put(scan_slice(folder.plan, first, folder.objects, lambda _: None))

    assert results.missing() == set()
    found = folded(folder, results)
    assert found.findings.length == report.master.sequences.length
    assert found.findings.kmers_in_runs(5) == report.master.kmers[0].total
