"""What a command writes to stdout is there whole, or the command fails; stderr decides nothing.

The faults are real: full devices, pipes that are read late or whose reader has left, files of a
limited size, and streams that are closed; with Python's own buffers, and without.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import signal
import subprocess
import sysconfig
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from servers.api import JOB, ApiServer, job_document

import fanfold

DATA = Path(__file__).parents[1] / "data"
FANFOLD = str(Path(sysconfig.get_path("scripts")) / "fanfold")
OUTPUT_ERROR, READER_LEFT = 5, 128 + signal.SIGPIPE
PIPE_BYTES = 4096
"""The smallest pipe there is: most of what is printed here is larger."""

UNBUFFERED = pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])


class Scene(NamedTuple):
    """A report, a folder with many faults, and an API with much to tell."""

    report: Path
    broken: Path
    fresh: Path
    variables: Mapping[str, str]

    def start(
        self,
        words: Sequence[str],
        before: Sequence[str] = (),
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        **variables: str,
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*before, FANFOLD, *(word.format(**self._asdict()) for word in words)],
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, **self.variables, **variables},
        )

    def end(self, words: Sequence[str], before: Sequence[str] = (), **variables: str) -> Ended:
        with self.start(words, before, subprocess.PIPE, subprocess.PIPE, **variables) as process:
            stdout, stderr = process.communicate(timeout=60)
        return Ended(process.returncode, stdout, stderr.decode())


class Ended(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: bytes
    stderr: str


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("scene")
    report = fanfold.run(DATA / "human_MT.fa", 8, out=folder / "report").out
    genomes = []
    for number in range(60):
        genomes.append(folder / f"{number}.fa")
        genomes[-1].write_bytes(b">a\nACGT\n")
    fanfold.run_many(genomes, 1, out=folder / "broken")
    for genome in genomes:
        (folder / "broken" / genome.name / "gaps.bed").unlink()
    return Scene(report, folder / "broken", folder, {})


@pytest.fixture
def scene(shared: Scene, tmp_path: Path) -> Iterator[Scene]:
    with ApiServer() as api:
        names = [f"{number:032x}" for number in range(100)]
        for name in [*names, JOB]:
            api.set_job(name, [job_document(name)])
        line = {"time": "2026-11-24T21:00:00Z", "text": "a line of a log"}
        api.logs = {"stream": "task/default/1", "lines": [line] * 500}
        yield shared._replace(fresh=tmp_path / "fresh", variables=api.environment())


RUN = ("run", str(DATA / "human_MT.fa"), "-k", "8", "--out", "{report}", "--quiet")
REPORT_JSON = (*RUN, "--json")
LARGE = {
    "the report": REPORT_JSON,
    "faults": ("check", "{broken}"),
    "jobs": ("jobs", "--limit", "100"),
    "jobs as JSON": ("jobs", "--json"),
    "logs": ("logs", JOB),
    "help": ("run", "--help"),
}
"""What prints more than the smallest pipe takes, or nearly so."""
SMALL = {
    "the version": ("--version",),
    "the help": ("--help",),
    "the path of a report": RUN,
    "the path of a plan": ("plan", str(DATA / "human_MT.fa"), "--out", "{fresh}", "--quiet"),
    "the path of a table": (
        *("run", str(DATA / "human_MT.fa"), str(DATA / "phiX174.fa")),
        *("--out", "{fresh}", "--quiet"),
    ),
    "a job": ("submit", "s3://bucket/input/genome.fa", "--quiet"),
    "a state": ("status", JOB),
    "the end of a job": ("cancel", JOB),
}
ALL = LARGE | SMALL


# --- stdout that takes nothing ----------------------------------------------------------------


@UNBUFFERED
@pytest.mark.parametrize("what", ALL)
def test_what_a_full_device_does_not_take_is_an_error(
    what: str, unbuffered: str, scene: Scene
) -> None:
    full = ["sh", "-c", 'exec "$@" >/dev/full', "sh"]

    done = scene.end(ALL[what], full, PYTHONUNBUFFERED=unbuffered)

    assert_unwritten(done, errno.ENOSPC)


@UNBUFFERED
@pytest.mark.parametrize("what", ALL)
def test_what_has_no_stdout_is_an_error(what: str, unbuffered: str, scene: Scene) -> None:
    closed = ["sh", "-c", 'exec "$@" >&-', "sh"]

    done = scene.end(ALL[what], closed, PYTHONUNBUFFERED=unbuffered)

    assert_unwritten(done, errno.EBADF)


@UNBUFFERED
def test_what_a_file_may_not_hold_is_an_error(
    unbuffered: str, scene: Scene, tmp_path: Path
) -> None:
    limited = ["sh", "-c", f'ulimit -f 8 && exec "$@" >{tmp_path}/json', "sh"]

    done = scene.end(REPORT_JSON, limited, PYTHONUNBUFFERED=unbuffered)

    assert_unwritten(done, errno.EFBIG)
    written = (tmp_path / "json").read_bytes()
    assert (scene.report / "master.json").read_bytes().startswith(written)


@UNBUFFERED
@pytest.mark.parametrize("what", ALL)
def test_a_reader_that_has_left_ends_a_command_in_silence(
    what: str, unbuffered: str, scene: Scene
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with scene.start(ALL[what], stdout=writing, PYTHONUNBUFFERED=unbuffered) as process:
        os.close(writing)
        _, stderr = process.communicate(timeout=60)

    assert (process.returncode, stderr) == (READER_LEFT, b"")


@UNBUFFERED
@pytest.mark.parametrize("what", ["the report", "faults", "jobs", "logs"])
def test_a_reader_that_takes_the_first_line_ends_a_command_in_silence(
    what: str, unbuffered: str, scene: Scene
) -> None:
    reading, writing = smallest_pipe()
    with scene.start(LARGE[what], stdout=writing, PYTHONUNBUFFERED=unbuffered) as process:
        os.close(writing)
        assert os.read(reading, 1)
        os.close(reading)
        _, stderr = process.communicate(timeout=60)

    assert (process.returncode, stderr) == (READER_LEFT, b"")


# --- stdout that takes its time ---------------------------------------------------------------


@UNBUFFERED
@pytest.mark.parametrize("is_blocking", [True, False], ids=["blocking", "non-blocking"])
@pytest.mark.parametrize("what", LARGE)
def test_a_reader_that_comes_late_gets_all(
    what: str, is_blocking: bool, unbuffered: str, scene: Scene
) -> None:
    expected = scene.end(LARGE[what])
    reading, writing = smallest_pipe()
    os.set_blocking(writing, is_blocking)
    with scene.start(LARGE[what], stdout=writing, PYTHONUNBUFFERED=unbuffered) as process:
        os.close(writing)
        wait_until(lambda: process.poll() is not None or is_full(reading))
        shown = slowly_read(reading)
        _, stderr = process.communicate(timeout=60)

    assert (process.returncode, stderr.decode()) == (expected.returncode, expected.stderr)
    assert shown == expected.stdout
    if what == "the report":
        assert shown == (scene.report / "master.json").read_bytes()


# --- stderr -----------------------------------------------------------------------------------

STDERRS = {
    "full": ["sh", "-c", 'exec "$@" 2>/dev/full', "sh"],
    "closed": ["sh", "-c", 'exec "$@" 2>&-', "sh"],
}


@UNBUFFERED
@pytest.mark.parametrize("stderr", STDERRS)
def test_a_stderr_that_takes_nothing_changes_no_result(
    stderr: str, unbuffered: str, scene: Scene
) -> None:
    genome = str(DATA / "phiX174.fa")
    many = ("run", genome, genome + ".gone", "--out", "{fresh}")
    done = scene.end(many, STDERRS[stderr], PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr) == (9, "")
    assert done.stdout == os.fsencode(scene.fresh / "summary.tsv") + b"\n"

    done = scene.end(("check", "{fresh}"), STDERRS[stderr], PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stdout) == (0, b"")
    codes = {
        ("run", genome, "--out", "{fresh}/phiX174.fa"): 0,
        ("run", genome + ".gone"): 4,
        ("--debug", "run", genome + ".gone"): 4,
        ("run",): 2,
    }
    for words, code in codes.items():
        done = scene.end(words, STDERRS[stderr], PYTHONUNBUFFERED=unbuffered)
        assert done.returncode == code


def test_no_stream_at_all_is_none_of_the_files_of_a_run(scene: Scene, tmp_path: Path) -> None:
    """The first file that a process opens has the lowest number that is free."""
    genome = str(DATA / "phiX174.fa")
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]

    done = scene.end(("run", genome, genome + ".gone", "--out", "{fresh}", "-k", "5"), closed)

    assert (done.returncode, done.stdout, done.stderr) == (OUTPUT_ERROR, b"", "")
    report = fanfold.run(genome, 5, out=scene.fresh / "phiX174.fa")
    assert report.resumed
    assert report.data == fanfold.run(genome, 5, out=tmp_path / "undisturbed").data
    assert scene.end(("check", "{fresh}")).returncode == 0


def test_a_reader_of_stderr_that_has_left_changes_no_result(scene: Scene) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = ("run", str(DATA / "phiX174.fa"), "--out", "{fresh}")
    with scene.start(words, stderr=writing) as process:
        os.close(writing)
        stdout, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    assert stdout == os.fsencode(scene.fresh / "master.json") + b"\n"


def test_a_pipe_of_stderr_that_is_full_is_waited_for(scene: Scene, tmp_path: Path) -> None:
    genomes = [str(tmp_path / f"{number}.fa") for number in range(100)]
    words = ("run", *genomes, "--out", "{fresh}")
    expected = scene.end(words)
    reading, writing = smallest_pipe()
    os.set_blocking(writing, False)
    with scene.start(words, stderr=writing) as process:
        os.close(writing)
        wait_until(lambda: process.poll() is not None or is_full(reading))
        shown = slowly_read(reading)
        process.communicate(timeout=60)

    assert process.returncode == expected.returncode == 9
    assert shown.decode() == expected.stderr


# --- the end ----------------------------------------------------------------------------------

AT_THE_END = """\
import os, threading

def shut_down(original=threading._shutdown):
    os.kill(os.getpid(), {signal})
    original()

threading._shutdown = shut_down
"""
"""A signal comes while Python waits for its threads at the end."""


@pytest.mark.parametrize("came", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_after_all_is_done_changes_nothing(
    came: signal.Signals, scene: Scene, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(AT_THE_END.format(signal=int(came)))
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])

    done = scene.end(RUN, PYTHONPATH=path)

    assert (done.returncode, done.stderr) == (0, "")


# --- helpers ----------------------------------------------------------------------------------


def assert_unwritten(done: Ended, number: int) -> None:
    """It said in one line that stdout can't be written, and why, and ended so."""
    assert done.returncode == OUTPUT_ERROR, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("fanfold: standard output can't be written: ")
    assert os.strerror(number) in line


def slowly_read(reading: int) -> bytes:
    """All that comes through a pipe, a little at a time."""
    with open(reading, "rb", buffering=0) as file:
        return b"".join(iter(lambda: file.read(1000), b""))


def smallest_pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return reading, writing


def is_full(reading: int) -> bool:
    """Whether a pipe has no room for another line."""
    waiting_bytes = array.array("i", [0])
    fcntl.ioctl(reading, termios.FIONREAD, waiting_bytes)
    return waiting_bytes[0] > PIPE_BYTES - 1000


def wait_until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)
