"""Real tools, run here and now on real genomes, side by side with fanfold."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import subprocess
from array import array
from pathlib import Path

import pytest

import fanfold
from fanfold._kernel import read_kmer_part

DATA = Path(__file__).parents[1] / "data"
GENOMES = Path(__file__).resolve().parents[3] / "shared" / "genomes"
KS = [3, 5, 8]
LARGE_KS = [11, 21, 31]
LARGEST_COMPARED_BYTES = 1_100_000
DIGITS = str.maketrans("ACGT", "0123")
DEBIAN_PACKAGES = {
    "bgzip": "tabix",
    "jellyfish": "jellyfish",
    "kmc": "kmc",
    "kmc_tools": "kmc",
    "samtools": "samtools",
    "seqkit": "seqkit",
    "seqtk": "seqtk",
}
BUNDLED = ["phiX174.fa", "lambda_NC_001416.fa", "human_MT.fa"]
# A draft assembly, one in mixed case with some n, one soft-masked, one with many N, and yeast.
SHARED_ONLY = [
    "S_aureus_draft767.fa",
    "454AllContigs_mixedcase.fna",
    "hg18_trimmed_softmasked.fasta",
    "dm6_1pct.fa.gz",
    "S_cerevisiae_16chr.fa",
]


@pytest.fixture(scope="module", params=BUNDLED + (SHARED_ONLY if GENOMES.is_dir() else []))
def fasta(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The genome as plain text, which every tool reads, in a folder to write into."""
    name: str = request.param
    source = (DATA if name in BUNDLED else GENOMES) / name
    plain = tmp_path_factory.mktemp("genome") / name.removesuffix(".gz")
    content = source.read_bytes()
    plain.write_bytes(gzip.decompress(content) if name.endswith(".gz") else content)
    return plain


@pytest.fixture(scope="module")
def given(fasta: Path) -> fanfold.Report:
    return fanfold.run(fasta, k=KS, out=fasta.parent / "given")


@pytest.fixture(scope="module")
def canonical(fasta: Path) -> fanfold.Report:
    return fanfold.run(fasta, k=KS, canonical=True, out=fasta.parent / "canonical")


@pytest.mark.parametrize("k", KS)
@pytest.mark.parametrize("strands", ["given", "canonical"])
def test_kmers_as_jellyfish_counts_them(
    fasta: Path, request: pytest.FixtureRequest, strands: str, k: int, tmp_path: Path
) -> None:
    both_strands = ["--canonical"] if strands == "canonical" else []
    counted, dumped = str(tmp_path / "counted"), tmp_path / "dumped"
    options = [f"--mer-len={k}", "--size=1M", f"--output={counted}", *both_strands]
    run_tool(["jellyfish", "count", *options, str(fasta)])
    run_tool(["jellyfish", "dump", "--column", f"--output={dumped}", counted])

    assert fanfolds_counts(request, strands, k) == two_columns(dumped)


@pytest.mark.parametrize("k", KS)
@pytest.mark.parametrize("strands", ["given", "canonical"])
def test_kmers_as_kmc_counts_them(
    fasta: Path, request: pytest.FixtureRequest, strands: str, k: int, tmp_path: Path
) -> None:
    strand_given = ["-b"] if strands == "given" else []
    counted, dumped = str(tmp_path / "counted"), tmp_path / "dumped"
    # Its defaults drop what is seen once, and stop counting at 255.
    no_limits = ["-ci1", "-cs4000000000", "-cx4000000000"]
    options = ["-fm", f"-k{k}", *no_limits, *strand_given, "-m2", "-t2", "-hp"]
    run_tool(["kmc", *options, str(fasta), counted, str(tmp_path)])
    run_tool(["kmc_tools", "-hp", "transform", counted, "dump", str(dumped)])

    assert fanfolds_counts(request, strands, k) == two_columns(dumped)


@pytest.mark.parametrize("k", LARGE_KS)
@pytest.mark.parametrize("strands", ["given", "canonical"])
@pytest.mark.parametrize("tool", ["jellyfish", "kmc"])
def test_tables_of_large_k_have_the_rows_of_others(
    tool: str, strands: str, k: int, fasta: Path, tmp_path: Path
) -> None:
    if fasta.stat().st_size > LARGEST_COMPARED_BYTES:
        pytest.skip(f"NOT COMPARED ROW BY ROW: {fasta.name} has too many k-mers for Python")
    counted, dumped = str(tmp_path / "counted"), tmp_path / "dumped"
    if tool == "jellyfish":
        both_strands = ["--canonical"] if strands == "canonical" else []
        options = [f"--mer-len={k}", "--size=10M", f"--output={counted}", *both_strands]
        run_tool(["jellyfish", "count", *options, str(fasta)])
        run_tool(["jellyfish", "dump", "--column", f"--output={dumped}", counted])
    else:
        strand_given = ["-b"] if strands == "given" else []
        no_limits = ["-ci1", "-cs4000000000", "-cx4000000000"]
        options = ["-fm", f"-k{k}", *no_limits, *strand_given, "-m2", "-t2", "-hp"]
        run_tool(["kmc", *options, str(fasta), counted, str(tmp_path)])
        run_tool(["kmc_tools", "-hp", "transform", counted, "dump", str(dumped)])

    report = fanfold.run(fasta, k, canonical=strands == "canonical", out=tmp_path / "out")

    codes, counts = rows_of_parts(report.out / "kmers" / f"k{k}")
    rows = (line.split() for line in dumped.read_text().splitlines())
    expected = sorted((int(kmer.translate(DIGITS), 4), int(count)) for kmer, count in rows)
    assert len(codes) == len(expected)
    assert [*zip(codes, counts, strict=True)] == expected


def test_lengths_and_gc_as_seqkit_has_them(fasta: Path, given: fanfold.Report) -> None:
    (row,) = csv.DictReader(
        run_tool(["seqkit", "stats", "--all", "--tabular", str(fasta)]).splitlines(),
        delimiter="\t",
    )
    sequences = json.loads(given.data)["sequences"]

    assert sequences["count"] == int(row["num_seqs"])
    assert sequences["length"] == int(row["sum_len"])
    assert sequences["shortest"] == int(row["min_len"])
    assert sequences["longest"] == int(row["max_len"])
    assert sequences["N50"] == int(row["N50"])
    assert sequences["mean"] == pytest.approx(float(row["avg_len"]), abs=0.0501)
    # It has N below the line, as `gc_percent_of_length` has, and two decimals.
    gc_percent = json.loads(given.data)["composition"]["gc_percent_of_length"]
    assert gc_percent == pytest.approx(float(row["GC(%)"]), abs=0.0056)


def test_records_as_seqtk_comp_has_them(fasta: Path, given: fanfold.Report) -> None:
    """Its columns: name, length, A, C, G, T, 2-, 3- and 4-fold codes, CpG of both strands."""
    rows = [row.split("\t") for row in run_tool(["seqtk", "comp", str(fasta)]).splitlines()]
    _, *records = (given.out / "sequences.tsv").read_text().splitlines()

    assert [record.split("\t")[:6] for record in records] == [row[:6] for row in rows]
    assert [record.split("\t")[6] for record in records] == [row[8] for row in rows]
    assert json.loads(given.data)["gaps"]["length"] == sum(int(row[8]) for row in rows)
    assert json.loads(given.data)["cpg"]["count"] * 2 == sum(int(row[9]) for row in rows)


def test_gaps_as_seqkit_locates_them(fasta: Path, given: fanfold.Report) -> None:
    """Not as `seqtk cutN -g`, which misses a gap at a record's start."""
    search = ["--use-regexp", "--ignore-case", "--only-positive-strand", "--non-greedy", "--bed"]
    found = run_tool(["seqkit", "locate", *search, "--pattern=N+", str(fasta)]).splitlines()
    rows = (given.out / "gaps.bed").read_text().splitlines()

    assert [row.split("\t") for row in rows] == [row.split("\t")[:3] for row in found]


def test_fai_as_samtools_writes_it(fasta: Path, given: fanfold.Report) -> None:
    run_tool(["samtools", "faidx", str(fasta), "--fai-idx", str(fasta.parent / "samtools.fai")])

    written = given.out / f"{fasta.name}.fai"
    assert written.read_bytes() == (fasta.parent / "samtools.fai").read_bytes()


def test_bgzf_gives_the_same_answers_and_the_gzi_of_bgzip(
    fasta: Path, given: fanfold.Report, tmp_path: Path
) -> None:
    blocked = tmp_path / f"{fasta.name}.gz"
    shutil.copy(fasta, tmp_path)
    run_tool(["bgzip", str(tmp_path / fasta.name)])
    run_tool(["bgzip", "--reindex", str(blocked)])
    report = fanfold.run(blocked, k=KS, out=tmp_path / "out")

    assert (report.out / f"{blocked.name}.gzi").read_bytes() == Path(f"{blocked}.gzi").read_bytes()
    assert json.loads(report.data)["source"]["compression"] == "bgzf"
    for key in json.loads(given.data).keys() - {"source", "proof", "notes"}:
        assert json.loads(report.data)[key] == json.loads(given.data)[key]
    for table in ("sequences.tsv", "gaps.bed"):
        assert (report.out / table).read_bytes() == (given.out / table).read_bytes()
    index, plain_index = report.out / f"{blocked.name}.fai", given.out / f"{fasta.name}.fai"
    assert index.read_bytes() == plain_index.read_bytes()


@pytest.mark.skipif(
    not GENOMES.is_dir(), reason=f"{len(SHARED_ONLY)} GENOMES NOT COMPARED: there is no {GENOMES}"
)
def test_the_shared_genomes_are_here() -> None:
    assert {path.name for path in GENOMES.iterdir()} >= {*SHARED_ONLY}


def run_tool(command: list[str]) -> str:
    tool = command[0]
    if shutil.which(tool) is None:
        pytest.skip(
            f"NOT COMPARED WITH {tool.upper()}: no `{tool}` here "
            f"(Debian package {DEBIAN_PACKAGES[tool]})"
        )
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def fanfolds_counts(request: pytest.FixtureRequest, strands: str, k: int) -> dict[str, int]:
    report: fanfold.Report = request.getfixturevalue(strands)
    return {
        kmer: count
        for kmer, count in json.loads(report.data)["kmer_counts"].items()
        if len(kmer) == k
    }


def rows_of_parts(folder: Path) -> tuple[array[int], array[int]]:
    """The codes and the counts of a table, in the order of its parts."""
    codes, counts = array("Q"), array("Q")
    for path in sorted(folder.iterdir()):
        part = read_kmer_part(path)
        codes.frombytes(part["codes"])
        counts.frombytes(part["counts"])
    return codes, counts


def two_columns(table: Path) -> dict[str, int]:
    rows = (line.split() for line in table.read_text().splitlines())
    return {kmer: int(count) for kmer, count in rows}
