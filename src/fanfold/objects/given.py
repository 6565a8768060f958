"""Inputs that the caller holds: bytes, and binary files that are open.

They are read once, from where they are to their end, as standard input is.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from fanfold.errors import ParameterError, SourceError
from fanfold.objects.source import BLOCK_BYTES
from fanfold.shown import escaped, shortened, without_secrets

if TYPE_CHECKING:
    from typing_extensions import Buffer, TypeIs


class BinaryFile(Protocol):
    """A file that is open for bytes: `open(path, "rb")`, `io.BytesIO`, an answer of the web."""

    def read(self, size: int, /) -> bytes | None:
        """At most `size` bytes; none at the end."""


def is_location(given: object) -> TypeIs[str | os.PathLike[str]]:
    """Whether an input is given as a path or URL."""
    return isinstance(given, str | os.PathLike)


def path_of(location: object, argument: str | None = None) -> str:
    """A path or URL as text.

    Args:
        location: it.
        argument: what the caller's argument is called, if it is no input.

    Raises:
        ParameterError: it is neither, or no path can be like it.
    """
    try:
        path = os.fspath(location) if is_location(location) else None
    except TypeError:  # what a class of the caller's gives is no text
        path = None
    if not isinstance(path, str):
        if argument is not None:
            raise ParameterError(f"{argument} must be a path or a URL, not {_kind(location)}")
        raise ParameterError(
            f"an input is a path or a URL here, not {_kind(location)}; fanfold.run and"
            " fanfold.stats take bytes and open files"
        )
    if "\0" in path:
        raise ParameterError(f"{shortened(escaped(path))}: has a NUL, as no path and no URL has")
    return path


def paths_of(locations: Iterable[object]) -> list[str]:
    """Paths and URLs as text.

    Raises:
        ParameterError: one is neither, or there is one path where a list of them is asked for.
    """
    if is_location(locations) or not isinstance(locations, Iterable):
        raise ParameterError(f"give a list of paths and URLs, not {_kind(locations)}")
    return [path_of(location) for location in locations]


def blocks_of(given: Buffer | BinaryFile, name: str) -> Iterator[memoryview]:
    """All bytes of a buffer, or of a file from where it is; the file stays open.

    Args:
        given: the buffer or the file.
        name: what errors call it.

    Raises:
        ParameterError: it is neither, or a file of text.
        SourceError: while it is read: it can't be.
    """
    if isinstance(given, io.TextIOBase):
        raise _is_text(name)
    try:
        view = memoryview(given)  # type: ignore[arg-type] # a file is refused
    except TypeError:
        if not callable(getattr(given, "read", None)):
            raise ParameterError(
                f"an input is a path, a URL, bytes or a binary file, not {_kind(given)}"
            ) from None
        return _read_file(given, name)  # type: ignore[arg-type] # it has `read`
    if not view.c_contiguous:
        raise ParameterError(f"{name}: the bytes have gaps in memory; give a contiguous buffer")
    return _cut(view)


def _cut(view: memoryview) -> Iterator[memoryview]:
    if view.nbytes:
        flat = view.cast("B")
        for start_byte in range(0, flat.nbytes, BLOCK_BYTES):
            yield flat[start_byte : start_byte + BLOCK_BYTES]


def _read_file(file: BinaryFile, name: str) -> Iterator[memoryview]:
    while True:
        try:
            block: object = file.read(BLOCK_BYTES)
        except Exception as error:  # a file may be anybody's, and raise anything
            said = without_secrets(f"{type(error).__name__}: {error}")
            raise SourceError(f"{name}: the file can't be read ({said})") from error
        if block is None:
            raise SourceError(
                f"{name}: the file has no bytes yet; give one that waits for them (blocking)"
            )
        if isinstance(block, str):
            raise _is_text(name)
        if not isinstance(block, bytes | bytearray | memoryview):
            raise ParameterError(f"{name}: the file gives {_kind(block)}, not bytes")
        if not block:
            return
        yield memoryview(block)


def _is_text(name: str) -> ParameterError:
    return ParameterError(f"{name}: the file is open as text; open it with mode 'rb'")


def _kind(value: object) -> str:
    return f"an object of type {type(value).__name__}"
