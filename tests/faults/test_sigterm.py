"""Commands that SIGTERM stops, as schedulers and Spot interruptions do: at once, and in words.

Nothing half-written stays behind, and the next run takes up what is finished.
"""

from __future__ import annotations

import bz2
import gzip
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from archives import bgzf
from servers.proxy import FaultProxy, Stall
from servers.s3 import s3_server
from servers.warm import warm_fanfold

import fanfold
from fanfold.flow.tasks import open_plan

from .pausing import Pause
from .processes import FANFOLD, running, wait_for
from .terminals import HIDES_CURSOR, SHOWS_CURSOR, stop_amid_a_bar

OPTIONS = ("-k", "7", "--slice-size", "256KiB")
TOLD = "fanfold: stopped by SIGTERM; run again to take it up where it is\n"
STOP_SECONDS = 60
"""What is stopped would go on for much longer, or for ever: the clock decides nothing."""

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": lambda text: gzip.compress(text, 1),
    "bgzf": lambda text: bgzf(text, level=1),
    "bzip2": lambda text: bz2.compress(text, 1),
}


@pytest.fixture(scope="module")
def text() -> bytes:
    """A genome that keeps a run busy for half a second or so."""
    chance = random.Random(7)
    bases = chance.randbytes(12_000_000).translate(bytes(b"ACGT"[byte % 4] for byte in range(256)))
    records = (bases[start : start + 2_000_000] for start in range(0, len(bases), 2_000_000))
    return b"".join(b">chr\n%b\n" % record for record in records)


@pytest.fixture(scope="module")
def genome(text: bytes, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The genome's file, in one form or another."""
    folder = tmp_path_factory.mktemp("genomes")

    def path_of(compression: str) -> Path:
        path = folder / compression / "genome.fa"
        if not path.exists():
            path.parent.mkdir()
            path.write_bytes(COMPRESS[compression](text))
        return path

    return path_of


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def endless(tmp_path: Path) -> dict[str, str]:
    """What lets a run wait for ever before it writes its report."""
    pause = Pause(tmp_path / "endless", "os.rename", "*/sequences.tsv", is_patient=True)
    return pause.variables


def succeed(*words: str | Path) -> str:
    done = warm_fanfold().run([FANFOLD, *map(str, words)])
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_stops(process: subprocess.Popen[str], times: int = 1) -> None:
    """SIGTERM ends it, with a line about it and the code that says so."""
    for _ in range(times):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.01)
    stdout, stderr = process.communicate(timeout=STOP_SECONDS)
    assert (process.returncode, stdout, stderr) == (143, "", TOLD)


def read_bytes(process: subprocess.Popen[str]) -> int:
    """How much the command has read by now."""
    counters = Path(f"/proc/{process.pid}/io").read_text()
    return int(counters.removeprefix("rchar: ").partition("\n")[0])


def finished(out: Path) -> list[Path]:
    """The results of slices that are there."""
    return sorted((out / "chunks").glob("*/[!.]*.json"))


def leftovers(out: Path) -> list[Path]:
    """Files that were being written, and reports that wait to be moved into place."""
    return [*out.rglob(".*.fanfold-tmp"), *out.glob(".fanfold/*/*"), *out.glob("publish.json")]


def results(out: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in out.iterdir()
        if path.is_file() and path.name not in {"plan.json", "run.json"}
    }


# --- run --------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["plain", "gzip", "bgzf"])
@pytest.mark.parametrize("slices", [0, 3, 7])
def test_a_run_ends_at_once_and_can_be_taken_up(
    slices: int,
    compression: str,
    genome: Callable[[str], Path],
    out: Path,
    endless: dict[str, str],
) -> None:
    words = ("run", genome(compression), "--out", out, *OPTIONS, "--quiet")
    with running(*words, **endless) as process:
        wait_for(process, lambda: (out / "plan.json").exists() and len(finished(out)) >= slices)
        assert_stops(process)
    assert not (out / "master.json").exists()
    assert leftovers(out) == []
    before = {path: path.stat().st_mtime_ns for path in finished(out)}

    succeed(*words)

    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert fanfold.run(genome(compression), 7, out=out).resumed


def test_twice_is_as_good_as_once(
    genome: Callable[[str], Path], out: Path, endless: dict[str, str]
) -> None:
    words = ("run", genome("plain"), "--out", out, *OPTIONS, "--quiet")
    with running(*words, **endless) as process:
        wait_for(process, lambda: len(finished(out)) >= 5)
        assert_stops(process, times=5)
    assert leftovers(out) == []


CLEANS_UP = """
import os, signal, sys
from fanfold.cli.ending import Terminated, end_on_signals
end_on_signals()
try:
    os.kill(os.getpid(), int(sys.argv[1]))
    signal.pause()
except (KeyboardInterrupt, Terminated):
    for again in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(os.getpid(), again)
    print("cleaned up")
"""


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_no_other_signal_disturbs_the_end_that_one_began(stop: signal.Signals) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLEANS_UP, str(int(stop))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "cleaned up\n", "")


def test_many_genomes_end_at_once(
    genome: Callable[[str], Path], tmp_path: Path, endless: dict[str, str]
) -> None:
    copies = [tmp_path / f"{name}.fa" for name in "abc"]
    for copy in copies:
        copy.symlink_to(genome("plain"))
    out = tmp_path / "out"
    with running("run", *copies, "--out", out, *OPTIONS, "--quiet", **endless) as process:
        wait_for(process, lambda: any(finished(out / copy.name) for copy in copies))
        assert_stops(process)
    assert not (out / "summary.tsv").exists()


@pytest.mark.parametrize(
    ("stop", "told"),
    [
        (signal.SIGTERM, TOLD),
        (signal.SIGHUP, TOLD.replace("SIGTERM", "SIGHUP: the terminal is gone")),
    ],
)
def test_a_terminal_s_cursor_is_shown_again(stop: signal.Signals, told: str, out: Path) -> None:
    code, shown = stop_amid_a_bar(out, stop)

    assert code == 128 + stop
    assert shown.rindex(SHOWS_CURSOR) > shown.rindex(HIDES_CURSOR)
    assert shown.endswith(told.replace("\n", "\r\n").encode())


# --- the verbs of an array --------------------------------------------------------------------


def test_a_task_ends_at_once_without_a_result(tmp_path: Path, out: Path) -> None:
    """A text of zeros is bad FASTA, but it takes as long to read, and next to no disk."""
    path = tmp_path / "zeros.fa"
    path.write_bytes(b">zeros\n")
    os.truncate(path, 2**42)
    succeed("plan", path, "--out", out, "--slice-size", "4TiB", "--quiet")

    with running("task", out / "plan.json", "--index", "0") as process:
        wait_for(process, lambda: read_bytes(process) > 2**28)
        assert_stops(process)

    assert finished(out) == leftovers(out) == []


@pytest.mark.parametrize(("compression", "made"), [("gzip", "window"), ("bzip2", "fa")])
def test_an_inflation_ends_at_once_and_can_be_made_again(
    compression: str, made: str, genome: Callable[[str], Path], out: Path, tmp_path: Path
) -> None:
    """Of a plan without its text or windows, as one that was stopped is."""

    def texts() -> list[Path]:
        return list((out / "chunks").glob(f"**/*.{made}"))

    pause = Pause(tmp_path / "pause", "os.rename", f"*.chunk0020.{made}", is_patient=True)
    with running("plan", genome(compression), "--out", out, *OPTIONS, **pause.variables) as process:
        wait_for(process, lambda: len(texts()) >= 3)
        assert_stops(process)
    for path in texts():
        path.unlink()
    pause = Pause(tmp_path / "another", "os.rename", f"*.chunk0020.{made}", is_patient=True)
    with running("inflate", out / "plan.json", **pause.variables) as process:
        wait_for(process, lambda: len(texts()) >= 3)
        assert_stops(process)
    assert leftovers(out) == []

    done = subprocess.run(
        [FANFOLD, "inflate", out / "plan.json"], capture_output=True, text=True, check=True
    )
    last = len(open_plan(out / "plan.json").slices) - 1
    assert done.stderr == f"tasks 0 to {last}: fanfold task {out}/plan.json --index I\n"
    for index in range(last + 1):
        fanfold.task(out / "plan.json", index)
    succeed("fold", out / "plan.json", "--quiet")
    fanfold.run(genome(compression), 7, out=tmp_path / "run")
    assert results(out) == results(tmp_path / "run")


@pytest.mark.parametrize("compression", ["plain", "bgzf"])
def test_what_can_be_cut_is_not_inflated(
    compression: str, genome: Callable[[str], Path], out: Path
) -> None:
    succeed("plan", genome(compression), "--out", out, *OPTIONS, "--quiet")
    before = (out / "plan.json").read_bytes()

    succeed("inflate", out / "plan.json")

    assert (out / "plan.json").read_bytes() == before
    assert list((out / "chunks").glob("*/*")) == []


def test_a_fold_ends_at_once_though_a_disk_does_not_answer(
    genome: Callable[[str], Path], out: Path, tmp_path: Path
) -> None:
    """Whoever opens one slice's result waits for ever."""
    for each in fanfold.plan(genome("plain"), 7, out=out, slice_bytes=2**21).slices:
        fanfold.task(out / "plan.json", each.index)
    pause = Pause(tmp_path / "pause", "open", str(finished(out)[2]))

    with running("fold", out / "plan.json", **pause.variables) as process:
        wait_for(process, pause.is_reached)
        assert_stops(process)
    assert not (out / "master.json").exists()
    assert leftovers(out) == []
    succeed("fold", out / "plan.json")


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("path", ["*/plan.json", "*/genome.fa", "*chunk0000.json"])
def test_a_store_that_does_not_answer_holds_nothing_up_for_long(
    path: str, stop: signal.Signals, text: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reads from it can't be interrupted; Fargate waits 30 seconds before it kills."""
    with s3_server(tmp_path / "s3") as s3, FaultProxy(s3.endpoint_url) as proxy:
        s3.create_bucket("bucket")
        s3.put("bucket", "genome.fa", text[:100_000])
        for name, value in s3.environment().items():
            monkeypatch.setenv(name, value)
        fanfold.plan("s3://bucket/genome.fa", out="s3://bucket/out")
        before = s3.keys("bucket")
        proxy.inject(Stall(None), path=path)
        words = ("task", "s3://bucket/out/plan.json", "--index", "0")
        patient = {"FANFOLD_READ_TIMEOUT": "600", "FANFOLD_RETRY_TIMEOUT": "600"}
        with running(*words, AWS_ENDPOINT_URL=proxy.url, **patient) as process:
            wait_for(process, lambda: any(each.fault for each in proxy.log()))
            process.send_signal(stop)
            stdout, stderr = process.communicate(timeout=30)

        assert (process.returncode, stdout) == (128 + stop, "")
        assert len(stderr.strip().splitlines()) == 1
        assert "stopped" in stderr
        assert s3.keys("bucket") == before
