"""The plan: what is read, how it is cut, and what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Literal

import msgspec

from fanfold._kernel import VERSION
from fanfold.archives.formats import Compression
from fanfold.errors import PlanError
from fanfold.objects import STDIN, Source
from fanfold.params import DEFAULT_SLICE_BYTES, Params
from fanfold.report.master import SCHEMA

MAX_ARRAY_SLICES = 10_000
"""The most children that an array job has."""

_MIN_LOCAL_SLICE_BYTES = 1024**2
_SLICES_PER_WORKER = 2

Cut = Literal["ranges", "blocks", "text"]
"""How an object is cut: into ranges of its bytes, into its BGZF blocks, or, once it is inflated,
into ranges of its text."""

CUTS: dict[Compression, Cut] = {"none": "ranges", "bgzf": "blocks"}


class Slice(msgspec.Struct, frozen=True, omit_defaults=True):
    """A range [start_byte, end_byte) of the object, or of its text when `Plan.cut` is ``text``.

    Attributes:
        index: its place, from 0.
        start_byte: where it starts.
        end_byte: where it ends.
        object: the object of its own that holds the text, or a copy of the range, if one was
            made; named as `Plan.object_name` says.
        crc64nvme: the CRC-64/NVME of its text, in hexadecimal, if that was written out.
    """

    index: int
    start_byte: int
    end_byte: int
    object: str | None = None
    crc64nvme: str | None = None

    @property
    def size_bytes(self) -> int:
        """How long the range is."""
        return self.end_byte - self.start_byte


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A job: everything that a task needs beside its index.

    Attributes:
        schema: the version of this form.
        version: the fanfold that made it.
        job: a hash of source, parameters and version.
        source: the pinned input.
        compression: what its bytes are.
        parameters: what is asked.
        cut: how it is cut.
        slice_bytes: the size of a slice.
        slices: the slices; None while a stream that is inflated has not ended.
        apart: whether the slices' own objects are not beside the plan: those of a plan in
            ``results/<job>/`` are in ``chunks/<job>/`` then, where a bucket can let them expire.
        object_crc64nvme: the CRC-64/NVME of the object, in hexadecimal, when the inflater made it.
        text_bytes: the length of the text, when the inflater counted it.
        object_bytes: the size of the object, when its source didn't tell (standard input).
    """

    schema: int
    version: str
    job: str
    source: Source
    compression: Compression
    parameters: Params
    cut: Cut
    slice_bytes: int
    slices: tuple[Slice, ...] | None = None
    apart: bool = False
    object_crc64nvme: str | None = None
    text_bytes: int | None = None
    object_bytes: int | None = None

    @property
    def size_bytes(self) -> int:
        """The size of the object."""
        return self.source.size_bytes if self.object_bytes is None else self.object_bytes

    def known_slices(self) -> tuple[Slice, ...]:
        """The slices.

        Raises:
            PlanError: they are not known yet.
        """
        if self.slices is None:
            raise PlanError(
                f"the plan of {self.source.name} belongs to a run that was stopped while it"
                " inflated its input, or still does: start that run again, or plan anew"
            )
        return self.slices

    def chunk_name(self, index: int, suffix: str) -> str:
        """The name of a slice's file, relative to the plan's folder."""
        return f"chunks/{self.source.name}.chunk{index:04d}.{suffix}"

    def object_name(self, index: int) -> str:
        """The name of a slice's own object."""
        if self.apart:
            return f"{self.source.name}.chunk{index:04d}"
        return self.chunk_name(index, "fa")


def make_plan(
    source: Source, compression: Compression, parameters: Params, slice_bytes: int
) -> Plan:
    """The plan of a job. An object that can't be cut has no slices until it was inflated.

    Standard input can't be cut, whatever it is.
    """
    cut = "text" if source.url == STDIN else CUTS.get(compression, "text")
    return Plan(
        schema=SCHEMA,
        version=VERSION,
        job=job_of(source, parameters),
        source=source,
        compression=compression,
        parameters=parameters,
        cut=cut,
        slice_bytes=slice_bytes,
        slices=None if cut == "text" else cut_ranges(source.size_bytes, slice_bytes),
    )


def job_of(source: Source, parameters: Params) -> str:
    """The identity of a job: the same for the same source, parameters and version."""
    import hashlib  # noqa: PLC0415 - slow to load, and nothing else needs it

    identity = msgspec.json.encode([SCHEMA, VERSION, source, parameters])
    return hashlib.sha256(identity).hexdigest()[:20]


def cut_ranges(size_bytes: int, slice_bytes: int) -> tuple[Slice, ...]:
    """Slices of `slice_bytes` that tile an object: one at least, the last may be shorter."""
    starts = range(0, max(size_bytes, 1), slice_bytes)
    return tuple(
        Slice(index, start, min(start + slice_bytes, size_bytes))
        for index, start in enumerate(starts)
    )


def local_slice_bytes(size_bytes: int, workers: int) -> int:
    """The default size of a slice on one machine: smaller for small inputs, so that all work."""
    even = -(-size_bytes // (workers * _SLICES_PER_WORKER))
    return min(DEFAULT_SLICE_BYTES, max(_MIN_LOCAL_SLICE_BYTES, even))


def array_slice_bytes(size_bytes: int, wanted_bytes: int) -> int:
    """The size of a slice in an array: `wanted_bytes`, or more if that made too many."""
    return max(wanted_bytes, -(-size_bytes // MAX_ARRAY_SLICES))


def encode_plan(plan: Plan) -> bytes:
    """The plan as `plan.json`."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n"


def decode_plan(data: bytes, where: str) -> Plan:
    """The plan in a `plan.json` that is at `where`.

    Raises:
        PlanError: it is none, or was made by another version.
    """
    try:
        made_by = msgspec.json.decode(data, type=_MadeBy)
        if (made_by.schema, made_by.version) != (SCHEMA, VERSION):
            raise PlanError(
                f"{where}: made by fanfold {made_by.version}, and this is {VERSION}:"
                " use that one, or plan anew"
            )
        plan = msgspec.json.decode(data, type=Plan)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{where}: not a plan ({error}); plan anew") from error
    if plan.job != job_of(plan.source, plan.parameters):
        raise PlanError(f"{where}: its parameters were changed after it was made; plan anew")
    size_bytes = plan.text_bytes if plan.cut == "text" else plan.source.size_bytes
    if plan.slices is not None and not _tile(plan.slices, size_bytes):
        raise PlanError(f"{where}: its slices don't tile the input; plan anew")
    if PurePath(plan.source.name).name != plan.source.name or any(
        each.object not in {None, plan.object_name(each.index)} for each in plan.slices or ()
    ):
        raise PlanError(f"{where}: names files outside its folder; plan anew")
    return plan


def name_in_plan(data: bytes) -> str | None:
    """The name of the input of a plan, of whatever version; None for what is no plan."""
    try:
        return msgspec.json.decode(data, type=_MadeBy).source.name
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class _Named(msgspec.Struct):
    name: str


class _MadeBy(msgspec.Struct):
    schema: int
    version: str
    job: str
    source: _Named


def _tile(slices: Sequence[Slice], size_bytes: int | None) -> bool:
    end_byte = 0
    for index, each in enumerate(slices):
        if each.index != index or each.start_byte != end_byte or each.end_byte < end_byte:
            return False
        end_byte = each.end_byte
    return bool(slices) and end_byte == size_bytes
