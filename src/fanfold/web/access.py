"""Who may send a request, and what a browser may do with the answer.

A page of another site can make a browser send requests here: through a name of its own that
resolves to this machine (DNS rebinding), or through a form (CSRF). So the server checks the name
that a request is for, and the site that it comes from. With a token, every answer that holds data
needs it: in a header, or as a cookie that no script can read.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import socket
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fanfold.api.problems import ApiError
from fanfold.api.routes import refuse

LOOPBACK = ("127.0.0.1", "::1", "localhost")

LEAST_TOKEN_LENGTH = 16

_PUBLIC = re.compile(r"/|/watch/[0-9a-f]{32}|/assets/[a-z.]+|/session")
"""Paths whose answers hold no data: the page, which asks for the token, and what it is made of."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""What every answer has, unless it has its own."""


class Token:
    """The token of a server, and the cookie that is exchanged for it.

    Args:
        text: the token.
        port: where the server listens: browsers send a cookie to every port of a host.
    """

    def __init__(self, text: str, port: int) -> None:
        self._text = text.encode()
        self.cookie_name = f"fanfold-{port}"
        self.cookie = hmac.new(self._text, b"cookie", hashlib.sha256).hexdigest()

    def is_same(self, text: str) -> bool:
        """Whether a text is the token; takes as long for any text."""
        return hmac.compare_digest(text.encode(), self._text)

    def lets_in(self, headers: Headers) -> bool:
        """Whether a request holds the token, or the cookie."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_same(given.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self.cookie_name)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(
            cookie.value.encode(), self.cookie.encode()
        )


class Rules(NamedTuple):
    """Who may send requests.

    Attributes:
        names: host names that requests may be for, beside loopback's and addresses.
        token: what answers with data need; None where nothing is needed.
    """

    names: frozenset[str]
    token: Token | None


def rules(host: str, names: Iterable[str], token: Token | None) -> Rules:
    """The rules of a server that listens on a host and has other names."""
    own = {host.lower(), *(name.lower() for name in names)}
    if host not in LOOPBACK:
        own |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return Rules(frozenset(own), token)


class Access:
    """Refuses requests that may not be answered, and adds headers to all answers.

    Args:
        app: what answers.
        allowed: the rules.
    """

    def __init__(self, app: ASGIApp, allowed: Rules) -> None:
        self._app = app
        self._rules = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI 3.0)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            self._check(scope, Headers(scope=scope))
        except ApiError as error:
            await problem_response(error)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _check(self, scope: Scope, headers: Headers) -> None:
        """Check a request before anything of it is read.

        Raises:
            ApiError: it is refused.
        """
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._is_own(_name_of(host)):
            raise ApiError(
                421,
                "unknown-host",
                "Unknown host",
                f"{host[:80]!r} is no name of this server; if it should be, start the server with"
                " --allow-host NAME",
            )
        self._check_origin(scope, headers, host)
        try:
            unquote_to_bytes(scope.get("raw_path") or b"").decode()
        except UnicodeDecodeError as error:
            raise ApiError(
                400, "bad-request", "Invalid path", "the path is not UTF-8; encode it so"
            ) from error
        token = self._rules.token
        if token is None or _PUBLIC.fullmatch(scope["path"]) or token.lets_in(headers):
            return
        raise ApiError(
            401,
            "no-token",
            "No token",
            "this server asks for its token: open the URL that it printed when it started, or send"
            " the header Authorization: Bearer TOKEN (FANFOLD_TOKEN for `fanfold submit`)",
        )

    def _check_origin(self, scope: Scope, headers: Headers, host: str) -> None:
        origin = headers.get("origin")
        site = headers.get("sec-fetch-site", "same-origin")
        is_opened = (
            scope["method"] in {"GET", "HEAD"}
            and headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest") == "document"
        )
        is_foreign = origin is not None and not self._is_of(origin, host)
        if is_foreign or (site not in {"same-origin", "none"} and not is_opened):
            raise ApiError(
                403,
                "cross-origin",
                "From another site",
                f"the request comes from a page of another site ({(origin or site)[:80]}); this"
                " server answers its own pages and programs",
            )

    def _is_own(self, name: str) -> bool:
        """Whether a host name is one of this server's. An address can't be another site's name."""
        return name in LOOPBACK or name in self._rules.names or _is_address(name)

    def _is_of(self, origin: str, host: str) -> bool:
        """Whether an origin is that of this server's pages."""
        try:
            parts = urlsplit(origin)
            name = (parts.hostname or "").lower()
        except ValueError:
            return False
        return parts.netloc.lower() == host.lower() or name in self._rules.names - {""}


def problem_response(error: ApiError) -> Response:
    """The answer that a refusal is."""
    response = refuse(error.problem)
    return Response(response.body, response.status, media_type=response.media_type)


def _name_of(host: str) -> str:
    """The name in a Host header, without its port."""
    name = host.lower()
    if name.startswith("["):
        return name.partition("]")[0][1:]
    return name.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
