"""The report of a job in the cloud, fetched into a folder."""

from __future__ import annotations

import time

from fanfold.errors import CloudError
from fanfold.flow.finish import Report
from fanfold.flow.run_folder import GAPS, MASTER, PLAN, RUN, SEQUENCES, Folder, in_the_way
from fanfold.objects import open_place, read_blocks, split_location, stat_source

_OF_THE_JOB = {PLAN, "request.json", "error.json"}
"""What is beside a report in the cloud, and tells of the job alone."""


def fetch_report(master_url: str, genome: str, out: str, *, started: float) -> Report:
    """Fetch the files of a report, each whole or not at all, `master.json` last.

    Args:
        master_url: the URL of its `master.json`.
        genome: the name of its input.
        out: where they go.
        started: when the job was asked for, on the monotonic clock.

    Raises:
        CloudError: there is no report.
        OutputError: they can't be listed or written, or something else is in the way.
        SourceError: one can't be read.
    """
    url = split_location(master_url)[0]
    names = sorted(open_place(url).sizes().keys() - _OF_THE_JOB)
    if MASTER not in names:
        raise CloudError(f"{master_url}: there is no report; submit the job again")
    folder = Folder(open_place(out))
    _make_room(folder, names, genome)
    # run.json shows whose the folder is, should the rest not come.
    for name in sorted(names, key=lambda name: (name != RUN, name == MASTER, name)):
        source = stat_source(f"{url}/{name}")
        with folder.place.writing(name, durable=name == MASTER) as file:
            for block in read_blocks(source, 0, source.size_bytes):
                file.write(block)
    return Report(folder, resumed=False, seconds=time.monotonic() - started)


def _make_room(folder: Folder, names: list[str], genome: str) -> None:
    """Remove the report that is there, be it of a run or fetched.

    Raises:
        OutputError: a file that fanfold did not write is in the way.
    """
    place = folder.place
    there = place.sizes()
    if PLAN in there:
        folder.clear(genome)
    elif RUN in there:
        stale = {SEQUENCES, GAPS, f"{genome}.fai", f"{genome}.gzi"} - set(names)
        place.remove([MASTER, *stale])
    else:
        for name in names:
            if name in there:
                raise in_the_way(place.where(name))
    place.prepare("")
