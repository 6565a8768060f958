"""`run` and `stats` of lists, folders and labels: what each input is called, and where it goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import fanfold
from engines.driving import DATA, command, succeed

PHIX = (DATA / "phiX174.fa").read_bytes()
MT = (DATA / "human_MT.fa").read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The current folder of a user, with two genomes of one name."""
    for name, text in {"a/x.fa": PHIX, "b/x.fa": MT, "b/y.fa": PHIX}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text)
    return tmp_path


def first_column(table: str) -> list[str]:
    header, *rows = (line.split("\t")[0] for line in table.splitlines())
    assert header == "file"
    return rows


def summary(out: Path) -> list[str]:
    return first_column((out / "summary.tsv").read_text())


def test_a_list_names_genomes_and_labels_them(folder: Path, tmp_path: Path) -> None:
    (folder / "b" / "list.tsv").write_text("# mine\na/x.fa\twild\nb/y.fa\n")

    done = succeed("run", "--from", "b/list.tsv", "b/x.fa", cwd=folder)
    stats = succeed("stats", "--from", "b/list.tsv", "b/x.fa", "--tsv", cwd=folder)

    assert done.stdout == "fanfold-results/summary.tsv\n"
    assert summary(tmp_path / "fanfold-results") == ["x.fa", "wild", "y.fa"]
    master = json.loads((tmp_path / "fanfold-results" / "wild" / "master.json").read_bytes())
    assert master["source"]["name"] == "x.fa"
    assert "wild/report.html" in (tmp_path / "fanfold-results" / "index.html").read_text()
    assert first_column(stats.stdout) == ["b/x.fa", "wild", "b/y.fa"]


def test_a_list_of_one_is_a_list(folder: Path) -> None:
    (folder / "list.tsv").write_text("a/x.fa\n")

    done = succeed("run", "--from", "list.tsv", "--out", "out", cwd=folder)

    assert done.stdout == "out/summary.tsv\n"
    assert summary(folder / "out") == ["x.fa"]


def test_a_folder_is_the_fasta_files_in_it(folder: Path) -> None:
    done = succeed("b", "--out", "out", cwd=folder)
    again = succeed("run", "b/x.fa", "b/y.fa", "--out", "out", cwd=folder)
    stats = succeed("stats", "--json", "b", cwd=folder)

    assert done.stdout == again.stdout == "out/summary.tsv\n"
    assert summary(folder / "out") == ["x.fa", "y.fa"]
    assert [each["file"] for each in json.loads(stats.stdout)] == ["b/x.fa", "b/y.fa"]


def test_inputs_of_one_name_are_told_apart_and_taken_up(folder: Path) -> None:
    first = fanfold.run_many([folder / "a", folder / "b"], 3, out=folder / "out")
    second = fanfold.run_many([folder / "b", folder / "a"], 3, out=folder / "out")

    assert [each.name for each in first] == ["a_x.fa", "b_x.fa", "y.fa"]
    assert [each.location for each in first] == [
        str(folder / name) for name in ("a/x.fa", "b/x.fa", "b/y.fa")
    ]
    assert [each.name for each in second] == ["b_x.fa", "y.fa", "a_x.fa"]
    assert [each.report.resumed for each in second if each.report] == [True] * 3
    assert summary(folder / "out") == ["a_x.fa", "b_x.fa", "y.fa"]
    masters = [(folder / "out" / name / "master.json") for name in ("a_x.fa", "b_x.fa")]
    assert [json.loads(each.read_bytes())["total_bases"] for each in masters] == [5386, 16569]


def test_labels_from_python_are_names(folder: Path) -> None:
    paths = [folder / "a" / "x.fa", folder / "b" / "x.fa"]

    outcomes = fanfold.run_many(paths, 3, out=folder / "out", labels=["one", None])
    rows = list(fanfold.stats_many([*paths, folder / "b"], labels=["one", None, None]))

    assert [each.name for each in outcomes] == ["one", "x.fa"]
    assert [each.label for each in rows] == ["one", None, None, None]
    assert [Path(each.location).name for each in rows] == ["x.fa", "x.fa", "x.fa", "y.fa"]
    assert all(each.error is None for each in rows)


def test_a_label_names_the_results_of_one_genome(folder: Path) -> None:
    done = succeed("run", "a/x.fa", "--label", "wild type", cwd=folder)
    stats = succeed("stats", "a/x.fa", "--label", "wild type", "--tsv", cwd=folder)
    placed = succeed("run", "a/x.fa", "--label", "wild", "-o", "out", "--json", cwd=folder)

    assert done.stdout == "wild type.fanfold/master.json\n"
    assert (folder / "wild type.fanfold" / "x.fa.fai").exists()
    assert first_column(stats.stdout) == ["wild type"]
    assert json.loads(placed.stdout)["source"]["name"] == "x.fa"
    assert (folder / "out" / "x.fa.fai").exists()


def test_a_label_names_standard_input(folder: Path) -> None:
    succeed("run", "-", "--label", "mine", cwd=folder, stdin=folder / "a" / "x.fa")
    (folder / "list.tsv").write_text("-\tpiped\na/x.fa\n")
    succeed("run", "--from", "list.tsv", "-o", "out", cwd=folder, stdin=folder / "b" / "x.fa")

    for out, name in ((folder / "mine.fanfold", "mine"), (folder / "out" / "piped", "piped")):
        assert json.loads((out / "master.json").read_bytes())["source"]["name"] == name
    assert summary(folder / "out") == ["piped", "x.fa"]


@pytest.mark.parametrize("verb", ["run", "stats"])
@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        ([], 2, "Missing argument 'GENOME...'"),
        (["--from", "-"], 2, "--from /dev/stdin"),
        (["--from", "missing"], 4, "missing: the list can't be read: No such file"),
        (["--from", "a/x.fa"], 2, "a/x.fa: line 1: this is FASTA"),
        (["--from", "bad"], 2, "bad: line 2: '../x' is no label"),
        (["--label", "../x", "a/x.fa"], 2, "'../x' is no label"),
        (["--label", "x", "a/x.fa", "b/x.fa"], 2, "--label is for one genome"),
        (["--label", "x", "a"], 2, "a: stands for several genomes"),
        (["empty"], 4, "empty: no FASTA object is directly in it (.fa, .fasta"),
        (["results"], 4, "results: the results of an earlier run"),
        (["https://host/folder/"], 2, "a web server can't be asked"),
    ],
)
def test_what_can_not_be_is_told_before_anything_is_done(
    verb: str, arguments: list[str], exit_code: int, said: str, folder: Path
) -> None:
    (folder / "empty").mkdir()
    (folder / "results").mkdir()
    (folder / "results" / "run.json").touch()
    (folder / "bad").write_text("a/x.fa\nb/x.fa\t../x\n")
    before = sorted(folder.rglob("*"))

    done = command(verb, *arguments, cwd=folder)

    assert done.returncode == exit_code, done.stderr
    assert said in done.stderr
    assert done.stdout == ""
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("option", [["--json"], ["--name", "x"]])
def test_a_folder_is_many_genomes_even_with_one_in_it(option: list[str], folder: Path) -> None:
    done = command("run", "a", *option, cwd=folder)

    assert done.returncode == 2
    assert "are for one genome" in done.stderr


def test_results_of_many_are_no_genomes(folder: Path) -> None:
    succeed("run", "a/x.fa", "b/y.fa", "-q", cwd=folder)

    done = command("stats", "fanfold-results", cwd=folder)
    one = command("run", "fanfold-results/y.fa", cwd=folder)

    assert (done.returncode, one.returncode) == (4, 4)
    assert "fanfold-results: the results of many genomes" in done.stderr
    assert "fanfold-results/y.fa: the results of an earlier run" in one.stderr
