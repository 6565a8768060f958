"""Functions log JSON lines that name what they are about, and metrics as CloudWatch reads them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fanfold.api.problems import problem
from fanfold.aws import log
from fanfold.json_log import log_line, message_of

JOB = "0123456789abcdef" * 2


class Context:
    aws_request_id = "request-7"


@pytest.fixture(autouse=True)
def logger() -> Iterator[logging.Logger]:
    """The log of a function that has begun, and is as it was afterwards."""
    found = logging.getLogger("fanfold")
    before = found.handlers, found.propagate, found.level
    log.begin("chunker", Context())
    yield found
    found.handlers, found.propagate = before[:2]
    found.setLevel(before[2])


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_names_function_request_job_and_attempt(logger: logging.Logger, lines: Any) -> None:
    log.about(JOB, 2)
    logger.info("%d slices", 3)

    (line,) = lines()

    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "message": "3 slices",
        "function": "chunker",
        "request": "request-7",
        "job": JOB,
        "attempt": 2,
    }


def test_a_job_is_named_until_the_next_one_and_no_further_than_its_invocation(
    logger: logging.Logger, lines: Any
) -> None:
    log.about(JOB, 2)
    log.about("f" * 32)
    logger.info("another")
    log.begin("sweep", Context())
    logger.info("none")

    another, none = lines()

    assert (another["job"], another.get("attempt")) == ("f" * 32, None)
    assert (none["function"], none.get("job")) == ("sweep", None)


def test_a_thread_names_its_own_job(logger: logging.Logger, lines: Any) -> None:
    log.about(JOB, 2)

    def say(job: str) -> None:
        log.about(job)
        logger.info("from a thread")

    with ThreadPoolExecutor(1) as pool:
        pool.submit(say, "f" * 32).result()
    logger.info("from the function")

    thread, function = lines()

    assert (thread["job"], thread["function"]) == ("f" * 32, "chunker")
    assert function["job"] == JOB


def test_an_error_is_one_line_without_secrets(logger: logging.Logger, lines: Any) -> None:
    try:
        int("first\nhttps://user:pass@host/x?sig=abc \udcff \x1b[0m")
    except ValueError:
        logger.exception("it failed")

    (line,) = lines()

    assert line["level"] == "ERROR"
    assert line["message"].startswith("it failed: ValueError: ")
    assert "https://host/x" in line["message"]
    assert "pass" not in line["message"]
    assert line["at"].startswith("test_log.py:")


def test_metrics_are_as_cloudwatch_reads_them(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_NAME", "fan")
    log.about(JOB, 1)
    log.count_success(32, 0.0066)
    log.measure_open_jobs(3, 61.25)

    success, open_jobs = lines()

    aws = success.pop("_aws")
    assert isinstance(aws["Timestamp"], int)
    assert aws["CloudWatchMetrics"] == [
        {
            "Namespace": "fanfold",
            "Dimensions": [["deployment"]],
            "Metrics": [
                {"Name": "JobsSucceeded", "Unit": "Count"},
                {"Name": "Slices", "Unit": "Count"},
                {"Name": "Usd", "Unit": "None"},
            ],
        }
    ]
    assert success == {
        "deployment": "fan",
        "job": JOB,
        "attempt": 1,
        "JobsSucceeded": 1,
        "Slices": 32,
        "Usd": 0.0066,
    }
    assert (open_jobs["OpenJobs"], open_jobs["OldestOpenJobSeconds"]) == (3, 61.2)
    assert "job" not in open_jobs
    assert open_jobs["_aws"]["CloudWatchMetrics"][0]["Metrics"][1]["Unit"] == "Seconds"


@pytest.mark.parametrize(
    ("kind", "metric"),
    [
        ("input", "JobsRefused"),
        ("source", "JobsRefused"),
        ("parameter", "JobsRefused"),
        ("too-expensive", "JobsRefused"),
        ("cancelled", "JobsCancelled"),
        ("slices", "JobsFailed"),
        ("function", "JobsFailed"),
        ("proof", "JobsFailed"),
        ("what-is-new", "JobsFailed"),
    ],
)
def test_an_end_without_a_report_is_counted_by_whose_fault_it_is(
    kind: str, metric: str, lines: Any
) -> None:
    log.count_failure(problem(kind, "a title", "a detail"))

    (line,) = lines()

    assert {name for name in line if name.startswith("Jobs")} == {metric}


@pytest.mark.parametrize("line", ["", "{", "plain", "[]", '{"text": "x"}', "\udcff"])
def test_a_line_that_is_no_document_says_what_it_says(line: str) -> None:
    assert message_of(line) == line


def test_a_line_says_its_message() -> None:
    assert message_of(log_line("ERROR", "fanfold: x.fa: bad", {})) == "fanfold: x.fa: bad"
