"""The parts of storage that need no store: URLs, work ahead, settings, and errors that travel."""

from __future__ import annotations

import inspect
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from fanfold import errors
from fanfold.engine.ahead import map_ahead
from fanfold.errors import (
    ArchiveError,
    FanfoldError,
    FastaError,
    InputError,
    MissingCountsError,
    MissingSlicesError,
    ParameterError,
)
from fanfold.objects import absolute, find_below, is_any, is_remote, name_of, split_location
from fanfold.objects.settings import contact_timeout, read_timeout, retry_timeout
from fanfold.objects.urls import (
    Url,
    base_name,
    is_local,
    is_url,
    local_path,
    parse_object,
    parse_prefix,
)
from fanfold.shown import shown

# --- URLs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("s3://bucket/a/b.fa", Url("s3", "s3://bucket", "a/b.fa")),
        ("S3://bucket/b.fa", Url("s3", "s3://bucket", "b.fa")),
        ("gs://bucket/a b%20#?+ü.fa", Url("gs", "gs://bucket", "a b%20#?+ü.fa")),
        ("az://container/b.fa", Url("az", "az://container", "b.fa")),
        (
            "abfss://container@account.dfs.core.windows.net/b.fa",
            Url("abfss", "abfss://container@account.dfs.core.windows.net", "b.fa"),
        ),
        ("https://host/a/b.fa?q#f", Url("https", "https://host/a/b.fa?q#f", "")),
        ("httpS://Host/a/b.fa?Q", Url("https", "https://Host/a/b.fa?Q", "")),
    ],
)
def test_a_url_is_its_scheme_its_root_and_its_key_as_it_is(location: str, url: Url) -> None:
    assert parse_object(location) == url
    assert is_url(location)
    assert not is_local(location)
    assert is_remote(location)
    assert url.is_web == location.lower().startswith("https")


@pytest.mark.parametrize(
    "location",
    [
        "s3://bucket",
        "s3://bucket/",
        "s3://bucket/a/",
        "s3://bucket//a",
        "s3://bucket/a//b",
        "s3://bucket/./b",
        "s3://bucket/../b",
        "s3://bucket/a/..",
        "s3:///b",
        "s3://",
        "https://",
        "https:///b",
        "ftp://host/b",
        "no url",
    ],
)
def test_what_is_no_url_of_an_object_is_refused(location: str) -> None:
    with pytest.raises(ParameterError, match=r"^" + location.replace(".", r"\.")):
        parse_object(location)


@pytest.mark.parametrize(
    ("location", "key"),
    [
        ("s3://bucket", ""),
        ("s3://bucket/", ""),
        ("s3://bucket/a", "a"),
        ("s3://bucket/a/b/", "a/b"),
    ],
)
def test_a_prefix_has_no_slash_at_its_end(location: str, key: str) -> None:
    url = parse_prefix(location)
    assert (url.root, url.key) == ("s3://bucket", key)
    assert url.below("x") == (f"{key}/x" if key else "x")


@pytest.mark.parametrize("location", ["https://host/a", "s3://bucket/a//b", "s3://bucket/..", "a"])
def test_what_is_no_prefix_is_refused(location: str) -> None:
    with pytest.raises(ParameterError):
        parse_prefix(location)


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("s3://bucket/a/b.fa", "b.fa"),
        ("s3://bucket/a%20b.fa", "a%20b.fa"),
        ("s3://bucket/a?b#c.fa", "a?b#c.fa"),
        ("https://host/a/b.fa", "b.fa"),
        ("https://host/b.fa?c/d.fa#e/f.fa", "b.fa"),
        ("https://host/a%20b%23%C3%BC+.fa", "a b#ü+.fa"),
        ("https://user:password@host:1/b.fa", "b.fa"),
        ("file:///a/b%20c.fa", "b c.fa"),
        ("a/b%20c.fa", "b%20c.fa"),
    ],
)
def test_the_base_name_is_the_last_part_of_the_path(location: str, name: str) -> None:
    assert name_of(location) == name


@pytest.mark.parametrize(
    "location",
    [
        "https://host",
        "https://host/",
        "https://host/a/",
        "https://host/..",
        "https://host/%2E%2E",
        "https://host/a%2F..",
        "https://host/%00",
        "https://host?x/b.fa",
        "s3://bucket/a\0b",
    ],
)
def test_a_url_without_a_name_for_results_is_refused(location: str) -> None:
    with pytest.raises(ParameterError):
        base_name(location)


@pytest.mark.parametrize(
    ("location", "seen"),
    [
        ("https://host/a.fa?X-Amz-Signature=s", "https://host/a.fa"),
        ("https://host/a.fa#s", "https://host/a.fa"),
        ("https://user:s@host:1/a.fa", "https://host:1/a.fa"),
        ("https://user:s@host", "https://host"),
        ("https://host?s", "https://host"),
        ("HTTP://u:s@host/a@b.fa?s", "HTTP://host/a@b.fa"),
        ("s3://bucket/a?b#c@d", "s3://bucket/a?b#c@d"),
        ("/a?b", "/a?b"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(location: str, seen: str) -> None:
    assert shown(location) == seen


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("a b.fa", "a b.fa"),
        ("file:///a%20b.fa", "/a b.fa"),
        ("FILE:///a.fa", "/a.fa"),
        ("/a%20b.fa", "/a%20b.fa"),
        ("a:b", "a:b"),
        ("s3:/a", "s3:/a"),
    ],
)
def test_a_local_location_is_a_path(location: str, path: str) -> None:
    assert is_local(location)
    assert not is_remote(location)
    assert local_path(location) == path


def test_a_file_of_another_machine_is_refused() -> None:
    with pytest.raises(ParameterError, match="not a file of this machine"):
        local_path("file://host/a.fa")


def test_locations_are_split_and_made_absolute() -> None:
    assert split_location("s3://bucket/a/b/plan.json") == ("s3://bucket/a/b", "plan.json")
    assert split_location("s3://bucket/plan.json") == ("s3://bucket/", "plan.json")
    assert split_location("file:///a%20b/plan.json") == ("/a b", "plan.json")
    assert absolute("s3://bucket/a") == "s3://bucket/a"
    assert absolute("file:///a/../b%20c") == "/b c"
    assert absolute("x").startswith("/")


@pytest.mark.parametrize(
    ("location", "login", "bare"),
    [
        ("https://jo:hn@host:1/a@b?c@d#e", "Basic am86aG4=", "https://host:1/a@b?c@d#e"),
        ("https://jo@host/a", "Basic am86", "https://host/a"),
        ("http://j%40o:h%3An@[::1]/a", "Basic akBvOmg6bg==", "http://[::1]/a"),
        ("https://%FF:%00@host/a", "Basic /zoA", "https://host/a"),
        ("https://@host/a", "Basic Og==", "https://host/a"),
        ("https://host/a@b:c@d", None, "https://host/a@b:c@d"),
        ("https://host?a:b@c", None, "https://host?a:b@c"),
    ],
)
def test_a_login_is_told_from_the_rest_of_a_url(
    location: str, login: str | None, bare: str
) -> None:
    url = parse_object(location)
    assert (url.authorization, url.without_login) == (login, bare)
    assert url.location == location


def test_the_path_in_a_url_is_of_bytes() -> None:
    assert os.fsencode(local_path("file:///a%ff%C3%BC")) == b"/a\xff\xc3\xbc"
    assert is_any("S3://bucket/a", ["s3://bucket/a"])
    assert find_below(["S3://bucket/a/b"], ["s3://bucket/a"]) == "S3://bucket/a/b"
    assert absolute("HTTPS://Host/A") == "https://Host/A"


@pytest.mark.parametrize(
    ("location", "name"),
    [("-", "stdin"), ("/dev/stdin", "stdin"), ("/dev/fd/0", "stdin"), ("a/b.fa", "b.fa")],
)
def test_an_input_has_a_name(location: str, name: str) -> None:
    assert name_of(location) == name


def test_a_pipe_of_a_shell_has_none_but_what_is_given() -> None:
    with pytest.raises(ParameterError, match="--name"):
        name_of("/dev/fd/63")
    assert name_of("/dev/fd/63", "x.fa") == "x.fa"


# --- settings ---------------------------------------------------------------------------------


def test_a_store_is_waited_for_as_long_as_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FANFOLD_READ_TIMEOUT", "FANFOLD_RETRY_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    assert (read_timeout(), retry_timeout()) == (timedelta(seconds=30), timedelta(minutes=1))
    monkeypatch.setenv("FANFOLD_READ_TIMEOUT", "0.5")
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "7")
    assert (read_timeout(), retry_timeout()) == (timedelta(seconds=0.5), timedelta(seconds=7))


def test_a_server_that_was_never_reached_is_tried_for_ten_seconds_or_as_long_as_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FANFOLD_RETRY_TIMEOUT", raising=False)
    assert contact_timeout() == timedelta(seconds=10)
    monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "70")
    assert contact_timeout() == timedelta(seconds=70)


# --- work ahead -------------------------------------------------------------------------------


def ahead_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("fanfold-ahead")]


@pytest.fixture
def assert_no_threads_are_left() -> Callable[[], None]:
    """Checks that, a moment later, no thread is there that wasn't there before."""
    others = ahead_threads()

    def check() -> None:
        end = time.monotonic() + 60
        while not set(ahead_threads()) <= set(others):
            assert time.monotonic() < end
            time.sleep(0.001)

    return check


@pytest.mark.parametrize("ahead", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 40])
def test_results_come_in_the_order_of_their_items(
    count: int, ahead: int, assert_no_threads_are_left: Callable[[], None]
) -> None:
    def slow_if_even(item: int) -> int:
        time.sleep(0.002 * (item % 2 == 0))
        return item * item

    made = list(map_ahead(slow_if_even, iter(range(count)), ahead))

    assert made == [item * item for item in range(count)]
    assert_no_threads_are_left()


@pytest.mark.parametrize("ahead", [1, 3])
def test_no_more_than_so_many_are_under_way(ahead: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(20):
            taken = item + 1
            yield item

    results = map_ahead(lambda item: item, items(), ahead)
    assert taken == 0
    for item in range(20):
        assert next(results) == item
        assert taken <= item + 1 + ahead
    assert list(results) == []


def test_items_are_worked_on_at_once() -> None:
    together = threading.Barrier(3, timeout=60)
    assert len(list(map_ahead(lambda _: together.wait(), range(6), 3))) == 6


def test_what_is_raised_comes_in_its_place_and_ends_it(
    assert_no_threads_are_left: Callable[[], None],
) -> None:
    def fail_at_three(item: int) -> int:
        if item == 3:
            raise ParameterError("three")
        return item

    results = map_ahead(fail_at_three, range(100), 4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ParameterError, match="three"):
        next(results)
    assert list(results) == []
    assert_no_threads_are_left()


def test_items_that_fail_end_it(
    assert_no_threads_are_left: Callable[[], None],
) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ParameterError("no item")

    with pytest.raises(ParameterError, match="no item"):
        list(map_ahead(lambda item: item, items(), 4))
    assert_no_threads_are_left()


def test_no_thread_is_left_when_it_is_closed(
    assert_no_threads_are_left: Callable[[], None],
) -> None:
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.01)
        return item

    results = map_ahead(work, range(1000), 3)
    assert isinstance(results, Iterator)
    assert next(results) == 0
    del results
    assert_no_threads_are_left()
    assert len(begun) <= 5


# --- errors -----------------------------------------------------------------------------------


def every_error() -> list[FanfoldError]:
    """One of every class, with values in all its attributes."""
    made: dict[type[FanfoldError], FanfoldError] = {
        InputError: InputError("x.fa", 7, "wrong"),
        FastaError: FastaError("x.fa", 7, "bare CR", "bare-cr"),
        ArchiveError: ArchiveError("x.fa.gz", 9, "truncated"),
        MissingSlicesError: MissingSlicesError((1, 5), "slices 1, 5"),
        MissingCountsError: MissingCountsError((0, 3), "counts 0, 3"),
    }
    classes = [
        each
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, FanfoldError)
    ]
    return [made.get(each) or each("said in words: 100%") for each in classes]


@pytest.mark.parametrize("error", every_error(), ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_comes_from_another_process_as_it_was(error: FanfoldError, protocol: int) -> None:
    copy = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - made here
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
    assert copy.exit_code == error.exit_code
    again = pickle.loads(pickle.dumps(copy, protocol))  # noqa: S301
    assert str(again) == str(error)
