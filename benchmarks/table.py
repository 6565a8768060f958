"""The results as Markdown: one table, and what is needed to get the same again."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from cases import CASES, Case, Entry, Target
from results import CaseResult, EntryResult, Surroundings

TITLE = "# fanfold beside other tools"
READING = """\
Whole processes, from start to exit, on two cores, with the input in the page cache; the commands
of a case run in turns (A B C A B C …). Seconds are medians with the least and the most; CPU is the
median of user and system time; MB are the highest peak of resident memory, in millions of bytes.
The ratio divides a row's median by that of the row it names: beside another tool, *n* times fanfold
says that fanfold is *n* times faster, and less than 1 that it is **slower**.

What each does differs: fanfold counts the given strand and makes the whole report (composition,
records, gaps, N50, checksum) in the same pass. kmc counts canonical k-mers, by default and here; it
reads N, IUPAC codes and lowercase as fanfold does. jellyfish counts the given strand. In the tables
of k-mers from 11 on, all count canonical k-mers unless the row says otherwise; *written* is what
a run leaves on disk.
`seqkit stats -a` and `seqtk comp` count no k-mers."""
COLUMNS = ("work", "command", "seconds", "CPU s", "peak MB", "written MB", "ratio", "target", "")
REPRODUCE = """\
    make bench                                            # everything: 15 GB of disk, about an hour
    python benchmarks/compare.py --quick                  # 200 Mbase instead of 3.1 Gbase
    python benchmarks/compare.py --only genome-k5 --runs 9

The raw results are in `results.json` beside this file. The real genomes (`--genomes DIR`) are
human chromosome 20 of hs37 (`hs37_chr20.fa.gz`) and `phiX174.fa` (also in `tests/data`); without
them, their cases are skipped. Linux lets a process start with its parent's peak of memory: below
some 30 MB it is `compare.py`'s."""


def render(results: dict[str, CaseResult]) -> str:
    """The whole document."""
    parts = [
        TITLE,
        READING,
        table(results),
        "## Measured\n\n" + "\n".join(surroundings_lines(results)),
        "## Data\n\n" + "\n".join(input_lines(results)),
        "## Commands\n\n" + "\n".join(command_lines(results)),
        "## Once more\n\n" + REPRODUCE,
    ]
    return "\n\n".join(parts) + "\n"


def table(results: dict[str, CaseResult]) -> str:
    """One row for each command of each case, in the order of the cases."""
    rows = [row for case in CASES for row in case_rows(case, results.get(case.name))]
    return "\n".join([markdown(COLUMNS), markdown(("---",) * len(COLUMNS)), *map(markdown, rows)])


def case_rows(case: Case, result: CaseResult | None) -> Iterator[tuple[str, ...]]:
    """The rows of one case; what wasn't measured has its row too."""
    for number, entry in enumerate(case.entries):
        work = case.work if number == 0 else ""
        if result is None:
            yield failed_row(work, entry, "not measured yet")
        elif result.skipped:
            yield failed_row(work, entry, f"skipped: {result.skipped}")
        else:
            is_full = result.surroundings.scale == "full"
            yield entry_row(work, entry, result.entries, "" if is_full else " (quick)")


def entry_row(
    work: str, entry: Entry, entries: dict[str, EntryResult], remark: str
) -> tuple[str, ...]:
    """The row of one command; the remark goes with every verdict."""
    own = entries.get(entry.name)
    if own is None or not own.is_measured:
        return failed_row(work, entry, f"FAILED: {own.failure}" if own else "not measured yet")
    names = (entry.against,) if isinstance(entry.against, str) else entry.against or ()
    others = [entries[name] for name in names if name in entries and entries[name].is_measured]
    if len(others) < len(names):
        others = []
    return (
        work,
        entry.name,
        rate_cell(own) if own.rates else seconds_cell(own.wall_seconds),
        f"{statistics.median(own.cpu_seconds):.2f}",
        f"{own.peak_mb:,.0f}",
        f"{own.written_mb:,.0f}" if own.written_bytes else "",
        ratio_cell(entry, " + ".join(names), own, others),
        ", ".join(map(str, entry.targets)),
        ", ".join(verdict(target, own, others) + remark for target in entry.targets),
    )


def failed_row(work: str, entry: Entry, why: str) -> tuple[str, ...]:
    """The row of a command without a measurement."""
    targets = ", ".join(map(str, entry.targets))
    return (
        work,
        entry.name,
        f"**{why}**",
        "",
        "",
        "",
        "",
        targets,
        "not measured" if targets else "",
    )


def seconds_cell(seconds: list[float]) -> str:
    """The median, the least and the most."""
    digits = 3 if max(seconds) < 1 else 2
    median, least, most = (
        f"{value:.{digits}f}" for value in (statistics.median(seconds), min(seconds), max(seconds))
    )
    return f"{median} ({least}–{most})"  # noqa: RUF001 - from, to


def rate_cell(own: EntryResult) -> str:
    """The rate that a command told of itself."""
    least, most = min(own.rates), max(own.rates)
    return f"{statistics.median(own.rates):.2f} Gbase/s ({least:.2f}–{most:.2f})"  # noqa: RUF001


def ratio_of(own: EntryResult, others: list[EntryResult]) -> float | None:
    """How many times the time of other rows."""
    total = sum(other.median_seconds for other in others)
    return own.median_seconds / total if total else None


def ratio_cell(entry: Entry, against: str, own: EntryResult, others: list[EntryResult]) -> str:
    """How many times the other row's time; a tool that beats fanfold stands out."""
    if entry.against is None:
        return ""
    ratio = ratio_of(own, others)
    if ratio is None:
        return f"no {against}"
    text = f"{ratio:.2f} times {against}"
    is_beaten = (entry.against == "fanfold" and ratio < 1) or (
        entry.name == "fanfold" and entry.against == "kmc" and ratio > 1
    )
    return f"**{text}: slower**" if is_beaten else text


def verdict(target: Target, own: EntryResult, others: list[EntryResult]) -> str:
    """Whether a target is met."""
    match target.figure:
        case "ratio":
            value = ratio_of(own, others)
        case "peak ratio":
            value = own.peak_mb / others[0].peak_mb if others else None
        case "written ratio":
            value = own.written_mb / others[0].written_mb if others else None
        case "seconds":
            value = own.median_seconds
        case "peak MB":
            value = own.peak_mb
        case "Gbase/s":
            value = statistics.median(own.rates)
    if value is None:
        return "not measured"
    return "met" if target.is_met(value) else "**missed**"


def surroundings_lines(results: dict[str, CaseResult]) -> Iterator[str]:
    """When, where and with which versions each case was measured."""
    groups: dict[str, tuple[Surroundings, list[str]]] = {}
    for case in CASES:
        if result := results.get(case.name):
            where = result.surroundings
            groups.setdefault(where.started, (where, []))[1].append(case.name)
    for where, names in groups.values():
        versions = ", ".join(f"{tool} {version}" for tool, version in where.versions.items())
        yield f"- {', '.join(names)}: {where.started}, {where.scale}, commit {where.commit}"
        yield f"  - {where.machine}"
        yield f"  - {versions}"


def input_lines(results: dict[str, CaseResult]) -> Iterator[str]:
    """Each input once."""
    lines = [results[case.name].input for case in CASES if case.name in results]
    yield from (f"- {line}" for line in dict.fromkeys(lines) if line)


def command_lines(results: dict[str, CaseResult]) -> Iterator[str]:
    """The exact commands of each case. OUTPUT and SCRATCH are new for each run."""
    yield "OUTPUT and SCRATCH are new, and empty, for each run.\n"
    for case in CASES:
        if (result := results.get(case.name)) and result.entries:
            yield f"- {case.name}"
            yield from (
                f"  - `{entry.command}` ({len(entry.wall_seconds)} runs)"
                for entry in result.entries.values()
            )


def markdown(cells: tuple[str, ...]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
