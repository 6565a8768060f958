"""The tables of records and of runs of N of a finished report, as streams of Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from fanfold._kernel import crc64nvme, table_stream
from fanfold.errors import OutputError
from fanfold.objects import Place, shown
from fanfold.report.opened import incomplete, open_report
from fanfold.report.run_record import GAPS, SEQUENCES, FileFacts

Kind = Literal["text", "number", "share"]

_SEQUENCE_COLUMNS: Mapping[str, Kind] = {
    "name": "text",
    "length": "number",
    "A": "number",
    "C": "number",
    "G": "number",
    "T": "number",
    "N": "number",
    "other": "number",
    "lowercase": "number",
    "gc_percent": "share",
    "start_byte": "number",
    "U": "number",
}
_GAP_COLUMNS: Mapping[str, Kind] = {"name": "text", "start": "number", "end": "number"}


class RowStream:
    """A table of a finished report, as an Arrow stream.

    Every library that knows these takes it: `polars.DataFrame(table)`, `pyarrow.table(table)`,
    `duckdb.sql("from table")`. Rows are read when they are asked for, in bounded memory, from a
    disk as from a store. A table that is gone, or not what was written, ends the stream with an
    error: so what was read whole is right.

    Args:
        place: where the report is.
        name: the file of the table.
        facts: what the record says of it.
        columns: the names of the columns, and what they hold.
        has_header: whether the file begins with the names.

    Attributes:
        columns: the names of the columns.
    """

    def __init__(
        self,
        place: Place,
        name: str,
        facts: FileFacts,
        columns: Mapping[str, Kind],
        *,
        has_header: bool,
    ) -> None:
        self.columns = tuple(columns)
        self._place = place
        self._name = name
        self._facts = facts
        self._kinds = [*columns.items()]
        self._has_header = has_header

    def __repr__(self) -> str:
        return f"<RowStream of {shown(self._place.where(self._name))!r}>"

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows as a stream of Arrow record batches; it may be taken again and again.

        Names are ``utf8``, shares are ``float64`` and may be null, all else is ``uint64``.

        Args:
            requested_schema: another schema that the caller would like; it isn't used.
        """
        del requested_schema
        return table_stream(self._blocks(), self._kinds, self._has_header)

    def _blocks(self) -> Iterator[bytes]:
        size_bytes, crc = 0, 0
        try:
            for block in self._place.blocks(self._name):
                size_bytes += len(block)
                crc = crc64nvme(block, crc)
                yield bytes(block)
        except FileNotFoundError as error:
            raise OutputError(f"{self._place.where(self._name)}: gone; run again") from error
        if self._facts != FileFacts(size_bytes, f"{crc:016x}"):
            raise OutputError(f"{self._place.where(self._name)}: not what was written; run again")


def sequences_of(place: Place, data: bytes) -> RowStream:
    """The records of a report; raises as `open_report`."""
    return _table(place, data, SEQUENCES, _SEQUENCE_COLUMNS, has_header=True)


def gaps_of(place: Place, data: bytes) -> RowStream:
    """The runs of N of a report; raises as `open_report`."""
    return _table(place, data, GAPS, _GAP_COLUMNS, has_header=False)


def _table(
    place: Place, data: bytes, name: str, columns: Mapping[str, Kind], *, has_header: bool
) -> RowStream:
    record, _ = open_report(place, data)
    if name not in record.files:
        raise incomplete(place)
    return RowStream(place, name, record.files[name], columns, has_header=has_header)
