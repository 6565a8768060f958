"""What the HTTP servers of this package share: a port of 127.0.0.1, threads, and a clean end."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Any, Self


class LoopbackServer(ThreadingTCPServer):
    """Serves a free port from `__enter__` to `__exit__`, a thread a connection.

    At the end it hangs up on whoever is still connected and waits for its threads.
    """

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, handler: type[LoopbackConnection]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._connections: set[LoopbackConnection] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Where the server answers, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self.shutdown()
        with self._lock:
            for connection in self._connections:
                connection.hang_up()
        self.server_close()
        self._thread.join()

    def opened(self, connection: LoopbackConnection) -> None:
        with self._lock:
            self._connections.add(connection)
        if self.stopping.is_set():
            connection.hang_up()

    def closed(self, connection: LoopbackConnection) -> None:
        with self._lock:
            self._connections.discard(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what tests are about; anything else is a bug, and told."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class LoopbackConnection(BaseHTTPRequestHandler):
    """One client's connection, kept alive; tells the server of its beginning and end."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.owner.opened(self)

    def finish(self) -> None:
        self.owner.closed(self)
        super().finish()

    @property
    def owner(self) -> LoopbackServer:
        """The server, by its type."""
        assert isinstance(self.server, LoopbackServer)
        return self.server

    def hang_up(self) -> None:
        """Wake the thread that waits for the client; called by another."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: the tests' output is the tests' own."""
