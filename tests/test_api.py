"""The API's words: what is taken, what is refused and how that is told."""

from __future__ import annotations

import json

import msgspec
import pytest

from fanfold.api import (
    PHASES,
    ApiError,
    ChunkRequest,
    parse_phase,
    parse_request,
    problem_of,
)
from fanfold.errors import ParameterError


def test_a_request_needs_bucket_and_key_alone() -> None:
    asked = parse_request(b'{"bucket": "b", "key": "input/genome.fa"}')

    assert asked == ChunkRequest("b", "input/genome.fa", (5,), False, 104_857_600, "ranges")


def test_a_request_may_say_everything() -> None:
    body = {"bucket": "b", "key": "k", "k": [5, 8], "canonical": True, "slice_bytes": 7}
    asked = parse_request(json.dumps(body | {"chunks": "files"}).encode())

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
        parse_request(body)

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
