"""The same requests and commands get the same answers: on AWS, and of `fanfold serve`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest
from stores.driving import clean_environment
from web.serving import Server, serving

from cloud.conftest import FANFOLD
from cloud.system import Answer, System, local_results, results_in
from cloud.test_jobs import varied


class End(Protocol):
    """An end of the API, with a bucket that genomes can be put into."""

    @property
    def bucket(self) -> str: ...

    def put(self, key: str, data: bytes) -> None: ...

    def call(self, method: str, path: str, body: bytes | None = None) -> Answer: ...

    def variables(self) -> Mapping[str, str]:
        """What the command line finds in its environment."""


class OnAws(NamedTuple):
    system: System

    @property
    def bucket(self) -> str:
        return self.system.bucket

    def put(self, key: str, data: bytes) -> None:
        self.system.put(key, data)

    def call(self, method: str, path: str, body: bytes | None = None) -> Answer:
        return self.system.call(method, path, body)

    def variables(self) -> Mapping[str, str]:
        cloud = self.system.cloud
        user = cloud.user(
            f"both-{os.urandom(4).hex()}",
            {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"},
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        )
        return {**cloud.environment(user), "FANFOLD_API_URL": self.system.api_url}


class OnMachine(NamedTuple):
    server: Server
    bucket: str = "genomes"

    def put(self, key: str, data: bytes) -> None:
        path = Path(self.server.root) / self.bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def call(self, method: str, path: str, body: bytes | None = None) -> Answer:
        kind = {"Content-Type": "application/json"}
        answer = self.server.ask(method, path, body, kind)
        return Answer(answer.status, answer.headers["content-type"], answer.document)

    def variables(self) -> Mapping[str, str]:
        return {"FANFOLD_API_URL": self.server.url, "FANFOLD_TOKEN": self.server.token or ""}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("serve")
    (folder / "root/genomes").mkdir(parents=True)
    with serving(folder / "root", "--token", log=folder / "log") as started:
        yield started


@pytest.fixture(params=["aws", "machine"])
def end(request: pytest.FixtureRequest) -> End:
    if request.param == "aws":
        return OnAws(request.getfixturevalue("system"))
    return OnMachine(request.getfixturevalue("server"))


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def fanfold(end: End, tmp_path: Path) -> Command:
    """The command, with the API in its environment."""
    variables = {**clean_environment(), "HOME": str(tmp_path), **end.variables()}
    command = [str(FANFOLD)] if FANFOLD.exists() else [sys.executable, "-m", "fanfold"]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *words],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    return run


def posted(end: End, **fields: Any) -> Answer:
    body = {"bucket": end.bucket, "key": "input/x.fa", **fields}
    return end.call("POST", "/chunk", json.dumps(body).encode())


REFUSED: list[tuple[Any, int, str]] = [
    (b"", 400, "not-json|bad-request|bad-body"),
    (b"{", 400, "not-json|bad-request|bad-body"),
    (b"[]", 400, "bad-request|bad-body"),
    ({"k": [9]}, 400, "bad-request"),
    ({"k": [0, 5]}, 400, "bad-request"),
    ({"slice_bytes": 0}, 400, "bad-request"),
    ({"key": "input/../x"}, 400, "bad-request"),
    ({"key": "input//x"}, 400, "bad-request"),
    ({"key": "input/gone.fa"}, 404, "no-such-object"),
    ({"key": "input/empty.fa"}, 422, "empty-object"),
    ({"bucket": "bucket-of-nobody"}, 403, "not-allowed"),
]


@pytest.mark.parametrize(("asked", "status", "kinds"), REFUSED)
def test_a_request_is_refused_alike(asked: Any, status: int, kinds: str, end: End) -> None:
    end.put("input/empty.fa", b"")
    is_raw = isinstance(asked, bytes)

    answer = end.call("POST", "/chunk", asked) if is_raw else posted(end, **asked)

    assert answer.status == status, answer
    assert answer.kind.startswith("application/problem+json")
    assert answer.document["status"] == status
    assert answer.document["detail"]
    kind = str(answer.document["type"]).removeprefix("urn:fanfold:problem:")
    assert is_raw or re.fullmatch(kinds, kind), answer


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", f"/jobs/{'f' * 32}", 404, "no-such-job"),
        ("GET", "/jobs/x", 404, "no-such-job"),
        ("DELETE", f"/jobs/{'f' * 32}", 404, "no-such-job"),
        ("GET", f"/jobs/{'f' * 32}/logs", 404, "no-such-job"),
        ("GET", "/jobs?limit=101", 400, "bad-request"),
        ("GET", "/jobs?limit=x", 400, "bad-request"),
        ("GET", "/jobs?next=x", 400, "bad-request"),
    ],
)
def test_what_is_not_there_is_told_alike(
    method: str, path: str, status: int, kind: str, end: End
) -> None:
    answer = end.call(method, path)
    assert answer.status == status
    assert answer.document["type"] == f"urn:fanfold:problem:{kind}"


def test_a_job_goes_through_the_same_states(end: End, fanfold: Command, tmp_path: Path) -> None:
    data = varied(501)
    end.put("input/alike.fa", data)
    genome = f"s3://{end.bucket}/input/alike.fa"

    done = fanfold("submit", genome, "-k", "5", "-k", "8", "--slice-size", "1500", "--wait")

    assert done.returncode == 0, done.stderr
    assert done.stdout == "alike.fa.fanfold/master.json\n"
    (tmp_path / "local").mkdir()
    expected = local_results(tmp_path / "local", "alike.fa", data, (5, 8))
    assert results_in(tmp_path / "alike.fa.fanfold") == expected
    job = json.loads(fanfold("jobs", "--json", "--limit", "1").stdout)[0]
    assert (job["state"], job["bucket"], job["key"]) == ("SUCCEEDED", end.bucket, "input/alike.fa")
    assert (job["k"], job["attempt"], job["error"]) == ([5, 8], 1, None)
    assert job["slices"] == {"total": 5, "done": 5, "failed": 0}
    assert job["bytes"] == len(data)
    status = fanfold("status", job["job"], "--json")
    assert json.loads(status.stdout) == job
    assert "5 of 5" in fanfold("status", job["job"]).stdout
    assert fanfold("logs", job["job"], "--slice", "0").returncode == 0
    again = end.call("DELETE", f"/jobs/{job['job']}")
    assert (again.status, again.document["type"]) == (409, "urn:fanfold:problem:has-ended")
    cancelled = fanfold("cancel", job["job"])
    assert cancelled.returncode == 10
    assert "has ended already: it is SUCCEEDED" in cancelled.stderr


def test_a_genome_is_named_without_a_scheme_too(end: End, fanfold: Command) -> None:
    end.put("input/plain.fa", varied(502))
    first = fanfold("submit", f"{end.bucket}/input/plain.fa", "--slice-size", "1500")
    second = fanfold("submit", f"s3://{end.bucket}/input/plain.fa", "--slice-size", "1500")
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout


def test_a_job_that_fails_says_why_alike(end: End, fanfold: Command) -> None:
    end.put("input/notes.txt", b"these are notes, and no FASTA\n")

    failed = fanfold("submit", f"{end.bucket}/input/notes.txt", "--wait")

    assert failed.returncode == 10
    assert "notes.txt" in failed.stderr
    job = json.loads(fanfold("jobs", "--json", "--limit", "1").stdout)[0]
    assert job["state"] == "FAILED"
    assert job["error"]["type"] == "urn:fanfold:problem:input"
    assert fanfold("status", job["job"], "--wait").returncode == 10
