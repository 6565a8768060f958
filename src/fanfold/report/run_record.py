"""What `run.json` says: what is true of one run only, and the record that proves its report.

The record names every file of the report, with its size and CRC-64/NVME. It gives the right to
replace these files, and it proves that they are what was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

import msgspec

from fanfold._kernel import crc64nvme
from fanfold.checked_json import Checked, DamagedDocument
from fanfold.params import SMALL_K, Params

MASTER = "master.json"
RUN = "run.json"
SEQUENCES = "sequences.tsv"
GAPS = "gaps.bed"
NX = "nx.tsv"

PAGE = "report.html"
MULTIQC = "multiqc"
RENDERINGS = (
    PAGE,
    *(f"{MULTIQC}/fanfold_{each}_mqc.json" for each in ("table", "nx", "lengths")),
)
"""What shows the report to people and to MultiQC. Completeness doesn't ask for it."""

NEEDED = frozenset({MASTER, SEQUENCES, GAPS, NX})
"""The files that every report has."""

KMER_TABLES = {k: f"kmers.k{k}.tsv" for k in range(1, SMALL_K + 1)}
"""The table of the k-mers of each length up to 8."""

KMERS = "kmers"
"""The folder of the tables of longer k-mers."""

Count = Annotated[int, msgspec.Meta(ge=0)]
Crc = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]

_INDEX = re.compile(r"[^/\0]+\.(?:fai|gzi)")
_KMER_FILE = re.compile(r"kmers/k(?:9|[12][0-9]|3[0-2])(?:\.hist|/part-[0-9]{5}\.parquet)")


class FileFacts(msgspec.Struct, frozen=True):
    """A file as it was written.

    Attributes:
        size_bytes: its size.
        crc64nvme: its CRC-64/NVME, in hexadecimal.
    """

    size_bytes: Count
    crc64nvme: Crc


class Question(msgspec.Struct, frozen=True):
    """What was asked.

    Attributes:
        job: a hash of the pinned input, the parameters and the version.
        location: the input's path, or its URL without a query.
        name: the input's base name.
        parameters: what changes the answer.
        version: the fanfold that answers.
    """

    job: str
    location: str
    name: str
    parameters: Params
    version: str


class Record(msgspec.Struct, frozen=True):
    """The files of a report.

    Attributes:
        question: the question that they answer.
        files: each file's facts, by name; all but `run.json`, which holds them.
        renderings: the facts of what shows the report, by name. A report is complete without it.
    """

    question: Question
    files: dict[str, FileFacts]
    renderings: dict[str, FileFacts]


class SourceOfRun(msgspec.Struct, frozen=True):
    """The input: its URL without a query, and what pinned it."""

    url: str
    etag: str


class EngineOfRun(msgspec.Struct, frozen=True):
    """What ran the tasks, and on how many workers if that is known."""

    name: str
    workers: int | None


class SlicesOfRun(msgspec.Struct, frozen=True):
    """How the input was cut, and which slices were scanned again because a result was lost."""

    count: int
    slice_bytes: int
    cut: str
    tile: str
    redone: tuple[int, ...]


class StoredChecksumOfRun(msgspec.Struct, frozen=True):
    """The CRC-64/NVME that the store keeps, and ``equal``, or why there is none."""

    crc64nvme: str | None
    verdict: str


class Versions(msgspec.Struct, frozen=True):
    """The versions of what ran."""

    fanfold: str
    python: str
    platform: str


class RunRecord(msgspec.Struct, frozen=True):
    """All of `run.json`.

    Attributes:
        job: the hash of the question.
        plan: the id of the plan.
        source: the input.
        engine: what ran the tasks.
        slices: how the input was cut.
        stored_checksum: what the store says of the input's bytes.
        read_bytes: bytes of the input that were read.
        scan_seconds: how long the scan took.
        seconds: how long all of it took.
        cpu_seconds: CPU time of this process.
        peak_memory_bytes: the most memory that this process had.
        versions: what ran.
        record: what proves the report.
    """

    job: str
    plan: str
    source: SourceOfRun
    engine: EngineOfRun
    slices: SlicesOfRun
    stored_checksum: StoredChecksumOfRun
    read_bytes: int
    scan_seconds: float
    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    versions: Versions
    record: Record


RUN_RECORD = Checked(RunRecord)


def decode_run(data: bytes) -> RunRecord | None:
    """What a `run.json` says; None if it isn't valid."""
    try:
        run = RUN_RECORD.decode(data)
    except DamagedDocument:
        return None
    files, renderings = run.record.files.keys(), run.record.renderings.keys()
    valid = files >= NEEDED and files.isdisjoint({RUN, *RENDERINGS})
    valid &= renderings <= {*RENDERINGS}
    return run if valid and all(map(is_report_file, files)) else None


class MeasuredWriter:
    """Passes bytes on to `write`, and measures them."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._size_bytes = 0
        self._crc = 0

    def __call__(self, data: bytes) -> None:
        """Write some bytes."""
        self._write(data)
        self._size_bytes += len(data)
        self._crc = crc64nvme(data, self._crc)

    @property
    def facts(self) -> FileFacts:
        """The facts of what was written so far."""
        return FileFacts(self._size_bytes, f"{self._crc:016x}")


def facts_of(data: bytes) -> FileFacts:
    """The facts of a file that holds `data`."""
    return FileFacts(len(data), f"{crc64nvme(data):016x}")


def is_report_file(name: str) -> bool:
    """Whether a file of a report can have a name: no way up, no other file's name."""
    fixed = name in {RUN, *NEEDED, *KMER_TABLES.values(), *RENDERINGS}
    return fixed or is_kmer_file(name) or _INDEX.fullmatch(name) is not None


def is_kmer_file(name: str) -> bool:
    """Whether a name is that of a part of a table of k-mers from 9 on, or of its spectrum."""
    return _KMER_FILE.fullmatch(name) is not None


def kmer_folder(k: int) -> str:
    """The folder of the parts of the table of a k from 9 on."""
    return f"{KMERS}/k{k}"


def kmer_spectrum(k: int) -> str:
    """The file of the spectrum of a k from 9 on."""
    return f"{KMERS}/k{k}.hist"
