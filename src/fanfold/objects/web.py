"""What web servers send whole alone: without byte ranges, or without telling how much it is.

obstore reads by ranges, which most servers have. What others send is read here, once, from its
start, by one request.
"""

# ruff: noqa: PLC0415 - urllib3 is imported where a server needs it
from __future__ import annotations

import os
import ssl
import time
import urllib.request
import weakref
from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

from fanfold._kernel import VERSION
from fanfold.errors import ParameterError, SourceChangedError, SourceError, SourceMissingError
from fanfold.objects.settings import CERTIFICATES, certificates_of_s3, read_timeout
from fanfold.objects.source import BLOCK_BYTES, Source
from fanfold.objects.urls import Url, base_name, parse_object
from fanfold.shown import as_cause, shown

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

CONNECT_SECONDS = 4.0
"""How long a server may take to accept a connection."""

_PAUSES_SECONDS = (0.2, 1.0, 3.0)
"""Pauses before the next try."""

_MOST_STEPS = 10
_REDIRECTIONS = (301, 302, 303, 307, 308)

_PASSING = (429, 500, 502, 503, 504)
"""Answers to which the same request may get another in a moment."""

GONE = (404, 410)
"""Answers to a request for what isn't there."""

_REFUSALS = {
    401: (
        "the server asks for a login",
        "write user and password into the URL, before the host (docs/storage.md)",
    ),
    403: (
        "the server refuses",
        "check the URL, its signature if it has one, and whether it takes a login (see docs)",
    ),
    404: ("the server has no such file", "check the URL"),
    405: ("the server sends no files there", "check the URL"),
    407: ("the proxy asks for a login", "check HTTPS_PROXY"),
    410: ("the server has no such file any more", "check the URL"),
    429: ("the server has had too many requests", "wait, then run again"),
}


class Stream(NamedTuple):
    """An input that is open, and can be read once.

    Attributes:
        source: it, pinned.
        blocks: its bytes, in order. A block holds until the next is asked for.
    """

    source: Source
    blocks: Iterator[memoryview]


def open_stream(location: str) -> Stream:
    """The object at a URL, from its start, as one answer has it.

    Raises:
        ParameterError: the URL can't be an object's.
        SourceMissingError: there is no such object.
        SourceError: it can't be read.
    """
    url = parse_object(location)
    answer = _ask(url)
    if answer.status != 200:
        answer.close()
        kind = SourceMissingError if answer.status in GONE else SourceError
        raise kind(f"{shown(url.location)}: can't be read: {refusal(answer.status, url)}")
    told = answer.headers.get("Content-Length", "")
    source = Source(
        url.location,
        base_name(location),
        int(told) if told.isascii() and told.isdigit() else 0,
        _pin(answer) or f"stream-{os.urandom(8).hex()}",
        has_ranges=False,
    )
    blocks = _blocks(answer, url)
    # A report may be complete already: then nobody reads them.
    weakref.finalize(blocks, answer.close)
    return Stream(source, blocks)


def read_stream(source: Source) -> Iterator[memoryview]:
    """The bytes of an object, once more from its start; see `open_stream`.

    Raises:
        SourceChangedError: it is no longer what was pinned, or nothing tells whether it is.
        SourceError: it can't be read.
    """
    stream = open_stream(source.url)
    if stream.source != source:
        raise SourceChangedError(
            f"{shown(source.url)}: changed, or its server tells neither ETag nor Last-Modified;"
            " nothing was reported. Run again"
        )
    yield from stream.blocks


def refusal(status: int, url: Url) -> str:
    """What an answer of a web server means, and what to do."""
    if status == 401 and url.authorization:
        return "the server refuses the user or the password of the URL (401); check them"
    known = _REFUSALS.get(status)
    if known is not None:
        return f"{known[0]} ({status}); {known[1]}"
    if status < 400:
        return f"the server sends no file there (status {status}); check the URL"
    fault = "is at fault" if status >= 500 else "refuses"
    return f"the server {fault} (status {status}); check the URL, or run again later"


def _ask(url: Url) -> BaseHTTPResponse:
    """The answer to a request for the whole object, with its body still to come."""
    for pause_seconds in _PAUSES_SECONDS:
        try:
            answer = _follow(url)
        except SourceError:
            pass
        else:
            if answer.status not in _PASSING:
                return answer
            answer.close()
        time.sleep(pause_seconds)
    return _follow(url)


def _follow(url: Url) -> BaseHTTPResponse:
    """The answer at the end of a chain of redirections."""
    from urllib3.exceptions import HTTPError

    at = url
    for _ in range(_MOST_STEPS):
        headers = {"User-Agent": f"fanfold/{VERSION}", "Accept-Encoding": "identity"}
        if at.authorization:
            headers["Authorization"] = at.authorization
        try:
            answer = _pool(at).request(
                "GET",
                at.without_login,
                headers=headers,
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            raise _unreadable(url, _in_words(error)) from as_cause(error)
        step = answer.headers.get("Location") if answer.status in _REDIRECTIONS else None
        if not step:
            return answer
        answer.close()
        at = _next(url, at, step)
    raise _unreadable(url, "the server points from URL to URL without end; check the URL")


def _next(first: Url, at: Url, step: str) -> Url:
    """Where a server points to. A login goes along to the same server alone, and TLS stays."""
    try:
        found = parse_object(urljoin(at.without_login, step))
    except ParameterError as error:
        raise _unreadable(first, "the server points to what is no URL; check the URL") from error
    if at.scheme == "https" and found.scheme != "https":
        raise _unreadable(
            first, "the server points to a URL without TLS; give that itself if you trust it"
        )
    is_same = urlsplit(at.without_login)[:2] == urlsplit(found.without_login)[:2]
    if is_same and at.authorization and not found.authorization:
        login = urlsplit(at.root).netloc.rpartition("@")[0]
        return found._replace(root=found.root.replace("://", f"://{login}@", 1))
    return found


def _blocks(answer: BaseHTTPResponse, url: Url) -> Iterator[memoryview]:
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    read_bytes = 0
    try:
        for block in answer.stream(BLOCK_BYTES, decode_content=False):
            read_bytes += len(block)
            yield memoryview(block)
    except (HTTPError, OSError) as error:
        said = (
            "nothing more came" if isinstance(error, ReadTimeoutError) else "the connection broke"
        )
        raise _unreadable(
            url,
            f"{said} after {read_bytes:,} bytes, and the server can't go on from there; run again",
        ) from as_cause(error)
    finally:
        answer.close()


def _unreadable(url: Url, why: str) -> SourceError:
    return SourceError(f"{shown(url.location)}: can't be read: {why}")


def _pool(url: Url) -> PoolManager:
    """What sends: through the environment's proxy, to whom the system and the settings trust."""
    import urllib3

    context = None
    if url.scheme == "https":
        context = ssl.create_default_context()  # SSL_CERT_FILE is OpenSSL's own setting
        more = certificates_of_s3()
        if more is not None:
            context.load_verify_locations(cadata=more.decode(errors="replace"))
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=read_timeout().total_seconds())
    proxy = proxy_of(url)
    if proxy is not None:
        return urllib3.ProxyManager(proxy, timeout=timeout, ssl_context=context)
    return urllib3.PoolManager(timeout=timeout, ssl_context=context)


def proxy_of(url: Url) -> str | None:
    """The proxy that the environment names for a URL of the web."""
    found = urllib.request.getproxies()
    proxy = found.get(url.scheme) or found.get("all")
    host = urlsplit(url.root).hostname or ""
    return proxy if proxy and not urllib.request.proxy_bypass(host) else None


def _pin(answer: BaseHTTPResponse) -> str | None:
    """What changes whenever the object's bytes do, if the server tells it."""
    etag = answer.headers.get("ETag")
    if etag:
        return etag
    try:
        modified = parsedate_to_datetime(answer.headers.get("Last-Modified", ""))
    except ValueError:
        return None
    return f"{modified.astimezone(UTC).isoformat()} {answer.headers.get('Content-Length', '?')}"


def _in_words(error: Exception) -> str:
    """Why there is no answer, in a few words, and what to do."""
    from urllib3 import exceptions

    if isinstance(error, exceptions.NameResolutionError):
        return "there is no such host; check the URL"
    if isinstance(error, exceptions.NewConnectionError | exceptions.ConnectTimeoutError):
        return "the server can't be reached; check the URL and the network"
    if isinstance(error, exceptions.ProxyError):
        return "the proxy doesn't let it through; check HTTPS_PROXY and NO_PROXY"
    if isinstance(error, exceptions.SSLError):
        return f"no secure connection; check the URL, or name its CA's file in {CERTIFICATES}"
    return "the server gave no answer; run again later"
