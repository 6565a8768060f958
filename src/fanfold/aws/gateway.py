"""API Gateway: what its Lambda proxy integration sends, and what it wants back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from fanfold.api.problems import ApiError
from fanfold.api.routes import Call, HttpRequest, HttpResponse, Route, refuse, respond

_Event = dict[str, Any]


def answer(event: _Event, calls: Mapping[Route, Call]) -> dict[str, Any]:
    """What a function answers to an event, errors as problem documents."""
    try:
        response = respond(request_of(event), calls)
    except ApiError as error:
        response = refuse(error.problem)
    return _for_gateway(response)


def request_of(event: _Event) -> HttpRequest:
    """The request that an event holds.

    Raises:
        ApiError: its body is not what it is said to be.
    """
    context = event.get("requestContext") or {}
    host, stage = context.get("domainName", ""), context.get("stage", "")
    return HttpRequest(
        method=str(event.get("httpMethod")),
        route=str(event.get("resource")),
        path={name: str(value) for name, value in (event.get("pathParameters") or {}).items()},
        query=_query_of(event),
        body=_body_of(event),
        base_url=f"https://{host}/{stage}" if host else "",
        request_id=str(context.get("requestId", "unknown")),
    )


def _query_of(event: _Event) -> dict[str, str]:
    given = event.get("queryStringParameters") or {}
    return {name: str(value) for name, value in given.items() if value is not None}


def _body_of(event: _Event) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise ApiError(400, "not-json", "Not JSON", "the body is not in base64") from error


def _for_gateway(response: HttpResponse) -> dict[str, Any]:
    return {
        "statusCode": response.status,
        "headers": {"Content-Type": response.media_type, "Cache-Control": "no-store"},
        "body": response.body.decode(),
    }
