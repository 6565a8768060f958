"""A figure in the page, and as an SVG file of its own."""

from __future__ import annotations

from markupsafe import Markup

from fanfold.report.page.document import asset
from fanfold.report.page.svg import Figure, text


def in_page(figure: Figure) -> Markup:
    """The figure with its caption; the sentence alone if there is nothing to draw."""
    if figure.content is None:
        return Markup(
            '<div class="nothing" id="{id}"><h3>{title}</h3><p class="finding">{finding}</p></div>'
        ).format(id=figure.id, title=figure.title, finding=figure.finding)
    return Markup(
        '<figure class="plot" id="{id}"><figcaption><h3 id="{id}-title">{title}</h3>'
        '<p class="finding" id="{id}-finding">{finding}</p></figcaption>'
        '<svg viewBox="0 0 {width} {height}" role="img"'
        ' aria-labelledby="{id}-title {id}-finding">{content}</svg></figure>\n'
    ).format(
        id=figure.id,
        title=figure.title,
        finding=figure.finding,
        width=figure.size[0],
        height=figure.size[1],
        content=figure.content,
    )


def standalone(figure: Figure, name: str) -> bytes:
    """The figure as an SVG file.

    Args:
        figure: the figure; its sentence is drawn if there is nothing else.
        name: what it is of.
    """
    width, height = figure.size
    content = figure.content
    if content is None:
        height = 60
        width = max(width, 7 * len(figure.finding) + 40)
        content = text(width // 2, 34, figure.finding, anchor="middle")
    return (
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
            ' width="{width}" height="{height}" role="img"><title>{title}: {name}</title>'
            "<desc>{finding}</desc><style>{css}</style>"
            '<rect class="paper" width="{width}" height="{height}"/>{content}</svg>\n'
        )
        .format(
            width=width,
            height=height,
            title=figure.title,
            name=name,
            finding=figure.finding,
            css=asset("plots.css"),
            content=content,
        )
        .encode()
    )
