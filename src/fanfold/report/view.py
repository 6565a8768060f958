"""The view: how lengths and gaps are looked at, after everything is counted."""

from __future__ import annotations

import msgspec

from fanfold.errors import ParameterError
from fanfold.params import check_whole


class View(msgspec.Struct, frozen=True):
    """What changes figures derived from record lengths and gaps, and nothing else.

    Attributes:
        min_gap: a run of N of at least this length splits contigs and counts as a gap; shorter runs
            stay in their contig and count in its length.
        min_length: records shorter than this are left out of lengths and gaps.
        genome_size: the length of the genome in bases that NG(x) and auNG refer to; without one
            there are none.
    """

    min_gap: int = 1
    min_length: int = 0
    genome_size: int | None = None


DEFAULT_VIEW = View()


def check_view(view: View) -> View:
    """The view, if it can be taken.

    Raises:
        ParameterError: one of its values can't be.
    """
    if not isinstance(view, View):
        raise ParameterError(f"view must be a fanfold.View, not {repr(view)[:80]}")
    genome_size = view.genome_size
    return View(
        _bounded("min_gap", view.min_gap, 1),
        _bounded("min_length", view.min_length, 0),
        None if genome_size is None else _bounded("genome_size", genome_size, 1),
    )


def _bounded(name: str, value: int, least: int) -> int:
    whole = check_whole(name, value)
    if whole is None:
        raise ParameterError(f"{name} must be a whole number, not None")
    if not least <= whole < 2**63:
        raise ParameterError(f"{name} must be {least} or more, and below 2^63, not {whole}")
    return whole
