"""The image: rules that its Dockerfile keeps, and its packages put together without an engine."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cloud.deploy.building import ROOT, Context, build_context, copied_cache
from cloud.deploy.dockerfile import Dockerfile, read_dockerfile
from fanfold.report.run_record import MASTER, RENDERINGS

INSTALLED = "/opt/fanfold"
PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}


@pytest.fixture(scope="module")
def dockerfile(context: Context) -> Dockerfile:
    return read_dockerfile(context.folder / "Dockerfile")


def test_every_base_is_the_same_python_pinned_by_digest(dockerfile: Dockerfile) -> None:
    pinned = r"docker\.io/library/python:3\.13\.\d+-slim-\w+@sha256:[0-9a-f]{64}"
    assert len({stage.base for stage in dockerfile.stages}) == 1
    assert re.fullmatch(pinned, dockerfile.stages[0].base)


def test_fanfold_runs_as_another_user_than_root_and_is_the_entry_point(
    dockerfile: Dockerfile,
) -> None:
    final, serve = dockerfile.stages[-1], dockerfile.stage("serve")
    for stage in (final, serve):
        assert [user.arguments for user in stage.all("USER")] == ["65532:65532"]
        assert stage.environment["PYTHONUNBUFFERED"] == "1"
    assert final.last("ENTRYPOINT").listed == ["fanfold"]
    assert serve.last("ENTRYPOINT").listed[:2] == ["fanfold", "serve"]


def test_no_command_runs_on_the_platform_of_the_image(dockerfile: Dockerfile) -> None:
    for name in ("packages", "serve-packages"):
        assert dockerfile.stage(name).platform == "$BUILDPLATFORM"
    for stage in (dockerfile.stage("serve"), dockerfile.stages[-1]):
        assert stage.platform is None
        assert not stage.all("RUN")


def test_nothing_is_fetched(dockerfile: Dockerfile) -> None:
    for stage in dockerfile.stages:
        assert not stage.all("ADD")
        for command in stage.all("RUN"):
            assert not re.search(r"\b(curl|wget|apt-get|apk|git)\b|https?:", command.arguments)
            assert "pip install" not in command.arguments or "--no-index" in command.arguments
            assert "pip install" not in command.arguments or "--require-hashes" in command.arguments


def test_the_context_has_all_that_the_dockerfile_copies(
    context: Context, dockerfile: Dockerfile
) -> None:
    sources = [
        copy.arguments.split()[:-1]
        for name in ("packages", "serve-packages")
        for copy in dockerfile.stage(name).all("COPY")
    ]
    admitted = (context.folder / ".dockerignore").read_text().split()
    for platform in PLATFORMS:
        for source in [name for names in sources for name in names]:
            name = source.replace("${TARGETARCH}", platform)
            assert (context.folder / name).exists()
            assert f"!{name}" in admitted


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_wheel_of_the_context_is_pinned_and_of_its_platform(
    context: Context, platform: str
) -> None:
    requirements = (context.folder / "requirements.txt").read_text()
    wheels = sorted((context.folder / platform).glob("*.whl"))
    assert len(wheels) == len(re.findall(r"^\S+==", requirements, re.MULTILINE))
    for wheel in wheels:
        assert f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}" in requirements
        machine = PLATFORMS[platform]
        assert all(
            tag == "any" or tag.endswith(f"_{machine}")
            for tag in wheel.stem.split("-")[-1].split(".")
        )


def test_what_the_server_adds_is_pinned_and_runs_on_every_platform(context: Context) -> None:
    requirements = (context.folder / "requirements-serve.txt").read_text()
    wheels = sorted((context.folder / "serve").iterdir())
    assert len(wheels) == len(re.findall(r"^\S+==", requirements, re.MULTILINE))
    for wheel in wheels:
        assert f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}" in requirements
        assert wheel.name.endswith("-none-any.whl")


def test_the_context_built_anew_is_the_same(context: Context, tmp_path: Path) -> None:
    again = build_context(tmp_path / "context", copied_cache(tmp_path / "cache", "[ls]*"))
    assert again.told["sha256"] == context.told["sha256"]
    files = sorted(path for path in context.folder.rglob("*") if path.is_file())
    for path in files:
        same = again.folder / path.relative_to(context.folder)
        assert same.read_bytes() == path.read_bytes()


def test_the_locks_name_what_the_project_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    locked = set[str]()
    for lock, needed in (
        ("requirements.txt", [*project["dependencies"], *extras["aws"]]),
        ("requirements-serve.txt", extras["serve"]),
    ):
        text = (ROOT / "deploy" / lock).read_text()
        added = set(re.findall(r"^(\S+)==", text, re.MULTILINE))
        assert not added & locked
        locked |= added
        names = {re.split(r"[^\w.-]", requirement)[0] for requirement in needed}
        assert {name.replace(".", "-").lower() for name in names} <= locked


def assemble(
    context: Context, dockerfile: Dockerfile, platform: str, python: Path, folder: Path
) -> Path:
    """Runs the commands of the stage `packages` in `folder`; where the packages are.

    They run on this machine's Python 3.13 and may differ from the image's in its pip alone.
    """
    work, installed = folder / "context", folder / "installed"
    shutil.copytree(context.folder / platform, work)
    shutil.copyfile(context.folder / "requirements.txt", work / "requirements.txt")
    for command in dockerfile.stage("packages").all("RUN"):
        subprocess.run(
            ["sh", "-euc", command.arguments.replace(INSTALLED, str(installed))],
            cwd=work,
            env={"PATH": f"{python.parent}:{os.defpath}", "HOME": str(folder)},
            check=True,
        )
    return installed


@pytest.fixture(scope="module")
def image_python(python313: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("python")
    subprocess.run([python313, "-m", "venv", folder], check=True)
    return folder / "bin/python"


def test_the_entry_point_runs_with_the_packages_of_the_image(
    context: Context, dockerfile: Dockerfile, image_python: Path, tmp_path: Path
) -> None:
    own = {machine: platform for platform, machine in PLATFORMS.items()}.get(os.uname().machine)
    if own is None or sys.platform != "linux":
        pytest.skip("THE IMAGE'S PACKAGES ARE NOT RUN: this isn't Linux on x86-64 or arm64")
    installed = assemble(context, dockerfile, own, image_python, tmp_path)
    final = dockerfile.stages[-1]
    environment = {
        name: value.replace(INSTALLED, str(installed)).replace(
            "$PATH", f"{image_python.parent}:{os.defpath}"
        )
        for name, value in final.environment.items()
    }
    genome = tmp_path / "genome.fa"
    genome.write_text(">one\nACGT\n")

    def fanfold(*arguments: str) -> str:
        command = [*final.last("ENTRYPOINT").listed, *arguments]
        found = shutil.which(command[0], path=environment["PATH"])
        assert found == str(installed / "bin/fanfold")
        return subprocess.run(
            [found, *command[1:]],
            cwd=tmp_path,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    assert re.search(r"\d+\.\d+\.\d+", fanfold("--version"))
    fanfold("run", str(genome), "--out", "report", "--quiet")
    for name in (MASTER, *RENDERINGS):
        assert (tmp_path / "report" / name).exists()
    program = "import boto3; boto3.client('s3'); boto3.client('sts'); print(boto3.__file__)"
    told = subprocess.run(
        [image_python, "-c", program],
        env={**environment, "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert told.startswith(str(installed))
    program = """
import os, sys
import fanfold.cli.local, fanfold.objects.remote, fanfold.objects.s3, boto3
boto3.client("s3")
specs = [module.__spec__ for module in sys.modules.values() if getattr(module, "__spec__", None)]
sources = [spec for spec in specs if str(spec.origin).endswith(".py") and spec.cached]
kept = [spec for spec in sources if spec.cached.startswith(sys.argv[1] + "/")]
lacking = [spec.origin for spec in sources if spec not in kept or not os.path.exists(spec.cached)]
print(len(sources), *lacking)
"""
    number, *compiled_at_each_start = subprocess.run(
        [image_python, "-c", program, installed],
        env={**environment, "AWS_DEFAULT_REGION": "eu-west-1"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert int(number) > 200
    assert compiled_at_each_start == []


def test_the_packages_of_both_platforms_can_be_put_together_on_this_one(
    context: Context, dockerfile: Dockerfile, image_python: Path, tmp_path: Path
) -> None:
    for platform, machine in PLATFORMS.items():
        folder = tmp_path / platform
        folder.mkdir()
        installed = assemble(context, dockerfile, platform, image_python, folder)
        described = subprocess.run(
            ["readelf", "--file-header", installed / "fanfold/_kernel.abi3.so"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert {"x86_64": "X86-64", "aarch64": "AArch64"}[machine] in described


def test_the_server_runs_with_the_packages_of_its_image(
    context: Context, dockerfile: Dockerfile, image_python: Path, tmp_path: Path
) -> None:
    own = {machine: platform for platform, machine in PLATFORMS.items()}.get(os.uname().machine)
    if own is None or sys.platform != "linux":
        pytest.skip("THE SERVER'S IMAGE IS NOT RUN: this isn't Linux on x86-64 or arm64")
    installed = assemble(context, dockerfile, own, image_python, tmp_path)
    added, root = tmp_path / "serve", tmp_path / "data"
    root.mkdir()

    def placed(text: str) -> str:
        for path, folder in ((INSTALLED, installed), ("/opt/serve", added), ("/data", root)):
            text = text.replace(path, str(folder))
        return text.replace("$PATH", f"{image_python.parent}:{os.defpath}")

    work = tmp_path / "serve-context"
    shutil.copytree(context.folder / "serve", work)
    shutil.copyfile(context.folder / "requirements-serve.txt", work / "requirements-serve.txt")
    for command in dockerfile.stage("serve-packages").all("RUN"):
        subprocess.run(
            ["sh", "-euc", placed(command.arguments)],
            cwd=work,
            env={"PATH": f"{image_python.parent}:{os.defpath}", "HOME": str(tmp_path)},
            check=True,
        )
    serve = dockerfile.stage("serve")
    environment = {name: placed(value) for name, value in serve.environment.items()}
    program, *arguments = [placed(word) for word in serve.last("ENTRYPOINT").listed]
    with subprocess.Popen(
        [installed / "bin" / program, *arguments, "--port", "0"],
        env=environment,
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        url = urlsplit(server.stdout.readline().strip())
        assert url.fragment.startswith("token=")
        token = url.fragment.removeprefix("token=")
        for headers, status in (({}, 401), ({"Authorization": f"Bearer {token}"}, 200)):
            with closing(http.client.HTTPConnection("127.0.0.1", url.port or 0)) as connection:
                connection.request("GET", "/jobs", headers=headers)
                assert connection.getresponse().status == status
        server.terminate()
        assert server.wait() == 0
