"""Wheels into a folder of their own, the functions' zips and the image's context.

The same wheels give the same bytes: names are sorted, times and modes fixed.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TypedDict

from building import archive
from building.folders import ROOT, replaced
from building.lock import normal
from building.messages import tell
from building.wheels import ARCHITECTURES, LOCK, SERVE_LOCK, Architecture, locked_wheels, own_wheel

# What each function needs beside fanfold. The runtime has a boto3 too, but changes it by itself.
_BOTO3 = ("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3")
_STORES = ("msgspec", "obstore", *_BOTO3)
_ARCHIVES = ("backports-zstd", "isal")
_PAGES = ("markupsafe",)
FUNCTIONS = {
    "starter": _STORES,
    "chunker": _STORES + _ARCHIVES,
    "aggregator": _STORES + _ARCHIVES + _PAGES,
    "status": _STORES,
    "failures": _STORES,
    "sweep": _STORES,
}

# The command line isn't in the functions, and neither is what it needs: click and rich.
_LEFT_OUT = {"__main__.py", "cli", "web"}
_CODE = {".py", ".so"}
# botocore describes 400 services: those that functions call are kept, and what serves them all.
_SERVICES = {"batch", "lambda", "logs", "s3", "sqs", "sts"}
_FOR_ALL = {"_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json"}
# What a page is made of beside its code: styles, its script, the licences in that.
_DATA = {".css", ".js", ".txt"}


class Sizes(TypedDict):
    """A file or folder that was made."""

    path: str
    sha256: str
    zipped_bytes: int
    unzipped_bytes: int


def make_wheels(out: Path) -> dict[str, Sizes]:
    """Writes the wheel of fanfold for each architecture into `out`; the sizes by architecture.

    Raises:
        BuildError: a file of that name is there that no build made.
    """
    made = {}
    wheels = {name: own_wheel(architecture) for name, architecture in ARCHITECTURES.items()}
    with replaced(out) as new:
        for name, wheel in wheels.items():
            data = wheel.read_bytes()
            (new / wheel.name).write_bytes(data)
            made[name] = Sizes(
                path=str(out / wheel.name),
                sha256=hashlib.sha256(data).hexdigest(),
                zipped_bytes=len(data),
                unzipped_bytes=_unzipped_bytes(wheel),
            )
            tell(f"{out / wheel.name}: {_megabytes(len(data))} MB")
    return made


def make_functions(architecture: Architecture, out: Path) -> dict[str, Sizes]:
    """Writes a zip for each function into `out`; the sizes by the function's name.

    Raises:
        BuildError: a file of that name is there that no build made.
    """
    own = _members(own_wheel(architecture))
    others = {_package(wheel): wheel for wheel in locked_wheels(architecture)}
    packed: dict[tuple[str, ...], tuple[bytes, int]] = {}
    made = {}
    with replaced(out) as new:
        for name, packages in FUNCTIONS.items():
            if packages not in packed:
                members = own.copy()
                for package in packages:
                    members |= _members(others[package])
                packed[packages] = archive.zipped(members), sum(map(len, members.values()))
            zipped, unzipped_bytes = packed[packages]
            (new / f"{name}.zip").write_bytes(zipped)
            path = out / f"{name}.zip"
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

    The hash is that of all that was written: the image's tag.

    Raises:
        BuildError: a file is there, under a name to be written, that no build made.
    """
    own = {architecture: own_wheel(architecture) for architecture in ARCHITECTURES.values()}
    locked = {architecture: locked_wheels(architecture) for architecture in own}
    serve = locked_wheels(next(iter(own)), SERVE_LOCK)  # the same for every architecture
    with replaced(out) as new:
        (new / "serve").mkdir()
        for source in serve:
            shutil.copyfile(source, new / "serve" / source.name)
        shutil.copyfile(SERVE_LOCK, new / SERVE_LOCK.name)
        for architecture, wheel in own.items():
            folder = new / architecture.platform
            folder.mkdir()
            platforms = " ".join(architecture.tags)
            (folder / "pip.conf").write_text(f"[install]\nplatform = {platforms}\n")
            for source in (wheel, *locked[architecture]):
                shutil.copyfile(source, folder / source.name)
        (new / "requirements.txt").write_text(LOCK.read_text() + _pinned(own.values()))
        for name in ("Dockerfile", ".dockerignore"):
            shutil.copyfile(ROOT / "deploy" / name, new / name)
        files, sizes = _measured(new, out)
    tell(f"{out}: {files} files, {_megabytes(sizes['zipped_bytes'])} MB")
    return sizes


def _measured(context: Path, out: Path) -> tuple[int, Sizes]:
    """How many files a context has, and their sizes and hash."""
    files = sorted(path for path in context.rglob("*") if path.is_file())
    content = hashlib.sha256()
    for path in files:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        content.update(f"{path.relative_to(context).as_posix()} {digest}\n".encode())
    return len(files), Sizes(
        path=str(out),
        sha256=content.hexdigest(),
        zipped_bytes=sum(path.stat().st_size for path in files),
        unzipped_bytes=sum(_unzipped_bytes(path) for path in files),
    )


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
        return path.name.startswith(("METADATA", "LICENSE", "NOTICE")) or "licenses" in path.parts
    if top.endswith(".data") or (top == "fanfold" and path.parts[1] in _LEFT_OUT):
        return False
    if {"__pycache__", "test", "tests"} & set(path.parts):
        return False
    if path.parts[:2] == ("botocore", "data"):
        return path.parts[2] in _SERVICES | _FOR_ALL and not path.name.startswith("examples")
    if path.name == "cacert.pem":
        return True
    return path.suffix in _CODE or (top == "fanfold" and path.suffix in _DATA)


def _package(wheel: Path) -> str:
    return normal(wheel.name.split("-")[0])


def _unzipped_bytes(path: Path) -> int:
    if path.suffix != ".whl":
        return path.stat().st_size
    return sum(map(len, archive.read(path).values()))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"
