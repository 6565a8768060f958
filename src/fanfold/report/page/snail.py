"""The snail plot: an assembly's lengths and composition around one circle.

The idea is BlobToolKit's (Challis and others 2020, doi:10.1534/g3.119.400908). A turn is the summed
length, records longest first, clockwise from 12 o'clock; depth from the rim is length.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from markupsafe import Markup

from fanfold.report.busco import Busco
from fanfold.report.master import Master
from fanfold.report.page.curves import half_of_the_length
from fanfold.report.page.series import direction, log2
from fanfold.report.page.svg import WIDTH, Figure, Path, pixels, swatch, text
from fanfold.report.page.words import NOTHING, counted, share, short_bases
from fanfold.report.ratio import percent
from fanfold.report.survey import STEPS, Lengths, SnailStep, Survey

_HEIGHT = 500
_CENTRE = (216, 190)
_RIM = 136
_RING = (144, 172)
"""Where the ring of composition begins and ends."""

_BUSCO_CENTRE = (434, 46)
_BUSCO_RING = (32, 42)
"""Its hole is as wide as the word in it on narrow screens, where letters are larger."""

_LEGEND_COLUMNS = (6, 222, 330)
_LEGEND_TOP = 402
_LEGEND_ROW = 20

_HALF_TURN = STEPS // 2


def snail_figure(master: Master, survey: Survey, busco: Busco | None = None) -> Figure:
    """The snail plot of the records in view."""
    title = "Snail plot"
    if not survey.snail:
        return Figure("snail", title, "No residue is in view, so there is no snail to draw.")
    lengths = survey.records
    depths = [_depth(step.n, lengths.longest) for step in lengths.steps]
    n50 = lengths.steps[STEPS // 2 - 1].n
    n90 = lengths.steps[STEPS * 9 // 10 - 1].n
    content = Markup("").join(
        (
            _circle(_RIM, "snail-back"),
            _ring([_RIM - each for each in depths], [_RIM] * STEPS).drawn("snail-lengths"),
            *_sector(n90, lengths, STEPS * 9 // 10, "snail-n90"),
            *_sector(n50, lengths, STEPS // 2, "snail-n50"),
            _count_scale(lengths),
            _counts(lengths),
            Path().move(_CENTRE[0], _CENTRE[1] - _RIM).line(*_CENTRE).drawn("snail-longest"),
            *_composition(survey.snail),
            _turn_labels(),
            _legend(master, survey),
            _busco(busco) if busco else Markup(""),
        )
    )
    return Figure(
        "snail",
        title,
        _finding(master, busco),
        (WIDTH, _HEIGHT),
        Markup('<g class="snail">{}</g>').format(content),
        {
            "kind": "snail",
            "title": title,
            "centre": _CENTRE,
            "inner": 0,
            "outer": _RING[1],
            "columns": ["x_percent", "N", "L", "gc_percent", "at_percent", "n_percent"],
            "rows": [
                [(i + 1) * 100 / STEPS, step.n, step.l, *shares]
                for i, (step, shares) in enumerate(
                    zip(lengths.steps, _shares(survey.snail), strict=True)
                )
            ],
        },
    )


def _shares(snail: Sequence[SnailStep]) -> Iterable[list[float | None]]:
    """GC, AT and N of each step in per cent."""
    for kinds, group in groupby(snail):
        whole = kinds.gc + kinds.at + kinds.n + kinds.other
        shares = [percent(each, whole) for each in (kinds.gc, kinds.at, kinds.n)]
        yield from (shares for _ in group)


def _depth(length: int, longest: int) -> float:
    return _RIM * (length / longest)


def _at(step: int, radius: float, centre: tuple[int, int] = _CENTRE) -> tuple[float, float]:
    x, y = direction(step, STEPS)
    return centre[0] + radius * x, centre[1] + radius * y


def _circle(radius: float, kind: str) -> Markup:
    return Markup('<circle class="{}" cx="{}" cy="{}" r="{}"/>').format(
        kind, *_CENTRE, pixels(radius)
    )


def _ring(
    inner: Sequence[float],
    outer: Sequence[float],
    centre: tuple[int, int] = _CENTRE,
    path: Path | None = None,
) -> Path:
    """The area between two radii of each step; equal neighbours are one arc."""
    path = path or Path()
    path.move(*_at(0, outer[0], centre))
    for start, end, radius in _arcs(outer):
        path.line(*_at(start, radius, centre)).arc(
            radius, *_at(end, radius, centre), clockwise=True
        )
    for start, end, radius in reversed(_arcs(inner)):
        path.line(*_at(end, radius, centre))
        path.arc(radius, *_at(start, radius, centre), clockwise=False)
    return path.close()


def _arcs(radii: Sequence[float]) -> list[tuple[int, int, float]]:
    """(first step, end, radius) of neighbours with one radius, at most half a turn each."""
    arcs = []
    place = 0
    for radius, group in groupby(radii):
        end = place + len(list(group))
        while place < end:
            stop = min(end, place + _HALF_TURN)
            arcs.append((place, stop, radius))
            place = stop
    return arcs


def _sector(length: int, lengths: Lengths, end: int, kind: str) -> Iterable[Markup]:
    """From the rim to a length's depth, from 12 o'clock to a step."""
    radius = _RIM - _depth(length, lengths.longest)
    yield _ring([radius] * end, [_RIM] * end).drawn(kind)


def _counts(lengths: Lengths) -> Markup:
    """The spiral: how many records there are up to a step, on a log axis from the centre."""
    path = Path()
    if lengths.steps[-1].l == 1:
        return Markup("")
    for place, step in enumerate(lengths.steps):
        point = _at(place + 1, _count_radius(step.l, lengths))
        if place == 0:
            path.move(*point)
        else:
            path.line(*point)
    return path.drawn("snail-count")


def _count_radius(count: int, lengths: Lengths) -> float:
    return _RIM * (log2(count) / log2(lengths.steps[-1].l))


def _count_scale(lengths: Lengths) -> Markup:
    """Circles at powers of ten of the spiral's axis."""
    drawn = Markup("")
    power = 10
    while power < lengths.steps[-1].l:
        radius = _count_radius(power, lengths)
        drawn += _circle(radius, "snail-scale")
        power *= 10
    return drawn


def _composition(snail: Sequence[SnailStep]) -> Iterable[Markup]:
    """The ring: from inside out the shares of GC, AT and N."""
    width = _RING[1] - _RING[0]
    bounds: list[list[float]] = [[], [], [], []]
    for kinds, group in groupby(snail):
        whole = kinds.gc + kinds.at + kinds.n + kinds.other
        steps = len(list(group))
        reached = 0
        for bound, part in zip(bounds, (0, kinds.gc, kinds.at, kinds.n), strict=True):
            reached += part
            bound.extend([_RING[0] + width * (reached / whole)] * steps)
    for place, kind in enumerate(("gc", "at", "n")):
        if bounds[place] != bounds[place + 1]:
            yield _ring(bounds[place], bounds[place + 1]).drawn(f"snail-{kind}")


def _turn_labels() -> Markup:
    drawn = Markup("")
    for quarter, anchor, down in (
        (0, "middle", 0),
        (1, "start", 4),
        (2, "middle", 10),
        (3, "end", 4),
    ):
        step = quarter * STEPS // 4
        x, y = _at(step, _RING[1] + 7)
        drawn += (
            Path().move(*_at(step, _RING[1])).line(*_at(step, _RING[1] + 4)).drawn("snail-tick")
        )
        drawn += text(x, y + down, f"{25 * quarter} %", anchor=anchor)
    return drawn


def _legend(master: Master, survey: Survey) -> Markup:
    sequences, lengths = master.sequences, survey.records
    reached = lengths.steps[-1].l
    records = counted(sequences.count, "record")
    of_lengths = f"{'length' if sequences.count == 1 else 'lengths'} of {records}"
    left = [
        ("snail-longest", f"longest {short_bases(lengths.longest)}"),
        ("snail-n50", f"N50 {_with_count('L50', sequences.N50, sequences.L50)}"),
        ("snail-n90", f"N90 {_with_count('L90', sequences.N90, sequences.L90)}"),
        ("snail-lengths", f"{of_lengths}, {short_bases(sequences.length)}"),
    ]
    if reached > 1:
        left.append(("snail-count", f"records so far, log{_circles(reached)}"))
    return Markup('<g class="legend">{}{}</g>').format(
        _entries(_LEGEND_COLUMNS[0], left), _entries(_LEGEND_COLUMNS[1], _parts(master, survey))
    )


def _entries(x: int, rows: Iterable[tuple[str, str]]) -> Markup:
    """A column of the legend: classes, and what they stand for."""
    drawn = Markup("")
    for row, (kind, words) in enumerate(rows):
        y = _LEGEND_TOP + _LEGEND_ROW * row
        if kind in {"snail-longest", "snail-count"}:
            drawn += Path().move(x - 2, y - 4).line(x + 12, y - 4).drawn(kind)
        else:
            drawn += swatch(x, y, kind)
        drawn += text(x + 18, y, words)
    return drawn


def _with_count(name: str, length: int | None, count: int | None) -> str:
    """A length, and how many records reach it."""
    if length is None or count is None:
        return NOTHING
    return f"{short_bases(length)} ({name} {count:,})"


def _circles(count: int) -> str:
    """What the circles of the spiral's axis stand for; there are none up to ten records."""
    if count <= 10:
        return ""
    return " (circle: 10)" if count <= 100 else " (circles: 10, 100, …)"


def _parts(master: Master, survey: Survey) -> list[tuple[str, str]]:
    """The colours of the ring; their shares where those of the records in view are known."""
    records, rows, sums = survey.records, survey.listed, survey.sums
    if master.parameters.view.min_length == 0:
        gc, at, n, length = sums.G + sums.C, sums.A + sums.T + sums.U, sums.N, sums.length
    elif len(rows) == records.count:
        gc, n, length = sum(row.gc for row in rows), sum(row.n for row in rows), records.sum
        at = sum(row.acgtu for row in rows) - gc
    else:
        return [("snail-gc", "GC"), ("snail-at", "AT"), ("snail-n", "N")]
    return [
        ("snail-gc", f"GC {share(gc, length)}"),
        ("snail-at", f"AT {share(at, length)}"),
        ("snail-n", f"N {share(n, length)}"),
    ]


def _busco(busco: Busco) -> Markup:
    """A small ring in the corner, with the shares around it."""
    drawn = Markup("")
    start = 0
    x, y = _BUSCO_CENTRE
    parts = (
        ("busco-s", busco.single_permille),
        ("busco-d", busco.duplicated_permille),
        ("busco-f", busco.fragmented_permille),
        ("busco-m", busco.missing_permille),
    )
    whole = sum(part for _, part in parts)
    for kind, part in parts:
        if part:
            drawn += _piece(start, start + part, whole).drawn(kind)
        start += part
    drawn += text(x, y + 4, "BUSCO", anchor="middle")
    rows = (
        ("busco-s", f"single {busco.single_permille / 10} %"),
        ("busco-d", f"duplicated {busco.duplicated_permille / 10} %"),
        ("busco-f", f"fragmented {busco.fragmented_permille / 10} %"),
        ("busco-m", f"missing {busco.missing_permille / 10} %"),
    )
    column = _LEGEND_COLUMNS[2]
    for row, (kind, words) in enumerate(rows):
        down = _LEGEND_TOP + _LEGEND_ROW * row
        drawn += swatch(column, down, kind) + text(column + 14, down, words)
    return drawn


def _piece(start: int, end: int, whole: int) -> Path:
    """A part of the small ring, in arcs of at most a quarter."""
    inner, outer = _BUSCO_RING
    stops = [start]
    while stops[-1] < end:
        stops.append(min(end, stops[-1] + max(1, whole // 4)))

    def at(part: int, radius: int) -> tuple[float, float]:
        x, y = direction(part, whole)
        return _BUSCO_CENTRE[0] + radius * x, _BUSCO_CENTRE[1] + radius * y

    path = Path().move(*at(start, outer))
    for stop in stops[1:]:
        path.arc(outer, *at(stop, outer), clockwise=True)
    path.line(*at(end, inner))
    for stop in reversed(stops[:-1]):
        path.arc(inner, *at(stop, inner), clockwise=False)
    return path.close()


def _finding(master: Master, busco: Busco | None) -> str:
    sequences = master.sequences
    longest = sequences.longest or 0
    if sequences.count == 1:
        said = f"One record of {counted(longest, 'base')} is the whole circle."
    else:
        said = (
            f"The longest record has {counted(longest, 'base')},"
            f" {share(longest, sequences.length)} of the length."
            f" {half_of_the_length(sequences)}."
        )
    if busco is not None:
        said += f" BUSCO: {busco.summary}."
    return said
