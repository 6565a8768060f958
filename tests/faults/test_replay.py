"""Power cuts, by replay: after every operation on a folder, with whatever was not synced lost.

A recorder notes what a run does to its folder. What a cut after each operation may leave is then
laid out: what was synced is there; of the rest, files are whole, empty, cut or absent, and names
are old or new. The next run has to end in a whole report, whatever it finds.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

import pytest

import fanfold
from fanfold.errors import OutputError
from fanfold.flow import run as run_module
from fanfold.objects import LocalPlace

DATA = Path(__file__).parents[1] / "data"
PHIX = (DATA / "phiX174.fa").read_bytes()

Loss = Literal["nothing", "names", "empty", "cut", "zeros", "some"]
SOME: Loss = "some"
LOSSES: list[Loss] = ["nothing", "names", "empty", "cut", "zeros", *[SOME] * 12]


@dataclass(eq=False)
class File:
    """A file's bytes, and whether the disk has them."""

    data: bytes
    is_synced: bool = False


@dataclass
class Disk:
    """A folder's names, as a process sees them and as the disk has them for sure."""

    seen: dict[str, File] = field(default_factory=dict)
    kept: dict[str, File] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def write(self, name: str, data: bytes, *, durable: bool) -> None:
        self.seen[name] = File(data, is_synced=durable)
        if durable:
            self.sync(str(PurePosixPath(name).parent))

    def adopt(self, name: str, data: bytes) -> None:
        """The file is on the disk, and its name may be."""
        self.seen[name] = File(data, is_synced=True)

    def move(self, name: str, to: str) -> None:
        self.seen[to] = self.seen.pop(name)

    def remove(self, name: str) -> None:
        self.seen.pop(name, None)

    def remove_folder(self, folder: str) -> None:
        if not any(name.startswith(f"{folder}/") for name in self.seen):
            self.gone.add(folder)

    def sync(self, below: str) -> None:
        """The names directly in a folder are on the disk now, and those that went are not."""
        for folder in [each for each in self.gone if str(PurePosixPath(each).parent) == below]:
            # With a folder goes what the disk had in it, unless it was made again.
            if not any(name.startswith(f"{folder}/") for name in self.seen):
                for name in [each for each in self.kept if each.startswith(f"{folder}/")]:
                    del self.kept[name]
            self.gone.remove(folder)
        for names in (self.kept, self.seen):
            for name in [each for each in names if str(PurePosixPath(each).parent) == below]:
                if name in self.seen:
                    self.kept[name] = self.seen[name]
                else:
                    del self.kept[name]

    def after(self, loss: Loss, chance: random.Random) -> dict[str, bytes]:
        """What a power cut may leave."""
        left = {}
        for name in sorted(self.seen.keys() | self.kept.keys()):
            is_new = loss != "names" and (loss != "some" or chance.random() < 0.5)
            file = (self.seen if is_new else self.kept).get(name)
            if file is not None:
                left[name] = file.data if file.is_synced else unsynced(file.data, loss)
        return left


def unsynced(data: bytes, loss: Loss) -> bytes:
    match loss:
        case "empty":
            return b""
        case "cut":
            return data[: len(data) // 2]
        case "zeros":
            return bytes(len(data))
    return data


Operation = Callable[[Disk], None]


class Recorder(LocalPlace):
    """A folder that notes what is done to it."""

    def __init__(self, path: Path, done: list[Operation]) -> None:
        super().__init__(path)
        self._done = done

    @contextmanager
    def writing(
        self, name: str, *, durable: bool = False, is_private: bool = False
    ) -> Iterator[BinaryIO]:
        with super().writing(name, durable=durable, is_private=is_private) as file:
            yield file
        data = Path(self.where(name)).read_bytes()
        self._done.append(lambda disk: disk.write(name, data, durable=durable))

    def adopt(self, path: Path, name: str) -> None:
        data = path.read_bytes()
        super().adopt(path, name)
        self._done.append(lambda disk: disk.adopt(name, data))

    def move(self, name: str, to: str) -> None:
        super().move(name, to)
        self._done.append(lambda disk: disk.move(name, to))

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            super().remove([name])
            self._done.append(lambda disk, name=name: disk.remove(name))  # type: ignore[misc]

    def remove_folder(self, below: str) -> None:
        super().remove_folder(below)
        self._done.append(lambda disk: disk.remove_folder(below))

    def sync(self, below: str = "") -> None:
        super().sync(below)
        self._done.append(lambda disk: disk.sync(below or "."))


def recorded(
    out: Path, run: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> list[Operation]:
    """What a run does to the folder."""
    done: list[Operation] = []
    with monkeypatch.context() as patched:
        patched.setattr(run_module, "open_place", lambda _: Recorder(out, done))
        run()
    return done


def contents(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def report_of(out: Path) -> dict[str, bytes]:
    return {
        name: data
        for name, data in contents(out).items()
        if ("/" not in name or name.startswith("kmers/"))
        and name not in {"plan.json", "run.json", "publish.json"}
    }


def lay_out(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def power_cuts(
    before: dict[str, bytes], done: list[Operation], folder: Path
) -> Iterator[tuple[Path, str]]:
    """A folder for every state that a cut may leave, and what it is."""
    disk = Disk()
    for name, data in before.items():
        disk.seen[name] = disk.kept[name] = File(data, is_synced=True)
    chance = random.Random(1)
    seen = set()
    for count, operation in enumerate([None, *done]):
        if operation is not None:
            operation(disk)
        for loss in LOSSES:
            left = disk.after(loss, chance)
            state = tuple(sorted(left.items()))
            if state not in seen:
                seen.add(state)
                yield lay_out(folder / str(len(seen)), left), f"{count} operations, {loss} lost"


@pytest.mark.parametrize(
    ("case", "old_k", "k"),
    [
        ("a new folder", [], [5]),
        ("a new folder", [], [9, 21]),
        ("a changed input", [5], [5]),
        ("other parameters", [5], [3]),
        ("other parameters", [21], [3]),
        ("other parameters", [9, 21], [9]),
        ("another view", [5], [5]),
    ],
)
def test_the_run_after_a_power_cut_ends_in_a_whole_report(
    case: str, old_k: list[int], k: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "x.fa", tmp_path / "out"
    path.write_bytes(b">old\nACGTNNAC\n>b\nAC\nACGTTGCAAGGCTTACCGAGT\n")
    before: dict[str, bytes] = {}
    old: dict[str, bytes] = {}
    if case != "a new folder":
        fanfold.run(path, old_k, out=out, slice_bytes=10)
        before, old = contents(out), report_of(out)
    if case == "a changed input":
        path.write_bytes(PHIX)
    fresh = case == "other parameters"
    view = fanfold.View(min_gap=3 if case == "another view" else 1)
    expected = report_of(fanfold.run(path, k, out=tmp_path / "undisturbed", view=view).out)

    def run() -> object:
        return fanfold.run(path, k, out=out, slice_bytes=2000, fresh=fresh, workers=1, view=view)

    done = recorded(out, run, monkeypatch)
    assert report_of(out) == expected
    assert len(done) > 15

    states = 0
    for folder, state in power_cuts(before, done, tmp_path / "cuts"):
        states += 1
        if old:
            assert_old_or_new(folder, old, expected, state)
        again = fresh and not is_answered(folder, path, k)
        report = fanfold.run(path, k, out=folder, fresh=again, view=view)
        # One that is complete is answered without a write: whoever writes next removes what goes.
        waiting = folder / "publish.json"
        goes = json.loads(waiting.read_bytes())["goes"] if waiting.exists() else []
        found = {name: data for name, data in report_of(folder).items() if name not in goes}
        assert found == expected, state
        assert report.data == expected["master.json"], state
        assert fanfold.run(path, k, out=folder, view=view).resumed, state
    assert states > 40


def is_answered(folder: Path, path: Path, k: list[int]) -> bool:
    """Whether a run without `fresh` is let in: the plan or the report is of its question."""
    try:
        fanfold.run(path, k, out=folder)
    except OutputError:
        return False
    return True


def assert_old_or_new(
    folder: Path, old: dict[str, bytes], new: dict[str, bytes], state: str
) -> None:
    """The old report is whole, or the new one is committed: it is there, or waits to be moved."""
    found = report_of(folder)
    assert found in (old, new) or (folder / "publish.json").exists(), state
    if "master.json" in found:  # it never stands beside tables of another report
        whole = new if found["master.json"] == new["master.json"] else old
        assert {name: found.get(name) for name in whole} == whole, state
