"""``deploy/build.py``, as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "deploy/build.py"
CACHE = ROOT / "deploy/.build"
ARCHITECTURES = ("x86_64", "arm64")
FUNCTIONS = ("starter", "chunker", "aggregator", "status", "failures", "sweep")


class Zips(NamedTuple):
    """The zips of an architecture, and what build.py told of each."""

    architecture: str
    folder: Path
    told: dict[str, dict[str, Any]]


class Wheels(NamedTuple):
    """The folder of fanfold's wheels, and what build.py told of each by its architecture."""

    folder: Path
    told: dict[str, dict[str, Any]]


class Context(NamedTuple):
    """The folder that the image is made of, and what build.py told of it."""

    folder: Path
    told: dict[str, Any]


def build_functions(architecture: str, out: Path, cache: Path = CACHE) -> Zips:
    told = _build("functions", "--architecture", architecture, "--out", str(out), cache=cache)
    return Zips(architecture, out, told)


def build_wheels(out: Path) -> Wheels:
    return Wheels(out, _build("wheels", "--out", str(out)))


def build_context(out: Path, cache: Path = CACHE) -> Context:
    return Context(out, _build("image", "--out", str(out), cache=cache))


def _build(*arguments: str, cache: Path = CACHE) -> dict[str, Any]:
    command = [sys.executable, str(BUILD), *arguments]
    environment = os.environ | {"FANFOLD_BUILD_CACHE": str(cache)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "Rust's target" in done.stderr and "can't be had" in done.stderr:
        pytest.skip(f"NOT BUILT FOR THE OTHER ARCHITECTURE: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def copied_cache(folder: Path, names: str = "*") -> Path:
    """A cache with the wheels that were kept so far, of these names."""
    for record in CACHE.glob(f"{names}-*/.fanfold-build.json"):
        shutil.copytree(record.parent, folder / record.parent.name)
    return folder
