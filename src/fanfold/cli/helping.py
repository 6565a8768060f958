"""`fanfold help`: what a command does."""

from __future__ import annotations

import click

from fanfold.cli.words import no_such_command


@click.command("help")
@click.argument("verbs", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def show_help(context: click.Context, *, verbs: tuple[str, ...]) -> None:
    """Tell what COMMAND does, or which commands there are."""
    inner = context.find_root()
    for verb in verbs:
        group = inner.command if isinstance(inner.command, click.Group) else click.Group()
        command = group.get_command(inner, verb)
        if command is None:
            raise no_such_command(verb, group.list_commands(inner), context)
        inner = click.Context(command, info_name=verb, parent=inner)
    click.echo(inner.get_help())
