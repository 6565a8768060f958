"""The locks: versions and hashes of every wheel that AWS runs, and of what the server adds.

The hashes are those of the wheels in use, so that nothing else can be installed.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
import tomllib
from pathlib import Path

from building.folders import ROOT
from building.messages import BuildError, tell
from building.wheels import ARCHITECTURES, LOCK, PYTHON, SERVE_LOCK, Architecture, download

_HEADER = f"""\
# What the functions and the image run, pinned by hash, for Linux on x86-64 and arm64.
# Made from pyproject.toml; refresh it with:  python{PYTHON} deploy/build.py lock
"""
_SERVE_HEADER = f"""\
# What `fanfold serve` runs besides, pinned by hash: wheels without compiled code.
# Made from pyproject.toml; refresh it with:  python{PYTHON} deploy/build.py lock
"""


def normal(name: str) -> str:
    """A package's name as an index knows it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(extra: str) -> list[str]:
    """What fanfold needs: its dependencies, and those of an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"][extra]]


def refresh() -> None:
    """Resolves what is wanted, and writes the locks.

    Raises:
        BuildError: this is another Python, whose conditions ("python_version < ...") differ.
    """
    if sys.version_info[:2] != tuple(map(int, PYTHON.split("."))):
        raise BuildError(f"the lock is for Python {PYTHON}: python{PYTHON} deploy/build.py lock")
    first, second = ARCHITECTURES.values()
    hashes = _resolve(first, wanted("aws"))
    pins = [f"{name}=={version}" for name, version in hashes]
    for package, others in _resolve(second, pins).items():
        hashes[package] = hashes.get(package, set()) | others
    _write(LOCK, _HEADER, hashes)
    with_serve = _resolve(first, [*wanted("serve"), *pins])
    _write(
        SERVE_LOCK,
        _SERVE_HEADER,
        {package: with_serve[package] for package in with_serve.keys() - hashes.keys()},
    )


def _write(lock: Path, header: str, hashes: dict[tuple[str, str], set[str]]) -> None:
    entries = (_entry(*package, hashes[package]) for package in sorted(hashes))
    lock.write_text(header + "".join(entries))
    tell(f"{lock.relative_to(ROOT)}: {len(hashes)} packages")


def _resolve(
    architecture: Architecture, requirements: list[str]
) -> dict[tuple[str, str], set[str]]:
    """The hash of each wheel by name and version."""
    with tempfile.TemporaryDirectory() as folder:
        download(architecture, Path(folder), requirements)
        hashes = {}
        for wheel in sorted(Path(folder).iterdir()):
            name, version, *_ = wheel.name.split("-")
            hashes[normal(name), version] = {hashlib.sha256(wheel.read_bytes()).hexdigest()}
    return hashes


def _entry(name: str, version: str, hashes: set[str]) -> str:
    lines = [f"{name}=={version}", *(f"    --hash=sha256:{digest}" for digest in sorted(hashes))]
    return " \\\n".join(lines) + "\n"
