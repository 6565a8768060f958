"""The genomes of a command: its arguments, a list of them, and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import click

from fanfold.flow.inputs import Input, find_inputs, labelled, read_list
from fanfold.objects import STDIN, shown


class Found(NamedTuple):
    """The genomes that the user means.

    Attributes:
        inputs: they.
        is_many: whether results are those of many: there are several, or what was given (a list, a
            folder, a glob) may stand for several.
    """

    inputs: list[Input]
    is_many: bool

    @property
    def locations(self) -> list[str]:
        """Where they are."""
        return [each.location for each in self.inputs]

    @property
    def labels(self) -> list[str | None]:
        """What the user calls them."""
        return [each.label for each in self.inputs]

    @property
    def shown(self) -> list[str]:
        """What a table calls them: their labels, else where they are."""
        return [each.label or shown(each.location) for each in self.inputs]


def find_given(genomes: Sequence[str], list_path: str | None, label: str | None) -> Found:
    """The genomes of a command line.

    Args:
        genomes: its arguments.
        list_path: what ``--from`` gives: more genomes, after the arguments.
        label: what to call the one genome.

    Raises:
        click.UsageError: there is none, or a label for several.
        FanfoldError: see `read_list` and `find_inputs`.
    """
    if list_path == STDIN:
        raise click.UsageError("--from takes a file; of a pipe it is --from /dev/stdin")
    if not genomes and list_path is None:
        raise click.UsageError("Missing argument 'GENOME...'.")
    listed = [] if list_path is None else read_list(list_path)
    is_many = len(genomes) != 1 or list_path is not None
    if label is not None and is_many:
        raise click.UsageError("--label is for one genome; a list (--from) labels several")
    given = [*labelled(genomes, None if label is None else [label]), *listed]
    found = find_inputs(given)
    return Found(found, is_many or found != given)
