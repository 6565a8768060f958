"""S3 on loopback: MiniStack, a process of its own, with nothing but S3.

It differs from S3 in what it doesn't check: signatures and credentials. Objects live in its memory.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from importlib import metadata
from pathlib import Path
from urllib.parse import quote, unquote_plus, urlencode, urlsplit

from servers.process import ServerUnavailableError, server_process

MINISTACK = "1.5.33"
KEYS_A_PAGE = 1000


class RefusedError(Exception):
    """The server answered a test's own request with an error."""


@dataclass(frozen=True)
class S3Server:
    """What a test does to the server behind the back of the code under test.

    It speaks plain HTTP, so that a key is just the bytes given, and no client has its own mind.
    """

    endpoint_url: str
    region: str = "us-east-1"

    def environment(self, endpoint_url: str | None = None) -> dict[str, str]:
        """The variables by which a client finds the server, or a proxy before it."""
        return {
            "AWS_ENDPOINT_URL": endpoint_url or self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
        }

    def create_bucket(self, bucket: str) -> None:
        self._ask("PUT", f"/{bucket}")

    def put(
        self, bucket: str, key: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> str:
        """Store an object; its ETag. A header may carry its checksum: x-amz-checksum-crc64nvme."""
        answered, _ = self._ask("PUT", _path(bucket, key), body=body, headers=headers)
        return answered["etag"]

    def get(self, bucket: str, key: str) -> bytes:
        return self._ask("GET", _path(bucket, key))[1]

    def head(self, bucket: str, key: str) -> dict[str, str]:
        """The headers of an object, stored checksums among them, by names in lower case."""
        return self._ask("HEAD", _path(bucket, key), headers={"x-amz-checksum-mode": "ENABLED"})[0]

    def delete(self, bucket: str, key: str) -> None:
        self._ask("DELETE", _path(bucket, key))

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """The keys of a bucket that begin with the prefix, sorted."""
        keys: list[str] = []
        while True:
            query = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
            if keys:
                query["start-after"] = keys[-1]
            _, body = self._ask("GET", f"/{bucket}?{urlencode(query)}")
            page = [unquote_plus(key) for key in re.findall(r"<Key>(.*?)</Key>", body.decode())]
            keys += page
            if len(page) < KEYS_A_PAGE:
                return keys

    def pending_uploads(self, bucket: str) -> list[str]:
        """The keys of multipart uploads that were neither completed nor aborted."""
        _, body = self._ask("GET", f"/{bucket}?uploads")
        return re.findall(r"<Upload>.*?<Key>(.*?)</Key>", body.decode(), re.DOTALL)

    def _ask(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[dict[str, str], bytes]:
        parts = urlsplit(self.endpoint_url)
        assert parts.hostname is not None
        connection = HTTPConnection(parts.hostname, parts.port, timeout=60)
        try:
            connection.request(method, target, body, dict(headers or {}))
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise RefusedError(f"{method} {target}: {response.status} {content.decode()}")
        return {name.lower(): value for name, value in response.headers.items()}, content


def _path(bucket: str, key: str) -> str:
    # A dot segment would be an instruction to whoever reads the path, not a part of the key.
    return f"/{bucket}/" + quote(key, safe="/").replace("/../", "/%2E%2E/").replace("/./", "/%2E/")


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Start S3 and wait until it answers; what it writes besides is in the folder."""
    with ministack(folder) as endpoint_url:
        yield S3Server(endpoint_url)


@contextmanager
def ministack(folder: Path) -> Iterator[str]:
    """Start MiniStack with nothing but S3; yields its URL once it answers."""
    _demand_ministack()
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        port = listening.getsockname()[1]
        environment = {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": "127.0.0.1",
            "SERVICES": "s3",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
        }
        program = Path(__file__).with_name("ministack_process.py")
        # -P: the program's folder has modules with the names of others.
        command: list[str | Path] = [sys.executable, "-P", program, str(listening.fileno())]
        with server_process(command, folder, environment, pass_fds=[listening.fileno()]):
            listening.close()
            url = f"http://127.0.0.1:{port}"
            S3Server(url)._ask("GET", "/_ministack/health")  # noqa: SLF001
            yield url


def _demand_ministack() -> None:
    try:
        found = metadata.version("ministack")
    except metadata.PackageNotFoundError:
        found = "none"
    if found != MINISTACK:
        raise ServerUnavailableError(
            f"ministack {MINISTACK} is needed, {found} is installed: "
            f"pip install ministack=={MINISTACK}"
        )
