"""fanfold beside other tools, measured in turns: what `make bench` runs.

    python benchmarks/compare.py [--quick] [--runs N] [--only NAME]...

The table goes to the terminal and, with the raw results, to RESULTS.md and results.json; a run with
`--only` renews its own rows. `--quick` writes to the data folder instead.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import machine
import results
import table
import tools
from cases import CASES, Case, Entry
from inputs import FULL, QUICK, Input, InputMissing, Inputs
from measure import CommandFailed, measure

HERE = Path(__file__).parent
CHECKOUT = HERE.parent


def main() -> None:
    """Measure the cases that the command line names, and write the table."""
    arguments = parse_arguments()
    scale = QUICK if arguments.quick else FULL
    data = arguments.data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    results_path = arguments.results or (
        data / "quick-results.json" if arguments.quick else HERE / "results.json"
    )
    if machine.pin_to_cores() < machine.CORES:
        say(f"WARNING: this machine has fewer than {machine.CORES} cores to run on")

    fanfold = arguments.fanfold.resolve() if arguments.fanfold else tools.find_fanfold()
    surroundings = results.Surroundings(
        started=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC",
        scale=scale.name,
        commit=machine.commit(CHECKOUT),
        machine=machine.describe(),
        versions=tools.versions(fanfold),
    )
    inputs = Inputs(data, arguments.genomes, scale, fanfold)
    found = results.load(results_path)
    for case in CASES:
        if arguments.only and case.name not in arguments.only:
            continue
        runs = arguments.runs or case.runs or scale.runs
        found[case.name] = measure_case(case, inputs, runs, fanfold, surroundings)
        results.save(results_path, found)
        results.write_whole(table_path(results_path), table.render(found).encode())
    print(table.table(found))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Measure fanfold beside other tools.",
        epilog="cases: " + ", ".join(case.name for case in CASES),
    )
    parser.add_argument("--quick", action="store_true", help="a small genome and few runs")
    parser.add_argument("--runs", type=int, help="runs of each command")
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        choices=[case.name for case in CASES],
        help="measure this case; may be given several times",
    )
    parser.add_argument("--data", type=Path, default=HERE / "data", help="folder of the inputs")
    parser.add_argument(
        "--genomes",
        type=Path,
        default=CHECKOUT.parent / "shared" / "genomes",
        help="folder of the real genomes",
    )
    parser.add_argument("--results", type=Path, help="where the raw results are kept, as JSON")
    parser.add_argument("--fanfold", type=Path, help="the fanfold to measure")
    arguments = parser.parse_args()
    if arguments.runs is not None and arguments.runs < 1:
        parser.error(f"--runs is {arguments.runs}: it must be 1 or more")
    return arguments


def table_path(results_path: Path) -> Path:
    """Where the table goes: RESULTS.md beside results.json."""
    return results_path.with_name(results_path.stem.upper() + ".md")


def measure_case(
    case: Case, inputs: Inputs, runs: int, fanfold: Path | None, where: results.Surroundings
) -> results.CaseResult:
    """Run the commands of one case in turns."""
    try:
        source = inputs.make(case.input)
    except InputMissing as error:
        say(f"{case.name}: SKIPPED: {error}")
        return results.CaseResult(where, skipped=str(error))
    entries = {
        entry.name: results.EntryResult(shown(entry.command, source)) for entry in case.entries
    }
    os.sync()  # what is still to be written to disk must not be written during a measurement
    for turn in range(-case.warm_ups, runs):
        source.warm()
        for entry in case.entries:
            outcome = entries[entry.name]
            if not outcome.failure and (entry.turns is None or turn < entry.turns):
                run_once(entry, outcome, source, inputs.data, fanfold, is_measured=turn >= 0)
                say(f"{case.name}: {entry.name} {turn + 1}/{runs}: {outcome.latest}")
    described = source.described()
    source.discard()
    return results.CaseResult(where, input=described, entries=entries)


def run_once(
    entry: Entry,
    outcome: results.EntryResult,
    source: Input,
    data: Path,
    fanfold: Path | None,
    *,
    is_measured: bool,
) -> None:
    """Run one command in a folder of its own, and add what it took, or why it failed."""
    for file in source.stale:
        file.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=data) as name:
        folder = Path(name)
        (folder / "scratch").mkdir()
        try:
            command = resolved(entry.command, source, folder, fanfold)
            run = measure(command, folder, keep_output=entry.tells_rate)
        except CommandFailed as error:
            outcome.failure = str(error)
            return
        left = sum(file.stat().st_size for file in folder.glob("out*/**/*") if file.is_file())
        left += sum(file.stat().st_size for file in folder.glob("out*") if file.is_file())
    if is_measured:
        outcome.add(run, left)
        if entry.tells_rate:
            outcome.rates.append(json.loads(run.output)["gbases_per_second"])


def resolved(
    command: tools.Command, source: Input, folder: Path, fanfold: Path | None
) -> list[str | Path]:
    """A command with the paths of this run.

    Raises:
        CommandFailed: the program isn't there.
    """
    program, *words = command
    paths = {
        tools.INPUT: source.path,
        tools.OUTPUT: folder / "out",
        tools.SCRATCH: folder / "scratch",
    }
    arguments = [
        CHECKOUT / word if word.endswith(".py") else paths.get(word, word) for word in words
    ]
    if program == "fanfold":
        executable = fanfold
    elif program == "python":
        executable = Path(sys.executable)
    else:
        there = shutil.which(program)
        executable = Path(there) if there else None
    if executable is None:
        raise CommandFailed(tools.missing(program))
    return [executable, *arguments]


def shown(command: tools.Command, source: Input) -> str:
    """A command as a user would type it."""
    return " ".join(source.name if word == tools.INPUT else word for word in command)


def say(message: str) -> None:
    """Tell whoever waits."""
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted: the cases that were finished are kept")
