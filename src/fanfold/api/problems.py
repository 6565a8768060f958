"""Problem documents (RFC 9457): one for each kind of error that an end answers with."""

from __future__ import annotations

from fanfold.api.types import FailedSlice, Problem
from fanfold.errors import FanfoldError

_PROBLEM = "urn:fanfold:problem:"


class ApiError(Exception):
    """A request that is answered with a problem document."""

    def __init__(self, status: int, kind: str, title: str, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem(kind, title, detail, status)


def problem(
    kind: str,
    title: str,
    detail: str,
    status: int | None = None,
    slices: tuple[FailedSlice, ...] = (),
) -> Problem:
    """A problem document of a kind, such as ``no-such-object``."""
    return Problem(f"{_PROBLEM}{kind}", title, detail, status, slices)


_TITLES = {
    2: ("parameter", "A parameter that can't be"),
    3: ("input", "The input is not FASTA, or its archive is damaged"),
    4: ("source", "The input can't be read, or changed meanwhile"),
    5: ("output", "The results can't be written"),
    6: ("plan", "A plan that can't be used, or slices without a result"),
    7: ("proof", "The report contradicts its own checks"),
}


def problem_of_exit(exit_code: int, detail: str, slices: tuple[FailedSlice, ...] = ()) -> Problem:
    """The problem that an exit code of the command line, or an error with one, stands for."""
    kind, title = _TITLES.get(exit_code, ("container", "A container failed"))
    return problem(kind, title, detail, slices=slices)


def problem_of(error: FanfoldError) -> Problem:
    """The problem that an error is."""
    return problem_of_exit(error.exit_code, str(error))
