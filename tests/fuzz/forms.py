"""Kept forms of a summary, whatever was done to them, are refused, or can be used.

An input is the state, the counts of k-mers and the rows, a line each.
"""

from __future__ import annotations

from summaries import kept, kept_and_read, told

import fanfold
from fanfold import Summary
from fanfold._kernel import Scanner

TOKENS = (
    *(b"0", b"1", b"-1", b"18446744073709551615", b"9223372036854775808", b"1e3", b"null"),
    *(b"[]", b"{}", b'""', b'"A"', b'"ACGT":1,', b'"\\u0000"', b'"x":1,', b"\n", b",", b"\\"),
    *(b'"line-start"', b'"sequence"', b'"header"', b'"comment"', b'{"mid-line":{"end":null}}'),
    *(b'"long":{"first":">AAA"}', b'"open":{"content":"","waiting_crs":1}'),
    *(b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", b"\xff\xff\xff\xff\x0f", b"\x7f", b"\0" * 9),
)


def seeds() -> list[bytes]:
    texts = [
        b"",
        b"ACGTNNAC",
        b">a\nACGTNNNNACGT\n>b\nGATTACA\nGATT",
        b"AC\r\n;c\r\n>one\r\nNNACGTNN\r\n>one two\nAC\n>\n>",
        b"NN\n>x\nNNAC-*RYU\n>y\nACG\n\nNN\r",
        b">a\nAC\x80\n>b\rx\nAC",
        b"A" * 1_048_580 + b"\nAC\n>x\nAC",
    ]
    return [b"\n".join(kept(fanfold.scan(text, 1 + at % 4))) for at, text in enumerate(texts)]


def check(data: bytes) -> None:
    state, counts, rows = (*data.split(b"\n", 2), b"", b"")[:3]
    try:
        summary = Summary.from_forms(state, counts, rows)
    except ValueError:
        return
    for text in (b"", b">x\nACNN", b"GTN\n>y\nA", b"\r\n"):
        scanner = Scanner(summary.k)
        scanner.update(text)
        other = scanner.finish()
        _use(summary.merge(other))
        _use(other.merge(summary))
    _use(summary.merge(summary))
    _use(summary)


def _use(summary: Summary) -> None:
    try:
        told(summary)
        assert kept(kept_and_read(summary)) == kept(summary)
    except ValueError:  # rows are read when they are needed
        pass
