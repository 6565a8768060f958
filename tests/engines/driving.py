"""What the tests of the engines share: the command, what it left, and compressed texts."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from servers.s3 import S3Server
from servers.warm import warm_fanfold

import fanfold
from fanfold.params import TrailingGarbage

FANFOLD = str(Path(sysconfig.get_path("scripts")) / "fanfold")
DATA = Path(__file__).parents[1] / "data"
GENOMES = Path(__file__).resolve().parents[3] / "shared" / "genomes"
BUCKET = "bucket"
OF_A_STORE = ("AWS_", "AZURE_", "GOOGLE_")
OF_ONE_RUN = {"plan.json", "run.json"}
"""The files that tell of a run, not of its input."""


def clean_environment() -> dict[str, str]:
    """The environment without what tells of stores, so that a test's own is all there is."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OF_A_STORE)}


@contextmanager
def running(
    *arguments: str | Path,
    variables: Mapping[str, str] | None = None,
    stdin: Path | None = None,
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """The command at work. It is killed if it is still there at the end."""
    with (
        Path(stdin or os.devnull).open("rb") as source,
        subprocess.Popen(
            [FANFOLD, *map(str, arguments)],
            env=clean_environment() | dict(variables or {}),
            stdin=source,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def command(
    *arguments: str | Path,
    variables: Mapping[str, str] | None = None,
    stdin: Path | None = None,
    cwd: Path | None = None,
    timeout_seconds: float = 120,
) -> subprocess.CompletedProcess[str]:
    """The command, to its end."""
    words = [FANFOLD, *map(str, arguments)]
    environment = clean_environment() | dict(variables or {})
    return warm_fanfold().run(
        words, environment, folder=cwd, stdin=stdin, timeout_seconds=timeout_seconds
    )


def succeed(
    *arguments: str | Path,
    variables: Mapping[str, str] | None = None,
    stdin: Path | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    done = command(*arguments, variables=variables, stdin=stdin, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done


def wait_until(reached: Callable[[], bool], timeout_seconds: float = 120) -> None:
    end = time.monotonic() + timeout_seconds
    while not reached():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


def results(out: Path) -> dict[str, bytes]:
    """What must not depend on how a run was cut or driven: all files but those of one run."""
    if not out.is_dir():
        return {}
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in [*out.iterdir(), *out.glob("multiqc/*"), *out.glob("kmers/**/*")]
        if path.is_file() and path.name not in OF_ONE_RUN
    }


def stored_results(s3: S3Server, prefix: str) -> dict[str, bytes]:
    """The same, of a prefix in the bucket."""
    names = (key.removeprefix(f"{prefix}/") for key in s3.keys(BUCKET, f"{prefix}/"))
    return {
        name: s3.get(BUCKET, f"{prefix}/{name}")
        for name in names
        if name.partition("/")[0] in {name, "multiqc", "kmers"} and name not in OF_ONE_RUN
    }


def whole(
    path: Path,
    out: Path,
    k: tuple[int, ...] = (5,),
    *,
    canonical: bool = False,
    trailing_garbage: TrailingGarbage = "refuse",
) -> dict[str, bytes]:
    """What one thread makes of one slice that is the whole of a file."""
    fanfold.run(
        path,
        k,
        canonical=canonical,
        out=out,
        slice_bytes=10**9,
        workers=1,
        trailing_garbage=trailing_garbage,
    )
    return results(out)
