"""What a user may set: the parameters that change the answer, and sizes as people write them."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable
from typing import Literal, get_args

import msgspec

from fanfold.errors import ParameterError

MAX_K = 32
"""The largest k: the code of a k-mer has 64 bits."""

SMALL_K = 8
"""The largest k whose counts are in the report itself; larger ones have tables beside it."""

DEFAULT_K = (5,)

DEFAULT_SLICE_BYTES = 100 * 1024**2

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_UNITS |= {f"{unit}i": 1024 ** (power + 1) for power, unit in enumerate("kmgt")}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?", re.IGNORECASE)


TrailingGarbage = Literal["refuse", "ignore"]
"""What is done with bytes after an archive's end that are not zero padding."""

Alphabet = Literal["any", "dna"]
"""What an input may be of; what is unusual about one of any kind is in the notes of its report."""


class Params(msgspec.Struct, frozen=True, omit_defaults=True):
    """The parameters that change the answer.

    Attributes:
        k: the lengths of the k-mers to count, ascending; may be empty.
        canonical: whether a k-mer and its reverse complement are counted as one.
        trailing_garbage: what is done with bytes after an archive's end.
    """

    k: tuple[int, ...]
    canonical: bool
    trailing_garbage: TrailingGarbage = "refuse"

    @property
    def ignores_garbage(self) -> bool:
        """Whether bytes after an archive's end are ignored."""
        return self.trailing_garbage == "ignore"

    @property
    def small_k(self) -> tuple[int, ...]:
        """The k up to 8, whose counts are in the report itself."""
        return tuple(k for k in self.k if k <= SMALL_K)

    @property
    def large_k(self) -> tuple[int, ...]:
        """The k from 9 on, whose counts are tables beside the report."""
        return tuple(k for k in self.k if k > SMALL_K)

    @property
    def dense_k(self) -> int:
        """The k that the scan counts: smaller ones, and the 2-mers of CpG, follow from it."""
        return max((2, *self.small_k))

    @property
    def packed_k(self) -> tuple[int, int] | None:
        """The least and the largest k that the scan packs text for; None if there is none."""
        large = self.large_k
        return (large[0], large[-1]) if large else None


def check_params(
    k: Iterable[int] | int, *, canonical: bool, trailing_garbage: TrailingGarbage = "refuse"
) -> Params:
    """The parameters, in order and without repeats; a k of 0 counts none.

    Raises:
        ParameterError: a k that can't be, or another of a wrong type or word.
    """
    check_flags(canonical=canonical)
    if trailing_garbage not in get_args(TrailingGarbage):
        raise ParameterError(
            f"trailing_garbage = {trailing_garbage!r} is neither 'refuse' nor 'ignore'"
        )
    lengths = _lengths(k)
    for length in sorted(lengths):
        if not 0 <= length <= MAX_K:
            raise ParameterError(
                f"k = {length} can't be counted: give 1 to {MAX_K} (0 counts none)"
            )
    if 0 in lengths and len(lengths) > 1:
        raise ParameterError("k = 0 counts no k-mers: give it alone")
    return Params(tuple(sorted(lengths - {0})), canonical, trailing_garbage)


def check_small(parameters: Params, what: str) -> None:
    """Check that all k-mers are of those that any engine counts.

    Args:
        parameters: what is asked.
        what: who asks, in words.

    Raises:
        ParameterError: larger ones are asked for.
    """
    for k in parameters.large_k:
        raise ParameterError(
            f"k = {k}: {what} counts k-mers up to {SMALL_K}; `fanfold run` and arrays of tasks"
            f" count them up to {MAX_K}"
        )


def check_alphabet(alphabet: Alphabet) -> Alphabet:
    """Check that there is such an alphabet.

    Raises:
        ParameterError: there isn't.
    """
    if alphabet not in get_args(Alphabet):
        raise ParameterError(f"alphabet can't be {alphabet!r}: give 'any' or 'dna'")
    return alphabet


def _lengths(k: object) -> set[int]:
    if isinstance(k, str | bytes | bytearray):  # which are iterable
        raise _no_k(k)
    try:
        return {_length(each) for each in k} if isinstance(k, Iterable) else {_length(k)}
    except TypeError as error:
        raise _no_k(k) from error


def _length(k: object) -> int:
    """A whole number, of whatever library; `True` is none."""
    if isinstance(k, bool):
        raise _no_k(k)
    try:
        return operator.index(k)  # type: ignore[arg-type] # which it refuses
    except TypeError as error:
        raise _no_k(k) from error


def _no_k(value: object) -> ParameterError:
    return ParameterError(f"k is 5 or [5, 8], not {repr(value)[:80]}")


def parse_size(text: str) -> int:
    """The bytes that a size such as ``100MiB``, ``64kB`` or ``1000`` means.

    Raises:
        ParameterError: it is no size.
    """
    match = _SIZE.fullmatch(text.strip())
    if not match or match[2].lower() not in _UNITS:
        raise ParameterError(f"{text!r} is not a size: write 1000, 64kB, 100MiB or 2GiB")
    whole, _, decimals = match[1].partition(".")
    tenths: int = 10 ** len(decimals)
    return int(whole + decimals) * _UNITS[match[2].lower()] // tenths


def check_positive(name: str, value: int | None) -> int | None:
    """A value that may be left out, if it is 1 or more.

    Raises:
        ParameterError: it is not.
    """
    value = check_whole(name, value)
    if value is not None and value < 1:
        raise ParameterError(f"{name} must be 1 or more, not {value}")
    return value


def check_whole(name: str, value: object) -> int | None:
    """A value that may be left out, if it is a whole number, of whatever library.

    Raises:
        ParameterError: it is not.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        raise _of_another_type(name, "a whole number", value)
    try:
        return operator.index(value)  # type: ignore[arg-type] # which it refuses
    except TypeError as error:
        raise _of_another_type(name, "a whole number", value) from error


def check_flags(**flags: object) -> None:
    """Check that each is True or False.

    Raises:
        ParameterError: one is not.
    """
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise _of_another_type(name, "True or False", value)


def check_texts(**texts: object) -> None:
    """Check that each is text, or left out.

    Raises:
        ParameterError: one is not.
    """
    for name, value in texts.items():
        if value is not None and not isinstance(value, str):
            raise _of_another_type(name, "text", value)


def check_call(name: str, value: object) -> None:
    """Check that a value that may be left out can be called.

    Raises:
        ParameterError: it can't.
    """
    if value is not None and not callable(value):
        raise _of_another_type(name, "a function", value)


def check_executor(executor: object) -> None:
    """Check that an executor, which may be left out, takes tasks.

    Raises:
        ParameterError: it doesn't.
    """
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise _of_another_type("executor", "a concurrent.futures.Executor", executor)


def _of_another_type(name: str, wanted: str, value: object) -> ParameterError:
    return ParameterError(f"{name} must be {wanted}, not {repr(value)[:80]}")
