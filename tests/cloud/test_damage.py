"""Documents of a job that are damaged, emptied or somebody else's: told in words, or made again.

The functions ask the ledger and the record what a job has come to. None of them takes a
`master.json` for a report because it is there, and none ends in a traceback.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from servers.proxy import FaultProxy

from cloud.emulator.batch_runner import Interruption
from cloud.functions import chunk
from cloud.system import Json, System, local_results
from cloud.test_crashes import created
from cloud.test_jobs import ended, events_lost, eventually, varied
from fanfold.checked_json import encode_checked

SLICE_BYTES = 2500

DAMAGES = ["flipped", "emptied", "foreign", "other fields"]


def damaged(data: bytes, damage: str) -> bytes:
    """A document, damaged."""
    middle = len(data) // 2
    return {
        "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "emptied": b"",
        "foreign": b'{"what": "no document of fanfold"}\n',
        "other fields": encode_checked({"what": "no such document"}),
    }[damage]


def keys_of(system: System, job: str, name: str) -> list[str]:
    """The keys of a job's documents: one, or all that are below `state/`."""
    keys = system.keys(f"results/{job}/{name}")
    assert keys, name
    return keys


def harm(system: System, job: str, name: str, damage: str) -> None:
    for key in keys_of(system, job, name):
        system.put(key, damaged(system.get(key), damage))


def invoke(system: System, role: str, event: Json, where: str) -> None:
    """Run a function: it does its work, or ends in an error that says where the damage is."""
    answer = system.cloud.client("lambda").invoke(
        FunctionName=system.function(role), Payload=json.dumps(event).encode()
    )
    told = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer:  # which goes to the failures, and from there to error.json
        assert f"{where}: in the way, and of no fanfold run" in told["errorMessage"], told


def is_told(system: System, job: str, where: str) -> str:
    """What the status says of a job, which may be that a document is damaged: its state, if any."""
    answer = system.call("GET", f"/jobs/{job}")
    if answer.status == 200:
        state = answer.document["state"]
        if state == "FAILED":
            assert answer.document["error"]["detail"]
        return str(state)
    assert answer.status == 500, answer
    assert answer.kind.startswith("application/problem+json")
    assert answer.document["type"] == "urn:fanfold:problem:plan"
    assert f"{where}: damaged" in answer.document["detail"]
    return ""


def post(system: System, name: str) -> str:
    """Post a genome again; the state."""
    answer = system.post(f"input/{name}", slice_bytes=SLICE_BYTES)
    assert answer.status == 200, answer
    return str(answer.document["state"])


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("document", ["request.json", "plan.json", "state/", "run.json"])
def test_a_damaged_document_of_a_finished_job_is_told_or_made_again(
    system: System, document: str, damage: str, tmp_path: Path
) -> None:
    name, data = f"{document[:3]}-{damage[:3]}.fa", varied(hash_of(document, damage))
    job = system.start(f"input/{name}", data, slice_bytes=SLICE_BYTES)
    expected = local_results(tmp_path, name, data, (5,))
    assert system.succeed(job) == expected
    (batch_job,) = system.batch_jobs(job)
    harm(system, job, document, damage)
    where = f"results/{job}/{document}"

    state = is_told(system, job, where)
    assert state == {"request.json": "", "run.json": "FAILED"}.get(document, "SUCCEEDED")
    assert job in {each["job"] for each in newest(system)} or document == "request.json"
    invoke(system, "chunker", chunk(job), where)
    system.sweep()
    invoke(system, "aggregator", {"detail": batch_job}, where)  # which makes the report again

    state = post(system, name)
    assert state == ("RUNNING" if (document, damage) == ("run.json", "foreign") else "SUCCEEDED")
    system.sweep()
    if state == "RUNNING":
        error = system.wait(job)["error"]
        assert f"{where}: in the way, and of no fanfold run" in error["detail"]
        assert system.get(where) == damaged(b"-", damage)
        return
    assert system.succeed(job) == expected
    assert [each["job"] for each in newest(system)].count(job) == 1
    assert system.job(job)["attempt"] == 1
    assert len(system.batch_jobs(job)) == 1


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("document", ["request.json", "plan.json", "state/"])
def test_a_damaged_document_of_a_job_at_work_is_told_or_made_again(
    system: System, document: str, damage: str, tmp_path: Path
) -> None:
    """Its slices are done, and nobody has heard of it."""
    name, data = f"{document[:3]}-{damage[:3]}-open.fa", varied(hash_of(damage, document))
    with events_lost(system):
        job = system.start(f"input/{name}", data, slice_bytes=SLICE_BYTES)
        eventually(lambda: ended(system, job))
    harm(system, job, document, damage)
    where = f"results/{job}/{document}"

    is_told(system, job, where)
    invoke(system, "chunker", chunk(job), where)
    system.sweep()
    if document == "plan.json":
        assert f"{where}: not a plan, or damaged" in system.wait(job)["error"]["detail"]

    post(system, name)
    if (document, damage) == ("plan.json", "foreign"):
        eventually(lambda: system.job(job)["attempt"] == 2)
        error = system.wait(job)["error"]
        assert f"{where}: in the way, and of no fanfold run" in error["detail"]
        return
    system.sweep()
    assert system.succeed(job) == local_results(tmp_path, name, data, (5,))


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_event_is_heard_though_the_state_is_damaged(
    system: System, damage: str, tmp_path: Path
) -> None:
    name, data = f"heard-{damage[:3]}.fa", varied(hash_of("heard", damage))
    with events_lost(system):
        job = system.start(f"input/{name}", data, slice_bytes=SLICE_BYTES)
        eventually(lambda: ended(system, job))
    harm(system, job, "state/", damage)

    system.invoke("aggregator", {"detail": system.batch_jobs(job)[0]})

    assert system.succeed(job) == local_results(tmp_path, name, data, (5,))
    cost = json.loads(system.get(f"results/{job}/cost.json"))
    assert set(cost["batch_jobs"]) == {"task"}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_error_is_an_error_and_a_new_attempt_replaces_it(
    system: System, damage: str, tmp_path: Path
) -> None:
    name, data = f"error-{damage[:3]}.fa", varied(hash_of("error", damage))
    system.put(f"input/{name}", data)
    system.cloud.batch.interrupt(Interruption(index=1, attempt=None))
    job = system.start(f"input/{name}", slice_bytes=SLICE_BYTES)
    system.fail(job, "slices have no result")
    system.cloud.batch.calm()
    harm(system, job, "error.json", damage)
    where = f"results/{job}/error.json"

    assert is_told(system, job, where) == "FAILED"
    assert f"{where}: damaged" in system.job(job)["error"]["detail"]
    invoke(system, "chunker", chunk(job), where)
    system.sweep()
    assert len(system.batch_jobs(job)) == 1
    assert system.call("DELETE", f"/jobs/{job}").status == 409

    assert post(system, name) == "SUBMITTED"
    assert system.succeed(job) == local_results(tmp_path, name, data, (5,))
    assert system.job(job)["attempt"] == 2


def test_the_reason_of_a_failure_replaces_a_damaged_one(system: System) -> None:
    name = "again.fa"
    system.put(f"input/{name}", varied(900))
    system.cloud.batch.interrupt(Interruption(index=1, attempt=None))
    job = system.start(f"input/{name}", slice_bytes=SLICE_BYTES)
    system.fail(job, "slices have no result")
    harm(system, job, "error.json", "flipped")

    system.invoke("aggregator", {"detail": system.batch_jobs(job)[0]})

    system.fail(job, "slices have no result")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_mark_of_an_open_job_keeps_it_open(
    system: System, damage: str, tmp_path: Path
) -> None:
    name, data = f"open-{damage[:3]}.fa", varied(hash_of("open", damage))
    with events_lost(system):
        job = system.start(f"input/{name}", data, slice_bytes=SLICE_BYTES)
        eventually(lambda: ended(system, job))
    key = f"jobs/open/{job}"
    system.put(key, damaged(system.get(key), damage))

    assert system.job(job)["state"] == "RUNNING"
    system.sweep()

    assert system.succeed(job) == local_results(tmp_path, name, data, (5,))


# --- A master.json that is no report -----------------------------------------------------------


def test_a_master_without_a_record_is_no_report_for_starter_and_chunker(
    system: System, proxy: FaultProxy, tmp_path: Path
) -> None:
    name, data = "no-record.fa", varied(910)
    job = created(system, proxy, name, data)
    system.put(f"results/{job}/master.json", b"{}")
    proxy.clear()

    assert system.job(job)["state"] == "SUBMITTED"
    assert post(system, name) == "SUBMITTED"

    assert system.succeed(job) == local_results(tmp_path, name, data, (5,))


@pytest.mark.parametrize("has_record", [False, True])
def test_a_master_that_is_no_report_does_not_keep_the_aggregator_from_the_fold(
    system: System, has_record: bool, tmp_path: Path
) -> None:
    name, data = f"fold-{has_record}.fa", varied(920 + has_record)
    with events_lost(system):
        job = system.start(f"input/{name}", data, slice_bytes=SLICE_BYTES)
        eventually(lambda: ended(system, job))
    system.put(f"results/{job}/master.json", b"{}")
    if has_record:
        other = system.start("input/other.fa", varied(919), slice_bytes=SLICE_BYTES)
        system.succeed(other)
        for each in ("run.json", "sequences.tsv", "gaps.bed", "other.fa.fai", "master.json"):
            system.put(f"results/{job}/{each}", system.get(f"results/{other}/{each}"))

    assert system.job(job)["state"] == "RUNNING"
    system.invoke("aggregator", {"detail": system.batch_jobs(job)[0]})

    assert system.succeed(job) == local_results(tmp_path, name, data, (5,))


def test_a_master_without_a_record_does_not_end_what_batch_has_forgotten(system: System) -> None:
    with events_lost(system):
        job = system.start("input/forgotten-master.fa", varied(930), slice_bytes=SLICE_BYTES)
        eventually(lambda: ended(system, job))
    system.put(f"results/{job}/master.json", b"{}")
    system.cloud.batch.forget(f"{job}-*")

    system.sweep()

    told = system.wait(job)
    assert told["state"] == "FAILED"
    assert "forgotten" in told["error"]["detail"]


@pytest.mark.parametrize("harmed", ["longer", "gone", "no record", "no master"])
def test_a_report_that_is_not_what_its_record_says_is_made_again(
    system: System, harmed: str, tmp_path: Path
) -> None:
    name, data = f"sizes-{harmed[:4]}.fa".replace(" ", "_"), varied(hash_of("sizes", harmed))
    job = system.start(f"input/{name}", data, slice_bytes=SLICE_BYTES)
    expected = system.succeed(job)
    where = f"results/{job}"
    s3 = system.cloud.client("s3")
    if harmed == "longer":
        system.put(f"{where}/sequences.tsv", expected["sequences.tsv"] + b"x\t1\n")
    else:
        gone = {"gone": "gaps.bed", "no record": "run.json", "no master": "master.json"}[harmed]
        s3.delete_object(Bucket=system.bucket, Key=f"{where}/{gone}")

    told = system.job(job)
    assert told["state"] == "FAILED"
    assert "its report is gone, or is not what was written" in told["error"]["detail"]
    assert post(system, name) == "RUNNING"
    assert system.job(job)["state"] == "RUNNING"
    system.sweep()

    assert system.succeed(job) == expected == local_results(tmp_path, name, data, (5,))
    assert system.job(job)["attempt"] == 1


def test_a_job_whose_renderings_are_lost_has_its_report(system: System) -> None:
    name = "renderings-lost.fa"
    job = system.start(f"input/{name}", varied(940), slice_bytes=SLICE_BYTES)
    system.succeed(job)
    system.put(f"results/{job}/report.html", b"damaged")
    for each in system.keys(f"results/{job}/multiqc/"):
        system.cloud.client("s3").delete_object(Bucket=system.bucket, Key=each)

    assert system.job(job)["state"] == "SUCCEEDED"
    assert post(system, name) == "SUCCEEDED"


def newest(system: System) -> list[Json]:
    """The newest jobs, by the API."""
    answer = system.call("GET", "/jobs?limit=100")
    assert answer.status == 200, answer
    jobs: list[Json] = answer.document["jobs"]
    return jobs


def hash_of(*words: str) -> int:
    """A seed that no other test has."""
    return 10_000 + int.from_bytes("".join(words).encode(), "big") % 1_000_003
