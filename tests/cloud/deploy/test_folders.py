"""Where builds write: what no build made stays, and a build that is killed harms no later one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.deploy.building import (
    BUILD,
    CACHE,
    ROOT,
    Context,
    Zips,
    build_context,
    build_functions,
    copied_cache,
)
from cloud.deploy.test_build import refused

KILLED = Path(__file__).with_name("killed.py")
STAGING = ".fanfold-build-*"

# Replaces a small folder: `python -c PROGRAM OUT VERSION`.
REPLACE = """
import sys
from pathlib import Path
from building.folders import replaced
with replaced(Path(sys.argv[1])) as new:
    (new / "amd64").mkdir()
    for name in ("amd64/one.whl", f"amd64/only-{sys.argv[2]}.whl", "Dockerfile"):
        (new / name).write_text(f"{name} {sys.argv[2]}")
"""


@pytest.fixture
def copied(context: Context, tmp_path: Path) -> Path:
    """A context that a build made, to change."""
    return Path(shutil.copytree(context.folder, tmp_path / "copied", symlinks=True))


@pytest.fixture
def packed(own_zips: Zips, tmp_path: Path) -> Path:
    """A folder of functions that a build made, to change."""
    return Path(shutil.copytree(own_zips.folder, tmp_path / "packed", symlinks=True))


def files(folder: Path) -> dict[str, bytes]:
    """What is in a folder, links by what they point to; without what builds keep for themselves."""
    return {
        path.relative_to(folder).as_posix(): bytes(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if (path.is_file() or path.is_symlink()) and path.suffix != ".lock"
    }


def refuses(out: Path, culprit: Path, *what: str) -> None:
    """A build into `out` names the culprit in two lines, and changes nothing."""
    before = files(out)
    told = refused(*(what or ("image",)), "--out", str(out)).splitlines()
    (first,) = [index for index, line in enumerate(told) if line.startswith("build.py: ")]
    assert str(culprit) in told[first]
    assert len(told[first:]) <= 2
    assert files(out) == before


# --- What an earlier version left, without a record -----------------------------------------------


def leave_nothing(_: Path) -> None:
    """It was stopped before the first file."""


def leave_some(folder: Path) -> None:
    """It was stopped while it copied."""
    first, second, *others = sorted(folder.iterdir())
    assert first != second
    os.truncate(second, second.stat().st_size // 2)
    for other in others:
        other.unlink()


@pytest.mark.parametrize("stopped", [leave_some, leave_nothing])
def test_a_context_that_an_earlier_version_left_unfinished_is_finished(
    context: Context, tmp_path: Path, stopped: Callable[[Path], None]
) -> None:
    amd64 = tmp_path / "image/amd64"
    if stopped is leave_nothing:
        amd64.mkdir(parents=True)
    else:
        shutil.copytree(context.folder / "amd64", amd64)
        stopped(amd64)
    assert build_context(tmp_path / "image").told["sha256"] == context.told["sha256"]
    assert files(tmp_path / "image") == files(context.folder)


def test_a_context_that_an_earlier_version_finished_is_replaced(
    context: Context, copied: Path
) -> None:
    (copied / ".fanfold-build.json").unlink(missing_ok=True)
    assert build_context(copied).told["sha256"] == context.told["sha256"]


# --- What no build made ---------------------------------------------------------------------------


def test_a_foreign_file_in_a_folder_to_be_replaced_is_refused(copied: Path) -> None:
    (copied / "arm64/thesis.txt").write_text("the only copy\n")
    refuses(copied, copied / "arm64/thesis.txt")


def test_a_file_that_somebody_changed_is_refused(copied: Path) -> None:
    (copied / "Dockerfile").write_text("FROM scratch\n")
    refuses(copied, copied / "Dockerfile")


def test_a_foreign_zip_of_a_functions_name_is_refused(packed: Path, own_zips: Zips) -> None:
    (packed / "starter.zip").write_text("mine\n")
    what = ("functions", "--architecture", own_zips.architecture)
    refuses(packed, packed / "starter.zip", *what)


def test_foreign_files_under_other_names_stay(
    context: Context, copied: Path, own_zips: Zips, packed: Path
) -> None:
    for folder in (copied, packed):
        (folder / "notes").mkdir()
        (folder / "notes/one.txt").write_text("mine\n")
    assert build_context(copied).told["sha256"] == context.told["sha256"]
    build_functions(own_zips.architecture, packed)
    for folder in (copied, packed):
        assert (folder / "notes/one.txt").read_text() == "mine\n"


@pytest.mark.parametrize("name", ["amd64", "requirements.txt", "arm64/pip.conf"])
def test_a_link_under_a_name_is_refused_and_not_followed(
    copied: Path, tmp_path: Path, name: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (copied / name).rename(elsewhere)
    (copied / name).symlink_to(elsewhere)
    before = files(tmp_path)
    refuses(copied, copied / name)
    assert files(tmp_path) == before


def test_a_zip_is_not_written_through_a_link(packed: Path, own_zips: Zips, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine\n")
    (packed / "sweep.zip").unlink()
    (packed / "sweep.zip").symlink_to(tmp_path / "mine")
    what = ("functions", "--architecture", own_zips.architecture)
    refuses(packed, packed / "sweep.zip", *what)
    assert (tmp_path / "mine").read_text() == "mine\n"


@pytest.mark.parametrize("record", ["", "[]", '{"files": {}, "sha256": "5e"}'])
def test_a_record_that_no_build_wrote_is_refused(copied: Path, record: str) -> None:
    (copied / ".fanfold-build.json").write_text(record)
    refuses(copied, copied / ".fanfold-build.json")


def test_a_folder_that_only_looks_like_a_builds_own_stays(context: Context, copied: Path) -> None:
    mine = copied / ".fanfold-build-5e5e5e5e5e5e5e5e"
    mine.mkdir()
    (mine / "new").write_text("mine\n")
    assert build_context(copied).told["sha256"] == context.told["sha256"]
    assert (mine / "new").read_text() == "mine\n"


@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
@pytest.mark.parametrize("place", ["out", "cache"])
def test_a_file_or_link_in_the_place_of_a_folder_is_refused(
    tmp_path: Path, kind: str, place: str
) -> None:
    elsewhere, culprit = tmp_path / "elsewhere", tmp_path / place
    if kind != "dangling link":
        elsewhere.mkdir()
    if kind == "file":
        culprit.write_text("mine\n")
    else:
        culprit.symlink_to(elsewhere)
    cache = culprit if place == "cache" else CACHE
    before = files(tmp_path)
    told = refused("image", "--out", str(tmp_path / "out"), FANFOLD_BUILD_CACHE=str(cache))
    assert told.startswith(f"build.py: {culprit} is a {kind.rsplit(maxsplit=1)[-1]}: move it away")
    assert len(told.splitlines()) == 1
    assert files(tmp_path) == before


def test_a_build_into_the_cache_itself_ends(own_zips: Zips, tmp_path: Path) -> None:
    cache = copied_cache(tmp_path / "cache")
    again = build_functions(own_zips.architecture, cache, cache)
    assert again.told.keys() == own_zips.told.keys()
    build_functions(own_zips.architecture, cache, cache)


# --- Two at once ----------------------------------------------------------------------------------


@pytest.mark.parametrize("caches", [1, 2])
def test_two_builds_at_once_into_one_folder_make_it_whole(
    context: Context, tmp_path: Path, caches: int
) -> None:
    out = tmp_path / "image"
    running = []
    for number in range(2):
        cache = CACHE
        if caches == 2:
            cache = copied_cache(tmp_path / f"cache-{number}", "locked")
        command: list[str | Path] = [sys.executable, BUILD, "image", "--out", out]
        environment = os.environ | {"FANFOLD_BUILD_CACHE": str(cache)}
        running.append(
            subprocess.Popen(
                command,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    for build in running:
        told = build.communicate()[1]
        assert build.returncode == 0, told
    assert files(out) == files(context.folder)


# --- Killed ---------------------------------------------------------------------------------------


def test_a_folder_is_whole_again_wherever_its_build_was_killed(tmp_path: Path) -> None:
    program = tmp_path / "replace.py"
    program.write_text(REPLACE)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "deploy")}

    def replace(version: str, killed_before: int | None = None) -> int:
        watched: list[str | Path] = (
            [] if killed_before is None else [KILLED, str(killed_before), f"{out}"]
        )
        command = [sys.executable, *watched, program, out, version]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert done.returncode in {0, -signal.SIGKILL}, done.stderr
        return done.returncode

    def made(version: str) -> dict[str, bytes]:
        names = ("amd64/one.whl", f"amd64/only-{version}.whl", "Dockerfile")
        return {name: f"{name} {version}".encode() for name in names}

    change, killed = 0, True
    while killed:
        out = tmp_path / str(change)
        assert not replace("first")
        (out / "notes.txt").write_text("mine\n")
        killed = bool(replace("second", change))
        for name, data in files(out).items():
            if not name.startswith("."):
                earlier, later = made("first").get(name), made("second").get(name)
                assert data in (earlier, later) or (name, data) == ("notes.txt", b"mine\n")
        killed = bool(replace("third", change)) and killed
        assert not replace("fourth")
        there = files(out)
        assert there.pop(".fanfold-build.json")
        assert there == made("fourth") | {"notes.txt": b"mine\n"}
        assert not list(out.glob(STAGING))
        change += 1
    assert change > 15


def test_a_build_killed_before_it_claimed_its_folder_leaves_nothing(copied: Path) -> None:
    for number in range(2):
        (copied / f".fanfold-build-5e{number}").mkdir()
    (copied / ".fanfold-build-5e1/.fanfold-build.json").touch()
    build_context(copied)
    assert not list(copied.glob(STAGING))


@pytest.mark.parametrize("change", [3, 20, 44, 50, 60])
def test_a_context_is_whole_again_after_its_build_was_killed(
    context: Context, tmp_path: Path, change: int
) -> None:
    out = tmp_path / "image"
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, KILLED, str(change), out, BUILD, "image", "--out", out],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert build_context(out).told["sha256"] == context.told["sha256"]
    assert files(out) == files(context.folder)
    assert not list(out.glob(STAGING))


def test_a_wheel_is_whole_though_a_compiler_outlived_the_build_that_was_killed(
    own_zips: Zips, tmp_path: Path
) -> None:
    cache = copied_cache(tmp_path / "cache", "locked")
    architecture = ("functions", "--architecture", own_zips.architecture)
    build = subprocess.Popen(
        [sys.executable, BUILD, *architecture, "--out", tmp_path / "out"],
        env=os.environ | {"FANFOLD_BUILD_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert build.stderr is not None
    assert build.stderr.readline().startswith("building fanfold")
    children = Path(f"/proc/{build.pid}/task/{build.pid}/children")
    while not children.read_text():
        assert build.poll() is None
        time.sleep(0.01)
    build.kill()
    build.communicate()
    again = build_functions(own_zips.architecture, tmp_path / "out", cache)
    assert {name: told["sha256"] for name, told in again.told.items()} == {
        name: told["sha256"] for name, told in own_zips.told.items()
    }
    assert len(list(cache.glob("fanfold-*"))) == 1
    assert not list(cache.glob(STAGING))
