"""The API of a deployment on loopback: it checks every signature, and answers as it is told.

The check is written from the specification of Signature Version 4, with nothing of any AWS library.
It differs from API Gateway in what it lets through: no policies, no quotas. Jobs come along a look
at a time: each is a list of what successive looks at it are answered, the last for good.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

from servers.loopback import LoopbackConnection, LoopbackServer

REGION = "us-east-1"
ACCESS_KEY, SECRET_KEY, TOKEN = (
    "AKIDEXAMPLE",
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "tok/en+=",
)
"""Those of the specification's own examples."""

STAGE = "/_aws/execute-api/a1b2c3d4e5/prod"

JOB = "0123456789abcdef" * 2

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request,"
    r" SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)
_SKEW_SECONDS = 300


@dataclass(frozen=True)
class Answer:
    """An answer that is not the API's own."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    late_seconds: float = 0.0


@dataclass(frozen=True)
class BreakOff:
    """The connection is reset: before the answer, or after so many bytes of its body."""

    after_bytes: int | None = None


Fault = Answer | BreakOff


@dataclass(frozen=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


def gateway_says(status: int, kind: str, message: str) -> Answer:
    """What API Gateway answers by itself, unless it was taught otherwise."""
    return Answer(
        status,
        msgspec.json.encode({"message": message}),
        {"Content-Type": "application/json", "x-amzn-ErrorType": kind},
    )


def problem_document(status: int, slug: str, detail: str) -> Answer:
    """What the functions answer."""
    document = {
        "type": f"urn:fanfold:problem:{slug}",
        "title": slug,
        "status": status,
        "detail": detail,
    }
    return Answer(
        status, msgspec.json.encode(document), {"Content-Type": "application/problem+json"}
    )


_NO_SUCH_PATH = gateway_says(
    403, "MissingAuthenticationTokenException", "Missing Authentication Token"
)
"""For a request that isn't signed, too."""


def job_document(
    name: str = JOB, state: str = "RUNNING", done: int = 1, **more: object
) -> dict[str, object]:
    """What a look at a job of four slices is answered."""
    return {
        "job": name,
        "state": state,
        "slices": {"total": 4, "done": done, "failed": 0},
        "bytes": 5386,
        "created": "2026-11-24T21:00:00Z",
        "finished": None,
        "error": None,
        "bucket": "bucket",
        "key": "input/genome.fa",
        "k": [5],
        "attempt": 1,
    } | more


def submitted_document(state: str = "SUBMITTED") -> dict[str, object]:
    """What a submission is answered."""
    results = f"s3://bucket/results/{JOB}"
    return {
        "job": JOB,
        "state": state,
        "status_url": f"https://api.invalid/prod/jobs/{JOB}",
        "results": {"master": f"{results}/master.json", "report": f"{results}/report.html"},
        "estimate": {"slices": 4, "vcpu_seconds": 1060, "usd": 0.0123},
    }


class ApiServer(LoopbackServer):
    """The API; `api_url` is where it is.

    Attributes:
        faults: answers to the next requests, before it answers itself again.
        seen: the requests that came, in order.
        submitted: what a submission is answered.
        jobs: the answers about each job.
        logs: the answer about logs.
    """

    def __init__(self) -> None:
        super().__init__(ApiConnection)
        self.faults: deque[Fault] = deque()
        self.seen: list[Seen] = []
        self.submitted = submitted_document()
        self.jobs: dict[str, deque[dict[str, object]]] = {}
        self.logs: dict[str, object] = {"stream": None, "lines": []}
        self.lock = threading.Lock()

    @property
    def api_url(self) -> str:
        return self.url + STAGE

    def environment(self) -> dict[str, str]:
        """The variables by which a client finds the API, and may speak to it."""
        return {
            "FANFOLD_API_URL": self.api_url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_SESSION_TOKEN": TOKEN,
            "AWS_REGION": REGION,
        }

    def set_job(self, name: str, looks: Iterable[dict[str, object]]) -> None:
        self.jobs[name] = deque(looks)

    def look(self, name: str) -> Answer:
        """What a look at a job is answered."""
        looks = self.jobs.get(name)
        if not looks:
            return problem_document(404, "no-such-job", f"{name}: no such job")
        return _ok(looks.popleft() if len(looks) > 1 else looks[0])

    def answer(self, seen: Seen) -> Answer:
        """The API's own answer."""
        refusal = signature_refusal(seen)
        if refusal is not None:
            return refusal
        parts = seen.path.removeprefix(STAGE).strip("/").split("/")
        match seen.method, parts:
            case "POST", ["chunk"]:
                found = _ok(self.submitted)
            case "GET", ["jobs"]:
                found = self._page(seen)
            case "GET", ["jobs", name]:
                found = self.look(name)
            case "DELETE", ["jobs", name]:
                for look in self.jobs.get(name, ()):
                    look["state"] = "CANCELLED"
                found = self.look(name)
            case "GET", ["jobs", _, "logs"]:
                found = _ok(self.logs)
            case _:
                found = _NO_SUCH_PATH
        return found

    def _page(self, seen: Seen) -> Answer:
        names = list(self.jobs)
        start = names.index(seen.query["next"].split(" ", 1)[1]) if "next" in seen.query else 0
        end = start + int(seen.query.get("limit", "20"))
        more = f"from {names[end]}" if end < len(names) else None
        return _ok({"jobs": [self.jobs[name][-1] for name in names[start:end]], "next": more})


class ApiConnection(LoopbackConnection):
    """One client's connection."""

    def do_GET(self) -> None:  # noqa: N802 - the name http.server wants
        server = self.owner
        assert isinstance(server, ApiServer)
        parts = urlsplit(self.path)
        seen = Seen(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(int(self.headers.get("Content-Length", "0"))),
        )
        with server.lock:
            server.seen.append(seen)
            fault = server.faults.popleft() if server.faults else None
            answer = fault if isinstance(fault, Answer) else server.answer(seen)
        if isinstance(fault, BreakOff) and fault.after_bytes is None:
            self._reset()
            return
        server.stopping.wait(answer.late_seconds)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if isinstance(fault, BreakOff):
            self.wfile.write(answer.body[: fault.after_bytes])
            self._close()
            return
        self.wfile.write(answer.body)

    do_POST = do_GET  # noqa: N815
    do_DELETE = do_GET  # noqa: N815

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True

    def _close(self) -> None:
        self.close_connection = True


# --- Signature Version 4, as its specification has it ------------------------------------------


def signature_refusal(seen: Seen) -> Answer | None:
    """Why a request's signature doesn't hold; None if it does."""
    match = _AUTHORIZATION.fullmatch(seen.headers.get("authorization", ""))
    if match is None:
        return _NO_SUCH_PATH
    key, day, region, service, signed, signature = match.groups()
    if key != ACCESS_KEY or seen.headers.get("x-amz-security-token") not in {None, TOKEN}:
        return gateway_says(
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    stamp = seen.headers["x-amz-date"]
    sent = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    if abs(time.time() - sent) > _SKEW_SECONDS:
        return gateway_says(403, "InvalidSignatureException", f"Signature expired: {stamp}")
    names = signed.split(";")
    must_be_signed = {"host", *(name for name in seen.headers if name.startswith("x-amz-"))}
    canonical = canonical_request(seen, names)
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    holds = (
        names == sorted(names)
        and must_be_signed <= set(names)
        and (region, service, day) == (REGION, "execute-api", stamp[:8])
        and hmac.compare_digest(sign(SECRET_KEY, scope, to_sign), signature)
    )
    if holds:
        return None
    return gateway_says(
        403,
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your"
        " AWS Secret Access Key and signing method. Consult the service documentation for details."
        f"\n\nThe Canonical String for this request should have been\n'{canonical}'\n\nThe"
        f" String-to-Sign should have been\n'{to_sign}'\n",
    )


def canonical_request(seen: Seen, names: list[str]) -> str:
    """A request in the form that is hashed and signed."""
    query = sorted((_encode(name), _encode(value)) for name, value in seen.query.items())
    return "\n".join(
        [
            seen.method,
            # Every part of the path is encoded once more, for all services but S3.
            "/".join(_encode(part) for part in seen.path.split("/")),
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{' '.join(seen.headers.get(name, '').split())}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(seen.body).hexdigest(),
        ]
    )


def sign(secret: str, scope: str, text: str) -> str:
    """The signature of a text by the key that is derived for a scope."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")


def _ok(document: Mapping[str, object]) -> Answer:
    return Answer(200, msgspec.json.encode(document), {"Content-Type": "application/json"})
