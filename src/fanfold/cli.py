"""The command line."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

import fanfold
from fanfold.errors import EngineError, FanfoldError, OutputError, ParameterError
from fanfold.folder import PLAN
from fanfold.many import SUMMARY, describe
from fanfold.objects import STDIN, name_of, open_place
from fanfold.params import DEFAULT_K, MAX_K, parse_size

if TYPE_CHECKING:
    from concurrent.futures import Executor

_EPILOG = """\b
Exit codes:
  0    done
  1    an unexpected error: please report it (--debug shows more)
  2    wrong usage, or a parameter that can't be
  3    the input is not FASTA, or its archive is truncated or damaged
  4    the input can't be read, or changed meanwhile
  5    the results can't be written
  6    a plan that can't be used, or slices without a result
  7    the report contradicts its own checks, and was not written
  8    the executor lost a task, or can't run one
  9    some of many inputs failed: summary.tsv tells which, and why
  130  stopped by Ctrl-C
"""

_INDEX_VARIABLES = ("AWS_BATCH_JOB_ARRAY_INDEX", "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX")

_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else parse_size(value)
        except ParameterError as error:
            self.fail(str(error), param, ctx)


def _options(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _check_address(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    if value is not None and not re.fullmatch(r"(tcp|tls|ucx|wss?)://[^/]+:\d+/?", value):
        raise click.BadParameter(f"{value!r} is no scheduler's address; write tcp://host:8786")
    return value


_QUESTION = _options(
    click.option(
        "-k",
        "k",
        type=click.IntRange(min=0),
        multiple=True,
        metavar="N",
        help=f"Count k-mers of this length, 1 to {MAX_K}; may be given several times, all in one"
        f" pass. 0 counts none.  [default: {DEFAULT_K[0]}]",
    ),
    click.option(
        "--canonical", is_flag=True, help="Count a k-mer and its reverse complement as one."
    ),
    click.option(
        "--slice-size",
        type=_Size(),
        metavar="SIZE",
        help="The size of a slice, such as 100MiB, from 1 byte.  [default: 100MiB, or less where"
        " that gives every worker work]",
    ),
    click.option("--fresh", is_flag=True, help="Start over, even if results are there."),
)

_SOME_FAILED = 9

_GRACE_SECONDS = 0.5
"""How long threads may take to end after a command has failed."""

_ANONYMOUS = ("AWS_SKIP_SIGNATURE", "GOOGLE_SKIP_SIGNATURE", "AZURE_SKIP_SIGNATURE")
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def _set_variable(
    name: str, *, instead_of: tuple[str, ...] = ()
) -> Callable[[click.Context, click.Parameter, str | None], None]:
    def set_it(_context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value:
            os.environ[name] = value
            for other in instead_of:
                os.environ.pop(other, None)

    return set_it


def _set_anonymous(_context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        os.environ.update(dict.fromkeys(_ANONYMOUS, "true"))


_STORAGE = _options(
    click.option(
        "--endpoint-url",
        metavar="URL",
        expose_value=False,
        callback=_set_variable("AWS_ENDPOINT_URL_S3"),
        help="Where S3 is, when it isn't Amazon's; as AWS_ENDPOINT_URL.",
    ),
    click.option(
        "--region",
        metavar="NAME",
        expose_value=False,
        callback=_set_variable("AWS_REGION"),
        help="The bucket's region; as AWS_REGION.",
    ),
    click.option(
        "--profile",
        metavar="NAME",
        expose_value=False,
        callback=_set_variable("AWS_PROFILE", instead_of=_KEYS),
        help="Credentials from the AWS configuration files; as AWS_PROFILE.",
    ),
    click.option(
        "--no-sign-request",
        is_flag=True,
        expose_value=False,
        callback=_set_anonymous,
        help="No credentials: for public buckets.",
    ),
)

_NAME = click.option(
    "--name", metavar="NAME", help="What to call standard input.  [default: stdin]"
)

_QUIET = click.option("--quiet", "-q", is_flag=True, help="No progress and no summary.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the report, not its path.")
_MEMORY = click.option(
    "--memory",
    type=_Size(),
    metavar="SIZE",
    help="The most memory to use, such as 400MiB; what needs more is refused.",
)


@click.group(
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(fanfold.__version__, prog_name="fanfold", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show where an error came from.")
def cli(*, debug: bool) -> None:
    """Exact composition, assembly and k-mer statistics of genomes of any size.

    Cuts a FASTA object into slices (fan out), scans them in parallel, and folds the results into
    one report, master.json (fan in): the same bytes however it was cut.
    """


@cli.command()
@click.argument("genomes", nargs=-1, required=True, metavar="GENOME...")
@click.option(
    "--out",
    metavar="DIR|URL",
    help="Where the results go: a folder, or s3://bucket/prefix and its like.  [default:"
    " ./<name>.fanfold for one genome]",
)
@_QUESTION
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Threads.  [default: one a core]"
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    callback=_check_address,
    help="Run on the Dask cluster whose scheduler is there, such as tcp://host:8786.",
)
@_MEMORY
@_NAME
@_STORAGE
@_QUIET
@_JSON
def run(
    *,
    genomes: tuple[str, ...],
    out: str | None,
    k: tuple[int, ...],
    canonical: bool,
    slice_size: int | None,
    fresh: bool,
    workers: int | None,
    dask: str | None,
    memory: int | None,
    name: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Analyse each GENOME: FASTA, plain or gzip, BGZF, zstd, bzip2, xz.

    A GENOME is a path, a URL (s3://, gs://, az://, https://), or - for standard input. A run that
    was stopped is taken up where it was. The path of the report goes to stdout, progress and a
    short summary to stderr.

    Several GENOMEs share the workers, and one that fails doesn't stop the others: each has its
    results in DIR/<name>/, and DIR/summary.tsv tells of all.
    """
    if len(genomes) > 1 and out is None:
        raise click.UsageError("several genomes need --out: each has its folder in there")
    if len(genomes) > 1 and (as_json or name):
        raise click.UsageError("--json and --name are for one genome")
    with _executor(dask, quiet=quiet, debug="--debug" in sys.argv) as executor:
        if len(genomes) == 1:
            with _progress(_label(genomes[0], name), quiet=quiet) as progress:
                report = fanfold.run(
                    genomes[0],
                    k or DEFAULT_K,
                    canonical=canonical,
                    out=out,
                    executor=executor,
                    slice_bytes=slice_size,
                    workers=workers,
                    memory_bytes=memory,
                    fresh=fresh,
                    name=name,
                    progress=progress,
                )
            _tell(report, quiet=quiet, as_json=as_json)
            return
        with _progress(f"{len(genomes)} genomes", quiet=quiet, of_bytes=False) as progress:
            outcomes = fanfold.run_many(
                genomes,
                k or DEFAULT_K,
                canonical=canonical,
                out=out or "",
                executor=executor,
                slice_bytes=slice_size,
                workers=workers,
                memory_bytes=memory,
                fresh=fresh,
                progress=progress,
            )
    _tell_many(outcomes, out or "", quiet=quiet)


@cli.command()
@click.argument("genome")
@click.option(
    "--out",
    required=True,
    metavar="DIR|URL",
    help="Where the plan and the results go: a folder, or s3://bucket/prefix and its like.",
)
@_QUESTION
@_NAME
@_STORAGE
@_QUIET
def plan(
    *,
    genome: str,
    out: str,
    k: tuple[int, ...],
    canonical: bool,
    slice_size: int | None,
    fresh: bool,
    name: str | None,
    quiet: bool,
) -> None:
    """Plan an array of tasks over GENOME, at most 10,000.

    Writes plan.json into DIR, and prints its path and the number of tasks.
    """
    with _progress(_label(genome, name), quiet=quiet) as progress:
        made = fanfold.plan(
            genome,
            k or DEFAULT_K,
            out=out,
            canonical=canonical,
            slice_bytes=slice_size,
            fresh=fresh,
            name=name,
            progress=progress,
        )
    where = open_place(out).where(PLAN)
    click.echo(where)
    if not quiet:
        last = len(made.known_slices()) - 1
        click.echo(f"tasks 0 to {last}: fanfold task {where} --index I", err=True)


@cli.command()
@click.argument("plan_json", metavar="PLAN")
@click.option(
    "--index",
    type=click.IntRange(min=0),
    envvar=_INDEX_VARIABLES,
    required=True,
    metavar="I",
    help="The slice, from 0.  [default: $" + ", $".join(_INDEX_VARIABLES) + "]",
)
@_STORAGE
def task(*, plan_json: str, index: int) -> None:
    """Scan one slice of PLAN, unless its result is there already.

    PLAN is the path or URL of a plan.json.
    """
    fanfold.task(plan_json, index)


@cli.command()
@click.argument("plan_json", metavar="PLAN")
@_MEMORY
@_STORAGE
@_QUIET
@_JSON
def fold(*, plan_json: str, memory: int | None, quiet: bool, as_json: bool) -> None:
    """Fold the results of PLAN's tasks into the report.

    Names every slice without a result, and refuses then. Can be run again. PLAN is the path or URL
    of a plan.json.
    """
    _tell(fanfold.fold(plan_json, memory_bytes=memory), quiet=quiet, as_json=as_json)


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
    try:
        client = Client(address, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise EngineError(
            f"{address}: no Dask scheduler answers there ({error}); check the address"
        ) from None
    if not debug:
        # A scheduler that dies is told of in a line.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with client:
        if not client.scheduler_info()["workers"] and not quiet:
            click.echo(f"{address} has no workers yet: waiting for one", err=True)
        yield client.get_executor()  # type: ignore[no-untyped-call]


def _label(genome: str, name: str | None) -> str:
    return name or "stdin" if genome == STDIN else name_of(genome)


@contextmanager
def _progress(
    name: str, *, quiet: bool, of_bytes: bool = True
) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on stderr, if that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - a terminal alone needs it
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    amount = (DownloadColumn(), TransferSpeedColumn()) if of_bytes else (MofNCompleteColumn(),)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *amount,
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(shown, completed=done, total=total)


def _tell(report: fanfold.Report, *, quiet: bool, as_json: bool) -> None:
    if not quiet:
        click.echo(_summary(report), err=True)
    if as_json:
        click.echo(report.read_master(), nl=False)
    else:
        click.echo(report.master_url)


def _tell_many(outcomes: list[fanfold.Outcome], out: str, *, quiet: bool) -> None:
    failed = [each for each in outcomes if each.error is not None]
    if not quiet:
        click.echo(f"  {len(outcomes) - len(failed)} of {len(outcomes)} genomes done", err=True)
    for each in failed:
        click.echo(f"fanfold: {describe(each.error)}", err=True)
    click.echo(open_place(out).where(SUMMARY))
    if failed:
        raise click.exceptions.Exit(_SOME_FAILED)


def _summary(report: fanfold.Report) -> str:
    master = report.master
    sequences = master["sequences"]

    def number(value: int | None) -> str:
        return "none" if value is None else f"{value:,}"

    rows = [
        ("sequences", number(sequences["count"])),
        ("length", number(sequences["length"])),
        ("N50", number(sequences["N50"])),
        ("GC %", "none" if master["gc_percent"] is None else f"{master['gc_percent']:.3f}"),
        ("N", number(master["composition"]["N"])),
    ]
    for kmers in master["kmers"]:
        kind = "canonical " if kmers["canonical"] else ""
        counts = f"{kmers['distinct']:,} distinct of {kmers['possible']:,}"
        rows.append((f"{kind}{kmers['k']}-mers", f"{counts}, {kmers['total']:,} in all"))
    note = " (it was complete already)" if report.resumed else ""
    rows.append(("seconds", f"{report.seconds:.2f}{note}"))
    rows.append(("files", f"{report.url}/"))
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"  {label:<{width}}  {value}" for label, value in rows)


def _leave(status: int) -> None:
    """End the process, though threads may wait for a store's answer that doesn't come.

    A file that one of them is writing has the time to appear, or to go.
    """
    end = time.monotonic() + _GRACE_SECONDS
    with suppress(KeyboardInterrupt, RuntimeError):  # one that hasn't started can't be joined
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join(max(0.0, end - time.monotonic()))
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def main() -> None:
    """Run the command line; every foreseen error is told in a line or two."""
    debug = "--debug" in sys.argv[1:]
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        status = cli.main(arguments, prog_name="fanfold", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        status = exit_.exit_code
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("fanfold: stopped; run again to take it up where it is", err=True)
        status = 128 + signal.SIGINT
    except FanfoldError as error:
        if debug:
            raise
        click.echo(f"fanfold: {error}", err=True)
        status = error.exit_code
    except BrokenPipeError:
        # Whoever read stdout has enough; nothing is left to flush there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + signal.SIGPIPE
    except OSError as error:
        if debug:
            raise
        click.echo(f"fanfold: the output can't be written: {error.strerror}", err=True)
        status = OutputError.exit_code
    except Exception as error:
        if debug:
            raise
        click.echo(
            f"fanfold: unexpected {type(error).__name__}: {error}\n"
            "Please report this, with what `fanfold --debug …` prints.",
            err=True,
        )
        status = 1
    if status:
        _leave(status)
    sys.exit(status)
