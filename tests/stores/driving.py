"""What the tests of storage share: a genome in every form, buckets, and the command."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from archives import bgzf
from servers.warm import warm_fanfold

import fanfold

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FANFOLD = str(Path(sysconfig.get_path("scripts")) / "fanfold")
DATA = Path(__file__).parents[1] / "data"
GENOME = b"".join((DATA / name).read_bytes() for name in ("phiX174.fa", "lambda_NC_001416.fa"))

BUCKET = "bucket"
OF_A_STORE = ("AWS_", "AZURE_", "GOOGLE_", "FANFOLD_")
AT_LEISURE = {"FANFOLD_READ_TIMEOUT": "30", "FANFOLD_RETRY_TIMEOUT": "60"}
"""Less than a user would wait, and enough on a machine that is busy."""
OF_ONE_RUN = {"plan.json", "run.json"}
"""The files that tell of a run, not of its input."""


FORMS = {
    "genome.fa": GENOME,
    "genome.fa.gz": gzip.compress(GENOME, mtime=0),
    "members.fa.gz": gzip.compress(GENOME[:7000], mtime=0) + gzip.compress(GENOME[7000:], mtime=0),
    "genome.fa.bgz": bgzf(GENOME, 5000),
    "genome.fa.zst": zstd.compress(GENOME),
}
"""The genome in every form that is cut, or inflated, in a way of its own."""

OPTIONS = ("-k", "3", "-k", "5", "--slice-size", "9000", "--quiet")
"""Those of `fanfold.run(..., **KEYWORDS)` on the command line."""


STDIN = {"-", "/dev/stdin"}


class Keywords(NamedTuple):
    """What all runs are asked here."""

    k: tuple[int, ...] = (3, 5)
    slice_bytes: int = 9000


ASKED = Keywords()


class Bucket(NamedTuple):
    """A bucket or container in some store, and how it is seen from behind."""

    url: str
    variables: Mapping[str, str]
    """Those by which a client finds the store."""
    put: Callable[[str, bytes], object]
    get: Callable[[str], bytes]
    keys: Callable[[str], list[str]]

    def results(self, prefix: str) -> dict[str, bytes]:
        """What must not depend on how a run was cut or driven: all files but those of one run."""
        names = [key.removeprefix(f"{prefix}/") for key in self.keys(f"{prefix}/")]
        return {
            name: self.get(f"{prefix}/{name}")
            for name in names
            if name.rpartition("/")[0] in {"", "multiqc"} and name not in OF_ONE_RUN
        }

    def everything(self, prefix: str) -> dict[str, bytes]:
        """All objects under a prefix."""
        return {key: self.get(key) for key in self.keys(f"{prefix}/")}


def run(location: str | Path, out: str | Path, *, fresh: bool = False) -> fanfold.Report:
    """A run with what is asked here."""
    return fanfold.run(location, ASKED.k, out=out, slice_bytes=ASKED.slice_bytes, fresh=fresh)


def run_array(location: str | Path, out: str) -> fanfold.Report:
    """The same by the verbs, with the plan's URL."""
    made = fanfold.plan(location, ASKED.k, out=out, slice_bytes=ASKED.slice_bytes)
    for each in made.slices:
        fanfold.task(f"{out}/plan.json", each.index)
    return fanfold.fold(f"{out}/plan.json")


def results(out: Path) -> dict[str, bytes]:
    """The same as `Bucket.results`, of a folder."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in [*out.iterdir(), *out.glob("multiqc/*")]
        if path.is_file() and path.name not in OF_ONE_RUN
    }


def clean_environment() -> dict[str, str]:
    """The environment without what tells of stores, so that a test's own is all there is."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OF_A_STORE)}


@contextmanager
def running(
    *arguments: str | Path, variables: Mapping[str, str], program: tuple[str, ...] = (FANFOLD,)
) -> Iterator[subprocess.Popen[bytes]]:
    """The command at work, fed by a pipe. It is killed if it is still there at the end."""
    with subprocess.Popen(
        [*program, *map(str, arguments)],
        env=clean_environment() | AT_LEISURE | dict(variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def command(
    *arguments: str | Path,
    variables: Mapping[str, str],
    stdin: bytes = b"",
    program: tuple[str, ...] = (FANFOLD,),
) -> subprocess.CompletedProcess[str]:
    """The command, to its end."""
    if program == (FANFOLD,) and not stdin and not STDIN.intersection(map(str, arguments)):
        environment = clean_environment() | AT_LEISURE | dict(variables)
        words = [FANFOLD, *map(str, arguments)]
        return warm_fanfold().run(words, environment, errors="surrogateescape")
    with running(*arguments, variables=variables, program=program) as process:
        out, err = process.communicate(stdin, timeout=120)
    return subprocess.CompletedProcess(
        process.args, process.returncode, out.decode(), err.decode(errors="surrogateescape")
    )


def succeed(
    *arguments: str | Path, variables: Mapping[str, str], stdin: bytes = b""
) -> subprocess.CompletedProcess[str]:
    done = command(*arguments, variables=variables, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done


def assert_told(done: subprocess.CompletedProcess[str], exit_code: int, *words: str | Path) -> None:
    """It ended with the code, and said `words` in one or two lines."""
    assert done.returncode == exit_code, done.stderr
    assert not done.stdout
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) <= 2, done.stderr
    assert lines[0].startswith("fanfold: ")
    for bad in ("Traceback", "unexpected"):
        assert bad not in done.stderr
    for word in words:
        assert str(word) in done.stderr


def wait_until(reached: Callable[[], bool], timeout_seconds: float = 120) -> None:
    end = time.monotonic() + timeout_seconds
    while not reached():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)
