"""A run's folder: where its files are, and which of them are fanfold's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from fanfold.errors import OutputError
from fanfold.objects import (
    is_left_over,
    list_files,
    make_directory,
    read_file,
    remove_files,
    write_file,
)
from fanfold.plan import Plan, decode_plan, encode_plan, name_in_plan
from fanfold.results import DamagedResult, KeptResult, SliceResult, encode_result

_CHUNK = re.compile(r".+\.chunk\d{4,}\.(?:json|rows|fa)")


class Folder:
    """The folder that one run writes into.

    Args:
        path: the folder, which need not be there.

    Attributes:
        path: the folder.
        plan_path: its `plan.json`.
        master_path: its `master.json`, written last: where it is, the run is complete.
        run_path: its `run.json`.
        sequences_path: its `sequences.tsv`.
        gaps_path: its `gaps.bed`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plan_path = path / "plan.json"
        self.master_path = path / "master.json"
        self.run_path = path / "run.json"
        self.sequences_path = path / "sequences.tsv"
        self.gaps_path = path / "gaps.bed"
        self._of_every_run = (
            self.master_path,
            self.run_path,
            self.sequences_path,
            self.gaps_path,
        )

    def index_path(self, plan: Plan, suffix: str) -> Path:
        """Where the index of a plan's input goes: `fai` or `gzi`."""
        return self.path / f"{plan.source.name}.{suffix}"

    def is_complete(self) -> bool:
        """Whether the report is there, and the tables beside it that every run has."""
        return all(path.exists() for path in self._of_every_run)

    def read_plan(self) -> Plan | None:
        """The plan that is there, or None.

        Raises:
            PlanError: it can't be used.
        """
        try:
            data = read_file(self.plan_path)
        except FileNotFoundError:
            return None
        return decode_plan(data, str(self.plan_path))

    def write_plan(self, plan: Plan) -> None:
        """Write a plan, and make the folders for what it leads to."""
        make_directory(self.path / "chunks")
        write_file(self.plan_path, encode_plan(plan))

    def clear(self, name: str) -> None:
        """Make room for a new run of the input called `name`, `master.json` first.

        Only files that fanfold wrote are removed. A folder without a plan has none of them.

        Raises:
            OutputError: a file that fanfold did not write is in the way.
        """
        files = list_files(self.path)
        own = self._own_files() if self.plan_path in files else []
        for path in (*self._of_every_run, self.path / f"{name}.fai", self.path / f"{name}.gzi"):
            if path in files and path not in own:
                raise OutputError(
                    f"{path}: in the way, and of no fanfold run; move it, or give another --out"
                )
        remove_files(own)
        self.sweep()

    def _own_files(self) -> list[Path]:
        """The files of the run whose plan is here, in the order in which they may go."""
        name = name_in_plan(read_file(self.plan_path))
        if name is None:
            raise OutputError(
                f"{self.plan_path}: in the way, and no plan of fanfold's; move it, or give another"
                " --out"
            )
        indexes = [self.path / f"{PurePath(name).name}.{suffix}" for suffix in ("fai", "gzi")]
        chunks = [path for path in list_files(self.path / "chunks") if _CHUNK.fullmatch(path.name)]
        return [*self._of_every_run, *indexes, *chunks, self.plan_path]

    def sweep(self) -> None:
        """Remove what a killed run left half-written."""
        files = [*list_files(self.path), *list_files(self.path / "chunks")]
        remove_files(filter(is_left_over, files))

    def keep(self, result: SliceResult, plan: Plan) -> None:
        """Write a slice's result, its rows first."""
        document, rows = encode_result(result, plan)
        if rows is not None:
            write_file(self.path / plan.chunk_name(result.index, "rows"), rows)
        write_file(self.path / plan.chunk_name(result.index, "json"), document)

    def kept(self, plan: Plan, index: int) -> SliceResult | None:
        """The result of a slice, or None when there is none.

        Raises:
            DamagedResult: its files are not what its task wrote.
        """
        try:
            document = read_file(self.path / plan.chunk_name(index, "json"))
        except FileNotFoundError:
            return None
        try:
            kept = KeptResult(document, plan, index)
            rows = b""
            if kept.rows is not None:
                rows = read_file(self.path / "chunks" / Path(kept.rows.file).name)
            return kept.result(rows)
        except FileNotFoundError as error:
            raise DamagedResult from error

    def is_kept(self, plan: Plan, index: int) -> bool:
        """Whether a slice's result is there, whole."""
        try:
            return self.kept(plan, index) is not None
        except DamagedResult:
            return False

    def rows_bytes(self, plan: Plan) -> int:
        """The size of all slices' rows."""
        rows = (self.path / plan.chunk_name(each.index, "rows") for each in plan.known_slices())
        return sum(path.stat().st_size for path in rows if path.exists())

    def needs_text(self, plan: Plan) -> bool:
        """Whether a slice of text has neither a result nor its text: only inflating helps."""
        return plan.cut == "text" and any(
            not self.is_kept(plan, each.index)
            and (each.object is None or not (self.path / each.object).exists())
            for each in plan.slices or ()
        )

    def text_paths(self, plan: Plan) -> Iterator[Path]:
        """The files of text that a plan wrote out."""
        for each in plan.slices or ():
            if each.object is not None:
                yield self.path / each.object
