"""The chunker: plans a job, and submits its slices.

Its queue holds what the starter and the sweep send, and Batch's events of archives that were
inflated; so many posts at once wait for a few chunkers. What it finds done it doesn't do again, so
it can be killed anywhere, and two can work at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from fanfold.api.problems import ApiError, problem_of
from fanfold.api.types import is_job
from fanfold.aws.batch import Batch, ended_of
from fanfold.aws.deployment import Deployment, client, deployment, feed_chunker
from fanfold.aws.log import about, begin
from fanfold.aws.phases import FINAL, fail, give_up, known, subject_of, submit
from fanfold.aws.sizes import inflate_size, scan_usd, task_size
from fanfold.engine.progress import Watch
from fanfold.errors import (
    Cancelled,
    PlanError,
    SourceChangedError,
)
from fanfold.flow.contents import read_contents
from fanfold.flow.copies import copy_slices
from fanfold.flow.genome import Genome
from fanfold.flow.plan import PLAN_SCHEMA, Plan, array_slice_bytes
from fanfold.flow.publish import publisher_of
from fanfold.flow.run_folder import RunFolder
from fanfold.flow.uncut import plan_text
from fanfold.ledger import Entry, Ledger
from fanfold.params import check_params

_RESERVE_SECONDS = 60.0
"""What is left of the function's time when an archive, or copying, is handed over."""

_TRIES = 5
"""How often a message is received: the queue's maxReceiveCount."""
_SAID_AT_MOST = 500

_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 15, 600
"""When a message is tried again that failed: after the first, then twice as long each time."""

_DECODER = msgspec.json.Decoder(dict[str, Any])

_log = logging.getLogger("fanfold")


def handler(event: dict[str, Any], context: Any) -> None:
    """What its queue invokes, with one message.

    A message that was received too often goes on to the failures. The last try says what failed,
    which the failures don't know; they know of a chunker that was killed.
    """
    begin("chunker", context)
    deployed = deployment()
    (record,) = event["Records"]
    message = _DECODER.decode(record["body"])
    tries = int(record["attributes"]["ApproximateReceiveCount"])
    try:
        hear(deployed, message, context)
    except Exception as error:
        _log.exception("try %d of %d failed", tries, _TRIES)
        _retry_soon(deployed, record["receiptHandle"], tries)
        if tries >= _TRIES:
            why = f"the chunker could not do its work: {str(error)[:_SAID_AT_MOST]}"
            give_up(Ledger(f"s3://{deployed.bucket}"), *subject_of(message), why)
        raise


def hear(deployed: Deployment, event: dict[str, Any], context: Any) -> None:
    """Act on a message: a job and its attempt, or Batch's event of an archive that is inflated."""
    ledger, batch = Ledger(f"s3://{deployed.bucket}"), Batch(deployed)
    job, attempt = subject_of(event)
    about(job, attempt)
    entry = known(ledger, job) if is_job(job) else None
    if entry is None or entry.attempt != attempt or entry.failure or entry.has_report:
        _log.info("%s, attempt %d: nothing to do", job, attempt)
        return
    if "detail" in event:
        entry.record_end("inflate", ended_of(event["detail"]))
        entry = entry.again()
    seconds = context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS
    try:
        chunk(ledger, entry, batch, Limits(deployed, seconds))
    except FINAL as error:
        fail(ledger, entry, problem_of(error))
    except ApiError as error:
        fail(ledger, entry, error.problem)
    except Cancelled:
        _log.info("%s: not all slices are copied yet; another run goes on", job)
        feed_chunker(deployed, {"job": job, "attempt": attempt})


class Limits(NamedTuple):
    """What may be done here: as the deployment has it, for so many seconds."""

    deployed: Deployment
    seconds: float


def chunk(ledger: Ledger, entry: Entry, batch: Batch, limits: Limits) -> None:
    """Plan a job, unless it is planned, and submit what is next to do.

    Args:
        ledger: the jobs.
        entry: the job.
        batch: what does it.
        limits: beyond which a container inflates the input, and another run goes on copying.

    Raises:
        ApiError: scanning the text would cost too much.
        Cancelled: slices are left to copy.
        FanfoldError: see `fanfold.errors`.
    """
    if entry.batch_job("task") is not None:
        return
    plan = _known_plan(entry)
    if plan is None or _lacks_objects(entry, plan):
        plan = _plan(entry, plan, limits)
    if plan.slices is None:
        if entry.ended("inflate") is not None:  # Batch would find that job again
            raise PlanError(
                f"{entry.request.source.name}: it was inflated, but what was written or the plan"
                " is gone; post the job again"
            )
        submit(ledger, entry, "inflate", inflate_size(), batch)
        return
    stored = plan.compression if plan.cut == "blocks" or plan.is_inflated_by_tasks else "none"
    if plan.cut == "text":
        text_bytes, prices = plan.slices[-1].end_byte, limits.deployed.prices
        usd = scan_usd(text_bytes, plan.slice_bytes, prices, stored)
        limits.deployed.check_price(entry.request.source.url, usd)
    largest_bytes = max(each.size_bytes for each in plan.slices)
    size = task_size(largest_bytes, stored)
    submit(ledger, entry, "task", size, batch, slices=len(plan.slices))


def _known_plan(entry: Entry) -> Plan | None:
    """The plan, if there is one that can be used; a damaged one is replaced."""
    try:
        return entry.plan()
    except PlanError as error:
        _log.warning("%s", error)
        return None


def _plan(entry: Entry, old: Plan | None, limits: Limits) -> Plan:
    """A new plan, or one whose slices' objects are there again; without slices if that takes long.

    The objects come first: a plan that names them has them.
    """
    place, request, asked = entry.place, entry.request, entry.request.asked
    if request.plan_schema != PLAN_SCHEMA:
        raise PlanError(
            f"{request.source.url}: asked for before an upgrade that changed the form of plans;"
            " post it again, which makes another job"
        )
    pinned = request.source
    genome = Genome(pinned.url)
    if genome.source != pinned:
        raise SourceChangedError(
            f"{pinned.url}: changed after the job was asked for; post it again, which makes another"
            " job"
        )
    wanted_bytes = max(asked.slice_bytes, limits.deployed.least_slice_bytes)
    wanted_bytes = old.slice_bytes if old else array_slice_bytes(pinned.size_bytes, wanted_bytes)
    parameters = check_params(asked.k, canonical=asked.canonical)
    plan = genome.plan(
        parameters,
        wanted_bytes,
        apart=asked.chunks == "files",
        judges_small=True,
        version=request.version,
    )
    if plan.cut == "text":
        plan = genome.plan(parameters, wanted_bytes, apart=True, version=request.version)
        plan = _inflate(RunFolder(place, plan), genome, limits)
    elif plan.apart:
        with _time_limit(limits.seconds) as stopped:
            plan = copy_slices(RunFolder(place, plan), Watch(plan.size_bytes, None, stopped))
    publisher = publisher_of(place)
    if old is not None:
        publisher.update(plan)
    else:
        publisher.claim(plan, read_contents(place))
    return entry.open_plan().plan


def _inflate(folder: RunFolder, genome: Genome, limits: Limits) -> Plan:
    """The plan with its text or windows written; without slices if a container has to do that."""
    source = genome.source
    if source.size_bytes > limits.deployed.inflated_here_bytes:
        return folder.plan
    with _time_limit(limits.seconds) as stopped:
        watch = Watch(source.size_bytes, None, stopped)
        try:
            most_bytes = limits.deployed.max_text_bytes
            return plan_text(folder, genome.blocks(), watch.advance, max_text_bytes=most_bytes)
        except Cancelled:
            _log.info("%s: takes too long to inflate here", folder.url)
            return folder.plan


@contextmanager
def _time_limit(seconds: float) -> Iterator[threading.Event]:
    """An event that is set when the time is over."""
    over = threading.Event()
    if seconds <= 0:
        over.set()
    timer = threading.Timer(max(0.0, seconds), over.set)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()


def _lacks_objects(entry: Entry, plan: Plan) -> bool:
    """Whether slices without a result need objects that have expired."""
    if plan.slices is None:
        return False
    folder = RunFolder(entry.place, plan)
    return folder.lacks_objects(folder.missing())


def _retry_soon(deployed: Deployment, receipt: str, tries: int) -> None:
    """Have a message come again soon: else it stays hidden for as long as a killed chunker's."""
    seconds = min(_FIRST_RETRY_SECONDS * 2 ** (tries - 1), _LAST_RETRY_SECONDS)
    sqs = client("sqs")
    try:
        sqs.change_message_visibility(
            QueueUrl=deployed.chunker_queue,
            ReceiptHandle=receipt,
            VisibilityTimeout=seconds,
        )
    except sqs.exceptions.ClientError as error:  # what made the function fail counts more
        _log.warning("a message can't be made to come again soon: %s", error)
