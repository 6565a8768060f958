"""The failures: what a function could not do, or an event that reached none, from their queue.

A function's last failure becomes the job's `error.json`. An event that EventBridge couldn't deliver
is sent to where it belongs once more.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from fanfold.api import problem
from fanfold.aws.deployment import Deployment, deployment, wake
from fanfold.aws.ledger import Ledger, parse_name
from fanfold.aws.log import about, begin
from fanfold.aws.phases import fail, known, listener

_SAID_AT_MOST = 500

_DECODER = msgspec.json.Decoder(dict[str, Any])

_log = logging.getLogger("fanfold")


def handler(event: dict[str, Any], context: object) -> None:
    """What SQS invokes."""
    begin("failures", context)
    deployed = deployment()
    for record in event["Records"]:
        message = _DECODER.decode(record["body"])
        if "requestPayload" in message:
            _tell(deployed, message)
        else:
            _send_again(deployed, message)


def _tell(deployed: Deployment, message: dict[str, Any]) -> None:
    """Tell the users of a job what a function could not do for it.

    Args:
        deployed: the deployment.
        message: Lambda's record of a failed asynchronous invocation (AWS Lambda developer guide,
            "Capturing records of Lambda asynchronous invocations").
    """
    job, attempt = _subject(message["requestPayload"])
    about(job, attempt)
    ledger = Ledger(deployed.bucket)
    entry = known(ledger, job) if job else None
    if entry is None or entry.attempt != attempt or entry.failure or ledger.open_since(job) is None:
        _log.warning("a failure that concerns no open job: %s", message.get("requestContext"))
        return
    context, response = message.get("requestContext", {}), message.get("responsePayload") or {}
    function = str(context.get("functionArn", "a function")).rpartition(":function:")[2]
    said = str(response.get("errorMessage", context.get("condition", "")))[:_SAID_AT_MOST]
    error = problem(
        "function",
        "A function failed",
        f"{function.partition(':')[0]} could not do its work: {said}; see its log, then post the"
        " job again",
    )
    fail(ledger, entry, error)


def _subject(payload: dict[str, Any]) -> tuple[str, int]:
    """The job and attempt that an invocation was about; an empty name if it was about none."""
    name = parse_name(str(payload.get("detail", {}).get("jobName", "")))
    if name is not None:
        return name.job, name.attempt
    return str(payload.get("job", "")), int(payload.get("attempt", 0))


def _send_again(deployed: Deployment, event: dict[str, Any]) -> None:
    """Send an event of Batch to the function that it belongs to."""
    detail = event.get("detail", {})
    name = parse_name(str(detail.get("jobName", "")))
    if name is None:
        _log.warning("an event that concerns no job: %s", event.get("id"))
        return
    wake(listener(deployed, name.phase, detail.get("status", "")), event)
