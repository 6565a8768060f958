"""`fanfold status DIR`: how far a run on this machine is."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from pathlib import Path

from engines.driving import DATA, command, running, succeed, wait_until

import fanfold
from fanfold.flow.how_far import how_far

LAMBDA = DATA / "lambda_NC_001416.fa"


def test_a_plan_says_how_many_slices_are_done(tmp_path: Path) -> None:
    plan = fanfold.plan(LAMBDA, out=tmp_path, slice_bytes=10_000)
    fanfold.task(plan, 1)
    fanfold.task(plan, 4)

    done = succeed("status", tmp_path)

    told, _, who = done.stdout.partition(" (")
    assert told == "lambda_NC_001416.fa  running, 2 of 5 slices, 39.1 % of 49,270 bytes"
    assert who.startswith(f"process {os.getpid()} on "), "which planned, and is alive"
    fanfold.task(plan, 0)
    (found,) = how_far(tmp_path)
    assert (found.done, found.done_bytes) == (3, 29_270)


def test_a_run_that_is_complete_says_so_whatever_is_beside_it(tmp_path: Path) -> None:
    fanfold.run_many([LAMBDA, DATA / "human_MT.fa"], out=tmp_path)
    (tmp_path / "notes").mkdir()

    rows = succeed("status", tmp_path).stdout.splitlines()
    found = json.loads(succeed("status", tmp_path, "--json").stdout)

    assert rows == [
        "human_MT.fa  complete, 1 of 1 slices, 100.0 % of 16,856 bytes",
        "lambda_NC_001416.fa  complete, 1 of 1 slices, 100.0 % of 49,270 bytes",
    ]
    assert [each["state"] for each in found] == ["complete", "complete"]


def test_a_stream_that_is_read_is_running_and_killed_it_is_stopped(tmp_path: Path) -> None:
    out, pipe = tmp_path / "out", tmp_path / "pipe"
    os.mkfifo(pipe)
    # Both ends, so that nobody waits for the other.
    writer = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)

    def has_three_slices() -> bool:
        with suppress(BlockingIOError):
            os.write(writer, b">a\n" + b"ACGT" * 4000 + b"\n")
        return len(list(out.glob("chunks/*/*.json"))) >= 3

    try:
        with running("run", "-", "-o", out, "--slice-size", "100kB", "-q", stdin=pipe) as process:
            wait_until(has_three_slices)
            (found,) = how_far(out)
            process.send_signal(signal.SIGKILL)
            process.wait()
        (after,) = how_far(out)
    finally:
        os.close(writer)

    assert (found.name, found.state, found.slices) == ("stdin", "running", None)
    assert found.done >= 3
    assert f"process {process.pid} on " in str(found.holder)
    assert after.state == "stopped"


def test_a_report_that_was_damaged_is_not_complete(tmp_path: Path) -> None:
    fanfold.run(LAMBDA, out=tmp_path)
    (tmp_path / "nx.tsv").write_text("x")

    (found,) = how_far(tmp_path)

    assert found.state != "complete"


def test_a_folder_without_a_run_is_an_error(tmp_path: Path) -> None:
    done = command("status", tmp_path)

    assert done.returncode == 6
    assert done.stderr == (f"fanfold: {tmp_path}: no run is here; give the folder that --out was\n")


def test_what_is_neither_a_folder_nor_a_job_is_told_what_both_are(tmp_path: Path) -> None:
    done = command("status", tmp_path / "gone")

    assert done.returncode == 2
    assert "no folder of results, and no job" in done.stderr


def test_it_writes_nothing_and_takes_no_lock(tmp_path: Path) -> None:
    plan = fanfold.plan(LAMBDA, out=tmp_path, slice_bytes=10_000)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    succeed("status", tmp_path)

    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert plan.missing() == {0, 1, 2, 3, 4}
