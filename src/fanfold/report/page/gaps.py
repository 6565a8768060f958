"""Gaps: along the longest records, and how long they are."""

from __future__ import annotations

from markupsafe import Markup

from fanfold.report.master import Master
from fanfold.report.page.curves import HEIGHT, X_PIXELS, Y_PIXELS
from fanfold.report.page.scale import Axis, linear_domain, log_domain
from fanfold.report.page.svg import WIDTH, Figure, Path, Series, frame, guide, legend, text, x_axis
from fanfold.report.page.words import (
    counted,
    number,
    share,
    short_bases,
    shown_name,
    verb,
)
from fanfold.report.survey import Survey

_ROW = 17
_BAR = 11
_TRACKS_LEFT = 120
_NAME_LETTERS = 17
_THINNEST = 1.0
"""The least width in pixels of a gap, or of a bar, that is drawn."""


def tracks_figure(master: Master, survey: Survey) -> Figure:
    """The gaps along the longest records."""
    title = "Gaps along the longest records"
    if not survey.tracks or not survey.records.longest:
        return Figure("gap-tracks", title, "No residue is in view, so there are no gaps to draw.")
    if not survey.gaps.count:
        return Figure("gap-tracks", title, _no_gaps(master, survey))
    rows = survey.listed[: len(survey.tracks)]
    top = 12
    bottom = top + _ROW * len(rows)
    x = Axis(
        "position (bases)",
        "position_bases",
        False,
        linear_domain(0, survey.records.longest),
        (_TRACKS_LEFT, WIDTH - 20),
    )
    records, gaps, names = Path(), Path(), Markup("")
    data = []
    for place, (row, groups) in enumerate(zip(rows, survey.tracks, strict=True)):
        y = top + _ROW * place
        records.rect(x.at(0), y, x.at(row.length), y + _BAR)
        for group in groups:
            start, end = x.at(group.start_base), x.at(group.end_base)
            gaps.rect(start, y, max(end, start + _THINNEST), y + _BAR)
        name = shown_name(row.name)
        short = name if len(name) <= _NAME_LETTERS else name[: _NAME_LETTERS - 1] + "…"
        names += text(_TRACKS_LEFT - 7, y + 10, short, anchor="end")
        data.append({"name": name, "length": row.length, "y": (y, y + _BAR), "gaps": groups})
    content = Markup(
        '<clipPath id="gap-tracks-clip">{rect}</clipPath>{axis}'
        '<g clip-path="url(#gap-tracks-clip)"><g class="marks">{marks}</g></g>'
        '<g class="legend">{names}</g>'
    ).format(
        rect=Markup('<rect class="frame" x="{}" y="{}" width="{}" height="{}"/>').format(
            x.pixels[0], top - 4, x.pixels[1] - x.pixels[0], bottom - top + 4
        ),
        axis=x_axis(x, bottom),
        marks=records.drawn("track") + gaps.drawn("gap"),
        names=names,
    )
    return Figure(
        "gap-tracks",
        title,
        _tracks_finding(survey, len(rows)),
        (WIDTH, bottom + 46),
        content,
        {"kind": "tracks", "title": title, "x": x.data(), "zoom": "x", "rows": data},
    )


def lengths_figure(master: Master, survey: Survey) -> Figure:
    """How many gaps there are of each length."""
    title = "Lengths of gaps"
    bins = survey.gap_lengths
    if not bins:
        return Figure("gap-lengths", title, _no_gaps(master, survey))
    longest = survey.gaps.longest
    x = Axis("length of a gap (bases, log)", "length_bases", True, (1, 1), X_PIXELS)
    x = Axis(x.label, x.column, True, log_domain(min(1, bins[0].from_bases), longest + 1), X_PIXELS)
    most = max(each.count for each in bins)
    y = Axis("gaps (log)", "gaps", True, (0.5, log_domain(1, most)[1]), Y_PIXELS)
    # No gap in view is shorter than the view's least, though its bin may begin before.
    starts = [max(each.from_bases, master.parameters.view.min_gap) for each in bins]
    ends = [min(each.to_bases, longest + 1) for each in bins]
    bars = Path()
    for start, each in zip(starts, bins, strict=True):
        left, right = x.at(start), x.at(min(each.to_bases, x.domain[1]))
        bars.rect(left, y.at(each.count), max(right, left + _THINNEST), Y_PIXELS[0])
    marks = [bars.drawn("bars s0")]
    entries = [("guide", "thresholds of the table")]
    marks += [
        guide(x, y, x=each.min_gap).drawn("guide")
        for each in survey.thresholds
        if x.domain[0] < each.min_gap < x.domain[1]
    ]
    return Figure(
        "gap-lengths",
        title,
        _lengths_finding(survey, master.parameters.view.min_gap),
        (WIDTH, HEIGHT),
        frame("gap-lengths", x, y, marks, legend(X_PIXELS[0], 18, entries)),
        {
            "kind": "xy",
            "title": title,
            "x": x.data(),
            "y": y.data(),
            "zoom": "x",
            "series": [
                Series(
                    "gaps",
                    "bars",
                    starts,
                    [each.count for each in bins],
                    x_end=ends,
                    extra={"summed_bases": [each.sum for each in bins]},
                )
            ],
        },
    )


def thresholds_table(master: Master) -> Markup:
    """The gaps, and the contigs between them, at the usual thresholds and the view's."""
    rows = Markup("").join(
        Markup(
            "<tr><th scope=row>≥ {:,}</th><td>{:,}</td><td>{:,}</td><td>{:,}</td><td>{}</td>"
            "<td>{}</td></tr>"
        ).format(
            each.min_gap,
            each.gaps,
            each.gap_length,
            each.contigs,
            number(each.contig_N50),
            number(each.contig_L50),
        )
        for each in master.gaps.thresholds
    )
    return Markup(
        '<div class="table"><table><caption>What counts as a gap, and the contigs between'
        "</caption><thead><tr><th scope=col>Gap (bases)</th><th scope=col>Gaps</th>"
        "<th scope=col>Length</th><th scope=col>Contigs</th><th scope=col>N50</th>"
        "<th scope=col>L50</th></tr></thead><tbody>{}</tbody></table></div>"
    ).format(rows)


def _no_gaps(master: Master, survey: Survey) -> str:
    everything = survey.all_gaps.count
    if not everything:
        return "There are no gaps: no record has an N."
    shortest = master.parameters.view.min_gap
    return (
        f"No gap of {counted(shortest, 'base')} or more is in view;"
        f" {counted(everything, 'run')} of N in all records."
    )


def _tracks_finding(survey: Survey, rows: int) -> str:
    with_gaps = sum(1 for groups in survey.tracks if groups)
    gaps = sum(group.count for groups in survey.tracks for group in groups)
    if rows == 1:
        return f"The record has {counted(gaps, 'gap')}. A gap is at least one pixel wide."
    if not gaps:
        return (
            f"The {rows} longest records have no gaps; all {survey.gaps.count:,} are in shorter"
            " ones."
        )
    return (
        f"{with_gaps} of the {rows} longest records {verb(with_gaps, 'has', 'have')} gaps:"
        f" {gaps:,} of {survey.gaps.count:,} in all. A gap is at least one pixel wide."
    )


def _lengths_finding(survey: Survey, min_gap: int) -> str:
    gaps = survey.gaps
    if gaps.count == 1:
        return f"One gap, of {counted(gaps.longest, 'base')}."
    fullest = max(survey.gap_lengths, key=lambda each: (each.count, -each.from_bases))
    low = max(fullest.from_bases, min_gap)
    high = min(fullest.to_bases - 1, gaps.longest)
    return (
        f"{gaps.count:,} gaps of {short_bases(gaps.sum)} together, the longest of"
        f" {counted(gaps.longest, 'base')}. The fullest bin,"
        f" {counted(low, 'base') if low == high else f'{low:,} to {high:,} bases'}, has"
        f" {share(fullest.count, gaps.count)} of them."
    )
