"""Packages of npm that tests run, each at one version, kept in pytest's cache."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path


class PackageUnavailableError(Exception):
    """A package can't be had here; the message says why, or what to install."""


def node_package(name: str, version: str, packages: Path) -> Path:
    """The folder whose `node_modules` holds the package, installed unless it is there.

    Raises:
        PackageUnavailableError: there is no Node.js, or npm failed.
    """
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise PackageUnavailableError(f"no `{tool}` here: install Node.js 20")
    home = packages / f"{name}-{version}"
    if not home.is_dir():
        packages.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=packages) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            wanted = {"private": True, "dependencies": {name: version}}
            (made / "package.json").write_text(json.dumps(wanted))
            command = ["npm", "install", "--prefix", str(made), "--no-audit", "--no-fund"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise PackageUnavailableError(f"npm can't install {name}: {done.stderr[-500:]}")
            try:
                made.rename(home)
            except OSError:
                # Another process installed the same at the same moment.
                if not home.is_dir():
                    raise
    return home
