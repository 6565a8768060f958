"""Values that are cached for a moment, so that many readers don't read the same files."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

_MOST = 4096


class Recent(Generic[_Key, _Value]):
    """Values by key, each kept for some seconds, or until it is forgotten. Safe for threads.

    Args:
        seconds: how long a value is kept.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._generation = 0
        self._kept: OrderedDict[_Key, tuple[float, _Value]] = OrderedDict()

    def get(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """The value of a key, made unless it is kept."""
        now = time.monotonic()
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and now - kept[0] < self._seconds:
                return kept[1]
            generation = self._generation
        value = make()
        with self._lock:
            if generation == self._generation:  # else it may be of before a change
                self._kept[key] = now, value
                self._kept.move_to_end(key)
                while len(self._kept) > _MOST:
                    self._kept.popitem(last=False)
        return value

    def forget(self, key: _Key) -> None:
        """Drop the value of a key: something has changed."""
        with self._lock:
            self._generation += 1
            self._kept.pop(key, None)

    def forget_all(self) -> None:
        """Drop every value: something has changed."""
        with self._lock:
            self._generation += 1
            self._kept.clear()
