"""The renderings of reports: the same facts for people and for MultiQC.

What makes them is imported when it is called: it takes a tenth of the time of `import fanfold`, and
most processes make none of them. Tasks and most functions of the cloud path are such.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fanfold.report.busco import Busco
from fanfold.report.distances import Distances
from fanfold.report.master import Master
from fanfold.report.measures import IndexRow
from fanfold.report.run_record import PAGE
from fanfold.report.survey import Survey


def renderings_of(
    master: Master,
    survey: Survey,
    counts: Mapping[int, Sequence[int]],
    busco: Busco | None = None,
) -> dict[str, bytes]:
    """The bytes of each rendering, by name: a pure function of the report and its tables.

    Args:
        master: the report.
        survey: what the tables hold under the report's view.
        counts: for each k, 4^k counts of k-mers by code.
        busco: what BUSCO found in the assembly.
    """
    from fanfold.report.multiqc import multiqc_files
    from fanfold.report.page.report_page import report_page

    page = report_page(master, survey, counts, busco)
    return {PAGE: page, **multiqc_files(master, survey)}


def plot_of(
    plot: str,
    master: Master,
    survey: Survey,
    counts: Mapping[int, Sequence[int]],
    *,
    k: int | None = None,
) -> bytes:
    """One plot of a report as an SVG file; see `page.plot.plot_svg`.

    Raises:
        ParameterError: there is no such plot, or no such k in the report.
    """
    from fanfold.report.page.plot import plot_svg

    return plot_svg(plot, master, survey, counts, k=k)


def index_of(
    rows: Sequence[IndexRow], failed: Mapping[str, str], distances: Distances | None
) -> bytes:
    """The page over many reports; see `page.index_page.index_page`."""
    from fanfold.report.page.index_page import index_page

    return index_page(rows, failed, distances)


def is_index(data: bytes) -> bool:
    """Whether a file begins as a page over many reports does, whichever version wrote it."""
    from fanfold.report.page.index_page import is_index_page

    return is_index_page(data)
