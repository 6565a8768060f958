"""The tables of a report where they lie, read again."""

from __future__ import annotations

from collections.abc import Callable

from fanfold.objects import Place
from fanfold.report.run_record import GAPS, SEQUENCES
from fanfold.report.survey import Feed, Survey, survey_of
from fanfold.report.view import View


def survey_place(place: Place, view: View) -> Survey:
    """The survey of the tables in a folder or prefix; raises as `survey_of` and `Place.blocks`."""
    return survey_of(view, _pieces(place, SEQUENCES), _pieces(place, GAPS))


def _pieces(place: Place, name: str) -> Feed:
    def pass_on(write: Callable[[bytes | memoryview], object]) -> None:
        for block in place.blocks(name):
            write(block)

    return pass_on
