"""Copies of slices in their store: made by ranges of the pinned object, and read instead of it."""

from __future__ import annotations

import threading

import pytest
from archives import bgzf
from servers.proxy import Delay, FaultProxy
from servers.s3 import S3Server

import fanfold
from fanfold.archives.bgzf import EOF_MARKER
from fanfold.archives.formats import bgzf_block_bytes
from fanfold.engine.progress import Watch
from fanfold.errors import Cancelled, PlanError, SourceChangedError
from fanfold.flow.contents import read_contents
from fanfold.flow.copies import Copies, copy_slices
from fanfold.flow.genome import Genome
from fanfold.flow.publish import publisher_of
from fanfold.flow.run_folder import RunFolder
from fanfold.objects import copy_range, open_place, stat_source
from fanfold.params import Params
from stores.driving import ASKED, BUCKET, FORMS, GENOME, Bucket

LARGE = b">large\n" + b"ACGTACGTAC" * 60 + b"\n"
LARGE *= 6 * 1024**2 // len(LARGE)
"""S3 copies no ranges of an object of 5 MB or less."""

COPIED = {**{name: FORMS[name] for name in ("genome.fa", "genome.fa.bgz")}, "large.fa": LARGE}


@pytest.fixture(autouse=True)
def _client(s3_bucket: Bucket, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_bucket.variables.items():
        monkeypatch.setenv(name, value)
    s3.put(BUCKET, "large.fa", LARGE)


def planned(prefix: str, name: str, slice_bytes: int) -> RunFolder:
    """A plan whose slices' own objects lie apart."""
    genome = Genome(f"s3://{BUCKET}/{name}")
    plan = genome.plan(Params((3, 5), canonical=False), slice_bytes, apart=True)
    return RunFolder(open_place(f"s3://{BUCKET}/{prefix}/results/job"), plan)


def copied(folder: RunFolder) -> RunFolder:
    """The same folder with a plan whose slices were copied."""
    return folder.with_plan(copy_slices(folder))


def copies_of(folder: RunFolder, s3: S3Server) -> list[bytes]:
    """The copy of each slice."""
    urls = [folder.objects.where(folder.plan.object_name(each.index)) for each in folder.slices]
    assert all("/chunks/job/" in url for url in urls)
    return [s3.get(BUCKET, url.removeprefix(f"s3://{BUCKET}/")) for url in urls]


@pytest.mark.parametrize(
    ("name", "slice_bytes"),
    [("genome.fa", 9000), ("genome.fa.bgz", 4000), ("genome.fa.bgz", 100), ("large.fa", 2**20)],
)
def test_copies_tile_the_object_and_give_the_report_of_a_run(
    prefix: str,
    name: str,
    slice_bytes: int,
    s3: S3Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    local = tmp_path_factory.mktemp("local")
    (local / name).write_bytes(COPIED[name])
    expected = fanfold.run(local / name, ASKED.k, out=local / "out").data

    folder = copied(planned(prefix, name, slice_bytes))
    assert b"".join(copies_of(folder, s3)) == COPIED[name]
    publisher_of(folder.place).claim(folder.plan, read_contents(folder.place))
    for each in folder.slices:
        fanfold.task(folder.plan_url, each.index)
    report = fanfold.fold(folder.plan_url)

    assert report.data == expected
    assert not folder.objects.sizes()


def test_copies_of_bgzf_are_rows_of_whole_blocks(prefix: str, s3: S3Server) -> None:
    folder = copied(planned(prefix, "genome.fa.bgz", 4000))

    assert len(folder.slices) > 2
    for copy in copies_of(folder, s3):
        data = copy
        while data:
            size_bytes = bgzf_block_bytes(data)
            assert size_bytes is not None
            assert len(data) >= size_bytes
            data = data[size_bytes:]


def test_a_block_start_is_found_without_reading_the_slice(s3: S3Server) -> None:
    data = bgzf(GENOME * 40, 20_000)
    s3.put(BUCKET, "many.bgz", data)
    slices = copied(planned("many", "many.bgz", 200_000)).slices

    assert slices[-1].end_byte == len(data)
    assert data.endswith(EOF_MARKER)
    assert all(bgzf_block_bytes(data[each.start_byte : each.start_byte + 100]) for each in slices)


def test_an_object_that_changed_is_not_copied(s3: S3Server, prefix: str) -> None:
    for data in (LARGE, GENOME):
        key = f"{prefix}/changed.fa"
        s3.put(BUCKET, key, data)
        source = stat_source(f"s3://{BUCKET}/{key}")
        s3.put(BUCKET, key, data[:-1] + b"\r")

        with pytest.raises(SourceChangedError, match="changed"):
            copy_range(source, 0, 1000, open_place(f"s3://{BUCKET}/{prefix}"), "copy")

    assert not s3.pending_uploads(BUCKET)


def test_a_copy_of_another_size_is_refused(s3: S3Server, prefix: str) -> None:
    folder = copied(planned(prefix, "genome.fa", 9000))
    s3.put(BUCKET, f"{prefix}/chunks/job/genome.fa.chunk0001", b"ACGT")

    with pytest.raises(PlanError, match="not the copy"):
        list(Copies(folder.plan, folder.objects).read(0, 20_000))


@pytest.mark.parametrize(("name", "slice_bytes"), [("genome.fa", 900), ("genome.fa.bgz", 100)])
def test_copies_that_were_stopped_go_on_where_they_were(
    prefix: str, name: str, slice_bytes: int, s3: S3Server, proxy: FaultProxy
) -> None:
    folder = planned(prefix, name, slice_bytes)
    copies = f"/{BUCKET}/{prefix}/chunks/job/*"
    stopped = threading.Event()

    def stop(_: object) -> bool:
        stopped.set()
        return False

    proxy.inject(Delay(0), method="PUT", path=copies, when=stop, skip=10)
    with pytest.raises(Cancelled):
        copy_slices(folder, Watch(0, None, stopped))
    there = set(s3.keys(BUCKET, f"{prefix}/chunks/job/"))
    proxy.clear()

    whole = copied(folder)

    written = [each.request.path.removeprefix(f"/{BUCKET}/") for each in proxy.log("PUT")]
    assert there
    assert there.isdisjoint(written)
    assert len(there) + len(written) == len(whole.slices)
    assert b"".join(copies_of(whole, s3)) == COPIED[name]


def test_copying_that_never_has_time_comes_to_an_end(prefix: str) -> None:
    folder, stopped = planned(prefix, "genome.fa", 900), threading.Event()
    stopped.set()

    there = 0
    while there < len(folder.slices):
        with pytest.raises(Cancelled):
            copy_slices(folder, Watch(0, None, stopped))
        before, there = there, len(folder.objects.sizes())
        assert there > before

    assert all(each.object for each in copy_slices(folder, Watch(0, None, stopped)).slices or ())


def test_a_copy_of_another_size_is_made_again(prefix: str, s3: S3Server) -> None:
    s3.put(BUCKET, f"{prefix}/chunks/job/genome.fa.chunk0001", b"ACGT")

    assert b"".join(copies_of(copied(planned(prefix, "genome.fa", 9000)), s3)) == GENOME


def test_bytes_that_s3_does_not_copy_pass_through(
    tmp_path_factory: pytest.TempPathFactory, prefix: str, s3: S3Server
) -> None:
    path = tmp_path_factory.mktemp("local") / "genome.fa"
    path.write_bytes(GENOME)

    copy_range(stat_source(path), 5, 2000, open_place(path.parent), "copy")
    copy_range(stat_source(path), 7, 9000, open_place(f"s3://{BUCKET}/{prefix}"), "copy")

    assert (path.parent / "copy").read_bytes() == GENOME[5:2000]
    assert s3.get(BUCKET, f"{prefix}/copy") == GENOME[7:9000]
