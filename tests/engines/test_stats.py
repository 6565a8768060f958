"""`fanfold stats`: what `run` says, with nothing written."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy
import pytest
from archives import bgzf
from hypothesis import given
from hypothesis import strategies as st
from servers.web import WebServer

import fanfold
from engines.driving import DATA, GENOMES, command, succeed
from fanfold.errors import ArchiveError, FastaError, ParameterError, SourceMissingError
from fanfold.report.statistics import COLUMNS, statistics_of

LAMBDA = (DATA / "lambda_NC_001416.fa").read_bytes()
MT = (DATA / "human_MT.fa").read_bytes()
GAPS = b">a\nACGTNNNNacgtNN\n>b\nGGGG\n>c\n"
TEXT = LAMBDA + MT + GAPS

PACKED = {
    "plain": TEXT,
    "gzip": gzip.compress(TEXT),
    "bgzf": bgzf(TEXT, 3000),
    "bzip2": bz2.compress(TEXT),
    "xz": lzma.compress(TEXT),
}
REAL = [DATA / "phiX174.fa", *(GENOMES.glob("*contigs*") if GENOMES.exists() else ())]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x.fa"
    path.write_bytes(TEXT)
    return path


def of_run(path: Path, out: Path, view: fanfold.View) -> fanfold.Statistics:
    return statistics_of(fanfold.run(path, 0, out=out, view=view).master)


def tsv(text: str) -> list[dict[str, str]]:
    header, *rows = (line.split("\t") for line in text.splitlines())
    assert header == ["file", *COLUMNS]
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
def test_statistics_are_those_of_a_run_however_the_text_is_packed(
    packed: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(packed)
    view = fanfold.View(min_gap=3, min_length=4)

    found = fanfold.stats(path, view=view)

    assert found.statistics == of_run(path, tmp_path / "out", view)
    assert found.statistics.gaps == 1
    assert found.nx[49] == found.statistics.N50


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_statistics_of_real_genomes_are_those_of_a_run(path: Path, tmp_path: Path) -> None:
    assert fanfold.stats(path).statistics == of_run(path, tmp_path, fanfold.View())


def test_many_slices_say_what_one_says(tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(LAMBDA * 300)
    packed = tmp_path / "x.fa.gz"
    packed.write_bytes(bgzf(LAMBDA * 300))

    found = [fanfold.stats(each, workers=n) for each in (path, packed) for n in (1, 4)]

    assert found[1:] == found[:-1]
    assert found[0].statistics.length == 300 * 48502


@given(lengths=st.lists(st.integers(0, 50), min_size=1, max_size=12))
def test_quartiles_are_those_of_numpy(
    lengths: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("x") / "x.fa"
    path.write_bytes(b"".join(b">r\n%b\n" % (b"A" * length) for length in lengths))

    found = fanfold.stats(path).statistics

    expected = [float(each) for each in numpy.quantile(lengths, [0.25, 0.5, 0.75])]
    assert [found.q1, found.median, found.q3] == expected


def test_nothing_is_written_and_a_folder_that_is_read_only_will_do(path: Path) -> None:
    path.parent.chmod(0o555)
    try:
        done = succeed("stats", "x.fa", "--tsv", cwd=path.parent)
    finally:
        path.parent.chmod(0o755)

    (row,) = tsv(done.stdout)
    assert (row["file"], row["sequences"], row["length"]) == ("x.fa", "5", "65089")
    assert [each.name for each in path.parent.iterdir()] == ["x.fa"]


def test_standard_input_and_the_web_are_read(path: Path) -> None:
    with WebServer(path.parent) as web:
        done = succeed("stats", "-", f"{web.url}/x.fa", path, "--tsv", stdin=path)

    stdin, of_web, of_path = tsv(done.stdout)
    assert [each.pop("file") for each in (stdin, of_web, of_path)] == [
        "-",
        f"{web.url}/x.fa",
        str(path),
    ]
    assert stdin == of_web == of_path


def test_pipes_need_no_name(path: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as aside:
        fed = aside.submit((tmp_path / "pipe").write_bytes, TEXT)
        found = fanfold.stats(tmp_path / "pipe")
        fed.result(timeout=120)
    done = succeed("stats", "/dev/stdin", "--tsv", stdin=path)
    compared = succeed("compare", "/dev/stdin", path, "--tsv", stdin=path)

    assert found.statistics == fanfold.stats(path).statistics
    assert tsv(done.stdout)[0]["length"] == "65089"
    assert compared.stdout.splitlines()[1].endswith("\t0.000000\t0.000000")


def test_rows_come_in_the_order_given_and_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    names = [f"{number}.fa" for number in range(60)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(b">a\n" + b"ACGT" * number + b"\n")
    (tmp_path / "reads.fq").write_bytes(b"@read\nACGT\n+\nIIII\n")
    given_names = [*names[:30], "reads.fq", "missing.fa", *names[30:]]

    done = command("stats", *given_names, "--json", cwd=tmp_path)

    assert done.returncode == 9
    rows = json.loads(done.stdout)
    assert [row["file"] for row in rows] == names
    assert [row["length"] for row in rows] == [4 * number for number in range(60)]
    fastq, missing = done.stderr.splitlines()
    assert fastq.startswith("fanfold: reads.fq: ")
    assert missing.startswith("fanfold: missing.fa: ")


def test_json_is_what_python_says(path: Path) -> None:
    (row,) = json.loads(succeed("stats", path, "--json").stdout)

    assert row == {"file": str(path), **msgspec.structs.asdict(fanfold.stats(path).statistics)}
    assert json.loads(command("stats", "no.fa", "no2.fa", "--json").stdout) == []


def test_the_table_on_a_screen_has_headings_and_thousands_apart(path: Path) -> None:
    headings, row = succeed("stats", path, "--min-gap", "3").stdout.splitlines()

    assert " ".join(headings.split()) == (
        "file sequences length shortest Q1 median Q3 mean longest N50 L50 N90 auN GC % N N % gaps"
        " contig N50 lowercase %"
    )
    assert row.split()[:3] == [str(path), "5", "65,089"]
    assert row.split()[-3] == "1"
    assert len(headings) == len(row)


def test_other_nx_can_be_asked_for(path: Path) -> None:
    done = succeed("stats", path, "--tsv", "--nx", "10,50,95")

    header, row = (line.split("\t") for line in done.stdout.splitlines())
    found = dict(zip(header, row, strict=True))
    assert [name for name in header if name[0] in "NL" and name[1:].isdecimal()] == [
        *("N10", "N50", "L50", "N95"),
    ]
    nx = fanfold.stats(path).nx
    assert [found[name] for name in ("N10", "N50", "N95")] == [str(nx[x - 1]) for x in (10, 50, 95)]


@pytest.mark.parametrize("nx", ["0", "101", "50,", "a", "-1", "1.5"])
def test_an_nx_that_can_not_be_is_refused(nx: str, path: Path) -> None:
    done = command("stats", path, f"--nx={nx}")

    assert done.returncode == 2
    assert "give whole numbers from 1 to 100" in done.stderr
    assert done.stdout == ""


def test_records_without_residues_have_no_lengths_to_tell(tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(b">a\n")

    found = fanfold.stats(path)

    assert found.nx == ()
    assert (found.statistics.shortest, found.statistics.median) == (0, 0.0)
    assert (found.statistics.N50, found.statistics.gc_percent) == (None, None)


def test_faults_are_errors_as_in_a_run(tmp_path: Path) -> None:
    (tmp_path / "bad.fa").write_bytes(b">a\nAC\x07GT\n")

    with pytest.raises(FastaError, match="byte 0x07"):
        fanfold.stats(tmp_path / "bad.fa")
    with pytest.raises(SourceMissingError):
        fanfold.stats(tmp_path / "gone.fa")
    with pytest.raises(ParameterError, match="min_gap"):
        fanfold.stats(tmp_path / "bad.fa", view=fanfold.View(min_gap=0))


def test_trailing_garbage_is_refused_unless_it_is_to_be_ignored(tmp_path: Path) -> None:
    path = tmp_path / "x.fa.gz"
    path.write_bytes(gzip.compress(LAMBDA) + b"garbage")

    with pytest.raises(ArchiveError):
        fanfold.stats(path)
    found = fanfold.stats(path, trailing_garbage="ignore")
    done = succeed("stats", path, "--trailing-garbage", "ignore", "--tsv")

    assert found.statistics.length == 48502
    assert tsv(done.stdout)[0]["length"] == "48502"


def test_memory_bounds_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "many.fa"
    path.write_bytes(b"".join(b">%d\n" % number for number in range(800_000)))

    with pytest.raises(ParameterError, match="more memory than --memory allows"):
        fanfold.stats(path, memory_bytes=120 * 1024**2)
