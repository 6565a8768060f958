from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.process import ServerUnavailableError
from servers.proxy import FaultProxy
from servers.warm import warm_fanfold

from cloud.emulator.batch_runner import Image
from cloud.emulator.cloud import Cloud
from cloud.system import System
from cloud.terraform.workspace import TerraformUnavailableError, TerraformWorkspace

ROOT = Path(__file__).parents[2]
FANFOLD = Path(sysconfig.get_path("scripts")) / "fanfold"
DIGEST = "sha256:" + "5e" * 32
NAME = "fan"
FOREIGN = "another-bucket"
"""A bucket of the account of which the deployment may read `allowed/`."""


@pytest.fixture(scope="session")
def zips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions' zips, for this machine."""
    folder = tmp_path_factory.mktemp("zips")
    machine = {"aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    command = [sys.executable, "deploy/build.py", "functions", "--architecture", machine]
    done = subprocess.run(
        [*command, "--out", folder], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def deployed(zips: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """An account to which the very files that ship were applied."""
    try:
        with Cloud(tmp_path_factory.mktemp("account")) as cloud:
            yield from _deployed(cloud, zips, tmp_path_factory.mktemp("deploy"))
    except (ServerUnavailableError, TerraformUnavailableError) as error:
        pytest.skip(f"THE CLOUD PATH IS NOT TESTED: {error}")


def _deployed(cloud: Cloud, zips: Path, folder: Path) -> Iterator[System]:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=FOREIGN, CreateBucketConfiguration={"LocationConstraint": cloud.region})
    repository = f"{cloud.account}.dkr.ecr.{cloud.region}.amazonaws.com/{NAME}"
    variables = {
        "name": NAME,
        "image": f"{repository}@{DIGEST}",
        "functions_dir": str(zips),
        "network": "public",
        "source_buckets": [{"bucket": FOREIGN, "prefix": "allowed/"}],
        "max_object_bytes": 50_000_000,
        "least_slice_bytes": 1,
        "delete_data": True,
    }
    with TerraformWorkspace(folder / "terraform", cloud.endpoint_url, cloud.region) as workspace:
        workspace.init()
        outputs = workspace.apply(variables)
        invoke = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
        yield System(cloud, outputs, cloud.user("caller", invoke), NAME)


@pytest.fixture(scope="session")
def proxy(deployed: System) -> Iterator[FaultProxy]:
    """A proxy before the account, for functions that run as processes of their own."""
    with FaultProxy(deployed.cloud.endpoint_url) as started:
        yield started


@pytest.fixture
def system(deployed: System) -> Iterator[System]:
    """The system, undisturbed at the start and at the end of a test."""
    batch = deployed.cloud.batch
    batch.calm()
    batch.images.clear()
    batch.images["*"] = Image([FANFOLD], start=warm_fanfold().start)
    yield deployed
    batch.calm()
    batch.wait_idle()
