from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from obstore.store import AzureStore
from servers.azure import AzureServer, azure_server
from servers.gcs import GcsServer
from servers.process import ServerUnavailableError
from servers.proxy import FaultProxy
from servers.s3 import S3Server, s3_server

from stores.driving import AT_LEISURE, BUCKET, FORMS, OF_A_STORE, Bucket, results, run


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        server.create_bucket(BUCKET)
        for name, data in FORMS.items():
            server.put(BUCKET, name, data)
        yield server


@pytest.fixture(scope="session")
def azure(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[AzureServer]:
    packages = request.config.cache.mkdir("packages")
    try:
        with azure_server(tmp_path_factory.mktemp("azure"), packages) as server:
            server.create_container(BUCKET)
            yield server
    except ServerUnavailableError as error:
        pytest.skip(f"AZURE IS NOT TESTED: {error}")


@pytest.fixture(scope="session")
def s3_bucket(s3: S3Server) -> Bucket:
    return _of_s3("s3", s3)


@pytest.fixture(scope="session")
def gcs_bucket(s3: S3Server) -> Bucket:
    return _of_s3("gs", GcsServer(s3.endpoint_url))


@pytest.fixture(scope="session")
def azure_bucket(azure: AzureServer) -> Bucket:
    variables = azure.environment()
    store = AzureStore(
        BUCKET,
        account_name=variables["AZURE_STORAGE_ACCOUNT_NAME"],
        account_key=variables["AZURE_STORAGE_ACCOUNT_KEY"],
        endpoint=variables["AZURE_STORAGE_ENDPOINT"],
        client_options={"allow_http": True},
    )
    for name, data in FORMS.items():
        store.put(name, data)
    return Bucket(
        f"az://{BUCKET}",
        variables,
        store.put,
        lambda key: bytes(store.get(key).bytes()),
        lambda prefix: sorted(
            each["path"] for page in store.list(prefix.rstrip("/")) for each in page
        ),
    )


@pytest.fixture(params=["s3", "gcs", "azure"])
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket of each store, with the genome in every form; this process can reach it."""
    found = cast("Bucket", request.getfixturevalue(f"{request.param}_bucket"))
    for name, value in found.variables.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def store(s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The bucket of S3; this process can reach it."""
    for name, value in s3_bucket.variables.items():
        monkeypatch.setenv(name, value)
    return s3_bucket


@pytest.fixture
def proxy(s3: S3Server, store: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:  # noqa: ARG001 - its variables come first
    """A proxy before S3, and this process sees S3 through it."""
    with FaultProxy(s3.endpoint_url) as started:
        monkeypatch.setenv("AWS_ENDPOINT_URL", started.url)
        yield started


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No store of this machine's user is known, and nothing is waited for too long."""
    for name in [name for name in os.environ if name.startswith(OF_A_STORE)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in AT_LEISURE.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """What a run on this machine makes of each form."""
    folder = tmp_path_factory.mktemp("local")
    made = {}
    for name, data in FORMS.items():
        (folder / name).write_bytes(data)
        made[name] = results(run(folder / name, folder / f"{name}.out").out)
    return made


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    """A prefix of the bucket for one test alone."""
    return tmp_path.name


def _of_s3(scheme: str, server: S3Server) -> Bucket:
    return Bucket(
        f"{scheme}://{BUCKET}",
        server.environment(),
        lambda key, data: server.put(BUCKET, key, data),
        lambda key: server.get(BUCKET, key),
        lambda prefix: server.keys(BUCKET, prefix),
    )
