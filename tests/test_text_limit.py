"""The text of an archive has a limit, which stops a bomb while it is inflated."""

from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import fanfold
from fanfold.engine.progress import Watch
from fanfold.errors import InputError
from fanfold.flow.contents import read_contents
from fanfold.flow.genome import Genome
from fanfold.flow.publish import publisher_of
from fanfold.flow.run_folder import RunFolder
from fanfold.flow.uncut import plan_text
from fanfold.objects import open_place
from fanfold.params import Params

FANFOLD = Path(sysconfig.get_path("scripts")) / "fanfold"
MIB = 1024**2
TEXT = b">chr1\n" + b"ACGTACGTAC" * 300_000 + b"\n"

FORMATS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
every_format = pytest.mark.parametrize("suffix", FORMATS)


def planned(folder: Path, suffix: str, text: bytes) -> RunFolder:
    """A plan without its text, as those in the cloud are."""
    path = folder / f"genome.fa.{suffix}"
    path.write_bytes(FORMATS[suffix](text))
    plan = Genome(path).plan(Params((5,), canonical=False), MIB)
    place = open_place(folder / "out")
    place.prepare("")
    return RunFolder(place, publisher_of(place).claim(plan, read_contents(place)))


def blocks_of(folder: RunFolder) -> list[memoryview]:
    """The archive in pieces of 100 bytes."""
    data = memoryview(Path(folder.plan.source.url).read_bytes())
    return [data[at : at + 100] for at in range(0, len(data), 100)]


@every_format
def test_a_text_of_just_the_limit_is_written(suffix: str, tmp_path: Path) -> None:
    folder = planned(tmp_path, suffix, TEXT)

    plan = plan_text(folder, blocks_of(folder), Watch(0, None).advance, max_text_bytes=len(TEXT))

    assert plan.text_bytes == len(TEXT)


@every_format
def test_a_text_beyond_the_limit_is_refused(suffix: str, tmp_path: Path) -> None:
    folder = planned(tmp_path, suffix, TEXT)

    with pytest.raises(InputError, match="max_text_bytes"):
        plan_text(folder, blocks_of(folder), Watch(0, None).advance, max_text_bytes=len(TEXT) - 1)

    assert list(Path(folder.url).glob("chunks/*/*")) == []


@every_format
def test_a_bomb_is_stopped_while_it_is_inflated(suffix: str, tmp_path: Path) -> None:
    folder = planned(tmp_path, suffix, TEXT * 20)
    blocks, taken = blocks_of(folder), 0

    def fed() -> Iterator[memoryview]:
        nonlocal taken
        for block in blocks:
            taken += 1
            yield block

    with pytest.raises(InputError, match="more than 1048576 bytes"):
        plan_text(folder, fed(), Watch(0, None).advance, max_text_bytes=MIB)

    assert taken < len(blocks) / 2


def test_the_command_ends_with_the_code_of_bad_input(tmp_path: Path) -> None:
    folder = planned(tmp_path, "xz", TEXT)
    command: list[str | Path] = [FANFOLD, "inflate", folder.plan_url, "--max-text-bytes"]

    refused = subprocess.run([*command, str(MIB)], capture_output=True, text=True, check=False)
    done = subprocess.run([*command, str(len(TEXT))], capture_output=True, check=False)

    assert refused.returncode == 3
    assert refused.stderr.startswith("fanfold: genome.fa.xz: its text is more than 1048576 bytes")
    assert len(refused.stderr.splitlines()) == 1
    assert done.returncode == 0
    assert len(fanfold.flow.tasks.open_plan(folder.plan_url).slices) == 3
