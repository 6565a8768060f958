"""The page of `fanfold compare`: genomes side by side, in one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from fanfold.report.distances import Distances
from fanfold.report.page.document import document
from fanfold.report.page.heat import heat_section
from fanfold.report.page.words import NOTHING, counted, shown_name
from fanfold.report.statistics import heading

_TITLE = "fanfold: genomes compared"


def compare_page(
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[float | None]]],
    distances: Distances | None,
) -> bytes:
    """The page.

    Args:
        columns: the names of the columns of numbers.
        rows: each genome's name and numbers.
        distances: how far the genomes are apart; None where they have no k in common.
    """
    headers = Markup("").join(
        Markup('<th scope="col"><button type="button">{}</button></th>').format(title)
        for title in ("genome", *map(heading, columns))
    )
    body = Markup("\n").join(_row(name, values) for name, values in rows)
    names = [name for name, _ in rows]
    content = Markup(
        "<header><h1>Genomes compared</h1><p>{}.</p></header>\n"
        '<section id="section-genomes"><h2>Genomes</h2>'
        '<div class="table tall" role="region" aria-label="Genomes" tabindex="0">'
        '<table class="sortable genomes"><caption>Exact statistics of each genome</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div></section>\n{}"
    ).format(counted(len(rows), "genome"), headers, body, heat_section(names, distances))
    return document(_TITLE, content, {"name": "compare", "copy": "", "figures": {}})


def _row(name: str, values: Sequence[float | None]) -> Markup:
    cells = Markup("").join(_cell(each) for each in values)
    shown = shown_name(name)
    return Markup('<tr><th scope="row" data-value="{}"><bdi>{}</bdi></th>{}</tr>').format(
        shown, shown, cells
    )


def _cell(value: int | float | None) -> Markup:  # noqa: PYI041 - an integer has no decimals
    if value is None:
        return Markup('<td data-value="">{}</td>').format(NOTHING)
    shown = f"{value:,.3f}" if isinstance(value, float) else f"{value:,}"
    return Markup('<td data-value="{}">{}</td>').format(value, shown)
