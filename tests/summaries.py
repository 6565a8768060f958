"""What summaries say: compared with each other, and with the slow twin."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec
import pytest
from naive import NaiveError, analyse, comparable

import fanfold
from fanfold import Summary
from fanfold._kernel import Fault, Findings
from fanfold.params import check_params
from fanfold.report.making import counts_of_findings, facts_of_findings, make_report
from fanfold.report.master import SourceFacts
from fanfold.report.survey import survey_of
from fanfold.report.view import DEFAULT_VIEW


def told(summary: Summary) -> object:
    """All that a summary says of its bytes when they are a whole object."""
    found = summary.findings()
    if isinstance(found, Fault):
        return summary.size_bytes, found.kind, found.offset_byte, found.byte
    counted = range(1, summary.k + 1)
    return {
        "bytes": summary.size_bytes,
        "composition": found.composition,
        "lengths": (found.length, found.gap_length, found.record_count),
        "lines": (found.comment_lines, found.empty_records, found.repeated_names),
        "fai": (found.fai_refusal, found.fai_rows, found.fai_lineless, found.fai_repeated),
        "kmers": {
            (k, canonical): found.kmer_counts(k, canonical)
            for k in counted
            for canonical in (False, True)
        },
        "in runs": [found.kmers_in_runs(k) for k in counted],
        "tables": tables(found),
    }


def tables(found: Findings) -> list[bytes]:
    writers = [found.write_sequences, found.write_gaps]
    if found.fai_refusal is None:
        writers.append(found.write_fai)
    return [written(writer) for writer in writers]


def written(writer: Callable[[Callable[[bytes], object]], None]) -> bytes:
    pages: list[bytes] = []
    writer(pages.append)
    return b"".join(pages)


class Forms(NamedTuple):
    """What is kept of a summary."""

    state: bytes
    kmer_counts: bytes
    rows: bytes


def kept(summary: Summary) -> Forms:
    return Forms(summary.state_json(), summary.kmer_counts_json([summary.k]), summary.rows())


def kept_and_read(summary: Summary) -> Summary:
    return Summary.from_forms(*kept(summary))


def pieces_of(text: bytes, cuts: Iterable[int]) -> list[bytes]:
    borders = [0, *sorted(cuts), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(borders)]


def folded(summaries: Sequence[Summary]) -> Summary:
    first, *others = summaries
    for other in others:
        first = first.merge(other)
    return first


def scans(pieces: Iterable[bytes], k: int) -> list[Summary]:
    return [fanfold.scan(piece, k) for piece in pieces]


def assert_as_the_twin_says(
    found: Findings | Fault, text: bytes, lengths: Sequence[int], *, canonical: bool = False
) -> None:
    if isinstance(found, Fault):
        with pytest.raises(NaiveError) as caught:
            analyse(text, lengths, canonical=canonical)
        assert (found.kind, found.offset_byte) == (caught.value.kind, caught.value.offset_byte)
        if found.kind not in {"empty", "no-record", "utf-16"}:
            assert found.byte == text[found.offset_byte]
        return
    expected = analyse(text, lengths, canonical=canonical)
    source = SourceFacts("memory", len(text), "none", "AAAAAAAAAAA=")
    parameters = check_params(lengths, canonical=canonical)
    counts = counts_of_findings(found, parameters)
    facts = facts_of_findings(found, counts, source, parameters, len(text))
    survey = survey_of(DEFAULT_VIEW, found.write_sequences, found.write_gaps)
    report = make_report(facts, survey, DEFAULT_VIEW)
    master = msgspec.json.decode(msgspec.json.encode(report))
    assert comparable(master) == comparable(expected.master)
    rows = [expected.sequences_tsv, expected.gaps_bed]
    assert tables(found) == [*rows, *([] if expected.fai is None else [expected.fai])]
