from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import pytest
from node_packages import PackageUnavailableError
from playwright.sync_api import Browser, expect
from servers.web import WebServer

from browser.axe import AXE_CORE, axe_source
from browser.chromium import BrowserUnavailableError, chromium
from browser.watching import Look, WatchedPage, watched

expect.set_options(timeout=30_000)  # for machines that are slow or busy


class OpenPage(Protocol):
    """Opens a page in a file."""

    def __call__(
        self, path: Path, look: Look | None = None, *, over_http: bool = False
    ) -> WatchedPage:
        """Open it as a file, or over HTTP from a server of its folder on loopback."""


# Not of the session: while Playwright runs, later tests of the same process can't use asyncio.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with ExitStack() as stack:
        try:
            started = stack.enter_context(chromium())
        except BrowserUnavailableError as error:
            pytest.skip(f"*** LEFT OUT: PAGES IN A BROWSER: {error}")
        yield started


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """At the end of the test, every page that it opened must be without fault."""
    with ExitStack() as stack:

        def opened(path: Path, look: Look | None = None, *, over_http: bool = False) -> WatchedPage:
            url = path.resolve().as_uri()
            if over_http:
                server = stack.enter_context(WebServer(path.parent))
                url = f"{server.url}/{quote(path.name)}"
            return stack.enter_context(watched(browser, url, look))

        yield opened


@pytest.fixture(scope="session")
def axe(request: pytest.FixtureRequest) -> str:
    """The source of axe-core, which looks for barriers to readers with disabilities."""
    try:
        return axe_source(request.config.cache.mkdir("packages"))
    except PackageUnavailableError as error:
        pytest.skip(f"*** LEFT OUT: BARRIERS IN PAGES: axe-core {AXE_CORE}: {error}")
