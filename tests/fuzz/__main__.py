"""Fuzz a target, or replay inputs: `python -m fuzz law --seconds 60`, in `tests/`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from fuzz.loop import corpus, fuzz, replay
from fuzz.targets import TARGETS


def main() -> int:
    """Return 1 if a law was broken."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", default=os.urandom(4).hex())
    parser.add_argument(
        "--replay", type=Path, nargs="*", help="inputs; the corpus if none is named"
    )
    parser.add_argument("--write-seeds", type=Path, help="a folder for the inputs to start from")
    asked = parser.parse_args()
    if asked.write_seeds is not None:
        write_seeds(asked.target, asked.write_seeds)
        return 0
    if asked.replay is None:
        found = fuzz(asked.target, asked.seconds, asked.seed)
    else:
        found = replay(asked.target, asked.replay or corpus(asked.target))
    sys.stdout.write("nothing broke the law\n" if found is None else f"{found}\n")
    return found is not None


def write_seeds(target: str, folder: Path) -> None:
    """Write a target's seeds into a folder, for another fuzzer."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(TARGETS[target].seeds()):
        (folder / f"seed{index}").write_bytes(seed)


if __name__ == "__main__":
    sys.exit(main())
