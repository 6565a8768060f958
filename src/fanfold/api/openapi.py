"""The OpenAPI document (OpenAPI 3.1), made of the routes and of the types that they take."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec

from fanfold._kernel import VERSION
from fanfold.api.routes import JSON, PROBLEM_JSON, ROUTES, Route
from fanfold.api.types import ChunkRequest, Problem
from fanfold.params import SMALL_K

_REFERENCES = "#/components/schemas/{name}"
_NAME_IN_PATH = re.compile(r"\{(\w+)\}")

_KEY: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 256,
    # No part is empty, "." or ".."; no control character, no backslash.
    "pattern": r"^(?!.*(^|/)\.{0,2}(/|$))[^\x00-\x1f\x7f\\]+$",
}

_IN_PATH: dict[str, dict[str, Any]] = {
    "job": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "bucket": {"type": "string", "minLength": 1},
    "key": _KEY,
    "file": {"type": "string", "minLength": 1},
}

_BOUNDS: dict[str, dict[str, Any]] = {
    "key": _KEY,
    "k": {"items": {"type": "integer", "minimum": 1, "maximum": SMALL_K}},
    "slice_bytes": {"minimum": 1},
}
"""What the types of a request's fields don't say."""

_ALWAYS = (400, 401, 403, 421, 500)
"""What any call may be refused with."""


def openapi_document() -> dict[str, Any]:
    """The document that describes all calls. Those that AWS doesn't have are tagged `machine`."""
    types = {Problem, *(each for route in ROUTES for each in (route.answer, route.body))}
    structs = [each for each in types if isinstance(each, type)]
    structs.sort(key=lambda each: each.__name__)
    _, schemas = msgspec.json.schema_components(structs, ref_template=_REFERENCES)
    fields = schemas[ChunkRequest.__name__]["properties"]
    for name, bounds in _BOUNDS.items():
        fields[name] |= bounds
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fanfold",
            "version": VERSION,
            "description": "Exact composition, assembly and k-mer statistics of genomes.",
        },
        "tags": [
            {"name": "jobs", "description": "What every end answers."},
            {"name": "machine", "description": "What ends that run on a machine answer besides."},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _operation(route: Route) -> dict[str, Any]:
    words = _NAME_IN_PATH.sub("", route.path).strip("/").replace("/", " ").split()
    operation: dict[str, Any] = {
        "operationId": "_".join([route.method.lower(), *words, *_NAME_IN_PATH.findall(route.path)]),
        "summary": route.summary,
        "tags": ["machine" if route.on_machines else "jobs"],
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": _IN_PATH[name]}
                for name in _NAME_IN_PATH.findall(route.path)
            ),
            *(
                {
                    "name": each.name,
                    "in": "query",
                    "required": False,
                    "schema": each.schema,
                    "description": each.meaning,
                }
                for each in route.query
            ),
        ],
        "responses": _responses(route),
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.body)}
    return operation


def _responses(route: Route) -> dict[str, Any]:
    refused = {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "content": _content(Problem, PROBLEM_JSON),
        }
        for status in sorted({*_ALWAYS, *route.refusals})
    }
    answered: dict[str, Any] = {"200": {"description": "OK", "content": _content(route.answer)}}
    if 416 in route.refusals:
        answered["206"] = {"description": "A range", "content": _content(route.answer)}
        answered["304"] = {"description": "Not modified"}
    if route.body is not None:
        refused["408"] = {
            "description": "Request Timeout",
            "content": _content(Problem, PROBLEM_JSON),
        }
    return {**answered, **refused}


def _content(body: type[msgspec.Struct] | str, media_type: str = JSON) -> dict[str, Any]:
    if isinstance(body, str):
        schema = {"type": "string"} if body.startswith("text/") else {}
        return {"*/*" if body == "application/octet-stream" else body: {"schema": schema}}
    return {media_type: {"schema": {"$ref": _REFERENCES.format(name=body.__name__)}}}
