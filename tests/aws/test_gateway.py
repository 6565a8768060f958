"""What the functions of the API answer when something fails."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from fanfold.api import ApiError
from fanfold.aws import gateway
from fanfold.errors import OutputError, PlanError

EVENT = {"requestContext": {"requestId": "request-7"}}


def answer_to(error: Exception) -> dict[str, Any]:
    def route(_event: dict[str, Any]) -> msgspec.Struct:
        raise error

    answer = gateway.answer(EVENT, route)
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    return answer


def test_a_damaged_document_is_told_in_words() -> None:
    damaged = PlanError("s3://b/results/j/request.json: damaged (its checksum doesn't hold)")

    answer = answer_to(damaged)

    assert answer["statusCode"] == 500
    assert json.loads(answer["body"]) == {
        "type": "urn:fanfold:problem:plan",
        "title": "A plan that can't be used, or slices without a result",
        "detail": str(damaged),
        "status": 500,
    }


@pytest.mark.parametrize("error", [ValueError("secret"), OutputError("secret"), KeyError("secret")])
def test_what_else_fails_is_told_by_the_number_of_the_request_alone(error: Exception) -> None:
    answer = answer_to(error)

    assert answer["statusCode"] == 500
    told = json.loads(answer["body"])
    assert told["type"] == "urn:fanfold:problem:internal"
    assert "request-7" in told["detail"]
    assert "secret" not in answer["body"]


def test_a_refusal_is_answered_with_its_status() -> None:
    answer = answer_to(ApiError(404, "no-such-job", "No such job", "j: no such job"))

    assert answer["statusCode"] == 404
    assert json.loads(answer["body"])["detail"] == "j: no such job"


def asking(text: str) -> dict[str, Any]:
    return {"queryStringParameters": {"limit": text}}


@pytest.mark.parametrize("text", ["101", "0" * 18 + "999999", "0" * 5000 + "101", "9" * 5000])
def test_a_number_beyond_its_limit_is_refused_however_it_is_written(text: str) -> None:
    with pytest.raises(ApiError, match="limit: give a number, 0 to 100"):
        gateway.number_of(asking(text), "limit", None, 100)


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("7", 7), ("100", 100), ("0" * 5000 + "100", 100)]
)
def test_a_number_within_its_limit_is_taken(text: str, number: int) -> None:
    assert gateway.number_of(asking(text), "limit", None, 100) == number


@pytest.mark.parametrize("text", ["", "-1", "1e2", "²", "٣", "1_0", " 1"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="give a number"):
        gateway.number_of(asking(text), "limit", None, 100)
