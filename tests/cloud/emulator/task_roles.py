"""The roles of a task: ECS assumes them, and gives the job role's credentials to the container.

ECS's own rule is kept here: the role must trust ecs-tasks.amazonaws.com. MiniStack lets root assume
whatever a service may.
"""

from __future__ import annotations

import json
import secrets
import threading
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError as AwsError

from cloud.emulator.batch_model import Json
from cloud.emulator.clients import Clients

ECS_TASKS = "ecs-tasks.amazonaws.com"
PATH = "/credentials/"


class RoleRefusedError(Exception):
    """ECS can't assume the role."""


class TaskRoles:
    """What ECS knows of roles: whom it may act for, and which container may ask for which."""

    def __init__(self, clients: Clients, url: str) -> None:
        self._clients = clients
        self._url = url
        self._iam = clients.make("iam")
        self._sts = clients.make("sts")
        self._offers: dict[str, tuple[str, str]] = {}
        self._role_clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str, role_arn: str) -> Any:
        """A client with the credentials of a role; they last an hour, longer than the tests."""
        self._check_trust(role_arn)
        with self._lock:
            if (service, role_arn) not in self._role_clients:
                self._role_clients[service, role_arn] = self._clients.make(
                    service, self._assume(role_arn)
                )
            return self._role_clients[service, role_arn]

    def offer(self, role_arn: str, token: str) -> str:
        """The URL at which whoever has the token gets the role's credentials."""
        self._check_trust(role_arn)
        name = secrets.token_urlsafe()
        with self._lock:
            self._offers[name] = token, role_arn
        return f"{self._url}{PATH}{name}"

    def answer(self, path: str, authorization: str | None) -> tuple[int, Json]:
        """The answer to a container that asks for its credentials."""
        with self._lock:
            token, role_arn = self._offers.get(path.removeprefix(PATH), ("", ""))
        if not role_arn:
            return 404, {"message": "no such task"}
        if authorization is None or not secrets.compare_digest(authorization, token):
            return 401, {"message": "the authorization token is wrong"}
        keys = self._assume(role_arn)
        expiration: datetime = keys["Expiration"]
        return 200, {
            "RoleArn": role_arn,
            "AccessKeyId": keys["AccessKeyId"],
            "SecretAccessKey": keys["SecretAccessKey"],
            "Token": keys["SessionToken"],
            "Expiration": expiration.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _assume(self, role_arn: str) -> Json:
        keys: Json = self._sts.assume_role(RoleArn=role_arn, RoleSessionName=secrets.token_hex(16))[
            "Credentials"
        ]
        return keys

    def _check_trust(self, role_arn: str) -> None:
        try:
            role = self._iam.get_role(RoleName=role_arn.rpartition("/")[2])["Role"]
        except AwsError as error:
            raise RoleRefusedError(f"ECS was unable to assume the role {role_arn}") from error
        trust = role["AssumeRolePolicyDocument"]
        if isinstance(trust, str):
            trust = json.loads(unquote(trust))
        if ECS_TASKS not in json.dumps(trust["Statement"]):
            raise RoleRefusedError(
                f"ECS was unable to assume the role {role_arn}: it doesn't trust {ECS_TASKS}"
            )
