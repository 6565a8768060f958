"""The deployer's policy: that it allows what deploy.sh and Terraform call, as far as names tell.

AWS alone knows which calls the provider makes for a resource; here are those that make, read and
remove each type, from the Service Authorization Reference. Conditions aren't evaluated.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase

from cloud.deploy.building import ROOT

POLICY = (ROOT / "deploy/deployer-policy.json").read_text()
FIRST_HOUR_POLICY = (ROOT / "deploy/first-hour-policy.json").read_text()
# "User policy size can't exceed 2,048 characters", all policies in a user together, without white
# space (IAM user guide, "IAM and AWS STS quotas").
LONGEST_POLICIES_OF_A_USER = 2048
ACCOUNT = "123456789012"
PLACE = f"eu-west-1:{ACCOUNT}"
BUCKET = f"arn:aws:s3:::fanfold-{ACCOUNT}-eu-west-1"
REGISTRY = f"arn:aws:ecr:{PLACE}:repository/fanfold"
FUNCTION = f"arn:aws:lambda:{PLACE}:function:fanfold-starter"
QUEUE = f"arn:aws:sqs:{PLACE}:fanfold-failures"
RULE = f"arn:aws:events:{PLACE}:rule/fanfold-failed"
ALARM = f"arn:aws:cloudwatch:{PLACE}:alarm:fanfold-api-5xx"
DASHBOARD = f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/fanfold-eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/fanfold-starter"
LINKED = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch"
LOGS = f"arn:aws:logs:{PLACE}:log-group:/aws/lambda/fanfold-starter:*"
EXECUTION_LOGS = f"arn:aws:logs:{PLACE}:log-group:API-Gateway-Execution-Logs_a1b2c3/prod:*"
VPC = f"arn:aws:ec2:{PLACE}:vpc/vpc-1"

# Where a call's permission has another name than the call: s3api list-objects-v2, and so on.
CALLS = {
    ("apigateway", "get-account"): ("apigateway:GET", "*"),
    ("apigateway", "update-account"): ("apigateway:PATCH", "*"),
    ("ecr", "describe-images"): ("ecr:DescribeImages", REGISTRY),
    ("ecr", "get-login-password"): ("ecr:GetAuthorizationToken", "*"),
    ("iam", "create-service-linked-role"): ("iam:CreateServiceLinkedRole", LINKED),
    ("logs", "delete-log-group"): ("logs:DeleteLogGroup", EXECUTION_LOGS),
    ("s3api", "list-object-versions"): ("s3:ListBucketVersions", BUCKET),
    ("s3api", "list-objects-v2"): ("s3:ListBucket", BUCKET),
    ("service-quotas", "get-aws-default-service-quota"): (
        *("servicequotas:GetAWSDefaultServiceQuota", "*"),
    ),
    ("service-quotas", "get-service-quota"): ("servicequotas:GetServiceQuota", "*"),
}
RESOURCES = {"iam": ROLE, "lambda": "*", "batch": "*", "sts": "*"}

GATEWAY = ("*", "apigateway", ("POST", "GET", "PATCH", "PUT", "DELETE"))
TYPES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "aws_batch_compute_environment": (
        *("*", "batch"),
        ("CreateComputeEnvironment", "UpdateComputeEnvironment", "DeleteComputeEnvironment"),
    ),
    "aws_batch_job_definition": (
        *("*", "batch"),
        ("RegisterJobDefinition", "DescribeJobDefinitions", "DeregisterJobDefinition"),
    ),
    "aws_batch_job_queue": ("*", "batch", ("CreateJobQueue", "UpdateJobQueue", "DeleteJobQueue")),
    "aws_cloudwatch_dashboard": (
        *(DASHBOARD, "cloudwatch"),
        ("PutDashboard", "GetDashboard", "DeleteDashboards"),
    ),
    "aws_cloudwatch_event_rule": (RULE, "events", ("PutRule", "DescribeRule", "DeleteRule")),
    "aws_cloudwatch_event_target": (
        *(RULE, "events"),
        ("PutTargets", "ListTargetsByRule", "RemoveTargets"),
    ),
    "aws_cloudwatch_log_group": (
        *(LOGS, "logs"),
        ("CreateLogGroup", "PutRetentionPolicy", "ListTagsForResource", "DeleteLogGroup"),
    ),
    "aws_cloudwatch_metric_alarm": (
        *(ALARM, "cloudwatch"),
        ("PutMetricAlarm", "ListTagsForResource", "DeleteAlarms"),
    ),
    "aws_default_security_group": (
        *(VPC, "ec2"),
        ("DescribeSecurityGroups", "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"),
    ),
    "aws_ecr_lifecycle_policy": (
        *(REGISTRY, "ecr"),
        ("PutLifecyclePolicy", "GetLifecyclePolicy", "DeleteLifecyclePolicy"),
    ),
    "aws_ecr_repository": (
        *(REGISTRY, "ecr"),
        ("CreateRepository", "DescribeRepositories", "PutImage", "DeleteRepository"),
    ),
    "aws_iam_role": (ROLE, "iam", ("CreateRole", "GetRole", "PassRole", "TagRole", "DeleteRole")),
    "aws_iam_role_policy": (ROLE, "iam", ("PutRolePolicy", "GetRolePolicy", "DeleteRolePolicy")),
    "aws_iam_role_policy_attachment": (
        *(ROLE, "iam"),
        ("AttachRolePolicy", "ListAttachedRolePolicies", "DetachRolePolicy"),
    ),
    "aws_internet_gateway": (
        *(VPC, "ec2"),
        ("CreateInternetGateway", "AttachInternetGateway", "DeleteInternetGateway"),
    ),
    "aws_lambda_event_source_mapping": (
        *("*", "lambda"),
        ("CreateEventSourceMapping", "GetEventSourceMapping", "DeleteEventSourceMapping"),
    ),
    "aws_lambda_function": (
        *(FUNCTION, "lambda"),
        ("CreateFunction", "GetFunction", "UpdateFunctionCode", "DeleteFunction"),
    ),
    "aws_lambda_function_event_invoke_config": (
        *(FUNCTION, "lambda"),
        ("PutFunctionEventInvokeConfig", "GetFunctionEventInvokeConfig"),
    ),
    "aws_lambda_permission": (FUNCTION, "lambda", ("AddPermission", "RemovePermission")),
    "aws_route": (VPC, "ec2", ("CreateRoute", "DeleteRoute")),
    "aws_route_table": (VPC, "ec2", ("CreateRouteTable", "DeleteRouteTable")),
    "aws_route_table_association": (
        *(VPC, "ec2"),
        ("AssociateRouteTable", "DisassociateRouteTable"),
    ),
    "aws_s3_bucket": (BUCKET, "s3", ("CreateBucket", "PutBucketTagging", "DeleteBucket")),
    "aws_s3_bucket_lifecycle_configuration": (BUCKET, "s3", ("PutLifecycleConfiguration",)),
    "aws_s3_bucket_ownership_controls": (BUCKET, "s3", ("PutBucketOwnershipControls",)),
    "aws_s3_bucket_policy": (BUCKET, "s3", ("PutBucketPolicy", "DeleteBucketPolicy")),
    "aws_s3_bucket_public_access_block": (BUCKET, "s3", ("PutBucketPublicAccessBlock",)),
    "aws_s3_bucket_server_side_encryption_configuration": (
        *(BUCKET, "s3"),
        ("PutEncryptionConfiguration",),
    ),
    "aws_s3_bucket_versioning": (BUCKET, "s3", ("PutBucketVersioning",)),
    "aws_security_group": (VPC, "ec2", ("CreateSecurityGroup", "DeleteSecurityGroup")),
    "aws_sqs_queue": (QUEUE, "sqs", ("CreateQueue", "GetQueueAttributes", "DeleteQueue")),
    "aws_sqs_queue_policy": (QUEUE, "sqs", ("SetQueueAttributes",)),
    "aws_sqs_queue_redrive_allow_policy": (QUEUE, "sqs", ("SetQueueAttributes",)),
    "aws_subnet": (VPC, "ec2", ("CreateSubnet", "ModifySubnetAttribute", "DeleteSubnet")),
    "aws_vpc": (VPC, "ec2", ("CreateVpc", "ModifyVpcAttribute", "CreateTags", "DeleteVpc")),
    "aws_vpc_endpoint": (
        *(VPC, "ec2"),
        ("CreateVpcEndpoint", "DescribePrefixLists", "DeleteVpcEndpoints"),
    ),
    "aws_vpc_security_group_egress_rule": (
        *(VPC, "ec2"),
        ("AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress"),
    ),
    "aws_vpc_security_group_ingress_rule": (
        *(VPC, "ec2"),
        ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"),
    ),
}


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def is_allowed(action: str, resource: str) -> bool:
    """A wild-card resource is a call that has none of its own."""
    return any(
        any(fnmatchcase(action.lower(), name.lower()) for name in listed(statement["Action"]))
        and any(fnmatchcase(resource, arn) for arn in listed(statement["Resource"]))
        for statement in json.loads(POLICY)["Statement"]
    )


def test_every_call_of_deploy_is_allowed() -> None:
    script = (ROOT / "deploy/deploy.sh").read_text()
    calls = set(re.findall(r"\baws (batch|\w+|s3api|service-quotas) ([a-z]+-[a-z0-9-]+)", script))
    assert len(calls) > 12
    for service, call in sorted(calls):
        name = "".join(map(str.capitalize, call.split("-")))
        action, resource = CALLS.get((service, call), (f"{service}:{name}", ""))
        assert is_allowed(action, resource or RESOURCES[service]), (service, call)
    assert is_allowed("iam:GetRole", LINKED)


def test_every_type_of_the_terraform_files_is_allowed() -> None:
    files = (ROOT / "deploy/terraform").rglob("*.tf")
    texts = [path.read_text() for path in files if ".terraform" not in path.parts]
    types = {
        kind for text in texts for kind in re.findall(r'^resource "(\w+)"', text, re.MULTILINE)
    }
    assert len(types) > 30
    for kind in sorted(types):
        gateway = kind.startswith("aws_api_gateway_")
        resource, service, calls = GATEWAY if gateway else TYPES[kind]
        for call in calls:
            assert is_allowed(f"{service}:{call}", resource), (kind, call)


def test_a_name_may_be_longer() -> None:
    for action, resource in (
        ("ecr:CreateRepository", REGISTRY),
        ("lambda:CreateFunction", FUNCTION),
        ("sqs:CreateQueue", QUEUE),
        ("iam:CreateRole", ROLE),
    ):
        assert is_allowed(action, resource.replace("fanfold", "fanfold-first-hour", 1)), action


def test_nothing_of_others_is_allowed() -> None:
    for action, resource in (
        ("s3:DeleteBucket", "arn:aws:s3:::genomes"),
        ("lambda:DeleteFunction", f"arn:aws:lambda:{PLACE}:function:others"),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
        ("iam:DeleteRole", LINKED),
        ("ecr:DeleteRepository", f"arn:aws:ecr:{PLACE}:repository/others"),
    ):
        assert not is_allowed(action, resource), action


def test_the_first_hours_deployment_is_named_as_the_policy_has_it() -> None:
    script = (ROOT / "deploy/first-hour.sh").read_text()
    (name,) = re.findall(r"^readonly name=\${FIRST_HOUR_NAME:-([a-z-]+)}$", script, re.MULTILINE)
    for action, resource in (
        ("ecr:CreateRepository", f"arn:aws:ecr:{PLACE}:repository/{name}"),
        ("s3:CreateBucket", f"arn:aws:s3:::{name}-{ACCOUNT}-eu-west-1"),
        ("lambda:CreateFunction", f"arn:aws:lambda:{PLACE}:function:{name}-starter"),
        ("sqs:CreateQueue", f"arn:aws:sqs:{PLACE}:{name}-events"),
        ("events:PutRule", f"arn:aws:events:{PLACE}:rule/{name}-events"),
        ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/{name}-starter-eu-west-1"),
        ("cloudwatch:PutDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{name}-eu-west-1"),
        ("logs:CreateLogGroup", f"arn:aws:logs:{PLACE}:log-group:/aws/batch/{name}"),
    ):
        assert is_allowed(action, resource), action


def test_they_fit_into_a_user_as_the_first_hour_puts_them() -> None:
    assert len(re.sub(r"\s", "", POLICY + FIRST_HOUR_POLICY)) <= LONGEST_POLICIES_OF_A_USER
