"""The tests' own servers do what they say: each fault of the proxy as a plain client meets it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from pathlib import Path

import pytest
from servers.proxy import (
    INTERNAL_ERROR,
    NO_CONDITIONS,
    PRECONDITION_FAILED,
    SLOW_DOWN,
    Answer,
    CorruptDownload,
    CorruptUpload,
    Delay,
    FaultProxy,
    ReplaceETag,
    ReplaceHeader,
    Reset,
    ResetUpload,
    Stall,
    Truncate,
    s3_error,
)
from servers.s3 import RefusedError, S3Server, s3_server
from servers.web import Manners, WebServer

BODY = bytes(range(256)) * 1000
SHORT_SECONDS = 0.3


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        server.create_bucket("bucket")
        yield server


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    s3.put("bucket", "object", BODY)
    with FaultProxy(s3.endpoint_url) as started:
        yield started


def connection_to(server: FaultProxy | WebServer) -> closing[HTTPConnection]:
    return closing(HTTPConnection("127.0.0.1", server.port, timeout=60))


def got(server: FaultProxy, headers: dict[str, str] | None = None) -> tuple[HTTPResponse, bytes]:
    with connection_to(server) as connection:
        connection.request("GET", "/bucket/object", headers=headers or {})
        response = connection.getresponse()
        return response, response.read()


def put(
    server: FaultProxy,
    key: str,
    body: bytes | Iterator[bytes],
    headers: dict[str, str] | None = None,
) -> int:
    with connection_to(server) as connection:
        connection.request(
            "PUT",
            f"/bucket/{key}",
            body,
            headers or {},
            encode_chunked=not isinstance(body, bytes),
        )
        response = connection.getresponse()
        response.read()
        return response.status


def test_what_meets_no_fault_passes_as_it_is(s3: S3Server, proxy: FaultProxy) -> None:
    etag = s3.head("bucket", "object")["etag"]
    with connection_to(proxy) as connection:
        for start in (0, 1000):
            asked = f"bytes={start}-{start + 99}"
            headers = {"Range": asked, "If-Match": etag}
            connection.request("GET", "/bucket/object?x=1%2F2", headers=headers)
            response = connection.getresponse()
            assert (response.status, response.read()) == (206, BODY[start : start + 100])
        connection.request("HEAD", "/bucket/object")
        response = connection.getresponse()
        assert (response.headers["ETag"], response.read()) == (etag, b"")
        connection.request("GET", "/bucket/missing")
        assert connection.getresponse().read()
    log = proxy.log()
    assert [exchange.status for exchange in log] == [206, 206, 200, 404]
    first = log[0]
    assert (first.request.path, first.request.query) == ("/bucket/object", "x=1%2F2")
    assert (first.request.range, first.request.if_match) == ("bytes=0-99", etag)
    assert (first.sent_bytes, first.received_bytes) == (100, 0)


def test_uploads_pass_with_a_length_and_in_chunks(s3: S3Server, proxy: FaultProxy) -> None:
    assert put(proxy, "whole", BODY) == 200
    assert put(proxy, "pieces", iter([BODY[:1], BODY[1:5000], BODY[5000:]])) == 200
    assert s3.get("bucket", "whole") == s3.get("bucket", "pieces") == BODY
    assert [exchange.received_bytes for exchange in proxy.log("PUT")] == [len(BODY)] * 2


def test_a_rule_fires_as_often_and_as_late_as_it_says(proxy: FaultProxy) -> None:
    proxy.inject(INTERNAL_ERROR, method="GET", path="*/object", skip=1, times=2)
    assert [got(proxy)[0].status for _ in range(4)] == [200, 500, 500, 200]
    proxy.inject(SLOW_DOWN, when=lambda request: request.range is not None, times=None)
    ranged = [got(proxy, {"Range": "bytes=0-9"}) for _ in range(3)]
    assert [response.status for response, _ in ranged] == [503] * 3
    assert all(b"<Code>SlowDown</Code>" in body for _, body in ranged)
    assert got(proxy)[0].status == 200
    proxy.clear()
    assert got(proxy, {"Range": "bytes=0-9"})[0].status == 206
    assert len(proxy.log()) == 1


def test_an_answer_of_its_own_hides_the_server_or_what_it_did(
    s3: S3Server, proxy: FaultProxy
) -> None:
    proxy.inject(PRECONDITION_FAILED, method="PUT")
    assert put(proxy, "unseen", BODY) == 412
    proxy.inject(s3_error(500, "InternalError", "", forwarded=True), method="PUT")
    assert put(proxy, "seen", BODY) == 500
    assert "seen" in s3.keys("bucket")
    assert "unseen" not in s3.keys("bucket")


def test_a_reset_comes_before_the_answer_or_in_its_middle(proxy: FaultProxy) -> None:
    proxy.inject(Reset())
    with pytest.raises(ConnectionResetError):
        got(proxy)
    proxy.inject(Reset(after_bytes=1000))
    with pytest.raises(ConnectionResetError):
        got(proxy)
    assert [(e.status, e.sent_bytes) for e in proxy.log()] == [(None, 0), (200, 1000)]
    assert got(proxy)[1] == BODY


def test_an_upload_is_reset_with_the_server_unaware_or_after_it_stored(
    s3: S3Server, proxy: FaultProxy
) -> None:
    for fault, key in ((ResetUpload(after_bytes=1000), "lost"), (Reset(), "stored")):
        proxy.inject(fault, method="PUT")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            put(proxy, key, BODY)
    assert "lost" not in s3.keys("bucket")
    assert s3.get("bucket", "stored") == BODY


def test_a_truncated_answer_ends_cleanly_before_its_length(proxy: FaultProxy) -> None:
    proxy.inject(Truncate(after_bytes=1000))
    with pytest.raises(IncompleteRead) as caught:
        got(proxy)
    assert caught.value.partial == BODY[:1000]


@pytest.mark.parametrize("after_bytes", [None, 0, 1000])
def test_a_stall_is_silence_until_the_client_gives_up(
    proxy: FaultProxy, after_bytes: int | None
) -> None:
    proxy.inject(Stall(after_bytes))
    head = body = b""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=60) as client:
        client.sendall(b"GET /bucket/object HTTP/1.1\r\nHost: here\r\n\r\n")
        if after_bytes is not None:
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            while len(body) < after_bytes:
                body += client.recv(65536)
        client.settimeout(SHORT_SECONDS)
        with pytest.raises(TimeoutError):
            client.recv(1)
    assert body == BODY[: after_bytes or 0]


def test_the_proxy_ends_while_a_client_is_stalled(s3: S3Server) -> None:
    with FaultProxy(s3.endpoint_url) as proxy:
        proxy.inject(Stall(after_bytes=None))
        client = socket.create_connection(("127.0.0.1", proxy.port), timeout=60)
        client.sendall(b"GET /bucket/object HTTP/1.1\r\nHost: here\r\n\r\n")
        while not proxy.log():
            time.sleep(0.01)
    with client:
        assert client.recv(1) == b""


def test_an_etag_is_replaced(s3: S3Server, proxy: FaultProxy) -> None:
    proxy.inject(ReplaceETag('"new"'))
    response, body = got(proxy)
    assert response.headers.get_all("ETag") == ['"new"']
    assert body == BODY
    assert got(proxy)[0].headers["ETag"] == s3.head("bucket", "object")["etag"]


def test_a_header_is_replaced_where_there_is_one(proxy: FaultProxy) -> None:
    proxy.inject(ReplaceHeader("content-type", "text/x-fasta"))
    assert got(proxy)[0].headers.get_all("Content-Type") == ["text/x-fasta"]
    proxy.inject(ReplaceHeader("x-amz-checksum-crc64nvme", "none"))
    assert "x-amz-checksum-crc64nvme" not in got(proxy)[0].headers


@pytest.mark.parametrize("condition", [("If-None-Match", "*"), ("if-match", '"another"')])
def test_a_write_loses_its_condition(
    s3: S3Server, proxy: FaultProxy, condition: tuple[str, str]
) -> None:
    headers = dict([condition])
    assert put(proxy, "object", b"new", headers) == 412
    assert s3.get("bucket", "object") == BODY
    proxy.inject(NO_CONDITIONS, method="PUT")
    assert put(proxy, "object", b"new", headers) == 200
    assert s3.get("bucket", "object") == b"new"
    assert proxy.log("PUT")[1].request.headers[condition[0].lower()] == condition[1]


@pytest.mark.parametrize("at_byte", [0, 77_777, len(BODY) - 1])
def test_one_bit_of_a_body_is_flipped(s3: S3Server, proxy: FaultProxy, at_byte: int) -> None:
    wrong = bytearray(BODY)
    wrong[at_byte] ^= 1
    proxy.inject(CorruptDownload(at_byte), method="GET")
    assert got(proxy)[1] == wrong
    proxy.inject(CorruptUpload(at_byte), method="PUT", times=2)
    put(proxy, "whole", BODY)
    put(proxy, "pieces", iter([BODY[:3], BODY[3:]]))
    assert s3.get("bucket", "whole") == s3.get("bucket", "pieces") == wrong


def test_a_delay_delays(proxy: FaultProxy) -> None:
    proxy.inject(Delay(SHORT_SECONDS))
    start = time.monotonic()
    assert got(proxy)[1] == BODY
    assert time.monotonic() - start >= SHORT_SECONDS


def test_the_throttle_holds_for_all_connections_together(proxy: FaultProxy) -> None:
    proxy.throttle.bytes_per_second = 4 * len(BODY) / SHORT_SECONDS
    clients = [threading.Thread(target=got, args=[proxy]) for _ in range(4)]
    start = time.monotonic()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    # The bucket is full at first: 50 ms pass for nothing.
    assert time.monotonic() - start >= SHORT_SECONDS - 0.06


def test_a_server_that_is_gone_is_a_502() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with FaultProxy(f"http://127.0.0.1:{port}") as proxy:
        assert got(proxy)[0].status == 502


def test_answers_without_a_length_pass_in_chunks() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer_once() -> None:
            client, _ = listening.accept()
            with client:
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\nto the end")

        server = threading.Thread(target=answer_once)
        server.start()
        with FaultProxy(f"http://127.0.0.1:{listening.getsockname()[1]}") as proxy:
            response, body = got(proxy)
        server.join()
    assert (response.headers["Transfer-Encoding"], body) == ("chunked", b"to the end")


@pytest.mark.parametrize("key", ["a b", "a#b", "a%20b", "a+b", "ü", "a//b", "a/../b", "/a", "<&>"])
def test_s3_keeps_a_key_as_it_is(s3: S3Server, key: str) -> None:
    s3.put("bucket", key, key.encode())
    assert s3.get("bucket", key) == key.encode()
    assert key in s3.keys("bucket")
    s3.delete("bucket", key)
    assert key not in s3.keys("bucket")
    with pytest.raises(RefusedError, match="404"):
        s3.get("bucket", key)


def test_s3_lists_more_keys_than_a_page_holds(s3: S3Server) -> None:
    keys = [f"many/{number:04}" for number in range(1001)]
    for key in keys:
        s3.put("bucket", key, b"")
    assert s3.keys("bucket", "many/") == keys


def test_s3_keeps_the_checksum_that_it_is_given(s3: S3Server) -> None:
    given = {"x-amz-checksum-crc64nvme": "rosUhgp5mIg="}
    s3.put("bucket", "checked", b"123456789", given)
    assert s3.head("bucket", "checked").items() >= given.items()
    with pytest.raises(RefusedError, match="BadDigest"):
        s3.put("bucket", "checked", b"123456780", given)


@pytest.mark.parametrize(
    ("manners", "status", "body"),
    [(Manners(), 206, BODY[5:10]), (Manners(ranges=False), 200, BODY)],
)
def test_the_web_server_has_the_manners_it_was_given(
    tmp_path: Path, manners: Manners, status: int, body: bytes
) -> None:
    (tmp_path / "a b.fa").write_bytes(BODY)
    with WebServer(tmp_path, manners) as web, connection_to(web) as connection:
        connection.request("GET", "/a%20b.fa?token=1", headers={"Range": "bytes=5-9"})
        response = connection.getresponse()
        assert (response.status, response.read()) == (status, body)


def test_the_web_server_leaves_out_what_it_is_told_to(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.fa").write_bytes(BODY)
    (tmp_path / "outside.fa").write_bytes(BODY)
    bare = Manners(etag=False, last_modified=False, head=False)
    with WebServer(folder, bare) as web, connection_to(web) as connection:
        connection.request("GET", "/a.fa", headers={"If-Match": '"x"'})
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, BODY)
        assert not {"ETag", "Last-Modified"} & set(response.headers)
        connection.request("HEAD", "/a.fa")
        response = connection.getresponse()
        assert (response.status, response.read()) == (405, b"")
        connection.request("GET", "/../outside.fa")
        assert connection.getresponse().status == 404


def test_an_answer_may_be_anything(proxy: FaultProxy) -> None:
    proxy.inject(Answer(429, b"later", {"Retry-After": "1"}))
    response, body = got(proxy)
    assert (response.status, response.headers["Retry-After"], body) == (429, "1", b"later")
