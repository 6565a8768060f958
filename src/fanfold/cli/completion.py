"""The command `fanfold completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from fanfold.cli.streams import show

SHELLS = ("bash", "zsh", "fish")

_VARIABLE = "_FANFOLD_COMPLETE"
"""Where the script says what to complete; click reads a variable of this name."""


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), metavar="SHELL")
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print the completion script of SHELL.

    With it, the Tab key completes commands, options and paths. SHELL is bash (4.4 or newer), zsh or
    fish. For one session of bash or zsh: eval "$(fanfold completion bash)". docs/install.md says
    where the script goes so that every session has it.
    """
    root = context.find_root()
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"click has no completion for {shell}")
    show(*found(root.command, {}, "fanfold", _VARIABLE).source().splitlines())
