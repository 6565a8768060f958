"""Genomes by URL: the report is that of the same bytes in a file of the same name."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from servers.proxy import Answer, Delay, Fault, FaultProxy, Reset, Truncate
from servers.s3 import S3Server
from servers.web import Manners, WebServer

import fanfold
from fanfold.errors import (
    FanfoldError,
    FastaError,
    OutputError,
    ParameterError,
    SourceChangedError,
    SourceError,
    SourceMissingError,
)
from fanfold.objects.web import open_stream
from stores.driving import (
    ASKED,
    BUCKET,
    FORMS,
    GENOME,
    OPTIONS,
    Bucket,
    assert_told,
    command,
    results,
    run,
    run_array,
    succeed,
    wait_until,
)

RANGE_BYTES = 8 * 1024**2
every_form = pytest.mark.parametrize("name", FORMS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the web server serves."""
    made = tmp_path / "served"
    made.mkdir()
    for name, data in FORMS.items():
        (made / name).write_bytes(data)
    return made


@pytest.fixture
def web(folder: Path) -> Iterator[WebServer]:
    with WebServer(folder) as server:
        yield server


def written(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# --- every store ------------------------------------------------------------------------------


@every_form
def test_a_genome_in_a_bucket_makes_the_report_of_a_file(
    bucket: Bucket, name: str, tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    assert results(run(f"{bucket.url}/{name}", tmp_path / "out").out) == expected[name]


@every_form
def test_a_genome_on_the_web_makes_the_report_of_a_file(
    web: WebServer, name: str, tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    assert results(run(f"{web.url}/{name}", tmp_path / "out").out) == expected[name]
    made = run_array(f"{web.url}/{name}", str(tmp_path / "array"))
    assert results(made.out) == expected[name]


@every_form
def test_a_file_url_is_a_path(
    folder: Path, name: str, tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    out = tmp_path / "o u t"
    assert results(run(f"file://{folder}/{name}", f"file://{tmp_path}/o%20u%20t").out) == results(
        out
    )
    assert results(out) == expected[name]
    array = run_array(f"file://{folder}/{name}", f"file://{tmp_path}/array")
    assert results(array.out) == expected[name]


@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.gz", "genome.fa.bgz"])
def test_the_command_needs_nothing_but_the_environment(
    store: Bucket, name: str, prefix: str, expected: dict[str, dict[str, bytes]]
) -> None:
    out = f"{store.url}/{prefix}"
    done = succeed("run", f"{store.url}/{name}", "--out", out, *OPTIONS, variables=store.variables)
    assert done.stdout == f"{out}/master.json\n"
    assert store.results(prefix) == expected[name]


def test_the_commands_of_an_array_need_nothing_but_the_environment(
    store: Bucket, prefix: str, expected: dict[str, dict[str, bytes]]
) -> None:
    name = "genome.fa.bgz"
    out, location = f"{store.url}/{prefix}", f"{store.url}/{name}"
    sliced = [*OPTIONS[:4], "--slice-size", "9000", "--quiet"]
    done = succeed("plan", location, "--out", out, *sliced, variables=store.variables)
    where = done.stdout.strip()
    assert where == f"{out}/plan.json"
    for index in "01":
        succeed("task", where, "--index", index, variables=store.variables)
    done = command("fold", where, variables=store.variables)
    assert_told(done, 6, "slices have no valid result: 2")
    succeed("task", where, variables={**store.variables, "SLURM_ARRAY_TASK_ID": "2"})
    succeed("fold", where, variables=store.variables)
    assert store.results(prefix) == expected[name]


# --- ranges -----------------------------------------------------------------------------------


def asked_ranges(proxy: FaultProxy, path: str) -> list[tuple[int, int]]:
    """The ranges [start, end) of an object that were asked for, in the order of arrival."""
    ranges = []
    for exchange in proxy.log("GET"):
        if exchange.request.path == path:
            first, _, last = (exchange.request.range or "").removeprefix("bytes=").partition("-")
            ranges.append((int(first), int(last) + 1))
    return ranges


def test_a_large_slice_is_read_in_ranges_several_at_once(
    s3: S3Server, proxy: FaultProxy, tmp_path: Path
) -> None:
    bases = random.Random(1).randbytes(26_000_000)
    large = b">1\n" + bases.translate(bytes(b"ACGT"[byte % 4] for byte in range(256)))
    path = tmp_path / "large.fa"
    path.write_bytes(large)
    local = fanfold.run(path, 3, out=tmp_path / "local")
    s3.put(BUCKET, "large.fa", large)
    # The first bytes come in time; the first range is held up.
    proxy.inject(Delay(5.0), method="GET", path="*/large.fa", skip=1)
    location = f"s3://{BUCKET}/large.fa"

    with ThreadPoolExecutor(1) as aside:
        running = aside.submit(
            fanfold.run, location, 3, out=tmp_path / "out", slice_bytes=10**9, workers=1
        )
        wait_until(lambda: len(proxy.log("GET")) == 5 or running.done())
        under_way = [exchange.status is None for exchange in proxy.log("GET") if exchange.fault]
        report = running.result()

    assert under_way == [True]
    s3.delete(BUCKET, "large.fa")
    assert results(report.out) == results(local.out)
    head, *ranges = asked_ranges(proxy, f"/{BUCKET}/large.fa")
    assert head[0] == 0
    assert sorted(ranges) == [
        (start, min(start + RANGE_BYTES, len(large))) for start in range(0, len(large), RANGE_BYTES)
    ]
    pinned = {each.request.if_match for each in proxy.log("GET")}
    assert len(pinned) == 1
    assert None not in pinned


# --- the web ----------------------------------------------------------------------------------


def told(error: type[FanfoldError], location: str, out: Path, *words: str) -> None:
    """A run ends with just this error, which says `words`, and leaves no report."""
    with pytest.raises(error) as caught:
        run(location, out)
    assert type(caught.value) is error
    for word in words:
        assert word in str(caught.value)
    assert not (out / "master.json").exists()


WHOLE_ALONE = [
    (Manners(ranges=False), "has no byte ranges"),
    (Manners(ranges=False, size=False), "has no byte ranges"),
    (Manners(size=False), "doesn't tell its size"),
    (Manners(etag=False, last_modified=False), "tells neither ETag nor Last-Modified"),
]
"""Servers whose objects are read once, from the start, and why."""

whole_alone = pytest.mark.parametrize(
    "lacking", WHOLE_ALONE, ids=["no ranges", "chunked", "ranges without size", "no pin"]
)


@whole_alone
@every_form
def test_what_a_server_sends_from_its_start_alone_makes_the_report_of_a_file(
    *,
    folder: Path,
    tmp_path: Path,
    name: str,
    lacking: tuple[Manners, str],
    expected: dict[str, dict[str, bytes]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    manners, why = lacking
    with WebServer(folder, manners) as web, FaultProxy(web.url) as proxy:
        location = f"{proxy.url}/{name}"
        assert results(run(location, tmp_path / "out").out) == expected[name]
        whole = [each for each in proxy.log("GET") if each.request.range is None]
    assert len(whole) == 1
    assert f"{location}: its server {why}: it is read once, from its start" in caplog.messages


@whole_alone
def test_an_array_and_an_executor_read_a_stream_of_the_web_once(
    folder: Path,
    tmp_path: Path,
    lacking: tuple[Manners, str],
    expected: dict[str, dict[str, bytes]],
) -> None:
    name = "genome.fa.zst"
    with WebServer(folder, lacking[0]) as web:
        made = run_array(f"{web.url}/{name}", str(tmp_path / "array"))
        with ThreadPoolExecutor(2) as pool:
            sent = fanfold.run(
                f"{web.url}/{name}",
                ASKED.k,
                out=tmp_path / "sent",
                slice_bytes=ASKED.slice_bytes,
                executor=pool,
            )
    assert results(made.out) == expected[name]
    assert results(sent.out) == expected[name]


def test_a_report_of_a_pinned_stream_is_complete_until_its_server_has_another(
    folder: Path, tmp_path: Path
) -> None:
    path, out = folder / "genome.fa", tmp_path / "out"
    with WebServer(folder, Manners(ranges=False)) as web:
        location = f"{web.url}/genome.fa"
        assert not run(location, out).resumed
        assert run(location, out).resumed
        path.write_bytes(GENOME.lower())
        os.utime(path, (1_000_000_000, 1_000_000_000))
        assert not run(location, out).resumed


@pytest.mark.parametrize("fault", [Answer(503), Reset(), Answer(429)], ids=repr)
def test_what_passes_before_a_stream_begins_is_outlived(
    folder: Path, tmp_path: Path, fault: Fault, expected: dict[str, dict[str, bytes]]
) -> None:
    with WebServer(folder, Manners(ranges=False)) as web, FaultProxy(web.url) as proxy:
        proxy.inject(fault, method="GET", skip=1)
        assert results(run(f"{proxy.url}/genome.fa", tmp_path / "out").out) == expected["genome.fa"]


@pytest.mark.parametrize("fault", [Reset(30_000), Truncate(30_000)], ids=repr)
def test_a_stream_of_the_web_that_breaks_off_is_told(
    folder: Path, tmp_path: Path, fault: Fault
) -> None:
    with WebServer(folder, Manners(ranges=False)) as web, FaultProxy(web.url) as proxy:
        proxy.inject(fault, method="GET", skip=1)
        told(SourceError, f"{proxy.url}/genome.fa", tmp_path / "out", "broke after", "run again")


@pytest.mark.parametrize("manners", [Manners(), Manners(ranges=False), Manners(size=False)])
def test_an_empty_object_of_the_web_is_told(folder: Path, tmp_path: Path, manners: Manners) -> None:
    (folder / "empty.fa").touch()
    with WebServer(folder, manners) as web:
        told(FastaError, f"{web.url}/empty.fa", tmp_path / "out", "empty: there is no FASTA record")


LOGIN = "jo@hn:p/ss:w%rd"
QUOTED = "jo%40hn:p%2Fss%3Aw%25rd"


@pytest.mark.parametrize("ranges", [True, False])
def test_user_and_password_of_a_url_are_sent(
    folder: Path, tmp_path: Path, ranges: bool, expected: dict[str, dict[str, bytes]]
) -> None:
    with WebServer(folder, Manners(login=LOGIN, ranges=ranges)) as web:
        location = f"{web.url}/genome.fa"
        told(SourceError, location, tmp_path / "no", "asks for a login (401)")
        wrong = location.replace("://", "://jo:hn@")
        told(SourceError, wrong, tmp_path / "no", "refuses the user or the password")
        report = run(location.replace("http://", f"HTTP://{QUOTED}@"), tmp_path / "out")
    assert results(report.out) == expected["genome.fa"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_login_goes_to_no_other_server(folder: Path, tmp_path: Path, ranges: bool) -> None:
    with WebServer(folder, Manners(ranges=ranges)) as web, FaultProxy(web.url) as other:
        sent_on = Manners(elsewhere=other.url, login=LOGIN)
        with WebServer(folder, sent_on) as first:
            run(f"{first.url}/genome.fa".replace("://", f"://{QUOTED}@"), tmp_path / "out")
        assert other.log("GET")
        headers = [name.lower() for each in other.log() for name in dict(each.request.headers)]
    assert "authorization" not in headers


def test_a_server_that_points_to_itself_without_end_is_told(folder: Path) -> None:
    with WebServer(folder) as web:
        web.manners = Manners(elsewhere=web.url)
        with pytest.raises(SourceError, match="from URL to URL without end"):
            open_stream(f"{web.url}/genome.fa")
        web.manners = Manners(elsewhere="gopher://host")
        with pytest.raises(SourceError, match="points to what is no URL"):
            open_stream(f"{web.url}/genome.fa")


def test_a_scheme_may_be_in_any_case(
    bucket: Bucket, web: WebServer, tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    scheme, _, rest = bucket.url.partition("://")
    locations = [
        f"{scheme.upper()}://{rest}/genome.fa",
        f"Http{web.url.removeprefix('http')}/genome.fa",
        f"FILE://{web.folder}/genome.fa",
    ]
    for index, location in enumerate(locations):
        report = run(location, tmp_path / f"{index}")
        assert results(report.out) == expected["genome.fa"]
    again = run(f"{bucket.url}/genome.fa", tmp_path / "0")
    assert again.resumed, "it is the same object"


@pytest.mark.parametrize(
    "manners",
    [Manners(), Manners(if_match=False), Manners(etag=False), Manners(last_modified=False)],
    ids=["both", "no If-Match", "Last-Modified", "ETag"],
)
def test_a_change_on_the_web_is_seen(
    folder: Path, tmp_path: Path, manners: Manners, expected: dict[str, dict[str, bytes]]
) -> None:
    path, out = folder / "genome.fa", tmp_path / "out"
    with WebServer(folder, manners) as web:
        location = f"{web.url}/genome.fa"
        assert results(run(location, out).out) == expected["genome.fa"]
        fanfold.plan(location, ASKED.k, out=out, slice_bytes=ASKED.slice_bytes, fresh=True)
        fanfold.task(out / "plan.json", 0)
        path.write_bytes(GENOME.lower())
        os.utime(path, (1_000_000_000, 1_000_000_000))
        with pytest.raises(SourceChangedError, match="changed while it was being read"):
            fanfold.task(out / "plan.json", 1)
    assert results(out) == expected["genome.fa"], "the earlier report is what it was"


@pytest.mark.parametrize(
    "other", [GENOME + b"A\n", GENOME[:-1], GENOME[:100]], ids=["longer", "shorter", "short"]
)
def test_a_change_of_the_size_alone_is_seen_on_the_web(
    folder: Path, tmp_path: Path, other: bytes
) -> None:
    path, out = folder / "genome.fa", tmp_path / "out"
    time = path.stat().st_mtime
    with WebServer(folder, Manners(etag=False)) as web:
        location = f"{web.url}/genome.fa"
        fanfold.plan(location, ASKED.k, out=out, slice_bytes=ASKED.slice_bytes)
        path.write_bytes(other)
        os.utime(path, (time, time))
        with pytest.raises(SourceChangedError):
            fanfold.task(out / "plan.json", 1)


@pytest.mark.parametrize("manners", [Manners(), Manners(etag=False)], ids=["ETag", "no ETag"])
@pytest.mark.parametrize("fault", [Reset(100), Truncate(100), Reset(), Answer(503)], ids=repr)
def test_what_passes_on_the_web_is_outlived(
    folder: Path,
    tmp_path: Path,
    manners: Manners,
    fault: Fault,
    expected: dict[str, dict[str, bytes]],
) -> None:
    with WebServer(folder, manners) as web, FaultProxy(web.url) as proxy:
        proxy.inject(fault, method="GET", skip=2, times=2)
        report = run(f"{proxy.url}/genome.fa", tmp_path / "out")
    assert results(report.out) == expected["genome.fa"]


def test_a_signed_url_is_read_and_its_signature_never_shown(
    folder: Path, tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    secret = "Signature=c2VjcmV0%2Fkey"  # noqa: S105 - it opens nothing
    with WebServer(folder, Manners(head=False)) as web:
        location = f"{web.url}/genome.fa?X-Amz-{secret}&X-Amz-Expires=60"
        out = tmp_path / "out"
        done = succeed("run", location, "--out", out, *OPTIONS[:-1], variables={})
        assert results(out) == expected["genome.fa"]
        again = command("run", location, "--out", location, variables={})
        assert_told(again, 2, "results can't be written to the web")
        (folder / "genome.fa").unlink()
        failed = command("run", location, "--out", out, *OPTIONS, variables={})
        assert_told(failed, 4, f"{web.url}/genome.fa: can't be read")
    told_files = [data for name, data in written(out).items() if name != "plan.json"]
    shown = [each.stdout + each.stderr for each in (done, failed, again)]
    for part in ("c2VjcmV0", "Expires"):
        assert all(part.encode() not in data for data in told_files)
        assert all(part not in text for text in shown)
    assert secret.encode() in (out / "plan.json").read_bytes()


def test_a_signature_is_not_shown_by_a_server_that_fails(folder: Path, tmp_path: Path) -> None:
    with WebServer(folder) as web, FaultProxy(web.url) as proxy:
        location = f"{proxy.url}/genome.fa?token=hidden"
        for skip in (0, 3):
            proxy.clear()
            proxy.inject(Answer(500, b"hidden"), times=None, skip=skip)
            out = tmp_path / f"{skip}"
            soon = {"FANFOLD_RETRY_TIMEOUT": "0.2"}
            done = command("run", location, "--out", out, *OPTIONS, variables=soon)
            assert_told(done, 4, f"{proxy.url}/genome.fa: can't be read")
            assert "hidden" not in done.stderr


def test_a_password_in_a_url_is_not_shown(
    folder: Path, tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    with WebServer(folder) as web:
        location = f"{web.url}/genome.fa".replace("http://", "http://user:pa55word@")
        out = tmp_path / "out"
        done = succeed("run", location, "--out", out, *OPTIONS[:-1], variables={})
        failed = command("run", f"{location}.gone", "--out", out, *OPTIONS, variables={})
        assert_told(failed, 4, f"{web.url}/genome.fa.gone: can't be read")
    assert results(out) == expected["genome.fa"]
    shown = [done.stdout, done.stderr, failed.stderr]
    assert not [text for text in shown if "pa55word" in text or "user" in text]
    files = written(out)
    assert [name for name, data in files.items() if b"pa55word" in data] == ["plan.json"]


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (404, SourceMissingError, "the server has no such file (404); check the URL"),
        (410, SourceMissingError, "the server has no such file any more (410)"),
        (403, SourceError, "the server refuses (403); check the URL"),
        (401, SourceError, "the server asks for a login (401)"),
        (405, SourceError, "the server sends no files there (405)"),
    ],
)
def test_what_a_web_server_refuses_is_told(
    folder: Path, tmp_path: Path, status: int, error: type[FanfoldError], words: str
) -> None:
    with WebServer(folder) as web, FaultProxy(web.url) as proxy:
        proxy.inject(Answer(status), times=None)
        told(error, f"{proxy.url}/genome.fa", tmp_path / "out", words)
        proxy.clear()
        proxy.inject(Answer(status), times=None, skip=4)
        with pytest.raises(SourceError):
            run(f"{proxy.url}/genome.fa", tmp_path / "later")
        assert not (tmp_path / "later" / "master.json").exists()


@pytest.mark.parametrize("name", ["a b.fa", "a#b.fa", "a%20b.fa", "a+b.fa", "ü.fa", "a?b.fa"])
def test_a_name_on_the_web_is_what_its_url_means(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).write_bytes(GENOME)
    local = run(folder / name, tmp_path / "local")
    quoted = "".join(f"%{byte:02X}" if byte not in b"ab.f" else chr(byte) for byte in name.encode())
    with WebServer(folder) as web:
        report = run(f"{web.url}/{quoted}?x#y", tmp_path / "out")
    assert results(report.out) == results(local.out)
    assert json.loads(report.data)["source"]["name"] == name


@pytest.mark.parametrize("path", ["", "/", "/folder/", "/..", "/%2E%2E", "/a%2F..", "/."])
def test_a_url_without_a_name_is_refused(tmp_path: Path, path: str) -> None:
    words = "no name" if path.rpartition("/")[2] else "names no file"
    told(ParameterError, f"http://127.0.0.1:1{path}", tmp_path / "out", words)


@pytest.mark.parametrize("server", ["http://127.0.0.1:1", "https://127.0.0.1:1", "http://a..b"])
def test_a_server_that_is_not_there_is_named(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "0.2")
    words = f"{server} can't be reached"
    told(SourceError, f"{server}/x.fa", tmp_path / "out", f"{server}/x.fa: can't be read", words)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "https://127.0.0.1:1"])
def test_an_endpoint_that_is_not_there_is_named(
    endpoint: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "0.2")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    told(SourceError, "s3://bucket/x.fa", tmp_path / "out", f"{endpoint} can't be reached")
    with pytest.raises(OutputError, match=f"{endpoint} can't be reached"):
        run(folder / "genome.fa", "s3://bucket/out")


def test_a_server_that_comes_late_is_waited_for(
    folder: Path, tmp_path: Path, expected: dict[str, dict[str, bytes]]
) -> None:
    web = WebServer(folder)  # its port is its own from here on, but nobody answers
    with ThreadPoolExecutor(1) as aside:
        running = aside.submit(run, f"{web.url}/genome.fa", tmp_path / "out")
        with web:
            assert results(running.result().out) == expected["genome.fa"]


# --- keys -------------------------------------------------------------------------------------


ODD_NAMES = ["a b.fa", "a#b.fa", "a%20b.fa", "a+b.fa", "ü.fa", "a?b.fa", "a&b.fa", "~a.fa", "a=.fa"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_key_is_taken_as_it_is(bucket: Bucket, name: str, tmp_path: Path, prefix: str) -> None:
    path = tmp_path / name
    path.write_bytes(GENOME)
    local = run(path, tmp_path / "local")
    key = f"{prefix}/in {name} here/{name}"
    bucket.put(key, GENOME)

    report = run(f"{bucket.url}/{key}", f"{bucket.url}/{prefix}/out of {name}")

    assert bucket.results(f"{prefix}/out of {name}") == results(local.out)
    assert json.loads(report.data)["source"]["name"] == name


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("s3://bucket", "a bucket, not an object"),
        ("s3://", "names no bucket"),
        ("s3:///key", "names no bucket"),
        ("s3://bucket/a//b.fa", "empty, '.' and '..' parts"),
        ("s3://bucket//b.fa", "empty, '.' and '..' parts"),
        ("s3://bucket/a/../b.fa", "empty, '.' and '..' parts"),
        ("gs://bucket/..", "empty, '.' and '..' parts"),
        ("az://bucket/./b.fa", "empty, '.' and '..' parts"),
        ("ftp://host/b.fa", "give a path, - for stdin, or a URL"),
        ("https:///b.fa", "names no host"),
        ("https://host", "names no file"),
        ("file://host/b.fa", "not a file of this machine"),
    ],
)
def test_a_location_that_cannot_be_is_refused(location: str, words: str, tmp_path: Path) -> None:
    told(ParameterError, location, tmp_path / "out", location, words)
    done = command("run", location, "--out", tmp_path / "out", variables={})
    assert_told(done, 2, words)


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://host/results", "can't be written to the web"),
        ("s3://", "names no bucket"),
        ("s3://bucket/a//b", "empty, '.' and '..' parts"),
        ("s3://bucket/../b", "empty, '.' and '..' parts"),
        ("ftp://host/b", "give a path"),
        ("file://host/b", "not a file of this machine"),
    ],
)
def test_a_place_that_cannot_be_is_refused(location: str, words: str, folder: Path) -> None:
    with pytest.raises(ParameterError, match=words):
        run(folder / "genome.fa", location)


def test_what_is_not_there_is_told(bucket: Bucket, tmp_path: Path) -> None:
    for location in (f"{bucket.url}/gone.fa", f"{bucket.url}-gone/genome.fa"):
        told(SourceMissingError, location, tmp_path / "out", location, "no such object (or bucket)")
