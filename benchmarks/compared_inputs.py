"""The inputs of `compared.py`, and the naive answers: no tool is asked what is right."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from compared_cases import CHROMOSOME, DRAFT, FOUR_HUNDRED, LARGE, SIX

HERE = Path(__file__).resolve().parent
TEST_DATA = HERE.parent / "tests" / "data"

Answer = dict[str, str]
"""What is right, as digits, by the name of the fact."""

REAL_DRAFT, REAL_CHROMOSOME = "P_knowlesi_draft.fa.gz", "hs37_chr20.fa.gz"
REAL_SIX = (
    REAL_DRAFT,
    "S_cerevisiae_16chr.fa",
    "S_aureus_draft767.fa",
    "V_cholerae_draft1407.fa",
    "454AllContigs_mixedcase.fna",
    "ecoli_K12_GCF_000005845.2.fna.gz",
)
FILES, FILE_BASES, LINE = 400, 64_000, 80


def make_inputs(genomes: Path, large_bases: int) -> dict[str, Answer]:
    """Make the inputs in the current folder; what is right of each that could be made."""
    known: dict[str, Answer] = {}
    if (genomes / REAL_DRAFT).exists():
        shutil.copyfile(genomes / REAL_DRAFT, f"{DRAFT}.gz")
        inflate(genomes / REAL_DRAFT, Path(DRAFT))
        known[DRAFT] = known[f"{DRAFT}.gz"] = known["-"] = answer_of(Path(DRAFT))
        known |= make_mistakes(Path(f"{DRAFT}.gz"))
    if (genomes / REAL_CHROMOSOME).exists():
        inflate(genomes / REAL_CHROMOSOME, Path(CHROMOSOME))
        known[CHROMOSOME] = answer_of(Path(CHROMOSOME))
    if all((genomes / name).exists() for name in REAL_SIX):
        Path("six").mkdir(exist_ok=True)
        for name in REAL_SIX:
            inflate(genomes / name, Path("six", f"{name.partition('.')[0]}.fa"))
        known[SIX] = {}
    large = Path(LARGE)
    if not large.exists():
        script = f"{HERE / 'generate.py'}"
        subprocess.run([sys.executable, script, LARGE, "--bases", f"{large_bases}"], check=True)
    known[LARGE] = answer_of_lines(large)
    make_many(large)
    known[FOUR_HUNDRED] = {}
    return known


def inflate(source: Path, target: Path) -> None:
    """A copy of a file, without gzip."""
    if not target.exists():
        data = source.read_bytes()
        target.write_bytes(gzip.decompress(data) if source.suffix == ".gz" else data)


def make_many(large: Path) -> None:
    """Files of one record each, from the middle of the large genome."""
    Path("many").mkdir(exist_ok=True)
    with large.open("rb") as file:
        file.seek(large.stat().st_size // 3)
        file.readline()
        for number in range(FILES):
            lines = [file.readline() for _ in range(FILE_BASES // LINE)]
            text = b"".join(line for line in lines if not line.startswith(b">"))
            Path("many", f"genome{number:03}.fa").write_bytes(b">one\n" + text)


def make_mistakes(archive: Path) -> dict[str, Answer]:
    """What people give by mistake. Where an answer can be right, it is known."""
    whole = archive.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    bases = b"ACGTTGCAAC" * 8
    files = {
        "cut.fa.gz": whole[: len(whole) * 2 // 3],
        "flipped.fa.gz": flipped,
        "reads.fq": b"".join(b"@r%d\n%s\n+\n%s\n" % (n, bases, b"I" * 80) for n in range(1000)),
        "protein.fa": b">p1\n"
        + b"MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVK\n" * 9,
        "page.html": b"<!DOCTYPE html>\n<html><body><h1>404 Not Found</h1></body></html>\n",
        "utf16.fa": (">one\n" + "ACGT" * 20 + "\n").encode("utf-16"),
        "empty.fa": b"",
        "twice.fa": b">one\n" + bases + b"\n>one\n" + bases + b"\n",
    }
    for name, data in files.items():
        Path(name).write_bytes(data)
        Path(f"{name}.fai").unlink(missing_ok=True)
    return {name: {} for name in files} | {
        "reads.fq": {"length": "80000"},
        "protein.fa": {"length": f"{9 * 58}"},
        "twice.fa": {"length": "160"},
    }


def answer_of(path: Path) -> Answer:
    """The naive answer about a genome that fits in memory."""
    records = [
        b"".join(text.split(b"\n")[1:]).upper() for text in path.read_bytes().split(b">")[1:]
    ]
    lengths = [len(record) for record in records]
    runs = [len(run) for record in records for run in re.findall(rb"[ACGT]+", record)]
    gaps = sum(len(re.findall(rb"N+", record)) for record in records)
    return answer_of_lengths(lengths) | {
        "gaps": f"{gaps}",
        **{f"{k}-mers": f"{sum(max(0, run - k + 1) for run in runs)}" for k in (5, 8)},
    }


def answer_of_lines(path: Path) -> Answer:
    """The naive answer about a genome that doesn't: its lengths alone."""
    return answer_of_lengths(list(lengths_of(path)))


def lengths_of(path: Path) -> Iterator[int]:
    """The length of each record."""
    length = -1
    with path.open("rb") as file:
        for line in file:
            if line.startswith(b">"):
                if length >= 0:
                    yield length
                length = 0
            else:
                length += len(line) - 1
    yield length


def answer_of_lengths(lengths: list[int]) -> Answer:
    """What the lengths of records say."""
    ordered, total = sorted(lengths, reverse=True), sum(lengths)
    sums = accumulate(ordered)
    n50 = next(length for length, so_far in zip(ordered, sums, strict=True) if 2 * so_far >= total)
    aun = sum(length * length for length in lengths) / total
    return {
        "length": f"{total}",
        "records": f"{len(lengths)}",
        "N50": f"{n50}",
        "auN": f"{aun:.3f}",
    }
