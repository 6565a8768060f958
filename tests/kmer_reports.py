"""Reports with tables of k-mers from 9 on, composed by hand: as a run has them, or wrong ones."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import nsmallest
from pathlib import Path

import msgspec

from fanfold._kernel import write_kmer_part
from fanfold.checked_json import encode_checked
from fanfold.report.master import Kmers, decode_report, encode_report
from fanfold.report.run_record import MASTER, RUN, RUN_RECORD, Record, facts_of

Counts = Mapping[int, int]
"""The count of each k-mer, by code, in order of codes."""


def kmers_of(counts: Counts, k: int, *, canonical: bool = False) -> Kmers:
    """What a report says of a table."""
    spectrum = sorted(Counter(counts.values()).items())
    rows = counts.items()
    top = nsmallest(10, rows, key=lambda row: (-row[1], row[0]))
    bottom = nsmallest(10, rows, key=lambda row: (row[1], row[0]))
    palindromes = 4 ** (k // 2) if k % 2 == 0 else 0
    return Kmers(
        k=k,
        canonical=canonical,
        total=sum(counts.values()),
        distinct=len(counts),
        possible=(4**k + palindromes) // 2 if canonical else 4**k,
        singletons=sum(count == 1 for count in counts.values()),
        max=max(counts.values(), default=0),
        spectrum=spectrum,
        top=[(kmer_of(code, k), count) for code, count in top],
        bottom=[(kmer_of(code, k), count) for code, count in bottom],
        table=f"kmers/k{k}",
    )


def kmer_of(code: int, k: int) -> str:
    return "".join("ACGT"[code >> 2 * place & 3] for place in reversed(range(k)))


def hist_of(kmers: Kmers) -> bytes:
    return "".join(f"{times}\t{count}\n" for times, count in kmers.spectrum).encode()


def part_name(k: int, index: int) -> str:
    return f"kmers/k{k}/part-{index:05}.parquet"


def write_parts(out: Path, k: int, parts: Sequence[Counts], *, canonical: bool = False) -> None:
    """Write a table into a folder, each part as it is given."""
    (out / "kmers" / f"k{k}").mkdir(parents=True, exist_ok=True)
    for index, rows in enumerate(parts):
        path = out / part_name(k, index)
        write_kmer_part(path, k, canonical, array("Q", rows.keys()), array("Q", rows.values()))


def say(out: Path, *tables: Kmers) -> None:
    """Have the report in a folder say that it has tables, and write their spectra."""
    path = out / MASTER
    master = decode_report(path.read_bytes())
    kmers = sorted([*master.kmers, *tables], key=lambda each: each.k)
    parameters = msgspec.structs.replace(master.parameters, k=tuple(each.k for each in kmers))
    path.write_bytes(
        encode_report(msgspec.structs.replace(master, kmers=kmers, parameters=parameters))
    )
    for each in tables:
        (out / f"{each.table}.hist").write_bytes(hist_of(each))


def prove(out: Path) -> Record:
    """The record of a folder, made anew of the report's files and the tables that are there."""
    run = RUN_RECORD.decode((out / RUN).read_bytes())
    tables = [path for path in (out / "kmers").rglob("*") if path.is_file()]
    names = {*run.record.files, *(path.relative_to(out).as_posix() for path in tables)}
    files = {name: facts_of((out / name).read_bytes()) for name in sorted(names)}
    record = msgspec.structs.replace(run.record, files=files)
    (out / RUN).write_bytes(encode_checked(msgspec.structs.replace(run, record=record)))
    return record
