"""`master.json` has not changed by a byte since the hashes in tests/data/truth were taken.

Whoever changes the report on purpose takes them again, and says so.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import fanfold

TESTS = Path(__file__).parent
SHARED = TESTS.parents[1] / "shared" / "genomes"
HASHES = TESTS / "data" / "truth" / "master.sha256.tsv"

ROWS = [line.split("\t") for line in HASHES.read_text().splitlines()[1:]]


def test_hashes_of_five_genomes_are_here() -> None:
    assert len({name for name, *_ in ROWS if find(name).is_relative_to(TESTS)}) == 5


@pytest.mark.parametrize(("name", "k", "strands", "sha256"), ROWS)
def test_the_report_is_what_it_was(
    name: str, k: str, strands: str, sha256: str, tmp_path: Path
) -> None:
    path = find(name)
    if not path.exists():
        pytest.skip(f"NOT COMPARED: {name} is not beside this checkout, in ../shared/genomes")
    lengths = [int(each) for each in k.split(",")]

    report = fanfold.run(path, lengths, canonical=strands == "canonical", out=tmp_path)

    assert hashlib.sha256(report.path.read_bytes()).hexdigest() == sha256


def find(name: str) -> Path:
    """The genome of a name, in the tests' data or beside the checkout."""
    for folder in (TESTS / "data", TESTS / "golden"):
        if (folder / name).exists():
            return folder / name
    return SHARED / name
