"""The first text of an input: what can't be FASTA is refused by it, whatever follows."""

from __future__ import annotations

import contextlib

from fanfold._kernel import Fault
from fanfold.archives.foreign import recognise
from fanfold.archives.formats import HEAD_BYTES, Compression
from fanfold.archives.inflate import inflate
from fanfold.errors import ArchiveError, FastaError, ParameterError
from fanfold.flow.fold import fasta_error
from fanfold.flow.scan import scan
from fanfold.objects import Source

FIRST_TEXT_BYTES = HEAD_BYTES
"""How much text is looked at."""

_WINDOW_BYTES = 8 * 1024**2
"""The most memory that is taken for an archive's window here."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_EARLY = frozenset({"utf-16", "fastq", "sequence-before-header"})
"""Faults that no later byte can take away."""


def first_text(source: Source, compression: Compression, head: bytes) -> bytes:
    """The first `FIRST_TEXT_BYTES` of an input's text, or what its first bytes have of it.

    Damage is left to the scan, which tells where it is.

    Args:
        source: the input.
        compression: what its bytes are.
        head: its first bytes.
    """
    if compression == "none":
        return head[:FIRST_TEXT_BYTES]
    text = bytearray()
    with contextlib.suppress(ArchiveError, ParameterError):
        stream = "gzip" if compression == "bgzf" else compression
        for block in inflate(source, stream, [head[:HEAD_BYTES]], _WINDOW_BYTES):
            text += block
            if len(text) >= FIRST_TEXT_BYTES:
                break
    return bytes(text[:FIRST_TEXT_BYTES])


def check_first_text(source: Source, compression: Compression, text: bytes) -> None:
    """Check that a text may become FASTA.

    Args:
        source: the input.
        compression: what its bytes are.
        text: its first text.

    Raises:
        FastaError: no later byte can make it FASTA. If it is known what it is, that is said.
    """
    found = scan(text).findings()
    if not isinstance(found, Fault):
        return
    # No record started before it.
    is_early = found.kind in _EARLY
    before = text[: found.offset_byte].removeprefix(_BYTE_ORDER_MARK)
    if found.kind != "utf-16" and (is_early or not before.strip()):
        foreign = recognise(source, compression, text[found.offset_byte :])
        if foreign is not None:
            raise FastaError(source.name, found.offset_byte, foreign.message, foreign.kind)
    if is_early:
        raise fasta_error(source.name, found.kind, found.offset_byte, found.byte)
