"""Copies of an object's slices, made in its store, that stand for the object."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec

from fanfold.archives.bgzf import BgzfSlice
from fanfold.engine.progress import Watch
from fanfold.errors import PlanError
from fanfold.flow.plan import Plan, Slice
from fanfold.flow.run_folder import RunFolder
from fanfold.objects import BLOCK_BYTES, Place, copy_range, read_blocks, shown, stat_source

_COPIES_AT_ONCE = 32
_LOOKS_AT_ONCE = 32


class Copies:
    """Reads a plan's input from the copies of its slices.

    Args:
        plan: the plan.
        objects: where they are.
    """

    def __init__(self, plan: Plan, objects: Place) -> None:
        self._plan = plan
        self._objects = objects

    def read(
        self, start_byte: int, end_byte: int, block_bytes: int = BLOCK_BYTES, /
    ) -> Iterator[memoryview]:
        """The bytes [start_byte, end_byte) of the input; as `fanfold.objects.read_blocks`.

        Raises:
            SourceError: a copy can't be read.
            PlanError: a copy is not as large as what it was made of.
        """
        for each in self._plan.known_slices():
            start, end = max(start_byte, each.start_byte), min(end_byte, each.end_byte)
            if start >= end:
                continue
            copy = stat_source(self._objects.where(self._plan.object_name(each.index)))
            if copy.size_bytes != each.size_bytes:
                raise PlanError(f"{shown(copy.url)}: not the copy that was made there; plan anew")
            offset_byte = each.start_byte
            yield from read_blocks(copy, start - offset_byte, end - offset_byte, block_bytes)


def copy_slices(folder: RunFolder, watch: Watch | None = None) -> Plan:
    """Copy every slice of a plan's input into an object of its own; the plan with them.

    The store copies, and demands the pinned ETag. Slices of BGZF are moved to where blocks start,
    so that each copy is a row of whole blocks. A copy of the right size is not made again: its
    place is this job's alone, and the job pins the input.

    Args:
        folder: the plan, and where its results go.
        watch: may stop it after a copy.

    Raises:
        Cancelled: the watch stopped it; the copies that were made stay for the next call.
        SourceChangedError: the input changed.
        SourceError: it can't be read or copied.
    """
    plan, objects = folder.plan, folder.objects
    watch = watch or Watch(plan.size_bytes, None)
    if plan.cut == "blocks":
        plan = msgspec.structs.replace(plan, slices=_at_blocks(plan))
    plan = msgspec.structs.replace(
        plan,
        slices=tuple(
            msgspec.structs.replace(each, object=plan.object_name(each.index))
            for each in plan.known_slices()
        ),
    )

    copied = objects.sizes()

    def copy(each: Slice) -> None:
        name = plan.object_name(each.index)
        if copied.get(name) != each.size_bytes:
            copy_range(plan.source, each.start_byte, each.end_byte, objects, name)
            watch.check()  # not before: however late, a call makes at least one copy more

    with ThreadPoolExecutor(_COPIES_AT_ONCE, "fanfold-copy") as pool:
        for _ in pool.map(copy, plan.known_slices()):
            pass
    return plan


def _at_blocks(plan: Plan) -> tuple[Slice, ...]:
    """The slices, each moved on to the first block that starts in it; those without one go."""
    slices = plan.known_slices()

    def first_block(each: Slice) -> int | None:
        looked = BgzfSlice(plan.source, each.start_byte, each.end_byte)
        return looked.find_first_block()

    with ThreadPoolExecutor(_LOOKS_AT_ONCE, "fanfold-look") as pool:
        found = pool.map(first_block, slices[1:])
        starts = [0, *(start for start in found if start is not None)]
    ends = [*starts[1:], plan.source.size_bytes]
    return tuple(
        Slice(index, start, end)
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    )
