"""The kernel's survey of the tables says what the slow twin does, and refuses other tables."""

from __future__ import annotations

import gzip
import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import isqrt
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from naive_survey import survey as naive
from summaries import written

import fanfold
from fanfold import _kernel
from fanfold._kernel import Findings
from fanfold.report.survey import ALL_LISTED, LONGEST_LISTED, Survey, survey_of
from fanfold.report.view import DEFAULT_VIEW, View

TESTS = Path(__file__).parents[1]
SHARED = TESTS.parents[1] / "shared" / "genomes"

HEADER = b"name\tlength\tA\tC\tG\tT\tN\tother\tlowercase\tgc_percent\tstart_byte\tU\n"

MANY = settings(max_examples=150, deadline=None)
FEW = settings(max_examples=6, deadline=None)


class Tables(NamedTuple):
    """The bytes of both tables."""

    sequences: bytes
    gaps: bytes


class Record(NamedTuple):
    """A record as numbers: `pieces` are residues in a row, and N, in turn."""

    name: bytes
    pieces: Sequence[int]
    a: int
    c: int
    g: int
    other: int
    lowercase: int
    u: int = 0

    def rows(self, start_byte: int) -> Tables:
        length, n = sum(self.pieces), sum(self.pieces[1::2])
        a, c, g, other = self.a, self.c, self.g, self.other
        t = length - n - a - c - g - other
        acgtu = a + c + g + t + self.u
        percent = f"{100 * (g + c) / acgtu:.3f}" if acgtu else ""
        numbers = [length, a, c, g, t, n, other, self.lowercase, percent, start_byte, self.u]
        ends = [0, *itertools.accumulate(self.pieces)]
        gaps = itertools.pairwise(ends)
        return Tables(
            b"\t".join([self.name, *(str(number).encode() for number in numbers)]) + b"\n",
            b"".join(
                self.name + f"\t{start}\t{end}\n".encode()
                for start, end in itertools.islice(gaps, 1, None, 2)
            ),
        )


def tables_of(records: Iterable[Record]) -> Tables:
    rows = [record.rows(100 * place) for place, record in enumerate(records)]
    return Tables(
        HEADER + b"".join(each.sequences for each in rows), b"".join(each.gaps for each in rows)
    )


def tables_of_text(text: bytes) -> Tables:
    found = fanfold.scan(text, 2).findings()
    assert isinstance(found, Findings)
    return Tables(written(found.write_sequences), written(found.write_gaps))


def surveyed(tables: Tables, view: View, block_bytes: Sequence[int] = ()) -> Survey:
    """The kernel's, fed in blocks of these sizes in turn; whole without any."""

    def in_blocks(table: bytes, add: Callable[[bytes], object]) -> None:
        start = 0
        for size in itertools.cycle(block_bytes or [max(1, len(table))]):
            add(table[start : start + size])
            start += size
            if start >= len(table):
                break

    return survey_of(view, partial(in_blocks, tables.sequences), partial(in_blocks, tables.gaps))


def assert_the_same(tables: Tables, view: View, block_bytes: Sequence[int] = ()) -> Survey:
    found, expected = surveyed(tables, view, block_bytes), naive(*tables, view)
    for field in Survey.__struct_fields__:
        assert (field, getattr(found, field)) == (field, getattr(expected, field))
    return found


# --- as the twin says -------------------------------------------------------------------------

names = st.sampled_from(
    [b"", b"chr1", b"chr1", b"\xff\xe9", b"\\", b"<script>", b"\x01\x7f", "\u202e\u0085".encode()]
) | st.sampled_from(["µ" * 60, "\U0001d538" * 101, "x" * 100, "x" * 101, "\x1b" * 40]).map(
    str.encode
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    pieces = draw(st.lists(st.integers(1, 40), max_size=8))
    starts_with_gap = draw(st.booleans())
    if pieces and starts_with_gap:
        pieces[0] = 0
    residues = sum(pieces[0::2])
    a, c, g, _t, other = parts_of(residues, draw(cuts_of(residues)))
    lowercase, u = draw(st.integers(0, sum(pieces))), draw(st.integers(0, other))
    return Record(draw(names), pieces, a, c, g, other, lowercase, u)


def cuts_of(whole: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, whole), max_size=4)


def parts_of(whole: int, cuts: list[int]) -> list[int]:
    """Five parts of a whole."""
    borders = [0] * (5 - len(cuts)) + sorted(cuts) + [whole]
    return [end - start for start, end in itertools.pairwise(borders)]


any_tables = st.lists(records(), max_size=8).map(tables_of)

bases = st.text("ACGTacgtRYu-", max_size=30)
runs_of_n = st.text("Nn", min_size=1, max_size=15)
sequences = st.lists(bases | runs_of_n, max_size=6).map("\n".join).map(str.encode)
texts = st.lists(st.tuples(names, sequences), min_size=1, max_size=6).map(
    lambda parts: b"".join(b">%s\n%s\n" % part for part in parts)
)

views = st.builds(
    View,
    min_gap=st.integers(1, 30),
    min_length=st.sampled_from([0, 0, 1, 2, 20, 60, 10**6]),
    genome_size=st.none() | st.integers(1, 400) | st.just(2**62),
)

blocks = st.sampled_from([[], [1]]) | st.lists(st.integers(1, 60), min_size=1, max_size=9)


@MANY
@given(tables=any_tables, view=views, block_bytes=blocks)
@example(tables=Tables(HEADER, b""), view=View(10, 5, 7), block_bytes=[])
def test_any_tables_are_surveyed_as_the_twin_does(
    tables: Tables, view: View, block_bytes: list[int]
) -> None:
    assert_the_same(tables, view, block_bytes)


@MANY
@given(text=texts, view=views, block_bytes=blocks)
def test_tables_of_a_scan_are_surveyed_as_the_twin_does(
    text: bytes, view: View, block_bytes: list[int]
) -> None:
    assert_the_same(tables_of_text(text), view, block_bytes)


def many_records(seed: int, count: int) -> list[Record]:
    """Records of all sizes, a few without bases, some with gaps, many of one length."""
    source = random.Random(seed)
    spread, least = source.choice([1, 4, 12, 40]), source.choice([0, 1, 1000])
    most_gc = source.choice([0, 0.02, 0.6, 1])
    found = []
    for number in range(count):
        length = least + source.choice([0, int(2 ** (source.random() * spread))])
        pieces = [length]
        if source.random() < 0.3:
            pieces += [source.choice([1, 9, 10, 30, 1000]), source.randrange(1, 50)]
        residues = sum(pieces[0::2])
        gc = min(residues, int(residues * source.random() * most_gc * 1.01))
        other = source.choice([0, 0, residues - gc])
        name = b"contig_%d" % number
        found.append(Record(name, pieces, 0, gc // 2, gc - gc // 2, other, residues // 3))
    return found


@FEW
@given(seed=st.integers(0, 2**32), view=views, block_bytes=st.just([]) | st.just([7, 40_000]))
def test_more_records_than_are_listed_are_surveyed_as_the_twin_does(
    seed: int, view: View, block_bytes: list[int]
) -> None:
    tables = tables_of(many_records(seed, ALL_LISTED + 1 + seed % 300))

    found = assert_the_same(tables, view, block_bytes)

    is_all_in_view = view.min_length == 0
    assert (found.grid is not None) >= is_all_in_view
    assert (len(found.listed) == LONGEST_LISTED) >= is_all_in_view


@pytest.mark.parametrize("more", [0, 1])
def test_up_to_two_thousand_records_are_all_listed(more: int) -> None:
    found = assert_the_same(tables_of(many_records(5, ALL_LISTED + more)), DEFAULT_VIEW)

    assert len(found.listed) == (LONGEST_LISTED if more else ALL_LISTED)
    assert (found.grid is None) == (not more)


def test_a_grid_of_records_without_bases_is_empty() -> None:
    tables = tables_of([Record(b"", [0, 5], 0, 0, 0, 0, 0)] * (ALL_LISTED + 1))

    found = assert_the_same(tables, DEFAULT_VIEW)

    assert found.grid is not None
    assert found.grid.cells == []
    assert found.grid.length_edges == []


def edge(i: int) -> int:
    """floor(2^(i/16))."""
    root = 1 << i
    for _ in range(4):
        root = isqrt(root)
    return root


def tables_of_one_in_the_grid(length: int) -> Tables:
    baseless = [Record(b"x", [1], 0, 0, 0, 1, 0)] * ALL_LISTED
    return tables_of([Record(b"long", [length], length, 0, 0, 0, 0), *baseless])


@pytest.mark.parametrize("part", range(16))
def test_bins_of_length_have_exact_edges_up_to_2_to_the_63(part: int) -> None:
    edges = [edge(16 * 62 + part), edge(16 * 62 + part + 1)]

    for length in (edges[0], edges[1] - 1 - ALL_LISTED):
        grid = surveyed(tables_of_one_in_the_grid(length), DEFAULT_VIEW).grid
        assert grid is not None
        assert grid.length_edges == edges


def test_the_largest_lengths_are_surveyed_as_the_twin_does() -> None:
    longest = 2**63 - 1 - ALL_LISTED

    found = assert_the_same(tables_of_one_in_the_grid(longest), View(genome_size=2**63 - 1))

    assert found.records.sum_of_squares == longest**2 + ALL_LISTED


def test_every_edge_of_a_bin_is_where_the_twin_has_it() -> None:
    lengths = {max(1, edge(i) - less) for i in range(57 * 16) for less in (0, 1)}
    rows = [Record(b"x", [each], each, 0, 0, 0, 0) for each in sorted(lengths)]
    filler = [Record(b"x", [1], 0, 1, 0, 0, 0)] * (ALL_LISTED + 1 - len(rows))
    gaps = [Record(b"x", [0, each], 0, 0, 0, 0, 0) for each in sorted(lengths) if each < 2**50]

    assert_the_same(tables_of([*rows, *filler, *gaps]), DEFAULT_VIEW)


GENOMES = [
    "ecoli_K12_GCF_000005845.2.fna.gz",
    "human_MT.fa",
    "lambda_NC_001416.fa",
    "phiX174.fa",
    "454AllContigs_mixedcase.fna",
    "LPA.fa.gz",
    "P_knowlesi_draft.fa.gz",
    "S_aureus_draft767.fa",
    "V_cholerae_draft1407.fa",
    "hg18_trimmed_softmasked.fasta",
]


@pytest.mark.parametrize("name", GENOMES)
def test_real_genomes_are_surveyed_as_the_twin_does(name: str) -> None:
    path = next((each / name for each in (TESTS / "data", SHARED) if (each / name).exists()), None)
    if path is None:
        pytest.skip(f"NOT COMPARED: {name} is not beside this checkout, in ../shared/genomes")
    data = path.read_bytes()
    tables = tables_of_text(gzip.decompress(data) if name.endswith(".gz") else data)

    for view in (DEFAULT_VIEW, View(min_gap=25, min_length=1000, genome_size=5_000_000)):
        assert_the_same(tables, view)


def test_all_bytes_of_a_name_are_in_the_json() -> None:
    every_byte = bytes(set(range(1, 256)) - set(b" \t\r\n\x0b\x0c"))
    pieces = [every_byte[start : start + 20] for start in range(0, len(every_byte), 20)]

    assert_the_same(tables_of(Record(each, [1], 1, 0, 0, 0, 0) for each in pieces), DEFAULT_VIEW)


def test_a_name_of_a_mebibyte_is_cut() -> None:
    tables = tables_of([Record(b"x" * (2**20 - 2), [2, 3], 1, 0, 0, 0, 0)])

    found = assert_the_same(tables, DEFAULT_VIEW, [65_537])

    assert found.listed[0].name == "x" * 99 + "…"


# --- refused ----------------------------------------------------------------------------------

ROW = b"a\t9\t1\t2\t1\t0\t4\t1\t2\t60.000\t0\t1\n"
GAPS = b"a\t0\t1\na\t5\t8\n"
LINE_2 = "sequences.tsv, line 2: "
NO_NUMBER = LINE_2 + "a column is not a number"
TOO_LARGE = LINE_2 + "a number is 2^63 or more"
NO_SUM = LINE_2 + "the length is not the sum of A, C, G, T, N and other"
LONG = b"a" * (2**20 + 300)

REFUSED = {
    "no header": (b"", b"", "sequences.tsv, at its end: the first line is not the header"),
    "a row for a header": (ROW, b"", "sequences.tsv, line 1: the first line is not the header"),
    "a longer header": (
        HEADER.replace(b"\n", b"\tx\n"),
        b"",
        "sequences.tsv, line 1: the first line is not the header",
    ),
    "an empty row": (HEADER + b"\n", b"", LINE_2 + "a column is missing"),
    "a column fewer": (HEADER + ROW.replace(b"\t1\n", b"\n"), b"", LINE_2 + "a column is missing"),
    "a column more": (
        HEADER + ROW.replace(b"\n", b"\t0\n"),
        b"",
        LINE_2 + "there are too many columns",
    ),
    "a word for a number": (HEADER + ROW.replace(b"\t9", b"\tx"), b"", NO_NUMBER),
    "a negative number": (HEADER + ROW.replace(b"\t9", b"\t-9"), b"", NO_NUMBER),
    "a fraction": (HEADER + ROW.replace(b"\t9", b"\t9.0"), b"", NO_NUMBER),
    "a leading zero": (HEADER + ROW.replace(b"\t9", b"\t09"), b"", NO_NUMBER),
    "a word for a percentage": (HEADER + ROW.replace(b"60.000", b"nan"), b"", NO_NUMBER),
    "a carriage return": (HEADER + ROW.replace(b"\n", b"\r\n"), b"", NO_NUMBER),
    "2^63": (HEADER + ROW.replace(b"\t9", b"\t9223372036854775808"), b"", TOO_LARGE),
    "2^64 + 9": (HEADER + ROW.replace(b"\t9", b"\t18446744073709551625"), b"", TOO_LARGE),
    "another length": (HEADER + ROW.replace(b"\t9", b"\t8"), b"", NO_SUM),
    "parts that overflow": (
        HEADER + b"a\t0" + b"\t4611686018427387904" * 4 + b"\t0\t0\t0\t\t0\t0\n",
        b"",
        NO_SUM,
    ),
    "lengths that overflow": (
        HEADER
        + b"a\t9223372036854775807\t9223372036854775807\t0\t0\t0\t0\t0\t0\t0.000\t0\t0\n" * 2,
        b"",
        "sequences.tsv, line 3: the lengths add up to 2^63 or more",
    ),
    "more lower case than residues": (
        HEADER + ROW.replace(b"\t2\t60", b"\t10\t60"),
        b"",
        LINE_2 + "there are more residues in lower case than residues",
    ),
    "more U than other residues": (
        HEADER + ROW.replace(b"\t1\n", b"\t2\n"),
        b"",
        LINE_2 + "there are more U than other residues",
    ),
    "a long row": (HEADER + LONG + ROW, b"", LINE_2 + "the row is too long"),
    "a long row without end": (HEADER + LONG, b"", LINE_2 + "the row is too long"),
    "no last line end": (
        HEADER + ROW[:-1],
        GAPS,
        "sequences.tsv, at its end: the last line has no line end",
    ),
    "no last line end of gaps": (
        HEADER + ROW,
        GAPS[:-1],
        "gaps.bed, at its end: the last line has no line end",
    ),
    "an empty line of gaps": (
        HEADER + ROW,
        GAPS + b"\n",
        "gaps.bed, line 3: a column is missing",
    ),
    "a gap without end": (HEADER + ROW, b"a\t0\n", "gaps.bed, line 1: a column is missing"),
    "a gap with a score": (
        HEADER + ROW,
        b"a\t0\t1\t5\n",
        "gaps.bed, line 1: there are too many columns",
    ),
    "a gap of a word": (HEADER + ROW, b"a\t0\tx\n", "gaps.bed, line 1: a column is not a number"),
    "a gap of an overflow": (
        HEADER + ROW,
        b"a\t0\t9223372036854775808\n",
        "gaps.bed, line 1: a number is 2^63 or more",
    ),
    "an empty gap": (HEADER + ROW, b"a\t0\t0\n", "gaps.bed, line 1: the gap ends before it starts"),
    "a gap backwards": (
        HEADER + ROW,
        b"a\t4\t1\n",
        "gaps.bed, line 1: the gap ends before it starts",
    ),
    "gaps out of order": (
        HEADER + ROW,
        b"a\t5\t8\na\t0\t1\n",
        "gaps.bed, line 2: the gap is not behind the one before it",
    ),
    "gaps that overlap": (
        HEADER + ROW,
        b"a\t0\t2\na\t1\t3\n",
        "gaps.bed, line 2: the gap is not behind the one before it",
    ),
    "gaps that touch": (
        HEADER + ROW,
        b"a\t0\t1\na\t1\t4\n",
        "gaps.bed, line 2: the gap is not behind the one before it",
    ),
    "a gap beyond its record": (
        HEADER + ROW,
        b"a\t6\t10\n",
        "gaps.bed, line 1: the gap ends behind its record",
    ),
    "a gap of another name": (
        HEADER + ROW,
        b"b\t0\t1\n",
        "gaps.bed, line 1: the gap is not of the record that has N left",
    ),
    "a gap of the next record": (
        HEADER + ROW + ROW.replace(b"a", b"b"),
        b"a\t0\t1\nb\t0\t1\n",
        "gaps.bed, line 2: the gap is not of the record that has N left",
    ),
    "gaps longer than N": (
        HEADER + ROW,
        b"a\t0\t2\na\t3\t6\n",
        "gaps.bed, line 2: the gaps of a record are longer than its N",
    ),
    "a gap left over": (
        HEADER + ROW,
        GAPS + b"a\t8\t9\n",
        "gaps.bed, line 3: no record has N left for this gap",
    ),
    "a gap missing": (
        HEADER + ROW,
        b"a\t0\t1\n",
        "gaps.bed, at its end: gaps are missing: a record has N left",
    ),
    "all gaps missing": (
        HEADER + ROW,
        b"",
        "gaps.bed, at its end: gaps are missing: a record has N left",
    ),
    "a long name of a gap": (
        HEADER + ROW,
        LONG + b"\t0\t1\n",
        "gaps.bed, line 1: the row is too long",
    ),
}


def test_the_rows_that_are_damaged_below_are_right() -> None:
    assert_the_same(Tables(HEADER + ROW, GAPS), DEFAULT_VIEW)


@pytest.mark.parametrize("block_bytes", [[], [1000]], ids=["whole", "in blocks"])
@pytest.mark.parametrize("case", REFUSED)
def test_tables_that_fanfold_does_not_write_are_refused(case: str, block_bytes: list[int]) -> None:
    sequences_tsv, gaps_bed, message = REFUSED[case]

    with pytest.raises(ValueError, match=r"^(sequences\.tsv|gaps\.bed), ") as caught:
        surveyed(Tables(sequences_tsv, gaps_bed), DEFAULT_VIEW, block_bytes)

    assert str(caught.value).startswith(message)


@MANY
@given(tables=any_tables, data=st.data())
def test_damaged_tables_are_refused_or_surveyed_but_never_a_crash(
    tables: Tables, data: st.DataObject
) -> None:
    damaged: list[bytes] = []
    for table in tables:
        changed = bytearray(table)
        for _ in range(data.draw(st.integers(0, 2)) if table else 0):
            place = data.draw(st.integers(0, len(table) - 1))
            changed[place] = data.draw(st.sampled_from(b"0189\t\n.-x\x00\xff"))
        damaged.append(bytes(changed))
    view = data.draw(views)

    changed_tables = Tables(*damaged)
    found = surveyed_or_refused(changed_tables, view)

    if isinstance(found, str):
        assert found.startswith(("sequences.tsv, ", "gaps.bed, "))
    else:
        assert found == naive(*changed_tables, view)


def surveyed_or_refused(tables: Tables, view: View) -> Survey | str:
    try:
        return surveyed(tables, view)
    except ValueError as error:
        return str(error)


def test_a_survey_that_refused_or_finished_has_ended() -> None:
    refused = _kernel.Survey(1, 0, None)
    with pytest.raises(ValueError, match="header"):
        refused.add_sequences(b"x\n")
    finished = _kernel.Survey(1, 0, None)
    finished.add_sequences(HEADER)
    finished.finish()

    for survey in (refused, finished):
        with pytest.raises(RuntimeError, match="has ended"):
            survey.add_sequences(b"")
        with pytest.raises(RuntimeError, match="has ended"):
            survey.add_gaps(b"")
        with pytest.raises(RuntimeError, match="has ended"):
            survey.finish()


def test_rows_of_sequences_come_before_gaps() -> None:
    survey = _kernel.Survey(1, 0, None)
    survey.add_sequences(HEADER + ROW)
    survey.add_gaps(b"")

    with pytest.raises(ValueError, match="come before"):
        survey.add_sequences(ROW)


@pytest.mark.parametrize("view", [(0, 0, None), (1, 0, 0), (2**63, 0, None), (1, 2**63, None)])
def test_a_view_that_is_none_is_refused(view: tuple[int, int, int | None]) -> None:
    with pytest.raises(ValueError, match="below 2"):
        _kernel.Survey(*view)


def test_integers_of_any_size_are_read() -> None:
    assert msgspec.json.decode(str(2**126).encode(), type=int) == 2**126
