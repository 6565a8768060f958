"""What the server answers over HTTP: files, streams, uploads, and every kind of bad request."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fanfold.web.settings import MOST_STREAMS, MOST_UPLOADS
from web.serving import PATIENCE_SECONDS, Answer, Server, serving, wait_until, write_slow

OTHER = "f" * 32


@pytest.fixture(scope="module")
def job(server: Server) -> str:
    """A job that has ended."""
    name = server.start_job("demo", "input/ecoli.fna", slice_bytes=500_000)
    assert server.wait_for(name)["state"] == "SUCCEEDED"
    return name


def raw(server: Server, request: bytes) -> Answer:
    """The answer to the bytes of a request, as they are."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection, method=request.partition(b" ")[0].decode())
        response.begin()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())


# --- what is posted ---------------------------------------------------------------------------

POST = {"bucket": "demo", "key": "input/phiX174.fa"}


@pytest.mark.parametrize(
    ("asked", "status", "kind"),
    [
        (b"", 400, "not-json"),
        (b"{", 400, "not-json"),
        (b"\xff\xfe", 400, "not-json"),
        (b"[" * 5000, 400, "bad-request"),
        (b"[]", 400, "bad-request"),
        ({}, 400, "bad-request"),
        ({"bucket": "demo"}, 400, "bad-request"),
        ({**POST, "k": [9]}, 400, "bad-request"),
        ({**POST, "k": 5}, 400, "bad-request"),
        ({**POST, "slice_bytes": 0}, 400, "bad-request"),
        ({**POST, "view": 1}, 400, "bad-request"),
        ({**POST, "bucket": "nobody"}, 403, "not-allowed"),
        ({**POST, "bucket": ".fanfold"}, 403, "not-allowed"),
        ({**POST, "bucket": ".."}, 403, "not-allowed"),
        ({**POST, "bucket": ""}, 403, "not-allowed"),
        ({**POST, "bucket": "demo/input"}, 403, "not-allowed"),
        ({**POST, "key": "gone.fa"}, 404, "no-such-object"),
        ({**POST, "key": "input"}, 404, "no-such-object"),
        ({**POST, "key": "input/"}, 404, "no-such-object"),
        ({**POST, "key": "input/nothing.fa"}, 422, "empty-object"),
        ({**POST, "key": ""}, 400, "bad-request"),
        ({**POST, "key": "/etc/passwd"}, 400, "bad-request"),
        ({**POST, "key": "../../../etc/passwd"}, 400, "bad-request"),
        ({**POST, "key": "input/../../x"}, 400, "bad-request"),
        ({**POST, "key": "input//phiX174.fa"}, 400, "bad-request"),
        ({**POST, "key": "input\\..\\x"}, 400, "bad-request"),
        ({**POST, "key": "input/phiX174.fa\0"}, 400, "bad-request"),
        ({**POST, "key": "input/%2e%2e/x"}, 404, "no-such-object"),
        ({**POST, "key": "\ud800"}, 400, "not-json"),
        ({**POST, "key": "x" * 2000}, 400, "bad-request"),
        ({**POST, "key": "x" * 1000}, 404, "no-such-object"),
    ],
)
def test_a_bad_request_is_refused_and_starts_nothing(
    asked: Any, status: int, kind: str, server: Server
) -> None:
    before = server.ask("GET", "/jobs?limit=100").document["jobs"]

    answer = server.post(asked)

    assert (answer.status, answer.problem) == (status, kind)
    assert server.ask("GET", "/jobs?limit=100").document["jobs"] == before


def test_no_link_leaves_its_bucket(root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.fa"
    secret.write_text(">secret\nACGT\n")
    (root / "demo/out.fa").symlink_to(secret)
    (root / "demo/up").symlink_to(tmp_path)
    (root / "demo/circle").symlink_to(root / "demo/circle")
    (root / "demo/in.fa").symlink_to("input/phiX174.fa")
    (root / "linked").symlink_to(tmp_path)
    with serving(root, log=tmp_path / "log") as server:
        for key in ("out.fa", "up/secret.fa", "circle", "circle/x"):
            assert server.post({"bucket": "demo", "key": key}).problem == "no-such-object"
            put = server.ask("PUT", f"/buckets/demo/{key}?replace=true", b">x\nA\n")
            assert put.problem in {"bad-request", "object-exists", "unwritable"}
        assert server.post({"bucket": "linked", "key": "secret.fa"}).problem == "not-allowed"
        assert server.wait_for(server.start_job("demo", "in.fa"))["state"] == "SUCCEEDED"
        named = [each["name"] for each in server.ask("GET", "/buckets").document["buckets"]]
        assert named == ["demo", "empty"]
    assert secret.read_text() == ">secret\nACGT\n"


def test_a_folder_of_any_name_is_a_bucket(root: Path, tmp_path: Path) -> None:
    for name in ("My Genomes", "ü", ".hidden"):
        (root / name).mkdir()
        (root / name / "x.fa").write_text(">x\nACGT\n")
    with serving(root, log=tmp_path / "log") as server:
        named = [each["name"] for each in server.ask("GET", "/buckets").document["buckets"]]
        assert named == ["My Genomes", "demo", "empty", "ü"]
        for name in ("My Genomes", "ü"):
            assert server.wait_for(server.start_job(name, "x.fa"))["state"] == "SUCCEEDED"
        assert server.ask("GET", "/buckets/My%20Genomes").document["objects"]
        assert server.post({"bucket": ".hidden", "key": "x.fa"}).problem == "not-allowed"


def test_files_that_no_key_can_name_are_not_listed(root: Path, tmp_path: Path) -> None:
    for name in (b"latin-\xfc.fa", b"line\nend.fa", b"good.fa"):
        (root / "empty" / os.fsdecode(name)).write_text(">x\nA\n")
    (root / "empty" / os.fsdecode(b"folder-\xfc")).mkdir()
    (root / os.fsdecode(b"bucket-\xfc")).mkdir()
    with serving(root, log=tmp_path / "log") as server:
        listed = server.ask("GET", "/buckets/empty").document
        assert [each["key"] for each in listed["objects"]] == ["good.fa"]
        assert listed["folders"] == []
        named = [each["name"] for each in server.ask("GET", "/buckets").document["buckets"]]
        assert named == ["demo", "empty"]


def test_another_folder_is_a_bucket_when_it_is_told(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "x.fa").write_text(">x\nACGT\n")
    with serving(root, "--bucket", f"more={other}", log=tmp_path / "log") as server:
        listed = server.ask("GET", "/buckets/more").document
        assert [each["key"] for each in listed["objects"]] == ["x.fa"]
        assert server.wait_for(server.start_job("more", "x.fa"))["state"] == "SUCCEEDED"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_form_of_another_site_is_not_taken_for_json(kind: str, server: Server) -> None:
    body = json.dumps({"bucket": "demo", "key": "input/phiX174.fa"}).encode()
    answer = server.ask("POST", "/chunk", body, {"Content-Type": kind})
    assert (answer.status, answer.problem) == (415, "unsupported-media-type")


def test_a_body_that_is_too_large_is_refused(server: Server) -> None:
    body = b'{"bucket": "' + b"x" * 100_000 + b'"}'
    assert server.post(body).problem == "too-large"
    head = (
        b"POST /chunk HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    chunked = b"".join(b"2710\r\n" + b" " * 10_000 + b"\r\n" for _ in range(10)) + b"0\r\n\r\n"
    assert raw(server, head + chunked).status == 413


# --- paths ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nothing", 404, "no-such-path"),
        ("GET", "/assets/index.html", 404, "no-such-path"),
        ("GET", "/assets/..", 404, "no-such-path"),
        ("PUT", "/chunk", 405, "no-such-method"),
        ("PATCH", "/jobs", 405, "no-such-method"),
        ("GET", f"/jobs/{OTHER}", 404, "no-such-job"),
        ("DELETE", f"/jobs/{OTHER}", 404, "no-such-job"),
        ("GET", f"/jobs/{OTHER}/logs", 404, "no-such-job"),
        ("GET", f"/jobs/{OTHER}/events", 404, "no-such-job"),
        ("GET", f"/jobs/{OTHER}/master.json", 404, "no-such-job"),
        ("GET", "/jobs/..%2f..%2fdemo", 404, None),
        ("GET", "/jobs/%ff", 400, "bad-request"),
        ("GET", "/jobs/%00", 404, "no-such-job"),
        ("GET", "/jobs?limit=101", 400, "bad-request"),
        ("GET", "/jobs?next=../x", 400, "bad-request"),
        ("GET", "/buckets/nobody", 404, "no-such-bucket"),
        ("GET", "/buckets/.fanfold", 404, "no-such-bucket"),
        ("GET", "/buckets/demo?prefix=../", 400, "bad-request"),
        ("GET", "/buckets/demo?prefix=x", 400, "bad-request"),
    ],
)
def test_what_is_not_there_is_a_problem_document(
    method: str, path: str, status: int, kind: str | None, server: Server
) -> None:
    answer = server.ask(method, path)
    assert answer.status == status
    assert kind in {None, answer.problem}


@pytest.mark.parametrize(
    "file",
    [
        "plan.json",
        "request.json",
        "state/0001-log.json",
        "../../../demo/input/phiX174.fa",
        "%2e%2e/%2e%2e/jobs/open",
        ".fanfold/lock",
        "master.json/",
        "MASTER.JSON",
        "chunks",
    ],
)
def test_only_files_of_the_report_are_served(file: str, server: Server, job: str) -> None:
    answer = raw(server, f"GET /jobs/{job}/{file} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert answer.status == 404


# --- files ------------------------------------------------------------------------------------


def test_every_file_of_a_report_is_served_whole(server: Server, job: str) -> None:
    run = server.ask("GET", f"/jobs/{job}/run.json").document
    names = {**run["record"]["files"], **run["record"]["renderings"]}
    assert {"master.json", "report.html", "sequences.tsv", "ecoli.fna.fai"} <= names.keys()
    folder = Path(server.root) / ".fanfold/results" / job
    for name in names:
        answer = server.ask("GET", f"/jobs/{job}/{name}")
        assert answer.body == (folder / name).read_bytes(), name
        assert answer.headers["content-length"] == str(len(answer.body))
        head = server.ask("HEAD", f"/jobs/{job}/{name}")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == answer.headers["content-length"]


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=10-19", 206, 10, 20),
        ("bytes=10-", 206, 10, None),
        ("bytes=-7", 206, -7, None),
        ("bytes=-99999999", 206, 0, None),
        ("bytes=0-99999999", 206, 0, None),
        ("bytes=5-2", 200, 0, None),
        ("bytes=1-2,5-6", 200, 0, None),
        ("bytes=", 200, 0, None),
        ("bytes=-", 200, 0, None),
        ("lines=1-2", 200, 0, None),
    ],
)
def test_a_range_of_a_file(  # noqa: PLR0917 - of a table, and two fixtures
    asked: str, status: int, start: int, end: int | None, server: Server, job: str
) -> None:
    whole = server.ask("GET", f"/jobs/{job}/sequences.tsv").body
    answer = server.ask("GET", f"/jobs/{job}/sequences.tsv", headers={"Range": asked})
    assert answer.status == status
    assert answer.body == whole[start:end]
    if status == 206:
        first = start if start >= 0 else len(whole) + start
        last = first + len(answer.body) - 1
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_a_range_beyond_a_file_is_refused(asked: str, server: Server, job: str) -> None:
    answer = server.ask("GET", f"/jobs/{job}/sequences.tsv", headers={"Range": asked})
    assert (answer.status, answer.problem) == (416, "no-such-range")


def test_a_file_that_is_known_already_is_not_sent_again(server: Server, job: str) -> None:
    path = f"/jobs/{job}/sequences.tsv"
    tag = server.ask("GET", path).headers["etag"]
    same = server.ask("GET", path, headers={"If-None-Match": tag})
    assert (same.status, same.body) == (304, b"")
    other = {"Range": "bytes=0-3", "If-Range": '"another"'}
    assert server.ask("GET", path, headers=other).status == 200
    assert server.ask("GET", path, headers={**other, "If-Range": tag}).status == 206


def test_pages_have_a_policy_that_lets_no_foreign_script_run(server: Server, job: str) -> None:
    report = server.ask("GET", f"/jobs/{job}/report.html").headers["content-security-policy"]
    for rule in ("default-src 'none'", "script-src 'sha256-", "frame-ancestors 'none'"):
        assert rule in report
    assert "connect-src 'self'" in report
    page = server.ask("GET", "/").headers["content-security-policy"]
    assert "script-src 'self'" in page
    assert "unsafe" not in page
    for path in ("/jobs", f"/jobs/{job}/master.json", "/nothing", "/"):
        headers = server.ask("GET", path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


# --- streams ----------------------------------------------------------------------------------


def events(
    server: Server, job: str, seen: str | None = None
) -> Generator[tuple[str, str, Any], None, None]:
    """The events of a stream: id, kind and data, until it ends."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)
    headers = {**server.headers, **({"Last-Event-ID": seen} if seen else {})}
    connection.request("GET", f"/jobs/{job}/events", headers=headers)
    response = connection.getresponse()
    assert response.status == 200
    assert response.getheader("content-type") == "text/event-stream; charset=utf-8"
    fields: dict[str, str] = {}
    try:
        for line in iter(response.readline, b""):
            text = line.decode().rstrip("\n")
            if text:
                name, _, value = text.partition(": ")
                fields[name] = value
            elif "data" in fields:
                yield fields.get("id", ""), fields["event"], json.loads(fields["data"])
                fields = {}
    finally:
        connection.close()


def states_of(text: str) -> list[str]:
    return [each for run in filter(None, text.split(",")) for each in run[0] * int(run[1:])]


def test_a_stream_tells_every_slice_until_the_end(root: Path, tmp_path: Path) -> None:
    write_slow(root / "demo/slow.fa.bz2")
    with serving(root, log=tmp_path / "log") as server:
        job = server.start_job("demo", "slow.fa.bz2", slice_bytes=8_000_000)
        states: list[str] = []
        kinds, stages, seen = [], [], ""
        for number, (each, kind, data) in enumerate(events(server, job)):
            seen = each
            kinds.append(kind)
            if kind == "end":
                break
            apply(states, data)
            stages.append(data["stage"])
            if number == 3:
                break
        assert kinds[0] == "snapshot"
        # A stream that broke off goes on where it was; what happened since comes first.
        for _, kind, data in events(server, job, seen):
            kinds.append(kind)
            if kind == "end":
                assert data["state"] == "SUCCEEDED"
                break
            apply(states, data)
            stages.append(data["stage"])
        assert kinds.count("snapshot") == 1
        assert kinds[-1] == "end"
        assert stages[-1] == "ended"
        total = server.ask("GET", f"/jobs/{job}").document["slices"]["total"]
        assert states == ["d"] * total
        # Somebody who comes late, or from another server, gets the whole.
        for late in (None, "another-3", "x", f"{seen}0000"):
            first, *_, last = events(server, job, late)
            assert first[1] == "snapshot"
            assert states_of(first[2]["states"]) == states
            assert last[1] == "end"


def apply(states: list[str], data: Any) -> None:
    """Bring the states of slices up to date, as a page does."""
    if data["states"] is not None:
        states[:] = states_of(data["states"])
    states += ["w"] * ((data["total"] or 0) - len(states))
    for index, state in data["changes"]:
        states += ["w"] * (index + 1 - len(states))
        states[index] = state


def test_a_job_of_before_the_start_has_a_stream_that_ends(root: Path, tmp_path: Path) -> None:
    with serving(root, log=tmp_path / "log") as server:
        job = server.start_job("demo", "input/ecoli.fna", slice_bytes=1_000_000)
        server.wait_for(job)
    with serving(root, log=tmp_path / "log") as server:
        (_, kind, data), (_, last, _) = events(server, job)
        assert (kind, data["states"], last) == ("snapshot", "d5", "end")


def test_more_streams_than_there_may_be_are_refused(root: Path, tmp_path: Path) -> None:
    write_slow(root / "demo/slow.fa.bz2", 600)
    with serving(root, log=tmp_path / "log") as server, ExitStack() as stack:
        path = f"/jobs/{server.start_job('demo', 'slow.fa.bz2')}/events"
        for _ in range(MOST_STREAMS):
            stream = socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS)
            stack.enter_context(stream)
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert stream.recv(15) == b"HTTP/1.1 200 OK"
        refused = server.ask("GET", path)
        assert (refused.status, refused.problem) == (429, "too-many-streams")


def test_a_stream_has_a_head(server: Server, job: str) -> None:
    answer = server.ask("HEAD", f"/jobs/{job}/events")
    assert (answer.status, answer.body) == (200, b"")


def test_the_server_ends_though_streams_are_open(root: Path, tmp_path: Path) -> None:
    write_slow(root / "demo/slow.fa.bz2")
    with serving(root, log=tmp_path / "log") as server:
        job = server.start_job("demo", "slow.fa.bz2")
        stream = events(server, job)
        next(stream)
        assert server.stop(signal.SIGTERM) == 0
        stream.close()
    assert "Traceback" not in (tmp_path / "log").read_text()


# --- uploads ----------------------------------------------------------------------------------


def test_an_upload_appears_whole_and_replaces_only_when_told(server: Server) -> None:
    target = Path(server.root) / "empty/a/b c/ü.fa"
    path = "/buckets/empty/a/b%20c/%C3%BC.fa"
    data = b">one\n" + b"ACGT" * 500_000

    stored = server.ask("PUT", path, data)
    assert stored.status == 200, stored
    assert stored.document["key"] == "a/b c/ü.fa"
    assert stored.document["size_bytes"] == len(data)
    assert target.read_bytes() == data
    again = server.ask("PUT", path, b"other")
    assert (again.status, again.problem) == (409, "object-exists")
    assert target.read_bytes() == data
    assert server.ask("PUT", f"{path}?replace=true", b">two\nAC\n").status == 200
    assert target.read_bytes() == b">two\nAC\n"
    listed = server.ask("GET", "/buckets/empty?prefix=a/b%20c/").document
    assert [each["key"] for each in listed["objects"]] == ["a/b c/ü.fa"]
    assert server.ask("GET", "/buckets/empty?prefix=a/").document["folders"] == ["a/b c/"]
    assert [path.name for path in target.parent.iterdir()] == ["ü.fa"]


def test_an_upload_that_breaks_off_leaves_nothing(server: Server) -> None:
    folder = Path(server.root) / "empty/broken"
    head = (
        b"PUT /buckets/empty/broken/x.fa HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Length: 5000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as connection:
        connection.sendall(head + b">x\n" + b"ACGT" * 600_000)
        wait_until(lambda: bool([*folder.glob("*")]))
    wait_until(lambda: not [*folder.glob("*")])
    assert server.post({"bucket": "empty", "key": "broken/x.fa"}).status == 404


@pytest.mark.parametrize(
    ("key", "kinds"),
    [
        ("input", {"object-exists"}),
        ("input/phiX174.fa/below", {"object-exists", "unwritable"}),
        ("..%2fx", {"bad-request"}),
        ("%2e%2e/x", {"bad-request"}),
        ("a/%00", {"bad-request"}),
        (".fanfold/lock", {"bad-request"}),
        ("%2fetc%2fx", {"bad-request"}),
        ("x" * 300, {"unwritable"}),
    ],
)
def test_an_upload_to_where_no_object_can_be_is_refused(
    key: str, kinds: set[str], server: Server
) -> None:
    path = f"/buckets/demo/{key}?replace=true"
    head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nAC"
    answer = raw(server, head.encode())
    assert 400 <= answer.status < 500
    assert answer.problem in kinds


def test_an_upload_that_is_too_large_is_refused(root: Path, tmp_path: Path) -> None:
    with serving(root, "--max-upload", "1000", log=tmp_path / "log") as server:
        assert server.ask("PUT", "/buckets/empty/x", b"A" * 1001).problem == "too-large"
        head = b"PUT /buckets/empty/x HTTP/1.1\r\nHost: localhost\r\n"
        head += b"Transfer-Encoding: chunked\r\n\r\n"
        answer = raw(server, head + b"7d0\r\n" + b"A" * 2000 + b"\r\n0\r\n\r\n")
        assert (answer.status, answer.problem) == (413, "too-large")
        assert server.ask("PUT", "/buckets/empty/x", b"A" * 1000).status == 200
        assert [path.name for path in (root / "empty").iterdir()] == ["x"]


def test_more_uploads_at_once_than_there_may_be_are_refused(root: Path, tmp_path: Path) -> None:
    with serving(root, log=tmp_path / "log") as server, ExitStack() as stack:
        for number in range(MOST_UPLOADS):
            begun = socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS)
            stack.enter_context(begun)
            head = f"PUT /buckets/empty/{number} HTTP/1.1\r\nHost: localhost\r\n"
            begun.sendall(f"{head}Content-Length: 9\r\n\r\n>x".encode())
        wait_until(lambda: len([*(root / "empty").iterdir()]) == MOST_UPLOADS)
        refused = server.ask("PUT", "/buckets/empty/more", b">x\n")
        assert (refused.status, refused.problem) == (429, "too-many-uploads")
        stack.close()
        wait_until(lambda: server.ask("PUT", "/buckets/empty/more", b">x\n").status == 200)


def test_of_two_uploads_at_once_one_wins(server: Server) -> None:
    found: list[int] = []
    bodies = [bytes([65 + number]) * 300_000 for number in range(4)]
    threads = [
        threading.Thread(
            target=lambda body=body: found.append(
                server.ask("PUT", "/buckets/empty/race.fa", body).status
            )
        )
        for body in bodies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200, 409, 409, 409]
    assert (Path(server.root) / "empty/race.fa").read_bytes() in bodies


# --- who may ask ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:1", 200),
        ("localhost:8000", 200),
        ("LOCALHOST", 200),
        ("[::1]:8000", 200),
        ("192.0.2.7", 200),
        ("evil.example.org", 421),
        ("127.0.0.1.example.org", 421),
        ("localhost.example.org:8000", 421),
        ("", 421),
    ],
)
def test_a_request_for_another_name_is_refused(host: str, status: int, server: Server) -> None:
    assert raw(server, f"GET /jobs HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Origin": "http://evil.example.org"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[x"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
        (
            {
                "Sec-Fetch-Site": "cross-site",
                "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-Dest": "document",
            },
            200,
        ),
        (
            {
                "Sec-Fetch-Site": "cross-site",
                "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-Dest": "iframe",
            },
            403,
        ),
    ],
)
def test_a_page_of_another_site_gets_no_answer(
    headers: dict[str, str], status: int, server: Server
) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET /jobs HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"
    assert raw(server, request.encode()).status == status


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a token, and a job that has ended."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "root/demo").mkdir(parents=True)
    (folder / "root/demo/x.fa").write_text(">x\nACGT\n")
    with serving(folder / "root", "--token", log=folder / "log") as started:
        started.wait_for(started.start_job("demo", "x.fa"))
        yield started


def bare(server: Server, method: str, path: str, **headers: str) -> Answer:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return raw(server, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())


def test_nothing_that_holds_data_is_answered_without_the_token(guarded: Server) -> None:
    job = guarded.ask("GET", "/jobs").document["jobs"][0]["job"]
    token = guarded.token or ""
    for method, path in [
        ("GET", "/jobs"),
        ("GET", f"/jobs/{job}"),
        ("GET", f"/jobs/{job}/logs"),
        ("GET", f"/jobs/{job}/events"),
        ("GET", f"/jobs/{job}/master.json"),
        ("GET", f"/jobs/{job}/report.html"),
        ("HEAD", f"/jobs/{job}/report.html"),
        ("DELETE", f"/jobs/{job}"),
        ("POST", "/chunk"),
        ("GET", "/buckets"),
        ("GET", "/buckets/demo"),
        ("PUT", "/buckets/demo/x"),
        ("GET", "/openapi.json"),
        ("GET", "/nothing"),
        ("GET", "//jobs"),
        ("GET", "/watch/../jobs"),
        ("GET", f"/jobs?token={token}"),
    ]:
        assert bare(guarded, method, path).status == 401, path
        for wrong in ("Bearer wrong", "Basic x", f"Bearer {token}x", f"bearer {token[:-1]}"):
            assert bare(guarded, method, path, Authorization=wrong).status == 401
    for path in ("/", f"/watch/{job}", "/assets/serve.js", "/assets/serve.css"):
        assert bare(guarded, "GET", path).status == 200
    assert bare(guarded, "GET", "/jobs", Authorization=f"Bearer {token}").status == 200


def sign_in(server: Server, token: str) -> Answer:
    body = json.dumps({"token": token}).encode()
    head = (
        "POST /session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return raw(server, head.encode() + body)


def test_the_token_is_exchanged_for_a_cookie_that_no_script_reads(guarded: Server) -> None:
    refused = sign_in(guarded, "wrong")
    assert (refused.status, refused.problem) == (401, "wrong-token")
    assert "set-cookie" not in refused.headers

    cookie = sign_in(guarded, guarded.token or "").headers["set-cookie"]

    assert {"httponly", "samesite=strict"} <= {each.strip().lower() for each in cookie.split(";")}
    value = cookie.partition(";")[0]
    assert (guarded.token or "") not in cookie
    assert bare(guarded, "GET", "/jobs", Cookie=value).status == 200
    assert bare(guarded, "GET", "/jobs", Cookie=value[:-1]).status == 401
    assert bare(guarded, "GET", "/jobs", Cookie="=;=x; ;").status == 401
    crossed = bare(guarded, "GET", "/jobs", Cookie=value, Origin="http://evil.example.org")
    assert crossed.status == 403


def test_the_token_is_in_no_log(guarded: Server) -> None:
    assert (guarded.token or "-") not in guarded.log.read_text()


def test_the_token_can_be_set(root: Path, tmp_path: Path) -> None:
    secret = "0123456789abcdef"  # noqa: S105 - of this test
    variables = {"FANFOLD_TOKEN": secret}
    with serving(root, log=tmp_path / "log", variables=variables) as server:
        assert server.token == secret
    short = {"FANFOLD_TOKEN": "short"}
    with (
        pytest.raises(AssertionError, match="FANFOLD_TOKEN: give 16 characters"),
        serving(root, log=tmp_path / "short", variables=short),
    ):
        pass


def test_another_host_than_loopback_asks_for_a_token(root: Path, tmp_path: Path) -> None:
    with serving(root, "--host", "0.0.0.0", log=tmp_path / "log") as server:  # noqa: S104
        assert server.token
        assert bare(server, "GET", "/jobs").status == 401


def test_a_name_of_a_proxy_is_allowed_when_it_is_told(root: Path, tmp_path: Path) -> None:
    with serving(root, "--allow-host", "fanfold.example.org", log=tmp_path / "log") as server:
        request = b"GET /jobs HTTP/1.1\r\nHost: fanfold.example.org\r\n"
        origin = b"Origin: https://fanfold.example.org\r\n"
        assert raw(server, request + origin + b"\r\n").status == 200
        assert raw(server, request + b"Origin: https://example.org\r\n\r\n").status == 403


# --- the process ------------------------------------------------------------------------------


def run_serve(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fanfold", "serve", *options]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--host", "192.0.2.1"), 5, "192.0.2.1"),
        (("--host", "no such host"), 5, "no such host"),
        (("--bucket", "x"), 2, "NAME=DIR"),
        (("--bucket", "x=/no/such/folder"), 2, "/no/such/folder"),
        (("--bucket", "../x=/tmp"), 2, "no name for a bucket"),
        (("--port", "70000"), 2, "--port"),
    ],
)
def test_a_server_that_can_not_start_says_why(
    options: tuple[str, ...], code: int, words: str, root: Path
) -> None:
    done = run_serve("--root", str(root), *options)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told(server: Server, root: Path) -> None:
    done = run_serve("--root", str(root), "--port", str(server.port))
    assert done.returncode == 5
    assert f"port {server.port}" in done.stderr


def test_fanfold_runs_without_the_server_s_packages(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules.update(starlette=None, uvicorn=None, anyio=None)\n"
        "from fanfold.cli import main\n"
        "main()"
    )

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert "serve" in run("--help").stdout
    genome = Path(__file__).parents[1] / "data/phiX174.fa"
    assert run("run", str(genome), "--out", str(tmp_path / "out")).returncode == 0
    done = run("serve", "--root", str(tmp_path))
    assert done.returncode == 2
    assert "pip install 'fanfold[serve]'" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_bucket_is_listed_in_pages(root: Path, tmp_path: Path) -> None:
    for number in range(7):
        (root / f"empty/{number}.fa").write_text(">x\nA\n")
    (root / "empty/folder").mkdir()
    (root / "empty/.fanfold.0123456789ab.fanfold-tmp").touch()
    with serving(root, log=tmp_path / "log") as server:
        first = server.ask("GET", "/buckets/empty?limit=3").document
        second = server.ask("GET", f"/buckets/empty?limit=100&next={first['next']}").document
    assert first["folders"] == ["folder/"]
    assert [each["key"] for each in first["objects"]] == ["0.fa", "1.fa", "2.fa"]
    assert (second["folders"], second["next"]) == ([], None)
    assert [each["key"] for each in second["objects"]] == ["3.fa", "4.fa", "5.fa", "6.fa"]
