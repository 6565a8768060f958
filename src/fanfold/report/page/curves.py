"""The curves over the lengths: Nx, and the cumulative length."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from fanfold.report.master import Contiguity, Master
from fanfold.report.page.scale import Axis, linear_domain, log_domain
from fanfold.report.page.svg import WIDTH, Figure, Path, Series, frame, guide, legend, text
from fanfold.report.page.words import counted, number, share, short_bases, verb
from fanfold.report.survey import STEPS, Lengths, Step, Survey

HEIGHT = 340
X_PIXELS = (66, WIDTH - 20)
Y_PIXELS = (HEIGHT - 48, 30)

_SHOWN = STEPS * 99 // 100
"""The Nx curve is in its frame up to this step at least."""

_LOG_RECORDS = 100
"""Of more records than this, the cumulative curve has a log axis: a few hold most of the length."""


def nx_figure(master: Master, survey: Survey) -> Figure:
    """N(x) of records and contigs, and NG(x) with a genome size."""
    title = "Nx curve"
    curves = _nx_curves(master, survey)
    if not survey.records.steps:
        return Figure("nx", title, _no_length(survey))
    # The shortest sequences may be far shorter than all but a per cent of the length: the curve
    # leaves the frame there.
    reached = [[step.n for step in steps[:_SHOWN] if step] for _, _, steps in curves]
    lowest, highest = min(each[-1] for each in reached), max(each[0] for each in reached)
    x = Axis("x (% of the length)", "x_percent", False, (0, 100), X_PIXELS)
    y = Axis("N(x) (bases, log)", "N_bases", True, log_domain(lowest, highest), Y_PIXELS)
    marks = [guide(x, y, x=50).drawn("guide"), guide(x, y, x=90).drawn("guide")]
    marks += [_steps(steps, x, y).drawn(f"line {s}") for _, s, steps in curves]
    entries = [(f"line {s}", name) for name, s, _ in curves]
    over = legend(X_PIXELS[0], 18, entries)
    for per_cent in (50, 90):
        over += text(x.at(per_cent) + 4, Y_PIXELS[1] + 10, f"{per_cent} %")
    return Figure(
        "nx",
        title,
        _nx_finding(master, survey),
        (WIDTH, HEIGHT),
        frame("nx", x, y, marks, over),
        {
            "kind": "xy",
            "title": title,
            "x": x.data(),
            "y": y.data(),
            "zoom": "x",
            "series": [
                Series(
                    name,
                    "step",
                    [_percent(i) for i in range(1, STEPS + 1)],
                    [step.n if step else None for step in steps],
                    extra={"L": [step.l if step else None for step in steps]},
                )
                for name, _, steps in curves
            ],
        },
    )


def cumulative_figure(master: Master, survey: Survey) -> Figure:
    """The summed length of the longest records, by how many they are."""
    title = "Cumulative length"
    records = survey.records
    if not records.steps:
        return Figure("cumulative", title, _no_length(survey))
    sets = [("records", "s0", records)]
    if are_split(survey) and survey.contigs.steps:
        sets.append(("contigs", "s1", survey.contigs))
    most = max(each.steps[-1].l for _, _, each in sets)
    is_log = most > _LOG_RECORDS
    longest_first = "longest first"
    x = Axis(
        f"number of records, {longest_first}" + (" (log)" if is_log else ""),
        "records",
        is_log,
        log_domain(1, most) if is_log else linear_domain(0, most),
        X_PIXELS,
    )
    size = master.parameters.view.genome_size
    top = max(records.sum, size or 0)
    y = Axis("summed length (bases)", "length_bases", False, linear_domain(0, top), Y_PIXELS)
    curves = [(name, s, _points(each, from_zero=not is_log)) for name, s, each in sets]
    marks = [guide(x, y, y=size).drawn("guide")] if size else []
    for _, s, points in curves:
        places = zip(
            x.places(count for count, _ in points),
            y.places(reached for _, reached in points),
            strict=True,
        )
        path = Path().move(*next(places))
        for place in places:
            path.line(*place)
        marks.append(path.drawn(f"line {s}"))
    entries = [(f"line {s}", name) for name, s, _ in curves]
    if size:
        entries.append(("guide", "genome size"))
    return Figure(
        "cumulative",
        title,
        _cumulative_finding(master),
        (WIDTH, HEIGHT),
        frame("cumulative", x, y, marks, legend(X_PIXELS[0], 18, entries)),
        {
            "kind": "xy",
            "title": title,
            "x": x.data(),
            "y": y.data(),
            "zoom": "xy",
            "series": [
                Series(name, "line", [count for count, _ in points], [sum_ for _, sum_ in points])
                for name, _, points in curves
            ],
        },
    )


def are_split(survey: Survey) -> bool:
    """Whether gaps split records, so that contigs are something else."""
    records, contigs = survey.records, survey.contigs
    return (contigs.count, contigs.sum) != (records.count, records.sum)


def _nx_curves(master: Master, survey: Survey) -> list[tuple[str, str, Sequence[Step | None]]]:
    """The name, the class and the steps of each curve that has any."""
    curves: list[tuple[str, str, Sequence[Step | None]]] = [("records", "s0", survey.records.steps)]
    if are_split(survey):
        curves.append(("contigs", "s1", survey.contigs.steps))
    if master.parameters.view.genome_size is not None:
        curves.append(("records, of the genome size (NG)", "s2", survey.records.ng_steps))
    return [each for each in curves if any(each[2])]


def _percent(step: int) -> float:
    return step * 100 / STEPS  # quarters: exact


def _steps(steps: Sequence[Step | None], x: Axis, y: Axis) -> Path:
    """A curve that holds each length from the step before it up to its own."""
    reached = [(i, step.n) for i, step in enumerate(steps, 1) if step]
    levels = [
        (max(i for i, _ in group), length)
        for length, group in groupby(reached, lambda item: item[1])
    ]
    ends = x.places(_percent(i) for i, _ in levels)
    heights = y.places(length for _, length in levels)
    starts = [x.at(0), *ends[:-1]]
    path = Path().move(starts[0], heights[0])
    for start, end, height in zip(starts, ends, heights, strict=True):
        path.line(start, height).line(end, height)
    return path


def _points(lengths: Lengths, *, from_zero: bool) -> list[tuple[int, int]]:
    """(how many, their length) where a step is reached, each once."""
    first = (0, 0) if from_zero else (1, lengths.longest)
    return sorted({first, *((step.l, step.reached) for step in lengths.steps)})


def _no_length(survey: Survey) -> str:
    if survey.records.count == 0:
        return "No record is in view, so there are no lengths to draw."
    return f"{counted(survey.records.count, 'record')} without a residue: there is nothing to draw."


def _nx_finding(master: Master, survey: Survey) -> str:
    sequences = master.sequences
    if sequences.count == 1:
        said = f"All of the length is in one record of {counted(sequences.length, 'base')}."
    else:
        said = f"{half_of_the_length(sequences)}; auN {number(sequences.auN)}."
    if are_split(survey) and not survey.contigs.count:
        said += " All of it is gaps."
    elif are_split(survey):
        contigs = sequences.contigs
        said += (
            f" Split at gaps: contig N50 {number(contigs.N50)} (L50 {number(contigs.L50)}),"
            f" auN {number(contigs.auN)}."
        )
    size = master.parameters.view.genome_size
    if size is not None:
        said += f" Of a genome of {counted(size, 'base')}: "
        if sequences.NG50 is None:
            said += "NG50 is never reached"
        else:
            said += f"NG50 {sequences.NG50:,} (LG50 {number(sequences.LG50)})"
        said += f", auNG {number(sequences.auNG)}."
    return said


def half_of_the_length(sequences: Contiguity) -> str:
    """Where half of the length is, without a full stop."""
    count, n50 = sequences.L50 or 0, sequences.N50 or 0
    if count == 1:
        return f"Half of the length is in the longest record, of {counted(n50, 'base')}"
    return (
        f"Half of the length is in the {count:,} longest records, of {counted(n50, 'base')} or more"
    )


def _cumulative_finding(master: Master) -> str:
    sequences = master.sequences
    count, ninety = sequences.count, sequences.L90 or 0
    if count == 1:
        said = f"One record holds all of the length, {short_bases(sequences.length)}."
    else:
        said = (
            f"{counted(ninety, 'record')} of {count:,} {verb(ninety, 'holds', 'hold')} 90 % of the"
            f" length ({short_bases(sequences.length)})."
        )
    size = master.parameters.view.genome_size
    if size is not None:
        said += f" The genome size is {short_bases(size)}."
    return said


def at_least_table(survey: Survey) -> Markup:
    """How many records there are of some lengths, and their summed length."""
    rows = Markup("").join(
        Markup("<tr><th scope=row>≥ {:,}</th><td>{:,}</td><td>{:,}</td><td>{}</td></tr>").format(
            each.length, each.count, each.sum, share(each.sum, survey.sums.length)
        )
        for each in survey.at_least
    )
    return Markup(
        '<div class="table"><table><caption>Records of at least a length, of all records</caption>'
        "<thead><tr><th scope=col>Length (bases)</th><th scope=col>Records</th>"
        "<th scope=col>Summed length</th><th scope=col>Of all</th></tr></thead>"
        "<tbody>{}</tbody></table></div>"
    ).format(rows)
