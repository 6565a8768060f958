"""Tables of k-mers from 9 on: as they are defined, and as the files of a report have them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from fanfold._kernel import read_kmer_part

_COMPLEMENT = str.maketrans("ACGT", "TGCA")


def naive_kmers(text: bytes, k: int, *, canonical: bool) -> dict[str, int]:
    """The count of each k-mer of FASTA text that has no odd lines."""
    counts: Counter[str] = Counter()
    for record in re.split(r"^>.*$", text.decode(), flags=re.MULTILINE):
        residues = "".join(record.split()).upper()
        for run in re.findall("[ACGT]+", residues):
            for start in range(len(run) - k + 1):
                kmer = run[start : start + k]
                back = kmer.translate(_COMPLEMENT)[::-1] if canonical else kmer
                counts[min(kmer, back)] += 1
    return dict(sorted(counts.items()))


def table_of(out: Path, k: int) -> dict[str, int]:
    """The rows of a report's table, in their order."""
    rows: dict[str, int] = {}
    last = -1
    for path in sorted((out / "kmers" / f"k{k}").iterdir()):
        part = read_kmer_part(path)
        assert part["k"] == k
        codes, counts = memoryview(part["codes"]).cast("Q"), memoryview(part["counts"]).cast("Q")
        for code, count in zip(codes, counts, strict=True):
            assert code > last
            last = code
            rows["".join("ACGT"[code >> 2 * place & 3] for place in reversed(range(k)))] = count
    return rows


def kmer_files(out: Path) -> dict[str, bytes]:
    """The bytes of the files of all tables."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in (out / "kmers").rglob("*")
        if path.is_file()
    }
