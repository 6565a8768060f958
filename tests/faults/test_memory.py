"""`--memory` is a bound: what needs more is refused before it is taken, whatever the input is."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from archives import bgzf

from fanfold.archives.bgzf import EOF_MARKER
from fanfold.errors import ParameterError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1024**2
COMMAND = Path(sys.executable).with_name("fanfold")

WATCHED = """
import json, os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
told = child.stderr.read().decode()
_, status, usage = os.wait4(child.pid, 0)
peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([os.waitstatus_to_exitcode(status), told, peak]))
"""
"""Started from a small process: the peak of a new one begins with that of its parent."""


class Ended(NamedTuple):
    status: int
    told: str
    peak_bytes: int


def run(path: Path, out: Path, memory: str, *options: str) -> Ended:
    arguments = ["run", path, "--out", out, "--memory", memory, "--quiet", *options]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, COMMAND, *map(str, arguments)],
        capture_output=True,
        check=True,
        stdin=path.open("rb") if path.name == "-" else None,
    )
    return Ended(*json.loads(done.stdout))


def numbered(form: bytes, count: int) -> bytes:
    return b"".join(form % number for number in range(count))


ROWS: dict[str, Callable[[], bytes]] = {
    "empty records": lambda: b">\n" * 8_000_000,
    "names": lambda: numbered(b">%x\n", 2_000_000),
    "records of a base": lambda: numbered(b">%x\nA\n", 2_000_000),
    "records of a gap": lambda: b">\nN\n" * 5_000_000,
    "gaps": lambda: b">chr1\n" + b"NA" * 12_000_000,
    "long names": lambda: (b">" + b"x" * 1_000_000 + b"\n") * 80,
}

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": lambda text: gzip.compress(text, 1),
    "bgzf": bgzf,
    "bzip2": lambda text: bz2.compress(text, 1),
    "xz": lambda text: lzma.compress(text, preset=0),
}


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("options", [(), ("--slice-size", "100MiB", "-k", "8")])
def test_rows_of_any_kind_are_bounded_and_what_is_asked_for_is_enough(
    rows: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(ROWS[rows]())
    memory = 130
    ended = run(path, tmp_path / "out", f"{memory}MiB", *options)
    assert ended.status == ParameterError.exit_code
    for _ in range(3):  # it can only guess what the rest of the input holds
        assert ended.peak_bytes < memory * MIB
        if ended.status == 0:
            break
        asked = re.search(
            r"x\.fa: its records and gaps take .* give (?:about|more, such as) (\d+)MiB", ended.told
        )
        assert asked is not None, ended.told
        memory = int(asked[1])
        ended = run(path, tmp_path / "out", f"{memory}MiB", *options)
    assert ended.status == 0, ended.told


@pytest.mark.parametrize("packing", PACKED)
def test_rows_are_bounded_in_every_archive(packing: str, tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(PACKED[packing](ROWS["names"]()))
    refused = run(path, tmp_path / "out", "130MiB")
    assert refused.peak_bytes < 130 * MIB
    assert refused.status == ParameterError.exit_code, refused.told


def wide_zstd() -> bytes:
    """A frame with a window of 2 GiB, full of text."""
    options = {zstd.CompressionParameter.window_log: 31}
    compressor = zstd.ZstdCompressor(options={int(key): value for key, value in options.items()})
    pieces = [compressor.compress(b">chr1\n")]
    pieces += [compressor.compress(b"ACGTTGCATTAG" * MIB) for _ in range(20)]
    return b"".join([*pieces, compressor.flush()])


def wide_xz() -> bytes:
    """A stream with a dictionary of 256 MiB, full of text."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 256 * MIB}]
    return lzma.compress(b">chr1\n" + b"ACGTTGCATTAG" * (24 * MIB), filters=filters)


@pytest.mark.parametrize("pack", [wide_zstd, wide_xz])
def test_an_archive_whose_window_does_not_fit_is_refused_before_it_is_taken(
    pack: Callable[[], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(pack())
    refused = run(path, tmp_path / "out", "200MiB")
    assert refused.status == ParameterError.exit_code
    assert re.search(r"x\.fa: .* window.*--memory", refused.told), refused.told
    assert refused.peak_bytes < 100 * MIB
    assert run(path, tmp_path / "out", "9GiB").status == 0


@pytest.mark.parametrize("options", [(), ("--slice-size", "100MiB")])
def test_blocks_without_text_are_bounded(options: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(bgzf(b">chr1\nACGT\n", end=False) + EOF_MARKER * 500_000)
    refused = run(path, tmp_path / "out", "120MiB", *options)
    assert refused.peak_bytes < 120 * MIB
    assert refused.status == ParameterError.exit_code, refused.told
    assert run(path, tmp_path / "out", "1GiB", *options).status == 0


@pytest.mark.parametrize("packing", PACKED)
def test_bases_fit_into_the_least_memory(packing: str, tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(PACKED[packing](b">chr1\n" + b"ACGTTGCATTAG" * (2 * MIB)))
    ended = run(path, tmp_path / "out", "120MiB", "-k", "8", "--workers", "8")
    assert ended.status == 0, ended.told
    assert ended.peak_bytes < 120 * MIB


@pytest.mark.parametrize("memory", ["150MB", "250MB"])
def test_tables_of_large_k_are_counted_in_the_memory_there_is(memory: str, tmp_path: Path) -> None:
    """More k-mers than fit at once, and many that begin alike: they are counted in passes."""
    path = tmp_path / "x.fa"
    bases = random.Random(3).randbytes(20_000_000).translate(bytes(b"ACGT" * 64))
    path.write_bytes(b">x\n" + bases + b"\n>y\n" + b"ACGTTGCAAC" * 1_000_000 + b"\n")

    ended = run(path, tmp_path / "out", memory, "-k", "14,31", "--canonical")

    assert (ended.status, ended.told) == (0, "")
    assert ended.peak_bytes <= int(memory.removesuffix("MB")) * 10**6
