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
from fanfold.report.page.words import counted, number, share, short_bases
from fanfold.report.ratio import percent
from fanfold.report.survey import STEPS, Lengths, SnailStep, Survey

_HEIGHT = 500
_CENTRE = (212, 190)
_RIM = 136
_RING = (144, 172)
"""Where the ring of composition begins and ends."""

_BUSCO_CENTRE = (434, 46)
_BUSCO_RING = (26, 38)

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
    left = (
        ("snail-lengths", f"{counted(sequences.count, 'record')}, {short_bases(sequences.length)}"),
        ("snail-longest", f"longest {lengths.longest:,}"),
        ("snail-n50", f"N50 {number(sequences.N50)} (L50 {number(sequences.L50)})"),
        ("snail-n90", f"N90 {number(sequences.N90)} (L90 {number(sequences.L90)})"),
        ("snail-count", "records so far (log; circles: 10, 100, …)"),
    )
    sums = survey.sums
    right = (
        ("snail-gc", f"GC {share(sums.G + sums.C, sums.length)}"),
        ("snail-at", f"AT {share(sums.A + sums.T, sums.length)}"),
        ("snail-n", f"N {share(sums.N, sums.length)}"),
    )
    # The ring is of the records in view; these sums are of all.
    said = text(246, 462, "of all records") if master.parameters.view.min_length else Markup("")
    drawn = Markup("")
    for x, rows in ((6, left), (228, right)):
        for row, (kind, words) in enumerate(rows):
            y = 402 + 20 * row
            if kind in {"snail-longest", "snail-count"}:
                drawn += Path().move(x - 2, y - 4).line(x + 12, y - 4).drawn(kind)
            else:
                drawn += swatch(x, y, kind)
            drawn += text(x + 18, y, words)
    return Markup('<g class="legend">{}</g>').format(drawn + said)


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
    for row, (kind, words) in enumerate(rows):
        down = 402 + 20 * row
        drawn += swatch(338, down, kind) + text(352, down, words)
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
