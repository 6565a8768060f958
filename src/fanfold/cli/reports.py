"""The commands that show a finished report."""

from __future__ import annotations

import sys

import click

import fanfold
from fanfold.cli.options import FILE, FOLDER, JSON, QUIET, STORAGE, VIEW
from fanfold.cli.streams import show_path
from fanfold.cli.telling import tell, tell_many
from fanfold.errors import OutputError
from fanfold.flow.many import render_many
from fanfold.objects import STDIN, Place, open_place, split_location
from fanfold.report.page.plot import PLOTS
from fanfold.report.view import View


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@VIEW
@click.option(
    "--busco",
    type=FILE,
    metavar="FILE",
    help="Show what BUSCO found: its short_summary.json.",
)
@STORAGE
@QUIET
@JSON
def report(
    *,
    folder: str,
    min_gap: int,
    min_length: int,
    genome_size: int | None,
    busco: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Make the report in DIR again, under another view.

    The genome is not needed. DIR is what --out was: a folder or a URL, of one genome or of many.
    Writes master.json, nx.tsv, report.html and multiqc/, the same as `fanfold run` with these
    options. Options that are not given are at their defaults.
    """
    view = View(min_gap, min_length, genome_size)
    if busco is None and not as_json:
        outcomes = render_many(folder, view=view)
        if outcomes is not None:
            tell_many(outcomes, folder, quiet=quiet)
            return
    tell(fanfold.render(folder, view=view, busco=busco), quiet=quiet, as_json=as_json)


class _Plots(click.Choice[str]):
    def get_missing_message(self, *_: object, **__: object) -> str:
        """The plots there are, in one line: click has a line for each."""
        return f"Choose from {', '.join(self.choices)}"


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.argument("what", type=_Plots(PLOTS))
@click.option(
    "--out",
    "-o",
    type=FILE,
    required=True,
    metavar="FILE",
    help="The SVG file to write; - is standard output.",
)
@click.option(
    "-k",
    "k",
    type=click.IntRange(min=1),
    metavar="N",
    help="Of which k-mers: for spectrum and cgr.  [default: the largest that have it]",
)
@STORAGE
def plot(*, folder: str, what: str, out: str, k: int | None) -> None:
    """Draw a figure of the report in DIR as SVG.

    DIR is what --out of the run was: a folder or a URL.
    """
    svg = fanfold.plot(folder, what, k=k)
    if out == STDIN:  # a dash is either stream
        sys.stdout.buffer.write(svg)
        return
    where, name = split_location(out)
    place = open_place(where)
    _check_replaceable(place, name)
    place.write(name, svg)
    show_path(place.where(name))


def _check_replaceable(place: Place, name: str) -> None:
    """Check that what a figure would replace, if there is anything, is an SVG file."""
    try:
        head = bytes(next(iter(place.blocks(name)), b"<svg"))
    except FileNotFoundError:
        return
    if b"<svg" not in head[:1000]:
        raise OutputError(f"{place.where(name)}: in the way, and no SVG; give another --out")
