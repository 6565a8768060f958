"""`fanfold stats`: a table of statistics, with nothing written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import msgspec

from fanfold.cli.ending import SOME_FAILED
from fanfold.cli.inputs import find_given
from fanfold.cli.noted import warn_of
from fanfold.cli.options import (
    ALPHABET,
    GENOMES,
    MEMORY,
    MIN_GAP,
    MIN_LENGTH,
    QUIET,
    STORAGE,
    TRAILING_GARBAGE,
    WORKERS,
)
from fanfold.cli.progress import progress_bar
from fanfold.cli.streams import say
from fanfold.cli.tables import JsonRows, Rows, ScreenRows, TsvRows, Value
from fanfold.flow.stats import Measured, stats, stats_many
from fanfold.params import Alphabet, TrailingGarbage
from fanfold.report.statistics import COLUMNS
from fanfold.report.view import View
from fanfold.shown import describe, shown


class _PerCents(click.ParamType[tuple[int, ...]]):
    """Whole per cents, such as 50,90."""

    name = "per cents"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The numbers that a text stands for."""
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(dict.fromkeys(int(each) for each in value.split(",")))
        except ValueError:
            found = (0,)
        if not all(1 <= each <= 100 for each in found):
            self.fail(f"{value!r}: give whole numbers from 1 to 100, such as 50,90,95", param, ctx)
        return found


@click.command("stats")
@GENOMES
@click.option("--tsv", "as_tsv", is_flag=True, help="Print a TSV table.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an object a genome.")
@click.option(
    "--nx",
    type=_PerCents(),
    default=(50, 90),
    metavar="X,X…",
    help="The N(x) to show, such as 50,90,95.  [default: 50,90]",
)
@ALPHABET
@MIN_GAP
@MIN_LENGTH
@TRAILING_GARBAGE
@WORKERS
@MEMORY
@STORAGE
@QUIET
def statistics(
    *,
    genomes: tuple[str, ...],
    list_path: str | None,
    label: str | None,
    as_tsv: bool,
    as_json: bool,
    nx: tuple[int, ...],
    alphabet: Alphabet,
    min_gap: int,
    min_length: int,
    trailing_garbage: TrailingGarbage,
    workers: int | None,
    memory: int | None,
    quiet: bool,
) -> None:
    """Print statistics of each GENOME. Nothing is written.

    Lengths with their quartiles, N50 and auN, GC, N, gaps and soft-masking: a row a genome, in the
    order given, as soon as it is there. A GENOME is what `fanfold run` takes. One that fails
    doesn't stop the others.
    """
    if as_tsv and as_json:
        raise click.UsageError("give --tsv or --json")
    columns = ["file", *_columns(nx)]
    given = find_given(genomes, list_path, label)
    rows: Rows = ScreenRows(columns, given.shown)
    if as_tsv:
        rows = TsvRows(columns)
    if as_json:
        rows = JsonRows(columns)
    view = View(min_gap, min_length)
    if not given.is_many:
        location, called = given.locations[0], given.shown[0]
        with progress_bar(called, quiet=quiet) as progress:
            found = stats(
                location,
                view=view,
                alphabet=alphabet,
                workers=workers,
                memory_bytes=memory,
                trailing_garbage=trailing_garbage,
                progress=progress,
            )
        warn_of(called, found.notes)
        rows.add(_row(called, found))
        rows.end()
        return
    has_failed = False
    outcomes = stats_many(
        given.locations,
        labels=given.labels,
        view=view,
        alphabet=alphabet,
        workers=workers,
        memory_bytes=memory,
        trailing_garbage=trailing_garbage,
    )
    for each in outcomes:
        if each.measured is None:
            say(f"fanfold: {describe(each.error)}", level="ERROR")
            has_failed = True
        else:
            called = each.label or shown(each.location)
            warn_of(called, each.measured.notes)
            rows.add(_row(called, each.measured))
    rows.end()
    if has_failed:
        raise click.exceptions.Exit(SOME_FAILED)


def _columns(nx: Sequence[int]) -> list[str]:
    """The columns, with other N(x) in place of N50 and N90; L50 goes with N50."""
    first, last = COLUMNS.index("N50"), COLUMNS.index("N90")
    chosen = [name for x in nx for name in ((f"N{x}", "L50") if x == 50 else (f"N{x}",))]
    return [*COLUMNS[:first], *chosen, *COLUMNS[last + 1 :]]


def _row(file: str, measured: Measured) -> dict[str, Value]:
    nx = {f"N{x}": None for x in range(1, 101)} | {f"N{x}": n for x, n in enumerate(measured.nx, 1)}
    return {"file": file, **nx, **msgspec.structs.asdict(measured.statistics)}
