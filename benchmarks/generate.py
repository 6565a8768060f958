"""A seeded generator of a genome of human size, as FASTA.

    python benchmarks/generate.py OUT.fa --bases 3_100_000_000 --seed 1

What makes a genome hard or easy to count is there: 24 chromosomes and 300 scaffolds, isochores, few
CpG, copies of some hundred repeats (mutated and soft-masked), microsatellites and satellites, and
runs of N. The bytes are a pure function of `--bases`, `--seed` and `VERSION`: they are drawn from
numpy's PCG64 as integers only, so that no rounding of any machine is in them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]
"""A residue a byte: bits 0 and 1 are the base (A=0 C=1 G=2 T=3), bit 2 is lowercase; 8 is N."""
Integers = npt.NDArray[np.int64]

VERSION = 1
"""Raised whenever other bytes come out for the same seed."""
COLUMNS = 80
CHUNK_BASES = 100_000 * COLUMNS
"""What is drawn at once: it bounds the memory, and repeats are cut at its ends."""
MIN_BASES = 100_000

AUTOSOME_MBASES = (
    248, 242, 198, 190, 182, 171, 159, 145, 138, 134, 135,
    133, 114, 107, 102, 90, 83, 80, 59, 64, 47, 51,
)  # fmt: skip
CHROMOSOME_MBASES = {
    **{f"chr{number}": size for number, size in enumerate(AUTOSOME_MBASES, 1)},
    "chrX": 156,
    "chrY": 57,
}
SCAFFOLDS = 300
SCAFFOLDS_SHARE = 250
"""One base in this many is on a scaffold."""

LOWERCASE, N = 4, 8
ASCII = b"ACGTacgtN".ljust(256, b"?")
CPG_KEPT_OF_256 = 56
ISOCHORE_BASES = 80_000
ISOCHORE_GC_OF_256 = (101, 105, 109, 112, 116, 122, 130)
"""Before most CpG decay, which takes 3 to 4 % of all bases out of G and C."""
REPEAT_GC_OF_256 = 114


def main() -> None:
    """Write the genome that the command line asks for."""
    parser = argparse.ArgumentParser(description="Generate a genome of human size as FASTA.")
    parser.add_argument("--version", action="version", version=f"{VERSION}")
    parser.add_argument("out", type=Path)
    parser.add_argument("--bases", type=int, default=3_100_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.bases < MIN_BASES:
        parser.error(f"--bases is {arguments.bases}: it must be {MIN_BASES} or more")
    generate(arguments.out, arguments.bases, arguments.seed)


def generate(path: Path, bases: int, seed: int) -> None:
    """Write a genome of exactly `bases` residues; `path` appears only when it is whole."""
    rng = np.random.Generator(np.random.PCG64(seed))
    library = Library.draw(rng)
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("wb") as file:
        for name, length in record_lengths(rng, bases):
            file.write(f">{name}\n".encode())
            write_record(file, rng, library, length)
    unfinished.replace(path)


def record_lengths(rng: np.random.Generator, bases: int) -> list[tuple[str, int]]:
    """Names and lengths of all records, which add up to `bases`."""
    on_scaffolds = bases // SCAFFOLDS_SHARE
    names = [f"scaffold_{number:04}" for number in range(1, SCAFFOLDS + 1)]
    lengths = shared_out(on_scaffolds, rng.integers(1, 100, SCAFFOLDS).tolist())
    chromosomes = shared_out(bases - on_scaffolds, list(CHROMOSOME_MBASES.values()))
    return [*zip(CHROMOSOME_MBASES, chromosomes, strict=True), *zip(names, lengths, strict=True)]


def shared_out(total: int, weights: list[int]) -> list[int]:
    """`total` in parts as the weights are; the first part gets what rounding leaves."""
    parts = [total * weight // sum(weights) for weight in weights]
    parts[0] += total - sum(parts)
    return parts


def write_record(file: IO[bytes], rng: np.random.Generator, library: Library, length: int) -> None:
    """Write the lines of one record."""
    gaps = n_runs(rng, length)
    for start in range(0, length, CHUNK_BASES):
        size = min(CHUNK_BASES, length - start)
        codes = chunk(rng, library, size)
        for gap_start, gap_end in gaps:
            codes[max(0, gap_start - start) : max(0, gap_end - start)] = N
        write_lines(file, codes)


def n_runs(rng: np.random.Generator, length: int) -> list[tuple[int, int]]:
    """The (start, end) of runs of N, 5 % of a record: telomeres, centromere and others."""
    telomere, centromere = min(10_000, length // 200), min(3_000_000, length // 40)
    middle = int(rng.integers(length // 4, length // 2 + 1))
    runs = [
        (0, telomere),
        (middle, middle + centromere),
        (length - telomere, length),
    ]
    left = length // 20 - 2 * telomere - centromere
    while left > 0:
        size = min(left, int(rng.integers(1, 2 << int(rng.integers(6, 20)))))
        start = int(rng.integers(0, length - size + 1))
        runs.append((start, start + size))
        left -= size
    return runs


def chunk(rng: np.random.Generator, library: Library, size: int) -> Codes:
    """Residues without N: unique sequence in isochores, with copies of repeats laid over it."""
    noise = rng.bytes(size)
    gc_classes = rng.integers(0, len(ISOCHORE_TABLES), size // ISOCHORE_BASES + 1).tolist()
    background = bytearray()
    for number, gc_class in enumerate(gc_classes):
        start = number * ISOCHORE_BASES
        background += noise[start : start + ISOCHORE_BASES].translate(ISOCHORE_TABLES[gc_class])
    codes = np.frombuffer(background, np.uint8)
    for begin, source, length, table in library.copies(rng, size):
        end = min(begin + length, size)
        mutations = np.frombuffer(noise[begin:end].translate(table), np.uint8)
        np.bitwise_xor(
            library.codes[source : source + end - begin], mutations, out=codes[begin:end]
        )
    decay_cpg(rng, codes)
    return codes


def decay_cpg(rng: np.random.Generator, codes: Codes) -> None:
    """Turn most CG into TG or CA, in place, as methylation does."""
    bases = codes & 3
    cytosines = np.flatnonzero((bases[:-1] == 1) & (bases[1:] == 2))
    draws = np.frombuffer(rng.bytes(2 * len(cytosines)), np.uint8).reshape(2, -1)
    decayed = draws[0] >= CPG_KEPT_OF_256
    codes[cytosines[decayed] + (draws[1][decayed] & 1)] ^= 2


def write_lines(file: IO[bytes], codes: Codes) -> None:
    """Write residues as lines of 80 columns; the last one may be shorter."""
    text = np.frombuffer(codes.tobytes().translate(ASCII), np.uint8)
    whole = len(text) // COLUMNS * COLUMNS
    lines = np.full((whole // COLUMNS, COLUMNS + 1), ord("\n"), np.uint8)
    lines[:, :COLUMNS] = text[:whole].reshape(-1, COLUMNS)
    file.write(lines.data)
    if whole < len(text):
        file.write(text[whole:].tobytes() + b"\n")


def base_table(gc_of_256: int) -> bytes:
    """A table from a random byte to a base: of 256 bytes, so many give G or C."""
    gc, at = gc_of_256 // 2, (256 - gc_of_256) // 2
    return bytes([1] * gc + [2] * (gc_of_256 - gc) + [0] * at + [3] * (256 - gc_of_256 - at))


def mutation_table(changed_of_256: int) -> bytes:
    """A table from a random byte to what is XORed on a code: 0, or 1 to 3 for another base."""
    return bytes(1 + byte % 3 if byte < changed_of_256 else 0 for byte in range(256))


ISOCHORE_TABLES = [base_table(gc) for gc in ISOCHORE_GC_OF_256]
TANDEM_TABLE = mutation_table(6)
INTERSPERSED_TABLES = [mutation_table(changed) for changed in (27, 30, 33, 36, 39)]
"""From 10.5 to 15.2 % of the bases."""


@dataclass(frozen=True)
class Library:
    """The repeats of a genome, each on both strands, in one array.

    Attributes:
        codes: all repeats in a row, in lowercase.
        starts: where each begins in `codes`.
        lengths: how long each is.
        deck: the number of a repeat as often as it is common; copies are drawn from it.
        tandem_from: repeats with this number or a higher one are tandem repeats.
        mean_gap: the bases between two copies, on average.
    """

    codes: Codes
    starts: Integers
    lengths: Integers
    deck: Integers
    tandem_from: int
    mean_gap: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Library:
        """A library with half of the residues in repeats."""
        short = [interspersed(rng, 300, 350, tail=20) for _ in range(120)]
        middling = [interspersed(rng, 400, 3_000) for _ in range(160)]
        long = [interspersed(rng, 3_000, 6_000, tail=30) for _ in range(120)]
        micro = [tandem(rng, unit=(1, 6), length=(20, 150)) for _ in range(200)]
        satellites = [tandem(rng, unit=(10, 200), length=(500, 6_000)) for _ in range(40)]
        weighted = [(short, 12), (middling, 3), (long, 2), (micro, 6), (satellites, 1)]

        strands = [(strand, weight) for family, weight in weighted for one in family
                   for strand in (one, (one ^ 3)[::-1])]  # fmt: skip
        lengths = np.array([len(strand) for strand, _ in strands], np.int64)
        deck = np.repeat(np.arange(len(strands)), [weight for _, weight in strands])
        return cls(
            codes=np.concatenate([strand for strand, _ in strands]) | np.uint8(LOWERCASE),
            starts=np.cumsum(lengths) - lengths,
            lengths=lengths,
            deck=deck,
            tandem_from=2 * (len(short) + len(middling) + len(long)),
            mean_gap=int(lengths[deck].sum()) * 62 // (len(deck) * 100),
        )

    def copies(self, rng: np.random.Generator, size: int) -> list[tuple[int, int, int, bytes]]:
        """The copies in `size` residues: (begin, start in `codes`, length, mutation table)."""
        spacing = self.mean_gap + int(self.lengths[self.deck].mean()) // 2
        count = size // spacing * 5 // 4 + 16
        repeat = self.deck[rng.integers(0, len(self.deck), count)]
        length = self.lengths[repeat] * rng.integers(30, 101, count) // 100
        skipped = rng.integers(0, self.lengths[repeat] - length + 1)
        begin = np.cumsum(rng.integers(0, 2 * self.mean_gap, count) + length) - length
        age = rng.integers(0, len(INTERSPERSED_TABLES), count)
        inside = begin < size
        return [
            (
                at,
                source,
                bases,
                INTERSPERSED_TABLES[a] if number < self.tandem_from else TANDEM_TABLE,
            )
            for at, source, bases, a, number in zip(
                begin[inside].tolist(),
                (self.starts[repeat] + skipped)[inside].tolist(),
                length[inside].tolist(),
                age[inside].tolist(),
                repeat[inside].tolist(),
                strict=True,
            )
        ]


def interspersed(rng: np.random.Generator, shortest: int, longest: int, tail: int = 0) -> Codes:
    """A random element of between so many bases, its last `tail` ones A."""
    element = random_bases(rng, int(rng.integers(shortest, longest + 1)))
    element[len(element) - tail :] = 0
    return element


def tandem(rng: np.random.Generator, unit: tuple[int, int], length: tuple[int, int]) -> Codes:
    """A random unit in copies one behind the other; both sizes are (least, most) bases."""
    bases = random_bases(rng, int(rng.integers(unit[0], unit[1] + 1)))
    return np.resize(bases, int(rng.integers(length[0], length[1] + 1)))


def random_bases(rng: np.random.Generator, size: int) -> Codes:
    """Bases of the composition of repeats."""
    codes = rng.bytes(size).translate(base_table(REPEAT_GC_OF_256))
    return np.frombuffer(bytearray(codes), np.uint8)


if __name__ == "__main__":
    main()
