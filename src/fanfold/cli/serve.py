"""The command `fanfold serve`."""

from __future__ import annotations

import click

from fanfold.cli.options import FOLDER, MEMORY, STORAGE, Size
from fanfold.cli.streams import show_path
from fanfold.errors import ParameterError


def _buckets(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    found = {}
    for value in values:
        name, separator, location = value.partition("=")
        if not (name and separator and location):
            raise click.BadParameter(f"{value!r}: write NAME=DIR or NAME=URL")
        found[name] = location
    return found


@click.command()
@click.option(
    "--root",
    type=FOLDER,
    required=True,
    metavar="DIR|URL",
    help="The folder whose folders are the buckets; or s3://BUCKET, the one bucket. Results go"
    " there, too.",
)
@click.option(
    "--bucket",
    "buckets",
    multiple=True,
    metavar="NAME=DIR|URL",
    callback=_buckets,
    help="Another bucket; may be given several times.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    metavar="ADDRESS",
    help="Where to listen; any but loopback asks for a token.  [default: 127.0.0.1]",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    metavar="N",
    help="The port; 0 for one that is free.  [default: 8000]",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=2,
    metavar="N",
    help="Jobs at once; others wait.  [default: 2]",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads of each job.  [default: one a core]",
)
@MEMORY
@click.option("--token", is_flag=True, help="Ask for a token on loopback, too.")
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    metavar="NAME",
    help="Another name that requests may be for, as behind a proxy.",
)
@click.option(
    "--max-upload",
    type=Size(),
    default=100 * 1024**3,
    metavar="SIZE",
    help="The largest upload.  [default: 100GiB]",
)
@click.option(
    "--max-open-jobs",
    type=click.IntRange(min=1),
    default=1000,
    metavar="N",
    help="Jobs that wait or run; more are refused.  [default: 1000]",
)
@STORAGE
def serve(
    *,
    root: str,
    buckets: dict[str, str],
    host: str,
    port: int,
    jobs: int,
    threads: int | None,
    memory: int | None,
    token: bool,
    names: tuple[str, ...],
    max_upload: int,
    max_open_jobs: int,
) -> None:
    """Serve a page and the API of the cloud on this machine.

    A job is one genome, an object of a bucket, and runs in a process of its own. The first line of
    stdout is the URL, written when the server listens. Ctrl-C or SIGTERM ends it; jobs that are at
    work then are taken up at the next start.
    """
    try:
        from fanfold.web.server import serve as serve_it  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ParameterError(
            "the server needs more packages: pip install 'fanfold[serve]'"
        ) from error
    from fanfold.web.settings import Settings  # noqa: PLC0415

    settings = Settings(
        root=root,
        buckets=buckets,
        jobs=jobs,
        threads=threads,
        memory_bytes=memory,
        max_upload_bytes=max_upload,
        max_open_jobs=max_open_jobs,
    )
    serve_it(settings, host=host, port=port, names=names, asks_token=token, tell=show_path)
