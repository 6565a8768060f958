"""The life of a job: it queues, runs in a process of its own, and ends once, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import fanfold
from web.serving import Server, serving, wait_until, write_slow


def master_of(server: Server, job: str) -> bytes:
    answer = server.ask("GET", f"/jobs/{job}/master.json")
    assert answer.status == 200
    return answer.body


def slow(root: Path) -> str:
    """The key of a genome in the bucket `demo` whose job takes some seconds."""
    return write_slow(root / "demo/slow.fa.bz2").name


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("input/phiX174.fa", {"k": [1, 5, 8]}),
        ("input/ecoli.fna", {"slice_bytes": 262_144, "k": [5], "canonical": True}),
        ("input/ecoli.fna", {"slice_bytes": 1_000_000, "chunks": "files"}),
        ("input/ecoli.fna.gz", {"k": [8]}),
        ("input/ecoli.fna.gz", {"slice_bytes": 500_000, "chunks": "files"}),
    ],
)
def test_a_job_s_report_is_the_same_bytes_as_a_run_s(
    key: str, options: dict[str, Any], server: Server, tmp_path: Path
) -> None:
    job = server.start_job("demo", key, **options)
    found = server.wait_for(job)

    assert found["state"] == "SUCCEEDED", found
    assert found["slices"]["done"] == found["slices"]["total"] > 0
    assert found["finished"] >= found["created"]
    path = Path(server.root) / "demo" / key
    k, canonical = options.get("k", [5]), options.get("canonical", False)
    report = fanfold.run(path, k, canonical=canonical, out=tmp_path / "out")
    assert master_of(server, job) == report.path.read_bytes()
    # It has succeeded as soon as its report is complete: the slices' own objects go after that.
    wait_until(lambda: not [*Path(server.root).glob(".fanfold/chunks/*/*")])


def test_the_same_request_is_the_same_job_however_often_it_comes(server: Server) -> None:
    asked = {"bucket": "demo", "key": "input/phiX174.fa", "k": [7]}
    jobs: list[str] = []
    threads = [
        threading.Thread(target=lambda: jobs.append(server.post(asked).document["job"]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(jobs) == 8
    assert len(set(jobs)) == 1
    server.wait_for(jobs[0])
    again = server.post(asked).document
    assert (again["job"], again["state"]) == (jobs[0], "SUCCEEDED")
    assert server.ask("GET", f"/jobs/{jobs[0]}").document["attempt"] == 1
    listed = server.ask("GET", "/jobs?limit=100").document["jobs"]
    assert [each["job"] for each in listed].count(jobs[0]) == 1


def test_what_is_no_fasta_fails_in_words_and_leaves_no_report(server: Server) -> None:
    (Path(server.root) / "demo/notes.txt").write_text("these are notes\n")
    job = server.start_job("demo", "notes.txt")

    found = server.wait_for(job)

    assert found["state"] == "FAILED"
    assert found["error"]["type"] == "urn:fanfold:problem:input"
    assert "notes.txt" in found["error"]["detail"]
    assert server.ask("GET", f"/jobs/{job}/master.json").problem == "no-such-file"
    lines = server.ask("GET", f"/jobs/{job}/logs").document["lines"]
    assert "notes.txt" in lines[-1]["text"]


def test_others_wait_for_their_turn_and_can_be_cancelled_before(root: Path, tmp_path: Path) -> None:
    with serving(root, "--jobs", "1", log=tmp_path / "log") as server:
        first = server.start_job("demo", slow(root))
        server.wait_for(first, "RUNNING")
        second = server.start_job("demo", "input/phiX174.fa")
        third = server.start_job("demo", "input/phiX174.fa", k=[8])

        assert server.ask("GET", f"/jobs/{second}").document["state"] == "SUBMITTED"
        assert server.ask("DELETE", f"/jobs/{second}").document["state"] == "CANCELLED"
        assert server.ask("DELETE", f"/jobs/{first}").document["state"] == "CANCELLED"
        assert server.wait_for(third)["state"] == "SUCCEEDED"
        wait_until(lambda: not server.workers())
        assert server.ask("DELETE", f"/jobs/{third}").problem == "has-ended"
        assert server.ask("GET", f"/jobs/{second}").document["state"] == "CANCELLED"


def test_a_cancelled_job_goes_on_with_the_slices_that_are_done(root: Path, tmp_path: Path) -> None:
    key = slow(root)
    with serving(root, "--threads", "1", log=tmp_path / "log") as server:
        job = server.start_job("demo", key, slice_bytes=4_000_000)
        wait_until(lambda: server.ask("GET", f"/jobs/{job}").document["slices"]["done"] >= 3)
        server.ask("DELETE", f"/jobs/{job}")
        wait_until(lambda: not server.workers())
        kept = {path.name: path.stat().st_mtime_ns for path in chunks(root, job)}
        assert len(kept) >= 3

        assert server.start_job("demo", key, slice_bytes=4_000_000) == job
        found = server.wait_for(job)

        assert (found["state"], found["attempt"]) == ("SUCCEEDED", 2)
        now = {path.name: path.stat().st_mtime_ns for path in chunks(root, job)}
        assert kept.items() <= now.items()


def test_what_a_cancelled_attempt_leaves_does_not_end_the_next(root: Path, tmp_path: Path) -> None:
    key = slow(root)
    with serving(root, log=tmp_path / "log") as server:
        for attempt in range(1, 6):
            job = server.start_job("demo", key)
            if attempt == 5:
                break
            server.wait_for(job, "RUNNING")
            wait_until(lambda: bool(server.workers()))
            assert server.ask("DELETE", f"/jobs/{job}").document["state"] == "CANCELLED"

        found = server.wait_for(job)

        assert (found["state"], found["attempt"]) == ("SUCCEEDED", 5)


def chunks(root: Path, job: str) -> list[Path]:
    return [*root.glob(f".fanfold/results/{job}/chunks/*/*.json")]


def test_a_genome_that_changes_while_its_job_waits_fails_it(root: Path, tmp_path: Path) -> None:
    with serving(root, "--jobs", "1", log=tmp_path / "log") as server:
        first = server.start_job("demo", slow(root))
        changed = server.start_job("demo", "input/phiX174.fa")
        gone = server.start_job("demo", "input/ecoli.fna")
        (root / "demo/input/phiX174.fa").write_text(">other\nACGT\n")
        (root / "demo/input/ecoli.fna").unlink()
        server.ask("DELETE", f"/jobs/{first}")
        for job, words in ((changed, "changed after the job"), (gone, "ecoli.fna")):
            found = server.wait_for(job)
            assert found["state"] == "FAILED"
            assert found["error"]["type"] == "urn:fanfold:problem:source"
            assert words in found["error"]["detail"]


def test_a_process_that_is_killed_fails_its_job_alone(root: Path, tmp_path: Path) -> None:
    with serving(root, log=tmp_path / "log") as server:
        job = server.start_job("demo", slow(root))
        wait_until(lambda: bool(server.workers()))
        for process in server.workers():
            os.kill(process, signal.SIGKILL)

        found = server.wait_for(job)

        assert found["state"] == "FAILED"
        assert "signal 9" in found["error"]["detail"]
        other = server.start_job("demo", "input/phiX174.fa")
        assert server.wait_for(other)["state"] == "SUCCEEDED"


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_what_was_interrupted_is_taken_up_at_the_next_start(
    sent: int, root: Path, tmp_path: Path
) -> None:
    key = slow(root)
    with serving(root, "--jobs", "1", log=tmp_path / "log") as server:
        done = server.start_job("demo", "input/phiX174.fa")
        server.wait_for(done)
        running = server.start_job("demo", key, slice_bytes=8_000_000)
        wait_until(lambda: server.ask("GET", f"/jobs/{running}").document["slices"]["done"] >= 1)
        waiting = server.start_job("demo", "input/ecoli.fna")
        workers = server.workers()
        assert workers
        assert server.stop(sent) == (-9 if sent == signal.SIGKILL else 0)
        wait_until(lambda: not any(is_alive(each) for each in workers))

    with serving(root, "--jobs", "1", log=tmp_path / "log") as server:
        assert server.ask("GET", f"/jobs/{done}").document["state"] == "SUCCEEDED"
        for job in (running, waiting):
            found = server.wait_for(job)
            assert (found["state"], found["attempt"]) == ("SUCCEEDED", 1)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_one_server_at_a_time_works_on_a_root(root: Path, tmp_path: Path) -> None:
    with serving(root, log=tmp_path / "log"):
        command = [sys.executable, "-m", "fanfold", "serve", "--root", str(root), "--port", "0"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (5, "")
        assert "another server works on this root" in done.stderr
    with serving(root, log=tmp_path / "log") as server:
        assert server.ask("GET", "/buckets").status == 200


def test_more_jobs_than_may_be_open_are_refused(root: Path, tmp_path: Path) -> None:
    options = ("--jobs", "1", "--max-open-jobs", "2")
    with serving(root, *options, log=tmp_path / "log") as server:
        key = slow(root)
        server.start_job("demo", key)
        server.start_job("demo", key, k=[8])

        refused = server.post({"bucket": "demo", "key": key, "k": [7]})

        assert (refused.status, refused.problem) == (429, "too-many-jobs")
        assert server.start_job("demo", key, k=[8]), "the same job again is none more"


def test_logs_are_kept_over_a_restart(root: Path, tmp_path: Path) -> None:
    (root / "demo/notes.txt").write_text("these are notes\n")
    with serving(root, log=tmp_path / "log") as server:
        job = server.start_job("demo", "notes.txt")
        server.wait_for(job)
        before = server.ask("GET", f"/jobs/{job}/logs").document
    with serving(root, log=tmp_path / "log") as server:
        assert server.ask("GET", f"/jobs/{job}/logs").document == before
        assert before["lines"]


def test_a_genome_that_changed_is_another_job(root: Path, tmp_path: Path) -> None:
    with serving(root, log=tmp_path / "log") as server:
        first = server.start_job("demo", "input/phiX174.fa")
        server.wait_for(first)
        (root / "demo/input/phiX174.fa").write_text(">other\nACGT\n")
        second = server.start_job("demo", "input/phiX174.fa")
        assert second != first
        assert server.wait_for(second)["state"] == "SUCCEEDED"
        assert json.loads(master_of(server, second))["total_bases"] == 4
        assert json.loads(master_of(server, first))["total_bases"] == 5386
