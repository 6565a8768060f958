"""Sizes of containers, and what a job will take: pure arithmetic on measured rates.

Fargate bills vCPUs and memory by the second from the pull of the image on, a minute at least (AWS
Fargate pricing); the sizes that there are, are those of "Amazon ECS task definition differences for
Fargate".
"""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from fanfold.api import Estimate
from fanfold.archives.formats import Compression
from fanfold.flow.plan import array_slice_bytes

_MIB = 1024**2

_BASE_BYTES = 256 * _MIB
"""Memory of a task beside its rows: Python, the ranges that are read ahead, the counts of k = 8."""
_MEMORY_PER_SLICE_BYTE = 0.75
"""Memory of the rows of a slice whose records are short, some 100 bases."""

_TEXT_BYTES_PER_VCPU_SECOND = 200 * _MIB
"""What a vCPU reads from S3 and scans: half of what was measured, for vCPUs differ."""
_INFLATED_BYTES_PER_VCPU_SECOND = 80 * _MIB
"""What it inflates and scans of BGZF, in bytes of text."""
_RATIO = 4
"""How much larger the text of an archive is; of DNA in gzip it is 3 to 4.5."""

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
        vcpu_hour: a vCPU for an hour.
        gb_hour: a GB of memory for an hour.
    """

    vcpu_hour: float
    gb_hour: float


class Size(NamedTuple):
    """The size of a container."""

    vcpus: float
    memory_mb: int

    def usd(self, seconds: float, prices: Prices) -> float:
        """What it costs for some seconds."""
        hours = seconds / 3600
        return hours * (self.vcpus * prices.vcpu_hour + self.memory_mb / 1024 * prices.gb_hour)


def task_size(slice_bytes: int, compression: Compression) -> Size:
    """The container for a slice: no larger than a minute's work asks for, which is billed anyway.

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
    """The container that inflates an archive: it reads, inflates and writes at once."""
    return fitting(2, 4096 * _MIB)


def fold_size(rows_bytes: int) -> Size:
    """The container for a fold whose slices have so many bytes of rows."""
    return fitting(2, 1024 * _MIB + 4 * rows_bytes)


def fitting(vcpus: float, memory_bytes: int) -> Size:
    """The smallest container with at least so much of both; the largest where none has."""
    for each, sizes in _MEMORY_MB.items():
        if each >= vcpus:
            for memory_mb in sizes:
                if memory_mb * _MIB >= memory_bytes:
                    return Size(each, memory_mb)
    return Size(16, _MEMORY_MB[16][-1])


def estimate(
    size_bytes: int, compression: Compression, slice_bytes: int, prices: Prices
) -> Estimate:
    """What a job over an object will probably take."""
    inflates = compression not in {"none", "bgzf"}
    cut_bytes = size_bytes * _RATIO if inflates else size_bytes
    each_bytes = array_slice_bytes(cut_bytes, slice_bytes)
    slices = max(1, -(-cut_bytes // each_bytes))
    scanned = "none" if inflates else compression
    size = task_size(min(each_bytes, cut_bytes), scanned)
    work_seconds = _scan_seconds(min(each_bytes, cut_bytes), scanned) / size.vcpus
    seconds = billed_seconds(_START_SECONDS + work_seconds)
    return Estimate(
        slices=slices,
        vcpu_seconds=math.ceil(slices * seconds * size.vcpus),
        usd=round(slices * size.usd(seconds, prices), 4),
    )


def billed_seconds(seconds: float) -> float:
    """What Fargate bills for a container that was there for some seconds."""
    return max(_LEAST_SECONDS, seconds)


def _scan_seconds(slice_bytes: int, compression: Compression) -> float:
    if compression == "bgzf":
        return slice_bytes * _RATIO / _INFLATED_BYTES_PER_VCPU_SECOND
    return slice_bytes / _TEXT_BYTES_PER_VCPU_SECOND
