"""deploy.sh: what it does in which order, and that it does nothing where it says so.

docker, aws and terraform are stubs here. The script builds the zips and the image's context itself.
"""

from __future__ import annotations

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
BUCKET = f"fanfold-{ACCOUNT}-eu-west-1"
REGISTRY = "module.storage.aws_ecr_repository.this"
QUEUE = f"arn:aws:batch:eu-west-1:{ACCOUNT}:job-queue/fanfold"
PUSH = "docker buildx build"
APPLY = "terraform .*apply .*image=[^ ]*@sha256:5e"

TOOLS = [
    Answer("terraform version", "Terraform v1.11.4\non linux_amd64\n"),
    Answer("aws sts get-caller-identity --query Account", f"{ACCOUNT}\n"),
    Answer("aws sts get-caller-identity", "{}"),
    Answer("docker (info|buildx version|login|logout|buildx create)"),
    Answer("docker buildx inspect", status=1),
    Answer("sleep"),
]
QUOTA = Answer("aws service-quotas get-service-quota .*L-3032A538", "4000.0\n")
VARIABLES = '"name=fanfold architecture=x86_64 max_vcpus=64 spot=false"\n'
SETTINGS = Answer("terraform .* console", VARIABLES)
PUSHED = [
    Answer("aws ecr get-login-password", "pa55word\n"),
    Answer("aws ecr describe-images", f"{DIGEST}\n", after=PUSH),
    Answer("aws ecr describe-images", status=254, stderr="An error: ImageNotFoundException\n"),
    Answer(PUSH),
]


def resource(address: str, attribute: str, value: str) -> Answer:
    kind, name = address.split(".")[-2:]
    text = f'# {address}:\nresource "{kind}" "{name}" {{\n    {attribute}   = "{value}"\n}}\n'
    return Answer(f"terraform .* state show .*{re.escape(address)}", text)


TERRAFORM = [
    Answer("terraform .* (init|apply|destroy)"),
    Answer("terraform .* plan", "Plan: 60 to add, 0 to change, 0 to destroy.\n"),
    resource(REGISTRY, "repository_url", f"{HOST}/fanfold"),
    resource("module.storage.aws_s3_bucket.this", "bucket", BUCKET),
    resource("module.batch.aws_batch_job_queue.this", "arn", QUEUE),
    Answer("output -raw starter_api_url", "https://api.example/prod/chunk"),
    Answer("output -raw api_url", "https://api.example/prod"),
    Answer("output -raw bucket", BUCKET),
]
ALL = f"{REGISTRY}\nmodule.storage.aws_s3_bucket.this\nmodule.batch.aws_batch_job_queue.this\n"
NO_STATE = Answer("state list", status=1, stderr="No state file was found!\n")
STATE = [
    Answer("state list", ALL, after=APPLY),
    Answer("state list", f"{REGISTRY}\n", after="apply .*-target="),
    NO_STATE,
]
DEPLOYED = [
    Answer("state list", ALL),
    Answer("aws ecr describe-images", f"{DIGEST}\n"),
]
FIRST_RUN = [*TOOLS, QUOTA, SETTINGS, *STATE, *PUSHED, *TERRAFORM]

NOTHING = Answer("list-object-versions .*--delimiter", "jobs/\tchunks/\tNone\n")
NO_JOBS = Answer("aws batch list-jobs", "None\n")
STOPPING = [Answer("aws batch (update-job-queue|terminate-job)")]


@pytest.fixture(scope="module")
def built(context: Context, tmp_path_factory: pytest.TempPathFactory) -> None:
    """All that deploy.sh builds, once: a checkout's cache has it then."""
    assert context.folder.is_dir()
    build_functions("x86_64", tmp_path_factory.mktemp("zips"))


@pytest.fixture
def checkout(built: None, tmp_path: Path) -> Checkout:  # noqa: ARG001 - it fills the cache
    made = Checkout(tmp_path)
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
    )
    return [call for call in calls if re.search(verbs, call)]


def test_the_first_run_creates_the_registry_then_pushes_then_applies(checkout: Checkout) -> None:
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    calls = checkout.calls()
    created = place(calls, f"apply .*-target={re.escape(REGISTRY)} ")
    pushed = place(calls, PUSH)
    applied = place(calls, f"apply .*-var=image={HOST}/fanfold@{DIGEST} ")
    assert created < place(calls, "docker login") < pushed < applied
    assert "--platform linux/amd64,linux/arm64" in calls[pushed]
    assert re.search(f"--tag {HOST}/fanfold:[0-9a-f]{{32}} ", calls[pushed])
    assert calls[-1] == f"docker logout {HOST}"
    assert {path.stem for path in checkout.deploy.glob(".build/functions-x86_64/*.zip")} == {
        *("starter", "chunker", "aggregator", "status", "failures", "sweep")
    }


def test_what_a_build_left_that_was_stopped_is_finished(
    checkout: Checkout, context: Context
) -> None:
    left = checkout.deploy / ".build/image/amd64"
    left.mkdir(parents=True)
    shutil.copyfile(context.folder / "amd64/pip.conf", left / "pip.conf")
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    assert {path.name for path in left.iterdir()} == {
        path.name for path in (context.folder / "amd64").iterdir()
    }
    assert place(checkout.calls(), PUSH)


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_file_or_link_for_the_builds_folder_is_refused_in_a_line(
    checkout: Checkout, tmp_path: Path, kind: str
) -> None:
    there = checkout.deploy / ".build"
    if kind == "file":
        there.write_text("mine\n")
    else:
        (tmp_path / "mine").mkdir()
        there.symlink_to(tmp_path / "mine")
    done = checkout.run()
    assert done.returncode == 1
    assert f"build.py: {there} is a {kind}: move it away" in done.stderr
    assert "Traceback" not in done.stderr
    assert not changing(checkout.calls())
    assert there.read_text() == "mine\n" if kind == "file" else not any(there.iterdir())

    there.unlink()
    done = checkout.run()
    assert done.returncode == 0, done.stderr


def test_the_outputs_are_printed_by_name_and_two_commands_to_try(checkout: Checkout) -> None:
    lines = checkout.run().stdout.splitlines()
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
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    (applied,) = changing(checkout.calls())
    assert f"-var=image={HOST}/fanfold@{DIGEST} " in applied
    assert "-target" not in applied


def test_a_registry_that_somebody_removed_is_created_again(checkout: Checkout) -> None:
    gone = Answer(
        "aws ecr describe-images", status=254, stderr="An error: RepositoryNotFoundException\n"
    )
    again = Answer("aws ecr describe-images", f"{DIGEST}\n", after=PUSH)
    checkout.answer([again, gone, Answer("state list", ALL), *FIRST_RUN])
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    calls = checkout.calls()
    assert place(calls, "apply .*-target=") < place(calls, PUSH) < place(calls, APPLY)


def test_a_plan_before_the_first_run_creates_and_pushes_nothing(checkout: Checkout) -> None:
    done = checkout.run("--plan")
    assert done.returncode == 0, done.stderr
    assert "Plan: 60 to add" in done.stdout
    assert "the registry isn't there yet" in done.stderr
    calls = checkout.calls()
    assert not changing(calls)
    stand_in = "sha256:" + "0" * 64
    assert (
        f"-var=image={HOST}/fanfold@{stand_in} "
        in calls[place(calls, "terraform .* plan (?!-refresh)")]
    )
    assert stand_in in done.stderr


def test_a_plan_of_a_changed_image_says_that_it_would_be_pushed(checkout: Checkout) -> None:
    checkout.answer([DEPLOYED[0], *FIRST_RUN])
    done = checkout.run("--plan")
    assert done.returncode == 0, done.stderr
    assert "the image has changed" in done.stderr
    assert not changing(checkout.calls())


def test_a_plan_of_an_unchanged_image_has_its_digest(checkout: Checkout) -> None:
    checkout.answer([*DEPLOYED, *FIRST_RUN])
    done = checkout.run("--plan")
    assert done.returncode == 0, done.stderr
    calls = checkout.calls()
    assert not changing(calls)
    assert f"@{DIGEST} " in calls[place(calls, "terraform .* plan (?!-refresh)")]


def test_all_that_is_missing_is_told_at_once_and_how_to_get_it(checkout: Checkout) -> None:
    checkout.remove("aws", "cargo", "cc", "docker", "python3", "terraform")
    done = checkout.run(FANFOLD_PYTHON="")
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
    done = checkout.run(AWS_REGION="")
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


@pytest.mark.parametrize(("spot", "code"), [("false", "L-3032A538"), ("true", "L-36FBB829")])
def test_more_vcpus_than_the_account_may_run_are_refused(
    checkout: Checkout, spot: str, code: str
) -> None:
    settings = Answer("terraform .* console", VARIABLES.replace("false", spot))
    quota = Answer(f"get-service-quota .*{code}", "6.0\n")
    checkout.answer([quota, settings, *FIRST_RUN])
    done = checkout.run()
    assert done.returncode == 1
    told = done.stderr.splitlines()[-2:]
    assert "max_vcpus is 64" in told[0]
    assert "6 vCPUs" in told[0]
    assert code in told[0]
    assert "TF_VAR_max_vcpus=6" in told[1]
    assert not changing(checkout.calls())


def test_a_quota_that_may_not_be_read_is_a_warning(checkout: Checkout) -> None:
    denied = Answer("get-service-quota", status=254, stderr="AccessDeniedException: no\n")
    checkout.answer([denied, *FIRST_RUN])
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    assert "warning: the Fargate On-Demand quota can't be read" in done.stderr


@pytest.mark.parametrize(
    ("failing", "step", "goes_no_further"),
    [
        ("terraform .* init", "starting Terraform", "console"),
        ("terraform .* console", "starting Terraform", "plan"),
        ("terraform .* plan -refresh=false", "checking the variables", "apply"),
        ("apply .*-target", "creating the registry", "docker login"),
        ("docker login", "signing in to the registry", PUSH),
        (PUSH, "pushing the image", APPLY),
        (APPLY, "applying", "terraform .* output"),
    ],
)
def test_a_step_that_fails_is_named_and_is_the_last(
    checkout: Checkout, failing: str, step: str, goes_no_further: str
) -> None:
    checkout.answer([Answer(failing, status=7, stderr="no luck\n"), *FIRST_RUN])
    done = checkout.run()
    assert done.returncode != 0
    assert "no luck" in done.stderr
    assert f"deploy.sh: failed at: {step}\n" in done.stderr
    assert done.stdout == ""
    assert not [call for call in checkout.calls() if re.search(goes_no_further, call)]


def test_an_error_of_the_registry_is_no_missing_image(checkout: Checkout) -> None:
    denied = Answer("aws ecr describe-images", status=254, stderr="AccessDeniedException\n")
    checkout.answer([DEPLOYED[0], denied, *FIRST_RUN])
    done = checkout.run()
    assert done.returncode != 0
    assert "AccessDeniedException" in done.stderr
    assert "failed at: looking for the image" in done.stderr
    assert not changing(checkout.calls())


def test_no_secret_is_shown_or_is_an_argument(checkout: Checkout) -> None:
    done = checkout.run()
    seen = done.stdout + done.stderr + "\n".join(checkout.calls())
    assert "pa55word" not in seen
    assert "wJalrXUtnFEMI" not in seen


def test_variables_reach_terraform_from_any_folder(checkout: Checkout) -> None:
    (checkout.folder / "mine.tfvars").write_text('region = "eu-north-1"\n')
    done = checkout.run("-var-file=mine.tfvars", "-var=spot=true", FANFOLD_NAME="genomes")
    assert done.returncode == 0, done.stderr
    calls = checkout.calls()
    expected = f"-var-file={checkout.folder}/mine.tfvars -var=spot=true -var=name=genomes"
    for verb in ("console", "plan .*-refresh=false", "apply .*-target", APPLY):
        assert expected in calls[place(calls, verb)]
    assert "--region eu-north-1" in calls[place(calls, "get-caller-identity --region")]


def test_a_backend_of_the_users_own_is_given_to_init(checkout: Checkout) -> None:
    (checkout.deploy / "terraform/backend.hcl").write_text('bucket = "states"\n')
    assert checkout.run("--plan").returncode == 0
    calls = checkout.calls()
    assert "-backend-config=backend.hcl" in calls[place(calls, "terraform .* init")]


def test_destroy_without_a_deployment_has_nothing_to_do(checkout: Checkout) -> None:
    done = checkout.run("destroy")
    assert done.returncode == 0, done.stderr
    assert "Nothing is deployed" in done.stderr
    assert not changing(checkout.calls())


def test_destroy_refuses_while_there_is_data_and_says_how_much(checkout: Checkout) -> None:
    there = [
        Answer(
            "list-object-versions .*--delimiter", "input/\tresults/\tjobs/\tnotes and all.txt\n"
        ),
        Answer("list-object-versions .*--prefix input/", "1\n"),
        Answer("list-object-versions .*--prefix results/", "1000\n"),
        Answer("list-object-versions .*--prefix notes and all.txt", "1\n"),
    ]
    checkout.answer([*DEPLOYED, *there, *FIRST_RUN])
    done = checkout.run("destroy")
    assert done.returncode == 1
    assert "1 object in input/, at least 1000 objects in results/, 1 object in notes" in done.stderr
    assert "--delete-data" in done.stderr.splitlines()[-1]
    assert not changing(checkout.calls())


@pytest.mark.parametrize("error", ["AccessDenied", "Could not connect to the endpoint"])
def test_destroy_goes_no_further_when_it_cannot_look_for_data(
    checkout: Checkout, error: str
) -> None:
    unseen = Answer("list-object-versions", status=254, stderr=f"{error}\n")
    checkout.answer([*DEPLOYED, unseen, *FIRST_RUN])
    done = checkout.run("destroy")
    assert done.returncode != 0
    assert error in done.stderr
    assert "failed at: looking for data" in done.stderr
    assert not changing(checkout.calls())


def test_destroy_goes_no_further_when_the_state_cannot_be_read(checkout: Checkout) -> None:
    unseen = Answer("state show", status=1, stderr="the state is locked\n")
    checkout.answer([*DEPLOYED, unseen, *FIRST_RUN])
    done = checkout.run("destroy")
    assert done.returncode != 0
    assert not changing(checkout.calls())


def test_destroy_without_data_lets_the_bucket_go_then_everything(checkout: Checkout) -> None:
    checkout.answer([*DEPLOYED, NOTHING, NO_JOBS, *STOPPING, *FIRST_RUN])
    done = checkout.run("destroy")
    assert done.returncode == 0, done.stderr
    calls = checkout.calls()
    stopped = place(calls, f"update-job-queue --job-queue {QUEUE} --state DISABLED")
    freed = place(calls, r"apply .*-target=module\.storage\.aws_s3_bucket\.this .*delete_data=true")
    assert stopped < freed < place(calls, "terraform .* destroy .*-var=delete_data=true")
    assert not [call for call in calls if call.startswith("docker")]


def test_destroy_with_the_data_looks_for_none(checkout: Checkout) -> None:
    checkout.answer([*DEPLOYED, NO_JOBS, *STOPPING, *FIRST_RUN])
    done = checkout.run("destroy", "--delete-data")
    assert done.returncode == 0, done.stderr
    calls = checkout.calls()
    assert not [call for call in calls if "s3api" in call]
    assert place(calls, "terraform .* destroy .*-var=delete_data=true") == len(calls) - 1


def test_destroy_stops_the_jobs_and_waits_for_their_end(checkout: Checkout) -> None:
    jobs = [
        Answer("list-jobs .*RUNNING", "None\n", after="(?s)terminate-job.*terminate-job.*sleep"),
        Answer("list-jobs .*RUNNING", "one\ttwo\n"),
    ]
    checkout.answer([*DEPLOYED, NOTHING, *jobs, NO_JOBS, *STOPPING, *FIRST_RUN])
    done = checkout.run("destroy")
    assert done.returncode == 0, done.stderr
    calls = checkout.calls()
    disabled = place(calls, "update-job-queue")
    stopped = [place(calls, f"terminate-job --job-id {job} ") for job in ("one", "two")]
    assert [disabled, *stopped] == sorted([disabled, *stopped])
    assert stopped[-1] < place(calls, "sleep") < place(calls, "terraform .* destroy")


def test_destroy_goes_no_further_while_jobs_run(checkout: Checkout) -> None:
    running = Answer("list-jobs .*RUNNING", "one\n")
    checkout.answer([*DEPLOYED, NOTHING, running, NO_JOBS, *STOPPING, *FIRST_RUN])
    done = checkout.run("destroy")
    assert done.returncode == 1
    assert "Jobs are still running after five minutes: one." in done.stderr
    assert not [
        call for call in checkout.calls() if re.search("terraform .* (apply|destroy)", call)
    ]


def test_destroy_goes_no_further_when_jobs_cannot_be_listed(checkout: Checkout) -> None:
    denied = Answer("list-jobs .*PENDING", status=254, stderr="AccessDeniedException\n")
    checkout.answer([*DEPLOYED, NOTHING, denied, NO_JOBS, *STOPPING, *FIRST_RUN])
    done = checkout.run("destroy")
    assert done.returncode != 0
    assert "failed at: stopping jobs" in done.stderr
    assert not [
        call for call in checkout.calls() if re.search("terraform .* (apply|destroy)", call)
    ]


def test_destroy_goes_on_where_the_bucket_went_already(checkout: Checkout) -> None:
    gone = Answer("list-object-versions", status=254, stderr="An error (NoSuchBucket)\n")
    checkout.answer([*DEPLOYED, gone, NO_JOBS, *STOPPING, *FIRST_RUN])
    assert checkout.run("destroy").returncode == 0


@pytest.mark.parametrize(
    "arguments", [["--delete-data"], ["--yes"], ["detroy"], ["-var-file=there-is-none"]]
)
def test_wrong_arguments_are_refused_before_anything_is_called(
    checkout: Checkout, arguments: list[str]
) -> None:
    done = checkout.run(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("deploy.sh: ")
    assert not checkout.calls()


def test_help_tells_every_way_to_call_it(checkout: Checkout) -> None:
    done = checkout.run("--help")
    assert done.returncode == 0
    for word in ("--plan", "destroy", "--delete-data", "-var-file", "FANFOLD_NAME", "AWS_REGION"):
        assert word in done.stdout
    assert not checkout.calls()


def test_shellcheck_finds_nothing() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("DEPLOY.SH IS NOT CHECKED: shellcheck isn't installed")
    done = subprocess.run(
        ["shellcheck", ROOT / "deploy/deploy.sh"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
