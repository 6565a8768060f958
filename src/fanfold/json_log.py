"""Lines of a log as JSON documents, which a log service can search by their fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from fanfold.decoding import JsonDecoder
from fanfold.shown import escaped, without_secrets


class _Line(msgspec.Struct):
    message: str


_ENCODER = msgspec.json.Encoder()
_LINE = JsonDecoder(_Line)

Facts = Mapping[str, str | int]
"""What a line is about, such as the job."""


def log_line(level: str, message: str, facts: Facts) -> str:
    """A line of a log, without its line end, secrets, and bytes that are not UTF-8.

    Args:
        level: how bad it is, as the levels of `logging` are called.
        message: what is said.
        facts: further fields.
    """
    said = without_secrets(escaped(message))
    line = {"time": datetime.now(UTC), "level": level, "message": said, **facts}
    return _ENCODER.encode(line).decode()


def message_of(line: str) -> str:
    """What a line of a log says, whether it is a JSON document or not."""
    try:
        return _LINE.decode(line).message
    except (msgspec.DecodeError, UnicodeEncodeError):
        return line
