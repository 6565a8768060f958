"""The program of the process that is AWS: MiniStack, mended where the cloud path needs it.

    python emulator_process.py FILE_DESCRIPTOR

It serves a listening socket that it inherits, and ends with its standard input. It runs on a Python
that has nothing but MiniStack and boto3, for that Python also runs the functions: a package that a
zip lacks is missing here as it is in Lambda.

Mended, since MiniStack 1.5.33 does otherwise than AWS:
- Batch: the calls go to the double at BATCH_DOUBLE. MiniStack's own says SUCCEEDED at once.
- Batch's IAM: SubmitJob is checked on the queue and the definition, TerminateJob and CancelJob on
  the job. MiniStack checks them on "*".
- CloudWatch Logs' IAM: calls that name a stream are checked on it. MiniStack checks on the group.
- S3: who reads a key that isn't there and may not list the bucket gets 403 (API reference,
  GetObject, "Permissions"). MiniStack says 404 to all. A read has no s3:prefix, which is a key of
  ListBucket (Service Authorization Reference, Amazon S3): to be allowed a prefix doesn't count.
- API Gateway: a caller whom IAM denies gets the ACCESS_DENIED gateway response; a function that
  fails, or answers in another form than a proxy's, is status 502, or DEFAULT_5XX (500 without a
  status of its own, where AWS keeps 502). MiniStack tells the error, and takes any answer.
- EventBridge: events of aws.* sources are taken from whoever may call PutEvents.
- An asynchronous call that is throttled stays in its queue, for hours (AWS Lambda developer guide,
  "Error handling for an asynchronous invocation"), and a message of SQS is tried again while it is
  hidden ("Configuring a queue to use with Lambda"). MiniStack counts both as failures.
- EventBridge to Lambda is an asynchronous invocation, with its retries and its on-failure
  destination. MiniStack calls the function once.
- SQS to Lambda: a record of a message from a dead-letter queue says which queue gave it up
  (DeadLetterQueueSourceArn: Amazon SQS API reference, ReceiveMessage). MiniStack leaves that out.
- SQS: a message that its receiver makes visible later is so _RETRY_SPEED times sooner.
- Policies: aws:SecureTransport is true, though on loopback there is no TLS, and aws:SourceAccount
  is the account, for tests assume roles as its services do.
- Schedules: SCHEDULE_SPEED makes them run that many times faster.
- A function's zip is unpacked and compiled once for all its processes, as Lambda keeps a package
  that it has seen. MiniStack does so for each process, which takes most of its start.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import json
import os
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as gateway  # type: ignore[import-untyped]
from ministack.core import iam_actions, iam_evaluator, lambda_runtime  # type: ignore[import-untyped]
from ministack.core.responses import get_account_id, get_region  # type: ignore[import-untyped]
from ministack.core.router import extract_access_key_id  # type: ignore[import-untyped]
from ministack.services import apigateway_v1, batch, eventbridge, lambda_svc, s3, sqs  # type: ignore[import-untyped]

Answer: TypeAlias = tuple[int, dict[str, str], bytes]

_OWN_VARIABLES = (
    "AUTH",
    "BATCH_DOUBLE",
    "LAMBDA_ASYNC_RETRY_BASE_SECONDS",
    "LOG_LEVEL",
    "SCHEDULE_SPEED",
    "SERVICES",
)
_RETRY_SPEED = 100
_ANSWER_HEADERS = ("content-type", "x-amzn-errortype")
_SCHEDULER_TICK_SECONDS = 0.2
_THROTTLED_SECONDS = 0.2
_INTERNAL_ERROR = "Internal server error"


def main() -> None:
    _forward_batch(os.environ["BATCH_DOUBLE"])
    _check_named_resources()
    _admit_aws_events()
    _invoke_targets_asynchronously()
    _wait_where_calls_are_throttled()
    _say_which_queue_gave_up()
    _hasten_retries()
    _hasten_schedules(float(os.environ.get("SCHEDULE_SPEED", "1")))
    _unpack_each_zip_once()
    _hide_what_is_not_there()
    _know_the_conditions()
    _word_denials_as_the_gateway()
    _word_failures_as_the_gateway()
    for name in _OWN_VARIABLES:
        # Functions inherit the environment; what has been read by now is none of theirs.
        os.environ.pop(name, None)
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    config = Config()
    config.bind = [f"fd://{sys.argv[1]}"]
    config.keep_alive_timeout = 75
    asyncio.run(serve(gateway.app, config))


def _end_with_standard_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _forward_batch(double_url: str) -> None:
    def forward(method: str, path: str, body: bytes) -> Answer:
        request = urllib.request.Request(double_url + path, data=body or None, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                return response.status, dict(response.headers), response.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    async def handle_request(
        method: str,
        path: str,
        _headers: dict[str, str],
        body: bytes,
        query: dict[str, list[str]],
    ) -> Answer:
        if query:
            path += "?" + "&".join(f"{name}={value}" for name in query for value in query[name])
        status, headers, answer = await asyncio.to_thread(forward, method, path, body)
        kept = {name: value for name, value in headers.items() if name.lower() in _ANSWER_HEADERS}
        return status, kept, answer

    batch.handle_request = handle_request


def _check_named_resources() -> None:
    """Name what calls of Batch, EventBridge and Logs are about; of several, check each."""
    extract: Callable[..., str] = iam_actions.extract_resource_arn
    enforce: Callable[..., Any] = iam_evaluator.enforce

    def extract_with_batch(  # noqa: PLR0917 - as MiniStack calls it
        service: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query: dict[str, Any],
        region: str,
        account: str,
    ) -> str:
        if service == "batch":
            return _batch_resources(path, body, f"arn:aws:batch:{region}:{account}")
        if service == "events":
            asked = _fields(body)
            rule = asked.get("Rule") or asked.get("Name")
            return f"arn:aws:events:{region}:{account}:rule/{rule}" if rule else "*"
        arn = extract(service, method, path, headers, body, query, region, account)
        if service == "logs" and (stream := _fields(body).get("logStreamName")):
            return f"{arn}:log-stream:{stream}"
        return arn

    def enforce_each(
        key: str, action: str, service: str, region: str, resource_arn: str = "*", **context: Any
    ) -> Any:
        if service != "batch":
            return enforce(key, action, service, region, resource_arn=resource_arn, **context)
        for arn in resource_arn.split(" "):
            denied = enforce(key, action, service, region, resource_arn=arn, **context)
            if denied:
                return denied
        return None

    iam_actions.extract_resource_arn = extract_with_batch
    iam_evaluator.enforce = enforce_each


def _batch_resources(path: str, body: bytes, stem: str) -> str:
    asked = _fields(body)
    match path.rstrip("/").rpartition("/")[2]:
        case "submitjob":
            named = {
                "job-queue": str(asked.get("jobQueue", "")),
                "job-definition": str(asked.get("jobDefinition", "")),
            }
        case "terminatejob" | "canceljob":
            named = {"job": str(asked.get("jobId", ""))}
        case _:
            return "*"
    return " ".join(
        name if name.startswith("arn:") else f"{stem}:{kind}/{name}" for kind, name in named.items()
    )


def _hide_what_is_not_there() -> None:
    read = gateway.SERVICE_HANDLERS["s3"]

    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Answer:
        answer: Answer = await read(method, path, headers, body, query)
        bucket, _, key = path.lstrip("/").partition("/")
        if answer[0] != 404 or method not in {"GET", "HEAD"} or not key:
            return answer
        if s3._buckets.get(bucket) is None:  # noqa: SLF001
            return answer
        denied = iam_evaluator.enforce(
            extract_access_key_id(headers, query),
            "s3:ListBucket",
            "s3",
            get_region(),
            resource_arn=f"arn:aws:s3:::{bucket}",
        )
        if not denied:
            return answer
        text = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        content = b"" if method == "HEAD" else text.encode()
        return 403, {"Content-Type": "application/xml"}, content

    gateway.SERVICE_HANDLERS["s3"] = handle


def _know_the_conditions() -> None:
    resolve: Callable[[str, Any], Any] = iam_evaluator._resolve_condition_key  # noqa: SLF001

    def resolved(key: str, context: Any) -> Any:
        match key.lower():
            case "aws:securetransport":
                return "true"
            case "aws:sourceaccount":
                return get_account_id()
        return resolve(key, context)

    iam_evaluator._resolve_condition_key = resolved  # noqa: SLF001


def _word_denials_as_the_gateway() -> None:
    enforce: Callable[..., Answer | None] = gateway._enforce_execute_api  # noqa: SLF001
    apigateway_v1._AUTHENTICATION_GATEWAY_ERRORS["AccessDenied"] = (  # noqa: SLF001
        "ACCESS_DENIED",
        "AccessDeniedException",
    )

    def enforce_and_word(  # noqa: PLR0917 - as MiniStack calls it
        api: str,
        stage: str,
        method: str,
        path: str,
        headers: dict[str, str],
        query: dict[str, list[str]],
        **action: str,
    ) -> Answer | None:
        refused = enforce(api, stage, method, path, headers, query, **action)
        if refused is None or refused[1].get("x-amzn-errortype") != "AccessDeniedException":
            return refused
        message = _fields(refused[2]).get("message", "")
        worded: Answer | None = apigateway_v1.authentication_error_response(
            api, stage, iam_evaluator.AuthError("AccessDenied", message), headers, query
        )
        return worded or refused

    gateway._enforce_execute_api = enforce_and_word  # noqa: SLF001


def _word_failures_as_the_gateway() -> None:
    shape: Callable[..., tuple[Any, str | None]] = apigateway_v1._lambda_proxy_response  # noqa: SLF001
    invoke: Callable[..., Awaitable[Any]] = apigateway_v1._invoke_lambda_proxy_v1  # noqa: SLF001

    def shape_or_fail(result: dict[str, Any]) -> tuple[Any, str | None]:
        answer = result.get("body")
        is_proxys = isinstance(answer, dict) and isinstance(answer.get("statusCode"), int)
        if result.get("throttle") or (is_proxys and not result.get("error")):
            return shape(result)
        return None, _INTERNAL_ERROR

    async def invoke_and_word(integration: object, api: str, *rest: Any, **options: Any) -> Any:
        answer = await invoke(integration, api, *rest, **options)
        failed = isinstance(answer, tuple) and answer[0] == 502
        if not failed or _fields(answer[2]) != {"message": _INTERNAL_ERROR}:
            return answer
        if "DEFAULT_5XX" in apigateway_v1._gateway_responses.get(api, {}):  # noqa: SLF001
            return apigateway_v1._gw_error("DEFAULT_5XX", _INTERNAL_ERROR)  # noqa: SLF001
        return answer

    apigateway_v1._lambda_proxy_response = shape_or_fail  # noqa: SLF001
    apigateway_v1._invoke_lambda_proxy_v1 = invoke_and_word  # noqa: SLF001


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body or b"{}")
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _admit_aws_events() -> None:
    eventbridge._put_events.__defaults__ = (True,)  # noqa: SLF001


def _invoke_targets_asynchronously() -> None:
    def dispatch(arn: str, payload: str) -> None:
        function, config, name = lambda_svc._get_func_record_for_ref(arn)  # noqa: SLF001
        if not function or not config:
            print(f"EventBridge: there is no function {name}", file=sys.stderr)  # noqa: T201
            return
        record = lambda_svc._execution_record_for_config(function, config)  # noqa: SLF001
        # A context of its own: an event doesn't count as a function's call of another.
        contextvars.Context().run(lambda_svc.invoke_async_with_retry, record, json.loads(payload))

    eventbridge._dispatch_to_lambda = dispatch  # noqa: SLF001


def _say_which_queue_gave_up() -> None:
    run: Callable[..., None] = lambda_svc._run_sqs_batch  # noqa: SLF001

    def run_with_source(
        mapping: object, function: object, event: dict[str, Any], batch: list[Any], *queue: str
    ) -> None:
        for record, message in zip(event["Records"], batch, strict=False):
            source = message.get("sys", {}).get("DeadLetterQueueSourceArn")
            if source is not None:
                record["attributes"]["DeadLetterQueueSourceArn"] = source
        run(mapping, function, event, batch, *queue)

    lambda_svc._run_sqs_batch = run_with_source  # noqa: SLF001


def _hasten_retries() -> None:
    change: Callable[..., Any] = sqs._HANDLERS["ChangeMessageVisibility"]  # noqa: SLF001

    def change_sooner(asked: dict[str, Any], queue_url: str) -> Any:
        answer = change(asked, queue_url)
        seconds = int(asked["VisibilityTimeout"])
        queue = sqs._get_q(asked["QueueUrl"])  # noqa: SLF001
        for message in queue["messages"]:
            if message["receipt_handle"] == asked["ReceiptHandle"]:
                message["visible_at"] -= seconds * (1 - 1 / _RETRY_SPEED)
        return answer

    sqs._HANDLERS["ChangeMessageVisibility"] = change_sooner  # noqa: SLF001


def _wait_where_calls_are_throttled() -> None:
    invoke: Callable[[dict[str, Any], dict[str, Any]], None] = lambda_svc.invoke_async_with_retry
    execute: Callable[..., dict[str, Any]] = lambda_svc._execute_function  # noqa: SLF001
    is_asynchronous = contextvars.ContextVar("is_asynchronous", default=False)

    def invoke_asynchronously(function: dict[str, Any], event: dict[str, Any]) -> None:
        token = is_asynchronous.set(True)  # its thread has a copy of this context
        try:
            invoke(function, event)
        finally:
            is_asynchronous.reset(token)

    def execute_or_wait(function: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
        answer = execute(function, event)
        while answer.get("throttle") and (is_asynchronous.get() or "Records" in event):
            time.sleep(_THROTTLED_SECONDS)
            answer = execute(function, event)
        return answer

    lambda_svc.invoke_async_with_retry = invoke_asynchronously
    lambda_svc._execute_function = execute_or_wait  # noqa: SLF001


def _hasten_schedules(speed: float) -> None:
    if speed == 1:
        return
    seconds_of: Callable[[str], float | None] = eventbridge._parse_rate_seconds  # noqa: SLF001

    def hastened(expression: str) -> float | None:
        seconds = seconds_of(expression)
        return None if seconds is None else seconds / speed

    eventbridge._parse_rate_seconds = hastened  # noqa: SLF001
    eventbridge._SCHEDULER_TICK_INTERVAL = _SCHEDULER_TICK_SECONDS  # noqa: SLF001


def _unpack_each_zip_once() -> None:
    unpacked: dict[bytes, Path] = {}
    unpacking = threading.Lock()

    class SharedZip(zipfile.ZipFile):
        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            """Links to the files: the folders of bytecode, which Python makes, are shared, too."""
            if members is not None or pwd is not None or self.filename is None:
                super().extractall(path, members, pwd)
                return
            with unpacking:
                digest = hashlib.sha256(Path(self.filename).read_bytes()).digest()
                if digest not in unpacked:
                    folder = Path(tempfile.mkdtemp(prefix="function-"))
                    super().extractall(folder)
                    unpacked[digest] = folder
            for each in unpacked[digest].iterdir():
                Path(path or ".", each.name).symlink_to(each)

    lambda_runtime.zipfile = SimpleNamespace(**vars(zipfile) | {"ZipFile": SharedZip})


if __name__ == "__main__":
    main()
