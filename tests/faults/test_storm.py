"""A storm: 200 runs at once of 3 genomes and 3 k into 4 folders, half with fresh, killed at random.

Whoever ends with 0 has its own answer, whatever the others did; and when all is over, the next run
ends in a whole report in each folder.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from servers.s3 import s3_server

import fanfold
from fanfold.flow.check import find_faults
from fanfold.flow.contents import read_record
from fanfold.objects import open_place

from .storm import LENGTHS_K, RUNS

PROGRAM = Path(__file__).with_name("storm.py")
REFUSED = {5, 6}
"""Another run is at work, holds the folder, or has replaced the plan under way."""


class Answer(NamedTuple):
    """What `master.json` says of a genome and a k."""

    genome: str
    k: int


@pytest.fixture(scope="module")
def genomes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("genomes")
    chance = random.Random(8)
    made = []
    for name in ("a.fa", "b.fa", "c.fa"):
        lines = [
            b">%d\n%b\n" % (index, bytes(chance.choices(b"ACGTN", k=chance.randrange(2000))))
            for index in range(8)
        ]
        (folder / name).write_bytes(b"".join(lines))
        made.append(folder / name)
    return made


@pytest.fixture(scope="module")
def expected(genomes: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[Answer, bytes]:
    """What each undisturbed run answers."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return {
        Answer(str(path), k): fanfold.run(path, k, out=folder / f"{path.name}.{k}").data
        for path in genomes
        for k in LENGTHS_K
    }


def weather(
    world: str,
    genomes: list[Path],
    outs: list[str],
    expected: Mapping[Answer, bytes],
    answers: Path,
) -> Counter[int]:
    """Run the storm, check every answer, and say how often runs ended with which code."""
    answers.mkdir()
    words: list[str | Path] = [
        sys.executable,
        PROGRAM,
        world,
        "7",
        answers,
        ",".join(map(str, genomes)),
        *outs,
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == RUNS
    assert "Traceback" not in done.stderr, done.stderr
    for each in told:
        if each["code"] == 0:
            answer = Path(each["answer"]).read_bytes()
            assert answer == expected[Answer(each["genome"], each["k"])]
    return Counter(each["code"] for each in told)


def assert_mended(outs: list[str], expected: Mapping[Answer, bytes]) -> None:
    """A folder that `check` finds right is right, and the next run makes every folder so."""
    chance = random.Random(9)
    for out in outs:
        place = open_place(out)
        record = read_record(place)
        if record is not None and not list(find_faults(place)):
            asked = Answer(record.question.location, record.question.parameters.k[0])
            assert place.read("master.json") == expected[asked]
        asked = chance.choice(sorted(expected))
        report = fanfold.run(asked.genome, asked.k, out=out, fresh=True)
        assert report.data == place.read("master.json") == expected[asked]
        assert list(find_faults(place)) == []


@pytest.mark.parametrize("world", ["locks", "no locks"])
def test_a_storm_on_a_disk(
    world: str, genomes: list[Path], expected: dict[Answer, bytes], tmp_path: Path
) -> None:
    outs = [str(tmp_path / str(index)) for index in range(4)]

    codes = weather(world, genomes, outs, expected, tmp_path / "answers")

    assert codes[0] >= 10
    assert codes[-9] >= 10
    assert codes.keys() <= {0, -9} | REFUSED, codes
    assert_mended(outs, expected)


def test_a_storm_in_a_store(
    genomes: list[Path],
    expected: dict[Answer, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with s3_server(tmp_path / "s3") as server:
        server.create_bucket("bucket")
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        outs = [f"s3://bucket/{index}" for index in range(4)]

        codes = weather("s3", genomes, outs, expected, tmp_path / "answers")

        assert codes[0] >= 5
        assert codes.keys() <= {0, -9} | REFUSED, codes
        assert_mended(outs, expected)
