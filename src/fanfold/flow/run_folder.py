"""A plan and its files: the results of its slices, and the objects that they are cut into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath

from fanfold._kernel import VERSION
from fanfold.archives.starts import WINDOW_BYTES
from fanfold.engine.ahead import map_ahead
from fanfold.errors import PlanError
from fanfold.flow.plan import CHUNKS, Plan, Slice, decode_plan
from fanfold.flow.slice_file import DamagedResult, KeptResult, SliceResult, encode_result
from fanfold.objects import DOCUMENT_BYTES, Place, open_place, shown

PLAN = "plan.json"


class RunFolder:
    """A plan, and the folder or prefix that it lies in; also the `Results` of its slices.

    Args:
        place: the folder or prefix.
        plan: the plan.

    Attributes:
        place: the folder or prefix.
        plan: the plan.
        objects: where the slices' own objects are.
    """

    def __init__(self, place: Place, plan: Plan) -> None:
        self.place = place
        self.plan = plan
        self.objects = place
        if plan.apart:
            above, _, job = place.url.rpartition("/")
            self.objects = open_place(f"{above.rpartition('/')[0]}/{CHUNKS}/{job}")

    def __repr__(self) -> str:
        return f"<RunFolder {shown(self.url)!r}: {self.plan!r}>"

    @property
    def url(self) -> str:
        """The path of the folder, or the URL of the prefix."""
        return self.place.url

    @property
    def plan_url(self) -> str:
        """The path or URL of `plan.json`: with an index, all that a task needs."""
        return self.place.where(PLAN)

    def __fspath__(self) -> str:
        """The same: `task` and `fold` take a `RunFolder` as they take a path."""
        return self.plan_url

    @property
    def slices(self) -> tuple[Slice, ...]:
        """The slices; raises PlanError while a stream that is inflated has not ended."""
        return self.plan.known_slices()

    def with_plan(self, plan: Plan) -> RunFolder:
        """The same folder with a plan that knows more."""
        return RunFolder(self.place, plan)

    def put(self, result: SliceResult) -> None:
        """Write a slice's result, its JSON last."""
        files = encode_result(result, self.plan)
        if files.packed is not None:
            self.place.write(self.plan.chunk_name(result.index, "packed"), files.packed)
        if files.rows is not None:
            self.place.write(self.plan.chunk_name(result.index, "rows"), files.rows)
        self.place.write(self.plan.chunk_name(result.index, "json"), files.document)

    def get(self, index: int) -> SliceResult | None:
        """The result of a slice; None if there is none, or it is not what its task wrote."""
        try:
            kept = KeptResult(self.place.read(self._json(index)), self.plan, index)
            rows = b""
            if kept.rows is not None:
                name = f"{self.plan.folder}/{PurePath(kept.rows.file).name}"
                rows = self.place.read(name, max(kept.rows.size_bytes, DOCUMENT_BYTES))
            return kept.result(rows)
        except (FileNotFoundError, DamagedResult):
            return None

    def all(self) -> Iterator[tuple[int, SliceResult | None]]:
        """Every slice's index and result, in order, read ahead."""
        indexes = range(len(self.slices))
        return zip(indexes, map_ahead(self.get, indexes, self.place.reads_ahead), strict=True)

    def missing(self) -> set[int]:
        """Slices without a result file. Contents are verified by `get` alone."""
        files = self.place.sizes(self.plan.folder)
        return {
            each.index for each in self.slices if PurePath(self._json(each.index)).name not in files
        }

    def rows_bytes(self) -> int:
        """The size of all slices' rows."""
        files = self.place.sizes(self.plan.folder).items()
        return sum(size for name, size in files if name.endswith(".rows"))

    def results_bytes(self) -> int:
        """The size of all slices' results, their rows among them."""
        return sum(self.place.sizes(self.plan.folder).values())

    def lacks_objects(self, indexes: Iterable[int]) -> bool:
        """Whether one of some slices lacks an object of its own that it should have."""
        wanted = [self.slices[index] for index in indexes]
        if self.plan.is_inflated_by_tasks:
            wanted = [each for each in wanted if each.object is not None]
        if not wanted or (self.plan.cut != "text" and not any(each.object for each in wanted)):
            return False
        files = self.objects.sizes(self._objects_folder())
        return any(
            each.object is None or files.get(PurePath(each.object).name) != _object_bytes(each)
            for each in wanted
        )

    def remove_objects(self) -> None:
        """Remove the text or the windows that the plan wrote out, or the copies that were made."""
        self.objects.remove(
            each.object for each in self.plan.slices or () if each.object is not None
        )
        if self.plan.is_inflated_by_tasks:
            self.objects.remove_folder(self.plan.windows_folder)

    def _objects_folder(self) -> str:
        """The folder of the slices' own objects."""
        if self.plan.is_inflated_by_tasks:
            return self.plan.windows_folder
        return "" if self.plan.apart else self.plan.folder

    def _json(self, index: int) -> str:
        return self.plan.chunk_name(index, "json")


def _object_bytes(each: Slice) -> int:
    """The size of a slice's own object."""
    return each.size_bytes if each.start_bit is None else WINDOW_BYTES


def read_plan(place: Place, version: str | None = VERSION) -> Plan | None:
    """The plan in a folder or prefix, or None if there is none.

    Args:
        place: the folder or prefix.
        version: see `decode_plan`.

    Raises:
        PlanError: it can't be used.
    """
    try:
        data = place.read(PLAN)
    except FileNotFoundError:
        return None
    return decode_plan(data, place.where(PLAN), version)


def open_run(place: Place) -> RunFolder:
    """The plan in a folder or prefix, with its files.

    Raises:
        PlanError: there is none, or it can't be used.
    """
    plan = read_plan(place)
    if plan is None:
        raise PlanError(f"{place.where(PLAN)}: can't be read: there is no plan.json there")
    return RunFolder(place, plan)
