"""API Gateway before a function: who is let in, and in whose words the others are refused.

Signatures are verified for users and roles. Root's keys ("test") are let in with any signature.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloud.emulator.cloud import Cloud
from cloud.emulator.parts import allow, make_function, make_role

ECHOES = """
import json

def handler(event, context):
    bucket = json.loads(event["body"])["bucket"]
    if bucket == "fails":
        raise ValueError("a secret")
    if bucket == "misshapen":
        return {"hello": "world"}
    told = {"body": event["body"], "user": event["requestContext"]["identity"]["userArn"]}
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"},
            "body": json.dumps(told)}
"""
BODY = b'{"bucket": "genomes"}'


@dataclass(frozen=True)
class Api:
    cloud: Cloud
    url: str
    arn: str

    def post(
        self,
        credentials: Mapping[str, str] | None,
        *,
        signed: bytes = BODY,
        sent: bytes | None = None,
    ) -> tuple[int, Any]:
        request = AWSRequest(
            "POST", self.url, data=signed, headers={"Content-Type": "application/json"}
        )
        if credentials is not None:
            keys = Credentials(
                credentials["AccessKeyId"],
                credentials["SecretAccessKey"],
                credentials.get("SessionToken"),
            )
            SigV4Auth(keys, "execute-api", self.cloud.region).add_auth(request)
        sending = urllib.request.Request(  # noqa: S310
            self.url, signed if sent is None else sent, dict(request.headers.items())
        )
        try:
            with urllib.request.urlopen(sending) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read())


@pytest.fixture
def api(cloud: Cloud, name: str) -> Api:
    function = make_function(cloud, name, ECHOES)
    gateway = cloud.client("apigateway")
    api = gateway.create_rest_api(name=name)["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart="chunk")["id"]
    schema = {"type": "object", "required": ["bucket"], "additionalProperties": False}
    schema["properties"] = {"bucket": {"type": "string"}}
    gateway.create_model(
        restApiId=api, name="Chunk", contentType="application/json", schema=json.dumps(schema)
    )
    validator = gateway.create_request_validator(
        restApiId=api, name="body", validateRequestBody=True
    )["id"]
    method = {"restApiId": api, "resourceId": resource, "httpMethod": "POST"}
    gateway.put_method(
        **method,
        authorizationType="AWS_IAM",
        requestModels={"application/json": "Chunk"},
        requestValidatorId=validator,
    )
    invocations = f"arn:aws:apigateway:{cloud.region}:lambda:path/2015-03-31/functions/{function}"
    gateway.put_integration(
        **method, type="AWS_PROXY", integrationHttpMethod="POST", uri=f"{invocations}/invocations"
    )
    for kind in ("ACCESS_DENIED", "MISSING_AUTHENTICATION_TOKEN", "INVALID_SIGNATURE"):
        gateway.put_gateway_response(
            restApiId=api,
            responseType=kind,
            statusCode="403",
            responseTemplates={"application/json": json.dumps({"type": f"urn:{kind}"})},
        )
    gateway.create_deployment(restApiId=api, stageName="prod")
    arn = f"arn:aws:execute-api:{cloud.region}:{cloud.account}:{api}/prod/POST/chunk"
    return Api(cloud, f"{cloud.stage_url(api)}/chunk", arn)


def test_an_unsigned_call_is_refused(api: Api) -> None:
    assert api.post(None) == (403, {"type": "urn:MISSING_AUTHENTICATION_TOKEN"})


def test_a_user_who_may_call_it_is_let_in_by_a_signature(api: Api, name: str) -> None:
    user = api.cloud.user(name, allow("execute-api:Invoke", api.arn))
    status, told = api.post(user)
    assert (status, told["body"]) == (200, BODY.decode())
    assert told["user"] == f"arn:aws:iam::{api.cloud.account}:user/{name}"


def test_a_role_is_let_in_with_its_session_token_and_not_without(api: Api, name: str) -> None:
    caller = allow("execute-api:Invoke", api.arn)
    role = make_role(api.cloud, name, "ec2.amazonaws.com", caller)
    session = api.cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="one")
    keys = session["Credentials"]
    assert api.post(keys)[0] == 200
    assert api.post({**keys, "SessionToken": "other"})[0] >= 400


def test_a_user_who_may_not_call_it_is_refused(api: Api, name: str) -> None:
    user = api.cloud.user(name, allow("execute-api:Invoke", api.arn.replace("POST", "GET")))
    assert api.post(user) == (403, {"type": "urn:ACCESS_DENIED"})


def test_a_signature_of_another_secret_or_another_body_is_refused(api: Api, name: str) -> None:
    user = api.cloud.user(name, allow("execute-api:Invoke", api.arn))
    refused = (403, {"type": "urn:INVALID_SIGNATURE"})
    assert api.post({**user, "SecretAccessKey": "other"}) == refused
    assert api.post(user, sent=b'{"bucket": "others"}') == refused


def test_a_body_that_the_model_forbids_is_refused(api: Api, name: str) -> None:
    user = api.cloud.user(name, allow("execute-api:Invoke", api.arn))
    assert api.post(user, signed=b'{"bucket": "genomes", "colour": "red"}')[0] == 400
    assert api.post(user, signed=b"{}")[0] == 400


@pytest.mark.parametrize("bucket", ["fails", "misshapen"])
def test_a_function_that_fails_is_an_error_that_tells_nothing(
    api: Api, name: str, bucket: str
) -> None:
    user = api.cloud.user(name, allow("execute-api:Invoke", api.arn))
    body = json.dumps({"bucket": bucket}).encode()
    assert api.post(user, signed=body) == (502, {"message": "Internal server error"})
