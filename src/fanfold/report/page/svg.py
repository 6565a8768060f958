"""SVG: paths in tenths of a pixel, and the frame of a plot with two axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from markupsafe import Markup

from fanfold.report.page.scale import Axis, short

WIDTH = 480
"""Of most figures, in pixels. Their text is legible where a narrow screen shows them smaller."""

_LETTER = 6
"""About the width of a letter of a legend, in pixels."""


class Figure(msgspec.Struct, frozen=True):
    """A plot, or a sentence in place of one.

    Attributes:
        id: its name in the page, and in the names of its files.
        title: what it is.
        finding: what it shows, in words.
        size: width and height in pixels.
        content: what is inside its SVG; None if there is nothing to draw.
        data: its numbers, for the page's script.
    """

    id: str
    title: str
    finding: str
    size: tuple[int, int] = (WIDTH, 0)
    content: Markup | None = None
    data: dict[str, object] | None = None


class Series(msgspec.Struct, frozen=True, omit_defaults=True):
    """A series of points, for the page's script; see `Figure.data`.

    Attributes:
        name: what it is of.
        shape: ``line``, ``step``, ``dots`` or ``bars``.
        x: where each point, or each bar's start, is.
        y: how high.
        x_end: where each bar ends.
        names: the name of each point.
        extra: more columns.
    """

    name: str
    shape: str
    x: Sequence[float | None]
    y: Sequence[float | None]
    x_end: Sequence[float] | None = None
    names: Sequence[str] | None = None
    extra: dict[str, Sequence[float | None]] | None = None


class Path:
    """The data of an SVG path, in steps from point to point, rounded to tenths of a pixel."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._x = self._y = 0

    def move(self, x: float, y: float) -> Path:
        """Start at a point."""
        self._x, self._y = _tenths(x), _tenths(y)
        self._parts.append(f"M{_text(self._x)} {_text(self._y)}")
        return self

    def line(self, x: float, y: float) -> Path:
        """A straight line to a point."""
        to_x, to_y = _tenths(x), _tenths(y)
        right, down = to_x - self._x, to_y - self._y
        if down == 0:
            if right:
                self._parts.append(f"h{_text(right)}")
        elif right == 0:
            self._parts.append(f"v{_text(down)}")
        else:
            self._parts.append(f"l{_text(right)} {_text(down)}")
        self._x, self._y = to_x, to_y
        return self

    def arc(self, radius: float, x: float, y: float, *, clockwise: bool) -> Path:
        """A part of a circle, at most half of it, to a point."""
        self._x, self._y = _tenths(x), _tenths(y)
        r, sweep = _text(_tenths(radius)), int(clockwise)
        self._parts.append(f"A{r} {r} 0 0 {sweep} {_text(self._x)} {_text(self._y)}")
        return self

    def dot(self, x: float, y: float) -> Path:
        """A point; it is drawn by its round caps."""
        self.move(x, y)
        self._parts.append("h0")
        return self

    def rect(self, x: float, y: float, x_end: float, y_end: float) -> Path:
        """A rectangle."""
        return self.move(x, y).line(x_end, y).line(x_end, y_end).line(x, y_end).close()

    def close(self) -> Path:
        """A line back to the start."""
        self._parts.append("z")
        return self

    def drawn(self, kind: str) -> Markup:
        """The path, of a class."""
        return Markup('<path class="%s" d="%s"/>') % (kind, "".join(self._parts))


def _tenths(value: float) -> int:
    return int(value * 10 + 1_000_000.5) - 1_000_000  # rounds down below 0 too


def _text(tenths: int) -> str:
    return f"{tenths / 10:g}"  # six digits: exact up to 99,999.9


def pixels(value: float) -> str:
    """A coordinate, rounded to tenths."""
    return _text(_tenths(value))


def text(x: float, y: float, words: str, kind: str = "note", anchor: str = "start") -> Markup:
    """A line of text."""
    return Markup('<text class="%s" x="%s" y="%s" text-anchor="%s">%s</text>') % (
        kind,
        pixels(x),
        pixels(y),
        anchor,
        words,
    )


def frame(figure: str, x: Axis, y: Axis, marks: Iterable[Markup], legend: Markup) -> Markup:
    """A plot with two axes.

    Args:
        figure: the figure's name.
        x: the axis to the right.
        y: the axis upwards; its first pixel is the lower one.
        marks: what is drawn between them.
        legend: what is drawn over them.
    """
    (left, right), (bottom, top) = x.pixels, y.pixels
    rect = Markup('<rect class="frame" x="{}" y="{}" width="{}" height="{}"/>').format(
        left, top, right - left, bottom - top
    )
    return Markup(
        '<clipPath id="{figure}-clip">{rect}</clipPath>{rect}{x}{y}'
        '<g clip-path="url(#{figure}-clip)"><g class="marks">{marks}</g></g>'
        '<g class="legend">{legend}</g>'
    ).format(
        figure=figure,
        rect=rect,
        x=x_axis(x, bottom),
        y=_y_axis(y, left),
        marks=Markup("").join(marks),
        legend=legend,
    )


def x_axis(axis: Axis, y: int) -> Markup:
    """An axis below a plot."""
    ticks = Markup("").join(
        Markup(
            '<g class="tick" transform="translate(%s 0)"><line y2="6"/>'
            '<text y="9" dy="0.71em">%s</text></g>'
        )
        % (pixels(axis.at(each)), short(each))
        for each in axis.ticks()
    )
    left, right = axis.pixels
    return Markup(
        '<g class="axis x" transform="translate(0 {})" text-anchor="middle">'
        '<path class="domain" d="M{} 0H{}"/>{}<text class="label" x="{}" y="36">{}</text></g>'
    ).format(y, left, right, ticks, (left + right) // 2, axis.label)


def _y_axis(axis: Axis, x: int) -> Markup:
    ticks = Markup("").join(
        Markup(
            '<g class="tick" transform="translate(0 %s)"><line x2="-6"/>'
            '<text x="-9" dy="0.32em">%s</text></g>'
        )
        % (pixels(axis.at(each)), short(each))
        for each in axis.ticks()
    )
    bottom, top = axis.pixels
    return Markup(
        '<g class="axis y" transform="translate({} 0)" text-anchor="end">'
        '<path class="domain" d="M0 {}V{}"/>{}'
        '<text class="label" text-anchor="middle" transform="translate(-52 {}) rotate(-90)">'
        "{}</text></g>"
    ).format(x, bottom, top, ticks, (bottom + top) // 2, axis.label)


def swatch(x: float, y: float, kind: str) -> Markup:
    """A piece of colour before a line of text whose baseline is at `y`."""
    return Path().rect(x, y - 9, x + 10, y + 1).drawn(kind)


def legend(x: float, y: float, entries: Iterable[tuple[str, str]]) -> Markup:
    """A row of entries, each a class and what it stands for; lines are lines, dots are dots."""
    drawn = Markup("")
    for kind, words in entries:
        shape = kind.split()[0]
        if shape in {"line", "guide"}:
            drawn += Path().move(x, y - 4).line(x + 22, y - 4).drawn(kind)
        elif shape == "dots":
            drawn += Path().dot(x + 16, y - 4).drawn(kind)
        else:
            drawn += swatch(x + 6, y, kind)
        drawn += text(x + 27, y, words)
        x += 27 + _LETTER * len(words) + 18
    return drawn


def guide(
    figure_x: Axis, figure_y: Axis, *, x: float | None = None, y: float | None = None
) -> Path:
    """A line across a plot, at a value of one of its axes."""
    (left, right), (bottom, top) = figure_x.pixels, figure_y.pixels
    if x is not None:
        return Path().move(figure_x.at(x), bottom).line(figure_x.at(x), top)
    return Path().move(left, figure_y.at(y or 0)).line(right, figure_y.at(y or 0))
