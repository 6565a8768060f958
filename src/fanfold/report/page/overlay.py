"""The Nx curves of many genomes, one over the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup

from fanfold.report.page.scale import Axis, log_domain
from fanfold.report.page.svg import WIDTH, Figure, Path, Series, frame, guide, legend, text
from fanfold.report.page.words import counted, verb

ID = "nx-all"

_TITLE = "N(x) of every genome"
_TOP, _PLOT, _BOTTOM, _LINE = 14, 262, 48, 18
_X_PIXELS = (66, WIDTH - 12)

_NAMED = 8
"""Up to so many curves have a colour and a dash each; of more, those of outliers alone."""

_NAME_CHARACTERS = 60


class Curve(NamedTuple):
    """The Nx curve of a genome.

    Attributes:
        name: the genome, as it is shown.
        nx: N(1) to N(100); empty without residues.
        sign: -1 or 1 if its N50 is an outlier, below or above, else 0.
    """

    name: str
    nx: Sequence[int]
    sign: int


def overlay_figure(genomes: Sequence[Curve]) -> Figure:
    """The curves of all genomes that have one, on a log axis."""
    curves = [each for each in genomes if each.nx]
    if not curves:
        return Figure(ID, _TITLE, "No genome has a residue, so there is nothing to draw.")
    entries = _entries(curves)
    bottom = _TOP + _PLOT
    height = bottom + _BOTTOM + _LINE * len(entries)
    x = Axis("x (% of the length)", "x_percent", False, (0, 100), _X_PIXELS)
    lowest, highest = min(each.nx[-1] for each in curves), max(each.nx[0] for each in curves)
    y = Axis("N(x) (bases, log)", "N_bases", True, log_domain(lowest, highest), (bottom, _TOP))
    marks = [guide(x, y, x=50).drawn("guide")]
    columns = [x.at(per_cent) for per_cent in range(101)]
    marks += [
        _drawn(curve, columns, y, _class(place, curve, curves)) for place, curve in _order(curves)
    ]
    over = text(x.at(50) - 4, bottom - 6, "50 %", anchor="end")
    for place, entry in enumerate(entries):
        over += legend(_X_PIXELS[0], bottom + _BOTTOM + _LINE * place + 8, [entry])
    return Figure(
        ID,
        _TITLE,
        _finding(genomes, curves),
        (WIDTH, height),
        frame(ID, x, y, marks, over),
        {
            "kind": "xy",
            "title": _TITLE,
            "x": x.data(),
            "y": y.data(),
            "zoom": "xy",
            "series": [Series(each.name, "step", [*range(1, 101)], each.nx) for each in curves],
        },
    )


def _order(curves: Sequence[Curve]) -> list[tuple[int, Curve]]:
    """The curves with their places, in the order of drawing: outliers of many on top."""
    placed = list(enumerate(curves))
    if len(curves) > _NAMED:
        placed.sort(key=lambda item: item[1].sign != 0)
    return placed


def _class(place: int, curve: Curve, curves: Sequence[Curve]) -> str:
    if len(curves) <= _NAMED:
        return f"line s{place}"
    return "line many s1" if curve.sign else "line many s0"


def _entries(curves: Sequence[Curve]) -> list[tuple[str, str]]:
    """The lines of the legend: a class, and what it stands for."""
    if len(curves) <= _NAMED:
        return [
            (_class(place, curve, curves), _cut(curve.name)) for place, curve in enumerate(curves)
        ]
    outliers = sum(curve.sign != 0 for curve in curves)
    found = [("line many s0", counted(len(curves) - outliers, "genome"))]
    if outliers:
        found.append(("line many s1", f"{counted(outliers, 'genome')} with an outlying N50"))
    return found


def _cut(name: str) -> str:
    return name if len(name) <= _NAME_CHARACTERS else f"{name[: _NAME_CHARACTERS - 1]}…"


def _drawn(curve: Curve, columns: Sequence[float], y: Axis, kind: str) -> Markup:
    """A step curve: N(x) holds from the x before it up to its own.

    Args:
        curve: the curve.
        columns: where x of 0 to 100 % is drawn.
        y: the axis upwards.
        kind: the class of the line.
    """
    heights = y.places(curve.nx)
    path = Path().move(columns[0], heights[0])
    for column, (before, after) in zip(columns[1:-1], pairwise(heights), strict=True):
        if after != before:
            path.line(column, before).line(column, after)
    return path.line(columns[-1], heights[-1]).drawn(kind)


def _finding(genomes: Sequence[Curve], curves: Sequence[Curve]) -> str:
    n50 = [curve.nx[49] for curve in curves]
    if len(curves) == 1:
        said = f"N50 is {counted(n50[0], 'base')}."
    else:
        lowest, highest = curves[n50.index(min(n50))], curves[n50.index(max(n50))]
        said = (
            f"N50 is between {counted(min(n50), 'base')} ({_cut(lowest.name)}) and"
            f" {counted(max(n50), 'base')} ({_cut(highest.name)})."
        )
    without = len(genomes) - len(curves)
    if without:
        left_out = verb(without, "is", "are")
        said += f" {counted(without, 'genome')} without a residue {left_out} left out."
    return said
