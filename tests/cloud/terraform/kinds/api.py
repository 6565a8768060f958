"""API Gateway, REST."""

# ruff: noqa: ARG002 - the verbs of all kinds take the same

from __future__ import annotations

from contextlib import suppress
from typing import Any

from cloud.terraform.account import Account
from cloud.terraform.kinds.kind import Computed, Kind, State, block, given


class RestApi(Kind):
    def create(self, account: Account, state: State) -> Computed:
        gateway = account.client("apigateway")
        made = gateway.create_rest_api(
            name=state["name"],
            description=state["description"],
            endpointConfiguration={"types": block(state["endpoint_configuration"])["types"]},
        )["id"]
        root = next(
            resource["id"]
            for resource in gateway.get_resources(restApiId=made)["items"]
            if resource["path"] == "/"
        )
        return {
            "id": made,
            "arn": f"arn:aws:apigateway:{account.region}::/restapis/{made}",
            "execution_arn": account.arn("execute-api", made),
            "root_resource_id": root,
        }

    def update(self, account: Account, before: State, state: State) -> Computed:
        operations = [
            {"op": "replace", "path": f"/{name}", "value": state[name]}
            for name in ("name", "description")
        ]
        account.client("apigateway").update_rest_api(
            restApiId=state["id"], patchOperations=operations
        )
        return {}

    def delete(self, account: Account, state: State) -> None:
        account.client("apigateway").delete_rest_api(restApiId=state["id"])


class PartOfApi(Kind):
    """What belongs to an API, by whose deletion it goes too."""

    replaced_by = frozenset({"rest_api_id"})


class Resource(PartOfApi):
    replaced_by = frozenset({"rest_api_id", "parent_id", "path_part"})

    def create(self, account: Account, state: State) -> Computed:
        made = account.client("apigateway").create_resource(
            restApiId=state["rest_api_id"],
            parentId=state["parent_id"],
            pathPart=state["path_part"],
        )
        return {"id": made["id"], "path": made["path"]}

    def delete(self, account: Account, state: State) -> None:
        account.client("apigateway").delete_resource(
            restApiId=state["rest_api_id"], resourceId=state["id"]
        )


class RequestValidator(PartOfApi):
    def create(self, account: Account, state: State) -> Computed:
        made = account.client("apigateway").create_request_validator(
            restApiId=state["rest_api_id"],
            name=state["name"],
            validateRequestBody=bool(state["validate_request_body"]),
            validateRequestParameters=bool(state["validate_request_parameters"]),
        )
        return {"id": made["id"]}

    def update(self, account: Account, before: State, state: State) -> Computed:
        operations = [
            {"op": "replace", "path": f"/{path}", "value": str(bool(state[name])).lower()}
            for path, name in (
                ("validateRequestBody", "validate_request_body"),
                ("validateRequestParameters", "validate_request_parameters"),
            )
        ]
        account.client("apigateway").update_request_validator(
            restApiId=state["rest_api_id"],
            requestValidatorId=state["id"],
            patchOperations=operations,
        )
        return {}

    def delete(self, account: Account, state: State) -> None:
        account.client("apigateway").delete_request_validator(
            restApiId=state["rest_api_id"], requestValidatorId=state["id"]
        )


class Model(PartOfApi):
    replaced_by = frozenset({"rest_api_id", "name", "content_type"})

    def create(self, account: Account, state: State) -> Computed:
        made = account.client("apigateway").create_model(
            restApiId=state["rest_api_id"],
            name=state["name"],
            contentType=state["content_type"],
            schema=state["schema"],
        )
        return {"id": made["id"]}

    def update(self, account: Account, before: State, state: State) -> Computed:
        account.client("apigateway").update_model(
            restApiId=state["rest_api_id"],
            modelName=state["name"],
            patchOperations=[{"op": "replace", "path": "/schema", "value": state["schema"]}],
        )
        return {}

    def delete(self, account: Account, state: State) -> None:
        account.client("apigateway").delete_model(
            restApiId=state["rest_api_id"], modelName=state["name"]
        )


class Method(PartOfApi):
    """A change puts the method anew, and with it the integration that it held."""

    replaced_by = frozenset({"rest_api_id", "resource_id", "http_method"})

    def create(self, account: Account, state: State) -> Computed:
        account.client("apigateway").put_method(
            **_method(state),
            **given(
                authorizationType=state["authorization"],
                requestValidatorId=state["request_validator_id"],
                requestModels=state["request_models"],
                requestParameters=state["request_parameters"],
            ),
        )
        return {"id": _method_id("agm", state)}

    def update(self, account: Account, before: State, state: State) -> Computed:
        gateway = account.client("apigateway")
        integration = gateway.get_integration(**_method(state))
        made = self.create(account, state)
        kept = ("type", "httpMethod", "uri", "passthroughBehavior")
        gateway.put_integration(
            **_method(state),
            **{
                "integrationHttpMethod" if name == "httpMethod" else name: integration[name]
                for name in kept
                if name in integration
            },
        )
        return made

    def delete(self, account: Account, state: State) -> None:
        account.client("apigateway").delete_method(**_method(state))


class Integration(PartOfApi):
    replaced_by = frozenset({"rest_api_id", "resource_id", "http_method"})

    def create(self, account: Account, state: State) -> Computed:
        account.client("apigateway").put_integration(
            **_method(state),
            type=state["type"],
            integrationHttpMethod=state["integration_http_method"],
            uri=state["uri"],
        )
        return {"id": _method_id("agi", state)}

    def delete(self, account: Account, state: State) -> None:
        account.client("apigateway").delete_integration(**_method(state))


class GatewayResponse(PartOfApi):
    replaced_by = frozenset({"rest_api_id", "response_type"})

    def create(self, account: Account, state: State) -> Computed:
        account.client("apigateway").put_gateway_response(
            **given(
                restApiId=state["rest_api_id"],
                responseType=state["response_type"],
                statusCode=state["status_code"],
                responseParameters=state["response_parameters"],
                responseTemplates=state["response_templates"],
            )
        )
        return {"id": f"aggr-{state['rest_api_id']}-{state['response_type']}"}

    def delete(self, account: Account, state: State) -> None:
        account.client("apigateway").delete_gateway_response(
            restApiId=state["rest_api_id"], responseType=state["response_type"]
        )


class Deployment(PartOfApi):
    replaced_by = frozenset({"rest_api_id", "triggers"})

    def create(self, account: Account, state: State) -> Computed:
        made = account.client("apigateway").create_deployment(restApiId=state["rest_api_id"])
        return {"id": made["id"]}

    def update(self, account: Account, before: State, state: State) -> Computed:
        return {}

    def delete(self, account: Account, state: State) -> None:
        account.client("apigateway").delete_deployment(
            restApiId=state["rest_api_id"], deploymentId=state["id"]
        )


class Stage(PartOfApi):
    """Its invoke_url is the emulator's; in AWS it is https://<api>.execute-api.<region>.…/<stage>.

    Access logs are in Terraform's state alone, for the emulator writes none, and are refused to an
    account without a log role.
    """

    replaced_by = frozenset({"rest_api_id", "stage_name"})

    def create(self, account: Account, state: State) -> Computed:
        api, stage = state["rest_api_id"], state["stage_name"]
        self._check_logs(account, state)
        account.client("apigateway").create_stage(
            restApiId=api,
            stageName=stage,
            deploymentId=state["deployment_id"],
            tracingEnabled=bool(state["xray_tracing_enabled"]),
        )
        return {
            "id": f"ags-{api}-{stage}",
            "arn": f"arn:aws:apigateway:{account.region}::/restapis/{api}/stages/{stage}",
            "execution_arn": account.arn("execute-api", f"{api}/{stage}"),
            "invoke_url": f"{account.endpoint_url}/_aws/execute-api/{api}/{stage}",
        }

    def update(self, account: Account, before: State, state: State) -> Computed:
        self._check_logs(account, state)
        operation = {"op": "replace", "path": "/deploymentId", "value": state["deployment_id"]}
        account.client("apigateway").update_stage(
            restApiId=state["rest_api_id"],
            stageName=state["stage_name"],
            patchOperations=[operation],
        )
        return {}

    def delete(self, account: Account, state: State) -> None:
        account.client("apigateway").delete_stage(
            restApiId=state["rest_api_id"], stageName=state["stage_name"]
        )

    @staticmethod
    def _check_logs(account: Account, state: State) -> None:
        if state["access_log_settings"]:
            _check_log_role(account)


class MethodSettings(PartOfApi):
    """The throttling; metrics are in Terraform's state alone.

    For execution logs API Gateway makes a log group of its own, unless it is there, and keeps it
    when the API goes (API Gateway developer guide, "Set up CloudWatch logging for REST APIs").
    """

    replaced_by = frozenset({"rest_api_id", "stage_name", "method_path"})

    def create(self, account: Account, state: State) -> Computed:
        settings = block(state["settings"])
        if settings["logging_level"] != "OFF":
            _check_log_role(account)
            _make_execution_logs(account, state)
        operations = [
            {"op": "replace", "path": f"/{state['method_path']}/throttling/{path}", "value": value}
            for path, value in (
                ("rateLimit", str(settings["throttling_rate_limit"])),
                ("burstLimit", str(int(settings["throttling_burst_limit"]))),
            )
        ]
        account.client("apigateway").update_stage(
            restApiId=state["rest_api_id"],
            stageName=state["stage_name"],
            patchOperations=operations,
        )
        return {"id": f"{state['rest_api_id']}-{state['stage_name']}-{state['method_path']}"}


def _check_log_role(account: Account) -> None:
    """Refuse logs to an account without a role for them, as API Gateway does."""
    if not account.client("apigateway").get_account().get("cloudwatchRoleArn"):
        raise RuntimeError(
            "CloudWatch Logs role ARN must be set in account settings to enable logging"
        )


def _make_execution_logs(account: Account, state: State) -> None:
    logs = account.client("logs")
    group = f"API-Gateway-Execution-Logs_{state['rest_api_id']}/{state['stage_name']}"
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group)


def _method(state: State) -> dict[str, Any]:
    return {
        "restApiId": state["rest_api_id"],
        "resourceId": state["resource_id"],
        "httpMethod": state["http_method"],
    }


def _method_id(prefix: str, state: State) -> str:
    return f"{prefix}-{state['rest_api_id']}-{state['resource_id']}-{state['http_method']}"


KINDS: dict[str, Kind] = {
    "aws_api_gateway_deployment": Deployment(),
    "aws_api_gateway_gateway_response": GatewayResponse(),
    "aws_api_gateway_integration": Integration(),
    "aws_api_gateway_method": Method(),
    "aws_api_gateway_method_settings": MethodSettings(),
    "aws_api_gateway_model": Model(),
    "aws_api_gateway_request_validator": RequestValidator(),
    "aws_api_gateway_resource": Resource(),
    "aws_api_gateway_rest_api": RestApi(),
    "aws_api_gateway_stage": Stage(),
}
