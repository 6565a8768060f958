"""The deployed system, as its users and its operators see it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import fanfold
from cloud.emulator.cloud import Cloud
from fanfold.report.run_record import MULTIQC
from fanfold.report.view import DEFAULT_VIEW, View

WAIT_SECONDS = 180
ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}
OF_ONE_RUN = {"plan.json", "run.json", "request.json", "cost.json"}

Json = dict[str, Any]


class Answer(NamedTuple):
    """What the API answered."""

    status: int
    kind: str
    document: Json


@dataclass(frozen=True)
class System:
    """What Terraform made of an account, and a user who may call its API."""

    cloud: Cloud
    outputs: Mapping[str, Any]
    user: Mapping[str, str]
    name: str

    @property
    def bucket(self) -> str:
        return str(self.outputs["bucket"])

    @property
    def api_url(self) -> str:
        return str(self.outputs["api_url"])

    # --- as a user ---------------------------------------------------------------------------

    def put(self, key: str, data: bytes) -> None:
        self.cloud.client("s3").put_object(Bucket=self.bucket, Key=key, Body=data)

    def call(
        self, method: str, path: str, body: bytes | None = None, *, signed: bool = True
    ) -> Answer:
        """Call the API, as the user or without a signature.

        A new account runs few functions at a time, and Lambda refuses more. So a call is made
        again then, as clients do.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while is_throttled(answer := self._call_once(method, path, body, signed=signed)):
            assert time.monotonic() < deadline, answer
            time.sleep(0.5)
        return answer

    def _call_once(self, method: str, path: str, body: bytes | None, *, signed: bool) -> Answer:
        url = f"{self.api_url}{path}"
        headers = {"Content-Type": "application/json"}
        if signed:
            request = AWSRequest(method, url, data=body, headers=headers)
            keys = Credentials(self.user["AccessKeyId"], self.user["SecretAccessKey"])
            SigV4Auth(keys, "execute-api", self.cloud.region).add_auth(request)
            headers = dict(request.headers)
        parts = urlsplit(url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        try:
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        kind = response.headers.get("Content-Type", "")
        return Answer(response.status, kind, json.loads(content or b"{}"))

    def post(self, key: str, **fields: object) -> Answer:
        """Post a genome of the project's own bucket, or what the fields say instead."""
        body = {"bucket": self.bucket, "key": key} | fields
        return self.call("POST", "/chunk", json.dumps(body).encode())

    def start(self, key: str, data: bytes | None = None, **fields: object) -> str:
        """Put a genome and post it; the job."""
        if data is not None:
            self.put(key, data)
        answer = self.post(key, **fields)
        assert answer.status == 200, answer
        return str(answer.document["job"])

    def job(self, job: str) -> Json:
        """What the API says of a job."""
        answer = self.call("GET", f"/jobs/{job}")
        assert answer.status == 200, answer
        return answer.document

    def wait(self, job: str, seconds: float = WAIT_SECONDS, state: str | None = None) -> Json:
        """What the API says of a job once it has ended, or has come to a state."""
        deadline = time.monotonic() + seconds
        while (told := self.job(job))["state"] not in ({state} if state else ENDED):
            assert time.monotonic() < deadline, told
            time.sleep(0.1)
        return told

    def succeed(self, job: str) -> dict[str, bytes]:
        """The results of a job that must succeed."""
        told = self.wait(job)
        assert told["state"] == "SUCCEEDED", told
        assert told["slices"]["done"] == told["slices"]["total"]
        deadline = time.monotonic() + WAIT_SECONDS
        while self.keys(f"jobs/open/{job}"):  # what comes after the report is not done yet
            assert time.monotonic() < deadline, "it is not closed"
            time.sleep(0.05)
        return self.results(job)

    def fail(self, job: str, word: str) -> Json:
        """The error of a job that must fail, and say so with a word."""
        told = self.wait(job)
        assert told["state"] == "FAILED", told
        assert word in json.dumps(told["error"]), told
        assert "master.json" not in self.results(job)
        error: Json = told["error"]
        return error

    def results(self, job: str) -> dict[str, bytes]:
        """The files of a job's results that must not depend on how it ran."""
        prefix = f"results/{job}/"
        names = [key.removeprefix(prefix) for key in self.keys(prefix)]
        return {name: self.get(prefix + name) for name in names if is_result(name)}

    # --- as an operator ----------------------------------------------------------------------

    def get(self, key: str) -> bytes:
        body = self.cloud.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"]
        return bytes(body.read())

    def keys(self, prefix: str) -> list[str]:
        pages = self.cloud.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.bucket, Prefix=prefix)
        return [each["Key"] for page in found for each in page.get("Contents", [])]

    def function(self, role: str) -> str:
        """The name of a function."""
        return f"{self.name}-{role}"

    def invoke(self, role: str, payload: Json) -> Json:
        """Run a function, and wait for it; its answer."""
        answer = self.cloud.client("lambda").invoke(
            FunctionName=self.function(role), Payload=json.dumps(payload).encode()
        )
        told: Json = json.loads(answer["Payload"].read() or b"null")
        assert "FunctionError" not in answer, told
        return told

    def sweep(self) -> None:
        """Let the sweep look, as if what it finds were old."""
        self.invoke("sweep", {"grace_seconds": 0})

    def batch_jobs(self, job: str, phase: str = "*") -> list[Json]:
        """Batch's jobs for a job, the oldest first."""
        return self.cloud.batch.jobs(f"{job}-{phase}-*")


def is_throttled(answer: Answer) -> bool:
    """Whether it is Lambda that refused, which has no room for a function, and not the API."""
    return answer.status == 429 and answer.document.get("__type") == "TooManyRequestsException"


def is_result(name: str) -> bool:
    """Whether a file must not depend on how a job ran."""
    return name.startswith(f"{MULTIQC}/") or ("/" not in name and name not in OF_ONE_RUN)


def results_in(folder: Path) -> dict[str, bytes]:
    """The files in a folder that must not depend on how it was made."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if path.is_file() and is_result(name)
    }


def local_results(
    folder: Path, name: str, data: bytes, k: tuple[int, ...], view: View = DEFAULT_VIEW
) -> dict[str, bytes]:
    """What a run on this machine makes of the same bytes."""
    (folder / name).write_bytes(data)
    return results_in(fanfold.run(folder / name, k, out=folder / f"{name}.out", view=view).out)
