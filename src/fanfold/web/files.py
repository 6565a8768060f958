"""Files of results over HTTP: whole, or a range of their bytes (RFC 9110, section 14)."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from fanfold.api.problems import ApiError
from fanfold.report.page.document import asset, policy
from fanfold.web.jobs import ResultFile

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".tsv": "text/tab-separated-values; charset=utf-8",
    ".bed": "text/plain; charset=utf-8",
    ".fai": "text/plain; charset=utf-8",
}


class _Span(NamedTuple):
    """Bytes of a file, and whether they were asked for as a range."""

    start_byte: int
    end_byte: int
    is_range: bool


def file_response(request: Request, file: ResultFile) -> Response:
    """The answer to a request for a file.

    Raises:
        ApiError: it asks for a range that the file doesn't have.
    """
    size_bytes = file.facts.size_bytes
    tag = f'"{file.facts.crc64nvme}"'
    name = file.name.rpartition("/")[2]
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-cache",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}",
        "ETag": tag,
    }
    if name.endswith(".html"):
        own = policy(asset("page.js"))
        headers["Content-Security-Policy"] = f"{own}; frame-ancestors 'none'; connect-src 'self'"
    if tag in _tags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    span = _span_of(request, tag, size_bytes)
    headers["Content-Length"] = str(span.end_byte - span.start_byte)
    if span.is_range:
        headers["Content-Range"] = f"bytes {span.start_byte}-{span.end_byte - 1}/{size_bytes}"
    blocks = iter(()) if request.method == "HEAD" else _bytes(file, span)
    return StreamingResponse(
        blocks, 206 if span.is_range else 200, headers=headers, media_type=media_type_of(name)
    )


def media_type_of(name: str) -> str:
    """What a file is, by its name."""
    suffix = f".{name.rpartition('.')[2]}"
    return _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _span_of(request: Request, tag: str, size_bytes: int) -> _Span:
    """What a request asks for. Several ranges, or a condition that fails, are the whole file."""
    whole = _Span(0, size_bytes, is_range=False)
    match = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    condition = request.headers.get("if-range")
    if match is None or match[0] == "bytes=-" or condition not in {None, tag}:
        return whole
    first, last = match.groups()
    if not first:
        start_byte, end_byte = max(0, size_bytes - int(last)), size_bytes
    else:
        start_byte = int(first)
        end_byte = min(size_bytes, int(last) + 1 if last else size_bytes)
        if last and int(last) < start_byte:
            return whole
    if start_byte >= end_byte:
        raise ApiError(
            416,
            "no-such-range",
            "No such range",
            f"the file has {size_bytes} bytes; give a range within them",
        )
    return _Span(start_byte, end_byte, is_range=True)


def _tags(header: str) -> set[str]:
    return {each.strip().removeprefix("W/") for each in header.split(",")}


def _bytes(file: ResultFile, span: _Span) -> Iterator[bytes]:
    for block in file.blocks(span.start_byte, span.end_byte):
        yield bytes(block)
