"""GC: of each record against its length, and how the length is spread over it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from fanfold.report.master import Master
from fanfold.report.page.curves import HEIGHT, X_PIXELS, Y_PIXELS
from fanfold.report.page.scale import Axis, linear_domain, snug_log_domain
from fanfold.report.page.svg import WIDTH, Figure, Path, Series, frame, guide, legend, swatch, text
from fanfold.report.page.words import counted, share, short_bases, shown_name
from fanfold.report.ratio import percent
from fanfold.report.survey import Grid, Row, Survey

_SHADES = 8
_BINS = 200
"""Of the histogram: half a per cent each."""

_FEW = 100
"""Up to so many dots are larger."""

_MANY = 400
"""More dots than this are smaller and paler, so that dense places look denser."""

_NARROWEST = 10
"""The axis of GC spans at least so many per cent, so that small differences look small."""


def gc_figure(master: Master, survey: Survey) -> Figure:
    """GC of the records in view against their length: a dot a record, or a shade for many."""
    title = "GC against length"
    rows = [each for each in survey.listed if each.acgtu]
    if not rows:
        return Figure("gc", title, "No record in view has a base, so there is no GC to draw.")
    grid = survey.grid
    lengths = [each.length for each in rows]
    shares = [percent(each.gc, each.acgtu) or 0.0 for each in rows]
    low, high, least, most = min(lengths), max(lengths), min(shares), max(shares)
    if grid is not None:
        low = min(low, grid.length_edges[0])
        least = min(least, grid.gc_edges_permille[0] / 10)
        most = max(most, grid.gc_edges_permille[-1] / 10)
    x = Axis("length (bases, log)", "length_bases", True, snug_log_domain(low, high), X_PIXELS)
    y = Axis("GC (%)", "gc_percent", False, _gc_domain(least, most), Y_PIXELS)
    marks = [guide(x, y, y=master.gc_percent or 0).drawn("guide")]
    series: list[object] = []
    over = Markup("")
    if grid is None:
        entries = [("guide", f"GC of all, {master.gc_percent} %")]
    else:
        entries = [("guide", "GC of all"), (f"dots s0{_size(len(rows))}", f"{len(rows):,} longest")]
        marks += _cells(grid, x, y)
        series.append(_grid_data(grid))
        over = _shade_legend(grid)
    dots = Path()
    for place in zip(x.places(lengths), y.places(shares), strict=True):
        dots.dot(*place)
    marks.append(dots.drawn(f"dots s0{_size(len(rows))}"))
    series.append(_dots_data(rows, lengths, shares))
    return Figure(
        "gc",
        title,
        _gc_finding(master, survey, rows),
        (WIDTH, HEIGHT),
        frame("gc", x, y, marks, over + legend(X_PIXELS[0], 18, entries)),
        {
            "kind": "xy",
            "title": title,
            "x": x.data(),
            "y": y.data(),
            "zoom": "xy",
            "series": series,
        },
    )


def histogram_figure(master: Master, survey: Survey) -> Figure:
    """How much length there is of each GC, a record as a whole."""
    title = "GC of the length"
    bins = survey.gc_histogram
    if not any(bins):
        return Figure(
            "gc-histogram", title, "No record in view has a base, so there is no GC to draw."
        )
    used = [place for place, length in enumerate(bins) if length]
    low, high = _gc_domain(used[0] / 2, (used[-1] + 1) / 2)
    x = Axis("GC of a record (%)", "gc_percent", False, (low, high), X_PIXELS)
    y = Axis("summed length (bases)", "length_bases", False, linear_domain(0, max(bins)), Y_PIXELS)
    bars = Path()
    for place in used:
        bars.rect(x.at(place / 2), y.at(bins[place]), x.at((place + 1) / 2), y.at(0))
    marks = [bars.drawn("bars s0"), guide(x, y, x=master.gc_percent or 0).drawn("guide")]
    shown = range(used[0], used[-1] + 1)
    return Figure(
        "gc-histogram",
        title,
        _histogram_finding(bins, survey.records.sum),
        (WIDTH, HEIGHT),
        frame(
            "gc-histogram",
            x,
            y,
            marks,
            legend(X_PIXELS[0], 18, [("guide", f"GC of all, {master.gc_percent} %")]),
        ),
        {
            "kind": "xy",
            "title": title,
            "x": x.data(),
            "y": y.data(),
            "zoom": "x",
            "series": [
                Series(
                    "records in view",
                    "bars",
                    [place / 2 for place in shown],
                    [bins[place] for place in shown],
                    x_end=[(place + 1) / 2 for place in shown],
                )
            ],
        },
    )


def _size(dots: int) -> str:
    """The class that a number of dots has besides their colour."""
    if dots <= _FEW:
        return " large"
    return " small" if dots > _MANY else ""


def _gc_domain(least: float, most: float) -> tuple[int, int]:
    """Whole per cent around the values, not widened to ticks: they stay in the middle."""
    low, high = int(least // 1), int(-(-most // 1))
    if high - low < _NARROWEST:
        low = max(0, min((low + high - _NARROWEST) // 2, 100 - _NARROWEST))
        return low, max(high, low + _NARROWEST)
    return max(0, low - 1), min(100, high + 1)


def _dots_data(rows: Sequence[Row], lengths: Sequence[int], shares: Sequence[float]) -> Series:
    return Series(
        "records",
        "dots",
        lengths,
        shares,
        names=[shown_name(each.name) for each in rows],
        extra={
            "n_bases": [each.n for each in rows],
            "lowercase_bases": [each.lowercase for each in rows],
        },
    )


def _grid_data(grid: Grid) -> dict[str, object]:
    return {
        "name": "all records",
        "shape": "cells",
        "x_edges": grid.length_edges,
        "y_edges": [each / 10 for each in grid.gc_edges_permille],
        "cells": grid.cells,
    }


def _cells(grid: Grid, x: Axis, y: Axis) -> list[Markup]:
    """A path for each shade; neighbours of one shade above each other are one rectangle."""
    paths: dict[int, Path] = {}
    most = max(each.count for each in grid.cells)
    columns = x.places(grid.length_edges)
    rows = y.places(each / 10 for each in grid.gc_edges_permille)
    # From a cell to the next above it, place less y stays the same.
    for (column, shade, _), group in groupby(
        enumerate(grid.cells),
        lambda item: (item[1].x, _shade(item[1].count, most), item[0] - item[1].y),
    ):
        cells = [cell for _, cell in group]
        path = paths.setdefault(shade, Path())
        path.rect(columns[column], rows[cells[-1].y + 1], columns[column + 1], rows[cells[0].y])
    return [path.drawn(f"cells c{shade}") for shade, path in sorted(paths.items())]


def _shade(count: int, most: int) -> int:
    """The shade of a count: powers of two, spread over the shades."""
    return (count.bit_length() - 1) * _SHADES // max(_SHADES, most.bit_length())


def _shade_legend(grid: Grid) -> Markup:
    most = max(each.count for each in grid.cells)
    right = X_PIXELS[1]
    words = f"{most:,} a cell"
    start = right - 7 * len(words)
    drawn = text(start, 18, words)
    shades = _shade(most, most) + 1
    for shade in range(shades):
        drawn += swatch(start - 6 - 11 * (shades - shade), 18, f"cells c{shade}")
    return drawn + text(start - 12 - 11 * shades, 18, "1", anchor="end")


def _gc_finding(master: Master, survey: Survey, rows: Sequence[Row]) -> str:
    if survey.records.count == 1:
        only = rows[0]
        return f"One record of {short_bases(only.length)}, with {share(only.gc, only.acgtu)} GC."
    bins = [place for place, length in enumerate(survey.gc_histogram) if length]
    said = f"GC is {master.gc_percent} % of all bases. "
    said += f"Records in view have {bins[0] / 2} to {(bins[-1] + 1) / 2} %."
    if survey.grid is not None:
        said += (
            f" {counted(survey.records.count, 'record')} are shaded by cells;"
            f" the {len(survey.listed):,} longest are dots."
        )
    left_out = len(survey.listed) - len(rows)
    if left_out:
        said += f" {counted(left_out, 'record')} without a base left out."
    return said


def _bin(place: int) -> str:
    return f"{place / 2} to {(place + 1) / 2} %"


def _histogram_finding(bins: Sequence[int], length: int) -> str:
    """The narrowest range of bins that holds half of the length, the first of equal ones."""
    whole = sum(bins)
    best = (0, len(bins))
    start, inside = 0, 0
    for end, added in enumerate(bins, 1):
        inside += added
        while 2 * (inside - bins[start]) >= whole:
            inside -= bins[start]
            start += 1
        if 2 * inside >= whole and end - start < best[1] - best[0]:
            best = (start, end)
    if best[1] - best[0] == 1 and bins[best[0]] == whole:
        return f"All of the length is in records with {_bin(best[0])} GC."
    mode = max(range(_BINS), key=lambda place: (bins[place], -place))
    return (
        f"Half of the length is in records with {best[0] / 2} to {best[1] / 2} % GC;"
        f" the fullest bin, {_bin(mode)}, has {share(bins[mode], length)}."
    )
