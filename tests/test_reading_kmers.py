"""The calls of docs/kmers.md read tables of k-mers as they are."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from naive_kmers import naive_kmers

import fanfold

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / ".venv-tables" / "bin" / "python"

SHOWN = {
    "duckdb": """
tables = {"union": union, "intersection": intersection, "difference": difference}
found = {name: table.order("kmer").fetchall() for name, table in tables.items()}
found["samples"] = samples.project("kmer, a, b").order("kmer").fetchall()
""",
    "polars": """
tables = {"union": union, "intersection": intersection, "difference": difference}
found = {name: table.sort("kmer").collect().rows() for name, table in tables.items()}
""",
}
SPELLED = """
import json
spelled = {
    name: [(kmer_of(row[0], 21), *map(int, row[1:])) for row in rows]
    for name, rows in found.items()
}
print(json.dumps(spelled))
"""


def calls(of: str) -> str:
    document = (ROOT / "docs" / "kmers.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    (code,) = (block for block in blocks if of in block)
    return str(code)


@pytest.mark.parametrize("tool", SHOWN)
def test_tables_are_joined_as_sets_of_kmers(tool: str, tmp_path: Path) -> None:
    if not TOOLS.exists():
        pytest.skip(f"*** LEFT OUT: READING K-MERS BY {tool}: it takes {TOOLS}; see make test")
    chance = random.Random(3)
    shared, *own = ("".join(chance.choices("ACGT", k=3000)) for _ in range(3))
    counts = []
    for name, bases in zip("ab", own, strict=True):
        text = f">x\n{shared}{bases}{shared[:99]}\n".encode()
        (tmp_path / name).write_bytes(text)
        fanfold.run(tmp_path / name, 21, out=tmp_path / f"{name}.fanfold")
        counts.append(naive_kmers(text, 21, canonical=False))

    code = calls(f"import {tool}") + calls("def kmer_of") + SHOWN[tool] + SPELLED
    done = subprocess.run(
        [TOOLS, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    a, b = counts
    both = sorted({*a, *b})
    assert found["union"] == [
        [kmer, count] for kmer, count in sorted((Counter(a) + Counter(b)).items())
    ]
    assert found["intersection"] == [
        [kmer, a[kmer], b[kmer]] for kmer in both if kmer in a and kmer in b
    ]
    assert found["difference"] == [[kmer, a[kmer]] for kmer in both if kmer not in b]
    if "samples" in found:
        assert found["samples"] == [[kmer, a.get(kmer, 0), b.get(kmer, 0)] for kmer in both]
