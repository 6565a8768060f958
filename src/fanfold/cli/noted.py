"""What a command says of an input that is not DNA."""

from __future__ import annotations

from collections.abc import Iterable

from fanfold.cli.streams import say
from fanfold.report.notes import Note, not_of_dna


def warn_of(name: str, notes: Iterable[Note]) -> None:
    """Say that an input is of something else than DNA, if its notes do.

    Args:
        name: the input's.
        notes: those of its report.
    """
    say(*(f"fanfold: {name}: {each.text}" for each in not_of_dna(notes)), level="WARNING")
