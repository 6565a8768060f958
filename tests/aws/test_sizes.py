"""Containers fit the work, are such as Fargate has, and estimates add up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fanfold.aws.sizes import (
    Prices,
    Size,
    billed_seconds,
    estimate,
    fitting,
    fold_size,
    task_size,
)

MIB, GIB = 1024**2, 1024**3
PRICES = Prices(vcpu_hour=0.04048, gb_hour=0.004445)

FARGATE = {
    0.25: {512, 1024, 2048},
    0.5: set(range(1024, 4097, 1024)),
    1: set(range(2048, 8193, 1024)),
    2: set(range(4096, 16385, 1024)),
    4: set(range(8192, 30721, 1024)),
    8: set(range(16384, 61441, 4096)),
    16: set(range(32768, 122881, 8192)),
}
"""Amazon ECS developer guide, "Task CPU and memory"."""


@given(st.integers(0, 6 * GIB), st.sampled_from(["none", "bgzf"]))
def test_every_size_of_a_task_is_one_that_fargate_has(slice_bytes: int, compression: str) -> None:
    size = task_size(slice_bytes, "bgzf" if compression == "bgzf" else "none")

    assert size.memory_mb in FARGATE[size.vcpus]
    assert size.memory_mb * MIB >= slice_bytes * 0.75


@given(st.integers(0, 200 * GIB))
def test_every_size_of_a_fold_is_one_that_fargate_has(rows_bytes: int) -> None:
    size = fold_size(rows_bytes)

    assert size.memory_mb in FARGATE[size.vcpus]


def test_slices_of_the_default_size_take_the_smallest_container() -> None:
    assert task_size(100 * MIB, "none") == Size(0.25, 512)


def test_a_container_grows_with_the_slice_and_with_what_it_inflates() -> None:
    assert task_size(5 * GIB, "none") > task_size(100 * MIB, "none")
    assert task_size(500 * MIB, "bgzf").vcpus > task_size(500 * MIB, "none").vcpus


def test_what_no_container_has_gets_the_largest() -> None:
    assert fitting(1, 500 * GIB) == Size(16, 122880)


def test_an_estimate_is_slices_times_the_least_that_is_billed() -> None:
    human = estimate(3_300_000_000, "none", 100 * MIB, PRICES)

    assert human.slices == 32
    assert human.vcpu_seconds == 32 * 60 * 0.25
    assert human.usd == round(32 * (60 / 3600) * (0.25 * 0.04048 + 0.5 * 0.004445), 4)


def test_an_estimate_never_has_more_slices_than_an_array() -> None:
    assert estimate(10**13, "none", 1, PRICES).slices <= 10_000
    assert estimate(0, "none", 1, PRICES).slices == 1


def test_an_archive_is_estimated_by_its_text() -> None:
    assert estimate(10**9, "gzip", 100 * MIB, PRICES).slices == 39


def test_less_than_a_minute_is_billed_as_one() -> None:
    assert [billed_seconds(each) for each in (0, 59, 61)] == [60, 60, 61]
