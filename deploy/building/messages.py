"""What a build says: a line of progress, and the error that ends it."""

from __future__ import annotations

import sys


class BuildError(Exception):
    """What is missing or went wrong, and what to do; one or two lines."""


def tell(line: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
