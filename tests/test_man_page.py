"""The man page is that of the commands, and readers of man pages accept it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import click
import pytest
from man_page import PAGE, man_page

from fanfold.cli.commands import cli

NO_DATE = 'WARNING: missing date, using "": TH'
"""The page has none on purpose: it changes only when the commands do."""


def shown() -> str:
    """The page as `man` shows it, on lines that break no word."""
    done = subprocess.run(
        ["man", "--local-file", "--warnings", str(PAGE)],
        env=os.environ | {"MANWIDTH": "10000", "MAN_KEEP_FORMATTING": "", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def test_the_page_is_that_of_the_commands() -> None:
    assert PAGE.read_text() == man_page(), "the commands changed: make man"


@pytest.mark.skipif(
    shutil.which("mandoc") is None, reason="THE MAN PAGE IS NOT CHECKED: no mandoc is here"
)
def test_mandoc_finds_no_fault() -> None:
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", str(PAGE)],
        capture_output=True,
        text=True,
        check=False,
    )
    faults = [line for line in done.stdout.splitlines() if not line.endswith(NO_DATE)]
    assert faults == []


@pytest.mark.skipif(
    shutil.which("man") is None or shutil.which("groff") is None,
    reason="THE MAN PAGE IS NOT SHOWN: man and groff are not both here",
)
def test_man_shows_every_command_and_option_as_its_help_does() -> None:
    text = shown()
    context = click.Context(cli)

    for verb in cli.list_commands(context):
        command = cli.get_command(context, verb)
        assert command is not None
        found = re.search(
            rf"^ +fanfold {verb}$(.*?)(?=^ +fanfold \w+$|^\w)", text, re.MULTILINE | re.DOTALL
        )
        assert found is not None, verb
        options = [each for each in command.params if isinstance(each, click.Option)]
        records = [each.get_help_record(click.Context(command)) for each in options]
        lines = {" ".join(line.split()) for line in found[1].splitlines()}
        words = "\n".join(sorted(lines))
        for term, meaning in filter(None, records):
            assert " ".join(meaning.split()) in words, (verb, term)
            assert term in words, (verb, term)
