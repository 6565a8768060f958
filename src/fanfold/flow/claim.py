"""How a run gets its folder: work there is resumed, replaced with a word, or refused."""

from __future__ import annotations

import logging
import os
from typing import NamedTuple

from fanfold.flow.contents import (
    Contents,
    check_names,
    check_questions,
    read_contents,
    replaced_in_words,
)
from fanfold.flow.genome import Genome
from fanfold.flow.plan import Plan, question_of
from fanfold.flow.publish import publisher_of
from fanfold.flow.run_folder import RunFolder
from fanfold.objects import Place
from fanfold.params import Params


class Asked(NamedTuple):
    """What is asked of an input, and of its folder.

    Attributes:
        parameters: what changes the answer.
        slice_bytes: the size of a slice of a new plan.
        grows: see `Plan`.
        fresh: start over, whatever is there.
        is_named: whether the user named the folder.
    """

    parameters: Params
    slice_bytes: int
    grows: bool
    fresh: bool
    is_named: bool


def check(place: Place, genome: Genome, asked: Asked) -> None:
    """Check that a question may be answered in a place, before anything is written there.

    Raises:
        OutputError: the place has what may not be replaced.
        FanfoldError: the input can't be read, or is no FASTA by its first bytes.
    """
    contents, _ = _look(place, genome, asked)
    if _taken_up(contents, genome, asked) is None:
        genome.plan(asked.parameters, asked.slice_bytes, grows=asked.grows)


def claim(place: Place, genome: Genome, asked: Asked) -> RunFolder:
    """The plan that answers a question in a place: the one that is there, or a new one.

    The place is held by the caller. A replacement is logged in one line.

    Raises:
        OutputError: the place has what may not be replaced.
        FanfoldError: the input can't be read, or is no FASTA by its first bytes.
    """
    contents, replaced = _look(place, genome, asked)
    plan = _taken_up(contents, genome, asked)
    if plan is not None:
        place.prepare(plan.folder)
        place.sweep(plan.folder)
        return RunFolder(place, plan)
    nonce = os.urandom(8).hex() if asked.fresh else ""
    plan = genome.plan(asked.parameters, asked.slice_bytes, grows=asked.grows, nonce=nonce)
    if replaced is not None:
        log_replaced(place, replaced)
    place.prepare("")
    return RunFolder(place, publisher_of(place).claim(plan, contents))


def log_replaced(place: Place, replaced: str) -> None:
    """Say in one line what a run replaces."""
    logging.getLogger("fanfold").warning("%s: replacing the results %s", place.url, replaced)


def _taken_up(contents: Contents, genome: Genome, asked: Asked) -> Plan | None:
    """The plan that is there, if it asks the same."""
    plan = contents.plan
    question = question_of(genome.source, asked.parameters)
    is_same = plan is not None and plan.job == question.job and not asked.fresh
    return plan if is_same else None


def _look(place: Place, genome: Genome, asked: Asked) -> tuple[Contents, str | None]:
    """What a place holds, and what a run would replace there, in words."""
    question = question_of(genome.source, asked.parameters)
    contents = read_contents(place)
    check_names(place, contents, question)
    if asked.fresh:
        replaced = replaced_in_words(contents, question)
    else:
        replaced = check_questions(place, contents, question, is_named=asked.is_named)
    if replaced is None and contents.has_damaged_plan:
        replaced = "of a plan.json that is damaged"
    return contents, replaced
