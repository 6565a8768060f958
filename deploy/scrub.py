"""Replaces what tells an account apart: ``scrub.py SALT``, a filter.

The same id becomes the same other one wherever the salt is the same, so that what belongs together
still does. What is made of names alone (a bucket's prefix, a function's name) stays.
"""

from __future__ import annotations

import hashlib
import re
import sys

_ACCOUNT = "111122223333"
_HEX = "0123456789abcdef"

_CALLER = re.compile(r"\b((?:user|assumed-role)/)[^\"'\s,]+")
_KEY = re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}")
_ADDRESS = re.compile(r"\b(?!0\.0\.0\.0\b)(?:\d{1,3}\.){3}\d{1,3}\b")
_NUMBER = re.compile(r"(?<![0-9a-zA-Z.])\d{12}(?![0-9a-zA-Z.])")
_API = re.compile(r"\b[a-z0-9]{10}(?=\.execute-api\.)")
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_RESOURCE = re.compile(r"\b(eni|subnet|vpc|vpce|sg|rtb|igw|acl|pl)-([0-9a-f]{8,17})\b")


def scrubbed(text: str, salt: str) -> str:
    """A text without the ids of an account, its callers, its network and its jobs."""

    def other(found: str) -> str:
        digits = iter(hashlib.sha256((salt + found).encode()).hexdigest() * 2)
        return "".join(next(digits) if each in _HEX else each for each in found)

    text = _KEY.sub("KEY", text)
    text = _CALLER.sub(r"\1somebody", text)
    text = _NUMBER.sub(_ACCOUNT, text)
    text = _API.sub("abcdefghij", text)
    text = _RESOURCE.sub(lambda match: f"{match[1]}-{other(match[2])}", text)
    text = _UUID.sub(lambda match: other(match[0]), text)
    text = _HASH.sub(lambda match: other(match[0]), text)
    return _ADDRESS.sub("192.0.2.1", text)


if __name__ == "__main__":
    sys.stdout.write(scrubbed(sys.stdin.read(), sys.argv[1]))
