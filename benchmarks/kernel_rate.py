"""The speed of the kernel on one core, in memory, as one JSON line.

    python benchmarks/kernel_rate.py GENOME.fa --k 5

It prints the median of some passes over the file's bytes: `gbases_per_second` counts the A, C, G
and T alone, so that neither N nor line ends flatter it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import fanfold._kernel as kernel

BLOCK_BYTES = 256 * 1024
PASSES = 5
MAX_BYTES = 256 * 1024 * 1024


def main() -> None:
    """Measure the file that the command line names."""
    parser = argparse.ArgumentParser(description="Measure the kernel on one core, in memory.")
    parser.add_argument("genome", type=Path)
    parser.add_argument("--k", type=int, nargs="*", default=[5])
    arguments = parser.parse_args()
    with arguments.genome.open("rb") as file:
        text = file.read(MAX_BYTES)
    print(json.dumps({"gbases_per_second": kernel_rate(text, arguments.k)}))


def kernel_rate(text: bytes, ks: list[int]) -> float:
    """Giga-bases a second: k-mers, composition, records, gaps and CRC in the same pass."""
    view = memoryview(text)
    seconds = []
    for _ in range(PASSES):
        started = time.perf_counter()
        scan(view, ks)
        seconds.append(time.perf_counter() - started)
    return count_bases(text) / statistics.median(seconds) / 1e9


def scan(view: memoryview, ks: list[int]) -> None:
    """One pass of the kernel: the only place here that knows how it is called."""
    scanner = kernel.Scanner(max(ks))
    crc = 0
    for start in range(0, len(view), BLOCK_BYTES):
        block = view[start : start + BLOCK_BYTES]
        scanner.update(block)
        crc = kernel.crc64nvme(block, crc)
    scanner.finish()


def count_bases(text: bytes) -> int:
    """How many A, C, G and T, in either case, the sequence lines have."""
    lines = (line for line in text.split(b"\n") if not line.startswith(b">"))
    return sum(len(line) - len(line.translate(None, b"ACGTacgt")) for line in lines)


if __name__ == "__main__":
    main()
