"""A page that is watched: what it logs, raises and requests is recorded and judged at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urldefrag, urlsplit

from playwright.sync_api import Browser, BrowserContext, Dialog, Locator, Page

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
PHONE_WIDTH_PX = 360


class FaultyPageError(AssertionError):
    """A page did what it must not; the message says what, a line for each fault."""


@dataclass(frozen=True)
class Look:
    """How a reader looks at a page."""

    width_px: int = 1280
    height_px: int = 800
    scheme: Literal["light", "dark"] = "light"
    motion: Literal["no-preference", "reduce"] = "no-preference"
    scripts: bool = True


@dataclass(frozen=True)
class WatchedPage:
    """An open page, and what was seen of it since it was opened."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    """Messages in the console, uncaught errors, dialogs and crashes."""
    requests: list[str] = field(default_factory=list)
    """The URLs that it requested, its own first. Chromium reports no data: URL."""

    def figure(self, figure_id: str) -> Locator:
        return self.page.locator(f"figure#{figure_id}")

    def announcement(self, figure_id: str) -> Locator:
        """The live region of a figure, where a screen reader hears the value at the cursor."""
        return self.figure(figure_id).locator("[aria-live=polite], [role=status]").first

    def press(self, figure_id: str, *keys: str) -> str:
        """Focus a figure, press keys one by one, and return what it announces then.

        A key has its name in the DOM (`ArrowRight`, `+`, `Escape`), after modifiers (`Control+a`).
        """
        self.figure(figure_id).locator("[tabindex='0']").first.focus()
        for key in keys:
            self.page.keyboard.press(key)
        return self.announcement(figure_id).text_content() or ""

    def download(self, button: Locator, folder: Path) -> Path:
        """Press a button, and keep the file that it offers under the name that it suggests."""
        with self.page.expect_download(timeout=120_000) as offered:
            button.click()
        path = folder / offered.value.suggested_filename
        offered.value.save_as(path)
        return path

    def pdf(self) -> bytes:
        """The page as printed on A4."""
        return self.page.pdf(format="A4")

    def screenshot(self) -> bytes:
        """The whole page as a PNG, below the window's edge too."""
        return self.page.screenshot(full_page=True)

    def overflow_px(self) -> int:
        """How far the page is wider than the window, so that a reader scrolls sideways."""
        root = "document.documentElement"
        return int(self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))

    def faults(self) -> list[str]:
        """The complaints, and the requests to anywhere but the page itself and this machine."""
        foreign = [url for url in self.requests if not may_request(url, self.url)]
        return self.complaints + [f"requested {url}" for url in foreign]


@contextmanager
def watched(browser: Browser, url: str, look: Look | None = None) -> Iterator[WatchedPage]:
    """Open a page in a browser profile of its own.

    Raises:
        FaultyPageError: at the end, if the page had any fault.
    """
    look = look or Look()
    with open_context(browser, look) as context:
        opened = WatchedPage(context.new_page(), url)
        _watch(context, opened)
        try:
            opened.page.goto(url)
            yield opened
            if look.scripts:
                _hear_out(context)
        except BaseException as error:
            for fault in opened.faults():
                error.add_note(f"The page: {fault}")
            raise
    if faults := opened.faults():
        raise FaultyPageError("\n".join([f"{url} is faulty:", *faults]))


def open_context(browser: Browser, look: Look) -> BrowserContext:
    """A new browser profile, which its `with` ends."""
    return browser.new_context(
        viewport={"width": look.width_px, "height": look.height_px},
        color_scheme=look.scheme,
        reduced_motion=look.motion,
        java_script_enabled=look.scripts,
        locale="en-US",
    )


def may_request(requested_url: str, own_url: str) -> bool:
    """Whether a page may request a URL: its own, of loopback, or of what it has already."""
    requested = urlsplit(requested_url)
    if requested.scheme in {"http", "https", "ws", "wss"}:
        return requested.hostname in LOOPBACK
    own = urldefrag(requested_url).url == urldefrag(own_url).url
    return own or requested.scheme in {"data", "blob"}


def _watch(context: BrowserContext, opened: WatchedPage) -> None:
    """Record events of the page and of the windows that it opens."""
    complaints = opened.complaints

    def dismiss(dialog: Dialog) -> None:
        complaints.append(f"{dialog.type}: {dialog.message}")
        dialog.dismiss()

    def watch_page(page: Page) -> None:
        page.on("crash", lambda crashed: complaints.append(f"crash: {crashed.url}"))

    context.on("console", lambda said: complaints.append(f"console {said.type}: {said.text}"))
    context.on("weberror", lambda raised: complaints.append(f"uncaught: {raised.error}"))
    context.on("dialog", dismiss)
    context.on("request", lambda request: opened.requests.append(request.url))
    # Reported by the page itself as it makes one: Chromium reports a socket only as it connects.
    context.route_web_socket("**", lambda socket: opened.requests.append(socket.url))
    context.on("page", watch_page)
    watch_page(opened.page)


def _hear_out(context: BrowserContext) -> None:
    """Let the tasks run that scripts left, and receive their events, which precede the answer."""
    for page in context.pages:
        page.evaluate("new Promise((resolve) => setTimeout(resolve))")
