"""`fanfold kmers`: the tables of a finished run on the command line."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from engines.driving import command, succeed
from kmer_parts import back, most_frequent, report_with
from naive_kmers import naive_kmers

TEXT = (
    b">a\n" + b"ACGTTGCATTTACGAGGGTTCCACCATGACGTAGGCTAAC" * 3 + b"\n>b\nGGGTTCCACCATGACGTAGGATATC\n"
)
OTHER = b">a\nACGTTGCATTTACGAGGGTTCCACCATGACG\n>b\nTTTTTTTTTTTTTTTTTTTTTTTTTT\n"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report_with(
        tmp_path_factory.mktemp("report"), TEXT, [5, 21], canonical=True, part_rows=10
    )


@pytest.fixture(scope="module")
def counts() -> dict[str, int]:
    return naive_kmers(TEXT, 21, canonical=True)


def lines(rows: dict[str, int]) -> str:
    return "".join(f"{kmer}\t{count}\n" for kmer, count in rows.items())


def test_list_has_a_row_a_table(out: Path, counts: dict[str, int]) -> None:
    of_5 = naive_kmers(TEXT, 5, canonical=True)
    sizes = [
        (out / "kmers.k5.tsv").stat().st_size,
        sum(path.stat().st_size for path in (out / "kmers/k21").iterdir()),
    ]

    rows = succeed("kmers", "list", out, "--tsv").stdout.splitlines()
    shown = succeed("kmers", "list", out).stdout.splitlines()

    assert rows == [
        "k\tstrand\tdistinct\ttotal\tsize_bytes",
        f"5\tcanonical\t{len(of_5)}\t{sum(of_5.values())}\t{sizes[0]}",
        f"21\tcanonical\t{len(counts)}\t{sum(counts.values())}\t{sizes[1]}",
    ]
    assert [row.replace(",", "").split() for row in shown] == [row.split("\t") for row in rows]


def test_dump_has_all_kmers_in_order(out: Path, counts: dict[str, int]) -> None:
    assert succeed("kmers", "dump", out, "-k", "21").stdout == lines(counts)
    of_5 = naive_kmers(TEXT, 5, canonical=True)
    assert succeed("kmers", "dump", out, "-k", "5").stdout == lines(of_5)


def test_dump_leaves_out_what_is_asked_and_writes_fasta(out: Path, counts: dict[str, int]) -> None:
    chosen = {kmer: count for kmer, count in counts.items() if 2 <= count <= 3}
    assert 0 < len(chosen) < len(counts)

    done = succeed("kmers", "dump", out, "-k21", "--min", "2", "--max", "3", "--fasta")

    assert done.stdout == "".join(f">{count}\n{kmer}\n" for kmer, count in chosen.items())
    assert command("kmers", "dump", out, "-k21", "--min", "3", "--max", "2").returncode == 2


@pytest.mark.parametrize("name", ["dump.tsv", "dump.tsv.gz"])
def test_dump_writes_a_file(name: str, out: Path, counts: dict[str, int], tmp_path: Path) -> None:
    path = tmp_path / name

    done = succeed("kmers", "dump", out, "-k", "21", "-o", path)

    assert done.stdout == f"{path}\n"
    data = path.read_bytes()
    assert (gzip.decompress(data) if name.endswith(".gz") else data).decode() == lines(counts)
    succeed("kmers", "dump", out, "-k", "21", "-o", tmp_path / f"again.{name}")
    assert (tmp_path / f"again.{name}").read_bytes() == data


def test_dump_replaces_nothing(out: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text("mine")

    done = command("kmers", "dump", out, "-k", "21", "-o", path)

    assert (done.returncode, done.stdout) == (5, "")
    assert f"{path}: in the way" in done.stderr
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["dump.tsv", "dump.tsv.gz"])
def test_a_dump_of_a_damaged_table_leaves_no_file(name: str, tmp_path: Path) -> None:
    out = report_with(tmp_path / "report", TEXT, [21], canonical=True, part_rows=10)
    (out / "kmers/k21/part-00001.parquet").unlink()
    to = tmp_path / "to"
    to.mkdir()

    done = command("kmers", "dump", out, "-o", to / name)

    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.endswith("part-00001.parquet: gone; run again\n")
    assert [*to.iterdir()] == []


def test_get_answers_in_the_order_given(out: Path, counts: dict[str, int], tmp_path: Path) -> None:
    first, second, *_, last = counts
    absent = "A" * 21
    queries = tmp_path / "queries"
    queries.write_text(f"{last}\n\n{absent}\r\n{second.lower()}\n")

    done = succeed("kmers", "get", out, "-k21", back(second), first, "--from", queries)
    piped = succeed("kmers", "get", out, "-k21", "--from", "-", stdin=queries)

    asked = f"{last}\t{counts[last]}\n{absent}\t0\n{second.lower()}\t{counts[second]}\n"
    assert piped.stdout == asked
    before = f"{back(second)}\t{counts[second]}\n{first}\t{counts[first]}\n"
    assert done.stdout == before + asked


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["ACGT"], "'ACGT' is no 21-mer", 2),
        (["ACGTN" * 4 + "A"], "is no 21-mer", 2),
        ([], "Missing argument 'KMER...'", 2),
        (["--from", "gone"], "gone: can't be read", 4),
        (["--from", "long"], "is no 21-mer", 2),
        (["--from", "binary"], "is no 21-mer", 2),
    ],
)
def test_get_refuses_what_is_no_kmer(
    words: list[str], said: str, code: int, out: Path, tmp_path: Path
) -> None:
    (tmp_path / "long").write_bytes(b"A" * 10_000_000)
    (tmp_path / "binary").write_bytes(bytes(range(256)))

    done = command("kmers", "get", out, "-k", "21", *words, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr.splitlines()[-1]
    assert len(done.stderr) < 2000


def test_hist_is_the_file_beside_the_parts(out: Path, counts: dict[str, int]) -> None:
    done = succeed("kmers", "hist", out, "-k", "21")

    assert done.stdout == (out / "kmers/k21.hist").read_text()
    assert len(done.stdout.splitlines()) == len({*counts.values()})
    of_5 = Counter(naive_kmers(TEXT, 5, canonical=True).values())
    shown = succeed("kmers", "hist", out, "-k", "5").stdout
    assert shown == "".join(f"{n}\t{kmers}\n" for n, kmers in sorted(of_5.items()))


@pytest.mark.parametrize("n", [1, 10, 15])
def test_top_is_the_most_frequent(n: int, out: Path, counts: dict[str, int]) -> None:
    done = succeed("kmers", "top", out, "-k", "21", "-n", str(n))

    assert done.stdout == lines(dict(most_frequent(counts, n)))


def test_compare_tells_what_two_runs_share(
    out: Path, counts: dict[str, int], tmp_path: Path
) -> None:
    other = report_with(tmp_path, OTHER, [5, 21], canonical=True, part_rows=7)
    theirs = naive_kmers(OTHER, 21, canonical=True)
    shared = len(counts.keys() & theirs.keys())
    assert 0 < shared < len(theirs)

    found = json.loads(succeed("kmers", "compare", out, other, "-k", "21", "--json").stdout)
    shown = succeed("kmers", "compare", out, other, "-k", "21").stdout

    assert 0 < found.pop("cosine") < 1
    assert found == {
        "k": 21,
        "canonical": True,
        "shared": shared,
        "only_a": len(counts) - shared,
        "only_b": len(theirs) - shared,
        "jaccard": shared / len(counts.keys() | theirs.keys()),
        "containment_of_a": shared / len(counts),
        "containment_of_b": shared / len(theirs),
    }
    assert f"shared     {shared}\n" in shown
    assert f"of B in A  {shared / len(theirs):.6f}\n" in shown


def test_tables_that_do_not_match_are_not_compared(out: Path, tmp_path: Path) -> None:
    given = report_with(tmp_path, TEXT, [21], canonical=False)

    done = command("kmers", "compare", out, given, "-k", "21")

    assert (done.returncode, done.stdout) == (2, "")
    assert "21-mers of the given strand" in done.stderr
    assert "give two tables of the same k and strand" in done.stderr


def test_k_is_needed_where_there_are_several(out: Path) -> None:
    for words in (["top"], ["hist"], ["dump"], ["get", "ACGTA"]):
        done = command("kmers", words[0], out, *words[1:])
        assert done.returncode == 2
        assert "give one k of 5, 21" in done.stderr
    assert command("kmers", "top", out, "-k", "33").returncode == 2


def test_a_folder_without_a_report_is_told(tmp_path: Path) -> None:
    done = command("kmers", "list", tmp_path)

    assert (done.returncode, done.stdout) == (6, "")
    assert "no report is here" in done.stderr


def test_help_is_that_of_the_command() -> None:
    assert succeed("help", "kmers").stdout == succeed("kmers", "--help").stdout
    assert succeed("help", "kmers", "dump").stdout == succeed("kmers", "dump", "--help").stdout
    for words in (["help", "kmers", "dmup"], ["help", "run", "dump"]):
        assert command(*words).returncode == 2
    done = command("kmers", "dump", "--xyzzy")
    assert "`fanfold help kmers dump` lists them" in done.stderr
