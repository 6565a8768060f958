"""S3 answers 409 to a conditional write amid another operation: it is read back and tried again."""

from __future__ import annotations

import pytest
from servers.proxy import CONFLICT, FaultProxy
from servers.s3 import S3Server

from fanfold.errors import OutputError
from fanfold.objects import Place, open_place
from fanfold.objects.settings import RETRY_TIMEOUT
from stores.driving import BUCKET


@pytest.fixture
def place(prefix: str, proxy: FaultProxy) -> Place:  # noqa: ARG001 - the store is behind it
    return open_place(f"s3://{BUCKET}/{prefix}")


def test_create_after_a_conflict_writes_what_is_not_there(place: Place, proxy: FaultProxy) -> None:
    proxy.inject(CONFLICT, method="PUT", times=2)

    assert place.create("new", b"ours")
    assert place.read("new") == b"ours"


def test_create_after_a_conflict_keeps_what_another_wrote(
    place: Place, proxy: FaultProxy, s3: S3Server, prefix: str
) -> None:
    s3.put(BUCKET, f"{prefix}/new", b"theirs")
    proxy.inject(CONFLICT, method="PUT")

    assert not place.create("new", b"ours")
    assert place.read("new") == b"theirs"


def test_swap_after_a_conflict_replaces_what_is_still_the_same(
    place: Place, proxy: FaultProxy
) -> None:
    place.write("plan", b"old")
    proxy.inject(CONFLICT, method="PUT", times=2)

    assert place.swap("plan", b"old", b"new")
    assert place.read("plan") == b"new"


def test_swap_after_a_conflict_keeps_what_another_wrote(
    place: Place, proxy: FaultProxy, s3: S3Server, prefix: str
) -> None:
    place.write("plan", b"old")

    def others_write(_: object) -> bool:
        s3.put(BUCKET, f"{prefix}/plan", b"theirs")
        return True

    proxy.inject(CONFLICT, method="PUT", when=others_write)

    assert not place.swap("plan", b"old", b"new")
    assert place.read("plan") == b"theirs"


@pytest.mark.parametrize("name", ["new", "plan"])
def test_a_conflict_that_stays_is_an_error_in_words(
    name: str, place: Place, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write("plan", b"old")
    monkeypatch.setenv(RETRY_TIMEOUT, "0.5")
    proxy.inject(CONFLICT, method="PUT", times=None)

    with pytest.raises(OutputError, match=f"{name}: can't be written: .*Conflict"):
        _ = place.create("new", b"ours") if name == "new" else place.swap("plan", b"old", b"new")
