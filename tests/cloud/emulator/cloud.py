"""AWS on loopback, whole: MiniStack in a process of its own, and the Batch double beside it.

    with Cloud(folder) as cloud:
        cloud.client("s3").create_bucket(...)
        cloud.batch.images["*"] = Image(["fanfold"])

Functions run on the Python of `.venv-lambda`, which has MiniStack and boto3 and nothing else. They
see the emulator's AWS_ENDPOINT_URL, their own role's session and AWS_REGION. That Python runs them
whatever their runtime and architecture say, and their memory, payload and disk aren't limited.

IAM is enforced for roles and users, and their signatures are verified. Root's keys ("test") may do
anything, with any signature. Not looked at: a function's resource policy, and what Lambda and
EventBridge do for a role (read a queue, send to one, write a function's log).

Not there: EventBridge's own retries and dead letters, for it always reaches its target; a second
delivery of an asynchronous call; endpoints and security groups; the least size of a part of an
upload. Objects live in the emulator's memory.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from servers.process import ServerUnavailableError, server_process

from cloud.emulator.batch import BatchDouble
from cloud.emulator.clients import ROOT_KEY, ROOT_SECRET, Clients

ACCOUNT = "111122223333"
REGION = "eu-west-1"
MINISTACK = "1.5.33"
CONCURRENCY = 10
"""How many functions run at once: what a new account may."""
LAMBDA_PYTHON_VARIABLE = "FANFOLD_LAMBDA_PYTHON"
_LAMBDA_PYTHON = Path(__file__).parents[3] / ".venv-lambda/bin/python"
_SERVICES = (
    "apigateway",
    "batch",
    "ec2",
    "ecr",
    "events",
    "iam",
    "kms",
    "lambda",
    "logs",
    "monitoring",
    "s3",
    "sns",
    "sqs",
    "sts",
)


class Cloud:
    """An account of AWS in one region, from `__enter__` to `__exit__`."""

    def __init__(self, folder: Path, *, schedule_speed: float = 1) -> None:
        """Keep everything it writes in a folder.

        Args:
            folder: its own.
            schedule_speed: scheduled rules run this many times faster than they say.
        """
        self.account = ACCOUNT
        self.region = REGION
        self.batch = BatchDouble(folder / "batch", ACCOUNT, REGION)
        self.endpoint_url = ""
        self.log = folder / "aws/server.log"
        self._folder = folder
        self._schedule_speed = schedule_speed
        self._stack = ExitStack()
        self._clients: Clients

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.batch)
            self.endpoint_url = stack.enter_context(self._emulator())
            self._clients = Clients(self.endpoint_url, self.region)
            self._clients.make("sts").get_caller_identity()
            stack.enter_context(self.batch.connected(self._clients))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def client(self, service: str, credentials: Mapping[str, str] | None = None) -> Any:
        """A boto3 client, of root or of credentials as STS and IAM give them."""
        return self._clients.make(service, credentials)

    def session_for(self, role_arn: str, service: str) -> Any:
        """A client that has a role's permissions."""
        answer = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")
        return self.client(service, answer["Credentials"])

    def user(self, name: str, *statements: Mapping[str, Any]) -> dict[str, str]:
        """A new user with an access key, whose signatures are verified; its key."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        policy = {"Version": "2012-10-17", "Statement": list(statements)}
        if statements:
            iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=json.dumps(policy))
        key: dict[str, str] = iam.create_access_key(UserName=name)["AccessKey"]
        return key

    def environment(self, credentials: Mapping[str, str] | None = None) -> dict[str, str]:
        """The variables by which a program finds this AWS, as root or with given credentials."""
        keys = credentials or {"AccessKeyId": ROOT_KEY, "SecretAccessKey": ROOT_SECRET}
        environment = {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        }
        if "SessionToken" in keys:
            environment["AWS_SESSION_TOKEN"] = keys["SessionToken"]
        return environment

    def stage_url(self, api: str, stage: str = "prod") -> str:
        """Where a stage of a REST API answers; in AWS the API's id is a part of the host's name."""
        return f"{self.endpoint_url}/_aws/execute-api/{api}/{stage}"

    @contextmanager
    def _emulator(self) -> Iterator[str]:
        python = lambda_python()
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
            port = listening.getsockname()[1]
            url = f"http://127.0.0.1:{port}"
            environment = {
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(port),
                "MINISTACK_HOST": "127.0.0.1",
                "MINISTACK_ACCOUNT_ID": self.account,
                "MINISTACK_REGION": self.region,
                "AWS_ENDPOINT_URL": url,
                "AUTH": "true",
                "SERVICES": ",".join(_SERVICES),
                "SFTP_ENABLED": "0",
                "IOT_MTLS_ENABLED": "0",
                "LAMBDA_ACCOUNT_CONCURRENCY": str(CONCURRENCY),
                "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.2",
                "LOG_LEVEL": "WARNING",
                "BATCH_DOUBLE": self.batch.url,
                "SCHEDULE_SPEED": str(self._schedule_speed),
            }
            program = Path(__file__).with_name("emulator_process.py")
            # -P: the program's folder has modules with the names of others.
            command: list[str | Path] = [python, "-P", program, str(listening.fileno())]
            folder = self._folder / "aws"
            with server_process(command, folder, environment, pass_fds=[listening.fileno()]):
                listening.close()
                yield url


def lambda_python() -> Path:
    """The interpreter that runs MiniStack and the functions.

    Raises:
        ServerUnavailableError: it isn't there, or hasn't what it must.
    """
    named = os.environ.get(LAMBDA_PYTHON_VARIABLE)
    python = Path(named) if named else _LAMBDA_PYTHON
    remedy = (
        f"python3.13 -m venv {python.parent.parent.name} && "
        f"{python.parent.parent.name}/bin/pip install ministack=={MINISTACK} boto3"
    )
    if not python.exists():
        raise ServerUnavailableError(f"{python} is needed to run the functions: {remedy}")
    question = "from importlib.metadata import version as v; import boto3; print(v('ministack'))"
    asked = subprocess.run(
        [python, "-c", question], capture_output=True, text=True, timeout=60, check=False
    )
    if asked.stdout.strip() != MINISTACK:
        found = asked.stdout.strip() or asked.stderr.strip()[-200:]
        raise ServerUnavailableError(f"{python} lacks ministack {MINISTACK} ({found}): {remedy}")
    return python
