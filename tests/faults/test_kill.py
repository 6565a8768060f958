"""Runs that are killed or stopped, at any moment, and taken up again: the report is the same.

Every run is the real `fanfold` in a process of its own, on a genome that keeps it busy for half a
second or so. When it is killed depends on what it has done by then, drawn from a seed.
"""

from __future__ import annotations

import bz2
import gzip
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from archives import bgzf
from servers.warm import warm_fanfold

import fanfold

from .pausing import Pause
from .processes import FANFOLD, running
from .terminals import HIDES_CURSOR, SHOWS_CURSOR, stop_amid_a_bar

GENOME_BYTES = 16_000_000
OPTIONS = ["-k", "7", "--slice-size", "256KiB", "--quiet"]
"""Some 60 slices of text, whose results take a while to write and to fold."""

STOP_SECONDS = 60
"""What is stopped would go on for much longer, or for ever: the clock decides nothing."""

CUT_BASES = bytes(b"ACGT"[byte % 4] for byte in range(256))


# --- the input --------------------------------------------------------------------------------


class Job(NamedTuple):
    """An input, and what an undisturbed run makes of it."""

    path: Path
    expected: dict[str, bytes]
    slices: int


def genome() -> bytes:
    """Chromosomes with gaps and soft-masked stretches, in lines of 60."""
    chance = random.Random(42)
    parts: list[bytes] = []
    while sum(map(len, parts)) < GENOME_BYTES:
        bases = bytearray(chance.randbytes(chance.randrange(200_000, 5_000_000)))
        bases = bases.translate(CUT_BASES)
        for _ in range(6):
            start = chance.randrange(len(bases))
            end = min(len(bases), start + chance.randrange(1, 60_000))
            bases[start:end] = (
                b"N" * (end - start) if chance.random() < 0.5 else bases[start:end].lower()
            )
        lines = (bases[start : start + 60] for start in range(0, len(bases), 60))
        parts.append(b">chr%d made up\n%b\n" % (len(parts), b"\n".join(lines)))
    return b"".join(parts)


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": lambda text: gzip.compress(text, 1),
    "bzip2": lambda text: bz2.compress(text, 1),
    "bgzf": lambda text: bgzf(text, level=1),
}


of_planned_archives = pytest.mark.parametrize(
    ("compression", "made"), [("gzip", "window"), ("bzip2", "fa")]
)
"""What a plan writes for its tasks: windows of a gzip object, or the text."""


@pytest.fixture(scope="module")
def text() -> bytes:
    return genome()


@pytest.fixture(scope="module")
def jobs(text: bytes, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Job]:
    """Makes a job on first use."""
    made: dict[str, Job] = {}

    def job(compression: str) -> Job:
        if compression not in made:
            folder = tmp_path_factory.mktemp(compression)
            path = folder / "genome.fa"
            path.write_bytes(COMPRESS[compression](text))
            finish(path, folder / "out")
            slices = len(json.loads((folder / "out" / "plan.json").read_bytes())["slices"])
            made[compression] = Job(path, results(folder / "out"), slices)
        return made[compression]

    return job


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """A folder for results, which are many, and don't stay."""
    yield tmp_path / "out"
    shutil.rmtree(tmp_path / "out", ignore_errors=True)


# --- runs that are watched --------------------------------------------------------------------


@pytest.fixture
def endless(tmp_path: Path) -> dict[str, str]:
    """What lets a run wait for ever before it writes its report."""
    pause = Pause(tmp_path / "endless", "os.rename", "*/sequences.tsv", is_patient=True)
    return pause.variables


def finish(path: Path, out: Path) -> None:
    """Run, or take up, to the end."""
    done = warm_fanfold().run([FANFOLD, "run", str(path), "--out", str(out), *OPTIONS])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{out / 'master.json'}\n"


def results(out: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in out.iterdir()
        if path.is_file() and path.name not in {"plan.json", "run.json"}
    }


def finished_slices(out: Path) -> dict[str, tuple[int, int]]:
    """The results of slices that are there, each with what changes when it is written again."""
    found = {}
    with suppress(FileNotFoundError):
        for path in (out / "chunks").glob("*/[!.]*.json"):
            status = path.stat()
            found[path.name] = status.st_ino, status.st_mtime_ns
    return found


def count_slices(out: Path) -> int:
    """How many slices are finished; cheap enough to be asked all the time."""
    with suppress(FileNotFoundError):
        for plan in (out / "chunks").iterdir():
            with os.scandir(plan) as entries:
                return sum(entry.name[0] != "." and entry.name[-5:] == ".json" for entry in entries)
    return 0


def leftovers(out: Path) -> list[str]:
    """Files that a run was about to write, or to move into place, when it was killed."""
    found = [*out.rglob(".*.fanfold-tmp"), *out.glob(".fanfold/*/*"), *out.glob("publish.json")]
    return sorted(str(path.relative_to(out)) for path in found)


def temporary(out: Path) -> list[str]:
    return [name for name in leftovers(out) if name.endswith(".fanfold-tmp")]


def read_bytes(process: subprocess.Popen[str]) -> int:
    """How much the command has read by now."""
    counters = Path(f"/proc/{process.pid}/io").read_text()
    return int(counters.removeprefix("rchar: ").partition("\n")[0])


def wait_for(process: subprocess.Popen[str], reached: Callable[[], bool]) -> bool:
    """Wait until something is so; whether the process still runs then."""
    while process.poll() is None:
        if reached():
            return True
        time.sleep(0.002)
    return False


def assert_nothing_half_written(out: Path, job: Job) -> None:
    """There is no report, or it is the whole one with all that belongs to it."""
    if (out / "master.json").exists():
        assert {name: content for name, content in results(out).items() if name[0] != "."} == (
            job.expected
        )
    for path in (out / "chunks").glob("*/[!.]*.json"):
        assert json.loads(path.read_bytes())["checksum"]


# --- SIGKILL ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("compression", "seed"),
    [("plain", 1), ("plain", 2), ("gzip", 3), ("bgzf", 4)],
)
def test_a_run_that_is_killed_again_and_again_gives_the_same_report(
    compression: str, seed: int, jobs: Callable[[str], Job], out: Path, tmp_path: Path
) -> None:
    """Its last slice waits, so that no kill comes too late."""
    job = jobs(compression)
    chance = random.Random(seed)
    kills = 6
    last = f"*.chunk{job.slices - 1:04d}.json"
    for attempt in range(kills):
        before = finished_slices(out)
        more = chance.randrange(1, 2 * job.slices // kills)
        wanted = min(len(before) + more, job.slices - 1) if attempt else 0
        pause = Pause(tmp_path / f"pause{attempt}", "os.rename", last)
        with running("run", job.path, "--out", out, *OPTIONS, **pause.variables) as process:
            assert wait_for(process, lambda wanted=wanted: count_slices(out) >= wanted)  # type: ignore[misc]
            time.sleep(chance.random() * 0.02)
            process.kill()
        after = finished_slices(out)

        assert process.returncode == -signal.SIGKILL
        assert wanted <= len(after) < job.slices
        assert_nothing_half_written(out, job)
        assert {name: after[name] for name in before} == before, "a finished slice was done again"
    before = finished_slices(out)

    finish(job.path, out)

    assert results(out) == job.expected
    after = finished_slices(out)
    assert len(after) == job.slices
    assert {name: after[name] for name in before} == before, "a finished slice was done again"
    assert leftovers(out) == []


@pytest.mark.parametrize("compression", ["plain", "gzip", "bgzf"])
def test_a_run_that_is_killed_while_it_folds_gives_the_same_report(
    compression: str, jobs: Callable[[str], Job], out: Path, tmp_path: Path
) -> None:
    job = jobs(compression)
    written = (".fanfold/*/sequences.tsv", "publish.json", "gaps.bed", "run.json", "master.json")
    for number, name in enumerate(written):
        pause = Pause(tmp_path / f"pause{number}", "os.rename", f"{out}/{name}")
        with running("run", job.path, "--out", out, *OPTIONS, **pause.variables) as process:
            assert wait_for(process, pause.is_reached)
            process.kill()
        assert_nothing_half_written(out, job)
    before = finished_slices(out)

    finish(job.path, out)

    assert len(before) == job.slices
    assert finished_slices(out) == before
    assert results(out) == job.expected


def test_a_file_that_was_being_written_when_the_run_was_killed_does_no_harm(
    jobs: Callable[[str], Job], out: Path, tmp_path: Path
) -> None:
    """It never bears a result's name, and is gone when the run is done."""
    job = jobs("plain")
    pause = Pause(tmp_path / "pause", "os.rename", "*.chunk0005.json")
    with running("run", job.path, "--out", out, *OPTIONS, **pause.variables) as process:
        assert wait_for(process, pause.is_reached)
        process.kill()
    names = temporary(out)
    assert names

    finish(job.path, out)

    assert results(out).keys() - {name for name in names if "/" not in name} == job.expected.keys()
    assert {name: results(out)[name] for name in job.expected} == job.expected
    assert leftovers(out) == []


def test_a_fold_of_a_killed_run_names_what_is_missing(
    jobs: Callable[[str], Job], out: Path, tmp_path: Path
) -> None:
    job = jobs("plain")
    pause = Pause(tmp_path / "pause", "os.rename", "*.chunk0040.json")
    with running("run", job.path, "--out", out, *OPTIONS, **pause.variables) as process:
        assert wait_for(process, pause.is_reached)
        process.kill()
    there = {int(name[-9:-5]) for name in finished_slices(out)}
    missing = set(range(job.slices)) - there
    assert there
    assert missing

    folded = subprocess.run(
        [FANFOLD, "fold", out / "plan.json"], capture_output=True, text=True, check=False
    )

    assert folded.returncode == 6
    assert folded.stdout == ""
    named = re.search(r"no valid result: ([\d, ]+)\.", folded.stderr)
    assert named is not None
    assert {int(index) for index in named[1].split(", ")} == missing
    assert not (out / "master.json").exists()


@of_planned_archives
def test_a_plan_of_an_archive_that_is_killed_is_no_plan_until_it_is_made_again(
    compression: str, made: str, jobs: Callable[[str], Job], out: Path, tmp_path: Path
) -> None:
    job = jobs(compression)
    arguments = ("plan", job.path, "--out", out, "-k", "7", "--slice-size", "256KiB", "--quiet")
    pause = Pause(tmp_path / "pause", "os.rename", f"*.chunk0040.{made}")
    with running(*arguments, **pause.variables) as process:
        assert wait_for(process, pause.is_reached)
        process.kill()
    assert process.returncode == -signal.SIGKILL

    for verb in (["task", "--index", "0"], ["fold"]):
        refused = subprocess.run(
            [FANFOLD, *verb, out / "plan.json"], capture_output=True, text=True, check=False
        )
        assert refused.returncode == 6
        assert "plan anew" in refused.stderr
        assert "Traceback" not in refused.stderr
    subprocess.run([FANFOLD, *arguments], capture_output=True, check=True)
    for each in fanfold.plan(job.path, 7, out=out).slices:
        fanfold.task(out / "plan.json", each.index)
    fanfold.fold(out / "plan.json")

    assert results(out) == job.expected
    assert leftovers(out) == []


# --- SIGINT -----------------------------------------------------------------------------------


def interrupted(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Press Ctrl-C; what it wrote to stdout and stderr until it ended."""
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=STOP_SECONDS)


@pytest.mark.parametrize("compression", ["plain", "gzip", "bgzf"])
@pytest.mark.parametrize("moment", ["plan", "first slice", "midst", "fold"])
def test_ctrl_c_ends_a_run_and_it_can_be_taken_up(
    compression: str,
    moment: str,
    jobs: Callable[[str], Job],
    out: Path,
    endless: dict[str, str],
) -> None:
    job = jobs(compression)
    reached = {
        "plan": (out / "plan.json").exists,
        "first slice": lambda: count_slices(out) >= 1,
        "midst": lambda: count_slices(out) >= job.slices // 2,
        "fold": lambda: count_slices(out) == job.slices,
    }
    with running("run", job.path, "--out", out, *OPTIONS, **endless) as process:
        assert wait_for(process, reached[moment])
        stdout, stderr = interrupted(process)
    before = finished_slices(out)

    assert process.returncode == 130
    assert stdout == ""
    assert stderr.strip() == "fanfold: stopped; run again to take it up where it is"
    assert not (out / "master.json").exists()
    assert leftovers(out) == []
    finish(job.path, out)
    assert results(out) == job.expected
    after = finished_slices(out)
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("compression", ["plain", "gzip"])
def test_ctrl_c_ends_a_run_in_the_midst_of_slices_that_take_minutes(
    compression: str, tmp_path: Path, out: Path
) -> None:
    """A text of zeros is bad FASTA, but it takes as long to read, and next to no disk."""
    path = tmp_path / "zeros.fa"
    if compression == "plain":
        path.write_bytes(b">zeros\n")
        os.truncate(path, 2**42)
    else:
        path.write_bytes(gzip.compress(b">zeros\n") + 600 * gzip.compress(bytes(2**26)))
    with running("run", path, "--out", out, "--slice-size", "1TiB", "--quiet") as process:
        assert wait_for(process, (out / "plan.json").exists)
        before = read_bytes(process)
        assert wait_for(process, lambda: read_bytes(process) > before + 2**20)
        _, stderr = interrupted(process)

    assert process.returncode == 130
    assert stderr.strip() == "fanfold: stopped; run again to take it up where it is"
    assert count_slices(out) == 0
    assert leftovers(out) == []


@pytest.mark.parametrize("compression", ["plain", "gzip"])
def test_ctrl_c_twice_is_as_good_as_once(
    compression: str, jobs: Callable[[str], Job], out: Path, endless: dict[str, str]
) -> None:
    job = jobs(compression)
    with running("run", job.path, "--out", out, *OPTIONS, **endless) as process:
        assert wait_for(process, lambda: count_slices(out) >= 5)
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
        _, stderr = interrupted(process)

    assert process.returncode in {130, -signal.SIGINT}  # which a shell calls 130 too
    assert stderr.strip() == "fanfold: stopped; run again to take it up where it is"
    assert not (out / "master.json").exists()
    finish(job.path, out)
    assert results(out) == job.expected


@of_planned_archives
def test_ctrl_c_ends_a_plan_that_inflates(
    compression: str, made: str, jobs: Callable[[str], Job], out: Path, tmp_path: Path
) -> None:
    job = jobs(compression)
    arguments = ("plan", job.path, "--out", out, "--slice-size", "64KiB")
    pause = Pause(tmp_path / "pause", "os.rename", f"*.chunk0100.{made}", is_patient=True)
    with running(*arguments, **pause.variables) as process:
        assert wait_for(process, lambda: len(list(out.glob(f"chunks/**/*.{made}"))) >= 10)
        _, stderr = interrupted(process)

    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert leftovers(out) == []
    subprocess.run([FANFOLD, *arguments], capture_output=True, check=True)
    assert len(list(out.glob(f"chunks/**/*.{made}"))) >= 100


def test_ctrl_c_on_a_terminal_shows_the_cursor_again(out: Path) -> None:
    code, shown = stop_amid_a_bar(out, signal.SIGINT)

    assert code == 130
    assert shown.rindex(SHOWS_CURSOR) > shown.rindex(HIDES_CURSOR)
    assert b"Traceback" not in shown
    assert b"stopped; run again" in shown


@pytest.mark.parametrize("compression", ["plain", "gzip"])
def test_a_progress_that_raises_stops_the_run_and_it_can_be_taken_up(
    compression: str, jobs: Callable[[str], Job], out: Path
) -> None:
    """How a program stops a run; `Cancelled` is there for it."""
    job = jobs(compression)

    def stop_halfway(done_bytes: int, size_bytes: int) -> None:
        if done_bytes > size_bytes // 2:
            raise fanfold.errors.Cancelled("enough")

    with pytest.raises(fanfold.errors.Cancelled, match="enough"):
        fanfold.run(job.path, 7, out=out, slice_bytes=2**18, progress=stop_halfway)
    before = finished_slices(out)

    assert 0 < len(before) < job.slices
    assert not (out / "master.json").exists()
    finish(job.path, out)
    assert results(out) == job.expected
    assert {name: finished_slices(out)[name] for name in before} == before
