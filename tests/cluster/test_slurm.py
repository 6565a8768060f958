"""examples/clusters/slurm_array.sh on a Slurm that is started here and now."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from naive_kmers import kmer_files

import fanfold
from cluster.slurm import Slurm, missing_packages, slurm

ROOT = Path(__file__).parents[2]
SLURM_ARRAY = ROOT / "examples" / "clusters" / "slurm_array.sh"
DASK_SLURM = ROOT / "examples" / "clusters" / "dask_slurm.py"
LAMBDA = ROOT / "tests" / "data" / "lambda_NC_001416.fa"
SCRIPTS = Path(sysconfig.get_path("scripts"))
MOST_JOBS = 6

pytestmark = pytest.mark.skipif(
    bool(missing_packages()),
    reason=f"NOT RUN ON SLURM: Debian packages missing: {' '.join(missing_packages())}",
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Slurm]:
    with slurm(cpus=4, max_array_size=MOST_JOBS) as started:
        yield started


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The report of a run without a cluster."""
    out = tmp_path_factory.mktemp("run")
    fanfold.run(LAMBDA, k=[5, 8], out=out)
    return (out / "master.json").read_bytes()


@pytest.mark.parametrize(("slice_size", "slices"), [("1MiB", 1), ("10KiB", 5), ("2KiB", 25)])
def test_an_array_gives_the_report_of_a_run_also_when_slices_are_more_than_jobs(
    slice_size: str, slices: int, cluster: Slurm, expected: bytes, tmp_path: Path
) -> None:
    fold = submit(cluster, tmp_path, "--slice-size", slice_size)

    assert cluster.wait(fold) == "COMPLETED", logs(tmp_path)
    assert len(list(tmp_path.glob("out/chunks/*/*.json"))) == slices
    assert len(list(tmp_path.glob("logs/*_*.log"))) == min(slices, MOST_JOBS)
    assert (tmp_path / "out" / "master.json").read_bytes() == expected


def test_a_second_array_counts_kmers_from_9_on(cluster: Slurm, tmp_path: Path) -> None:
    run = fanfold.run(LAMBDA, k=[5, 8, 11, 31], out=tmp_path / "run")

    fold = submit(cluster, tmp_path, "--slice-size", "10KiB", "-k", "11", "-k", "31")

    assert cluster.wait(fold) == "COMPLETED", logs(tmp_path)
    assert (tmp_path / "out" / "master.json").read_bytes() == run.data
    assert kmer_files(tmp_path / "out") == kmer_files(run.out)
    assert "2 of 2 counts of k-mers are missing: 0, 1." in logs(tmp_path)


def test_a_task_that_is_killed_is_named_by_the_fold_and_done_by_the_next_array(
    cluster: Slurm, expected: bytes, tmp_path: Path
) -> None:
    path = pausing_at(2, tmp_path)
    fold = submit(cluster, tmp_path, "--slice-size", "10KiB", path=path)
    os.kill(pid_of_paused_job(tmp_path), signal.SIGKILL)

    assert cluster.wait(fold) == "FAILED"
    assert "1 of 5 slices have no valid result: 2." in logs(tmp_path)
    assert not (tmp_path / "out" / "master.json").exists()
    before = finished_slices(tmp_path)
    assert len(before) == 4

    fold = submit(cluster, tmp_path, "--slice-size", "10KiB", path=path)

    assert cluster.wait(fold) == "COMPLETED", logs(tmp_path)
    assert (tmp_path / "out" / "master.json").read_bytes() == expected
    after = finished_slices(tmp_path)
    assert {name: after[name] for name in before} == before, "a finished slice was done again"


def test_a_task_that_is_requeued_in_its_midst_gives_the_same_report(
    cluster: Slurm, expected: bytes, tmp_path: Path
) -> None:
    fold = submit(cluster, tmp_path, "--slice-size", "10KiB", path=pausing_at(2, tmp_path))
    pid_of_paused_job(tmp_path)
    running = cluster.ask(
        "squeue", "--noheader", "--array", "--name=fanfold-task", "--state=RUNNING", "--format=%i"
    )
    (job,) = (job for job in running.split() if job.endswith("_2"))

    cluster.ask("scontrol", "requeue", job)

    assert cluster.wait(fold) == "COMPLETED", logs(tmp_path)
    assert "Restarts=1" in cluster.ask("scontrol", "show", "job", job)
    assert (tmp_path / "out" / "master.json").read_bytes() == expected


def test_a_plan_that_is_refused_submits_nothing(cluster: Slurm, tmp_path: Path) -> None:
    before = cluster.ask("scontrol", "show", "jobs", "--oneliner")
    refused = start(cluster, tmp_path, tmp_path / "absent.fa")

    assert refused.returncode == 4
    assert "absent.fa" in refused.stderr
    assert refused.stdout == ""
    assert cluster.ask("scontrol", "show", "jobs", "--oneliner") == before


@pytest.mark.skipif(
    importlib.util.find_spec("dask_jobqueue") is None,
    reason="NO DASK ON SLURM: Python package dask-jobqueue missing",
)
def test_dask_workers_that_slurm_starts_give_the_report_of_a_run(
    cluster: Slurm, expected: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, DASK_SLURM, LAMBDA, out, "-k", "5", "-k", "8", "--jobs", "2"],
        env=cluster.environment,
        cwd=tmp_path,  # where the workers' logs go
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out / 'master.json'}\n"
    assert (out / "master.json").read_bytes() == expected
    assert "JobName=dask-worker" in cluster.ask("scontrol", "show", "jobs", "--oneliner")


def submit(cluster: Slurm, folder: Path, *options: str, path: str = "") -> str:
    """Run the script; the id of the fold's job."""
    submitted = start(cluster, folder, LAMBDA, "-k", "5", "-k", "8", *options, path=path)
    assert submitted.returncode == 0, submitted.stderr
    return submitted.stdout.strip()


def start(
    cluster: Slurm, folder: Path, genome: Path, *options: str, path: str = ""
) -> subprocess.CompletedProcess[str]:
    search = f"{path}:{SCRIPTS}:{cluster.environment['PATH']}"
    return subprocess.run(
        ["bash", SLURM_ARRAY, genome, folder / "out", *options],
        env=cluster.environment | {"PATH": search, "LOGS": str(folder / "logs")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def pausing_at(index: int, folder: Path) -> str:
    """A folder for PATH, whose fanfold waits the first time that it comes to a slice.

    Then it says which process runs the job, so that the test can do something to it meanwhile.
    """
    (folder / "bin").mkdir()
    fanfold_path = folder / "bin" / "fanfold"
    fanfold_path.write_text(
        f"""#!/bin/sh
if [ "$1 $4" = "task {index}" ] && mkdir '{folder}/paused' 2>/dev/null; then
    echo "$PPID" > '{folder}/paused/new'
    mv '{folder}/paused/new' '{folder}/paused/pid'
    sleep 600
fi
exec '{SCRIPTS}/fanfold' "$@"
"""
    )
    fanfold_path.chmod(0o755)
    return str(fanfold_path.parent)


def pid_of_paused_job(folder: Path) -> int:
    deadline = time.monotonic() + 120
    while not (folder / "paused" / "pid").exists():
        assert time.monotonic() < deadline, logs(folder)
        time.sleep(0.05)
    return int((folder / "paused" / "pid").read_text())


def finished_slices(folder: Path) -> dict[str, tuple[int, int]]:
    """The results of slices that are there, each with what changes when it is written again."""
    found = {}
    for path in folder.glob("out/chunks/*/*.json"):
        status = path.stat()
        found[path.name] = status.st_ino, status.st_mtime_ns
    return found


def logs(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.glob("logs/*.log")))
