"""A finished report under another view is the report that a fresh run under that view writes."""

from __future__ import annotations

import json
import random
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers.warm import warm_fanfold

import fanfold
from fanfold.checked_json import encode_checked
from fanfold.errors import OutputError, ParameterError, PlanError
from fanfold.flow import contents
from fanfold.flow.look import look_again
from fanfold.objects import LocalPlace
from fanfold.report.run_record import NX, PAGE, RENDERINGS, facts_of

DATA = Path(__file__).parent / "data"
FANFOLD = Path(sysconfig.get_path("scripts")) / "fanfold"
GENOMES = Path(__file__).parents[2] / "shared" / "genomes"

TEXT = (
    b">long a\n" + b"ACGTTGCA" * 40 + b"N" * 9 + b"GGCC" * 30 + b"N" * 12 + b"acgt" * 50 + b"\n"
    b">short\nACNNGT\n>\nNNNN\n>short\nACGTN\n>none\n"
)
VIEW = fanfold.View(min_gap=10, min_length=6, genome_size=700)


def files(out: Path) -> dict[str, bytes]:
    """The files of a report, without what is true of a run alone."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in [*out.iterdir(), *(out / "multiqc").iterdir()]
        if path.is_file() and path.name not in {"plan.json", "run.json"}
    }


def stamps(out: Path) -> dict[str, tuple[int, int]]:
    return {
        path.relative_to(out).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in out.rglob("*")
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x.fa"
    path.write_bytes(TEXT)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_a_run_writes_its_renderings_and_records_them(path: Path, out: Path) -> None:
    fanfold.run(path, out=out)

    record = json.loads((out / "run.json").read_bytes())["record"]
    assert set(record["renderings"]) == set(RENDERINGS)
    assert set(record["files"]) == {
        *("master.json", "sequences.tsv", "gaps.bed", "nx.tsv", "kmers.k5.tsv", "x.fa.fai"),
    } & set(files(out))
    assert set(files(out)) == set(record["files"]) | set(record["renderings"])


def test_a_report_of_another_question_is_never_the_answer(
    path: Path, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another run replaces the report between two looks of this one."""
    first = fanfold.run(path, 2, out=out)
    place = LocalPlace(out)
    record = contents.read_record(place)
    assert record is not None
    fanfold.run(path, 3, out=out, fresh=True)
    (out / PAGE).unlink()

    assert look_again(place, record.question, first.data, fanfold.View()) == first.data

    assert "the report itself is complete" in caplog.text
    with pytest.raises(OutputError, match="another run is at work here"):
        look_again(place, record.question, first.data, VIEW)
    assert not (out / PAGE).exists()


@pytest.mark.parametrize("k", [5, 8])
@pytest.mark.parametrize("canonical", [False, True])
def test_another_look_has_the_bytes_of_a_fresh_run(
    k: int, canonical: bool, path: Path, out: Path, tmp_path: Path
) -> None:
    fresh = fanfold.run(path, k, canonical=canonical, out=tmp_path / "fresh", view=VIEW)
    plain = fanfold.run(path, k, canonical=canonical, out=out)
    before = files(out)
    assert files(fresh.out)["master.json"] != before["master.json"]

    looked = fanfold.render(out, view=VIEW)

    assert files(out) == files(fresh.out)
    assert looked.data == fresh.data
    assert plain.master.parameters.view == fanfold.View()
    assert looked.master.parameters.view == VIEW
    path.unlink()
    fanfold.render(out)
    assert files(out) == before


def test_run_and_fold_of_a_complete_folder_take_their_own_view(
    path: Path, out: Path, tmp_path: Path
) -> None:
    planned = fanfold.plan(path, out=out, slice_bytes=100)
    for each in planned.slices:
        fanfold.task(planned, each.index)
    fresh = {
        view: files(fanfold.run(path, out=tmp_path / name, view=view).out)
        for name, view in (("plain", fanfold.View()), ("view", VIEW))
    }

    fanfold.fold(planned)
    assert files(out) == fresh[fanfold.View()]
    assert fanfold.fold(planned, view=VIEW).resumed
    assert files(out) == fresh[VIEW]
    assert fanfold.run(path, out=out).resumed
    assert files(out) == fresh[fanfold.View()]
    assert fanfold.run(path, out=out, view=VIEW).resumed
    assert files(out) == fresh[VIEW]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"a", b"b", b"", b"\xff<i>"]),
            st.text("ACGTNacgnR*", max_size=60),
        ),
        min_size=1,
        max_size=8,
    ),
    st.builds(
        fanfold.View,
        min_gap=st.integers(1, 5),
        min_length=st.integers(0, 20),
        genome_size=st.none() | st.integers(1, 200),
    ),
)
def test_a_look_at_any_genome_has_the_bytes_of_a_fresh_run(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[tuple[bytes, str]],
    view: fanfold.View,
) -> None:
    folder = tmp_path_factory.mktemp("look")
    path = folder / "x.fa"
    path.write_bytes(b"".join(b">%s\n%s\n" % (name, text.encode()) for name, text in records))

    fanfold.run(path, [2, 3], out=folder / "looked")
    fanfold.render(folder / "looked", view=view)

    fresh = fanfold.run(path, [2, 3], out=folder / "fresh", view=view)
    assert files(folder / "looked") == files(fresh.out)


def test_a_complete_report_under_the_same_view_is_not_touched(path: Path, out: Path) -> None:
    fanfold.run(path, out=out, view=VIEW)
    before = stamps(out)

    fanfold.run(path, out=out, view=VIEW)

    assert stamps(out) == before


@pytest.mark.parametrize("name", RENDERINGS)
@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_a_rendering_that_is_lost_is_made_again_and_nothing_else(
    name: str, harm: str, path: Path, out: Path
) -> None:
    fanfold.run(path, out=out, view=VIEW)
    expected, before = files(out), stamps(out)
    if harm == "gone":
        (out / name).unlink()
    else:
        (out / name).write_bytes(b"changed")

    assert fanfold.run(path, out=out, view=VIEW).resumed

    assert files(out) == expected
    report = set(expected) - {name}
    assert {each: stamps(out)[each] for each in report} == {each: before[each] for each in report}


def test_a_rendering_that_can_not_be_written_spoils_no_report(
    path: Path, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = fanfold.run(path, out=out)
    (out / PAGE).unlink()
    (out / PAGE).mkdir()

    again = fanfold.run(path, out=out)

    assert again.data == first.data
    assert "the report itself is complete" in caplog.text
    with pytest.raises(OutputError, match=r"report\.html"):
        fanfold.render(out)


@pytest.mark.parametrize("name", [PAGE, NX, "multiqc", RENDERINGS[1]])
def test_files_of_others_are_refused_before_anything_is_written(
    name: str, path: Path, out: Path
) -> None:
    mine = out / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")

    with pytest.raises(OutputError, match=name):
        fanfold.run(path, out=out)

    assert mine.read_text() == "mine"
    assert not (out / "plan.json").exists()


def test_files_of_others_beside_the_renderings_stay(path: Path, out: Path) -> None:
    (out / "multiqc").mkdir(parents=True)
    (out / "multiqc" / "notes.txt").write_text("mine")

    fanfold.run(path, out=out)
    path.write_bytes(TEXT + b"ACGT\n")
    fanfold.run(path, out=out)

    assert (out / "multiqc" / "notes.txt").read_text() == "mine"


def test_there_is_nothing_to_look_at_without_a_report(path: Path, out: Path) -> None:
    with pytest.raises(PlanError, match="no report is here"):
        fanfold.render(out)
    fanfold.run(path, out=out)
    (out / "gaps.bed").unlink()
    with pytest.raises(PlanError, match="not complete"):
        fanfold.render(out)
    with pytest.raises(PlanError, match="not complete"):
        fanfold.plot(out, "nx")


def test_a_record_of_an_older_form_and_many_reports_are_told_from_none(
    path: Path, out: Path, tmp_path: Path
) -> None:
    fanfold.run(path, out=out)
    run = json.loads((out / "run.json").read_bytes())
    del run["checksum"], run["record"]["renderings"]
    (out / "run.json").write_bytes(encode_checked(run))
    with pytest.raises(PlanError, match="another version of fanfold; run it again"):
        fanfold.render(out)

    fanfold.run_many([path], out=tmp_path / "many")
    with pytest.raises(PlanError, match="of many genomes are here; give the folder of one"):
        fanfold.plot(tmp_path / "many", "nx")


@pytest.mark.parametrize("moved", range(5))
def test_a_report_that_waits_to_be_moved_is_moved_without_the_input(
    moved: int, path: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fanfold.run(path, out=tmp_path / "expected", view=VIEW)
    fanfold.run(path, out=out)
    path.unlink()
    move = LocalPlace.move
    left = [moved]

    def stopping(place: LocalPlace, name: str, to: str) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        move(place, name, to)

    with monkeypatch.context() as patched:
        patched.setattr(LocalPlace, "move", stopping)
        with pytest.raises(KeyboardInterrupt):
            fanfold.render(out, view=VIEW)
    assert not (out / "master.json").exists()

    fanfold.render(out, view=VIEW)

    assert files(out) == files(tmp_path / "expected")


def spoil(out: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change `master.json`, and compute the checksums again."""
    document = json.loads((out / "master.json").read_bytes())
    change(document)
    text = json.dumps(document).replace('"deep"', "[" * 5000 + "]" * 5000)
    (out / "master.json").write_text(text)
    run = json.loads((out / "run.json").read_bytes())
    del run["checksum"]
    facts = facts_of((out / "master.json").read_bytes())
    run["record"]["files"]["master.json"] = msgspec.to_builtins(facts)
    (out / "run.json").write_bytes(encode_checked(run))


@pytest.mark.parametrize(
    "change",
    [
        lambda master: master["sequences"].update(fai=5),
        lambda master: master["parameters"].update(k=[30]),
        lambda master: master["parameters"]["view"].update(min_length=-1),
        lambda master: master.update(gc_percent=1e308),
        lambda master: master.update(total_bases=2**70),
        lambda master: master["kmers"][0].update(spectrum=[[0, 1]]),
        lambda master: master["kmers"][0]["top"].pop(),
        lambda master: master["kmer_counts"].update(AA=2**70),
        lambda master: master["kmer_counts"].update(AX=1),
        lambda master: master.update(kmers=[]),
    ],
)
def test_a_report_that_nobody_could_have_written_is_refused_in_words(
    change: Callable[[dict[str, Any]], object], path: Path, out: Path
) -> None:
    fanfold.run(path, k=2, out=out)
    spoil(out, change)

    with pytest.raises(PlanError, match="not what fanfold wrote"):
        fanfold.render(out)
    with pytest.raises(PlanError, match="not what fanfold wrote"):
        fanfold.plot(out, "spectrum")
    with pytest.raises(PlanError, match="not what fanfold wrote"):
        fanfold.run(path, k=2, out=out, view=VIEW)
    fanfold.run(path, k=2, out=out, fresh=True)
    fanfold.render(out)


@pytest.mark.parametrize(
    "change",
    [
        lambda master: master.update(more="deep"),
        lambda master: master["composition"].update(N=10**4000),
        lambda master: master.update(gc_count=-1),
    ],
)
def test_a_report_that_nobody_could_have_written_is_not_in_the_index(
    change: Callable[[dict[str, Any]], object], path: Path, out: Path
) -> None:
    fanfold.run_many([path], k=2, out=out)
    spoil(out / "x.fa", change)
    other = path.with_name("y.fa")
    other.write_bytes(TEXT)

    fanfold.run_many([other], k=2, out=out)

    assert b">y.fa<" in (out / "index.html").read_bytes()
    assert b"x.fa" not in (out / "summary.tsv").read_bytes()


def test_a_report_of_another_version_is_refused(path: Path, out: Path) -> None:
    fanfold.run(path, out=out)
    run = out / "run.json"
    document = json.loads(run.read_bytes())
    document["record"]["question"]["version"] = "0.0.1"
    del document["checksum"]
    run.write_bytes(encode_checked(document))

    with pytest.raises(PlanError, match=r"made by fanfold 0\.0\.1"):
        fanfold.render(out)


@pytest.mark.parametrize("name", ["sequences.tsv", "gaps.bed"])
def test_tables_that_are_judged_by_their_size_are_damaged_in_words(
    name: str, path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fanfold.run(path, out=out)
    before = (out / "master.json").read_bytes()
    data = (out / name).read_bytes()
    (out / name).write_bytes(data.replace(b"1", b"2"))
    monkeypatch.setattr(contents, "PROVEN_BYTES", 0)

    with pytest.raises(PlanError, match="damaged"):
        fanfold.render(out, view=VIEW)

    assert (out / "master.json").read_bytes() == before


@pytest.mark.parametrize(
    "view", [fanfold.View(min_gap=0), fanfold.View(min_length=-1), fanfold.View(genome_size=0)]
)
def test_a_view_that_can_not_be_is_refused(view: fanfold.View, path: Path, out: Path) -> None:
    with pytest.raises(ParameterError, match="or more"):
        fanfold.run(path, out=out, view=view)
    assert not out.exists()


def test_a_view_changes_lengths_and_gaps_alone(path: Path, out: Path, tmp_path: Path) -> None:
    plain = fanfold.run(path, out=out).master
    viewed = fanfold.run(path, out=tmp_path / "view", view=VIEW).master

    assert viewed.composition == plain.composition
    assert viewed.kmers == plain.kmers
    assert viewed.notes == plain.notes
    assert viewed.sequences.all == plain.sequences.all
    assert (plain.sequences.count, viewed.sequences.count) == (5, 2)
    assert viewed.sequences.length == plain.sequences.length - 4 - 5
    assert (plain.gaps.count, viewed.gaps.count) == (5, 1)
    assert viewed.gaps.all == plain.gaps.all
    # The run of 9 N stays in its contig, and so do the 2 of the short record.
    assert viewed.sequences.contigs.length == viewed.sequences.length - 12
    assert [each.min_gap for each in viewed.gaps.thresholds] == [1, 10]
    assert plain.sequences.NG50 is None
    assert viewed.sequences.NG50 == 661
    assert viewed.sequences.auNG == 624.224  # (661² + 6²) / 700
    assert (out / "sequences.tsv").read_bytes() == (
        tmp_path / "view" / "sequences.tsv"
    ).read_bytes()


def test_nx_tsv_has_a_row_a_per_cent(path: Path, out: Path) -> None:
    fanfold.run(path, out=out, view=VIEW)

    rows = [line.split("\t") for line in (out / NX).read_text().splitlines()]

    assert rows[0][:5] == ["x", "sequences_N", "sequences_L", "sequences_NG", "sequences_LG"]
    assert [row[0] for row in rows[1:]] == [str(each) for each in range(1, 101)]
    master = json.loads((out / "master.json").read_bytes())["sequences"]
    assert rows[50][1:5] == [str(master[name]) for name in ("N50", "L50", "NG50", "LG50")]
    assert rows[50][5:] == [str(master["contigs"][name]) for name in ("N50", "L50", "NG50", "LG50")]
    assert rows[100][3:5] == ["", ""]  # 667 residues never reach 700


def test_real_genomes_look_as_fresh(tmp_path: Path) -> None:
    names = ["S_aureus_draft767.fa", "P_knowlesi_draft.fa.gz", "hg18_trimmed_softmasked.fasta.gz"]
    if not GENOMES.exists():
        pytest.skip("NOT COMPARED: the genomes are not beside this checkout, in ../shared/genomes")
    for name in names:
        view = fanfold.View(random.Random(name).randint(2, 40), 1000, 10**7)
        fanfold.run(GENOMES / name, out=tmp_path / "looked" / name)
        fanfold.render(tmp_path / "looked" / name, view=view)
        fresh = fanfold.run(GENOMES / name, out=tmp_path / "fresh" / name, view=view)
        assert files(tmp_path / "looked" / name) == files(fresh.out)


def test_the_commands_do_as_the_functions(path: Path, out: Path, tmp_path: Path) -> None:
    def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return warm_fanfold().run([str(FANFOLD), *map(str, words)])

    view = ("--min-gap", "10", "--min-length", "6", "--genome-size", "700")
    expected = files(fanfold.run(path, out=tmp_path / "expected", view=VIEW).out)

    assert command("run", path, "--out", out, *view).returncode == 0
    assert files(out) == expected
    assert command("report", out).returncode == 0
    assert files(out) != expected
    done = command("report", out, *view)
    assert done.stdout == f"{out}/master.json\n"
    assert str(out / PAGE) in done.stderr
    assert files(out) == expected

    svg = tmp_path / "x.svg"
    assert command("plot", out, "nx", "-o", svg).stdout == f"{svg}\n"
    assert svg.read_bytes() == fanfold.plot(out, "nx")
    assert command("plot", out, "nx", "-o", "-").stdout == svg.read_text()
    assert command("plot", out, "snail", "-o", svg).returncode == 0
    before = path.read_bytes()
    refused = command("plot", out, "snail", "-o", path)
    assert (refused.returncode, path.read_bytes()) == (5, before)
    assert "no SVG" in refused.stderr
    assert command("plot", out, "spectrum", "-k", "7", "-o", svg).returncode == 2
    missing = command("plot", out)
    assert missing.returncode == 2
    assert "Choose from snail, nx, cumulative, gc, gaps, spectrum, cgr" in missing.stderr
    assert command("report", out, "--min-gap", "0").returncode == 2
    assert command("report", tmp_path / "nowhere").returncode == 6
    assert not (tmp_path / "nowhere").exists()
    assert command("report", out, "--busco", path).returncode == 2
    assert command("report", out, "--busco", tmp_path / "no").returncode == 4
    assert files(out) == expected


def test_all_reports_of_a_collection_are_made_again(tmp_path: Path) -> None:
    genomes = [tmp_path / name for name in ("a.fa", "b.fa", "c.fa")]
    for place, genome in enumerate(genomes):
        genome.write_bytes(TEXT + b"ACGT" * place + b"\n")
    expected = tmp_path / "expected"
    fanfold.run_many(genomes, out=expected, view=VIEW)
    out = tmp_path / "out"
    fanfold.run_many(genomes, out=out)
    assert (out / "index.html").read_bytes() != (expected / "index.html").read_bytes()

    def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return warm_fanfold().run([str(FANFOLD), *map(str, words)])

    view = ("--min-gap", "10", "--min-length", "6", "--genome-size", "700")
    done = command("report", out, *view)

    assert (done.returncode, done.stdout) == (0, f"{out}/summary.tsv\n"), done.stderr
    assert "3 of 3" in done.stderr
    for genome in genomes:
        assert files(out / genome.name) == files(expected / genome.name)
    assert (out / "index.html").read_bytes() == (expected / "index.html").read_bytes()

    (out / "b.fa" / "gaps.bed").unlink()
    done = command("report", out)
    assert done.returncode == 9
    assert "b.fa: its report is not complete" in done.stderr
    assert "\tfailed\t" in (out / "summary.tsv").read_text()
    assert command("report", out, "--json").returncode == 6


def test_nx_tsv_is_what_the_definition_says(tmp_path: Path) -> None:
    lengths = list(range(1, 400))
    path = tmp_path / "x.fa"
    path.write_bytes(b"".join(b">%d\n%b\n" % (n, b"A" * n) for n in lengths))

    out = fanfold.run(path, 0, out=tmp_path / "out").out

    rows = [line.split("\t") for line in (out / NX).read_text().splitlines()[1:]]
    total, ordered = sum(lengths), sorted(lengths, reverse=True)
    for per_cent in range(1, 101):
        counts = range(1, len(ordered) + 1)
        least = next(n for n in counts if 100 * sum(ordered[:n]) >= per_cent * total)
        assert rows[per_cent - 1][1:3] == [str(ordered[least - 1]), str(least)]
