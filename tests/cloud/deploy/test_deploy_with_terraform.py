"""deploy.sh with the real Terraform and the files that ship, on an emulated account.

docker and aws are stubs here too: what aws answers of images, data and jobs is set by the test.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from servers.process import ServerUnavailableError

from cloud.deploy.building import Context, build_functions
from cloud.deploy.checkout import Answer, Checkout
from cloud.emulator.cloud import Cloud
from cloud.terraform.provider import ProviderDouble

DIGEST = "sha256:" + "5e" * 32
PUSH = "docker buildx build"
APPLY = "terraform .* apply /.*tfplan"
NO_DATA = Answer("list-object-versions", "None\n")


class Deployer(NamedTuple):
    """A checkout, whose deploy.sh reaches an emulated account."""

    checkout: Checkout
    cloud: Cloud

    def answer(self, *first: Answer) -> None:
        terraform = shutil.which("terraform")
        assert terraform is not None
        account = self.cloud.account
        self.checkout.answer(
            [
                *first,
                # The double of the provider is in no registry, so there is nothing to lock.
                Answer("^terraform .* providers lock"),
                Answer("^terraform", instead=terraform),
                Answer("aws sts .*--query Account", f"{account}\n"),
                Answer("aws sts"),
                Answer("aws service-quotas", "4000.0\n"),
                Answer("aws lambda get-account-settings", "1000\n"),
                Answer("aws apigateway get-account", "None\n"),
                Answer("aws iam get-role"),
                Answer("aws s3api list-objects-v2", "0\n"),
                Answer("aws logs", status=254, stderr="ResourceNotFoundException\n"),
                Answer("aws ecr get-login-password", "pa55word\n"),
                Answer("aws ecr describe-images", f"{DIGEST}\n", after=PUSH),
                Answer("aws ecr describe-images", status=254, stderr="ImageNotFoundException\n"),
                Answer("aws batch list-jobs", "None\n"),
                Answer("aws batch"),
                Answer("docker buildx version", "github.com/docker/buildx v0.17.1 257815a\n"),
                Answer("^docker|^sleep"),
            ]
        )

    @property
    def folder(self) -> Path:
        """The deployment's."""
        return self.checkout.deployment(self.cloud.account, self.cloud.region)

    def terraform(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Terraform, as it is typed in the deployment's folder."""
        return subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env=os.environ | self.checkout.environment | {"PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def state(self) -> list[str]:
        """The addresses of what Terraform made."""
        path = self.folder / "terraform.tfstate"
        if not path.exists():
            return []
        return [
            ".".join(filter(None, [made.get("module"), made["type"], made["name"]]))
            for made in json.loads(path.read_text())["resources"]
            if made["mode"] == "managed"
        ]


@pytest.fixture
def deployer(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployer]:
    """An account of its own: what these tests make they take down."""
    assert context.folder.is_dir()
    build_functions("x86_64", tmp_path / "zips")
    if shutil.which("terraform") is None:
        pytest.skip("DEPLOY.SH IS NOT TESTED WITH TERRAFORM: it isn't installed")
    try:
        with (
            Cloud(tmp_path / "account") as cloud,
            tempfile.TemporaryDirectory() as short,
            ProviderDouble(Path(short), cloud.endpoint_url, cloud.region) as provider,
        ):
            checkout = Checkout(tmp_path)
            checkout.environment |= provider.environment | {"AWS_REGION": cloud.region}
            made = Deployer(checkout, cloud)
            made.answer()
            # The real provider is Terraform's child, and reads the zips from where Terraform is.
            made.folder.mkdir(parents=True)
            monkeypatch.chdir(made.folder)
            yield made
    except ServerUnavailableError as error:
        pytest.skip(f"DEPLOY.SH IS NOT TESTED WITH TERRAFORM: {error}")


def test_a_deployment_is_made_found_unchanged_and_taken_down(deployer: Deployer) -> None:
    checkout, cloud = deployer.checkout, deployer.cloud
    s3 = cloud.client("s3")

    planned = checkout.deploy_unasked("--plan", "-var=max_vcpus=8")
    assert planned.returncode == 0, planned.stderr
    assert "module.fanfold.module.functions.aws_lambda_function.this" in planned.stdout
    assert not deployer.state()

    first = checkout.deploy_unasked("-var=max_vcpus=8")
    assert first.returncode == 0, first.stderr
    calls = checkout.calls()
    order = [
        next(index for index, call in enumerate(calls) if re.search(pattern, call))
        for pattern in (
            "apply .*-target=module.fanfold.module.storage.aws_ecr_repository",
            PUSH,
            APPLY,
        )
    ]
    assert order == sorted(order)
    bucket = f"fanfold-{cloud.account}-{cloud.region}"
    told = dict(line.split() for line in first.stdout.splitlines()[:3])
    assert told["bucket"] == bucket
    assert told["starter_api_url"] == f"{told['api_url']}/chunk"
    assert s3.head_bucket(Bucket=bucket)
    (registry,) = cloud.client("ecr").describe_repositories()["repositories"]
    image = f"{registry['repositoryUri']}@{DIGEST}"
    starter = cloud.client("lambda").get_function_configuration(FunctionName="fanfold-starter")
    assert starter["Environment"]["Variables"]["FANFOLD_IMAGE"] == image

    deployer.answer(Answer("aws ecr describe-images", f"{DIGEST}\n"))
    checkout.calls()
    second = checkout.deploy_unasked()
    assert second.returncode == 0, second.stderr
    assert second.stdout == first.stdout
    assert "Nothing changes." in second.stderr
    assert not [call for call in checkout.calls() if PUSH in call or " apply " in call]
    environments = cloud.client("batch").describe_compute_environments()["computeEnvironments"]
    assert {made["computeResources"]["maxvCpus"] for made in environments} == {8}

    terraform_typed_in_the_folder_asks_for_no_variable(deployer)
    a_deployment_of_an_earlier_version_is_moved_not_made_again(deployer)

    s3.put_object(Bucket=bucket, Key="input/genome.fa", Body=b">one\nACGT\n")
    there = [
        Answer("list-object-versions .*--delimiter", "input/\n"),
        Answer("list-object-versions .*--prefix input/", "1\n"),
    ]
    deployer.answer(*there)
    refused = checkout.deploy_unasked("destroy")
    assert refused.returncode == 1
    assert f"There is data in s3://{bucket}: 1 object in input/" in refused.stderr
    assert len(deployer.state()) > 40

    destroyed = checkout.deploy_unasked("destroy", "--delete-data")
    assert destroyed.returncode == 0, destroyed.stderr
    assert not deployer.state()
    assert not s3.list_buckets()["Buckets"]
    assert not cloud.client("lambda").list_functions()["Functions"]
    assert not cloud.client("ecr").describe_repositories()["repositories"]

    again = checkout.deploy_unasked("destroy")
    assert again.returncode == 0, again.stderr
    assert "Nothing is deployed" in again.stderr


def terraform_typed_in_the_folder_asks_for_no_variable(deployer: Deployer) -> None:
    typed = deployer.terraform("plan", "-destroy")
    assert typed.returncode == 0, typed.stderr
    assert "0 to add, 0 to change" in typed.stdout


def a_deployment_of_an_earlier_version_is_moved_not_made_again(deployer: Deployer) -> None:
    """There, the module was the root."""
    made = deployer.state()
    for module in sorted({address.split(".")[3] for address in made}):
        moved = ("state", "mv", f"module.fanfold.module.{module}", f"module.{module}")
        assert deployer.terraform(*moved).returncode == 0
    upgraded = deployer.checkout.deploy_unasked()
    assert upgraded.returncode == 0, upgraded.stderr
    assert "create 0, change 0, replace 0, remove 0" in upgraded.stderr
    assert deployer.state() == made


def test_a_push_that_fails_leaves_the_registry_and_the_next_run_goes_on(
    deployer: Deployer,
) -> None:
    checkout = deployer.checkout
    deployer.answer(Answer(PUSH, status=1, stderr="no space left on device\n"))
    failed = checkout.deploy_unasked()
    assert failed.returncode != 0
    assert "failed at: pushing the image" in failed.stderr
    assert deployer.state() == ["module.fanfold.module.storage.aws_ecr_repository.this"]
    checkout.calls()

    deployer.answer()
    done = checkout.deploy_unasked()
    assert done.returncode == 0, done.stderr
    assert not [call for call in checkout.calls() if "apply -target" in call]

    deployer.answer(NO_DATA)
    gone = checkout.deploy_unasked("destroy")
    assert gone.returncode == 0, gone.stderr
    assert not deployer.state()


def test_a_registry_alone_is_taken_down_too(deployer: Deployer) -> None:
    deployer.answer(Answer(PUSH, status=1))
    assert deployer.checkout.deploy_unasked().returncode != 0
    assert deployer.state() == ["module.fanfold.module.storage.aws_ecr_repository.this"]
    done = deployer.checkout.deploy_unasked("destroy")
    assert done.returncode == 0, done.stderr
    assert not deployer.state()


def test_a_registry_alone_of_an_earlier_version_is_taken_down_with_its_bucket(
    deployer: Deployer,
) -> None:
    deployer.answer(Answer(PUSH, status=1), NO_DATA)
    assert deployer.checkout.deploy_unasked().returncode != 0
    target = "-target=module.fanfold.module.storage.aws_s3_bucket.this"
    assert deployer.terraform("apply", "-auto-approve", target).returncode == 0
    moved = ("state", "mv", "module.fanfold.module.storage", "module.storage")
    assert deployer.terraform(*moved).returncode == 0
    done = deployer.checkout.deploy_unasked("destroy")
    assert done.returncode == 0, done.stderr
    assert not deployer.state()


def test_a_wrong_variable_is_told_before_anything_is_built(deployer: Deployer) -> None:
    done = deployer.checkout.deploy_unasked("-var=architecture=mips")
    assert done.returncode != 0
    assert 'The architecture "mips" isn\'t one of x86_64, arm64.' in done.stderr
    assert "building" not in done.stderr
