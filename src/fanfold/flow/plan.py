"""The plan: what is read, how it is cut, and what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

import msgspec

from fanfold._kernel import VERSION
from fanfold.archives.formats import Compression
from fanfold.checked_json import Checked, DamagedDocument, encode_checked
from fanfold.errors import ParameterError, PlanError
from fanfold.objects import Source, is_name, shown
from fanfold.params import DEFAULT_SLICE_BYTES, MAX_K, Params
from fanfold.report.master import SCHEMA
from fanfold.report.run_record import Count, Crc, Question, kmer_folder

PLAN_SCHEMA = 6
"""The version of the form of `plan.json`. A new `SCHEMA` of the report needs a new one too: both
are in the hashes."""

CHUNKS = "chunks"
"""The folder of all plans' work."""

WINDOWS = "windows"
"""The folder of a plan's windows, below that of its work."""

TABLES = "tables"
"""The folder of the tables of k-mers that tasks make, below that of a plan's work."""

PlanId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{20}$")]

MAX_SLICES = 10_000
"""The most slices of a plan: an array job has so many children."""

MAX_PARTITIONS = 32
"""The most partitions of a table of k-mers: each task reads all text."""

_PARTITION_BYTES = 192 * 1024**2
"""The text for each of which a table has one partition more."""

_BGZF_RATIO = 4
"""How much more text a BGZF object has than bytes, about: nobody knows before it is read."""

MIN_DEFAULT_SLICE_BYTES = 8 * 1024**2
"""The least that a slice has where nobody says: more than a lead, which is kept as it is."""

_ENCODER = msgspec.json.Encoder()

_SLICES_PER_WORKER = 2

Cut = Literal["ranges", "blocks", "text"]
"""How an object is cut: into ranges of its bytes, into its BGZF blocks, or, once it is inflated,
into ranges of its text."""

CUTS: dict[Compression, Cut] = {"none": "ranges", "bgzf": "blocks"}


class Slice(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A range [start_byte, end_byte) of the object, or of its text when `Plan.cut` is ``text``.

    Attributes:
        index: its place, from 0.
        start_byte: where it starts.
        end_byte: where it ends.
        object: the object of its own that holds the text, or a copy of the range, if one was
            made; named as `Plan.object_name` says. If it has a `start_bit`, the window of text
            before it, named as `Plan.window_name` says; None where a gzip member starts.
        crc64nvme: the CRC-64/NVME of its text, in hexadecimal, if the input was inflated.
        start_bit: where in the gzip object its text can be inflated from, in bits (byte
            ``start_bit // 8``, without its lowest ``start_bit % 8`` bits); None if the text was
            written out.
    """

    index: Count
    start_byte: Count
    end_byte: Count
    object: str | None = None
    crc64nvme: Crc | None = None
    start_bit: Count | None = None

    @property
    def size_bytes(self) -> int:
        """How long the range is."""
        return self.end_byte - self.start_byte


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question and how its input is cut: everything that a task needs beside its index.

    Attributes:
        schema: the version of this form.
        version: the fanfold that made it.
        job: the hash of the question: source, parameters and version.
        id: the hash of job, cut and `nonce`; what the plan's work is named after.
        source: the pinned input.
        compression: what its bytes are.
        parameters: what is asked.
        cut: how it is cut.
        slice_bytes: the size of a slice.
        grows: whether slices of text grow where 10,000 would not be enough; those whose size the
            user gave don't.
        slices: the slices; None while a stream that is inflated has not ended.
        apart: if true, slice objects are in ``chunks/<job>/`` of the bucket, where a lifecycle
            rule can expire them, and not beside the slice results.
        nonce: random when the question was asked afresh, so that no earlier work is taken up.
        replaces: ids of the plans whose work goes when this one's report is there.
        object_crc64nvme: the CRC-64/NVME of the object, in hexadecimal, when the inflater made it.
        text_bytes: the length of the text, when the inflater counted it.
        object_bytes: the size of the object, when its source didn't tell (a stream).
        gzi_crc64nvme: the CRC-64/NVME of the `.gzi` index, in hexadecimal, when the inflater made
            it: of BGZF that can't be cut (a stream).
        garbage_bytes: how many bytes after the archive's end were ignored, when the inflater
            counted them.
    """

    schema: int
    version: str
    job: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{20}$")]
    id: PlanId
    source: Source
    compression: Compression
    parameters: Params
    cut: Cut
    slice_bytes: Annotated[int, msgspec.Meta(ge=1)]
    grows: bool = True
    slices: Annotated[tuple[Slice, ...], msgspec.Meta(min_length=1)] | None = None
    apart: bool = False
    nonce: str = ""
    replaces: tuple[PlanId, ...] = ()
    object_crc64nvme: Crc | None = None
    text_bytes: Count | None = None
    object_bytes: Count | None = None
    gzi_crc64nvme: Crc | None = None
    garbage_bytes: Count = 0

    def __repr__(self) -> str:
        # Of 10,000 slices, and of a URL that may have a password.
        count = None if self.slices is None else len(self.slices)
        return (
            f"<Plan {self.id} of {self.source.name!r}: compression={self.compression}"
            f" cut={self.cut} k={self.parameters.k} slices={count}>"
        )

    @property
    def size_bytes(self) -> int:
        """The size of the object."""
        return self.source.size_bytes if self.object_bytes is None else self.object_bytes

    @property
    def question(self) -> Question:
        """What the plan answers."""
        return question_of(self.source, self.parameters, self.version)

    @property
    def folder(self) -> str:
        """The folder of the plan's work, relative to the plan's own."""
        return f"{CHUNKS}/{self.id}"

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
        return f"{self.folder}/{self.source.name}.chunk{index:04d}.{suffix}"

    @property
    def gzi_name(self) -> str:
        """The name of the `.gzi` index that the inflater made."""
        return f"{self.folder}/{self.source.name}.gzi"

    def object_name(self, index: int) -> str:
        """The name of a slice's own object."""
        if self.apart:
            return f"{self.source.name}.chunk{index:04d}"
        return self.chunk_name(index, "fa")

    def window_name(self, index: int) -> str:
        """The name of the text before a slice that is inflated from inside a gzip member."""
        return f"{self.windows_folder}/{self.source.name}.chunk{index:04d}.window"

    @property
    def windows_folder(self) -> str:
        """The folder of the windows, relative to where the slices' own objects are."""
        return WINDOWS if self.apart else f"{self.folder}/{WINDOWS}"

    def kmer_folder(self, k: int) -> str:
        """The folder in which a table of k-mers is made, relative to the plan's place."""
        return f"{self.folder}/{kmer_folder(k)}"

    @property
    def partitions(self) -> int:
        """How many tasks count the k-mers of one k from 9 on, each a range of whole parts."""
        size_bytes = self.size_bytes * (_BGZF_RATIO if self.cut == "blocks" else 1)
        text_bytes = size_bytes if self.text_bytes is None else self.text_bytes
        return min(max(1, -(-text_bytes // _PARTITION_BYTES)), MAX_PARTITIONS)

    @property
    def counts(self) -> list[tuple[int, int]]:
        """The k and the partition of each task that counts k-mers from 9 on, by its index."""
        return [(k, each) for k in self.parameters.large_k for each in range(self.partitions)]

    @property
    def tables_folder(self) -> str:
        """The folder of the tables that tasks make, relative to the plan's place."""
        return f"{self.folder}/{TABLES}"

    @property
    def seams_name(self) -> str:
        """The name of the packed text that joins the slices."""
        return f"{self.folder}/{self.source.name}.seams.packed"

    @property
    def text_name(self) -> str:
        """The name of what says which packed text there is."""
        return f"{self.folder}/{self.source.name}.text.json"

    def stored_end_byte(self, index: int) -> int:
        """Where in the gzip object the bytes end that hold a slice's text."""
        slices = self.known_slices()
        end_bit = slices[index + 1].start_bit if index + 1 < len(slices) else None
        return self.source.size_bytes if end_bit is None else -(-end_bit // 8)

    @property
    def is_inflated_by_tasks(self) -> bool:
        """Whether tasks inflate their slices of a gzip object."""
        return self.slices is not None and self.slices[0].start_bit is not None


def make_plan(
    source: Source,
    compression: Compression,
    parameters: Params,
    slice_bytes: int,
    *,
    grows: bool = True,
    apart: bool = False,
    nonce: str = "",
    is_kept: bool = True,
    version: str = VERSION,
) -> Plan:
    """The plan of a job. An object that can't be cut has no slices until it was inflated.

    A stream can't be cut, whatever it is. Unless `is_kept`, no results are kept under the names of
    job and plan, and these are empty: to load what hashes them takes as long as to scan a small
    genome. The other arguments are fields of `Plan`.

    Raises:
        ParameterError: there would be too many slices.
    """
    cut = _cut_of(source, compression)
    size_bytes = source.size_bytes
    count = -(-size_bytes // slice_bytes)
    if cut != "text" and count > MAX_SLICES:
        raise ParameterError(
            f"{source.name}: slices of {slice_bytes} bytes would be {count:,}, more than"
            f" {MAX_SLICES:,}; give --slice-size {array_slice_bytes(size_bytes, 1)}, or more"
        )
    plan = Plan(
        schema=PLAN_SCHEMA,
        version=version,
        job=job_of(source, parameters, version) if is_kept else "",
        id="",
        source=source,
        compression=compression,
        parameters=parameters,
        cut=cut,
        slice_bytes=slice_bytes,
        grows=grows,
        slices=None if cut == "text" else cut_ranges(size_bytes, slice_bytes),
        apart=apart,
        nonce=nonce,
    )
    return msgspec.structs.replace(plan, id=_id_of(plan)) if is_kept else plan


def _cut_of(source: Source, compression: Compression) -> Cut:
    return "text" if source.is_stream else CUTS.get(compression, "text")


def _id_of(plan: Plan) -> str:
    return _hash([plan.job, plan.cut, plan.slice_bytes, plan.grows, plan.apart, plan.nonce])


def job_of(source: Source, parameters: Params, version: str = VERSION) -> str:
    """The identity of a job: the same for the same source, parameters and version."""
    return _hash([SCHEMA, version, source, parameters])


def question_of(source: Source, parameters: Params, version: str = VERSION) -> Question:
    """What a run asks of a pinned input."""
    return Question(
        job=job_of(source, parameters, version),
        location=shown(source.url),
        name=source.name,
        parameters=parameters,
        version=version,
    )


def _hash(identity: list[object]) -> str:
    import hashlib  # noqa: PLC0415 - slow to load, and nothing else needs it

    return hashlib.sha256(_ENCODER.encode(identity)).hexdigest()[:20]


def cut_ranges(size_bytes: int, slice_bytes: int) -> tuple[Slice, ...]:
    """Slices of `slice_bytes` that tile an object: one at least, the last may be shorter."""
    starts = range(0, max(size_bytes, 1), slice_bytes)
    return tuple(
        Slice(index, start, min(start + slice_bytes, size_bytes))
        for index, start in enumerate(starts)
    )


def default_slice_bytes(size_bytes: int, workers: int = 0) -> int:
    """The size of a slice where nobody says: at most 100 MiB, less so that all workers have work.

    Slices are even, and none has less than `MIN_DEFAULT_SLICE_BYTES`, unless there is but one.
    """
    wanted = workers * _SLICES_PER_WORKER
    # The last one is the shorter by up to a byte for every other.
    most = size_bytes // (MIN_DEFAULT_SLICE_BYTES + wanted)
    count = max(1, -(-size_bytes // DEFAULT_SLICE_BYTES), min(wanted, most))
    return max(MIN_DEFAULT_SLICE_BYTES, -(-size_bytes // min(count, MAX_SLICES)))


def array_slice_bytes(size_bytes: int, wanted_bytes: int) -> int:
    """The size of a slice in an array: `wanted_bytes`, or more if that made too many."""
    return max(wanted_bytes, -(-size_bytes // MAX_SLICES))


def encode_plan(plan: Plan) -> bytes:
    """The plan as `plan.json`."""
    return encode_checked(plan)


def decode_plan(data: bytes, where: str, version: str | None = VERSION) -> Plan:
    """The plan in a `plan.json` that is at `where`.

    Args:
        data: its bytes.
        where: its path or URL, for errors.
        version: the version that must have made it; any that has the same form when None.

    Raises:
        PlanError: it is none, is damaged, or was made by another version.
    """
    try:
        made_by = MADE_BY.decode(data)
        if made_by.schema != PLAN_SCHEMA or version not in {None, made_by.version}:
            raise PlanError(
                f"{where}: made by fanfold {made_by.version}, and this is {version or VERSION}:"
                " use that one, or plan anew"
            )
        plan = _PLAN.decode(data)
    except DamagedDocument as error:
        raise PlanError(f"{where}: not a plan, or damaged ({error}); plan anew") from error
    fault = _fault_of(plan)
    if fault is not None:
        raise PlanError(f"{where}: {fault}; plan anew")
    return plan


class _Named(msgspec.Struct):
    url: str
    name: str


class MadeBy(msgspec.Struct):
    """What plans of every version say: what they answer."""

    schema: int
    version: str
    job: str
    id: PlanId
    source: _Named
    parameters: Params
    replaces: tuple[PlanId, ...] = ()

    @property
    def question(self) -> Question:
        """What the plan answers."""
        location, name = shown(self.source.url), self.source.name
        return Question(self.job, location, name, self.parameters, self.version)


_PLAN, MADE_BY = Checked(Plan), Checked(MadeBy)


_NAMES_OUTSIDE = "it names files outside its folder"


def _fault_of(plan: Plan) -> str | None:
    """What contradicts itself in a plan whose checksum holds."""
    source, k = plan.source, plan.parameters.k
    if list(k) != sorted({*k} & {*range(1, MAX_K + 1)}):
        return f"k can't be {list(k)}"
    job, cut = job_of(source, plan.parameters, plan.version), _cut_of(source, plan.compression)
    if (plan.job, plan.cut, plan.id) != (job, cut, _id_of(plan)):
        return "its parameters were changed after it was made"
    is_resized = not source.is_stream and plan.object_bytes not in {None, source.size_bytes}
    if is_resized or plan.garbage_bytes > plan.size_bytes:
        return "its object has another size than its source, or than its parts"
    if not is_name(source.name):
        return _NAMES_OUTSIDE
    return None if plan.slices is None else _fault_of_slices(plan, plan.slices)


def _fault_of_slices(plan: Plan, slices: Sequence[Slice]) -> str | None:
    size_bytes = plan.text_bytes if plan.cut == "text" else plan.source.size_bytes
    if not _tile(slices, size_bytes):
        return "its slices don't tile the input"
    if any(each.object not in {None, _object_name(plan, each)} for each in slices):
        return _NAMES_OUTSIDE
    if not _start_in_order(plan, slices):
        return "its slices don't start one after the other in a gzip object"
    return None


def _object_name(plan: Plan, each: Slice) -> str:
    return (plan.object_name if each.start_bit is None else plan.window_name)(each.index)


def _start_in_order(plan: Plan, slices: Sequence[Slice]) -> bool:
    """Whether slices that have start points can be inflated from them; or none has one."""
    bits = [each.start_bit for each in slices if each.start_bit is not None]
    if not bits:
        return True
    is_gzip = plan.compression == "gzip" and not plan.source.is_stream
    is_whole = len(bits) == len(slices) and bits[0] == 0 and slices[0].object is None
    are_in_order = all(left < right for left, right in pairwise((*bits, 8 * plan.size_bytes)))
    return (
        is_gzip
        and is_whole
        and are_in_order
        and all(each.object is not None or not (each.start_bit or 0) % 8 for each in slices)
    )


def _tile(slices: Sequence[Slice], size_bytes: int | None) -> bool:
    end_byte = 0
    for index, each in enumerate(slices):
        if each.index != index or each.start_byte != end_byte or each.end_byte < end_byte:
            return False
        end_byte = each.end_byte
    return bool(slices) and end_byte == size_bytes
