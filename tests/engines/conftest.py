from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
from servers.s3 import S3Server, s3_server

from engines.dask_cluster import Cluster, dask_cluster
from engines.driving import BUCKET, OF_A_STORE


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        server.create_bucket(BUCKET)
        yield server


@pytest.fixture
def store(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server, and this process knows of it and of no other."""
    for name in [name for name in os.environ if name.startswith(OF_A_STORE)]:
        monkeypatch.delenv(name)
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return s3


@pytest.fixture(scope="session")
def cluster(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Dask with two workers, which know the store from their own environment."""
    with dask_cluster(tmp_path_factory.mktemp("dask"), s3.environment(), workers=2) as started:
        yield started


@pytest.fixture(scope="session")
def dask(cluster: Cluster) -> Iterator[Executor]:
    with cluster.client() as client:
        executor: Executor = client.get_executor()  # type: ignore[no-untyped-call]
        yield executor


def _set_variables(variables: dict[str, str]) -> None:
    os.environ.update(variables)


@pytest.fixture(scope="session")
def processes(s3: S3Server) -> Iterator[Executor]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, context, _set_variables, (s3.environment(),)) as executor:
        yield executor


@pytest.fixture(scope="session")
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    """A prefix of the bucket for one test alone."""
    return tmp_path.name
