"""The OpenAPI document, and what Schemathesis finds when it attacks the server by it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from fanfold.api.openapi import openapi_document
from fanfold.api.routes import ROUTES
from web.serving import Server, serving

SCHEMATHESIS = Path(__file__).parents[2] / ".venv-schemathesis/bin/schemathesis"
ATTACK_SECONDS = 40


def test_the_document_has_every_call_and_marks_those_of_machines() -> None:
    document = openapi_document()
    found = {
        (method.upper(), path): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert found.keys() == {(route.method, route.path) for route in ROUTES}
    of_machines = {key for key, each in found.items() if each["tags"] == ["machine"]}
    assert of_machines == {(route.method, route.path) for route in ROUTES if route.on_machines}
    names = [each["operationId"] for each in found.values()]
    assert len(set(names)) == len(names)


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = openapi_document()
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    references = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert references == schemas.keys()


def test_the_server_serves_the_document(server: Server) -> None:
    assert server.ask("GET", "/openapi.json").document == json.loads(json.dumps(openapi_document()))


def test_schemathesis_finds_nothing(root: Path, tmp_path: Path) -> None:
    if not SCHEMATHESIS.exists():
        pytest.skip(f"SCHEMATHESIS DOES NOT ATTACK THE SERVER: it takes {SCHEMATHESIS}; make test")
    with serving(root, "--token", log=tmp_path / "log") as server:
        command = [
            *(str(SCHEMATHESIS), "run", f"{server.url}openapi.json"),
            *("--max-time", str(ATTACK_SECONDS)),
            *("-H", f"Authorization: Bearer {server.token}", "--checks", "all"),
            # The token is optional in the document, as it is without --token. An integer such as
            # 5.0 is one for JSON Schema, and none here. A stream has no end.
            *("--exclude-checks", "ignored_auth,positive_data_acceptance"),
            *("--exclude-path", "/jobs/{job}/events"),
        ]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "NO_PROXY": "*", "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-8000:]
        assert "test cases" in done.stdout.lower()
        assert server.ask("GET", "/buckets").status == 200, "it still answers"
    assert "Traceback" not in (tmp_path / "log").read_text()
