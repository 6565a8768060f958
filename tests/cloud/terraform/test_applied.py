"""What is there after an apply, of which emulators show little: permissions, endpoints, letters."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from cloud.terraform.conftest import FUNCTIONS, Applied, topic
from cloud.terraform.documents import listed, only, resources, statements
from fanfold.api.types import PHASES

READS = {"s3:GetObject", "s3:ListBucket"}
CHANGES = READS | {"s3:PutObject", "s3:DeleteObject"}
EVERY_FUNCTION = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
FINDS = {"batch:DescribeJobs", "batch:ListJobs"}
WORKS = (
    EVERY_FUNCTION
    | CHANGES
    | FINDS
    | {"s3:AbortMultipartUpload", "batch:SubmitJob", "batch:TerminateJob"}
)
HEARS = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
WAKES = {"lambda:InvokeFunction", "sqs:SendMessage"}
ACTIONS = {
    "starter": EVERY_FUNCTION | READS | {"s3:PutObject", "sqs:SendMessage"},
    "status": EVERY_FUNCTION | CHANGES | FINDS | {"batch:TerminateJob", "logs:GetLogEvents"},
    "chunker": WORKS | HEARS | {"sqs:ChangeMessageVisibility", "sqs:SendMessage"},
    "aggregator": WORKS | {"sqs:SendMessage", "logs:GetLogEvents"},
    "failures": EVERY_FUNCTION | CHANGES | WAKES | HEARS,
    "sweep": EVERY_FUNCTION | CHANGES | WAKES | {"batch:DescribeJobs"},
    "containers": CHANGES | {"s3:AbortMultipartUpload"},
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

LIMITS = {
    "FANFOLD_FOLDED_HERE_BYTES": "230686720",
    "FANFOLD_INFLATED_HERE_BYTES": "268435456",
    "FANFOLD_LEAST_SLICE_BYTES": "8388608",
    "FANFOLD_MAX_OBJECT_BYTES": "1099511627776",
    "FANFOLD_MAX_OPEN_JOBS": "10000",
    "FANFOLD_MAX_TEXT_BYTES": "4398046511104",
    "FANFOLD_MAX_USD_PER_JOB": "5",
}

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
    for role in ("chunker", "aggregator"):
        assert allowed[role]["s3:PutObject"] == {results, jobs, chunks}
    assert allowed["containers"]["s3:PutObject"] == {results, chunks}
    error, opened = f"{bucket}/results/*/error.json", f"{bucket}/jobs/open/*"
    assert allowed["status"]["s3:PutObject"] == allowed["failures"]["s3:PutObject"] == {error}
    assert allowed["sweep"]["s3:PutObject"] == {error, opened}
    for role in ("status", "failures", "sweep"):
        assert allowed[role]["s3:DeleteObject"] == {opened}


def test_a_missing_key_of_the_bucket_is_missing_and_not_forbidden(
    applied: Applied, state: dict[str, Any]
) -> None:
    own, foreign = f"arn:aws:s3:::{applied.outputs['bucket']}", "arn:aws:s3:::genomes"
    for role, found in statements(state).items():
        # Reads have no s3:prefix: a condition on it would hold for no missing key.
        listing = {
            statement["Resource"]: statement.get("Condition")
            for statement in found
            if "s3:ListBucket" in listed(statement["Action"])
        }
        if "execution" not in role:
            assert listing.pop(own, "missing") is None, role
        if listing:
            assert listing == {foreign: {"StringLike": {"s3:prefix": "refseq/*"}}}


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


def test_functions_wake_the_chunker_by_its_queue_and_the_aggregator_by_a_call(
    applied: Applied, allowed: dict[str, dict[str, set[str]]]
) -> None:
    here = f"arn:aws:lambda:{applied.cloud.region}:{applied.cloud.account}:function:fanfold"

    chunks = f"arn:aws:sqs:{applied.cloud.region}:{applied.cloud.account}:fanfold-chunks"

    for role in ("starter", "failures", "sweep"):
        assert allowed[role]["sqs:SendMessage"] == {chunks}
    for role in ("failures", "sweep"):
        assert allowed[role]["lambda:InvokeFunction"] == {f"{here}-aggregator"}
    assert allowed["chunker"]["sqs:ReceiveMessage"] == {chunks}


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
        "fanfold-chunker": (3008, 120, 512),
        "fanfold-aggregator": (3008, 900, 4096),
        "fanfold-failures": (512, 60, 512),
        "fanfold-sweep": (512, 300, 512),
    }
    assert all(function["reserved_concurrent_executions"] is None for function in functions)
    assert {function["runtime"] for function in functions} == {"python3.13"}
    assert {function["logging_config"][0]["log_format"] for function in functions} == {"JSON"}


def test_functions_are_told_all_they_need(applied: Applied, state: dict[str, Any]) -> None:
    environments = [
        function["environment"][0]["variables"]
        for function in resources(state, "aws_lambda_function").values()
    ]
    definition = f"arn:aws:batch:{applied.cloud.region}:{applied.cloud.account}:job-definition"
    told = environments[0]

    assert all(environment == told for environment in environments)
    assert set(told) == {
        "FANFOLD_NAME",
        "FANFOLD_BUCKET",
        "FANFOLD_SOURCES",
        "FANFOLD_IMAGE",
        "FANFOLD_QUEUE",
        "FANFOLD_TASK_DEFINITION",
        "FANFOLD_INFLATE_DEFINITION",
        "FANFOLD_FOLD_DEFINITION",
        "FANFOLD_CHUNKER_QUEUE",
        "FANFOLD_AGGREGATOR",
        "FANFOLD_LOG_GROUP",
        "FANFOLD_PRICES",
        *LIMITS,
    }
    own = f"{applied.outputs['bucket']}/input/"
    assert json.loads(told["FANFOLD_SOURCES"]) == [own, "genomes/refseq/"]
    assert json.loads(told["FANFOLD_PRICES"]) == {
        "vcpu_hour": 0.04048,
        "gb_hour": 0.004445,
        "address_hour": 0,
        "spot_share": 1,
    }
    assert {limit: told[limit] for limit in LIMITS} == LIMITS
    assert told["FANFOLD_NAME"] == "fanfold"
    assert told["FANFOLD_CHUNKER_QUEUE"] == only(state, "aws_sqs_queue", ".chunks")["url"]
    assert re.fullmatch(rf"{definition}/fanfold-task:\d+", told["FANFOLD_TASK_DEFINITION"])


def test_a_failed_asynchronous_call_goes_to_the_failures(state: dict[str, Any]) -> None:
    queue = only(state, "aws_sqs_queue", ".failures")
    config = only(state, "aws_lambda_function_event_invoke_config")

    assert config["function_name"] == "fanfold-aggregator"
    assert config["destination_config"][0]["on_failure"][0]["destination"] == queue["arn"]
    assert config["maximum_retry_attempts"] == 2
    assert config["maximum_event_age_in_seconds"] == 21600


def test_the_chunker_is_fed_by_a_queue_that_gives_up_to_the_failures(state: dict[str, Any]) -> None:
    chunks = only(state, "aws_sqs_queue", ".chunks")
    failures = only(state, "aws_sqs_queue", ".failures")
    mapping = only(state, "aws_lambda_event_source_mapping", ".chunks")

    redrive = json.loads(chunks["redrive_policy"])
    assert redrive == {"deadLetterTargetArn": failures["arn"], "maxReceiveCount": 5}
    assert chunks["visibility_timeout_seconds"] == 6 * 120
    assert mapping["event_source_arn"] == chunks["arn"]
    assert mapping["function_name"] == "fanfold-chunker"
    assert mapping["batch_size"] == 1
    assert mapping["scaling_config"] == [{"maximum_concurrency": 2}]


def test_a_failure_that_cannot_be_written_is_a_dead_letter(state: dict[str, Any]) -> None:
    failures = only(state, "aws_sqs_queue", ".failures")
    dead = only(state, "aws_sqs_queue", ".dead_letters")
    mapping = only(state, "aws_lambda_event_source_mapping", ".failures")

    redrive = json.loads(failures["redrive_policy"])
    # What comes from the chunker's queue was received five times.
    assert redrive == {"deadLetterTargetArn": dead["arn"], "maxReceiveCount": 5 + 3}
    assert mapping["event_source_arn"] == failures["arn"]
    assert mapping["batch_size"] == 1
    assert failures["visibility_timeout_seconds"] >= 6 * 60


# --- Events ------------------------------------------------------------------------------------


def test_events_that_reach_nobody_are_kept(state: dict[str, Any]) -> None:
    failures = only(state, "aws_sqs_queue", ".failures")
    dead = only(state, "aws_sqs_queue", ".dead_letters")
    targets = resources(state, "aws_cloudwatch_event_target").values()

    assert len(targets) == 5
    for target in targets:
        kept = dead if target["target_id"] == "sweep" else failures
        assert target["dead_letter_config"] == [{"arn": kept["arn"]}]
        assert target["retry_policy"]


def test_rules_may_write_to_the_queues_that_they_name(state: dict[str, Any]) -> None:
    policies = {
        statement["Resource"]: statement
        for policy in resources(state, "aws_sqs_queue_policy").values()
        for statement in json.loads(policy["policy"])["Statement"]
    }
    rules = {
        rule["name"]: rule["arn"] for rule in resources(state, "aws_cloudwatch_event_rule").values()
    }
    fed = set()
    for target in resources(state, "aws_cloudwatch_event_target").values():
        queues = {target["dead_letter_config"][0]["arn"]}
        if ":sqs:" in target["arn"]:
            fed.add(target["rule"])
            queues.add(target["arn"])
        for queue in queues:
            statement = policies[queue]
            assert statement["Principal"] == {"Service": "events.amazonaws.com"}
            allowed = listed(statement["Condition"]["ArnEquals"]["aws:SourceArn"])
            assert rules[target["rule"]] in allowed
    assert fed == {"fanfold-inflated"}


def test_rules_follow_the_ends_of_whole_jobs(applied: Applied, state: dict[str, Any]) -> None:
    here = f"{applied.cloud.region}:{applied.cloud.account}"
    followed = {}
    for rule in resources(state, "aws_cloudwatch_event_rule").values():
        if rule["event_pattern"] is None:
            assert rule["schedule_expression"] == "rate(10 minutes)"
            continue
        pattern = json.loads(rule["event_pattern"])
        assert pattern["source"] == ["aws.batch"]
        if rule["name"] == "fanfold-blocked":
            assert pattern["detail-type"] == ["Batch Job Queue Blocked"]
            assert pattern["detail"] == {"jobQueue": [applied.outputs["queue_arn"]]}
            continue
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
        ("sweep", f"{rule}-blocked"),
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


def test_containers_run_in_zones_that_have_fargate(applied: Applied, state: dict[str, Any]) -> None:
    subnets = resources(state, "aws_subnet").values()

    zones = {f"{applied.cloud.region}{letter}" for letter in "bc"}
    assert {subnet["availability_zone"] for subnet in subnets} == zones


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


def test_what_operators_must_look_after_is_told(applied: Applied, state: dict[str, Any]) -> None:
    alarms = resources(state, "aws_cloudwatch_metric_alarm").values()

    assert {alarm["alarm_name"].removeprefix("fanfold-") for alarm in alarms} == {
        "api-5xx",
        "blocked-queue",
        "dead-letters",
        "failed-jobs",
        "old-job",
        *(f"{name}-errors" for name in FUNCTIONS if name != "failures"),
    }
    assert all(alarm["alarm_actions"] == [topic(applied.cloud)] for alarm in alarms)
    own = {alarm["metric_name"]: alarm for alarm in alarms if alarm["namespace"] == "fanfold"}
    assert set(own) == {"JobsFailed", "OldestOpenJobSeconds"}
    assert all(alarm["dimensions"] == {"deployment": "fanfold"} for alarm in own.values())


def test_the_dashboard_shows_what_the_functions_count(state: dict[str, Any]) -> None:
    widgets = json.loads(only(state, "aws_cloudwatch_dashboard")["dashboard_body"])["widgets"]
    shown = {
        tuple(metric[1:4])
        for widget in widgets
        for metric in widget["properties"]["metrics"]
        if metric[0] == "fanfold"
    }

    counted = ("JobsSucceeded", "JobsFailed", "JobsRefused", "JobsCancelled", "Slices", "Usd")
    assert shown == {
        (name, "deployment", "fanfold") for name in (*counted, "OpenJobs", "OldestOpenJobSeconds")
    }
