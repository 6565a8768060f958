"""What is FASTA, but not DNA: it is counted, and said; or refused, where only DNA is asked for."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from engines.driving import command, succeed
from hypothesis import given
from hypothesis import strategies as st
from naive import NaiveReport, analyse
from summaries import assert_as_the_twin_says, folded, scans

import fanfold
from fanfold.errors import InputError, ParameterError

PROTEIN = b">p\nMKVLAAGIVGLLLAQPSFWEYTRDNHC*\n"
RNA = b">r\nACGUUGGCCAAUU\n>s\nuuu\n"
DNA = b">d\nACGTTGGCCAATTN\n"
NOT_DNA = {"protein": PROTEIN, "rna": RNA}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"protein.fa": PROTEIN, "rna.fa": RNA, "dna.fa": DNA}.items():
        (tmp_path / name).write_bytes(text)
    return tmp_path


def kinds_of(text: bytes, folder: Path) -> set[str]:
    path = folder / "x.fa"
    path.write_bytes(text)
    notes = fanfold.run(path, 0, out=folder / "out", fresh=True).master.notes
    return {note.kind for note in notes} & {"protein", "rna", "uracil"}


# --- what is said -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("residues", "kinds"),
    [
        ("", set()),
        ("ACGTN", set()),
        ("ACRY", set()),  # half is not less than half
        ("ACRYM", {"protein"}),
        ("acrym", {"protein"}),
        ("ACRYM--..**", {"protein"}),
        ("ACRY" + "-" * 9 + "." * 9 + "*" * 9, set()),
        ("-.*", set()),
        ("NNUTEE", {"uracil"}),
        ("NNUTEEE", {"uracil"}),
        ("NNUTEEEEE", {"protein", "uracil"}),
        ("TU", {"uracil"}),
        ("TUu", {"rna"}),
        ("ACGU", {"rna"}),
    ],
)
def test_a_note_says_what_is_not_dna(residues: str, kinds: set[str], tmp_path: Path) -> None:
    assert kinds_of(b">x\n%b\n" % residues.encode(), tmp_path) == kinds


def test_all_records_together_are_looked_at(tmp_path: Path) -> None:
    assert kinds_of(PROTEIN + b">d\n" + b"ACGT" * 20 + b"\n", tmp_path) == set()
    assert kinds_of(b">a\nUUUU\n>b\nTTTT\n", tmp_path) == {"uracil"}


texts = st.lists(
    st.text("ACGTUNacgtunRYMKEF-*\n", max_size=30).map(str.encode), min_size=1, max_size=4
).map(lambda records: b"".join(b">x\n%b\n" % each for each in records))


@given(text=texts, cuts=st.lists(st.integers(0, 60), max_size=5))
def test_however_a_text_is_cut_the_twin_counts_and_notes_the_same(
    text: bytes, cuts: list[int]
) -> None:
    borders = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(borders)]
    found = folded(scans(pieces, 3)).findings()

    assert_as_the_twin_says(found, text, [1, 3])


# --- GC %, U and CpG --------------------------------------------------------------------------


def test_gc_of_rna_has_u_below_the_line_everywhere(folder: Path) -> None:
    report = fanfold.run(folder / "rna.fa", 1, out=folder / "out")
    expected: NaiveReport = analyse(RNA, [1])

    assert report.master.gc_percent == 37.5
    assert report.master.total_bases == sum(report.master.kmer_counts.values()) == 9
    assert report.master.cpg.observed_expected is None
    assert (report.out / "sequences.tsv").read_bytes() == expected.sequences_tsv
    header, *rows = (report.out / "sequences.tsv").read_text().splitlines()
    assert header.endswith("\tgc_percent\tstart_byte\tU")
    assert [row.split("\t")[-3:] for row in rows] == [["46.154", "0", "4"], ["0.000", "17", "3"]]
    assert "6 of 16 bases A, C, G, T, U" in (report.out / "report.html").read_text()
    table = json.loads((report.out / "multiqc" / "fanfold_table_mqc.json").read_bytes())
    assert table["data"]["rna"]["gc_percent"] == 37.5
    assert fanfold.stats(folder / "rna.fa").statistics.gc_percent == 37.5


def test_a_slice_tells_gc_as_the_report_does(folder: Path) -> None:
    out = fanfold.run(folder / "rna.fa", 1, out=folder / "out").out
    (chunk,) = (json.loads(each.read_bytes()) for each in out.glob("chunks/*/*.json"))

    assert (chunk["total_bases"], chunk["gc_percent"]) == (9, 37.5)


def test_dna_with_some_u_keeps_its_cpg(tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(b">x\nACGTTU\n")
    master = fanfold.run(path, 1, out=tmp_path / "out").master

    assert master.cpg.observed_expected == 5.0
    assert master.gc_percent == 33.333


# --- on the screen ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NOT_DNA)
def test_a_warning_is_on_the_screen(kind: str, folder: Path) -> None:
    said = f"this looks like {'RNA' if kind == 'rna' else 'protein'}"
    path = folder / f"{kind}.fa"
    succeed("plan", path, "--out", folder / "array")
    succeed("task", folder / "array" / "plan.json", "--index", "0")
    commands: list[list[str | Path]] = [
        ["run", path, "--out", folder / "one"],
        ["run", path, "--out", folder / "one", "--quiet"],
        ["run", path, folder / "dna.fa", "--out", folder / "many"],
        ["fold", folder / "array" / "plan.json"],
        ["stats", path],
        ["stats", path, folder / "dna.fa", "--tsv"],
    ]
    for arguments in commands:
        done = command(*arguments)

        assert done.returncode == 0, done.stderr
        warnings = [line for line in done.stderr.splitlines() if said in line]
        assert len(warnings) == 1, done.stderr
        assert warnings[0].startswith("fanfold: ")
        assert f"{kind}.fa: " in warnings[0]


def test_of_dna_nothing_is_said(folder: Path) -> None:
    done = command("run", folder / "dna.fa", "--out", folder / "out", "--quiet")

    assert (done.returncode, done.stderr) == (0, "")


# --- only DNA ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NOT_DNA)
def test_only_dna_is_taken_where_that_is_asked_for(kind: str, folder: Path) -> None:
    path, out = folder / f"{kind}.fa", folder / "out"
    array = fanfold.plan(path, 1, out=folder / "array")
    fanfold.task(array.plan_url, 0)

    with pytest.raises(InputError, match=f"{kind}.fa: .* refused"):
        fanfold.run(path, 1, out=out, alphabet="dna")
    with pytest.raises(InputError, match="refused"):
        fanfold.fold(array.plan_url, alphabet="dna")
    with pytest.raises(InputError, match="refused"):
        fanfold.stats(path, alphabet="dna")
    (failed,) = fanfold.stats_many([path], alphabet="dna")
    assert isinstance(failed.error, InputError)
    taken, failed_run = fanfold.run_many(
        [folder / "dna.fa", path], 1, out=folder / "many", alphabet="dna"
    )
    assert taken.report is not None
    assert isinstance(failed_run.error, InputError)
    for place in (out, folder / "array", folder / "many" / path.name):
        assert not list(place.glob("*.tsv"))
        assert not (place / "master.json").exists()

    assert fanfold.run(path, 1, out=out).master.notes  # what was counted is taken up


def test_a_report_that_is_there_is_not_given_for_dna(folder: Path) -> None:
    path, out = folder / "rna.fa", folder / "out"
    before = fanfold.run(path, 1, out=out).data

    with pytest.raises(InputError, match="refused"):
        fanfold.run(path, 1, out=out, alphabet="dna", view=fanfold.View(min_length=4))

    assert (out / "master.json").read_bytes() == before


def test_dna_is_taken_as_dna(folder: Path) -> None:
    strict = fanfold.run(folder / "dna.fa", 1, out=folder / "strict", alphabet="dna")
    again = fanfold.run(folder / "dna.fa", 1, out=folder / "strict", alphabet="dna")

    assert strict.data == fanfold.run(folder / "dna.fa", 1, out=folder / "any").data
    assert again.resumed


def test_the_commands_refuse_with_the_input_s_exit_code(folder: Path) -> None:
    verbs: list[list[str | Path]] = [["run", "--out", folder / "out"], ["stats"]]
    for verb in verbs:
        done = command(*verb, "--alphabet", "dna", folder / "protein.fa")

        assert done.returncode == 3
        assert "protein.fa: " in done.stderr
        assert "refused" in done.stderr


@pytest.mark.parametrize("alphabet", ["rna", "", "DNA"])
def test_another_alphabet_is_refused(alphabet: str, folder: Path) -> None:
    with pytest.raises(ParameterError, match="'any' or 'dna'"):
        fanfold.run(folder / "dna.fa", out=folder / "out", alphabet=alphabet)  # type: ignore[arg-type]
    assert not (folder / "out").exists()
