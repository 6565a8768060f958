"""The routes of the API: what each takes and answers, whichever end answers it.

An end turns what it receives into an `HttpRequest`, and an `HttpResponse` into what it sends. In
between, `respond` finds the call, and turns every error into a problem document.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from fanfold.api.problems import ApiError, problem, problem_of
from fanfold.api.types import (
    PHASES,
    Buckets,
    ChunkAnswer,
    ChunkRequest,
    Job,
    Jobs,
    Logs,
    Objects,
    Phase,
    Problem,
    StoredObject,
    parse_phase,
)
from fanfold.errors import PlanError
from fanfold.flow.plan import MAX_SLICES

JSON, PROBLEM_JSON = "application/json", "application/problem+json"

DEFAULT_JOBS, MOST_JOBS = 20, 100
"""How many jobs a page lists."""
DEFAULT_LINES, MOST_LINES = 200, 10_000
"""How many lines of a log are returned."""
DEFAULT_OBJECTS, MOST_OBJECTS = 200, 1000
"""How many objects a page lists."""

_AFTER = r"\d{14}-[0-9a-f]{32}"
"""What a page of jobs continues after: a name in the ledger's index."""

_ENCODER = msgspec.json.Encoder()
_REQUEST = msgspec.json.Decoder(ChunkRequest)


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request, as an end received it.

    Attributes:
        method: the HTTP method.
        route: the path of its route, such as ``/jobs/{job}``.
        path: the values of the names in that path, percent-decoded.
        query: the parameters of the query, percent-decoded; of a repeated one, the last.
        body: the body; empty where there is none.
        base_url: the URL that paths of the API are appended to, without a slash at the end; empty
            where it isn't known.
        request_id: what the end's log calls the request.
    """

    method: str
    route: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = b""
    base_url: str = ""
    request_id: str = "unknown"


class HttpResponse(msgspec.Struct, frozen=True):
    """What an end sends back: a status, the media type of the body, and the body."""

    status: int
    media_type: str
    body: bytes


class Parameter(NamedTuple):
    """A parameter of a query.

    Attributes:
        name: its name.
        schema: its JSON schema.
        meaning: what it means, in words.
    """

    name: str
    schema: dict[str, Any]
    meaning: str


@dataclass(frozen=True, eq=False)
class Route:
    """A call of the API.

    Attributes:
        method: the HTTP method.
        path: the path, with names in braces. The last name of a path of a machine's own may hold
            slashes.
        summary: what it does, in words.
        answer: the type of the answer with status 200; a media type where that is no JSON.
        body: the type of the request's body; a media type where that is no JSON; None where there
            is no body.
        query: the parameters of its query.
        refusals: the statuses of its problem documents, beside 400, 401, 403 and 500.
        on_machines: whether only ends that run on a machine answer it, and none on AWS.
    """

    method: str
    path: str
    summary: str
    answer: type[msgspec.Struct] | str
    body: type[msgspec.Struct] | str | None = None
    query: tuple[Parameter, ...] = ()
    refusals: tuple[int, ...] = ()
    on_machines: bool = False


def _up_to(most: int, default: int | None = None) -> dict[str, Any]:
    bounds: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": most}
    return bounds if default is None else {**bounds, "default": default}


_NEXT = "what the answer before calls next"

SUBMIT = Route(
    "POST",
    "/chunk",
    "Analyse a genome: the same request is the same job",
    ChunkAnswer,
    ChunkRequest,
    refusals=(404, 413, 415, 422, 429, 502),
)
JOBS = Route(
    "GET",
    "/jobs",
    "List the jobs, the newest first",
    Jobs,
    query=(
        Parameter("limit", _up_to(MOST_JOBS, DEFAULT_JOBS), "how many jobs; 0: 20"),
        Parameter("next", {"type": "string", "pattern": f"^({_AFTER})?$"}, _NEXT),
    ),
)
STATUS = Route("GET", "/jobs/{job}", "Tell how far a job is", Job, refusals=(404,))
CANCEL = Route("DELETE", "/jobs/{job}", "Cancel a job that hasn't ended", Job, refusals=(404, 409))
LOGS = Route(
    "GET",
    "/jobs/{job}/logs",
    "Return the last lines of a job's log",
    Logs,
    query=(
        Parameter(
            "phase", {"type": "string", "enum": list(PHASES), "default": "task"}, "which phase"
        ),
        Parameter("slice", _up_to(MAX_SLICES - 1), "which slice, of a job of several on AWS"),
        Parameter("limit", _up_to(MOST_LINES, DEFAULT_LINES), "how many lines; 0: 200"),
    ),
    refusals=(404,),
)
EVENTS = Route(
    "GET",
    "/jobs/{job}/events",
    "Stream a job's progress as server-sent events until it has ended",
    "text/event-stream",
    refusals=(404, 429),
    on_machines=True,
)
FILE = Route(
    "GET",
    "/jobs/{job}/{file}",
    "Return a file of a job's results, or a range of its bytes",
    "application/octet-stream",
    refusals=(404, 416),
    on_machines=True,
)
BUCKETS = Route("GET", "/buckets", "List the buckets", Buckets, on_machines=True)
OBJECTS = Route(
    "GET",
    "/buckets/{bucket}",
    "List what lies directly below a prefix of a bucket",
    Objects,
    query=(
        Parameter(
            "prefix",
            {
                "type": "string",
                "default": "",
                "maxLength": 256,
                "pattern": r"^((?!.*(^|/)\.{0,2}/)[^\x00-\x1f\x7f\\]*/)?$",
            },
            "empty, or ends in a slash",
        ),
        Parameter("limit", _up_to(MOST_OBJECTS, DEFAULT_OBJECTS), "how many objects; 0: 200"),
        Parameter("next", {"type": "string"}, _NEXT),
    ),
    refusals=(404, 502),
    on_machines=True,
)
UPLOAD = Route(
    "PUT",
    "/buckets/{bucket}/{key}",
    "Store an object, which appears whole or not at all",
    StoredObject,
    "application/octet-stream",
    query=(
        Parameter(
            "replace", {"type": "boolean", "default": False}, "whether one that is there may go"
        ),
    ),
    refusals=(404, 409, 413, 429, 502, 507),
    on_machines=True,
)

ROUTES = (SUBMIT, JOBS, STATUS, CANCEL, LOGS, EVENTS, FILE, BUCKETS, OBJECTS, UPLOAD)
"""All calls. The first that matches a path counts: a file can't be called logs or events."""

Call = Callable[[HttpRequest], msgspec.Struct]


class PageOfJobs(NamedTuple):
    """What ``GET /jobs`` asks for: how many jobs, and what they come after in the index."""

    limit: int
    after: str


class LogsAsked(NamedTuple):
    """What ``GET /jobs/{job}/logs`` asks for: the last lines of a phase, or of one slice of it."""

    phase: Phase
    slice_index: int | None
    limit: int


class PageOfObjects(NamedTuple):
    """What ``GET /buckets/{bucket}`` asks for: how many objects, where, and after which."""

    prefix: str
    limit: int
    after: str


def respond(request: HttpRequest, calls: Mapping[Route, Call]) -> HttpResponse:
    """Answer a request by the call for its route; every error becomes a problem document."""
    try:
        return _response(200, _call(request, calls)(request), JSON)
    except Exception as error:
        return refusal_of(error, request.request_id)


def refusal_of(error: Exception, request_id: str) -> HttpResponse:
    """The response that any error becomes; what nobody foresaw is logged."""
    log = logging.getLogger("fanfold")
    if isinstance(error, ApiError):
        return refuse(error.problem)
    if isinstance(error, PlanError):
        # A document of the ledger is damaged: its content is not repeated.
        log.warning("%s", error)
        return refuse(msgspec.structs.replace(problem_of(error), status=500))
    log.error("request %s failed", request_id, exc_info=error)
    return refuse(
        problem(
            "internal",
            "Something failed here",
            "the request could not be answered; send it again, and if that doesn't help, look"
            f" for request {request_id} in the log",
            500,
        )
    )


def refuse(refusal: Problem) -> HttpResponse:
    """The response that a problem document is."""
    return _response(refusal.status or 500, refusal, PROBLEM_JSON)


def parse_submit(request: HttpRequest) -> ChunkRequest:
    """The request that the body of a ``POST /chunk`` holds.

    Raises:
        ApiError: it holds none.
    """
    try:
        return _REQUEST.decode(request.body)
    except msgspec.ValidationError as error:
        raise ApiError(
            400, "bad-request", "Invalid field", f"the request can't be taken: {error}"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(
            400,
            "not-json",
            "Not JSON",
            f'the body is no JSON ({error}); send {{"bucket": "…", "key": "…"}}',
        ) from error


def parse_jobs(request: HttpRequest) -> PageOfJobs:
    """What a ``GET /jobs`` asks for.

    Raises:
        ApiError: a parameter is invalid.
    """
    limit = _number(request, "limit", MOST_JOBS) or DEFAULT_JOBS
    after = request.query.get("next", "")
    if after and not re.fullmatch(_AFTER, after, re.ASCII):
        raise invalid("next: give what the answer before calls next")
    return PageOfJobs(limit, after)


def parse_logs(request: HttpRequest) -> LogsAsked:
    """What a ``GET /jobs/{job}/logs`` asks for.

    Raises:
        ApiError: a parameter is invalid.
    """
    phase = parse_phase(request.query.get("phase", "task"))
    if phase is None:
        raise invalid(f"phase: give {', '.join(PHASES)}")
    index = _number(request, "slice", MAX_SLICES - 1)
    return LogsAsked(phase, index, _number(request, "limit", MOST_LINES) or DEFAULT_LINES)


def parse_objects(request: HttpRequest) -> PageOfObjects:
    """What a ``GET /buckets/{bucket}`` asks for.

    Raises:
        ApiError: a parameter is invalid.
    """
    prefix = request.query.get("prefix", "")
    if prefix and not prefix.endswith("/"):
        raise invalid("prefix: give one that ends in a slash, or none")
    limit = _number(request, "limit", MOST_OBJECTS) or DEFAULT_OBJECTS
    return PageOfObjects(prefix, limit, request.query.get("next", ""))


def parse_replace(request: HttpRequest) -> bool:
    """Whether an upload may replace an object.

    Raises:
        ApiError: the parameter is neither true nor false.
    """
    text = request.query.get("replace", "false")
    if text not in {"true", "false"}:
        raise invalid("replace: give true or false")
    return text == "true"


def invalid(detail: str) -> ApiError:
    """The refusal of a parameter that can't be understood."""
    return ApiError(400, "bad-request", "Invalid parameter", detail)


def no_such_job(job: str) -> ApiError:
    """The refusal of a job that isn't there."""
    return ApiError(
        404, "no-such-job", "No such job", f"{job[:80]}: no such job; GET /jobs lists them"
    )


def has_ended(job: Job) -> ApiError:
    """The refusal to cancel a job that has ended."""
    return ApiError(
        409, "has-ended", "It has ended", f"{job.job} has ended already: it is {job.state}"
    )


def _call(request: HttpRequest, calls: Mapping[Route, Call]) -> Call:
    for route, call in calls.items():
        if (route.method, route.path) == (request.method, request.route):
            return call
    raise ApiError(
        404, "no-such-path", "No such path", f"{request.method} {request.route}: no such path"
    )


def _number(request: HttpRequest, name: str, most: int) -> int | None:
    """A parameter of a query that is a number, from 0 to `most`; None where it isn't given."""
    text = request.query.get(name)
    if text is None:
        return None
    digits = text.lstrip("0")[: len(str(most)) + 1]  # Python refuses to read thousands of them
    if not text.isascii() or not text.isdigit() or int(digits or 0) > most:
        raise invalid(f"{name}: give a number, 0 to {most}")
    return int(digits or 0)


def _response(status: int, document: msgspec.Struct, media_type: str) -> HttpResponse:
    return HttpResponse(status, media_type, _ENCODER.encode(document))
