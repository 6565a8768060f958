"""Wheels into the functions' zips and the image's context.

The same wheels give the same bytes: names are sorted, times and modes fixed.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TypedDict

from building import archive
from building.lock import normal
from building.wheels import (
    ARCHITECTURES,
    LOCK,
    ROOT,
    Architecture,
    BuildError,
    locked_wheels,
    own_wheel,
    tell,
)

# What each function needs beside fanfold. boto3 is the runtime's own.
_STORES = ("msgspec", "obstore")
_ARCHIVES = ("backports-zstd", "isal")
FUNCTIONS = {
    "starter": _STORES,
    "chunker": _STORES + _ARCHIVES,
    "aggregator": _STORES + _ARCHIVES,
    "status": _STORES,
    "failures": _STORES,
    "sweep": _STORES,
}

# The command line isn't in the functions, and neither is what it needs: click and rich.
_LEFT_OUT = {"__main__.py", "cli"}
_CODE = {".py", ".so"}
_CONTEXT = {"Dockerfile", "requirements.txt", "amd64", "arm64"}
_DATA = {".html", ".json", ".svg"}


class Sizes(TypedDict):
    """A file or folder that was made."""

    path: str
    sha256: str
    zipped_bytes: int
    unzipped_bytes: int


def make_functions(architecture: Architecture, out: Path) -> dict[str, Sizes]:
    """Writes a zip for each function into `out`; the sizes by the function's name."""
    own = _members(own_wheel(architecture))
    others = {_package(wheel): wheel for wheel in locked_wheels(architecture)}
    out.mkdir(parents=True, exist_ok=True)
    packed: dict[tuple[str, ...], tuple[bytes, int]] = {}
    made = {}
    for name, packages in FUNCTIONS.items():
        if packages not in packed:
            members = own.copy()
            for package in packages:
                members |= _members(others[package])
            packed[packages] = archive.zipped(members), sum(map(len, members.values()))
        zipped, unzipped_bytes = packed[packages]
        path = out / f"{name}.zip"
        path.write_bytes(zipped)
        made[name] = Sizes(
            path=str(path),
            sha256=hashlib.sha256(zipped).hexdigest(),
            zipped_bytes=len(zipped),
            unzipped_bytes=unzipped_bytes,
        )
        tell(f"{path}: {_megabytes(len(zipped))} MB, {_megabytes(unzipped_bytes)} MB unzipped")
    return made


def make_context(out: Path) -> Sizes:
    """Writes into `out` all that the image is made of, for both architectures.

    The hash is that of the whole folder: the image's tag.

    Raises:
        BuildError: the folder holds something else.
    """
    _clear(out)
    requirements = LOCK.read_text()
    own = []
    for architecture in ARCHITECTURES.values():
        folder = out / architecture.platform
        folder.mkdir(parents=True)
        own.append(own_wheel(architecture))
        platforms = " ".join(architecture.tags)
        (folder / "pip.conf").write_text(f"[install]\nplatform = {platforms}\n")
        for wheel in [own[-1], *locked_wheels(architecture)]:
            shutil.copyfile(wheel, folder / wheel.name)
    (out / "requirements.txt").write_text(requirements + _pinned(own))
    for name in ("Dockerfile", ".dockerignore"):
        shutil.copyfile(ROOT / "deploy" / name, out / name)
    files = sorted(path for path in out.rglob("*") if path.is_file())
    content = hashlib.sha256()
    for path in files:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        content.update(f"{path.relative_to(out).as_posix()} {digest}\n".encode())
    zipped_bytes = sum(path.stat().st_size for path in files)
    tell(f"{out}: {len(files)} files, {_megabytes(zipped_bytes)} MB")
    return Sizes(
        path=str(out),
        sha256=content.hexdigest(),
        zipped_bytes=zipped_bytes,
        unzipped_bytes=sum(_unzipped_bytes(path) for path in files),
    )


def _clear(out: Path) -> None:
    """Removes an earlier context, and nothing else."""
    there = {path.name for path in out.iterdir()} if out.exists() else set()
    if there and not there >= _CONTEXT:
        raise BuildError(f"{out} holds something else than an image's context: name another folder")
    if out.exists():
        shutil.rmtree(out)


def _pinned(wheels: Iterable[Path]) -> str:
    """The line of fanfold itself, for the requirements."""
    wheels = list(wheels)
    version = wheels[0].name.split("-")[1]
    hashes = sorted({hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels})
    return (
        " \\\n".join([f"fanfold=={version}", *(f"    --hash=sha256:{digest}" for digest in hashes)])
        + "\n"
    )


def _members(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel that run, its name and version for scanners, and its licence."""
    members = archive.read(wheel)
    return {name: data for name, data in members.items() if _is_needed(PurePosixPath(name))}


def _is_needed(path: PurePosixPath) -> bool:
    top = path.parts[0]
    if top.endswith(".dist-info"):
        return path.name == "METADATA" or "licenses" in path.parts
    if top == "fanfold" and path.parts[1] in _LEFT_OUT:
        return False
    if {"__pycache__", "test", "tests"} & set(path.parts):
        return False
    return path.suffix in _CODE or (top == "fanfold" and path.suffix in _DATA)


def _package(wheel: Path) -> str:
    return normal(wheel.name.split("-")[0])


def _unzipped_bytes(path: Path) -> int:
    if path.suffix != ".whl":
        return path.stat().st_size
    return sum(map(len, archive.read(path).values()))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"
