"""What a folder or prefix holds, whose it is, and whether a run may go there.

Nothing here writes. Rights come from valid records alone, never from how a file is called.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, NamedTuple

import msgspec

from fanfold._kernel import VERSION, crc64nvme
from fanfold.checked_json import Checked, DamagedDocument, is_blank, is_own
from fanfold.errors import OutputError, PlanError
from fanfold.flow.plan import CHUNKS, MADE_BY, MadeBy, Plan, PlanId, decode_plan
from fanfold.flow.run_folder import PLAN
from fanfold.objects import STATE, STDIN, LocalPlace, Place, is_any
from fanfold.report.run_record import (
    KMER_TABLES,
    KMERS,
    MASTER,
    MULTIQC,
    NEEDED,
    RENDERINGS,
    RUN,
    FileFacts,
    Question,
    Record,
    decode_run,
    facts_of,
    is_kmer_file,
    is_report_file,
    kmer_folder,
    kmer_spectrum,
)

PUBLISH = "publish.json"

PROVEN_BYTES = 64 * 1024**2
"""Files and tables below this size are read whole before a report counts as complete."""


class Publication(msgspec.Struct, frozen=True):
    """A report that is whole and waits in `.fanfold/<token>/` to be moved into place.

    Attributes:
        question: what it answers.
        token: names the folder in which it waits.
        files: each file's facts, by name.
        goes: names of an earlier report that this one doesn't have.
        replaces: ids of plans whose work goes.
    """

    question: Question
    token: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    files: dict[str, FileFacts]
    goes: tuple[str, ...]
    replaces: tuple[PlanId, ...]

    @property
    def staging(self) -> str:
        """The folder in which it waits."""
        return f"{STATE}/{self.token}"


_PUBLICATION = Checked(Publication)


class Contents(NamedTuple):
    """What a folder or prefix holds.

    Attributes:
        plan: the plan, if it is one of this version.
        plan_data: the bytes of `plan.json`, if it is fanfold's.
        made_by: what the plan says, of whatever version.
        record: what proves the report, if that is valid.
        has_damaged_record: whether there is one that fanfold wrote, and that is damaged.
        publication: a report that waits to be moved into place.
    """

    plan: Plan | None
    plan_data: bytes | None
    made_by: MadeBy | None
    record: Record | None
    has_damaged_record: bool
    publication: Publication | None

    @property
    def recorded(self) -> set[str]:
        """The names of report files that records give the right to replace or remove."""
        recorded: set[str] = set()
        if self.record is not None:
            recorded |= self.record.files.keys() | self.record.renderings.keys() | {RUN}
        if self.publication is not None:
            recorded |= self.publication.files.keys() | {*self.publication.goes}
        return recorded

    @property
    def owned(self) -> set[str]:
        """The names of report files that may be replaced.

        A damaged record shows all the same that fanfold has put a report here.
        """
        if not self.has_damaged_record:
            return self.recorded
        names = () if self.made_by is None else report_names(self.made_by.source.name)
        return self.recorded | {RUN, *NEEDED, *RENDERINGS, *names}

    def owns(self, name: str) -> bool:
        """Whether a report file may be replaced: one of `owned`, or any part of a table.

        How many parts a table has, a damaged record doesn't tell.
        """
        return name in self.owned or (self.has_damaged_record and is_kmer_file(name))

    @property
    def has_damaged_plan(self) -> bool:
        """Whether the plan is damaged, and not just emptied by a power cut."""
        return self.made_by is None and not is_blank(self.plan_data or b"")

    @property
    def plans(self) -> tuple[str, ...]:
        """The ids of the plans whose work is here, or was."""
        return () if self.made_by is None else (self.made_by.id, *self.made_by.replaces)

    def others(self, question: Question) -> Iterator[tuple[Question, bool]]:
        """Other questions that have work here, and whether their report is finished."""
        finished = None if self.record is None else self.record.question
        if self.publication is not None:  # it is committed
            finished = self.publication.question
        if finished is not None and finished.job != question.job:
            yield finished, True
        known = {question.job, None if finished is None else finished.job}
        if self.made_by is not None and self.made_by.job not in known and not self._has_lost_input:
            yield self.made_by.question, False

    @property
    def _has_lost_input(self) -> bool:
        """Whether the plan's run stopped while it read standard input, which is gone."""
        plan = self.plan
        return plan is not None and plan.source.url == STDIN and plan.slices is None


def read_contents(place: Place) -> Contents:
    """What a folder or prefix holds.

    Raises:
        OutputError: a file under the name of a plan or record is not fanfold's.
    """
    plan, made_by = None, None
    data = _read_own(place, PLAN)
    if data is not None:
        try:
            made_by = MADE_BY.decode(data)
            plan = decode_plan(data, place.where(PLAN))
        except (DamagedDocument, PlanError):
            pass  # what can't be used, is replaced
    run = _read_own(place, RUN)
    record = _record_of(run)
    is_damaged = record is None and not is_blank(run or b"")
    return Contents(plan, data, made_by, record, is_damaged, read_publication(place))


def read_record(place: Place) -> Record | None:
    """The record of the report; None if there is none, or it isn't valid.

    Raises:
        OutputError: what is there is not fanfold's.
    """
    return _record_of(_read_own(place, RUN))


def _record_of(data: bytes | None) -> Record | None:
    run = None if data is None else decode_run(data)
    return None if run is None else run.record


def read_publication(place: Place) -> Publication | None:
    """The report that waits to be moved into place, if there is one; raises as `read_record`."""
    data = _read_own(place, PUBLISH)
    if data is None:
        return None
    try:
        found = _PUBLICATION.decode(data)
    except DamagedDocument:
        return None
    valid = found.files.keys() >= {RUN, *NEEDED}
    return found if valid and all(map(is_report_file, (*found.files, *found.goes))) else None


def read_finished(place: Place, question: Question) -> bytes | None:
    """The `master.json` that answers a question, if its report is complete; else None.

    It is complete if the record is of this question and every file is what the record says. What
    `judged_by_size` names, is so.

    Raises:
        OutputError: a file can't be read.
    """
    record = read_record(place)
    if record is None or record.question.job != question.job:
        return None
    sizes = sizes_of(place, record.files)
    if any(sizes.get(name) != facts.size_bytes for name, facts in record.files.items()):
        return None
    try:
        master = place.read(MASTER)
    except FileNotFoundError:  # another run has just removed it
        return None
    by_size = judged_by_size(record.files)
    proven = facts_of(master) == record.files[MASTER] and all(
        has_facts(place, name, facts)
        for name, facts in record.files.items()
        if name != MASTER and name not in by_size
    )
    if not proven or (isinstance(place, LocalPlace) and _is_replaced(place, question)):
        return None
    return master


def judged_by_size(files: Mapping[str, FileFacts]) -> set[str]:
    """The files of a report that a run doesn't read whole: from 64 MiB on.

    The parts of a table count together.
    """

    def table(name: str) -> str:
        return name.rpartition("/")[0] if is_kmer_file(name) else name

    sizes = Counter[str]()
    for name, facts in files.items():
        sizes[table(name)] += facts.size_bytes
    return {name for name in files if sizes[table(name)] >= PROVEN_BYTES}


def sizes_of(place: Place, names: Iterable[str]) -> dict[str, int]:
    """The sizes of those files that are there, and of others in their folders, by name."""
    sizes: dict[str, int] = {}
    for below in {name.rpartition("/")[0] for name in names}:
        prefix = f"{below}/" if below else ""
        sizes |= {f"{prefix}{name}": size for name, size in place.sizes(below).items()}
    return sizes


def _is_replaced(place: Place, question: Question) -> bool:
    """Whether another question's report is committed, and its files may be on their way."""
    publication = read_publication(place)
    return publication is not None and publication.question.job != question.job


def has_facts(place: Place, name: str, facts: FileFacts) -> bool:
    """Whether a file is there and is what was written, by its size and checksum."""
    size_bytes, crc = 0, 0
    try:
        for block in place.blocks(name):
            size_bytes += len(block)
            if size_bytes > facts.size_bytes:
                return False
            crc = crc64nvme(block, crc)
    except FileNotFoundError:
        return False
    return facts == FileFacts(size_bytes, f"{crc:016x}")


def report_names(name: str) -> tuple[str, ...]:
    """The names that a report of the input called `name` may have."""
    tables = (*sorted(NEEDED), *KMER_TABLES.values())
    return (RUN, *tables, f"{name}.fai", f"{name}.gzi", *RENDERINGS)


def check_names(place: Place, contents: Contents, question: Question) -> None:
    """Check that no name to be written or removed is somebody else's, or the input's.

    Work of the same question without a record leaves the names of its report open: its files are
    compared when the new ones are there.

    Raises:
        OutputError: one is.
    """
    large = question.parameters.large_k
    names = (
        *report_names(question.name),
        *map(kmer_spectrum, large),
        *(f"{kmer_folder(k)}/part-00000.parquet" for k in large),
    )
    folders = {CHUNKS, STATE, MULTIQC, KMERS, *map(kmer_folder, large)}
    is_resumed = contents.made_by is not None and contents.made_by.job == question.job
    kinds = place.kinds([*names, PLAN, PUBLISH, *sorted(folders)])
    for name, kind in kinds.items():
        is_folder = name in folders
        # Reading the contents has shown that plan and records are fanfold's.
        is_known = is_folder or is_resumed or name in {PLAN, PUBLISH, RUN} or contents.owns(name)
        if not is_known or kind != ("folder" if is_folder else "file"):
            raise in_the_way(place.where(name))
    if isinstance(place, LocalPlace) and place.keeps(question.location):
        raise OutputError(
            f"{question.location}: lies where fanfold keeps its own files; move it, or give another"
            " --out"
        )
    for name in {*names, PLAN, PUBLISH, *contents.owned}:
        if is_any(place.where(name), [question.location]):
            raise OutputError(
                f"{place.where(name)}: the input has a name that fanfold would replace or remove;"
                " give another --out"
            )


def check_questions(
    place: Place,
    contents: Contents,
    question: Question,
    *,
    is_named: bool,
    remedy: str = "give another --out, or --fresh to replace it",
) -> str | None:
    """Check that a run may replace what is here; what it replaces, in words, or None.

    Args:
        place: the folder or prefix.
        contents: what it holds.
        question: what the run asks.
        is_named: whether the user named the folder; the default one may have another report.
        remedy: what the user can do about a refusal.

    Raises:
        OutputError: it may not.
    """
    replaced = None
    for other, is_finished in contents.others(question):
        if is_finished and _is_going(place, contents, question):
            continue
        # What came by standard input can't be known again.
        same_input = question.location != STDIN and (other.location, other.name) == (
            question.location,
            question.name,
        )
        same_parameters = other.parameters == question.parameters
        if same_input and (same_parameters or (is_finished and not is_named)):
            replaced = _change_of(other, question)
            continue
        held = "the report" if is_finished else "unfinished work"
        what = f"for {_in_words(other)}" if same_input else f"of {_input_of(other)}"
        raise OutputError(f"{place.url}: holds {held} {what}; {remedy}")
    return replaced


def _is_going(place: Place, contents: Contents, question: Question) -> bool:
    """Whether a run that was stopped had begun to remove another question's report.

    It removes `master.json` first, under its own plan, and only then replaces the record.
    """
    made_by = contents.made_by
    is_claimed = made_by is not None and made_by.job == question.job
    return is_claimed and not place.kinds([MASTER])


def replaced_in_words(contents: Contents, question: Question) -> str | None:
    """What another question left, which `--fresh` replaces, in words; None if there is nothing."""
    for other, _ in contents.others(question):
        return f"of {_input_of(other)}, {_in_words(other)}"
    return None


def in_the_way(where: str) -> OutputError:
    """The error of a file that fanfold did not write, under a name that it would write."""
    return OutputError(
        f"{where}: in the way, and of no fanfold run; move it, or give another --out"
    )


def _read_own(place: Place, name: str) -> bytes | None:
    """A document of fanfold's, though it may be damaged; None if there is none."""
    try:
        data = place.read(name)
    except FileNotFoundError:
        return None
    if not is_own(data):
        raise in_the_way(place.where(name))
    return data


def _input_of(question: Question) -> str:
    if question.location == STDIN:
        return f"standard input or bytes ({question.name})"
    return question.location


def _in_words(question: Question) -> str:
    k = " ".join(f"-k {each}" for each in question.parameters.k) or "-k 0"
    parameters = question.parameters
    garbage = " --trailing-garbage ignore" if parameters.ignores_garbage else ""
    return f"{k}{' --canonical' if parameters.canonical else ''}{garbage}"


def _change_of(other: Question, question: Question) -> str:
    if other.parameters != question.parameters:
        return f"with {_in_words(other)}"
    if other.version != VERSION:
        return f"made by fanfold {other.version}"
    return "of the input as it was before it changed"
