"""`index.html`: many genomes beside each other, in one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from fanfold.report.distances import Distances
from fanfold.report.measures import IndexRow, Measures
from fanfold.report.outliers import FEWEST, Spread, spread_of
from fanfold.report.page.document import document
from fanfold.report.page.drawn import in_page
from fanfold.report.page.heat import heat_section
from fanfold.report.page.overlay import Curve, overlay_figure
from fanfold.report.page.words import NOTHING, counted, number, shown_name, verb
from fanfold.report.ratio import ratio
from fanfold.report.run_record import PAGE
from fanfold.shown import escaped

_TITLE = "fanfold: genomes side by side"

_HEAD_BYTES = 2000
"""The title of a page is among so many bytes."""

_ABOVE, _BELOW = "▲", "▼"


class _Column(NamedTuple):
    """A column of the table: its header, the name of its measure, and whether it is per cent."""

    header: str
    measure: str
    is_percent: bool = False


_COLUMNS = (
    _Column("Length", "length"),
    _Column("Sequences", "sequences"),
    _Column("N50", "N50"),
    _Column("L50", "L50"),
    _Column("Longest", "longest"),
    _Column("Contig N50", "contig_N50"),
    _Column("GC %", "gc_percent", True),
    _Column("N %", "n_percent", True),
    _Column("Gaps", "gaps"),
    _Column("Soft-masked %", "soft_masked_percent", True),
    _Column("Notes", "notes"),
)

_OUTLIERS_IN = "Outlier in"

_Exact = Callable[[Measures], int | Fraction | None]

_JUDGED: Mapping[str, _Exact] = {
    "length": lambda measures: measures.length,
    "N50": lambda measures: measures.N50,
    "gc_percent": lambda measures: _percent(measures.gc, measures.acgtu),
    "n_percent": lambda measures: _percent(measures.n, measures.residues),
}
"""The measures in which outliers are marked, before they are rounded."""


def index_page(
    rows: Sequence[IndexRow], failed: Mapping[str, str], distances: Distances | None = None
) -> bytes:
    """The page.

    Args:
        rows: the genomes that have reports.
        failed: why each of the others has none, by name.
        distances: how far the genomes are apart; None where they have no k in common.
    """
    spreads = {
        measure: spread_of([exact(row.measures) for row in rows])
        for measure, exact in _JUDGED.items()
    }
    figure = overlay_figure(
        [
            Curve(shown_name(row.name), row.nx, spreads["N50"].signs[place])
            for place, row in enumerate(rows)
        ]
    )
    body = Markup("\n").join(
        (
            _head(rows, failed),
            _failures(failed),
            _table(rows, spreads),
            Markup('<section id="section-curves"><h2>Nx curves</h2>{}</section>').format(
                in_page(figure)
            ),
            heat_section([row.name for row in rows], distances),
        )
    )
    figures = {} if figure.data is None else {figure.id: figure.data}
    return document(_TITLE, body, {"name": "index", "copy": _as_text(rows), "figures": figures})


def is_index_page(data: bytes) -> bool:
    """Whether a file begins as such a page does, whichever version wrote it."""
    return f"<title>{_TITLE}</title>".encode() in data[:_HEAD_BYTES]


def _percent(part: int, whole: int) -> Fraction | None:
    return Fraction(100 * part, whole) if whole else None


def _head(rows: Sequence[IndexRow], failed: Mapping[str, str]) -> Markup:
    said = f"{counted(len(rows), 'genome')} with a report"
    if failed:
        said += f", {len(failed):,} without: {verb(len(failed), 'it', 'they')} failed"
    return Markup("<header><h1>Genomes side by side</h1><p>{}.</p></header>").format(said)


def _failures(failed: Mapping[str, str]) -> Markup:
    if not failed:
        return Markup("")
    items = Markup("").join(
        Markup("<li><strong><bdi>{}</bdi></strong>: <bdi>{}</bdi></li>\n").format(
            shown_name(name), escaped(reason.removeprefix(f"{name}: "))
        )
        for name, reason in failed.items()
    )
    return Markup(
        '<section id="section-failed"><h2>Failed</h2><ul class="notes">{}</ul></section>'
    ).format(items)


def _table(rows: Sequence[IndexRow], spreads: Mapping[str, Spread]) -> Markup:
    if not rows:
        return Markup("<p>No genome has a report.</p>")
    titles = ("Genome", _OUTLIERS_IN, *(each.header for each in _COLUMNS))
    headers = Markup("").join(
        Markup('<th scope="col"><button type="button">{}</button></th>').format(title)
        for title in titles
    )
    body = Markup("\n").join(_row(row, place, spreads) for place, row in enumerate(rows))
    return Markup(
        '<section id="section-genomes"><h2>Genomes</h2><p class="quiet">Gaps, contigs and short'
        " records count as the view of each report says.</p>"
        '<p><button type="button" id="copy" hidden>Copy as text</button></p>'
        '<div class="table tall" role="region" aria-label="Genomes" tabindex="0">'
        '<table class="sortable genomes"><caption>Exact statistics of each genome</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>{}</section>"
    ).format(headers, body, _outliers(spreads))


def _row(row: IndexRow, place: int, spreads: Mapping[str, Spread]) -> Markup:
    name = shown_name(row.name)
    outlier_in = [each.header for each in _COLUMNS if _sign(spreads, each.measure, place)]
    cells = Markup("").join(
        _cell(row.measures, each, _sign(spreads, each.measure, place)) for each in _COLUMNS
    )
    return Markup(
        '<tr><th scope="row" data-value="{}"><a href="{}"><bdi>{}</bdi></a></th>'
        '<td class="text" data-value="{}">{}</td>{}</tr>'
    ).format(
        name, _page_of(row.name), name, len(outlier_in), ", ".join(outlier_in) or NOTHING, cells
    )


def _sign(spreads: Mapping[str, Spread], measure: str, place: int) -> int:
    spread = spreads.get(measure)
    return 0 if spread is None else spread.signs[place]


def _cell(measures: Measures, column: _Column, sign: int) -> Markup:
    value = getattr(measures, column.measure)
    if value is None:
        return Markup('<td data-value="">{}</td>').format(NOTHING)
    shown = f"{value:.3f}" if column.is_percent else number(value)
    if not sign:
        return Markup('<td data-value="{}">{}</td>').format(value, shown)
    symbol, side = (_ABOVE, "above") if sign > 0 else (_BELOW, "below")
    return Markup(
        '<td class="outlier" data-value="{}" title="outlier: far {} the median {}">'
        '<span aria-hidden="true">{}</span> {}<span class="aside"> (outlier, {} the median)</span>'
        "</td>"
    ).format(value, side, column.header, symbol, shown, side)


def _page_of(name: str) -> str:
    """The URL of a genome's report: below this page, whatever its name holds."""
    return f"./{quote(name, safe='', errors='surrogateescape')}/{PAGE}"


def _outliers(spreads: Mapping[str, Spread]) -> Markup:
    """Which outliers are marked, in words."""
    judged = [each for each in _COLUMNS if each.measure in spreads]
    items = Markup("").join(
        Markup("<li>{}: {}</li>").format(each.header, _in_words(spreads[each.measure], each))
        for each in judged
    )
    return Markup(
        '<h3>Outliers</h3><p class="quiet">A value x is marked, {} above and {} below the median,'
        " if its modified z-score is above 3.5: 0.6745 · |x &minus; median| / MAD, where MAD is the"
        " median absolute deviation from the median (Iglewicz and Hoaglin 1993). Values are"
        ' compared before they are rounded.</p><ul class="quiet">{}</ul>'
    ).format(_ABOVE, _BELOW, items)


def _in_words(spread: Spread, column: _Column) -> str:
    if spread.median is None or spread.mad is None:
        return "no genome has a value."
    unit = " %" if column.is_percent else " bases"
    said = f"median {_number(spread.median, column)}{unit}, MAD {_number(spread.mad, column)}{unit}"
    if spread.known < FEWEST:
        return f"{said}; with fewer than {FEWEST} values none is marked."
    if not spread.mad:
        return f"{said}: at least half of the genomes have the median itself, so none is marked."
    found = sum(map(abs, spread.signs))
    marked = counted(found, "genome") if found else "none"
    return f"{said}; {marked} of {spread.known:,} marked."


def _number(value: Fraction, column: _Column) -> str:
    rounded = ratio(value.numerator, value.denominator)
    if rounded is None:
        return NOTHING
    if column.is_percent:
        return f"{rounded:.3f}"
    return f"{int(rounded):,}" if rounded == int(rounded) else f"{rounded:,}"


def _as_text(rows: Sequence[IndexRow]) -> str:
    """The table as lines of cells, with a tab between."""
    lines = [["genome", *(each.measure for each in _COLUMNS)]]
    for row in rows:
        values = (getattr(row.measures, each.measure) for each in _COLUMNS)
        lines.append(
            [escaped(row.name), *("" if value is None else str(value) for value in values)]
        )
    return "".join("\t".join(line) + "\n" for line in lines)
