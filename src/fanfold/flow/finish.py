"""The fan-in: the slices' results folded, proven, and written as a report."""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import NamedTuple

from fanfold._kernel import VERSION, Findings, crc64nvme
from fanfold.checked_json import encode_checked
from fanfold.engine.progress import Watch
from fanfold.errors import PlanError
from fanfold.flow.fold import Folded, fold_results
from fanfold.flow.kmer_tables import CountedTable
from fanfold.flow.made import check_checksum, check_notes, made_of
from fanfold.flow.memory import LEAST_MEMORY_PER_ROW_BYTE, Allowed, RowsMemory
from fanfold.flow.phases import log_folded, log_written
from fanfold.flow.plan import Plan, Slice
from fanfold.flow.publication import NewReport, WriteTable, remove_text
from fanfold.flow.publish import publisher_of
from fanfold.flow.results import Results
from fanfold.flow.run_folder import RunFolder
from fanfold.flow.scan import scan_slice
from fanfold.flow.slice_file import SliceResult
from fanfold.objects import Place, StoredChecksum, check_unchanged, shown
from fanfold.params import Alphabet
from fanfold.report.master import encode_report
from fanfold.report.nx_table import nx_table
from fanfold.report.renderings import renderings_of
from fanfold.report.run_record import (
    GAPS,
    KMER_TABLES,
    NX,
    SEQUENCES,
    EngineOfRun,
    Record,
    RunRecord,
    SlicesOfRun,
    SourceOfRun,
    StoredChecksumOfRun,
    Versions,
    kmer_spectrum,
)
from fanfold.report.survey import Survey
from fanfold.report.view import View

CountTables = Callable[[Findings], AbstractContextManager[Mapping[int, CountedTable]]]
"""Makes the tables of k-mers from 9 on, which are there for as long as it takes to publish them."""

LAG_SECONDS = 3.0
"""How long a network file system may take to show what another machine wrote: its caches of names
hold three seconds and more (nfs(5), acregmin)."""


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
    folder: RunFolder,
    watch: Watch,
    scanned: Scanned,
    view: View,
    *,
    alphabet: Alphabet = "any",
    checksum: Callable[[], StoredChecksum],
    allowed: Allowed,
    hold: Callable[[], AbstractContextManager[object]],
    results: Results | None = None,
    count_tables: CountTables = lambda _: nullcontext({}),
) -> bytes:
    """Fold the results, and write everything that a reader looks for; the bytes of `master.json`.

    Args:
        folder: where the results are, and what is written goes.
        watch: counts what is read again.
        scanned: what is true of this run alone.
        view: how lengths and gaps are looked at.
        alphabet: what the input may be of.
        checksum: tells what the store keeps.
        allowed: the memory that it may take.
        hold: holds the folder while the report is written.
        results: the results of the slices; those in the folder when None.
        count_tables: makes the tables of k-mers from 9 on, if they are asked for.

    Raises:
        MissingSlicesError: results are missing or damaged; names every one.
        MissingCountsError: so for counts of k-mers.
        ChecksumError: the store keeps another checksum of the object.
        InputError: the input is not of the alphabet.
        FanfoldError: see `fanfold.errors`; a report that was there stays as it was.
    """
    plan = folder.plan
    folded = _folded(folder, results or folder, watch, allowed)
    log_folded(plan, folded.findings)
    # Text that a plan wrote out stands for its archive, and copies for what they are of.
    if plan.cut != "text" and not plan.apart:
        check_unchanged(plan.source)
    stored = checksum()
    check_checksum(plan, folded, stored)
    with hold(), count_tables(folded.findings) as tables:
        large = {k: table.kmers for k, table in tables.items()}
        report, survey, counts = made_of(plan, folded, view, large)
        check_notes(plan.source.name, report.notes, alphabet)
        master = encode_report(report)

        def run(record: Record) -> bytes:
            return encode_checked(_run_record(plan, watch, scanned, stored, record))

        publisher_of(folder.place).publish(
            plan.question,
            NewReport(
                tables=tuple(_tables(folder, folded, survey, tables)),
                master=master,
                run=run,
                renderings=renderings_of(report, survey, counts),
                kept={},
                ready={name: file for each in tables.values() for name, file in each.parts.items()},
            ),
            plan,
        )
        folder.remove_objects()
        remove_text(folder.place, plan)
    log_written(plan.source.name, folder.place)
    return master


def _folded(folder: RunFolder, results: Results, watch: Watch, allowed: Allowed) -> Folded:
    rows = RowsMemory(folder.plan.source.name, allowed)
    if allowed.rows_bytes is not None:
        # So that what is read ahead is never more than there is room for.
        rows.check(LEAST_MEMORY_PER_ROW_BYTE * folder.rows_bytes(), 1.0)
    count = len(folder.slices)

    def counted() -> Iterator[tuple[int, SliceResult | None]]:
        for index, result in results.all():
            if result is not None:
                rows.take(result.rows_memory_bytes, (index + 1) / count)
            yield index, result

    def rescan(each: Slice, begin_byte: int) -> SliceResult:
        plan, objects = folder.plan, folder.objects
        result = scan_slice(
            plan, each, objects, watch.advance, take=rows.take, begin_byte=begin_byte
        )
        results.put(result)
        return result

    return fold_results(folder.plan, counted(), rescan)


def wait_for_lagging(place: Place, results: Results) -> None:
    """Give results that other machines wrote the time to show, before they count as missing."""
    if place.lags and any(results.get(index) is None for index in sorted(results.missing())):
        time.sleep(LAG_SECONDS)


def _tables(
    folder: RunFolder, folded: Folded, survey: Survey, large: Mapping[int, CountedTable]
) -> Iterator[tuple[str, WriteTable]]:
    findings, plan = folded.findings, folder.plan
    yield SEQUENCES, findings.write_sequences
    yield GAPS, findings.write_gaps
    yield NX, _writes(nx_table(survey))
    for k in plan.parameters.small_k:
        yield KMER_TABLES[k], partial(findings.write_kmers, k, plan.parameters.canonical)
    for k, table in large.items():
        yield kmer_spectrum(k), _writes(table.spectrum)
    if findings.fai_refusal is None:
        yield f"{plan.source.name}.fai", findings.write_fai
    gzi = folded.gzi if plan.gzi_crc64nvme is None else _kept_gzi(folder)
    if gzi is not None:
        yield f"{plan.source.name}.gzi", _writes(gzi)


def _writes(data: bytes) -> WriteTable:
    return lambda write: write(data)


def _kept_gzi(folder: RunFolder) -> bytes:
    """The `.gzi` index that the inflater made."""
    plan = folder.plan
    try:
        data = folder.place.read(plan.gzi_name)
    except FileNotFoundError:
        data = b""
    if f"{crc64nvme(data):016x}" != plan.gzi_crc64nvme:
        raise PlanError(f"{folder.place.where(plan.gzi_name)}: gone, or damaged; plan anew")
    return data


def _run_record(
    plan: Plan, watch: Watch, scanned: Scanned, stored: StoredChecksum, record: Record
) -> RunRecord:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    slices = plan.known_slices()
    return RunRecord(
        job=plan.job,
        plan=plan.id,
        source=SourceOfRun(shown(plan.source.url), plan.source.etag),
        engine=EngineOfRun(scanned.engine, scanned.workers),
        slices=SlicesOfRun(
            count=len(slices),
            slice_bytes=plan.slice_bytes,
            cut=plan.cut,
            tile=f"[0, {slices[-1].end_byte}) without a hole or an overlap",
            redone=scanned.redone,
        ),
        stored_checksum=StoredChecksumOfRun(
            crc64nvme=None if stored.crc64nvme is None else f"{stored.crc64nvme:016x}",
            verdict="equal" if stored.crc64nvme is not None else stored.note,
        ),
        read_bytes=watch.read_bytes,
        scan_seconds=round(scanned.seconds, 3),
        seconds=round(time.monotonic() - scanned.started, 3),
        cpu_seconds=round(usage.ru_utime + usage.ru_stime, 3),
        peak_memory_bytes=usage.ru_maxrss * unit_bytes,
        versions=Versions(VERSION, platform.python_version(), platform.platform()),
        record=record,
    )
