"""The whole run, on real genomes: the same bytes come out however the work is cut and driven.

Every shell command here is the real `fanfold`, in a process of its own.
"""

from __future__ import annotations

import base64
import bz2
import contextlib
import gzip
import itertools
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import archives
import pytest
from naive import analyse, comparable, crc64nvme
from servers.warm import warm_fanfold

import fanfold
from fanfold.errors import OutputError
from fanfold.report.run_record import NEEDED, RENDERINGS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HERE = Path(__file__).parent
DATA = HERE / "data"
GOLDEN = HERE / "golden"
GENOMES = HERE.resolve().parents[1] / "shared" / "genomes"

FANFOLD = str(Path(sysconfig.get_path("scripts")) / "fanfold")
INDEX_VARIABLES = ["AWS_BATCH_JOB_ARRAY_INDEX", "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"]
TABLES = ["sequences.tsv", "gaps.bed", "nx.tsv"]
K5 = "kmers.k5.tsv"

PHIX = (DATA / "phiX174.fa").read_bytes()
LAMBDA = (DATA / "lambda_NC_001416.fa").read_bytes()
MT = (DATA / "human_MT.fa").read_bytes()

TINY = b"\xef\xbb\xbf\r\n>a b\r\nACGTNNnn\r\n;c\r\nnACG\n>\n>a\nRY-*acgtTT\n>\xff z\nGATTACA"
"""Small enough for a byte a slice, with something of all that a cut may fall into."""


# --- helpers ----------------------------------------------------------------------------------


def command(
    *arguments: str | Path, cwd: Path | None = None, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The real command, with no array's index in its environment but those in `variables`."""
    environment = {name: value for name, value in os.environ.items() if name not in INDEX_VARIABLES}
    words = [FANFOLD, *map(str, arguments)]
    return warm_fanfold().run(words, environment | dict(variables or {}), folder=cwd)


def succeed(
    *arguments: str | Path, cwd: Path | None = None, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = command(*arguments, cwd=cwd, variables=variables)
    assert done.returncode == 0, done.stderr
    return done


def results(out: Path) -> dict[str, bytes]:
    """What must not depend on how a run was cut or driven: all files but the plan and run.json."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in [*out.iterdir(), *out.glob("multiqc/*")]
        if path.is_file() and path.name not in {"plan.json", "run.json"}
    }


def document(report: fanfold.Report) -> dict[str, Any]:
    """What `master.json` says, as any reader of JSON sees it."""
    found: dict[str, Any] = json.loads(report.data)
    return found


def chunks(out: Path) -> dict[str, tuple[int, int]]:
    """The slices' files, with what changes when one is written again."""
    return {path.name: identity(path) for path in (out / "chunks").glob("*/*")}


def contents(out: Path) -> dict[str, bytes]:
    """All files below a folder but its lock, which tells who held it last."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def names_below(out: Path) -> set[str]:
    """The names of all files below a folder, whatever the plan's id is."""
    return {re.sub("[0-9a-f]{20}", "ID", name) for name in contents(out)}


def identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def planned(out: Path) -> int:
    """The number of slices of the plan in a folder."""
    return len(json.loads((out / "plan.json").read_bytes())["slices"])


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def run_in_calls(path: Path, out: Path, **options: Any) -> fanfold.Report:
    """By `plan`, `task` and `fold`, the tasks backwards."""
    slices = fanfold.plan(path, out=out, **options).slices
    for index in reversed(range(len(slices))):
        fanfold.task(out / "plan.json", index)
    return fanfold.fold(out / "plan.json")


# --- however it is cut and driven -------------------------------------------------------------

SLICES: dict[str, Sequence[int]] = {
    "phiX174.fa": [7, 1000, 5512, 5513, 10**9],
    "human_MT.fa": [71, 1000],
    "lambda_NC_001416.fa": [1000, 24_000],
}
SHARED_SLICES: dict[str, Sequence[int]] = {
    "sarscov2_NC_045512.fas": [1000],
    "mpox_NC_063383.fas": [1000],
    "hg18_trimmed_softmasked.fasta": [10_007],
    "sacCer3_chrIV_singleline.fa": [10_007],
    "S_aureus_draft767.fa": [100_003],
    "454AllContigs_mixedcase.fna": [1_000_003],
}


@pytest.fixture(
    scope="module",
    params=[pytest.param((DATA / name, sizes), id=name) for name, sizes in SLICES.items()]
    + [
        pytest.param(
            (GENOMES / name, sizes),
            id=name,
            marks=pytest.mark.skipif(
                not GENOMES.is_dir(), reason=f"{name} NOT RUN: there is no {GENOMES}"
            ),
        )
        for name, sizes in SHARED_SLICES.items()
    ],
)
def genome(request: pytest.FixtureRequest) -> tuple[Path, Sequence[int]]:
    param: tuple[Path, Sequence[int]] = request.param
    return param


@pytest.fixture(scope="module")
def whole(
    genome: tuple[Path, Sequence[int]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """What one slice and one worker make of the genome."""
    path, _ = genome
    out = tmp_path_factory.mktemp("whole")
    fanfold.run(path, [2, 5], out=out, slice_bytes=path.stat().st_size, workers=1)
    assert planned(out) == 1
    made = results(out)
    assert made.keys() == {*NEEDED, *RENDERINGS, "kmers.k2.tsv", K5, f"{path.name}.fai"}
    assert json.loads(made["master.json"])["total_bases"] > 5000
    return made


def test_any_slice_size_gives_the_same_bytes(
    genome: tuple[Path, Sequence[int]], whole: dict[str, bytes], tmp_path: Path
) -> None:
    path, sizes = genome
    for slice_bytes in sizes:
        out = tmp_path / str(slice_bytes)
        fanfold.run(path, [2, 5], out=out, slice_bytes=slice_bytes)

        assert planned(out) == -(-path.stat().st_size // slice_bytes)
        assert results(out) == whole, slice_bytes


def test_any_number_of_workers_gives_the_same_bytes(
    genome: tuple[Path, Sequence[int]], whole: dict[str, bytes], tmp_path: Path
) -> None:
    path, sizes = genome
    for workers in (None, 2, 7):
        out = tmp_path / str(workers)
        fanfold.run(path, [5, 2, 5], out=out, slice_bytes=max(sizes[0], 1000), workers=workers)

        assert results(out) == whole, workers


def test_plan_task_and_fold_as_calls_give_the_same_bytes(
    genome: tuple[Path, Sequence[int]], whole: dict[str, bytes], tmp_path: Path
) -> None:
    path, _ = genome
    slice_bytes = path.stat().st_size // 4
    run_in_calls(path, tmp_path, k=[2, 5], slice_bytes=slice_bytes)

    assert planned(tmp_path) >= 4
    assert results(tmp_path) == whole


@pytest.mark.parametrize("given_by", ["--index", *INDEX_VARIABLES])
def test_plan_task_and_fold_as_shell_verbs_give_the_same_bytes(
    given_by: str, tmp_path: Path
) -> None:
    path = DATA / "phiX174.fa"
    fanfold.run(path, [2, 5], out=tmp_path / "run")
    out = tmp_path / "verbs"

    made = succeed("plan", path, "--out", out, "-k", "5", "-k", "2", "--slice-size", "2kB")
    plan = Path(made.stdout.removesuffix("\n"))
    assert plan == out / "plan.json"
    assert f"tasks 0 to 2: fanfold task {plan} --index I" in made.stderr
    for index in (2, 0, 1):
        done = (
            succeed("task", plan, "--index", str(index))
            if given_by == "--index"
            else succeed("task", plan, variables={given_by: str(index)})
        )
        assert done.stdout == ""
        assert re.fullmatch(rf"slice {index}: [\d,]+ bytes read, \d+\.\d\d s\n", done.stderr)
    assert not (out / "master.json").exists()
    folded = succeed("fold", plan)

    assert folded.stdout == f"{out / 'master.json'}\n"
    assert results(out) == results(tmp_path / "run")


def test_the_index_option_wins_over_the_environment(tmp_path: Path) -> None:
    fanfold.plan(DATA / "phiX174.fa", out=tmp_path, slice_bytes=2000)

    succeed("task", tmp_path / "plan.json", "--index", "2", variables={INDEX_VARIABLES[0]: "1"})

    assert {name.rpartition(".chunk")[2][:4] for name in chunks(tmp_path)} == {"0002"}


@pytest.mark.parametrize("slice_bytes", [1, 2, 3, 5])
def test_a_byte_a_slice_gives_the_same_bytes(slice_bytes: int, tmp_path: Path) -> None:
    path = written(tmp_path, "tiny.fa", TINY)
    fanfold.run(path, [1, 3], out=tmp_path / "whole")
    fanfold.run(path, [1, 3], out=tmp_path / "cut", slice_bytes=slice_bytes)
    run_in_calls(path, tmp_path / "calls", k=[1, 3], slice_bytes=slice_bytes)

    assert planned(tmp_path / "cut") == planned(tmp_path / "calls") == -(-len(TINY) // slice_bytes)
    expected = results(tmp_path / "whole")
    assert results(tmp_path / "cut") == results(tmp_path / "calls") == expected
    assert comparable(json.loads(expected["master.json"])) == comparable(
        analyse(TINY, [1, 3]).master
    )


def test_a_byte_a_slice_by_the_command_line(tmp_path: Path) -> None:
    path = written(tmp_path, "tiny.fa", TINY)
    fanfold.run(path, out=tmp_path / "whole")

    succeed("run", path, "--out", tmp_path / "cut", "--slice-size", "1", "--workers", "3")

    assert planned(tmp_path / "cut") == len(TINY)
    assert results(tmp_path / "cut") == results(tmp_path / "whole")


def test_a_relative_path_gives_the_same_bytes(tmp_path: Path) -> None:
    path = written(tmp_path, "x.fa", PHIX)
    fanfold.run(path, out=tmp_path / "absolute")

    succeed("run", "x.fa", "--out", "relative", cwd=tmp_path)

    assert results(tmp_path / "relative") == results(tmp_path / "absolute")


# --- archives ---------------------------------------------------------------------------------

TEXT = PHIX + LAMBDA.replace(b"GGG", b"NNN") + MT.lower() + b">empty\n" + PHIX


def bgzf(text: bytes) -> bytes:
    """By bgzip where it is installed; else blocks of the same form."""
    if shutil.which("bgzip"):
        return subprocess.run(["bgzip", "-c"], input=text, capture_output=True, check=True).stdout
    return archives.bgzf(text)


def gzip_members(text: bytes) -> bytes:
    """Three members, cut in mid-line."""
    cuts = [0, 2000, 30_001, len(text)]
    return b"".join(
        archives.gzip_of_small_blocks(text[start:end]) for start, end in itertools.pairwise(cuts)
    )


ARCHIVES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", archives.gzip_of_small_blocks),
    "gzip of several members": ("gzip", gzip_members),
    "BGZF": ("bgzf", bgzf),
    "BGZF of small blocks": ("bgzf", lambda text: archives.bgzf(text, 1000)),
    "zstd": ("zstd", zstd.compress),
    "bzip2": ("bzip2", bz2.compress),
    "xz": ("xz", lzma.compress),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the text itself."""
    folder = tmp_path_factory.mktemp("plain")
    return fanfold.run(written(folder, "x.fa", TEXT), [1, 5], out=folder / "out").out


@pytest.fixture(scope="module", params=ARCHIVES)
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The text, compressed; the file's parent is named by its compression."""
    compression, compress = ARCHIVES[request.param]
    folder = tmp_path_factory.mktemp("archive") / compression
    folder.mkdir()
    return written(folder, "x.fa.z", compress(TEXT))


def assert_same_but_for_the_archive(archive: Path, out: Path, plain: Path) -> None:
    compression = archive.parent.name
    master = json.loads((out / "master.json").read_bytes())
    expected = json.loads((plain / "master.json").read_bytes())
    content = archive.read_bytes()
    assert master["source"] == {
        "name": "x.fa.z",
        "size_bytes": len(content),
        "compression": compression,
        "crc64nvme": crc64nvme(content),
    }
    assert (master["sequences"]["fai"]["note"] is None) is (compression == "bgzf")
    archives = [note["text"] for note in master["notes"] if note["kind"] == "archive"]
    assert archives == [f"a {compression} archive of {len(TEXT):,} bytes of text"]
    for each in (master, expected):
        del each["source"], each["sequences"]["fai"]["note"]
        each["notes"] = [note for note in each["notes"] if note["kind"] != "archive"]
    assert master == expected
    assert list(master["kmer_counts"]) == list(expected["kmer_counts"])
    for table in TABLES:
        assert (out / table).read_bytes() == (plain / table).read_bytes()
    assert (out / "x.fa.z.fai").read_bytes() == (plain / "x.fa.fai").read_bytes()
    assert (out / "x.fa.z.gzi").exists() is (compression == "bgzf")


def test_an_archive_gives_what_its_text_gives(archive: Path, plain: Path, tmp_path: Path) -> None:
    made = []
    for name, slice_bytes, workers in [("a", None, None), ("b", 1000, 3), ("c", 997, 1)]:
        out = tmp_path / name
        fanfold.run(archive, [1, 5], out=out, slice_bytes=slice_bytes, workers=workers)
        assert_same_but_for_the_archive(archive, out, plain)
        made.append(results(out))

    assert made[0] == made[1] == made[2]


def test_an_archive_by_calls_gives_what_run_gives(
    archive: Path, plain: Path, tmp_path: Path
) -> None:
    run_in_calls(archive, tmp_path / "calls", k=[1, 5], slice_bytes=3000)
    fanfold.run(archive, [1, 5], out=tmp_path / "run")

    assert planned(tmp_path / "calls") > 5
    assert_same_but_for_the_archive(archive, tmp_path / "calls", plain)
    assert results(tmp_path / "calls") == results(tmp_path / "run")


def test_an_archive_by_shell_verbs_gives_what_run_gives(
    archive: Path, plain: Path, tmp_path: Path
) -> None:
    out = tmp_path / "verbs"
    slice_bytes = str(max(len(TEXT), archive.stat().st_size) // 2 + 1)
    succeed("plan", archive, "--out", out, "-k", "1", "-k", "5", "--slice-size", slice_bytes)
    for index in range(planned(out)):
        succeed("task", out / "plan.json", "--index", str(index))
    succeed("fold", out / "plan.json")

    assert_same_but_for_the_archive(archive, out, plain)


def test_an_archive_by_run_takes_up_a_plan_of_shell_verbs(archive: Path, tmp_path: Path) -> None:
    fanfold.run(archive, out=tmp_path / "run")
    out = tmp_path / "verbs"
    fanfold.plan(archive, out=out, slice_bytes=3000)
    fanfold.task(out / "plan.json", 1)
    before = chunks(out)

    fanfold.run(archive, out=out)

    of_the_task = {name for name in before if name.endswith(("0001.json", "0001.rows"))}
    assert of_the_task
    assert {name: chunks(out)[name] for name in of_the_task} == {
        name: before[name] for name in of_the_task
    }
    assert results(out) == results(tmp_path / "run")


def test_no_text_of_an_archive_is_left_behind(archive: Path, tmp_path: Path) -> None:
    run_in_calls(archive, tmp_path / "calls", slice_bytes=3000)
    fanfold.run(archive, out=tmp_path / "run")

    for out in (tmp_path / "calls", tmp_path / "run"):
        assert {path.suffix for path in (out / "chunks").glob("*/*")} <= {".json", ".rows"}


@pytest.mark.skipif(
    shutil.which("bgzip") is None,
    reason="THE .gzi IS NOT COMPARED WITH BGZIP'S: no `bgzip` here (Debian package tabix)",
)
@pytest.mark.parametrize("slice_bytes", [None, 5000])
def test_the_gzi_is_bgzips_own(slice_bytes: int | None, tmp_path: Path) -> None:
    path = written(tmp_path, "x.fa.gz", bgzf(TEXT * 5))
    subprocess.run(["bgzip", "-r", path], check=True)

    out = fanfold.run(path, out=tmp_path / "out", slice_bytes=slice_bytes).out

    assert (out / "x.fa.gz.gzi").read_bytes() == (tmp_path / "x.fa.gz.gzi").read_bytes()


# --- k ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("canonical", [False, True])
def test_several_k_at_once_give_what_each_gives_alone(canonical: bool, tmp_path: Path) -> None:
    path = DATA / "human_MT.fa"
    together = document(
        fanfold.run(path, range(1, 9), canonical=canonical, out=tmp_path / "all", slice_bytes=5000)
    )
    by_length: dict[str, int] = {}
    for k in range(1, 9):
        alone = document(fanfold.run(path, k, canonical=canonical, out=tmp_path / f"{k}"))

        view = {"min_gap": 1, "min_length": 0, "genome_size": None}
        assert alone["parameters"] == {"k": [k], "canonical": canonical, "view": view}
        assert [row for row in together["kmers"] if row["k"] == k] == alone["kmers"]
        by_length |= alone["kmer_counts"]
        assert all(len(kmer) == k for kmer in alone["kmer_counts"])
        for key in together.keys() - {"kmer_counts", "kmers", "parameters", "proof"}:
            assert alone[key] == together[key], key

    assert list(together["kmer_counts"].items()) == list(by_length.items())


@pytest.mark.parametrize("k", [0, [0], []])
def test_no_k_counts_nothing_and_changes_nothing_else(k: int | list[int], tmp_path: Path) -> None:
    path = DATA / "phiX174.fa"
    none = document(fanfold.run(path, k, out=tmp_path / "none", slice_bytes=1000))
    five = document(fanfold.run(path, out=tmp_path / "five"))

    assert (none["kmer_counts"], none["kmers"], none["proof"]["kmers"]) == ({}, [], [])
    assert none["parameters"]["k"] == []
    for key in five.keys() - {"kmer_counts", "kmers", "parameters", "proof"}:
        assert none[key] == five[key], key


def test_k_of_0_by_the_command_line_counts_nothing(tmp_path: Path) -> None:
    done = succeed("run", DATA / "phiX174.fa", "--out", tmp_path, "-k", "0", "--json")

    assert json.loads(done.stdout)["kmer_counts"] == {}
    assert "mers" not in done.stderr


def test_canonical_by_the_command_line_counts_both_strands_as_one(tmp_path: Path) -> None:
    done = succeed(
        *("run", DATA / "phiX174.fa", "--out", tmp_path, "-k", "4", "--canonical", "--json"),
        *("--slice-size", "700"),
    )

    master = json.loads(done.stdout)
    expected = analyse(PHIX, [4], canonical=True).master
    assert comparable(master) == comparable(expected)
    assert master["kmers"][0]["possible"] == 136
    assert "canonical 4-mers" in done.stderr


def test_the_kmer_counts_of_a_slice_are_those_of_its_own_lines(tmp_path: Path) -> None:
    """A chunk's JSON is for people: what it says of any k is true of its slice."""
    path = written(tmp_path, "x.fa", (GOLDEN / "odd.fa").read_bytes())
    out = fanfold.run(path, [1, 2, 3], out=tmp_path / "out", slice_bytes=64).out
    # The sequence of each slice, without the line that only the slices before it can judge.
    lines = [
        [b"ACGTacgtNN", b"nnGGCCRYKM"],
        [b"GATT"],
        [b"ACGTA-.*acgtuU>;@xCGCG", b">", b"TTTTTTTTTTTT"],
        [b"NNNNNNNNNNNNTTTTnnNN", b">", b"NNN", b">", b"CGATCG"],
    ]
    for index, pieces in enumerate(lines):
        (chunk_json,) = (out / "chunks").glob(f"*/x.fa.chunk{index:04d}.json")
        chunk = json.loads(chunk_json.read_bytes())
        runs = re.findall("[ACGT]+", b"".join(pieces).upper().decode())
        windows = [
            run[start : start + k]
            for k in (1, 2, 3)
            for run in runs
            for start in range(len(run) - k + 1)
        ]

        assert chunk["kmer_counts"] == {kmer: windows.count(kmer) for kmer in windows}
        assert chunk["total_bases"] == sum(map(len, runs))


# --- what the command says --------------------------------------------------------------------


def test_stdout_has_the_path_and_stderr_a_summary(tmp_path: Path) -> None:
    path = written(tmp_path, "x.fa", TEXT)
    done = succeed("run", path, "--out", tmp_path / "out", "-k", "2", "-k", "4")

    assert done.stdout == f"{tmp_path / 'out' / 'master.json'}\n"
    master = json.loads((tmp_path / "out" / "master.json").read_bytes())
    summary = {
        line[:17].strip(): line[17:].strip()
        for line in done.stderr.splitlines()
        if not line.startswith("  seconds")
    }
    assert summary == {
        "sequences": "5",
        "length": f"{master['sequences']['length']:,}",
        "longest": "48,502",
        "N50": "48,502",
        "L50": "1",
        "GC %": f"{master['gc_percent']:.3f}",
        "gaps": f"{master['gaps']['count']:,}",
        "N": f"{master['composition']['N']:,}",
        "N %": f"{master['composition']['n_percent']:.3f}",
        "soft-masked %": f"{master['composition']['soft_masked_percent']:.3f}",
        "2-mers": f"16 distinct of 16, {master['kmers'][0]['total']:,} in all",
        "4-mers": f"256 distinct of 256, {master['kmers'][1]['total']:,} in all",
        "files": f"{tmp_path / 'out'}/",
        "page": f"{tmp_path / 'out' / 'report.html'}",
    }
    assert re.search(r"^  seconds +\d+\.\d\d$", done.stderr, re.MULTILINE)


def test_json_prints_the_report_itself(tmp_path: Path) -> None:
    path = DATA / "phiX174.fa"
    done = succeed("run", path, "--out", tmp_path, "--json", "--quiet")

    assert done.stdout.encode() == (tmp_path / "master.json").read_bytes()
    assert done.stderr == ""
    folded = succeed("fold", tmp_path / "plan.json", "--json", "--quiet")
    assert folded.stdout == done.stdout
    assert folded.stderr == ""


def test_json_without_quiet_still_tells_people_on_stderr(tmp_path: Path) -> None:
    done = succeed("run", DATA / "phiX174.fa", "--out", tmp_path, "--json")

    assert json.loads(done.stdout)["total_bases"] == 5386
    assert "N50" in done.stderr


def test_quiet_says_nothing_but_the_path(tmp_path: Path) -> None:
    path = DATA / "phiX174.fa"
    ran = succeed("run", path, "--out", tmp_path / "run", "-q")
    made = succeed("plan", path, "--out", tmp_path / "plan", "--quiet")

    assert (ran.stdout, ran.stderr) == (f"{tmp_path / 'run' / 'master.json'}\n", "")
    assert (made.stdout, made.stderr) == (f"{tmp_path / 'plan' / 'plan.json'}\n", "")


def test_the_default_folder_is_named_after_the_input_and_in_the_working_folder(
    tmp_path: Path,
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "work").mkdir()
    written(tmp_path / "data", "x.fa", PHIX)

    done = succeed("run", "../data/x.fa", cwd=tmp_path / "work")

    assert done.stdout == "x.fa.fanfold/master.json\n"
    assert json.loads((tmp_path / "work" / "x.fa.fanfold" / "master.json").read_bytes())
    assert tree(tmp_path / "data") == {"x.fa"}


def test_version_and_help() -> None:
    local = ["run", "plan", "task", "inflate", "fold", "reduce", "check"]
    verbs = ["stats", "compare", *local, "report", "plot", "kmers", "serve"]
    verbs += ["submit", "status", "jobs", "logs", "cancel", "help", "completion"]
    assert succeed("--version").stdout == f"fanfold {fanfold.__version__}\n"
    for arguments in (["--help"], ["-h"]):
        shown = succeed(*arguments).stdout
        assert re.findall(r"^  ([a-z]+)  ", shown, re.MULTILINE) == verbs
    for verb in verbs:
        assert succeed(verb, "--help").stdout.startswith(f"Usage: fanfold {verb} ")


def test_python_m_fanfold_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fanfold", "--version"], capture_output=True, text=True, check=True
    )

    assert done.stdout == f"fanfold {fanfold.__version__}\n"


def on_a_terminal(*arguments: str | Path) -> str:
    """What the command writes to stderr when that is a terminal."""
    controller, terminal = os.openpty()
    with subprocess.Popen(
        [FANFOLD, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux says that the terminal was closed
            while piece := os.read(controller, 4096):
                shown += piece
        os.close(controller)
        assert process.wait() == 0
    return shown.decode()


def test_a_terminal_is_shown_progress_and_a_file_is_not(tmp_path: Path) -> None:
    path = written(tmp_path, "[b]x.fa", TEXT)  # the brackets are no markup
    # So many slices take their time: what is done at once shows no bar.
    shown = on_a_terminal("run", path, "--out", tmp_path / "a", "--slice-size", "10")

    assert "[b]x.fa" in shown
    assert "━" in shown
    assert "N50" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor stays hidden"
    assert "━" not in succeed("run", path, "--out", tmp_path / "b").stderr


def test_quiet_shows_a_terminal_nothing(tmp_path: Path) -> None:
    assert on_a_terminal("run", DATA / "phiX174.fa", "--out", tmp_path, "--quiet") == ""


def test_a_reader_that_leaves_early_is_no_error_to_read_about(tmp_path: Path) -> None:
    """As in `fanfold run … --json | head -1`; the report is larger than a pipe."""
    with subprocess.Popen(
        [FANFOLD, "run", DATA / "human_MT.fa", "--out", tmp_path, "-k8", "--json", "-q"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert json.loads((tmp_path / "master.json").read_bytes())


@pytest.mark.parametrize("archived", [False, True])
def test_progress_counts_every_byte_of_the_input_once(archived: bool, tmp_path: Path) -> None:
    path = written(tmp_path, "x.fa", gzip.compress(TEXT) if archived else TEXT)
    told: list[tuple[int, int]] = []

    def progress(done_bytes: int, size_bytes: int) -> None:
        told.append((done_bytes, size_bytes))

    fanfold.run(path, out=tmp_path / "out", slice_bytes=1000, progress=progress)

    assert told == sorted(told)
    assert {size_bytes for _, size_bytes in told} == {path.stat().st_size}
    assert told[-1][0] == path.stat().st_size


# --- runs and reruns --------------------------------------------------------------------------


@pytest.fixture(params=["x.fa", "x.fa.gz", "x.fa.bgz"])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A genome, plain and in archives that can and can't be cut."""
    name: str = request.param
    compress: dict[str, Callable[[bytes], bytes]] = {
        "x.fa": bytes,
        "x.fa.gz": gzip.compress,
        "x.fa.bgz": bgzf,
    }
    return written(tmp_path, name, compress[name](TEXT))


def test_a_complete_run_is_reported_so_and_not_done_again(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = fanfold.run(small, out=out, slice_bytes=5000)
    before = {path.relative_to(out): identity(path) for path in out.rglob("*") if path.is_file()}

    again = fanfold.run(small, out=out, slice_bytes=777, workers=3)
    shown = succeed("run", small, "--out", out)

    assert (first.resumed, again.resumed) == (False, True)
    assert json.loads(again.data) == json.loads(first.data)
    assert "(it was complete already)" in shown.stderr
    assert shown.stdout == f"{out / 'master.json'}\n"
    assert before == {
        path.relative_to(out): identity(path) for path in out.rglob("*") if path.is_file()
    }


def test_a_run_that_lacks_the_report_is_taken_up_without_scanning(
    small: Path, tmp_path: Path
) -> None:
    out = fanfold.run(small, out=tmp_path / "out", slice_bytes=5000).out
    expected, before = results(out), chunks(out)
    (out / "master.json").unlink()

    report = fanfold.run(small, out=out)

    assert not report.resumed
    assert results(out) == expected
    assert chunks(out) == before


def test_a_run_that_lacks_a_slice_scans_that_slice_alone(small: Path, tmp_path: Path) -> None:
    out = fanfold.run(small, out=tmp_path / "out", slice_bytes=5000).out
    expected, before = results(out), chunks(out)
    (out / "master.json").unlink()
    for path in (out / "chunks").glob("*/*.chunk0001.*"):
        path.unlink()

    fanfold.run(small, out=out)

    assert results(out) == expected
    after = chunks(out)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {
        name for name in before if ".chunk0001." in name
    }


def test_fresh_scans_everything_again(small: Path, tmp_path: Path) -> None:
    out = fanfold.run(small, out=tmp_path / "out", slice_bytes=5000).out
    expected, before = results(out), chunks(out)

    report = fanfold.run(small, out=out, slice_bytes=5000, fresh=True)

    assert not report.resumed
    assert results(out) == expected
    after = chunks(out)
    assert after.keys() == before.keys()
    assert all(after[name][1] > before[name][1] for name in after)


def test_fresh_by_the_command_line_takes_the_new_slice_size(tmp_path: Path) -> None:
    path = DATA / "phiX174.fa"
    succeed("run", path, "--out", tmp_path, "--slice-size", "1kB")
    succeed("run", path, "--out", tmp_path, "--slice-size", "2kB")
    assert planned(tmp_path) == 6

    succeed("run", path, "--out", tmp_path, "--slice-size", "2kB", "--fresh")

    assert planned(tmp_path) == 3
    assert {name[-9:-5] for name in chunks(tmp_path)} == {"0000", "0001", "0002"}


def test_fresh_replaces_other_parameters_and_leaves_nothing_stale(
    small: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    fanfold.run(small, [3, 8], out=out, slice_bytes=997)

    for k, canonical in [(4, False), (4, True), (0, False)]:
        other = tmp_path / f"{k} {canonical}"
        before = contents(out)
        with pytest.raises(OutputError, match="holds the report for -k"):
            fanfold.run(small, k, canonical=canonical, out=out, slice_bytes=20_000)
        assert contents(out) == before

        report = fanfold.run(small, k, canonical=canonical, out=out, slice_bytes=20_000, fresh=True)
        fanfold.run(small, k, canonical=canonical, out=other, slice_bytes=20_000)

        assert not report.resumed
        assert names_below(out) == names_below(other)
        assert results(out) == results(other)


def test_fresh_replaces_another_input_and_leaves_nothing_stale(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fanfold.run(written(tmp_path, "x.fa.bgz", bgzf(TEXT)), out=out, slice_bytes=1000)
    path, before = written(tmp_path, "y.fa", PHIX), contents(out)
    with pytest.raises(OutputError, match=r"holds the report of .*x\.fa\.bgz"):
        fanfold.run(path, out=out)
    assert contents(out) == before

    fanfold.run(path, out=out, fresh=True)
    fanfold.run(path, out=tmp_path / "other")

    assert names_below(out) == names_below(tmp_path / "other")
    assert results(out) == results(tmp_path / "other")


def test_an_index_that_the_new_text_cannot_have_does_not_stay(tmp_path: Path) -> None:
    path = written(tmp_path, "x.fa", PHIX)
    out = fanfold.run(path, out=tmp_path / "out").out
    assert (out / "x.fa.fai").exists()
    path.write_bytes(b">ragged\nAC\nACGT\n")

    fanfold.run(path, out=out)

    assert not (out / "x.fa.fai").exists()
    assert json.loads((out / "master.json").read_bytes())["sequences"]["fai"]["written"] is False


def test_an_input_that_was_written_again_is_scanned_again(tmp_path: Path) -> None:
    path = written(tmp_path, "x.fa", PHIX)
    out = fanfold.run(path, out=tmp_path / "out").out
    path.write_bytes(PHIX.replace(b"A", b"G"))

    report = fanfold.run(path, out=out)

    assert not report.resumed
    assert json.loads(report.data)["composition"]["A"] == 0


def test_a_run_that_fails_leaves_the_report_of_the_one_before(tmp_path: Path) -> None:
    path = written(tmp_path, "x.fa", PHIX)
    out = fanfold.run(path, out=tmp_path / "out").out
    before = results(out)
    path.write_bytes(PHIX + b"\x80\n")

    with pytest.raises(fanfold.FanfoldError):
        fanfold.run(path, out=out)

    assert results(out) == before


def test_a_task_and_a_fold_may_run_twice(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_in_calls(small, out, slice_bytes=20_000)
    expected, before = results(out), chunks(out)

    for index in range(planned(out)):
        fanfold.task(out / "plan.json", index)
    report = fanfold.fold(out / "plan.json")

    assert chunks(out) == before
    assert results(out) == expected
    assert report.resumed


def test_a_plan_that_is_there_is_kept(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = fanfold.plan(small, out=out, slice_bytes=20_000)
    before = identity(out / "plan.json")

    assert fanfold.plan(small, out=out, slice_bytes=500).plan == made.plan
    assert identity(out / "plan.json") == before
    assert fanfold.plan(small, out=out, slice_bytes=500, fresh=True).plan.id != made.plan.id


def test_several_genomes_go_into_a_folder_of_their_own(tmp_path: Path) -> None:
    written(tmp_path, "a.fa", PHIX)
    written(tmp_path, "b.fa", MT)

    done = succeed("run", "a.fa", "b.fa", cwd=tmp_path)

    out = tmp_path / "fanfold-results"
    assert done.stdout == "fanfold-results/summary.tsv\n"
    assert {"a.fa", "b.fa", "index.html"} <= {path.name for path in out.iterdir()}
    assert results(out / "a.fa").keys() == {*NEEDED, *RENDERINGS, K5, "a.fa.fai"}


# --- files of others --------------------------------------------------------------------------


def test_files_of_the_users_are_never_touched(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    theirs = {
        "notes.txt": b"mine",
        "other.fa": PHIX,
        "other.fa.fai": b"mine too",
        "chunks/notes.txt": b"here as well",
        "chunks/x.fa.chunk0000.json.bak": b"a copy",
        "older/master.json": b"{}",
        ".hidden": b"",
    }
    for name, content in theirs.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
    before = {name: identity(out / name) for name in theirs}

    fanfold.run(small, out=out, slice_bytes=5000)
    fanfold.run(small, 3, out=out, slice_bytes=10_000, fresh=True)
    fanfold.run(small, 3, out=out, fresh=True)
    run_in_calls(small, out, k=2, slice_bytes=10_000, fresh=True)

    assert {name: identity(out / name) for name in theirs} == before
    assert {name: (out / name).read_bytes() for name in theirs} == theirs


@pytest.mark.parametrize(
    "name",
    [
        *("x.fa.fai", "x.fa.gzi", "master.json", "run.json", "sequences.tsv", "gaps.bed"),
        *("nx.tsv", K5, "report.html", "multiqc"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "plan"])
def test_a_file_in_the_way_that_fanfold_did_not_write_is_not_overwritten(
    name: str, verb: str, tmp_path: Path
) -> None:
    """As an index that samtools wrote beside the genome, when the results shall go there too."""
    path = written(tmp_path, "x.fa", PHIX)
    theirs = written(tmp_path, name, b"theirs")

    done = command(verb, path, "--out", tmp_path)
    fresh = command(verb, path, "--out", tmp_path, "--fresh")

    for each in (done, fresh):
        assert each.returncode == 5
        assert each.stdout == ""
        assert str(theirs) in each.stderr
        assert "--out" in each.stderr
    assert theirs.read_bytes() == b"theirs"
    assert tree(tmp_path) == {"x.fa", name}


def test_the_index_of_another_genome_is_not_overwritten_in_a_folder_of_results(
    tmp_path: Path,
) -> None:
    """The folder has a plan, but of a.fa: b.fa.fai is somebody else's."""
    fanfold.run(written(tmp_path, "a.fa", MT), out=tmp_path)
    theirs = written(tmp_path, "b.fa.fai", b"theirs")

    with pytest.raises(OutputError, match=r"b\.fa\.fai"):
        fanfold.run(written(tmp_path, "b.fa", PHIX), out=tmp_path, fresh=True)

    assert theirs.read_bytes() == b"theirs"


def test_a_plan_json_of_another_program_is_not_overwritten(tmp_path: Path) -> None:
    theirs = written(tmp_path, "plan.json", b'{"format_version": "1.2", "resource_changes": []}\n')
    mine = written(tmp_path, "run.json", b"{}")

    with pytest.raises(OutputError, match=r"(plan|run)\.json: in the way"):
        fanfold.run(DATA / "phiX174.fa", out=tmp_path)

    assert theirs.read_bytes() == b'{"format_version": "1.2", "resource_changes": []}\n'
    assert mine.read_bytes() == b"{}"


def test_results_may_go_beside_the_input(tmp_path: Path) -> None:
    path = written(tmp_path, "x.fa", PHIX)

    for _ in range(2):
        succeed("run", "x.fa", "--out", ".", cwd=tmp_path)
    succeed("run", "x.fa", "--out", ".", "-k", "3", "--fresh", cwd=tmp_path)
    succeed("run", "x.fa", "--out", ".", "--fresh", cwd=tmp_path)

    assert path.read_bytes() == PHIX
    assert {"x.fa", "x.fa.fai", "master.json"} <= tree(tmp_path)


@pytest.mark.parametrize(
    "blocked", ["sequences.tsv", "gaps.bed", "nx.tsv", K5, "x.fa.bgz.fai", "run.json"]
)
def test_a_folder_in_the_place_of_a_file_is_refused_and_stays(blocked: str, tmp_path: Path) -> None:
    path = written(tmp_path, "x.fa.bgz", bgzf(TEXT))
    out = fanfold.run(path, out=tmp_path / "out").out
    expected = results(out)
    (out / blocked).unlink()
    (out / blocked).mkdir()
    (out / blocked / "theirs").touch()

    with pytest.raises(OutputError, match=re.escape(blocked)):
        fanfold.fold(out / "plan.json")

    assert (out / "master.json").read_bytes() == expected["master.json"]
    assert (out / blocked / "theirs").exists()
    shutil.rmtree(out / blocked)
    fanfold.run(path, out=out)
    assert results(out) == expected


def test_the_gzi_is_written_before_the_report(tmp_path: Path) -> None:
    path = written(tmp_path, "x.fa.bgz", bgzf(TEXT))
    out = tmp_path / "out"
    (out / "x.fa.bgz.gzi").mkdir(parents=True)

    with pytest.raises(OutputError, match=r"x\.fa\.bgz\.gzi"):
        fanfold.run(path, out=out)

    assert not (out / "master.json").exists()


# --- the report proves itself -----------------------------------------------------------------


def crc64nvme_bit_by_bit(content: bytes) -> bytes:
    """CRC-64/NVME as its definition reads: reflected, all ones at first and inverted at last."""
    register = 2**64 - 1
    for byte in content:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x9A6C9329AC4BC9B5 if register & 1 else 0)
    return (register ^ 2**64 - 1).to_bytes(8, "big")


def test_the_crc_is_that_of_the_standard() -> None:
    """The check value of the catalogue of parametrised CRC algorithms."""
    assert crc64nvme_bit_by_bit(b"123456789").hex() == "ae8b14860a799888"


@pytest.mark.parametrize("slice_bytes", [7, 64, 1000, 5512, 5513, 10**6])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, bgzf])
def test_the_crc_folded_from_the_slices_is_that_of_the_whole_object(
    compress: Callable[[bytes], bytes], slice_bytes: int, tmp_path: Path
) -> None:
    content = compress(PHIX)
    path = written(tmp_path, "x.fa", content)

    master = document(fanfold.run(path, out=tmp_path / "out", slice_bytes=slice_bytes))

    assert base64.b64decode(master["source"]["crc64nvme"]) == crc64nvme_bit_by_bit(content)
    assert master["source"]["size_bytes"] == len(content)


@pytest.mark.parametrize("canonical", [False, True])
def test_the_proof_agrees_with_the_report_and_with_the_text(
    canonical: bool, tmp_path: Path
) -> None:
    path = written(tmp_path, "x.fa.gz", gzip.compress(TEXT))
    master = document(
        fanfold.run(path, [1, 4, 7], canonical=canonical, out=tmp_path / "out", slice_bytes=3000)
    )
    sequence = b"".join(
        line if not line.startswith(b">") else b"\n" for line in TEXT.splitlines()
    ).upper()
    runs = re.findall(rb"[ACGT]+", sequence)
    bases = sum(map(len, runs))

    proof = master["proof"]
    assert [row["k"] for row in proof["kmers"]] == [1, 4, 7]
    for row in proof["kmers"]:
        counts = [n for kmer, n in master["kmer_counts"].items() if len(kmer) == row["k"]]
        assert row["counted"] == row["in_runs"] == sum(counts)
        assert row["in_runs"] == sum(max(0, len(run) - row["k"] + 1) for run in runs)
    assert proof["bases"] == [bases, bases] == [master["total_bases"]] * 2
    assert proof["residues"] == [master["sequences"]["length"]] * 2
    assert proof["gap_residues"] == [sequence.count(b"N")] * 2 == [master["gaps"]["length"]] * 2
    assert proof["text_bytes"] == len(TEXT)


def test_run_json_tells_what_is_true_of_this_run_only(tmp_path: Path) -> None:
    path = DATA / "phiX174.fa"
    out = fanfold.run(path, out=tmp_path, slice_bytes=1000, workers=2).out

    facts = json.loads((out / "run.json").read_bytes())
    assert facts["source"]["url"] == str(path.resolve())
    assert facts["engine"] == {"name": "threads", "workers": 2}
    assert facts["slices"]["count"] == 6
    assert facts["slices"]["tile"] == "[0, 5513) without a hole or an overlap"
    assert facts["read_bytes"] == 5513
    assert facts["peak_memory_bytes"] > 2**20
    assert facts["versions"]["fanfold"] == fanfold.__version__


# --- golden files -----------------------------------------------------------------------------


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A small FASTA with all kinds of lines in it, at a place where results may go beside it."""
    return written(tmp_path, "odd.fa", (GOLDEN / "odd.fa").read_bytes())


def golden(name: str) -> bytes:
    return (GOLDEN / "odd" / name).read_bytes().replace(b"VERSION", fanfold.__version__.encode())


@pytest.mark.parametrize("slice_bytes", [None, 1, 64])
@pytest.mark.parametrize(
    "name", ["master.json", *TABLES, "kmers.k1.tsv", "kmers.k3.tsv", "odd.fa.fai"]
)
def test_golden_results(name: str, slice_bytes: int | None, odd: Path, tmp_path: Path) -> None:
    out = fanfold.run(odd, [1, 3], out=tmp_path / "out", slice_bytes=slice_bytes).out

    assert (out / name).read_bytes() == golden(name)


def test_golden_results_are_what_the_slow_twin_says() -> None:
    text = (GOLDEN / "odd.fa").read_bytes()
    expected = analyse(text, [1, 3])
    master = json.loads(golden("master.json"))

    assert comparable(master) == comparable(expected.master)
    assert master["source"]["crc64nvme"] == crc64nvme(text)
    assert golden("sequences.tsv") == expected.sequences_tsv
    assert golden("gaps.bed") == expected.gaps_bed
    assert golden("odd.fa.fai") == expected.fai
    for k in (1, 3):
        _, *rows = golden(f"kmers.k{k}.tsv").decode().splitlines()
        counts = {kmer: int(count) for kmer, count in (row.split("\t") for row in rows)}
        kmers = {kmer: n for kmer, n in expected.master["kmer_counts"].items() if len(kmer) == k}
        assert list(counts.items()) == list(kmers.items())


def test_golden_chunks(odd: Path, tmp_path: Path) -> None:
    """A cut after a comment's first byte, one between CR and LF, one after the last T of a line."""
    out = fanfold.run(odd, 3, out=tmp_path / "out", slice_bytes=64).out
    text = odd.read_bytes()
    plan = json.loads((out / "plan.json").read_bytes())
    work = out / "chunks" / plan["id"]

    assert len(list(work.glob("*.json"))) == 4
    for index in range(4):
        name = f"odd.fa.chunk{index:04d}"
        content = (work / f"{name}.json").read_bytes()
        chunk = json.loads(content)
        start, comma, body = content.partition(b",")
        checksum = hexadecimal(crc64nvme(body))
        assert start + comma == b'{\n "checksum": "%b",' % checksum.encode()
        unpinned = content.replace(checksum.encode(), b"CHECKSUM", 1)
        for key in ("job", "id"):
            unpinned = unpinned.replace(plan[key].encode(), key.upper().encode(), 1)
        assert unpinned == golden(f"{name}.json")
        owned = text[chunk["owned_start_byte"] : chunk["owned_end_byte"]]
        assert chunk["crc64nvme"] == hexadecimal(crc64nvme(owned))
        rows = work / f"{name}.rows"
        assert rows.exists() is (chunk["rows"] is not None)
        if chunk["rows"] is not None:
            assert chunk["rows"]["file"] == rows.name
            assert chunk["rows"]["size_bytes"] == rows.stat().st_size
            assert chunk["rows"]["crc64nvme"] == hexadecimal(crc64nvme(rows.read_bytes()))


def hexadecimal(in_base64: str) -> str:
    return base64.b64decode(in_base64).hex()
