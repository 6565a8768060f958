"""The ARNs among the arguments, which the real provider checks when they are known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgpack  # type: ignore[import-untyped]

ARNS = {
    "aws_api_gateway_stage": ("access_log_settings.destination_arn",),
    "aws_batch_job_queue": ("compute_environment_order.compute_environment",),
    "aws_cloudwatch_event_target": ("arn", "dead_letter_config.arn"),
    "aws_cloudwatch_metric_alarm": ("alarm_actions", "ok_actions"),
    "aws_lambda_event_source_mapping": ("event_source_arn",),
    "aws_lambda_function": ("role",),
    "aws_lambda_function_event_invoke_config": ("destination_config.on_failure.destination",),
    "aws_lambda_permission": ("source_arn",),
}
"""Arguments that must be ARNs, by type of resource; those that nest, by a path with dots."""

# ValidARNCheck of the provider's internal/verify: partition, region and account may be checked,
# the resource must not be empty.
_ARN = re.compile(
    r"arn:aws(-[a-z]+)*:[^:]*:([a-z]{2}(-[a-z]+)+-\d{1,2})?"
    r":(aws|aws-managed|third-party|aws-marketplace|\d{12}|cw.{10})?:.+"
)


def invalid_arns(kind: str, config: Mapping[str, Any]) -> list[str]:
    """What is wrong with the ARNs of a resource's configuration."""
    return [
        f'"{path}" ({value}) is an invalid ARN'
        for path in ARNS.get(kind, ())
        for value in _known(config, path.split("."))
        if value and not _ARN.fullmatch(value)
    ]


def _known(found: Any, path: list[str]) -> Iterator[str]:
    if found is None or isinstance(found, msgpack.ExtType):
        return
    if isinstance(found, list):
        for each in found:
            yield from _known(each, path)
    elif path:
        yield from _known(found[path[0]], path[1:])
    else:
        yield found
