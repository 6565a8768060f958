"""Reports to render: of a text, and of tables that are written directly."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import naive_survey

from fanfold._kernel import Fault, Scanner
from fanfold.params import Params
from fanfold.report.making import counts_of_findings, facts_of_findings, make_report
from fanfold.report.master import Master, SourceFacts
from fanfold.report.survey import (
    ALL_LISTED,
    LONGEST_LISTED,
    AtLeast,
    Cell,
    GapBin,
    GapGroup,
    Grid,
    Row,
    Survey,
)
from fanfold.report.view import DEFAULT_VIEW, View


class Report(NamedTuple):
    """What a page is made of."""

    master: Master
    survey: Survey
    counts: Mapping[int, Sequence[int]]


def report_of(
    text: bytes,
    k: tuple[int, ...] = (5,),
    *,
    canonical: bool = False,
    view: View = DEFAULT_VIEW,
    name: str = "genome.fa",
) -> Report:
    """The report of a FASTA text."""
    scanner = Scanner(max((2, *k)))
    scanner.update(text)
    found = scanner.finish().findings()
    assert not isinstance(found, Fault), found
    sequences: list[bytes] = []
    gaps: list[bytes] = []
    found.write_sequences(sequences.append)
    found.write_gaps(gaps.append)
    survey = naive_survey.survey(b"".join(sequences), b"".join(gaps), view)
    source = SourceFacts(name, len(text), "none", "AAAAAAAAAAA=")
    parameters = Params(k, canonical)
    counts = counts_of_findings(found, parameters)
    facts = facts_of_findings(found, counts, source, parameters, len(text))
    return Report(make_report(facts, survey, view), survey, counts)


def report_of_file(path: Path) -> Report:
    """The report of a file, which may be of gzip."""
    data = path.read_bytes()
    text = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    return report_of(text, name=path.name)


def large_report(text: bytes, *, with_grid: bool, name: str) -> Report:
    """A report whose survey is as large as surveys get; it is of no text.

    Args:
        text: what its k-mers are of, for k up to 8.
        with_grid: whether there are too many records to list them all.
        name: what records are called, before a number.
    """
    report = report_of(text, (1, 2, 3, 4, 5, 6, 7, 8))
    listed = LONGEST_LISTED if with_grid else ALL_LISTED
    rows = [
        Row(f"{name}{place}", 10**9 - 7 * place, 4 * 10**8 + place * 10**5, 10**9 - 7 * place, 0, 1)
        for place in range(listed)
    ]
    edges = [200 + 7_812_500 * place for place in range(129)]
    cells = [Cell(x, y, 1 + (x * y) % 977, 10**9 + x * y) for x in range(128) for y in range(96)]
    tracks = [
        [GapGroup(place * 5_000_000, place * 5_000_000 + 9, 3, 9) for place in range(200)]
        for _ in range(20)
    ]
    bins = [GapBin(2**place, 2 ** (place + 1), 40 - place, 2**place) for place in range(40)]
    steps = [
        type(step)(10**9 - 1001 * place, 1 + 37 * place, 10**9 + 10**7 * place)
        for place, step in enumerate(report.survey.records.steps)
    ]
    replace = msgspec.structs.replace
    lengths = replace(report.survey.records, steps=steps, count=listed, longest=10**9, shortest=200)
    survey = replace(
        report.survey,
        records=lengths,
        contigs=replace(lengths, count=listed + 1),
        listed=rows,
        grid=Grid(edges, [5 * place for place in range(97)], cells) if with_grid else None,
        tracks=tracks,
        gap_lengths=bins,
        gaps=replace(report.survey.gaps, count=12_000, sum=10**6, longest=2**40),
        gc_histogram=[10**6 + place for place in range(200)],
        snail=[
            type(each)(400 + place % 7, 500, 30, 1)
            for place, each in enumerate(report.survey.snail)
        ],
        at_least=[AtLeast(1000, 3, 9_999)] * 6,
    )
    return Report(report.master, survey, report.counts)
