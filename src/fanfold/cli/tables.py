"""Tables that are printed row by row: for a screen, as TSV, or as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from fanfold.cli.streams import show, show_cells, show_json
from fanfold.report.statistics import cell, heading
from fanfold.shown import escaped

Value = str | int | float | None

_ROOM = len("99,999,999")
"""What a column has at least where there will be several rows: one may be wider than the first."""


class Rows(Protocol):
    """Takes the rows of a table, and prints each at once."""

    def add(self, row: Mapping[str, Value]) -> None:
        """Print a row: its values by column, the first one a text."""

    def end(self) -> None:
        """Print what comes after the last row."""


class ScreenRows:
    """Columns with room between them, and thousands apart. A column widens where it has to.

    Args:
        columns: the names of the columns; the first one is of texts, the others of numbers.
        texts: all that will be in the first column.
        tell: prints a line.
    """

    def __init__(
        self, columns: Sequence[str], texts: Sequence[str], tell: Callable[[str], None] = show
    ) -> None:
        self._columns = columns
        self._tell = tell
        room = _ROOM if len(texts) > 1 else 0
        self._widths = [max(map(len, map(escaped, texts)), default=0), *(room for _ in columns[1:])]
        self._has_headings = False

    def add(self, row: Mapping[str, Value]) -> None:
        """Print a row."""
        headings = [heading(name) for name in self._columns]
        cells = [_shown(row[name]) for name in self._columns]
        lengths = zip(self._widths, headings, cells, strict=True)
        self._widths = [max(width, len(title), len(text)) for width, title, text in lengths]
        if not self._has_headings:
            self._print(headings)
        self._has_headings = True
        self._print(cells)

    def end(self) -> None:
        """Nothing comes after the last row."""

    def _print(self, cells: Sequence[str]) -> None:
        first, *others = zip(cells, self._widths, strict=True)
        aligned = [f"{first[0]:<{first[1]}}", *(f"{text:>{width}}" for text, width in others)]
        self._tell("  ".join(aligned))


class TsvRows:
    """A TSV table, without quoting: what would steer a terminal or a table is escaped.

    Args:
        columns: the names of the columns.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        show_cells(columns)

    def add(self, row: Mapping[str, Value]) -> None:
        """Print a row."""
        values = [row[name] for name in self._columns]
        show_cells([each if isinstance(each, str) else cell(each) for each in values])

    def end(self) -> None:
        """Nothing comes after the last row."""


class JsonRows:
    """A JSON list with an object a row.

    Args:
        columns: the names of the columns.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._before = b"["

    def add(self, row: Mapping[str, Value]) -> None:
        """Print a row."""
        found = msgspec.json.encode({name: row[name] for name in self._columns})
        show_json(self._before + b"\n" + found)
        self._before = b","

    def end(self) -> None:
        """Print the end of the list."""
        show_json(b"[]\n" if self._before == b"[" else b"\n]\n")


def _shown(value: Value) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return escaped(value)
    return f"{value:,.3f}" if isinstance(value, float) else f"{value:,}"
