"""The fan-in: the slices' results, read in order and folded, and all that a reader looks for."""

from __future__ import annotations

import base64
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from fanfold._kernel import VERSION
from fanfold.engine.progress import Watch
from fanfold.errors import ChecksumError, MissingSlicesError, ParameterError
from fanfold.flow.fold import Fold, Folded
from fanfold.flow.plan import Plan
from fanfold.flow.run_folder import GAPS, MASTER, RUN, SEQUENCES, Folder, index_name
from fanfold.flow.scan import scan_slice
from fanfold.objects import StoredChecksum, check_unchanged, is_remote, shown
from fanfold.report.master import SourceFacts, encode_report, make_report
from fanfold.report.run_record import MeasuredWriter, Record, facts_of, make_record

BASE_BYTES = 96 * 1024**2
"""Memory of a run beside its workers and its rows."""

_MEMORY_PER_ROW_BYTE = 3

_WriteTable = Callable[[Callable[[bytes], object]], object]


class Report:
    """A finished run.

    Attributes:
        url: where its files are: the path of a folder, or the URL of a prefix.
        master_url: the path or URL of its `master.json`.
        resumed: whether everything was there already.
        seconds: how long the run took.
    """

    def __init__(self, folder: Folder, *, resumed: bool, seconds: float) -> None:
        self.url = folder.place.url
        self.master_url = folder.place.where(MASTER)
        self.resumed = resumed
        self.seconds = seconds
        self._place = folder.place

    @property
    def out(self) -> Path:
        """The folder of its files, which is on this machine.

        Raises:
            ParameterError: it isn't; see `url`.
        """
        if is_remote(self.url):
            raise ParameterError(f"{self.url}: not a folder of this machine; use Report.url")
        return Path(self.url)

    @property
    def path(self) -> Path:
        """Its `master.json`, which is on this machine; raises as `out` does."""
        return self.out / MASTER

    @property
    def master(self) -> dict[str, Any]:
        """What `master.json` says."""
        document: dict[str, Any] = msgspec.json.decode(self.read_master())
        return document

    def read_master(self) -> bytes:
        """The bytes of `master.json`."""
        return self._place.read(MASTER)


class Scanned(NamedTuple):
    """What is true of a run alone, for `run.json`.

    Attributes:
        engine: what ran the tasks.
        workers: on how many workers, if that is known.
        started: when it started, on the monotonic clock.
        seconds: how long the scan took.
        redone: slices whose results were missing or damaged, and were scanned again.
    """

    engine: str
    workers: int | None
    started: float
    seconds: float = 0.0
    redone: tuple[int, ...] = ()


def fold_in(
    plan: Plan,
    folder: Folder,
    watch: Watch,
    scanned: Scanned,
    *,
    checksum: Callable[[], StoredChecksum],
    memory_bytes: int | None,
    is_same_job: bool = False,
) -> Report:
    """Fold the results, and write everything that a reader looks for, `master.json` last.

    Args:
        plan: the plan.
        folder: where the results are, and what is written goes.
        watch: counts what is read again.
        scanned: what is true of this run alone.
        checksum: tells what the store keeps.
        memory_bytes: the most memory that it may take.
        is_same_job: whether a report that may be there is certainly the same, and can stay while
            this one is written.

    Raises:
        MissingSlicesError: results are missing or damaged; names every one.
        ChecksumError: the store keeps another checksum of the object.
        FanfoldError: see `fanfold.errors`; there is no `master.json` then.
    """
    _check_memory(plan, folder, memory_bytes)
    folded = _folded(plan, folder, watch)
    # Text that a plan wrote out stands for its archive, and copies for what they are of.
    if plan.cut != "text" and not plan.apart:
        check_unchanged(plan.source)
    stored = checksum()
    _check_checksum(plan, folded, stored)
    source = SourceFacts(
        name=plan.source.name,
        size_bytes=plan.size_bytes,
        compression=plan.compression,
        crc64nvme=base64.b64encode(folded.crc64nvme.to_bytes(8, "big")).decode(),
    )
    master = make_report(folded.findings, source, plan.parameters, folded.text_bytes)
    place = folder.place
    if not is_same_job:
        place.remove([MASTER])
    files = {}
    for name, write in _tables(plan, folded):
        with place.writing(name) as file:
            measured = MeasuredWriter(file.write)
            write(measured)
        files[name] = measured.facts
    report = encode_report(master)
    files[MASTER] = facts_of(report)
    facts = _run_facts(plan, watch, scanned, stored, make_record(plan.job, files))
    place.write(RUN, msgspec.json.format(msgspec.json.encode(facts), indent=1) + b"\n")
    place.write(MASTER, report, durable=True)
    folder.remove_objects(plan)
    return Report(folder, resumed=False, seconds=time.monotonic() - scanned.started)


def _folded(plan: Plan, folder: Folder, watch: Watch) -> Folded:
    folding = Fold(plan)
    missing = []
    for index, kept in folder.all_kept(plan):
        if kept is None:
            missing.append(index)
        elif not missing:
            result = kept
            if folding.must_rescan(result):
                begin_byte = folding.position_byte
                each = plan.known_slices()[index]
                result = scan_slice(plan, each, folder.objects(plan), watch.advance, begin_byte)
                folder.keep(result, plan)
            folding.add(result)
    if missing:
        raise MissingSlicesError(
            tuple(missing),
            f"{plan.source.name}: {len(missing)} of {len(plan.known_slices())} slices have no"
            f" valid result: {', '.join(map(str, missing))}. Run their tasks, then fold again",
        )
    return folding.finish()


def _check_checksum(plan: Plan, folded: Folded, stored: StoredChecksum) -> None:
    if stored.crc64nvme not in {None, folded.crc64nvme}:
        raise ChecksumError(
            f"{shown(plan.source.url)}: its bytes have the CRC-64/NVME {folded.crc64nvme:016x}, but"
            f" the store keeps {stored.crc64nvme:016x}; nothing was reported. Get a fresh copy"
        )


def _tables(plan: Plan, folded: Folded) -> Iterator[tuple[str, _WriteTable]]:
    findings = folded.findings
    yield SEQUENCES, findings.write_sequences
    yield GAPS, findings.write_gaps
    if findings.fai_refusal is None:
        yield index_name(plan, "fai"), findings.write_fai
    gzi = folded.gzi
    if gzi is not None:
        yield index_name(plan, "gzi"), lambda write: write(gzi)


def _check_memory(plan: Plan, folder: Folder, memory_bytes: int | None) -> None:
    """Refuse a fold whose rows of records would take more than the memory that may be used."""
    if memory_bytes is None:
        return
    needed = BASE_BYTES + _MEMORY_PER_ROW_BYTE * folder.rows_bytes()
    if needed > memory_bytes:
        raise ParameterError(
            f"{plan.source.name}: its records take about {needed // 1024**2}MiB to fold, more than"
            " --memory allows; give that much, and run again: the scan is kept"
        )


def _run_facts(
    plan: Plan, watch: Watch, scanned: Scanned, stored: StoredChecksum, record: Record
) -> dict[str, Any]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    slices = plan.known_slices()
    return {
        "job": plan.job,
        "source": {"url": shown(plan.source.url), "etag": plan.source.etag},
        "engine": {"name": scanned.engine, "workers": scanned.workers},
        "slices": {
            "count": len(slices),
            "slice_bytes": plan.slice_bytes,
            "cut": plan.cut,
            "tile": f"[0, {slices[-1].end_byte}) without a hole or an overlap",
            "redone": scanned.redone,
        },
        "stored_checksum": {
            "crc64nvme": None if stored.crc64nvme is None else f"{stored.crc64nvme:016x}",
            "verdict": "equal" if stored.crc64nvme is not None else stored.note,
        },
        "read_bytes": watch.read_bytes,
        "scan_seconds": round(scanned.seconds, 3),
        "seconds": round(time.monotonic() - scanned.started, 3),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
        "peak_memory_bytes": usage.ru_maxrss * unit_bytes,
        "estimated_cost_usd": None,
        "versions": {
            "fanfold": VERSION,
            "python": platform.python_version(),
            "platform": platform.platform(),
        },
        "record": record,
    }
