"""Real genomes: every number that independent tools agreed on, reproduced exactly.

The answers are ../shared/truth (its README names the tools); three small ones live in tests/data.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy
import pytest

import fanfold

DATA = Path(__file__).parent / "data"
SHARED = Path(__file__).resolve().parents[2] / "shared"
KS = [1, 2, 3, 5, 8]
LARGE_KS = [11, 21, 31]

BUNDLED = ["phiX174", "lambda_NC_001416", "human_MT"]
SHARED_ONLY = [
    "454AllContigs_mixedcase",
    "LPA_bgzf",
    "P_knowlesi_draft",
    "S_aureus_draft767",
    "S_cerevisiae_16chr",
    "V_cholerae_draft1407",
    "dm6_1pct",
    "draft_11239contigs",
    "ecoli_K12_GCF_000005845.2",
    "hg18_trimmed_softmasked",
    "hs37_chr20",
    "mpox_NC_063383",
    "sacCer3_chrIV_singleline",
    "sarscov2_NC_045512",
]


@dataclass(frozen=True)
class Genome:
    name: str
    fasta: Path
    answers: dict[str, Any]
    fai: bytes
    seqtk_comp: str


@dataclass(frozen=True)
class Result:
    """What fanfold says, of the strand given and canonically."""

    given: fanfold.Report
    canonical: fanfold.Report


@cache
def genome_named(name: str) -> Genome:
    truth, fastas = (
        (DATA / "truth", DATA) if name in BUNDLED else (SHARED / "truth", SHARED / "genomes")
    )
    answers: dict[str, Any] = json.loads((truth / f"{name}.json").read_text())
    return Genome(
        name=name,
        fasta=fastas / answers["file"],
        answers=answers,
        fai=(truth / f"{name}.fai").read_bytes(),
        seqtk_comp=(truth / f"{name}.seqtk_comp.tsv").read_text(),
    )


@pytest.fixture(scope="module", params=BUNDLED + (SHARED_ONLY if SHARED.is_dir() else []))
def genome(request: pytest.FixtureRequest) -> Genome:
    return genome_named(request.param)


@pytest.fixture(scope="module")
def result(genome: Genome, tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("truth")
    return Result(
        given=fanfold.run(genome.fasta, k=KS, out=folder / "given"),
        canonical=fanfold.run(genome.fasta, k=KS, canonical=True, out=folder / "canonical"),
    )


def test_composition(genome: Genome, result: Result) -> None:
    answers = genome.answers
    bytes_seen = answers["byte_histogram"]

    def both_cases(letters: str) -> int:
        return sum(count for byte, count in bytes_seen.items() if byte.upper() in letters)

    for master in (json.loads(result.given.data), json.loads(result.canonical.data)):
        assert master["total_bases"] == answers["acgt"]
        assert master["gc_count"] == answers["gc"]
        composition = dict(master["composition"])
        parts = {name: composition.pop(name) for name in list(composition) if "percent" in name}
        of_length = {
            "gc_percent_of_length": answers["gc"],
            "n_percent": answers["n"],
            "soft_masked_percent": answers["lowercase"],
        }
        assert parts == {
            name: pytest.approx(100 * count / answers["total_length"], abs=0.0005)
            for name, count in of_length.items()
        }
        assert composition == {
            "A": answers["A"],
            "C": answers["C"],
            "G": answers["G"],
            "T": answers["T"],
            "N": answers["n"],
            "U": both_cases("U"),
            "iupac": both_cases("RYSWKMBDHV"),
            "gap_characters": both_cases("-."),
            "asterisk": both_cases("*"),
            "other": both_cases("EFIJLOPQXZ"),
            "lowercase": answers["lowercase"],
        }


def test_records_and_length(genome: Genome, result: Result) -> None:
    answers = genome.answers
    for master in (json.loads(result.given.data), json.loads(result.canonical.data)):
        sequences = master["sequences"]
        assert sequences["count"] == answers["records"]
        assert sequences["length"] == answers["total_length"]
        assert sequences["ungapped_length"] == answers["total_length"] - answers["n"]
        assert master["gaps"]["length"] == answers["n"]


def test_quartiles_are_those_of_numpy(genome: Genome, result: Result) -> None:
    lengths = [int(row.split("\t")[1]) for row in genome.seqtk_comp.splitlines()]
    sequences = json.loads(result.given.data)["sequences"]

    found = [sequences[name] for name in ("q1", "median", "q3")]
    assert found == pytest.approx(numpy.quantile(lengths, [0.25, 0.5, 0.75]), abs=0.0005)


@pytest.mark.parametrize("k", KS)
def test_kmer_statistics(genome: Genome, result: Result, k: int) -> None:
    for report, word in ((result.given, "noncanonical"), (result.canonical, "canonical")):
        expected = genome.answers["kmers"][str(k)][word]
        (row,) = (row for row in json.loads(report.data)["kmers"] if row["k"] == k)
        counts = counts_of(report, k)
        assert row["distinct"] == len(counts) == expected["distinct"]
        assert row["total"] == sum(counts.values()) == expected["total"]
        assert row["singletons"] == list(counts.values()).count(1) == expected["unique"]
        assert row["max"] == max(counts.values()) == expected["max_count"]


@pytest.mark.parametrize("k", [2, 3, 5])
def test_whole_kmer_tables(genome: Genome, result: Result, k: int) -> None:
    given = {kmer: count for kmer, count in genome.answers[f"k{k}_counts"].items() if count}

    assert counts_of(result.given, k) == given
    if k == 5:
        assert counts_of(result.canonical, k) == genome.answers["k5_canonical_counts"]


def test_the_fai_is_samtools_own(genome: Genome, result: Result) -> None:
    index = result.given.out / f"{genome.fasta.name}.fai"

    assert index.read_bytes() == genome.fai


def test_each_record_is_as_seqtk_comp_says(genome: Genome, result: Result) -> None:
    """Its columns are name, length, A, C, G, T, and others that fanfold has no equal of."""
    header, *rows = (result.given.out / "sequences.tsv").read_text().splitlines()

    assert header.split("\t")[:6] == ["name", "length", "A", "C", "G", "T"]
    assert [row.split("\t")[:6] for row in rows] == [
        row.split("\t")[:6] for row in genome.seqtk_comp.splitlines()
    ]


def test_tables_of_large_k(genome: Genome, tmp_path: Path) -> None:
    """In one run a strand; the tables are large, and go at once."""
    for canonical, word in [(False, "noncanonical"), (True, "canonical")]:
        report = fanfold.run(genome.fasta, LARGE_KS, canonical=canonical, out=tmp_path / word)
        for each in report.master.kmers:
            expected = genome.answers["kmers"][str(each.k)][word]
            assert each.distinct == expected["distinct"]
            assert each.total == expected["total"]
            assert each.singletons == expected["unique"]
            assert each.max == expected["max_count"]
            assert sum(times * kmers for times, kmers in each.spectrum) == each.total
        shutil.rmtree(report.out)


def test_canonical_changes_the_kmers_and_nothing_else(result: Result) -> None:
    changed = {"kmer_counts", "kmers", "parameters", "proof"}
    for key in json.loads(result.given.data).keys() - changed:
        assert json.loads(result.given.data)[key] == json.loads(result.canonical.data)[key]
    for table in ("sequences.tsv", "gaps.bed", "nx.tsv"):
        assert (result.given.out / table).read_bytes() == (
            result.canonical.out / table
        ).read_bytes()


def counts_of(report: fanfold.Report, k: int) -> dict[str, int]:
    return {
        kmer: count
        for kmer, count in json.loads(report.data)["kmer_counts"].items()
        if len(kmer) == k
    }


@pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"{len(SHARED_ONLY)} GENOMES NOT CHECKED: there is no {SHARED}"
)
def test_no_answer_is_left_out() -> None:
    assert sorted(path.stem for path in (SHARED / "truth").glob("*.json")) == sorted(
        BUNDLED + SHARED_ONLY
    )
