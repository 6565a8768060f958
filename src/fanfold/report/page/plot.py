"""One plot of a report as an SVG file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fanfold.errors import ParameterError
from fanfold.report.busco import Busco
from fanfold.report.master import Kmers, Master
from fanfold.report.page.chaos import chaos_figure
from fanfold.report.page.curves import cumulative_figure, nx_figure
from fanfold.report.page.drawn import standalone
from fanfold.report.page.gaps import tracks_figure
from fanfold.report.page.gc import gc_figure
from fanfold.report.page.kmers import spectrum_figure
from fanfold.report.page.snail import snail_figure
from fanfold.report.page.svg import Figure
from fanfold.report.page.words import shown_name
from fanfold.report.run_record import KMER_TABLES
from fanfold.report.survey import Survey

PLOTS = ("snail", "nx", "cumulative", "gc", "gaps", "spectrum", "cgr")
"""The plots there are; ``cgr`` is the chaos-game picture."""

_OF_TABLES = {
    "nx": nx_figure,
    "cumulative": cumulative_figure,
    "gc": gc_figure,
    "gaps": tracks_figure,
}


def plot_svg(
    plot: str,
    master: Master,
    survey: Survey,
    counts: Mapping[int, Sequence[int]],
    busco: Busco | None = None,
    *,
    k: int | None = None,
) -> bytes:
    """A plot, whole in one SVG file.

    Args:
        plot: one of `PLOTS`.
        master: the report.
        survey: what the tables hold.
        counts: for each k, 4^k counts by code; needed for ``cgr``.
        busco: what BUSCO found; in the corner of the snail plot.
        k: the length of the k-mers of ``spectrum`` and ``cgr``; the largest that has such a plot
            if not given.

    Raises:
        ParameterError: there is no such plot, or no such k in the report.
    """
    if k is not None and plot not in {"spectrum", "cgr"}:
        raise ParameterError(f"k is for spectrum and cgr, and {plot} has none")
    if plot == "snail":
        figure = snail_figure(master, survey, busco)
    elif plot in _OF_TABLES:
        figure = _OF_TABLES[plot](master, survey)
    elif plot in PLOTS:
        figure = _kmer_figure(plot, _kmers(plot, master, k), counts)
    else:
        raise ParameterError(f"no plot {plot!r}: there are {', '.join(PLOTS)}")
    return standalone(figure, shown_name(master.source.name))


def _kmer_figure(plot: str, kmers: Kmers, counts: Mapping[int, Sequence[int]]) -> Figure:
    if plot == "spectrum":
        return spectrum_figure(kmers)
    if kmers.k not in counts:
        if kmers.k not in KMER_TABLES:
            raise ParameterError(
                f"k = {kmers.k}: there is no chaos-game picture of k-mers longer than"
                f" {max(KMER_TABLES)}"
            )
        raise ParameterError(f"k = {kmers.k}: there is no picture without all of its counts")
    return chaos_figure(kmers, counts[kmers.k])


def _kmers(plot: str, master: Master, k: int | None) -> Kmers:
    if not master.kmers:
        raise ParameterError("the report counted no k-mers")
    if k is None:
        drawn = [each for each in master.kmers if plot == "spectrum" or each.k in KMER_TABLES]
        return (drawn or master.kmers)[-1]
    for each in master.kmers:
        if each.k == k:
            return each
    there = ", ".join(str(each.k) for each in master.kmers)
    raise ParameterError(f"k = {k} is not in the report, which has k = {there}")
