"""A server as a user starts it: a process on a free port, over a folder of its own."""

from __future__ import annotations

import bz2
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DATA = Path(__file__).parents[1] / "data"
ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Answer:
    """An answer to a request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The kind of a problem document."""
        assert self.headers["content-type"] == "application/problem+json", self
        document = self.document
        assert document["status"] == self.status
        assert document["title"]
        assert document["detail"]
        return str(document["type"]).removeprefix("urn:fanfold:problem:")


@dataclass
class Server:
    """A server that runs."""

    process: subprocess.Popen[str]
    root: str
    url: str
    log: Path
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to a request, with the token if there is one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def post(self, asked: Any) -> Answer:
        body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
        return self.ask("POST", "/chunk", body, {"Content-Type": "application/json"})

    def start_job(self, bucket: str, key: str, **options: Any) -> str:
        answer = self.post({"bucket": bucket, "key": key, **options})
        assert answer.status == 200, answer
        return str(answer.document["job"])

    def wait_for(self, job: str, *states: str) -> Any:
        """The job, once it is in one of these states; any in which it has ended by default."""
        wanted = set(states) or ENDED
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = self.ask("GET", f"/jobs/{job}").document
            if found["state"] in wanted:
                return found
            assert found["state"] not in ENDED, found
            assert time.monotonic() < end, found
            time.sleep(0.05)

    def workers(self) -> set[int]:
        """The processes of jobs that this server started."""
        found = set()
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid and fields[0] != "Z":
                found.add(int(path.parent.name))
        return found

    def stop(self, sent: int = signal.SIGTERM) -> int:
        self.process.send_signal(sent)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def serving(
    root: Path | str, *options: str, log: Path, variables: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A server over a root; it is ended at the end, if it has not ended by then."""
    command = [sys.executable, "-m", "fanfold", "serve", "--root", str(root), "--port", "0"]
    environment = {**os.environ, **(variables or {})}
    with log.open("a") as errors:
        process = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
    try:
        assert process.stdout is not None
        url, _, token = process.stdout.readline().strip().partition("#token=")
        assert url, log.read_text()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        yield Server(process, str(root), url, log, token or None, headers)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def write_slow(path: Path, streams: int = 20) -> Path:
    """A genome of one record in bzip2, small on the disk, which takes seconds to inflate.

    Each stream holds 8 MB of text, and all but the first are the same.
    """
    line = ("ACGTTGCAACGGTTAACCGGATATCGCGTA" * 2) + "\n"
    stream = bz2.compress(line.encode() * (8_000_000 // len(line)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bz2.compress(b">drawn\n") + stream * streams)
    return path
