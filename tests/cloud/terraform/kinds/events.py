"""EventBridge, SQS and CloudWatch."""

# ruff: noqa: ARG002 - the verbs of all kinds take the same

from __future__ import annotations

from typing import Any

from cloud.terraform.account import Account
from cloud.terraform.kinds.kind import Computed, Kind, State, block, given


class Rule(Kind):
    replaced_by = frozenset({"name"})

    def create(self, account: Account, state: State) -> Computed:
        made = account.client("events").put_rule(
            **given(
                Name=state["name"],
                Description=state["description"],
                EventPattern=state["event_pattern"],
                ScheduleExpression=state["schedule_expression"],
            )
        )
        return {"id": state["name"], "arn": made["RuleArn"]}

    def delete(self, account: Account, state: State) -> None:
        account.client("events").delete_rule(Name=state["name"])


class Target(Kind):
    replaced_by = frozenset({"rule", "target_id"})

    def create(self, account: Account, state: State) -> Computed:
        retry, dead = block(state["retry_policy"]), block(state["dead_letter_config"])
        target: dict[str, Any] = {"Id": state["target_id"], "Arn": state["arn"]}
        if retry:
            target["RetryPolicy"] = {
                "MaximumRetryAttempts": int(retry["maximum_retry_attempts"]),
                "MaximumEventAgeInSeconds": int(retry["maximum_event_age_in_seconds"]),
            }
        if dead:
            target["DeadLetterConfig"] = {"Arn": dead["arn"]}
        account.client("events").put_targets(Rule=state["rule"], Targets=[target])
        return {"id": f"{state['rule']}-{state['target_id']}"}

    def delete(self, account: Account, state: State) -> None:
        account.client("events").remove_targets(Rule=state["rule"], Ids=[state["target_id"]])


class Queue(Kind):
    replaced_by = frozenset({"name"})

    def create(self, account: Account, state: State) -> Computed:
        url = account.client("sqs").create_queue(
            QueueName=state["name"], Attributes=self._attributes(state)
        )["QueueUrl"]
        return {"id": url, "url": url, "arn": account.arn("sqs", state["name"])}

    def update(self, account: Account, before: State, state: State) -> Computed:
        account.client("sqs").set_queue_attributes(
            QueueUrl=state["url"], Attributes=self._attributes(state)
        )
        return {}

    def delete(self, account: Account, state: State) -> None:
        account.client("sqs").delete_queue(QueueUrl=state["url"])

    @staticmethod
    def _attributes(state: State) -> dict[str, str]:
        attributes = {
            "VisibilityTimeout": state["visibility_timeout_seconds"],
            "MessageRetentionPeriod": state["message_retention_seconds"],
            "RedrivePolicy": state["redrive_policy"],
            "SqsManagedSseEnabled": str(bool(state["sqs_managed_sse_enabled"])).lower(),
        }
        return {name: str(value) for name, value in given(**attributes).items()}


class QueueAttribute(Kind):
    """A policy of a queue, as a resource of its own."""

    replaced_by = frozenset({"queue_url"})

    def __init__(self, argument: str, attribute: str) -> None:
        self._argument = argument
        self._attribute = attribute

    def create(self, account: Account, state: State) -> Computed:
        account.client("sqs").set_queue_attributes(
            QueueUrl=state["queue_url"], Attributes={self._attribute: state[self._argument]}
        )
        return {"id": state["queue_url"]}

    def delete(self, account: Account, state: State) -> None:
        account.client("sqs").set_queue_attributes(
            QueueUrl=state["queue_url"], Attributes={self._attribute: ""}
        )


class Alarm(Kind):
    replaced_by = frozenset({"alarm_name"})

    def create(self, account: Account, state: State) -> Computed:
        account.client("cloudwatch").put_metric_alarm(
            AlarmName=state["alarm_name"],
            AlarmDescription=state["alarm_description"],
            Namespace=state["namespace"],
            MetricName=state["metric_name"],
            Statistic=state["statistic"],
            Dimensions=[
                {"Name": name, "Value": value} for name, value in state["dimensions"].items()
            ],
            Period=int(state["period"]),
            EvaluationPeriods=int(state["evaluation_periods"]),
            Threshold=float(state["threshold"]),
            ComparisonOperator=state["comparison_operator"],
            TreatMissingData=state["treat_missing_data"],
            AlarmActions=state["alarm_actions"],
            OKActions=state["ok_actions"],
        )
        arn = account.arn("cloudwatch", f"alarm:{state['alarm_name']}")
        return {"id": state["alarm_name"], "arn": arn}

    def delete(self, account: Account, state: State) -> None:
        account.client("cloudwatch").delete_alarms(AlarmNames=[state["alarm_name"]])


class Dashboard(Kind):
    replaced_by = frozenset({"dashboard_name"})

    def create(self, account: Account, state: State) -> Computed:
        account.client("cloudwatch").put_dashboard(
            DashboardName=state["dashboard_name"], DashboardBody=state["dashboard_body"]
        )
        return {"id": state["dashboard_name"]}

    def delete(self, account: Account, state: State) -> None:
        account.client("cloudwatch").delete_dashboards(DashboardNames=[state["dashboard_name"]])


KINDS: dict[str, Kind] = {
    "aws_cloudwatch_dashboard": Dashboard(),
    "aws_cloudwatch_event_rule": Rule(),
    "aws_cloudwatch_event_target": Target(),
    "aws_cloudwatch_metric_alarm": Alarm(),
    "aws_sqs_queue": Queue(),
    "aws_sqs_queue_policy": QueueAttribute("policy", "Policy"),
    "aws_sqs_queue_redrive_allow_policy": QueueAttribute(
        "redrive_allow_policy", "RedriveAllowPolicy"
    ),
}
