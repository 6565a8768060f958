"""The commands that are compared, their Debian packages and their versions."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

INPUT, OUTPUT, SCRATCH = "INPUT", "OUTPUT", "SCRATCH"
"""Words of a command that stand for the input, for what it writes, and for an empty folder."""

Command = tuple[str, ...]


@dataclass(frozen=True)
class Tool:
    """A program that is measured.

    Attributes:
        package: the Debian package that brings it.
        version: the arguments with which it tells its version, whatever its exit code.
    """

    package: str
    version: Command


TOOLS = {
    "kmc": Tool("kmc", ()),
    "jellyfish": Tool("jellyfish", ("--version",)),
    "seqkit": Tool("seqkit", ("version",)),
    "seqtk": Tool("seqtk", ()),
    "pigz": Tool("pigz", ("--version",)),
    "bgzip": Tool("tabix", ("--version",)),
}


def kmc(k: int) -> Command:
    """KMC on multi-line FASTA; it counts canonical k-mers, of both strands, in 12 GB at most."""
    flags = (f"-k{k}", "-fm", "-t2", "-ci1", "-cs4294967295")
    return ("kmc", *flags, INPUT, OUTPUT, SCRATCH)


def kmc_table(k: int, *flags: str) -> Command:
    """KMC as people run it for all k-mers of a sequence: counters end at 255, and up to 12 GB."""
    return ("kmc", f"-k{k}", "-fm", "-t2", "-ci1", *flags, INPUT, OUTPUT, SCRATCH)


def jellyfish(k: int, *flags: str, size: str = "100M") -> Command:
    """Jellyfish, on the given strand unless told otherwise."""
    numbers = ("-m", f"{k}", "-s", size, "-t", "2")
    return ("jellyfish", "count", *numbers, *flags, "-o", OUTPUT, INPUT)


SEQKIT: Command = ("seqkit", "stats", "-a", "-j", "2", INPUT)
SEQTK: Command = ("seqtk", "comp", INPUT)
PIGZ: Command = ("pigz", "-dc", INPUT)


def fanfold_run(*ks: int, slice_size: str | None = None, more: Command = ()) -> Command:
    """A whole `fanfold run` on two cores."""
    k_flags = tuple(word for k in ks for word in ("-k", f"{k}"))
    slices = ("--slice-size", slice_size) if slice_size else ()
    flags = (*k_flags, *more, *slices, "--workers", "2", "--out", OUTPUT, "--fresh", "--quiet")
    return ("fanfold", "run", INPUT, *flags)


def find_fanfold() -> Path | None:
    """The `fanfold` beside this Python, or else on the path."""
    beside = Path(sys.executable).with_name("fanfold")
    found = str(beside) if beside.exists() else shutil.which("fanfold")
    return Path(found) if found else None


def missing(program: str) -> str:
    """What to say of a program that isn't there."""
    if program == "fanfold":
        return "fanfold isn't installed: make setup"
    return f"{program} isn't installed: apt-get install {TOOLS[program].package}"


def versions(fanfold: Path | None) -> dict[str, str]:
    """The versions of Python and of all tools, and which are missing."""
    found = {"fanfold": told_version([str(fanfold), "--version"]) if fanfold else "missing"}
    for name, tool in TOOLS.items():
        there = shutil.which(name)
        found[name] = told_version([name, *tool.version]) if there else "missing"
    found["Python"] = sys.version.split()[0]
    return found


def told_version(command: list[str]) -> str:
    """The first thing a command says that looks like a version."""
    told = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=60, check=False
    )
    match = re.search(r"\d+\.\d+[\w.+-]*", told.stdout + told.stderr)
    return match.group().rstrip(".") if match else "unknown"
