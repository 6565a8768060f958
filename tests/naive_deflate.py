"""A naive twin of what inflates: one bit at a time, as RFC 1951 says, and where blocks start."""

from __future__ import annotations

from typing import NamedTuple

LENGTHS = (
    *((3 + code, 0) for code in range(8)),
    *((base, 1) for base in (11, 13, 15, 17)),
    *((base, 2) for base in (19, 23, 27, 31)),
    *((base, 3) for base in (35, 43, 51, 59)),
    *((base, 4) for base in (67, 83, 99, 115)),
    *((base, 5) for base in (131, 163, 195, 227)),
    (258, 0),
)
"""The least length of each length code, and its extra bits (section 3.2.5)."""

ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
"""The order of the lengths of code length codes (section 3.2.7)."""

FIXED_LENGTHS = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8
END_OF_BLOCK = 256


class Block(NamedTuple):
    """Where a block starts: in bits of the stream, and in its text."""

    bit: int
    text_byte: int


class Inflated(NamedTuple):
    """What a deflate stream holds, and where in bits it ends."""

    text: bytes
    blocks: list[Block]
    end_bit: int


class _Bits:
    def __init__(self, data: bytes) -> None:
        self.at = 0
        self._data = data

    def take(self, count: int) -> int:
        value = 0
        for place in range(count):
            value |= (self._data[self.at // 8] >> self.at % 8 & 1) << place
            self.at += 1
        return value

    def symbol(self, codes: dict[tuple[int, int], int]) -> int:
        code = length = 0
        while (length, code) not in codes:
            code = code << 1 | self.take(1)
            length += 1
            assert length <= 15, "no such code"
        return codes[length, code]


def inflate(data: bytes) -> Inflated:
    """The text and the blocks of a whole deflate stream, which nothing is wrong with."""
    bits, text, blocks = _Bits(data), bytearray(), list[Block]()
    is_last = False
    while not is_last:
        blocks.append(Block(bits.at, len(text)))
        is_last = bool(bits.take(1))
        kind = bits.take(2)
        if kind == 0:
            bits.at = -(-bits.at // 8) * 8
            size = bits.take(16)
            assert bits.take(16) == size ^ 0xFFFF
            text += data[bits.at // 8 : bits.at // 8 + size]
            bits.at += 8 * size
        else:
            _inflate_block(bits, text, *(_fixed() if kind == 1 else _dynamic(bits)))
    return Inflated(bytes(text), blocks, bits.at)


Codes = dict[tuple[int, int], int]


def _inflate_block(bits: _Bits, text: bytearray, literals: Codes, distances: Codes) -> None:
    while (symbol := bits.symbol(literals)) != END_OF_BLOCK:
        if symbol < END_OF_BLOCK:
            text.append(symbol)
            continue
        base, extra = LENGTHS[symbol - 257]
        length = base + bits.take(extra)
        code = bits.symbol(distances)
        extra = max(0, code // 2 - 1)
        distance = (code if code < 2 else (2 + code % 2) << extra) + 1 + bits.take(extra)
        for _ in range(length):
            text.append(text[-distance])


def _fixed() -> tuple[Codes, Codes]:
    return _codes(FIXED_LENGTHS), _codes([5] * 30)


def _dynamic(bits: _Bits) -> tuple[Codes, Codes]:
    literals, distances, count = bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4
    of_lengths = [0] * 19
    for place in ORDER[:count]:
        of_lengths[place] = bits.take(3)
    codes, lengths = _codes(of_lengths), list[int]()
    while len(lengths) < literals + distances:
        symbol = bits.symbol(codes)
        if symbol < 16:
            lengths.append(symbol)
        elif symbol == 16:
            lengths += lengths[-1:] * (3 + bits.take(2))
        elif symbol == 17:
            lengths += [0] * (3 + bits.take(3))
        else:
            lengths += [0] * (11 + bits.take(7))
    return _codes(lengths[:literals]), _codes(lengths[literals:])


def _codes(lengths: list[int]) -> Codes:
    """The symbol of each code, by the code's length and bits (section 3.2.2)."""
    codes, code = Codes(), 0
    for length in range(1, 16):
        for symbol, its_length in enumerate(lengths):
            if its_length == length:
                codes[length, code] = symbol
                code += 1
        code <<= 1
    return codes
