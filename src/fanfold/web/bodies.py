"""Bodies of requests, as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request

from fanfold.api.problems import ApiError
from fanfold.web.settings import MOST_SILENT_SECONDS


async def pieces(
    request: Request, most_bytes: int, silent_seconds: float = MOST_SILENT_SECONDS
) -> AsyncIterator[bytes]:
    """The pieces of a request's body. One that ends before its length raises ClientDisconnect.

    Args:
        request: the request.
        most_bytes: the largest body.
        silent_seconds: how long nothing may come.

    Raises:
        ApiError: the body is larger, or nothing comes for too long.
    """
    size_bytes = 0
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(silent_seconds):
                piece = await anext(stream, None)
        except TimeoutError as error:
            raise ApiError(
                408,
                "too-slow",
                "Too slow",
                f"nothing of the body came for {silent_seconds:g} seconds; send it again",
            ) from error
        if piece is None:
            return
        size_bytes += len(piece)
        if size_bytes > most_bytes:
            raise too_large(most_bytes)
        yield piece


def too_large(most_bytes: int) -> ApiError:
    """The refusal of a body."""
    return ApiError(
        413,
        "too-large",
        "Too large",
        f"the body has more than {most_bytes} bytes; for larger objects start the server with"
        " another --max-upload",
    )
