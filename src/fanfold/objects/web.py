"""What web servers send whole alone: without byte ranges, or without telling how much it is.

obstore reads by ranges, which most servers have. What others send is read here, once, from its
start, by one request.
"""

# ruff: noqa: PLC0415 - urllib3 is imported where a server needs it
from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from fanfold._kernel import VERSION
from fanfold.errors import SourceChangedError, SourceError, SourceMissingError
from fanfold.objects.settings import CERTIFICATES, read_timeout
from fanfold.objects.source import BLOCK_BYTES, Source
from fanfold.objects.urls import Url, base_name, parse_object
from fanfold.shown import as_cause, shown, without_secrets

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

CONNECT_SECONDS = 4.0
"""How long a server may take to accept a connection."""

_TRIES = 4

_LONGEST_PAUSE_SECONDS = 4

_PASSING = (429, 500, 502, 503, 504)
"""Answers to which the same request may get another in a moment."""

_GONE = (404, 410)

_LOGIN = "https://user:password@host/…"

_REFUSALS = {
    401: ("the server asks for a login", f"write {_LOGIN}"),
    403: (
        "the server refuses",
        f"check the URL, whether its signature has expired, and whether it takes a login: {_LOGIN}",
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
        kind = SourceMissingError if answer.status in _GONE else SourceError
        raise kind(f"{shown(location)}: can't be read: {refusal(answer.status, url)}")
    told = answer.headers.get("Content-Length", "")
    source = Source(
        url.location,
        base_name(location),
        int(told) if told.isascii() and told.isdigit() else 0,
        _pin(answer) or f"stream-{os.urandom(8).hex()}",
        has_ranges=False,
    )
    return Stream(source, _blocks(answer, location))


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
    from urllib3 import Retry
    from urllib3.exceptions import HTTPError

    headers = {"User-Agent": f"fanfold/{VERSION}", "Accept-Encoding": "identity"}
    if url.authorization:
        headers["Authorization"] = url.authorization  # not sent on to another host
    retries = Retry(
        _TRIES,
        status_forcelist=_PASSING,
        backoff_factor=0.2,
        backoff_max=_LONGEST_PAUSE_SECONDS,
        raise_on_status=False,
        respect_retry_after_header=False,  # that may be hours
    )
    try:
        answer = _pool(url).request(
            "GET", url.without_login, headers=headers, retries=retries, preload_content=False
        )
    except HTTPError as error:
        raise SourceError(
            f"{shown(url.location)}: can't be read: {_in_words(error)}"
        ) from as_cause(error)
    steps = answer.retries.history if answer.retries is not None else ()
    went_on = [each.redirect_location or "" for each in steps]
    if url.scheme == "https" and any(each.lower().startswith("http:") for each in went_on):
        answer.close()
        raise SourceError(
            f"{shown(url.location)}: can't be read: the server points to a URL without TLS; give"
            " that URL itself if you trust it"
        )
    return answer


def _blocks(answer: BaseHTTPResponse, location: str) -> Iterator[memoryview]:
    from urllib3.exceptions import HTTPError

    read_bytes = 0
    try:
        for block in answer.stream(BLOCK_BYTES, decode_content=False):
            read_bytes += len(block)
            yield memoryview(block)
    except (HTTPError, OSError) as error:
        raise SourceError(
            f"{shown(location)}: can't be read: the connection broke off after {read_bytes:,}"
            f" bytes ({_in_words(error)}), and the server can't go on from there; run again"
        ) from as_cause(error)
    finally:
        answer.close()


def _pool(url: Url) -> PoolManager:
    """What sends: through the environment's proxy, to whom the system or SSL_CERT_FILE trusts."""
    import urllib3

    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=read_timeout().total_seconds())
    certificates = os.environ.get(CERTIFICATES) or None
    proxy = proxy_of(url)
    if proxy is not None:
        return urllib3.ProxyManager(proxy, timeout=timeout, ca_certs=certificates)
    return urllib3.PoolManager(timeout=timeout, ca_certs=certificates)


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
    """What failed, in a few words, without what may be secret."""
    from urllib3 import exceptions

    reason = error.reason if isinstance(error, exceptions.MaxRetryError) else error
    kinds: dict[type[Exception], str] = {
        exceptions.NameResolutionError: "there is no such host",
        exceptions.NewConnectionError: "no connection",
        exceptions.ConnectTimeoutError: "no connection in time",
        exceptions.ReadTimeoutError: f"nothing came for {read_timeout().total_seconds():g} s",
        exceptions.ProxyError: "the proxy doesn't let it through; check HTTPS_PROXY and NO_PROXY",
        exceptions.IncompleteRead: "the rest did not come",
    }
    for kind, said in kinds.items():
        if isinstance(reason, kind):
            return said
    return without_secrets(reason or error).partition("\n")[0][:200]
