"""The files that are measured: made once, kept in the data folder, told by their SHA-256."""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from measure import CommandFailed, measure, read_through

HERE = Path(__file__).parent
TEST_DATA = HERE.parent / "tests" / "data"
SEED = 1
MAKING_SECONDS = 7200
SMALL_BYTES = 1 << 20


class InputMissing(Exception):  # noqa: N818 - it says what happened
    """An input that can't be had on this machine."""


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Attributes:
        genome_bases: the size of the generated genome.
        assembly_bases: that of another, whose k-mers are put into tables.
        short_records: how many records of 100 bases the file of short records has.
        runs: how often each command is run.
    """

    name: str
    genome_bases: int
    assembly_bases: int
    short_records: int
    runs: int


FULL = Scale("full", 3_100_000_000, 250_000_000, 10_000_000, runs=5)
QUICK = Scale("quick", 200_000_000, 50_000_000, 1_000_000, runs=3)


@dataclass(frozen=True)
class Input:
    """A file to measure.

    Attributes:
        name: what the table calls it: never a path of this machine.
        origin: where it comes from, so that others can have the same.
        folder: the folder that goes with it and is removed after use.
        stale: files that are removed before every run, so that it has all its work to do.
    """

    path: Path
    name: str
    origin: str
    folder: Path | None = None
    stale: tuple[Path, ...] = ()

    def warm(self) -> None:
        """Read every byte, so that all of it is in the page cache."""
        for file in self.folder.rglob("*") if self.folder else [self.path]:
            if file.is_file():
                read_through(file)

    def described(self) -> str:
        """Its name, where it comes from and, unless it is made anew each time, what it is."""
        if self.folder:
            return f"{self.name}: {self.origin}"
        size = f"{self.path.stat().st_size:,} bytes"
        return f"{self.name}: {self.origin}; {size}, SHA-256 `{sha256(self.path)}`"

    def discard(self) -> None:
        """Remove what is not kept for the next time."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


class Inputs:
    """Makes each input when it is first asked for; what is whole on disk already is taken as is.

    Args:
        data: the folder where all of them are kept.
        genomes: the folder of real genomes, which may be missing.
        fanfold: the program that makes the summaries to fold.
    """

    def __init__(self, data: Path, genomes: Path, scale: Scale, fanfold: Path | None) -> None:
        self.data = data
        self.genomes = genomes
        self.scale = scale
        self.fanfold = fanfold

    def make(self, name: str) -> Input:
        """The input of that name, made if need be.

        Raises:
            InputMissing: it can't be made here; the message says why.
        """
        return self._recipes[name]()

    @functools.cached_property
    def _recipes(self) -> dict[str, Callable[[], Input]]:
        return {
            "phiX": lambda: Input(self._real("phiX174.fa"), "phiX174.fa", "bacteriophage phiX174"),
            "chromosome": self._chromosome,
            "genome": self._genome,
            "assembly": lambda: self._generated("assembly.fa", self.scale.assembly_bases),
            "gzip": lambda: self._packed("fa.gz", "pigz", "-p", "2", "-6", "-c"),
            "bgzf": lambda: self._packed("bgzf.fa.gz", "bgzip", "-@", "2", "-l", "1", "-c"),
            "single line": self._single_line,
            "short records": self._short_records,
            "summaries k=5": lambda: self._summaries(k=5, slices=10_000),
            "summaries k=8": lambda: self._summaries(k=8, slices=1_000),
        }

    def _real(self, file_name: str) -> Path:
        for folder in (self.genomes, TEST_DATA):
            if (folder / file_name).exists():
                return folder / file_name
        raise InputMissing(f"{file_name} isn't in the folder of real genomes (--genomes)")

    def _chromosome(self) -> Input:
        packed = self._real("hs37_chr20.fa.gz")
        path = self.data / "hs37_chr20.fa"
        self._write(path, ["gzip", "-dc", f"{packed}"])
        return Input(path, path.name, "human chromosome 20 (hs37), inflated")

    def _genome(self) -> Input:
        return self._generated("genome.fa", self.scale.genome_bases)

    def _generated(self, name: str, bases: int) -> Input:
        version = generator_version()
        path = self.data / f"genome-{bases}-seed{SEED}-v{version}.fa"
        if not path.exists():
            flags = ["--bases", f"{bases}", "--seed", f"{SEED}"]
            self._call([sys.executable, f"{HERE / 'generate.py'}", f"{path}", *flags])
        origin = (
            f"`python benchmarks/generate.py OUT.fa --bases {bases} --seed {SEED}` "
            f"(version {version}, numpy's PCG64)"
        )
        return Input(path, name, origin)

    def _packed(self, suffix: str, *command: str) -> Input:
        genome = self._genome()
        path = genome.path.with_suffix(f".{suffix}")
        self._write(path, [*command, f"{genome.path}"])
        return Input(path, f"genome.{suffix}", f"`{' '.join(command)} {genome.name}`")

    def _single_line(self) -> Input:
        return self._derived("single-line", "single-line")

    def _short_records(self) -> Input:
        count = self.scale.short_records
        return self._derived(f"short-{count}", "short-records", "--records", f"{count}")

    def _derived(self, suffix: str, what: str, *flags: str) -> Input:
        genome = self._genome()
        path = genome.path.with_suffix(f".{suffix}.fa")
        script = f"{HERE / 'derive.py'}"
        self._write(path, [sys.executable, script, what, f"{genome.path}", *flags])
        words = ["python benchmarks/derive.py", what, genome.name, *flags]
        return Input(path, f"genome.{suffix}.fa", f"`{' '.join(words)}`")

    def _summaries(self, k: int, slices: int) -> Input:
        """The folder of a finished run with so many slices, of which only the fold is undone."""
        if self.fanfold is None:
            raise InputMissing("fanfold isn't installed")
        genome = self._genome()
        folder = self.data / f"summaries-k{k}"
        shutil.rmtree(folder, ignore_errors=True)
        slice_bytes = -(-genome.path.stat().st_size // slices)
        command = [f"{self.fanfold}", "run", f"{genome.path}", "--out", f"{folder}"]
        flags = ["-k", f"{k}", "--slice-size", f"{slice_bytes}", "--workers", "2"]
        try:
            measure([*command, *flags, "--fresh", "--quiet"], self.data)
        except CommandFailed as error:
            raise InputMissing(f"the summaries can't be made: {error}") from error
        count = sum(1 for _ in folder.glob("chunks/*/*.json"))
        if not slices * 0.99 <= count <= slices:
            raise InputMissing(f"the run left {count} summaries in chunks/, not {slices}")
        return Input(
            path=folder / "plan.json",
            name=f"summaries-k{k}/plan.json",
            origin=f"{count} summaries of {genome.name}: `--slice-size {slice_bytes} -k {k}`",
            folder=folder,
            stale=(folder / "master.json",),
        )

    def _write(self, path: Path, command: list[str]) -> None:
        """Make a file of what a command writes to stdout; it appears only when it is whole."""
        if path.exists():
            return
        unfinished = path.with_name(path.name + ".part")
        with unfinished.open("wb") as file:
            self._call(command, stdout=file.fileno())
        unfinished.replace(path)

    def _call(self, command: list[str], stdout: int = subprocess.DEVNULL) -> None:
        print(f"making an input: {Path(command[0]).name} ...", file=sys.stderr, flush=True)
        errors = self.data / "stderr"
        try:
            with errors.open("wb") as stderr:
                subprocess.run(
                    command, stdout=stdout, stderr=stderr, check=True, timeout=MAKING_SECONDS
                )
        except FileNotFoundError as error:
            raise InputMissing(f"{command[0]} isn't installed, which makes this input") from error
        except subprocess.SubprocessError as error:
            raise InputMissing(f"it can't be made: {error}") from error


@functools.cache
def generator_version() -> str:
    """That of `generate.py`, which isn't imported: numpy's memory would show in every peak."""
    command = [sys.executable, f"{HERE / 'generate.py'}", "--version"]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    return told.stdout.strip()


def sha256(path: Path) -> str:
    """The SHA-256 of a file; that of a large one is kept beside it."""
    facts = path.stat()
    if facts.st_size < SMALL_BYTES:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    key = f"{facts.st_size} {facts.st_mtime_ns} "
    kept = path.with_name(path.name + ".sha256")
    if kept.exists() and kept.read_text().startswith(key):
        return kept.read_text().split()[-1]
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    kept.write_text(f"{key}{digest}\n")
    return digest
