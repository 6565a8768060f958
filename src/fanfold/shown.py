"""How text is shown: without secrets, and without characters that would steer a terminal."""

from __future__ import annotations

import re

from fanfold.errors import FanfoldError

STORES = ("s3", "gs", "az", "abfs", "abfss")
"""The schemes of object stores. All after the bucket is the key there, ``?`` and ``#`` too."""

# A single slash is a slip of the pen, and the rest may hold a password all the same.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(/+)(.*)", re.DOTALL)
_URL_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/+\S*[^\s'\"():;,.>]")
_LOGIN_IN_TEXT = re.compile(
    r"(?<![^\s'\"(=])(?:(?:https?|ftp|s3|gs|az|abfss?)?//?)?[^\s'\"(=/:@]+:(?!/)[^\s@]*@"
)
_HOST = re.compile(r"(?:\[[^\[\]@]*\]|[^\[\]:@]*)(?::\d*)?")
_TELLTALE = r"(?<![a-z])(?:sig|signature|token|secret|password|credential|(?:api_?)?key)="
_SIGNATURE = re.compile(rf"\?[^?]*{_TELLTALE}.*", re.IGNORECASE | re.DOTALL)
# Of what was meant as a URL, and lacks its scheme.
_SIGNATURE_IN_TEXT = re.compile(rf"\?[^\s?]*{_TELLTALE}\S*[^\s:;,.]", re.IGNORECASE)

_LONGEST = 500

# U+FFFE and U+FFFF are no characters: SVG, as all XML, can't have them.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def shown(location: str) -> str:
    """A location as it may be shown: without user, password and signature.

    A path is shown as it is, and so is what can be an object's URL in a store: a query that is no
    signature is part of its key.
    """
    match = _URL.fullmatch(location)
    if match is None:
        return location
    scheme, slashes, rest = match.groups()
    if scheme.lower() in STORES:
        rest = _SIGNATURE.sub("", rest)
    else:
        rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    is_container = scheme.lower().startswith("abfs") and ":" not in rest.partition("/")[0]
    return f"{scheme}:{slashes}{rest if is_container else _without_user(rest)}"


def without_secrets(said: object) -> str:
    """A text, or what an error says, with its URLs, and what was meant as one, as `shown` does."""
    text = _URL_IN_TEXT.sub(lambda match: shown(match[0]), str(said))
    return _SIGNATURE_IN_TEXT.sub("?…", _LOGIN_IN_TEXT.sub("…@", text))


def describe(error: Exception | None) -> str:
    """An error in words, without secrets: a foreseen one's own, and for others what they are."""
    if isinstance(error, FanfoldError):
        return without_secrets(error)
    said = without_secrets(error).partition("\n")[0]
    return f"unexpected {type(error).__name__}: {said}; please report it"


def as_cause(error: BaseException) -> Exception:
    """A library's error as the cause of fanfold's own: its text has whole URLs, and is shown."""
    cause = RuntimeError(f"{type(error).__name__}: {without_secrets(error)}")
    return cause.with_traceback(error.__traceback__)


def escaped(text: str) -> str:
    r"""A text in one line that steers no terminal: ``\x1b`` for ESC, ``\u202e`` for U+202E.

    A byte of a name that isn't UTF-8 is ``\xNN`` too.
    """
    return _CONTROL.sub(_escape, text)


def escaped_json(document: str) -> str:
    """A JSON document in several lines, with escapes for what JSON allows but steers a terminal."""
    return "\n".join(
        _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", line) for line in document.split("\n")
    )


def shortened(text: str) -> str:
    """A name or location of any length as a message of a line or two has it."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _without_user(rest: str) -> str:
    """What follows the slashes of a URL, without a user."""
    rest = rest[rest.partition("/")[0].rfind("@") + 1 :]
    if _HOST.fullmatch(rest.partition("/")[0]):
        return rest
    # A password has a slash in it, or what should be in the query.
    return rest.rpartition("@")[2] if "@" in rest else "…"


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # a byte, as Python has it in a name
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
