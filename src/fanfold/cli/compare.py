"""`fanfold compare`: genomes side by side, with nothing written."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
import msgspec

from fanfold.checked_json import encode_indented
from fanfold.cli.options import FILE, MEMORY, MIN_GAP, MIN_LENGTH, STORAGE, WORKERS
from fanfold.cli.streams import say, show, show_json
from fanfold.cli.tables import ScreenRows, TsvRows, Value
from fanfold.flow.compare import Compared, Comparison, compare
from fanfold.report.distances import LEAST_K_OF_SETS, Distances
from fanfold.report.statistics import COLUMNS
from fanfold.report.view import View
from fanfold.shown import escaped

_OTHER_RESIDUES = ("A", "C", "G", "T", "U")
"""The composition, beside N."""

_ON_SCREEN = 20
"""Distances of more genomes don't fit on a screen."""


@click.command("compare")
@click.argument("genomes", type=FILE, nargs=-1, required=True, metavar="REPORT|GENOME...")
@click.option("--tsv", "as_tsv", is_flag=True, help="Print a TSV table.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--html", "as_html", is_flag=True, help="Print a page with a heat map.")
@MIN_GAP
@MIN_LENGTH
@WORKERS
@MEMORY
@STORAGE
def comparison(
    *,
    genomes: tuple[str, ...],
    as_tsv: bool,
    as_json: bool,
    as_html: bool,
    min_gap: int,
    min_length: int,
    workers: int | None,
    memory: int | None,
) -> None:
    """Put genomes side by side. Nothing is written.

    A REPORT is a folder that `fanfold run` wrote, of one genome or of many. A GENOME is scanned.
    The distance of two is 1 minus the cosine of their counts of canonical k-mers, of the largest k
    up to 6 that all have.
    """
    if as_tsv + as_json + as_html > 1:
        raise click.UsageError("give one of --tsv, --json and --html")
    view = View(min_gap, min_length)
    found = compare(genomes, view=view, workers=workers, memory_bytes=memory)
    if len({each.view for each in found.genomes}) > 1:
        say("the reports look at gaps and lengths in different ways (--min-gap, --min-length)")
    if as_json:
        show_json(encode_indented(found))
    elif as_tsv:
        _print_tsv(found)
    elif as_html:
        _print_page(found)
    else:
        _print(found)


def _numbers(genome: Compared) -> dict[str, int | float | None]:
    composition = msgspec.structs.asdict(genome.composition)
    residues = {each: composition[each] for each in _OTHER_RESIDUES}
    return msgspec.structs.asdict(genome.statistics) | residues


def _row(genome: Compared) -> dict[str, Value]:
    return {"file": genome.file, **_numbers(genome)}


def _print_page(found: Comparison) -> None:
    from fanfold.report.page.compare_page import compare_page  # noqa: PLC0415 - for it alone

    columns = [*COLUMNS, *_OTHER_RESIDUES]
    rows = []
    for genome in found.genomes:
        numbers = _numbers(genome)
        rows.append((genome.file, [numbers[each] for each in columns]))
    sys.stdout.buffer.write(compare_page(columns, rows, found.distances))


def _print_tsv(found: Comparison) -> None:
    of_all = [] if found.distances is None else found.distances.rows
    names = [f"distance:{each.file}" for each in found.genomes] if of_all else []
    rows = TsvRows(["file", *COLUMNS, *_OTHER_RESIDUES, *names])
    for place, genome in enumerate(found.genomes):
        distances = of_all[place] if of_all else []
        texts = ["" if each is None else f"{each:.6f}" for each in distances]
        rows.add(_row(genome) | dict(zip(names, texts, strict=True)))


def _print(found: Comparison) -> None:
    files = [each.file for each in found.genomes]
    rows = ScreenRows(["file", *COLUMNS, *_OTHER_RESIDUES], files)
    for genome in found.genomes:
        rows.add(_row(genome))
    show("")
    if found.distances is None:
        show("no distances: the reports have no k up to 6 in common; run them with the same -k")
        return
    k = found.distances.k
    show(f"distance: 1 - cosine of the counts of canonical {k}-mers")
    if len(files) <= _ON_SCREEN:
        _print_distances(found.distances, files)
    else:
        show(f"  of {len(files):,} genomes: --tsv, --json or --html show them")
    show(
        f"Jaccard, containment: {found.jaccard} (they take k of {LEAST_K_OF_SETS} or more: nearly"
        f" every {k}-mer is in every genome)"
    )


def _print_distances(distances: Distances, files: Sequence[str]) -> None:
    width = max(len(escaped(each)) for each in files)
    show(" " * (4 + width) + "".join(f"  {place:>8}" for place in range(1, len(files) + 1)))
    for place, (file, row) in enumerate(zip(files, distances.rows, strict=True), 1):
        texts = ["-" if each is None else f"{each:.6f}" for each in row]
        cells = "".join(f"  {each:>8}" for each in texts)
        show(f"{place:>2}  {escaped(file):<{width}}{cells}")
