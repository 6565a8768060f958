"""IAM, Lambda and log groups."""

# ruff: noqa: ARG002 - the verbs of all kinds take the same

from __future__ import annotations

from pathlib import Path
from typing import Any

from cloud.terraform.account import Account
from cloud.terraform.kinds.kind import Computed, Kind, State, block, given


class Role(Kind):
    replaced_by = frozenset({"name"})

    def create(self, account: Account, state: State) -> Computed:
        made = account.client("iam").create_role(
            RoleName=state["name"], AssumeRolePolicyDocument=state["assume_role_policy"]
        )["Role"]
        return {"id": state["name"], "arn": made["Arn"], "unique_id": made["RoleId"]}

    def update(self, account: Account, before: State, state: State) -> Computed:
        account.client("iam").update_assume_role_policy(
            RoleName=state["name"], PolicyDocument=state["assume_role_policy"]
        )
        return {}

    def delete(self, account: Account, state: State) -> None:
        account.client("iam").delete_role(RoleName=state["name"])

    def exists(self, account: Account, state: State) -> bool:
        try:
            account.client("iam").get_role(RoleName=state["name"])
        except account.client("iam").exceptions.NoSuchEntityException:
            return False
        return True


class RolePolicy(Kind):
    replaced_by = frozenset({"name", "role"})

    def create(self, account: Account, state: State) -> Computed:
        account.client("iam").put_role_policy(
            RoleName=state["role"], PolicyName=state["name"], PolicyDocument=state["policy"]
        )
        return {"id": f"{state['role']}:{state['name']}"}

    def delete(self, account: Account, state: State) -> None:
        account.client("iam").delete_role_policy(RoleName=state["role"], PolicyName=state["name"])


class RolePolicyAttachment(Kind):
    replaced_by = frozenset({"policy_arn", "role"})

    def create(self, account: Account, state: State) -> Computed:
        account.client("iam").attach_role_policy(
            RoleName=state["role"], PolicyArn=state["policy_arn"]
        )
        return {"id": f"{state['role']}/{state['policy_arn']}"}

    def delete(self, account: Account, state: State) -> None:
        account.client("iam").detach_role_policy(
            RoleName=state["role"], PolicyArn=state["policy_arn"]
        )


class Function(Kind):
    """The zip is sent as it is on the disk; source_code_hash says when it has changed."""

    replaced_by = frozenset({"function_name"})
    renewed = frozenset({"last_modified", "source_code_size"})

    def create(self, account: Account, state: State) -> Computed:
        made = account.client("lambda").create_function(
            FunctionName=state["function_name"],
            Code={"ZipFile": Path(state["filename"]).read_bytes()},
            Architectures=state["architectures"],
            **self._configuration(state),
        )
        arn = made["FunctionArn"]
        path = f"lambda:path/2015-03-31/functions/{arn}/invocations"
        return {
            "id": state["function_name"],
            "arn": arn,
            "invoke_arn": f"arn:aws:apigateway:{account.region}:{path}",
            "last_modified": made["LastModified"],
            "qualified_arn": f"{arn}:$LATEST",
            "source_code_size": made["CodeSize"],
            "version": "$LATEST",
        }

    def update(self, account: Account, before: State, state: State) -> Computed:
        functions = account.client("lambda")
        if before["source_code_hash"] != state["source_code_hash"] or (
            before["architectures"] != state["architectures"]
        ):
            functions.update_function_code(
                FunctionName=state["function_name"],
                ZipFile=Path(state["filename"]).read_bytes(),
                Architectures=state["architectures"],
            )
        made = functions.update_function_configuration(
            FunctionName=state["function_name"], **self._configuration(state)
        )
        return {"last_modified": made["LastModified"], "source_code_size": made["CodeSize"]}

    def delete(self, account: Account, state: State) -> None:
        account.client("lambda").delete_function(FunctionName=state["function_name"])

    def exists(self, account: Account, state: State) -> bool:
        try:
            account.client("lambda").get_function(FunctionName=state["function_name"])
        except account.client("lambda").exceptions.ResourceNotFoundException:
            return False
        return True

    @staticmethod
    def _configuration(state: State) -> dict[str, Any]:
        return {
            "Role": state["role"],
            "Runtime": state["runtime"],
            "Handler": state["handler"],
            "Timeout": int(state["timeout"]),
            "MemorySize": int(state["memory_size"]),
            "EphemeralStorage": {"Size": int(block(state["ephemeral_storage"])["size"])},
            "Environment": {"Variables": block(state["environment"])["variables"]},
            "TracingConfig": {"Mode": block(state["tracing_config"])["mode"]},
        }


class Permission(Kind):
    replaced_by = frozenset({"action", "function_name", "principal", "source_arn", "statement_id"})

    def create(self, account: Account, state: State) -> Computed:
        account.client("lambda").add_permission(
            **given(
                FunctionName=state["function_name"],
                StatementId=state["statement_id"],
                Action=state["action"],
                Principal=state["principal"],
                SourceArn=state["source_arn"],
            )
        )
        return {"id": state["statement_id"]}

    def delete(self, account: Account, state: State) -> None:
        account.client("lambda").remove_permission(
            FunctionName=state["function_name"], StatementId=state["statement_id"]
        )


class EventInvokeConfig(Kind):
    replaced_by = frozenset({"function_name"})

    def create(self, account: Account, state: State) -> Computed:
        failure = block(block(state["destination_config"])["on_failure"])
        account.client("lambda").put_function_event_invoke_config(
            FunctionName=state["function_name"],
            MaximumRetryAttempts=int(state["maximum_retry_attempts"]),
            MaximumEventAgeInSeconds=int(state["maximum_event_age_in_seconds"]),
            DestinationConfig={"OnFailure": {"Destination": failure["destination"]}},
        )
        return {"id": state["function_name"]}

    def delete(self, account: Account, state: State) -> None:
        account.client("lambda").delete_function_event_invoke_config(
            FunctionName=state["function_name"]
        )


class EventSourceMapping(Kind):
    replaced_by = frozenset({"event_source_arn"})

    def create(self, account: Account, state: State) -> Computed:
        made = account.client("lambda").create_event_source_mapping(
            EventSourceArn=state["event_source_arn"],
            FunctionName=state["function_name"],
            BatchSize=int(state["batch_size"]),
            **self._scaling(state),
        )
        return {"id": made["UUID"], "uuid": made["UUID"], "function_arn": made["FunctionArn"]}

    def update(self, account: Account, before: State, state: State) -> Computed:
        account.client("lambda").update_event_source_mapping(
            UUID=state["uuid"],
            FunctionName=state["function_name"],
            BatchSize=int(state["batch_size"]),
            **self._scaling(state),
        )
        return {}

    def delete(self, account: Account, state: State) -> None:
        account.client("lambda").delete_event_source_mapping(UUID=state["uuid"])

    @staticmethod
    def _scaling(state: State) -> dict[str, Any]:
        scaling = block(state["scaling_config"])
        if not scaling:
            return {}
        most = int(scaling["maximum_concurrency"])
        return {"ScalingConfig": {"MaximumConcurrency": most}}


class LogGroup(Kind):
    replaced_by = frozenset({"name"})

    def create(self, account: Account, state: State) -> Computed:
        logs = account.client("logs")
        logs.create_log_group(logGroupName=state["name"])
        self._retain(logs, state)
        return {"id": state["name"], "arn": account.arn("logs", f"log-group:{state['name']}")}

    def update(self, account: Account, before: State, state: State) -> Computed:
        self._retain(account.client("logs"), state)
        return {}

    def delete(self, account: Account, state: State) -> None:
        account.client("logs").delete_log_group(logGroupName=state["name"])

    @staticmethod
    def _retain(logs: Any, state: State) -> None:
        if state["retention_in_days"]:
            logs.put_retention_policy(
                logGroupName=state["name"], retentionInDays=int(state["retention_in_days"])
            )
        else:
            logs.delete_retention_policy(logGroupName=state["name"])


KINDS: dict[str, Kind] = {
    "aws_cloudwatch_log_group": LogGroup(),
    "aws_iam_role": Role(),
    "aws_iam_role_policy": RolePolicy(),
    "aws_iam_role_policy_attachment": RolePolicyAttachment(),
    "aws_lambda_event_source_mapping": EventSourceMapping(),
    "aws_lambda_function": Function(),
    "aws_lambda_function_event_invoke_config": EventInvokeConfig(),
    "aws_lambda_permission": Permission(),
}
