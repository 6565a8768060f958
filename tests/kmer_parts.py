"""Reports with tables of k-mers from 9 on, in as many small parts as a test likes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from kmer_reports import hist_of, kmers_of, part_name, write_parts
from naive_kmers import naive_kmers

import fanfold
from fanfold.checked_json import encode_checked
from fanfold.report.master import KmerProof, decode_report, encode_report
from fanfold.report.run_record import MASTER, RUN, RUN_RECORD, FileFacts, facts_of

DIGITS = str.maketrans("ACGT", "0123")
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def back(kmer: str) -> str:
    """The reverse complement."""
    return kmer.translate(COMPLEMENT)[::-1]


def code_of(kmer: str) -> int:
    """The code as it is defined: the letters are digits to the base of 4."""
    return int(kmer.translate(DIGITS), 4)


def rows_of(counts: Mapping[str, int]) -> list[tuple[int, int]]:
    return [(code_of(kmer), count) for kmer, count in sorted(counts.items())]


def most_frequent(counts: Mapping[str, int], n: int) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda row: (-row[1], row[0]))[:n]


def report_with(
    folder: Path, text: bytes, ks: Sequence[int], *, canonical: bool, part_rows: int = 50
) -> Path:
    """The folder of a report of a text, with tables in parts of some rows."""
    path, out = folder / "x.fa", folder / "out"
    folder.mkdir(exist_ok=True)
    path.write_bytes(text)
    fanfold.run(path, [k for k in ks if k <= 8] or [0], canonical=canonical, out=out)
    for k in ks:
        if k > 8:
            rows = rows_of(naive_kmers(text, k, canonical=canonical))
            cuts = range(0, max(len(rows), 1), part_rows)
            add_table(out, k, [rows[cut : cut + part_rows] for cut in cuts], canonical=canonical)
    return out


def add_table(
    out: Path, k: int, parts: Iterable[Sequence[tuple[int, int]]], *, canonical: bool
) -> None:
    """Add a table to a report: its parts and what the documents say of it."""
    tables = [dict(part) for part in parts]
    write_parts(out, k, tables, canonical=canonical)
    counts = {code: count for table in tables for code, count in table.items()}
    kmers = kmers_of(counts, k, canonical=canonical)
    (out / f"{kmers.table}.hist").write_bytes(hist_of(kmers))
    master = decode_report((out / MASTER).read_bytes())
    all_kmers = sorted([*master.kmers, kmers], key=lambda each: each.k)
    proofs = [*master.proof.kmers, KmerProof(k, kmers.total, kmers.total)]
    replace = msgspec.structs.replace
    master = replace(
        master,
        kmers=all_kmers,
        parameters=replace(master.parameters, k=tuple(each.k for each in all_kmers)),
        proof=replace(master.proof, kmers=sorted(proofs, key=lambda each: each.k)),
    )
    (out / MASTER).write_bytes(encode_report(master))
    parts_written = [part_name(k, index) for index in range(len(tables))]
    record(out, [MASTER, f"{kmers.table}.hist", *parts_written])


def record(out: Path, names: Iterable[str]) -> None:
    """Have the record say what these files are; those that are gone leave it."""
    run = RUN_RECORD.decode((out / RUN).read_bytes())
    files: dict[str, FileFacts] = dict(run.record.files)
    for name in names:
        files.pop(name, None)
        if (out / name).exists():
            files[name] = facts_of((out / name).read_bytes())
    replace = msgspec.structs.replace
    run = replace(run, record=replace(run.record, files=files))
    (out / RUN).write_bytes(encode_checked(run))
