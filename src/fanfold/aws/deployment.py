"""The deployment that a function belongs to: what Terraform made, told by the environment."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, Literal

import msgspec

from fanfold.api.problems import ApiError
from fanfold.api.types import PHASES, Phase
from fanfold.aws.sizes import Prices

_INFLATED_HERE_BYTES = 256 * 1024**2
"""What the chunker inflates in some 20 seconds, as measured: other jobs wait for it."""

_LEAST_SLICE_BYTES = 8 * 1024**2
"""A smaller slice costs as much: its container is billed for a minute."""

_MAX_USD_PER_JOB, _MAX_OPEN_JOBS, _MAX_TEXT_BYTES = 5.0, 10_000, 4 * 1024**4

_FOLDED_HERE_BYTES = 220 * 1024**2
"""What fits the aggregator's memory of 3,008 MB, whatever the rows are: a fold and its page take up
to `MOST_MEMORY_PER_ROW_BYTE` of them."""


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
        least_slice_bytes: the smallest slice; a request for less gets this.
        max_usd_per_job: the highest estimate of a job that is taken.
        max_open_jobs: how many jobs may be open at once.
        max_text_bytes: the most that an archive may inflate to.
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
    least_slice_bytes: int = _LEAST_SLICE_BYTES
    max_usd_per_job: float = _MAX_USD_PER_JOB
    max_open_jobs: int = _MAX_OPEN_JOBS
    max_text_bytes: int = _MAX_TEXT_BYTES

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

    def check_price(self, name: str, usd: float) -> None:
        """Check what a job will probably cost.

        Raises:
            ApiError: it costs too much.
        """
        if usd > self.max_usd_per_job:
            raise ApiError(
                422,
                "too-expensive",
                "Too expensive",
                f"{name}: about {usd:.2f} USD, and a job of this deployment may cost"
                f" {self.max_usd_per_job:g}; give larger slices (slice_bytes), or raise"
                " max_usd_per_job",
            )


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
        least_slice_bytes=int(setting.get("least_slice_bytes", _LEAST_SLICE_BYTES)),
        max_usd_per_job=float(setting.get("max_usd_per_job", _MAX_USD_PER_JOB)),
        max_open_jobs=int(setting.get("max_open_jobs", _MAX_OPEN_JOBS)),
        max_text_bytes=int(setting.get("max_text_bytes", _MAX_TEXT_BYTES)),
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
