"""The options that several commands share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import click

from fanfold.errors import ParameterError
from fanfold.objects import shown
from fanfold.params import DEFAULT_K, MAX_K, SMALL_K, Alphabet, TrailingGarbage, parse_size
from fanfold.report.view import DEFAULT_VIEW

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

INDEX_VARIABLES = ("AWS_BATCH_JOB_ARRAY_INDEX", "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX")

_Command = TypeVar("_Command", bound=Callable[..., Any])

_ANONYMOUS = ("AWS_SKIP_SIGNATURE", "GOOGLE_SKIP_SIGNATURE", "AZURE_SKIP_SIGNATURE")
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Size(click.ParamType[int]):
    """A number of bytes, such as 400MiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number that a text stands for."""
        try:
            return value if isinstance(value, int) else parse_size(value)
        except ParameterError as error:
            self.fail(str(error), param, ctx)


class Lengths(click.ParamType[tuple[int, ...]]):
    """Lengths of k-mers, such as 5, 5,8 or 1-8."""

    name = "k"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The numbers that a text stands for."""
        if isinstance(value, tuple):
            return value
        found: list[int] = []
        for part in value.split(","):
            match = re.fullmatch(r"\s*(\d{1,4})(?:-(\d{1,4}))?\s*", part, re.ASCII)
            if match is None:
                self.fail(f"{value!r} is no k: write 5, or 5,8 or 1-8 for several", param, ctx)
            first = int(match[1])
            last = int(match[2] or first)
            if last < first:
                self.fail(f"{value!r} counts down: write the smaller k first", param, ctx)
            found += range(first, last + 1)
        return tuple(found)


class Location(click.ParamType[str]):
    """A path or a URL. Shells complete it as the path of a file or of a folder."""

    name = "location"

    def __init__(self, kind: Literal["file", "dir"]) -> None:
        self._kind = kind

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Have the shell list the files or the folders itself."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - when a shell asks

        return [CompletionItem(incomplete, type=self._kind)]


FILE = Location("file")
FOLDER = Location("dir")


def _options(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


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


def check_address(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    """The address of a Dask scheduler, as an option's callback; tcp:// may be left out."""
    if value is None:
        return None
    match = re.fullmatch(r"(?:(tcp|tls|ucx|wss?)://)?([^/@?#]+:\d+/?)", value)
    if match is None:
        raise click.BadParameter(
            f"{shown(value)!r} is no scheduler's address; write tcp://host:8786"
        )
    return f"{match[1] or 'tcp'}://{match[2]}"


def _slice_size(default: str) -> Callable[[_Command], _Command]:
    return click.option(
        "--slice-size",
        type=Size(),
        metavar="SIZE",
        help="The size of a slice, such as 100MiB; 10,000 slices are the most."
        f"  [default: {default}]",
    )


_KMERS = _options(
    click.option(
        "-k",
        "k",
        type=Lengths(),
        multiple=True,
        callback=lambda _context, _parameter, values: tuple(chain.from_iterable(values)),
        metavar="N",
        help=f"Count k-mers of this length, 1 to {MAX_K}; of several in one pass: 5,8 or 1-8, or -k"
        f" again; from {SMALL_K + 1} on not by the API. 0 counts none.  [default: {DEFAULT_K[0]}]",
    ),
    click.option(
        "--canonical", is_flag=True, help="Count a k-mer and its reverse complement as one."
    ),
)

TRAILING_GARBAGE = click.option(
    "--trailing-garbage",
    type=click.Choice(get_args(TrailingGarbage)),
    default="refuse",
    help="What to do with bytes after an archive's end that are not zero padding: refuse the"
    " input, or ignore them, which the report notes.  [default: refuse]",
)

QUESTION = _options(
    _KMERS,
    _slice_size("100MiB, or less where that gives every worker work"),
    click.option(
        "--fresh",
        "--force",
        "fresh",
        is_flag=True,
        help="Start over, even if results are there. Files of others stay untouched.",
    ),
    TRAILING_GARBAGE,
)

CLOUD_QUESTION = _options(_KMERS, _slice_size("100MiB"))

_PROFILE = click.option(
    "--profile",
    metavar="NAME",
    expose_value=False,
    callback=_set_variable("AWS_PROFILE", instead_of=_KEYS),
    help="Credentials from the AWS configuration files; as AWS_PROFILE.",
)

STORAGE = _options(
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
    _PROFILE,
    click.option(
        "--no-sign-request",
        is_flag=True,
        expose_value=False,
        callback=_set_anonymous,
        help="No credentials: for public buckets.",
    ),
)

API = _options(
    click.option(
        "--api",
        metavar="URL",
        help="The API: the URL that `fanfold serve` or deploy.sh prints; as FANFOLD_API_URL, or"
        " api_url in ~/.config/fanfold/config.toml. The token of a server is FANFOLD_TOKEN.",
    ),
    click.option(
        "--region",
        metavar="NAME",
        expose_value=False,
        callback=_set_variable("AWS_REGION"),
        help="The API's region, where its URL doesn't tell; as AWS_REGION.",
    ),
    _PROFILE,
)

MIN_GAP = click.option(
    "--min-gap",
    type=click.IntRange(min=1),
    default=DEFAULT_VIEW.min_gap,
    metavar="N",
    help="A run of this many N or more is a gap and splits contigs.  [default: 1]",
)
MIN_LENGTH = click.option(
    "--min-length",
    type=Size(),
    default=DEFAULT_VIEW.min_length,
    metavar="N",
    help="Leave shorter records out of lengths, N50 and gaps, such as 1k.  [default: 0]",
)
VIEW = _options(
    MIN_GAP,
    MIN_LENGTH,
    click.option(
        "--genome-size",
        type=Size(),
        metavar="N",
        help="The length of the genome, such as 3.1g, for NG50 and auNG.",
    ),
)

ALPHABET = click.option(
    "--alphabet",
    type=click.Choice(get_args(Alphabet)),
    default="any",
    help="What a genome may be: dna refuses what looks like protein or RNA.  [default: any]",
)

WORKERS = click.option(
    "--workers",
    "--threads",
    "-t",
    "-j",
    "workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads.  [default: one a core]",
)
GENOMES = _options(
    click.argument("genomes", type=FILE, nargs=-1, metavar="GENOME..."),
    click.option(
        "--from",
        "list_path",
        type=FILE,
        metavar="FILE",
        help="A list of more genomes: a path or URL a line, and a label after a tab if need be.",
    ),
    click.option(
        "--label",
        metavar="NAME",
        help="What to call the one GENOME, in place of its base name, in folders and tables.",
    ),
)
NAME = click.option(
    "--name",
    metavar="NAME",
    help="What to call standard input, or another pipe.  [default: stdin, or its name]",
)
QUIET = click.option("--quiet", "-q", is_flag=True, help="No progress and no summary.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print the report, not its path.")
JSON_ANSWER = click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
MEMORY = click.option(
    "--memory",
    type=Size(),
    metavar="SIZE",
    help="The most memory to use, such as 400MiB; what needs more is refused.",
)
