"""The command line says on stderr what it says, as JSON documents where that is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import fanfold

FANFOLD = Path(sysconfig.get_path("scripts")) / "fanfold"
JOB = "0123456789abcdef" * 2


@pytest.fixture
def plan(tmp_path: Path) -> str:
    """A plan of two slices, where a job's is."""
    path = tmp_path / "genome.fa"
    path.write_bytes(b">chr1\n" + b"ACGT" * 100)
    return fanfold.plan(path, out=tmp_path / "results" / JOB, slice_bytes=300).plan_url


def said(*arguments: str | Path, code: int = 0, **variables: str) -> list[dict[str, Any]]:
    """The lines that a command writes to stderr."""
    done = subprocess.run(
        [FANFOLD, *arguments],
        env={**os.environ, "FANFOLD_LOG": "json", **variables},
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_task_of_an_array_names_job_attempt_and_index(plan: str) -> None:
    (line,) = said("task", plan, AWS_BATCH_JOB_ATTEMPT="2", AWS_BATCH_JOB_ARRAY_INDEX="1")

    assert line.pop("time").endswith("Z")
    assert line.pop("message").startswith("slice 1: ")
    assert line == {"level": "INFO", "job": JOB, "attempt": 2, "index": 1}


def test_an_error_says_how_bad_it_is(plan: str) -> None:
    (line,) = said("fold", plan, code=6)

    assert line["level"] == "ERROR"
    assert line["message"].startswith("fanfold: ")
    assert (line["job"], "index" in line) == (JOB, False)


def test_wrong_usage_is_a_document_a_line() -> None:
    lines = said("task", code=2)

    assert {line["level"] for line in lines} == {"ERROR"}
    assert "Missing argument" in lines[-1]["message"]


def test_a_name_that_is_not_utf8_is_a_document_all_the_same(tmp_path: Path) -> None:
    (line,) = said(
        "task", os.fsdecode(bytes(tmp_path) + b"/\xff/plan.json"), "--index", "0", code=6
    )

    assert r"\xff" in line["message"]
    assert line["job"] == r"\xff"


def test_no_secret_is_in_it() -> None:
    lines = said("task", "https://user:password@host/plan.json?sig=abc", "--index", "0", code=6)

    assert "password" not in json.dumps(lines)
