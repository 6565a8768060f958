"""``deploy/build.py``: what it says when it can't build, and what it leaves alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cloud.deploy.building import BUILD, Context, build_context


def refused(*arguments: str, **environment: str) -> str:
    """What build.py says on standard error, when it fails."""
    done = subprocess.run(
        [sys.executable, BUILD, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert not done.stdout
    return done.stderr


def test_without_rust_it_says_how_to_get_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = refused(*("functions", "--architecture", "arm64", "--out", str(out)), PATH=str(tmp_path))
    assert told == "build.py: Rust is missing: get it from https://rustup.rs\n"
    assert not out.exists()


def test_without_maturin_it_says_how_to_get_it(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [bare / "bin/python", BUILD, "image", "--out", tmp_path / "out"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("build.py: maturin is missing: ")
    assert "pip install -r deploy/requirements-build.txt" in done.stderr


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    told = refused("image", "--out", str(tmp_path))
    assert f"{tmp_path}/Dockerfile isn't what a build made" in told
    assert (tmp_path / "Dockerfile").read_text() == "FROM scratch\n"


def test_an_earlier_context_is_replaced(context: Context, tmp_path: Path) -> None:
    build_context(tmp_path / "again")
    assert build_context(tmp_path / "again").told["sha256"] == context.told["sha256"]


def test_without_a_compiler_that_works_it_says_which_command_failed(tmp_path: Path) -> None:
    for tool in ("cargo", "rustc"):
        (tmp_path / tool).write_text("#!/bin/sh\necho no toolchain >&2; exit 1\n")
        (tmp_path / tool).chmod(0o755)
    told = refused("image", "--out", str(tmp_path / "out"), PATH=f"{tmp_path}:{os.defpath}")
    assert told == "no toolchain\nbuild.py: rustc --version ended with 1, above\n"
