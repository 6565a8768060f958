"""boto3 clients of the emulator; made one at a time, for a session's threads may not make them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config

ROOT_KEY = ROOT_SECRET = "test"  # noqa: S105 - the emulator's
_FUNCTION_SECONDS_MOST = 900


class Clients:
    """Clients of one endpoint in one region: root's, or those of credentials from STS."""

    def __init__(self, endpoint_url: str, region: str) -> None:
        self.endpoint_url = endpoint_url
        self.region = region
        self._session = boto3.session.Session(region_name=region)
        self._lock = threading.Lock()
        self._of_root: dict[str, Any] = {}
        # A call that is repeated would be two calls for whoever counts them.
        self._config = Config(
            retries={"total_max_attempts": 1},
            connect_timeout=10,
            read_timeout=_FUNCTION_SECONDS_MOST,
            max_pool_connections=32,
        )

    def make(self, service: str, credentials: Mapping[str, str] | None = None) -> Any:
        """A client; the credentials are those of an answer of STS or IAM, else root's."""
        with self._lock:
            if credentials is not None:
                return self._make(
                    service,
                    credentials["AccessKeyId"],
                    credentials["SecretAccessKey"],
                    credentials.get("SessionToken"),
                )
            if service not in self._of_root:
                self._of_root[service] = self._make(service, ROOT_KEY, ROOT_SECRET, None)
            return self._of_root[service]

    def _make(self, service: str, key: str, secret: str, token: str | None) -> Any:
        return self._session.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint_url,
            config=self._config,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )
