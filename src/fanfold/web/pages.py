"""The pages of ``fanfold serve``, and the files that they load.

A page holds no data: its script asks the API, which refuses whoever has no token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jinja2
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from fanfold.api.types import is_job
from fanfold.params import DEFAULT_K, DEFAULT_SLICE_BYTES

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a page may load and do: nothing but what this server has."""

_HERE = Path(__file__).parent
_REPORT_ASSETS = _HERE.parent / "report" / "page" / "assets"

_ASSETS = {
    "page.css": (_REPORT_ASSETS, "text/css"),
    "serve.css": (_HERE / "assets", "text/css"),
    "serve.js": (_HERE / "assets", "text/javascript"),
}
"""What pages load: the folder of each file, and its media type. The report's style is theirs."""

_MIB = 1024 * 1024
_K_CHOICES = range(1, 9)

IsSignedIn = Callable[[Request], bool]


class _Asset(NamedTuple):
    content: bytes
    media_type: str
    etag: str


def page_routes(is_signed_in: IsSignedIn) -> list[Route]:
    """The routes of the pages and of what they load.

    Args:
        is_signed_in: whether a request may use the API. Without, a page asks for the token.
    """
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def page(request: Request, template: str, status: int = 200, **values: object) -> Response:
        text = templates.get_template(template).render(
            signed_in=is_signed_in(request),
            base_url=f"{request.url.scheme}://{request.url.netloc}",
            **values,
        )
        headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-store"}
        return HTMLResponse(text, status, headers)

    def start(request: Request) -> Response:
        return page(
            request,
            "start.html",
            k_choices=_K_CHOICES,
            default_k=DEFAULT_K,
            default_slice_mib=DEFAULT_SLICE_BYTES // _MIB,
        )

    def watch(request: Request) -> Response:
        job = request.path_params["job"]
        if not is_job(job):
            return page(request, "no_such_job.html", 404)
        return page(request, "watch.html", job=job)

    return [
        Route("/", start),
        Route("/watch/{job}", watch),
        Route("/assets/{name}", _answer_asset),
    ]


def _answer_asset(request: Request) -> Response:
    """A file that pages load. Its ETag spares sending it again."""
    name = request.path_params["name"]
    if name not in _ASSETS:
        raise HTTPException(404)
    asset = _asset(name)
    headers = {"Cache-Control": "no-cache", "ETag": asset.etag}
    if request.headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)


@cache
def _asset(name: str) -> _Asset:
    folder, media_type = _ASSETS[name]
    content = (folder / name).read_bytes()
    return _Asset(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
