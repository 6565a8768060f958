"""The run: plan, scan every slice, fold, report. Its three parts can be run one by one."""

from __future__ import annotations

import os
import platform
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from fanfold._kernel import VERSION, Fault
from fanfold.errors import (
    Cancelled,
    MissingSlicesError,
    ParameterError,
    PlanError,
)
from fanfold.fold import Fold, Folded, fasta_error
from fanfold.folder import Folder
from fanfold.inflate import HEAD_BYTES, detect_compression
from fanfold.objects import (
    Source,
    check_unchanged,
    read_head,
    remove_files,
    stat_source,
    write_file,
    writing,
)
from fanfold.params import (
    DEFAULT_K,
    DEFAULT_SLICE_BYTES,
    Params,
    check_params,
    check_positive,
)
from fanfold.plan import (
    Plan,
    array_slice_bytes,
    decode_plan,
    job_of,
    local_slice_bytes,
    make_plan,
)
from fanfold.report import encode_report, make_report
from fanfold.results import DamagedResult
from fanfold.scan import scan, scan_slice
from fanfold.stream import plan_text, scan_text

_WriteTable = Callable[[Callable[[bytes], object]], object]

Progress = Callable[[int, int], None]
"""Is told of bytes of the input that are done, and how many there are in all."""


class Report:
    """A finished run.

    Attributes:
        out: its folder.
        path: its `master.json`.
        resumed: whether everything was there already.
        seconds: how long the run took.
    """

    def __init__(self, folder: Folder, *, resumed: bool, seconds: float) -> None:
        self.out = folder.path
        self.path = folder.master_path
        self.resumed = resumed
        self.seconds = seconds

    @property
    def master(self) -> dict[str, Any]:
        """What `master.json` says."""
        document: dict[str, Any] = msgspec.json.decode(self.path.read_bytes())
        return document


def run(
    path: str | os.PathLike[str],
    k: Iterable[int] | int = DEFAULT_K,
    *,
    canonical: bool = False,
    out: str | os.PathLike[str] | None = None,
    slice_bytes: int | None = None,
    workers: int | None = None,
    memory_bytes: int | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Analyse a FASTA file: plan, scan its slices on threads, fold, report.

    A run that was stopped is taken up where it was; one that is complete is reported so.

    Args:
        path: the file: plain, gzip, BGZF, zstd, bzip2 or xz, told by its first bytes.
        k: the k-mers to count, 1 to 8, several at once; 0 or none counts none.
        canonical: count a k-mer and its reverse complement as one.
        out: the folder for the results; ``./<name>.fanfold`` when None.
        slice_bytes: the size of a slice, from 1; what suits the file when None.
        workers: threads; one a core when None.
        memory_bytes: the most memory to use; more is refused, and fewer threads run.
        fresh: start over even if results are there.
        progress: is told how far the run is.

    Raises:
        FanfoldError: see `fanfold.errors`; nothing half-written passes for complete.
    """
    started = time.monotonic()
    parameters = check_params(k, canonical=canonical)
    check_positive("the size of a slice", slice_bytes)
    workers = _affordable_workers(workers, memory_bytes)
    source = stat_source(path)
    folder = Folder(Path(out) if out is not None else Path(f"{source.name}.fanfold"))
    if slice_bytes is None:
        slice_bytes = local_slice_bytes(source.size_bytes, workers)
    plan = None if fresh else _plan_to_resume(folder, source, parameters)
    if plan is None:
        plan = _new_plan(source, parameters, slice_bytes)
        folder.clear(source.name)
        folder.write_plan(plan)
    elif folder.is_complete():
        return Report(folder, resumed=True, seconds=time.monotonic() - started)
    else:
        folder.sweep()
    watch = _Watch(source.size_bytes, progress)
    if plan.slices is None or folder.needs_text(plan):
        plan = scan_text(plan, folder, watch.advance)
        folder.write_plan(plan)
    else:
        _scan_slices(plan, folder, workers, watch)
    _fold(plan, folder, watch, workers=workers, memory_bytes=memory_bytes, started=started)
    return Report(folder, resumed=False, seconds=time.monotonic() - started)


def plan(
    path: str | os.PathLike[str],
    k: Iterable[int] | int = DEFAULT_K,
    *,
    out: str | os.PathLike[str],
    canonical: bool = False,
    slice_bytes: int | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Plan:
    """Plan a job for an array of tasks, at most 10,000: write ``plan.json`` into the folder `out`.

    An archive that can't be cut is inflated, and its text written beside the plan. Arguments are
    as in `run`; ``slice_bytes`` is 100 MiB when None, and more where that made too many slices.

    Raises:
        FanfoldError: see `fanfold.errors`.
    """
    parameters = check_params(k, canonical=canonical)
    check_positive("the size of a slice", slice_bytes)
    source = stat_source(path)
    folder = Folder(Path(out))
    wanted_bytes = DEFAULT_SLICE_BYTES if slice_bytes is None else slice_bytes
    there = None if fresh else _plan_to_resume(folder, source, parameters)
    if there is not None and there.slices is not None:
        return there
    made = _new_plan(source, parameters, array_slice_bytes(source.size_bytes, wanted_bytes))
    folder.clear(source.name)
    if made.slices is None:
        folder.write_plan(made)
        made = plan_text(made, folder, _Watch(source.size_bytes, progress).advance)
    folder.write_plan(made)
    return made


def task(plan_path: str | os.PathLike[str], index: int) -> None:
    """Scan one slice of a plan, unless its result is there already.

    Raises:
        ParameterError: the plan has no such slice.
        FanfoldError: see `fanfold.errors`.
    """
    plan, folder = _open_plan(plan_path)
    slices = plan.known_slices()
    if not 0 <= index < len(slices):
        raise ParameterError(
            f"{plan_path}: there is no slice {index}; the plan has 0 to {len(slices) - 1}"
        )
    if not folder.is_kept(plan, index):
        _check_source(plan)
        folder.keep(scan_slice(plan, slices[index], folder.path, lambda _count: None), plan)


def fold(plan_path: str | os.PathLike[str], *, memory_bytes: int | None = None) -> Report:
    """Fold the results of all slices of a plan into the report. Can be run again.

    Raises:
        MissingSlicesError: results of slices are missing or damaged; names every one.
        FanfoldError: see `fanfold.errors`.
    """
    started = time.monotonic()
    plan, folder = _open_plan(plan_path)
    watch = _Watch(plan.source.size_bytes, None)
    _fold(plan, folder, watch, workers=1, memory_bytes=memory_bytes, started=started)
    return Report(folder, resumed=False, seconds=time.monotonic() - started)


class _Watch:
    """Counts bytes over threads, tells of them, and stops the scans when asked to."""

    def __init__(self, size_bytes: int, progress: Progress | None) -> None:
        self._size_bytes = size_bytes
        self._done_bytes = 0
        self._progress = progress
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    @property
    def done_bytes(self) -> int:
        """Bytes of the input that were read."""
        return self._done_bytes

    def advance(self, count_bytes: int) -> None:
        if self._stopped.is_set():
            raise Cancelled("stopped; run again to take it up where it is")
        with self._lock:
            self._done_bytes += count_bytes
            if self._progress is not None:
                self._progress(self._done_bytes, self._size_bytes)

    def stop(self) -> None:
        self._stopped.set()


_BASE_BYTES = 96 * 1024**2
_WORKER_BYTES = 24 * 1024**2
_MEMORY_PER_ROW_BYTE = 3


def _affordable_workers(workers: int | None, memory_bytes: int | None) -> int:
    """The workers to run: those asked for, or fewer if the memory doesn't reach."""
    check_positive("the number of workers", workers)
    wanted = _cores() if workers is None else workers
    if memory_bytes is None:
        return wanted
    if memory_bytes < _BASE_BYTES + _WORKER_BYTES:
        raise ParameterError(
            f"--memory {memory_bytes} is too little: a run takes"
            f" {(_BASE_BYTES + _WORKER_BYTES) // 1024**2}MiB at least"
        )
    return min(wanted, (memory_bytes - _BASE_BYTES) // _WORKER_BYTES)


def _cores() -> int:
    """The cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _plan_to_resume(folder: Folder, source: Source, parameters: Params) -> Plan | None:
    try:
        plan = folder.read_plan()
    except PlanError:
        return None
    return plan if plan is not None and plan.job == job_of(source, parameters) else None


def _new_plan(source: Source, parameters: Params, slice_bytes: int) -> Plan:
    head = read_head(source, HEAD_BYTES)
    compression = detect_compression(head)
    if compression == "none":
        _check_head(source, head)
    return make_plan(source, compression, parameters, slice_bytes)


def _check_head(source: Source, head: bytes) -> None:
    """Tell at once of what no later byte can change: that the object doesn't begin as FASTA."""
    found = scan(head).findings()
    if isinstance(found, Fault) and found.kind in {"utf-16", "fastq", "sequence-before-header"}:
        raise fasta_error(source.name, found.kind, found.offset_byte, found.byte)


def _open_plan(plan_path: str | os.PathLike[str]) -> tuple[Plan, Folder]:
    path = Path(plan_path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PlanError(
            f"{path}: can't be read ({error.strerror}); give the plan.json that fanfold plan wrote"
        ) from error
    return decode_plan(data, str(path)), Folder(path.parent)


def _check_source(plan: Plan) -> None:
    # The text that a plan wrote out stands for its archive.
    if plan.cut != "text":
        check_unchanged(plan.source)


def _scan_slices(plan: Plan, folder: Folder, workers: int, watch: _Watch) -> None:
    """Scan the slices that have no result yet, on threads."""
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait  # noqa: PLC0415

    def scan_one(index: int) -> None:
        each = plan.known_slices()[index]
        if folder.is_kept(plan, index):
            watch.advance(each.size_bytes)
        else:
            watch.advance(0)
            folder.keep(scan_slice(plan, each, folder.path, watch.advance), plan)

    pool = ThreadPoolExecutor(workers, "fanfold-scan")
    try:
        futures = [pool.submit(scan_one, each.index) for each in plan.known_slices()]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            if future in done:
                future.result()
    except BaseException:
        watch.stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _fold(
    plan: Plan,
    folder: Folder,
    watch: _Watch,
    *,
    workers: int,
    memory_bytes: int | None,
    started: float,
) -> None:
    """Fold the results, and write everything that a reader looks for, `master.json` last."""
    scan_seconds = time.monotonic() - started
    _check_memory(plan, folder, memory_bytes)
    _check_source(plan)
    folded = _folded(plan, folder, watch)
    master = make_report(plan, folded)
    remove_files([folder.master_path])
    for path, write in _tables(plan, folder, folded):
        with writing(path) as file:
            write(file.write)
    facts = _run_facts(plan, workers, watch.done_bytes, scan_seconds, started)
    write_file(folder.run_path, msgspec.json.format(msgspec.json.encode(facts), indent=1) + b"\n")
    write_file(folder.master_path, encode_report(master), durable=True)
    remove_files(folder.text_paths(plan))


def _folded(plan: Plan, folder: Folder, watch: _Watch) -> Folded:
    folding = Fold(plan)
    missing = []
    for each in plan.known_slices():
        try:
            result = folder.kept(plan, each.index)
        except DamagedResult:
            result = None
        if result is None:
            missing.append(each.index)
        elif not missing:
            if folding.must_rescan(result):
                begin_byte = folding.position_byte
                result = scan_slice(plan, each, folder.path, watch.advance, begin_byte)
                folder.keep(result, plan)
            folding.add(result)
    if missing:
        raise MissingSlicesError(
            tuple(missing),
            f"{plan.source.name}: {len(missing)} of {len(plan.known_slices())} slices have no"
            f" valid result: {', '.join(map(str, missing))}. Run their tasks, then fold again",
        )
    return folding.finish()


def _tables(plan: Plan, folder: Folder, folded: Folded) -> Iterator[tuple[Path, _WriteTable]]:
    findings = folded.findings
    yield folder.sequences_path, findings.write_sequences
    yield folder.gaps_path, findings.write_gaps
    if findings.fai_refusal is None:
        yield folder.index_path(plan, "fai"), findings.write_fai
    gzi = folded.gzi
    if gzi is not None:
        yield folder.index_path(plan, "gzi"), lambda write: write(gzi)


def _check_memory(plan: Plan, folder: Folder, memory_bytes: int | None) -> None:
    """Refuse a fold whose rows of records would take more than the memory that may be used."""
    if memory_bytes is None:
        return
    rows_bytes = folder.rows_bytes(plan)
    needed = _BASE_BYTES + _MEMORY_PER_ROW_BYTE * rows_bytes
    if needed > memory_bytes:
        raise ParameterError(
            f"{plan.source.name}: its records take about {needed // 1024**2}MiB to fold, more than"
            " --memory allows; give that much, and run again: the scan is kept"
        )


def _run_facts(
    plan: Plan, workers: int, read_bytes: int, scan_seconds: float, started: float
) -> dict[str, Any]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    slices = plan.known_slices()
    return {
        "job": plan.job,
        "source": {"url": plan.source.url, "etag": plan.source.etag},
        "engine": {"name": "threads", "workers": workers},
        "slices": {
            "count": len(slices),
            "slice_bytes": plan.slice_bytes,
            "cut": plan.cut,
            "tile": f"[0, {slices[-1].end_byte}) without a hole or an overlap",
        },
        "stored_checksum": {"crc64nvme": None, "verdict": "none is stored"},
        "read_bytes": read_bytes,
        "scan_seconds": round(scan_seconds, 3),
        "seconds": round(time.monotonic() - started, 3),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
        "peak_memory_bytes": usage.ru_maxrss * unit_bytes,
        "estimated_cost_usd": None,
        "versions": {
            "fanfold": VERSION,
            "python": platform.python_version(),
            "platform": platform.platform(),
        },
    }
