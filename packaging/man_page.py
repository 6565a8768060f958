"""Writes the man page of fanfold, from its commands: `make man`.

The page lies where the wheel takes data files from, so that `pip install` puts it into
`share/man/man1` of the environment.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from fanfold._kernel import VERSION
from fanfold.cli.commands import cli
from fanfold.cli.ending import EXIT_CODES

PAGE = Path(__file__).parent / "fanfold.data/data/share/man/man1/fanfold.1"

_EXAMPLES = (
    (
        "fanfold run genome.fa.gz",
        "Analyse a genome; the report is genome.fa.gz.fanfold/report.html.",
    ),
    ("fanfold run genome.fa.gz -k 5 -k 8 --canonical", "Count k-mers of two lengths in one pass."),
    ("fanfold run a.fa b.fa c.fa", "Analyse several genomes, and show them side by side."),
    (
        "fanfold report genome.fa.gz.fanfold --min-gap 10",
        "Look at a finished report in another way.",
    ),
)

# What roff would read as its own, and what it would typeset as another character.
_ESCAPES = str.maketrans(
    {
        "\\": "\\e",
        "-": "\\-",
        "'": "\\(aq",
        "`": "\\(ga",
        "~": "\\(ti",
        "^": "\\(ha",
    }
)


def man_page() -> str:
    """The man page, in the macros of man(7)."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    context = click.Context(cli, info_name="fanfold")
    yield '.\\" Made from the commands by packaging/man_page.py; make it again: make man'
    # No date: the page changes only when the commands do.
    yield f'.TH FANFOLD 1 "" "fanfold {VERSION}" "User Commands"'
    yield ".SH NAME"
    yield f"fanfold \\- {_text(_first_sentence(cli))}"
    yield ".SH SYNOPSIS"
    yield from _usage(context)
    yield ".SH DESCRIPTION"
    yield from _paragraphs(_help(cli))
    yield ".PP"
    yield f"Every command takes {_text('-h, --help')}."
    yield ".SH OPTIONS"
    yield from _options(cli.params, context)
    yield ".SH COMMANDS"
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if command is not None and not command.hidden:
            yield from _command(command, click.Context(command, info_name=name, parent=context))
    yield '.SH "EXIT STATUS"'
    yield from _exit_codes()
    yield ".SH EXAMPLES"
    for line, meaning in _EXAMPLES:
        yield from _item(line, meaning)


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f'.SS "{_text(context.command_path)}"'
    yield from _usage(context)
    yield ".PP"
    yield from _paragraphs(_help(command))
    yield from _options(command.params, context)
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _command(inner, click.Context(inner, info_name=name, parent=context))


def _usage(context: click.Context) -> Iterator[str]:
    words = context.command.collect_usage_pieces(context)
    yield f"\\fB{_text(context.command_path)}\\fR {_text(' '.join(words))}"


def _options(parameters: Iterable[click.Parameter], context: click.Context) -> Iterator[str]:
    for parameter in parameters:
        # The usage names the arguments, and the description says what they are.
        if not isinstance(parameter, click.Option):
            continue
        record = parameter.get_help_record(context)
        if record is not None:
            yield from _item(*record)


def _item(term: str, meaning: str) -> Iterator[str]:
    yield ".TP"
    yield f"\\fB{_text(term)}\\fR"
    yield _text(" ".join(meaning.split()))


def _exit_codes() -> Iterator[str]:
    for code, meaning in re.findall(r"^ +(\d+) +(.*)$", EXIT_CODES, re.MULTILINE):
        yield from _item(code, meaning)


def _help(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").partition("\f")[0]


def _first_sentence(command: click.Command) -> str:
    sentence = _help(command).partition("\n\n")[0].rstrip(".")
    return sentence[0].lower() + sentence[1:]


def _paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a help text; click wraps none that starts with a backspace."""
    for number, paragraph in enumerate(re.split(r"\n{2,}", text.strip())):
        if number:
            yield ".PP"
        if paragraph.startswith("\b\n"):
            yield from (".nf", *map(_text, paragraph.splitlines()[1:]), ".fi")
        else:
            yield _text(" ".join(paragraph.split()))


def _text(text: str) -> str:
    """A text as roff shows it as it is; a line never starts with a control character."""
    escaped = text.translate(_ESCAPES)
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(man_page())


if __name__ == "__main__":
    main()
