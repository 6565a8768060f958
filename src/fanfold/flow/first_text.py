"""The first text of an input: what can't be FASTA is refused by it, whatever follows."""

from __future__ import annotations

import re

from fanfold._kernel import Fault
from fanfold.archives.formats import HEAD_BYTES, Compression
from fanfold.archives.inflate import inflate
from fanfold.archives.tail import Tail
from fanfold.errors import ArchiveError, FastaError, ParameterError
from fanfold.flow.fold import fasta_error
from fanfold.flow.scan import scan
from fanfold.objects import Source

FIRST_TEXT_BYTES = HEAD_BYTES
"""How much text is looked at."""

_WINDOW_BYTES = 8 * 1024**2
"""The most memory that is taken for an archive's window here."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_FASTQ = re.compile(rb"@[^\n]*\n[!-~]+\r?\n\+")
"""A read of FASTQ, up to its qualities."""

_EARLY = frozenset({"utf-16", "fastq", "sequence-before-header"})
"""Faults that no later byte can take away."""


def first_text(source: Source, compression: Compression, head: bytes) -> bytes:
    """The first `FIRST_TEXT_BYTES` of an input's text, or what its first bytes have of it.

    There is none if the archive is damaged there: that is left to the scan, and so is what follows
    the archive's end.

    Args:
        source: the input.
        compression: what its bytes are.
        head: its first `HEAD_BYTES`, or all of them if it has fewer.
    """
    if compression == "none":
        return head[:FIRST_TEXT_BYTES]
    head = head[:HEAD_BYTES]
    stream = "gzip" if compression == "bgzf" else compression
    text = bytearray()
    try:
        for block in inflate(source, stream, [head], _WINDOW_BYTES, Tail(source, is_ignored=True)):
            text += block
            if len(text) >= FIRST_TEXT_BYTES:
                break
    except ParameterError:  # a larger window
        pass
    except ArchiveError as error:
        is_cut_here = error.offset_byte == len(head) == HEAD_BYTES
        if not is_cut_here:
            return b""
    return bytes(text[:FIRST_TEXT_BYTES])


def check_first_text(source: Source, compression: Compression, text: bytes) -> None:
    """Check that a text may become FASTA.

    Args:
        source: the input.
        compression: what its bytes are.
        text: its first text.

    The text of an archive may be damaged where no checksum has been met yet. So it is refused here
    only if it is known what it is.

    Raises:
        FastaError: no later byte can make it FASTA. If it is known what it is, that is said.
    """
    found = scan(text).findings()
    if not isinstance(found, Fault):
        return
    is_early = found.kind in _EARLY
    before, rest = text[: found.offset_byte], text[found.offset_byte :]
    # No record started before it.
    if found.kind != "utf-16" and (is_early or not before.removeprefix(_BYTE_ORDER_MARK).strip()):
        from fanfold.archives.foreign import recognise  # noqa: PLC0415 - its patterns take time

        foreign = recognise(source, compression, rest)
        if foreign is not None:
            raise FastaError(source.name, found.offset_byte, foreign.message, foreign.kind)
    if is_early and (compression == "none" or _FASTQ.match(rest)):
        raise fasta_error(source.name, found.kind, found.offset_byte, found.byte)
