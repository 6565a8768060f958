"""A report that is fetched by the API of a server: checked by its record, whole or not at all."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest
from servers.api import JOB, submitted_document
from servers.web import WebServer
from stores.driving import DATA, clean_environment, results

import fanfold
from fanfold.api.client import Client
from fanfold.api.fetching import Results, fetch_report, results_of
from fanfold.api.types import ChunkAnswer
from fanfold.errors import CloudError
from fanfold.objects import DOCUMENT_BYTES
from fanfold.report.run_record import RUN
from web.serving import Server


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run on this machine."""
    folder = tmp_path_factory.mktemp("local")
    shutil.copy(DATA / "phiX174.fa", folder / "genome.fa")
    fanfold.run(folder / "genome.fa", out=folder / "out", slice_bytes=2000)
    return folder / "out"


@pytest.fixture
def remote(report: Path, tmp_path: Path) -> Path:
    """The folder of a job's results, as a server has them."""
    return shutil.copytree(report, tmp_path / f"server/jobs/{JOB}")


@pytest.fixture
def far(remote: Path) -> Iterator[Results]:
    """The same, by HTTP.

    The answer to the submission names S3, where nothing is: only the server may be asked.
    """
    answer = msgspec.convert(submitted_document("SUCCEEDED"), ChunkAnswer)
    with WebServer(remote.parents[1]) as server, Client(server.url, token="t" * 16) as client:
        yield results_of(client, answer)


def fetch(far: Results, out: Path) -> None:
    fetch_report(far, str(out), is_named=True, started=time.monotonic())


def damage_file(path: Path, damage: str) -> None:
    data = path.read_bytes()
    middle = len(data) // 2
    if damage == "removed":
        path.unlink()
    elif damage == "flipped":
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    else:
        path.write_bytes({"emptied": b"", "longer": data * 2}[damage])


def test_a_report_is_fetched_from_the_server_alone(
    far: Results, report: Path, tmp_path: Path
) -> None:
    fetch(far, tmp_path / "out")
    assert results(tmp_path / "out") == results(report)


@pytest.mark.parametrize("name", ["run.json", "master.json", "sequences.tsv", "genome.fa.fai"])
@pytest.mark.parametrize("damage", ["flipped", "emptied", "longer", "removed"])
def test_a_damaged_file_is_told_and_leaves_no_report(
    name: str, damage: str, far: Results, remote: Path, tmp_path: Path
) -> None:
    damage_file(remote / name, damage)

    with pytest.raises(CloudError, match="submit the job again") as caught:
        fetch(far, tmp_path / "out")

    assert f"/jobs/{JOB}/" in str(caught.value)
    assert not list((tmp_path / "out").glob("[!.]*"))


@pytest.mark.parametrize("damage", ["flipped", "longer", "removed"])
def test_a_damaged_rendering_is_left_out(
    damage: str, far: Results, remote: Path, report: Path, tmp_path: Path
) -> None:
    damage_file(remote / "report.html", damage)

    fetch(far, tmp_path / "out")

    whole = results(report)
    assert results(tmp_path / "out") == {
        each: whole[each] for each in whole if each != "report.html"
    }


class ChangesMeanwhile:
    """Results that are replaced by those of another genome after their record is read."""

    def __init__(self, far: Results, remote: Path, new: Path) -> None:
        self._far = far
        self._remote = remote
        self._new = new

    def where(self, name: str) -> str:
        return self._far.where(name)

    def read(self, name: str, most_bytes: int = DOCUMENT_BYTES) -> bytes:
        data = self._far.read(name, most_bytes)
        if name == RUN:
            shutil.copytree(self._new, self._remote, dirs_exist_ok=True)
        return data

    def blocks(self, name: str) -> Iterable[bytes | memoryview]:
        return self._far.blocks(name)


def test_a_report_that_changes_meanwhile_is_told_and_can_be_fetched_again(
    far: Results, remote: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new/genome.fa"
    new.parent.mkdir()
    new.write_bytes(b">other\n" + b"ACGTTGCAAC" * 50 + b"\n")
    fanfold.run(new, out=new.parent / "out")

    with pytest.raises(CloudError, match="not what its record says"):
        fetch(ChangesMeanwhile(far, remote, new.parent / "out"), tmp_path / "out")
    assert not list((tmp_path / "out").glob("[!.]*"))

    fetch(far, tmp_path / "out")
    assert results(tmp_path / "out") == results(new.parent / "out")


class Endless:
    """Results in which a table never ends."""

    def __init__(self, far: Results) -> None:
        self._far = far

    def where(self, name: str) -> str:
        return self._far.where(name)

    def read(self, name: str, most_bytes: int = DOCUMENT_BYTES) -> bytes:
        return self._far.read(name, most_bytes)

    def blocks(self, name: str) -> Iterator[bytes | memoryview]:
        yield from self._far.blocks(name)
        # A thousand blocks stand for no end: a fetch that reads them all is wrong, and ends.
        for _ in range(1000):
            yield b"x"
        pytest.fail(f"{name}: read far beyond the size in its record")


def test_a_file_is_read_no_further_than_its_record_says(far: Results, tmp_path: Path) -> None:
    with pytest.raises(CloudError, match="not what its record says"):
        fetch(Endless(far), tmp_path / "out")


def test_submit_waits_and_fetches_without_the_packages_of_aws(
    server: Server, report: Path, tmp_path: Path
) -> None:
    program = (
        "import sys; sys.modules.update(boto3=None, botocore=None)\n"
        "from fanfold.cli import main\n"
        "main()"
    )
    words = ["submit", "demo/input/phiX174.fa", "--api", server.url, "--wait", "--out", "out"]

    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=tmp_path,
        env={**clean_environment(), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "out/master.json\n"
    assert "USD" not in done.stderr
    fetched = results(tmp_path / "out")
    assert fetched["sequences.tsv"] == results(report)["sequences.tsv"]
