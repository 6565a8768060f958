"""Debian's Chromium, driven by Playwright, without a way off this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

# Nothing listens there: a request to another host fails, and its name is not looked up. Chromium
# itself exempts loopback. Playwright adds what a container needs, and stops Chromium's own traffic.
OPTIONS = ("--proxy-server=127.0.0.1:9",)


class BrowserUnavailableError(Exception):
    """No browser here; the message says what to install."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser, and end it.

    Until it ends, asyncio refuses a second event loop in this thread: Playwright runs one.

    Raises:
        BrowserUnavailableError: there is no Chromium here.
    """
    program = shutil.which("chromium")
    if program is None:
        raise BrowserUnavailableError("no `chromium` here (Debian package chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=OPTIONS)
        try:
            yield browser
        finally:
            browser.close()
