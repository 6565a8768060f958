"""`fanfold check` of tables of k-mers from 9 on: whether the parts are the table of the report.

Every file is what its record says, unless a test says otherwise: what is wrong, a checksum of a
file doesn't tell.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import msgspec
import pytest
from kmer_reports import Counts, hist_of, kmers_of, part_name, prove, say, write_parts
from servers.s3 import s3_server

import fanfold
from fanfold.flow.check_kmers import find_table_faults
from fanfold.objects import LocalPlace, open_place
from fanfold.report.run_record import MASTER, Record

DATA = Path(__file__).parent / "data"

K = 21


def table(k: int = K, rows: int = 3000, seed: int = 1) -> dict[int, int]:
    """Some k-mers, most of which occur once."""
    chance = random.Random(seed)
    codes = sorted(chance.sample(range(4**k) if k < 31 else range(2**62), rows))
    return {code: 1 if chance.random() < 0.7 else chance.randrange(2, 5000) for code in codes}


def cut(counts: Counts, *sizes: int) -> list[dict[int, int]]:
    """A table in parts of some sizes, and what is left."""
    rows = iter(counts.items())
    parts = [dict(islice(rows, size)) for size in sizes]
    return [*parts, dict(rows)]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A report of small k."""
    return fanfold.run(DATA / "phiX174.fa", out=tmp_path / "out").out


def faults(out: Path, record: Record, *known: str) -> list[str]:
    return list(find_table_faults(LocalPlace(out), record, {*known}))


def test_tables_of_several_k_are_the_report_s(out: Path) -> None:
    first, second, third = table(), table(32, 500), table(9, 1)
    write_parts(out, K, cut(first, 1000, 1), canonical=True)
    write_parts(out, 32, [second], canonical=True)
    write_parts(out, 9, [third], canonical=True)
    said = [kmers_of(each, k, canonical=True) for each, k in ((first, K), (second, 32), (third, 9))]
    say(out, *said)

    assert faults(out, prove(out)) == []


def test_a_report_of_small_k_has_no_such_table(out: Path) -> None:
    assert faults(out, prove(out)) == []


def test_a_table_without_k_mers_is_one_empty_part(out: Path) -> None:
    write_parts(out, K, [{}])
    say(out, kmers_of({}, K))

    assert faults(out, prove(out)) == []


def swap(out: Path) -> None:
    first, second = out / part_name(K, 0), out / part_name(K, 1)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


def repeat(out: Path) -> None:
    (out / part_name(K, 1)).write_bytes((out / part_name(K, 0)).read_bytes())


def empty(out: Path) -> None:
    write_parts(out, K, [{}])


def of_other_k(out: Path) -> None:
    write_parts(out, 22, [table(22, 1000)])
    (out / part_name(22, 0)).replace(out / part_name(K, 0))
    (out / "kmers" / "k22").rmdir()


def of_other_strand(out: Path) -> None:
    write_parts(out, K, cut(table(), 1000)[:1], canonical=True)


def truncate(out: Path) -> None:
    path = out / part_name(K, 0)
    path.write_bytes(path.read_bytes()[:-1])


def alter(out: Path) -> None:
    path = out / part_name(K, 0)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("wrong", "place", "words"),
    [
        (swap, 1, "doesn't follow the part before it"),
        (repeat, 1, "doesn't follow the part before it"),
        (empty, 0, "holds nothing, among other parts"),
        (of_other_k, 0, "holds 22-mers"),
        (of_other_strand, 0, "holds canonical 21-mers"),
        (truncate, 0, "no part of a table of k-mers"),
        (alter, 0, "no part of a table of k-mers"),
    ],
)
def test_a_part_that_is_wrong_is_named(
    wrong: Callable[[Path], None], place: int, words: str, out: Path
) -> None:
    write_parts(out, K, cut(table(), 1000))
    say(out, kmers_of(table(), K))
    wrong(out)

    (fault,) = faults(out, prove(out))

    assert fault.startswith(f"{out / part_name(K, place)}: {words}")
    assert fault.endswith("; run again with --fresh")


def test_a_part_that_the_record_does_not_name_is_missed(out: Path) -> None:
    write_parts(out, K, cut(table(), 1000, 1000))
    say(out, kmers_of(table(), K))
    whole = prove(out)
    for gone in (part_name(K, 0), part_name(K, 1), f"kmers/k{K}.hist"):
        files = {name: facts for name, facts in whole.files.items() if name != gone}

        (fault,) = faults(out, msgspec.structs.replace(whole, files=files))

        assert fault.startswith(f"{out / 'run.json'}: doesn't name the whole table of 21-mers")


def test_a_last_part_that_the_record_does_not_name_is_missed_in_the_sums(out: Path) -> None:
    counts = table()
    write_parts(out, K, cut(counts, 1000, 1000))
    say(out, kmers_of(counts, K))
    whole = prove(out)
    files = {name: facts for name, facts in whole.files.items() if name != part_name(K, 2)}

    (fault,) = faults(out, msgspec.structs.replace(whole, files=files))

    assert fault.startswith(f"{out / 'kmers' / 'k21'}: holds 2,000 k-mers with counts of ")
    assert "says 3,000 and " in fault


def test_a_row_that_is_missing_is_missed_in_the_sums(out: Path) -> None:
    counts = table()
    write_parts(out, K, [dict(islice(counts.items(), 1, None))])
    say(out, kmers_of(counts, K))

    (fault,) = faults(out, prove(out))

    assert fault.startswith(f"{out / 'kmers' / 'k21'}: holds 2,999 k-mers")


def test_counts_of_the_same_sum_are_told_by_their_spectrum(out: Path) -> None:
    counts = table()
    first, second, *_ = (code for code, count in counts.items() if count > 3)
    write_parts(out, K, [counts | {first: counts[first] + 1, second: counts[second] - 1}])
    say(out, kmers_of(counts, K))

    (fault,) = faults(out, prove(out))

    assert fault.startswith(f"{out / 'kmers' / 'k21'}: its counts have another spectrum")


def test_a_spectrum_file_of_another_table_is_named(out: Path) -> None:
    write_parts(out, K, [table()])
    say(out, kmers_of(table(), K))
    path = out / "kmers" / "k21.hist"
    path.write_bytes(hist_of(kmers_of(table(seed=2), K)))

    (fault,) = faults(out, prove(out))

    assert fault.startswith(f"{path}: not the spectrum in master.json")


def test_what_is_damaged_already_is_not_told_twice(out: Path) -> None:
    write_parts(out, K, cut(table(), 1000))
    write_parts(out, 31, [{}])
    say(out, kmers_of(table(), K), kmers_of(table(31), 31))
    record = prove(out)
    swap(out)

    known = (part_name(K, 0), part_name(K, 1))
    (fault,) = faults(out, record, *known)  # the other table is looked at all the same
    assert fault.startswith(f"{out / 'kmers' / 'k31'}: holds 0 k-mers")
    assert faults(out, record, MASTER) == []


def test_tables_in_a_store_are_read_by_way_of_copies_that_go(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parts(out, K, cut(table(), 1000, 1000))
    say(out, kmers_of(table(), K))
    record = prove(out)
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(copies))
    with s3_server(tmp_path / "s3") as s3:
        s3.create_bucket("bucket")
        for name in [*record.files, "run.json"]:
            s3.put("bucket", f"out/{name}", (out / name).read_bytes())
        for name, value in s3.environment().items():
            monkeypatch.setenv(name, value)
        place = open_place("s3://bucket/out")

        assert list(find_table_faults(place, record, set())) == []
        s3.put("bucket", f"out/{part_name(K, 1)}", (out / part_name(K, 2)).read_bytes()[:-1])
        (fault,) = find_table_faults(place, record, set())

    assert fault.startswith(f"s3://bucket/out/{part_name(K, 1)}: no part of a table")
    assert list(copies.iterdir()) == []


@pytest.mark.parametrize("name", ["../k21", "/etc", "kmers/k22", ""])
def test_a_report_that_names_another_table_reads_nothing_outside(name: str, out: Path) -> None:
    write_parts(out, K, [table()])
    say(out, kmers_of(table(), K))
    path = out / MASTER
    before, after = b'"table": "kmers/k21"', f'"table": "{name}"'.encode()
    assert path.read_bytes().count(before) == 1
    path.write_bytes(path.read_bytes().replace(before, after))

    (fault,) = faults(out, prove(out))

    assert "doesn't name the whole table of 21-mers" in fault
