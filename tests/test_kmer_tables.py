"""Tables of k-mers of finished reports, as a program reads them: those of a naive count."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from kmer_parts import add_table, back, most_frequent, record, report_with, rows_of
from naive_kmers import naive_kmers

import fanfold
from fanfold.errors import OutputError, ParameterError, PlanError
from fanfold.kmers.finished import all_kmers
from fanfold.kmers.table import MOST_TOP
from fanfold.objects import LocalPlace

TOOLS = {
    "newest": Path(__file__).parents[1] / ".venv-tables/bin/python",
    "oldest": Path(__file__).parents[1] / ".venv-tables-oldest/bin/python",
}
GROUP_ROWS = 1 << 20
ABSENT = "ACGTTGCATTTACGAGGGTTCCACCATGACGT"
"""Its first letters are in no text here, from k = 9 on."""

CASES = [
    *((1, False), (3, True), (8, False)),
    *((9, True), (21, True), (21, False), (31, True), (32, True), (32, False)),
]


def text_of(seed: int, *, shared: int = 0) -> bytes:
    """Bases with repeated k-mers; the first ones don't depend on the seed."""
    same, own = random.Random(0), random.Random(seed)
    first = "".join(same.choices("ACGT", k=shared))
    unit = "".join(own.choices("ACGT", k=60))
    rest = "".join(own.choices("ACGT", k=300))
    return f">a\n{first}{unit * 3}{rest}\n>b\n{rest[:90]}\n{'T' * 80}\nNN{unit}\n".encode()


TEXT = text_of(1)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """A report of canonical k-mers and one of the given strand."""
    folder = tmp_path_factory.mktemp("reports")
    return {
        canonical: report_with(
            folder / str(canonical),
            TEXT,
            sorted({k for k, kind in CASES if kind == canonical}),
            canonical=canonical,
        )
        for canonical in (False, True)
    }


@pytest.fixture
def out(reports: dict[bool, Path], tmp_path: Path) -> Path:
    """A copy of the report of canonical k-mers, to be damaged."""
    return shutil.copytree(reports[True], tmp_path / "out")


def rows_in(table: fanfold.KmerTable) -> list[tuple[int, int]]:
    return [row for codes, counts in table.blocks() for row in zip(codes, counts, strict=True)]


# --- what a table says


@pytest.mark.parametrize(("k", "canonical"), CASES)
def test_rows_are_those_of_a_naive_count(
    k: int, canonical: bool, reports: dict[bool, Path]
) -> None:
    counts = naive_kmers(TEXT, k, canonical=canonical)
    table = fanfold.open_kmers(reports[canonical], k)

    assert (table.k, table.canonical) == (k, canonical)
    assert (table.distinct, table.total) == (len(counts), sum(counts.values()))
    assert rows_in(table) == rows_of(counts)
    assert rows_in(table) == rows_of(counts)  # again
    multiplicities = [*counts.values()]
    assert table.hist() == [(n, multiplicities.count(n)) for n in sorted({*multiplicities})]
    for n in (0, 1, 10, 11, 60, MOST_TOP):
        assert table.top(n) == most_frequent(counts, n)
    assert b"".join(table.text()) == b"".join(
        b"%s\t%d\n" % (a.encode(), n) for a, n in counts.items()
    )
    files = [reports[canonical] / f"kmers.k{k}.tsv"]
    if k > 8:
        files = [*(reports[canonical] / f"kmers/k{k}").iterdir()]
        assert len(files) > 3
    assert table.size_bytes == sum(file.stat().st_size for file in files)
    assert f"{k}-mers: distinct={len(counts)}" in repr(table)


@pytest.mark.parametrize(("k", "canonical"), CASES)
def test_counts_are_looked_up_in_the_order_asked(
    k: int, canonical: bool, reports: dict[bool, Path]
) -> None:
    counts = naive_kmers(TEXT, k, canonical=canonical)
    asked = [*counts, *list(counts)[:5], ABSENT[:k], *map(back, counts)]
    random.Random(2).shuffle(asked)
    table = fanfold.open_kmers(reports[canonical], k)

    expected = [counts.get(min(each, back(each)) if canonical else each, 0) for each in asked]
    assert table.get(asked) == expected
    assert table.get(map(str.lower, asked)) == expected
    assert table.get([]) == []
    if k > 8:
        assert 0 in expected


def test_text_leaves_out_what_is_rarer_or_more_frequent(reports: dict[bool, Path]) -> None:
    counts = naive_kmers(TEXT, 21, canonical=True)
    table = fanfold.open_kmers(reports[True], 21)
    chosen = {kmer: count for kmer, count in counts.items() if 2 <= count <= 3}
    assert 0 < len(chosen) < len(counts)

    text = b"".join(table.text(fasta=True, least=2, most=3)).decode()

    assert text == "".join(f">{count}\n{kmer}\n" for kmer, count in chosen.items())
    assert b"".join(table.text(least=2**70)) == b""
    with pytest.raises(ParameterError, match="least = -1"):
        table.text(least=-1)


@pytest.mark.parametrize("kmer", ["", "ACGT", "ACGTN" * 5, "A" * 20 + "Ä", "A" * 22, 21, None])
def test_what_is_no_kmer_is_named(kmer: Any, reports: dict[bool, Path]) -> None:
    table = fanfold.open_kmers(reports[True], 21)

    with pytest.raises(ParameterError, match="is no 21-mer") as raised:
        table.get(["A" * 21, kmer])

    assert str(kmer) in str(raised.value)


def test_one_kmer_is_not_a_list_of_them(reports: dict[bool, Path]) -> None:
    with pytest.raises(ParameterError, match="give a list of 21-mers"):
        fanfold.open_kmers(reports[True], 21).get("A" * 21)


@pytest.mark.parametrize("n", [-1, MOST_TOP + 1, "5", 1.5])
def test_a_number_that_can_not_be_is_refused(n: Any, reports: dict[bool, Path]) -> None:
    with pytest.raises(ParameterError, match="n "):
        fanfold.open_kmers(reports[True], 21).top(n)


def test_a_text_without_kmers_has_empty_tables(tmp_path: Path) -> None:
    out = report_with(tmp_path, b">a\nACGTNN\n", [5, 21], canonical=True)

    for table in all_kmers(out):
        assert (table.distinct, table.total, rows_in(table)) == (0, 0, [])
        assert (table.hist(), table.top(20), b"".join(table.text())) == ([], [], b"")
        assert table.get(["A" * table.k]) == [0]
        overlap = table.overlap(table)
        assert (overlap.shared, overlap.jaccard, overlap.cosine) == (0, None, None)


def test_rows_come_a_group_at_a_time(tmp_path: Path) -> None:
    out = report_with(tmp_path, b">a\nACGT\n", [1], canonical=False)
    first = [(3 * row, 1 + row % 3) for row in range(GROUP_ROWS + 5)]
    last = [(4**32 - 1, 2**62)]
    add_table(out, 32, [first, last], canonical=False)
    table = fanfold.open_kmers(out, 32)

    assert [len(codes) for codes, _ in table.blocks()] == [GROUP_ROWS, 5, 1]
    assert rows_in(table) == first + last
    assert table.get(["T" * 32, "A" * 32, "A" * 31 + "C"]) == [2**62, 1, 0]
    assert table.top(12)[0] == ("T" * 32, 2**62)
    found = table.overlap(table)
    assert (found.shared, found.only_a, found.only_b, found.cosine) == (len(first) + 1, 0, 0, 1.0)


# --- which table


def report_at(out: Path) -> fanfold.Report:
    return fanfold.Report(
        LocalPlace(out), (out / "master.json").read_bytes(), resumed=True, seconds=0.0
    )


def test_a_report_gives_its_tables(reports: dict[bool, Path]) -> None:
    report = report_at(reports[True])

    assert rows_in(report.kmers(21)) == rows_in(fanfold.open_kmers(reports[True], 21))
    assert [each.k for each in all_kmers(reports[True])] == list(report.master.parameters.k)
    with pytest.raises(ParameterError, match="5-mers were not counted; give one k of 3, 9, 21"):
        report.kmers(5)
    with pytest.raises(ParameterError, match="k must be a whole number"):
        report.kmers("21")  # type: ignore[arg-type]


def test_a_report_does_not_give_tables_of_another_one(out: Path, tmp_path: Path) -> None:
    report = report_at(out)
    other = report_with(tmp_path / "other", TEXT, [5], canonical=True)
    for name in ("master.json", "run.json"):
        shutil.copy(other / name, out / name)

    with pytest.raises(PlanError, match="another report is here by now"):
        report.kmers(21)


def test_k_may_be_left_out_where_there_is_one_table(tmp_path: Path, out: Path) -> None:
    one = report_with(tmp_path / "one", TEXT, [21], canonical=True)
    none = report_with(tmp_path / "none", TEXT, [], canonical=True)

    assert fanfold.open_kmers(one).k == 21
    with pytest.raises(ParameterError, match="of several lengths; give one k of 3, 9, 21"):
        fanfold.open_kmers(out)
    with pytest.raises(ParameterError, match="no k-mers were counted"):
        fanfold.open_kmers(none)


def test_what_is_no_report_has_no_tables(tmp_path: Path, out: Path) -> None:
    with pytest.raises(PlanError, match="no report is here"):
        fanfold.open_kmers(tmp_path / "nowhere", 21)
    (out / "master.json").write_bytes((out / "master.json").read_bytes() + b" ")
    with pytest.raises(PlanError, match="not complete"):
        fanfold.open_kmers(out, 21)
    (out / "master.json").unlink()
    with pytest.raises(PlanError, match="not complete"):
        fanfold.open_kmers(out, 21)
    (out / "run.json").write_bytes(b"{}")
    with pytest.raises(PlanError, match=r"run\.json: damaged"):
        fanfold.open_kmers(out, 21)


# --- what was damaged

PART = "kmers/k21/part-00001.parquet"


def cut(out: Path) -> None:
    path = out / PART
    path.write_bytes(path.read_bytes()[:-1])


def flip(out: Path) -> None:
    path = out / PART
    data = path.read_bytes()
    path.write_bytes(data[:60] + bytes([data[60] ^ 1]) + data[61:])


def link(out: Path) -> None:
    path = out / PART
    path.rename(out / "elsewhere")
    path.symlink_to(out / "elsewhere")


def of_another_table(out: Path) -> None:
    shutil.copy(out / PART.replace("k21", "k31"), out / PART)
    record(out, [PART])


def swapped(out: Path) -> None:
    other = PART.replace("00001", "00000")
    (out / PART).rename(out / "kept")
    (out / other).rename(out / PART)
    (out / "kept").rename(out / other)
    record(out, [PART, other])


def twice(out: Path) -> None:
    shutil.copy(out / PART.replace("00001", "00000"), out / PART)
    record(out, [PART])


def without_the_last(out: Path) -> None:
    last = max((out / PART).parent.iterdir())
    last.unlink()
    record(out, [last.relative_to(out).as_posix()])


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (lambda out: (out / PART).unlink(), r"part-00001\.parquet: gone; run again"),
    "cut": (cut, r"part-00001\.parquet: not what was written \(.*cut off\)"),
    "altered": (flip, r"part-00001\.parquet: not what was written \(.*checksum"),
    "a link": (link, r"part-00001\.parquet"),
    "of another k": (of_another_table, r"part-00001\.parquet: .*a part of another table"),
    "swapped": (swapped, r"part-00001\.parquet: .*doesn't go on where"),
    "twice": (twice, r"part-00001\.parquet: .*doesn't go on where"),
    "too few": (without_the_last, r"the parts have \d+ rows, and the report \d+ k-mers"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_table_is_an_error_that_names_the_part(damage: str, out: Path) -> None:
    do, said = DAMAGES[damage]
    kmers = sorted(naive_kmers(TEXT, 21, canonical=True))
    do(out)
    table = fanfold.open_kmers(out, 21)

    with pytest.raises(OutputError, match=said):
        rows_in(table)
    with pytest.raises(OutputError, match=said):
        table.top(20)
    with pytest.raises(OutputError, match=said):
        b"".join(table.text())
    with pytest.raises(OutputError, match=said):
        table.get(kmers)
    assert rows_in(fanfold.open_kmers(out, 9)) == rows_of(naive_kmers(TEXT, 9, canonical=True))


def test_what_is_not_read_is_not_in_the_way(out: Path) -> None:
    counts = naive_kmers(TEXT, 21, canonical=True)
    first = next(iter(counts))
    flip(out)

    assert fanfold.open_kmers(out, 21).get([first]) == [counts[first]]


def test_parts_are_those_of_the_record_and_not_of_the_folder(out: Path) -> None:
    before = rows_in(fanfold.open_kmers(out, 21))
    shutil.copy(out / PART, (out / PART).with_name("part-00099.parquet"))

    assert rows_in(fanfold.open_kmers(out, 21)) == before
    (out / PART).unlink()
    record(out, [PART])
    with pytest.raises(PlanError, match="not complete"):
        fanfold.open_kmers(out, 21)


def test_counts_of_a_report_that_do_not_add_up_are_refused(out: Path) -> None:
    path = out / "master.json"
    path.write_bytes(re.sub(rb'("AAA": )\d+', rb"\g<1>1", path.read_bytes()))
    record(out, ["master.json"])

    with pytest.raises(PlanError, match="counts of 3-mers don't add up"):
        fanfold.open_kmers(out, 3).get(["AAA"])


# --- two tables


@pytest.mark.parametrize(("k", "canonical"), [(3, True), (9, True), (21, True), (32, False)])
@pytest.mark.parametrize("shared", [0, 40, 400])
def test_an_overlap_is_that_of_sets_and_of_vectors(
    k: int, canonical: bool, shared: int, tmp_path: Path
) -> None:
    texts = [text_of(seed, shared=shared) for seed in (1, 2)]
    a, b = (naive_kmers(text, k, canonical=canonical) for text in texts)
    tables = [
        fanfold.open_kmers(
            report_with(tmp_path / name, text, [k], canonical=canonical, part_rows=part_rows)
        )
        for name, text, part_rows in zip("ab", texts, (30, 77), strict=True)
    ]

    found = tables[0].overlap(tables[1])

    both = a.keys() & b.keys()
    assert (found.k, found.canonical) == (k, canonical)
    assert (found.shared, found.only_a, found.only_b) == (
        *(len(both), len(a.keys() - b.keys()), len(b.keys() - a.keys())),
    )
    assert found.jaccard == len(both) / len(a.keys() | b.keys())
    assert found.containment_of_a == len(both) / len(a)
    assert found.containment_of_b == len(both) / len(b)
    squares = [sum(count**2 for count in each.values()) for each in (a, b)]
    cosine = sum(a[kmer] * b[kmer] for kmer in both) / sqrt(squares[0] * squares[1])
    assert found.cosine == pytest.approx(cosine, rel=1e-12)
    assert tables[0].overlap(tables[0]).cosine == 1.0


def test_tables_of_another_k_or_strand_are_not_compared(reports: dict[bool, Path]) -> None:
    table = fanfold.open_kmers(reports[True], 21)

    with pytest.raises(ParameterError, match=r"has canonical 21-mers, and .* canonical 31-mers"):
        table.overlap(fanfold.open_kmers(reports[True], 31))
    with pytest.raises(ParameterError, match=r"and .* 21-mers of the given strand"):
        table.overlap(fanfold.open_kmers(reports[False], 21))


# --- Arrow

OPENED = """
import json, sys
sys.path += json.loads(sys.argv[2])  # behind those of this environment
import fanfold
tables = [fanfold.open_kmers(sys.argv[1], k) for k in (3, 21, 32)]
"""
ARROW = {
    "pyarrow": """
import pyarrow
read = [pyarrow.table(table) for table in tables * 2]
found = [list(zip(*each.to_pydict().values())) for each in read]
assert [each.column_names for each in read] == [["kmer", "count"]] * 6
assert not any(field.nullable or field.type != pyarrow.uint64() for field in read[1].schema)
assert read[1].schema.metadata == {
    b"fanfold.k": b"21", b"fanfold.canonical": b"true",
    b"fanfold.encoding": b"2 bits a base, A=0 C=1 G=2 T=3, the first base in the highest bits",
}
for each in read:
    each.validate(full=True)
""",
    "polars": """
import polars
read = [polars.DataFrame(table) for table in tables * 2]
found = [each.rows() for each in read]
assert read[1].schema == {"kmer": polars.UInt64, "count": polars.UInt64}
""",
    "duckdb": """
import duckdb
found = []
for kmers in tables * 2:
    found.append(duckdb.sql("from kmers").fetchall())
""",
}


def run_tool(age: str, tool: str, code: str, out: Path) -> subprocess.CompletedProcess[str]:
    python = TOOLS[age]
    has_tool: list[str | Path] = [python, "-c", f"import {tool}"]
    if not python.exists() or subprocess.run(has_tool, check=False).returncode:
        pytest.skip(f"*** LEFT OUT: K-MERS AS ARROW IN THE {age} {tool}: it takes {python}")
    paths = [sysconfig.get_path("purelib"), str(Path(fanfold.__file__ or "").parents[1])]
    return subprocess.run(
        [python, "-c", OPENED + code, out, json.dumps(paths)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("age", TOOLS)
@pytest.mark.parametrize("tool", ARROW)
def test_a_table_is_an_arrow_stream_again_and_again(
    tool: str, age: str, reports: dict[bool, Path]
) -> None:
    done = run_tool(age, tool, f"{ARROW[tool]}\nprint(json.dumps(found))", reports[True])

    assert done.returncode == 0, done.stderr
    expected = [rows_of(naive_kmers(TEXT, k, canonical=True)) for k in (3, 21, 32)]
    found: Sequence[Sequence[Sequence[int]]] = json.loads(done.stdout)
    assert [[tuple(row) for row in rows] for rows in found] == expected * 2


def test_a_damaged_part_ends_the_stream_with_an_error(out: Path) -> None:
    flip(out)

    done = run_tool("newest", "pyarrow", "import pyarrow\npyarrow.table(tables[1])", out)

    assert done.returncode != 0
    assert "part-00001.parquet: not what was written" in done.stderr.splitlines()[-1]


def test_a_stream_that_nobody_takes_is_let_go(reports: dict[bool, Path]) -> None:
    table = fanfold.open_kmers(reports[True], 21)

    for _ in range(3):
        assert "arrow_array_stream" in repr(table.__arrow_c_stream__())


# --- the documentation


def test_the_calls_of_the_documentation_read_tables(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs/kmers.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (code,) = (block for block in blocks if "import fanfold" in block)
    texts = {name: text_of(seed, shared=100) for seed, name in enumerate("ab")}
    for name, text in texts.items():
        out = report_with(tmp_path / name, text, [21], canonical=True, part_rows=10**6)
        out.rename(tmp_path / f"{name}.fanfold")
    a, b = (naive_kmers(text, 21, canonical=True) for text in texts.values())

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    spectrum = fanfold.open_kmers(tmp_path / "a.fanfold").hist()
    assert done.stdout.splitlines() == [
        f"21 True {len(a)} {sum(a.values())}",
        str([a.get("ACGTTGCATTTACGAGGGTTC", 0), a["A" * 21]]),
        str(spectrum[:3]),
        str(most_frequent(a, 5)),
        f"{len(a)} {sum(a.values())}",
        str(len(a.keys() & b.keys()) / len(a.keys() | b.keys())),
    ]
