"""What is asked of an input, and how: what `run` and `run_many` hand on."""

from __future__ import annotations

from typing import NamedTuple

from fanfold.flow.memory import Allowed
from fanfold.params import Alphabet, Params
from fanfold.report.view import View


class Options(NamedTuple):
    """What is asked of an input, and how.

    Attributes:
        parameters: what changes the answer.
        slice_bytes: the size of a slice; what suits the input when None.
        allowed: the memory that it may take.
        fresh: start over even if results are there.
        view: how lengths and gaps are looked at.
        alphabet: what the input may be of.
        is_named: whether the caller named the folder of the results: the default one may have a
            report for other parameters, which is replaced.
    """

    parameters: Params
    slice_bytes: int | None
    allowed: Allowed
    fresh: bool
    view: View
    alphabet: Alphabet = "any"
    is_named: bool = True
