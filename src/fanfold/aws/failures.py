"""The failures: what a function could not do, or an event that reached none, from their queue.

A function's last failure becomes the job's `error.json`: Lambda's record of an asynchronous
invocation, or a message that the chunker's queue has given up. An event that EventBridge couldn't
deliver is sent to where it belongs once more.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from fanfold.aws.deployment import Deployment, deployment
from fanfold.aws.log import begin
from fanfold.aws.phases import forward, give_up, subject_of
from fanfold.ledger import Ledger, parse_name

_SAID_AT_MOST = 500

_GIVEN_UP_BY = "DeadLetterQueueSourceArn"
"""The attribute of a message that was received too often in another queue (Amazon SQS API
reference, ReceiveMessage)."""

_DECODER = msgspec.json.Decoder(dict[str, Any])

_log = logging.getLogger("fanfold")


def handler(event: dict[str, Any], context: object) -> None:
    """What SQS invokes."""
    begin("failures", context)
    deployed = deployment()
    ledger = Ledger(f"s3://{deployed.bucket}")
    for record in event["Records"]:
        message = _DECODER.decode(record["body"])
        if "requestPayload" in message:
            give_up(ledger, *subject_of(message["requestPayload"]), _what_failed(message))
        elif _GIVEN_UP_BY in record.get("attributes", {}):
            why = "the chunker could not do its work; its log says why"
            give_up(ledger, *subject_of(message), why)
        else:
            _send_again(deployed, message)


def _what_failed(message: dict[str, Any]) -> str:
    """What Lambda's record of an asynchronous invocation says.

    Its form: AWS Lambda developer guide, "Capturing records of Lambda asynchronous invocations".
    """
    context, response = message.get("requestContext", {}), message.get("responsePayload") or {}
    function = str(context.get("functionArn", "a function")).rpartition(":function:")[2]
    said = str(response.get("errorMessage", context.get("condition", "")))[:_SAID_AT_MOST]
    return f"{function.partition(':')[0]} could not do its work: {said}; its log says more"


def _send_again(deployed: Deployment, event: dict[str, Any]) -> None:
    """Send an event of Batch to the function that it belongs to."""
    name = parse_name(str(event.get("detail", {}).get("jobName", "")))
    if name is None:
        _log.warning("an event that concerns no job: %s", event.get("id"))
        return
    forward(deployed, name.phase, event)
