"""Tables of k-mers in an object store are those on a disk, read by ranges."""

from __future__ import annotations

from pathlib import Path

import pytest
from kmer_parts import report_with, rows_of
from naive_kmers import naive_kmers

import fanfold
from fanfold.errors import OutputError
from stores.driving import Bucket

TEXT = b">a\n" + b"ACGTTGCATTTACGAGGGTTCCACCATGACGTAGGCTAAC" * 3 + b"\n"
PART = "kmers/k21/part-00001.parquet"


def test_tables_are_read_from_a_store(bucket: Bucket, prefix: str, tmp_path: Path) -> None:
    out = report_with(tmp_path, TEXT, [5, 21], canonical=True, part_rows=10)
    counts = naive_kmers(TEXT, 21, canonical=True)
    files = [path for path in out.rglob("*") if path.is_file()]
    for path in files:
        bucket.put(f"{prefix}/{path.relative_to(out).as_posix()}", path.read_bytes())
    table = fanfold.open_kmers(f"{bucket.url}/{prefix}", 21)

    rows = [row for block in table.blocks() for row in zip(*block, strict=True)]
    assert rows == rows_of(counts)
    assert table.get([*reversed(counts), "A" * 21]) == [*reversed(counts.values()), 0]
    assert table.overlap(fanfold.open_kmers(out, 21)).jaccard == 1.0
    damaged = (out / PART).read_bytes()
    bucket.put(f"{prefix}/{PART}", damaged[:60] + bytes([damaged[60] ^ 1]) + damaged[61:])
    with pytest.raises(OutputError, match=r"part-00001\.parquet: not what was written"):
        fanfold.open_kmers(f"{bucket.url}/{prefix}", 21).get([*counts])
