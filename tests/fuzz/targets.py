"""The targets, by name."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from fuzz import containers, documents, forms, law, mutate, plans, records

Change = Callable[[random.Random, bytes], bytes]


class Target(NamedTuple):
    """A law.

    Attributes:
        check: raises if some bytes break it.
        seeds: makes inputs to change.
        tokens: pieces to put into them.
        change: a change that suits the inputs; None if bytes are all that there is to it.
    """

    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    tokens: Sequence[bytes]
    change: Change | None = None

    def draw(self, draw: random.Random, pool: Sequence[bytes]) -> bytes:
        """An input: one of a pool, changed."""
        if self.change is None or draw.randrange(4) == 0:
            return mutate.changed(draw, pool, self.tokens)
        data = draw.choice(pool)
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            data = self.change(draw, data)
        return data


def _change_state(draw: random.Random, data: bytes) -> bytes:
    state, newline, rest = data.partition(b"\n")
    return documents.changed(draw, state, indent=None) + newline + rest


def _change_named(draw: random.Random, data: bytes) -> bytes:
    name, newline, document = data.partition(b"\n")
    return name + newline + documents.changed(draw, document)


TARGETS = {
    "law": Target(law.check, law.seeds, law.TOKENS),
    "forms": Target(forms.check, forms.seeds, forms.TOKENS, _change_state),
    "containers": Target(containers.check, containers.seeds, containers.TOKENS),
    "plans": Target(plans.check, plans.seeds, documents.TOKENS, documents.changed),
    "records": Target(records.check, records.seeds, documents.TOKENS, _change_named),
}
