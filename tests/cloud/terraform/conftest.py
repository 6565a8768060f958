from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from servers.process import ServerUnavailableError

from cloud.emulator.cloud import Cloud
from cloud.terraform.workspace import (
    TerraformUnavailableError,
    TerraformWorkspace,
    find_terraform,
)

FUNCTIONS = ("aggregator", "chunker", "failures", "starter", "status", "sweep")
LOG_ROLE = "arn:aws:iam::111122223333:role/others"
"""The role by which API Gateway writes logs: the account's, whatever is deployed."""

STAND_IN = """
import json, os
def handler(event, context):
    answer = {"function": NAME, "bucket": os.environ["FANFOLD_BUCKET"]}
    return {"statusCode": 200, "body": json.dumps(answer)}
"""


@dataclass
class Applied:
    """The configuration, applied to an account."""

    cloud: Cloud
    workspace: TerraformWorkspace
    variables: dict[str, Any]
    outputs: dict[str, Any]


@pytest.fixture(scope="session")
def functions_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Zips that stand in for the functions: each says its name."""
    folder = tmp_path_factory.mktemp("functions")
    for name in FUNCTIONS:
        make_stand_in(folder, name)
    return folder


def make_stand_in(folder: Path, name: str, comment: str = "") -> None:
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as zipped:
        zipped.writestr("fanfold/__init__.py", "")
        zipped.writestr("fanfold/aws/__init__.py", "")
        zipped.writestr(f"fanfold/aws/{name}.py", f"NAME = {name!r}\n{STAND_IN}# {comment}\n")


@pytest.fixture(scope="session")
def variables(functions_dir: Path) -> dict[str, Any]:
    """The least that must be said."""
    return {
        "image": f"registry.example/fanfold@sha256:{'0' * 64}",
        "functions_dir": str(functions_dir),
    }


@pytest.fixture(scope="session")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TerraformWorkspace]:
    """A workspace without an account."""
    try:
        with TerraformWorkspace(tmp_path_factory.mktemp("planner")) as workspace:
            workspace.init()
            yield workspace
    except TerraformUnavailableError as error:
        pytest.skip(f"THE TERRAFORM CONFIGURATION IS NOT TESTED: {error}")


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    try:
        find_terraform()
        with Cloud(tmp_path_factory.mktemp("account")) as cloud:
            operation = {"op": "replace", "path": "/cloudwatchRoleArn", "value": LOG_ROLE}
            cloud.client("apigateway").update_account(patchOperations=[operation])
            yield cloud
    except (ServerUnavailableError, TerraformUnavailableError) as error:
        pytest.skip(f"THE TERRAFORM CONFIGURATION IS NOT APPLIED: {error}")


@pytest.fixture(scope="session")
def applied(
    account: Cloud, variables: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Applied]:
    """The configuration, applied. A test that changes it applies these variables at its end."""
    folder = tmp_path_factory.mktemp("applied")
    sources = [{"bucket": "genomes", "prefix": "refseq/"}]
    chosen = variables | {
        "alarm_topic_arn": topic(account),
        "api_logs": True,
        "network": "private",
        "source_buckets": sources,
    }
    try:
        with TerraformWorkspace(folder, account.endpoint_url, account.region) as workspace:
            workspace.init()
            yield Applied(account, workspace, chosen, workspace.apply(chosen))
    except TerraformUnavailableError as error:
        pytest.skip(f"THE TERRAFORM CONFIGURATION IS NOT APPLIED: {error}")


def topic(account: Cloud) -> str:
    return f"arn:aws:sns:{account.region}:{account.account}:alarms"
