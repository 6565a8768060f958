"""`fanfold compare`: genomes and reports side by side, and their distances."""

from __future__ import annotations

import json
import random
from array import array
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import numpy
import pytest

import fanfold
from engines.driving import DATA, command, succeed
from fanfold._kernel import clustered_order, cosine_distances
from fanfold.errors import ParameterError, PlanError
from fanfold.report.distances import Distances, distances_of
from fanfold.report.kmer_counts import counts_of_map, counts_of_table
from fanfold.report.page.heat import CLUSTERED_FROM, heat_figure

PHIX, LAMBDA, MT = (DATA / name for name in ("phiX174.fa", "lambda_NC_001416.fa", "human_MT.fa"))
REVERSED = str.maketrans("ACGT", "TGCA")


def expected_distances(paths: list[Path], k: int) -> Any:
    """By numpy, from the text."""
    kmers = ["".join(each) for each in product("ACGT", repeat=k)]
    vectors = []
    for path in paths:
        text = "".join(path.read_text().splitlines()[1:]).upper()
        counts = dict.fromkeys(kmers, 0)
        for start in range(len(text) - k + 1):
            kmer = text[start : start + k]
            if kmer in counts:
                counts[min(kmer, kmer.translate(REVERSED)[::-1])] += 1
        vectors.append([counts[kmer] for kmer in kmers])
    matrix = numpy.array(vectors, float)
    norms = numpy.linalg.norm(matrix, axis=1)
    return 1 - matrix @ matrix.T / numpy.outer(norms, norms)


def rows_of(found: fanfold.Comparison) -> list[list[float | None]]:
    assert found.distances is not None
    return found.distances.rows


def test_distances_of_genomes_are_those_of_the_definition() -> None:
    paths = [PHIX, LAMBDA, MT, PHIX]

    found = fanfold.compare(paths)

    assert found.distances is not None
    assert found.distances.k == 6
    assert numpy.array(rows_of(found)) == pytest.approx(expected_distances(paths, 6), abs=6e-7)
    assert rows_of(found)[0][3] == rows_of(found)[1][1] == 0
    assert [each.statistics for each in found.genomes] == [
        fanfold.stats(path).statistics for path in paths
    ]


def test_reports_and_genomes_say_the_same_whatever_the_strands(tmp_path: Path) -> None:
    fanfold.run(PHIX, [2, 6, 8], out=tmp_path / "phix")
    fanfold.run(LAMBDA, 6, canonical=True, out=tmp_path / "lambda")

    mixed = fanfold.compare([tmp_path / "phix", tmp_path / "lambda" / "master.json", MT])
    plain = fanfold.compare([PHIX, LAMBDA, MT])

    assert mixed.distances == plain.distances
    assert [each.statistics for each in mixed.genomes] == [
        each.statistics for each in plain.genomes
    ]


def test_the_largest_common_k_up_to_6_is_taken(tmp_path: Path) -> None:
    for name, k in (("a", [3, 5, 8]), ("b", [2, 3, 4, 8]), ("c", [8])):
        fanfold.run(PHIX, k, out=tmp_path / name)

    both = fanfold.compare([tmp_path / "a", tmp_path / "b"])
    none = fanfold.compare([tmp_path / "a", tmp_path / "c", MT])

    assert both.distances == Distances(3, [[0.0, 0.0], [0.0, 0.0]])
    assert none.distances is None
    assert "no k up to 6 in common" in succeed("compare", tmp_path / "a", tmp_path / "c").stdout


def test_a_collection_stands_for_its_reports_and_its_page_has_the_heat_map(tmp_path: Path) -> None:
    fanfold.run_many([PHIX, LAMBDA], out=tmp_path)

    found = fanfold.compare([tmp_path])

    assert [each.file for each in found.genomes] == [
        str(tmp_path / path.name) for path in (PHIX, LAMBDA)
    ]
    page = (tmp_path / "index.html").read_text()
    assert 'id="section-distances"' in page
    assert f"{rows_of(found)[0][1]:.6f}" in page
    assert "canonical 5-mers" in page


def test_reports_without_a_common_k_have_a_page_that_says_so(tmp_path: Path) -> None:
    fanfold.run_many([PHIX], 8, out=tmp_path)
    fanfold.run_many([LAMBDA], 5, out=tmp_path)

    assert "no k up to 6 in common" in (tmp_path / "index.html").read_text()


def test_tsv_json_and_page_say_the_same() -> None:
    paths = [PHIX, MT]
    found = fanfold.compare(paths)

    header, *rows = (
        line.split("\t") for line in succeed("compare", *paths, "--tsv").stdout.splitlines()
    )
    document = json.loads(succeed("compare", *paths, "--json").stdout)
    page = succeed("compare", *paths, "--html").stdout

    far = rows_of(found)[0][1]
    assert header[-2:] == [f"distance:{path}" for path in paths]
    assert [row[-2:] for row in rows] == [["0.000000", f"{far:.6f}"], [f"{far:.6f}", "0.000000"]]
    assert dict(zip(header, rows[1], strict=True))["A"] == str(found.genomes[1].composition.A)
    assert document == msgspec.to_builtins(found)
    assert document["jaccard"] == document["containment"] == "saturated"
    assert page.startswith("<!doctype html>")
    assert f"{far:.6f}" in page
    assert "data:image/png;base64," in page


def test_the_screen_has_statistics_and_distances() -> None:
    said = succeed("compare", PHIX, MT).stdout

    assert said.splitlines()[0].split()[:3] == ["file", "sequences", "length"]
    assert "distance: 1 - cosine of the counts of canonical 6-mers" in said
    assert "Jaccard, containment: saturated" in said


def test_a_genome_without_kmers_has_no_distance(tmp_path: Path) -> None:
    (tmp_path / "n.fa").write_bytes(b">a\nNNNN\n")

    found = fanfold.compare([PHIX, tmp_path / "n.fa"])

    assert rows_of(found) == [[0.0, None], [None, None]]
    assert "-" in succeed("compare", PHIX, tmp_path / "n.fa").stdout.splitlines()[-2].split()
    assert succeed("compare", PHIX, tmp_path / "n.fa", "--html").stdout


def test_reports_of_different_views_are_told(tmp_path: Path) -> None:
    fanfold.run(PHIX, out=tmp_path / "a", view=fanfold.View(min_gap=10))

    done = succeed("compare", tmp_path / "a", MT)

    assert "in different ways (--min-gap, --min-length)" in done.stderr
    assert succeed("compare", tmp_path / "a", MT, "--min-gap", "10").stderr == ""


def test_what_is_no_report_and_no_genome_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no report is here"):
        fanfold.compare([tmp_path])
    with pytest.raises(ParameterError, match="5,001 genomes: at most 5,000"):
        fanfold.compare([PHIX] * 5001)
    assert command("compare", PHIX, tmp_path / "gone.fa").returncode == 4
    assert command("compare", PHIX, "--tsv", "--json").returncode == 2


def test_a_damaged_report_is_not_compared(tmp_path: Path) -> None:
    fanfold.run(PHIX, out=tmp_path)
    (tmp_path / "kmers.k5.tsv").write_text("x")

    with pytest.raises(PlanError, match="not complete"):
        fanfold.compare([tmp_path])


def test_many_genomes_are_clustered_and_no_more_than_can_be_seen_are_named() -> None:
    draw = random.Random(1)
    kinds = [array("Q", [draw.randrange(1000) for _ in range(4**3)]) for _ in range(2)]
    counts = [kinds[place % 2] for place in range(CLUSTERED_FROM)]
    distances = distances_of(counts, 3)

    order = distances.order()
    figure = heat_figure([f"genome {place}" for place in range(CLUSTERED_FROM)], distances)
    fewer = heat_figure(["a"] * 200, distances_of(counts[:200], 3))

    evens = CLUSTERED_FROM // 2 + 1
    assert {place % 2 for place in order[:evens]} == {0}
    assert {place % 2 for place in order[evens:]} == {1}
    assert "average linkage" in figure.finding
    assert "average linkage" not in fewer.finding
    assert "genome 3" not in str(figure.content)


def test_the_kernel_refuses_what_is_no_counts_or_no_square() -> None:
    with pytest.raises(ValueError, match="4 counts, where 2-mers have 16"):
        cosine_distances([array("Q", [1, 2, 3, 4])], 2)
    with pytest.raises(ValueError, match="no square"):
        clustered_order(array("d", [0.0, 1.0]))
    assert cosine_distances([], 2) == b""


def test_a_table_of_kmers_has_the_counts_of_the_map(tmp_path: Path) -> None:
    report = fanfold.run(MT, [3, 5], out=tmp_path)

    for k in (3, 5):
        table = (tmp_path / f"kmers.k{k}.tsv").read_bytes()
        assert counts_of_table(table, k) == counts_of_map(report.master.kmer_counts, k)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"kmer", b"x\ty\nAC\t1\n", b"kmer\tcount\nAC\n", b"kmer\tcount\nACG\t1\n"),
        *(b"kmer\tcount\nAN\t1\n", b"kmer\tcount\nAC\t-1\n", b"kmer\tcount\nAC\tx\n"),
        *(b"kmer\tcount\nAC\t18446744073709551616\n", b"kmer\tcount\n\xff\xfe\t1\n"),
    ],
)
def test_what_is_no_table_of_kmers_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        counts_of_table(data, 2)
