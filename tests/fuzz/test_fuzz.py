"""What ever broke a law doesn't break it again; and a few seconds of looking for more."""

from __future__ import annotations

import os

import pytest

from fuzz.loop import corpus, fuzz, replay
from fuzz.targets import TARGETS

SECONDS = float(os.environ.get("FANFOLD_FUZZ_SECONDS", "10"))

every_target = pytest.mark.parametrize("target", TARGETS)


@every_target
def test_what_broke_a_law_does_not_break_it_again(target: str) -> None:
    paths = corpus(target)

    assert paths
    assert replay(target, paths) is None


@every_target
def test_no_input_breaks_a_law(target: str) -> None:
    found = fuzz(target, SECONDS, os.urandom(4).hex())

    assert found is None, found
