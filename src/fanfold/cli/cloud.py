"""The commands that speak with an API: submit, status, jobs, logs, cancel."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import click
import msgspec

from fanfold._kernel import VERSION
from fanfold.api.client import Client, check_job
from fanfold.api.fetching import check_folder, fetch_report, results_of
from fanfold.api.types import (
    PHASES,
    ChunkAnswer,
    ChunkRequest,
    Chunks,
    Estimate,
    Job,
    Phase,
    is_job,
)
from fanfold.api.waiting import wait_for
from fanfold.checked_json import encode_indented
from fanfold.cli.config import find_api_url
from fanfold.cli.options import API, CLOUD_QUESTION, FOLDER, JSON_ANSWER, QUIET
from fanfold.cli.progress import job_progress
from fanfold.cli.streams import say, show, show_json
from fanfold.cli.telling import in_rows, tell
from fanfold.errors import ParameterError
from fanfold.flow.how_far import HowFar, how_far
from fanfold.objects import check_name, shown
from fanfold.objects.urls import is_url, parse_object
from fanfold.params import (
    DEFAULT_K,
    DEFAULT_SLICE_BYTES,
    Params,
    check_params,
    check_positive,
    check_small,
)
from fanfold.report.ratio import percent
from fanfold.report.run_record import Question
from fanfold.shown import STORES, without_secrets

_PAGE = 100
"""The most jobs that one answer lists."""

_TOLD_SLICES = 10
"""Of so many slices that failed, `status` tells why."""

_SCHEMES = {*STORES, "http", "https", "file"}

_JOB = click.argument("job", metavar="JOB")


@click.command()
@click.argument("genome")
@CLOUD_QUESTION
@click.option(
    "--chunks",
    type=click.Choice(["ranges", "files"]),
    default="ranges",
    help="Slices are ranges of the object, or files: copies, chunks/<job>/<name>.chunk0000 and so"
    " on.  [default: ranges]",
)
@click.option("--wait", is_flag=True, help="Wait until it is done, then fetch the report.")
@click.option(
    "--out",
    "-o",
    type=FOLDER,
    metavar="DIR|URL",
    help="Where a report that is fetched goes.  [default: ./<name>.fanfold]",
)
@API
@QUIET
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the API's answer, not the job's id; with --wait the report, not its path.",
)
def submit(
    *,
    genome: str,
    k: tuple[int, ...],
    canonical: bool,
    slice_size: int | None,
    chunks: Chunks,
    wait: bool,
    out: str | None,
    api: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Have GENOME, an object of a bucket, analysed.

    GENOME is bucket/key or s3://bucket/key: a bucket of the server (`fanfold serve`), or the
    deployment's own or another that it may read. The job's id goes to stdout, what it will take to
    stderr. The same question about the same object is the same job: one that is done already costs
    nothing, one that failed is taken up.

    With --wait, it shows how far the job is, fetches the report, and ends as `fanfold run` does:
    its path goes to stdout. Ctrl-C stops the wait, not the job.
    """
    asked = _asked(genome, k, canonical=canonical, slice_size=slice_size, chunks=chunks)
    if out is not None and not wait:
        raise click.UsageError("--out is where --wait fetches the report to: give both")
    name = asked.key.rpartition("/")[2]
    check_name(name, genome)
    is_named, out = out is not None, out or f"{name}.fanfold"
    # It has to be possible before anything is asked for.
    question = Question("", genome, name, Params(asked.k, asked.canonical), VERSION)
    check_folder(out, question, is_named=is_named)
    started = time.monotonic()
    client = Client(find_api_url(api))
    answer = client.submit(asked)
    if not quiet:
        say(*_estimate(answer))
    if not wait:
        _show(answer, [answer.job], as_json=as_json)
        return
    if answer.state != "SUCCEEDED":
        with job_progress(name, quiet=quiet) as progress:
            wait_for(client, answer.job, progress)
    if client.region is not None:
        # The report is where the API is, whatever region this machine works with otherwise.
        os.environ["AWS_REGION"] = client.region
    report = fetch_report(results_of(client, answer), out, is_named=is_named, started=started)
    tell(report, quiet=quiet, as_json=as_json)


@click.command()
@click.argument("job", type=FOLDER, metavar="JOB|DIR")
@click.option("--wait", is_flag=True, help="Wait until it has ended; fails if the job does.")
@API
@QUIET
@JSON_ANSWER
def status(*, job: str, wait: bool, api: str | None, quiet: bool, as_json: bool) -> None:
    """Tell how far JOB is, or the run in DIR.

    JOB is what `fanfold submit` prints; if it failed, the reason is told. DIR is what --out of a
    run on this machine or a cluster is: a folder or a URL, of one genome or of many.
    """
    is_folder = is_url(job) or Path(job).is_dir()
    if not is_folder and not is_job(job.strip().lower()):
        raise ParameterError(
            f"{shown(job)}: no folder of results, and no job: a job is 32 hexadecimal digits, as"
            " `fanfold submit` and `fanfold jobs` print them"
        )
    if is_folder:
        if wait:
            raise click.UsageError("--wait is for a JOB; a run in DIR waits where it was started")
        _tell_how_far(how_far(job), as_json=as_json)
        return
    client = _client_for(job, api)
    if wait:
        with job_progress(check_job(job), quiet=quiet) as progress:
            found = wait_for(client, check_job(job), progress)
    else:
        found = client.job(job)
    _show(found, _told(found, client), as_json=as_json)


@click.command()
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, metavar="N", help="So many.  [default: 20]"
)
@API
@JSON_ANSWER
def jobs(*, limit: int, api: str | None, as_json: bool) -> None:
    """List the newest jobs, whoever submitted them."""
    client = Client(find_api_url(api))
    found = list(islice(_newest(client, limit), limit))
    rows = [("job", "state", "slices", "created", "genome")]
    rows += [
        (each.job, each.state, _slices(each), _time(each.created), _genome(each, client))
        for each in found
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    _show(found, lines, as_json=as_json)


@click.command()
@_JOB
@click.option(
    "--slice",
    "slice_index",
    type=click.IntRange(min=0),
    metavar="I",
    help="Of which slice, from 0; needed for a job of several.",
)
@click.option(
    "--phase",
    type=click.Choice(PHASES),
    default="task",
    help="Of the tasks, or of the containers that inflate or fold for a large job."
    "  [default: task]",
)
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="The last so many lines of it."
)
@API
def logs(
    *, job: str, slice_index: int | None, phase: Phase, limit: int | None, api: str | None
) -> None:
    """Print the last lines that a container of JOB wrote."""
    client = _client_for(job, api)
    found = client.logs(job, slice_index=slice_index, phase=phase, limit=limit)
    if found.stream is None:
        say(f"no container has run for that yet: phase {phase}")
    show(*(f"{_time(line.time)}  {line.text.rstrip().expandtabs()}" for line in found.lines))


@click.command()
@_JOB
@API
@JSON_ANSWER
def cancel(*, job: str, api: str | None, as_json: bool) -> None:
    """Cancel JOB; what it finished is kept.

    Its containers are stopped. Submitted again, it takes up what is finished.
    """
    found = _client_for(job, api).cancel(job)
    _show(found, [found.state], as_json=as_json)


def _tell_how_far(found: list[HowFar], *, as_json: bool) -> None:
    if as_json:
        show_json(msgspec.json.encode(found) + b"\n")
        return
    for each in found:
        slices = (
            f"{each.done:,} slices"
            if each.slices is None
            else (f"{each.done:,} of {each.slices:,} slices")
        )
        share = ""
        if each.size_bytes:
            part = percent(each.done_bytes, each.size_bytes)
            share = f", {part:.1f} % of {each.size_bytes:,} bytes"
        who = f" ({each.holder})" if each.holder and each.state != "complete" else ""
        show(f"{each.name}  {each.state}, {slices}{share}{who}")


def _asked(
    genome: str, k: tuple[int, ...], *, canonical: bool, slice_size: int | None, chunks: Chunks
) -> ChunkRequest:
    """The request, as far as it can be checked here.

    Raises:
        ParameterError: it can't be one.
    """
    if without_secrets(genome) != genome:
        raise ParameterError(
            f"{without_secrets(genome)}: a password or a signature can't be in it; give BUCKET/KEY"
        )
    if is_url(genome) and not genome.startswith("s3://"):
        raise ParameterError(f"{shown(genome)}: not an object of a bucket; give BUCKET/KEY")
    if genome.startswith(("/", ".", "~")) or Path(genome).is_file() or "/" not in genome:
        raise ParameterError(
            f"{shown(genome)}: not an object of a bucket; put it into one first and give BUCKET/KEY"
            f" (aws s3 cp, or the page of the server), or analyse it here: fanfold run"
            f" {shown(genome)}"
        )
    if is_url(genome):
        url = parse_object(genome)
        bucket, key = url.root.removeprefix("s3://"), url.key
    else:  # a server's bucket is a folder, which may have any name
        bucket, _, key = genome.partition("/")
        if bucket.rstrip(":").lower() in _SCHEMES:
            raise ParameterError(
                "the genome's URL has a slip in it: write s3://BUCKET/KEY, or BUCKET/KEY"
            )
    check_positive("slice_bytes", slice_size)
    parameters = check_params(k or DEFAULT_K, canonical=canonical)
    check_small(parameters, "the API")
    return ChunkRequest(
        bucket=bucket,
        key=key,
        k=parameters.k,
        canonical=canonical,
        slice_bytes=DEFAULT_SLICE_BYTES if slice_size is None else slice_size,
        chunks=chunks,
    )


def _client_for(job: str, api: str | None) -> Client:
    check_job(job)  # before anything is asked for
    return Client(find_api_url(api))


def _newest(client: Client, limit: int) -> Iterator[Job]:
    after = None
    while limit > 0:
        page = client.jobs(limit=min(limit, _PAGE), after=after)
        yield from page.jobs
        limit -= len(page.jobs)
        after = page.next
        if after is None:
            return


def _show(answer: object, lines: Iterable[str], *, as_json: bool) -> None:
    """Write an answer to stdout: in lines for people, or as the JSON that it is."""
    if as_json:
        show_json(encode_indented(answer))
    else:
        show(*lines)


def _estimate(answer: ChunkAnswer) -> list[str]:
    estimate = answer.estimate
    price = f", {_price(estimate)}" if estimate.usd or estimate.usd_most else ""
    return in_rows(
        [
            ("job", answer.job),
            ("state", answer.state),
            ("slices", f"about {estimate.slices:,}"),
            ("estimate", f"{estimate.vcpu_seconds:,} vCPU seconds{price}"),
        ]
    )


def _price(estimate: Estimate) -> str:
    expected = _dollars(estimate.usd)
    if estimate.usd_most is None or _dollars(estimate.usd_most) == expected:
        return expected
    return f"{expected}, at most {estimate.usd_most:.2f}"


def _dollars(usd: float) -> str:
    return "less than 0.01 USD" if usd < 0.01 else f"about {usd:.2f} USD"


def _told(job: Job, client: Client) -> list[str]:
    rows = [
        ("job", job.job),
        ("genome", _genome(job, client)),
        ("bytes", f"{job.bytes:,}"),
        ("k", ", ".join(map(str, job.k)) or "none"),
        ("state", job.state),
        ("slices", _slices(job)),
        ("attempt", str(job.attempt)),
        ("created", _time(job.created)),
    ]
    if job.rate_bytes_per_second is not None:
        rows.append(("rate", f"{job.rate_bytes_per_second / 1e6:,.1f} MB/s"))
    if job.seconds_left is not None:
        rows.append(("left", f"about {job.seconds_left:,.0f} s"))
    if job.finished is not None:
        rows.append(("finished", _time(job.finished)))
    if job.error is not None:
        rows.append(("error", job.error.detail))
        failed = job.error.slices
        rows += [(f"slice {each.index}", each.reason) for each in failed[:_TOLD_SLICES]]
        if len(failed) > _TOLD_SLICES:
            rows.append(("", f"and {len(failed) - _TOLD_SLICES} more: --json has them all"))
    return in_rows(rows)


def _slices(job: Job) -> str:
    slices = job.slices
    if slices.total is None:
        return "not cut yet"
    failed = f", {slices.failed:,} failed" if slices.failed else ""
    return f"{slices.done:,} of {slices.total:,}{failed}"


def _genome(job: Job, client: Client) -> str:
    """The genome as `submit` takes it."""
    scheme = "" if client.region is None else "s3://"
    return f"{scheme}{job.bucket}/{job.key}"


def _time(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
