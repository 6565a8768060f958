"""What a command says of the reports it made: a short summary to stderr, the path to stdout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from fanfold.cli.ending import SOME_FAILED
from fanfold.cli.streams import say, show_json, show_path
from fanfold.flow.collection import INDEX, SUMMARY
from fanfold.flow.many import describe
from fanfold.objects import open_place

if TYPE_CHECKING:
    import fanfold


def tell(report: fanfold.Report, *, quiet: bool, as_json: bool) -> None:
    """Tell of a report: print its path, or what it says."""
    if not quiet:
        say(*_summary(report))
    if as_json:
        show_json(report.data)
    else:
        show_path(report.master_url)


def tell_many(outcomes: list[fanfold.Outcome], out: str, *, quiet: bool) -> None:
    """Tell what came of many inputs; the exit code is another if one failed."""
    failed = [each for each in outcomes if each.error is not None]
    if not quiet:
        done = f"{len(outcomes) - len(failed)} of {len(outcomes)} genomes done"
        say(f"  {done}, side by side in {open_place(out).where(INDEX)}")
    for each in failed:
        say(f"fanfold: {describe(each.error)}", level="ERROR")
    show_path(open_place(out).where(SUMMARY))
    if failed:
        raise click.exceptions.Exit(SOME_FAILED)


def _summary(report: fanfold.Report) -> list[str]:
    master = report.master
    sequences = master.sequences

    def number(value: int | None) -> str:
        return "none" if value is None else f"{value:,}"

    rows = [
        ("sequences", number(sequences.count)),
        ("length", number(sequences.length)),
        ("N50", number(sequences.N50)),
        ("GC %", "none" if master.gc_percent is None else f"{master.gc_percent:.3f}"),
        ("N", number(master.composition.N)),
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
