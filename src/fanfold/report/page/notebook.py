"""What a notebook shows of a report."""

from __future__ import annotations

from base64 import b64encode

from markupsafe import Markup

from fanfold.report.master import Master
from fanfold.report.page.numbers import as_rows
from fanfold.report.page.plot import plot_svg
from fanfold.report.page.words import shown_name
from fanfold.report.survey import Survey


def notebook_html(master: Master, survey: Survey | None, page_url: str) -> str:
    """The numbers as a table, the snail plot beside them, and where the page is.

    Args:
        master: the report.
        survey: what its tables hold; no plot is drawn without it.
        page_url: the path or URL of `report.html`.
    """
    rows = Markup("").join(
        Markup('<tr><th scope="row" style="text-align: left">{}</th><td>{}</td></tr>').format(*row)
        for row in as_rows(master)
    )
    table = Markup("<table><caption><bdi>{}</bdi></caption><tbody>{}</tbody></table>").format(
        shown_name(master.source.name), rows
    )
    notes = Markup("").join(Markup("<li>{}</li>").format(each.text) for each in master.notes)
    return Markup(
        '<div style="display: flex; flex-wrap: wrap; gap: 1.5em; align-items: flex-start">'
        "<div>{}<ul>{}</ul><p>All plots: <code>{}</code></p></div>{}</div>"
    ).format(table, notes, shown_name(page_url), "" if survey is None else _snail(master, survey))


def _snail(master: Master, survey: Survey) -> Markup:
    svg = b64encode(plot_svg("snail", master, survey, {})).decode()
    return Markup(
        '<img alt="snail plot of the record lengths" width="480"'
        ' src="data:image/svg+xml;base64,{}">'
    ).format(svg)
