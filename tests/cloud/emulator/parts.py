"""Parts of an account, as tests of the emulator make them: roles, functions, a queue with a job."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloud.emulator.cloud import Cloud

PROGRAM = ["Ref::program"]
"""The command of a definition whose image is `python -c`."""


def policy(*statements: Mapping[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: str | Sequence[str], *resources: str) -> dict[str, Any]:
    """A statement of a policy."""
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources)}


def make_role(cloud: Cloud, name: str, service: str, *statements: Mapping[str, Any]) -> str:
    """A role that a service may assume; its ARN."""
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    iam = cloud.client("iam")
    role: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"][
        "Arn"
    ]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=policy(*statements))
    return role


def grant(cloud: Cloud, role: str, *statements: Mapping[str, Any]) -> None:
    """Give a role more permissions, beside those it was made with."""
    cloud.client("iam").put_role_policy(
        RoleName=role, PolicyName="more", PolicyDocument=policy(*statements)
    )


def make_function(
    cloud: Cloud, name: str, source: str, *statements: Mapping[str, Any], **options: Any
) -> str:
    """A function of one module with a role of its own; its ARN."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("function.py", source)
    settings: dict[str, Any] = {
        "FunctionName": name,
        "Runtime": "python3.13",
        "Handler": "function.handler",
        "Role": make_role(cloud, f"{name}-role", "lambda.amazonaws.com", *statements),
        "Code": {"ZipFile": archive.getvalue()},
        "Timeout": 120,
    }
    arn: str = cloud.client("lambda").create_function(**settings | options)["FunctionArn"]
    return arn


def make_bucket(cloud: Cloud, name: str) -> str:
    """A bucket of the cloud's region; its name."""
    place = {"LocationConstraint": cloud.region}
    cloud.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=place)
    return name


def make_queue(cloud: Cloud, name: str) -> tuple[str, str]:
    """A queue of SQS; its URL and its ARN."""
    sqs = cloud.client("sqs")
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return url, attributes["QueueArn"]


@dataclass(frozen=True)
class BatchParts:
    """A compute environment, a job queue and a job definition of one name."""

    cloud: Cloud
    name: str
    queue: str
    definition: str
    log_group: str

    def submit(self, program: str, job: str | None = None, **options: Any) -> str:
        """Submit a job that runs a Python program; its id."""
        settings = {
            "jobName": job or self.name,
            "jobQueue": self.queue,
            "jobDefinition": self.definition,
            "parameters": {"program": program},
        }
        answer = self.cloud.client("batch").submit_job(**settings | options)
        return str(answer["jobId"])

    def describe(self, job_id: str) -> Any:
        return self.cloud.client("batch").describe_jobs(jobs=[job_id])["jobs"][0]

    def finished(self, job_id: str) -> Any:
        """The job once every job has ended."""
        self.cloud.batch.wait_idle()
        return self.describe(job_id)

    def log(self, attempt: Mapping[str, Any]) -> list[str]:
        """The lines that an attempt, or a job's container, has written."""
        answer = self.cloud.client("logs").get_log_events(
            logGroupName=self.log_group, logStreamName=attempt["logStreamName"], startFromHead=True
        )
        return [event["message"] for event in answer["events"]]


def make_batch(
    cloud: Cloud, name: str, *statements: Mapping[str, Any], max_vcpus: int = 16, **options: Any
) -> BatchParts:
    """All that a job needs; the statements are its role's."""
    batch = cloud.client("batch")
    group = f"/batch/{name}"
    cloud.client("logs").create_log_group(logGroupName=group)
    logs = f"arn:aws:logs:{cloud.region}:{cloud.account}:log-group:{group}:*"
    execution = make_role(
        cloud,
        f"{name}-execution",
        "ecs-tasks.amazonaws.com",
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], logs),
    )
    environment = batch.create_compute_environment(
        computeEnvironmentName=name,
        type="MANAGED",
        computeResources={
            "type": "FARGATE",
            "maxvCpus": max_vcpus,
            "subnets": ["subnet-1"],
            "securityGroupIds": ["sg-1"],
        },
    )["computeEnvironmentArn"]
    queue = batch.create_job_queue(
        jobQueueName=name,
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": environment}],
    )["jobQueueArn"]
    settings: dict[str, Any] = {
        "jobDefinitionName": name,
        "type": "container",
        "platformCapabilities": ["FARGATE"],
        "parameters": {"program": "pass"},
        "containerProperties": {
            "image": "python",
            "command": PROGRAM,
            "executionRoleArn": execution,
            "jobRoleArn": make_role(cloud, f"{name}-task", "ecs-tasks.amazonaws.com", *statements),
            "environment": [{"name": "AWS_REGION", "value": cloud.region}],
            "resourceRequirements": [
                {"type": "VCPU", "value": "0.25"},
                {"type": "MEMORY", "value": "512"},
            ],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": group, "awslogs-stream-prefix": "task"},
            },
        },
    }
    definition = batch.register_job_definition(**settings | options)["jobDefinitionArn"]
    return BatchParts(cloud, name, queue, definition, group)
