"""Any bytes, cut anywhere, merged in any tree, mean what the whole means.

An input is k, six places, and the text: 1 byte, 6 times 2 bytes, the rest.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import cycle

from summaries import (
    assert_as_the_twin_says,
    folded,
    kept_and_read,
    pieces_of,
    scans,
    told,
)

import fanfold
from fanfold import Summary

_HEAD = struct.Struct("<B6H")

_TWIN_BYTES = 4096
"""The most that the slow twin reads; it needs memory for every base."""

_SINGLE_BYTES = 300
"""The most that is cut into single bytes."""

TOKENS = (
    *(b">", b";", b"\n", b"\r", b"\r\n", b"\r\r", b"\n>", b"\n;", b">x\n", b"\n>a b\n", b"@"),
    *(b" ", b"\t", b"\0", b"\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x0b", b"-.*U"),
    *(b"ACGT", b"acgtn", b"N" * 9, b"ACGTTGCA" * 9, b"A" * 70, b"\nACGT\nACGT\nAC\n"),
)


def with_places(k: int, places: Sequence[int], text: bytes) -> bytes:
    """An input."""
    return _HEAD.pack(k - 1, *places) + text


def seeds() -> list[bytes]:
    texts = {
        1: b"",
        2: b">a\nACGTACGTNNNNACGT\n>b\nGATTACA\nGATTACA\n",
        3: b"\xef\xbb\xbf\r\n;c\r\n>a b\r\nACGTNNnn\r\n\r\nnACG TA\r\r\n;mid >\nCGTT\n>\n>a\n",
        4: b">\xff\xe9 z\r\nGATTACAGATTACA\nacgtRY-.*@>;\r",
        5: b">one\r\nACGT\rAC\n>t\0wo\nAC\x80GT\n",
        8: b">s\n" + b"ACGTTGCA" * 30,
    }
    return [with_places(k, (0, 1, 5, 9, 20, 40), text) for k, text in texts.items()]


def check(data: bytes) -> None:
    head, text = data[: _HEAD.size], data[_HEAD.size :]
    first, *places = _HEAD.unpack(head.ljust(_HEAD.size, b"\0"))
    k = 1 + first % 8
    whole = fanfold.scan(text, k)
    expected = told(whole)
    if len(text) <= _TWIN_BYTES:
        assert_as_the_twin_says(whole.findings(), text, range(1, k + 1))
    pieces = pieces_of(text, [place % (len(text) + 1) for place in places])
    assert told(_merged(scans(pieces, k), places)) == expected
    kept = [kept_and_read(each) for each in scans(pieces, k)]
    assert told(kept_and_read(_merged(kept, places))) == expected
    if 0 < len(text) <= _SINGLE_BYTES:
        assert told(folded(scans((bytes((byte,)) for byte in text), k))) == expected


def _merged(summaries: list[Summary], places: Sequence[int]) -> Summary:
    """Neighbours merged until one is left; the places say which of them."""
    choices = cycle(places)
    while len(summaries) > 1:
        left = next(choices) % (len(summaries) - 1)
        summaries[left : left + 2] = [summaries[left].merge(summaries[left + 1])]
    return summaries[0]
