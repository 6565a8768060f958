"""What the functions of the API answer when something fails."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from fanfold.api.problems import ApiError
from fanfold.api.routes import JOBS, HttpRequest
from fanfold.aws import gateway
from fanfold.errors import OutputError, PlanError

EVENT = {
    "httpMethod": "GET",
    "resource": "/jobs",
    "requestContext": {"requestId": "request-7"},
}


def answer_to(error: Exception) -> dict[str, Any]:
    def call(_request: HttpRequest) -> msgspec.Struct:
        raise error

    answer = gateway.answer(EVENT, {JOBS: call})
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
