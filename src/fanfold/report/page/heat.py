"""The heat map of distances between genomes."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from fanfold.report.distances import LEAST_K_OF_SETS, MOST_IN_PICTURE, Distances
from fanfold.report.page.chaos import LEVELS, palette
from fanfold.report.page.drawn import in_page
from fanfold.report.page.png import data_url, png
from fanfold.report.page.svg import WIDTH, Figure, text
from fanfold.report.page.words import NOTHING, counted, shown_name

CLUSTERED_FROM = 201
"""From so many genomes on, like stands beside like: nobody looks for a row by its place."""

_NAMED = 50
"""Rows of more genomes are too thin for names."""

_LISTED = 25
"""Distances of up to so many genomes are listed, too."""

_TOP, _BAR_WIDTH = 8, 12
_LETTER_PIXELS, _NAME_LETTERS = 8, 22


def heat_section(names: Sequence[str], distances: Distances | None) -> Markup:
    """The section of a page.

    Args:
        names: what the genomes are called.
        distances: how far they are apart; None where they have no k in common.
    """
    names = [shown_name(each) for each in names]
    figure = heat_figure(names, distances)
    listed = Markup("")
    if distances is not None and figure.content is not None and len(names) <= _LISTED:
        listed = _table(names, distances)
    return Markup('<section id="section-distances"><h2>Distances</h2>{}{}</section>').format(
        in_page(figure), listed
    )


def heat_figure(names: Sequence[str], distances: Distances | None) -> Figure:
    """The heat map; see `heat_section`."""
    count, title = len(names), "Distances between genomes"
    if not 2 <= count <= MOST_IN_PICTURE:
        said = f"{counted(count, 'genome')}: a picture is of 2 to {MOST_IN_PICTURE:,}."
        return Figure("heat", title, said)
    if distances is None:
        said = "The reports have no k up to 6 in common, so there are no distances."
        return Figure("heat", title, said)
    is_clustered = count >= CLUSTERED_FROM
    order = distances.order() if is_clustered else range(count)
    known = [each for row in distances.rows for each in row if each is not None]
    farthest = max(known, default=0.0)
    pixels = bytes(
        _level(distances.rows[row][column], farthest) for row in order for column in order
    )
    left = 10
    if count <= _NAMED:
        left += _LETTER_PIXELS * min(_NAME_LETTERS, max(map(len, names)))
    side = WIDTH - left - 70
    bar_left = left + side + 10
    colours = palette()
    image = Markup(
        '<image x="{}" y="{}" width="{}" height="{}" preserveAspectRatio="none"'
        ' style="image-rendering:pixelated" href="{}"/>'
    )
    drawn = image.format(left, _TOP, side, side, data_url(png(count, pixels, colours)))
    bar = data_url(png(1, range(LEVELS - 1, 0, -1), colours))
    drawn += image.format(bar_left, _TOP, _BAR_WIDTH, side, bar)
    drawn += Markup('<rect class="frame" x="{}" y="{}" width="{}" height="{}"/>').format(
        left, _TOP, side, side
    )
    at = bar_left + _BAR_WIDTH + 4
    drawn += text(at, _TOP + 10, f"{farthest:.4f}") + text(at, _TOP + side, "0")
    if count <= _NAMED:
        for place, row in enumerate(order):
            middle = _TOP + (2 * place + 1) * side // (2 * count) + 4
            drawn += text(left - 4, middle, _cut(names[row]), anchor="end")
    finding = (
        f"1 minus the cosine of the counts of canonical {distances.k}-mers, of each pair: 0 where"
        f" all have the same proportions. Darker is farther apart, up to {farthest:.6f}."
    )
    if is_clustered:
        finding += " Genomes are in the order of a tree by average linkage, like beside like."
    if len(known) < count**2:
        finding += " White: a genome without such k-mers."
    finding += (
        f" Jaccard and containment are saturated at this k: they take {LEAST_K_OF_SETS} or more."
    )
    return Figure("heat", title, finding, (WIDTH, 2 * _TOP + side), drawn)


def _level(distance: float | None, farthest: float) -> int:
    """A place in the palette: 0, which is white, where there is no distance."""
    if distance is None:
        return 0
    return 1 + (int((LEVELS - 2) * distance / farthest) if farthest else 0)


def _cut(name: str) -> str:
    return name if len(name) <= _NAME_LETTERS else f"{name[: _NAME_LETTERS - 1]}…"


def _table(names: Sequence[str], distances: Distances) -> Markup:
    headers = Markup("").join(
        Markup('<th scope="col" title="{}">{}</th>').format(name, place)
        for place, name in enumerate(names, 1)
    )
    rows = Markup("\n").join(
        Markup('<tr><th scope="row">{}. <bdi>{}</bdi></th>{}</tr>').format(
            place,
            name,
            Markup("").join(
                Markup("<td>{}</td>").format(NOTHING if each is None else f"{each:.6f}")
                for each in row
            ),
        )
        for place, (name, row) in enumerate(zip(names, distances.rows, strict=True), 1)
    )
    return Markup(
        '<div class="table" role="region" aria-label="Distances" tabindex="0"><table>'
        "<caption>Distance of each pair</caption><thead><tr><td></td>{}</tr></thead>"
        "<tbody>{}</tbody></table></div>"
    ).format(headers, rows)
