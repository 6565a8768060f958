"""The merge law: however bytes are cut, and in whatever tree they merge, they mean the same.

What they mean is all that `Summary.findings` tells, faults included. The slow twin judges that the
whole is right; everything else is held against the whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from naive import BYTE_ORDER_MARK, split_lines
from summaries import (
    assert_as_the_twin_says,
    folded,
    kept,
    kept_and_read,
    pieces_of,
    scans,
    told,
)

import fanfold
from fanfold import Summary
from fanfold._kernel import Fault, Findings, Scanner

LIMIT_BYTES = 1_048_576
"""The most that a header or a comment may have, its line end not counted (DESIGN.md, 1)."""

MANY = settings(max_examples=100, deadline=None)
SOME = settings(max_examples=50, deadline=None)


# --- texts ------------------------------------------------------------------------------------

LINE_ENDS = [b"\n", b"\r\n", b"\r\r\r\n"]
ODD_BYTES = [
    *LINE_ENDS,
    *(b">", b">a", b">a b", b"> \tname", b">\xff\xe9", b">>", b">;"),
    *(b";", b";>", b"; c\x00", b"\xef\xbb\xbf", b"\xef\xbb", b"\xff\xfe", b"\xfe\xff"),
    *(b"A", b"C", b"g", b"t", b"ACGTACGTACGT", b"acgtnNNN", b"N", b"nnnn", b"RYK", b"uU-.*"),
    *(b" ", b"\t", b"@", b"\r", b"\r\r", b"\0", b"\x80", b"\x0b", b"A>C", b"A;C"),
]

line_ends = st.sampled_from(LINE_ENDS)
residues = st.text("ACGTACGTACGTacgtNn", max_size=30).map(str.encode)
odd_residues = st.text("ACGTNacgtnURYSWKMBDHVu-.*@>;!~ \t", max_size=12).map(str.encode)
header_texts = st.lists(
    st.sampled_from([b"chr1", b"x", b"", b" ", b"\t", b"\xc3\xa9", b"\xff", b">", b";", b"\x01"]),
    max_size=4,
).map(b"".join)


@st.composite
def fastas(draw: st.DrawFn, line_end: bytes | None = None) -> bytes:
    """FASTA: records of a few lines with comments, empty lines and odd residues among them.

    A `line_end` of None stands for all of them, mixed.
    """
    ends = line_ends if line_end is None else st.just(line_end)
    lines = [draw(st.sampled_from([b"", b"", b";first", b" \t"]))]
    for _ in range(draw(st.integers(1, 4))):
        lines.append(b">" + draw(header_texts))
        lines += draw(
            st.lists(st.one_of(residues, residues, odd_residues, st.just(b";c >x")), max_size=5)
        )
    text = b"".join(line + draw(ends) for line in lines)
    start = draw(st.sampled_from([b"", b"", BYTE_ORDER_MARK]))
    return start + text.rstrip(b"\r\n") + draw(st.sampled_from([b"", b"\r", *LINE_ENDS]))


any_bytes = st.binary(max_size=60)
odd_bytes = st.lists(st.sampled_from(ODD_BYTES), max_size=25).map(b"".join)
single_lines = st.lists(
    st.sampled_from([b"ACGT", b"acgtTTTTTTT", b"NNN", b"R", b"\r"]), max_size=12
).flatmap(
    lambda parts: st.sampled_from([b">s\n", b">s\r\n", b""]).map(
        lambda start: start + b"".join(parts)
    )
)
texts = st.one_of(any_bytes, odd_bytes, odd_bytes, fastas(), fastas(b"\r\n"), single_lines)

ks = st.integers(1, 6)

EVERYTHING = (
    BYTE_ORDER_MARK
    + b"\r\n;c\r\n>one two\r\nACGTNNnn\r\n\r\nnACG TA\r\r\n;mid >\nCGTT\n>\n>one\n"
    + b"acgtRY-.*@>;\n>\xff\xe9 z\r\nGATTACAGATTACA"
)
"""Something of all that FASTA may have, small enough to be cut at all pairs of places."""

FAULTY = b">one\r\nACGT\rAC\n>t\x00wo\nAC\x80GT\n"


# --- wherever bytes stand ---------------------------------------------------------------------


CONTEXTS = [
    (b"", b""),
    (b">x\nAC", b"GTN\n>y\nA"),
    (b">he", b"ad\nACGT"),
    (b">x\nNN\n;com", b"ment\r\nNAC"),
    (b">x\nA\r", b"\nC\r\n"),
]


def told_anywhere(summary: Summary) -> list[object]:
    """What a summary says wherever its bytes stand: two of which this is equal are the same."""
    return [
        told(fanfold.scan(before, summary.k).merge(summary).merge(fanfold.scan(after, summary.k)))
        for before, after in CONTEXTS
    ]


# --- the law ----------------------------------------------------------------------------------


@MANY
@given(text=texts, k=ks, data=st.data())
@example(text=EVERYTHING, k=3, data=None)
@example(text=FAULTY, k=3, data=None)
def test_any_cut_and_any_tree_mean_what_the_whole_means(
    text: bytes, k: int, data: st.DataObject | None
) -> None:
    cuts = list(range(0, len(text), 7))
    tree: Iterable[int] = itertools.repeat(1)
    if data is not None:
        cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=12), "cuts")
        tree = iter(lambda: data.draw(st.integers(0, 12), "merge"), None)
    summaries = scans(pieces_of(text, cuts), k)

    for place in tree:
        if len(summaries) == 1:
            break
        left = place % (len(summaries) - 1)
        summaries[left : left + 2] = [summaries[left].merge(summaries[left + 1])]

    assert told(summaries[0]) == told(fanfold.scan(text, k))


@MANY
@given(text=texts, k=ks)
@example(text=EVERYTHING, k=4)
@example(text=FAULTY, k=4)
def test_slices_of_one_byte_mean_what_the_whole_means(text: bytes, k: int) -> None:
    assume(text)
    summaries = scans((bytes([byte]) for byte in text), k)
    expected = told(fanfold.scan(text, k))

    from_right = summaries[-1]
    for summary in reversed(summaries[:-1]):
        from_right = summary.merge(from_right)
    level = summaries
    while len(level) > 1:
        level = [folded(level[at : at + 2]) for at in range(0, len(level), 2)]

    assert told(folded(summaries)) == expected
    assert told(from_right) == expected
    assert told(level[0]) == expected


@pytest.mark.parametrize("text", [EVERYTHING, FAULTY, EVERYTHING.replace(b"\n", b"\r\n")])
def test_every_pair_of_cuts_means_what_the_whole_means(text: bytes) -> None:
    expected = told(fanfold.scan(text, 3))
    for start, end in itertools.combinations_with_replacement(range(len(text) + 1), 2):
        left, middle, right = scans(pieces_of(text, (start, end)), 3)

        assert told(left.merge(middle).merge(right)) == expected, (start, end)


@SOME
@given(text=texts, k=ks, cuts=st.lists(st.integers(0, 120), max_size=6))
def test_a_merge_means_what_the_whole_means_wherever_it_stands(
    text: bytes, k: int, cuts: list[int]
) -> None:
    summaries = scans(pieces_of(text, (min(cut, len(text)) for cut in cuts)), k)

    assert told_anywhere(folded(summaries)) == told_anywhere(fanfold.scan(text, k))


@SOME
@given(text=fastas(), cut=st.integers(0, 120))
def test_the_largest_dense_k_obeys_too(text: bytes, cut: int) -> None:
    left, right = scans(pieces_of(text, [min(cut, len(text))]), 8)

    assert told(left.merge(right)) == told(fanfold.scan(text, 8))


@MANY
@given(parts=st.tuples(texts, texts, texts), k=ks)
def test_merge_is_associative(parts: tuple[bytes, bytes, bytes], k: int) -> None:
    one, two, three = scans(parts, k)

    from_left, from_right = one.merge(two).merge(three), one.merge(two.merge(three))

    assert told_anywhere(from_left) == told_anywhere(from_right)


@SOME
@given(text=texts, k=ks)
def test_the_empty_summary_is_the_identity_on_both_sides(text: bytes, k: int) -> None:
    summary = fanfold.scan(text, k)

    for empty in (Summary(summary.k), fanfold.scan(b"", k)):
        for merged in (empty.merge(summary), summary.merge(empty)):
            assert told_anywhere(merged) == told_anywhere(summary)


def test_the_empty_summary_of_a_merge_is_that_of_an_empty_object() -> None:
    empty = Summary(3).merge(Summary(3))

    assert told(empty) == told(fanfold.scan(b"", 3)) == (0, "empty", 0, 0)


@SOME
@given(parts=st.tuples(texts, texts, texts), k=ks)
def test_merge_never_changes_its_arguments(parts: tuple[bytes, bytes, bytes], k: int) -> None:
    summaries = scans(parts, k)
    before = [kept(summary) for summary in summaries]

    one, two, three = summaries
    one.merge(two).merge(three)
    one.merge(two.merge(three))
    two.merge(two)
    for summary in summaries:
        told(summary)

    assert [kept(summary) for summary in summaries] == before


@SOME
@given(text=texts, k=ks, blocks=st.lists(st.integers(0, 20), min_size=1, max_size=8))
def test_a_scanner_is_fed_in_blocks_of_any_size(text: bytes, k: int, blocks: list[int]) -> None:
    scanner = Scanner(max(2, k))
    position = 0
    for size in itertools.chain(blocks, itertools.repeat(1)):
        if position >= len(text):
            break
        scanner.update(memoryview(bytearray(text))[position : position + size])
        position += size
    summary = scanner.finish()

    assert told_anywhere(summary) == told_anywhere(fanfold.scan(text, k))


@SOME
@given(text=texts, k=ks, cuts=st.lists(st.integers(0, 120), max_size=5))
@example(text=EVERYTHING, k=4, cuts=[5, 20, 21, 60, 90])
def test_what_is_kept_and_read_back_merges_as_if_it_had_stayed(
    text: bytes, k: int, cuts: list[int]
) -> None:
    summaries = scans(pieces_of(text, (min(cut, len(text)) for cut in cuts)), k)

    merged = Summary(summaries[0].k)
    for summary in summaries:
        merged = kept_and_read(merged.merge(kept_and_read(summary)))

    assert told_anywhere(merged) == told_anywhere(fanfold.scan(text, k))


@SOME
@given(text=texts, k=st.integers(2, 6), data=st.data())
def test_kept_kmers_of_smaller_lengths_change_nothing_that_is_read_back(
    text: bytes, k: int, data: st.DataObject
) -> None:
    lengths = sorted(data.draw(st.sets(st.integers(1, k)), "lengths") | {k})
    summary = fanfold.scan(text, k)
    state, _, rows = kept(summary)
    kmers = summary.kmer_counts_json(lengths)

    assert kept(Summary.from_forms(state, kmers, rows)) == kept(summary)
    assert {len(kmer) for kmer in msgspec.json.decode(kmers)} <= set(lengths)


@SOME
@given(text=texts, k=ks, cut=st.integers(0, 120))
def test_the_bases_of_neighbours_add_up_but_for_lines_that_wait(
    text: bytes, k: int, cut: int
) -> None:
    """The stub's promise: only bases before the first line end may not be counted yet."""
    left, right = scans(pieces_of(text, [min(cut, len(text))]), k)
    merged = left.merge(right)
    waiting = sum(text.partition(b"\n")[0].upper().count(base) for base in b"ACGT")

    assert merged.size_bytes == left.size_bytes + right.size_bytes == len(text)
    assert merged.gc_count <= merged.total_bases
    assert merged.total_bases == fanfold.scan(text, k).total_bases
    assert merged.total_bases >= left.total_bases + right.total_bases
    found = merged.findings()
    if isinstance(found, Findings):
        bases = sum(found.composition[base] for base in "ACGT")
        assert merged.total_bases <= bases <= merged.total_bases + waiting


def test_summaries_of_different_k_do_not_merge() -> None:
    with pytest.raises(ValueError, match=r"k"):
        fanfold.scan(b">a\nACGT\n", 3).merge(fanfold.scan(b"ACGT\n", 4))


@SOME
@given(text=fastas(), k=ks, which=st.integers(0, 2), end=st.integers(0, 4000), data=st.data())
def test_damaged_forms_are_refused_as_a_value_error_or_read_as_other_values(
    text: bytes, k: int, which: int, end: int, data: st.DataObject
) -> None:
    """Never a crash of the kernel, whatever is done to them."""
    forms: list[bytes] = list(kept(fanfold.scan(text, k)))
    damaged = bytearray(forms[which])
    if data.draw(st.booleans(), "truncate"):
        del damaged[end % (len(damaged) + 1) :]
    elif damaged:
        damaged[end % len(damaged)] ^= data.draw(st.integers(1, 255), "flip")
    forms[which] = bytes(damaged)
    try:
        summary = Summary.from_forms(*forms)
        summary.merge(summary).findings()
        kept(summary)
    except ValueError:
        pass


def test_forms_of_other_summaries_are_refused() -> None:
    summary = fanfold.scan(b">a\nACGT\n>b\nNNAC\n", 3)
    state, kmers, rows = kept(summary)

    for forms in (
        (b"", kmers, rows),
        (b"{}", kmers, rows),
        (state[:-1], kmers, rows),
        (state, kmers[:-1], rows),
        (state, b'{"AXA": 1}', rows),
        (state, b'{"AAA": -1}', rows),
    ):
        with pytest.raises(ValueError, match=r"."):
            Summary.from_forms(*forms)


# --- the whole is right -----------------------------------------------------------------------


@MANY
@given(text=st.one_of(fastas(), fastas(), odd_bytes), k=ks, cuts=st.lists(st.integers(0, 120)))
@example(text=EVERYTHING, k=4, cuts=[])
@example(text=FAULTY, k=4, cuts=[3])
def test_a_merge_says_what_the_slow_twin_says(text: bytes, k: int, cuts: list[int]) -> None:
    found = folded(scans(pieces_of(text, (min(cut, len(text)) for cut in cuts)), k)).findings()

    assert_as_the_twin_says(found, text, range(1, k + 1))


@SOME
@given(text=fastas(), k=st.integers(1, 8))
def test_canonical_counts_are_what_the_slow_twin_counts(text: bytes, k: int) -> None:
    found = fanfold.scan(text, k).findings()

    assert_as_the_twin_says(found, text, [k], canonical=True)


@SOME
@given(text=fastas(), k=st.integers(1, 8))
def test_kmers_in_runs_are_the_windows_of_the_runs(text: bytes, k: int) -> None:
    """Counted from lengths alone, and still as many as the k-mers themselves."""
    found = fanfold.scan(text, k).findings()

    assert isinstance(found, Findings)
    for length in range(1, max(2, k) + 1):
        counts = memoryview(found.kmer_counts(length, False)).cast("Q")
        assert found.kmers_in_runs(length) == sum(counts)


# --- the limit of 1 MiB -----------------------------------------------------------------------


class LongLine(NamedTuple):
    """A text with a line about as long as a header may be, from `start_byte` to `end_byte`.

    `fault` is what must be found: its kind and place; None when the text is fine.
    """

    name: str
    text: bytes
    start_byte: int
    end_byte: int
    fault: tuple[str, int] | None


def long_line(
    name: str,
    start: bytes,
    line_bytes: int,
    *,
    before: bytes = b"",
    after: bytes = b"\nACGTNACGT\n",
    fill: bytes = b"ACG>T;n x",
    fault: str | None = None,
) -> LongLine:
    line = start + (fill * (line_bytes // len(fill) + 1))[: line_bytes - len(start)]
    text = before + line + after
    place = None if fault is None else (fault, len(before))
    return LongLine(name, text, len(before), len(before) + len(line), place)


MARK = BYTE_ORDER_MARK
RECORD = b">first\nGATTACA\n"
IN_RECORD = b">first\nGATT"
LONG_LINES = [
    long_line("header of the limit", b">", LIMIT_BYTES),
    long_line("header of the limit, CRLF", b">", LIMIT_BYTES, after=b"\r\nAC\r\n"),
    long_line("header of the limit, many CRs", b">", LIMIT_BYTES, after=b"\r\r\r\r\r\nAC\n"),
    long_line("header of the limit after a mark", b">", LIMIT_BYTES, before=MARK),
    long_line("header of the limit after a record", b">", LIMIT_BYTES, before=RECORD),
    long_line("header of the limit at the end", b">", LIMIT_BYTES, before=RECORD, after=b""),
    long_line("header of the limit and a last CR", b">", LIMIT_BYTES, after=b"\r"),
    long_line("comment of the limit", b";", LIMIT_BYTES, before=RECORD),
    long_line("comment of the limit, CRLF", b";", LIMIT_BYTES, before=RECORD, after=b"\r\nAC\n"),
    long_line("comment of the limit first", b";", LIMIT_BYTES, after=b"\n" + RECORD),
    *(
        long_line(name, start, LIMIT_BYTES + 1, before=before, after=after, fault=fault)
        for name, start, before, after, fault in [
            ("long header", b">", b"", b"\nAC\n", "header-too-long"),
            ("long header, CRLF", b">", b"", b"\r\nAC\r\n", "header-too-long"),
            ("long header after a mark", b">", MARK, b"\nAC\n", "header-too-long"),
            ("long header after a record", b">", RECORD, b"\nAC\n", "header-too-long"),
            ("long header at the end", b">", RECORD, b"", "header-too-long"),
            ("long header and a last CR", b">", RECORD, b"\r", "header-too-long"),
            ("long comment", b";", RECORD, b"\nAC\n", "comment-too-long"),
            ("long comment after a mark", b";", MARK, b"\n>x\nAC\n", "comment-too-long"),
            ("long comment at the end", b";", RECORD, b"", "comment-too-long"),
            ("long comment, then an invalid byte", b";", RECORD, b"\n\x80\n", "comment-too-long"),
        ]
    ),
    *(
        long_line(
            f"sequence of the limit and {more}",
            b"",
            LIMIT_BYTES + more,
            before=before,
            fill=b"ACGTTGCAnNac",
        )
        for before in (RECORD, MARK + RECORD)
        for more in (0, 1, 4, 70_000)
    ),
    long_line("sequence that goes on", b"", LIMIT_BYTES + 5, before=IN_RECORD, fill=b"ACGNT"),
    long_line(
        "sequence with '>' and ';' in it", b"", LIMIT_BYTES + 5, before=IN_RECORD, fill=b">;A>CCT"
    ),
    long_line("blanks", b"", LIMIT_BYTES + 9, before=RECORD, fill=b" \t"),
    long_line("sequence of CRLF lines", b"", LIMIT_BYTES + 9, before=RECORD, after=b"\r\nA\r\n"),
    long_line("no header", b"A", LIMIT_BYTES + 9, fault="sequence-before-header"),
    long_line(
        "no header after a mark", b"A", LIMIT_BYTES, before=MARK, fault="sequence-before-header"
    ),
    long_line("a FASTQ in one line", b"@", LIMIT_BYTES + 9, fault="fastq"),
]
PLACES = [0, 1, 3, 4, 5, 700_000]


def interesting_cuts(case: LongLine) -> list[int]:
    """Around the line's start and end, the place where the limit is passed, and the text's ends."""
    around = [case.start_byte + place for place in PLACES]
    around += [case.start_byte + LIMIT_BYTES + more for more in (-1, 0, 1, 2, 4, 5)]
    around += [case.end_byte + more for more in (-1, 0, 1, 2, 6)]
    around += [len(case.text) - 1]
    return sorted({place for place in around if 0 < place < len(case.text)})


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in LONG_LINES])
class TestLineAboutAsLongAsTheLimit:
    def test_is_told_for_what_it_is(self, case: LongLine) -> None:
        found = fanfold.scan(case.text, 2).findings()

        if case.fault is not None:
            assert isinstance(found, Fault)
            assert (found.kind, found.offset_byte) == case.fault
        elif case.name.startswith(("header", "comment")):
            assert_as_the_twin_says(found, case.text, [2])
        else:  # a megabyte is much for the twin
            assert isinstance(found, Findings)
            lines = [line for line in split_lines(case.text) if not line.is_header]
            sequence = b"".join(line.text for line in lines).translate(None, b" \t").upper()
            counts = memoryview(found.kmer_counts(2, False)).cast("Q")
            assert found.record_count == 1
            assert found.length == len(sequence)
            assert {residue: found.composition[residue] for residue in "ACGTN"} == {
                residue: sequence.count(residue.encode()) for residue in "ACGTN"
            }
            assert counts[0b0110] == sequence.count(b"CG")
            assert counts[0b0001] == sequence.count(b"AC")

    def test_may_be_cut_anywhere_once(self, case: LongLine) -> None:
        expected = told(fanfold.scan(case.text, 2))
        for cut in interesting_cuts(case):
            left, right = scans(pieces_of(case.text, [cut]), 2)

            assert told(left.merge(right)) == expected, cut

    def test_may_be_cut_anywhere_twice_and_merged_from_either_side(self, case: LongLine) -> None:
        expected = told(fanfold.scan(case.text, 2))
        pairs = list(itertools.combinations(interesting_cuts(case), 2))
        for start, end in pairs[:: max(1, len(pairs) // 8)]:
            left, middle, right = scans(pieces_of(case.text, (start, end)), 2)

            assert told(left.merge(middle).merge(right)) == expected, (start, end)
            assert told(left.merge(middle.merge(right))) == expected, (start, end)

    def test_may_be_kept_and_read_between_merges(self, case: LongLine) -> None:
        expected = told(fanfold.scan(case.text, 2))
        cuts = interesting_cuts(case)
        summaries = [kept_and_read(each) for each in scans(pieces_of(case.text, cuts), 2)]

        assert told(folded(summaries)) == expected

    def test_may_be_fed_in_small_blocks(self, case: LongLine) -> None:
        for size in (4093, LIMIT_BYTES - 1, LIMIT_BYTES):
            scanner = Scanner(2)
            for start in range(0, len(case.text), size):
                scanner.update(case.text[start : start + size])

            assert told(scanner.finish()) == told(fanfold.scan(case.text, 2)), size


def test_a_long_line_of_two_unknown_halves_is_judged_by_what_stands_before_it() -> None:
    """Neither half is long by itself: the merge makes the line pass the limit."""
    half = b"ACGT" * (LIMIT_BYTES // 8 + 1)
    line = fanfold.scan(half, 2).merge(fanfold.scan(half + b"\n", 2))

    for before, expected in {
        b">x\n": None,
        b">x\nAC": None,
        b">": "header-too-long",
        b">x\n;": "comment-too-long",
        b"": "sequence-before-header",
        b"\r": "bare-cr",
        b">x\r": "header-too-long",
    }.items():
        found = fanfold.scan(before, 2).merge(line).findings()
        assert (found.kind if isinstance(found, Fault) else None) == expected, before
        assert told(fanfold.scan(before, 2).merge(line)) == told(
            fanfold.scan(before + half + half + b"\n", 2)
        )


def test_many_crs_that_wait_belong_to_the_line_end_or_are_bare() -> None:
    crs = b"\r" * (LIMIT_BYTES + 10)
    for before, after, expected in [
        (b">x\nAC", b"\nGT\n", None),
        (b">x", b"\nGT\n", None),
        (b">x\nAC", b"", None),
        (b">x\nAC", b"A\n", ("bare-cr", 5)),
        (b">x", b"y\nA\n", ("header-too-long", 0)),
        (b">x\n;", b"y\nA\n", ("comment-too-long", 3)),
    ]:
        text = before + crs + after
        for cut in (len(before), len(before) + 1, len(before) + len(crs) // 2, len(text) - 1):
            left, right = scans(pieces_of(text, [cut]), 2)
            found = left.merge(right).findings()
            place = (found.kind, found.offset_byte) if isinstance(found, Fault) else None

            assert place == expected, (before, after, cut)
            assert told(left.merge(right)) == told(fanfold.scan(text, 2))
