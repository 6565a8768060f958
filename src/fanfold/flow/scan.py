"""The scan: from bytes to a summary, and from a slice of a plan to its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from fanfold._kernel import Scanner, Summary, crc64nvme
from fanfold.archives.bgzf import BgzfSlice, Read
from fanfold.archives.starts import WINDOW_BYTES, inflate_from
from fanfold.errors import ArchiveError, ParameterError, PlanError
from fanfold.flow.copies import Copies
from fanfold.flow.memory import BLOCK_MEMORY_BYTES, Take, unbounded
from fanfold.flow.plan import Plan, Slice
from fanfold.flow.slice_file import Failure, SliceResult
from fanfold.objects import Place, read_blocks, read_head, shown, stat_source
from fanfold.params import DEFAULT_K, check_params, check_small

if TYPE_CHECKING:
    from typing_extensions import Buffer

Watch = Callable[[int], None]
"""Is told of bytes of the input that were read; may raise to stop the scan."""


def scan(data: Buffer, k: Iterable[int] | int = DEFAULT_K) -> Summary:
    """The summary of some bytes of a FASTA text, cut anywhere.

    Args:
        data: the bytes; not to be written to meanwhile.
        k: the k-mers that will be asked for, 1 to 8.

    Raises:
        ParameterError: a k that can't be, or data that are no bytes.
    """
    parameters = check_params(k, canonical=False)
    check_small(parameters, "`fanfold.scan`")
    scanner = Scanner(parameters.dense_k)
    try:
        scanner.update(data)
    except (TypeError, BufferError) as error:
        raise ParameterError(f"data must be bytes, not {repr(data)[:80]} ({error})") from error
    return scanner.finish()


def scan_slice(
    plan: Plan,
    each: Slice,
    objects: Place,
    watch: Watch,
    *,
    take: Take = unbounded,
    begin_byte: int | None = None,
) -> SliceResult:
    """The result of one slice of a plan.

    Args:
        plan: the plan.
        each: the slice.
        objects: where the objects of the plan's slices are.
        watch: is told of bytes of the input that were read.
        take: is told of the memory that rows take, as they grow.
        begin_byte: where a slice of BGZF blocks has to begin, if that is known.

    Raises:
        SourceError: the input can't be read, or changed.
        PlanError: the text that the plan wrote out, or a copy, is not what it was.
    """
    if plan.cut == "text":
        return _scan_text(plan, each, objects, watch, take)
    read: Read = partial(read_blocks, plan.source)
    if each.object is not None:
        read = Copies(plan, objects).read
    return scan_range(plan, each, read, watch, take=take, begin_byte=begin_byte)


def scan_range(
    plan: Plan,
    each: Slice,
    read: Read,
    watch: Watch,
    *,
    take: Take = unbounded,
    begin_byte: int | None = None,
) -> SliceResult:
    """The result of a slice that is a range of the object's bytes, which `read` reads.

    Args and errors are those of `scan_slice`.
    """
    if plan.cut == "blocks":
        return _scan_blocks(plan, each, read, watch, take=take, begin_byte=begin_byte)
    blocks = read(each.start_byte, each.end_byte)
    return scan_stream(plan, each, _watched(blocks, watch), take)


def scan_stream(plan: Plan, each: Slice, blocks: Iterable[Buffer], take: Take) -> SliceResult:
    """The result of a slice whose bytes, or whose text, come in as `blocks`."""
    scanner = Scanner(plan.parameters.dense_k, plan.parameters.packed_k)
    crc = memory_bytes = 0
    for block in blocks:
        crc = crc64nvme(block, crc)
        scanner.update(block)
        before_bytes, memory_bytes = memory_bytes, scanner.rows_memory_bytes
        take(memory_bytes - before_bytes)
    return SliceResult(
        index=each.index,
        start_byte=each.start_byte,
        end_byte=each.end_byte,
        summary=scanner.finish(),
        crc64nvme=crc,
        owned_start_byte=each.start_byte,
        owned_end_byte=each.end_byte,
        rows_memory_bytes=memory_bytes,
        packed=scanner.packed if plan.parameters.large_k else None,
    )


def _scan_text(plan: Plan, each: Slice, objects: Place, watch: Watch, take: Take) -> SliceResult:
    if each.start_bit is not None:
        return _scan_from_start(plan, each, each.start_bit, objects, watch, take=take)
    if each.object is None:
        raise PlanError(
            f"the text of slice {each.index} was not kept: its run inflates the input itself."
            " Start that run again, or plan anew"
        )
    text = stat_source(objects.where(each.object))
    blocks = _watched(read_blocks(text, 0, text.size_bytes), watch)
    result = scan_stream(plan, each, blocks, take)
    if f"{result.crc64nvme:016x}" != each.crc64nvme:
        raise PlanError(
            f"{shown(text.url)}: not the text that the plan wrote there; plan anew, with --fresh"
        )
    return result


def _scan_from_start(
    plan: Plan, each: Slice, start_bit: int, objects: Place, watch: Watch, *, take: Take
) -> SliceResult:
    """The result of a slice that is inflated from its start point in a gzip object."""
    source = plan.source
    kept = None if each.object is None else stat_source(objects.where(each.object))
    what = f"{source.name}: bit {start_bit}" if kept is None else shown(kept.url)
    refusal = PlanError(
        f"{what}: not the start that the plan found for slice {each.index}; plan anew, with --fresh"
    )
    if kept is not None and kept.size_bytes != WINDOW_BYTES:
        raise refusal
    window = None if kept is None else read_head(kept, WINDOW_BYTES)
    stored = read_blocks(source, start_bit // 8, plan.stored_end_byte(each.index))
    text = inflate_from(source, start_bit, window, _counted(stored, watch))
    try:
        result = scan_stream(plan, each, _first_bytes(text, each.size_bytes), take)
    except ArchiveError as error:
        raise refusal from error
    if f"{result.crc64nvme:016x}" != each.crc64nvme:
        raise refusal
    return result


def _first_bytes(blocks: Iterator[bytes], count_bytes: int) -> Iterator[memoryview]:
    """The first bytes of some text, no block beyond which is asked for."""
    while count_bytes > 0 and (block := next(blocks, b"")):
        piece = memoryview(block)[:count_bytes]
        count_bytes -= len(piece)
        yield piece


def _scan_blocks(
    plan: Plan, each: Slice, read: Read, watch: Watch, *, take: Take, begin_byte: int | None
) -> SliceResult:
    blocks = BgzfSlice(
        plan.source,
        each.start_byte,
        each.end_byte,
        begin_byte,
        read=read,
        ignores_garbage=plan.parameters.ignores_garbage,
    )
    scanner = Scanner(plan.parameters.dense_k, plan.parameters.packed_k)
    seen_byte = blocks.owned_end_byte
    memory_bytes = 0
    failure = None
    try:
        for text in blocks:
            scanner.update(text)
            watch(blocks.owned_end_byte - seen_byte)
            seen_byte = blocks.owned_end_byte
            before_bytes = memory_bytes
            memory_bytes = scanner.rows_memory_bytes
            memory_bytes += BLOCK_MEMORY_BYTES * len(blocks.block_start_bytes)
            take(memory_bytes - before_bytes)
    except ArchiveError as error:
        failure = Failure(error.offset_byte, str(error).removeprefix(f"{error.source}: "))
    return SliceResult(
        index=each.index,
        start_byte=each.start_byte,
        end_byte=each.end_byte,
        summary=scanner.finish(),
        crc64nvme=blocks.crc64nvme,
        owned_start_byte=blocks.owned_start_byte,
        owned_end_byte=blocks.owned_end_byte,
        block_start_bytes=blocks.block_start_bytes,
        block_text_bytes=blocks.block_text_bytes,
        has_plain_member=blocks.has_plain_member,
        garbage_bytes=blocks.garbage_bytes,
        failure=failure,
        rows_memory_bytes=memory_bytes,
        packed=scanner.packed if plan.parameters.large_k else None,
    )


def _watched(blocks: Iterable[memoryview], watch: Watch) -> Iterator[memoryview]:
    for block in blocks:
        yield block
        watch(len(block))


def _counted(blocks: Iterable[memoryview], watch: Watch) -> Iterator[memoryview]:
    """Blocks that pass through; the last is counted though none is asked for after it."""
    for block in blocks:
        watch(len(block))
        yield block
