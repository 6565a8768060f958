"""Runs a target in a process of its own, which may die, or never end.

The process writes down every input before it checks it: what is there in the end, broke the law.
"""

from __future__ import annotations

import hashlib
import logging
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"

_CASE_SECONDS = 120
"""A case takes milliseconds; one that takes so long never ends."""

_GROWTH_BYTES = 512 * 1024 * 1024
"""What the checks of all cases together may take."""


def corpus(target: str) -> list[Path]:
    """The inputs of a target that are kept."""
    return sorted((CORPUS / target).glob("*"))


def fuzz(target: str, seconds: float, seed: str, keep_in: Path | None = None) -> str | None:
    """What broke the law of a target, in words; None if nothing did in some seconds.

    The input is kept in the corpus, or in another folder.
    """
    words = ("loop", target, str(seconds), seed)
    failure, data = _run(words, seconds + _CASE_SECONDS)
    if failure is None or data is None:
        return failure
    folder = CORPUS / target if keep_in is None else keep_in
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    return (
        f"{failure}\n{target}: an input broke the law, with seed {seed}: {path}\n"
        f"replay it in tests/: python -m fuzz {target} --replay {path}"
    )


def replay(target: str, paths: Sequence[Path]) -> str | None:
    """What broke the law of a target among some inputs, in words; None if nothing did."""
    words = ("replay", target, *(str(path.resolve()) for path in paths))
    failure, data = _run(words, _CASE_SECONDS * (1 + len(paths)))
    if failure is None:
        return None
    broken = next((path for path in paths if path.read_bytes() == data), None)
    return f"{failure}\n{target}: broken by {broken}"


def _run(words: Sequence[str], most_seconds: float) -> tuple[str | None, bytes | None]:
    """How a process of this module failed, if it did, and the last input it had, if any."""
    # In memory where that can be: folders are made and synced in every case.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - on Linux
    with tempfile.TemporaryDirectory(prefix="fanfold-fuzz-", dir=memory) as folder:
        current = Path(folder) / "input"
        command = [sys.executable, "-m", "fuzz.loop", str(current), *words]
        try:
            done = subprocess.run(
                command,
                cwd=CORPUS.parents[1],
                env={**os.environ, "TMPDIR": folder},
                capture_output=True,
                text=True,
                check=False,
                timeout=most_seconds,
            )
            failure = f"{done.stdout}{done.stderr}it ended with {done.returncode}"
        except subprocess.TimeoutExpired:
            failure = f"it was still at work after {most_seconds} seconds"
        else:
            if done.returncode == 0:
                return None, None
        return failure, current.read_bytes() if current.exists() else None


def _work(current: Path, verb: str, name: str, *rest: str) -> None:
    """What the process does."""
    target = TARGETS[name]
    logging.disable()
    pool = [*target.seeds(), *(path.read_bytes() for path in corpus(name))]
    most_bytes = _peak_bytes() + _GROWTH_BYTES
    with current.open("wb", buffering=0) as file:

        def check(data: bytes) -> None:
            file.seek(0)
            file.truncate()
            file.write(data)
            target.check(data)
            assert _peak_bytes() < most_bytes, "it takes too much memory"

        if verb == "replay":
            for path in rest:
                check(Path(path).read_bytes())
            return
        seconds, seed = rest
        draw = random.Random(seed)
        ends = time.monotonic() + float(seconds)
        while True:
            check(target.draw(draw, pool))
            if time.monotonic() > ends:
                return


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    _work(Path(sys.argv[1]), *sys.argv[2:])
