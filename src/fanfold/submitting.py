"""What every end does with a `POST /chunk`: it checks the request, pins the genome, enters the job.

The same request is the same job. It is created by whoever creates its `request.json`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import msgspec

from fanfold.api.problems import ApiError
from fanfold.api.types import ChunkRequest
from fanfold.archives.formats import HEAD_BYTES, Compression, detect_compression
from fanfold.errors import (
    ParameterError,
    PlanError,
    SourceElsewhereError,
    SourceError,
    SourceMissingError,
)
from fanfold.ledger import Entry, Ledger, Request
from fanfold.objects import Source, is_listed, read_head, stat_source
from fanfold.params import check_params, check_positive, check_small


class Entered(NamedTuple):
    """A job as it is in the ledger after a request for it.

    Attributes:
        entry: what is known of it.
        attempt: the attempt to work on; None if there is a report already.
    """

    entry: Entry
    attempt: int | None


def check_request(asked: ChunkRequest) -> ChunkRequest:
    """The request, its k in order.

    Raises:
        ApiError: a field is invalid.
    """
    try:
        parameters = check_params(asked.k, canonical=asked.canonical)
        check_small(parameters, "a job")
        check_positive("slice_bytes", asked.slice_bytes)
    except ParameterError as error:
        raise invalid_field(str(error)) from error
    return msgspec.structs.replace(asked, k=parameters.k)


def pin(location: str, shown: str) -> Source:
    """The genome at a path or URL, pinned.

    Args:
        location: where it is.
        shown: what the caller calls it.

    Raises:
        ApiError: there is no such object, it can't be read, or it is empty.
    """
    try:
        source = stat_source(location)
    except ParameterError as error:
        raise invalid_field(str(error)) from error
    except SourceMissingError as error:
        raise no_such_object(shown) from error
    except SourceElsewhereError as error:
        raise ApiError(
            422,
            "other-region",
            "A bucket of another region",
            f"{shown}: the bucket is in another region; copy the genome into this one, or deploy"
            " there",
        ) from error
    except SourceError as error:
        if not location.startswith("s3://") or not is_listed(location):
            # A folder; or S3, which says 403 where listing is allowed below a prefix alone.
            raise no_such_object(shown) from error
        raise ApiError(502, "unreadable", "The store refuses", str(error)) from error
    if not source.size_bytes:
        raise ApiError(
            422, "empty-object", "Empty object", f"{shown}: the object is empty; upload it again"
        )
    return source


def compression_of(source: Source) -> Compression:
    """The format of a genome, by its first bytes.

    Raises:
        ApiError: it can't be read.
    """
    try:
        return detect_compression(read_head(source, HEAD_BYTES))
    except SourceError as error:
        raise ApiError(502, "unreadable", "The store refuses", str(error)) from error


def enter(
    ledger: Ledger,
    job: str,
    check_room: Callable[[], None],
    request: Callable[[datetime | None], Request],
) -> Entered:
    """Create a job, or start an attempt at one that failed, or find it as it is.

    Args:
        ledger: the ledger.
        job: the job's name.
        check_room: raises ApiError unless another job may be open.
        request: the request of a new job, created at a time if that is known.

    Raises:
        ApiError: what the two raise.
    """
    entry, created = _known(ledger, job)
    if entry is None or (entry.failure is not None and not entry.has_report):
        check_room()
    if entry is not None and not entry.has_report:
        ledger.create(entry.request)  # whoever did may not have come to its end
    elif entry is None:
        entry = ledger.create(request(created))
    if entry.has_report:
        return Entered(entry, None)
    if entry.failure is None:
        return Entered(entry, entry.attempt)
    attempt = entry.failure.attempt + 1
    entry.start_attempt(attempt)
    ledger.reopen(job)  # whoever saw the failure may have closed it in between
    return Entered(entry, attempt)


def invalid_field(detail: str) -> ApiError:
    """The refusal of a field."""
    return ApiError(400, "bad-request", "Invalid field", detail)


def no_such_object(shown: str) -> ApiError:
    """The refusal of an object that isn't there."""
    return ApiError(404, "no-such-object", "No such object", f"{shown}: there is no such object")


def _known(ledger: Ledger, job: str) -> tuple[Entry | None, datetime | None]:
    """What is known of a job, or when it was created if its request is damaged.

    Whoever posts it says again all else that the request said.
    """
    try:
        return ledger.entry(job), None
    except PlanError as error:
        logging.getLogger("fanfold").warning("%s", error)
        return None, ledger.created(job)
