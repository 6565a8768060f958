"""The zips and the image's context, built once. The wheels in them are kept below ``deploy``."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from cloud.deploy.building import ARCHITECTURES, ROOT, Context, Zips, build_context, build_functions


@pytest.fixture(scope="session", params=ARCHITECTURES)
def zips(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Zips:
    """The functions' zips, for each architecture."""
    return build_functions(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def own_zips(tmp_path_factory: pytest.TempPathFactory) -> Zips:
    """The functions' zips that run on this machine."""
    machines = {"x86_64": "x86_64", "aarch64": "arm64"}
    if platform.system() != "Linux" or platform.machine() not in machines:
        pytest.skip("THE ZIPS ARE NOT RUN: this isn't Linux on x86-64 or arm64")
    return build_functions(machines[platform.machine()], tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """The image's build context."""
    return build_context(tmp_path_factory.mktemp("image") / "context")


@pytest.fixture(scope="session")
def python313() -> Path:
    """A Python 3.13 that can make environments: the checkout's, or the one on the PATH."""
    for python in (ROOT / ".venv-lambda/bin/python", shutil.which("python3.13")):
        if python and can_make_environments(python):
            return Path(python)
    pytest.skip("THE ZIPS AND THE IMAGE'S PACKAGES ARE NOT RUN: there is no python3.13 with venv")


def can_make_environments(python: str | Path) -> bool:
    """False too for a pyenv shim without a version behind it."""
    try:
        command = [python, "-c", "import ensurepip, venv"]
        return not subprocess.run(command, capture_output=True, check=False).returncode
    except OSError:
        return False


@pytest.fixture(scope="session")
def lambda_python(python313: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python 3.13 with boto3 and nothing else that a zip has, as Lambda's runtime is."""
    if python313.is_relative_to(ROOT):
        return python313
    folder = tmp_path_factory.mktemp("lambda")
    subprocess.run([python313, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", "boto3"], check=True)
    return folder / "bin/python"
