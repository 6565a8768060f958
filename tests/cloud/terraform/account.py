"""The account that the double's resources are made in: an emulator of AWS, or none."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import boto3
from botocore.config import Config

PARTITION = "aws"
_ASK_ONCE = Config(retries={"total_max_attempts": 1}, max_pool_connections=20)
"""An emulator that refuses does so every time."""


class Account:
    """An account in one region, reached at an endpoint; without one, it can only be planned for."""

    def __init__(self, endpoint_url: str | None, region: str) -> None:
        self.endpoint_url = endpoint_url
        self.region = region
        self.number = "123456789012"
        self._session = boto3.session.Session(region_name=region)
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        if endpoint_url is not None:
            self.number = self.client("sts").get_caller_identity()["Account"]

    def demand_endpoint(self) -> None:
        """Refuse to go on without an emulator."""
        if self.endpoint_url is None:
            raise RuntimeError("there is no emulator to apply to: this double can only plan")

    def client(self, service: str) -> Any:
        """The client of a service; one for all threads."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(
                    service,  # type: ignore[call-overload]
                    endpoint_url=self.endpoint_url,
                    config=_ASK_ONCE,
                    aws_access_key_id="test",
                    aws_secret_access_key="test",  # noqa: S106 - the emulator's
                )
            return self._clients[service]

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and region."""
        return f"arn:{PARTITION}:{service}:{self.region}:{self.number}:{resource}"

    @staticmethod
    def new_id(prefix: str) -> str:
        """An id as AWS makes them: vpc-0123456789abcdef0."""
        return f"{prefix}-{uuid.uuid4().hex[:17]}"
