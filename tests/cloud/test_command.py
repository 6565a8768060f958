"""The command line against the deployed system, with the credentials of a user of the account."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from stores.driving import clean_environment

from cloud.conftest import FANFOLD, ROOT
from cloud.emulator.batch_runner import Interruption
from cloud.system import System, local_results, results_in
from cloud.test_jobs import eventually, varied
from fanfold.report.run_record import RENDERINGS
from fanfold.report.view import View

SLICES = ("--slice-size", "1500")


@pytest.fixture(scope="module")
def analyst(deployed: System) -> dict[str, str]:
    """A user with the documented policy: may call the API, upload genomes, fetch results."""
    cloud = deployed.cloud
    policy = (ROOT / "deploy/caller-policy.json").read_text()
    for word, meant in {
        "REGION": cloud.region,
        "ACCOUNT": cloud.account,
        "API_ID": deployed.api_url.split("/")[-2],
        "BUCKET": deployed.bucket,
    }.items():
        policy = policy.replace(word, meant)
    return cloud.user("analyst", *json.loads(policy)["Statement"])


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def fanfold(system: System, analyst: dict[str, str], tmp_path: Path) -> Command:
    """The command, with the API in its environment."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        own = {"FANFOLD_API_URL": system.api_url, "HOME": str(tmp_path)}
        return subprocess.run(
            [FANFOLD, *words],
            cwd=tmp_path,
            env=clean_environment() | system.cloud.environment(analyst) | own,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_submit_waits_and_fetches_the_report_of_a_local_run(
    system: System, fanfold: Command, tmp_path: Path
) -> None:
    data = varied(400)
    system.put("input/submitted.fa", data)

    done = fanfold(
        "submit",
        f"s3://{system.bucket}/input/submitted.fa",
        "-k",
        "5",
        "-k",
        "8",
        *SLICES,
        "--wait",
    )

    assert done.returncode == 0, done.stderr
    out = tmp_path / "submitted.fa.fanfold"
    assert done.stdout == "submitted.fa.fanfold/master.json\n"
    assert "N50" in done.stderr
    (tmp_path / "local").mkdir()
    expected = local_results(tmp_path / "local", "submitted.fa", data, (5, 8))
    job = json.loads(fanfold("jobs", "--json", "--limit", "1").stdout)[0]["job"]
    assert (out / "run.json").read_bytes() == system.get(f"results/{job}/run.json")
    assert results_in(out) == expected
    assert set(RENDERINGS) < set(expected)


def test_a_fetched_report_is_shown_under_another_view_without_its_input(
    system: System, fanfold: Command, tmp_path: Path
) -> None:
    name, data = "looked-at.fa", varied(403)
    system.put(f"input/{name}", data)
    genome = f"s3://{system.bucket}/input/{name}"
    done = fanfold("submit", genome, *SLICES, "--wait", "--out", "fetched")
    assert done.returncode == 0, done.stderr
    system.cloud.client("s3").delete_object(Bucket=system.bucket, Key=f"input/{name}")

    done = fanfold("report", "fetched", "--min-gap", "2", "--min-length", "1000")

    assert done.returncode == 0, done.stderr
    expected = local_results(tmp_path, name, data, (5,), View(min_gap=2, min_length=1000))
    assert results_in(tmp_path / "fetched") == expected


def test_a_job_that_fails_is_told_of_and_can_be_looked_into(
    system: System, fanfold: Command
) -> None:
    system.put("input/told.fa", varied(401))
    system.cloud.batch.interrupt(Interruption(index=1, attempt=None))
    genome = f"s3://{system.bucket}/input/told.fa"

    failed = fanfold("submit", genome, *SLICES, "--wait")

    assert failed.returncode == 10
    assert "1 of 5 slices have no result" in failed.stderr
    listed = json.loads(fanfold("jobs", "--json", "--limit", "1").stdout)
    job = listed[0]["job"]
    told = fanfold("status", job).stdout
    assert "FAILED" in told
    assert "interrupted" in told
    logged = fanfold("logs", job, "--slice", "0")
    assert "slice 0" in logged.stdout
    system.cloud.batch.calm()
    assert fanfold("submit", genome, *SLICES, "--wait", "--quiet").returncode == 0


def test_a_job_is_cancelled(system: System, fanfold: Command) -> None:
    system.put("input/stopped.fa", varied(402))
    system.cloud.batch.hold()
    job = fanfold("submit", f"s3://{system.bucket}/input/stopped.fa", *SLICES).stdout.strip()
    eventually(lambda: system.batch_jobs(job))

    assert fanfold("cancel", job).stdout == "CANCELLED\n"
    assert fanfold("status", job, "--wait").returncode == 10
