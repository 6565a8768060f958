"""`build.py wheels`: fanfold's wheel for each architecture, for old systems and any Python."""

from __future__ import annotations

import io
import platform
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

import fanfold
from cloud.deploy.building import ARCHITECTURES, ROOT, Wheels, build_wheels
from cloud.deploy.libraries import MACHINES, needed_glibc

OLDEST_GLIBC = (2, 17)
PLATFORMS = {"x86_64": "x86_64", "arm64": "aarch64"}
MAN_PAGE = "share/man/man1/fanfold.1"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    return build_wheels(tmp_path_factory.mktemp("wheels") / "linux")


def wheel(wheels: Wheels, architecture: str) -> Path:
    return Path(wheels.told[architecture]["path"])


def test_there_is_a_wheel_for_each_architecture(wheels: Wheels) -> None:
    assert set(wheels.told) == set(ARCHITECTURES)
    assert set(wheels.folder.glob("*.whl")) == {wheel(wheels, each) for each in ARCHITECTURES}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_wheel_is_for_glibc_2_17_and_every_python(wheels: Wheels, architecture: str) -> None:
    name, version, python, abi, tags = wheel(wheels, architecture).stem.split("-")

    assert (name, version, python, abi) == ("fanfold", fanfold.__version__, "cp311", "abi3")
    machine = PLATFORMS[architecture]
    assert set(tags.split(".")) == {f"manylinux_2_17_{machine}", f"manylinux2014_{machine}"}
    with zipfile.ZipFile(wheel(wheels, architecture)) as archive:
        library = ELFFile(io.BytesIO(archive.read("fanfold/_kernel.abi3.so")))
    assert library["e_machine"] == MACHINES[architecture]
    versions = set(needed_glibc(library))
    assert versions
    assert max(versions) <= OLDEST_GLIBC


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_wheel_has_the_man_page_and_no_path_of_this_machine(
    wheels: Wheels, architecture: str
) -> None:
    with zipfile.ZipFile(wheel(wheels, architecture)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}

    page = files[f"fanfold-{fanfold.__version__}.data/data/{MAN_PAGE}"]
    assert page == (ROOT / "packaging/fanfold.data/data" / MAN_PAGE).read_bytes()
    here = re.escape(str(ROOT)).encode()
    assert not [name for name, data in files.items() if re.search(here, data)]


def test_pip_installs_and_removes_the_man_page_and_the_command(
    wheels: Wheels, tmp_path: Path
) -> None:
    own = {machine: name for name, machine in PLATFORMS.items()}.get(platform.machine())
    if platform.system() != "Linux" or own is None:
        pytest.skip("THE WHEEL IS NOT INSTALLED: this isn't Linux on x86-64 or arm64")
    subprocess.run([sys.executable, "-m", "venv", tmp_path], check=True)
    pip = [str(tmp_path / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
    # What it depends on isn't needed to put its files in place.
    install = ["install", "--quiet", "--no-index", "--no-deps", str(wheel(wheels, own))]
    subprocess.run([*pip, *install], check=True)
    placed = [tmp_path / MAN_PAGE, tmp_path / "bin/fanfold"]
    assert all(path.is_file() for path in placed)

    subprocess.run([*pip, "uninstall", "--quiet", "--yes", "fanfold"], check=True)
    assert not any(path.exists() for path in placed)
