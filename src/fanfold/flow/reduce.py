"""The second fan-out: tasks count k-mers from 9 on, each a range of a table's parts.

text ──reduce──▶ parts, and a document that names them ──gathered──▶ the tables of the report
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import msgspec

from fanfold._kernel import KmerCount, KmerPart
from fanfold.checked_json import Checked, DamagedDocument, encode_checked
from fanfold.engine.ahead import map_ahead
from fanfold.engine.progress import Watch
from fanfold.errors import MissingCountsError, OutputError, ProofError
from fanfold.flow.contents import has_facts
from fanfold.flow.kept_text import KeptText, load_text
from fanfold.flow.kmer_tables import (
    SHARE_OF_ARENA,
    CountedTable,
    counted,
    room_bytes,
    table_of,
    work_folder,
)
from fanfold.flow.memory import Allowed
from fanfold.flow.phases import log_counted
from fanfold.flow.publication import PART, Ready
from fanfold.flow.run_folder import RunFolder
from fanfold.objects import LocalPlace, Place, local_reason
from fanfold.report.run_record import Count, Crc, FileFacts

_LISTED = 10
"""How many k-mers a report lists as the most and the least frequent."""

_USUAL_BYTES = 1700 * 1024**2
"""Memory for text and k-mers, where nobody says how much: each time that k-mers don't fit, all text
is read again."""

_LEAST_BYTES = 512 * 1024**2
"""Of it, for k-mers at least."""

_BESIDE_BYTES = 128 * 1024**2
"""Of the memory for k-mers: what putting them in order takes, and writing them."""

_COPIED_BYTES = 1024**2


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A partition of a table that was counted.

    Attributes:
        text: the checksum of the `Text` that it is of.
        k: the length of its k-mers.
        partition: which it is.
        partitions: of how many.
        parts: its files, beside the document.
        spectrum: how many k-mers have each multiplicity.
        top: the most frequent.
        bottom: the least frequent.
    """

    text: Crc
    k: int
    partition: Count
    partitions: Count
    parts: dict[str, FileFacts]
    spectrum: list[tuple[Count, Count]]
    top: list[tuple[str, Count]]
    bottom: list[tuple[str, Count]]


_COUNTED = Checked(Counted)


def count_partition(folder: RunFolder, text: KeptText, index: int, allowed: Allowed) -> int:
    """Count one partition of a table, unless that is done; the bytes of packed text that it read.

    Args:
        folder: where the text is, and the parts go.
        text: what text there is.
        index: the task, from 0.
        allowed: the memory that it may take.

    Raises:
        MissingSlicesError: packed text is gone or damaged.
        OutputError: a part can't be written.
        ParameterError: there is too little memory.
    """
    plan, place = folder.plan, folder.place
    k, partition = plan.counts[index]
    below = _below(folder, k)
    before = _read(folder, text, k, partition)
    if before is not None and not _damaged(place, below, before):
        return 0
    read_bytes = sum(each.size_bytes for each in (*text.text.slices, text.text.seams))
    room_bytes(allowed, read_bytes, plan.source.name)  # before it is all there
    texts = load_text(folder, text.text)
    text_bytes = sum(each.size_bytes for each in texts)
    room = room_bytes(allowed, text_bytes, plan.source.name)
    if allowed.memory_bytes is None:
        room = max(_LEAST_BYTES, _USUAL_BYTES - text_bytes)
    place.prepare(below)
    count = KmerCount(
        texts,
        k,
        plan.parameters.canonical,
        1,
        max(int(SHARE_OF_ARENA * room), room - _BESIDE_BYTES),
        (partition, plan.partitions),
    )
    with _private_folder(place, below) as work:
        found = counted(count, work, Watch(0, None))
        parts = {
            name: FileFacts(size_bytes, f"{crc:016x}")
            for name, _rows, size_bytes, crc in found["parts"]
        }
        for name in parts:
            _bring(place, work / name, f"{below}/{name}")
    document = Counted(
        text=text.crc64nvme,
        k=k,
        partition=partition,
        partitions=plan.partitions,
        parts=parts,
        spectrum=found["spectrum"],
        top=found["top"],
        bottom=found["bottom"],
    )
    place.write(_name(folder, k, partition), encode_checked(document))
    return read_bytes


def missing_counts(folder: RunFolder, text: KeptText) -> list[int]:
    """The tasks that have not counted this text, by what they wrote of it."""
    return [index for index, _, each in _all_counted(folder, text) if each is None]


@contextmanager
def gathered_tables(folder: RunFolder, text: KeptText) -> Iterator[dict[int, CountedTable]]:
    """The tables that tasks have counted, for as long as it takes to publish them.

    Raises:
        MissingCountsError: some are missing or damaged; names every one.
    """
    plan, place = folder.plan, folder.place
    found: dict[int, list[Counted]] = {k: [] for k in plan.parameters.large_k}
    missing = []
    for index, k, each in _all_counted(folder, text):
        if each is None or _damaged(place, _below(folder, k), each):
            missing.append(index)
        else:
            found[k].append(each)
    if missing:
        raise MissingCountsError(
            tuple(missing),
            f"{plan.source.name}: {len(missing)} of {len(plan.counts)} counts of k-mers are"
            f" missing: {', '.join(map(str, missing))}. Run `fanfold reduce` for them, then fold"
            " again",
        )
    with ExitStack() as stack:
        tables = {}
        for k, counts in found.items():
            work = stack.enter_context(work_folder(folder, k))
            for each in counts:
                for name in each.parts:
                    _fetch(place, f"{_below(folder, k)}/{name}", work / name)
            tables[k] = _joined(folder, k, counts, work)
            log_counted(plan, tables[k].kmers)
        yield tables


def _joined(folder: RunFolder, k: int, counts: Sequence[Counted], work: Path) -> CountedTable:
    """One table of its partitions.

    Raises:
        ProofError: the parts are not those of one table, or have other rows than were counted.
    """
    spectrum: Counter[int] = Counter()
    for each in counts:
        for times, kmers in each.spectrum:
            spectrum[times] += kmers
    _check_parts(folder, k, sorted(path for path in work.iterdir()), sum(spectrum.values()))
    top = sorted((row for each in counts for row in each.top), key=lambda row: (-row[1], row[0]))
    bottom = sorted(
        (row for each in counts for row in each.bottom), key=lambda row: (row[1], row[0])
    )
    return table_of(
        k,
        folder.plan.parameters,
        sorted(spectrum.items()),
        (top[:_LISTED], bottom[:_LISTED]),
        {name: Ready(work / name, facts) for each in counts for name, facts in each.parts.items()},
    )


def _check_parts(folder: RunFolder, k: int, parts: Sequence[Path], rows: int) -> None:
    """Check, by their footers, that parts follow each other, and have so many rows in all."""
    last_code, found_rows, is_one = -1, 0, bool(parts)
    for index, path in enumerate(parts):
        try:
            with path.open("rb") as file:
                part = KmerPart(partial(_range_of, file), path.stat().st_size)
        except ValueError:
            is_one = False
            break
        first = part.first_code
        is_one &= path.name == f"part-{index:05}.parquet" and part.k == k
        is_one &= part.canonical == folder.plan.parameters.canonical
        is_one &= first is None or first > last_code
        last_code = last_code if part.last_code is None else part.last_code
        found_rows += part.rows
    if not is_one or found_rows != rows:
        raise ProofError(
            f"{folder.plan.source.name}: the counts of {k}-mers contradict each other; plan anew,"
            " with --fresh, or report this"
        )


def _range_of(file: BinaryIO, start_byte: int, end_byte: int) -> bytes:
    file.seek(start_byte)
    return file.read(end_byte - start_byte)


def _all_counted(folder: RunFolder, text: KeptText) -> Iterator[tuple[int, int, Counted | None]]:
    """Each task's index, its k, and what it wrote; read ahead."""

    def read(asked: tuple[int, int]) -> Counted | None:
        return _read(folder, text, *asked)

    counts = folder.plan.counts
    found = map_ahead(read, counts, folder.place.reads_ahead)
    for index, ((k, _), each) in enumerate(zip(counts, found, strict=True)):
        yield index, k, each


def _read(folder: RunFolder, text: KeptText, k: int, partition: int) -> Counted | None:
    """What a task of this plan wrote of a partition; its parts are not looked at."""
    try:
        found = _COUNTED.decode(folder.place.read(_name(folder, k, partition)))
    except (FileNotFoundError, DamagedDocument):
        return None
    asked = (text.crc64nvme, k, partition, folder.plan.partitions)
    if (found.text, found.k, found.partition, found.partitions) != asked:
        return None
    return found if _is_sound(found) else None


def _is_sound(found: Counted) -> bool:
    """Whether a document can be one of a count, whoever made its checksum."""
    times = [each for each, _ in found.spectrum]
    listed = min(_LISTED, sum(kmers for _, kmers in found.spectrum))
    return (
        all(map(PART.fullmatch, found.parts))
        and all(low < high for low, high in pairwise([0, *times]))
        and all(kmers > 0 for _, kmers in found.spectrum)
        and len(found.top) == len(found.bottom) == listed
        and all(
            len(kmer) == found.k and not kmer.strip("ACGT") and count in times
            for kmer, count in (*found.top, *found.bottom)
        )
    )


def _damaged(place: Place, below: str, found: Counted) -> bool:
    return not all(
        has_facts(place, f"{below}/{name}", facts) for name, facts in found.parts.items()
    )


def _below(folder: RunFolder, k: int) -> str:
    return f"{folder.plan.tables_folder}/k{k}"


def _name(folder: RunFolder, k: int, partition: int) -> str:
    return f"{_below(folder, k)}/{partition:04d}.json"


@contextmanager
def _private_folder(place: Place, below: str) -> Iterator[Path]:
    """A folder on this machine of this task alone; it is gone after the block.

    On a disk it is beside the parts, so that they can be moved into place.
    """
    beside = place.where(below) if isinstance(place, LocalPlace) else None
    try:
        with tempfile.TemporaryDirectory(prefix="work-", dir=beside) as work:
            yield Path(work)
    except OSError as error:
        raise OutputError(
            f"{beside or tempfile.gettempdir()}: can't be written: {local_reason(error)}; check"
            " space and rights, then run again"
        ) from error


def _bring(place: Place, path: Path, name: str) -> None:
    """Put a file of this machine into a place."""
    if isinstance(place, LocalPlace):
        place.adopt(path, name)
        return
    with path.open("rb") as file, place.writing(name) as to:
        shutil.copyfileobj(file, to, _COPIED_BYTES)


def _fetch(place: Place, name: str, path: Path) -> None:
    """Have a file of a place on this machine too, under a name that may be given away."""
    if isinstance(place, LocalPlace):
        try:
            os.link(place.where(name), path)
        except OSError:
            pass  # this file system has no links
        else:
            return
    with path.open("wb") as file:
        file.writelines(place.blocks(name))
