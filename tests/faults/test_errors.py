"""Every error, by a real fault: what it says, what the command ends with, and what it leaves.

An error is one or two lines on stderr that say what was found, where, and what to do; stdout stays
empty, no `master.json` is there, and only `--debug` shows a traceback. The faults are real: bad
bytes, damaged archives and results, full disks, files that change under a run.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import json
import lzma
import os
import random
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import archives
import pytest
from naive import LONGEST_HEADER_BYTES, crc64nvme
from servers.warm import warm_fanfold

import fanfold
from fanfold import errors
from fanfold.errors import FanfoldError
from fanfold.flow.fold import Fold
from fanfold.flow.plan import decode_plan
from fanfold.flow.slice_file import SliceResult

from .pausing import Pause

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DATA = Path(__file__).parents[1] / "data"
FANFOLD = str(Path(sysconfig.get_path("scripts")) / "fanfold")
INDEX_VARIABLES = ["AWS_BATCH_JOB_ARRAY_INDEX", "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"]

PHIX = (DATA / "phiX174.fa").read_bytes()
LAMBDA = (DATA / "lambda_NC_001416.fa").read_bytes()
SMALL_FILES = ["sh", "-c", 'ulimit -f 40 && exec "$@"', "sh"]
"""No file may be larger than 20 or 40 kB: a shell's block is 512 or 1024 bytes."""
NO_READER_CAN = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""Root without what lets it read and write everything: permissions hold for it, too."""


# --- helpers ----------------------------------------------------------------------------------


def command(
    *arguments: str | Path,
    variables: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    stdout: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """The real command; `before` is another that runs it."""
    environment = {name: value for name, value in os.environ.items() if name not in INDEX_VARIABLES}
    environment |= variables or {}
    words = [*before, FANFOLD, *map(str, arguments)]
    if not before and stdout is None:
        return warm_fanfold().run(words, environment, errors="surrogateescape")
    return subprocess.run(
        words,
        env=environment,
        stdout=subprocess.PIPE if stdout is None else stdout,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        timeout=120,
        check=False,
    )


def assert_told(
    done: subprocess.CompletedProcess[str], error: type[FanfoldError], *words: str | Path
) -> None:
    """It ended with the error's code, and said `words` in one or two lines."""
    assert done.returncode == error.exit_code, done.stderr
    assert not done.stdout
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) <= 2, done.stderr
    assert lines[0].startswith("fanfold: ")
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr
    for word in words:
        assert str(word) in done.stderr


def assert_raised(
    error: type[FanfoldError], call: Callable[[], object], *words: str | Path
) -> None:
    """The call of the library ends with just this error, and it says `words` in a line or two."""
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert type(caught.value) is error
    assert 1 <= len(message.splitlines()) <= 2
    for word in words:
        assert str(word) in message


def assert_usage_told(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """It ended as wrong usage does: with a line on how to use it, and one on what was wrong."""
    assert done.returncode == 2, done.stderr
    assert not done.stdout
    usage, _, error = done.stderr.partition("Error: ")
    if error:
        assert usage.startswith("Usage: fanfold")
        assert len(error.splitlines()) == 1
    else:
        assert done.stderr.startswith("fanfold: ")
        assert len(done.stderr.splitlines()) <= 2
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def planned(path: Path, out: Path, **options: Any) -> Path:
    """The plan of a job whose tasks are done, and that is not folded yet."""
    options = {"k": 3, "slice_bytes": 1000} | options
    for each in fanfold.plan(path, out=out, **options).slices:
        fanfold.task(out / "plan.json", each.index)
    return out / "plan.json"


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a document, and give it a checksum that holds."""
    document = json.loads(path.read_bytes())
    del document["checksum"]
    change(document)
    body = json.dumps(document)[1:].encode()
    path.write_bytes(b'{\n "checksum": "%b",' % checksum_of(body) + body)


def checksum_of(body: bytes) -> bytes:
    return b64decode(crc64nvme(body)).hex().encode()


def flip(path: Path, offset_byte: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset_byte] ^= 0x10
    path.write_bytes(content)


def expected_results(path: Path, folder: Path, **options: Any) -> dict[str, bytes]:
    """What an undisturbed run makes of the file."""
    return results(fanfold.run(path, out=folder / "undisturbed", **{"k": 3} | options).out)


def results(out: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in out.iterdir()
        if path.is_file() and path.name not in {"plan.json", "run.json"}
    }


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    return written(tmp_path, "x.fa", PHIX)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


# --- the tree of errors -----------------------------------------------------------------------


def tree_of(error: type[FanfoldError]) -> Iterator[type[FanfoldError]]:
    yield error
    for below in error.__subclasses__():
        yield from tree_of(below)


def test_every_exit_code_is_documented() -> None:
    shown = command("--help").stdout
    documented = {int(code) for code in re.findall(r"^ +(\d+)  +\S", shown, re.MULTILINE)}

    some_of_many_failed, hung_up, reader_left, stopped_by_sigterm = 9, 129, 141, 143
    assert documented == {0, some_of_many_failed, hung_up, reader_left, stopped_by_sigterm} | {
        error.exit_code for error in tree_of(FanfoldError)
    }


def test_every_error_is_of_the_tree_and_drawn_there() -> None:
    raised = {
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, Exception)
    }

    assert raised == set(tree_of(FanfoldError))
    assert errors.__doc__ is not None
    for error in raised:
        assert re.search(rf"\b{error.__name__}\b", errors.__doc__), error


def test_a_parameter_error_is_a_value_error_too() -> None:
    with pytest.raises(ValueError, match="k = 9"):
        fanfold.scan(b">a\nACGT\n", 9)


def provoke_parameter_error(folder: Path) -> list[str | Path]:
    return ["run", written(folder, "x.fa", PHIX), "-k", "33"]


def provoke_fasta_error(folder: Path) -> list[str | Path]:
    return ["run", written(folder, "x.fa", b">a\nAC\x80\n"), "--out", folder / "out"]


def test_a_folder_whose_name_is_not_utf_8_is_told(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"d\xff")
    folder.mkdir()

    done = command("run", written(folder, "x.fa", PHIX), "--out", tmp_path / "out")

    assert done.returncode == errors.SourceError.exit_code
    assert "not UTF-8; rename it" in done.stderr


def provoke_archive_error(folder: Path) -> list[str | Path]:
    return ["run", written(folder, "x.fa", gzip.compress(PHIX)[:-9]), "--out", folder / "out"]


def provoke_source_missing_error(folder: Path) -> list[str | Path]:
    return ["run", folder / "missing.fa"]


def provoke_source_error(folder: Path) -> list[str | Path]:
    (folder / "folder.fa").mkdir()
    return ["run", folder / "folder.fa", "--out", folder / "out"]


def provoke_source_changed_error(folder: Path) -> list[str | Path]:
    path = written(folder, "x.fa", PHIX)
    fanfold.plan(path, out=folder / "out")
    path.write_bytes(LAMBDA)
    return ["task", folder / "out" / "plan.json", "--index", "0"]


def provoke_output_error(folder: Path) -> list[str | Path]:
    return ["run", written(folder, "x.fa", PHIX), "--out", "/proc/not-here"]


def provoke_engine_error(folder: Path) -> list[str | Path]:
    return ["run", written(folder, "x.fa", PHIX), "--dask", "tcp://127.0.0.1:9"]


def provoke_plan_error(folder: Path) -> list[str | Path]:
    return ["fold", written(folder, "plan.json", b"no plan")]


def provoke_missing_slices_error(folder: Path) -> list[str | Path]:
    fanfold.plan(written(folder, "x.fa", PHIX), out=folder / "out")
    return ["fold", folder / "out" / "plan.json"]


def provoke_missing_counts_error(folder: Path) -> list[str | Path]:
    folder_of_plan = fanfold.plan(written(folder, "x.fa", PHIX), 21, out=folder / "out")
    fanfold.task(folder_of_plan, 0)
    return ["fold", folder / "out" / "plan.json"]


def provoke_proof_error(folder: Path) -> list[str | Path]:
    plan = planned(written(folder, "x.fa", PHIX), folder / "out")
    forge(chunk(folder / "out", 2), rb'("AAA": )\d+', rb"\g<1>0")
    return ["fold", plan]


PROVOKE: dict[type[FanfoldError], Callable[[Path], list[str | Path]]] = {
    errors.ParameterError: provoke_parameter_error,
    errors.FastaError: provoke_fasta_error,
    errors.ArchiveError: provoke_archive_error,
    errors.SourceError: provoke_source_error,
    errors.SourceMissingError: provoke_source_missing_error,
    errors.SourceChangedError: provoke_source_changed_error,
    errors.OutputError: provoke_output_error,
    errors.EngineError: provoke_engine_error,
    errors.PlanError: provoke_plan_error,
    errors.MissingSlicesError: provoke_missing_slices_error,
    errors.MissingCountsError: provoke_missing_counts_error,
    errors.ProofError: provoke_proof_error,
}


def test_every_error_that_a_command_can_end_with_is_provoked() -> None:
    """`Cancelled` is for programs; see test_kill.py for it, and for Ctrl-C.

    `ChecksumError` takes a store that keeps checksums, `SourceElsewhereError` one that points to
    another region; see tests/stores. `CloudError` takes an API; see test_cli_cloud.py.
    `ExhaustedError` takes a process with limits; see test_exhaustion.py. `FolderBusyError` takes
    another process; see test_folders.py.
    """
    never_raised_itself = {FanfoldError, errors.InputError}
    elsewhere = {
        errors.Cancelled,
        errors.ChecksumError,
        errors.CloudError,
        errors.ExhaustedError,
        errors.FolderBusyError,
        errors.SourceElsewhereError,
    }

    assert PROVOKE.keys() == set(tree_of(FanfoldError)) - never_raised_itself - elsewhere


@pytest.mark.parametrize("error", PROVOKE, ids=lambda error: error.__name__)
def test_an_error_is_told_in_words_and_with_debug_where_it_came_from(
    error: type[FanfoldError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    arguments = PROVOKE[error](tmp_path)

    told = command(*arguments)
    assert_told(told, error)
    for debugged in (command("--debug", *arguments), command(*arguments, "--debug")):
        assert debugged.returncode != 0
        assert debugged.stderr.startswith("Traceback (most recent call last):")
        message = told.stderr.removeprefix("fanfold: ").strip()
        assert f"fanfold.errors.{error.__name__}: {message}" in debugged.stderr
    assert list(tmp_path.rglob("master.json")) == []


# --- text that is not FASTA -------------------------------------------------------------------

LONG = b"x" * LONGEST_HEADER_BYTES

BAD_TEXTS: dict[str, tuple[bytes, str, int, Sequence[str]]] = {
    "empty": (b"", "empty", 0, ["empty", "no FASTA record"]),
    "no record": (b"\n; just a comment\n", "no-record", 0, ["no FASTA record", "'>'"]),
    "UTF-16": ("\ufeff>a\nACGT\n".encode("utf-16-le"), "utf-16", 0, ["UTF-16", "convert"]),
    "FASTQ": (b"@read\nACGT\n+\nIIII\n", "fastq", 0, ["'@' at byte 0", "FASTQ", "convert"]),
    "FASTQ further on": (b"\n\n@r\nA\n+\nI\n", "fastq", 2, ["'@' at byte 2", "FASTQ"]),
    "sequence before header": (
        b"\nACGT\n>a\nACGT\n",
        "sequence-before-header",
        1,
        ["'A' at byte 1", "before the first header", "'>'"],
    ),
    "bare CR": (PHIX.replace(b"\n", b"\r"), "bare-cr", 73, ["bare CR", "Mac", "byte", "convert"]),
    "bare CR in a line": (b">a\nACGT\nAC\rGT\n", "bare-cr", 10, ["bare CR", "byte 10"]),
    "NUL": (PHIX[:3000] + b"\0" + PHIX[3000:], "invalid-byte", 3000, ["0x00", "byte 3000"]),
    "invalid byte": (PHIX + b"AC\xe9\n", "invalid-byte", 5515, ["0xe9", "byte 5515", "ASCII"]),
    "NUL in a header": (b">a\nA\n>b\0\nC\n", "nul-in-header", 7, ["NUL", "header", "byte 7"]),
    "long header": (
        PHIX + b">" + LONG + b"\nAC\n",
        "header-too-long",
        len(PHIX),
        ["header at byte 5513", "1,048,576"],
    ),
    "long comment": (
        PHIX + b";" + LONG + b"\nAC\n",
        "comment-too-long",
        len(PHIX),
        ["comment at byte 5513", "1,048,576"],
    ),
}


def test_every_kind_of_bad_text_is_here() -> None:
    described = set(re.findall(r"``([a-z0-9-]+)``", fanfold_kernel_stub_of_fault()))

    assert {kind for _, kind, _, _ in BAD_TEXTS.values()} == described


def fanfold_kernel_stub_of_fault() -> str:
    """What the kernel's stub says of `Fault`."""
    package = fanfold.__file__
    assert package is not None
    stub = Path(package).with_name("_kernel.pyi").read_text()
    return stub.partition("class Fault:")[2].partition('"""')[2].partition('"""')[0]


@pytest.mark.parametrize("case", BAD_TEXTS)
def test_text_that_is_not_fasta_is_refused_by_name_and_place(
    case: str, tmp_path: Path, out: Path
) -> None:
    content, kind, offset_byte, words = BAD_TEXTS[case]
    if kind == "bare-cr" and case == "bare CR":
        offset_byte = content.index(b"\r")
    path = written(tmp_path, "bad.fa", content)
    slice_bytes = max(1, len(content) // 3)

    done = command("run", path, "--out", out, "--slice-size", str(slice_bytes))
    assert_told(done, errors.FastaError, "bad.fa: ", *words)
    assert results(out) == {} if out.exists() else True
    for options in ({}, {"slice_bytes": slice_bytes}):
        with pytest.raises(errors.FastaError) as caught:
            fanfold.run(path, out=out, fresh=True, **options)  # type: ignore[arg-type]
        error = caught.value
        assert (error.kind, error.offset_byte, error.source) == (kind, offset_byte, "bad.fa")
        assert not (out / "master.json").exists()


@pytest.mark.parametrize("case", ["FASTQ", "NUL", "empty", "bare CR in a line"])
def test_bad_text_in_an_archive_is_refused_the_same_way(
    case: str, tmp_path: Path, out: Path
) -> None:
    content, kind, offset_byte, words = BAD_TEXTS[case]
    path = written(tmp_path, "bad.fa.gz", gzip.compress(content))

    assert_told(command("run", path, "--out", out), errors.FastaError, "bad.fa.gz: ", *words)
    with pytest.raises(errors.FastaError) as caught:
        fanfold.run(path, out=out, fresh=True, slice_bytes=1000)
    assert (caught.value.kind, caught.value.offset_byte) == (kind, offset_byte)


@pytest.mark.parametrize("case", ["FASTQ", "sequence before header", "UTF-16"])
def test_what_its_first_bytes_show_is_refused_before_anything_is_written(
    case: str, tmp_path: Path, out: Path
) -> None:
    path = written(tmp_path, "bad.fa", BAD_TEXTS[case][0])

    for verb in ("run", "plan"):
        assert_told(command(verb, path, "--out", out), errors.FastaError, "bad.fa")
    assert not out.exists()


def test_the_leftmost_of_several_errors_is_told_however_it_is_cut(
    tmp_path: Path, out: Path
) -> None:
    text = PHIX[:2000] + b"\r" + PHIX[2000:4000] + b"\0" + PHIX[4000:] + b"\x80"
    path = written(tmp_path, "bad.fa", text)

    for slice_size in ("1MB", "1000", "77"):
        done = command("run", path, "--out", out, "--slice-size", slice_size, "--fresh")
        assert_told(done, errors.FastaError, "bare CR", "byte 2000")


def test_a_fold_of_bad_text_refuses_it_each_time(tmp_path: Path, out: Path) -> None:
    plan = planned(written(tmp_path, "bad.fa", PHIX + b"\x80"), out)

    for _ in range(2):
        assert_told(command("fold", plan), errors.FastaError, "bad.fa", "0x80", "byte 5513")
        assert results(out) == {}


# --- archives that are truncated or damaged ---------------------------------------------------


def bgzf(text: bytes, block_bytes: int = 10_000, *, end: bool = True) -> bytes:
    """Of several blocks."""
    return archives.bgzf(text, block_bytes, end=end)


def zstd_with_checksum(text: bytes) -> bytes:
    return zstd.compress(text, options={zstd.CompressionParameter.checksum_flag: 1})


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bgzf": bgzf,
    "zstd": zstd_with_checksum,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
PART = {
    "gzip": "gzip member",
    "bgzf": "BGZF block",
    "zstd": "zstd frame",
    "bzip2": "bzip2 stream",
    "xz": "xz stream",
}


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_truncated_archive_is_refused_where_it_ends(
    compression: str, tmp_path: Path, out: Path
) -> None:
    whole = COMPRESS[compression](LAMBDA)
    cut = len(whole) * 2 // 3
    path = written(tmp_path, "cut.fa", whole[:cut])

    done = command("run", path, "--out", out, "--slice-size", "5kB")

    words = ("cut.fa: truncated", f"ends at byte {cut}", PART[compression], "get the whole file")
    assert_told(done, errors.ArchiveError, *words)
    assert results(out) == {}


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_damaged_archive_is_refused_with_the_place(
    compression: str, tmp_path: Path, out: Path
) -> None:
    path = written(tmp_path, "bad.fa", COMPRESS[compression](LAMBDA))
    flip(path, path.stat().st_size // 2)

    done = command("run", path, "--out", out, "--slice-size", "5kB")

    words = ("bad.fa: damaged", PART[compression], "byte ", "get a fresh copy")
    assert_told(done, errors.ArchiveError, *words)
    assert results(out) == {}


@pytest.mark.parametrize("compression", COMPRESS)
def test_what_follows_an_archive_is_refused_with_its_place(
    compression: str, tmp_path: Path, out: Path
) -> None:
    whole = COMPRESS[compression](LAMBDA)
    path = written(tmp_path, "more.fa", whole + b"and more")

    done = command("run", path, "--out", out, "--slice-size", "5kB")

    words = ("more.fa: bytes after the archive's end", f"from byte {len(whole)} on", "cut them off")
    assert_told(done, errors.ArchiveError, *words)
    assert results(out) == {}


def test_bgzf_without_its_end_of_file_block_is_truncated(tmp_path: Path, out: Path) -> None:
    content = bgzf(LAMBDA, end=False)
    path = written(tmp_path, "cut.fa.gz", content)

    for slice_size in ("1MB", "5kB"):
        done = command("run", path, "--out", out, "--slice-size", slice_size, "--fresh")
        words = ("cut.fa.gz: truncated", f"byte {len(content)}", "end-of-file block")
        assert_told(done, errors.ArchiveError, *words)
        assert results(out) == {}


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_bad_archive_is_refused_by_plan_or_by_fold(
    compression: str, tmp_path: Path, out: Path
) -> None:
    """What can't be cut is inflated by `plan`; BGZF by its tasks, and the fold tells."""
    path = written(tmp_path, "bad.fa", COMPRESS[compression](LAMBDA)[:-20])

    done = command("plan", path, "--out", out, "--slice-size", "5kB")
    if compression == "bgzf":
        assert done.returncode == 0
        for index in range(len(json.loads((out / "plan.json").read_bytes())["slices"])):
            assert command("task", out / "plan.json", "--index", str(index)).returncode == 0
        done = command("fold", out / "plan.json")

    assert_told(done, errors.ArchiveError, "bad.fa: truncated")
    assert results(out) == {}


# --- inputs that can't be read ----------------------------------------------------------------


def test_a_path_that_leads_nowhere_is_told(tmp_path: Path, out: Path) -> None:
    dangling = tmp_path / "dangling.fa"
    dangling.symlink_to(tmp_path / "gone.fa")
    below_a_file = written(tmp_path, "file", b"") / "x.fa"
    too_long = tmp_path / ("x" * 300)

    for path in (tmp_path / "missing.fa", dangling, below_a_file, too_long):
        for verb in ("run", "plan"):
            done = command(verb, path, "--out", out)
            assert_told(done, errors.SourceError, path, "can't be read", "; ")
    assert not out.exists()


def test_an_empty_path_is_told_as_such(fasta: Path, out: Path) -> None:
    for words in (("run", ""), ("stats", ""), ("run", "", "--out", out)):
        assert_told(command(*words), errors.SourceError, "an empty path")
    assert command("run", fasta, "", "--out", out).returncode == 9


def test_what_is_no_regular_file_is_told_and_not_waited_for(tmp_path: Path, out: Path) -> None:
    for verb in ("run", "plan"):
        done = command(verb, "/dev/null", "--out", out)
        assert_told(done, errors.SourceError, "/dev/null", "not a regular file", "give the path")
    folder = command("plan", tmp_path, "--out", out)
    assert_told(folder, errors.SourceError, tmp_path, "not a regular file", "give the path")
    folder = command("run", tmp_path, "--out", out)  # a pipe in it is not read
    assert_told(folder, errors.SourceError, tmp_path, "no FASTA object")
    assert not out.exists()


def permissions_hold() -> list[str] | None:
    """The command under which permissions hold; None if there is none."""
    if os.geteuid() != 0:
        return []
    works = (
        shutil.which("setpriv")
        and not subprocess.run(
            [*NO_READER_CAN, FANFOLD, "--version"], capture_output=True, check=False
        ).returncode
    )
    return NO_READER_CAN if works else None


needs_permissions = pytest.mark.skipif(
    permissions_hold() is None,
    reason="PERMISSIONS NOT TESTED: root has them all, and `setpriv` (util-linux) can't change it",
)


@needs_permissions
def test_an_input_that_may_not_be_read_is_told(fasta: Path, out: Path) -> None:
    fasta.chmod(0)

    for verb in ("run", "plan"):
        done = command(verb, fasta, "--out", out, before=permissions_hold() or [])
        words = (fasta, "can't be read", "Permission denied", "check its permissions")
        assert_told(done, errors.SourceError, *words)
    assert not out.exists()


@needs_permissions
def test_a_folder_that_may_not_be_written_is_told(fasta: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)

    done = command("run", fasta, "--out", locked / "out", before=permissions_hold() or [])

    assert_told(done, errors.OutputError, locked / "out", "Permission denied")


@needs_permissions
def test_results_that_may_not_be_replaced_are_told_and_kept(fasta: Path, out: Path) -> None:
    fanfold.run(fasta, out=out)
    before = results(out)
    out.chmod(0o555)

    done = command("run", fasta, "--out", out, "--fresh", before=permissions_hold() or [])

    assert_told(done, errors.OutputError, out, "Permission denied")
    assert results(out) == before
    out.chmod(0o755)


def test_a_plan_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "plan.json", tmp_path):
        for done in (command("task", path, "--index", "0"), command("fold", path)):
            assert_told(done, errors.PlanError, path, "can't be read", "plan.json")


# --- results that can't be written ------------------------------------------------------------


@pytest.mark.parametrize("verb", ["run", "plan"])
def test_an_out_that_is_a_file_or_leads_through_one_is_told(
    verb: str, fasta: Path, tmp_path: Path
) -> None:
    file = written(tmp_path, "file", b"theirs")

    for out in (file, file / "out"):
        done = command(verb, fasta, "--out", out)
        assert_told(done, errors.OutputError, file)
    assert file.read_bytes() == b"theirs"


def test_results_are_not_written_to_standard_output(
    fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = {*tmp_path.iterdir()}
    for words in (("run", fasta), ("run", fasta, fasta.with_name("other.fa")), ("plan", fasta)):
        done = command(*words, "--out", "-")
        assert_told(done, errors.ParameterError, "standard output is none", "./-")
    assert {*tmp_path.iterdir()} == before
    assert command("run", fasta, "--out", "./-").returncode == 0


def test_an_out_that_cannot_be_made_is_told(fasta: Path) -> None:
    done = command("run", fasta, "--out", "/proc/not-here")

    assert_told(done, errors.OutputError, "/proc/not-here", "can't be made")


def test_a_name_too_long_for_its_results_is_told(tmp_path: Path, out: Path) -> None:
    path = written(tmp_path, "x" * 236 + ".fa", PHIX)

    done = command("run", path, "--out", out)

    assert_told(done, errors.ParameterError, "no name for an input's results")
    assert not out.exists()
    assert fanfold.run(path.rename(tmp_path / ("x" * 238)), out=out).out == out


@pytest.mark.parametrize("verb", ["run", "plan", "task", "fold"])
def test_files_that_can_be_no_larger_are_told_and_the_work_can_go_on(
    verb: str, tmp_path: Path, out: Path
) -> None:
    """The disk is full for everything above some 20 kB, by a limit of the process."""
    compress: Callable[[bytes], bytes] = bz2.compress if verb == "plan" else bytes
    path = written(tmp_path, "x.fa", compress(LAMBDA))
    expected = expected_results(path, tmp_path, k=8)
    if verb in {"task", "fold"}:
        fanfold.plan(path, 8, out=out)
    if verb == "fold":
        fanfold.task(out / "plan.json", 0)
    arguments: dict[str, list[str | Path]] = {
        "run": ["run", path, "--out", out, "-k", "8"],
        "plan": ["plan", path, "--out", out, "-k", "8"],
        "task": ["task", out / "plan.json", "--index", "0"],
        "fold": ["fold", out / "plan.json"],
    }

    done = command(*arguments[verb], before=SMALL_FILES)

    words = (out, "can't be written", os.strerror(errno.EFBIG), "check space", "run again")
    assert_told(done, errors.OutputError, *words)
    assert not (out / "master.json").exists()
    assert list(out.rglob(".*.fanfold-tmp")) == []
    fanfold.run(path, 8, out=out)
    assert results(out) == expected


FULL_DISK = """
mount -t tmpfs -o size={size} tmpfs "$1" || exit 77
"$2" run "$3" --out "$1/out" -k 8 --slice-size 10kB --quiet
echo "ended with $?"
find "$1/out"
mount -o remount,size=64m "$1" || exit 77
"$2" run "$3" --out "$1/out" -k 8 --quiet && cp -r "$1/out" "$4"
"""


@pytest.mark.parametrize("size", ["4k", "64k", "256k", "600k", "1000k"])
def test_a_disk_that_is_full_is_told_and_the_run_can_go_on_when_there_is_room(
    size: str, tmp_path: Path
) -> None:
    """On a small disk of its own, in a mount namespace that ends with the test."""
    path = written(tmp_path, "x.fa", LAMBDA)
    expected = expected_results(path, tmp_path, k=8)
    disk = tmp_path / "disk"
    disk.mkdir()
    namespace = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if not shutil.which("unshare"):
        pytest.skip("A FULL DISK IS NOT TESTED: no `unshare` here (Debian package util-linux)")

    script = ["sh", "-c", FULL_DISK.format(size=size), "sh"]
    done = subprocess.run(
        [*namespace, *script, *map(str, (disk, FANFOLD, path, tmp_path / "copy"))],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode in {1, 77} and "ended with" not in done.stdout:
        pytest.skip(f"A FULL DISK IS NOT TESTED: none can be mounted here ({done.stderr.strip()})")

    ended, *listed = done.stdout.splitlines()
    assert ended == f"ended with {errors.OutputError.exit_code}"
    assert "master.json" not in listed
    assert not [name for name in listed if name.endswith(".fanfold-tmp")]
    (message,) = [line for line in done.stderr.splitlines() if "fanfold: " in line]
    assert message.startswith(f"fanfold: {disk / 'out'}")
    assert os.strerror(errno.ENOSPC) in message
    assert done.returncode == 0
    assert results(tmp_path / "copy") == expected


@pytest.mark.parametrize("option", [[], ["--json"], ["--json", "--quiet"]], ids=str)
def test_a_full_disk_behind_stdout_is_told(option: list[str], fasta: Path, out: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = command("run", fasta, "--out", out, *option, stdout=full.fileno())

    assert done.returncode == errors.OutputError.exit_code
    assert os.strerror(errno.ENOSPC) in done.stderr
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr


# --- inputs that change -----------------------------------------------------------------------


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"ACGT\n")


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 100)


def rewrite(path: Path) -> None:
    """As many bytes, but others, at another time."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"GATTACA")
    later = path.stat().st_mtime_ns + 1_000_000
    os.utime(path, ns=(later, later))


def replace(path: Path) -> None:
    """Another file under the name, as old and as large."""
    status = path.stat()
    other = written(path.parent, "other", path.read_bytes().replace(b"A", b"C"))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def remove(path: Path) -> None:
    path.unlink()


CHANGES = [append, truncate, rewrite, replace, remove]


def assert_change_told(
    done: subprocess.CompletedProcess[str], path: Path, change: Callable[[Path], None]
) -> None:
    error = errors.SourceError if change is remove else errors.SourceChangedError
    assert_told(done, error, path, "can't be read" if change is remove else "changed")


@pytest.mark.parametrize("change", CHANGES)
def test_an_input_that_changed_since_it_was_planned_is_refused_by_its_tasks(
    change: Callable[[Path], None], fasta: Path, out: Path
) -> None:
    fanfold.plan(fasta, out=out, slice_bytes=2000)
    change(fasta)

    for index in ("0", "2"):
        assert_change_told(command("task", out / "plan.json", "--index", index), fasta, change)
    assert list((out / "chunks").glob("*/*")) == []


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("compress", [bytes, bgzf], ids=["plain", "bgzf"])
def test_an_input_that_changed_since_it_was_scanned_is_refused_by_the_fold(
    compress: Callable[[bytes], bytes], change: Callable[[Path], None], tmp_path: Path, out: Path
) -> None:
    path = written(tmp_path, "x.fa", compress(LAMBDA))
    plan = planned(path, out, slice_bytes=10_000)
    change(path)

    assert_change_told(command("fold", plan), path, change)
    assert results(out) == {}


@pytest.mark.parametrize("change", [append, truncate, rewrite, replace])
def test_an_input_that_changed_between_two_runs_is_done_anew(
    change: Callable[[Path], None], fasta: Path, tmp_path: Path, out: Path
) -> None:
    """Slices of the old bytes and of the new are never mixed."""
    plan = planned(fasta, out)
    change(fasta)

    fanfold.run(fasta, 3, out=out)

    assert results(out) == expected_results(fasta, tmp_path)
    assert json.loads(plan.read_bytes())["source"]["size_bytes"] == fasta.stat().st_size


@pytest.fixture(scope="module")
def big() -> bytes:
    """Twelve million bases, enough to keep a run busy while something happens."""
    bases = random.Random(7).randbytes(12_000_000)
    return b">big\n" + bases.translate(bytes(b"ACGT"[byte % 4] for byte in range(256))) + b"\n"


@pytest.mark.parametrize("change", [append, truncate, rewrite, replace])
@pytest.mark.parametrize("compression", ["plain", "bgzf", "gzip"])
def test_an_input_that_changes_under_a_run_is_refused(
    compression: str, change: Callable[[Path], None], big: bytes, tmp_path: Path, out: Path
) -> None:
    """While a slice's result is about to get its name."""
    compress: dict[str, Callable[[bytes], bytes]] = {
        "plain": bytes,
        "bgzf": bgzf,
        "gzip": lambda text: gzip.compress(text, 1),
    }
    path = written(tmp_path, "big.fa", compress[compression](big))
    slice_size = str(path.stat().st_size // 60)
    pause = Pause(tmp_path / "pause", "os.rename", "*.chunk0001.json")
    words = ("run", path, "--out", out, "-k", "7", "--slice-size", slice_size)
    with ThreadPoolExecutor(1) as aside:
        ending = aside.submit(command, *words, variables=pause.variables)
        while not pause.is_reached():
            assert not ending.done()
            time.sleep(0.001)
        change(path)
        pause.end()
        done = ending.result()

    # Whoever replaces a file leaves the old one to those that are reading it: one stream of it is
    # whole. Then there is a report, and it is of the old bytes.
    if compression == "gzip" and change is replace and done.returncode == 0:
        assert json.loads((out / "master.json").read_bytes())["sequences"]["length"] == 12_000_000
        return
    assert_told(done, errors.SourceChangedError, path, "changed")
    assert results(out) == {}


# --- plans that can't be used -----------------------------------------------------------------


def without_the_last_slice(plan: dict[str, Any]) -> None:
    plan["slices"].pop()


def beyond_the_end(plan: dict[str, Any]) -> None:
    plan["slices"][-1]["end_byte"] += 10


def with_a_hole(plan: dict[str, Any]) -> None:
    plan["slices"][2]["start_byte"] += 1


def with_an_overlap(plan: dict[str, Any]) -> None:
    plan["slices"][2]["start_byte"] -= 1


def without_the_first_slice(plan: dict[str, Any]) -> None:
    del plan["slices"][0]


def with_two_slices_swapped(plan: dict[str, Any]) -> None:
    plan["slices"][1], plan["slices"][2] = plan["slices"][2], plan["slices"][1]


def with_a_slice_twice(plan: dict[str, Any]) -> None:
    plan["slices"].insert(1, plan["slices"][1])


def with_a_slice_that_runs_backwards(plan: dict[str, Any]) -> None:
    plan["slices"][1]["end_byte"] = plan["slices"][2]["start_byte"] = 500


def with_another_number(plan: dict[str, Any]) -> None:
    plan["slices"][3]["index"] = 7


def without_slices(plan: dict[str, Any]) -> None:
    plan["slices"] = []


def of_another_version(plan: dict[str, Any]) -> None:
    plan["version"] = "99.0.0"


def of_another_schema(plan: dict[str, Any]) -> None:
    plan["schema"] = 99


def with_another_k(plan: dict[str, Any]) -> None:
    plan["parameters"]["k"] = [4]


def with_canonical(plan: dict[str, Any]) -> None:
    plan["parameters"]["canonical"] = True


def of_another_file(plan: dict[str, Any]) -> None:
    plan["source"]["url"] = str(DATA / "lambda_NC_001416.fa")


def of_another_size(plan: dict[str, Any]) -> None:
    plan["source"]["size_bytes"] += 1


def without_a_field(plan: dict[str, Any]) -> None:
    del plan["source"]


def with_a_word_for_a_number(plan: dict[str, Any]) -> None:
    plan["slices"][0]["end_byte"] = "many"


def with_slices_of_no_bytes(plan: dict[str, Any]) -> None:
    plan["slice_bytes"] = 0


def with_slices_of_another_size(plan: dict[str, Any]) -> None:
    plan["slice_bytes"] += 1


def with_another_id(plan: dict[str, Any]) -> None:
    plan["id"] = plan["id"][::-1]


def with_an_id_that_climbs(plan: dict[str, Any]) -> None:
    plan["id"] = "../../../../../../../"


def that_replaces_what_climbs(plan: dict[str, Any]) -> None:
    plan["replaces"] = ["../../../../../../.."]


def of_an_object_of_another_size(plan: dict[str, Any]) -> None:
    plan["object_bytes"] = 7


def with_a_name_that_is_none(plan: dict[str, Any]) -> None:
    plan["source"]["name"] = "a\0b"


def with_an_unknown_field(plan: dict[str, Any]) -> None:
    plan["note"] = "mine"


def with_text_elsewhere(plan: dict[str, Any]) -> None:
    plan["slices"][0]["object"] = "../x.fa"


BAD_PLANS: dict[Callable[[dict[str, Any]], None], str] = {
    of_another_version: "fanfold 99.0.0",
    of_another_schema: "made by",
    with_another_k: "parameters were changed",
    with_canonical: "parameters were changed",
    of_another_file: "changed",
    of_another_size: "changed",
    with_a_hole: "slices",
    with_an_overlap: "slices",
    with_a_slice_that_runs_backwards: "slices",
    with_a_slice_twice: "slices",
    with_another_number: "slices",
    with_two_slices_swapped: "slices",
    without_the_first_slice: "slices",
    without_the_last_slice: "slices",
    beyond_the_end: "slices",
    without_slices: "slices",
    without_a_field: "not a plan",
    with_a_word_for_a_number: "not a plan",
    with_slices_of_no_bytes: "slice_bytes",
    with_slices_of_another_size: "changed",
    with_another_id: "changed",
    with_an_id_that_climbs: "not a plan",
    that_replaces_what_climbs: "not a plan",
    of_an_object_of_another_size: "another size",
    with_a_name_that_is_none: "changed",
    with_an_unknown_field: "note",
    with_text_elsewhere: "",
}


@pytest.mark.parametrize("change", BAD_PLANS, ids=lambda change: change.__name__)
def test_a_plan_that_was_changed_is_refused(
    change: Callable[[dict[str, Any]], None], fasta: Path, out: Path
) -> None:
    """By its tasks, and by the fold even though the results of all its slices are there."""
    plan = planned(fasta, out)
    edit(plan, change)

    words = (plan, BAD_PLANS[change], "plan anew")
    assert_raised(errors.PlanError, lambda: fanfold.task(plan, 0), *words)
    assert_raised(errors.PlanError, lambda: fanfold.fold(plan), *words)
    assert results(out) == {}
    assert results(out.parent).keys() == {fasta.name}
    assert fasta.read_bytes() == PHIX


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'"plan"',
        b"{",
        b"\xff\xfe\x00",
        b'{"schema": 1, "version": "\xff"}',
        b'{"schema": "1", "version": 1}',
        PHIX,
        gzip.compress(PHIX, mtime=0),
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:24]),
)
def test_what_is_no_plan_is_refused(content: bytes, tmp_path: Path) -> None:
    path = written(tmp_path, "plan.json", content)

    words = (path, "not a plan", "plan anew")
    assert_raised(errors.PlanError, lambda: fanfold.task(path, 0), *words)
    assert_raised(errors.PlanError, lambda: fanfold.fold(path), *words)


def test_a_plan_of_another_version_is_done_anew_by_run(
    fasta: Path, tmp_path: Path, out: Path
) -> None:
    edit(planned(fasta, out), of_another_version)

    fanfold.run(fasta, 3, out=out)

    assert results(out) == expected_results(fasta, tmp_path)
    assert json.loads((out / "plan.json").read_bytes())["version"] == fanfold.__version__


@pytest.mark.parametrize(
    "change", [without_the_last_slice, with_a_hole, with_another_k, beyond_the_end]
)
def test_a_changed_plan_is_done_anew_by_run(
    change: Callable[[dict[str, Any]], None], fasta: Path, tmp_path: Path, out: Path
) -> None:
    edit(planned(fasta, out), change)

    fanfold.run(fasta, 3, out=out)

    assert results(out) == expected_results(fasta, tmp_path)


def test_an_index_that_the_plan_does_not_have_is_told(fasta: Path, out: Path) -> None:
    fanfold.plan(fasta, out=out, slice_bytes=2000)
    plan = out / "plan.json"

    for index in ("3", "10000"):
        done = command("task", plan, "--index", index)
        assert_told(done, errors.ParameterError, plan, f"no slice {index}", "0 to 2")
    assert_usage_told(command("task", plan, "--index", "-1"), "--index", "-1")
    assert_usage_told(command("task", plan, "--index", "one"), "--index", "one")
    with pytest.raises(errors.ParameterError, match="no slice -1"):
        fanfold.task(plan, -1)


@pytest.mark.parametrize("variable", INDEX_VARIABLES)
def test_an_index_in_the_environment_that_cannot_be_is_told(
    variable: str, fasta: Path, out: Path
) -> None:
    fanfold.plan(fasta, out=out, slice_bytes=2000)
    plan = out / "plan.json"

    done = command("task", plan, variables={variable: "3"})
    assert_told(done, errors.ParameterError, plan, "no slice 3", "0 to 2")
    assert_usage_told(command("task", plan, variables={variable: "x"}), "x")
    assert_usage_told(command("task", plan, variables={variable: "-1"}), "-1")


def test_no_index_at_all_is_told(fasta: Path, out: Path) -> None:
    fanfold.plan(fasta, out=out)

    assert_usage_told(command("task", out / "plan.json"), "Missing option '--index'")


# --- results of slices that can't be used -----------------------------------------------------


def forge(path: Path, pattern: bytes, replacement: bytes) -> None:
    """Change a chunk's JSON, and give it a checksum that holds."""
    content, changes = re.subn(pattern, replacement, path.read_bytes(), count=1)
    assert changes == 1
    _, _, body = content.partition(b",")
    path.write_bytes(b'{\n "checksum": "%b",' % checksum_of(body) + body)


def chunk(out: Path, index: int, suffix: str = "json") -> Path:
    (found,) = (out / "chunks").glob(f"*/x.fa.chunk{index:04d}.{suffix}")
    return found


def assert_named_missing(plan: Path, *indexes: int) -> None:
    """The fold names the slices, and refuses."""
    names = ", ".join(map(str, indexes))
    done = command("fold", plan)
    words = ("x.fa: ", f"{len(indexes)} of ", f"no valid result: {names}. ", "fold again")
    assert_told(done, errors.MissingSlicesError, *words)
    with pytest.raises(errors.MissingSlicesError) as caught:
        fanfold.fold(plan)
    assert caught.value.indexes == indexes
    assert results(plan.parent) == {}


def test_a_fold_names_every_slice_that_is_missing(fasta: Path, tmp_path: Path, out: Path) -> None:
    plan = planned(fasta, out)
    for index in (0, 3, 5):
        chunk(out, index).unlink()

    assert_named_missing(plan, 0, 3, 5)

    for index in (5, 0, 3):
        fanfold.task(plan, index)
    fanfold.fold(plan)
    assert results(out) == expected_results(fasta, tmp_path)


def test_a_fold_of_a_plan_without_any_result_names_all(fasta: Path, out: Path) -> None:
    fanfold.plan(fasta, out=out, slice_bytes=100)

    assert_named_missing(out / "plan.json", *range(56))


def test_a_chunk_with_any_byte_flipped_is_refused_by_fold(tmp_path: Path, out: Path) -> None:
    path = written(tmp_path, "x.fa", b">a\nACGTNACG\n>b\nNNACGT\n")
    plan = planned(path, out, slice_bytes=12)
    content = chunk(out, 1).read_bytes()
    for offset_byte in [*range(60), *range(60, len(content), 29), len(content) - 1]:
        flip(chunk(out, 1), offset_byte)

        with pytest.raises(errors.MissingSlicesError) as caught:
            fanfold.fold(plan)

        assert caught.value.indexes == (1,), offset_byte
        chunk(out, 1).write_bytes(content)
    assert results(out) == {}
    fanfold.fold(plan)


def damage_json(out: Path) -> None:
    flip(chunk(out, 1), 200)


def truncate_json(out: Path) -> None:
    os.truncate(chunk(out, 1), 100)


def empty_json(out: Path) -> None:
    os.truncate(chunk(out, 1), 0)


def remove_json(out: Path) -> None:
    chunk(out, 1).unlink()


def damage_rows(out: Path) -> None:
    flip(chunk(out, 1, "rows"), 0)


def truncate_rows(out: Path) -> None:
    os.truncate(chunk(out, 1, "rows"), 3)


def lengthen_rows(out: Path) -> None:
    with chunk(out, 1, "rows").open("ab") as file:
        file.write(b"\0")


def remove_rows(out: Path) -> None:
    chunk(out, 1, "rows").unlink()


def take_rows_of_another_slice(out: Path) -> None:
    shutil.copy(chunk(out, 2, "rows"), chunk(out, 1, "rows"))


def take_json_of_another_slice(out: Path) -> None:
    shutil.copy(chunk(out, 2), chunk(out, 1))


def take_json_of_another_job(out: Path) -> None:
    plan = json.loads((out / "plan.json").read_bytes())
    other = out.parent / "other job"
    planned(Path(plan["source"]["url"]), other, k=4, slice_bytes=plan["slice_bytes"])
    shutil.copy(chunk(other, 1), chunk(out, 1))
    if chunk(other, 1, "rows").exists():
        shutil.copy(chunk(other, 1, "rows"), chunk(out, 1, "rows"))


def forge_its_counts_into_nonsense(out: Path) -> None:
    forge(chunk(out, 1), rb'"kmer_counts": \{', rb'"kmer_counts": {"XYZ": 1, ')


def forge_its_state_into_nonsense(out: Path) -> None:
    forge(chunk(out, 1), rb'"state": \{', rb'"state": {"nonsense": 1, ')


def forge_its_checksum_into_a_word(out: Path) -> None:
    forge(chunk(out, 1), rb'"crc64nvme": "[0-9a-f]+"', b'"crc64nvme": "zz"')


def forge_its_range_below_zero(out: Path) -> None:
    forge(chunk(out, 1), rb'"owned_start_byte": \d+', b'"owned_start_byte": -5')


def forge_its_blocks_beyond_its_rows(out: Path) -> None:
    forge(chunk(out, 1), rb'"blocks": \d+', b'"blocks": 1000000')


def forge_its_rows_into_another_file(out: Path) -> None:
    forge(chunk(out, 1), rb'"file": "[^"]+"', b'"file": "../../plan.json"')


def forge_its_rows_into_no_name(out: Path) -> None:
    forge(chunk(out, 1), rb'"file": "[^"]+"', rb'"file": "a\\u0000b"')


def forge_its_start(out: Path) -> None:
    forge(chunk(out, 1), rb'("owned_start_byte": )\d+', rb"\g<1>1001")


def forge_its_end(out: Path) -> None:
    forge(chunk(out, 1), rb'("owned_end_byte": )\d+', rb"\g<1>1999")


def forge_its_counts_too_high(out: Path) -> None:
    forge(chunk(out, 1), rb'("[ACGT]{3}": )(\d+)', rb"\g<1>9999\2")


def forge_its_composition_too_high(out: Path) -> None:
    forge(chunk(out, 1), rb'("composition": \{\s+"a": )(\d+)', rb"\g<1>1\2")


def forge_a_scan_of_another_k(out: Path) -> None:
    edit(chunk(out, 1), lambda document: put_scan(document, document["state"]["bytes"], 4))


def forge_a_scan_of_another_size(out: Path) -> None:
    edit(chunk(out, 1), lambda document: put_scan(document, document["state"]["bytes"] + 1, 3))


def put_scan(document: dict[str, Any], size_bytes: int, k: int) -> None:
    summary = fanfold.scan(b"A" * size_bytes, k)
    document["state"] = json.loads(summary.state_json())
    document["kmer_counts"] = json.loads(summary.kmer_counts_json([k]))
    document["rows"] = None


DAMAGES = [
    damage_json,
    truncate_json,
    empty_json,
    remove_json,
    damage_rows,
    truncate_rows,
    lengthen_rows,
    remove_rows,
    take_rows_of_another_slice,
    take_json_of_another_slice,
    take_json_of_another_job,
    forge_its_counts_into_nonsense,
    forge_its_state_into_nonsense,
    forge_its_checksum_into_a_word,
    forge_its_range_below_zero,
    forge_its_blocks_beyond_its_rows,
    forge_its_rows_into_another_file,
    forge_its_rows_into_no_name,
    forge_its_start,
    forge_its_counts_too_high,
    forge_its_composition_too_high,
    forge_a_scan_of_another_k,
    forge_a_scan_of_another_size,
]


@pytest.fixture
def contigs(tmp_path: Path) -> Path:
    """Many records, so that every slice has rows."""
    return written(
        tmp_path, "x.fa", b"".join(b">c%d\n%b\n" % (n, PHIX[n:][:60]) for n in range(99))
    )


@pytest.mark.parametrize("damage", [*DAMAGES, forge_its_end])
def test_a_damaged_result_is_named_by_fold_and_done_again_by_its_task(
    damage: Callable[[Path], None], contigs: Path, tmp_path: Path, out: Path
) -> None:
    plan = planned(contigs, out)
    damage(out)

    assert_named_missing(plan, 1)

    fanfold.task(plan, 1)
    fanfold.fold(plan)
    assert results(out) == expected_results(contigs, tmp_path)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("compression", ["plain", "gzip", "bgzf"])
def test_a_damaged_result_is_done_again_by_run(
    compression: str, damage: Callable[[Path], None], contigs: Path, tmp_path: Path, out: Path
) -> None:
    compress: dict[str, Callable[[bytes], bytes]] = {
        "plain": bytes,
        "gzip": archives.gzip_of_small_blocks,
        "bgzf": lambda text: bgzf(text, 500),
    }
    contigs.write_bytes(compress[compression](contigs.read_bytes()))
    fanfold.run(contigs, 3, out=out, slice_bytes=contigs.stat().st_size // 6)
    (out / "master.json").unlink()
    damage(out)

    fanfold.run(contigs, 3, out=out)

    assert results(out) == expected_results(contigs, tmp_path)


def test_a_damaged_result_of_a_planned_archive_is_done_again_by_run(
    contigs: Path, tmp_path: Path, out: Path
) -> None:
    """The text that the plan wrote out is gone after the fold: it is inflated once more."""
    contigs.write_bytes(bz2.compress(contigs.read_bytes()))
    plan = planned(contigs, out)
    fanfold.fold(plan)
    (out / "master.json").unlink()
    damage_json(out)

    fanfold.run(contigs, 3, out=out)

    assert results(out) == expected_results(contigs, tmp_path)


def test_text_that_a_plan_wrote_is_refused_when_it_is_damaged_or_gone(
    contigs: Path, out: Path
) -> None:
    contigs.write_bytes(bz2.compress(contigs.read_bytes()))
    fanfold.plan(contigs, 3, out=out, slice_bytes=1000)
    plan = out / "plan.json"
    damaged, gone = chunk(out, 2, "fa"), chunk(out, 3, "fa")
    flip(damaged, 500)
    gone.unlink()

    done = command("task", plan, "--index", "2")
    assert_told(done, errors.PlanError, damaged, "not the text", "plan anew")
    done = command("task", plan, "--index", "3")
    assert done.returncode in {errors.PlanError.exit_code, errors.SourceError.exit_code}
    assert str(gone) in done.stderr
    assert not list(out.glob("chunks/*/*.json"))


# --- a report that contradicts itself ---------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [rb'("AAA": )\d+', rb'("composition": \{\s+"a": )\d+'],
    ids=["k-mers", "composition"],
)
def test_a_result_that_lies_within_its_numbers_is_caught_by_the_proof(
    pattern: bytes, fasta: Path, out: Path
) -> None:
    """As a defect of fanfold, or of the memory that it ran in, would be."""
    plan = planned(fasta, out)
    forge(chunk(out, 1), pattern, rb"\g<1>0")

    done = command("fold", plan)

    assert_told(done, errors.ProofError, "contradicts itself", "please report this")
    assert results(out) == {}


def test_a_summary_that_cannot_be_merged_is_a_proof_error(fasta: Path, out: Path) -> None:
    plan = decode_plan(planned(fasta, out).read_bytes(), "plan.json")
    summary = fanfold.scan(PHIX[:1000], 4)
    result = SliceResult(0, 0, 1000, summary, 0, 0, 1000)

    with pytest.raises(errors.ProofError, match=r"x\.fa: slice 0 can't be merged .* k = 4"):
        Fold(plan).add(result)


# --- parameters -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-k", "33"], ["k = 33", "1 to 32"]),
        (["-k", "5", "-k", "99"], ["k = 99", "1 to 32"]),
        (["-k", "-1"], ["-k", "-1"]),
        (["-k", "five"], ["-k", "five"]),
        (["-k", "0", "-k", "5"], ["k = 0", "alone"]),
        (["--slice-size", "0"], ["slice", "1 or more"]),
        (["--slice-size", "0.5"], ["slice"]),
        (["--slice-size", "-5"], ["-5"]),
        (["--slice-size", "much"], ["much", "100MiB"]),
        (["--slice-size", "1XiB"], ["1XiB", "100MiB"]),
        (["--slice-size", ""], ["not a size"]),
        (["--bogus"], ["--bogus"]),
    ],
    ids=str,
)
def test_a_parameter_that_cannot_be_is_told(
    options: list[str], words: list[str], fasta: Path, out: Path
) -> None:
    for verb in ("run", "plan") if options[-1] in {"33", "0"} else ("run",):
        assert_usage_told(command(verb, fasta, "--out", out, *options), *words)
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workers", "0"], ["--workers", "0"]),
        (["--dask", "carrier-pigeon://loft"], ["--dask", "tcp://host:8786"]),
        (["--workers", "-2"], ["--workers", "-2"]),
        (["--workers", "all"], ["--workers", "all"]),
        (["--memory", "0"], ["--memory", "at least"]),
        (["--memory", "1MiB"], ["--memory", "at least"]),
        (["--memory", "119MiB"], ["--memory", "at least"]),
        (["--memory", "some"], ["some", "100MiB"]),
    ],
    ids=str,
)
def test_a_parameter_of_run_that_cannot_be_is_told(
    options: list[str], words: list[str], fasta: Path, out: Path
) -> None:
    assert_usage_told(command("run", fasta, "--out", out, *options), *words)
    assert not out.exists()


def test_wrong_usage_is_told(fasta: Path) -> None:
    assert_usage_told(command("run"), "GENOME")
    assert_usage_told(command("plan", fasta), "--out")
    assert_usage_told(command("plan", fasta, "another.fa", "--out", "out"), "another.fa")
    assert_usage_told(command("run", fasta, "another.fa", "--name", "x"), "--name")
    assert_usage_told(command("fold"), "PLAN")
    assert_usage_told(command("analyse", fasta), "analyse")
    assert_usage_told(command("--bogus"), "--bogus")


@pytest.mark.parametrize(
    "options",
    [
        {"k": 33},
        {"k": -1},
        {"k": [0, 5]},
        {"k": [1, 33]},
        {"slice_bytes": 0},
        {"slice_bytes": -1},
        {"workers": 0},
        {"workers": -1},
        {"memory_bytes": 0},
        {"memory_bytes": 2**20},
    ],
    ids=str,
)
def test_a_parameter_of_the_call_that_cannot_be_is_refused(
    options: dict[str, Any], fasta: Path, out: Path
) -> None:
    with pytest.raises(errors.ParameterError, match=r"\d"):
        fanfold.run(fasta, out=out, **options)
    if options.keys() <= {"k", "slice_bytes"}:
        with pytest.raises(errors.ParameterError, match=r"\d"):
            fanfold.plan(fasta, out=out, **options)
    assert not out.exists()


def test_just_enough_memory_is_enough(fasta: Path, out: Path) -> None:
    done = command("run", fasta, "--out", out, "--memory", "120MiB", "--workers", "8", "--quiet")

    assert done.returncode == 0
    assert json.loads((out / "run.json").read_bytes())["engine"]["workers"] == 1


def test_a_fold_that_takes_too_much_memory_is_refused_and_can_be_given_more(
    contigs: Path, tmp_path: Path, out: Path
) -> None:
    plan = planned(contigs, out)

    done = command("fold", plan, "--memory", "1MiB")
    assert_told(done, errors.ParameterError, "x.fa", "--memory", "MiB", "run again")
    assert results(out) == {}
    assert command("fold", plan, "--memory", "200MiB").returncode == 0
    assert results(out) == expected_results(contigs, tmp_path)


def test_a_run_whose_records_take_too_much_memory_is_refused_and_what_it_did_is_kept(
    tmp_path: Path, out: Path
) -> None:
    """Its rows are some 10 MB, of which the fold needs a multiple."""
    path = written(tmp_path, "x.fa", b"".join(b">contig%07d\nAC\n" % n for n in range(400_000)))
    arguments: list[str | Path] = ["run", path, "--out", out, "-k", "2", "--slice-size", "500kB"]

    def written_at() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in (out / "chunks").glob("*/*")}

    done = command(*arguments, "--memory", "120MiB")
    assert_told(done, errors.ParameterError, "x.fa", "--memory", "what is finished is kept")
    assert results(out) == {}
    kept = written_at()
    assert kept
    assert command(*arguments, "--memory", "1GiB").returncode == 0
    assert json.loads((out / "master.json").read_bytes())["sequences"]["count"] == 400_000
    assert kept.items() < written_at().items()


# --- names ------------------------------------------------------------------------------------


def test_a_file_name_that_is_not_utf_8_is_answered_or_refused_in_words(
    tmp_path: Path, out: Path
) -> None:
    """Latin-1 names come from old disks and archives."""
    path = tmp_path / os.fsdecode(b"caf\xe9.fa")
    path.write_bytes(PHIX)

    done = command("run", path, "--out", out)

    if done.returncode == 0:
        master = json.loads((out / "master.json").read_bytes())
        assert master["source"]["name"] == "caf\\xe9.fa"
    else:
        assert_told(done, errors.SourceError, "name")


@pytest.mark.parametrize("name", ["a b.fa", "-k.fa", "ünï.fa", "x%s{0}.fa", "a'b\"c.fa", "[x].fa"])
def test_a_file_name_with_anything_odd_in_it_is_answered(
    name: str, tmp_path: Path, out: Path
) -> None:
    path = written(tmp_path, name, PHIX)

    done = command("run", "--out", out, "--", path)

    assert done.returncode == 0, done.stderr
    assert json.loads((out / "master.json").read_bytes())["source"]["name"] == name
    assert (out / f"{name}.fai").exists()
