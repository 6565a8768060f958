"""Words that people type: several k at once, other tools' options, a genome without a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engines.driving import DATA, command, succeed

from fanfold.cli.words import _MEANT

PHIX = DATA / "phiX174.fa"


def ks_of(out: Path) -> list[int]:
    found: list[int] = json.loads((out / "master.json").read_bytes())["parameters"]["k"]
    return found


@pytest.mark.parametrize(
    ("words", "k"),
    [
        (["-k", "5"], [5]),
        (["-k", "5,8"], [5, 8]),
        (["-k5,8"], [5, 8]),
        (["-k", "1-8"], [1, 2, 3, 4, 5, 6, 7, 8]),
        (["-k", "1,3-4", "-k", "8"], [1, 3, 4, 8]),
        (["-k", " 2 , 3 "], [2, 3]),
        (["-k", "8,5,8"], [5, 8]),
        (["-k", "0"], []),
    ],
)
def test_several_k_are_written_as_people_do(words: list[str], k: list[int], tmp_path: Path) -> None:
    succeed("run", PHIX, "--out", tmp_path / "out", *words)

    assert ks_of(tmp_path / "out") == k


@pytest.mark.parametrize(
    ("k", "said"),
    [
        ("8-1", "counts down"),
        ("5;8", "write 5, or 5,8 or 1-8"),
        ("", "write 5, or 5,8 or 1-8"),
        ("5,", "write 5, or 5,8 or 1-8"),
        ("mer", "write 5, or 5,8 or 1-8"),
        ("\u0665", "write 5, or 5,8 or 1-8"),
        ("1-99999999999", "write 5, or 5,8 or 1-8"),
        ("1-33", "k = 33 can't be counted"),
        ("0,5", "k = 0 counts no k-mers: give it alone"),
    ],
)
def test_a_k_that_can_not_be_is_refused(k: str, said: str, tmp_path: Path) -> None:
    done = command("run", PHIX, "--out", tmp_path / "out", f"-k{k}" if k else "-k=", "-q")

    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_short_words_mean_the_long_ones(tmp_path: Path) -> None:
    first = succeed("run", PHIX, "-o", tmp_path / "out", "-t", "1", "-q")
    plan = json.loads((tmp_path / "out" / "plan.json").read_bytes())["id"]
    again = succeed("run", PHIX, "-o", tmp_path / "out", "-j", "2", "--force", "-q")

    assert first.stdout == again.stdout == f"{tmp_path / 'out' / 'master.json'}\n"
    assert json.loads((tmp_path / "out" / "plan.json").read_bytes())["id"] != plan


def test_force_does_not_touch_what_is_not_fanfold_s(tmp_path: Path) -> None:
    (tmp_path / "sequences.tsv").write_text("mine")

    done = command("run", PHIX, "-o", tmp_path, "--force")

    assert done.returncode == 5
    assert (tmp_path / "sequences.tsv").read_text() == "mine"


@pytest.mark.parametrize("genome", [str(PHIX), "-", PHIX.as_uri()])
def test_a_genome_needs_no_command(genome: str, tmp_path: Path) -> None:
    done = succeed(genome, "-k", "3", "-o", tmp_path / "out", stdin=PHIX)

    assert done.stdout == f"{tmp_path / 'out' / 'master.json'}\n"
    assert ks_of(tmp_path / "out") == [3]


def test_a_command_wins_over_a_genome_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(PHIX.read_bytes())

    assert command("run", cwd=tmp_path).returncode == 2
    succeed("./run", "-q", cwd=tmp_path)
    assert (tmp_path / "run.fanfold" / "master.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rnu", "x.fa"], "rnu: no such command; did you mean `fanfold run`?"),
        (["stat", "x.fa"], "stat: no such command; did you mean `fanfold stats`?"),
        (["gone.fa"], "gone.fa: no such file, and no such command; `fanfold help` lists"),
        (["-k", "5", "x.fa"], "No such option: -k; write a command before it: fanfold run -k …"),
        (["run", "--kmer", "5", "x.fa"], "No such option: --kmer; here it is -k"),
        (["run", "--tsv", "x.fa"], "a table on the screen is `fanfold stats`: fanfold stats --tsv"),
        (["run", "--outdir", "o", "x.fa"], "No such option: --outdir; here it is --out"),
        (["stats", "--infile-list", "x.fa"], "No such option: --infile-list; here it is --from"),
        (["run", "--hlep"], "did you mean --help?"),
        (["run", "--cannonical", "x.fa"], "did you mean --canonical?"),
        (["run", "--xyzzy", "x.fa"], "No such option: --xyzzy; `fanfold help run` lists them"),
        (["run", "-k", "5", "8", "x.fa"], "8 is no genome; for several k write -k 5,8"),
        (["stats", "-a", "x.fa"], "No such option: -a; it shows every column: leave -a out"),
        (["stats", "-T", "x.fa"], "No such option: -T; here it is --tsv"),
        (["compare", "--tabular", "x.fa"], "No such option: --tabular; here it is --tsv"),
        (["run", "-T", "4", "x.fa"], "No such option: -T; here it is --threads"),
        (["STATS", "x.fa"], "STATS: no such command; did you mean `fanfold stats`?"),
        (["help", "rnu"], "rnu: no such command; did you mean `fanfold run`?"),
    ],
)
def test_a_near_miss_is_told_what_is_meant(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_bytes(PHIX.read_bytes())

    done = command(*words, cwd=tmp_path)

    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert [each.name for each in tmp_path.iterdir()] == ["x.fa"]


@pytest.mark.parametrize("words", [["x.fa"], ["x.fa", "--label", "wild"], ["x.fa", "y.fa"]])
def test_other_parameters_replace_what_is_in_a_folder_that_nobody_named(
    words: list[str], tmp_path: Path
) -> None:
    for name in ("x.fa", "y.fa"):
        (tmp_path / name).write_bytes(PHIX.read_bytes())
    succeed("run", *words, "-k", "3", cwd=tmp_path)
    folders = {each.name for each in tmp_path.iterdir()}

    done = succeed("run", *words, "-k", "2", cwd=tmp_path)

    assert "replacing the results with -k 3" in done.stderr
    assert {each.name for each in tmp_path.iterdir()} == folders
    (report, *_) = tmp_path.rglob("master.json")
    assert ks_of(report.parent) == [2]
    succeed("run", *words, "-k", "3", "-o", "named", cwd=tmp_path)
    assert command("run", *words, "-k", "2", "-o", "named", cwd=tmp_path).returncode in {5, 9}
    assert command("run", *words, "-o", "", cwd=tmp_path).returncode == 2


def test_a_file_called_8_is_a_genome(tmp_path: Path) -> None:
    (tmp_path / "8").write_bytes(PHIX.read_bytes())

    succeed("run", "-k", "5", "8", "-o", "out", cwd=tmp_path)

    assert ks_of(tmp_path / "out") == [5]


@pytest.mark.parametrize("meant", sorted(set(_MEANT.values())))
def test_what_is_suggested_is_an_option(meant: str) -> None:
    helps = [succeed("help", verb).stdout for verb in ("run", "stats", "submit", "report")]

    assert any(f" {meant}" in each or f"{meant}," in each for each in helps)


def test_help_is_that_of_the_command() -> None:
    assert succeed("help", "run").stdout == succeed("run", "--help").stdout
    assert succeed("help").stdout == succeed("--help").stdout
