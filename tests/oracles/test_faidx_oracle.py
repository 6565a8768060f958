"""The `.fai`: samtools faidx itself, the naive twin and fanfold on the same odd little texts."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from naive import faidx

import fanfold

SEEDS = range(6)
TEXTS_A_SEED = 70

pytestmark = pytest.mark.skipif(
    shutil.which("samtools") is None,
    reason="NOT COMPARED WITH SAMTOOLS: no `samtools` here (Debian package samtools)",
)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_twin_agrees_with_samtools(seed: int) -> None:
    disagreements = [
        (text, faidx(text), expected)
        for text, expected in what_samtools_writes(seed)
        if rows(text) != expected
    ]

    assert disagreements == []


@pytest.mark.parametrize("seed", SEEDS)
def test_fanfold_agrees_with_samtools(seed: int, tmp_path: Path) -> None:
    disagreements = []
    for number, (text, expected) in enumerate(what_samtools_writes(seed)):
        fasta = tmp_path / f"{number}.fa"
        fasta.write_bytes(text)
        report = fanfold.run(fasta, k=[], out=tmp_path / str(number))
        index = report.out / f"{fasta.name}.fai"
        written = index.read_bytes() if index.exists() else None
        summary = json.loads(report.data)["sequences"]["fai"]
        assert summary["written"] is (written is not None)
        assert (summary["note"] is None) is (written is not None)
        assert summary["records"] == (written or b"").count(b"\n")
        if written != expected:
            disagreements.append((text, written, expected))

    assert disagreements == []


@pytest.mark.parametrize("seed", SEEDS)
def test_samtools_takes_some_texts_and_refuses_others(seed: int) -> None:
    """Else the comparisons above would hold by saying nothing."""
    taken = [expected for _, expected in what_samtools_writes(seed) if expected is not None]

    assert TEXTS_A_SEED // 4 < len(taken) < TEXTS_A_SEED * 3 // 4


def rows(text: bytes) -> bytes | None:
    fai = faidx(text)
    return None if fai is None else fai.text


@cache
def what_samtools_writes(seed: int) -> tuple[tuple[bytes, bytes | None], ...]:
    """Each text with its index, or None where samtools faidx refuses it."""
    chance = random.Random(seed)
    texts = [odd_text(chance) for _ in range(TEXTS_A_SEED)]
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number, text in enumerate(texts):
            (folder / f"{number}.fa").write_bytes(text)
        # One shell for all. A refusal may leave a file behind: only success counts.
        subprocess.run(
            ["sh", "-c", "for f in *.fa; do samtools faidx $f 2>/dev/null || rm -f $f.fai; done"],
            cwd=folder,
            check=True,
        )
        indexes = [folder / f"{number}.fa.fai" for number in range(TEXTS_A_SEED)]
        return tuple(
            (text, index.read_bytes() if index.exists() else None)
            for text, index in zip(texts, indexes, strict=True)
        )


def odd_text(chance: random.Random) -> bytes:
    """FASTA by fanfold's reading, and full of what samtools faidx has its own mind about."""
    parts = []
    width = chance.choice([1, 2, 3, 4, 6])
    tidy = chance.random() < 0.5
    line_end = chance.choice([b"\n", b"\n", b"\r\n", None])

    def end() -> bytes:
        return line_end or chance.choice([b"\n", b"\r\n", b"\r\r\n"])

    def residues(alphabet: bytes, count: int) -> bytes:
        return bytes(chance.choices(alphabet, k=count))

    if chance.random() < 0.15:
        parts.append(chance.choice([b"", b"", b" ", b";comment"]) + end())
    if chance.random() < 0.02:
        parts.insert(0, b"\xef\xbb\xbf")
    for _ in range(chance.choice([1, 1, 2, 3, 4])):
        blanks = chance.choice([b"", b"", b"", b" ", b"\t \v"])
        name = chance.choice([b"a", b"b", b"c", b"d", b"", b"\xe9x", b"a;>"])
        rest = chance.choice([b"", b"", b" some text", b"\t", b"\fz", b" ", b"\v"])
        parts.append(b">" + blanks + name + rest + end())
        if chance.random() < 0.1:
            continue  # a record without sequence lines
        full_lines = chance.choice([0, 1, 1, 2, 3])
        parts.extend(residues(b"ACGTN", width) + end() for _ in range(full_lines))
        if chance.random() < 0.7:
            parts.append(residues(b"acgtn@+*", chance.randint(0, width)) + end())
        if not tidy and chance.random() < 0.4:
            strange = [b"", b" ", b";x", b"A C", b"A>C", b"@A", b"ACGTACG", b"\tA ", b" >A"]
            parts.append(chance.choice(strange) + end())
            if chance.random() < 0.4:
                parts.append(residues(b"ACGTN", width) + end())
        while chance.random() < 0.2:
            parts.append(end())
    text = b"".join(parts)
    without_line_end = text.rstrip(b"\r\n")
    return chance.choice(
        [text] * 12
        + [without_line_end] * 2
        + [without_line_end + b"\r", text + b"\r", text + b">", text + b">x", text + b">x y"]
    )
