"""A collection: the folder of many reports, and the table over all of them.

DIR/<name>/          the report of each input
DIR/collection.json  the names, and the facts of summary.tsv: the right to replace it
DIR/summary.tsv      a row for every report that is there, and for what failed in the last call
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import msgspec

from fanfold.checked_json import Checked, DamagedDocument, encode_checked, is_own
from fanfold.engine.ahead import map_ahead
from fanfold.errors import OutputError
from fanfold.flow.contents import in_the_way
from fanfold.objects import LocalPlace, Place, is_any, is_name, open_place
from fanfold.report.master import decode_report
from fanfold.report.run_record import MASTER, RUN, RUN_RECORD, FileFacts, facts_of
from fanfold.shown import escaped

SUMMARY = "summary.tsv"
COLLECTION = "collection.json"

_COLUMNS = (
    "name",
    "state",
    "length",
    "sequences",
    "N50",
    "gc_percent",
    "N",
    "seconds",
    "error",
)

_WAIT_SECONDS = 60.0
"""How long to wait for another call that writes the table."""

_TRIES = 20


class Collection(msgspec.Struct, frozen=True):
    """What `collection.json` says.

    Attributes:
        names: the inputs whose reports were ever in the table, in its order.
        summary: the facts of `summary.tsv`.
    """

    names: tuple[str, ...]
    summary: FileFacts


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
    """Check that the table and its record, if they are there, are fanfold's, and no input.

    A table whose record is damaged is known by its first line.

    Raises:
        OutputError: one is not fanfold's, or is an input.
    """
    collection = read_collection(place)
    kinds = place.kinds([SUMMARY, COLLECTION])
    kind = kinds.get(SUMMARY)
    is_own = kind is None or (kind == "file" and collection is not None)
    if kind == "file" and collection is None and COLLECTION in kinds:
        is_own = place.read(SUMMARY).startswith("\t".join(_COLUMNS).encode())
    for name in (SUMMARY, COLLECTION):
        if is_any(place.where(name), inputs) or (name == SUMMARY and not is_own):
            raise in_the_way(place.where(name))


def write_summary(place: Place, names: Sequence[str], failed: Mapping[str, Failed]) -> None:
    """Write the table over all reports that are there.

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
            summary = _table(rows.values())
            kept = tuple(
                name for name in ordered if name in earlier or name in rows.keys() - failed.keys()
            )
            data = encode_checked(Collection(kept, facts_of(summary)))
            # The record comes first: a table without one would be taken for somebody else's.
            if before is None:
                place.create(COLLECTION, data)
            elif before != data:
                place.swap(COLLECTION, before, data)
            if _read(place) != data:
                continue
            place.write(SUMMARY, summary, durable=True)
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
    return is_name(name) and name not in {SUMMARY, COLLECTION}


def _rows(place: Place, names: Sequence[str], failed: Mapping[str, Failed]) -> dict[str, list[str]]:
    """The row of each input that has one, by name."""

    def row(name: str) -> list[str] | None:
        if name in failed:
            failure = failed[name]
            return [
                escaped(name),
                "FAILED",
                *[""] * 5,
                f"{failure.seconds:.3f}",
                escaped(failure.error),
            ]
        return _row_of_report(open_place(place.where(name)), name)

    rows = zip(names, map_ahead(row, names, place.reads_ahead), strict=True)
    return {name: found for name, found in rows if found is not None}


def _row_of_report(place: Place, name: str) -> list[str] | None:
    """The row of a report, whose `master.json` is what its record says; None if there is none."""
    try:
        run = RUN_RECORD.decode(place.read(RUN))
        data = place.read(MASTER)
        if facts_of(data) != run.record.files.get(MASTER):
            return None
        master = decode_report(data)
    except (FileNotFoundError, OutputError, DamagedDocument, msgspec.DecodeError):
        return None
    sequences = master.sequences
    values = (
        sequences.length,
        sequences.count,
        sequences.N50,
        master.gc_percent,
        master.composition.N,
    )
    texts = ["" if value is None else str(value) for value in values]
    return [escaped(name), "SUCCEEDED", *texts, f"{run.seconds:.3f}", ""]


def _table(rows: Iterable[Sequence[str]]) -> bytes:
    lines = ["\t".join(row) for row in (_COLUMNS, *rows)]
    return "".join(f"{line}\n" for line in lines).encode()
