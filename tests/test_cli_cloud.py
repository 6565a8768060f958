"""The commands that speak with the API: what they ask, print and fetch, and how they end.

The command is the real one in a process of its own; the API checks its signatures; the report that
is fetched lies in an S3 beside it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from servers.api import (
    JOB,
    REGION,
    Answer,
    ApiServer,
    BreakOff,
    job_document,
    problem_document,
)
from servers.proxy import FaultProxy, s3_error
from servers.s3 import S3Server, s3_server
from stores.driving import (
    BUCKET,
    DATA,
    FANFOLD,
    assert_told,
    clean_environment,
    command,
    results,
    running,
    wait_until,
)

import fanfold
from fanfold.checked_json import Checked, encode_checked
from fanfold.report.run_record import RunRecord, facts_of

GENOME = f"s3://{BUCKET}/input/genome.fa"
REPORT = f"s3://{BUCKET}/results/{JOB}"
OTHER = "f" * 32
PROBLEM = {
    "type": "urn:fanfold:problem:input",
    "title": "The input is not FASTA",
    "detail": "genome.fa: byte 7: not FASTA",
}
SUBMITTED = job_document(state="SUBMITTED", slices={"total": None, "done": 0, "failed": 0})
SUCCEEDED = job_document(state="SUCCEEDED", done=4, finished="2026-11-24T21:05:00Z")
FAILED = job_document(state="FAILED", error=PROBLEM, finished="2026-11-24T21:05:00Z")


class Cloud:
    """A deployment as its user sees it: the API, the bucket, and the report in there."""

    def __init__(self, api: ApiServer, s3: S3Server, home: Path, local: Path) -> None:
        self.api = api
        self.local = local
        self.variables: dict[str, str] = {
            **api.environment(),
            "AWS_ENDPOINT_URL": s3.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "FANFOLD_RETRY_TIMEOUT": "5",
            "HOME": str(home),
            "NO_PROXY": "127.0.0.1",
        }

    def ask(self, *words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        return command(*words, variables=self.variables | more)

    def succeed(self, *words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        done = self.ask(*words, **more)
        assert done.returncode == 0, done.stderr
        return done

    def methods(self) -> list[str]:
        return [each.method for each in self.api.seen]


def run_in_s3(s3: S3Server, *words: str | Path) -> None:
    """Analyse a genome that is in the bucket; where to is the last word."""
    *first, out = words
    done = command("run", *first, "--out", out, "--quiet", variables=s3.environment())
    assert done.returncode == 0, done.stderr


def everything(folder: Path) -> dict[str, bytes]:
    """All files below a folder but the lock, by their paths in it."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if path.is_file() and name != ".fanfold/lock"
    }


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run on this machine, of the genome that is analysed in the cloud."""
    folder = tmp_path_factory.mktemp("local")
    (folder / "genome.fa").write_bytes((DATA / "phiX174.fa").read_bytes())
    fanfold.run(folder / "genome.fa", out=folder / "out", slice_bytes=2000)
    return folder / "out"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory, local: Path) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        server.create_bucket(BUCKET)
        server.put(BUCKET, "input/genome.fa", (local.parent / "genome.fa").read_bytes())
        run_in_s3(server, GENOME, REPORT)
        for name in ("request.json", "error.json", "state/attempt-0001.json"):
            server.put(BUCKET, f"results/{JOB}/{name}", b"{}")
        yield server


@pytest.fixture
def cloud(s3: S3Server, local: Path, tmp_path: Path) -> Iterator[Cloud]:
    home = tmp_path / "home"
    home.mkdir()
    with ApiServer() as api:
        api.set_job(JOB, [SUBMITTED, job_document(), SUCCEEDED])
        yield Cloud(api, s3, home, local)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


# --- submit -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usd_most", "told"), [(0.0123, "about 0.01 USD\n"), (0.2, "about 0.01 USD, at most 0.20\n")]
)
def test_submit_tells_what_a_job_may_cost_at_most(usd_most: float, told: str, cloud: Cloud) -> None:
    estimate = {"slices": 4, "vcpu_seconds": 1060, "usd": 0.0123, "usd_most": usd_most}
    cloud.api.submitted = cloud.api.submitted | {"estimate": estimate}

    assert told in cloud.succeed("submit", GENOME).stderr


def test_submit_prints_the_job_s_id_and_tells_what_it_will_take(cloud: Cloud) -> None:
    done = cloud.succeed("submit", GENOME)

    assert done.stdout == f"{JOB}\n"
    for word in ("SUBMITTED", "about 4", "1,060 vCPU seconds", "about 0.01 USD\n"):
        assert word in done.stderr
    assert json.loads(cloud.api.seen[0].body) == {
        "bucket": BUCKET,
        "key": "input/genome.fa",
        "k": [5],
        "canonical": False,
        "slice_bytes": 100 * 1024**2,
        "chunks": "ranges",
    }


def test_submit_asks_what_its_options_say(cloud: Cloud) -> None:
    options = ("-k8", "-k", "5", "--canonical", "--slice-size", "1MB", "--chunks", "files")
    done = cloud.succeed("submit", "s3://other/a b/ü.fa.gz", *options, "--quiet", "--json")

    assert done.stderr == ""
    assert json.loads(done.stdout)["job"] == JOB
    assert json.loads(cloud.api.seen[0].body) == {
        "bucket": "other",
        "key": "a b/ü.fa.gz",
        "k": [5, 8],
        "canonical": True,
        "slice_bytes": 1_000_000,
        "chunks": "files",
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("genome.fa",), ["not an object of a bucket", "fanfold run genome.fa"]),
        (("./folder/genome.fa",), ["not an object of a bucket", "fanfold run"]),
        (("gs://bucket/genome.fa",), ["not an object of a bucket"]),
        ((f"s3://{BUCKET}",), ["a bucket, not an object"]),
        ((GENOME, "-k", "9"), ["k = 9"]),
        ((GENOME, "-k", "0", "-k", "5"), ["k = 0"]),
        ((GENOME, "--slice-size", "0"), ["slice"]),
        ((GENOME, "--wait", "--out", "https://host/x"), ["can't be written to the web"]),
    ],
)
def test_what_can_not_be_is_refused_before_anything_is_sent(
    words: Sequence[str], told: list[str], cloud: Cloud
) -> None:
    assert_told(cloud.ask("submit", *words), 2, *told)
    assert cloud.api.seen == []


@pytest.mark.parametrize(
    "words", [(GENOME, "--out", "x"), (GENOME, "--chunks", "x"), (), (GENOME, GENOME)]
)
def test_wrong_usage_is_told(words: Sequence[str], cloud: Cloud) -> None:
    done = cloud.ask("submit", *words)

    assert done.returncode == 2
    assert done.stderr.startswith("Usage: fanfold submit")
    assert cloud.api.seen == []


def test_a_refusal_is_told(cloud: Cloud) -> None:
    detail = f"{GENOME}: there is no such object"
    cloud.api.faults.append(problem_document(404, "no-such-object", detail))

    done = cloud.ask("submit", GENOME)

    assert_told(done, 10, detail)


# --- where the API is -------------------------------------------------------------------------


def test_an_api_that_nobody_told_of_is_asked_for(cloud: Cloud) -> None:
    done = cloud.ask("jobs", FANFOLD_API_URL="")

    assert_told(done, 2, "--api", "FANFOLD_API_URL", ".config/fanfold/config.toml", "api_url")


@pytest.mark.parametrize("folder", ["HOME", "XDG_CONFIG_HOME"])
def test_a_configuration_file_says_where_the_api_is(
    folder: str, cloud: Cloud, tmp_path: Path
) -> None:
    below = tmp_path / "home" / (".config" if folder == "HOME" else "xdg") / "fanfold"
    below.mkdir(parents=True)
    (below / "config.toml").write_text(f'api_url = "{cloud.api.api_url}/chunk"\n')
    more = {} if folder == "HOME" else {folder: str(below.parent)}

    cloud.succeed("jobs", FANFOLD_API_URL="", **more)


def test_the_option_comes_before_the_environment_and_that_before_the_file(
    cloud: Cloud, tmp_path: Path
) -> None:
    below = tmp_path / "home/.config/fanfold"
    below.mkdir(parents=True)
    (below / "config.toml").write_text("this is no TOML")

    cloud.succeed("jobs")
    cloud.succeed("jobs", "--api", cloud.api.api_url, FANFOLD_API_URL="nonsense")


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"api_url = nonsense", "not TOML"), (b"api_url = 3", "no text"), (b"\xff", "not TOML")],
)
def test_a_configuration_file_that_can_not_be_is_told(
    content: bytes, word: str, cloud: Cloud, tmp_path: Path
) -> None:
    below = tmp_path / "home/.config/fanfold"
    below.mkdir(parents=True)
    (below / "config.toml").write_bytes(content)

    assert_told(cloud.ask("jobs", FANFOLD_API_URL=""), 2, below / "config.toml", word)


# --- submit --wait ----------------------------------------------------------------------------


def test_a_job_that_is_waited_for_ends_as_a_run_does(cloud: Cloud, s3: S3Server, out: Path) -> None:
    done = cloud.succeed("submit", GENOME, "--wait", "--out", out)

    assert done.stdout == f"{out}/master.json\n"
    run = {"run.json": s3.get(BUCKET, f"results/{JOB}/run.json")}
    assert everything(out) == results(cloud.local) | run
    states = re.findall(r"^  ([A-Z]{4,}.*)$", done.stderr, re.MULTILINE)
    assert states == ["SUBMITTED", "RUNNING: 4 slices", "SUCCEEDED: 4 slices"]
    assert "N50" in done.stderr
    assert "\x1b" not in done.stderr


def test_what_is_fetched_can_be_printed(cloud: Cloud, out: Path) -> None:
    done = cloud.succeed("submit", GENOME, "--wait", "--out", out, "--json", "--quiet")

    assert done.stdout.encode() == (cloud.local / "master.json").read_bytes()
    assert done.stderr == ""


def test_a_job_that_is_done_already_is_fetched_at_once(cloud: Cloud, tmp_path: Path) -> None:
    """Into the folder that is named after it, where nothing else is said; as often as wanted."""
    cloud.api.submitted["state"] = "SUCCEEDED"
    for _ in range(2):
        with contextlib.chdir(tmp_path):
            done = cloud.succeed("submit", GENOME, "--wait")
        assert done.stdout == "genome.fa.fanfold/master.json\n"
        assert results(tmp_path / "genome.fa.fanfold") == results(cloud.local)
    assert cloud.methods() == ["POST", "POST"]


def test_a_report_replaces_that_of_the_genome_as_it_was_before(
    cloud: Cloud, s3: S3Server, out: Path
) -> None:
    """All of it: what is left of the other run would pass for this one's."""
    cloud.api.submitted["state"] = "SUCCEEDED"
    old = b">old\nACGT\n"
    s3.put(BUCKET, "input/genome.fa", old)
    try:
        run_in_s3(s3, GENOME, out)
    finally:
        s3.put(BUCKET, "input/genome.fa", (cloud.local.parent / "genome.fa").read_bytes())
    assert results(out) != results(cloud.local)

    cloud.succeed("submit", GENOME, "--wait", "--out", out)

    run = {"run.json": s3.get(BUCKET, f"results/{JOB}/run.json")}
    there = everything(out).items()
    assert {name: data for name, data in there if not name.startswith("chunks/")} == (
        results(cloud.local) | run | {"plan.json": (out / "plan.json").read_bytes()}
    )


@pytest.mark.parametrize("words", [(), ("-k", "4")])
def test_the_report_of_another_question_is_refused_before_anything_is_sent(
    words: tuple[str, ...], cloud: Cloud, s3: S3Server, tmp_path: Path, out: Path
) -> None:
    other = tmp_path / "genome.fa"
    other.write_bytes(b">other\nACGT\n")
    run_in_s3(s3, *([GENOME, *words] if words else [other]), out)
    before = everything(out)

    done = cloud.ask("submit", GENOME, "--wait", "--out", out, "--quiet")

    assert_told(done, 5, out, "holds the report", "give another --out")
    assert "--fresh" not in done.stderr
    assert everything(out) == before
    assert cloud.methods() == []


def test_the_report_of_another_question_is_replaced_in_the_folder_that_nobody_named(
    cloud: Cloud, s3: S3Server, tmp_path: Path
) -> None:
    cloud.api.submitted["state"] = "SUCCEEDED"
    run_in_s3(s3, GENOME, "-k", "4", tmp_path / "genome.fa.fanfold")

    with contextlib.chdir(tmp_path):
        cloud.succeed("submit", GENOME, "--wait")

    assert results(tmp_path / "genome.fa.fanfold") == results(cloud.local)


def test_a_report_that_appears_while_the_job_runs_is_left_alone(
    cloud: Cloud, tmp_path: Path, out: Path
) -> None:
    other = tmp_path / "genome.fa"
    other.write_bytes(b">other\nACGT\n")
    cloud.api.set_job(JOB, [job_document()])
    with running(
        *("submit", GENOME, "--wait", "--out", out, "--quiet"), variables=cloud.variables
    ) as process:
        wait_until(lambda: "GET" in cloud.methods())
        fanfold.run(other, out=out)
        before = everything(out)
        cloud.api.set_job(JOB, [SUCCEEDED])
        _, stderr = process.communicate(timeout=120)

    assert process.returncode == 5
    assert f"{out}: holds the report of {other}; give another --out" in stderr.decode()
    assert everything(out) == before


@contextlib.contextmanager
def damaged(s3: S3Server, name: str, damage: str) -> Iterator[None]:
    """One file of the report in the bucket is not what its record says."""
    key = f"results/{JOB}/{name}"
    data = s3.get(BUCKET, key)
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    try:
        if damage == "removed":
            s3.delete(BUCKET, key)
        else:
            s3.put(BUCKET, key, {"flipped": flipped, "emptied": b"", "longer": data * 2}[damage])
        yield
    finally:
        s3.put(BUCKET, key, data)


@pytest.mark.parametrize("name", ["run.json", "master.json", "sequences.tsv", "genome.fa.fai"])
@pytest.mark.parametrize("damage", ["flipped", "emptied", "removed"])
def test_a_report_that_is_not_what_its_record_says_is_not_fetched(
    name: str, damage: str, cloud: Cloud, s3: S3Server, out: Path
) -> None:
    """The one that is there stays, whole."""
    cloud.api.submitted["state"] = "SUCCEEDED"
    cloud.succeed("submit", GENOME, "--wait", "--out", out)
    (out / "gaps.bed").write_bytes(b"no longer complete")
    before = everything(out)
    with damaged(s3, name, damage):
        done = cloud.ask("submit", GENOME, "--wait", "--out", out, "--quiet")

    assert_told(done, 10, REPORT, "submit the job again")
    assert everything(out) == before
    cloud.succeed("submit", GENOME, "--wait", "--out", out)
    assert results(out) == results(cloud.local)


@pytest.mark.parametrize("name", ["report.html", "multiqc/fanfold_nx_mqc.json"])
@pytest.mark.parametrize("damage", ["flipped", "longer", "removed"])
def test_a_rendering_that_is_not_what_its_record_says_is_left_out_and_can_be_made_again(
    name: str, damage: str, cloud: Cloud, s3: S3Server, out: Path
) -> None:
    cloud.api.submitted["state"] = "SUCCEEDED"
    whole = results(cloud.local)
    with damaged(s3, name, damage):
        cloud.succeed("submit", GENOME, "--wait", "--out", out)

    assert results(out) == {each: whole[each] for each in whole.keys() - {name}}
    cloud.succeed("report", out, "--quiet")
    assert results(out) == whole


@pytest.mark.parametrize("name", ["../evil", "/evil", ".fanfold/lock", "other.txt"])
def test_a_record_of_files_that_no_report_has_is_refused(
    name: str, cloud: Cloud, s3: S3Server, out: Path
) -> None:
    cloud.api.submitted["state"] = "SUCCEEDED"
    key = f"results/{JOB}/run.json"
    data = s3.get(BUCKET, key)
    run = Checked(RunRecord).decode(data)
    files = run.record.files | {name: facts_of(b"evil")}
    record = msgspec.structs.replace(run.record, files=files)
    try:
        s3.put(BUCKET, key, encode_checked(msgspec.structs.replace(run, record=record)))
        done = cloud.ask("submit", GENOME, "--wait", "--out", out, "--quiet")
    finally:
        s3.put(BUCKET, key, data)

    assert_told(done, 10, f"{REPORT}/run.json", "damaged")
    assert not out.exists()


def test_a_file_that_fanfold_did_not_write_is_left_alone(cloud: Cloud, out: Path) -> None:
    cloud.api.submitted["state"] = "SUCCEEDED"
    out.mkdir()
    (out / "sequences.tsv").write_text("mine")

    done = cloud.ask("submit", GENOME, "--wait", "--out", out, "--quiet")

    assert_told(done, 5, out / "sequences.tsv", "in the way")
    assert [path.name for path in out.iterdir()] == ["sequences.tsv"]
    assert (out / "sequences.tsv").read_text() == "mine"


def test_a_fetch_that_breaks_off_leaves_no_report_and_can_be_made_again(
    cloud: Cloud, s3: S3Server, out: Path
) -> None:
    cloud.api.submitted["state"] = "SUCCEEDED"
    with FaultProxy(s3.endpoint_url) as proxy:
        denied = s3_error(403, "AccessDenied", "Access Denied")
        proxy.inject(denied, method="GET", path="*/sequences.tsv", times=9)
        through = {"AWS_ENDPOINT_URL": proxy.url}
        done = cloud.ask("submit", GENOME, "--wait", "--out", out, "--quiet", **through)

    assert_told(done, 4, "sequences.tsv", "can't be read")
    assert everything(out) == {}
    cloud.succeed("submit", GENOME, "--wait", "--out", out)
    assert results(out) == results(cloud.local)


def test_a_bucket_that_may_not_be_listed_is_fetched_from(
    cloud: Cloud, s3: S3Server, out: Path
) -> None:
    cloud.api.submitted["state"] = "SUCCEEDED"
    with FaultProxy(s3.endpoint_url) as proxy:
        denied = s3_error(403, "AccessDenied", "Access Denied")
        proxy.inject(denied, when=lambda request: request.path.strip("/") == BUCKET, times=None)
        through = {"AWS_ENDPOINT_URL": proxy.url}
        cloud.succeed("submit", GENOME, "--wait", "--out", out, **through)

    assert results(out) == results(cloud.local)


def test_a_bucket_that_may_not_be_read_is_told(cloud: Cloud, s3: S3Server, out: Path) -> None:
    cloud.api.submitted["state"] = "SUCCEEDED"
    with FaultProxy(s3.endpoint_url) as proxy:
        denied = s3_error(403, "AccessDenied", "Access Denied")
        proxy.inject(denied, method="GET", path=f"/{BUCKET}*", times=9)
        through = {"AWS_ENDPOINT_URL": proxy.url}
        done = cloud.ask("submit", GENOME, "--wait", "--out", out, "--quiet", **through)

    assert_told(done, 4, f"{REPORT}/run.json", "can't be read")
    assert not out.exists()


def test_a_report_that_is_gone_is_told(cloud: Cloud, out: Path) -> None:
    cloud.api.submitted["state"] = "SUCCEEDED"
    cloud.api.submitted["results"] = {
        "master": f"s3://{BUCKET}/results/{OTHER}/master.json",
        "report": "",
    }

    done = cloud.ask("submit", GENOME, "--wait", "--out", out, "--quiet")

    assert_told(done, 10, "there is no report")
    assert not out.exists()


def test_a_wait_outlives_an_api_that_is_out_of_reach(cloud: Cloud, out: Path) -> None:
    unavailable = Answer(503, b"{}")

    with running(
        *("submit", GENOME, "--wait", "--out", out, "--quiet"),
        variables=cloud.variables | {"FANFOLD_RETRY_TIMEOUT": "0.1"},
    ) as process:
        wait_until(lambda: "GET" in cloud.methods())
        with cloud.api.lock:
            cloud.api.faults += [unavailable, BreakOff(), unavailable]
        stdout, stderr = process.communicate(timeout=120)

    assert (process.returncode, stderr) == (0, b"")
    assert stdout.decode() == f"{out}/master.json\n"
    assert not cloud.api.faults


def test_a_wait_ends_with_what_waiting_does_not_help(cloud: Cloud, out: Path) -> None:
    with running(
        *("submit", GENOME, "--wait", "--out", out, "--quiet"), variables=cloud.variables
    ) as process:
        wait_until(lambda: "GET" in cloud.methods())
        with cloud.api.lock:
            cloud.api.faults.append(problem_document(403, "denied", "not any more"))
        _, stderr = process.communicate(timeout=120)

    assert process.returncode == 10
    assert b"not any more" in stderr
    assert f"fanfold status {JOB} --wait" in stderr.decode()


@pytest.mark.parametrize("words", [("submit", GENOME), ("status", JOB)])
@pytest.mark.parametrize(
    ("look", "told"),
    [
        (FAILED, [f"job {JOB} failed", "byte 7: not FASTA"]),
        (job_document(state="CANCELLED"), [f"job {JOB} was cancelled"]),
    ],
)
def test_a_job_that_does_not_succeed_is_told_and_fails_the_wait(
    look: dict[str, object], told: list[str], words: tuple[str, ...], cloud: Cloud, tmp_path: Path
) -> None:
    cloud.api.set_job(JOB, [look])
    with contextlib.chdir(tmp_path):
        done = cloud.ask(*words, "--wait", "--quiet")

    assert_told(done, 10, *told)
    assert not (tmp_path / "genome.fa.fanfold").exists()


@pytest.mark.parametrize(
    ("stop", "code", "told"),
    [
        (signal.SIGINT, 130, ["stopped waiting", f"cancel {JOB}", f"status {JOB} --wait"]),
        (signal.SIGTERM, 143, ["stopped by SIGTERM"]),
    ],
)
def test_who_stops_waiting_does_not_stop_the_job(
    stop: signal.Signals, code: int, told: list[str], cloud: Cloud, out: Path
) -> None:
    cloud.api.set_job(JOB, [job_document()])
    with running(
        *("submit", GENOME, "--wait", "--out", out, "--quiet"), variables=cloud.variables
    ) as process:
        wait_until(lambda: cloud.methods().count("GET") >= 2)
        process.send_signal(stop)
        stdout, stderr = process.communicate(timeout=120)

    assert (process.returncode, stdout) == (code, b"")
    assert 1 <= len(stderr.splitlines()) <= 2
    for word in told:
        assert word in stderr.decode()
    assert "DELETE" not in cloud.methods()
    assert not out.exists()


def on_a_terminal(variables: Mapping[str, str], *words: str | Path) -> tuple[int, str]:
    """What the command ends with, and what it writes to stderr when that is a terminal."""
    controller, terminal = os.openpty()
    with subprocess.Popen(
        [FANFOLD, *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env=clean_environment() | dict(variables) | {"TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux says that the terminal was closed
            while piece := os.read(controller, 4096):
                shown += piece
        os.close(controller)
        return process.wait(), shown.decode()


def test_a_terminal_is_shown_how_far_the_job_is(cloud: Cloud, out: Path) -> None:
    looks = [SUBMITTED, job_document(done=2), SUCCEEDED]
    looks[1:1] = [job_document(slices={"total": 4, "done": 1, "failed": 1})]
    cloud.api.set_job(JOB, looks)

    code, shown = on_a_terminal(cloud.variables, "submit", GENOME, "--wait", "--out", out)

    assert code == 0
    for word in ("genome.fa SUBMITTED", "genome.fa RUNNING, 1 failed", "2/4", "━", "N50"):
        assert word in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor stays hidden"


def test_quiet_shows_a_terminal_nothing(cloud: Cloud, out: Path) -> None:
    assert on_a_terminal(cloud.variables, "submit", GENOME, "--wait", "--out", out, "--quiet") == (
        0,
        "",
    )


# --- status, jobs, logs, cancel ---------------------------------------------------------------


def test_status_tells_where_a_job_is(cloud: Cloud) -> None:
    cloud.api.set_job(JOB, [FAILED])

    done = cloud.succeed("status", JOB)

    assert done.stderr == ""
    for word in (JOB, GENOME, "FAILED", "1 of 4", "21:05:00Z", "byte 7: not FASTA"):
        assert word in done.stdout
    assert (
        json.loads(cloud.succeed("status", JOB, "--json").stdout)["error"]["type"]
        == (PROBLEM["type"])
    )


def test_status_can_wait(cloud: Cloud) -> None:
    done = cloud.succeed("status", JOB, "--wait")

    assert "RUNNING: 4 slices" in done.stderr
    assert "SUCCEEDED" in done.stdout


def test_jobs_are_listed_newest_first_over_all_pages(cloud: Cloud) -> None:
    names = [f"{number:032x}" for number in range(250)]
    cloud.api.jobs.clear()
    for name in names:
        cloud.api.set_job(name, [job_document(name, key="input/a\x1b[31m.fa")])

    lines = cloud.succeed("jobs", "--limit", "230").stdout.splitlines()
    assert lines[0].split() == ["job", "state", "slices", "created", "genome"]
    assert [line.split()[0] for line in lines[1:]] == names[:230]
    assert "1 of 4" in lines[1]
    assert not any("\x1b" in line for line in lines)
    assert [each.query["limit"] for each in cloud.api.seen] == ["100", "100", "30"]
    assert len(json.loads(cloud.succeed("jobs", "--json").stdout)) == 20


def test_no_jobs_are_an_empty_table(cloud: Cloud) -> None:
    cloud.api.jobs.clear()

    assert len(cloud.succeed("jobs").stdout.splitlines()) == 1
    assert json.loads(cloud.succeed("jobs", "--json").stdout) == []


def test_logs_prints_the_lines_of_one_container(cloud: Cloud) -> None:
    cloud.api.logs = {
        "stream": "fold/default/1",
        "lines": [
            {"time": "2026-11-24T21:00:00.250Z", "text": "first\n"},
            {"time": "2026-11-24T21:00:01Z", "text": "\x1b]0;title\x07\tsecond"},
        ],
    }
    options = ("--slice", "7", "--phase", "fold", "--limit", "2")

    done = cloud.succeed("logs", JOB, *options)

    assert (
        done.stdout
        == "2026-11-24 21:00:00Z  first\n2026-11-24 21:00:01Z  \\x1b]0;title\\x07      second\n"
    )
    assert cloud.api.seen[0].query == {"slice": "7", "phase": "fold", "limit": "2"}


def test_logs_of_what_has_not_run_says_so(cloud: Cloud) -> None:
    done = cloud.succeed("logs", JOB)

    assert (done.stdout, done.stderr) == ("", "no container has run for that yet: phase task\n")


def test_cancel_cancels(cloud: Cloud) -> None:
    assert cloud.succeed("cancel", JOB).stdout == "CANCELLED\n"
    assert cloud.methods() == ["DELETE"]


def test_a_job_that_has_ended_can_not_be_cancelled(cloud: Cloud) -> None:
    cloud.api.faults.append(problem_document(409, "has-ended", "it has ended already"))

    assert_told(cloud.ask("cancel", JOB), 10, "it has ended already")


@pytest.mark.parametrize("verb", ["status", "logs", "cancel"])
def test_a_name_that_is_no_job_s_is_told(verb: str, cloud: Cloud) -> None:
    assert_told(cloud.ask(verb, "genome.fa"), 2, "genome.fa", "32 hexadecimal digits")
    assert cloud.api.seen == []
    assert_told(cloud.ask("status", OTHER), 10, OTHER, "no such job")


# --- the command ------------------------------------------------------------------------------


def test_a_profile_s_keys_are_used_instead_of_the_environment_s(
    cloud: Cloud, tmp_path: Path
) -> None:
    (tmp_path / "home/.aws").mkdir()
    (tmp_path / "home/.aws/config").write_text(
        f"[profile work]\nregion = {REGION}\naws_access_key_id = OTHER\naws_secret_access_key = x\n"
    )

    done = cloud.ask("jobs", "--profile", "work")

    assert_told(done, 10, "access key is not known")
    assert cloud.api.seen[0].headers["authorization"].count("Credential=OTHER/") == 1


def test_nothing_heavy_is_imported_before_it_is_needed(tmp_path: Path) -> None:
    """Neither for the commands that run here, nor for a look at the help."""
    heavy = {"botocore", "boto3", "urllib3", "rich", "distributed", "obstore", "fanfold.api.client"}
    program = (
        "import sys; from fanfold.cli.commands import cli\n"
        "cli.main(sys.argv[1:], prog_name='fanfold', standalone_mode=False)\n"
        f"print(*sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    )
    genome = str(DATA / "phiX174.fa")
    for words in (["--version"], ["run", genome, "--out", str(tmp_path / "out"), "--quiet"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
        )
        assert done.stderr.split() == []


def test_every_command_is_in_a_section_of_the_help_and_explains_itself(
    check: Callable[[str], str],
) -> None:
    shown = check("--help")
    local, cloud = shown.index("On this machine"), shown.index("By an API")
    assert local < shown.index("\n  inflate ") < cloud < shown.index("\n  submit ")
    assert "..." not in shown[local:]
    for verb in ("submit", "status", "jobs", "logs", "cancel"):
        assert "--api URL" in check(verb)


@pytest.fixture
def check() -> Callable[[str], str]:
    def shown(word: str) -> str:
        words = [word] if word == "--help" else [word, "--help"]
        return command(*words, variables={}).stdout

    return shown
