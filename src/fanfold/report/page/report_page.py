"""`report.html`: the report for people, in one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from fanfold.report.busco import Busco
from fanfold.report.master import Kmers, Master
from fanfold.report.notes import ARCHIVE
from fanfold.report.page.curves import at_least_table, cumulative_figure, nx_figure
from fanfold.report.page.document import document
from fanfold.report.page.drawn import in_page
from fanfold.report.page.ending import ending
from fanfold.report.page.gaps import lengths_figure, thresholds_table, tracks_figure
from fanfold.report.page.gc import gc_figure, histogram_figure
from fanfold.report.page.kmers import SYMMETRY_UP_TO_K, extremes_table, kmer_figures
from fanfold.report.page.longest import longest_table
from fanfold.report.page.numbers import as_text, numbers
from fanfold.report.page.snail import snail_figure
from fanfold.report.page.svg import Figure
from fanfold.report.page.words import counted, number, shown_name
from fanfold.report.run_record import KMER_TABLES
from fanfold.report.survey import Survey


def report_page(
    master: Master,
    survey: Survey,
    counts: Mapping[int, Sequence[int]],
    busco: Busco | None = None,
) -> bytes:
    """The page.

    Args:
        master: the report; its `kmer_counts` aren't read.
        survey: what the tables hold under the report's view.
        counts: for each k up to 8, 4^k counts by code.
        busco: what BUSCO found, for the corner of the snail plot.
    """
    snail = snail_figure(master, survey, busco)
    curves = [nx_figure(master, survey), cumulative_figure(master, survey)]
    gc = [gc_figure(master, survey), histogram_figure(master, survey)]
    tracks, gaps = tracks_figure(master, survey), lengths_figure(master, survey)
    kmers = [(each, kmer_figures(each, counts)) for each in master.kmers]
    body = Markup("\n").join(
        (
            _head(master),
            numbers(master),
            _section("lengths", "Lengths", _columns([snail, at_least_table(survey)], curves)),
            _section("gc-content", "GC", _plots(gc)),
            _section("records", "Longest records", longest_table(master, survey)),
            _section("gaps", "Gaps", _gaps(tracks, gaps, thresholds_table(master))),
            _section("kmers", "k-mers", _kmers(master, kmers)),
            ending(master),
        )
    )
    figures = [snail, *curves, *gc, tracks, gaps, *(each for _, drawn in kmers for each in drawn)]
    name = shown_name(master.source.name)
    return document(
        f"{name}: fanfold",
        body,
        {
            "name": name,
            "copy": as_text(master),
            "figures": {each.id: each.data for each in figures if each.data is not None},
        },
    )


def _head(master: Master) -> Markup:
    """The verdict in one line, and what is unusual: to be an archive is not."""
    archives = [each.text for each in master.notes if each.kind == ARCHIVE]
    line = Markup('<header><h1><bdi>{}</bdi> <span class="verdict">· {}</span></h1>').format(
        shown_name(master.source.name),
        " · ".join(
            (
                counted(master.source.size_bytes, "byte"),
                *archives,
                "complete: every check holds",
            )
        ),
    )
    unusual = [each for each in master.notes if each.kind != ARCHIVE]
    if not unusual:
        return line + Markup('<p class="unusual">Nothing unusual.</p></header>')
    notes = Markup("").join(Markup("<li>{}</li>").format(each.text) for each in unusual)
    return line + Markup(
        '<p class="unusual">Unusual:</p><ul class="notes">{}</ul></header>'
    ).format(notes)


def _section(name: str, title: str, content: Markup) -> Markup:
    return Markup('<section id="section-{}"><h2>{}</h2>{}</section>').format(name, title, content)


def _plots(figures: Iterable[Figure], *others: Markup) -> Markup:
    return Markup('<div class="figures">{}{}</div>').format(
        Markup("").join(in_page(each) for each in figures), Markup("").join(others)
    )


def _columns(*columns: Sequence[Figure | Markup]) -> Markup:
    """Figures and tables in two columns of their own, so that none waits for a taller neighbour."""
    drawn = Markup("").join(
        Markup('<div class="stack">{}</div>').format(
            Markup("").join(each if isinstance(each, Markup) else in_page(each) for each in column)
        )
        for column in columns
    )
    return Markup('<div class="figures">{}</div>').format(drawn)


def _gaps(tracks: Figure, lengths: Figure, table: Markup) -> Markup:
    """The table is below the figure that leaves room for it; one sentence says that nothing is."""
    if tracks.finding == lengths.finding:
        return _columns([tracks, table])
    if tracks.size[1] < lengths.size[1]:
        return _columns([tracks, table], [lengths])
    return _columns([tracks], [lengths, table])


def _kmers(master: Master, kmers: Iterable[tuple[Kmers, list[Figure]]]) -> Markup:
    cpg = master.cpg
    said = Markup(
        "<p>CpG observed/expected: <strong>{}</strong> ({:,} CG on the given strand).</p>"
    )
    drawn = said.format(number(cpg.observed_expected), cpg.count)
    if not master.kmers:
        return drawn + Markup("<p>No k-mers were counted.</p>")
    small = [each.k for each in master.kmers if each.k in KMER_TABLES]
    if master.parameters.canonical:
        folded = Markup(
            " The given strand's counts are not there, so the strands' symmetry can't be shown, and"
            " the chaos-game picture is folded."
        )
        drawn += Markup(
            "<p>Counts are canonical: a k-mer and its reverse complement are one.{}</p>"
        ).format(folded if small else Markup(""))
    elif any(k > SYMMETRY_UP_TO_K for k in small):
        drawn += Markup("<p>The strands' symmetry is drawn for k up to {}.</p>").format(
            SYMMETRY_UP_TO_K
        )
    for each, figures in kmers:
        drawn += Markup('<section id="section-k{k}"><h3>k = {k}</h3>{plots}</section>').format(
            k=each.k,
            plots=_plots(figures, extremes_table(each) if each.total else Markup("")),
        )
    return drawn
