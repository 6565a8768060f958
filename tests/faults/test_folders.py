"""Folders that others use too, and disks with manners of their own."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from servers.warm import warm_fanfold

import fanfold
from fanfold.errors import FolderBusyError, MissingSlicesError, OutputError
from fanfold.flow import finish
from fanfold.objects import LocalPlace

DATA = Path(__file__).parents[1] / "data"
PHIX = (DATA / "phiX174.fa").read_bytes()
FANFOLD = Path(sysconfig.get_path("scripts")) / "fanfold"
NOBODY = 65534


def written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def files(out: Path) -> dict[str, bytes]:
    """The files of a report."""
    return {
        path.name: path.read_bytes()
        for path in out.iterdir()
        if path.is_file() and path.name not in {"plan.json", "run.json"}
    }


def command(
    *arguments: str | Path, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    words = [*before, str(FANFOLD), *map(str, arguments)]
    if not before:
        return warm_fanfold().run(words)
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path / "x.fa", b">a\nACGTNNAC\n" + PHIX)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


# --- the lock ---------------------------------------------------------------------------------


@contextmanager
def suspended(out: Path, *words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A run that is stopped in the middle of its work, and goes on at the end of the block."""
    with subprocess.Popen(
        [FANFOLD, "run", "-", "--out", out, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        while not (out / "plan.json").exists():
            process.stdin.write(">a\n" + "ACGT" * 10_000 + "\n")
            process.stdin.flush()
            assert process.poll() is None
        try:
            yield process
        finally:
            process.stdin.close()
            process.wait(timeout=120)


@pytest.mark.parametrize("k", ["5", "3"])
@pytest.mark.parametrize("verb", ["run", "plan"])
def test_a_second_run_is_told_who_works_in_the_folder(
    k: str, verb: str, path: Path, out: Path
) -> None:
    with suspended(out, "-k", "5") as first:
        before = files(out)
        done = command(verb, path, "--out", out, "-k", k, "--fresh")

        assert done.returncode == OutputError.exit_code
        assert f"process {first.pid} on {os.uname().nodename}, since 20" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert files(out) == before
    assert first.returncode == 0
    assert command("check", out).returncode == 0


def test_a_fold_waits_for_nobody_and_is_told_who_works_in_the_folder(path: Path, out: Path) -> None:
    made = fanfold.plan(path, out=out)
    fanfold.task(made.plan_url, 0)

    with LocalPlace(out).lock(), pytest.raises(FolderBusyError, match="another run is at work"):
        fanfold.fold(made.plan_url)

    assert fanfold.fold(made.plan_url).master.sequences.count == 2


def test_a_complete_report_is_answered_while_another_run_works_in_the_folder(
    path: Path, out: Path
) -> None:
    first = fanfold.run(path, out=out)

    with LocalPlace(out).lock():
        assert fanfold.run(path, out=out).data == first.data


def test_tasks_take_no_lock(path: Path, out: Path) -> None:
    made = fanfold.plan(path, out=out)

    with LocalPlace(out).lock():
        assert fanfold.task(made.plan_url, 0) == path.stat().st_size


def test_two_threads_of_one_process_exclude_each_other(path: Path, out: Path) -> None:
    reports, errors = [], []

    def run() -> None:
        try:
            reports.append(fanfold.run(path, out=out, slice_bytes=100))
        except OutputError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert reports
    assert all(f"process {os.getpid()}" in error for error in errors)
    assert {report.data for report in reports} == {reports[0].data}


@pytest.mark.parametrize(
    "before", ["", '{"host":"%s","pid":1073741824,"since":"2026-01-01T00:00:00Z"}']
)
def test_a_holder_is_named_that_has_not_signed_yet(path: Path, out: Path, before: str) -> None:
    fanfold.run(path, out=out)
    lock = out / ".fanfold" / "lock"
    lock.write_text(before and before % os.uname().nodename)
    with LocalPlace(path.parent / "other").lock():
        signed = (path.parent / "other" / ".fanfold" / "lock").read_bytes()
    with lock.open("r+b") as file, ThreadPoolExecutor(1) as pool:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused = pool.submit(fanfold.run, path, out=out, fresh=True)
        time.sleep(0.2)  # it may have looked by then, or not: both are to end alike
        lock.write_bytes(signed)
        with pytest.raises(FolderBusyError, match=f"process {os.getpid()} on"):
            refused.result()


FORKS = """
import multiprocessing, os, signal, sys
from pathlib import Path
from fanfold.objects import LocalPlace

def stay():
    print(os.getpid(), flush=True)
    signal.pause()

with LocalPlace(Path(sys.argv[1])).lock():
    multiprocessing.get_context("fork").Process(target=stay).start()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_forked_worker_that_outlives_its_killed_parent_holds_no_folder(
    path: Path, out: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FORKS, out], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        try:
            assert parent.wait(timeout=120) == -signal.SIGKILL
            os.kill(worker, 0)  # it is still there

            assert fanfold.run(path, out=out).master.sequences.count == 2
        finally:
            os.kill(worker, signal.SIGKILL)


HOLDS = """
import sys
from pathlib import Path
from fanfold.objects import LocalPlace
with LocalPlace(Path(sys.argv[1])).lock() as is_held:
    print(is_held)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="ANOTHER USER'S LOCK IS NOT TESTED: it takes root")
def test_a_lock_file_of_another_user_can_be_held(tmp_path: Path) -> None:
    if not shutil.which("setpriv"):
        pytest.skip("ANOTHER USER'S LOCK IS NOT TESTED: no `setpriv` here (util-linux)")
    out = tmp_path / "out"
    with LocalPlace(out).lock():
        pass
    for folder in (tmp_path, out, out / ".fanfold"):
        folder.chmod(0o777)
    (out / ".fanfold" / "lock").chmod(0o644)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o005:
            folder.chmod(folder.stat().st_mode | 0o055)
    # No right of root's passes by the permissions, but files of root's may be read as ever.
    other = ("setpriv", f"--reuid={NOBODY}", "--clear-groups", "--inh-caps=-all")
    locks = [
        sys.executable,
        "-c",
        HOLDS,
        str(out),
    ]
    readable = subprocess.run(
        [*other, sys.executable, "-c", "import fanfold"], capture_output=True, check=False
    )
    if readable.returncode:
        pytest.skip("ANOTHER USER'S LOCK IS NOT TESTED: the checkout is root's alone")

    done = subprocess.run([*other, *locks], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
    with LocalPlace(out).lock():
        done = subprocess.run([*other, *locks], capture_output=True, text=True, check=False)
    assert "another run is at work here" in done.stderr


@pytest.mark.parametrize("code", ["ENOLCK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"])
def test_where_there_are_no_locks_a_run_says_so_and_goes_on(
    code: str,
    path: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def flock(*_: object) -> None:
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))

    monkeypatch.setattr(fcntl, "flock", flock)

    assert fanfold.run(path, out=out).master.sequences.count == 2

    (message,) = caplog.messages
    assert message.startswith(f"{out}: no lock can be held here")


# --- disks ------------------------------------------------------------------------------------


READ_ONLY = """
mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 77
shift
exec "$@"
"""


def read_only(out: Path) -> tuple[str, ...]:
    """What runs a command while a folder is on a read-only disk."""
    user = () if os.geteuid() == 0 else ("--map-root-user",)
    before = ("unshare", "--mount", *user, "sh", "-c", READ_ONLY, "sh", str(out))
    try:
        tried = subprocess.run([*before, "true"], capture_output=True, check=False).returncode
    except FileNotFoundError:
        tried = 77
    if tried:
        pytest.skip("A READ-ONLY DISK IS NOT TESTED: none can be mounted here")
    return before


def test_a_complete_report_on_a_read_only_disk_is_answered(path: Path, out: Path) -> None:
    report = fanfold.run(path, out=out)

    for verb in ("run", "check"):
        words = [path, "--out", out] if verb == "run" else [out]
        done = command(verb, *words, before=read_only(out))
        assert done.returncode == 0, done.stderr
    assert files(out)["master.json"] == report.data


def test_a_run_on_a_read_only_disk_is_told(path: Path, out: Path) -> None:
    fanfold.run(path, 5, out=out)

    done = command("run", path, "--out", out, "-k", "3", "--fresh", before=read_only(out))

    assert done.returncode == OutputError.exit_code
    assert "Read-only file system" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("code", ["EIO", "EDQUOT", "ENOSPC"])
def test_a_sync_that_fails_is_an_error_and_never_believed(
    code: str, path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sync of a run in turn: the old report is whole, or the new one is committed."""
    fanfold.run(path, 5, out=out)
    old = files(out)
    expected = files(fanfold.run(path, 3, out=out.with_name("undisturbed")).out)
    number = getattr(errno, code)
    synced: list[int] = []
    fsync = os.fsync

    def failing(descriptor: int, at: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        if len(synced) == at:
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    for at in range(1, 100):
        synced.clear()
        monkeypatch.setattr(os, "fsync", lambda descriptor, at=at: failing(descriptor, at))
        try:
            fanfold.run(path, 3, out=out, fresh=True)
        except OutputError as error:
            message = str(error)
        else:
            assert at > 10
            break
        assert os.strerror(number) in message
        assert len(synced) == at, "nothing is synced after a sync that failed"
        monkeypatch.setattr(os, "fsync", fsync)
        found = files(out)
        found.pop("publish.json", None)
        assert found == old or (out / "publish.json").exists()
        if found != old or (out / "publish.json").exists():
            fanfold.run(path, 3, out=out, fresh=True)
            assert files(out) == expected
            fanfold.run(path, 5, out=out, fresh=True)
    monkeypatch.setattr(os, "fsync", fsync)
    assert files(out) == expected


def test_a_folder_that_can_not_be_synced_is_taken_as_it_is(
    path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems sync a name with its file, and refuse to sync a folder."""
    fsync = os.fsync

    def of_files_alone(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", of_files_alone)

    assert fanfold.run(path, out=out).master.sequences.count == 2


@pytest.mark.parametrize("code", ["EPERM", "ENOTSUP", "ENOSYS"])
def test_a_file_is_created_where_there_are_no_hard_links(
    code: str, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))

    monkeypatch.setattr(os, "link", link)
    out.mkdir()
    place = LocalPlace(out)

    assert place.create("a.json", b"first")
    assert not place.create("a.json", b"second")
    assert [each.name for each in out.iterdir()] == ["a.json"]
    assert place.read("a.json") == b"first"


def test_the_folder_itself_may_be_a_link(path: Path, out: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    out.symlink_to(tmp_path / "elsewhere")

    fanfold.run(path, out=out)

    assert out.is_symlink()
    assert (tmp_path / "elsewhere" / "master.json").exists()
    assert fanfold.run(path, out=tmp_path / "elsewhere").resumed


@pytest.mark.parametrize("name", ["chunks", ".fanfold", "sequences.tsv", "chunks/plan"])
def test_a_link_put_into_a_finished_folder_is_not_followed(
    name: str, path: Path, out: Path, tmp_path: Path
) -> None:
    made = fanfold.run(path, 5, out=out)
    if name == "chunks/plan":
        (name,) = (f"chunks/{each.name}" for each in (out / "chunks").iterdir())
    elsewhere = tmp_path / "elsewhere"
    shutil.move(out / name, elsewhere)
    before = elsewhere.read_bytes() if elsewhere.is_file() else sorted(elsewhere.rglob("*"))
    (out / name).symlink_to(elsewhere)

    if name.startswith("chunks/"):  # the work of the plan that is replaced: it stays
        fanfold.run(path, 3, out=out, fresh=True)
    else:
        with pytest.raises(OutputError, match=r"link|in the way"):
            fanfold.run(path, 3, out=out, fresh=True)
        assert made.path.read_bytes() == made.data

    assert (out / name).is_symlink()
    after = elsewhere.read_bytes() if elsewhere.is_file() else sorted(elsewhere.rglob("*"))
    assert after == before


FOLDED = """
mkfs.ext4 -q -O casefold -E encoding=utf8 "$1" && mount -o loop "$1" "$2" || exit 77
mkdir "$2/d" && chattr +F "$2/d" && touch "$2/d/A" && test -e "$2/d/a" || exit 77
echo theirs > "$2/d/Sequences.TSV"
"$3" run "$4" --out "$2/d"
echo "ended with $?"
cat "$2/d/Sequences.TSV"
"""


def test_a_file_whose_name_differs_by_case_alone_is_refused_where_case_does_not_count(
    path: Path, tmp_path: Path
) -> None:
    image, folder = tmp_path / "image", tmp_path / "mounted"
    image.write_bytes(bytes(16 * 2**20))
    folder.mkdir()
    words = ["unshare", "--mount", "sh", "-c", FOLDED, "sh", image, folder, FANFOLD, path]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    if "ended with" not in done.stdout:
        pytest.skip("NAMES WITHOUT CASE ARE NOT TESTED: no such file system can be mounted here")

    assert done.stdout == "ended with 5\ntheirs\n"
    assert "sequences.tsv: in the way" in done.stderr


def test_names_are_looked_up_and_not_searched_for_in_a_listing(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where case doesn't count, a listing has the name as its owner wrote it."""
    written(out / "gaps.bed", b"theirs")
    monkeypatch.setattr(os, "scandir", None)
    monkeypatch.setattr(os, "listdir", None)

    assert LocalPlace(out).kinds(["gaps.bed", "master.json"]) == {"gaps.bed": "file"}


# --- a network's file system ------------------------------------------------------------------


class Lagging(LocalPlace):
    """A folder that never lists what others wrote, and opens it after so many tries in vain."""

    def __init__(self, path: Path, in_vain: int) -> None:
        super().__init__(path)
        self._in_vain = in_vain

    def sizes(self, below: str = "") -> dict[str, int]:
        found = super().sizes(below)
        return {} if below.startswith("chunks/") else found

    def read(self, name: str, most_bytes: int = 2**28) -> bytes:
        if name.startswith("chunks/") and self._in_vain:
            self._in_vain -= 1
            raise FileNotFoundError(name)
        return super().read(name, most_bytes)


@pytest.mark.parametrize("in_vain", [1, 10])
def test_a_fold_looks_again_before_it_calls_a_slice_missing(
    in_vain: int, path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = fanfold.plan(path, out=out)
    fanfold.task(made.plan_url, 0)
    place = Lagging(out, in_vain)
    monkeypatch.setattr("fanfold.flow.tasks.open_place", lambda _: place)
    monkeypatch.setattr(finish, "LAG_SECONDS", 0.01)

    if in_vain > 1:
        with pytest.raises(MissingSlicesError):
            fanfold.fold(made.plan_url)
    else:
        assert fanfold.fold(made.plan_url).master.sequences.count == 2


def test_a_name_that_a_listing_does_not_show_is_opened_all_the_same(path: Path, out: Path) -> None:
    made = fanfold.plan(path, out=out)
    fanfold.task(made.plan_url, 0)
    folder = made.with_plan(made.plan)
    folder.place = Lagging(out, 0)

    assert folder.get(0) is not None
