"""The harness sees what it is to see: tests of pages rest on it."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, expect
from servers.web import WebServer

from browser.axe import barriers
from browser.conftest import OpenPage
from browser.watching import PHONE_WIDTH_PX, FaultyPageError, Look, may_request, watched

WritePage = Callable[..., Path]

POLICY = (
    "default-src 'none'; script-src 'sha256-{}'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
"""That of the report's page."""

FIGURE = """
<figure id="nx"><svg tabindex="0" role="img" aria-label="Nx curve" width="90" height="90"></svg>
<p aria-live="polite"></p></figure>
"""
COUNTER = """
let at = 0;
document.querySelector("svg").addEventListener("keydown", (pressed) => {
  at += { ArrowRight: 1, ArrowLeft: -1 }[pressed.key] ?? 0;
  document.querySelector("[aria-live]").textContent = `record ${at}`;
});
"""
SAVER = """
document.querySelector("button").addEventListener("click", () => {
  const link = document.createElement("a");
  link.download = "genome.nx.tsv";
  link.href = URL.createObjectURL(new Blob(["x\\ty\\n"]));
  link.click();
});
"""


@pytest.fixture
def write_page(tmp_path: Path) -> WritePage:
    """Writes a small page with one script."""

    def write(script: str = "", body: str = "", *, style: str = "", policy: str = "") -> Path:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        meta = f'<meta http-equiv="Content-Security-Policy" content="{policy.format(digest)}">'
        path = tmp_path / "a page.html"
        path.write_text(
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>'
            f"{meta if policy else ''}<style>{style}</style></head>"
            f"<body><main><h1>A page</h1>{body}</main><script>{script}</script></body></html>"
        )
        return path

    return write


@pytest.mark.parametrize("over_http", [False, True])
def test_a_quiet_page_has_no_fault(
    over_http: bool, open_page: OpenPage, write_page: WritePage
) -> None:
    path = write_page("document.body.dataset.ran = 'yes'", policy=POLICY)

    opened = open_page(path, over_http=over_http)

    expect(opened.page.locator("body")).to_have_attribute("data-ran", "yes")
    assert opened.requests == [opened.url]


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("console.log('a word'); document.title = 'said'", "console log: a word"),
        ("console.debug('a word'); document.title = 'said'", "console debug: a word"),
        ("document.title = 'said'; undefined_name", "undefined_name is not defined"),
        ("Promise.reject(new Error('a promise')); document.title = 'said'", "a promise"),
        ("alert('a dialog'); document.title = 'said'", "alert: a dialog"),
        ("open('about:blank').console.log('of a window'); document.title = 'said'", "of a window"),
        ("setTimeout(() => { console.log('late'); document.title = 'said' })", "late"),
    ],
)
def test_whatever_a_page_says_is_a_fault(
    script: str, fault: str, browser: Browser, write_page: WritePage
) -> None:
    url = write_page(script).as_uri()

    with pytest.raises(FaultyPageError, match=fault), watched(browser, url) as opened:
        expect(opened.page).to_have_title("said")


@pytest.mark.parametrize(
    ("script", "body", "broken"),
    [
        ("eval('1')", "", "unsafe-eval"),
        ("", "<script>document.title = 'foreign'</script>", "script-src"),
        ("", "<img src='x' alt='none' onerror='document.title = `foreign`'>", "img-src"),
        ("fetch('http://127.0.0.1:1/')", "", "connect-src"),
    ],
)
def test_a_breach_of_the_policy_is_a_fault(
    script: str, body: str, broken: str, browser: Browser, write_page: WritePage
) -> None:
    url = write_page(script, body, policy=POLICY).as_uri()

    with pytest.raises(FaultyPageError, match=broken), watched(browser, url) as opened:
        expect(opened.page).to_have_title("A page")


def test_requests_to_loopback_are_allowed(
    open_page: OpenPage, write_page: WritePage, tmp_path: Path
) -> None:
    with WebServer(tmp_path) as server:
        (tmp_path / "frame.html").write_text("<!doctype html><p>in a frame</p>")
        frame = f"{server.url}/frame.html"

        opened = open_page(write_page(body=f"<iframe src='{frame}'></iframe>"))

        expect(opened.page.frame_locator("iframe").locator("p")).to_have_text("in a frame")
        assert opened.requests == [opened.url, frame]


@pytest.mark.parametrize(
    "foreign",
    ["http://example.org/pixel", "https://example.org/pixel", "http://192.0.2.1/pixel"],
)
@pytest.mark.parametrize("script", ["new Image().src = '{}'", "fetch('{}').catch(() => 0)"])
def test_a_request_to_another_host_is_a_fault_and_goes_nowhere(
    script: str, foreign: str, browser: Browser, write_page: WritePage
) -> None:
    url = write_page().as_uri()

    with (
        pytest.raises(FaultyPageError, match=f"requested {foreign}"),
        watched(browser, url) as opened,
        opened.page.expect_event("requestfailed") as failed,
    ):
        opened.page.evaluate(script.format(foreign))

    assert failed.value.failure == "net::ERR_PROXY_CONNECTION_FAILED"


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("{ const end = Date.now() + 300; while (Date.now() < end); nameless }", "nameless is not"),
        ("new WebSocket('ws://example.org/')", "requested ws://example.org/"),
        ("fetch('http://example.org/').catch(() => 0)", "requested http://example.org/"),
    ],
)
def test_what_a_page_does_just_before_the_end_is_seen(
    script: str, fault: str, browser: Browser, write_page: WritePage
) -> None:
    url = write_page().as_uri()

    with pytest.raises(FaultyPageError, match=fault), watched(browser, url) as opened:
        opened.page.evaluate(f"void setTimeout(() => {script})")


@pytest.mark.parametrize(
    ("requested", "allowed"),
    [
        ("file:///work/report.html", True),
        ("file:///work/report.html#nx", True),
        ("file:///work/other.html", False),
        ("data:image/gif;base64,R0lGODlhAQABAAAAACw=", True),
        ("blob:null/20baa604-8e94-4b06-9525-7a2ccad53b3a", True),
        ("http://127.0.0.1:8000/", True),
        ("http://localhost/", True),
        ("ws://[::1]:80/", True),
        ("http://127.0.0.1.example.org/", False),
        ("http://localhost@example.org/", False),
        ("wss://example.org/", False),
        ("ftp://127.0.0.1/", False),
    ],
)
def test_a_page_may_request_itself_and_this_machine(requested: str, allowed: bool) -> None:
    assert may_request(requested, "file:///work/report.html#top") is allowed


def test_a_failing_test_tells_what_the_page_said(browser: Browser, write_page: WritePage) -> None:
    url = write_page("console.log('the cause')").as_uri()

    with pytest.raises(ValueError, match="a test") as raised, watched(browser, url):
        raise ValueError("a test")

    assert raised.value.__notes__ == ["The page: console log: the cause"]


def test_a_test_that_opens_a_faulty_page_fails(write_page: WritePage, tmp_path: Path) -> None:
    path = write_page("console.log('a word')")
    (tmp_path / "conftest.py").write_text(
        "from browser.conftest import browser, open_page\n__all__ = ['browser', 'open_page']\n"
    )
    (tmp_path / "test_page.py").write_text(
        "from pathlib import Path\n\ndef test_the_page(open_page):\n"
        f"    open_page(Path({str(path)!r}))\n"
    )

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1, done.stderr
    assert "1 passed, 1 error" in done.stdout
    assert "console log: a word" in done.stdout


def test_keys_are_pressed_on_a_figure_and_its_value_is_read(
    open_page: OpenPage, write_page: WritePage
) -> None:
    opened = open_page(write_page(COUNTER, FIGURE, policy=POLICY))

    assert opened.press("nx", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft") == "record 2"
    assert opened.press("nx", "ArrowLeft") == "record 1"


@pytest.mark.parametrize("over_http", [False, True])
def test_a_file_is_downloaded_by_a_button(
    over_http: bool, open_page: OpenPage, write_page: WritePage, tmp_path: Path
) -> None:
    path = write_page(SAVER, "<button type='button'>TSV</button>", policy=POLICY)
    opened = open_page(path, over_http=over_http)

    saved = opened.download(opened.page.get_by_role("button", name="TSV"), tmp_path)

    assert saved.name == "genome.nx.tsv"
    assert saved.read_text() == "x\ty\n"


def test_a_page_is_printed_and_photographed(open_page: OpenPage, write_page: WritePage) -> None:
    opened = open_page(write_page(style="main { height: 2000px }"), Look(width_px=500))

    assert opened.pdf().startswith(b"%PDF-")
    picture = opened.screenshot()
    assert picture.startswith(b"\x89PNG")
    width_px, height_px = struct.unpack(">II", picture[16:24])
    assert width_px == 500
    assert height_px > 2000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_looked_at_in_light_and_dark(
    scheme: str, open_page: OpenPage, write_page: WritePage
) -> None:
    style = "h1 { color: black } @media (prefers-color-scheme: dark) { h1 { color: white } }"

    opened = open_page(
        write_page(style=style), Look(scheme="dark" if scheme == "dark" else "light")
    )

    colour = {"light": "rgb(0, 0, 0)", "dark": "rgb(255, 255, 255)"}[scheme]
    expect(opened.page.locator("h1")).to_have_css("color", colour)


@pytest.mark.parametrize(("width_px", "overflow_px"), [(PHONE_WIDTH_PX, 40), (1280, 0)])
def test_a_page_wider_than_the_window_is_measured(
    width_px: int, overflow_px: int, open_page: OpenPage, write_page: WritePage
) -> None:
    style = "body { margin: 0 } main { width: 400px }"

    opened = open_page(write_page(style=style), Look(width_px=width_px))

    assert opened.overflow_px() == overflow_px


def test_a_page_is_looked_at_without_scripts(open_page: OpenPage, write_page: WritePage) -> None:
    opened = open_page(write_page("document.title = 'scripted'"), Look(scripts=False))

    expect(opened.page).to_have_title("A page")


def test_a_reader_may_want_no_motion(open_page: OpenPage, write_page: WritePage) -> None:
    style = "@media (prefers-reduced-motion: reduce) { h1 { color: rgb(1, 2, 3) } }"

    opened = open_page(write_page(style=style), Look(motion="reduce"))

    expect(opened.page.locator("h1")).to_have_css("color", "rgb(1, 2, 3)")


def test_barriers_are_found_under_the_policy(
    browser: Browser, axe: str, write_page: WritePage
) -> None:
    assert barriers(browser, write_page(COUNTER, FIGURE, policy=POLICY).as_uri(), axe) == []

    body = "<img src='data:,'><p>pale</p>"
    style = "@media (prefers-color-scheme: dark) { p { color: #aaa } }"
    url = write_page(body=body, style=style, policy=POLICY).as_uri()
    found = barriers(browser, url, axe)
    found_in_the_dark = barriers(browser, url, axe, Look(scheme="dark"))

    assert [line.split()[0] for line in found] == ["image-alt"]
    assert "['img']" in found[0]
    assert [line.split()[0] for line in found_in_the_dark] == ["color-contrast", "image-alt"]


def test_a_page_that_cannot_be_opened_is_an_error(browser: Browser, tmp_path: Path) -> None:
    with (
        pytest.raises(Error, match="ERR_FILE_NOT_FOUND"),
        watched(browser, (tmp_path / "none.html").as_uri()),
    ):
        pass
