"""The functions' zips: what is in them, that Lambda can load it, that they are alike every time."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from elftools.elf.elffile import ELFFile

import fanfold
from cloud.deploy.building import FUNCTIONS, ROOT, Zips, build_functions
from cloud.deploy.libraries import MACHINES, needed_glibc
from fanfold.report.run_record import RENDERINGS

DATA = ROOT / "tests/data"

NEWEST_GLIBC = (2, 34)  # Amazon Linux 2023
# Lambda takes 250 MB, and 50 MB without a bucket; a cold start reads all of it.
MOST_UNZIPPED_BYTES = 30 * 2**20
MOST_ZIPPED_BYTES = 10 * 2**20
BOTO3 = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}
SMALL = {"fanfold", "msgspec", "obstore"} | BOTO3
SERVICES = ("batch", "lambda", "logs", "s3", "sqs", "sts")
ARCHIVES = {"backports", "isal"}
MORE = {"chunker": ARCHIVES, "aggregator": ARCHIVES | {"markupsafe"}}


def members(zips: Zips, function: str) -> dict[PurePosixPath, bytes]:
    with zipfile.ZipFile(zips.folder / f"{function}.zip") as archive:
        return {PurePosixPath(name): archive.read(name) for name in archive.namelist()}


def libraries(zips: Zips, function: str) -> dict[str, ELFFile]:
    found = members(zips, function)
    return {
        str(name): ELFFile(io.BytesIO(data)) for name, data in found.items() if name.suffix == ".so"
    }


def test_there_is_a_zip_for_each_function(zips: Zips) -> None:
    assert {path.stem for path in zips.folder.glob("*.zip")} == set(FUNCTIONS)
    assert set(zips.told) == set(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_library_is_of_the_machine_and_of_an_old_enough_glibc(
    zips: Zips, function: str
) -> None:
    found = libraries(zips, function)
    assert {"fanfold/_kernel.abi3.so", "obstore/_obstore.abi3.so"} <= set(found)
    for name, library in found.items():
        assert library["e_machine"] == MACHINES[zips.architecture], name
        versions = set(needed_glibc(library))
        assert versions, name
        assert max(versions) <= NEWEST_GLIBC, name


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_zip_fits_in_lambda(zips: Zips, function: str) -> None:
    unzipped_bytes = sum(map(len, members(zips, function).values()))
    zipped = (zips.folder / f"{function}.zip").read_bytes()
    assert unzipped_bytes < MOST_UNZIPPED_BYTES
    assert len(zipped) < MOST_ZIPPED_BYTES
    assert zips.told[function] == {
        "path": str(zips.folder / f"{function}.zip"),
        "sha256": hashlib.sha256(zipped).hexdigest(),
        "zipped_bytes": len(zipped),
        "unzipped_bytes": unzipped_bytes,
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_what_it_needs_and_no_more(zips: Zips, function: str) -> None:
    names = members(zips, function)
    packages = {
        name.parts[0].removesuffix(".py")
        for name in names
        if not name.parts[0].endswith(".dist-info")
    }
    assert packages == SMALL | MORE.get(function, set())
    assert PurePosixPath(f"fanfold/aws/{function}.py") in names
    of_fanfold = {name.parts[1] for name in names if name.parts[0] == "fanfold"}
    assert not of_fanfold & {"cli", "cli.py", "__main__.py"}
    assert not {name.suffix for name in names} & {".pyc", ".pyi", ".pyd", ".c", ".h", ".typed"}
    assert not [name for name in names if {"tests", "test", "__pycache__"} & set(name.parts)]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_package_keeps_its_name_version_and_licence(zips: Zips, function: str) -> None:
    names = members(zips, function)
    about = {name.parts[0] for name in names if name.parts[0].endswith(".dist-info")}
    packages = {name.parts[0].removesuffix(".py") for name in names} - about
    distributions = {name.split("-")[0].removeprefix("python_").split("_")[0] for name in about}
    assert distributions == packages
    assert all(PurePosixPath(name, "METADATA") in names for name in about)
    licensed = {name.parts[0] for name in names if name.name.startswith("LICENSE")}
    assert {name.split("-")[0] for name in about - licensed} <= {"obstore"}  # its wheel has none


def test_boto3_is_that_of_the_lock_with_the_services_that_are_called_and_no_other(
    zips: Zips,
) -> None:
    names = members(zips, "starter")
    lock = (ROOT / "deploy/requirements.txt").read_text()
    for package in ("boto3", "botocore"):
        (version,) = re.findall(rf"^{package}==(\S+)", lock, re.MULTILINE)
        assert PurePosixPath(f"{package}-{version}.dist-info/METADATA") in names
    data = {name.parts[2] for name in names if name.parts[:2] == ("botocore", "data")}
    assert {name for name in data if not name.endswith(".json")} == set(SERVICES)


def test_every_service_that_a_function_calls_is_in_its_zip() -> None:
    called = {
        service
        for path in (ROOT / "src/fanfold").rglob("*.py")
        if path.parent.name in {"aws", "objects"}
        for service in re.findall(r"\bclient\(\s*\"([a-z0-9]+)\"", path.read_text())
    }
    assert called <= set(SERVICES)
    assert "batch" in called


def test_names_are_sorted_and_times_and_modes_are_fixed(zips: Zips) -> None:
    for function in FUNCTIONS:
        with zipfile.ZipFile(zips.folder / f"{function}.zip") as archive:
            assert archive.namelist() == sorted(archive.namelist())
            assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}


def test_building_again_gives_the_same_bytes(
    zips: Zips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Chatham")
    again = build_functions(zips.architecture, tmp_path / "again")
    for function in FUNCTIONS:
        name = f"{function}.zip"
        assert (again.folder / name).read_bytes() == (zips.folder / name).read_bytes()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_handler_loads_on_lambdas_python_and_calls_its_own_boto3(
    own_zips: Zips, lambda_python: Path, function: str, tmp_path: Path
) -> None:
    with zipfile.ZipFile(own_zips.folder / f"{function}.zip") as archive:
        archive.extractall(tmp_path)
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from fanfold.aws.{function} import handler
import boto3, botocore, fanfold
assert callable(handler)
for module in (boto3, botocore, fanfold):
    assert module.__file__.startswith({str(tmp_path)!r})
for service in {SERVICES}:
    made = boto3.client(
        service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    assert made.meta.endpoint_url.startswith("https://")
"""
    run_alone(lambda_python, program)


@pytest.mark.parametrize("function", ["chunker", "aggregator"])
def test_a_function_that_inflates_has_what_inflates(
    own_zips: Zips, lambda_python: Path, function: str, tmp_path: Path
) -> None:
    with zipfile.ZipFile(own_zips.folder / f"{function}.zip") as archive:
        archive.extractall(tmp_path)
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from isal import igzip_lib
from backports import zstd
assert igzip_lib.decompress(igzip_lib.compress(b"ACGT")) == b"ACGT"
assert zstd.decompress(zstd.compress(b"ACGT")) == b"ACGT"
"""
    run_alone(lambda_python, program)


def test_the_aggregator_makes_the_same_page_as_this_machine(
    own_zips: Zips, lambda_python: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(own_zips.folder / "aggregator.zip") as archive:
        archive.extractall(tmp_path / "zip")
    genome = DATA / "phiX174.fa"
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path / "zip")!r})
import fanfold
fanfold.run({str(genome)!r}, [2, 5], out={str(tmp_path / "there")!r})
"""
    run_alone(lambda_python, program)
    here = fanfold.run(genome, [2, 5], out=tmp_path / "here").out
    for name in RENDERINGS:
        assert (tmp_path / "there" / name).read_bytes() == (here / name).read_bytes()


def run_alone(python: Path, program: str) -> None:
    """Without this environment's variables and packages."""
    done = subprocess.run(
        [python, "-I", "-B", "-W", "error", "-c", program],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
