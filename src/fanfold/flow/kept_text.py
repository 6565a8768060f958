"""The packed text of a plan's slices in files, so that its k-mers are counted on other machines.

slices ──task──▶ packed text of each ────────┐
merges ──fold──▶ what joins them, text.json ─┴─▶ reduce
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from fanfold._kernel import PackedText, crc64nvme
from fanfold.checked_json import Checked, DamagedDocument, encode_checked
from fanfold.engine.ahead import map_ahead
from fanfold.errors import MissingSlicesError, PlanError
from fanfold.flow.contents import has_facts
from fanfold.flow.plan import PlanId
from fanfold.flow.results import Results
from fanfold.flow.run_folder import RunFolder
from fanfold.flow.slice_file import SliceResult
from fanfold.report.run_record import FileFacts, facts_of


class Text(msgspec.Struct, frozen=True):
    """All packed text of an object.

    Attributes:
        plan: the id of its plan.
        slices: the file of each slice, in order.
        seams: the file of what joins them.
    """

    plan: PlanId
    slices: tuple[FileFacts, ...]
    seams: FileFacts


_TEXT = Checked(Text)


class KeptText(NamedTuple):
    """A `Text` and the checksum of its document, by which counts say what they are of."""

    text: Text
    crc64nvme: str


class KeptTexts:
    """The results of slices, which have their packed text beside them.

    A result without it, as a run on threads leaves, doesn't count.

    Args:
        folder: where they are.

    Attributes:
        folder: the same.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._facts: dict[int, FileFacts] = {}

    def put(self, result: SliceResult) -> None:
        """Keep a result and its text."""
        self.folder.put(result)
        if result.packed is not None:
            self._facts[result.index] = facts_of(result.packed.to_bytes())

    def get(self, index: int) -> SliceResult | None:
        """The result of a slice whose text is what its task wrote."""
        result = self.folder.get(index)
        if result is None or result.text is None:
            return None
        return result if has_facts(self.folder.place, self._name(index), result.text) else None

    def all(self) -> Iterator[tuple[int, SliceResult | None]]:
        """Every slice's index and result, in order. Of text, its size is looked at."""
        sizes = self.folder.place.sizes(self.folder.plan.folder)
        for index, result in self.folder.all():
            text = None if result is None else result.text
            if text is None or sizes.get(_base(self._name(index))) != text.size_bytes:
                yield index, None
            else:
                self._facts[index] = text
                yield index, result

    def missing(self) -> set[int]:
        """Slices without a result file, or without one of text."""
        names = self.folder.place.sizes(self.folder.plan.folder).keys()
        indexes = (each.index for each in self.folder.slices)
        without = {index for index in indexes if _base(self._name(index)) not in names}
        return self.folder.missing() | without

    def close(self, seams: PackedText) -> KeptText:
        """Write what joins the slices, and what all files are, once `all` has been read."""
        place, plan = self.folder.place, self.folder.plan
        data = seams.to_bytes()
        place.write(plan.seams_name, data)
        slices = tuple(self._facts[each.index] for each in self.folder.slices)
        document = encode_checked(Text(plan.id, slices, facts_of(data)))
        place.write(plan.text_name, document)
        return KeptText(_TEXT.decode(document), f"{crc64nvme(document):016x}")

    def _name(self, index: int) -> str:
        return self.folder.plan.chunk_name(index, "packed")


def results_of(folder: RunFolder) -> Results:
    """The results that workers leave in a plan's folder for the fold."""
    return KeptTexts(folder) if folder.plan.parameters.large_k else folder


def read_text(folder: RunFolder) -> KeptText:
    """What the fold says of the packed text.

    Raises:
        PlanError: nothing, or it is damaged.
    """
    plan, place = folder.plan, folder.place
    try:
        data = place.read(plan.text_name)
        text = _TEXT.decode(data)
    except (FileNotFoundError, DamagedDocument):
        text = None
    if text is None or text.plan != plan.id or len(text.slices) != len(folder.slices):
        raise PlanError(
            f"{folder.plan_url}: its slices are not folded yet: run `fanfold fold` once, then count"
        )
    return KeptText(text, f"{crc64nvme(data):016x}")


def load_text(folder: RunFolder, text: Text) -> list[PackedText]:
    """All packed text, in memory.

    Raises:
        MissingSlicesError: that of a slice is gone or damaged.
        PlanError: what joins them is.
    """
    plan = folder.plan
    names = [plan.chunk_name(each.index, "packed") for each in folder.slices]
    files = [*zip(names, text.slices, strict=True), (plan.seams_name, text.seams)]

    def load(file: tuple[str, FileFacts]) -> PackedText | None:
        return _load(folder, *file)

    found = list(map_ahead(load, files, folder.place.reads_ahead))
    lost = tuple(index for index, packed in enumerate(found) if packed is None)
    if lost == (len(names),):
        raise PlanError(
            f"{folder.place.where(plan.seams_name)}: gone or damaged; run `fanfold fold` again"
        )
    if lost:
        lost = tuple(index for index in lost if index < len(names))
        raise MissingSlicesError(
            lost,
            f"{plan.source.name}: the packed text of {len(lost)} slices is gone or damaged:"
            f" {', '.join(map(str, lost))}. Run their tasks, then count again",
        )
    return [packed for packed in found if packed is not None]


def _load(folder: RunFolder, name: str, facts: FileFacts) -> PackedText | None:
    if folder.place.kinds([name]).get(name) != "file":
        return None
    blocks, size_bytes = [], 0
    for block in folder.place.blocks(name):
        size_bytes += len(block)
        if size_bytes > facts.size_bytes:
            return None
        blocks.append(bytes(block))
    data = b"".join(blocks)
    try:
        return PackedText.from_bytes(data) if facts_of(data) == facts else None
    except ValueError:
        return None


def _base(name: str) -> str:
    return name.rpartition("/")[2]
