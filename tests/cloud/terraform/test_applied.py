"""What is there after an apply, of which emulators show little: permissions, endpoints, letters."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from cloud.terraform.conftest import FUNCTIONS, Applied, topic
from cloud.terraform.documents import listed, only, resources, statements
from fanfold.api import PHASES

READS_GENOMES = {"s3:GetObject", "s3:ListBucket"}
EVERY_FUNCTION = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
    "s3:GetObject",
    "s3:PutObject",
    "s3:ListBucket",
}
CHANGES = EVERY_FUNCTION | {"s3:DeleteObject"}
WATCHES = {"batch:DescribeJobs", "batch:ListJobs"}
UPLOADS = CHANGES | WATCHES | {"s3:AbortMultipartUpload", "batch:SubmitJob", "batch:TerminateJob"}
ACTIONS = {
    "starter": EVERY_FUNCTION | {"lambda:InvokeFunction"},
    "status": CHANGES | WATCHES | {"batch:TerminateJob", "logs:GetLogEvents"},
    "chunker": UPLOADS | {"sqs:SendMessage"},
    "aggregator": UPLOADS | {"sqs:SendMessage", "logs:GetLogEvents"},
    "failures": CHANGES
    | WATCHES
    | {
        "lambda:InvokeFunction",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    },
    "sweep": CHANGES | WATCHES | {"lambda:InvokeFunction"},
    "containers": READS_GENOMES | {"s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"},
    "execution": {
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    },
}
"""What each role may do, and no more."""

WITHOUT_RESOURCES = {
    "batch:DescribeJobs",
    "batch:ListJobs",
    "ecr:GetAuthorizationToken",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
"""Actions that AWS grants on everything or not at all."""


@pytest.fixture(scope="module")
def state(applied: Applied) -> dict[str, Any]:
    return applied.workspace.state()


@pytest.fixture(scope="module")
def allowed(state: dict[str, Any]) -> dict[str, dict[str, set[str]]]:
    """By role, for each action the resources it is allowed on."""
    roles: dict[str, dict[str, set[str]]] = {}
    for role, found in statements(state).items():
        short = role.removeprefix("fanfold-").removesuffix("-eu-west-1")
        for statement in found:
            assert statement["Effect"] == "Allow"
            for action in listed(statement["Action"]):
                on = roles.setdefault(short, {}).setdefault(action, set())
                on.update(listed(statement["Resource"]))
    return roles


# --- Permissions ------------------------------------------------------------------------------


def test_each_role_may_do_what_it_needs_and_no_more(
    allowed: dict[str, dict[str, set[str]]],
) -> None:
    assert {role: set(actions) for role, actions in allowed.items()} == ACTIONS


def test_everything_stands_for_what_has_no_resource_alone(
    allowed: dict[str, dict[str, set[str]]],
) -> None:
    for actions in allowed.values():
        for action, on in actions.items():
            if action in WITHOUT_RESOURCES:
                assert on == {"*"}
            else:
                assert all(re.fullmatch(r"arn:aws:[a-z0-9]+:.*[^:*].*", arn) for arn in on), action
                assert "*" not in on


def test_genomes_are_read_where_it_is_allowed_and_results_written_in_the_bucket(
    applied: Applied, allowed: dict[str, dict[str, set[str]]]
) -> None:
    bucket = f"arn:aws:s3:::{applied.outputs['bucket']}"
    genomes = {f"{bucket}/input/*", "arn:aws:s3:::genomes/refseq/*"}
    results, jobs, chunks = (f"{bucket}/{prefix}/*" for prefix in ("results", "jobs", "chunks"))

    assert allowed["starter"]["s3:GetObject"] == genomes | {results, jobs}
    assert allowed["chunker"]["s3:GetObject"] == genomes | {results, jobs, chunks}
    assert allowed["containers"]["s3:GetObject"] == genomes | {results, chunks}
    assert allowed["status"]["s3:GetObject"] == {results, jobs}
    for actions in allowed.values():
        assert actions.get("s3:PutObject", set()) <= {results, jobs, chunks}
        assert actions.get("s3:DeleteObject", set()) <= {results, jobs, chunks}


def test_every_listing_is_of_a_prefix(state: dict[str, Any]) -> None:
    for found in statements(state).values():
        for statement in found:
            if "s3:ListBucket" in listed(statement["Action"]):
                prefixes = listed(statement["Condition"]["StringLike"]["s3:prefix"])
                assert all(re.fullmatch(r"[a-z]+/.*\*", prefix) for prefix in prefixes)


def test_jobs_are_submitted_by_phase(
    applied: Applied, allowed: dict[str, dict[str, set[str]]]
) -> None:
    here = f"{applied.cloud.region}:{applied.cloud.account}"
    definition = f"arn:aws:batch:{here}:job-definition/fanfold"
    queue = applied.outputs["queue_arn"]

    assert allowed["chunker"]["batch:SubmitJob"] == {
        queue,
        f"{definition}-task:*",
        f"{definition}-inflate:*",
    }
    assert allowed["aggregator"]["batch:SubmitJob"] == {queue, f"{definition}-fold:*"}
    assert allowed["status"]["batch:TerminateJob"] == {f"arn:aws:batch:{here}:job/*"}


def test_functions_invoke_those_they_wake(
    applied: Applied, allowed: dict[str, dict[str, set[str]]]
) -> None:
    here = f"arn:aws:lambda:{applied.cloud.region}:{applied.cloud.account}:function:fanfold"

    assert allowed["starter"]["lambda:InvokeFunction"] == {f"{here}-chunker"}
    woken = {f"{here}-chunker", f"{here}-aggregator"}
    assert allowed["failures"]["lambda:InvokeFunction"] == woken
    assert allowed["sweep"]["lambda:InvokeFunction"] == woken


def test_the_keys_of_buckets_come_with_their_objects(
    applied: Applied, variables: dict[str, Any]
) -> None:
    here = f"{applied.cloud.region}:{applied.cloud.account}"
    own, foreign = f"arn:aws:kms:{here}:key/own", f"arn:aws:kms:{here}:key/foreign"
    source = {"bucket": "genomes", "prefix": "", "kms_key_arn": foreign}
    try:
        applied.workspace.apply(variables | {"kms_key_arn": own, "source_buckets": [source]})

        for role, found in statements(applied.workspace.state()).items():
            keys = {
                (action, key)
                for statement in found
                for action in listed(statement["Action"])
                for key in listed(statement["Resource"])
                if action.startswith("kms:")
            }
            uses = {("kms:Decrypt", own), ("kms:GenerateDataKey", own)}
            reads = {("kms:Decrypt", foreign)}
            if "execution" in role:
                assert not keys
            elif any(word in role for word in ("starter", "chunker", "aggregator", "containers")):
                assert keys == uses | reads
            else:
                assert keys == uses
    finally:
        applied.workspace.apply(applied.variables)


def test_roles_are_assumed_by_the_service_that_runs_them(state: dict[str, Any]) -> None:
    services = {
        role["name"]: json.loads(role["assume_role_policy"])["Statement"][0]["Principal"]["Service"]
        for role in resources(state, "aws_iam_role").values()
    }

    for name, service in services.items():
        tasks = "containers" in name or "execution" in name
        assert service == f"{'ecs-tasks' if tasks else 'lambda'}.amazonaws.com"


# --- Functions ---------------------------------------------------------------------------------


def test_functions_are_as_large_as_they_must_be_and_reserve_nothing(state: dict[str, Any]) -> None:
    functions = resources(state, "aws_lambda_function").values()
    sizes = {
        function["function_name"]: (
            function["memory_size"],
            function["timeout"],
            function["ephemeral_storage"][0]["size"],
        )
        for function in functions
    }

    assert sizes == {
        "fanfold-starter": (512, 29, 512),
        "fanfold-status": (512, 29, 512),
        "fanfold-chunker": (3008, 900, 512),
        "fanfold-aggregator": (3008, 900, 4096),
        "fanfold-failures": (512, 60, 512),
        "fanfold-sweep": (512, 300, 512),
    }
    assert all(function["reserved_concurrent_executions"] is None for function in functions)
    assert {function["runtime"] for function in functions} == {"python3.13"}


def test_functions_are_told_all_they_need(applied: Applied, state: dict[str, Any]) -> None:
    environments = [
        function["environment"][0]["variables"]
        for function in resources(state, "aws_lambda_function").values()
    ]
    definition = f"arn:aws:batch:{applied.cloud.region}:{applied.cloud.account}:job-definition"
    told = environments[0]

    assert all(environment == told for environment in environments)
    assert set(told) == {
        "FANFOLD_BUCKET",
        "FANFOLD_SOURCES",
        "FANFOLD_IMAGE",
        "FANFOLD_QUEUE",
        "FANFOLD_TASK_DEFINITION",
        "FANFOLD_INFLATE_DEFINITION",
        "FANFOLD_FOLD_DEFINITION",
        "FANFOLD_CHUNKER",
        "FANFOLD_AGGREGATOR",
        "FANFOLD_LOG_GROUP",
        "FANFOLD_MAX_OBJECT_BYTES",
        "FANFOLD_PRICES",
    }
    own = f"{applied.outputs['bucket']}/input/"
    assert json.loads(told["FANFOLD_SOURCES"]) == [own, "genomes/refseq/"]
    assert json.loads(told["FANFOLD_PRICES"]) == {"vcpu_hour": 0.04048, "gb_hour": 0.004445}
    assert told["FANFOLD_MAX_OBJECT_BYTES"] == "1099511627776"
    assert re.fullmatch(rf"{definition}/fanfold-task:\d+", told["FANFOLD_TASK_DEFINITION"])


def test_a_failed_asynchronous_call_goes_to_the_failures(state: dict[str, Any]) -> None:
    queue = only(state, "aws_sqs_queue", ".failures")
    configs = resources(state, "aws_lambda_function_event_invoke_config").values()

    assert {config["function_name"] for config in configs} == {
        "fanfold-chunker",
        "fanfold-aggregator",
    }
    for config in configs:
        failure = config["destination_config"][0]["on_failure"][0]
        assert failure["destination"] == queue["arn"]
        assert config["maximum_retry_attempts"] == 2
        assert config["maximum_event_age_in_seconds"] == 21600


def test_a_failure_that_cannot_be_written_is_a_dead_letter(state: dict[str, Any]) -> None:
    failures = only(state, "aws_sqs_queue", ".failures")
    dead = only(state, "aws_sqs_queue", ".dead_letters")
    mapping = only(state, "aws_lambda_event_source_mapping")

    redrive = json.loads(failures["redrive_policy"])
    assert redrive == {"deadLetterTargetArn": dead["arn"], "maxReceiveCount": 3}
    assert mapping["event_source_arn"] == failures["arn"]
    assert mapping["batch_size"] == 1
    assert failures["visibility_timeout_seconds"] >= 6 * 60


# --- Events ------------------------------------------------------------------------------------


def test_events_that_reach_nobody_are_kept(state: dict[str, Any]) -> None:
    failures = only(state, "aws_sqs_queue", ".failures")
    dead = only(state, "aws_sqs_queue", ".dead_letters")
    targets = resources(state, "aws_cloudwatch_event_target").values()

    assert len(targets) == 4
    for target in targets:
        kept = dead if target["target_id"] == "sweep" else failures
        assert target["dead_letter_config"] == [{"arn": kept["arn"]}]
        assert target["retry_policy"]


def test_rules_may_write_to_the_queue_that_they_name(state: dict[str, Any]) -> None:
    for target in resources(state, "aws_cloudwatch_event_target").values():
        rule = next(
            rule
            for rule in resources(state, "aws_cloudwatch_event_rule").values()
            if rule["name"] == target["rule"]
        )
        queue = target["dead_letter_config"][0]["arn"]
        policies = [
            json.loads(policy["policy"])["Statement"][0]
            for policy in resources(state, "aws_sqs_queue_policy").values()
        ]
        statement = next(policy for policy in policies if policy["Resource"] == queue)
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert rule["arn"] in listed(statement["Condition"]["ArnEquals"]["aws:SourceArn"])


def test_rules_follow_the_ends_of_whole_jobs(applied: Applied, state: dict[str, Any]) -> None:
    here = f"{applied.cloud.region}:{applied.cloud.account}"
    followed = {}
    for rule in resources(state, "aws_cloudwatch_event_rule").values():
        if rule["event_pattern"] is None:
            assert rule["schedule_expression"] == "rate(10 minutes)"
            continue
        pattern = json.loads(rule["event_pattern"])
        assert pattern["source"] == ["aws.batch"]
        assert pattern["detail-type"] == ["Batch Job State Change"]
        assert pattern["detail"]["jobQueue"] == [applied.outputs["queue_arn"]]
        assert pattern["detail"]["arrayProperties"] == {"index": [{"exists": False}]}
        prefixes = {one["prefix"] for one in pattern["detail"]["jobDefinition"]}
        followed[rule["name"]] = (pattern["detail"]["status"], prefixes)

    task, inflate, fold = (
        f"arn:aws:batch:{here}:job-definition/fanfold-{phase}:"
        for phase in ("task", "inflate", "fold")
    )
    assert followed == {
        "fanfold-succeeded": (["SUCCEEDED"], {task, fold}),
        "fanfold-failed": (["FAILED"], {task, inflate, fold}),
        "fanfold-inflated": (["SUCCEEDED"], {inflate}),
    }


def test_each_waker_is_permitted_by_its_arn_after_the_function_is_there(
    applied: Applied, state: dict[str, Any]
) -> None:
    here = f"{applied.cloud.region}:{applied.cloud.account}"
    api = only(state, "aws_api_gateway_rest_api")["id"]
    permissions = resources(state, "aws_lambda_permission").values()
    permitted = {
        (permission["function_name"].removeprefix("fanfold-"), permission["source_arn"])
        for permission in permissions
    }
    invoke = f"arn:aws:execute-api:{here}:{api}/prod"
    rule = f"arn:aws:events:{here}:rule/fanfold"

    assert permitted == {
        ("starter", f"{invoke}/POST/chunk"),
        ("status", f"{invoke}/GET/jobs"),
        ("status", f"{invoke}/GET/jobs/*"),
        ("status", f"{invoke}/DELETE/jobs/*"),
        ("status", f"{invoke}/GET/jobs/*/logs"),
        ("aggregator", f"{rule}-succeeded"),
        ("aggregator", f"{rule}-failed"),
        ("chunker", f"{rule}-inflated"),
        ("sweep", f"{rule}-sweep"),
    }
    for permission in permissions:
        assert "module.functions.aws_lambda_function.this" in permission["depends_on"]


# --- Batch, storage, alarms --------------------------------------------------------------------


def test_definitions_run_what_the_phases_are(applied: Applied, state: dict[str, Any]) -> None:
    for definition in resources(state, "aws_batch_job_definition").values():
        phase = definition["name"].removeprefix("fanfold-")
        container = json.loads(definition["container_properties"])
        conditions = definition["retry_strategy"][0]["evaluate_on_exit"]
        options = container["logConfiguration"]["options"]

        assert container["command"][:2] == [phase, "Ref::plan"]
        assert definition["parameters"] == {"plan": "none"}
        assert container["image"] == applied.variables["image"]
        assert container["environment"] == [
            {"name": "AWS_REGION", "value": applied.cloud.region},
            {"name": "FANFOLD_LOG", "value": "json"},
        ]
        # Without an init process, PID 1 ignores SIGTERM until it has a handler for it.
        assert container["linuxParameters"] == {"initProcessEnabled": True}
        assert definition["propagate_tags"]
        assert options["awslogs-group"] == applied.outputs["log_groups"]["containers"]
        assert options["awslogs-stream-prefix"] == phase
        assert definition["retry_strategy"][0]["attempts"] == 3
        assert [(one["on_exit_code"], one["action"]) for one in conditions] == [
            ("2", "EXIT"),
            ("3", "EXIT"),
            ("6", "EXIT"),
            ("7", "EXIT"),
            (None, "RETRY"),
        ]


def test_an_archive_is_inflated_up_to_a_limit(state: dict[str, Any]) -> None:
    commands = {
        definition["name"]: json.loads(definition["container_properties"])["command"]
        for definition in resources(state, "aws_batch_job_definition").values()
    }

    limit = ["--max-text-bytes", "4398046511104"]
    assert commands["fanfold-inflate"] == ["inflate", "Ref::plan", *limit]


def test_the_phases_are_those_of_the_library(state: dict[str, Any]) -> None:
    definitions = resources(state, "aws_batch_job_definition").values()
    function = next(iter(resources(state, "aws_lambda_function").values()))
    settings = function["environment"][0]["variables"]

    assert {definition["name"] for definition in definitions} == {
        f"fanfold-{phase}" for phase in PHASES
    }
    assert {name for name in settings if name.endswith("_DEFINITION")} == {
        f"FANFOLD_{phase.upper()}_DEFINITION" for phase in PHASES
    }


def test_jobs_that_can_never_start_end(state: dict[str, Any]) -> None:
    limits = only(state, "aws_batch_job_queue")["job_state_time_limit_action"]

    assert {limit["reason"].partition(":")[0] for limit in limits} == {
        "MISCONFIGURATION",
        "CAPACITY",
    }
    assert {(limit["state"], limit["action"]) for limit in limits} == {("RUNNABLE", "CANCEL")}
    assert all(600 <= limit["max_time_seconds"] <= 86400 for limit in limits)


def test_the_bucket_is_closed(state: dict[str, Any]) -> None:
    block = only(state, "aws_s3_bucket_public_access_block")
    policy = json.loads(only(state, "aws_s3_bucket_policy")["policy"])["Statement"]
    ownership = only(state, "aws_s3_bucket_ownership_controls")["rule"]

    assert all(value for name, value in block.items() if name.startswith(("block", "ignore")))
    assert block["restrict_public_buckets"]
    assert [(one["Effect"], one["Condition"]) for one in policy] == [
        ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    ]
    assert ownership == [{"object_ownership": "BucketOwnerEnforced"}]


def test_the_registry_keeps_the_newest_images_and_no_layers_without_a_tag(
    state: dict[str, Any],
) -> None:
    rules = json.loads(only(state, "aws_ecr_lifecycle_policy")["policy"])["rules"]

    assert [(rule["rulePriority"], rule["selection"]) for rule in rules] == [
        (
            1,
            {
                "tagStatus": "tagged",
                "tagPatternList": ["*"],
                "countType": "imageCountMoreThan",
                "countNumber": 20,
            },
        ),
        (
            2,
            {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 1,
            },
        ),
    ]


def test_the_private_network_has_its_endpoints(applied: Applied, state: dict[str, Any]) -> None:
    endpoints = resources(state, "aws_vpc_endpoint").values()
    services = {
        endpoint["service_name"].removeprefix(f"com.amazonaws.{applied.cloud.region}.")
        for endpoint in endpoints
    }

    assert services == {"ecr.api", "ecr.dkr", "logs", "s3"}
    for rule in resources(state, "aws_vpc_security_group_egress_rule").values():
        assert rule["cidr_ipv4"] is None
    assert not only(state, "aws_default_security_group")["ingress"]


def test_log_groups_forget(state: dict[str, Any]) -> None:
    groups = resources(state, "aws_cloudwatch_log_group").values()

    assert {group["name"] for group in groups} == {
        "/aws/apigateway/fanfold",
        f"API-Gateway-Execution-Logs_{only(state, 'aws_api_gateway_rest_api')['id']}/prod",
        "/aws/batch/fanfold",
        *(f"/aws/lambda/fanfold-{name}" for name in FUNCTIONS),
    }
    assert {group["retention_in_days"] for group in groups} == {30}


def test_what_is_the_accounts_alone_has_the_region_in_its_name(
    applied: Applied, state: dict[str, Any]
) -> None:
    assert only(state, "aws_cloudwatch_dashboard")["dashboard_name"] == (
        f"fanfold-{applied.cloud.region}"
    )


def test_what_goes_wrong_is_told(applied: Applied, state: dict[str, Any]) -> None:
    alarms = resources(state, "aws_cloudwatch_metric_alarm").values()

    assert {alarm["alarm_name"].removeprefix("fanfold-") for alarm in alarms} == {
        "api-5xx",
        "dead-letters",
        "failed-jobs",
        *(f"{name}-errors" for name in FUNCTIONS),
        *(f"{name}-throttles" for name in FUNCTIONS),
    }
    assert all(alarm["alarm_actions"] == [topic(applied.cloud)] for alarm in alarms)
