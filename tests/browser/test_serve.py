"""The server's page, in a browser: a job from its start to its report, and what can go wrong."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from web.serving import DATA, Server, serving, write_slow

from browser.axe import barriers
from browser.watching import PHONE_WIDTH_PX, Look, WatchedPage, watched

ECOLI = gzip.decompress((DATA / "ecoli_K12_GCF_000005845.2.fna.gz").read_bytes())
HOSTILE = "<img src=x onerror=alert(1)>\u202e.fa"
PATIENCE_MS = 60_000

Open = Callable[..., WatchedPage]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("serve")
    root = folder / "root"
    (root / "demo/input").mkdir(parents=True)
    (root / "lab").mkdir()
    (root / "demo/input/ecoli.fna").write_bytes(ECOLI)
    shutil.copy(DATA / "phiX174.fa", root / "demo/input/phiX174.fa")
    (root / "demo/nothing.fa").touch()
    (root / "demo" / HOSTILE).write_text(f">{HOSTILE}\nACGT\n")
    write_slow(root / "demo/slow.fa.bz2", 60)
    with serving(root, log=folder / "log") as started:
        yield started


@pytest.fixture
def opened(browser: Browser, server: Server) -> Iterator[Open]:
    """Opens a path of the server; at the end, every page must be without fault."""
    with ExitStack() as stack:

        def open_it(path: str = "/", look: Look | None = None) -> WatchedPage:
            url = server.url.rstrip("/") + path
            return stack.enter_context(watched(browser, url, look))

        yield open_it


def state(page: Page) -> str:
    return page.locator("#state").inner_text()


def wait_for(page: Page, wanted: str) -> None:
    expect(page.locator("#state")).to_have_text(wanted, timeout=PATIENCE_MS)


def slow_job(server: Server, slice_bytes: int) -> str:
    return server.start_job("demo", "slow.fa.bz2", slice_bytes=slice_bytes)


def test_a_genome_is_chosen_analysed_and_its_report_opened(opened: Open, server: Server) -> None:
    page = opened().page
    page.get_by_role("button", name="input/: open").click()
    page.get_by_role("button", name="ecoli.fna: choose").click()
    expect(page.get_by_label("Genome")).to_have_value("demo/input/ecoli.fna")
    page.locator("#k label").filter(has_text="8").click()
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Slice size").fill("0.125")
    page.get_by_role("button", name="Analyse").click()

    page.wait_for_url(re.compile("/watch/[0-9a-f]{32}$"))
    wait_for(page, "succeeded")
    expect(page.locator("#fan-count")).to_have_text("36 slices: 36 done.")
    expect(page.locator("#fold")).to_contain_text("folded into one report")
    job = page.url.rpartition("/")[2]
    master = json.loads(server.ask("GET", f"/jobs/{job}/master.json").body)
    assert [each["k"] for each in master["kmers"]] == [5, 8]
    expect(page.locator("#numbers")).to_contain_text(f"{master['sequences']['N50']:,}")
    expect(page.locator("#numbers")).to_contain_text(f"{master['gc_percent']} %")
    page.get_by_role("link", name="Open the report").click()
    expect(page.locator("#section-numbers")).to_contain_text("4,641,652 bases")
    assert not page.get_by_role("button", name=re.compile("SVG")).first.is_hidden()


def test_a_running_job_shows_its_slices_and_is_cancelled(opened: Open, server: Server) -> None:
    page = opened(f"/watch/{slow_job(server, 1_000_001)}").page
    wait_for(page, "running")
    expect(page.locator("#fan-count")).to_contain_text("done", timeout=PATIENCE_MS)
    cancel = page.get_by_role("button", name="Cancel")
    cancel.click()
    page.get_by_role("button", name="Keep it running").click()
    assert state(page) == "running"
    cancel.click()
    page.get_by_role("button", name="Yes, cancel it").click()
    wait_for(page, "cancelled")
    expect(page.locator("#fold")).to_have_text("Fan-in: there is no report")
    page.get_by_role("button", name="Run again").click()
    wait_for(page, "running")
    expect(page.locator("#asked")).to_contain_text("attempt 2")


def test_a_page_that_is_hidden_closes_its_stream(opened: Open, server: Server) -> None:
    page = opened(f"/watch/{slow_job(server, 1_000_002)}").page
    wait_for(page, "running")
    hide = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => %s});"
    event = "document.dispatchEvent(new Event('visibilitychange'))"
    with page.expect_event("requestfailed") as closed:
        page.evaluate(hide % "true" + event)
    assert closed.value.url.endswith("/events")
    with page.expect_request(re.compile("/events$")):
        page.evaluate(hide % "false" + event)


@pytest.mark.parametrize("way", ["chooser", "drop"])
def test_a_file_is_uploaded_and_analysed(way: str, opened: Open, tmp_path: Path) -> None:
    page = opened().page
    page.locator("#bucket").select_option("lab")
    expect(page.locator("#objects")).to_contain_text(
        "Nothing is here yet" if way == "chooser" else ""
    )
    name = f"{way}.fa"
    if way == "chooser":
        (tmp_path / name).write_text(">up\nACGTACGT\n")
        page.locator("#file").set_input_files(tmp_path / name)
    else:
        data = page.evaluate_handle(
            "name => { const data = new DataTransfer();"
            " data.items.add(new File(['>up\\nACGTACGT\\n'], name)); return data }",
            name,
        )
        page.dispatch_event("#drop", "drop", {"dataTransfer": data})
    expect(page.get_by_label("Genome")).to_have_value(f"lab/input/{name}")
    page.get_by_role("button", name="Analyse").click()
    wait_for(page, "succeeded")
    expect(page.locator("#numbers")).to_contain_text("8")


def test_an_object_that_is_there_is_replaced_only_when_told(
    opened: Open, server: Server, tmp_path: Path
) -> None:
    stored = Path(server.root) / "lab/input/there.fa"
    stored.parent.mkdir(exist_ok=True)
    stored.write_text("old")
    (tmp_path / "there.fa").write_text("new")
    watching = opened()
    page = watching.page
    page.locator("#bucket").select_option("lab")
    page.locator("#file").set_input_files(tmp_path / "there.fa")
    page.get_by_role("button", name="Keep it").click()
    assert stored.read_text() == "old"
    page.locator("#file").set_input_files(tmp_path / "there.fa")
    page.get_by_role("button", name="Replace it").click()
    expect(page.locator("#upload-said")).to_have_text("there.fa is stored.")
    assert stored.read_text() == "new"
    forgive(watching, 409)


def forgive(watching: WatchedPage, status: int) -> None:
    """Take out what Chromium itself logs of answers with a status that the test asked for."""
    said = [each for each in watching.complaints if f"status of {status}" in each]
    assert said
    for each in said:
        watching.complaints.remove(each)


@pytest.mark.parametrize(
    ("genome", "status", "words"),
    [
        ("demo/nothing.fa", 422, "the object is empty"),
        ("demo/gone.fa", 404, "there is no such object"),
        ("nobody/x.fa", 403, "its buckets: demo, lab"),
        ("demo/../x", 400, "give a path down"),
    ],
)
def test_an_error_says_what_to_do_beside_the_field(
    genome: str, status: int, words: str, opened: Open
) -> None:
    watching = opened()
    page = watching.page
    page.get_by_label("Genome").fill(genome)
    page.get_by_role("button", name="Analyse").click()
    expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible()
    forgive(watching, status)


def test_a_job_that_failed_says_why_and_shows_its_log(opened: Open, server: Server) -> None:
    (Path(server.root) / "demo/notes.txt").write_text("these are notes\n")
    job = server.start_job("demo", "notes.txt")
    server.wait_for(job)
    page = opened(f"/watch/{job}").page
    wait_for(page, "failed")
    expect(page.locator("#job-error")).to_contain_text("before the first header")
    page.get_by_text("Log", exact=True).click()
    expect(page.locator("#log")).to_contain_text("notes.txt")


def test_names_are_shown_as_text(opened: Open, server: Server) -> None:
    job = server.start_job("demo", HOSTILE)
    server.wait_for(job)
    page = opened(f"/watch/{job}").page
    wait_for(page, "succeeded")
    assert page.locator("h1 bdi").inner_text() == HOSTILE.replace("\u202e", "\\u202e")
    page = opened().page
    expect(page.locator("#jobs")).to_contain_text("<img src=x onerror=alert(1)>\\u202e.fa")
    expect(page.locator("#objects")).to_contain_text("<img src=x")


def test_jobs_are_found_by_a_search(opened: Open, server: Server) -> None:
    server.wait_for(server.start_job("demo", "input/phiX174.fa"))
    page = opened().page
    rows = page.locator("#jobs tbody tr")
    expect(rows.filter(has_text="phiX174")).to_have_count(1)
    page.get_by_label("Search the jobs").fill("phix succeeded")
    expect(rows).to_have_count(1)
    expect(page.locator("#jobs-said")).to_contain_text("1 of ")
    page.get_by_label("Search the jobs").fill("nothing has this name")
    expect(rows).to_have_count(0)


def test_a_link_keeps_the_focus_while_the_table_is_refreshed(opened: Open, server: Server) -> None:
    job = server.start_job("demo", "input/phiX174.fa", k=[3])
    server.wait_for(job)
    page = opened().page
    page.locator(f'#jobs a[href="/watch/{job}"]').focus()
    for _ in range(2):
        with page.expect_response(re.compile("/jobs\\?")):
            pass
    page.wait_for_timeout(100)
    assert page.evaluate("document.activeElement.getAttribute('href')") == f"/watch/{job}"


def test_the_keyboard_is_enough(opened: Open) -> None:
    page = opened().page
    expect(page.get_by_role("button", name="input/: open")).to_be_visible()
    page.get_by_label("Genome").focus()
    page.keyboard.type("demo/input/phiX174.fa")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.value") == "5":
            break
    page.keyboard.press("Space")
    page.get_by_label("Genome").focus()
    page.keyboard.press("Enter")
    wait_for(page, "succeeded")
    expect(page.locator("#asked")).to_contain_text("no k-mers")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_readers_out(scheme: str, browser: Browser, server: Server, axe: str) -> None:
    done = server.start_job("demo", "input/ecoli.fna", slice_bytes=100_000)
    server.wait_for(done)
    running = slow_job(server, 1_000_003)
    server.wait_for(running, "RUNNING", "SUCCEEDED")
    look = Look(scheme="dark" if scheme == "dark" else "light")
    for path in ("/", f"/watch/{done}", f"/watch/{running}"):
        assert barriers(browser, server.url.rstrip("/") + path, axe, look) == []


def test_a_phone_scrolls_no_page_sideways(opened: Open, server: Server) -> None:
    done = server.start_job("demo", "input/ecoli.fna", slice_bytes=100_000)
    server.wait_for(done)
    for path in ("/", f"/watch/{done}"):
        watching = opened(path, Look(width_px=PHONE_WIDTH_PX))
        expect(watching.page.locator("main")).to_be_visible()
        assert watching.overflow_px() == 0


def test_without_script_the_page_says_what_to_do(browser: Browser, server: Server) -> None:
    with watched(browser, server.url, Look(scripts=False)) as opened:
        expect(opened.page.get_by_text("fanfold submit BUCKET/KEY")).to_be_visible()


def test_the_token_lets_a_browser_in(browser: Browser, tmp_path: Path, axe: str) -> None:
    (tmp_path / "root/demo").mkdir(parents=True)
    with serving(tmp_path / "root", "--token", log=tmp_path / "log") as server:
        assert barriers(browser, server.url, axe) == []
        with watched(browser, server.url) as opened:
            page = opened.page
            expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
            assert page.locator("#app").is_hidden()
            page.get_by_label("Token").fill("wrong")
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("alert").filter(has_text="isn't the token")).to_be_visible()
            forgive(opened, 401)
            page.get_by_label("Token").fill(server.token or "")
            page.get_by_role("button", name="Sign in").click()
            expect(page.locator("#bucket")).to_have_value("demo")
        with watched(browser, f"{server.url}#token=100%") as opened:
            expect(
                opened.page.get_by_role("alert").filter(has_text="isn't the token")
            ).to_be_visible()
            assert "token" not in opened.page.url
            forgive(opened, 401)
        with watched(browser, f"{server.url}#token={server.token}") as opened:
            expect(opened.page.locator("#bucket")).to_have_value("demo")
            assert "token" not in opened.page.url
            assert opened.page.evaluate("document.cookie") == ""
