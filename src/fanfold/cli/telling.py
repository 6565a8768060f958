"""What a command says of the reports it made: a short summary to stderr, the path to stdout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from fanfold.cli.ending import SOME_FAILED
from fanfold.cli.noted import warn_of
from fanfold.cli.streams import say, show_json, show_path
from fanfold.cli.tables import ScreenRows
from fanfold.flow.collection import INDEX, SUMMARY
from fanfold.objects import open_place
from fanfold.report.statistics import COLUMNS, statistics_of
from fanfold.shown import describe

if TYPE_CHECKING:
    import fanfold


def tell(report: fanfold.Report, *, quiet: bool, as_json: bool) -> None:
    """Tell of a report: print its path, or what it says."""
    if not quiet:
        say(*_summary(report))
    warn_of(report.master.source.name, report.master.notes)
    if as_json:
        show_json(report.data)
    else:
        show_path(report.master_url)


def tell_many(outcomes: list[fanfold.Outcome], out: str, *, quiet: bool) -> None:
    """Tell what came of many inputs; the exit code is another if one failed."""
    failed = [each for each in outcomes if each.error is not None]
    if not quiet:
        _tell_table([each for each in outcomes if each.report is not None])
        done = f"{len(outcomes) - len(failed)} of {len(outcomes)} genomes done"
        say(f"  {done}, side by side in {open_place(out).where(INDEX)}")
    for each in outcomes:
        if each.report is not None:
            warn_of(each.name, each.report.master.notes)
    for each in failed:
        say(f"fanfold: {describe(each.error)}", level="ERROR")
    show_path(open_place(out).where(SUMMARY))
    if failed:
        raise click.exceptions.Exit(SOME_FAILED)


def _tell_table(outcomes: Sequence[fanfold.Outcome]) -> None:
    """The table that `fanfold stats` prints, on stderr: the path alone goes to stdout."""
    rows = ScreenRows(["file", *COLUMNS], [each.name for each in outcomes], say)
    for each in outcomes:
        if each.report is not None:
            found = msgspec.structs.asdict(statistics_of(each.report.master))
            rows.add({"file": each.name, **found})


def _summary(report: fanfold.Report) -> list[str]:
    master = report.master
    sequences = master.sequences

    def number(value: int | None) -> str:
        return "none" if value is None else f"{value:,}"

    def per_cent(value: float | None) -> str:
        return "none" if value is None else f"{value:.3f}"

    rows = [
        ("sequences", number(sequences.count)),
        ("length", number(sequences.length)),
        ("longest", number(sequences.longest)),
        ("N50", number(sequences.N50)),
        ("L50", number(sequences.L50)),
        ("GC %", per_cent(master.gc_percent)),
        ("gaps", number(master.gaps.count)),
        ("N", number(master.composition.N)),
        ("N %", per_cent(master.composition.n_percent)),
        ("soft-masked %", per_cent(master.composition.soft_masked_percent)),
    ]
    for kmers in master.kmers:
        kind = "canonical " if kmers.canonical else ""
        counts = f"{kmers.distinct:,} distinct of {kmers.possible:,}"
        rows.append((f"{kind}{kmers.k}-mers", f"{counts}, {kmers.total:,} in all"))
    note = " (it was complete already)" if report.resumed else ""
    rows.append(("seconds", f"{report.seconds:.2f}{note}"))
    rows.append(("files", f"{report.url}/"))
    rows.append(("page", report.page_url))
    return in_rows(rows)


def in_rows(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Lines of labels, and what belongs to each, in two columns."""
    width = max(len(label) for label, _ in rows)
    return [f"  {label:<{width}}  {value}" for label, value in rows]
