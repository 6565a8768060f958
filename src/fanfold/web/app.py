"""The application: every call of the API, and the page, over HTTP."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route as WebRoute
from starlette.types import ASGIApp

from fanfold.api import routes as api
from fanfold.api.openapi import openapi_document
from fanfold.api.problems import ApiError
from fanfold.api.routes import Call, HttpRequest, parse_objects, parse_replace
from fanfold.api.types import Buckets, Objects
from fanfold.web.access import Access, Rules, problem_response
from fanfold.web.bodies import pieces
from fanfold.web.files import file_response
from fanfold.web.jobs import Service
from fanfold.web.pages import page_routes
from fanfold.web.settings import MOST_BODY_BYTES
from fanfold.web.streams import Streams
from fanfold.web.uploads import Uploads

_SECONDS_OF_A_DAY = 86_400

_ENCODER = msgspec.json.Encoder()


class _Session(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the page sends to be let in."""

    token: str


_SESSION = msgspec.json.Decoder(_Session)

_Endpoint = Callable[[Request], Awaitable[Response]]


class _App:
    """What answers requests, one method for each kind of answer."""

    def __init__(self, service: Service, allowed: Rules, is_stopping: Callable[[], bool]) -> None:
        self._service = service
        self._rules = allowed
        self._streams = Streams(service, is_stopping)
        self._uploads = Uploads(service)
        self._openapi = _ENCODER.encode(openapi_document())

    def routes(self) -> list[WebRoute]:
        """Every path, the more exact first."""
        calls: dict[api.Route, Call] = {
            api.SUBMIT: self._service.submit,
            api.JOBS: self._service.jobs,
            api.STATUS: self._service.job,
            api.CANCEL: self._service.cancel,
            api.LOGS: self._service.logs,
            api.BUCKETS: self._buckets,
            api.OBJECTS: self._objects,
        }
        others: dict[api.Route, _Endpoint] = {
            api.EVENTS: self._events,
            api.FILE: self._file,
            api.UPLOAD: self._upload,
        }
        endpoints: dict[api.Route, _Endpoint] = {
            **{route: partial(_call, route, calls) for route in calls},
            **others,
        }
        found: dict[str, dict[str, _Endpoint]] = {}
        for route in api.ROUTES:
            path = route.path
            for last in ("{file}", "{key}"):
                path = path.replace(last, f"{last[:-1]}:path}}")
            found.setdefault(path, {})[route.method] = partial(_guarded, endpoints[route])
        found["/openapi.json"] = {"GET": self._document}
        found["/session"] = {"POST": partial(_guarded, self._session)}
        calls_of_api = [
            WebRoute(path, partial(_by_method, methods), methods=[*methods])
            for path, methods in found.items()
        ]
        return [*page_routes(self._is_signed_in), *calls_of_api]

    def _is_signed_in(self, request: Request) -> bool:
        token = self._rules.token
        return token is None or token.lets_in(request.headers)

    def _buckets(self, _request: HttpRequest) -> Buckets:
        return self._service.buckets.names()

    def _objects(self, request: HttpRequest) -> Objects:
        return self._service.buckets.objects(request.path["bucket"], parse_objects(request))

    async def _events(self, request: Request) -> Response:
        job = request.path_params["job"]
        await run_in_threadpool(self._service.state, job)
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        self._streams.check_room()
        events = self._streams.follow(job, request.headers.get("last-event-id"))
        return StreamingResponse(
            events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )

    async def _file(self, request: Request) -> Response:
        names = request.path_params
        file = await run_in_threadpool(self._service.open_file, names["job"], names["file"])
        return file_response(request, file)

    async def _upload(self, request: Request) -> Response:
        names = request.path_params
        replace = parse_replace(_http_request(api.UPLOAD, request, b""))
        stored = await self._uploads.receive(
            request, names["bucket"], names["key"], replace=replace
        )
        return Response(_ENCODER.encode(stored), media_type=api.JSON)

    async def _session(self, request: Request) -> Response:
        """Exchange the token for a cookie, which no script can read and no other site sends."""
        token = self._rules.token
        try:
            given = _SESSION.decode(await _json_body(request)).token
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ApiError(
                400, "not-json", "Not JSON", 'send {"token": "…"}, as the server printed it'
            ) from error
        if token is None:
            return Response(status_code=204)
        if not token.is_same(given):
            raise ApiError(
                401,
                "wrong-token",
                "Wrong token",
                "that isn't the token: it is in the URL that the server printed when it started",
            )
        response = Response(status_code=204)
        response.set_cookie(
            token.cookie_name,
            token.cookie,
            max_age=30 * _SECONDS_OF_A_DAY,
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    async def _document(self, _request: Request) -> Response:
        return Response(self._openapi, media_type=api.JSON)


def make_app(service: Service, allowed: Rules, is_stopping: Callable[[], bool]) -> ASGIApp:
    """The application.

    Args:
        service: the jobs.
        allowed: who may send requests.
        is_stopping: whether the server ends, and so do streams.
    """
    inner = Starlette(
        routes=_App(service, allowed, is_stopping).routes(),
        exception_handlers={HTTPException: _refusal},
    )
    inner.router.redirect_slashes = False
    return Access(inner, allowed)


async def _by_method(methods: dict[str, _Endpoint], request: Request) -> Response:
    try:
        return await methods["GET" if request.method == "HEAD" else request.method](request)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it


async def _call(route: api.Route, calls: dict[api.Route, Call], request: Request) -> Response:
    """Answer a call whose answer is a document."""
    body = b"" if route.body is None else await _json_body(request)
    asked = _http_request(route, request, body)
    response = await run_in_threadpool(api.respond, asked, calls)
    return Response(response.body, response.status, media_type=response.media_type)


async def _guarded(endpoint: _Endpoint, request: Request) -> Response:
    """Answer a request, errors as problem documents."""
    try:
        return await endpoint(request)
    except ClientDisconnect:
        raise
    except Exception as error:
        response = api.refusal_of(error, _new_id())
        return Response(response.body, response.status, media_type=response.media_type)


def _new_id() -> str:
    """What the log calls a request that failed."""
    return os.urandom(4).hex()


def _http_request(route: api.Route, request: Request, body: bytes) -> HttpRequest:
    return HttpRequest(
        method=route.method,
        route=route.path,
        path=request.path_params,
        query=dict(request.query_params),
        body=body,
        base_url=f"{request.url.scheme}://{request.headers['host']}",
        request_id=_new_id(),
    )


async def _json_body(request: Request) -> bytes:
    """The body of a request that has to be JSON.

    Raises:
        ApiError: it is said to be something else, or too large.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiError(
            415,
            "unsupported-media-type",
            "Unsupported media type",
            "send the header Content-Type: application/json, and a body of JSON",
        )
    body = bytearray()
    async for data in pieces(request, MOST_BODY_BYTES):
        body += data
    return bytes(body)


async def _refusal(_request: Request, error: Exception) -> Response:
    """What the framework refuses, as a problem document."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = (error.headers or {}) if isinstance(error, HTTPException) else {}
    kinds = {
        404: ("no-such-path", "No such path", "there is no such path; GET /openapi.json lists all"),
        405: (
            "no-such-method",
            "No such method",
            f"the path takes {headers.get('Allow', 'another method')} alone",
        ),
    }
    kind, title, detail = kinds.get(status, ("bad-request", "Bad request", "it can't be read"))
    response = problem_response(ApiError(status, kind, title, detail))
    response.headers.update(headers)
    return response
