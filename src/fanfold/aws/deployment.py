"""The deployment that a function belongs to: what Terraform made, told by the environment."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, Literal

import msgspec

from fanfold.api import PHASES, Phase
from fanfold.aws.sizes import Prices

_INFLATED_HERE_BYTES = 256 * 1024**2
"""What the chunker inflates in some 20 seconds, as measured: other jobs wait for it."""

_FOLDED_HERE_BYTES = 512 * 1024**2
"""What fits the aggregator's memory: a fold takes three times as much as the rows."""


_ENCODER = msgspec.json.Encoder()
_SOURCES, _PRICES = msgspec.json.Decoder(tuple[str, ...]), msgspec.json.Decoder(Prices)


class Deployment(msgspec.Struct, frozen=True):
    """What was deployed.

    Attributes:
        bucket: the project's bucket.
        sources: what may be read, as ``bucket/prefix``.
        image: the container's image, by digest.
        queue: the ARN of the Batch queue.
        definitions: the ARN of the job definition of each phase.
        chunker_queue: the URL of the queue that feeds the chunker.
        aggregator: the name of the function.
        log_group: where the containers log.
        max_object_bytes: the largest object that is taken.
        prices: what Fargate costs.
        inflated_here_bytes: the largest archive that the chunker begins to inflate.
        folded_here_bytes: the most rows of records that the aggregator folds.
    """

    bucket: str
    sources: tuple[str, ...]
    image: str
    queue: str
    definitions: dict[Phase, str]
    chunker_queue: str
    aggregator: str
    log_group: str
    max_object_bytes: int
    prices: Prices
    inflated_here_bytes: int = _INFLATED_HERE_BYTES
    folded_here_bytes: int = _FOLDED_HERE_BYTES

    def definition(self, phase: Phase, image: str, recorded: dict[Phase, str]) -> str:
        """The ARN of a phase's job definition for a job that began with an image.

        Args:
            phase: the phase.
            image: that image. The deployment's own has its definitions, also if they were made
                again since.
            recorded: the definitions of that time, if they are known.
        """
        own = self.definitions[phase]
        return own if image == self.image else recorded.get(phase, own)

    def may_read(self, bucket: str, key: str) -> bool:
        """Whether an object may be read."""
        return f"{bucket}/{key}".startswith(self.sources)


def deployment() -> Deployment:
    """The deployment of this function.

    Raises:
        KeyError: the environment lacks a setting.
    """
    setting = {
        name.removeprefix("FANFOLD_").lower(): value
        for name, value in os.environ.items()
        if name.startswith("FANFOLD_")
    }
    return Deployment(
        bucket=setting["bucket"],
        sources=_SOURCES.decode(setting["sources"]),
        image=setting["image"],
        queue=setting["queue"],
        definitions={phase: setting[f"{phase}_definition"] for phase in PHASES},
        chunker_queue=setting["chunker_queue"],
        aggregator=setting["aggregator"],
        log_group=setting["log_group"],
        max_object_bytes=int(setting["max_object_bytes"]),
        prices=_PRICES.decode(setting["prices"]),
        inflated_here_bytes=int(setting.get("inflated_here_bytes", _INFLATED_HERE_BYTES)),
        folded_here_bytes=int(setting.get("folded_here_bytes", _FOLDED_HERE_BYTES)),
    )


@lru_cache(maxsize=8)
def client(service: Literal["batch", "lambda", "logs", "sqs"]) -> Any:
    """A client of an AWS service, in this function's region; made once, since that is slow."""
    import boto3  # noqa: PLC0415 - its own import takes longer than all others
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 6}, connect_timeout=5, read_timeout=30
    )
    return boto3.client(service, region_name=os.environ["AWS_REGION"], config=config)


def wake(function: str, payload: dict[str, Any]) -> None:
    """Invoke a function, without waiting for it."""
    client("lambda").invoke(
        FunctionName=function, InvocationType="Event", Payload=_ENCODER.encode(payload)
    )


def feed_chunker(deployed: Deployment, message: dict[str, Any]) -> None:
    """Send the chunker a message: a job and its attempt, or an event of Batch."""
    body = _ENCODER.encode(message).decode()
    client("sqs").send_message(QueueUrl=deployed.chunker_queue, MessageBody=body)
