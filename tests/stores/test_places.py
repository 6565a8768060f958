"""Results in buckets: the same files as in a folder, byte for byte, and what is others' stays."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from servers.s3 import S3Server

import fanfold
from fanfold.errors import OutputError, ParameterError, PlanError
from fanfold.objects import open_place
from stores.driving import (
    ASKED,
    BUCKET,
    FORMS,
    GENOME,
    OPTIONS,
    Bucket,
    results,
    run,
    run_array,
    succeed,
)

every_form = pytest.mark.parametrize("name", FORMS)


def below(folder: Path) -> dict[str, bytes]:
    """All files below a folder but those that tell of one run: its facts, and its lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in {"run.json", "lock"}
    }


def stored(bucket: Bucket, prefix: str) -> dict[str, bytes]:
    """The same, of all objects under a prefix."""
    return {
        key.removeprefix(f"{prefix}/"): data
        for key, data in bucket.everything(prefix).items()
        if not key.endswith("/run.json")
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "genome.fa"
    made.write_bytes(GENOME)
    return made


@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.bgz"])
def test_a_bucket_gets_the_files_that_a_folder_gets(
    bucket: Bucket, prefix: str, name: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(FORMS[name])
    local = run(tmp_path / name, tmp_path / "local")

    report = run(tmp_path / name, f"{bucket.url}/{prefix}")

    assert stored(bucket, prefix) == below(local.out)
    assert json.loads(report.data) == json.loads(local.data)
    assert report.master_url == f"{bucket.url}/{prefix}/master.json"
    with pytest.raises(ParameterError, match=r"Report\.url"):
        _ = report.out


@every_form
def test_an_array_with_the_url_of_its_plan_makes_the_files_of_a_run(
    bucket: Bucket, prefix: str, name: str, expected: dict[str, dict[str, bytes]]
) -> None:
    run_array(f"{bucket.url}/{name}", f"{bucket.url}/{prefix}")

    assert bucket.results(prefix) == expected[name]
    assert not [key for key in bucket.keys(f"{prefix}/") if key.endswith(".fa")]


def test_results_need_no_slash_and_mind_none(bucket: Bucket, prefix: str, path: Path) -> None:
    report = run(path, f"{bucket.url}/{prefix}/")
    assert report.url == f"{bucket.url}/{prefix}"
    assert f"{prefix}/master.json" in bucket.keys(f"{prefix}/")


def test_results_may_go_into_a_whole_bucket(s3: S3Server, store: Bucket, path: Path) -> None:
    s3.create_bucket("whole")
    local = run(path, path.parent / "local")
    report = run(path, "s3://whole")
    assert report.url == "s3://whole"
    assert {key: s3.get("whole", key) for key in s3.keys("whole") if key != "run.json"} == below(
        local.out
    )
    assert run(path, "s3://whole/").resumed
    assert store.keys("chunks/") == []


def test_a_complete_run_is_reported_so(bucket: Bucket, prefix: str) -> None:
    first = run(f"{bucket.url}/genome.fa", f"{bucket.url}/{prefix}")
    before = bucket.everything(prefix)

    again = run(f"{bucket.url}/genome.fa", f"{bucket.url}/{prefix}")

    assert (first.resumed, again.resumed) == (False, True)
    assert bucket.everything(prefix) == before


def test_what_is_finished_in_a_bucket_is_not_scanned_again(bucket: Bucket, prefix: str) -> None:
    out = f"{bucket.url}/{prefix}"
    made = fanfold.plan(f"{bucket.url}/genome.fa", ASKED.k, out=out, slice_bytes=4000)
    for index in (0, 3):
        fanfold.task(f"{out}/plan.json", index)
        assert fanfold.task(f"{out}/plan.json", index) == 0

    run(f"{bucket.url}/genome.fa", out)

    facts = json.loads(bucket.get(f"{prefix}/run.json"))
    assert facts["read_bytes"] == made.plan.source.size_bytes - 2 * 4000


def test_a_fresh_run_replaces_another_and_leaves_what_is_not_fanfolds(
    bucket: Bucket, prefix: str, expected: dict[str, dict[str, bytes]]
) -> None:
    theirs = ["notes.txt", "chunks/notes.txt", "below/master.json"]
    for name in theirs:
        bucket.put(f"{prefix}/{name}", b"theirs")
    out = f"{bucket.url}/{prefix}"
    fanfold.run(f"{bucket.url}/genome.fa", 2, out=out, slice_bytes=500)

    run(f"{bucket.url}/genome.fa.zst", out, fresh=True)

    found = bucket.everything(prefix)
    assert {name: found.pop(f"{prefix}/{name}") for name in theirs} == dict.fromkeys(
        theirs, b"theirs"
    )
    assert bucket.results(prefix) == {**expected["genome.fa.zst"], "notes.txt": b"theirs"}
    chunks = {key.rpartition("/")[2] for key in found if "/chunks/" in key}
    assert {each.partition(".chunk")[0] for each in chunks} == {"genome.fa.zst"}


def test_a_run_that_lost_its_report_is_cleared_all_the_same(bucket: Bucket, prefix: str) -> None:
    out = f"{bucket.url}/{prefix}"
    fanfold.plan(f"{bucket.url}/genome.fa", 2, out=out, slice_bytes=500)
    fanfold.task(f"{out}/plan.json", 100)

    fanfold.run(f"{bucket.url}/genome.fa", 2, out=out, slice_bytes=30_000, fresh=True)

    names = [key.rpartition("/")[2] for key in bucket.keys(f"{prefix}/chunks/")]
    assert {name[:20] for name in names} == {"genome.fa.chunk0000.", "genome.fa.chunk0001."}


def test_a_file_of_others_is_not_overwritten(bucket: Bucket, prefix: str) -> None:
    bucket.put(f"{prefix}/sequences.tsv", b"theirs")
    with pytest.raises(OutputError, match="in the way, and of no fanfold run"):
        run(f"{bucket.url}/genome.fa", f"{bucket.url}/{prefix}")
    assert bucket.everything(prefix) == {f"{prefix}/sequences.tsv": b"theirs"}


def test_names_that_begin_alike_are_not_mistaken(bucket: Bucket, prefix: str) -> None:
    out = f"{bucket.url}/{prefix}"
    run(f"{bucket.url}/genome.fa", f"{out}-other")
    run(f"{bucket.url}/genome.fa", f"{out}/inner")
    before = bucket.everything(f"{prefix}-other"), bucket.everything(f"{prefix}/inner")

    run(f"{bucket.url}/genome.fa.gz", out)
    fanfold.run(f"{bucket.url}/genome.fa.gz", 2, out=out, fresh=True)

    assert (bucket.everything(f"{prefix}-other"), bucket.everything(f"{prefix}/inner")) == before


def test_a_bucket_that_is_not_there_is_an_error_in_words(bucket: Bucket, path: Path) -> None:
    with pytest.raises(OutputError, match=f"{bucket.url}-gone/x"):
        run(path, f"{bucket.url}-gone/x")


def test_a_plan_that_is_not_there_is_an_error_in_words(bucket: Bucket, prefix: str) -> None:
    for location in (f"{bucket.url}/{prefix}/plan.json", f"{bucket.url}/genome.fa"):
        with pytest.raises(PlanError, match=r"there is no plan\.json there"):
            fanfold.task(location, 0)


def test_a_large_table_goes_in_parts_and_is_the_same(
    s3: S3Server, store: Bucket, prefix: str, tmp_path: Path
) -> None:
    path = tmp_path / "many.fa"
    path.write_bytes(b"".join(b">contig%d\nACGTN\n" % number for number in range(200_000)))
    local = fanfold.run(path, 2, out=tmp_path / "local")

    fanfold.run(path, 2, out=f"{store.url}/{prefix}")

    assert len(store.get(f"{prefix}/sequences.tsv")) > 5 * 1024**2
    assert store.results(prefix) == results(local.out)
    assert s3.pending_uploads(BUCKET) == []


def test_the_report_is_printed_from_wherever_it_is(store: Bucket, prefix: str) -> None:
    options = [*OPTIONS, "--json", "--out", f"{store.url}/{prefix}"]
    done = succeed("run", f"{store.url}/genome.fa", *options, variables=store.variables)
    assert done.stdout.encode() == store.get(f"{prefix}/master.json")


def test_of_many_that_create_an_object_one_does(
    bucket: Bucket, prefix: str, tmp_path: Path
) -> None:
    for place in (open_place(f"{bucket.url}/{prefix}"), open_place(tmp_path)):
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda each: place.create("one", b"%d" % each), range(8)))  # noqa: B023

        # The double of GCS knows no preconditions.
        if bucket.url.startswith("gs://") and place.url.startswith("gs://"):
            continue
        assert won.count(True) == 1
        assert place.read("one") == b"%d" % won.index(True)
        assert list(place.sizes()) == ["one"]


def test_objects_are_listed_by_name_from_any_on(
    bucket: Bucket, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanfold.objects.remote._LISTED_AT_ONCE", 2)
    names = ["a", "a-b", "a.b", "b", "c"]
    for place in (open_place(f"{bucket.url}/{prefix}"), open_place(tmp_path / "place")):
        for name in (*reversed(names), "b/below"):
            if name == "b/below" and not place.url.startswith(bucket.url):
                continue  # a folder can't have the name of a file
            place.prepare("in")
            place.write(f"in/{name}", b"")

        for at, after in enumerate(("", *names)):
            assert [each.name for each in place.listed("in", after)] == names[at:]
        assert all(each.written.tzinfo for each in place.listed("in"))
        assert not list(place.listed("nothing"))


@pytest.mark.usefixtures("store")
def test_a_browser_is_told_what_a_page_is(s3: S3Server, prefix: str) -> None:
    place = open_place(f"s3://{BUCKET}/{prefix}")

    place.create("report.html", b"<!doctype html>")
    place.write("nx.tsv", b"x\n")
    place.swap("report.html", b"<!doctype html>", b"<!doctype html>\n")

    types = {
        name: s3.head(BUCKET, f"{prefix}/{name}")["content-type"]
        for name in ("report.html", "nx.tsv")
    }
    assert types == {
        "report.html": "text/html; charset=utf-8",
        "nx.tsv": "text/tab-separated-values; charset=utf-8",
    }
