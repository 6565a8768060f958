"""JSON documents with a checksum, changed so that the checksum holds again."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

from fanfold._kernel import crc64nvme
from fuzz.mutate import NUMBERS

_HEAD = b'{\n "checksum": "%016x",'
_HEAD_BYTES = len(_HEAD % 0)

NAMES = (
    *("", ".", "..", "../x.fa", "../theirs.txt", "/etc/passwd", "chunks", "chunks/theirs.txt"),
    *(".fanfold", ".fanfold/lock", ".fanfold/theirs.txt", "theirs.txt", "link", "sub/master.json"),
    *("master.json", "run.json", "plan.json", "publish.json", "sequences.tsv", "gaps.bed"),
    *("nx.tsv", "report.html", "multiqc", "multiqc/fanfold_nx_mqc.json", "multiqc/x", "index.html"),
    *("x.fa", "x.fa.fai", "x.fa.gzi", "y.fai", "../y.fai", "summary.tsv", "collection.json"),
    *("x\0.fai", "x\n.fai", "\\", "\ud7ff", "\U0010ffff", "n" * 300, "a/" * 2000, "-"),
    *("none", "gzip", "bgzf", "ranges", "blocks", "text", "0" * 20, "f" * 20, "0" * 16, "0" * 32),
)

VALUES: tuple[object, ...] = (
    *(None, True, False, [], {}, [None], [[]], {"": 0}, 0.5, -1, 1e308, 10**30),
    *NUMBERS,
    *NAMES,
)

TOKENS = tuple(json.dumps(value).encode() for value in VALUES)


def sealed(document: bytes) -> bytes:
    """The same document with a checksum that holds, as anyone can compute it."""
    body = document[_HEAD_BYTES if document.startswith(_HEAD[:10]) else 1 :]
    return _HEAD % crc64nvme(body) + body


def changed(draw: random.Random, document: bytes, indent: int | None = 1) -> bytes:
    """A document with one value replaced, removed, doubled or renamed; as it is if it is none."""
    try:
        tree = json.loads(document)
        places = list(_places(tree))
    except (ValueError, RecursionError):
        return document
    if not places:
        return document
    above, key = draw.choice(places)
    other, other_key = draw.choice(places)
    match draw.randrange(5):
        case 0:
            above[key] = copy.deepcopy(other[other_key])
        case 1:
            del above[key]
        case 2 if isinstance(above, list):
            above.insert(key, copy.deepcopy(above[key]))
        case 2:
            above[draw.choice(NAMES)] = above[key]
        case _:
            above[key] = draw.choice(VALUES)
    return json.dumps(tree, indent=indent).encode()


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every list or map in a document, with each of its indexes or keys."""
    keys: Sequence[Any] = ()
    if isinstance(tree, dict):
        keys = list(tree)
    elif isinstance(tree, list):
        keys = range(len(tree))
    for key in keys:
        yield tree, key
        yield from _places(tree[key])
