"""A body that comes too slowly, or is too large, is refused."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from fanfold.api.problems import ApiError
from fanfold.web.bodies import pieces


def body_of(messages: list[Message], most_bytes: int = 100) -> list[bytes]:
    """The pieces of a body; after the last message, nothing comes any more."""

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def collect() -> list[bytes]:
        request = Request({"type": "http", "method": "PUT", "headers": []}, receive)
        return [each async for each in pieces(request, most_bytes, 0.05)]

    return asyncio.run(collect())


def piece(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_comes_in_pieces() -> None:
    found = body_of([piece(b"AC", more=True), piece(b"GT", more=False)])
    assert b"".join(found) == b"ACGT"


def test_a_body_that_does_not_go_on_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        body_of([piece(b"AC", more=True)])
    assert refused.value.problem.status == 408


def test_a_body_that_is_too_large_is_refused_before_it_ends() -> None:
    with pytest.raises(ApiError) as refused:
        body_of([piece(b"A" * 60, more=True), piece(b"A" * 60, more=True)])
    assert refused.value.problem.status == 413


def test_a_client_that_leaves_is_no_end() -> None:
    with pytest.raises(ClientDisconnect):
        body_of([piece(b"AC", more=True), {"type": "http.disconnect"}])
