"""The first hour on an account, as far as an emulator of one goes: the very script, step by step.

Real: the script, deploy.sh, Terraform, the AWS CLI, fanfold, the functions. Doubles: AWS, Batch and
its containers, Terraform's provider, Docker. What the registry answers is the test's: nothing is
pushed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from servers.process import ServerUnavailableError

from cloud.conftest import FANFOLD
from cloud.deploy.building import ROOT, build_functions
from cloud.deploy.checkout import Answer, Checkout
from cloud.emulator.batch_runner import Image
from cloud.emulator.cloud import Cloud
from cloud.terraform.provider import ProviderDouble

AWS = ROOT / ".venv-awscli/bin/aws"
NAME = "fanfold-first-hour"
DIGESTS = ["sha256:" + "5e" * 32, "sha256:" + "6f" * 32]
PUSH = "docker buildx build"
SLICES = 4


class FirstHour(NamedTuple):
    """A checkout whose first-hour.sh reaches an emulated account."""

    checkout: Checkout
    cloud: Cloud
    record: Path

    def run(self, *steps: str) -> subprocess.CompletedProcess[str]:
        script = self.checkout.deploy / "first-hour.sh"
        return subprocess.run(
            [script, *steps],
            cwd=self.checkout.folder,
            env=self.checkout.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def must(self, *steps: str) -> str:
        done = self.run(*steps)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stderr

    def saved(self, name: str) -> str:
        return (self.record / name).read_text()


@pytest.fixture
def first_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FirstHour]:
    terraform = shutil.which("terraform")
    if terraform is None or not AWS.exists():
        pytest.skip(f"THE FIRST HOUR IS NOT TESTED: it takes terraform and {AWS}; see make test")
    build_functions("x86_64", tmp_path / "zips")
    try:
        with (
            Cloud(tmp_path / "account") as cloud,
            tempfile.TemporaryDirectory() as short,
            ProviderDouble(Path(short), cloud.endpoint_url, cloud.region) as provider,
        ):
            cloud.batch.images["*"] = Image([FANFOLD])
            checkout = Checkout(tmp_path)
            made = FirstHour(checkout, cloud, tmp_path / "record")
            user = cloud.user("deployer", *documented_policies())
            checkout.environment |= provider.environment | cloud.environment(user)
            checkout.environment |= {
                "FIRST_HOUR_SLICES": str(SLICES),
                "FIRST_HOUR_POSTS": "6",
                "FIRST_HOUR_RECORD": str(made.record),
            }
            _give_tools(checkout, terraform)
            # The real provider is Terraform's child, and reads the zips from where Terraform is.
            folder = checkout.deployment(cloud.account, cloud.region, NAME)
            folder.mkdir(parents=True)
            monkeypatch.chdir(folder)
            yield made
            cloud.batch.calm()
    except ServerUnavailableError as error:
        pytest.skip(f"THE FIRST HOUR IS NOT TESTED: {error}")


def documented_policies() -> list[dict[str, object]]:
    """What the documented user may do, who calls AWS, but for Terraform: its provider is root."""
    return [
        statement
        for name in ("deployer-policy.json", "first-hour-policy.json")
        for statement in json.loads((ROOT / "deploy" / name).read_text())["Statement"]
    ]


def _give_tools(checkout: Checkout, terraform: str) -> None:
    # Version 1 takes the endpoint of SQS from nowhere else.
    aws = checkout.bin / "aws-of-the-emulator"
    aws.write_text(f'#!/bin/sh\nexec {AWS} --endpoint-url "$AWS_ENDPOINT_URL" "$@"\n')
    aws.chmod(0o755)
    sleep = shutil.which("sleep") or "/bin/sleep"
    (checkout.bin / "fanfold").symlink_to(FANFOLD)
    for tool in ("cmp", "date", "mv", "seq", "sort", "tee", "wc", "xargs"):
        found = shutil.which(tool)
        if found and not (checkout.bin / tool).exists():
            (checkout.bin / tool).symlink_to(found)
    checkout.answer(
        [
            Answer("^terraform", instead=terraform),
            Answer("^sleep", instead=sleep),
            Answer("aws service-quotas", "4000.0\n"),
            Answer("aws ecr get-login-password", "pa55word\n"),
            Answer("aws ecr describe-images", f"{DIGESTS[1]}\n", after=f"(?s){PUSH}.*{PUSH}"),
            Answer("aws ecr describe-images .*", f"{DIGESTS[0]}\n", after=PUSH),
            Answer("aws ecr describe-images", status=254, stderr="ImageNotFoundException\n"),
            Answer("^aws", instead=str(aws)),
            Answer("^docker buildx version", "github.com/docker/buildx v0.24.0\n"),
            Answer("^docker"),
        ]
    )


def test_the_first_hour_goes_as_it_says(first_hour: FirstHour) -> None:
    cloud = first_hour.cloud

    assert "deployed: http" in first_hour.must("deploy")
    first_hour.must("missing")
    assert "there is no such object" in first_hour.saved("missing.txt")

    first_hour.must("job")
    (job,) = json.loads(first_hour.saved("job-batch.json"))["jobs"]
    assert job["arrayProperties"]["size"] == SLICES
    assert json.loads(first_hour.saved("job-status.json"))["state"] == "SUCCEEDED"

    with children_held_until_one_is_killed(cloud):
        first_hour.must("kill")
    failed = json.loads(first_hour.saved("killed-status.json"))["error"]["slices"]
    assert [each["index"] for each in failed] == [1]
    assert "the first hour kills a child" in failed[0]["reason"]

    first_hour.must("spot", "posts", "upgrade")

    told = first_hour.must("destroy")
    assert first_hour.saved("left.txt") == ""
    assert "Nothing is left" in told
    events = first_hour.saved("events.json")
    assert "Batch Job State Change" in events
    assert cloud.batch.jobs()[0]["jobId"] not in events


def test_a_step_that_is_none_is_told_with_those_there_are() -> None:
    script = ROOT / "deploy/first-hour.sh"
    done = subprocess.run([script, "jump"], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == (
        "first-hour.sh: jump is no step: deploy missing job kill spot posts upgrade destroy\n"
    )


@contextmanager
def children_held_until_one_is_killed(cloud: Cloud) -> Iterator[None]:
    """Fargate takes a minute to start a child; here it would have ended before it is killed."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            arrays = [job["jobId"] for job in cloud.batch.jobs("*-task-1")]
            children = [each for job in arrays for each in cloud.batch.children(job)]
            if any(child["status"] == "FAILED" for child in children):
                cloud.batch.release()
                return

    cloud.batch.hold()
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        cloud.batch.release()
