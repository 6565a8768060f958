"""The checksum that S3 keeps of an object, held against the one that the run made of its bytes."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from naive import crc64nvme
from servers.proxy import Answer, FaultProxy, ReplaceHeader, Request
from servers.s3 import S3Server

import fanfold
from fanfold.errors import ChecksumError
from stores.driving import (
    ASKED,
    BUCKET,
    FORMS,
    OPTIONS,
    Bucket,
    assert_told,
    command,
    results,
    run,
    run_array,
)

HEADER = "x-amz-checksum-crc64nvme"
every_form = pytest.mark.parametrize("name", FORMS)


def verdict(out: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((out / "run.json").read_bytes())["stored_checksum"]
    return told


def asks_for_checksum(request: Request) -> bool:
    return "x-amz-checksum-mode" in request.headers


@pytest.fixture
def kept(s3: S3Server, prefix: str) -> str:
    """A prefix where the genome is stored in every form, each with its checksum."""
    for name, data in FORMS.items():
        s3.put(BUCKET, f"{prefix}/{name}", data, {HEADER: crc64nvme(data)})
    return f"s3://{BUCKET}/{prefix}"


@every_form
def test_the_checksum_that_is_kept_is_that_of_the_bytes(
    kept: str, name: str, store: Bucket, tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    out, array = tmp_path / "out", tmp_path / "array"
    assert results(run(f"{kept}/{name}", out).out) == expected[name]
    run_array(f"{kept}/{name}", str(array))

    found = base64.b64decode(crc64nvme(store.get(f"{tmp_path.name}/{name}"))).hex()
    assert verdict(out) == verdict(array) == {"crc64nvme": found, "verdict": "equal"}


@every_form
def test_another_checksum_is_an_error_and_there_is_no_report(
    kept: str, name: str, proxy: FaultProxy, tmp_path: Path
) -> None:
    wrong = ReplaceHeader(HEADER, crc64nvme(b"other bytes"))
    proxy.inject(wrong, method="HEAD", times=None)
    out = tmp_path / "out"
    with pytest.raises(ChecksumError, match="the store keeps"):
        run(f"{kept}/{name}", out)
    assert not (out / "master.json").exists()
    with pytest.raises(ChecksumError, match="the store keeps"):
        run_array(f"{kept}/{name}", str(tmp_path / "array"))
    assert not (tmp_path / "array" / "master.json").exists()


def test_another_checksum_ends_the_command_and_the_right_one_mends_it(
    kept: str, proxy: FaultProxy, tmp_path: Path, store: Bucket
) -> None:
    out = tmp_path / "out"
    arguments: list[str | Path] = ["run", f"{kept}/genome.fa", "--out", out, *OPTIONS]
    variables = {**store.variables, "AWS_ENDPOINT_URL": proxy.url}
    proxy.inject(ReplaceHeader(HEADER, crc64nvme(b"")), method="HEAD", times=None)
    assert_told(command(*arguments, variables=variables), 4, kept, "Get a fresh copy")
    assert not (out / "master.json").exists()
    proxy.clear()
    assert command(*arguments, variables=variables).returncode == 0
    assert verdict(out)["verdict"] == "equal"
    assert json.loads((out / "run.json").read_bytes())["read_bytes"] == 0


def test_an_object_without_a_checksum_is_told(store: Bucket, tmp_path: Path) -> None:
    run(f"{store.url}/genome.fa", tmp_path / "out")
    assert verdict(tmp_path / "out") == {"crc64nvme": None, "verdict": "none is stored"}


def test_other_stores_keep_none(bucket: Bucket, tmp_path: Path) -> None:
    run(f"{bucket.url}/genome.fa", tmp_path / "out")
    assert verdict(tmp_path / "out") == {"crc64nvme": None, "verdict": "none is stored"}


@pytest.mark.parametrize("status", [400, 403, 501])
def test_a_store_that_does_not_tell_its_checksum_is_no_error(
    kept: str, status: int, proxy: FaultProxy, tmp_path: Path
) -> None:
    proxy.inject(Answer(status), method="HEAD", when=asks_for_checksum, times=None)
    run(f"{kept}/genome.fa", tmp_path / "out")
    assert verdict(tmp_path / "out") == {
        "crc64nvme": None,
        "verdict": f"not told: the store answers {status}",
    }


def test_a_checksum_that_is_none_is_an_error(kept: str, proxy: FaultProxy, tmp_path: Path) -> None:
    proxy.inject(ReplaceHeader(HEADER, "?"), method="HEAD", when=asks_for_checksum, times=None)
    with pytest.raises(fanfold.FanfoldError, match="is none"):
        run(f"{kept}/genome.fa", tmp_path / "out")
    assert not (tmp_path / "out" / "master.json").exists()


def test_a_fold_asks_for_the_checksum_of_what_was_planned(
    kept: str, s3: S3Server, prefix: str, store: Bucket, tmp_path: Path
) -> None:
    assert store.url
    out = tmp_path / "out"
    made = fanfold.plan(f"{kept}/genome.fa.gz", ASKED.k, out=out, slice_bytes=ASKED.slice_bytes)
    for each in made.slices:
        fanfold.task(out / "plan.json", each.index)
    s3.put(BUCKET, f"{prefix}/genome.fa.gz", b"another")
    with pytest.raises(fanfold.FanfoldError, match="changed while it was being read"):
        fanfold.fold(out / "plan.json")
    assert not (out / "master.json").exists()
