"""What is compared with what, and which speed and memory is to be reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tools import (
    INPUT,
    PIGZ,
    SEQKIT,
    SEQTK,
    Command,
    fanfold_run,
    jellyfish,
    kmc,
    kmc_table,
)

Figure = Literal["ratio", "seconds", "peak MB", "peak ratio", "written ratio", "Gbase/s"]


@dataclass(frozen=True)
class Target:
    """A limit of a figure: the median's, or the highest peak's."""

    figure: Figure
    sense: Literal["≥", "≤"]
    limit: float

    def is_met(self, value: float) -> bool:
        """Whether a value keeps the limit."""
        return value >= self.limit if self.sense == "≥" else value <= self.limit

    def __str__(self) -> str:
        unit = {
            "ratio": "times",
            "seconds": "s",
            "peak MB": "MB",
            "peak ratio": "of the memory",
            "written ratio": "of the size",
            "Gbase/s": "Gbase/s",
        }[self.figure]
        return f"{self.sense} {self.limit:g} {unit}"


def at_least(figure: Figure, limit: float) -> Target:
    """A figure that may not be lower."""
    return Target(figure, "≥", limit)


def at_most(figure: Figure, limit: float) -> Target:
    """A figure that may not be higher."""
    return Target(figure, "≤", limit)


@dataclass(frozen=True)
class Entry:
    """One command of a case: one row of the table.

    Attributes:
        against: the entry whose median this one's is divided by: of another tool, fanfold's, so
            that the ratio says how many times faster fanfold is. Of several, their sum.
        tells_rate: it writes its own figure to stdout, as `kernel_rate.py` does.
        turns: how many turns it takes part in, if it is too slow for all.
    """

    name: str
    command: Command
    against: str | tuple[str, ...] | None = None
    targets: tuple[Target, ...] = ()
    tells_rate: bool = False
    turns: int | None = None


@dataclass(frozen=True)
class Case:
    """Commands on one input, run in turns.

    Attributes:
        name: what `--only` takes.
        work: what the table calls it.
        input: the name that `Inputs.make` knows.
        runs: how often each is run, if not as often as all others.
        warm_ups: how often each is run before, unmeasured.
    """

    name: str
    work: str
    input: str
    entries: tuple[Entry, ...]
    runs: int | None = None
    warm_ups: int = 0


def side_by_side(
    name: str, work: str, source: str, k: int, targets: dict[str, Target] | None = None
) -> Case:
    """All tools on one file, fanfold first; `targets` by the name of the tool."""
    others = {"kmc": kmc(k), "jellyfish": jellyfish(k), "seqkit": SEQKIT, "seqtk": SEQTK}
    rows = [
        Entry(
            tool,
            command,
            "fanfold",
            (targets[tool],) if targets and tool in targets else (),
            turns=1 if tool == "jellyfish" and source == "genome" else None,
        )
        for tool, command in others.items()
    ]
    return Case(name, work, source, (Entry("fanfold", fanfold_run(k)), *rows))


def fanfold_alone(name: str, work: str, source: str, command: Command, *targets: Target) -> Case:
    """One command of fanfold's, with no other to hold it against."""
    return Case(name, work, source, (Entry("fanfold", command, targets=targets),))


def beside_pigz(name: str, work: str, source: str, target: Target) -> Case:
    """A compressed genome: fanfold's whole run against the inflating alone."""
    run = Entry("fanfold", fanfold_run(5), "pigz", (target,))
    return Case(name, work, source, (run, Entry("pigz", PIGZ)))


CANONICAL: Command = ("--canonical",)


def tables(name: str, work: str, source: str, k: int, least_ratio: float) -> Case:
    """All canonical k-mers of a sequence into a table: KMC on disk and in memory, and Jellyfish.

    KMC's `-cs4294967295` counts as exactly as fanfold does; nobody asks for it who needn't.
    """
    faster = (at_least("ratio", least_ratio),)
    others = [
        Entry("kmc", kmc_table(k), "fanfold", faster),
        Entry("kmc in memory", kmc_table(k, "-r"), "fanfold", faster),
        Entry("kmc, exact counters", kmc_table(k, "-cs4294967295"), "fanfold"),
    ]
    if k == 21:
        command = jellyfish(k, "-C", size="400M")
        others.append(Entry("jellyfish", command, "fanfold", (at_least("ratio", 20),), turns=1))
    return Case(
        name,
        work,
        source,
        (
            Entry(
                "fanfold",
                fanfold_run(k, more=CANONICAL),
                "kmc",
                (at_most("peak ratio", 0.25), at_most("written ratio", 0.6 if k == 31 else 0.5)),
            ),
            *others,
        ),
    )


KERNEL: Command = ("python", "benchmarks/kernel_rate.py", INPUT, "--k", "5")
FOLD: Command = ("fanfold", "fold", INPUT)
SLICED = fanfold_run(5, slice_size="100MB")

CASES = (
    side_by_side("chromosome-k5", "real chromosome, k=5", "chromosome", 5),
    side_by_side("chromosome-k8", "real chromosome, k=8", "chromosome", 8),
    side_by_side(
        "genome-k5",
        "human-size genome, k=5",
        "genome",
        5,
        {"kmc": at_least("ratio", 8), "seqkit": at_least("ratio", 3)},
    ),
    side_by_side(
        "genome-k8",
        "human-size genome, k=8",
        "genome",
        8,
        {"kmc": at_least("ratio", 6), "seqkit": at_least("ratio", 3)},
    ),
    Case(
        "kernel",
        "one core of the kernel, k=5, in memory",
        "chromosome",
        (Entry("kernel", KERNEL, targets=(at_least("Gbase/s", 1.25),), tells_rate=True),),
    ),
    Case(
        "every-k",
        "k=1 to 8 at once, against k=8 alone",
        "genome",
        (
            Entry("k=1 to 8", fanfold_run(*range(1, 9)), "k=8", (at_most("ratio", 1.15),)),
            Entry("k=8", fanfold_run(8)),
        ),
    ),
    tables("assembly-k31", "table of 250 Mbase, k=31", "assembly", 31, 2.8),
    tables("assembly-k21", "table of 250 Mbase, k=21", "assembly", 21, 4.5),
    tables("chromosome-k31", "table of a real chromosome, k=31", "chromosome", 31, 2.8),
    Case(
        "assembly-k11",
        "table of 250 Mbase, k=11, given strand",
        "assembly",
        (
            Entry("fanfold", fanfold_run(11)),
            Entry(
                "kmc -b, exact counters",
                kmc_table(11, "-b", "-cs4294967295"),
                "fanfold",
                (at_least("ratio", 1.8),),
            ),
        ),
    ),
    Case(
        "several-k",
        "k=11, 21 and 31 in one run, against three",
        "assembly",
        (
            Entry(
                "together",
                fanfold_run(11, 21, 31, more=CANONICAL),
                ("k=11", "k=21", "k=31"),
                (at_most("ratio", 1),),
            ),
            *(Entry(f"k={k}", fanfold_run(k, more=CANONICAL)) for k in (11, 21, 31)),
        ),
        runs=3,
    ),
    Case(
        "small-memory",
        "table of 250 Mbase, k=31, in 512 MB",
        "assembly",
        (
            Entry(
                "--memory 512MB",
                fanfold_run(31, more=(*CANONICAL, "--memory", "512MB")),
                "any memory",
                (at_most("ratio", 1.5), at_most("peak MB", 512)),
            ),
            Entry("any memory", fanfold_run(31, more=CANONICAL)),
        ),
        runs=3,
    ),
    beside_pigz("gzip", "the genome as plain gzip, k=5", "gzip", at_most("ratio", 1.1)),
    beside_pigz("bgzf", "the genome as BGZF, k=5", "bgzf", at_most("ratio", 0.6)),
    Case(
        "start",
        "phiX (5 kb), and the version",
        "phiX",
        (
            Entry("run", fanfold_run(5), targets=(at_most("seconds", 0.3),)),
            Entry("--version", ("fanfold", "--version"), targets=(at_most("seconds", 0.15),)),
        ),
        runs=15,
        warm_ups=1,
    ),
    fanfold_alone(
        "memory", "human-size genome, slices of 100 MB", "genome", SLICED, at_most("peak MB", 400)
    ),
    fanfold_alone(
        "single-line",
        "the genome as one record on one line",
        "single line",
        SLICED,
        at_most("peak MB", 400),
    ),
    fanfold_alone(
        "short-records",
        "short records of 100 bases",
        "short records",
        SLICED,
        at_most("peak MB", 1000),
    ),
    fanfold_alone(
        "fold-k5",
        "fold of 10,000 summaries, k=5",
        "summaries k=5",
        FOLD,
        at_most("seconds", 10),
        at_most("peak MB", 500),
    ),
    fanfold_alone(
        "fold-k8",
        "fold of 1,000 summaries, k=8",
        "summaries k=8",
        FOLD,
        at_most("seconds", 10),
        at_most("peak MB", 500),
    ),
)
