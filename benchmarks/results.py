"""The raw results as JSON: every run of every command, kept from one `compare.py` to the next."""

from __future__ import annotations

import statistics
from pathlib import Path

import msgspec
from measure import Measurement


class Surroundings(msgspec.Struct, frozen=True):
    """What is the same for everything that one `compare.py` measured.

    Attributes:
        started: when it began, in UTC, to the minute.
        scale: `full` or `quick`.
        commit: of the checkout.
        machine: the hardware and the system.
        versions: of fanfold and all tools.
    """

    started: str
    scale: str
    commit: str
    machine: str
    versions: dict[str, str]


class EntryResult(msgspec.Struct):
    """All runs of one command, or why there are none.

    Attributes:
        command: as a user would type it, with the names of the inputs.
        failure: what went wrong; the runs don't count then.
        rates: the figures that the command told of itself, in Gbase/s.
        written_bytes: the size of what each run left in its folder.
    """

    command: str
    failure: str = ""
    wall_seconds: list[float] = []
    cpu_seconds: list[float] = []
    peak_bytes: list[int] = []
    rates: list[float] = []
    written_bytes: list[int] = []

    def add(self, run: Measurement, written_bytes: int) -> None:
        """Take in one more run."""
        self.written_bytes.append(written_bytes)
        self.wall_seconds.append(round(run.wall_seconds, 4))
        self.cpu_seconds.append(round(run.cpu_seconds, 4))
        self.peak_bytes.append(run.peak_bytes)

    @property
    def latest(self) -> str:
        """What became of the last run."""
        if self.failure:
            return f"FAILED: {self.failure}"
        return f"{self.wall_seconds[-1]:.3f} s" if self.wall_seconds else "warm-up"

    @property
    def is_measured(self) -> bool:
        """Whether all runs succeeded."""
        return not self.failure and bool(self.wall_seconds)

    @property
    def median_seconds(self) -> float:
        """The median time."""
        return statistics.median(self.wall_seconds)

    @property
    def written_mb(self) -> float:
        """The most that a run left, in millions of bytes."""
        return max(self.written_bytes, default=0) / 1e6

    @property
    def peak_mb(self) -> float:
        """The highest peak of all runs, in millions of bytes."""
        return max(self.peak_bytes) / 1e6


class CaseResult(msgspec.Struct):
    """All that was found for one case.

    Attributes:
        skipped: why nothing was measured.
        input: name, size, SHA-256 and origin of the input, as one line.
        entries: by the names of the case's entries.
    """

    surroundings: Surroundings
    skipped: str = ""
    input: str = ""
    entries: dict[str, EntryResult] = {}


def load(path: Path) -> dict[str, CaseResult]:
    """The results of earlier, by the name of the case."""
    if not path.exists():
        return {}
    return msgspec.json.decode(path.read_bytes(), type=dict[str, CaseResult])


def save(path: Path, results: dict[str, CaseResult]) -> None:
    """Keep the results, with an atomic replace."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(results), indent=1))


def write_whole(path: Path, text: bytes) -> None:
    """Replace a file at once."""
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(text)
    unfinished.replace(path)
