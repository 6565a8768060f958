"""The check of the tables of k-mers from 9 on: whether their parts are one table, the report's.

A checksum tells whether a file is what was written, not whether it is what should have been: here
every page of every part is read, and what they hold together is compared with `master.json`.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from fanfold._kernel import read_kmer_part
from fanfold.objects import LocalPlace, Place
from fanfold.report.master import Kmers, decode_report
from fanfold.report.run_record import KMER_TABLES, MASTER, RUN, Record

_SEVERAL = 1 << 16
"""How many counts of a part are numbers of Python at once."""


class _Part(NamedTuple):
    """A part that is proven by itself."""

    k: int
    canonical: bool
    first_code: int | None
    last_code: int | None
    counts: memoryview


def find_table_faults(place: Place, record: Record, known: AbstractSet[str]) -> Iterator[str]:
    """What is wrong with the tables of a report whose files are what was written; a line each.

    One part is in memory at a time, and a copy of it on this machine's disk if the place is not
    there.

    Args:
        place: where the report is.
        record: its record.
        known: the files that are not what was written: what needs one of them is passed over.

    Raises:
        OutputError: a file can't be read.
    """
    if MASTER in known:
        return
    try:
        master = decode_report(place.read(MASTER))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        yield f"{place.where(MASTER)}: not what fanfold wrote ({error}); run again with --fresh"
        return
    for kmers in master.kmers:
        if kmers.k not in KMER_TABLES:
            yield from _of_table(place, record, kmers, known)


def _of_table(place: Place, record: Record, kmers: Kmers, known: AbstractSet[str]) -> Iterator[str]:
    # The name is the report's, which anyone can write: it has to be one of the record's.
    folder, spectrum_name = kmers.table, f"{kmers.table}.hist"
    names = sorted(name for name in record.files if name.startswith(f"{folder}/"))
    expected = [f"{folder}/part-{index:05}.parquet" for index in range(len(names))]
    if not names or names != expected or spectrum_name not in record.files:
        yield (
            f"{place.where(RUN)}: doesn't name the whole table of {kmers.k}-mers;"
            " run again with --fresh"
        )
        return
    if spectrum_name not in known:
        yield from _of_spectrum(place, spectrum_name, kmers)
    if known.isdisjoint(names):
        yield from _of_parts(place, names, kmers)


def _of_spectrum(place: Place, name: str, kmers: Kmers) -> Iterator[str]:
    rows = "".join(f"{multiplicity}\t{count}\n" for multiplicity, count in kmers.spectrum)
    if place.read(name) != rows.encode():
        yield f"{place.where(name)}: not the spectrum in {MASTER}; run again with --fresh"


def _of_parts(place: Place, names: list[str], kmers: Kmers) -> Iterator[str]:
    """Read the parts in order; the first fault of one ends the comparison of their sums."""
    spectrum: Counter[int] = Counter()
    last_code = -1
    for name in names:
        where = place.where(name)
        try:
            part = _read(place, name)
        except ValueError as error:
            yield f"{where}: no part of a table of k-mers ({error}); run again with --fresh"
            return
        if (part.k, part.canonical) != (kmers.k, kmers.canonical):
            yield f"{where}: holds {_kind(part.k, part.canonical)}; run again with --fresh"
            return
        if part.first_code is None or part.last_code is None:
            if len(names) > 1:
                yield f"{where}: holds nothing, among other parts; run again with --fresh"
                return
        elif part.first_code <= last_code:
            yield f"{where}: doesn't follow the part before it; run again with --fresh"
            return
        else:
            last_code = part.last_code
        for start in range(0, len(part.counts), _SEVERAL):
            spectrum.update(part.counts[start : start + _SEVERAL])
        del part  # or two would be in memory
    distinct = spectrum.total()
    total = sum(multiplicity * count for multiplicity, count in spectrum.items())
    where = place.where(kmers.table)
    if (distinct, total) != (kmers.distinct, kmers.total):
        yield (
            f"{where}: holds {distinct:,} k-mers with counts of {total:,} in all, but {MASTER} says"
            f" {kmers.distinct:,} and {kmers.total:,}; run again with --fresh"
        )
    elif sorted(spectrum.items()) != kmers.spectrum:
        yield f"{where}: its counts have another spectrum than {MASTER}; run again with --fresh"


def _kind(k: int, canonical: bool) -> str:
    return f"{'canonical ' if canonical else ''}{k}-mers"


def _read(place: Place, name: str) -> _Part:
    """A part, whose pages the kernel proves.

    Raises:
        ValueError: it is none that fanfold wrote.
    """
    with _on_disk(place, name) as path:
        found = read_kmer_part(path)
    return _Part(
        found["k"],
        found["canonical"],
        found["first_code"],
        found["last_code"],
        memoryview(found["counts"]).cast("Q"),
    )


@contextmanager
def _on_disk(place: Place, name: str) -> Iterator[Path]:
    """A file of a place on this machine: itself, or a copy for the length of the block."""
    if isinstance(place, LocalPlace):
        yield Path(place.where(name))
        return
    with tempfile.NamedTemporaryFile(prefix="fanfold-", suffix=".parquet") as file:
        for block in place.blocks(name):
            file.write(block)
        file.flush()
        yield Path(file.name)
