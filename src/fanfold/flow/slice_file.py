"""What a slice's task leaves behind: one JSON that people can read, and rows beside it.

The JSON begins with a checksum of all that follows it; it names the rows' file and their checksum.
Both appear whole or not at all, the JSON last: where it is valid, the slice is done. In an array
that counts k-mers from 9 on, its packed text is a file of its own, and written first.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

import msgspec

from fanfold._kernel import PackedText, Summary, crc64nvme
from fanfold.checked_json import Checked, DamagedDocument, encode_checked
from fanfold.flow.plan import Plan
from fanfold.report.ratio import percent
from fanfold.report.run_record import Count, Crc, FileFacts, facts_of


class Rows(msgspec.Struct, frozen=True):
    """The file of a slice's rows: the kernel's, then starts and text lengths of BGZF blocks.

    Attributes:
        file: its name, beside the JSON.
        size_bytes: its size.
        crc64nvme: its CRC-64/NVME, in hexadecimal.
        blocks: the number of BGZF blocks, 12 bytes each at the end.
        memory_bytes: the most memory that they take until their fold is done.
    """

    file: str
    size_bytes: Count
    crc64nvme: Crc
    blocks: Count
    memory_bytes: Count


class Failure(msgspec.Struct, frozen=True):
    """An archive's error that counts if the slice began where its neighbour ended."""

    offset_byte: int
    message: str


class SliceResult(msgspec.Struct, frozen=True):
    """A slice that was scanned.

    Attributes:
        index: its place in the plan.
        start_byte: where its range starts.
        end_byte: where it ends.
        summary: the summary of its text.
        crc64nvme: the CRC-64/NVME of the bytes it owned (of its text, for a slice of text).
        owned_start_byte: where they start.
        owned_end_byte: where they end.
        block_start_bytes: where each owned BGZF block starts.
        block_text_bytes: the length of each block's text.
        has_plain_member: whether a gzip member among them is no BGZF block.
        garbage_bytes: how many of the bytes it owned, the last, follow the archive's end.
        failure: why its archive can't be read, if it can't.
        rows_memory_bytes: the most memory that its rows and blocks take until their fold is done.
        packed: its text, packed for k-mers from 9 on; None for a result that was kept.
        text: the file of its packed text, for a result that was kept with it.
    """

    index: int
    start_byte: int
    end_byte: int
    summary: Summary
    crc64nvme: int
    owned_start_byte: int
    owned_end_byte: int
    block_start_bytes: array[int] = msgspec.field(default_factory=lambda: array("Q"))
    block_text_bytes: array[int] = msgspec.field(default_factory=lambda: array("I"))
    has_plain_member: bool = False
    garbage_bytes: int = 0
    failure: Failure | None = None
    rows_memory_bytes: int = 0
    packed: PackedText | None = None
    text: FileFacts | None = None

    @property
    def failed(self) -> bool:
        """Whether its archive can't be read."""
        return self.failure is not None


class _Document(msgspec.Struct, kw_only=True, omit_defaults=True):
    fanfold: str
    job: str
    plan: str
    index: Count
    start_byte: Count
    end_byte: Count
    total_bases: int
    gc_count: int
    gc_percent: float | None
    kmer_counts: msgspec.Raw
    owned_start_byte: Count
    owned_end_byte: Count
    crc64nvme: Crc
    has_plain_member: bool
    garbage_bytes: Count = 0
    failure: Failure | None
    rows: Rows | None
    packed: FileFacts | None = None
    state: msgspec.Raw


_DOCUMENT = Checked(_Document)

_NO_ROWS = b"\0"


class EncodedResult(NamedTuple):
    """A slice's files: its JSON, its rows and its packed text, if it has any."""

    document: bytes
    rows: bytes | None
    packed: bytes | None


def encode_result(result: SliceResult, plan: Plan) -> EncodedResult:
    """The files of a slice."""
    packed = None if result.packed is None else result.packed.to_bytes()
    summary = result.summary
    blocks = len(result.block_start_bytes)
    rows = summary.rows()
    if rows != _NO_ROWS or blocks:
        rows += result.block_start_bytes.tobytes() + result.block_text_bytes.tobytes()
    else:
        rows = b""
    document = _Document(
        fanfold=plan.version,
        job=plan.job,
        plan=plan.id,
        index=result.index,
        start_byte=result.start_byte,
        end_byte=result.end_byte,
        total_bases=summary.total_bases,
        gc_count=summary.gc_count,
        gc_percent=percent(summary.gc_count, summary.total_bases + summary.uracil_count),
        kmer_counts=msgspec.Raw(summary.kmer_counts_json(plan.parameters.small_k)),
        owned_start_byte=result.owned_start_byte,
        owned_end_byte=result.owned_end_byte,
        crc64nvme=f"{result.crc64nvme:016x}",
        has_plain_member=result.has_plain_member,
        garbage_bytes=result.garbage_bytes,
        failure=result.failure,
        rows=Rows(
            file=plan.chunk_name(result.index, "rows").rpartition("/")[2],
            size_bytes=len(rows),
            crc64nvme=f"{crc64nvme(rows):016x}",
            blocks=blocks,
            memory_bytes=result.rows_memory_bytes,
        )
        if rows
        else None,
        packed=None if packed is None else facts_of(packed),
        state=msgspec.Raw(summary.state_json()),
    )
    return EncodedResult(encode_checked(document), rows or None, packed)


class DamagedResult(Exception):  # noqa: N818 - not an error of the user's: the slice is done again
    """A slice's files are not what its task wrote."""


class KeptResult:
    """A slice's JSON that was read back, and is what a task of this plan wrote.

    Args:
        data: the JSON.
        plan: the plan.
        index: the slice.

    Attributes:
        rows: the file of rows to read, if there is one.

    Raises:
        DamagedResult: it is not.
    """

    def __init__(self, data: bytes, plan: Plan, index: int) -> None:
        self._plan = plan
        try:
            self._document = _DOCUMENT.decode(data)
        except DamagedDocument as error:
            raise DamagedResult from error
        document = self._document
        if (document.plan, document.index) != (plan.id, index):
            raise DamagedResult
        if plan.slices is not None:
            each = plan.slices[index]
            if (document.start_byte, document.end_byte) != (each.start_byte, each.end_byte):
                raise DamagedResult
        most_byte = max(plan.size_bytes, document.end_byte)
        if not document.owned_start_byte <= document.owned_end_byte <= most_byte:
            raise DamagedResult
        if document.garbage_bytes > document.owned_end_byte - document.owned_start_byte:
            raise DamagedResult
        self.rows = self._document.rows
        name = plan.chunk_name(index, "rows").rpartition("/")[2]
        if self.rows is not None and self.rows.file != name:
            raise DamagedResult

    def result(self, rows: bytes) -> SliceResult:
        """The result, with the bytes of its file of rows.

        Raises:
            DamagedResult: they are not what was written.
        """
        document = self._document
        blocks = 0
        if self.rows is not None:
            crc = f"{crc64nvme(rows):016x}"
            if (len(rows), crc) != (self.rows.size_bytes, self.rows.crc64nvme):
                raise DamagedResult
            blocks = self.rows.blocks
        block_starts, block_texts = array("Q"), array("I")
        starts_byte = len(rows) - blocks * (block_starts.itemsize + block_texts.itemsize)
        if starts_byte < 0:
            raise DamagedResult
        texts_byte = len(rows) - blocks * block_texts.itemsize
        block_starts.frombytes(rows[starts_byte:texts_byte])
        block_texts.frombytes(rows[texts_byte:])
        try:
            summary = Summary.from_forms(
                document.state,
                document.kmer_counts,
                memoryview(rows)[:starts_byte] if starts_byte else _NO_ROWS,
            )
        except ValueError as error:
            raise DamagedResult from error
        if not self._fits(summary, block_texts):
            raise DamagedResult
        return SliceResult(
            index=document.index,
            start_byte=document.start_byte,
            end_byte=document.end_byte,
            summary=summary,
            crc64nvme=int(document.crc64nvme, 16),
            owned_start_byte=document.owned_start_byte,
            owned_end_byte=document.owned_end_byte,
            block_start_bytes=block_starts,
            block_text_bytes=block_texts,
            has_plain_member=document.has_plain_member,
            garbage_bytes=document.garbage_bytes,
            failure=document.failure,
            rows_memory_bytes=0 if self.rows is None else self.rows.memory_bytes,
            text=document.packed,
        )

    def _fits(self, summary: Summary, block_text_bytes: array[int]) -> bool:
        """Whether a summary counts this plan's k-mers, and as many bytes as its slice has."""
        document, plan = self._document, self._plan
        if summary.k != plan.parameters.dense_k:
            return False
        if plan.cut == "blocks":
            return document.has_plain_member or summary.size_bytes == sum(block_text_bytes)
        range_bytes = (document.start_byte, document.end_byte)
        owned_bytes = (document.owned_start_byte, document.owned_end_byte)
        size_bytes = document.end_byte - document.start_byte
        return owned_bytes == range_bytes and summary.size_bytes == size_bytes
