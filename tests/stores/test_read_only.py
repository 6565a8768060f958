"""What writes to a store needs no disk, and says so where it does: as in a read-only container."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest
from servers.s3 import S3Server

from fanfold.errors import OutputError
from fanfold.flow.tasks import open_plan
from fanfold.objects import open_place
from stores.driving import BUCKET, FANFOLD, OPTIONS, Bucket

READ_ONLY = """
mount --make-rprivate /
for folder in / /tmp /var/tmp; do
    mount --bind $folder $folder
    mount -o remount,bind,ro $folder
done
cd /
exec "$@"
"""
IN_MEMORY, ON_DISK = b"A" * 1000, b"A" * (17 * 1024**2)
"""What is kept in memory until it is sent, and what is not."""


def on_a_read_only_disk(*command: str, variables: dict[str, str]) -> str:
    """Run a command where no file can be written, nor home is; what it writes to stdout."""
    told = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", READ_ONLY, "sh", *command],
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/nonexistent", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


@pytest.fixture
def _unshare() -> None:
    probe = ["unshare", "--mount", "sh", "-ec", READ_ONLY, "sh", "touch", "/tmp/fanfold"]  # noqa: S108 - not written
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    if "Read-only file system" not in done.stderr:
        pytest.skip(f"A READ-ONLY DISK IS NOT TESTED: {done.stderr}")


@pytest.mark.usefixtures("_unshare")
@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.gz", "genome.fa.bgz"])
def test_every_verb_works_on_a_read_only_disk(
    name: str, store: Bucket, prefix: str, expected: dict[str, dict[str, bytes]]
) -> None:
    def fanfold(*arguments: str) -> str:
        return on_a_read_only_disk(FANFOLD, *arguments, variables=dict(store.variables))

    genome, out = f"{store.url}/{name}", f"{store.url}/{prefix}"
    plan = fanfold("plan", genome, "--out", out, *OPTIONS).strip()
    fanfold("inflate", plan)
    for index in range(len(open_plan(plan).slices)):
        fanfold("task", plan, "--index", str(index))
    fanfold("fold", plan)
    fanfold("check", out)
    fanfold("run", genome, "--out", f"{out}-run", *OPTIONS)

    assert store.results(prefix) == store.results(f"{prefix}-run") == expected[name]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("is_there", [True, False])
def test_what_waits_on_a_disk_that_cannot_be_written_says_so(
    is_there: bool, s3: S3Server, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    if is_there:
        folder.write_bytes(b"a file, in which no other can be")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    place = open_place(f"s3://{BUCKET}/{prefix}")

    with place.writing("small") as file:
        file.write(IN_MEMORY)
    with (
        pytest.raises(OutputError, match=r"temporary folder can't be written: .*TMPDIR") as error,
        place.writing("large") as file,
    ):
        file.write(ON_DISK)

    assert "bucket" not in str(error.value)
    assert s3.keys(BUCKET, prefix) == [f"{prefix}/small"]


@pytest.mark.usefixtures("store")
def test_what_waits_on_a_disk_is_written_whole(
    s3: S3Server, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place = open_place(f"s3://{BUCKET}/{prefix}")

    with place.writing("large") as file:
        file.write(ON_DISK)

    assert s3.get(BUCKET, f"{prefix}/large") == ON_DISK
    assert list(tmp_path.iterdir()) == []
