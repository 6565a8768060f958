"""What a notebook shows of a report."""

from __future__ import annotations

from base64 import b64encode

from markupsafe import Markup

from fanfold.report.master import Master
from fanfold.report.notes import ARCHIVE
from fanfold.report.page.numbers import as_rows
from fanfold.report.page.plot import plot_svg
from fanfold.report.page.words import shown_name
from fanfold.report.survey import Survey

# Notebooks have styles of their own for tables, light and dark: only places are set here.
_LEFT = Markup('style="text-align: left"')


def notebook_html(master: Master, survey: Survey | None, page_url: str) -> str:
    """The numbers as a table, the snail plot beside them, and where the page is.

    Args:
        master: the report.
        survey: what its tables hold; no plot is drawn without it.
        page_url: the path or URL of `report.html`.
    """
    said = _table(master) + _notes(master)
    said += Markup("<p>All plots: <code><bdi>{}</bdi></code></p>").format(shown_name(page_url))
    plot = Markup("") if survey is None else _snail(master, survey)
    # Not Markup, which escapes what a caller adds to it.
    return str(
        Markup(
            '<div style="display: flex; flex-wrap: wrap; gap: 1.5em; align-items: flex-start">'
            '<div style="flex: 1 1 24em; overflow-wrap: anywhere">{}</div>{}</div>'
        ).format(said, plot)
    )


def _table(master: Master) -> Markup:
    rows = Markup("").join(
        Markup('<tr><th scope="row" {}>{}</th><td {}>{}</td><td {}>{}</td></tr>').format(
            _LEFT, term, _LEFT, shown, _LEFT, exact if exact != shown else ""
        )
        for term, shown, exact in as_rows(master)
    )
    return Markup(
        "<table><caption {}><strong><bdi>{}</bdi></strong></caption><tbody>{}</tbody></table>"
    ).format(_LEFT, shown_name(master.source.name), rows)


def _notes(master: Master) -> Markup:
    unusual = [each.text for each in master.notes if each.kind != ARCHIVE]
    if not unusual:
        return Markup("<p>Nothing unusual.</p>")
    items = Markup("").join(Markup("<li>{}</li>").format(each) for each in unusual)
    return Markup("<p>Unusual:</p><ul>{}</ul>").format(items)


def _snail(master: Master, survey: Survey) -> Markup:
    svg = b64encode(plot_svg("snail", master, survey, {})).decode()
    return Markup(
        '<img alt="snail plot of the record lengths" style="flex: 0 1 480px; max-width: 100%"'
        ' width="480" src="data:image/svg+xml;base64,{}">'
    ).format(svg)
