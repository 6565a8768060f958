"""k from 9 to 32: tables beside the report, the same however a run is cut, driven and packed."""

from __future__ import annotations

import bz2
import random
from collections.abc import Callable
from pathlib import Path

import archives
import pytest
from naive_kmers import kmer_files, naive_kmers, table_of
from servers.s3 import s3_server

import fanfold
from fanfold.errors import OutputError, ParameterError
from fanfold.flow import contents
from fanfold.flow.check import find_faults
from fanfold.flow.contents import PROVEN_BYTES, judged_by_size
from fanfold.objects import open_place
from fanfold.report.run_record import FileFacts
from fanfold.report.view import View

DATA = Path(__file__).parent / "data"
LAMBDA = (DATA / "lambda_NC_001416.fa").read_bytes()


def hard_text() -> bytes:
    """Random, repetitive, of one base, of a short period, palindromic, with N, in both cases."""
    chance = random.Random(11)

    def bases(length: int) -> str:
        return "".join(chance.choices("ACGT", k=length))

    unit, half = bases(171), bases(60)
    back = half.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    records = [
        bases(900),
        unit * 9,
        "A" * 400 + bases(30) + "T" * 200,
        "AT" * 150 + "ACG" * 90,
        half + back,
        bases(40) + "N" * 7 + bases(31) + "n" + bases(33) + "R" + bases(9) + "NN" + bases(8),
        bases(300).lower() + bases(50),
        "",
        "ACGTACGTA",
    ]
    lines = [
        f">r{place}\n" + "".join(f"{each[at : at + 61]}\n" for at in range(0, len(each), 61))
        for place, each in enumerate(records)
    ]
    return "".join(lines).encode()


HARD = hard_text()


def written(folder: Path, content: bytes, name: str = "x.fa") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("canonical", [False, True])
@pytest.mark.parametrize("slice_bytes", [None, 97, 1])
def test_every_k_is_counted_as_it_is_defined(
    slice_bytes: int | None, canonical: bool, tmp_path: Path
) -> None:
    content = HARD if slice_bytes != 1 else HARD[-900:]
    text = content if content.startswith(b">") else b">x\n" + content
    path = written(tmp_path, text)
    ks = [*range(9, 33)]

    report = fanfold.run(
        path, ks, canonical=canonical, out=tmp_path / "out", slice_bytes=slice_bytes
    )

    for each in report.master.kmers:
        expected = naive_kmers(text, each.k, canonical=canonical)
        assert table_of(report.out, each.k) == expected, each.k
        assert list(table_of(report.out, each.k)) == list(expected)
        assert (each.total, each.distinct) == (sum(expected.values()), len(expected))
        assert each.max == max(expected.values(), default=0)
        assert each.singletons == sum(count == 1 for count in expected.values())
        by_count = sorted(expected.items(), key=lambda row: (-row[1], row[0]))
        assert each.top == by_count[:10]
        by_count.sort(key=lambda row: (row[1], row[0]))
        assert each.bottom == by_count[:10]
        palindromes = 4 ** (each.k // 2) if each.k % 2 == 0 else 0
        assert each.possible == ((4**each.k + palindromes) // 2 if canonical else 4**each.k)
        histogram = (report.out / "kmers" / f"k{each.k}.hist").read_text().splitlines()
        assert histogram == [f"{times}\t{kmers}" for times, kmers in each.spectrum]
    proofs = [(each.k, each.counted) for each in report.master.proof.kmers]
    assert proofs == [(each.k, each.total) for each in report.master.kmers]


def test_small_and_large_k_are_counted_in_one_run_as_in_runs_of_their_own(tmp_path: Path) -> None:
    path = written(tmp_path, LAMBDA)
    both = fanfold.run(path, [2, 8, 9, 21], out=tmp_path / "both")
    small = fanfold.run(path, [2, 8], out=tmp_path / "small")
    large = fanfold.run(path, [9, 21], out=tmp_path / "large")

    assert both.master.kmers == [*small.master.kmers, *large.master.kmers]
    assert both.master.kmer_counts == small.master.kmer_counts
    assert large.master.kmer_counts == {}
    assert kmer_files(both.out) == kmer_files(large.out)
    assert not (small.out / "kmers").exists()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": archives.gzip_of_small_blocks,
    "bzip2": bz2.compress,
    "BGZF": lambda text: archives.bgzf(text, 3000),
}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The tables of one slice, on one thread."""
    folder = tmp_path_factory.mktemp("expected")
    path = written(folder, LAMBDA + HARD)
    report = fanfold.run(path, [10, 21, 32], canonical=True, out=folder / "out", workers=1)
    return kmer_files(report.out)


@pytest.mark.parametrize("compression", PACKED)
@pytest.mark.parametrize(("slice_bytes", "workers"), [(None, 2), (5000, 3), (777, 1)])
def test_the_tables_are_the_same_bytes_however_a_run_is_cut(
    compression: str,
    slice_bytes: int | None,
    workers: int,
    expected: dict[str, bytes],
    tmp_path: Path,
) -> None:
    path = written(tmp_path, PACKED[compression](LAMBDA + HARD))

    report = fanfold.run(
        path,
        [10, 21, 32],
        canonical=True,
        out=tmp_path / "out",
        slice_bytes=slice_bytes,
        workers=workers,
    )

    assert kmer_files(report.out) == expected
    assert not list((report.out / "chunks").glob("*/kmers"))


def test_standard_input_and_bytes_are_counted(expected: dict[str, bytes], tmp_path: Path) -> None:
    report = fanfold.run(
        LAMBDA + HARD, [10, 21, 32], canonical=True, out=tmp_path / "out", name="x.fa"
    )

    assert kmer_files(report.out) == expected


def test_a_store_gets_the_same_tables(
    expected: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server(tmp_path / "s3") as s3:
        s3.create_bucket("bucket")
        s3.put("bucket", "x.fa", LAMBDA + HARD)
        for name, value in s3.environment().items():
            monkeypatch.setenv(name, value)

        fanfold.run(
            "s3://bucket/x.fa",
            [10, 21, 32],
            canonical=True,
            out="s3://bucket/out",
            slice_bytes=9999,
        )
        again = fanfold.run("s3://bucket/x.fa", [10, 21, 32], canonical=True, out="s3://bucket/out")

        found = {
            key.removeprefix("out/"): s3.get("bucket", key)
            for key in s3.keys("bucket")
            if key.startswith("out/kmers/")
        }
    assert found == expected
    assert again.resumed


def test_many_genomes_are_counted(expected: dict[str, bytes], tmp_path: Path) -> None:
    one = written(tmp_path, LAMBDA + HARD, "one.fa")
    other = written(tmp_path, LAMBDA + HARD, "other.fa")

    outcomes = fanfold.run_many([one, other], [10, 21, 32], canonical=True, out=tmp_path / "out")

    assert [each.error for each in outcomes] == [None, None]
    for name in ("one.fa", "other.fa"):
        assert kmer_files(tmp_path / "out" / name) == expected


# --- what is there, stays or goes -------------------------------------------------------------


def test_a_complete_report_is_answered_and_a_view_keeps_its_tables(tmp_path: Path) -> None:
    path = written(tmp_path, HARD)
    report = fanfold.run(path, [5, 21], out=tmp_path / "out")
    before = kmer_files(report.out)

    again = fanfold.run(path, [5, 21], out=tmp_path / "out")
    viewed = fanfold.run(path, [5, 21], out=tmp_path / "out", view=View(min_gap=5))

    assert again.resumed
    assert viewed.resumed
    assert viewed.master.kmers == report.master.kmers
    assert kmer_files(report.out) == before


@pytest.mark.parametrize("damage", ["gone", "cut", "altered"])
@pytest.mark.parametrize("name", ["k21/part-00000.parquet", "k21.hist"])
def test_a_table_that_is_not_what_was_written_is_told_and_made_again(
    name: str, damage: str, tmp_path: Path
) -> None:
    path = written(tmp_path, HARD)
    report = fanfold.run(path, [21], out=tmp_path / "out")
    before = kmer_files(report.out)
    table = report.out / "kmers" / name
    if damage == "gone":
        table.unlink()
    else:
        data = table.read_bytes()
        altered = data[:-1] if damage == "cut" else bytes([*data[:-1], data[-1] ^ 1])
        table.write_bytes(altered)

    told = [*find_faults(open_place(report.out))]
    again = fanfold.run(path, [21], out=tmp_path / "out")

    assert len(told) == 1
    assert str(table) in told[0]
    assert not again.resumed
    assert kmer_files(report.out) == before


def test_a_large_table_is_judged_by_its_size_and_checked_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, HARD)
    out = fanfold.run(path, [21], out=tmp_path / "out").out
    before = kmer_files(out)
    table = out / "kmers/k21/part-00000.parquet"
    data = table.read_bytes()
    monkeypatch.setattr(contents, "PROVEN_BYTES", len(data))
    table.write_bytes(bytes([*data[:-1], data[-1] ^ 1]))

    assert fanfold.run(path, [21], out=out).resumed
    assert [*find_faults(open_place(out))] == [
        f"{table}: not what was written; run again with --fresh"
    ]
    fanfold.run(path, [21], out=out, fresh=True)
    assert kmer_files(out) == before


def test_the_parts_of_a_table_are_judged_together() -> None:
    half, little = FileFacts(PROVEN_BYTES // 2, "0" * 16), FileFacts(1, "0" * 16)
    parts = {f"kmers/k31/part-0000{index}.parquet": half for index in range(2)}
    other = {"kmers/k21/part-00000.parquet": half, "kmers/k31.hist": little, "gaps.bed": little}
    large = {"sequences.tsv": FileFacts(PROVEN_BYTES, "0" * 16)}

    assert judged_by_size(parts | other | large) == parts.keys() | large.keys()


@pytest.mark.parametrize("ks", [[21], [21, 31]])
def test_a_table_beside_a_damaged_record_is_made_again(ks: list[int], tmp_path: Path) -> None:
    path = written(tmp_path, HARD)
    expected = kmer_files(fanfold.run(path, ks, out=tmp_path / "expected").out)
    out = fanfold.run(path, [21], out=tmp_path / "out").out
    for name in ("run.json", "kmers/k21/part-00000.parquet", "kmers/k21.hist"):
        data = (out / name).read_bytes()
        (out / name).write_bytes(bytes([*data[:-1], data[-1] ^ 1]))

    fanfold.run(path, ks, out=out, fresh=ks != [21])

    assert kmer_files(out) == expected
    assert [*find_faults(open_place(out))] == []


def test_tables_of_other_parameters_go_when_the_new_report_is_there(tmp_path: Path) -> None:
    path = written(tmp_path, HARD)
    fanfold.run(path, [21, 31], out=tmp_path / "out")

    fanfold.run(path, [21, 11], out=tmp_path / "out", fresh=True)
    assert {*kmer_files(tmp_path / "out")} == {
        *("kmers/k11.hist", "kmers/k11/part-00000.parquet"),
        *("kmers/k21.hist", "kmers/k21/part-00000.parquet"),
    }
    fanfold.run(path, [5], out=tmp_path / "out", fresh=True)
    assert not (tmp_path / "out" / "kmers").exists()


@pytest.mark.parametrize(
    "foreign", ["kmers", "kmers/k21", "kmers/k21.hist", "kmers/k21/part-00000.parquet"]
)
def test_what_is_in_the_way_stays_and_is_told_before_work_starts(
    foreign: str, tmp_path: Path
) -> None:
    path = written(tmp_path, HARD)
    mine = tmp_path / "out" / foreign
    written(mine.parent, b"mine", mine.name)

    with pytest.raises(OutputError, match="in the way"):
        fanfold.run(path, [21], out=tmp_path / "out")

    assert mine.read_bytes() == b"mine"
    assert not (tmp_path / "out" / "chunks").exists()


@pytest.mark.parametrize("linked", ["kmers", "kmers/k21"])
def test_a_link_is_not_followed(linked: str, tmp_path: Path) -> None:
    path = written(tmp_path, HARD)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = tmp_path / "out" / linked
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)

    with pytest.raises(OutputError):
        fanfold.run(path, [21], out=tmp_path / "out")

    assert list(elsewhere.iterdir()) == []


# --- what can't be ----------------------------------------------------------------------------


def test_what_counts_small_k_alone_says_so() -> None:
    with pytest.raises(ParameterError, match=r"k = 21: `fanfold.scan` .*up to 8; `fanfold run`"):
        fanfold.scan(HARD, 21)


def test_a_k_beyond_a_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="k = 33 can't be counted: give 1 to 32"):
        fanfold.run(written(tmp_path, HARD), 33, out=tmp_path / "out")


def test_too_little_memory_is_refused_before_work_starts(tmp_path: Path) -> None:
    path = tmp_path / "sparse.fa"
    with path.open("wb") as file:
        file.write(b">x\n")
        file.truncate(2**31)

    with pytest.raises(ParameterError, match=r"sparse.fa: its k-mers .* give --memory \d+MiB"):
        fanfold.run(path, 21, out=tmp_path / "out", memory_bytes=2**28, workers=1)

    assert not (tmp_path / "out" / "master.json").exists()


def test_runs_shorter_than_k_make_an_empty_table(tmp_path: Path) -> None:
    report = fanfold.run(written(tmp_path, b">x\nACGTACGTACNNACGT\n"), [12], out=tmp_path / "out")

    (kmers,) = report.master.kmers
    assert (kmers.total, kmers.distinct, kmers.spectrum, kmers.top) == (0, 0, [], [])
    assert table_of(report.out, 12) == {}
    assert (report.out / "kmers" / "k12.hist").read_bytes() == b""


def test_the_page_shows_each_spectrum(tmp_path: Path) -> None:
    report = fanfold.run(written(tmp_path, LAMBDA), [5, 21], out=tmp_path / "out")

    page = (report.out / "report.html").read_text()

    assert "Spectrum, k = 21" in page
    assert report.master.kmers[1].table == "kmers/k21"
