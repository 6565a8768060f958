"""From a POST to a report, and what may come between."""

from __future__ import annotations

import gzip
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from archives import bgzf
from servers.proxy import FaultProxy, Request, Stall

from cloud.emulator.batch_runner import Interruption
from cloud.functions import received, run
from cloud.system import System, local_results
from fanfold.report.run_record import RENDERINGS

DATA = Path(__file__).parents[1] / "data"
GENOMES = Path(__file__).resolve().parents[3] / "shared" / "genomes"
PHIX = (DATA / "phiX174.fa").read_bytes()
LAMBDA = (DATA / "lambda_NC_001416.fa").read_bytes()
ECOLI = gzip.decompress((DATA / "ecoli_K12_GCF_000005845.2.fna.gz").read_bytes())

FORMS = {
    "ecoli.fa": ECOLI,
    "ecoli.fa.gz": gzip.compress(ECOLI, 1, mtime=0),
    "ecoli.fa.bgz": bgzf(ECOLI, level=1),
}
K = (5, 8)


def flipped(data: bytes) -> bytes:
    """The same with one bit in the middle that is another."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def varied(seed: int) -> bytes:
    """A genome that no other test has asked for."""
    bases = random.Random(seed).choices("ACGT", k=6000)
    return b">chr1\n" + "".join(bases).encode() + b"\n>chr2\n" + b"ACGTN" * 100 + b"\n"


@pytest.mark.parametrize("chunks", ["ranges", "files"])
@pytest.mark.parametrize("name", FORMS)
def test_a_post_ends_in_the_report_of_a_local_run(
    system: System, name: str, chunks: str, tmp_path: Path
) -> None:
    slice_bytes = len(FORMS[name]) // 3
    job = system.start(f"input/{name}", FORMS[name], k=K, slice_bytes=slice_bytes, chunks=chunks)

    results = system.succeed(job)

    assert results == local_results(tmp_path, name, FORMS[name], K)
    eventually(lambda: not system.keys(f"jobs/open/{job}"))
    assert system.get("results/master.json") == results["master.json"]
    assert not system.keys(f"chunks/{job}/")
    run = json.loads(system.get(f"results/{job}/run.json"))
    cost = json.loads(system.get(f"results/{job}/cost.json"))
    containers = run["slices"]["count"]
    assert cost["job"] == job
    assert cost["billed_seconds"]["task"] == containers * 60
    assert cost["estimated_cost_usd"] > 0


def test_the_answer_tells_of_job_results_and_price(system: System) -> None:
    system.put("input/phiX.fa", PHIX)

    answer = system.post("input/phiX.fa", slice_bytes=1000)

    job = answer.document["job"]
    assert answer.document == {
        "job": job,
        "state": "SUBMITTED",
        "status_url": answer.document["status_url"],
        "results": {
            "master": f"s3://{system.bucket}/results/{job}/master.json",
            "report": f"s3://{system.bucket}/results/{job}/report.html",
        },
        "estimate": {"slices": 6, "vcpu_seconds": 90, "usd": 0.0017, "usd_most": 0.0017},
    }
    assert answer.document["status_url"].endswith(f"/jobs/{job}")
    told = system.wait(job)
    assert told["slices"] == {"total": 6, "done": 6, "failed": 0}
    assert told["bytes"] == len(PHIX)
    assert told["created"] < told["finished"]
    assert (told["bucket"], told["key"], told["k"]) == (system.bucket, "input/phiX.fa", [5])


def test_one_slice_is_a_plain_job(system: System, tmp_path: Path) -> None:
    data = varied(1)
    job = system.start("input/one.fa", data)

    assert system.succeed(job) == local_results(tmp_path, "one.fa", data, (5,))
    (batch_job,) = system.batch_jobs(job)
    assert "arrayProperties" not in batch_job


def test_the_same_request_is_the_same_job(system: System) -> None:
    job = system.start("input/same.fa", varied(2), slice_bytes=3000)
    system.succeed(job)

    again = system.post("input/same.fa", slice_bytes=3000)

    assert (again.document["job"], again.document["state"]) == (job, "SUCCEEDED")
    assert len(system.batch_jobs(job)) == 1
    assert system.start("input/same.fa", slice_bytes=3001) != job
    assert system.start("input/same.fa", slice_bytes=3000, k=[6]) != job


def test_the_same_request_at_the_same_moment_is_one_job(system: System) -> None:
    system.put("input/at-once.fa", varied(3))
    with ThreadPoolExecutor(4) as pool:
        posted = list(
            pool.map(lambda _: system.post("input/at-once.fa", slice_bytes=2000), range(4))
        )

    (job,) = {each.document["job"] for each in posted}
    system.succeed(job)
    # A second array may have been submitted; then it was stopped, or found its work done.
    assert system.job(job)["attempt"] == 1


def test_two_jobs_at_once_stay_apart(system: System, tmp_path: Path) -> None:
    names = [f"pair{number}.fa" for number in (1, 2)]
    genomes = {name: varied(10 + index) for index, name in enumerate(names)}
    jobs = {
        name: system.start(f"input/{name}", data, slice_bytes=1500)
        for name, data in genomes.items()
    }

    for name, job in jobs.items():
        assert system.succeed(job) == local_results(tmp_path, name, genomes[name], (5,))


def test_events_that_come_twice_and_out_of_order_change_nothing(
    system: System, tmp_path: Path
) -> None:
    system.cloud.batch.events.copies = 3
    system.cloud.batch.events.shuffle = random.Random(7)
    data = varied(4)
    job = system.start("input/shuffled.fa", data, slice_bytes=1500)

    assert system.succeed(job) == local_results(tmp_path, "shuffled.fa", data, (5,))
    system.cloud.batch.wait_idle()
    assert system.job(job)["state"] == "SUCCEEDED"
    assert system.keys(f"results/{job}/error.json") == []


def test_a_child_that_spot_takes_is_run_again_and_billed_twice(
    system: System, tmp_path: Path
) -> None:
    data = varied(5)
    system.put("input/spot.fa", data)
    system.cloud.batch.interrupt(Interruption(index=1))
    prices = {"vcpu_hour": 0.04, "gb_hour": 0.004, "address_hour": 0.005, "spot_share": 0.3}
    with setting(system, "aggregator", FANFOLD_PRICES=json.dumps(prices)):
        job = system.start("input/spot.fa", slice_bytes=1500)
        results = system.succeed(job)

    assert results == local_results(tmp_path, "spot.fa", data, (5,))
    (array,) = system.batch_jobs(job)
    children = system.cloud.batch.children(array["jobId"])
    assert len(children[1]["attempts"]) == 2
    cost = json.loads(system.get(f"results/{job}/cost.json"))
    minutes = len(children) + 1
    each_hour = 0.25 * 0.04 + 0.5 * 0.004
    assert cost["billed_seconds"] == {"task": minutes * 60}
    assert cost["estimated_cost_usd"] == round(minutes / 60 * (each_hour * 0.3 + 0.005), 6)
    assert cost["estimated_cost_usd_most"] == round(minutes / 60 * (each_hour + 0.005), 6)


def test_a_child_that_always_fails_is_named_and_a_new_attempt_scans_it_alone(
    system: System, tmp_path: Path
) -> None:
    data = varied(6)
    system.put("input/failing.fa", data)
    system.cloud.batch.interrupt(Interruption(index=2, attempt=None))
    job = system.start("input/failing.fa", slice_bytes=1500)

    error = system.fail(job, "slices have no result")
    assert [each["index"] for each in error["slices"]] == [2]
    assert "interrupted" in error["slices"][0]["reason"]
    assert system.job(job)["slices"]["failed"] == 1
    kept = system.keys(f"results/{job}/chunks/")

    system.cloud.batch.calm()
    again = system.post("input/failing.fa", slice_bytes=1500).document
    assert (again["job"], again["state"]) == (job, "SUBMITTED")
    assert system.succeed(job) == local_results(tmp_path, "failing.fa", data, (5,))
    assert system.job(job)["attempt"] == 2
    assert set(kept) < set(system.keys(f"results/{job}/chunks/"))
    batch_jobs = system.batch_jobs(job)
    assert len(batch_jobs) == 2
    cost = json.loads(system.get(f"results/{job}/cost.json"))
    assert cost["batch_jobs"] == {"task": [each["jobId"] for each in batch_jobs]}
    attempts = [
        attempt
        for each in batch_jobs
        for child in system.cloud.batch.children(each["jobId"])
        for attempt in child["attempts"]
    ]
    assert cost["billed_seconds"] == {"task": len(attempts) * 60}


def test_a_job_is_cancelled_and_can_be_asked_for_again(system: System, tmp_path: Path) -> None:
    data = varied(7)
    system.cloud.batch.hold()
    job = system.start("input/cancelled.fa", data, slice_bytes=1500)
    eventually(lambda: system.batch_jobs(job))

    cancelled = system.call("DELETE", f"/jobs/{job}")
    assert (cancelled.status, cancelled.document["state"]) == (200, "CANCELLED")
    system.cloud.batch.release()
    system.cloud.batch.wait_idle()
    assert system.job(job)["state"] == "CANCELLED"
    assert [each["status"] for each in system.batch_jobs(job)] == ["FAILED"]

    system.post("input/cancelled.fa", slice_bytes=1500)
    assert system.succeed(job) == local_results(tmp_path, "cancelled.fa", data, (5,))
    assert system.call("DELETE", f"/jobs/{job}").status == 409


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_result_that_is_lost_is_named_and_scanned_again(
    system: System, damage: str, tmp_path: Path
) -> None:
    data = varied(8)
    name = f"{damage}.fa"
    with events_lost(system):
        job = system.start(f"input/{name}", data, slice_bytes=1500)
        eventually(lambda: ended(system, job))
    (key,) = (each for each in system.keys(f"results/{job}/chunks/") if "chunk0001.json" in each)
    if damage == "missing":
        system.cloud.client("s3").delete_object(Bucket=system.bucket, Key=key)
    else:
        damaged = bytearray(system.get(key))
        damaged[len(damaged) // 2] ^= 1
        system.put(key, bytes(damaged))
    system.sweep()

    error = system.fail(job, "missing or damaged")
    assert [each["index"] for each in error["slices"]] == [1]
    system.post(f"input/{name}", slice_bytes=1500)
    assert system.succeed(job) == local_results(tmp_path, name, data, (5,))


def test_another_array_that_fails_changes_nothing(system: System, tmp_path: Path) -> None:
    data = varied(40)
    system.cloud.batch.hold()
    job = system.start("input/twice.fa", data, slice_bytes=1500)
    eventually(lambda: system.keys(f"results/{job}/state/0001-task"))
    (counts,) = system.batch_jobs(job)
    other = dict(counts, jobId="another", status="FAILED")

    system.invoke("aggregator", {"detail": other})

    assert system.job(job)["state"] == "SUBMITTED"
    assert not system.keys(f"results/{job}/error.json")
    system.cloud.batch.release()
    assert system.succeed(job) == local_results(tmp_path, "twice.fa", data, (5,))


def test_an_event_of_an_older_attempt_changes_nothing(system: System, tmp_path: Path) -> None:
    data = varied(41)
    system.put("input/older.fa", data)
    system.cloud.batch.interrupt(Interruption(index=0, attempt=None))
    job = system.start("input/older.fa", slice_bytes=1500)
    system.fail(job, "slices have no result")
    system.cloud.batch.calm()
    system.cloud.batch.hold()
    system.post("input/older.fa", slice_bytes=1500)
    eventually(lambda: len(system.batch_jobs(job)) == 2)

    system.invoke("aggregator", {"detail": system.batch_jobs(job)[0]})

    assert system.job(job)["state"] == "SUBMITTED"
    system.cloud.batch.release()
    assert system.succeed(job) == local_results(tmp_path, "older.fa", data, (5,))


def test_lost_events_are_mended_by_the_sweep(system: System, tmp_path: Path) -> None:
    data = varied(9)
    with events_lost(system):
        job = system.start("input/lost.fa", data, slice_bytes=1500)
        eventually(lambda: ended(system, job))
    assert system.job(job)["state"] == "RUNNING"

    system.sweep()

    assert system.succeed(job) == local_results(tmp_path, "lost.fa", data, (5,))


def test_a_source_that_is_overwritten_in_between_is_an_error(system: System) -> None:
    system.cloud.batch.hold()
    job = system.start("input/changing.fa", varied(20), slice_bytes=1500)
    eventually(lambda: system.batch_jobs(job))
    system.put("input/changing.fa", varied(21))
    system.cloud.batch.release()

    error = system.fail(job, "slices have no result")
    assert error["type"] == "urn:fanfold:problem:source"
    assert "changed while it was being read" in error["slices"][0]["reason"]
    assert system.start("input/changing.fa", slice_bytes=1500) != job


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [
        ("reads.fq", b"@read\nACGT\n+\nIIII\n" * 5000, "FASTQ"),
        ("text.fa", b"once upon a time\n" * 5000, "before the first header"),
        ("late.fa", b">a\nACGT\n" * 20_000 + b"\x07\n", "byte"),
        ("cut.fa.gz", gzip.compress(LAMBDA)[:-50], "truncated"),
        ("cut.fa.bgz", bgzf(LAMBDA * 20, end=False), "truncated"),
        ("flipped.fa.bgz", flipped(bgzf(LAMBDA * 20)), "block"),
    ],
)
def test_an_input_that_is_bad_fails_and_says_why(
    system: System, name: str, data: bytes, word: str
) -> None:
    job = system.start(f"input/{name}", data, slice_bytes=20_000)

    error = system.fail(job, word)

    assert error["type"] == "urn:fanfold:problem:input"
    assert name in error["detail"]


def test_an_empty_object_is_refused_at_once(system: System) -> None:
    system.put("input/empty.fa", b"")

    answer = system.post("input/empty.fa")

    assert answer.status == 422
    assert answer.document["type"] == "urn:fanfold:problem:empty-object"
    assert str(answer.document["detail"]).endswith("the object is empty; upload it again")


def test_an_archive_beyond_the_limit_is_inflated_in_a_container(
    system: System, tmp_path: Path
) -> None:
    data = gzip.compress(varied(30), mtime=0)
    with setting(system, "chunker", FANFOLD_INFLATED_HERE_BYTES="100"):
        job = system.start("input/large.fa.gz", data, slice_bytes=1500)
        results = system.succeed(job)

    assert results == local_results(tmp_path, "large.fa.gz", data, (5,))
    assert [each["status"] for each in system.batch_jobs(job, "inflate")] == ["SUCCEEDED"]
    eventually(lambda: not system.keys(f"jobs/open/{job}"))
    assert not system.keys(f"chunks/{job}/")


def test_slices_that_are_too_small_are_made_larger(system: System) -> None:
    data = varied(35)
    small = {"FANFOLD_LEAST_SLICE_BYTES": "2000"}
    with setting(system, "starter", **small), setting(system, "chunker", **small):
        system.put("input/small-slices.fa", data)
        answer = system.post("input/small-slices.fa", slice_bytes=1)
        job = str(answer.document["job"])
        system.succeed(job)

    plan = json.loads(system.get(f"results/{job}/plan.json"))
    slices = -(-len(data) // 2000)
    assert answer.document["estimate"]["slices"] == slices
    assert plan["slice_bytes"] == 2000
    assert len(plan["slices"]) == slices


@pytest.mark.parametrize(
    ("limit", "kind", "word"),
    [
        ({"FANFOLD_MAX_TEXT_BYTES": "1000"}, "input", "max_text_bytes"),
        ({"FANFOLD_MAX_USD_PER_JOB": "0.0001"}, "too-expensive", "max_usd_per_job"),
    ],
)
def test_an_archive_whose_text_is_too_large_fails_and_says_so(
    system: System, limit: dict[str, str], kind: str, word: str
) -> None:
    with setting(system, "chunker", **limit):
        data = gzip.compress(varied(36) + kind.encode(), mtime=0)
        job = system.start(f"input/{kind}.fa.gz", data, slice_bytes=1500)
        error = system.fail(job, word)

    assert error["type"] == f"urn:fanfold:problem:{kind}"
    assert f"{kind}.fa.gz" in error["detail"]
    assert not system.batch_jobs(job)


def test_a_damaged_archive_beyond_the_limit_says_so(system: System) -> None:
    data = gzip.compress(varied(31), mtime=0)[:-20]
    with setting(system, "chunker", FANFOLD_INFLATED_HERE_BYTES="100"):
        job = system.start("input/large-cut.fa.gz", data, slice_bytes=1500)
        error = system.fail(job, "truncated")

    assert error["type"] == "urn:fanfold:problem:input"
    (batch_job,) = system.batch_jobs(job)
    assert len(batch_job["attempts"]) == 1


def test_a_text_that_is_lost_after_it_was_written_is_an_error(system: System) -> None:
    data = gzip.compress(varied(44), mtime=0)
    with setting(system, "chunker", FANFOLD_INFLATED_HERE_BYTES="100"):
        with events_lost(system):
            job = system.start("input/lost-text.fa.gz", data, slice_bytes=1500)
            eventually(lambda: ended(system, job))
        plan = f"results/{job}/plan.json"
        system.cloud.client("s3").delete_object(Bucket=system.bucket, Key=plan)
        system.sweep()
        error = system.fail(job, "is gone; post the job again")
        assert error["type"] == "urn:fanfold:problem:plan"

        system.start("input/lost-text.fa.gz", slice_bytes=1500)
        system.succeed(job)


def test_a_post_that_comes_before_the_failed_attempt_is_closed_keeps_the_job_open(
    system: System, proxy: FaultProxy, tmp_path: Path
) -> None:
    data = varied(45)
    system.put("input/at-once.fa", data)
    system.cloud.batch.interrupt(Interruption(index=0, attempt=None))
    with events_lost(system):
        job = system.start("input/at-once.fa", slice_bytes=1500)
        eventually(lambda: ended(system, job))
    system.cloud.batch.calm()
    system.cloud.batch.hold()
    posted = threading.Event()

    def closes(request: Request) -> bool:
        if request.method == "POST" and "delete" in request.query:
            posted.wait(60)
        return False

    proxy.clear()
    proxy.inject(Stall(), when=closes, times=None)
    event = {"detail": system.batch_jobs(job)[0]}
    with ThreadPoolExecutor(1) as pool:
        aggregator = pool.submit(run, system, proxy, "aggregator", event)
        eventually(lambda: system.job(job)["state"] == "FAILED")
        assert system.post("input/at-once.fa", slice_bytes=1500).document["state"] == "SUBMITTED"
        posted.set()
        aggregator.result()

    told = system.job(job)
    assert (told["attempt"], told["error"]) == (2, None)
    system.cloud.batch.release()
    assert system.succeed(job) == local_results(tmp_path, "at-once.fa", data, (5,))
    assert system.keys(f"results/{job}/cost.json")


def test_a_fold_beyond_the_limit_is_done_in_a_container(system: System, tmp_path: Path) -> None:
    data = varied(32)
    with setting(system, "aggregator", FANFOLD_FOLDED_HERE_BYTES="-1"):
        job = system.start("input/folded.fa", data, slice_bytes=1500)
        results = system.succeed(job)

    assert results == local_results(tmp_path, "folded.fa", data, (5,))
    system.cloud.batch.wait_idle()
    assert [each["status"] for each in system.batch_jobs(job, "fold")] == ["SUCCEEDED"]
    eventually(lambda: not system.keys(f"jobs/open/{job}"))
    cost = json.loads(system.get(f"results/{job}/cost.json"))
    assert set(cost["billed_seconds"]) == {"task", "fold"}


def test_a_source_bucket_that_was_given_is_read(system: System, tmp_path: Path) -> None:
    data = varied(33)
    system.cloud.client("s3").put_object(
        Bucket="another-bucket", Key="allowed/genome.fa", Body=data
    )
    job = system.start("allowed/genome.fa", bucket="another-bucket", slice_bytes=3000)

    assert system.succeed(job) == local_results(tmp_path, "genome.fa", data, (5,))


def test_jobs_are_listed_the_newest_first(system: System) -> None:
    first = system.start("input/listed.fa", varied(34))
    second = system.start("input/listed.fa", k=[4])

    listed = system.call("GET", "/jobs?limit=1").document
    assert [each["job"] for each in listed["jobs"]] == [second]
    more = system.call("GET", f"/jobs?limit=1&next={listed['next']}").document
    assert [each["job"] for each in more["jobs"]] == [first]


def test_the_log_of_a_slice_is_told(system: System) -> None:
    system.put("input/logged.fa", varied(35))
    job = system.start("input/logged.fa", slice_bytes=3000)
    system.succeed(job)

    logs = system.call("GET", f"/jobs/{job}/logs?slice=1").document

    assert "slice 1" in "".join(line["text"] for line in logs["lines"])
    assert system.call("GET", f"/jobs/{job}/logs").status == 400
    assert system.call("GET", f"/jobs/{job}/logs?slice=99").status == 404


def test_a_permission_that_is_missing_ends_in_an_error_not_in_silence(system: System) -> None:
    with permission_removed(system, "chunker", "batch:SubmitJob"):
        job = system.start("input/denied.fa", varied(36), slice_bytes=1500)
        error = system.fail(job, "could not do its work")

    assert "SubmitJob" in error["detail"]
    system.post("input/denied.fa", slice_bytes=1500)
    system.succeed(job)


@pytest.mark.parametrize("is_in_the_way", [False, True])
def test_the_aggregator_removes_of_a_report_only_what_it_replaces(
    system: System, is_in_the_way: bool, tmp_path: Path
) -> None:
    name, data = f"removed-{is_in_the_way}.fa", varied(42 + is_in_the_way)
    with events_lost(system):
        job = system.start(f"input/{name}", data, slice_bytes=1500)
        eventually(lambda: ended(system, job))
    if is_in_the_way:
        system.put(f"results/{job}/gaps.bed", b"not what is to be there")
    report = (
        *("master.json", "run.json", "plan.json", "*.tsv", "*.bed", "*.fai", "chunks/*"),
        *RENDERINGS,
    )
    with denied(
        system, "aggregator", "s3:DeleteObject", [f"results/{job}/{each}" for each in report]
    ):
        system.sweep()
        if not is_in_the_way:
            assert system.succeed(job) == local_results(tmp_path, name, data, (5,))
            return
        assert "can't be removed" in system.fail(job, "could not do its work")["detail"]

    system.post(f"input/{name}", slice_bytes=1500)
    assert system.succeed(job) == local_results(tmp_path, name, data, (5,))


def test_an_event_that_reached_no_function_is_sent_again(system: System, tmp_path: Path) -> None:
    data = varied(39)
    with events_lost(system):
        job = system.start("input/dead.fa", data, slice_bytes=1500)
        eventually(lambda: ended(system, job))
    event = {"id": "0", "detail-type": "Batch Job State Change"}
    dead = event | {"detail": system.batch_jobs(job)[0]}

    system.invoke("failures", received(dead))

    assert system.succeed(job) == local_results(tmp_path, "dead.fa", data, (5,))


def test_an_event_that_the_chunker_gave_up_is_an_error_and_not_sent_again(system: System) -> None:
    data = gzip.compress(varied(43), mtime=0)
    with setting(system, "chunker", FANFOLD_INFLATED_HERE_BYTES="100"), events_lost(system):
        job = system.start("input/given-up.fa.gz", data, slice_bytes=1500)
        eventually(lambda: ended(system, job))
    inflated = {"id": "0", "detail": system.batch_jobs(job)[0]}
    queue = f"arn:aws:sqs:{system.cloud.region}:{system.cloud.account}:{system.name}-chunks"

    system.invoke("failures", received(inflated, DeadLetterQueueSourceArn=queue))

    error = system.fail(job, "could not do its work")
    assert error["detail"] == (
        "the chunker could not do its work; its log says why; post the job again"
    )
    assert len(system.batch_jobs(job)) == 1


@pytest.mark.skipif(not GENOMES.is_dir(), reason=f"{GENOMES} is not there")
@pytest.mark.parametrize(
    ("name", "chunks"),
    [
        ("hs37_chr20.fa.gz", "ranges"),
        ("hs37_chr20.fa.gz", "files"),
        ("S_cerevisiae_16chr.fa", "files"),
    ],
)
def test_a_chromosome_ends_in_the_report_of_a_local_run(
    system: System, name: str, chunks: str, tmp_path: Path
) -> None:
    data = (GENOMES / name).read_bytes()
    job = system.start(f"input/{name}", data, k=K, slice_bytes=4 * 2**20, chunks=chunks)

    assert system.succeed(job) == local_results(tmp_path, name, data, K)


def test_what_batch_has_forgotten_is_told(system: System) -> None:
    with events_lost(system):
        job = system.start("input/forgotten.fa", varied(37), slice_bytes=1500)
        eventually(lambda: ended(system, job))
    system.cloud.batch.forget(f"{job}-*")

    system.sweep()

    system.fail(job, "forgotten")


def ended(system: System, job: str) -> bool:
    """Whether Batch is done with a job."""
    jobs = system.batch_jobs(job)
    return bool(jobs) and all(each["status"] in {"SUCCEEDED", "FAILED"} for each in jobs)


def eventually(holds: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it didn't come to pass"
        time.sleep(0.05)


@contextmanager
def events_lost(system: System) -> Iterator[None]:
    """No event of Batch reaches anybody."""
    events = system.cloud.batch.events
    events.drops = lambda _detail: True
    yield
    system.cloud.batch.wait_idle()
    events.in_order()


@contextmanager
def setting(system: System, role: str, **variables: str) -> Iterator[None]:
    """Settings of a function that are others meanwhile."""
    client = system.cloud.client("lambda")
    name = system.function(role)
    before = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    client.update_function_configuration(
        FunctionName=name, Environment={"Variables": before | variables}
    )
    yield
    client.update_function_configuration(FunctionName=name, Environment={"Variables": before})


@contextmanager
def permission_removed(system: System, role: str, action: str) -> Iterator[None]:
    """A function's role without a permission."""
    iam = system.cloud.client("iam")
    function = system.cloud.client("lambda").get_function_configuration(
        FunctionName=system.function(role)
    )
    name = function["Role"].rpartition("/")[2]
    policies = {
        policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    }
    policy, document = next(each for each in policies.items() if action in json.dumps(each[1]))
    fewer = json.loads(json.dumps(document).replace(f'"{action}"', '"batch:Nothing"'))
    iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(fewer))
    yield
    iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))


@contextmanager
def denied(system: System, role: str, action: str, keys: list[str]) -> Iterator[None]:
    """A function's role that may not do something to some objects of the bucket."""
    iam = system.cloud.client("iam")
    function = system.cloud.client("lambda").get_function_configuration(
        FunctionName=system.function(role)
    )
    name = function["Role"].rpartition("/")[2]
    statement = {
        "Effect": "Deny",
        "Action": action,
        "Resource": [f"arn:aws:s3:::{system.bucket}/{key}" for key in keys],
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=name, PolicyName="denied", PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="denied")
