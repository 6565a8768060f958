"""The commands.

`stats` and `compare` print, and write nothing; `local` has the commands that run on this machine,
and the tasks of an array; `reports` those that show a finished report, and `kmers` those that look
into its k-mers; `cloud` those that speak with the API of a deployment; `completion` the one that
sets up a shell. A module of commands is imported when one of them is asked for.
"""

from __future__ import annotations

import gc
from importlib import import_module
from typing import Any

import click

from fanfold._kernel import VERSION
from fanfold.cli.ending import EXIT_CODES, end_on_signals
from fanfold.cli.words import is_genome, no_such_command

_SECTIONS = {
    "At a glance, with nothing written": ("stats", "compare"),
    "On this machine, and in an array of tasks": (
        "run",
        "plan",
        "task",
        "inflate",
        "fold",
        "reduce",
        "check",
    ),
    "Of a finished report": ("report", "plot", "kmers"),
    "A server": ("serve",),
    "By an API": ("submit", "status", "jobs", "logs", "cancel"),
    "Help": ("help",),
    "For the shell": ("completion",),
}

_FUNCTIONS = {
    name: (f"fanfold.cli.{module}", name)
    for module, names in zip(
        ("stats", "local", "reports", "serve", "cloud", "helping", "completion"),
        _SECTIONS.values(),
        strict=True,
    )
    for name in names
} | {
    "stats": ("fanfold.cli.stats", "statistics"),
    "compare": ("fanfold.cli.compare", "comparison"),
    "kmers": ("fanfold.cli.kmers", "kmers"),
    "help": ("fanfold.cli.helping", "show_help"),
}
"""Where each command is: its module, and what it is called there."""


class _Commands(click.Group):
    """Commands in sections, in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_FUNCTIONS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _FUNCTIONS:
            return None
        module, function = _FUNCTIONS[cmd_name]
        command: click.Command = getattr(import_module(module), function)
        gc.freeze()  # see `fanfold.cli.main`: else the first search would go through all modules
        gc.enable()
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, and its arguments; `run`, where the first word is a genome."""
        word = args[0]
        if word in _FUNCTIONS:
            return super().resolve_command(ctx, args)
        if is_genome(word):
            return "run", self.get_command(ctx, "run"), args
        raise no_such_command(word, _FUNCTIONS, ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = formatter.width - 6 - max(map(len, _FUNCTIONS))
        for title, names in _SECTIONS.items():
            with formatter.section(title):
                commands = ((name, self.get_command(ctx, name)) for name in names)
                formatter.write_dl(
                    [(name, each.get_short_help_str(width)) for name, each in commands if each]
                )


@click.group(
    cls=_Commands,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, prog_name="fanfold", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show where an error came from.")
def cli(*, debug: bool) -> None:
    """Exact composition, assembly and k-mer statistics of genomes of any size.

    Cuts a FASTA object into slices (fan out), scans them in parallel, and folds the results into
    one report, master.json (fan in): the same bytes however it was cut.
    """


def main(arguments: list[str]) -> Any:
    """Run a command; what it returns is the exit code, if that is a number."""
    end_on_signals()
    return cli.main(arguments, prog_name="fanfold", standalone_mode=False)
