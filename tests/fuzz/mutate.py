"""Changes an input at random; the same `draw` makes the same changes."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Literal

MOST_BYTES = 16 * 1024
"""The longest input, so that a case takes milliseconds."""

_ORDERS: tuple[Literal["little", "big"], ...] = ("little", "big")
_BITS = (0, 7, 8, 15, 16, 20, 31, 32, 53, 63, 64)
NUMBERS = sorted({(1 << bit) + more for bit in _BITS for more in (-1, 0, 1)})
"""Numbers at which something may overflow, or end."""

_NUMBERS_AS_BYTES = [
    (number % (1 << 8 * size_bytes)).to_bytes(size_bytes, order)
    for number in NUMBERS
    for size_bytes in (1, 2, 4, 8)
    for order in _ORDERS
]


def changed(draw: random.Random, pool: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """One of a pool with a few changes, or none."""
    data = draw.choice(pool)
    for _ in range(draw.choice((0, 1, 1, 1, 2, 3, 6))):
        data = _changed_once(draw, data, pool, tokens)[:MOST_BYTES]
    return data


def _changed_once(
    draw: random.Random, data: bytes, pool: Sequence[bytes], tokens: Sequence[bytes]
) -> bytes:
    start = draw.randrange(len(data) + 1)
    # Short pieces more often than long ones.
    end = min(len(data), start + draw.randrange(1 << draw.randrange(1, 12)))
    before, piece, after = data[:start], data[start:end], data[end:]
    match draw.randrange(9):
        case 0:
            piece = bytes((byte ^ 1 << draw.randrange(8)) for byte in piece[:1]) + piece[1:]
        case 1:
            piece = draw.randbytes(1) + piece[1:]
        case 2:
            number = draw.choice(_NUMBERS_AS_BYTES)
            piece = number + piece[len(number) :]
        case 3:
            piece = b""
        case 4:
            after = b""
        case 5:
            piece *= draw.choice((2, 2, 3, 20))
        case 6:
            after = draw.choice(pool)[draw.randrange(len(data) + 1) :]
        case 7:
            return _with_another_number(draw, data)
        case _:
            piece = draw.choice(tokens)
    return before + piece + after


def _with_another_number(draw: random.Random, data: bytes) -> bytes:
    """Some bytes with another number in place of one that is in decimal digits."""
    digits = list(re.finditer(rb"\d+", data))
    if not digits:
        return data
    start, end = draw.choice(digits).span()
    return data[:start] + b"%d" % draw.choice(NUMBERS) + data[end:]
