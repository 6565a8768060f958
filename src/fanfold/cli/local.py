"""The commands that run on this machine, and those of an array of tasks."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

import fanfold
from fanfold.cli.inputs import find_given
from fanfold.cli.options import (
    ALPHABET,
    FILE,
    FOLDER,
    GENOMES,
    INDEX_VARIABLES,
    JSON,
    MEMORY,
    NAME,
    QUESTION,
    QUIET,
    STORAGE,
    VIEW,
    WORKERS,
    check_address,
)
from fanfold.cli.progress import progress_bar
from fanfold.cli.streams import say, show, show_path
from fanfold.cli.telling import tell, tell_many
from fanfold.cli.words import check_genomes
from fanfold.errors import EngineError, ParameterError, PlanError
from fanfold.flow import tasks
from fanfold.flow.collection import OF_MANY
from fanfold.objects import is_pipe, name_of, open_place
from fanfold.params import DEFAULT_K, Alphabet, TrailingGarbage
from fanfold.report.view import View

if TYPE_CHECKING:
    from concurrent.futures import Executor

_LONG_SECONDS = 2
"""How long a user waits before a word says for what."""


@click.command()
@GENOMES
@click.option(
    "--out",
    "-o",
    type=FOLDER,
    metavar="DIR|URL",
    help="Where the results go: a folder, or s3://bucket/prefix and its like.  [default:"
    f" ./<name>.fanfold for one genome, ./{OF_MANY} for several]",
)
@QUESTION
@ALPHABET
@VIEW
@WORKERS
@click.option(
    "--dask",
    metavar="ADDRESS",
    callback=check_address,
    help="Run on the Dask cluster whose scheduler is there, such as host:8786.",
)
@MEMORY
@NAME
@STORAGE
@QUIET
@JSON
def run(
    *,
    genomes: tuple[str, ...],
    list_path: str | None,
    label: str | None,
    out: str | None,
    k: tuple[int, ...],
    canonical: bool,
    slice_size: int | None,
    fresh: bool,
    trailing_garbage: TrailingGarbage,
    alphabet: Alphabet,
    min_gap: int,
    min_length: int,
    genome_size: int | None,
    workers: int | None,
    dask: str | None,
    memory: int | None,
    name: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Analyse each GENOME, and write its report.

    A GENOME is FASTA, plain or as gzip, BGZF, zstd, bzip2 or xz: a path, a URL (s3://, gs://,
    az://, https://), or - for standard input. A folder or s3://bucket/prefix/ stands for the FASTA
    files in it, s3://bucket/*.fa for what matches. A run that was stopped is taken up where it
    was. The path of the report goes to stdout, progress and a short summary to stderr.

    Several GENOMEs share the workers, and one that fails doesn't stop the others: each has its
    results in DIR/<name>/, and DIR/summary.tsv and DIR/index.html tell of all.
    """
    check_genomes(genomes, k)
    if quiet:
        logging.getLogger("fanfold.resumed").setLevel(logging.ERROR)
    found = find_given(genomes, list_path, label)
    if found.is_many and (as_json or name):
        raise click.UsageError(
            "--json and --name are for one genome (`fanfold stats --json` takes several)"
        )
    view = View(min_gap, min_length, genome_size)
    with _executor(dask, quiet=quiet, debug="--debug" in sys.argv) as executor:
        if not found.is_many:
            location = found.inputs[0].location
            if label is not None:
                name = name or label if is_pipe(location) else name
            with progress_bar(label or name_of(location, name), quiet=quiet) as progress:
                report = fanfold.run(
                    location,
                    k or DEFAULT_K,
                    canonical=canonical,
                    out=out,
                    executor=executor,
                    slice_bytes=slice_size,
                    workers=workers,
                    memory_bytes=memory,
                    fresh=fresh,
                    trailing_garbage=trailing_garbage,
                    name=name,
                    label=label,
                    view=view,
                    alphabet=alphabet,
                    progress=progress,
                )
            tell(report, quiet=quiet, as_json=as_json)
            return
        genomes_in_words = f"{len(found.inputs)} genomes"
        with progress_bar(genomes_in_words, quiet=quiet, of_bytes=False) as progress:
            outcomes = fanfold.run_many(
                found.locations,
                k or DEFAULT_K,
                labels=found.labels,
                canonical=canonical,
                out=out,
                executor=executor,
                slice_bytes=slice_size,
                workers=workers,
                memory_bytes=memory,
                fresh=fresh,
                trailing_garbage=trailing_garbage,
                view=view,
                alphabet=alphabet,
                progress=progress,
            )
    tell_many(outcomes, OF_MANY if out is None else out, quiet=quiet)


@click.command()
@click.argument("genome", type=FILE, metavar="GENOME")
@click.option(
    "--out",
    "-o",
    type=FOLDER,
    required=True,
    metavar="DIR|URL",
    help="Where the plan and the results go: a folder, or s3://bucket/prefix and its like.",
)
@QUESTION
@NAME
@STORAGE
@QUIET
def plan(
    *,
    genome: str,
    out: str,
    k: tuple[int, ...],
    canonical: bool,
    slice_size: int | None,
    fresh: bool,
    trailing_garbage: TrailingGarbage,
    name: str | None,
    quiet: bool,
) -> None:
    """Plan an array of tasks over GENOME, at most 10,000.

    Writes plan.json into DIR, and prints its path and the number of tasks.
    """
    with progress_bar(name_of(genome, name), quiet=quiet) as progress:
        folder = fanfold.plan(
            genome,
            k or DEFAULT_K,
            out=out,
            canonical=canonical,
            slice_bytes=slice_size,
            fresh=fresh,
            trailing_garbage=trailing_garbage,
            name=name,
            progress=progress,
        )
    show_path(folder.plan_url)
    if not quiet:
        _tell_tasks(folder.plan_url, folder)


def _index_of(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option that says which task of an array this is, and so which slice or count."""
    return click.option(
        "--index",
        type=click.IntRange(min=0),
        envvar=INDEX_VARIABLES,
        required=True,
        metavar="I",
        help=f"The {what}, from 0.  [default: $" + ", $".join(INDEX_VARIABLES) + "]",
    )


@click.command()
@click.argument("plan_json", type=FILE, metavar="PLAN")
@_index_of("slice")
@STORAGE
@QUIET
def task(*, plan_json: str, index: int, quiet: bool) -> None:
    """Scan one slice of PLAN, unless its result is there already.

    PLAN is the path or URL of a plan.json.
    """
    started = time.monotonic()
    read_bytes = fanfold.task(plan_json, index)
    if not quiet:
        seconds = time.monotonic() - started
        say(f"slice {index}: {read_bytes:,} bytes read, {seconds:.2f} s")


@click.command()
@click.argument("plan_json", type=FILE, metavar="PLAN")
@click.option(
    "--max-text-bytes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Refuse an input whose text is larger.",
)
@STORAGE
@QUIET
def inflate(*, plan_json: str, max_text_bytes: int | None, quiet: bool) -> None:
    """Write out the text of PLAN's input, in slices for the tasks.

    For an array whose input can't be cut (gzip, zstd, bzip2, xz) and whose plan was made without
    its text, as those in the cloud are. `fanfold plan` writes the text itself. What can be cut has
    nothing to write. PLAN is the path or URL of a plan.json.
    """
    folder = tasks.open_plan(plan_json)
    if folder.plan.cut == "text":
        tasks.inflate(plan_json, max_text_bytes=max_text_bytes)
        folder = tasks.open_plan(plan_json)
    if not quiet:
        _tell_tasks(plan_json, folder)


@click.command()
@click.argument("plan_json", type=FILE, metavar="PLAN")
@ALPHABET
@VIEW
@MEMORY
@STORAGE
@QUIET
@JSON
def fold(
    *,
    plan_json: str,
    alphabet: Alphabet,
    min_gap: int,
    min_length: int,
    genome_size: int | None,
    memory: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Fold the results of PLAN's tasks into the report.

    Names every slice without a result, and every count of k-mers from 9 on that is missing, and
    refuses then. Can be run again. PLAN is the path or URL of a plan.json.
    """
    view = View(min_gap, min_length, genome_size)
    report = fanfold.fold(plan_json, memory_bytes=memory, view=view, alphabet=alphabet)
    tell(report, quiet=quiet, as_json=as_json)


@click.command()
@click.argument("plan_json", type=FILE, metavar="PLAN")
@_index_of("count")
@MEMORY
@STORAGE
@QUIET
def reduce(*, plan_json: str, index: int, memory: int | None, quiet: bool) -> None:
    """Count some of PLAN's k-mers from 9 on, unless that is done.

    The second array, for k from 9 on: fold once, count, and fold again. PLAN is the path or URL of
    a plan.json.
    """
    started = time.monotonic()
    read_bytes = fanfold.reduce(plan_json, index, memory_bytes=memory)
    if not quiet:
        seconds = time.monotonic() - started
        say(f"count {index}: {read_bytes:,} bytes read, {seconds:.2f} s")


@click.command()
@click.argument("folders", type=FOLDER, nargs=-1, required=True, metavar="DIR...")
@STORAGE
@QUIET
def check(*, folders: tuple[str, ...], quiet: bool) -> None:
    """Verify all checksums of the results in each DIR.

    DIR is what --out was: a folder or a URL, of one genome or of many. Prints what is wrong, and
    ends with exit code 6 then; running again with the same genome and options mends it.
    """
    from fanfold.flow.check import find_faults  # noqa: PLC0415 - nothing else takes it

    faulty = False
    for each in folders:
        place = open_place(each)
        faults = 0
        for fault in find_faults(place):
            show(fault)
            faults += 1
        if not faults and not quiet:
            say(f"{place.url}: complete")
        faulty |= bool(faults)
    if faulty:
        raise click.exceptions.Exit(PlanError.exit_code)


def _tell_tasks(plan_json: str, folder: fanfold.RunFolder) -> None:
    last = len(folder.slices) - 1
    say(f"tasks 0 to {last}: fanfold task {plan_json} --index I")
    counts = len(folder.plan.counts)
    if counts:
        say(
            f"then fanfold fold {plan_json}; counts 0 to {counts - 1}: fanfold reduce {plan_json}"
            " --index I"
        )


@contextmanager
def _executor(address: str | None, *, quiet: bool, debug: bool) -> Iterator[Executor | None]:
    """The executor of a Dask cluster, or None for threads."""
    if address is None:
        yield None
        return
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ParameterError("--dask takes Dask: pip install 'fanfold[dask]'") from error
    waiting = threading.Timer(_LONG_SECONDS, say, [f"waiting for the Dask scheduler at {address}"])
    if not quiet:
        waiting.start()
    try:
        client = Client(address, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise EngineError(
            f"{address}: no Dask scheduler answers there ({error}); check the address"
        ) from None
    finally:
        waiting.cancel()
    if not debug:
        # A scheduler that dies is told of in a line.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with client:
        if not client.scheduler_info()["workers"] and not quiet:
            say(f"{address} has no workers yet: waiting for one")
        yield client.get_executor()  # type: ignore[no-untyped-call]
