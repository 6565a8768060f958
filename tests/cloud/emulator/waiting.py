"""What the tests of the cloud wait for."""

from __future__ import annotations

import time
from collections.abc import Callable

_SECONDS_MOST = 120


def wait_until(holds: Callable[[], object]) -> None:
    """Wait until something holds; two minutes at most."""
    deadline = time.monotonic() + _SECONDS_MOST
    while not holds():
        assert time.monotonic() < deadline, "it didn't come to pass"
        time.sleep(0.05)
