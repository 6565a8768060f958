"""The process of one job: `python -m fanfold.web.worker`.

It reads the job as one line of JSON on standard input, and reports events as lines of JSON on
standard output. Standard error is the job's log; its last line says why a job failed. Standard
input stays open: when it ends, the server is gone, and so this process ends too. It may be killed
at any time: a run is taken up from the slices that are kept.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Collection

import msgspec

from fanfold.api.types import Chunks
from fanfold.engine.fan_out import opened
from fanfold.engine.progress import Watch
from fanfold.errors import FanfoldError, SourceChangedError
from fanfold.flow.contents import read_contents
from fanfold.flow.copies import copy_slices
from fanfold.flow.genome import Genome
from fanfold.flow.memory import divide
from fanfold.flow.options import Options
from fanfold.flow.plan import array_slice_bytes
from fanfold.flow.publish import publisher_of
from fanfold.flow.run import run_on
from fanfold.flow.run_folder import RunFolder
from fanfold.flow.uncut import plan_text
from fanfold.objects import Source, is_remote, open_place
from fanfold.params import DEFAULT_SLICE_BYTES, Params
from fanfold.report.view import DEFAULT_VIEW
from fanfold.web.progress import Changed, Event, Folding, Planned, Read, SliceState

_PAUSE_SECONDS = 0.1
"""The shortest time between two reports of bytes."""

_UNEXPECTED, _SERVER_GONE = 1, 143


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A job, as its process needs it.

    Attributes:
        source: the genome, pinned.
        out: where its results go.
        parameters: what changes the answer.
        slice_bytes: the size of a slice that was asked for.
        chunks: how the slices are made.
        threads: how many threads scan; one a core when None.
        memory_bytes: the most memory that the run may take; any amount when None.
    """

    source: Source
    out: str
    parameters: Params
    slice_bytes: int
    chunks: Chunks
    threads: int | None
    memory_bytes: int | None


class _Reporter:
    """Reports events; called by every thread of the run."""

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder()
        self._lock = threading.Lock()
        self._reported = 0.0

    def planned(self, slice_count: int | None, done: Collection[int]) -> None:
        self._say(Planned(slice_count, tuple(sorted(done))))

    def began(self, index: int) -> None:
        self._change(index, "r")

    def done(self, index: int) -> None:
        self._change(index, "d")

    def failed(self, index: int) -> None:
        self._change(index, "f")

    def folding(self) -> None:
        self._say(Folding())

    def read(self, done_bytes: int, size_bytes: int) -> None:
        now = time.monotonic()
        if now - self._reported >= _PAUSE_SECONDS or done_bytes >= size_bytes:
            self._reported = now
            self._say(Read(done_bytes, size_bytes))

    def _change(self, index: int, state: SliceState) -> None:
        self._say(Changed(index, state))

    def _say(self, event: Event) -> None:
        line = memoryview(self._encoder.encode(event) + b"\n")
        with self._lock:
            while line:
                line = line[os.write(1, line) :]


def main() -> int:
    """Do the work that standard input holds; the exit code."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    work = msgspec.json.decode(sys.stdin.buffer.readline(), type=Work)
    threading.Thread(target=_end_with_server, daemon=True).start()
    try:
        _do(work)
    except FanfoldError as error:
        logging.error("fanfold: %s", error)  # noqa: TRY400 - foreseen
        return error.exit_code
    except BaseException as error:  # a panic in Rust is no Exception
        traceback.print_exc()
        said = str(error).partition("\n")[0]
        logging.error("fanfold: unexpected %s: %s", type(error).__name__, said)  # noqa: TRY400
        return _UNEXPECTED
    return 0


def _end_with_server() -> None:
    """End this process when nobody holds the other end of standard input any more."""
    while os.read(0, 1):
        pass
    os._exit(_SERVER_GONE)


def _do(work: Work) -> None:
    """Analyse a genome; what is finished already is not done again."""
    reporter = _Reporter()
    threads, allowed = divide(work.memory_bytes, work.threads, is_remote=is_remote(work.source.url))
    slice_bytes = None if work.slice_bytes == DEFAULT_SLICE_BYTES else work.slice_bytes
    genome = Genome(work.source.url)
    if genome.source != work.source:
        raise SourceChangedError(
            f"{work.source.name}: changed after the job was asked for; post it again, which makes"
            " another job"
        )
    if work.chunks == "files":
        _write_slices(work, genome, reporter)
    with opened(None, threads) as engine:
        options = Options(work.parameters, slice_bytes, allowed, False, DEFAULT_VIEW)
        run_on(engine, genome, options, work.out, progress=reporter.read, observer=reporter)


def _write_slices(work: Work, genome: Genome, reporter: _Reporter) -> None:
    """Write a plan whose slices have objects of their own, unless one is there; write them."""
    place = open_place(work.out)
    contents = read_contents(place)
    if contents.plan is not None:
        return
    slice_bytes = array_slice_bytes(work.source.size_bytes, work.slice_bytes)
    plan = genome.plan(work.parameters, slice_bytes, apart=True)
    folder = RunFolder(place, plan)
    folder.objects.prepare("")
    watch = Watch(plan.size_bytes, reporter.read)
    if plan.cut == "text":
        plan = plan_text(folder, genome.blocks(), watch.advance)
    else:
        plan = copy_slices(folder, watch)
    place.prepare("")
    with publisher_of(place).hold(work.source.url):
        publisher_of(place).claim(plan, read_contents(place))


if __name__ == "__main__":
    sys.exit(main())
