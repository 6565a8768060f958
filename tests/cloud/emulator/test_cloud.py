"""The emulator itself: what it needs, and that what it lacks is said aloud."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from servers.process import ServerUnavailableError

from cloud.emulator.cloud import LAMBDA_PYTHON_VARIABLE, Cloud, lambda_python


def test_a_missing_interpreter_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(LAMBDA_PYTHON_VARIABLE, str(tmp_path / "bin/python"))
    with pytest.raises(ServerUnavailableError, match="pip install ministack=="):
        lambda_python()


def test_an_interpreter_that_lacks_what_it_needs_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = Path(sys.base_prefix) / "bin" / Path(sys.executable).resolve().name
    monkeypatch.setenv(LAMBDA_PYTHON_VARIABLE, str(base))
    with pytest.raises(ServerUnavailableError, match="lacks ministack"):
        lambda_python()


HOLDS_A_CLOUD = """
import pathlib, sys
from cloud.emulator.cloud import Cloud

with Cloud(pathlib.Path(sys.argv[1])) as cloud:
    print(cloud.endpoint_url, flush=True)
    sys.stdin.read()
"""


def test_the_emulator_ends_with_a_process_that_was_killed(
    cloud: Cloud, tmp_path: Path, eventually: Callable[[Callable[[], object]], None]
) -> None:
    tests = Path(__file__).parents[2]
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS_A_CLOUD, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(tests)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        port = int(holder.stdout.readline().rpartition(":")[2])
        assert listens(port)
        holder.kill()
    eventually(lambda: not listens(port))
    assert cloud.client("sts").get_caller_identity()["Account"] == cloud.account


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_the_clouds_environment_and_clients_are_roots(cloud: Cloud) -> None:
    assert cloud.environment()["AWS_ENDPOINT_URL"] == cloud.endpoint_url
    caller = cloud.client("sts").get_caller_identity()
    assert (caller["Account"], caller["Arn"]) == (
        cloud.account,
        f"arn:aws:iam::{cloud.account}:root",
    )


def test_an_environment_may_be_a_users(cloud: Cloud, name: str) -> None:
    user = cloud.user(name)
    environment = cloud.environment(user)
    assert environment["AWS_ACCESS_KEY_ID"] == user["AccessKeyId"]
    arn = cloud.client("sts", user).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:iam::{cloud.account}:user/{name}"
