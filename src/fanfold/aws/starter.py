"""The starter: ``POST /chunk`` creates a job, wakes the chunker, and answers at once.

The same request is the same job. It is created by whoever creates its `request.json`; the chunker
is woken by every request for a job that has no report, so that none depends on another that died.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import msgspec

from fanfold.api.problems import ApiError
from fanfold.api.routes import SUBMIT, HttpRequest, parse_submit
from fanfold.api.types import ChunkAnswer, ChunkRequest, Results, State
from fanfold.archives.formats import HEAD_BYTES, detect_compression
from fanfold.aws import gateway
from fanfold.aws.deployment import Deployment, deployment, feed_chunker
from fanfold.aws.log import about, begin
from fanfold.aws.sizes import estimate
from fanfold.errors import (
    ParameterError,
    PlanError,
    SourceElsewhereError,
    SourceError,
    SourceMissingError,
)
from fanfold.ledger import Entry, Ledger, Request, job_name, now
from fanfold.objects import Source, is_listed, read_head, stat_source
from fanfold.params import check_params, check_positive
from fanfold.report.run_record import MASTER, PAGE


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
    asked = _checked(parse_submit(request))
    source = _source(asked, deployed)
    job = job_name(asked, source, deployed.image)
    about(job)
    ledger = Ledger(f"s3://{deployed.bucket}")
    entry, created = _known(ledger, job)
    if entry is None or (entry.failure is not None and not entry.has_report):
        _check_room(ledger, deployed)
    if entry is not None and not entry.has_report:
        ledger.create(entry.request)  # whoever did may not have come to its end
    elif entry is None:
        expected = estimate(
            source.size_bytes,
            detect_compression(_head(source)),
            max(asked.slice_bytes, deployed.least_slice_bytes),
            deployed.prices,
            deployed.inflated_here_bytes,
        )
        deployed.check_price(source.url, expected.usd)
        new = Request(
            job=job,
            asked=asked,
            source=source,
            image=deployed.image,
            created=created or now(),
            estimate=expected,
            definitions=deployed.definitions,
        )
        entry = ledger.create(new)
    state: State = "SUBMITTED"
    if entry.has_report:
        state = "SUCCEEDED"
    else:
        attempt = entry.attempt
        if entry.failure is not None:
            attempt = entry.failure.attempt + 1
            entry.start_attempt(attempt)
            ledger.reopen(job)  # whoever saw the failure may have closed it in between
        elif entry.batch_job("task") is not None:
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


def _known(ledger: Ledger, job: str) -> tuple[Entry | None, datetime | None]:
    """What is known of a job, or when it was created if its request is damaged.

    Whoever posts it says again all else that the request said.
    """
    try:
        return ledger.entry(job), None
    except PlanError as error:
        logging.getLogger("fanfold").warning("%s", error)
        return None, ledger.created(job)


def _checked(asked: ChunkRequest) -> ChunkRequest:
    """The request, its k in order."""
    try:
        parameters = check_params(asked.k, canonical=asked.canonical)
        check_positive("slice_bytes", asked.slice_bytes)
    except ParameterError as error:
        raise ApiError(400, "bad-request", "A field that can't be", str(error)) from error
    return msgspec.structs.replace(asked, k=parameters.k)


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
    try:
        source = stat_source(url)
    except ParameterError as error:
        raise ApiError(400, "bad-request", "A field that can't be", str(error)) from error
    except SourceMissingError as error:
        raise _missing(url) from error
    except SourceElsewhereError as error:
        raise ApiError(
            422,
            "other-region",
            "A bucket of another region",
            f"{url}: the bucket is in another region; copy the genome into this one, or deploy"
            " there",
        ) from error
    except SourceError as error:
        if not is_listed(url):
            # S3 says 403 where listing is allowed below a prefix alone.
            raise _missing(url) from error
        raise ApiError(502, "unreadable", "The store refuses", str(error)) from error
    if source.size_bytes > deployed.max_object_bytes:
        raise ApiError(
            413,
            "too-large",
            "Too large",
            f"{url}: {source.size_bytes} bytes, and this deployment takes"
            f" {deployed.max_object_bytes}; raise max_object_bytes",
        )
    return source


def _missing(url: str) -> ApiError:
    return ApiError(404, "no-such-object", "No such object", f"{url}: there is no such object")


def _head(source: Source) -> bytes:
    try:
        return read_head(source, HEAD_BYTES)
    except SourceError as error:
        raise ApiError(502, "unreadable", "The store refuses", str(error)) from error
