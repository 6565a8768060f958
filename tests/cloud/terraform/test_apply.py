"""Terraform's verbs on an account: made, left alone, changed, removed."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloud.emulator.batch_runner import Image
from cloud.emulator.cloud import Cloud
from cloud.emulator.waiting import wait_until
from cloud.terraform.conftest import FUNCTIONS, LOG_ROLE, Applied, make_stand_in
from cloud.terraform.documents import changes, only, resources
from cloud.terraform.provider import ProviderDouble
from cloud.terraform.workspace import TerraformError, TerraformWorkspace
from fanfold.api.types import PHASES

JSON = {"Content-Type": "application/json"}
REQUEST = {"bucket": "genomes", "key": "refseq/chr1.fa"}


# --- Made --------------------------------------------------------------------------------------


def test_outputs_lead_to_what_was_made(applied: Applied) -> None:
    cloud, outputs = applied.cloud, applied.outputs

    assert set(outputs) == {
        "api_url",
        "at_rest",
        "bucket",
        "log_groups",
        "queue_arn",
        "region",
        "repository_url",
        "starter_api_url",
    }
    assert outputs["api_url"].endswith("/prod")
    assert outputs["starter_api_url"] == f"{outputs['api_url']}/chunk"
    assert outputs["region"] == cloud.region
    cloud.client("s3").head_bucket(Bucket=outputs["bucket"])
    queues = cloud.client("batch").describe_job_queues(jobQueues=[outputs["queue_arn"]])
    assert queues["jobQueues"][0]["state"] == "ENABLED"
    groups = {group["logGroupName"] for group in log_groups(cloud)}
    assert set(outputs["log_groups"].values()) <= groups


def test_a_second_apply_changes_nothing(applied: Applied) -> None:
    plan = applied.workspace.plan(applied.variables)

    assert changes(plan) == {}
    assert all(change["actions"] == ["no-op"] for change in plan["output_changes"].values())


def test_an_unsigned_call_is_told_how_to_sign(applied: Applied) -> None:
    status, headers, problem = call(applied, "POST", "/chunk", REQUEST, signed=False)

    assert status == 403
    assert headers["content-type"] == "application/problem+json"
    assert problem["status"] == 403
    assert problem["type"] == "urn:fanfold:problem:forbidden"
    assert "requests are signed with AWS Signature Version 4: see docs/aws.md" in problem["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"bucket": "genomes"},
        REQUEST | {"slices": 3},
        REQUEST | {"k": "5"},
        REQUEST | {"chunks": "both"},
        [],
        None,
    ],
)
def test_a_request_of_another_shape_is_refused_by_the_gateway(applied: Applied, body: Any) -> None:
    status, headers, problem = call(applied, "POST", "/chunk", body)

    assert status == 400
    assert headers["content-type"] == "application/problem+json"
    assert problem["type"] == "urn:fanfold:problem:bad-request"


@pytest.mark.parametrize(
    ("method", "path", "function"),
    [
        ("POST", "/chunk", "starter"),
        ("GET", "/jobs", "status"),
        ("GET", "/jobs?limit=3&next=token", "status"),
        ("GET", f"/jobs/{'a' * 32}", "status"),
        ("DELETE", f"/jobs/{'a' * 32}", "status"),
        ("GET", f"/jobs/{'a' * 32}/logs?slice=7&phase=task&limit=10", "status"),
    ],
)
def test_each_route_reaches_its_function(
    applied: Applied, method: str, path: str, function: str
) -> None:
    body = REQUEST if method == "POST" else None
    status, _, answer = call(applied, method, path, body)

    assert (status, answer) == (200, {"function": function, "bucket": applied.outputs["bucket"]})


def test_a_missing_zip_is_told_before_anything_is_made(
    planner: TerraformWorkspace, variables: dict[str, Any]
) -> None:
    with pytest.raises(TerraformError, match=r"There is no nowhere/chunker\.zip: functions_dir"):
        planner.plan(variables | {"functions_dir": "nowhere"})


# --- Changed -----------------------------------------------------------------------------------


def test_another_image_is_a_new_revision_beside_those_that_open_jobs_use(applied: Applied) -> None:
    image = f"registry.example/fanfold@sha256:{'1' * 64}"
    changed = applied.variables | {"image": image}
    before = environment(applied, "chunker")
    try:
        assert set(changes(applied.workspace.plan(changed)).values()) == {("update",)}
        applied.workspace.apply(changed)

        assert changes(applied.workspace.plan(changed)) == {}
        active = applied.cloud.client("batch").describe_job_definitions(status="ACTIVE")
        images = {
            one["jobDefinitionArn"]: one["containerProperties"]["image"]
            for one in active["jobDefinitions"]
        }
        after = environment(applied, "chunker")
        assert after["FANFOLD_IMAGE"] == image
        for phase in PHASES:
            setting = f"FANFOLD_{phase.upper()}_DEFINITION"
            assert images[after[setting]] == image
            assert images[before[setting]] == applied.variables["image"]
    finally:
        applied.workspace.apply(applied.variables)


def test_settings_are_changed_in_place(applied: Applied) -> None:
    changed = applied.variables | {
        "max_vcpus": 8,
        "chunk_expiry_days": 3,
        "log_retention_days": 90,
        "api_rate": 5,
        "api_burst": 1,
        "source_buckets": [{"bucket": "genomes", "prefix": "ensembl/"}],
    }
    try:
        planned = changes(applied.workspace.plan(changed))
        replaced = {address for address, actions in planned.items() if actions != ("update",)}
        # The gateway's words tell the rate, and a deployment is a snapshot of them.
        assert replaced == {"module.api.aws_api_gateway_deployment.this"}
        outputs = applied.workspace.apply(changed)

        assert outputs == applied.outputs
        assert changes(applied.workspace.plan(changed)) == {}
        cloud = applied.cloud
        capacity = cloud.client("batch").describe_compute_environments()["computeEnvironments"]
        assert {one["computeResources"]["maxvCpus"] for one in capacity} == {8}
        rules = cloud.client("s3").get_bucket_lifecycle_configuration(Bucket=outputs["bucket"])
        assert rules["Rules"][0]["Expiration"]["Days"] == 3
        kept = {group["logGroupName"]: group.get("retentionInDays") for group in log_groups(cloud)}
        assert kept["/aws/lambda/fanfold-starter"] == 90
        assert "genomes/ensembl/" in environment(applied, "starter")["FANFOLD_SOURCES"]
        policy = cloud.client("iam").get_role_policy(
            RoleName=f"fanfold-starter-{cloud.region}", PolicyName="starter"
        )["PolicyDocument"]
        assert "arn:aws:s3:::genomes/ensembl/*" in json.dumps(policy)
        assert "refseq" not in json.dumps(policy)
        # A second's requests at once, of which one is taken.
        answers = [call(applied, "GET", "/jobs") for _ in range(6)]
        refused = [problem for status, _, problem in answers if status == 429]
        assert refused
        assert refused[0]["type"] == "urn:fanfold:problem:too-many-requests"
        assert "5 requests a second, 1 at once" in refused[0]["detail"]
    finally:
        applied.workspace.apply(applied.variables)


def test_spare_capacity_is_switched_on_and_off_while_a_job_runs(applied: Applied) -> None:
    batch = applied.cloud.client("batch")
    queue = applied.outputs["queue_arn"]

    def order() -> list[str]:
        found = batch.describe_job_queues(jobQueues=[queue])["jobQueues"][0]
        return [one["computeEnvironment"] for one in found["computeEnvironmentOrder"]]

    applied.cloud.batch.images["*"] = Image([sys.executable, "-c", "import time; time.sleep(600)"])
    on_demand = order()
    job = batch.submit_job(jobName="j", jobQueue=queue, jobDefinition="fanfold-task")["jobId"]
    wait_until(lambda: batch.describe_jobs(jobs=[job])["jobs"][0]["status"] == "RUNNING")
    changed = applied.variables | {"spot": True}
    try:
        planned = changes(applied.workspace.plan(changed))
        in_batch = {address for address in planned if address.startswith("module.batch.")}
        assert in_batch == {"module.batch.aws_batch_job_queue.this"}
        # The functions are told the price.
        assert set(planned.values()) == {("update",)}
        applied.workspace.apply(changed)
        spot, *rest = order()
        assert rest == on_demand
        found = batch.describe_compute_environments(computeEnvironments=[spot])
        assert found["computeEnvironments"][0]["computeResources"]["type"] == "FARGATE_SPOT"
    finally:
        applied.workspace.apply(applied.variables)
    assert order() == on_demand
    assert batch.describe_jobs(jobs=[job])["jobs"][0]["status"] == "RUNNING"
    left = batch.describe_compute_environments()["computeEnvironments"]
    assert {one["status"] for one in left} == {"VALID"}
    batch.terminate_job(jobId=job, reason="enough")


def test_a_zip_that_changed_is_sent_again(applied: Applied, tmp_path: Path) -> None:
    for name in FUNCTIONS:
        make_stand_in(tmp_path, name)
    folder = {"functions_dir": str(tmp_path)}
    applied.workspace.apply(applied.variables | folder)
    try:
        make_stand_in(tmp_path, "sweep", "changed")
        before = code_hashes(applied.cloud)
        # The old folder's path is in no other argument than filename.
        planned = changes(applied.workspace.plan(applied.variables | folder))
        applied.workspace.apply(applied.variables | folder)

        after = code_hashes(applied.cloud)
        assert planned == {'module.functions.aws_lambda_function.this["sweep"]': ("update",)}
        assert {name for name in before if before[name] != after[name]} == {"fanfold-sweep"}
    finally:
        applied.workspace.apply(applied.variables)


def test_what_was_removed_behind_its_back_is_made_again(applied: Applied) -> None:
    applied.cloud.client("lambda").delete_function(FunctionName="fanfold-sweep")

    planned = changes(applied.workspace.plan(applied.variables))
    applied.workspace.apply(applied.variables)

    assert planned['module.functions.aws_lambda_function.this["sweep"]'] == ("create",)
    assert changes(applied.workspace.plan(applied.variables)) == {}


def test_an_account_without_a_log_role_has_no_logs_of_the_api(
    planner: TerraformWorkspace, variables: dict[str, Any]
) -> None:
    plan = planner.plan(variables)

    assert not only(plan, "aws_api_gateway_stage")["access_log_settings"]
    settings = only(plan, "aws_api_gateway_method_settings")["settings"]
    assert settings[0]["logging_level"] == "OFF"
    groups = resources(plan, "aws_cloudwatch_log_group")
    assert not [address for address in groups if "module.api" in address]


@pytest.mark.parametrize(
    ("concurrency", "expected"),
    [(10, (30, 60, 2)), (100, (100, 200, 25)), (1000, (100, 200, 50))],
)
def test_the_api_and_the_chunkers_take_what_the_account_bears(
    planner: TerraformWorkspace,
    variables: dict[str, Any],
    concurrency: int,
    expected: tuple[int, int, int],
) -> None:
    plan = planner.plan(variables | {"account_concurrency": concurrency})

    settings = only(plan, "aws_api_gateway_method_settings")["settings"][0]
    mapping = only(plan, "aws_lambda_event_source_mapping", ".chunks")
    rate, burst = settings["throttling_rate_limit"], settings["throttling_burst_limit"]
    assert (rate, burst, mapping["scaling_config"][0]["maximum_concurrency"]) == expected


# --- Removed -----------------------------------------------------------------------------------


def test_the_log_role_that_an_earlier_version_made_stays_when_it_is_no_longer_managed(
    account: Cloud, variables: dict[str, Any], tmp_path: Path
) -> None:
    role = 'module.functions.aws_iam_role.function["starter"]'
    earlier = "module.api.aws_iam_role.logs[0]"
    chosen = variables | {"name": "earlier"}
    with TerraformWorkspace(tmp_path / "copy", account.endpoint_url, account.region) as workspace:
        workspace.init()
        workspace.apply(chosen, f"-target={role}")
        workspace.run("state", "mv", role, earlier)

        assert changes(workspace.plan(chosen))[earlier] == ("forget",)

        workspace.run("state", "mv", earlier, role)
        workspace.destroy(chosen)


@pytest.mark.parametrize("network", ["private", "public"])
def test_destroy_leaves_nothing_behind(
    account: Cloud, variables: dict[str, Any], tmp_path: Path, network: str
) -> None:
    before = inventory(account)
    chosen = variables | {
        "name": f"gone-{network}",
        "network": network,
        "versioning": True,
        "api_logs": network == "private",
    }
    with TerraformWorkspace(tmp_path / "copy", account.endpoint_url, account.region) as workspace:
        workspace.init()
        outputs = workspace.apply(chosen)
        there = inventory(account)
        assert all(len(there[kind]) > len(before[kind]) for kind in before)
        assert account.client("s3").get_bucket_versioning(Bucket=outputs["bucket"])["Status"]
        workspace.apply(chosen | {"image": f"registry.example/fanfold@sha256:{'1' * 64}"})
        # Whoever destroys may have no zips any more.
        workspace.destroy(chosen | {"functions_dir": "gone"})

    assert inventory(account) == before
    assert account.client("apigateway").get_account()["cloudwatchRoleArn"] == LOG_ROLE


def test_old_versions_expire_also_when_no_more_are_kept(
    account: Cloud, variables: dict[str, Any], tmp_path: Path
) -> None:
    s3, target = account.client("s3"), "-target=module.storage"
    chosen = variables | {"name": "versions"}
    with TerraformWorkspace(tmp_path / "copy", account.endpoint_url, account.region) as workspace:
        workspace.init()
        workspace.apply(chosen | {"versioning": True}, target)
        bucket = workspace.apply(chosen, target)["bucket"]
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        workspace.destroy(chosen)

    (old,) = [rule for rule in rules if "NoncurrentVersionExpiration" in rule]
    assert (old["Status"], old["NoncurrentVersionExpiration"]) == (
        "Enabled",
        {"NoncurrentDays": 30},
    )


def test_data_is_deleted_by_those_who_say_so(
    account: Cloud, variables: dict[str, Any], tmp_path: Path
) -> None:
    s3 = account.client("s3")
    chosen = variables | {"name": "kept"}
    target = "-target=module.storage"
    with TerraformWorkspace(tmp_path / "copy", account.endpoint_url, account.region) as workspace:
        workspace.init()
        bucket = workspace.apply(chosen, target)["bucket"]
        s3.put_object(Bucket=bucket, Key="results/master.json", Body=b"{}")

        with pytest.raises(TerraformError, match="BucketNotEmpty"):
            workspace.destroy(chosen)
        assert s3.get_object(Bucket=bucket, Key="results/master.json")["Body"].read() == b"{}"

        workspace.apply(chosen | {"delete_data": True}, target)
        workspace.destroy(chosen | {"delete_data": True})
    assert bucket not in inventory(account)["buckets"]


def test_the_registry_can_be_made_first(
    account: Cloud, variables: dict[str, Any], tmp_path: Path
) -> None:
    with TerraformWorkspace(tmp_path / "copy", account.endpoint_url, account.region) as workspace:
        workspace.init()
        chosen = variables | {"name": "first"}
        target = "-target=module.storage.aws_ecr_repository.this"
        outputs = workspace.apply(chosen, target)

        assert outputs["repository_url"].endswith("/first")
        assert only(workspace.state(), "aws_ecr_repository")["name"] == "first"
        workspace.destroy(chosen)


# --- The double itself -------------------------------------------------------------------------


def test_without_an_account_nothing_is_applied(
    planner: TerraformWorkspace, variables: dict[str, Any]
) -> None:
    with pytest.raises(TerraformError, match="this double can only plan"):
        planner.apply(variables)


def test_the_double_ends_with_its_block(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    with ProviderDouble(folder, None, "eu-west-1") as provider:
        reattach = json.loads(provider.environment["TF_REATTACH_PROVIDERS"])
        address = reattach["registry.terraform.io/hashicorp/aws"]["Addr"]
        assert Path(address["String"]).is_socket()

    assert not Path(address["String"]).exists()


# --- Asking ------------------------------------------------------------------------------------


def call(
    applied: Applied, method: str, path: str, body: Any = None, *, signed: bool = True
) -> tuple[int, Mapping[str, str], Any]:
    """One call of the API; root's signature."""
    url = urlsplit(applied.outputs["api_url"] + path)
    data = json.dumps(body) if method == "POST" else None
    request = AWSRequest(method, url.geturl(), headers=JSON if data else {}, data=data)
    if signed:
        key = Credentials("test", "test")
        SigV4Auth(key, "execute-api", applied.cloud.region).add_auth(request)
    assert url.hostname is not None
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=120)
    try:
        target = f"{url.path}?{url.query}" if url.query else url.path
        connection.request(method, target, data, dict(request.headers))
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return response.status, headers, json.loads(response.read())
    finally:
        connection.close()


def environment(applied: Applied, function: str) -> dict[str, str]:
    found = applied.cloud.client("lambda").get_function_configuration(
        FunctionName=f"fanfold-{function}"
    )
    variables: dict[str, str] = found["Environment"]["Variables"]
    return variables


def code_hashes(cloud: Cloud) -> dict[str, str]:
    functions = cloud.client("lambda").list_functions()["Functions"]
    return {function["FunctionName"]: function["CodeSha256"] for function in functions}


def log_groups(cloud: Cloud) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = cloud.client("logs").describe_log_groups()["logGroups"]
    return groups


def inventory(cloud: Cloud) -> dict[str, set[str]]:
    """Everything there is in the account, by kind."""
    ec2, batch = cloud.client("ec2"), cloud.client("batch")
    definitions = batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"]
    return {
        "alarms": names(cloud.client("cloudwatch").describe_alarms()["MetricAlarms"], "AlarmName"),
        "apis": names(cloud.client("apigateway").get_rest_apis()["items"], "id"),
        "buckets": names(cloud.client("s3").list_buckets()["Buckets"], "Name"),
        "dashboards": names(
            cloud.client("cloudwatch").list_dashboards()["DashboardEntries"], "DashboardName"
        ),
        "definitions": names(definitions, "jobDefinitionArn"),
        "environments": names(
            batch.describe_compute_environments()["computeEnvironments"], "computeEnvironmentName"
        ),
        "functions": names(cloud.client("lambda").list_functions()["Functions"], "FunctionName"),
        "job queues": names(batch.describe_job_queues()["jobQueues"], "jobQueueName"),
        "log groups": names(log_groups(cloud), "logGroupName"),
        "mappings": names(
            cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"], "UUID"
        ),
        "networks": names(ec2.describe_vpcs()["Vpcs"], "VpcId"),
        "queues": set(cloud.client("sqs").list_queues().get("QueueUrls", ())),
        "repositories": names(
            cloud.client("ecr").describe_repositories()["repositories"], "repositoryName"
        ),
        "roles": names(cloud.client("iam").list_roles()["Roles"], "RoleName"),
        "rules": names(cloud.client("events").list_rules()["Rules"], "Name"),
        "security groups": names(ec2.describe_security_groups()["SecurityGroups"], "GroupId"),
        "subnets": names(ec2.describe_subnets()["Subnets"], "SubnetId"),
        "tables": names(ec2.describe_route_tables()["RouteTables"], "RouteTableId"),
        "endpoints": names(
            [
                one
                for one in ec2.describe_vpc_endpoints()["VpcEndpoints"]
                if one["State"] not in {"deleted", "deleting"}
            ],
            "VpcEndpointId",
        ),
    }


def names(found: list[dict[str, Any]], key: str) -> set[str]:
    return {one[key] for one in found}
