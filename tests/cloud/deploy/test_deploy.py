"""deploy.sh: what it does in which order, and that it does nothing where it says so.

docker, aws and terraform are stubs here. The script builds the zips and the image's context itself.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from cloud.deploy.building import ROOT, Context, build_functions
from cloud.deploy.checkout import Answer, Checkout

ACCOUNT = "123456789012"
HOST = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
DIGEST = "sha256:" + "5e" * 32
STAND_IN = "stand-in@sha256:" + "0" * 64
BUCKET = f"fanfold-{ACCOUNT}-eu-west-1"
REGISTRY = "module.storage.aws_ecr_repository.this"
QUEUE = f"arn:aws:batch:eu-west-1:{ACCOUNT}:job-queue/fanfold"
PUSH = "docker buildx build"
CHECK = "terraform .* plan .*-refresh=false"
CREATE_REGISTRY = f"apply .*-target=module.fanfold.{re.escape(REGISTRY)}"
PLAN = "terraform .* plan .*-out=.*agreed.tfplan"
PLAN_AGAIN = "terraform .* plan .*-out=.*next.tfplan"
APPLY = "terraform .* apply /.*tfplan"
LOCKED = "terraform .* providers lock"

TOOLS = [
    Answer("terraform version", "Terraform v1.11.4\non linux_amd64\n"),
    Answer("aws sts get-caller-identity --query Account", f"{ACCOUNT}\n"),
    Answer("aws sts get-caller-identity", "{}"),
    Answer("docker buildx version", "github.com/docker/buildx v0.17.1 257815a\n"),
    Answer("docker (info|login|logout|buildx create)"),
    Answer("docker buildx inspect", status=1),
    Answer("sleep"),
]
QUOTA = Answer("aws service-quotas get-service-quota .*L-3032A538", "4000.0\n")
LAMBDA = Answer("aws lambda get-account-settings", "1000\n")
NO_LOG_ROLE = Answer("aws apigateway get-account", "None\n")
LOG_ROLE = f"arn:aws:iam::{ACCOUNT}:role/anybodys"
ROLES = Answer("aws iam get-role .*AWSServiceRoleFor", "{}")
NO_ROLE = "An error occurred (NoSuchEntity) when calling GetRole\n"


def settings(**values: object) -> Answer:
    """What Terraform's console says of the variables."""
    defaults = {"name": "fanfold", "architecture": "x86_64", "max_vcpus": 64, "spot": False}
    return Answer("terraform .* console", json.dumps(json.dumps(defaults | values)) + "\n")


PUSHED = [
    Answer("aws ecr get-login-password", "pa55word\n"),
    Answer("aws ecr describe-images", f"{DIGEST}\n", after=PUSH),
    Answer("aws ecr describe-images", status=254, stderr="An error: ImageNotFoundException\n"),
    Answer(PUSH),
]


def state(
    *kinds: str,
    account: str = ACCOUNT,
    region: str = "eu-west-1",
    name: str = "fanfold",
    root: str = "module.fanfold.",
) -> str:
    """A state as Terraform prints it, of these resources."""
    where = f"{region}:{account}"
    registry = f"{account}.dkr.ecr.{region}.amazonaws.com/{name}"
    attributes = {
        "aws_ecr_repository": {
            "arn": f"arn:aws:ecr:{where}:repository/{name}",
            "name": name,
            "repository_url": registry,
        },
        "aws_s3_bucket": {"bucket": BUCKET},
        "aws_batch_job_queue": {"arn": f"arn:aws:batch:{where}:job-queue/{name}", "name": name},
        "aws_api_gateway_rest_api": {"id": "a1b2c3"},
    }
    modules = {"aws_batch_job_queue": "batch", "aws_api_gateway_rest_api": "api"}
    resources = [
        {
            "module": f"{root}module.{modules.get(kind, 'storage')}",
            "mode": "managed",
            "type": kind,
            "name": "this",
            "instances": [{"attributes": attributes[kind]}],
        }
        for kind in kinds or attributes
    ]
    return json.dumps({"version": 4, "resources": resources}, indent=2)


def plan(*addresses: str, action: str = "create", usd_per_month: float = 43.8) -> str:
    """A plan as Terraform prints it, that does something to these resources."""
    changes = [
        {"address": address, "mode": "managed", "change": {"actions": [action]}}
        for address in addresses
    ]
    price = {
        "usd_per_month": usd_per_month,
        "items": [{"what": "3 endpoints", "usd_per_month": usd_per_month}],
    }
    return json.dumps(
        {
            "applyable": bool(changes),
            "resource_changes": changes,
            "planned_values": {"outputs": {"at_rest": {"value": price}}},
        }
    )


TERRAFORM = [
    Answer("terraform .* show -json", plan(REGISTRY, "aws_vpc.this")),
    Answer("terraform .* show ", "# aws_vpc.this will be created\n"),
    Answer("terraform .* (get|init|providers lock|plan|apply)"),
    Answer("output -raw starter_api_url", "https://api.example/prod/chunk"),
    Answer("output -raw api_url", "https://api.example/prod"),
    Answer("output -raw bucket", BUCKET),
]
STATE = [
    Answer("state pull", state(), after=APPLY),
    Answer("state pull", state("aws_ecr_repository"), after="apply .*-target="),
    Answer("state pull"),
]
DEPLOYED = [
    Answer("state pull", state()),
    Answer("aws ecr describe-images", f"{DIGEST}\n"),
    Answer("s3api list-objects-v2 .*jobs/open/", "0\n"),
]
ACCOUNT_ANSWERS = [QUOTA, LAMBDA, NO_LOG_ROLE, ROLES]
FIRST_RUN = [*TOOLS, *ACCOUNT_ANSWERS, settings(), *STATE, *PUSHED, *TERRAFORM]

NOTHING = Answer("list-object-versions .*--delimiter", "jobs/\tchunks/\tNone\n")
NO_JOBS = Answer("aws batch list-jobs", "None\n")
NO_LATE_LOGS = Answer(
    "aws logs delete-log-group", status=254, stderr="An error (ResourceNotFoundException)\n"
)
STOPPING = [Answer("aws batch (update-job-queue|terminate-job)"), NO_LATE_LOGS]


@pytest.fixture(scope="module")
def built(context: Context, tmp_path_factory: pytest.TempPathFactory) -> None:
    """All that deploy.sh builds, once: a checkout's cache has it then."""
    assert context.folder.is_dir()
    build_functions("x86_64", tmp_path_factory.mktemp("zips"))


@pytest.fixture
def building(built: None, tmp_path: Path) -> Checkout:  # noqa: ARG001 - it fills the cache
    """A checkout that builds what it deploys."""
    made = Checkout(tmp_path)
    made.answer(FIRST_RUN)
    return made


BUILD = """
import json, pathlib, sys
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
out.mkdir(parents=True, exist_ok=True)
print(json.dumps({"path": str(out), "sha256": "1a6e" * 16}, indent=2))
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout whose builds take no time, and make nothing."""
    made = Checkout(tmp_path)
    (made.deploy / "build.py").write_text(BUILD)
    made.answer(FIRST_RUN)
    return made


def place(calls: Sequence[str], pattern: str) -> int:
    """Where the one call is that `pattern` is found in."""
    (found,) = [index for index, call in enumerate(calls) if re.search(pattern, call)]
    return found


def changing(calls: Sequence[str]) -> list[str]:
    """The calls that create, push or remove anything."""
    verbs = (
        r"terraform .* (apply|destroy)|docker .*(login|create|build )|terminate|update-job-queue"
        r"|aws (iam|apigateway|logs) (create|attach|update|delete)"
    )
    return [call for call in calls if re.search(verbs, call)]


def built_settings(checkout: Checkout) -> dict[str, object]:
    text = (checkout.deployment(ACCOUNT) / "built.auto.tfvars.json").read_text()
    found: dict[str, object] = json.loads(text)
    return found


def kept_settings(checkout: Checkout) -> dict[str, object]:
    text = (checkout.deployment(ACCOUNT) / "kept.auto.tfvars.json").read_text()
    found: dict[str, object] = json.loads(text)
    return found


def test_the_first_run_creates_the_registry_then_pushes_then_applies(building: Checkout) -> None:
    done = building.deploy_unasked()
    assert done.returncode == 0, done.stderr
    calls = building.calls()
    planned, created, pushed = (place(calls, call) for call in (PLAN, CREATE_REGISTRY, PUSH))
    assert planned < created < place(calls, "docker login") < pushed
    assert pushed < place(calls, PLAN_AGAIN) < place(calls, APPLY)
    assert built_settings(building)["image"] == f"{HOST}/fanfold@{DIGEST}"
    assert "--platform linux/amd64,linux/arm64" in calls[pushed]
    assert re.search(f"--tag {HOST}/fanfold:[0-9a-f]{{32}} ", calls[pushed])
    assert calls[-1] == f"docker logout {HOST}"
    assert {path.stem for path in building.deploy.glob(".build/functions-x86_64/*.zip")} == {
        *("starter", "chunker", "aggregator", "status", "failures", "sweep")
    }


def test_what_a_build_left_that_was_stopped_is_finished(
    building: Checkout, context: Context
) -> None:
    left = building.deploy / ".build/image/amd64"
    left.mkdir(parents=True)
    shutil.copyfile(context.folder / "amd64/pip.conf", left / "pip.conf")
    done = building.deploy_unasked()
    assert done.returncode == 0, done.stderr
    assert {path.name for path in left.iterdir()} == {
        path.name for path in (context.folder / "amd64").iterdir()
    }
    assert place(building.calls(), PUSH)


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_file_or_link_for_the_builds_folder_is_refused_in_a_line(
    building: Checkout, tmp_path: Path, kind: str
) -> None:
    there = building.deploy / ".build"
    if kind == "file":
        there.write_text("mine\n")
    else:
        (tmp_path / "mine").mkdir()
        there.symlink_to(tmp_path / "mine")
    done = building.deploy_unasked()
    assert done.returncode == 1
    assert f"build.py: {there} is a {kind}: move it away" in done.stderr
    assert "Traceback" not in done.stderr
    assert not changing(building.calls())
    assert there.read_text() == "mine\n" if kind == "file" else not any(there.iterdir())

    there.unlink()
    done = building.deploy_unasked()
    assert done.returncode == 0, done.stderr


def test_the_outputs_are_printed_by_name_and_two_commands_to_try(checkout: Checkout) -> None:
    lines = checkout.deploy_unasked().stdout.splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["starter_api_url", "https://api.example/prod/chunk"],
        ["api_url", "https://api.example/prod"],
        ["bucket", BUCKET],
    ]
    assert lines[-2:] == [
        f"    aws s3 cp genome.fa s3://{BUCKET}/input/genome.fa",
        f"    fanfold submit s3://{BUCKET}/input/genome.fa --api https://api.example/prod --wait",
    ]


def test_a_second_run_pushes_nothing_and_applies_the_same_digest(checkout: Checkout) -> None:
    checkout.answer([*DEPLOYED, *FIRST_RUN])
    done = checkout.deploy_unasked()
    assert done.returncode == 0, done.stderr
    (applied,) = changing(checkout.calls())
    assert re.search(APPLY, applied)
    assert built_settings(checkout)["image"] == f"{HOST}/fanfold@{DIGEST}"


def test_a_registry_that_somebody_removed_is_created_again(checkout: Checkout) -> None:
    gone = Answer(
        "aws ecr describe-images", status=254, stderr="An error: RepositoryNotFoundException\n"
    )
    again = Answer("aws ecr describe-images", f"{DIGEST}\n", after=PUSH)
    checkout.answer([again, gone, *DEPLOYED, *FIRST_RUN])
    done = checkout.deploy_unasked()
    assert done.returncode == 0, done.stderr
    calls = checkout.calls()
    assert place(calls, CREATE_REGISTRY) < place(calls, PUSH) < place(calls, APPLY)


def test_a_plan_before_the_first_run_creates_pushes_and_keeps_nothing(checkout: Checkout) -> None:
    done = checkout.run("--plan", "-var=spot=true")
    assert done.returncode == 0, done.stderr
    assert "will be created" in done.stdout
    assert "43.80 USD a month" in done.stderr
    assert "the registry isn't there yet" in done.stderr
    assert STAND_IN in done.stderr
    assert not changing(checkout.calls())
    assert not list(checkout.deployment(ACCOUNT).glob("*.auto.tfvars.json"))


def test_a_plan_of_a_changed_image_says_that_it_is_pushed(checkout: Checkout) -> None:
    checkout.answer([DEPLOYED[0], *FIRST_RUN])
    done = checkout.run("--plan")
    assert done.returncode == 0, done.stderr
    assert "the image has changed" in done.stderr
    assert not changing(checkout.calls())


def test_a_plan_of_an_unchanged_image_shows_no_stand_in(checkout: Checkout) -> None:
    checkout.answer([*DEPLOYED, *FIRST_RUN])
    done = checkout.run("--plan")
    assert done.returncode == 0, done.stderr
    assert not changing(checkout.calls())
    assert STAND_IN not in done.stderr


def test_all_that_is_missing_is_told_at_once_and_how_to_get_it(checkout: Checkout) -> None:
    checkout.remove("aws", "cargo", "cc", "docker", "python3", "terraform")
    done = checkout.deploy_unasked(FANFOLD_PYTHON="")
    assert done.returncode == 1
    told = re.findall(r"^missing: (.*)\n    \S.*", done.stderr, re.MULTILINE)
    assert len(told) == 6
    for tool in ("terraform", "Python 3.11", "Rust", "linker", "docker", "aws"):
        assert any(tool in line for line in told), tool
    assert "nothing was done" in done.stderr


def test_what_is_there_but_does_not_work_is_missing_too(checkout: Checkout) -> None:
    refused = "Unable to locate credentials\n"
    checkout.answer(
        [
            Answer("terraform version", "Terraform v1.9.8\n"),
            Answer("docker (info|buildx version)", status=1, stderr="no\n"),
            Answer("aws sts", status=253, stderr=refused),
            Answer("aws configure get region", status=1),
        ]
    )
    done = checkout.deploy_unasked(AWS_REGION="")
    assert done.returncode == 1
    told = re.findall(r"^missing: (.*)\n    \S.*", done.stderr, re.MULTILINE)
    assert told == [
        "Terraform 1.11 or newer",
        "docker buildx",
        "a running Docker engine",
        "a region",
        "credentials for AWS",
    ]
    assert refused.strip() in done.stderr
    assert not changing(checkout.calls())


@pytest.mark.parametrize(("spot", "code"), [(False, "L-3032A538"), (True, "L-36FBB829")])
def test_max_vcpus_is_the_quota_where_that_is_smaller_and_nobody_set_it(
    checkout: Checkout, spot: bool, code: str
) -> None:
    quota = Answer(f"get-service-quota .*{code}", "6.0\n")
    checkout.answer([quota, settings(spot=spot), *FIRST_RUN])
    done = checkout.deploy_unasked()
    assert done.returncode == 0, done.stderr
    assert "max_vcpus is 6 instead of 64" in done.stderr
    assert code in done.stderr
    assert built_settings(checkout)["max_vcpus"] == 6


def test_max_vcpus_is_its_default_where_the_quota_is_larger(checkout: Checkout) -> None:
    assert checkout.deploy_unasked().returncode == 0
    variables = (ROOT / "deploy/terraform/variables.tf").read_text()
    default = re.search(r'variable "max_vcpus" {[^}]*default += (\d+)', variables)
    assert default
    assert built_settings(checkout)["max_vcpus"] == int(default[1])


def test_more_vcpus_than_the_account_may_run_are_refused_where_the_user_set_them(
    checkout: Checkout,
) -> None:
    quota = Answer("get-service-quota .*L-3032A538", "6.0\n")
    checkout.answer([quota, settings(max_vcpus=32), *FIRST_RUN])
    done = checkout.deploy_unasked("-var=max_vcpus=32")
    assert done.returncode == 1
    told = done.stderr.splitlines()[-2:]
    assert "max_vcpus is 32" in told[0]
    assert "6 vCPUs" in told[0]
    assert "L-3032A538" in told[0]
    assert not changing(checkout.calls())


def test_a_quota_below_what_a_fold_needs_is_refused(checkout: Checkout) -> None:
    checkout.answer([Answer("get-service-quota", "3.0\n"), *FIRST_RUN])
    done = checkout.deploy_unasked()
    assert done.returncode == 1
    told = done.stderr.splitlines()[-2:]
    assert "3 vCPUs" in told[0]
    assert "one container needs 4" in told[0]
    assert "max_vcpus" not in "".join(told)  # whatever it is set to, it wouldn't help
    assert not changing(checkout.calls())


def test_an_account_without_a_quota_of_its_own_has_the_default(checkout: Checkout) -> None:
    none = Answer("get-service-quota", status=254, stderr="NoSuchResourceException: none\n")
    checkout.answer([none, Answer("get-aws-default-service-quota", "6.0\n"), *FIRST_RUN])
    done = checkout.deploy_unasked()
    assert done.returncode == 0, done.stderr
    assert "max_vcpus is 6 instead of 64" in done.stderr


def test_a_quota_that_may_not_be_read_is_a_warning(checkout: Checkout) -> None:
    denied = Answer("get-service-quota", status=254, stderr="AccessDeniedException: no\n")
    checkout.answer([denied, *FIRST_RUN])
    done = checkout.deploy_unasked()
    assert done.returncode == 0, done.stderr
    assert "warning: the Fargate On-Demand quota can't be read" in done.stderr


@pytest.mark.parametrize(
    ("failing", "step", "goes_no_further"),
    [
        ("terraform .* init", "starting Terraform", "state"),
        ("state pull", "reading Terraform's state", "console"),
        ("terraform .* console", "reading the settings", "plan"),
        (CHECK, "checking the variables", "apply"),
        (PLAN, "planning", "apply"),
        (CREATE_REGISTRY, "creating the registry", "docker login"),
        ("docker login", "signing in to the registry", PUSH),
        (PUSH, "pushing the image", APPLY),
        (APPLY, "applying", "terraform .* output"),
    ],
)
def test_a_step_that_fails_is_named_and_is_the_last(
    checkout: Checkout, failing: str, step: str, goes_no_further: str
) -> None:
    checkout.answer([Answer(failing, status=7, stderr="no luck\n"), *FIRST_RUN])
    done = checkout.deploy_unasked()
    assert done.returncode != 0
    assert "no luck" in done.stderr
    assert f"deploy.sh: failed at: {step}\n" in done.stderr
    assert done.stdout == ""
    assert not [call for call in checkout.calls() if re.search(goes_no_further, call)]


def test_an_error_of_the_registry_is_no_missing_image(checkout: Checkout) -> None:
    denied = Answer("aws ecr describe-images", status=254, stderr="AccessDeniedException\n")
    checkout.answer([DEPLOYED[0], denied, *FIRST_RUN])
    done = checkout.deploy_unasked()
    assert done.returncode != 0
    assert "AccessDeniedException" in done.stderr
    assert "failed at: looking for the image" in done.stderr
    assert not changing(checkout.calls())


def test_no_secret_is_shown_or_is_an_argument(checkout: Checkout) -> None:
    done = checkout.deploy_unasked()
    seen = done.stdout + done.stderr + "\n".join(checkout.calls())
    assert "pa55word" not in seen
    assert "wJalrXUtnFEMI" not in seen


def test_settings_that_are_given_reach_terraform_from_any_folder_and_are_kept(
    checkout: Checkout,
) -> None:
    (checkout.folder / "mine.tfvars").write_text('region = "eu-north-1"\nversioning = true\n')
    answered = settings(name="genomes", spot=True, versioning=True)
    checkout.answer([answered, Answer("service-quotas", "64.0\n"), *FIRST_RUN])
    done = checkout.deploy_unasked(
        "-var-file=mine.tfvars", "-var=spot=true", FANFOLD_NAME="genomes"
    )
    assert done.returncode == 0, done.stderr
    calls = checkout.calls()
    given = f"-var-file={checkout.folder}/mine.tfvars -var=spot=true -var=name=genomes"
    assert given in calls[place(calls, "console")]
    assert "--region eu-north-1" in calls[place(calls, "get-caller-identity --region")]
    folder = checkout.deployment(ACCOUNT, "eu-north-1", "genomes")
    kept = json.loads((folder / "kept.auto.tfvars.json").read_text())
    assert kept == {"spot": True, "versioning": True}
    for verb in (CHECK, PLAN, CREATE_REGISTRY, PLAN_AGAIN):
        call = calls[place(calls, verb)]
        assert re.search(r"-chdir=\S+genomes .*kept.tfvars.json .*built.tfvars.json", call)


def test_a_setting_of_the_environment_is_kept_and_a_later_one_wins(checkout: Checkout) -> None:
    checkout.answer([settings(log_retention_days=7), *FIRST_RUN])
    done = checkout.deploy_unasked(TF_VAR_log_retention_days="7")
    assert done.returncode == 0, done.stderr
    assert kept_settings(checkout) == {"log_retention_days": 7}
    checkout.calls()

    checkout.answer([settings(log_retention_days=14), *DEPLOYED, *FIRST_RUN])
    done = checkout.deploy_unasked(TF_VAR_log_retention_days="14")
    assert done.returncode == 0, done.stderr
    calls = checkout.calls()
    assert "-var=log_retention_days=14" in calls[place(calls, "console")]
    assert kept_settings(checkout) == {"log_retention_days": 14}


def test_a_setting_in_two_places_is_refused(checkout: Checkout) -> None:
    assert checkout.run("--plan").returncode == 0
    checkout.calls()
    own = checkout.deployment(ACCOUNT) / "terraform.tfvars"
    own.write_text("spot = false\n")
    done = checkout.deploy_unasked("-var=spot=true")
    assert done.returncode == 1
    assert f"spot is set in {own}: change it there." in done.stderr
    assert not changing(checkout.calls())
    assert own.read_text() == "spot = false\n"


@pytest.mark.parametrize("setting", ["image", "functions_dir", "account"])
def test_what_deploy_finds_out_is_not_the_users_to_set(checkout: Checkout, setting: str) -> None:
    done = checkout.deploy_unasked(f"-var={setting}=mine")
    assert done.returncode == 1
    assert f"deploy.sh sets {setting} itself" in done.stderr
    assert not changing(checkout.calls())


def test_a_backend_of_the_users_own_is_given_to_init(checkout: Checkout) -> None:
    folder = checkout.deployment(ACCOUNT)
    folder.mkdir(parents=True)
    (folder / "backend.hcl").write_text('bucket = "states"\n')
    assert checkout.run("--plan").returncode == 0
    calls = checkout.calls()
    assert "-backend-config=backend.hcl" in calls[place(calls, "terraform .* init")]


# --- The deployment's folder ----------------------------------------------------------------------


def test_another_name_region_or_account_is_another_folder(checkout: Checkout) -> None:
    assert checkout.deploy_unasked().returncode == 0
    first = checkout.deployment(ACCOUNT)
    before = {path.name: path.read_bytes() for path in first.iterdir()}
    other = Answer("aws sts get-caller-identity --query Account", "210987654321\n")
    for answers, environment in (
        ([settings(name="two")], {"FANFOLD_NAME": "two"}),
        ([], {"AWS_REGION": "us-east-1"}),
        ([other], {}),
    ):
        checkout.calls()
        checkout.answer([*answers, *FIRST_RUN])
        done = checkout.deploy_unasked(**environment)
        assert done.returncode == 0, done.stderr
        assert f"another deployment than {first.name}" in done.stderr
        assert not [call for call in checkout.calls() if f"-chdir={first} " in call]
    assert {path.name for path in (checkout.deploy / "deployments").iterdir()} == {
        first.name,
        f"{ACCOUNT}-eu-west-1-two",
        f"{ACCOUNT}-us-east-1-fanfold",
        "210987654321-eu-west-1-fanfold",
    }
    assert {path.name: path.read_bytes() for path in first.iterdir()} == before


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"name": "two", "spot": true}', "two"),
        ('{\n  "tags": {\n    "name": "team", "region": "emea"\n  }\n}\n', "fanfold"),
    ],
)
def test_the_name_in_a_file_names_the_folder_and_a_tag_does_not(
    checkout: Checkout, text: str, name: str
) -> None:
    file = checkout.folder / "mine.tfvars.json"
    file.write_text(text)
    checkout.answer([settings(name=name), *FIRST_RUN])
    done = checkout.run("--plan", f"-var-file={file}")
    assert done.returncode == 0, done.stderr
    assert checkout.deployment(ACCOUNT, name=name).is_dir()


@pytest.mark.parametrize(
    "other", [{"name": "b"}, {"region": "us-east-1"}, {"account": "210987654321"}]
)
@pytest.mark.parametrize("verb", [[], ["--plan"], ["destroy"]])
def test_a_state_of_another_deployment_is_refused(
    checkout: Checkout, other: dict[str, str], verb: list[str]
) -> None:
    checkout.deployment(ACCOUNT).mkdir(parents=True)
    checkout.answer([Answer("state pull", state(**other)), *FIRST_RUN])
    done = checkout.deploy_unasked(*verb)
    assert done.returncode == 1
    assert "is that of another deployment" in done.stderr
    calls = checkout.calls()
    assert not changing(calls)
    assert not [call for call in calls if re.search(" (plan|console) ", call)]


def test_a_folder_that_was_copied_is_refused_before_terraform_runs(checkout: Checkout) -> None:
    assert checkout.deploy_unasked().returncode == 0
    checkout.calls()
    copied = checkout.deployment(ACCOUNT, name="two")
    shutil.copytree(checkout.deployment(ACCOUNT), copied)
    done = checkout.deploy_unasked(FANFOLD_NAME="two")
    assert done.returncode == 1
    assert "is of another deployment: its name is fanfold" in done.stderr
    assert not [call for call in checkout.calls() if "-chdir" in call]


def test_a_file_that_deploy_did_not_write_is_not_replaced(checkout: Checkout) -> None:
    folder = checkout.deployment(ACCOUNT)
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text("# mine\n")
    done = checkout.deploy_unasked()
    assert done.returncode == 1
    assert f"{folder}/main.tf was not written by deploy.sh: move it away." in done.stderr
    assert [path.name for path in folder.iterdir()] == ["main.tf"]


@pytest.mark.parametrize("verb", [[], ["--plan"], ["destroy"]])
def test_a_state_of_an_earlier_version_is_noticed_and_says_where_it_goes(
    checkout: Checkout, verb: list[str]
) -> None:
    module = checkout.deploy / "terraform"
    (module / "terraform.tfstate").write_text(state(name="genomes", root=""))
    (module / "terraform.tfvars").write_text("spot = true\n")
    done = checkout.deploy_unasked(*verb)
    assert done.returncode == 1
    folder = checkout.deployment(ACCOUNT, name="genomes")
    assert f"mv terraform.tfstate terraform.tfvars {folder}" in done.stderr
    assert not [call for call in checkout.calls() if "-chdir" in call]

    folder.mkdir(parents=True)
    for name in ("terraform.tfstate", "terraform.tfvars"):
        (module / name).rename(folder / name)
    there = (folder / "terraform.tfstate").read_text()
    checkout.answer([settings(name="genomes"), Answer("state pull", there), *FIRST_RUN])
    done = checkout.run("--plan", FANFOLD_NAME="genomes")
    assert done.returncode == 0, done.stderr


def test_a_workspace_is_refused_since_it_would_be_a_second_state(checkout: Checkout) -> None:
    done = checkout.deploy_unasked(TF_WORKSPACE="b")
    assert done.returncode == 1
    assert "TF_WORKSPACE is b" in done.stderr
    assert not checkout.calls()


def test_the_lock_file_is_made_for_every_platform_once(checkout: Checkout) -> None:
    assert checkout.run("--plan").returncode == 0
    calls = checkout.calls()
    locked = calls[place(calls, LOCKED)]
    assert (
        place(calls, "terraform .* get") < place(calls, LOCKED) < place(calls, "terraform .* init")
    )
    for platform in ("linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"):
        assert f"-platform={platform}" in locked

    (checkout.deployment(ACCOUNT) / ".terraform.lock.hcl").touch()
    assert checkout.run("--plan").returncode == 0
    assert not [call for call in checkout.calls() if re.search(LOCKED, call)]


def test_a_lock_file_for_this_platform_alone_is_a_warning(checkout: Checkout) -> None:
    checkout.answer([Answer(LOCKED, status=1, stderr="no registry\n"), *FIRST_RUN])
    done = checkout.run("--plan")
    assert done.returncode == 0, done.stderr
    assert "warning: the lock file can't be made for every platform" in done.stderr
    assert "no registry" in done.stderr


# --- What is asked --------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [[], ["destroy"], ["destroy", "--delete-data"]])
def test_without_a_terminal_and_yes_nothing_is_called(checkout: Checkout, verb: list[str]) -> None:
    done = checkout.run(*verb)
    assert done.returncode == 1
    assert "There is no terminal to ask on" in done.stderr
    assert "--yes" in done.stderr
    assert not checkout.calls()


@pytest.mark.parametrize("answer", ["", "n", "no", "yep"])
def test_what_is_not_agreed_to_is_not_done(checkout: Checkout, answer: str) -> None:
    done = checkout.answer_question(answer)
    assert done.returncode == 1
    assert "43.80 USD a month" in done.stderr
    assert "Apply? [y/N]" in done.stderr
    assert not changing(checkout.calls())
    assert not list(checkout.deployment(ACCOUNT).glob("*.auto.tfvars.json"))


def test_one_agreement_is_enough_for_a_first_run(checkout: Checkout) -> None:
    done = checkout.answer_question("y")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("[y/N]") == 1
    assert re.search(APPLY, "\n".join(checkout.calls()))


def test_a_plan_that_does_more_than_was_agreed_to_is_asked_again(checkout: Checkout) -> None:
    more = plan("aws_vpc.this", "aws_s3_bucket.this", action="delete")
    checkout.answer([Answer("show -json .*next", more), *FIRST_RUN])
    done = checkout.answer_question("y")
    assert done.returncode == 1
    assert "remove aws_s3_bucket.this" in done.stderr or "remove 2" in done.stderr
    assert done.stderr.count("[y/N]") == 2
    assert not [call for call in checkout.calls() if re.search(APPLY, call)]


def test_what_changes_or_goes_is_named_before_the_question(checkout: Checkout) -> None:
    replaced = Answer("show -json", plan("module.a.aws_vpc.this", action="update"))
    checkout.answer([replaced, *DEPLOYED, *FIRST_RUN])
    done = checkout.answer_question("n")
    assert "create 0, change 1, replace 0, remove 0" in done.stderr
    assert "    change module.a.aws_vpc.this" in done.stderr


def test_where_nothing_changes_nothing_is_asked_or_applied(checkout: Checkout) -> None:
    checkout.answer([Answer("show -json", plan()), *DEPLOYED, *FIRST_RUN])
    done = checkout.answer_question("n")
    assert done.returncode == 0, done.stderr
    assert "Nothing changes." in done.stderr
    assert BUCKET in done.stdout
    assert not changing(checkout.calls())


@pytest.mark.parametrize(("jobs", "told"), [("0", ""), ("12", "12"), ("1000", "1000")])
def test_an_upgrade_says_how_many_jobs_are_open(checkout: Checkout, jobs: str, told: str) -> None:
    checkout.answer([Answer("list-objects-v2 .*jobs/open/", f"{jobs}\n"), *DEPLOYED, *FIRST_RUN])
    done = checkout.deploy_unasked()
    assert done.returncode == 0, done.stderr
    assert ("with the image that they began with" in done.stderr) == bool(told)
    assert told in done.stderr


def test_what_open_jobs_run_in_is_not_removed(checkout: Checkout) -> None:
    address = "module.fanfold.module.batch.aws_batch_compute_environment.this"
    ended = Answer("show -json", plan(address, action="delete"))
    opened = Answer("list-objects-v2 .*jobs/open/", "3\n")
    checkout.answer([ended, opened, *DEPLOYED, *FIRST_RUN])

    done = checkout.deploy_unasked()

    assert done.returncode == 1
    assert "3 jobs are open, and the plan removes" in done.stderr
    assert not changing(checkout.calls())
    checkout.answer([ended, *DEPLOYED, *FIRST_RUN])
    assert checkout.deploy_unasked().returncode == 0


@pytest.mark.parametrize("name", ["a", "-fan", "fan-", "f" * 25, "Fan", "fan/../x"])
def test_a_name_that_cant_be_makes_no_folder(checkout: Checkout, name: str) -> None:
    done = checkout.deploy_unasked(f"-var=name={name}")

    assert done.returncode == 1
    assert f'The name "{name}" can\'t be used' in done.stderr
    assert not (checkout.deploy / "deployments").exists()


# --- The account ----------------------------------------------------------------------------------


def test_the_accounts_lambda_concurrency_reaches_terraform(checkout: Checkout) -> None:
    assert checkout.deploy_unasked().returncode == 0
    assert built_settings(checkout)["account_concurrency"] == 1000


def test_a_concurrency_that_cannot_be_read_is_said_and_left_to_its_default(
    checkout: Checkout,
) -> None:
    denied = Answer("aws lambda get-account-settings", status=254, stderr="AccessDenied\n")
    checkout.answer([denied, *FIRST_RUN])
    done = checkout.deploy_unasked()
    assert done.returncode == 0, done.stderr
    assert "Lambda concurrency can't be read" in done.stderr
    assert "account_concurrency" not in built_settings(checkout)


def test_without_a_role_for_logs_access_logs_are_off_and_it_says_how_to_get_them(
    checkout: Checkout,
) -> None:
    done = checkout.deploy_unasked()
    assert done.returncode == 0, done.stderr
    assert "access logs are off" in done.stderr
    assert "--api-log-role" in done.stderr
    assert built_settings(checkout)["api_logs"] is False
    assert not [call for call in checkout.calls() if "api-logs" in call]


def test_a_role_for_logs_that_is_there_is_used(checkout: Checkout) -> None:
    checkout.answer([Answer("apigateway get-account", f"{LOG_ROLE}\n"), *FIRST_RUN])
    done = checkout.deploy_unasked()
    assert done.returncode == 0, done.stderr
    assert "access logs" not in done.stderr
    assert built_settings(checkout)["api_logs"] is True


def test_a_role_for_logs_is_made_on_demand_after_the_question(checkout: Checkout) -> None:
    arn = f"arn:aws-cn:iam::{ACCOUNT}:role/fanfold-api-logs"
    made = [
        Answer("aws iam create-role"),
        Answer("aws iam get-role .*fanfold-api-logs", f"{arn}\n"),
        Answer("aws iam attach-role-policy"),
        # IAM needs a while to know a role everywhere.
        Answer("apigateway update-account", after="sleep"),
        Answer("apigateway update-account", status=254, stderr="required permissions\n"),
    ]
    checkout.answer([*made, *FIRST_RUN])
    done = checkout.deploy_unasked("--api-log-role")
    assert done.returncode == 0, done.stderr
    calls = checkout.calls()
    policy = "arn:aws-cn:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    assert place(calls, f"attach-role-policy .*{policy}") < place(calls, APPLY)
    assert f"value={arn}" in next(call for call in calls if "update-account" in call)
    assert built_settings(checkout)["api_logs"] is True


def test_a_role_for_logs_is_never_replaced(checkout: Checkout) -> None:
    checkout.answer([Answer("apigateway get-account", f"{LOG_ROLE}\n"), *FIRST_RUN])
    done = checkout.deploy_unasked("--api-log-role")
    assert done.returncode == 1
    assert LOG_ROLE in done.stderr
    assert not changing(checkout.calls())


def test_service_linked_roles_that_are_missing_are_created_after_the_question(
    checkout: Checkout,
) -> None:
    missing = Answer("aws iam get-role .*For(Batch|APIGateway)", status=254, stderr=NO_ROLE)
    checkout.answer([missing, Answer("aws iam create-service-linked-role"), *FIRST_RUN])
    done = checkout.answer_question("n")
    assert "batch.amazonaws.com, ops.apigateway.amazonaws.com" in done.stderr
    assert not changing(checkout.calls())

    assert checkout.deploy_unasked().returncode == 0
    calls = checkout.calls()
    created = [call.split()[-1] for call in calls if "create-service-linked-role" in call]
    assert created == ["batch.amazonaws.com", "ops.apigateway.amazonaws.com"]
    assert place(calls, "create-service-linked-role .*batch") < place(calls, APPLY)


def test_a_service_linked_role_that_may_not_be_created_is_named(checkout: Checkout) -> None:
    missing = Answer("aws iam get-role .*ForECS", status=254, stderr=NO_ROLE)
    denied = Answer("create-service-linked-role", status=254, stderr="AccessDenied\n")
    checkout.answer([missing, denied, *FIRST_RUN])
    done = checkout.deploy_unasked()
    assert done.returncode == 0, done.stderr
    assert "the service-linked role of ecs.amazonaws.com can't be created" in done.stderr


def test_podman_under_the_name_of_docker_is_no_buildx(checkout: Checkout) -> None:
    podman = Answer("docker buildx version", "buildah 1.28.2\n")
    checkout.answer([podman, *FIRST_RUN])
    done = checkout.deploy_unasked()
    assert done.returncode == 1
    assert "missing: docker buildx\n" in done.stderr
    assert "docker-buildx in Debian" in done.stderr


# --- Taking down ----------------------------------------------------------------------------------


@pytest.fixture
def deployed(checkout: Checkout) -> Checkout:
    """A checkout with the folder of a deployment."""
    checkout.deployment(ACCOUNT).mkdir(parents=True)
    return checkout


def test_destroy_without_a_deployment_has_nothing_to_do(checkout: Checkout) -> None:
    done = checkout.deploy_unasked("destroy")
    assert done.returncode == 0, done.stderr
    assert "Nothing is deployed" in done.stderr
    assert not changing(checkout.calls())
    assert not checkout.deployment(ACCOUNT).exists()


def test_destroy_with_an_empty_state_has_nothing_to_do(deployed: Checkout) -> None:
    done = deployed.deploy_unasked("destroy")
    assert done.returncode == 0, done.stderr
    assert "Nothing is deployed" in done.stderr
    assert not changing(deployed.calls())


def test_destroy_refuses_while_there_is_data_and_says_how_much(deployed: Checkout) -> None:
    there = [
        Answer(
            "list-object-versions .*--delimiter", "input/\tresults/\tjobs/\tnotes and all.txt\n"
        ),
        Answer("list-object-versions .*--prefix input/", "1\n"),
        Answer("list-object-versions .*--prefix results/", "1000\n"),
        Answer("list-object-versions .*--prefix notes and all.txt", "1\n"),
    ]
    deployed.answer([*DEPLOYED, *there, *FIRST_RUN])
    done = deployed.deploy_unasked("destroy")
    assert done.returncode == 1
    assert "1 object in input/, at least 1000 objects in results/, 1 object in notes" in done.stderr
    assert "--delete-data" in done.stderr.splitlines()[-1]
    assert not changing(deployed.calls())


@pytest.mark.parametrize("error", ["AccessDenied", "Could not connect to the endpoint"])
def test_destroy_goes_no_further_when_it_cannot_look_for_data(
    deployed: Checkout, error: str
) -> None:
    unseen = Answer("list-object-versions", status=254, stderr=f"{error}\n")
    deployed.answer([*DEPLOYED, unseen, *FIRST_RUN])
    done = deployed.deploy_unasked("destroy")
    assert done.returncode != 0
    assert error in done.stderr
    assert "failed at: looking for data" in done.stderr
    assert not changing(deployed.calls())


def test_destroy_goes_no_further_when_the_state_cannot_be_read(deployed: Checkout) -> None:
    unseen = Answer("state pull", status=1, stderr="the state is locked\n")
    deployed.answer([*DEPLOYED, unseen, *FIRST_RUN])
    done = deployed.deploy_unasked("destroy")
    assert done.returncode != 0
    assert not changing(deployed.calls())


def test_destroy_without_data_lets_the_bucket_go_then_everything(deployed: Checkout) -> None:
    deployed.answer([*DEPLOYED, NOTHING, NO_JOBS, *STOPPING, *FIRST_RUN])
    done = deployed.deploy_unasked("destroy")
    assert done.returncode == 0, done.stderr
    calls = deployed.calls()
    stopped = place(calls, f"update-job-queue --job-queue {QUEUE} --state DISABLED")
    freed = place(calls, r"apply .*-target=module\.fanfold\.module\.storage\.aws_s3_bucket\.this")
    assert place(calls, f"{PLAN} -destroy") < stopped < freed
    assert freed < place(calls, f"{PLAN_AGAIN} -destroy") < place(calls, APPLY)
    assert not [call for call in calls if call.startswith("docker")]


def test_destroy_with_the_data_looks_for_none(deployed: Checkout) -> None:
    deployed.answer([*DEPLOYED, NO_JOBS, *STOPPING, *FIRST_RUN])
    done = deployed.deploy_unasked("destroy", "--delete-data")
    assert done.returncode == 0, done.stderr
    calls = deployed.calls()
    assert not [call for call in calls if "s3api" in call]
    assert place(calls, APPLY)


def test_what_is_not_agreed_to_is_not_taken_down(deployed: Checkout) -> None:
    deployed.answer([*DEPLOYED, NOTHING, NO_JOBS, *STOPPING, *FIRST_RUN])
    done = deployed.answer_question("n", "destroy")
    assert done.returncode == 1
    assert "Remove all this? [y/N]" in done.stderr
    assert not changing(deployed.calls())


def test_log_groups_that_late_requests_made_again_are_removed(deployed: Checkout) -> None:
    late = Answer("delete-log-group .*(/aws/apigateway/fanfold|Execution-Logs_a1b2c3/prod)")
    deployed.answer([late, *DEPLOYED, NOTHING, NO_JOBS, *STOPPING, *FIRST_RUN])
    done = deployed.deploy_unasked("destroy")
    assert done.returncode == 0, done.stderr
    removed = re.findall("^removed (.*)", done.stderr, re.MULTILINE)
    assert removed == ["/aws/apigateway/fanfold", "API-Gateway-Execution-Logs_a1b2c3/prod"]
    calls = deployed.calls()
    assert place(calls, APPLY) < min(
        i for i, call in enumerate(calls) if "delete-log-group" in call
    )


def test_destroy_stops_the_jobs_and_waits_for_their_end(deployed: Checkout) -> None:
    jobs = [
        Answer("list-jobs .*RUNNING", "None\n", after="(?s)terminate-job.*terminate-job.*sleep"),
        Answer("list-jobs .*RUNNING", "one\ttwo\n"),
    ]
    deployed.answer([*DEPLOYED, NOTHING, *jobs, NO_JOBS, *STOPPING, *FIRST_RUN])
    done = deployed.deploy_unasked("destroy")
    assert done.returncode == 0, done.stderr
    calls = deployed.calls()
    disabled = place(calls, "update-job-queue")
    stopped = [place(calls, f"terminate-job --job-id {job} ") for job in ("one", "two")]
    assert [disabled, *stopped] == sorted([disabled, *stopped])
    assert stopped[-1] < place(calls, "sleep") < place(calls, APPLY)


def test_destroy_goes_no_further_while_jobs_run(deployed: Checkout) -> None:
    running = Answer("list-jobs .*RUNNING", "one\n")
    deployed.answer([*DEPLOYED, NOTHING, running, NO_JOBS, *STOPPING, *FIRST_RUN])
    done = deployed.deploy_unasked("destroy")
    assert done.returncode == 1
    assert "Jobs are still running after five minutes: one." in done.stderr
    assert not [
        call for call in deployed.calls() if re.search("terraform .* (apply|destroy)", call)
    ]


def test_destroy_goes_no_further_when_jobs_cannot_be_listed(deployed: Checkout) -> None:
    denied = Answer("list-jobs .*PENDING", status=254, stderr="AccessDeniedException\n")
    deployed.answer([*DEPLOYED, NOTHING, denied, NO_JOBS, *STOPPING, *FIRST_RUN])
    done = deployed.deploy_unasked("destroy")
    assert done.returncode != 0
    assert "failed at: stopping jobs" in done.stderr
    assert not [
        call for call in deployed.calls() if re.search("terraform .* (apply|destroy)", call)
    ]


def test_destroy_goes_on_where_the_bucket_went_already(deployed: Checkout) -> None:
    gone = Answer("list-object-versions", status=254, stderr="An error (NoSuchBucket)\n")
    deployed.answer([*DEPLOYED, gone, NO_JOBS, *STOPPING, *FIRST_RUN])
    assert deployed.deploy_unasked("destroy").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--delete-data"],
        ["--ja"],
        ["detroy"],
        ["-var-file=there-is-none"],
        ["destroy", "--api-log-role"],
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_called(
    checkout: Checkout, arguments: list[str]
) -> None:
    done = checkout.deploy_unasked(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("deploy.sh: ")
    assert not checkout.calls()


def test_help_tells_every_way_to_call_it(checkout: Checkout) -> None:
    done = checkout.deploy_unasked("--help")
    assert done.returncode == 0
    for word in (
        "--plan",
        "destroy",
        "--delete-data",
        "--yes",
        "--api-log-role",
        "-var-file",
        "FANFOLD_NAME",
        "AWS_REGION",
    ):
        assert word in done.stdout
    assert not checkout.calls()


def test_shellcheck_finds_nothing() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("DEPLOY.SH IS NOT CHECKED: shellcheck isn't installed")
    done = subprocess.run(
        ["shellcheck", ROOT / "deploy/deploy.sh"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
