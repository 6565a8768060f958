"""API Gateway: what its Lambda proxy integration sends, and what it wants back."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from fanfold.api import ApiError, Problem, problem, problem_of
from fanfold.errors import PlanError

_PROBLEM_JSON = "application/problem+json"

_ENCODER = msgspec.json.Encoder()

_Event = dict[str, Any]


def answer(event: _Event, route: Callable[[_Event], msgspec.Struct]) -> dict[str, Any]:
    """What a route answers to a request, errors as problem documents."""
    try:
        return _response(200, route(event), "application/json")
    except ApiError as error:
        return _problem(error.problem)
    except PlanError as error:
        # A document of the ledger is damaged; what it holds is not told.
        logging.getLogger("fanfold").warning("%s", error)
        return _problem(msgspec.structs.replace(problem_of(error), status=500))
    except Exception:
        request = (event.get("requestContext") or {}).get("requestId", "unknown")
        logging.getLogger("fanfold").exception("request %s failed", request)
        return _problem(
            problem(
                "internal",
                "Something failed here",
                f"the request could not be answered; send it again, and if that doesn't help, look"
                f" for request {request} in the function's log",
                500,
            )
        )


def body_of(event: _Event) -> bytes:
    """The body of a request; empty where there is none.

    Raises:
        ApiError: it is not what it is said to be.
    """
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise ApiError(400, "not-json", "Not JSON", "the body is not in base64") from error


def query_of(event: _Event, name: str) -> str | None:
    """A parameter of a request's query."""
    value = (event.get("queryStringParameters") or {}).get(name)
    return None if value is None else str(value)


def number_of(event: _Event, name: str, default: int | None, most: int) -> int | None:
    """A parameter of a request's query that is a number, from 0 to `most`.

    Raises:
        ApiError: it is none.
    """
    text = query_of(event, name)
    if text is None:
        return default
    digits = text.lstrip("0")[: len(str(most)) + 1]  # Python refuses to read thousands of them
    if not text.isascii() or not text.isdigit() or int(digits or 0) > most:
        raise ApiError(
            400, "bad-request", "A parameter that can't be", f"{name}: give a number, 0 to {most}"
        )
    return int(digits or 0)


def url_of(event: _Event, path: str) -> str:
    """The URL of a path of the same API and stage."""
    context = event.get("requestContext") or {}
    host, stage = context.get("domainName", ""), context.get("stage", "")
    return f"https://{host}/{stage}{path}" if host else path


def _problem(told: Problem) -> dict[str, Any]:
    return _response(told.status or 500, told, _PROBLEM_JSON)


def _response(status: int, document: msgspec.Struct, kind: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": kind, "Cache-Control": "no-store"},
        "body": _ENCODER.encode(document).decode(),
    }
