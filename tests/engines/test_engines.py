"""The same bytes, or the same error, whatever runs the tasks and wherever the bytes are."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import sys
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from archives import bgzf, gzip_of_small_blocks
from servers.s3 import S3Server

import fanfold
import fanfold.flow.tasks
from engines.dask_cluster import Cluster, dask_cluster
from engines.driving import (
    BUCKET,
    DATA,
    GENOMES,
    command,
    results,
    running,
    stored_results,
    succeed,
    wait_until,
    whole,
)
from fanfold.errors import FanfoldError
from fanfold.params import TrailingGarbage
from fanfold.report.run_record import NEEDED, RENDERINGS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PHIX = (DATA / "phiX174.fa").read_bytes()
MT = (DATA / "human_MT.fa").read_bytes()
TEXT = PHIX + b"\n>gaps in odd case\n" + b"acgtNNNNnnnn" * 500 + b"\n" + MT
ONE_LINE = b">chr1\n" + MT.partition(b"\n")[2].replace(b"\n", b"") + b"\n"
CRLF = TEXT.replace(b"\n", b"\r\n")
TINY = b"\xef\xbb\xbf\r\n>a b\r\nACGTNNnn\r\n;c\r\nnACG\n>\n>a\nRY-*acgtTT\n>\xff z\nGATTACA"
"""Something of all that a cut may fall into."""


class Case(NamedTuple):
    """An input, and what is asked of it."""

    content: bytes | Path | None
    """None: there is no such object."""
    name: str = "x.fa"
    k: tuple[int, ...] = (2, 5)
    canonical: bool = False
    slice_bytes: int = 9000
    piped: bool = False
    trailing_garbage: TrailingGarbage = "refuse"


GARBAGE = b"\0\0not a member\n>z\nACGT\n"

CASES = {
    "plain": Case(TEXT),
    "a record a slice": Case(TEXT, slice_bytes=len(PHIX)),
    "one slice": Case(TEXT, slice_bytes=10**6),
    "one chromosome on one line": Case(ONE_LINE, slice_bytes=5000),
    "BGZF": Case(bgzf(TEXT, 3000), "x.fa.gz", slice_bytes=2500),
    "plain gzip": Case(gzip_of_small_blocks(TEXT), "x.fa.gz"),
    "BGZF and garbage": Case(
        bgzf(TEXT, 3000) + GARBAGE, "x.fa.gz", slice_bytes=2500, trailing_garbage="ignore"
    ),
    "xz, padding and garbage": Case(
        lzma.compress(TEXT[:9999]) + bytes(8) + lzma.compress(TEXT[9999:]) + GARBAGE,
        "x.fa.xz",
        trailing_garbage="ignore",
    ),
    "BGZF and garbage by standard input": Case(
        bgzf(TEXT, 3000) + GARBAGE, "x.fa.gz", piped=True, trailing_garbage="ignore"
    ),
    "gzip in members": Case(
        gzip.compress(TEXT[:9999]) + gzip.compress(b"") + gzip.compress(TEXT[9999:]), "x.fa.gz"
    ),
    "zstd": Case(zstd.compress(TEXT), "x.fa.zst"),
    "standard input": Case(TEXT, piped=True),
    "gzip by standard input": Case(gzip.compress(TEXT), "x.fa.gz", piped=True),
    "BGZF by standard input": Case(bgzf(TEXT, 3000), "x.fa.gz", piped=True),
    "several k, canonical": Case(TEXT, k=(8, 1, 3), canonical=True),
    "k from 9 on": Case(TEXT, k=(5, 9, 31), canonical=True),
    "k from 9 on in BGZF": Case(bgzf(TEXT, 3000), "x.fa.gz", k=(12, 32), slice_bytes=2500),
    "k from 9 on by standard input": Case(TEXT, k=(21,), piped=True),
    "no k": Case(TEXT, k=(0,)),
    "odd text": Case(TINY, slice_bytes=29),
    "no bytes between two cuts of BGZF": Case(bgzf(TINY, 10**4), "x.fa.gz", slice_bytes=40),
    "CRLF": Case(CRLF, slice_bytes=7000),
}


def tar_of(text: bytes) -> bytes:
    """A tar archive that holds a genome."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as members:
        member = tarfile.TarInfo("x.fna")
        member.size = len(text)
        members.addfile(member, io.BytesIO(text))
    return archive.getvalue()


BAD = {
    "FASTQ": Case(b"@read\nACGT\n+\nIIII\n"),
    "zip": Case(b"PK\x03\x04" + bytes(26) + b"x.fna", "x.zip"),
    "SAM in gzip": Case(gzip.compress(b"@HD\tVN:1.6\n" + TEXT), "x.sam.gz"),
    "tar in bzip2": Case(bz2.compress(tar_of(TEXT)), "x.tar.bz2"),
    "BAM": Case(bgzf(b"BAM\1" + TEXT, 3000), "x.bam", slice_bytes=2500),
    "tar in gzip by standard input": Case(gzip.compress(tar_of(TEXT)), "x.tar.gz", piped=True),
    "truncated gzip": Case(gzip.compress(TEXT)[:-20], "x.fa.gz"),
    "truncated BGZF": Case(bgzf(TEXT, 3000)[:-40], "x.fa.gz", slice_bytes=2500),
    "bare CR": Case(TEXT[:20_000].replace(b"\n", b"\r", 1) + TEXT[20_000:], slice_bytes=5000),
    "bare CR late": Case(TEXT + b"AC\rGT\n", slice_bytes=5000),
    "truncated BGZF by standard input": Case(bgzf(TEXT, 3000)[:-40], "x.fa.gz", piped=True),
    "missing": Case(None),
}
SHARED = {
    name: Case(GENOMES / file, file, slice_bytes=slice_bytes)
    for name, (file, slice_bytes) in {
        "a draft": ("S_aureus_draft767.fa", 700_000),
        "BGZF by bgzip": ("hg18_trimmed_softmasked.fasta.gz", 70_000),
        "a chromosome in gzip": ("ecoli_K12_GCF_000005845.2.fna.gz", 1_500_000),
    }.items()
}

Run = Callable[..., object]
"""As `fanfold.run`, on some engine."""


class ShellError(Exception):
    """What a command ended with, and what it said."""

    def __init__(self, exit_code: int, said: str) -> None:
        super().__init__(said.removeprefix("fanfold: ").removesuffix("\n"))
        self.exit_code = exit_code


def run_by_verbs(
    location: str,
    k: tuple[int, ...],
    *,
    out: str,
    slice_bytes: int,
    canonical: bool = False,
    name: str | None = None,
    trailing_garbage: TrailingGarbage = "refuse",
    stdin: Path | None = None,
) -> None:
    """`plan`, `task`, `fold` and `reduce`, each a process of its own, the tasks backwards."""
    store = {each: value for each, value in os.environ.items() if each.startswith("AWS_")}

    def call(*arguments: str, stdin: Path | None = None) -> str:
        done = command(*arguments, variables=store, stdin=stdin)
        if done.returncode:
            raise ShellError(done.returncode, done.stderr)
        return done.stdout

    words = [word for each in k for word in ("-k", str(each))]
    words += ["--trailing-garbage", trailing_garbage]
    words += ["--canonical"] * canonical + (["--name", name] if name else [])
    planned = call(
        *("plan", location, "--out", out, "--quiet", "--slice-size", str(slice_bytes), *words),
        stdin=stdin,
    )
    plan = planned.removesuffix("\n")
    folder = fanfold.flow.tasks.open_plan(plan)
    for each in reversed(folder.slices):
        call("task", plan, "--index", str(each.index))
    counts = len(folder.plan.counts)
    if counts:
        with pytest.raises(ShellError, match=f"{counts} of {counts} counts of k-mers are missing"):
            call("fold", plan, "--quiet")
    for index in reversed(range(counts)):
        call("reduce", plan, "--index", str(index))
    call("fold", plan, "--quiet")


@pytest.fixture(params=["one thread", "two threads", "a pool of threads", "processes", "dask"])
def engine(request: pytest.FixtureRequest) -> Run:
    match request.param:
        case "one thread":
            return partial(fanfold.run, workers=1)
        case "two threads":
            return partial(fanfold.run, workers=2)
        case "a pool of threads":
            return partial(fanfold.run, executor=request.getfixturevalue("threads"))
        case fixture:
            return partial(fanfold.run, executor=request.getfixturevalue(fixture))


@contextmanager
def standard_input(path: Path) -> Iterator[None]:
    """Let this process read a file as its standard input."""
    kept = os.dup(0)
    try:
        with path.open("rb") as file:
            os.dup2(file.fileno(), 0)
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)


class Place:
    """Where a case's input is, and its results go."""

    def __init__(self, folder: Path, store: S3Server | None, prefix: str, out: str = "out") -> None:
        self._folder = folder
        self._store = store
        self._prefix = prefix
        self._out = out

    def apart(self) -> Place:
        """The same input, and other results."""
        return Place(self._folder, self._store, self._prefix, "apart")

    def run(self, engine: Run, case: Case) -> dict[str, bytes]:
        """The results of a run; raises what it raises."""
        location = self._stored(case)
        options: dict[str, Any] = {"canonical": True} if case.canonical else {}
        out = f"s3://{BUCKET}/{self._prefix}" if self._store else str(self._folder)
        out += f"/{self._out}"
        options |= {"out": out, "slice_bytes": case.slice_bytes}
        if case.trailing_garbage != "refuse":
            options["trailing_garbage"] = case.trailing_garbage
        if case.piped and engine is run_by_verbs:
            engine("-", case.k, name=case.name, stdin=Path(location), **options)
        elif case.piped:
            with standard_input(Path(location)):
                engine("-", case.k, name=case.name, **options)
        else:
            engine(location, case.k, **options)
        return self.results()

    def results(self) -> dict[str, bytes]:
        if self._store is not None:
            return stored_results(self._store, f"{self._prefix}/{self._out}")
        return results(self._folder / self._out)

    def lose_a_slice(self, case: Case) -> None:
        """As if a complete run had been stopped before one of its slices was done."""
        lost = f"/{case.name}.chunk0001.json"
        if self._store is not None:
            keys = self._store.keys(BUCKET, f"{self._prefix}/{self._out}/")
            (result,) = (key for key in keys if key.endswith(lost))
            for key in (f"{self._prefix}/{self._out}/master.json", result):
                self._store.delete(BUCKET, key)
        else:
            (path,) = (self._folder / self._out).glob(f"chunks/*{lost}")
            path.unlink()
            (self._folder / self._out / "master.json").unlink()

    def _stored(self, case: Case) -> str:
        content = case.content.read_bytes() if isinstance(case.content, Path) else case.content
        if self._store is not None and not case.piped:
            if content is not None:
                self._store.put(BUCKET, f"{self._prefix}/{case.name}", content)
            return f"s3://{BUCKET}/{self._prefix}/{case.name}"
        path = self._folder / case.name
        if content is not None:
            path.write_bytes(content)
        return str(path)


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, prefix: str) -> Place:
    store = request.getfixturevalue("store") if request.param == "s3" else None
    return Place(tmp_path, store, prefix)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Case], dict[str, bytes]]:
    """What one thread makes of one slice in a folder: made once a case."""
    made: dict[Case, dict[str, bytes]] = {}

    def make(case: Case) -> dict[str, bytes]:
        if case not in made:
            folder = tmp_path_factory.mktemp("expected")
            assert case.content is not None
            if isinstance(case.content, Path):
                path = case.content
            else:
                path = folder / case.name
                path.write_bytes(case.content)
            made[case] = whole(
                path,
                folder / "out",
                case.k,
                canonical=case.canonical,
                trailing_garbage=case.trailing_garbage,
            )
            assert {*NEEDED, *RENDERINGS} <= made[case].keys()
        return made[case]

    return make


# --- however it is run ------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_engine_gives_the_same_bytes(
    case: Case, engine: Run, place: Place, expected: Callable[[Case], dict[str, bytes]]
) -> None:
    found = place.run(engine, case)

    assert found.keys() == expected(case).keys()
    assert found == expected(case)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_verbs_by_shell_give_the_same_bytes(
    case: Case, tmp_path: Path, prefix: str, expected: Callable[[Case], dict[str, bytes]]
) -> None:
    assert Place(tmp_path, None, prefix).run(run_by_verbs, case) == expected(case)


@pytest.mark.parametrize("name", ["plain", "BGZF", "plain gzip"])
def test_the_verbs_by_shell_give_the_same_bytes_in_a_store(
    name: str,
    tmp_path: Path,
    store: S3Server,
    prefix: str,
    expected: Callable[[Case], dict[str, bytes]],
) -> None:
    case = CASES[name]

    assert Place(tmp_path, store, prefix).run(run_by_verbs, case) == expected(case)


def test_the_cases_have_every_file_that_there_is(
    expected: Callable[[Case], dict[str, bytes]],
) -> None:
    tables = {"sequences.tsv", "gaps.bed", "nx.tsv", "kmers.k2.tsv", "kmers.k5.tsv"}
    names = {"master.json", *tables, *RENDERINGS}

    assert expected(CASES["plain"]).keys() == names | {"x.fa.fai"}
    assert expected(CASES["BGZF"]).keys() == names | {"x.fa.gz.fai", "x.fa.gz.gzi"}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_every_engine_tells_the_same_error(case: Case, engine: Run, place: Place) -> None:
    with pytest.raises(FanfoldError) as expected:
        place.run(partial(fanfold.run, workers=1), case)
    with pytest.raises(FanfoldError) as found:
        place.run(engine, case)

    assert type(found.value) is type(expected.value)
    assert str(found.value) == str(expected.value)
    assert vars(found.value) == vars(expected.value)
    assert "master.json" not in place.results()


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_the_verbs_by_shell_tell_the_same_error(case: Case, tmp_path: Path, prefix: str) -> None:
    place = Place(tmp_path, None, prefix)
    with pytest.raises(FanfoldError) as expected:
        place.apart().run(partial(fanfold.run, workers=1), case)
    with pytest.raises(ShellError) as found:
        place.run(run_by_verbs, case)

    assert str(found.value) == str(expected.value)
    assert found.value.exit_code == expected.value.exit_code
    assert "master.json" not in place.results()


@pytest.mark.parametrize("name", ["truncated gzip", "bare CR late"])
def test_the_verbs_by_shell_tell_the_same_error_in_a_store(
    name: str, tmp_path: Path, store: S3Server, prefix: str
) -> None:
    place = Place(tmp_path, store, prefix)
    with pytest.raises(FanfoldError) as expected:
        place.run(partial(fanfold.run, workers=1), BAD[name])
    with pytest.raises(ShellError) as found:
        place.run(run_by_verbs, BAD[name])

    assert str(found.value) == str(expected.value)
    assert found.value.exit_code == expected.value.exit_code
    assert "master.json" not in place.results()


@pytest.mark.parametrize("case", SHARED.values(), ids=SHARED)
@pytest.mark.skipif(
    not GENOMES.is_dir(), reason=f"REAL GENOMES NOT RUN on the engines: there is no {GENOMES}"
)
@pytest.mark.parametrize("fixture", ["processes", "dask"])
def test_real_genomes_give_the_same_bytes(
    case: Case,
    fixture: str,
    place: Place,
    expected: Callable[[Case], dict[str, bytes]],
    request: pytest.FixtureRequest,
) -> None:
    engine = partial(fanfold.run, executor=request.getfixturevalue(fixture))

    assert place.run(engine, case) == expected(case)
    assert json.loads(expected(case)["master.json"])["total_bases"] > 500_000


# --- what an executor is given ----------------------------------------------------------------


class RecordingExecutor(Executor):
    """Threads, and a record of what was submitted; whoever calls anything but submit() fails."""

    def __init__(self, inner: ThreadPoolExecutor) -> None:
        self.submitted: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
        self._inner = inner

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted.append((fn, args, kwargs))
        # As to another process: there and back.
        task, there, named = pickle.loads(pickle.dumps((fn, args, kwargs)))  # noqa: S301
        return self._inner.submit(task, *there, **named)

    def map(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("a run uses submit() alone")

    def shutdown(self, *_: Any, **__: Any) -> None:
        raise AssertionError("the executor is its user's to shut down")


@pytest.fixture
def recording() -> Iterator[RecordingExecutor]:
    with ThreadPoolExecutor(2) as inner:
        yield RecordingExecutor(inner)


@pytest.mark.parametrize("kind", ["plain", "BGZF", "plain gzip", "standard input"])
def test_a_task_carries_the_url_of_a_plan_and_an_index_and_no_data(
    kind: str, recording: RecordingExecutor, place: Place
) -> None:
    place.run(partial(fanfold.run, executor=recording), CASES[kind])

    carried, ids = [], []
    for task, arguments, named in recording.submitted:
        assert len(pickle.dumps((task, arguments, named))) < 2000
        assert named == {}
        if isinstance(task, partial):
            ids.append(task.keywords)
        given = (task.func, *task.args) if isinstance(task, partial) else (task,)
        carried.append((*given, *arguments))
    plan = carried[-1][1]
    assert plan.endswith("/out/plan.json")
    folder = fanfold.flow.tasks.open_plan(plan)
    slices = folder.slices
    assert len(slices) >= 3
    assert ids == [{"plan_id": folder.plan.id}] * len(carried)
    tasks = [(fanfold.flow.tasks.task, plan, index) for index in range(len(slices))]
    first = [(fanfold.flow.tasks.inflate, plan)] if kind == "plain gzip" else []
    assert carried == [*first, *tasks]


def test_an_executor_serves_one_run_after_another(
    recording: RecordingExecutor, tmp_path: Path
) -> None:
    for name in ("phiX174.fa", "human_MT.fa"):
        for out in ("a", "b"):
            fanfold.run(
                DATA / name, out=tmp_path / name / out, executor=recording, slice_bytes=2000
            )
        assert results(tmp_path / name / "a") == results(tmp_path / name / "b")


def test_a_complete_run_submits_nothing(recording: RecordingExecutor, tmp_path: Path) -> None:
    out = fanfold.run(DATA / "phiX174.fa", out=tmp_path, slice_bytes=2000).out

    assert fanfold.run(DATA / "phiX174.fa", out=out, executor=recording).resumed
    assert recording.submitted == []


def test_an_executor_takes_up_a_run_of_threads_and_threads_one_of_an_executor(
    recording: RecordingExecutor, place: Place, expected: Callable[[Case], dict[str, bytes]]
) -> None:
    """Even in the middle of an archive: threads keep no text, an executor's tasks need it."""
    for kind in ("plain", "plain gzip", "zstd"):
        case = CASES[kind]
        for first, then in [(None, recording), (recording, None)]:
            place.run(partial(fanfold.run, executor=first, fresh=True), case)
            place.lose_a_slice(case)

            assert place.run(partial(fanfold.run, executor=then), case) == expected(case)


def test_relative_paths_mean_the_same_to_workers_elsewhere(
    cluster: Cluster, dask: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.fa").write_bytes(TEXT)
    monkeypatch.chdir(tmp_path)

    report = fanfold.run("x.fa", executor=dask, slice_bytes=5000)

    assert report.out == tmp_path / "x.fa.fanfold"
    assert not (cluster.folder / "x.fa.fanfold").exists()
    assert results(report.out) == whole(tmp_path / "x.fa", tmp_path / "whole")


# --- by the command line ----------------------------------------------------------------------


def test_a_cluster_is_found_by_its_address_and_the_store_by_the_environment(
    cluster: Cluster, s3: S3Server, prefix: str, tmp_path: Path
) -> None:
    (tmp_path / "x.fa").write_bytes(TEXT)
    s3.put(BUCKET, f"{prefix}/x.fa", TEXT)

    done = succeed(
        *("run", f"s3://{BUCKET}/{prefix}/x.fa", "--out", f"s3://{BUCKET}/{prefix}/out"),
        *("--dask", cluster.address, "--slice-size", "5000"),
        variables=s3.environment(),
    )

    assert done.stdout == f"s3://{BUCKET}/{prefix}/out/master.json\n"
    assert done.stderr.splitlines()[0].split() == ["sequences", "3"]
    assert stored_results(s3, f"{prefix}/out") == whole(tmp_path / "x.fa", tmp_path / "whole")
    facts = json.loads(s3.get(BUCKET, f"{prefix}/out/run.json"))
    assert facts["engine"] == {"name": "dask", "workers": None}
    assert facts["read_bytes"] == len(TEXT)


@pytest.mark.parametrize("kind", ["FASTQ", "truncated gzip", "bare CR late", "missing"])
def test_an_error_on_a_cluster_ends_the_command_as_it_does_on_threads(
    kind: str, cluster: Cluster, s3: S3Server, prefix: str
) -> None:
    case = BAD[kind]
    location = f"s3://{BUCKET}/{prefix}/{case.name}"
    if isinstance(case.content, bytes):
        s3.put(BUCKET, f"{prefix}/{case.name}", case.content)
    by_threads, by_dask = (
        command(
            *("run", location, "--out", f"s3://{BUCKET}/{prefix}/out", *engine),
            variables=s3.environment(),
        )
        for engine in ([], ["--dask", cluster.address])
    )

    assert by_dask.stderr == by_threads.stderr
    assert by_dask.stderr.startswith("fanfold: ")
    assert by_dask.stdout == by_threads.stdout == ""
    assert by_dask.returncode == by_threads.returncode == (4 if kind == "missing" else 3)
    assert "master.json" not in stored_results(s3, f"{prefix}/out")


def test_a_cluster_without_workers_is_told_and_waited_for(tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_bytes(TEXT)
    folder = tmp_path / "dask"
    folder.mkdir()
    with (
        dask_cluster(folder, {}) as cluster,
        running(
            *("run", tmp_path / "x.fa", "--out", tmp_path / "out", "-k", "5"),
            *("--dask", cluster.address, "--slice-size", "5000"),
        ) as process,
    ):
        assert process.stderr is not None
        told = f"{cluster.address} has no workers yet: waiting for one\n"
        assert process.stderr.readline() == told
        wait_until((tmp_path / "out" / "plan.json").exists)
        assert not list((tmp_path / "out" / "chunks").rglob("*.json"))
        cluster.start_worker("late")
        process.communicate(timeout=120)

        assert process.returncode == 0
    assert results(tmp_path / "out") == whole(tmp_path / "x.fa", tmp_path / "whole")
