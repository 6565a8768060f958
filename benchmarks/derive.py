"""Inputs that are cut from the generated genome, written to stdout.

python benchmarks/derive.py single-line GENOME.fa
python benchmarks/derive.py short-records GENOME.fa --records 10_000_000
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

BLOCK_BYTES = 8 << 20
RECORD_BASES = 100
NAME_DIGITS = 8


def main() -> None:
    """Write the input that the command line names."""
    parser = argparse.ArgumentParser(description="Derive an input from the generated genome.")
    parser.add_argument("what", choices=["single-line", "short-records"])
    parser.add_argument("genome", type=Path)
    parser.add_argument("--records", type=int, default=10_000_000)
    arguments = parser.parse_args()
    if arguments.what == "single-line":
        single_line(arguments.genome, sys.stdout.buffer)
    else:
        short_records(arguments.genome, sys.stdout.buffer, arguments.records)


def single_line(genome: Path, out: BinaryIO) -> None:
    """Write all residues of a genome as one record on one line."""
    out.write(b">everything\n")
    out.writelines(residue_blocks(genome))
    out.write(b"\n")


def short_records(genome: Path, out: BinaryIO, records: int) -> None:
    """Write the first residues of a genome as so many records of `RECORD_BASES`."""
    written = 0
    left_over = b""
    for block in residue_blocks(genome):
        residues = left_over + block
        count = min(len(residues) // RECORD_BASES, records - written)
        out.write(record_text(residues[: count * RECORD_BASES], written))
        left_over = residues[count * RECORD_BASES :]
        written += count
        if written == records:
            return
    sys.exit(f"{genome.name} is too short for {records} records: it has {written}")


def record_text(residues: bytes, first: int) -> bytes:
    """Records `>00000001`, one line of residues each; `first` is the number of the first."""
    rows = np.frombuffer(residues, np.uint8).reshape(-1, RECORD_BASES)
    numbers = np.arange(first, first + len(rows))
    powers = 10 ** np.arange(NAME_DIGITS - 1, -1, -1)
    text = np.full((len(rows), 1 + NAME_DIGITS + 1 + RECORD_BASES + 1), ord("\n"), np.uint8)
    text[:, 0] = ord(">")
    text[:, 1 : 1 + NAME_DIGITS] = numbers[:, np.newaxis] // powers % 10 + ord("0")
    text[:, 2 + NAME_DIGITS : -1] = rows
    return text.tobytes()


def residue_blocks(genome: Path) -> Iterator[bytes]:
    """The residues of all records, without headers and line ends."""
    with genome.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            lines = block + file.readline()
            yield re.sub(rb">[^\n]*\n", b"", lines).translate(None, b"\n")


if __name__ == "__main__":
    main()
