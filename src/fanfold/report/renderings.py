"""The renderings of a report: the same facts for people and for MultiQC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fanfold.report.busco import Busco
from fanfold.report.master import Master
from fanfold.report.multiqc import multiqc_files
from fanfold.report.page.report_page import report_page
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
    page = report_page(master, survey, counts, busco)
    return {PAGE: page, **multiqc_files(master, survey)}
