"""The server as a process: it listens, says where, and ends cleanly."""

from __future__ import annotations

import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import anyio.to_thread
import uvicorn
from starlette.types import ASGIApp

from fanfold.errors import OutputError, ParameterError
from fanfold.web.access import LEAST_TOKEN_LENGTH, LOOPBACK, Token, rules
from fanfold.web.app import make_app
from fanfold.web.jobs import Service
from fanfold.web.settings import TOKEN, Settings

_BACKLOG = 1024
_THREADS = 64
_GRACE_SECONDS = 1
_KEEP_ALIVE_SECONDS = 30
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - what a user may give


def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    names: Iterable[str],
    asks_token: bool,
    tell: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: what is served.
        host: the address or name to listen on. Any but loopback asks for a token.
        port: the port; a free one when 0.
        names: other names that requests may be for.
        asks_token: whether a token is required on loopback, too.
        tell: called with the URL, and the token if there is one, when the server listens.

    Raises:
        ParameterError: the token is too short.
        OutputError: the address can't be listened on, or another server works on the root.
    """
    text = _token() if asks_token or host not in LOOPBACK or os.environ.get(TOKEN) else None
    with _listen(host, port) as listener:
        port = listener.getsockname()[1]
        allowed = rules(host, names, None if text is None else Token(text, port))
        service = Service(settings)
        try:
            service.start()
            server: _Server
            app = make_app(service, allowed, lambda: server.should_exit)
            server = _Server(app, lambda: tell(_url(host, port, text)))
            server.run(sockets=[listener])
        finally:
            service.stop()


class _Server(uvicorn.Server):
    """Uvicorn, which says when it listens, and ends without raising the signal again.

    Args:
        app: the application.
        ready: is called when it listens.
    """

    def __init__(self, app: ASGIApp, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                cast("Any", app),  # the same interface, with types of its own
                http="h11",
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End at the first signal, and at once at the second."""
        signal.set_wakeup_fd(-1)
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, self.handle_exit)
        yield


@contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens.

    Raises:
        OutputError: it can't.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise OutputError(
            f"{host}: not an address of this machine ({error.strerror}); give another --host"
        ) from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise OutputError(
                f"{host}, port {port}: can't be listened on ({error.strerror}); give another"
                " --port, or 0 for one that is free"
            ) from error
        yield listener


def _token() -> str:
    """The token that is set, or a new one.

    Raises:
        ParameterError: the one that is set is short, or can't be sent in a header.
    """
    text = os.environ.get(TOKEN)
    if not text:
        return secrets.token_urlsafe(32)
    is_sent = text.isascii() and text.isprintable() and " " not in text
    if len(text) < LEAST_TOKEN_LENGTH or not is_sent:
        raise ParameterError(
            f"{TOKEN}: give {LEAST_TOKEN_LENGTH} characters or more, without spaces, such as those"
            " of `openssl rand -hex 32`"
        )
    return text


def _url(host: str, port: int, token: str | None) -> str:
    name = socket.gethostname() if host in _WILDCARDS else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + (f"#token={token}" if token is not None else "")
