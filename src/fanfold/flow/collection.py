"""A collection: the folder of many reports, and the table and the page over all of them.

DIR/<name>/          the report of each input
DIR/collection.json  the names, and the facts of the other two: the right to replace them
DIR/summary.tsv      a row for every report that is there, and for what failed in the last call
DIR/index.html       the same for people: the reports side by side
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import msgspec

from fanfold.checked_json import Checked, DamagedDocument, encode_checked, is_own
from fanfold.engine.ahead import map_ahead
from fanfold.errors import OutputError
from fanfold.flow.contents import in_the_way
from fanfold.objects import LocalPlace, Place, is_any, is_name, open_place
from fanfold.report.distances import MOST_IN_PICTURE, Distances, common_k, distances_of
from fanfold.report.kmer_counts import counts_of_table
from fanfold.report.measures import IndexRow, decode_measures
from fanfold.report.nx_table import read_nx
from fanfold.report.renderings import index_of, is_index
from fanfold.report.run_record import KMER_TABLES, MASTER, NX, RUN, RUN_RECORD, FileFacts, facts_of
from fanfold.report.statistics import COLUMNS, cell
from fanfold.shown import escaped

OF_MANY = "fanfold-results"
"""The folder for the results of several genomes, unless the caller names another."""

SUMMARY = "summary.tsv"
INDEX = "index.html"
COLLECTION = "collection.json"

_COLUMNS = ("file", *COLUMNS, "state", "seconds", "error")

_WAIT_SECONDS = 60.0
"""How long to wait for another call that writes the table."""

_TRIES = 20


class Collection(msgspec.Struct, frozen=True):
    """What `collection.json` says.

    Attributes:
        names: the inputs whose reports were ever in the table, in its order.
        summary: the facts of `summary.tsv`.
        index: the facts of `index.html`; None in a collection from before there was one.
    """

    names: tuple[str, ...]
    summary: FileFacts
    index: FileFacts | None = None


_COLLECTION = Checked(Collection)


class Failed(NamedTuple):
    """An input that failed in this call: how long it took, and why in words."""

    seconds: float
    error: str


def read_collection(place: Place) -> Collection | None:
    """What a collection says; None if there is none, or it is damaged.

    Raises:
        OutputError: what is there is not fanfold's.
    """
    data = _read(place)
    try:
        found = None if data is None else _COLLECTION.decode(data)
    except DamagedDocument:
        return None
    return found if found is not None and all(map(_is_plain, found.names)) else None


def check_collection(place: Place, inputs: Iterable[str] = ()) -> None:
    """Check that table, page and record, if they are there, are fanfold's, and no input.

    Where the record is damaged, table and page are known by how they begin.

    Raises:
        OutputError: one is not fanfold's, or is an input.
    """
    collection = read_collection(place)
    kinds = place.kinds([SUMMARY, INDEX, COLLECTION])
    owned = {COLLECTION}
    if collection is not None:
        owned |= {SUMMARY} if collection.index is None else {SUMMARY, INDEX}
    elif COLLECTION in kinds:
        owned |= {name for name in (SUMMARY, INDEX) if _looks_own(place, name, kinds.get(name))}
    for name in (SUMMARY, INDEX, COLLECTION):
        is_free = name not in kinds or (kinds[name] == "file" and name in owned)
        if not is_free or is_any(place.where(name), inputs):
            raise in_the_way(place.where(name))


def _looks_own(place: Place, name: str, kind: str | None) -> bool:
    """Whether a table or page without a valid record begins as fanfold's."""
    if kind != "file":
        return False
    data = place.read(name)
    if name == INDEX:
        return is_index(data)
    return data.startswith("\t".join(_COLUMNS[:3]).encode())


def write_summary(place: Place, names: Sequence[str], failed: Mapping[str, Failed]) -> None:
    """Write the table and the page over all reports that are there.

    Calls at the same time take turns on a disk; in a store each looks whether another was faster,
    and then begins again.

    Args:
        place: the collection's folder or prefix.
        names: the inputs of this call, in the order given.
        failed: those that failed, by name. Failures of earlier calls drop out.

    Raises:
        OutputError: it can't be written.
    """
    with place.lock(_WAIT_SECONDS) if isinstance(place, LocalPlace) else nullcontext():
        for _ in range(_TRIES):
            check_collection(place)
            before = _read(place)
            known = read_collection(place)
            earlier = () if known is None else known.names
            ordered = dict.fromkeys((*earlier, *names))
            rows = _rows(place, list(ordered), failed)
            summary = _table(row.cells for row in rows.values())
            index = index_of(
                [row.shown for row in rows.values() if row.shown is not None],
                {name: failed[name].error for name in rows if name in failed},
                _distances(place, [row for row in rows.values() if row.shown is not None]),
            )
            kept = tuple(
                name for name in ordered if name in earlier or name in rows.keys() - failed.keys()
            )
            data = encode_checked(Collection(kept, facts_of(summary), facts_of(index)))
            # The record comes first: files without one would be taken for somebody else's.
            if before is None:
                place.create(COLLECTION, data)
            elif before != data:
                place.swap(COLLECTION, before, data)
            if _read(place) != data:
                continue
            place.write(SUMMARY, summary, durable=True)
            place.write(INDEX, index, durable=True)
            if _read(place) == data:
                return
    raise OutputError(f"{place.where(SUMMARY)}: others keep writing it; run again")


def _read(place: Place) -> bytes | None:
    try:
        data = place.read(COLLECTION)
    except FileNotFoundError:
        return None
    if not is_own(data):
        raise in_the_way(place.where(COLLECTION))
    return data


def _is_plain(name: str) -> bool:
    return is_name(name) and name not in {SUMMARY, INDEX, COLLECTION}


class _Row(NamedTuple):
    """An input in the table; in the page, with the tables of its k-mers, if it has a report."""

    cells: list[str]
    shown: IndexRow | None
    tables: Mapping[int, FileFacts]


def _rows(place: Place, names: Sequence[str], failed: Mapping[str, Failed]) -> dict[str, _Row]:
    """The row of each input that has one, by name."""

    def row(name: str) -> _Row | None:
        if name in failed:
            failure = failed[name]
            seconds = f"{failure.seconds:.3f}"
            error = escaped(failure.error)
            return _Row([escaped(name), *[""] * len(COLUMNS), "failed", seconds, error], None, {})
        return _row_of_report(open_place(place.where(name)), name)

    rows = zip(names, map_ahead(row, names, place.reads_ahead), strict=True)
    return {name: found for name, found in rows if found is not None}


def _row_of_report(place: Place, name: str) -> _Row | None:
    """The row of a report that is what its record says, as far as it is read; None if it isn't."""
    try:
        run = RUN_RECORD.decode(place.read(RUN))
        master, nx = place.read(MASTER), place.read(NX)
        files = run.record.files
        if (facts_of(master), facts_of(nx)) != (files.get(MASTER), files.get(NX)):
            return None
        measures, statistics, ks = decode_measures(master)
        tables = {k: files[KMER_TABLES[k]] for k in ks if k in KMER_TABLES}
        curve = read_nx(nx)
    except (FileNotFoundError, OutputError, DamagedDocument, LookupError, ValueError):
        return None
    values = map(cell, msgspec.structs.astuple(statistics))
    cells = [escaped(name), *values, "ok", f"{run.seconds:.3f}", ""]
    return _Row(cells, IndexRow(name, measures, curve), tables)


def _distances(place: Place, rows: Sequence[_Row]) -> Distances | None:
    """How far the genomes of reports are apart; None where they can't be told, or shown."""
    k = common_k(row.tables for row in rows)
    if k is None or not 2 <= len(rows) <= MOST_IN_PICTURE:
        return None

    def counts(row: _Row) -> array[int] | None:
        where = open_place(place.where("" if row.shown is None else row.shown.name))
        try:
            data = where.read(KMER_TABLES[k])
            return counts_of_table(data, k) if facts_of(data) == row.tables[k] else None
        except (FileNotFoundError, OutputError, ValueError):
            return None

    found = list(map_ahead(counts, rows, place.reads_ahead))
    known = [each for each in found if each is not None]
    return distances_of(known, k) if len(known) == len(rows) else None


def _table(rows: Iterable[Sequence[str]]) -> bytes:
    lines = ["\t".join(row) for row in (_COLUMNS, *rows)]
    return "".join(f"{line}\n" for line in lines).encode()
