"""Which publisher a place has."""

from __future__ import annotations

from fanfold.flow.on_disk import OnDisk
from fanfold.flow.publication import Publisher
from fanfold.objects import LocalPlace, Place


def publisher_of(place: Place) -> Publisher:
    """What writes plans and reports into a place."""
    if isinstance(place, LocalPlace):
        return OnDisk(place)
    from fanfold.flow.in_store import InStore  # noqa: PLC0415 - for those who write to a store

    return InStore(place)
