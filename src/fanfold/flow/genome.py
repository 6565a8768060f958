"""An input: pinned, told by its first bytes, and read from its start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING

from fanfold._kernel import VERSION, Fault
from fanfold.archives.formats import HEAD_BYTES, Compression, detect_compression
from fanfold.errors import ParameterError
from fanfold.flow.first_text import check_first_text, first_text
from fanfold.flow.fold import fasta_error
from fanfold.flow.plan import Plan, make_plan
from fanfold.flow.scan import scan
from fanfold.objects import (
    STDIN,
    BinaryFile,
    Source,
    blocks_of,
    check_name,
    is_location,
    is_pipe,
    open_input,
    read_blocks,
    read_head,
)
from fanfold.params import Params

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Genome:
    """An input that a plan is to be made of.

    Args:
        given: its path or URL, ``-`` for standard input, or what the caller holds of it: bytes, or
            a binary file. These, a pipe, and what a web server sends from its start alone, can be
            read once.
        name: what to call one that is read once; bytes and files have to be called something.

    Attributes:
        source: it, pinned.

    Raises:
        ParameterError: the input or the name can't be.
        SourceError: there is no such input.
    """

    def __init__(
        self, given: str | os.PathLike[str] | Buffer | BinaryFile, name: str | None = None
    ) -> None:
        self._stream: Iterator[memoryview] | None
        if is_location(given):
            self.source, self._stream = open_input(given, name)
        else:
            blocks = blocks_of(given, "the input" if name is None else name)
            if name is None:
                raise ParameterError("bytes and open files have no name: give name=")
            self.source = _read_once(name)
            self._stream = blocks
        self._head = b""

    def plan(
        self,
        parameters: Params,
        slice_bytes: int,
        *,
        grows: bool = True,
        apart: bool = False,
        nonce: str = "",
        is_kept: bool = True,
        judges_small: bool = False,
        version: str = VERSION,
    ) -> Plan:
        """A new plan.

        Args:
            parameters: what is asked.
            slice_bytes: the size of a slice.
            grows: see `Plan`.
            apart: see `Plan`.
            nonce: see `Plan`.
            is_kept: see `make_plan`.
            judges_small: whether one whose first bytes are all it has is told of every fault here,
                so that no container is started for it.
            version: the version whose tasks will read it.

        Raises:
            FastaError: no later byte can make it FASTA.
            ParameterError: there would be too many slices.
            SourceError: it can't be read.
        """
        compression = self._compression()
        text = first_text(self.source, compression, self._head)
        check_first_text(self.source, compression, text)
        if judges_small and compression == "none" and len(self._head) == self.source.size_bytes:
            found = scan(self._head).findings()
            if isinstance(found, Fault):
                raise fasta_error(self.source.name, found.kind, found.offset_byte, found.byte)
        return make_plan(
            self.source,
            compression,
            parameters,
            slice_bytes,
            grows=grows,
            apart=apart,
            nonce=nonce,
            is_kept=is_kept,
            version=version,
        )

    def blocks(self) -> Iterator[memoryview]:
        """All its bytes, in order. A block holds until the next is asked for.

        Raises:
            SourceError: it can't be read, or changed.
        """
        if self._stream is None:
            yield from read_blocks(self.source, 0, self.source.size_bytes)
        else:
            if self._head:
                yield memoryview(self._head)
            yield from self._stream

    def _compression(self) -> Compression:
        if self._stream is None:
            self._head = self._head or read_head(self.source, HEAD_BYTES)
        else:
            while len(self._head) < HEAD_BYTES and (block := next(self._stream, None)):
                self._head += block
        return detect_compression(self._head)


def open_unnamed(given: str | os.PathLike[str] | Buffer | BinaryFile) -> Genome:
    """An input of which nothing is written: what has no name of its own is called something."""
    if not is_location(given):
        return Genome(given, "input")
    where = os.fspath(given)
    return Genome(where, PurePath(where).name if where != STDIN and is_pipe(where) else None)


def _read_once(name: str) -> Source:
    """The source that is read once, and can't be known again."""
    check_name(name, STDIN)
    return Source(STDIN, name, 0, f"stdin-{os.urandom(8).hex()}")
