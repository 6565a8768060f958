"""Stores behind TLS: an authority that isn't known is told at once, and can be made known."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from servers.s3 import S3Server
from servers.tls import Certificates, TlsProxy, make_certificates
from servers.web import Manners, WebServer

import fanfold
from fanfold.errors import ParameterError, SourceError
from fanfold.objects import open_place, read_head, stat_source, stored_checksum
from fanfold.objects.web import open_stream
from stores.driving import BUCKET, GENOME, Bucket

INPUT = f"s3://{BUCKET}/genome.fa"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path)


@pytest.fixture
def behind_tls(
    s3: S3Server,
    store: Bucket,  # noqa: ARG001 - its variables come first
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[TlsProxy]:
    """This process sees S3 behind TLS."""
    with TlsProxy(s3.endpoint_url, certificates) as started:
        monkeypatch.setenv("AWS_ENDPOINT_URL", started.url)
        yield started


@pytest.mark.usefixtures("behind_tls")
def test_an_unknown_authority_is_told_at_once_as_such(prefix: str) -> None:
    for ask in (
        lambda: stat_source(INPUT),
        lambda: open_place(f"s3://{BUCKET}/{prefix}").sizes(),
    ):
        with pytest.raises(ParameterError, match=r"TLS: .*UnknownIssuer.*AWS_CA_BUNDLE"):
            ask()


def test_an_unknown_authority_of_the_web_is_told_at_once(behind_tls: TlsProxy) -> None:
    with pytest.raises(ParameterError, match=r"TLS: .*UnknownIssuer.*SSL_CERT_FILE"):
        stat_source(f"{behind_tls.url}/{BUCKET}/genome.fa")


@pytest.mark.parametrize("setting", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
@pytest.mark.usefixtures("behind_tls")
def test_an_authority_can_be_made_known(
    setting: str, certificates: Certificates, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ParameterError, match="TLS"):
        stat_source(INPUT)
    monkeypatch.setenv(setting, str(certificates.authority))

    source = stat_source(INPUT)
    place = open_place(f"s3://{BUCKET}/{prefix}")
    place.write("written", b"behind TLS")

    assert read_head(source, 100) == GENOME[:100]
    assert place.read("written") == b"behind TLS"
    stored_checksum(source)  # asked for by another library


def test_a_server_is_asked_once_for_what_is_wanted_there(
    behind_tls: TlsProxy,
    certificates: Certificates,
    prefix: str,
    s3: S3Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificates.authority))
    s3.put(BUCKET, f"{prefix}/first", b"1")
    place = open_place(f"s3://{BUCKET}/{prefix}")

    for name in ("first", "second", "first"):
        with suppress(FileNotFoundError):
            place.read(name)

    asked = [(each.request.method, each.request.path[-6:]) for each in behind_tls.log()]
    assert asked == [("HEAD", "/first"), ("GET", "/first"), ("GET", "second"), ("GET", "/first")]


@pytest.mark.usefixtures("behind_tls")
def test_a_whole_bucket_can_be_listed(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificates.authority))

    assert "genome.fa" in open_place(f"s3://{BUCKET}").sizes()


@pytest.mark.parametrize("setting", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_an_authority_of_the_web_can_be_made_known(
    setting: str,
    behind_tls: TlsProxy,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(setting, str(certificates.authority))

    assert read_head(stat_source(f"{behind_tls.url}/{BUCKET}/genome.fa"), 100) == GENOME[:100]


@pytest.mark.parametrize("setting", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_stream_of_the_web_comes_behind_tls(
    setting: str, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "genome.fa").write_bytes(GENOME)
    with (
        WebServer(tmp_path / "served", Manners(ranges=False)) as web,
        TlsProxy(web.url, certificates) as behind,
    ):
        with pytest.raises(SourceError, match="no secure connection"):
            open_stream(f"{behind.url}/genome.fa")
        monkeypatch.setenv(setting, str(certificates.authority))
        report = fanfold.run(f"{behind.url}/genome.fa", 0, out=tmp_path / "out")
    assert report.master.source.name == "genome.fa"


def test_tls_is_not_left_for_a_stream(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "served").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    elsewhere = Manners(elsewhere="http://127.0.0.1:1")
    with (
        WebServer(tmp_path / "served", elsewhere) as web,
        TlsProxy(web.url, certificates) as behind,
        pytest.raises(SourceError, match="points to a URL without TLS"),
    ):
        open_stream(f"{behind.url}/genome.fa")


def test_a_server_without_tls_is_told_at_once(tmp_path: Path) -> None:
    with WebServer(tmp_path) as web:
        secure = web.url.replace("http://", "https://")
        with pytest.raises(ParameterError, match=f"{secure}: TLS: no secure connection"):
            stat_source(f"{secure}/genome.fa")


def test_a_certificate_of_another_host_is_told(
    behind_tls: TlsProxy, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    with pytest.raises(ParameterError, match=r"NotValidForName.*it is another host's"):
        stat_source(f"https://localhost:{behind_tls.port}/genome.fa")


@pytest.mark.parametrize("name", ["gone.pem", "notes.pem"])
def test_a_file_that_replaces_the_systems_authorities_is_told_if_it_is_none(
    name: str, behind_tls: TlsProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.pem").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / name))
    with pytest.raises(ParameterError, match=rf"SSL_CERT_FILE=.*{name}: (can't be|holds no)"):
        stat_source(f"{behind_tls.url}/genome.fa")


@pytest.mark.usefixtures("store")
def test_a_certificate_that_has_ended_is_told(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = make_certificates(tmp_path, ended=True)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(ended.authority))
    with TlsProxy(s3.endpoint_url, ended) as started:
        monkeypatch.setenv("AWS_ENDPOINT_URL", started.url)
        with pytest.raises(ParameterError, match=r"TLS: .*Expired"):
            stat_source(INPUT)


@pytest.mark.usefixtures("store")
def test_a_certificate_of_an_authority_is_none_of_a_server(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_certificates(tmp_path, is_authority=True)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(made.authority))
    with TlsProxy(s3.endpoint_url, made) as started:
        monkeypatch.setenv("AWS_ENDPOINT_URL", started.url)
        with pytest.raises(ParameterError, match=r"\(CaUsedAsEndEntity\).*openssl.*CA:FALSE"):
            stat_source(INPUT)


def test_a_server_that_hangs_up_before_tls_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = f"https://127.0.0.1:{server.getsockname()[1]}"
        threading.Thread(target=hang_up, args=(server,), daemon=True).start()
        with pytest.raises(SourceError, match=rf"{asked} can't be reached \(tls handshake eof\)"):
            stat_source(f"{asked}/genome.fa")
        server.shutdown(socket.SHUT_RDWR)  # ends the thread


def hang_up(server: socket.socket) -> None:
    """Take what a client says first, and close each connection."""
    with suppress(OSError):
        while True:
            connection = server.accept()[0]
            with connection:
                connection.recv(4096)


@pytest.mark.usefixtures("behind_tls")
def test_a_file_of_authorities_that_is_none_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with pytest.raises(ParameterError, match=r"AWS_CA_BUNDLE=.*gone\.pem: can't be read"):
        stat_source(INPUT)
    (tmp_path / "notes.pem").write_text("no certificate")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "notes.pem"))
    with pytest.raises(ParameterError, match=r"AWS_CA_BUNDLE=.*notes\.pem: holds no certificates"):
        stat_source(INPUT)
