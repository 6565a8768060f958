"""Wheels for Linux on both architectures: fanfold cross-built with zig, the others by the lock.

Both are kept in the cache folder, under a hash of all that went into them. They are proven before
they are kept, and each time before they are used.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from building import archive
from building.folders import ROOT, alone, is_sealed, make, remove_unfinished, seal, staging
from building.messages import BuildError, tell
from building.proof import prove_locked, prove_own

CACHE = Path(os.environ.get("FANFOLD_BUILD_CACHE", ROOT / "deploy" / ".build")).absolute()
LOCK = ROOT / "deploy" / "requirements.txt"
SERVE_LOCK = ROOT / "deploy" / "requirements-serve.txt"
PYTHON = "3.13"
GLIBC = "manylinux_2_17"  # the oldest that Rust supports
_DATA = "packaging/fanfold.data"
_PACKAGE_SUFFIXES = {".py", ".pyi", ".css", ".js", ".html", ".txt", ".typed"}


class Architecture(NamedTuple):
    """One machine by its three names: Lambda's, the wheels' and the image platforms'."""

    name: str
    machine: str
    platform: str

    @property
    def target(self) -> str:
        """The Rust target."""
        return f"{self.machine}-unknown-linux-gnu"

    @property
    def tags(self) -> list[str]:
        """Every wheel platform that runs on glibc 2.28. pip compares them letter by letter."""
        return [f"manylinux2014_{self.machine}"] + [
            f"manylinux_2_{minor}_{self.machine}" for minor in range(17, 29)
        ]


ARCHITECTURES = {
    "x86_64": Architecture("x86_64", "x86_64", "amd64"),
    "arm64": Architecture("arm64", "aarch64", "arm64"),
}


def own_wheel(architecture: Architecture) -> Path:
    """The wheel of fanfold for `architecture`, built unless the same sources were built before.

    Raises:
        BuildError: a tool is missing, the build fails, or the wheel isn't of these sources.
    """
    needed = {name: _version(name) for name in ("maturin", "ziglang")}
    if shutil.which("cargo") is None:
        raise BuildError("Rust is missing: get it from https://rustup.rs")
    compiler = _output(["rustc", "--version"])
    key = _hash([*needed.values(), compiler], _sources())

    def build(folder: Path) -> None:
        _add_target(architecture.target)
        tell(f"building fanfold for {architecture.name}: a minute or two the first time")
        _maturin(architecture, folder)
        for wheel in folder.glob("*.whl"):
            _leave_out_materials(wheel)

    def prove(wheels: list[Path]) -> None:
        prove_own(wheels, architecture.machine, _modules())

    (wheel,) = _kept(f"fanfold-{architecture.name}", key, build, prove)
    return wheel


def locked_wheels(architecture: Architecture, lock: Path = LOCK) -> list[Path]:
    """The wheels that a lock names, for `architecture`; downloaded once.

    Raises:
        BuildError: one can't be had, or isn't what the lock says.
    """

    def fill(folder: Path) -> None:
        tell(f"downloading the wheels of {lock.relative_to(ROOT)} for {architecture.name}")
        download(architecture, folder, ["--no-deps", "--require-hashes", "-r", str(lock)])

    def prove(wheels: list[Path]) -> None:
        prove_locked(wheels, lock.read_text())

    key = _hash([PYTHON, *architecture.tags], [lock])
    name = "locked" if lock == LOCK else "serve"
    return _kept(f"{name}-{architecture.name}", key, fill, prove)


def download(architecture: Architecture, folder: Path, wanted: Sequence[str]) -> None:
    """Downloads wheels that run on `architecture`, whatever machine this is."""
    platforms = [f"--platform={tag}" for tag in architecture.tags]
    abis = [f"--abi={abi}" for abi in (f"cp{PYTHON.replace('.', '')}", "abi3", "none")]
    _run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"),
            *(*platforms, *abis, "--dest", str(folder), *wanted),
        ],
        "the dependencies can't be downloaded",
    )


def _run(
    command: Sequence[str], failure: str, inherited: Sequence[int] = (), **environment: str
) -> None:
    """Runs a tool, with these descriptors open; what it said is shown only if it fails.

    Raises:
        BuildError: it fails.
    """
    done = subprocess.run(  # noqa: S603 - the command is made here
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        pass_fds=inherited,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise BuildError(f"{failure}: {Path(command[0]).name} ended with {done.returncode}, above")


@contextmanager
def cache() -> Iterator[None]:
    """The cache folder, for one build at a time."""
    make(CACHE)
    with alone(CACHE / "lock"):
        with _compiling():  # a compiler that outlived its build may still write to the cache
            remove_unfinished(CACHE)
        yield


def _kept(
    name: str, key: str, fill: Callable[[Path], None], prove: Callable[[list[Path]], None]
) -> list[Path]:
    """The wheels that the cache has for `key`, made unless they are there and proven.

    Those of an older key, or that fail the proof, are removed if a build made them.
    """
    entries = [entry for entry in CACHE.glob(f"{name}-*") if is_sealed(entry)]
    for entry in entries:
        if entry.name.startswith(f"{name}-{key[:16]}-"):
            wheels = sorted(entry.glob("*.whl"))
            try:
                prove(wheels)
            except BuildError as error:
                tell(f"{entry} is made again: {str(error).splitlines()[0]}")
            else:
                return wheels
    with staging(CACHE) as stage:
        fill(stage.new)
        prove(sorted(stage.new.glob("*.whl")))
        seal(stage.new, stage)
        entry = stage.new.rename(CACHE / f"{name}-{key[:16]}-{stage.token}")
        for older in entries:
            older.rename(stage.old / older.name)
    return sorted(entry.glob("*.whl"))


def _compiling() -> AbstractContextManager[int]:
    """The lock of maturin: it puts every library into target/maturin first, whatever it is for."""
    target = ROOT / "kernel" / "target"
    target.mkdir(exist_ok=True)
    return alone(target / "fanfold-build.lock")


def _maturin(architecture: Architecture, folder: Path) -> None:
    """Builds the wheel. The paths of this machine are kept out of it."""
    homes = {
        Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")): "/cargo",
        Path(_output(["rustc", "--print", "sysroot"])): "/rust",
        ROOT: "/fanfold",
    }
    remapped = [f"--remap-path-prefix={path}={name}" for path, name in homes.items()]
    with _compiling() as lock:
        _run(
            [
                *(sys.executable, "-m", "maturin", "build", "--zig", "--release", "--locked"),
                *(f"--target={architecture.target}", f"--compatibility={GLIBC}", f"--out={folder}"),
            ],
            f"fanfold can't be built for {architecture.name}",
            inherited=[lock],
            CARGO_ENCODED_RUSTFLAGS="\x1f".join(remapped),
            CARGO_ZIGBUILD_PYTHON_PATH=sys.executable,
        )


def _leave_out_materials(wheel: Path) -> None:
    """Removes maturin's bill of materials: it tells the time and the folder of the build."""
    members = archive.read(wheel)
    kept = {name: data for name, data in members.items() if "/sboms/" not in name}
    (record,) = (name for name in kept if name.endswith(".dist-info/RECORD"))
    lines = kept[record].splitlines(keepends=True)
    kept[record] = b"".join(line for line in lines if b"/sboms/" not in line)
    wheel.write_bytes(archive.zipped(kept))


def _add_target(target: str) -> None:
    """Makes sure that Rust has the target's standard library."""
    library = Path(_output(["rustc", "--print", "sysroot"])) / "lib/rustlib" / target / "lib"
    if library.is_dir():
        return
    if shutil.which("rustup") is None:
        raise BuildError(
            f"Rust can't build for {target}, and there is no rustup to add it:"
            " install Rust from https://rustup.rs"
        )
    tell(f"adding Rust's target {target}")
    _run(["rustup", "target", "add", target], f"Rust's target {target} can't be had")


def _version(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        raise BuildError(
            f"{package} is missing: {sys.executable} -m pip install -r"
            " deploy/requirements-build.txt"
        ) from None


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise BuildError(f"{' '.join(command)} ended with {done.returncode}, above")
    return done.stdout.strip()


def _sources() -> Iterator[Path]:
    """All that a wheel of fanfold is made of."""
    yield from (Path(__file__), Path(archive.__file__))
    yield from (ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE"))
    yield from (ROOT / "kernel" / name for name in ("Cargo.toml", "Cargo.lock"))
    yield from sorted((ROOT / "kernel/src").rglob("*.rs"))
    yield from sorted(path for path in (ROOT / _DATA).rglob("*") if path.is_file())
    yield from _package_files()


def _package_files() -> list[Path]:
    return sorted(path for path in (ROOT / "src").rglob("*") if path.suffix in _PACKAGE_SUFFIXES)


def _modules() -> dict[str, bytes]:
    """The files of the package, by their name in a wheel."""
    return {
        path.relative_to(ROOT / "src").as_posix(): path.read_bytes() for path in _package_files()
    }


def _hash(words: Iterable[str], files: Iterable[Path]) -> str:
    content = hashlib.sha256("\n".join(words).encode())
    for path in files:
        data = path.read_bytes()
        content.update(f"\n{path.relative_to(ROOT)} {len(data)}\n".encode())
        content.update(data)
    return content.hexdigest()
