"""The cache of wheels: one that is wrong is never used, and what no build made there stays."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.deploy.building import (
    ROOT,
    Context,
    Zips,
    build_context,
    build_functions,
    copied_cache,
)
from cloud.deploy.checkout import Checkout

Members = dict[str, bytes]

UNOPTIMISED = {
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
}
"""For a kernel that is compiled anew, and that nothing runs."""

# `python -c PROVE WHEEL MACHINE`: what is wrong with a wheel of fanfold.
PROVE = """
import sys
from pathlib import Path
from building.messages import BuildError
from building.proof import prove_own
from building.wheels import _modules
try:
    prove_own([Path(sys.argv[1])], sys.argv[2], _modules())
except BuildError as error:
    print(error)
"""


@pytest.fixture
def wheel(context: Context, tmp_path: Path) -> Path:
    """The wheel of fanfold for arm64."""
    (built,) = (context.folder / "arm64").glob("fanfold-*.whl")
    return Path(shutil.copyfile(built, tmp_path / built.name))


@pytest.fixture
def cache(context: Context, tmp_path: Path) -> Path:  # noqa: ARG001 - it fills the cache
    """A cache of its own, filled."""
    return copied_cache(tmp_path / "cache")


def read(wheel: Path) -> Members:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(wheel: Path, members: Members) -> None:
    """Members under a RECORD that is theirs."""
    (record,) = (name for name in members if name.endswith("/RECORD"))
    lines = [f"{record},,"]
    for name in sorted(set(members) - {record}):
        digest = base64.urlsafe_b64encode(hashlib.sha256(members[name]).digest()).decode()
        lines.append(f"{name},sha256={digest.rstrip('=')},{len(members[name])}")
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in {**members, record: "\n".join(lines).encode()}.items():
            archive.writestr(name, data)


def seal(folder: Path) -> None:
    """Writes the record of a folder, as the build does that made what is in it."""
    files = {
        path.name: [
            {
                "bytes": path.stat().st_size,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
        ]
        for path in sorted(folder.glob("*.whl"))
    }
    checksum = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    (folder / ".fanfold-build.json").write_text(json.dumps({"files": files, "sha256": checksum}))


# --- The proof ------------------------------------------------------------------------------------


def fault(wheel: Path, machine: str = "aarch64") -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROVE, wheel, machine],
        env=os.environ | {"PYTHONPATH": str(ROOT / "deploy")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def without_python(members: Members) -> Members:
    return {name: data for name, data in members.items() if not name.endswith((".py", ".pyi"))}


def without_a_module(members: Members) -> Members:
    return {name: data for name, data in members.items() if name != "fanfold/params.py"}


def with_another_module(members: Members) -> Members:
    return members | {"fanfold/other.py": b""}


def with_a_module_that_differs(members: Members) -> Members:
    return members | {"fanfold/params.py": members["fanfold/params.py"] + b"\n"}


def without_a_kernel(members: Members) -> Members:
    return {name: data for name, data in members.items() if not name.endswith(".so")}


def with_a_kernel_of_no_library(members: Members) -> Members:
    return members | {"fanfold/_kernel.abi3.so": b"\x7fELF"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without_python, "fanfold/__init__.py is missing"),
        (without_a_module, "fanfold/params.py is missing"),
        (with_another_module, "fanfold/other.py is of no module"),
        (with_a_module_that_differs, "fanfold/params.py differs"),
        (without_a_kernel, "it has no kernel for aarch64"),
        (with_a_kernel_of_no_library, "it has no kernel for aarch64"),
    ],
)
def test_a_wheel_of_other_files_than_the_checkouts_is_found(
    wheel: Path, change: Callable[[Members], Members], told: str
) -> None:
    write(wheel, read(wheel))
    assert not fault(wheel)
    write(wheel, change(read(wheel)))
    assert told in fault(wheel)


def test_a_kernel_of_the_other_platform_is_found(wheel: Path) -> None:
    assert "it has no kernel for x86_64" in fault(wheel, "x86_64")


def test_a_wheel_that_its_record_does_not_describe_is_found(wheel: Path) -> None:
    members = read(wheel)
    (licence,) = (name for name in members if name.endswith("/LICENSE"))
    (record,) = (name for name in members if name.endswith("/RECORD"))
    changes = {
        "LICENSE is not what its RECORD says": members | {licence: b"none"},
        "it has no RECORD": {name: members[name] for name in members if name != record},
        "its RECORD doesn't name notes.txt": members | {"notes.txt": b""},
        "notes.txt is missing": members | {record: members[record] + b"notes.txt,,\n"},
    }
    for told, changed in changes.items():
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, data in changed.items():
                archive.writestr(name, data)
        assert told in fault(wheel)


def test_a_damaged_zip_is_found_wherever_it_is_cut_or_changed(wheel: Path) -> None:
    data = wheel.read_bytes()
    for cut in (0, 1, len(data) // 2, len(data) - 1):
        wheel.write_bytes(data[:cut])
        assert "is a damaged zip" in fault(wheel)
    for place in (200, len(data) // 2, len(data) - 10):
        wheel.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        assert fault(wheel)


# --- The cache ------------------------------------------------------------------------------------


def test_a_wrong_wheel_that_was_kept_is_built_again(context: Context, cache: Path) -> None:
    (kept,) = cache.glob("fanfold-arm64-*/*.whl")
    write(kept, without_python(read(kept)))
    seal(kept.parent)
    again = build_context(cache.parent / "image", cache)
    assert again.told["sha256"] == context.told["sha256"]
    (right,) = cache.glob("fanfold-arm64-*/*.whl")
    assert "fanfold/__init__.py" in read(right)


def test_a_wheel_that_was_damaged_is_built_again_and_left_where_it_is(
    own_zips: Zips, cache: Path
) -> None:
    (kept,) = cache.glob(f"fanfold-{own_zips.architecture}-*/*.whl")
    os.truncate(kept, 1000)
    again = build_functions(own_zips.architecture, cache.parent / "out", cache)
    assert [told["sha256"] for told in again.told.values()] == [
        told["sha256"] for told in own_zips.told.values()
    ]
    assert kept.stat().st_size == 1000


def test_a_downloaded_wheel_that_is_missing_or_damaged_is_downloaded_again(
    context: Context, cache: Path
) -> None:
    (amd64,) = cache.glob("locked-x86_64-*")
    (arm64,) = cache.glob("locked-arm64-*")
    next(amd64.glob("msgspec-*")).unlink()
    next(arm64.glob("click-*")).write_bytes(b"")
    for folder in (amd64, arm64):
        seal(folder)
    again = build_context(cache.parent / "image", cache)
    assert again.told["sha256"] == context.told["sha256"]


def test_what_no_build_made_stays_in_the_cache(context: Context, cache: Path) -> None:
    # One that must be built again, and others of the names that builds give.
    (kept,) = cache.glob("locked-arm64-*")
    next(kept.glob("click-*")).unlink()
    seal(kept)
    mine = [cache / "new-5e" / "mine", cache / "locked-arm64-5e" / "mine", cache / "lock"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine\n")
    assert build_context(cache.parent / "image", cache).told["sha256"] == context.told["sha256"]
    assert [path.read_text() for path in mine] == ["mine\n"] * 3
    assert not kept.exists()


def test_a_wheel_that_is_built_wrong_is_not_kept(own_zips: Zips, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    shutil.rmtree(checkout.folder / "src")
    (checkout.folder / "src").symlink_to(ROOT / "src")  # maturin packs nothing behind a link
    cache = tmp_path / "cache"
    done = subprocess.run(
        [
            *(sys.executable, checkout.deploy / "build.py", "functions", "--architecture"),
            *(own_zips.architecture, "--out", tmp_path / "out"),
        ],
        env=os.environ | UNOPTIMISED | {"FANFOLD_BUILD_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "fanfold/__init__.py is missing" in done.stderr.splitlines()[-2]
    assert "src must be a folder, no link" in done.stderr.splitlines()[-1]
    assert [path.name for path in cache.iterdir()] == ["lock"]
    assert not (tmp_path / "out").exists()
