"""The starter: ``POST /chunk`` creates a job, wakes the chunker, and answers at once.

The same request is the same job. It is created by whoever creates its `request.json`; the chunker
is woken by every request for a job that has no report, so that none depends on another that died.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fanfold.api.problems import ApiError
from fanfold.api.routes import SUBMIT, HttpRequest, parse_submit
from fanfold.api.types import ChunkAnswer, ChunkRequest, Results, State
from fanfold.aws import gateway
from fanfold.aws.deployment import Deployment, deployment, feed_chunker
from fanfold.aws.log import about, begin
from fanfold.aws.sizes import estimate
from fanfold.ledger import Ledger, Request, job_name, now
from fanfold.objects import Source
from fanfold.report.run_record import MASTER, PAGE
from fanfold.submitting import check_request, compression_of, enter, pin


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """What API Gateway calls."""
    begin("starter", context)
    return gateway.answer(event, {SUBMIT: start})


def start(request: HttpRequest) -> ChunkAnswer:
    """Create the job that a request asks for, or take it up, and wake the chunker.

    Raises:
        ApiError: the request is refused.
    """
    deployed = deployment()
    asked = check_request(parse_submit(request))
    source = _source(asked, deployed)
    job = job_name(asked, source, deployed.image)
    about(job)
    ledger = Ledger(f"s3://{deployed.bucket}")

    def new(created: datetime | None) -> Request:
        expected = estimate(
            source.size_bytes,
            compression_of(source),
            max(asked.slice_bytes, deployed.least_slice_bytes),
            deployed.prices,
            deployed.inflated_here_bytes,
        )
        deployed.check_price(source.url, expected.usd)
        return Request(
            job=job,
            asked=asked,
            source=source,
            image=deployed.image,
            created=created or now(),
            estimate=expected,
            definitions=deployed.definitions,
        )

    entry, attempt = enter(ledger, job, lambda: _check_room(ledger, deployed), new)
    state: State = "SUBMITTED"
    if attempt is None:
        state = "SUCCEEDED"
    else:
        if entry.failure is None and entry.batch_job("task") is not None:
            state = "RUNNING"
        feed_chunker(deployed, {"job": job, "attempt": attempt})
    return ChunkAnswer(
        job=job,
        state=state,
        status_url=f"{request.base_url}/jobs/{job}",
        results=Results(*(f"{ledger.results_url}/{job}/{name}" for name in (MASTER, PAGE))),
        estimate=entry.request.estimate,
    )


def _check_room(ledger: Ledger, deployed: Deployment) -> None:
    """Check that another job may be open."""
    # A request to the store for each thousand of them: not worth a count that may be wrong.
    opened = sum(each.since is not None for each in ledger.open_jobs())
    if opened >= deployed.max_open_jobs:
        raise ApiError(
            429,
            "too-many-jobs",
            "Too many jobs",
            f"{deployed.max_open_jobs} jobs have not ended yet, as many as this deployment takes;"
            " post again when some have, or raise max_open_jobs",
        )


def _source(asked: ChunkRequest, deployed: Deployment) -> Source:
    """The genome, pinned. What may not be read is refused whether it exists or not."""
    url = f"s3://{asked.bucket}/{asked.key}"
    if not deployed.may_read(asked.bucket, asked.key):
        raise ApiError(
            403,
            "not-allowed",
            "Not to be read",
            f"{url}: this deployment reads s3://{deployed.sources[0]} and the source_buckets that"
            " it was given; copy the genome there, or have the bucket added",
        )
    source = pin(url, url)
    if source.size_bytes > deployed.max_object_bytes:
        raise ApiError(
            413,
            "too-large",
            "Too large",
            f"{url}: {source.size_bytes} bytes, and this deployment takes"
            f" {deployed.max_object_bytes}; raise max_object_bytes",
        )
    return source
