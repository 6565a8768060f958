"""`fanfold help`: what a command does."""

from __future__ import annotations

from typing import cast

import click

from fanfold.cli.words import no_such_command


@click.command("help")
@click.argument("verb", required=False, metavar="[COMMAND]")
@click.pass_context
def show_help(context: click.Context, *, verb: str | None) -> None:
    """Tell what COMMAND does, or which commands there are."""
    root = context.find_root()
    if verb is None:
        click.echo(root.get_help())
        return
    commands = cast("click.Group", root.command)
    command = commands.get_command(root, verb)
    if command is None:
        raise no_such_command(verb, commands.list_commands(root), context)
    with click.Context(command, info_name=verb, parent=root) as inner:
        click.echo(command.get_help(inner))
