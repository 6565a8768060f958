"""The command line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

import fanfold
from fanfold.errors import FanfoldError, OutputError, ParameterError
from fanfold.params import DEFAULT_K, MAX_K, parse_size

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

    Cuts a FASTA file into slices (fan out), scans them in parallel, and folds the results into one
    report, master.json (fan in): the same bytes however it was cut.
    """


@cli.command()
@click.argument("genome", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--out",
    type=click.Path(path_type=Path, readable=False),
    metavar="DIR",
    help="The folder for the results.  [default: ./<name>.fanfold]",
)
@_QUESTION
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Threads.  [default: one a core]"
)
@_MEMORY
@_QUIET
@_JSON
def run(
    *,
    genome: Path,
    out: Path | None,
    k: tuple[int, ...],
    canonical: bool,
    slice_size: int | None,
    fresh: bool,
    workers: int | None,
    memory: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Analyse GENOME: FASTA, plain or gzip, BGZF, zstd, bzip2, xz.

    A run that was stopped is taken up where it was. The path of the report goes to stdout,
    progress and a short summary to stderr.
    """
    with _progress(genome.name, quiet=quiet) as progress:
        report = fanfold.run(
            genome,
            k or DEFAULT_K,
            canonical=canonical,
            out=out,
            slice_bytes=slice_size,
            workers=workers,
            memory_bytes=memory,
            fresh=fresh,
            progress=progress,
        )
    _tell(report, quiet=quiet, as_json=as_json)


@cli.command()
@click.argument("genome", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--out",
    type=click.Path(path_type=Path, readable=False),
    required=True,
    metavar="DIR",
    help="The folder for the plan and the results.",
)
@_QUESTION
@_QUIET
def plan(
    *,
    genome: Path,
    out: Path,
    k: tuple[int, ...],
    canonical: bool,
    slice_size: int | None,
    fresh: bool,
    quiet: bool,
) -> None:
    """Plan an array of tasks over GENOME, at most 10,000.

    Writes DIR/plan.json, and prints its path and the number of tasks.
    """
    with _progress(genome.name, quiet=quiet) as progress:
        made = fanfold.plan(
            genome,
            k or DEFAULT_K,
            out=out,
            canonical=canonical,
            slice_bytes=slice_size,
            fresh=fresh,
            progress=progress,
        )
    click.echo(out / "plan.json")
    if not quiet:
        last = len(made.known_slices()) - 1
        click.echo(f"tasks 0 to {last}: fanfold task {out / 'plan.json'} --index I", err=True)


@cli.command()
@click.argument("plan_json", type=click.Path(path_type=Path, readable=False), metavar="PLAN")
@click.option(
    "--index",
    type=click.IntRange(min=0),
    envvar=_INDEX_VARIABLES,
    required=True,
    metavar="I",
    help="The slice, from 0.  [default: $" + ", $".join(_INDEX_VARIABLES) + "]",
)
def task(*, plan_json: Path, index: int) -> None:
    """Scan one slice of PLAN, unless its result is there already."""
    fanfold.task(plan_json, index)


@cli.command()
@click.argument("plan_json", type=click.Path(path_type=Path, readable=False), metavar="PLAN")
@_MEMORY
@_QUIET
@_JSON
def fold(*, plan_json: Path, memory: int | None, quiet: bool, as_json: bool) -> None:
    """Fold the results of PLAN's tasks into the report.

    Names every slice without a result, and refuses then. Can be run again.
    """
    _tell(fanfold.fold(plan_json, memory_bytes=memory), quiet=quiet, as_json=as_json)


@contextmanager
def _progress(name: str, *, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on stderr, if that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - a terminal alone needs it
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(shown, completed=done, total=total)


def _tell(report: fanfold.Report, *, quiet: bool, as_json: bool) -> None:
    if not quiet:
        click.echo(_summary(report), err=True)
    if as_json:
        click.echo(report.path.read_bytes(), nl=False)
    else:
        click.echo(report.path)


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
    rows.append(("files", f"{report.out}{os.sep}"))
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"  {label:<{width}}  {value}" for label, value in rows)


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
    sys.exit(status)
