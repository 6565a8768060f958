from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Callable, Iterator

import pytest
from servers.process import ServerUnavailableError

from cloud.emulator.batch_runner import Image
from cloud.emulator.cloud import Cloud
from cloud.emulator.waiting import wait_until


@pytest.fixture(scope="session")
def session_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    try:
        with Cloud(tmp_path_factory.mktemp("cloud")) as started:
            yield started
    except ServerUnavailableError as error:
        pytest.skip(f"THE CLOUD PATH IS NOT TESTED: {error}")


@pytest.fixture
def cloud(session_cloud: Cloud) -> Iterator[Cloud]:
    """An account that other tests use too; nothing disturbs Batch before or after."""
    session_cloud.batch.images.clear()
    session_cloud.batch.images["*"] = Image([sys.executable, "-c"])
    yield session_cloud
    session_cloud.batch.calm()
    session_cloud.batch.wait_idle()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for what a test makes, its own."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    return f"{words[:30].strip('-')}-{zlib.crc32(words.encode()):08x}"


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    return wait_until
