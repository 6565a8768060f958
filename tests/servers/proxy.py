"""A reverse proxy that breaks what passes through it, by rule.

It is to a server what a bad network and a bad day are: the real server answers behind it, and a
rule decides which of the answers are lost, cut, late, wrong or refused. HTTP/1.1 with keep-alive;
bodies stream both ways, with a Content-Length or chunked; trailers are dropped.

    with FaultProxy(server.endpoint_url) as proxy:
        proxy.inject(Reset(after_bytes=1000), method="GET", path="*/genome.fa", times=2)
        ...
        assert [exchange.status for exchange in proxy.log()] == [206, 206, 206]

A request meets the first rule that matches it and is not used up; every other rule is as it was.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.message import Message
from fnmatch import fnmatchcase
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlsplit

from servers.loopback import LoopbackConnection, LoopbackServer

PIECE_BYTES = 1 << 20
"""A body is passed on in pieces of at most this, each as soon as it is there."""
OF_ONE_CONNECTION = frozenset({"connection", "expect", "keep-alive", "transfer-encoding"})
"""The headers that concern one connection: the proxy makes its own."""
LAST_CHUNK = b"0\r\n\r\n"


# --- faults -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """An answer of the proxy's own. With `forwarded`, the server has done its part all the same."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    forwarded: bool = False


@dataclass(frozen=True)
class Reset:
    """The server did its part; the connection is reset after so many bytes of the answer's body.

    None: before the answer's first byte, so that the client can't know what the server did.
    """

    after_bytes: int | None = None


@dataclass(frozen=True)
class ResetUpload:
    """The connection is reset after so many bytes of the request's body; no server sees it."""

    after_bytes: int = 0


@dataclass(frozen=True)
class Stall:
    """After so many bytes of the answer's body (None: before the answer), silence.

    It lasts until the client, or the proxy, closes the connection.
    """

    after_bytes: int | None = 0


@dataclass(frozen=True)
class Truncate:
    """After so many bytes of the answer's body, the connection is closed as if that were all."""

    after_bytes: int


@dataclass(frozen=True)
class ReplaceETag:
    """The answer bears this ETag, as if the object had been written anew."""

    etag: str = '"another"'


@dataclass(frozen=True)
class ReplaceHeader:
    """The answer's header of this name, if it has one, bears this value."""

    name: str
    value: str


@dataclass(frozen=True)
class DropHeaders:
    """The request's headers of these names don't reach the server, as if it ignored them."""

    names: frozenset[str]
    """In lower case."""


@dataclass(frozen=True)
class CorruptDownload:
    """One bit of the answer's body is flipped, in the byte at this offset of what is sent."""

    at_byte: int = 0


@dataclass(frozen=True)
class CorruptUpload:
    """One bit of the request's body is flipped, in the byte at this offset."""

    at_byte: int = 0


@dataclass(frozen=True)
class Delay:
    """The request is passed on so many seconds late."""

    seconds: float


Fault = (
    Answer
    | Reset
    | ResetUpload
    | Stall
    | Truncate
    | ReplaceETag
    | ReplaceHeader
    | DropHeaders
    | CorruptDownload
    | CorruptUpload
    | Delay
)


def s3_error(status: int, code: str, message: str, *, forwarded: bool = False) -> Answer:
    """What S3 answers when it refuses."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>0</RequestId></Error>"
    )
    return Answer(status, body.encode(), {"Content-Type": "application/xml"}, forwarded)


INTERNAL_ERROR = s3_error(
    500, "InternalError", "We encountered an internal error. Please try again."
)
NO_CONDITIONS = DropHeaders(frozenset({"if-match", "if-none-match"}))
"""What a store does to writes that knows no conditions."""
SLOW_DOWN = s3_error(503, "SlowDown", "Please reduce your request rate.")
CONFLICT = s3_error(
    409,
    "ConditionalRequestConflict",
    "The conditional request cannot succeed due to a conflicting operation against this resource.",
)
"""What S3 answers to a conditional write amid another operation, whether there is an object or not
(S3 API reference, PutObject, If-None-Match and If-Match)."""
PRECONDITION_FAILED = s3_error(
    412,
    "PreconditionFailed",
    "At least one of the pre-conditions you specified did not hold",
)


# --- requests and rules -----------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """What a client asked for. `path` and `query` are as it sent them, percent signs and all."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """By names in lower case."""

    @property
    def range(self) -> str | None:
        """The Range header."""
        return self.headers.get("range")

    @property
    def if_match(self) -> str | None:
        """The If-Match header."""
        return self.headers.get("if-match")


@dataclass(frozen=True)
class Exchange:
    """A request, and what became of it so far."""

    request: Request
    fault: Fault | None
    status: int | None = None
    """What the client was sent; None: nothing (yet)."""
    served: int | None = None
    """What the server answered; None: nothing (yet)."""
    received_bytes: int = 0
    """Of the request's body, from the client."""
    sent_bytes: int = 0
    """Of the answer's body, to the client."""


@dataclass
class Rule:
    """Which requests meet a fault: after the first `skip` that match, the next `times`."""

    fault: Fault
    matches: Callable[[Request], bool]
    skip: int
    times: int | None
    """None: all of them."""

    def fires(self, request: Request) -> bool:
        """Whether this request meets the fault; counts it if it matches."""
        if self.times == 0 or not self.matches(request):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Throttle:
    """A bucket of tokens that all connections share: one token a byte, in either direction."""

    def __init__(self, bytes_per_second: float | None) -> None:
        self.bytes_per_second = bytes_per_second
        self._lock = threading.Lock()
        self._free_at = 0.0

    @property
    def piece_bytes(self) -> int:
        """So much at once that a slow flow stays a flow: at most what passes in 20 ms."""
        rate = self.bytes_per_second
        return PIECE_BYTES if rate is None else max(1, min(PIECE_BYTES, int(rate / 50)))

    def seconds_until_passed(self, piece_bytes: int) -> float:
        """Reserve the time that a piece takes; how long to wait from now until it is over."""
        rate = self.bytes_per_second
        if rate is None:
            return 0.0
        now = time.monotonic()
        with self._lock:
            # A bucket that holds 50 ms of tokens makes up for sleeps that were too long.
            self._free_at = max(now - 0.05, self._free_at) + piece_bytes / rate
            return max(0.0, self._free_at - now)


# --- the proxy --------------------------------------------------------------------------------


class FaultProxy(LoopbackServer):
    """A reverse proxy on a free port of 127.0.0.1, from `__enter__` to `__exit__`."""

    def __init__(self, upstream_url: str, *, bytes_per_second: float | None = None) -> None:
        parts = urlsplit(upstream_url)
        if parts.scheme != "http" or parts.hostname is None or parts.path not in {"", "/"}:
            raise ValueError(f"{upstream_url}: not of the form http://host:port")
        self.upstream = (parts.hostname, parts.port or 80)
        self.throttle = Throttle(bytes_per_second)
        """`throttle.bytes_per_second` may be set at any time."""
        self._rules_lock = threading.Lock()
        self._rules: list[Rule] = []
        self._log: dict[int, Exchange] = {}
        self._arrived = 0
        super().__init__(_Connection)

    def inject(
        self,
        fault: Fault,
        *,
        method: str | None = None,
        path: str = "*",
        when: Callable[[Request], bool] = lambda _: True,
        skip: int = 0,
        times: int | None = 1,
    ) -> None:
        """Let requests of this method whose path fits the glob, and `when`, meet the fault.

        The first `skip` of them pass; the next `times` of them (None: all) meet it.
        """

        def matches(request: Request) -> bool:
            return (
                method in {None, request.method}
                and fnmatchcase(request.path, path)
                and when(request)
            )

        with self._rules_lock:
            self._rules.append(Rule(fault, matches, skip, times))

    def clear(self) -> None:
        """Forget every rule and every request."""
        with self._rules_lock:
            self._rules.clear()
            self._log.clear()

    def log(self, method: str | None = None) -> list[Exchange]:
        """Every request so far (of one method), in the order of arrival."""
        with self._rules_lock:
            return [
                exchange
                for exchange in self._log.values()
                if method in {None, exchange.request.method}
            ]

    def record(self, request: Request) -> tuple[int, Fault | None]:
        """A new request's number in the log, and the fault that it meets."""
        with self._rules_lock:
            fault = next((rule.fault for rule in self._rules if rule.fires(request)), None)
            number = self._arrived
            self._arrived += 1
            self._log[number] = Exchange(request, fault)
            return number, fault

    def progress(
        self,
        number: int,
        *,
        status: int | None = None,
        served: int | None = None,
        received: int = 0,
        sent: int = 0,
    ) -> None:
        """Add to what the log says of a request, unless it was cleared."""
        with self._rules_lock:
            if exchange := self._log.get(number):
                self._log[number] = replace(
                    exchange,
                    status=exchange.status if status is None else status,
                    served=exchange.served if served is None else served,
                    received_bytes=exchange.received_bytes + received,
                    sent_bytes=exchange.sent_bytes + sent,
                )


class _Connection(LoopbackConnection):
    """One client's connection, and one of its own to the server."""

    def setup(self) -> None:
        assert isinstance(self.server, FaultProxy)
        self.proxy = self.server
        self.upstream = HTTPConnection(*self.proxy.upstream)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.upstream.close()

    def hang_up(self) -> None:
        super().hang_up()
        if (upstream := self.upstream.sock) is not None:
            with suppress(OSError):
                upstream.shutdown(socket.SHUT_RDWR)

    def exchange(self) -> None:
        """Pass one request on and its answer back, or do what its fault says."""
        # `self.path` has lost all but one of the slashes it began with.
        path, _, query = self.requestline.split()[1].partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, path, query, headers)
        self.number, fault = self.proxy.record(request)
        self.upload = self._upload()
        match fault:
            case ResetUpload(after_bytes):
                self._drain(after_bytes)
                self._reset()
                return
            case Answer(forwarded=False):
                self._drain()
                self._answer(fault)
                return
            case Delay(seconds):
                self.proxy.stopping.wait(seconds)
        try:
            response = self._pass_on(request, fault)
        except (OSError, HTTPException) as error:
            self.upstream.close()
            self.close_connection = True
            self._answer(Answer(502, f"The server behind the proxy: {error!r}".encode()))
            return
        self.proxy.progress(self.number, served=response.status)
        match fault:
            case Answer():
                response.read()
                self._answer(fault)
            case Reset(after_bytes=None):
                response.read()
                self._reset()
            case Stall(after_bytes=None):
                response.read()
                self._stall()
            case _:
                self._pass_back(response, fault)

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = exchange  # noqa: N815

    def _pass_on(self, request: Request, fault: Fault | None) -> HTTPResponse:
        if self.upstream.sock is not None and _was_closed(self.upstream.sock):
            self.upstream.close()
        target = f"{request.path}?{request.query}" if request.query else request.path
        self.upstream.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
        dropped = fault.names if isinstance(fault, DropHeaders) else frozenset()
        self._copy_headers(self.headers, self.upstream.putheader, dropped=dropped)
        chunked = _is_chunked(self.headers)
        if chunked:
            self.upstream.putheader("Transfer-Encoding", "chunked")
        self.upstream.endheaders()
        offset = 0
        answered = False
        for piece in self.upload:
            sent = piece
            if isinstance(fault, CorruptUpload):
                sent = _flipped(piece, fault.at_byte - offset)
            offset += len(piece)
            answered = answered or not self._send_upstream(_framed(sent) if chunked else sent)
        if chunked and not answered:
            self._send_upstream(LAST_CHUNK)
        return self.upstream.getresponse()

    def _send_upstream(self, piece: bytes) -> bool:
        """Whether it was taken: a server may answer before it has read all, and read no more."""
        try:
            self.upstream.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def _pass_back(self, response: HTTPResponse, fault: Fault | None) -> None:
        stated = response.headers["Content-Length"]
        bodiless = self.command == "HEAD" or response.status in {204, 304}
        chunked = stated is None and not bodiless
        replaced = {}
        if isinstance(fault, ReplaceETag):
            replaced["etag"] = fault.etag
        elif isinstance(fault, ReplaceHeader):
            replaced[fault.name.lower()] = fault.value
        self._begin(response.status, response.reason)
        self._copy_headers(response.headers, self.send_header, replaced)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        left = None if chunked else 0 if bodiless else int(stated)
        end = fault.after_bytes if isinstance(fault, Reset | Stall | Truncate) else None
        offset = 0
        while left != 0 and offset != end:
            piece = response.read1(min(self.proxy.throttle.piece_bytes, left or PIECE_BYTES))
            if not piece:
                break
            if left is not None:
                left -= len(piece)
            if end is not None:
                piece = piece[: end - offset]
            if isinstance(fault, CorruptDownload):
                piece = _flipped(piece, fault.at_byte - offset)
            offset += len(piece)
            self._send_body(_framed(piece) if chunked else piece, len(piece))
        response.close()
        if left or end is not None:
            self.upstream.close()
            self.close_connection = True
        if isinstance(fault, Reset):
            self._reset()
        elif isinstance(fault, Stall):
            self._stall()
        elif chunked and not isinstance(fault, Truncate):
            self.wfile.write(LAST_CHUNK)

    def _upload(self) -> Iterator[bytes]:
        """The request's body, as it comes."""
        if not _is_chunked(self.headers):
            yield from self._read(int(self.headers.get("Content-Length", 0)))
            return
        while size_bytes := int(self.rfile.readline().partition(b";")[0], 16):
            yield from self._read(size_bytes)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _read(self, size_bytes: int) -> Iterator[bytes]:
        while size_bytes:
            piece = self.rfile.read1(min(self.proxy.throttle.piece_bytes, size_bytes))
            if not piece:
                raise ConnectionAbortedError("the client has gone in the middle of its request")
            size_bytes -= len(piece)
            self.proxy.progress(self.number, received=len(piece))
            self._wait_for(len(piece))
            yield piece

    def _drain(self, enough_bytes: int | None = None) -> None:
        """Read what is left of the request's body, or so much of it."""
        taken = 0
        while enough_bytes is None or taken < enough_bytes:
            piece = next(self.upload, None)
            if piece is None:
                return
            taken += len(piece)

    def _copy_headers(
        self,
        headers: Message,
        put: Callable[[str, str], None],
        replaced: Mapping[str, str] | None = None,
        dropped: frozenset[str] = frozenset(),
    ) -> None:
        for name, value in headers.items():
            if name.lower() not in OF_ONE_CONNECTION | dropped:
                put(name, (replaced or {}).get(name.lower(), value))

    def _begin(self, status: int, reason: str | None = None) -> None:
        self.proxy.progress(self.number, status=status)
        self.send_response_only(status, reason)

    def _send_body(self, framed: bytes, body_bytes: int) -> None:
        # Counted first, so that a client that has it all finds it all in the log.
        self.proxy.progress(self.number, sent=body_bytes)
        self._wait_for(body_bytes)
        self.wfile.write(framed)

    def _wait_for(self, piece_bytes: int) -> None:
        if seconds := self.proxy.throttle.seconds_until_passed(piece_bytes):
            self.proxy.stopping.wait(seconds)

    def _answer(self, answer: Answer) -> None:
        self._begin(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD" and answer.body:
            self._send_body(answer.body, len(answer.body))

    def _reset(self) -> None:
        """Close so that the client gets a RST: with what is unsent thrown away."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The reader has a hold on the socket.
        self.rfile.close()
        self.connection.close()

    def _stall(self) -> None:
        """Say nothing until the client, or the proxy, hangs up."""
        self.close_connection = True
        while self.connection.recv(PIECE_BYTES):
            pass


def _is_chunked(headers: Message) -> bool:
    return "chunked" in headers.get("Transfer-Encoding", "").lower()


def _framed(piece: bytes) -> bytes:
    """A piece of a body as a chunk."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def _flipped(piece: bytes, offset: int) -> bytes:
    """The piece with one bit of the byte at the offset flipped, if it has that byte."""
    if not 0 <= offset < len(piece):
        return piece
    return piece[:offset] + bytes([piece[offset] ^ 1]) + piece[offset + 1 :]


def _was_closed(idle: socket.socket) -> bool:
    """Whether the other side has closed a connection on which nothing is due."""
    try:
        return not idle.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
