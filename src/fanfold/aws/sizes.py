"""Sizes of containers, and what a job will take: pure arithmetic on measured rates.

Fargate bills vCPUs and memory by the second from the pull of the image on, a minute at least (AWS
Fargate pricing); the sizes that there are, are those of "Amazon ECS task definition differences for
Fargate".
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from fanfold.api.types import Estimate
from fanfold.archives.formats import Compression
from fanfold.flow.memory import MOST_MEMORY_PER_ROW_BYTE
from fanfold.flow.plan import array_slice_bytes

_MIB = 1024**2

_BASE_BYTES = 256 * _MIB
"""Memory of a task beside its rows: Python, the ranges that are read ahead, the counts of k = 8."""
_MEMORY_PER_SLICE_BYTE = 0.75
"""Memory of the rows of a slice whose records are short, some 100 bases."""

_FOLD_BASE_BYTES = 1024 * _MIB
"""Memory of a fold beside its rows: Python, the results that are read ahead, the pages."""

_TEXT_BYTES_PER_VCPU_SECOND = 200 * _MIB
"""What a vCPU reads from S3 and scans: half of what was measured, for vCPUs differ."""
_INFLATED_BYTES_PER_VCPU_SECOND = 80 * _MIB
"""What it inflates and scans of BGZF or gzip, in bytes of text."""
_INFLATED_BYTES_PER_SECOND: dict[Compression, int] = {"bzip2": 15 * _MIB, "xz": 40 * _MIB}
"""What one thread inflates of a format that is slower than that, in bytes of text: half of what was
measured."""
_RATIO, _MOST_RATIO = 4, 16
"""How much larger the text of an archive is, probably and at most; of DNA in gzip it is 3 to 4.5.
Many genomes of a species in zstd or xz may have more."""

_START_SECONDS = 15
"""What is billed before the work begins: image and interpreter."""
_LEAST_SECONDS = 60
"""The least that is billed."""

_MEMORY_MB: dict[float, range | tuple[int, ...]] = {
    0.25: (512, 1024, 2048),
    0.5: range(1024, 4097, 1024),
    1: range(2048, 8193, 1024),
    2: range(4096, 16385, 1024),
    4: range(8192, 30721, 1024),
    8: range(16384, 61441, 4096),
    16: range(32768, 122881, 8192),
}

_MOST_SCAN_VCPUS = 2
"""A slice is scanned by one thread; another reads ahead."""


class Prices(msgspec.Struct, frozen=True):
    """What Fargate costs in a region, in US dollars.

    Attributes:
        vcpu_hour: a vCPU for an hour, on demand.
        gb_hour: a GB of memory for an hour, on demand.
        address_hour: the public address of a container for an hour; 0 where it has none.
        spot_share: what vCPUs and memory cost of the price on demand; 1 without Spot.
    """

    vcpu_hour: float
    gb_hour: float
    address_hour: float = 0.0
    spot_share: float = 1.0

    def on_demand(self) -> Prices:
        """The same where nothing runs on Spot."""
        return msgspec.structs.replace(self, spot_share=1.0)


class Size(NamedTuple):
    """The size of a container."""

    vcpus: float
    memory_mb: int

    def usd(self, seconds: float, prices: Prices) -> float:
        """What it costs for some seconds."""
        hour = self.vcpus * prices.vcpu_hour + self.memory_mb / 1024 * prices.gb_hour
        return seconds / 3600 * (hour * prices.spot_share + prices.address_hour)


def task_size(slice_bytes: int, compression: Compression) -> Size:
    """The container for a slice: no larger than a minute's work asks for, which is billed anyway.

    The slice of a gzip object is that of its text, which the task inflates.
    Its memory doesn't depend on k: the counts of k = 8 are a megabyte.
    """
    seconds = _scan_seconds(slice_bytes, compression)
    vcpus = next(
        (
            each
            for each in _MEMORY_MB
            if each >= _MOST_SCAN_VCPUS or seconds / each + _START_SECONDS <= _LEAST_SECONDS
        ),
        _MOST_SCAN_VCPUS,
    )
    return fitting(vcpus, _BASE_BYTES + int(slice_bytes * _MEMORY_PER_SLICE_BYTE))


def inflate_size() -> Size:
    """The container that inflates an archive: it reads, inflates and writes at once.

    Of gzip it writes windows only; that frees a thread, not memory.
    """
    return fitting(2, 4096 * _MIB)


def fold_size(rows_bytes: int) -> Size:
    """The container for a fold whose slices have so many bytes of rows."""
    return fitting(2, _FOLD_BASE_BYTES + MOST_MEMORY_PER_ROW_BYTE * rows_bytes)


def fitting(vcpus: float, memory_bytes: int) -> Size:
    """The smallest container with at least so much of both; the largest where none has."""
    for each, sizes in _MEMORY_MB.items():
        if each >= vcpus:
            for memory_mb in sizes:
                if memory_mb * _MIB >= memory_bytes:
                    return Size(each, memory_mb)
    return Size(16, _MEMORY_MB[16][-1])


def estimate(
    size_bytes: int,
    compression: Compression,
    slice_bytes: int,
    prices: Prices,
    inflated_here_bytes: int,
) -> Estimate:
    """What a job over an object will probably take.

    Args:
        size_bytes: the size of the object.
        compression: its format.
        slice_bytes: the size of a slice.
        prices: what containers cost.
        inflated_here_bytes: the largest archive that no container inflates.
    """
    is_inflated = compression not in {"none", "bgzf"}
    inflated_apart = is_inflated and size_bytes > inflated_here_bytes
    expected = _containers(size_bytes, compression, slice_bytes, _RATIO, apart=inflated_apart)
    most = _containers(size_bytes, compression, slice_bytes, _MOST_RATIO, apart=is_inflated)
    return Estimate(
        slices=expected[-1].number,
        vcpu_seconds=math.ceil(sum(each.vcpu_seconds for each in expected)),
        usd=_rounded_usd(expected, prices),
        usd_most=_rounded_usd(most, prices.on_demand()),
    )


def scan_usd(
    text_bytes: int, slice_bytes: int, prices: Prices, compression: Compression = "none"
) -> float:
    """What it will probably cost to scan a text; with `compression` gzip, to inflate it as well."""
    return _rounded_usd([_scan(text_bytes, slice_bytes, compression)], prices)


class _Containers(NamedTuple):
    """Containers of one size, and how long each is billed."""

    number: int
    size: Size
    seconds: float

    @property
    def vcpu_seconds(self) -> float:
        return self.number * self.seconds * self.size.vcpus


def _containers(
    size_bytes: int, compression: Compression, slice_bytes: int, ratio: int, *, apart: bool
) -> list[_Containers]:
    """The containers of a job, those that scan last.

    Args:
        size_bytes: see `estimate`.
        compression: see `estimate`.
        slice_bytes: see `estimate`.
        ratio: how much larger the text is than an archive.
        apart: whether a container inflates it.
    """
    if compression in {"none", "bgzf"}:
        return [_scan(size_bytes, slice_bytes, compression, ratio)]
    text_bytes = size_bytes * ratio
    scan = _scan(text_bytes, slice_bytes, "gzip" if compression == "gzip" else "none")
    if not apart:
        return [scan]
    rate = _INFLATED_BYTES_PER_SECOND.get(compression, _INFLATED_BYTES_PER_VCPU_SECOND)
    seconds = billed_seconds(_START_SECONDS + text_bytes / rate)
    return [_Containers(1, inflate_size(), seconds), scan]


def _scan(
    size_bytes: int, slice_bytes: int, compression: Compression, ratio: int = _RATIO
) -> _Containers:
    slice_bytes = array_slice_bytes(size_bytes, slice_bytes)
    slices = max(1, -(-size_bytes // slice_bytes))
    largest_bytes = min(slice_bytes, size_bytes)
    size = task_size(largest_bytes, compression)
    work_seconds = _scan_seconds(largest_bytes, compression, ratio) / size.vcpus
    return _Containers(slices, size, billed_seconds(_START_SECONDS + work_seconds))


def _rounded_usd(containers: Iterable[_Containers], prices: Prices) -> float:
    return round(sum(each.number * each.size.usd(each.seconds, prices) for each in containers), 4)


def billed_seconds(seconds: float) -> float:
    """What Fargate bills for a container that was there for some seconds."""
    return max(_LEAST_SECONDS, seconds)


def _scan_seconds(slice_bytes: int, compression: Compression, ratio: int = _RATIO) -> float:
    if compression == "bgzf":
        return slice_bytes * ratio / _INFLATED_BYTES_PER_VCPU_SECOND
    if compression == "gzip":
        return slice_bytes / _INFLATED_BYTES_PER_VCPU_SECOND
    return slice_bytes / _TEXT_BYTES_PER_VCPU_SECOND
