"""A finished run, as a value."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.errors import FanfoldError, ParameterError
from fanfold.objects import Place, is_remote, shown
from fanfold.report.making import facts_of_report, make_report
from fanfold.report.master import Master, decode_report, encode_report
from fanfold.report.run_record import MASTER, PAGE
from fanfold.report.tables import survey_place

if TYPE_CHECKING:
    from fanfold.kmers.table import KmerTable
    from fanfold.report.row_stream import RowStream


class Report:
    """A finished run. It is read once: what other runs do to its files later doesn't change it.

    Args:
        place: where its files are.
        data: the bytes of its `master.json`.
        resumed: whether everything was there already.
        seconds: how long the run took.

    Attributes:
        url: where its files are: the path of a folder, or the URL of a prefix.
        master_url: the path or URL of its `master.json`.
        page_url: the path or URL of its `report.html`.
        data: the bytes of its `master.json`.
        resumed: whether everything was there already.
        seconds: how long the run took.
    """

    def __init__(self, place: Place, data: bytes, *, resumed: bool, seconds: float) -> None:
        self._place = place
        self.url = place.url
        self.master_url = place.where(MASTER)
        self.page_url = place.where(PAGE)
        self.data = data
        self.resumed = resumed
        self.seconds = seconds

    @property
    def out(self) -> Path:
        """The folder of its files, which is on this machine.

        Raises:
            ParameterError: it isn't; see `url`.
        """
        if is_remote(self.url):
            raise ParameterError(f"{self.url}: not a folder of this machine; use Report.url")
        return Path(self.url)

    @property
    def path(self) -> Path:
        """Its `master.json`, which is on this machine; raises as `out` does."""
        return self.out / MASTER

    def __repr__(self) -> str:
        found = self.master.sequences
        return (
            f"<Report {self.master.source.name!r}: sequences={found.count} length={found.length}"
            f" N50={found.N50} in {shown(self.url)!r}>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the numbers, and the snail plot.

        The plot is left out when the tables are no longer those of this report.
        """
        from fanfold.report.page.notebook import notebook_html  # noqa: PLC0415 - for a notebook

        survey = None
        with suppress(FanfoldError, FileNotFoundError, ValueError):
            found = survey_place(self._place, self.master.parameters.view)
            again = make_report(
                facts_of_report(self.master, self.data), found, self.master.parameters.view
            )
            survey = found if encode_report(again) == self.data else None
        return notebook_html(self.master, survey, self.page_url)

    def kmers(self, k: int) -> KmerTable:
        """The k-mers of one length, with their counts.

        Args:
            k: the length, 1 to 32.

        Raises:
            ParameterError: the run did not count such k-mers.
            PlanError: another report is there by now, or none.
        """
        from fanfold.kmers.finished import kmers_of_report  # noqa: PLC0415 - few ask for them

        return kmers_of_report(self._place, self.data, k)

    def sequences(self) -> RowStream:
        r"""The records of the input, a row each, in order: the rows of ``sequences.tsv``.

        The columns are ``name``, ``length``, ``A``, ``C``, ``G``, ``T``, ``N``, ``other``,
        ``lowercase``, ``gc_percent`` (null without A, C, G and T), ``start_byte`` and ``U``. Bytes
        of a name that are no printable text are there as ``\xNN``.

        Raises:
            PlanError: another report is there by now, or none.
        """
        from fanfold.report.row_stream import sequences_of  # noqa: PLC0415 - few ask for them

        return sequences_of(self._place, self.data)

    def gaps(self) -> RowStream:
        """The runs of N, a row each, in order: ``name``, ``start`` and ``end``.

        Positions are bases of the record, 0-based and half open. Raises as `sequences`.
        """
        from fanfold.report.row_stream import gaps_of  # noqa: PLC0415 - few ask for them

        return gaps_of(self._place, self.data)

    @cached_property
    def master(self) -> Master:
        """What `master.json` says."""
        return decode_report(self.data)
