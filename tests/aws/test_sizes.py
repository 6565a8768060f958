"""Containers fit the work, are such as Fargate has, and estimates add up."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from fanfold._kernel import Scanner
from fanfold.api.types import Estimate
from fanfold.archives.formats import Compression
from fanfold.aws.deployment import Deployment
from fanfold.aws.sizes import (
    Prices,
    Size,
    billed_seconds,
    estimate,
    fitting,
    fold_size,
    scan_usd,
    task_size,
)
from fanfold.flow.memory import MOST_MEMORY_PER_ROW_BYTE

MIB, GIB = 1024**2, 1024**3
PRICES = Prices(vcpu_hour=0.04048, gb_hour=0.004445)

AGGREGATOR_MEMORY = 3008 * MIB
AGGREGATOR_BASE = 128 * MIB
"""Memory of the function beside its rows; see benchmarks/CLOUD.md."""

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


@pytest.mark.parametrize(
    "text",
    [
        b">\n" * 1000,
        b">a\n" * 1000,
        b">\nA\n" * 1000,
        b">x\n" + b"NA" * 1000,
        b">x\n" + (b"N" * 100 + b"A" * 900) * 1000,
        b"".join(b">NODE_%d\n%b\n" % (number, b"ACGT" * 90) for number in range(1000)),
    ],
)
def test_no_fold_takes_more_memory_for_its_rows_than_it_gets(text: bytes) -> None:
    scanner = Scanner(5)
    scanner.update(text)
    memory_bytes = scanner.rows_memory_bytes
    rows_bytes = len(scanner.finish().rows())

    assert memory_bytes <= MOST_MEMORY_PER_ROW_BYTE * rows_bytes
    for times in (1, 100_000):
        size_bytes = fold_size(times * rows_bytes).memory_mb * MIB
        assert size_bytes >= GIB + times * memory_bytes


def test_what_the_aggregator_folds_fits_its_memory_whatever_the_rows_are() -> None:
    (here_bytes,) = (
        each.default for each in fields(Deployment) if each.name == "folded_here_bytes"
    )

    assert MOST_MEMORY_PER_ROW_BYTE * here_bytes + AGGREGATOR_BASE <= AGGREGATOR_MEMORY


def test_slices_of_the_default_size_take_the_smallest_container() -> None:
    assert task_size(100 * MIB, "none") == Size(0.25, 512)


def test_a_container_grows_with_the_slice_and_with_what_it_inflates() -> None:
    assert task_size(5 * GIB, "none") > task_size(100 * MIB, "none")
    assert task_size(500 * MIB, "bgzf").vcpus > task_size(500 * MIB, "none").vcpus


def test_what_no_container_has_gets_the_largest() -> None:
    assert fitting(1, 500 * GIB) == Size(16, 122880)


def estimated(
    size_bytes: int,
    compression: Compression = "none",
    slice_bytes: int = 100 * MIB,
    prices: Prices = PRICES,
) -> Estimate:
    return estimate(size_bytes, compression, slice_bytes, prices, inflated_here_bytes=256 * MIB)


def test_an_estimate_is_slices_times_the_least_that_is_billed() -> None:
    human = estimated(3_300_000_000)

    assert human.slices == 32
    assert human.vcpu_seconds == 32 * 60 * 0.25
    assert human.usd == round(32 * (60 / 3600) * (0.25 * 0.04048 + 0.5 * 0.004445), 4)
    assert human.usd_most == human.usd


def test_an_estimate_never_has_more_slices_than_an_array() -> None:
    assert estimated(10**13, slice_bytes=1).slices <= 10_000
    assert estimated(0, slice_bytes=1).slices == 1


def test_an_archive_is_estimated_by_its_text() -> None:
    assert estimated(10**9, "gzip").slices == 39


def test_an_estimate_has_the_public_address() -> None:
    addressed = msgspec.structs.replace(PRICES, address_hour=0.005)

    bare, human = estimated(3_300_000_000), estimated(3_300_000_000, prices=addressed)

    assert human.usd == pytest.approx(bare.usd + 32 * 0.005 / 60, abs=1e-4)
    assert human.usd > 1.35 * bare.usd


def test_spot_is_cheaper_but_at_most_as_dear_as_on_demand() -> None:
    addressed = msgspec.structs.replace(PRICES, address_hour=0.005)
    spot = msgspec.structs.replace(addressed, spot_share=0.3)

    demanded, cheap = (estimated(10**12, prices=each) for each in (addressed, spot))

    assert cheap.usd < 0.6 * demanded.usd  # the address costs the same
    assert cheap.usd_most == demanded.usd_most == demanded.usd


@pytest.mark.parametrize("compression", ["gzip", "zstd", "bzip2", "xz"])
def test_a_large_archive_is_inflated_in_a_container_that_costs(compression: Compression) -> None:
    here, apart = estimated(256 * MIB, compression), estimated(256 * MIB + 1, compression)

    assert apart.vcpu_seconds >= here.vcpu_seconds + 2 * 60
    assert apart.usd > here.usd


@pytest.mark.parametrize("compression", ["gzip", "zstd", "bzip2", "xz", "bgzf"])
def test_an_archive_may_hold_more_text_than_is_expected(compression: Compression) -> None:
    told = estimated(10 * GIB, compression)

    assert told.usd_most is not None
    assert told.usd_most > 1.5 * told.usd


def test_a_text_is_scanned_for_what_its_estimate_says() -> None:
    assert scan_usd(3_300_000_000, 100 * MIB, PRICES) == estimated(3_300_000_000).usd


def test_less_than_a_minute_is_billed_as_one() -> None:
    assert [billed_seconds(each) for each in (0, 59, 61)] == [60, 60, 61]


def test_a_task_that_inflates_a_large_slice_has_more_of_a_processor() -> None:
    scanned, inflated = task_size(2 * GIB, "none"), task_size(2 * GIB, "gzip")

    assert inflated.vcpus > scanned.vcpus
    assert inflated.memory_mb == scanned.memory_mb
    assert scan_usd(10**12, 2 * GIB, PRICES, "gzip") > scan_usd(10**12, 2 * GIB, PRICES)
