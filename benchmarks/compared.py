"""A day's work with genomes, by fanfold and other tools: the tables of docs/compared.md.

    python benchmarks/compared.py [--runs N] [--only NAME]... [--bases N] [--data DIR]

The tables are written between their marks in docs/compared.md; the words around them stay. With
`--only`, or without the real genomes, they go to the terminal alone.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import shutil
import statistics
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import machine
import tools
from compared_cases import CASES, MISTAKES, READERS, Case, Job
from compared_inputs import Answer, make_inputs
from measure import CommandFailed, Measurement, measure, read_through

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parent / "docs" / "compared.md"
GENOMES = HERE.parents[1] / "shared" / "genomes"
SECONDS = 120.0

VERSIONS = {
    "fanfold": "fanfold --version",
    "seqkit": "seqkit version",
    "seqtk": "seqtk",
    "assembly-stats": "assembly-stats -v",
    "QUAST": "quast.py --version",
    "samtools": "samtools --version",
    "KMC": "kmc",
    "Jellyfish": "jellyfish --version",
    "Mash": "mash --version",
}


def main() -> None:
    """Measure what the command line names, and write the tables."""
    parser = argparse.ArgumentParser(description="Measure a day's work, by several tools.")
    parser.add_argument("--runs", type=int, default=5, help="runs of each command")
    parser.add_argument("--only", action="append", choices=[case.name for case in CASES])
    parser.add_argument("--bases", type=int, default=1_000_000_000, help="of the large genome")
    parser.add_argument("--genomes", type=Path, default=GENOMES, help="folder of the real genomes")
    parser.add_argument("--data", type=Path, default=HERE / "data" / "compared")
    arguments = parser.parse_args()
    machine.pin_to_cores()
    # The fanfold of this Python, before any other.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    data: Path = arguments.data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    genomes: Path = arguments.genomes.resolve()
    os.chdir(data)
    # Apart: a child starts with its parent's peak of memory.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        known = pool.submit(make_inputs, genomes, arguments.bases).result()
    rows = [
        "| what is asked | command | s | CPU s | MB | answer |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for case in CASES:
        if arguments.only and case.name not in arguments.only:
            continue
        if case.source not in known:
            print(f"*** LEFT OUT: {case.asked}: its genome isn't in {genomes}", file=sys.stderr)
            continue
        rows += case_rows(case, arguments.runs, known[case.source])
    tables = {"speed": "\n".join(rows)}
    if not arguments.only:
        tables["mistakes"] = mistakes_table(known)
        tables["measured"] = surroundings()
    print("\n\n".join(tables.values()))
    if not arguments.only and all(case.source in known for case in CASES):
        write_tables(tables)


def case_rows(case: Case, runs: int, answer: Answer) -> list[str]:
    """Run the commands of a case in turns; their rows."""
    words = {job: expanded(job.command) for job in case.jobs}
    for path in expanded(case.source):
        read_through(Path(path))
    found: dict[Job, list[Measurement]] = {job: [] for job in case.jobs}
    said: dict[Job, str] = {}
    for turn in range(-1, runs):  # the first one is a warm-up
        for job in case.jobs:
            if job in said or (job.runs is not None and turn >= job.runs):
                continue
            try:
                run, text = run_once(words[job], job.written)
            except CommandFailed as error:
                said[job] = f"**none**: {failure_of(error)}"
                continue
            if turn >= 0:
                found[job].append(run)
            if turn == (job.runs or runs) - 1:
                said[job] = judged(job, text, answer)
        print(f"{case.name}: turn {turn + 1} of {runs}", file=sys.stderr, flush=True)
    return [
        row(case.asked if place == 0 else "", job, found[job], said[job])
        for place, job in enumerate(case.jobs)
    ]


def expanded(command: str) -> list[str]:
    """A command's words, its globs as the shell expands them."""
    words = command.split()
    return [
        each
        for word in words
        for each in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
    ]


def run_once(words: list[str], written: str | None) -> tuple[Measurement, str]:
    """Run a command with a new `out`; what it took, and its answer.

    Raises:
        CommandFailed: it is missing, or failed.
    """
    program = shutil.which(words[0])
    if program is None:
        raise CommandFailed("not installed")
    out, folder = Path("out"), Path("run")
    for stale in (out, folder):
        shutil.rmtree(stale, ignore_errors=True)
        stale.unlink(missing_ok=True)
        stale.mkdir()
    if words[0] in {"samtools", "fanfold"}:  # they make it
        out.rmdir()
    for index in Path().glob("*.fai"):
        index.unlink()
    run = measure([program, *words[1:]], folder, keep_output=True, timeout_seconds=SECONDS)
    return run, Path(written).read_text() if written else run.output


def judged(job: Job, text: str, answer: Answer) -> str:
    """Whether what a command says has the naive answer in it."""
    numbers = set(re.findall(r"\d+(?:\.\d+)?", text.replace(",", "")))
    wrong = [fact for fact in job.facts if answer[fact] not in numbers]
    verdict = f"**wrong**: {', '.join(wrong)}" if wrong else "right" if job.facts else ""
    return "; ".join(filter(None, (verdict, job.remark)))


def failure_of(error: CommandFailed) -> str:
    """Why a command failed, in a few words."""
    return str(error).replace("|", " ")[:80]


def row(asked: str, job: Job, found: list[Measurement], said: str) -> str:
    """A row of the table of speeds."""
    if not found:
        return f"| {asked} | `{job.command}` | | | | {said} |"
    wall = statistics.median(each.wall_seconds for each in found)
    cpu = statistics.median(each.cpu_seconds for each in found)
    peak = max(each.peak_bytes for each in found) / 1e6
    return f"| {asked} | `{job.command}` | {wall:.2f} | {cpu:.2f} | {peak:,.0f} | {said} |"


def mistakes_table(known: dict[str, Answer]) -> str:
    """What each tool makes of each mistake."""
    rows = [["given", *READERS], ["---"] * (1 + len(READERS))]
    for name, called in MISTAKES.items():
        if name in known:
            outcomes = [outcome(command, name, known[name]) for command in READERS.values()]
            rows.append([called, *outcomes])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def outcome(command: str, name: str, answer: Answer) -> str:
    """What a tool says of an input: its exit code, and the length that it finds."""
    words = command.format(name).split()
    if shutil.which(words[0]) is None:
        return "not installed"
    shutil.rmtree("out", ignore_errors=True)
    Path("out").mkdir()
    stdin = Path("P_knowlesi.fa") if name == "-" else Path(os.devnull)
    with stdin.open("rb") as file:
        done = subprocess.run(words, stdin=file, capture_output=True, timeout=SECONDS, check=False)
    report = Path("out", "report.tsv")
    told = report.read_bytes() if report.exists() else done.stdout
    text = told.decode(errors="replace").replace(",", "")
    if done.returncode != 0:
        return f"refused ({done.returncode})"
    lines = [line.split("\t") for line in text.splitlines()]
    length = length_in(words[0], lines)
    warned = ", with a warning" if done.stderr.strip() and words[0] != "quast.py" else ""
    if length is None:
        return f"no figure, exit 0{warned}"
    verdict = "right" if f"{length}" == answer.get("length") else f"**{length:,} bases**"
    return f"{verdict}{warned}"


def length_in(program: str, lines: list[list[str]]) -> int | None:
    """The summed length in a tool's table; None if there is none."""
    column = {"fanfold": 2, "seqkit": 4, "assembly-stats": 1}.get(program, 1)
    if program == "quast.py":
        lines = [line for line in lines if line[0] == "Total length (>= 0 bp)"]
    cells = [line[column] for line in lines if len(line) > column]
    numbers = [int(cell) for cell in cells if cell.isdecimal()]
    return sum(numbers) if numbers else None


def surroundings() -> str:
    """When, where and with which versions."""
    versions = ", ".join(
        f"{tool} {tools.told_version(command.split())}"
        if shutil.which(command.split()[0])
        else f"{tool}: not installed"
        for tool, command in VERSIONS.items()
    )
    commit = machine.commit(HERE.parent)
    return (
        f"Measured on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit}:"
        f" {machine.describe()}; {versions}."
    )


def write_tables(tables: dict[str, str]) -> None:
    """Put each table between its marks."""
    text = DOCUMENT.read_text()
    for name, table in tables.items():
        marks = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, rest = text.split(marks[0])
        text = f"{before}{marks[0]}\n\n{table}\n\n{marks[1]}{rest.split(marks[1])[1]}"
    DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
