"""The tables of k-mers of a finished report."""

from __future__ import annotations

import os
from array import array
from functools import partial

from fanfold.errors import ParameterError
from fanfold.exhaustion import exhaustion_in_words
from fanfold.kmers.master_rows import MasterRows
from fanfold.kmers.part_rows import PartFile, PartRows
from fanfold.kmers.rows import Rows
from fanfold.kmers.table import KmerTable
from fanfold.objects import Place, open_place, path_of
from fanfold.params import check_whole
from fanfold.report.kmer_counts import counts_of_map
from fanfold.report.master import Kmers, Master
from fanfold.report.opened import incomplete, not_ours, open_report
from fanfold.report.run_record import KMER_TABLES, Record, kmer_folder


@exhaustion_in_words()
def open_kmers(location: str | os.PathLike[str], k: int | None = None) -> KmerTable:
    """The table of the k-mers of one length of a finished run.

    Args:
        location: the folder or the URL of its files.
        k: the length; may be left out if the run counted k-mers of one length alone.

    Raises:
        ParameterError: the run did not count such k-mers.
        PlanError: there is no report of this version, or it is damaged.
        FanfoldError: see `fanfold.errors`.
    """
    place = open_place(path_of(location, "location"))
    return _chosen(place, _tables(place), k)


@exhaustion_in_words()
def all_kmers(location: str | os.PathLike[str]) -> list[KmerTable]:
    """The tables of all k-mers of a finished run, by k; raises as `open_kmers`."""
    return _tables(open_place(path_of(location, "location")))


@exhaustion_in_words()
def kmers_of_report(place: Place, data: bytes, k: int) -> KmerTable:
    """The table of the k-mers of one length of a report that was read before.

    Args:
        place: where the report is.
        data: the bytes of its `master.json` as they were read.
        k: the length.

    Raises:
        ParameterError: the run did not count such k-mers.
        PlanError: another report is there by now, or none.
    """
    return _chosen(place, _tables(place, data), check_whole("k", k))


def _chosen(place: Place, tables: list[KmerTable], k: int | None) -> KmerTable:
    number = check_whole("k", k)
    chosen = [table for table in tables if number in {None, table.k}]
    if len(chosen) == 1:
        return chosen[0]
    if not tables:
        raise ParameterError(f"{place.url}: no k-mers were counted; run again with another k")
    there = ", ".join(str(table.k) for table in tables)
    if number is None:
        raise ParameterError(f"{place.url}: has k-mers of several lengths; give one k of {there}")
    raise ParameterError(f"{place.url}: {number}-mers were not counted; give one k of {there}")


def _tables(place: Place, data: bytes | None = None) -> list[KmerTable]:
    """The tables of a report; of that whose `master.json` is given, if that is still there."""
    record, master = open_report(place, data)
    return [_table(place, record, master, kmers) for kmers in master.kmers]


def _table(place: Place, record: Record, master: Master, kmers: Kmers) -> KmerTable:
    if kmers.k in KMER_TABLES:
        names = [KMER_TABLES[kmers.k]]
        rows: Rows = MasterRows(partial(_counts, place, master, kmers))
    else:
        folder = kmer_folder(kmers.k)
        names = sorted(name for name in record.files if name.startswith(f"{folder}/"))
        rows = PartRows(
            place, [PartFile(name, record.files[name].size_bytes) for name in names], kmers
        )
        if names != [f"{folder}/part-{index:05}.parquet" for index in range(len(names) or 1)]:
            raise incomplete(place)
    if not record.files.keys() >= {*names}:
        raise incomplete(place)
    size_bytes = sum(record.files[name].size_bytes for name in names)
    return KmerTable(kmers, rows, size_bytes, place.url)


def _counts(place: Place, master: Master, kmers: Kmers) -> array[int]:
    try:
        counts = counts_of_map(master.kmer_counts, kmers.k)
    except (ValueError, OverflowError) as error:
        raise not_ours(place, error) from error
    if (sum(counts), len(counts) - counts.count(0)) != (kmers.total, kmers.distinct):
        raise not_ours(place, f"its counts of {kmers.k}-mers don't add up")
    return counts
