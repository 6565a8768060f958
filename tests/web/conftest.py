"""Servers that the tests share."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from web.serving import DATA, Server, serving


def fill(root: Path) -> Path:
    """A root with two buckets; one holds real genomes."""
    (root / "demo/input").mkdir(parents=True)
    (root / "empty").mkdir()
    shutil.copy(DATA / "phiX174.fa", root / "demo/input/phiX174.fa")
    ecoli = DATA / "ecoli_K12_GCF_000005845.2.fna.gz"
    shutil.copy(ecoli, root / "demo/input/ecoli.fna.gz")
    (root / "demo/input/ecoli.fna").write_bytes(gzip.decompress(ecoli.read_bytes()))
    (root / "demo/input/nothing.fa").touch()
    return root


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over a root with genomes; the tests of a module share it."""
    folder = tmp_path_factory.mktemp("serve")
    with serving(fill(folder / "root"), log=folder / "log") as started:
        yield started


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with genomes, of a test's own."""
    return fill(tmp_path / "root")
