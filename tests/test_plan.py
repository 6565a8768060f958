"""How an object is cut: sizes that nobody gave, and sizes that somebody did."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fanfold
from fanfold.errors import ParameterError
from fanfold.flow.plan import MAX_SLICES, MIN_DEFAULT_SLICE_BYTES, cut_ranges, default_slice_bytes
from fanfold.flow.run_folder import open_run
from fanfold.objects import open_place

MIB = 1024**2
GENOME = b">chr1\n" + b"ACGTTGCATTA\n" * 4000


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@given(st.integers(0, 2**42), st.integers(0, 200))
@example(0, 2)
@example(8 * MIB + 1, 1)
@example(3 * 8 * MIB + 1, 64)
@example(100 * MIB + 1, 0)
@example(2**45, 64)
def test_default_slices_are_few_and_none_is_small(size_bytes: int, workers: int) -> None:
    slices = cut_ranges(size_bytes, default_slice_bytes(size_bytes, workers))
    assert len(slices) <= MAX_SLICES
    least = min(each.size_bytes for each in slices)
    assert least >= min(size_bytes, MIN_DEFAULT_SLICE_BYTES)
    if size_bytes < MAX_SLICES * 100 * MIB:
        assert max(each.size_bytes for each in slices) <= 100 * MIB


def test_one_long_line_leaves_small_results_on_any_number_of_threads(tmp_path: Path) -> None:
    path = written(tmp_path, "line.fa", b">chr1\n" + b"ACGTTGCATTAG" * (3 * MIB))
    fanfold.run(path, out=tmp_path / "out", workers=64)
    assert open_run(open_place(tmp_path / "out")).results_bytes() < MIB


def test_a_size_that_was_given_is_honoured_up_to_ten_thousand_slices(tmp_path: Path) -> None:
    data = GENOME[:MAX_SLICES]
    whole = fanfold.run(written(tmp_path, "x.fa", data), out=tmp_path / "whole")
    cut = fanfold.run(tmp_path / "x.fa", out=tmp_path / "cut", slice_bytes=1)
    assert len(open_run(open_place(tmp_path / "cut")).slices) == MAX_SLICES
    assert cut.data == whole.data


@pytest.mark.parametrize("way", ["threads", "an executor", "a plan"])
def test_more_slices_are_refused_before_anything_is_written(tmp_path: Path, way: str) -> None:
    path, out = written(tmp_path, "x.fa", GENOME), tmp_path / "out"
    with ThreadPoolExecutor(1) as executor:
        ask: dict[str, Callable[..., object]] = {
            "threads": fanfold.run,
            "an executor": partial(fanfold.run, executor=executor),
            "a plan": fanfold.plan,
        }
        with pytest.raises(ParameterError, match=r"would be 16,002, more than .* 5, or more$"):
            ask[way](path, out=out, slice_bytes=3)
    assert not out.exists()
    assert len(fanfold.plan(path, out=out, slice_bytes=5).slices) == 9602


@pytest.mark.parametrize("way", ["threads", "a plan"])
def test_slices_of_text_are_honoured_and_refused_as_others(tmp_path: Path, way: str) -> None:
    def slices_of(data: bytes) -> int:
        path = written(tmp_path, "x.fa.bz2", bz2.compress(data))
        if way == "a plan":
            return len(fanfold.plan(path, out=tmp_path / "out", slice_bytes=1, fresh=True).slices)
        fanfold.run(path, out=tmp_path / "out", slice_bytes=1, fresh=True)
        return len(open_run(open_place(tmp_path / "out")).slices)

    # Tasks inflate a slice of gzip from the next block on, so that archive is of another format.
    assert slices_of(GENOME[:MAX_SLICES]) == MAX_SLICES
    with pytest.raises(ParameterError, match=r"its text is more than 10,000 slices of 1 bytes"):
        slices_of(GENOME[: MAX_SLICES + 1])


def test_default_slices_of_an_archive_are_no_smaller_for_its_size(tmp_path: Path) -> None:
    path = written(tmp_path, "x.fa.gz", gzip.compress(GENOME))
    assert fanfold.plan(path, out=tmp_path / "out").plan.slice_bytes == MIN_DEFAULT_SLICE_BYTES


def test_slices_of_text_grow_where_nobody_gave_their_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanfold.flow.run.default_slice_bytes", lambda *_: 1)
    path = written(tmp_path, "x.fa.gz", gzip.compress(GENOME))
    fanfold.run(path, out=tmp_path / "out")
    slices = open_run(open_place(tmp_path / "out")).slices
    assert len(slices) < MAX_SLICES
    assert slices[5000].size_bytes == 1
    assert slices[5500].size_bytes == 4
