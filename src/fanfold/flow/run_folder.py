"""A run's folder or prefix: what its files are called, and which of them are fanfold's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath

from fanfold.engine.ahead import map_ahead
from fanfold.errors import OutputError
from fanfold.flow.plan import Plan, decode_plan, encode_plan, name_in_plan
from fanfold.flow.slice_file import DamagedResult, KeptResult, SliceResult, encode_result
from fanfold.objects import Place, Source, is_source, open_place
from fanfold.report.run_record import Record, decode_record, facts_of

PLAN = "plan.json"
MASTER = "master.json"
RUN = "run.json"
SEQUENCES = "sequences.tsv"
GAPS = "gaps.bed"

_CHUNKS = "chunks"
_OF_EVERY_RUN = (MASTER, RUN, SEQUENCES, GAPS)

_PROVEN_BYTES = 64 * 1024**2
"""Files below this size are read whole before a report counts as complete."""


class Folder:
    """What one run writes into.

    Args:
        place: where it is.

    Attributes:
        place: where it is.
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    def is_complete(self, plan: Plan) -> bool:
        """Whether the report of a plan is there, and every file is what the record says.

        Files from `_PROVEN_BYTES` on are judged by their size.
        """
        try:
            record = decode_record(self.place.read(RUN))
            return record is not None and record.job == plan.job and self._is_as_written(record)
        except FileNotFoundError:  # there is none, or another run has just removed a file
            return False

    def _is_as_written(self, record: Record) -> bool:
        """Whether the files are what the record of their report says."""
        sizes, files = self.place.sizes(), record.files
        return (
            files.keys() >= {MASTER, SEQUENCES, GAPS}
            and all(sizes.get(name) == facts.size_bytes for name, facts in files.items())
            and all(
                facts_of(self.place.read(name)) == facts
                for name, facts in files.items()
                if facts.size_bytes < _PROVEN_BYTES
            )
        )

    def read_plan(self) -> Plan | None:
        """The plan that is there, or None.

        Raises:
            PlanError: it can't be used.
        """
        try:
            data = self.place.read(PLAN)
        except FileNotFoundError:
            return None
        return decode_plan(data, self.place.where(PLAN))

    def write_plan(self, plan: Plan) -> None:
        """Write a plan, and make the folders for what it leads to."""
        self.place.prepare(_CHUNKS)
        self.place.write(PLAN, encode_plan(plan), durable=True)

    def create_plan(self, plan: Plan) -> bool:
        """Write a plan unless there is one; whether it was written."""
        return self.place.create(PLAN, encode_plan(plan))

    def objects(self, plan: Plan) -> Place:
        """Where the objects of a plan's slices are."""
        if not plan.apart:
            return self.place
        above, _, job = self.place.url.rpartition("/")
        return open_place(f"{above.rpartition('/')[0]}/{_CHUNKS}/{job}")

    def clear(self, name: str, source: Source | None = None) -> None:
        """Make room for a new report of the input called `name`, `master.json` first.

        Only files that fanfold wrote are removed. A folder without a plan has none of them.

        Raises:
            OutputError: a file that fanfold did not write, or the input itself, is in the way.
        """
        files = self.place.sizes()
        own = self._own_files() if PLAN in files else []
        for each in (*_OF_EVERY_RUN, f"{name}.fai", f"{name}.gzi"):
            if each in files and each not in own:
                raise in_the_way(self.place.where(each))
        for each in own:
            if source is not None and is_source(self.place.where(each), source):
                raise OutputError(
                    f"{self.place.where(each)}: the input has a name that fanfold would remove;"
                    " give another --out"
                )
        self.place.remove(own)
        self.sweep()

    def _own_files(self) -> list[str]:
        """The files of the run whose plan is here, in the order in which they may go."""
        data = self.place.read(PLAN)
        if not data.strip(b"\0"):  # a power cut leaves an empty or zero-filled file
            return [PLAN]
        name = name_in_plan(data)
        if name is None:
            raise OutputError(
                f"{self.place.where(PLAN)}: in the way, and no plan of fanfold's; move it, or give"
                " another --out"
            )
        name = PurePath(name).name
        indexes = [f"{name}.{suffix}" for suffix in ("fai", "gzi")]
        chunk = re.compile(re.escape(name) + r"\.chunk\d{4,}\.(?:json|rows|fa)")
        chunks = [
            f"{_CHUNKS}/{each}" for each in self.place.sizes(_CHUNKS) if chunk.fullmatch(each)
        ]
        return [*_OF_EVERY_RUN, *indexes, *chunks, PLAN]

    def sweep(self) -> None:
        """Remove what a killed run left half-written."""
        self.place.sweep()
        self.place.sweep(_CHUNKS)

    def keep(self, result: SliceResult, plan: Plan) -> None:
        """Write a slice's result, its rows first."""
        document, rows = encode_result(result, plan)
        if rows is not None:
            self.place.write(plan.chunk_name(result.index, "rows"), rows)
        self.place.write(plan.chunk_name(result.index, "json"), document)

    def kept(self, plan: Plan, index: int) -> SliceResult | None:
        """The result of a slice; None when there is none, or not the one that its task wrote."""
        try:
            kept = KeptResult(self.place.read(plan.chunk_name(index, "json")), plan, index)
            rows = b""
            if kept.rows is not None:
                rows = self.place.read(f"{_CHUNKS}/{PurePath(kept.rows.file).name}")
            return kept.result(rows)
        except (FileNotFoundError, DamagedResult):
            return None

    def all_kept(self, plan: Plan) -> Iterator[tuple[int, SliceResult | None]]:
        """Every slice's index and result, in order, read ahead."""
        indexes = [each.index for each in plan.known_slices()]
        results = map_ahead(lambda index: self.kept(plan, index), indexes, self.place.reads_ahead)
        return zip(indexes, results, strict=True)

    def unfinished(self, plan: Plan) -> set[int]:
        """The slices that have no result; whether one that is there is whole, the fold sees."""
        files = self.place.sizes(_CHUNKS)
        return {
            each.index
            for each in plan.known_slices()
            if PurePath(plan.chunk_name(each.index, "json")).name not in files
        }

    def rows_bytes(self) -> int:
        """The size of all slices' rows."""
        files = self.place.sizes(_CHUNKS).items()
        return sum(size for name, size in files if name.endswith(".rows"))

    def results_bytes(self) -> int:
        """The size of all slices' results, their rows among them."""
        return sum(self.place.sizes(_CHUNKS).values())

    def lacks_objects(self, plan: Plan, indexes: Iterable[int]) -> bool:
        """Whether one of some slices lacks an object of its own that it should have."""
        wanted = [plan.known_slices()[index].object for index in indexes]
        if plan.cut != "text" and not any(wanted):
            return False
        files = self.objects(plan).sizes("" if plan.apart else _CHUNKS)
        return any(each is None or PurePath(each).name not in files for each in wanted)

    def remove_objects(self, plan: Plan) -> None:
        """Remove the text that a plan wrote out, or the copies that were made."""
        names = [each.object for each in plan.slices or () if each.object is not None]
        self.objects(plan).remove(names)


def in_the_way(where: str) -> OutputError:
    """The error of a file that fanfold did not write, under a name that it would write."""
    return OutputError(
        f"{where}: in the way, and of no fanfold run; move it, or give another --out"
    )


def index_name(plan: Plan, suffix: str) -> str:
    """The name of the index of a plan's input: `fai` or `gzi`."""
    return f"{plan.source.name}.{suffix}"
