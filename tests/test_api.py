"""The API's words: what is taken, what is refused and how that is told."""

from __future__ import annotations

import json

import msgspec
import pytest

from fanfold.api.problems import ApiError, problem_of
from fanfold.api.routes import HttpRequest, PageOfJobs, parse_jobs, parse_submit
from fanfold.api.types import PHASES, ChunkRequest, parse_phase
from fanfold.errors import ParameterError


def posted(body: bytes) -> HttpRequest:
    return HttpRequest(method="POST", route="/chunk", path={}, query={}, body=body)


def listing(limit: str) -> HttpRequest:
    return HttpRequest(method="GET", route="/jobs", path={}, query={"limit": limit})


def test_a_request_needs_bucket_and_key_alone() -> None:
    asked = parse_submit(posted(b'{"bucket": "b", "key": "input/genome.fa"}'))

    assert asked == ChunkRequest("b", "input/genome.fa", (5,), False, 104_857_600, "ranges")


def test_a_request_may_say_everything() -> None:
    body = {"bucket": "b", "key": "k", "k": [5, 8], "canonical": True, "slice_bytes": 7}
    asked = parse_submit(posted(json.dumps(body | {"chunks": "files"}).encode()))

    assert asked == ChunkRequest("b", "k", (5, 8), True, 7, "files")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"\xff", "JSON"),
        (b"[]", "object"),
        (b'{"bucket": "b"}', "key"),
        (b'{"key": "k"}', "bucket"),
        (b'{"bucket": 1, "key": "k"}', "$.bucket"),
        (b'{"bucket": "b", "key": "k", "k": 5}', "$.k"),
        (b'{"bucket": "b", "key": "k", "k": [true]}', "$.k"),
        (b'{"bucket": "b", "key": "k", "canonical": "yes"}', "$.canonical"),
        (b'{"bucket": "b", "key": "k", "slice_bytes": 1.5}', "$.slice_bytes"),
        (b'{"bucket": "b", "key": "k", "chunks": "both"}', "$.chunks"),
        (b'{"bucket": "b", "key": "k", "region": "x"}', "region"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(body: bytes, word: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_submit(posted(body))

    assert refused.value.problem.status == 400
    assert word in refused.value.problem.detail


def test_phases_are_found_by_their_names() -> None:
    assert [parse_phase(name) for name in ("inflate", "task", "fold")] == list(PHASES)
    assert [parse_phase(name) for name in ("", "TASK", "task ", "tas")] == [None] * 4


def test_a_problem_is_a_document_of_rfc_9457() -> None:
    told = json.loads(msgspec.json.encode(problem_of(ParameterError("no such k"))))

    assert told == {
        "type": "urn:fanfold:problem:parameter",
        "title": "A parameter that can't be",
        "detail": "no such k",
    }


@pytest.mark.parametrize("text", ["101", "0" * 18 + "999999", "0" * 5000 + "101", "9" * 5000])
def test_a_number_beyond_its_limit_is_refused_however_it_is_written(text: str) -> None:
    with pytest.raises(ApiError, match="limit: give a number, 0 to 100"):
        parse_jobs(listing(text))


@pytest.mark.parametrize(
    ("text", "number"), [("0", 20), ("7", 7), ("100", 100), ("0" * 5000 + "100", 100)]
)
def test_a_number_within_its_limit_is_taken(text: str, number: int) -> None:
    assert parse_jobs(listing(text)) == PageOfJobs(number, "")


@pytest.mark.parametrize("text", ["", "-1", "1e2", "²", "٣", "1_0", " 1"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="give a number"):
        parse_jobs(listing(text))
