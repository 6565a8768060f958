"""URLs of objects, and what they say."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from typing import NamedTuple
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from fanfold.errors import ParameterError
from fanfold.shown import STORES, escaped, shortened, shown

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)

_WEB = ("http", "https")

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Url(NamedTuple):
    """Where an object is, or a prefix that objects are under.

    Attributes:
        scheme: the kind of storage, such as ``s3``.
        root: scheme and bucket, such as ``s3://bucket``; for the web the whole URL.
        key: the object's key, exactly; empty for the web.
    """

    scheme: str
    root: str
    key: str

    @property
    def is_web(self) -> bool:
        """Whether it is of the web, which can be read alone."""
        return self.scheme in _WEB

    @property
    def location(self) -> str:
        """The URL itself, with its scheme in lower case."""
        return f"{self.root}/{self.key}" if self.key else self.root

    @property
    def without_login(self) -> str:
        """The URL of something on the web, without user and password."""
        before, at, host = _authority(self.root).rpartition("@")
        return self.root.replace(f"://{before}{at}{host}", f"://{host}", 1)

    @property
    def authorization(self) -> str | None:
        """The header by which a web server learns user and password (RFC 7617), if there are any.

        They are percent-encoded in the URL, and sent as they are.
        """
        login, at, _ = _authority(self.root).rpartition("@")
        if not at:
            return None
        user, _, password = login.partition(":")
        both = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
        return f"Basic {b64encode(both).decode()}"

    def below(self, name: str) -> str:
        """The key of what is called `name` under this prefix.

        Raises:
            ParameterError: it can't be one.
        """
        key = f"{self.key}/{name}" if self.key else name
        _check_key(f"{self.root}/{key}", key)
        return key


def is_url(location: str) -> bool:
    """Whether a location is a URL, and not a path."""
    return _URL.fullmatch(location) is not None


def local_path(location: str) -> str:
    """The path that a location of a local file means: itself, or what ``file://`` precedes.

    Raises:
        ParameterError: a ``file://`` URL of another machine.
    """
    match = _URL.fullmatch(location)
    if match is None or match[1].lower() != "file":
        return location
    if not match[2].startswith("/"):
        raise ParameterError(f"{shown(location)}: not a file of this machine; write file:///path")
    path = os.fsdecode(unquote_to_bytes(match[2].encode(errors="surrogateescape")))
    if "\0" in path:
        raise ParameterError(f"{shown(location)}: %00 can't be in a path; correct the URL")
    return path


def is_local(location: str) -> bool:
    """Whether a location is a path or a ``file://`` URL."""
    match = _URL.fullmatch(location)
    return match is None or match[1].lower() == "file"


def parse_object(location: str) -> Url:
    """The URL of one object.

    Raises:
        ParameterError: it can't be one.
    """
    url = _parse(location)
    if not url.is_web:
        if not url.key:
            raise ParameterError(f"{location}: a bucket, not an object; give the object's key too")
        _check_key(location, url.key)
    return url


def parse_prefix(location: str) -> Url:
    """The URL of a prefix that results go under, or of a whole bucket.

    Raises:
        ParameterError: it can't be one.
    """
    url = _parse(location)
    if url.is_web:
        raise ParameterError(
            f"{shown(location)}: results can't be written to the web; give a path, s3://, gs:// or"
            " az://"
        )
    url = url._replace(key=url.key.rstrip("/"))
    if url.key:
        _check_key(location, url.key)
    return url


NAME_BYTES = 238
"""The longest name of an input: results add up to 17 bytes to it, and file systems take 255."""


def base_name(location: str) -> str:
    """The last part of a URL's path, which is its object's name.

    Raises:
        ParameterError: there is none, or none that results can be named after.
    """
    url = parse_object(location)
    path = unquote(re.split(r"[?#]", location, maxsplit=1)[0]) if url.is_web else url.key
    name = path.rpartition("/")[2]
    if url.is_web and path.count("/") < 3:
        name = ""
    if url.is_web and not name:
        raise ParameterError(f"{shown(location)}: names no file; give the URL of one")
    check_name(name, location)
    return name


def check_name(name: str, location: str) -> None:
    """Check that results can be named after `name`.

    Raises:
        ParameterError: they can't.
    """
    if not is_name(name):
        raise ParameterError(f"{shortened(shown(location))}: {_fault_of_name(name)}")


def is_name(name: str) -> bool:
    """Whether results can be named after `name`: one part of a path, in UTF-8, and short enough."""
    try:
        size_bytes = len(name.encode())
    except UnicodeEncodeError:
        return False
    return name not in {"", ".", ".."} and not {"/", "\0"} & {*name} and size_bytes <= NAME_BYTES


def _fault_of_name(name: str) -> str:
    """Why results can't be named after `name`, and what to do."""
    told = f"'{shortened(escaped(name))}' is no name for an input's results"
    try:
        size_bytes = len(name.encode())
    except UnicodeEncodeError:
        return f"{told}: it is not UTF-8; rename it"
    if size_bytes > NAME_BYTES:
        return f"{told}: it has {size_bytes} bytes, and {NAME_BYTES} are the most; shorten it"
    return f"{told}; rename it"


def canonical(location: str) -> str:
    """A location with the scheme of a URL in lower case; the same object has one location then."""
    match = _URL.fullmatch(location)
    return location if match is None else f"{match[1].lower()}://{match[2]}"


def _authority(url: str) -> str:
    """Login and host of a URL, where a host was found."""
    return re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]


def _parse(location: str) -> Url:
    match, told = _URL.fullmatch(location), shown(location)
    if match is None:
        raise ParameterError(f"{told}: not a URL")
    scheme = match[1].lower()
    if scheme in _WEB:
        if not has_host(location):
            raise ParameterError(f"{told}: names no host; in a password, write %2F for a slash")
        return Url(scheme, f"{scheme}://{match[2]}", "")
    if scheme not in STORES:
        known = ", ".join(f"{each}://" for each in (*STORES, *_WEB))
        raise ParameterError(f"{told}: give a path, - for stdin, or a URL with {known}")
    if told != location:
        raise ParameterError(
            f"{told}: has a key or a signature in its URL, where none can be; give it by the"
            " environment: see docs/storage.md"
        )
    bucket, _, key = match[2].partition("/")
    if not bucket:
        raise ParameterError(f"{told}: names no bucket; write {scheme}://bucket/key")
    return Url(scheme, f"{scheme}://{bucket}", key)


def has_host(location: str) -> bool:
    """Whether a URL names a host, and a port that can be if it names one."""
    try:
        parts = urlsplit(location)
        return bool(parts.hostname) and parts.port != 0  # one that is no number raises
    except ValueError:
        return False


def _check_key(location: str, key: str) -> None:
    # Such keys are legal in S3, but the libraries beneath would read another object's instead.
    if any(part in {"", ".", ".."} for part in key.split("/")):
        raise ParameterError(f"{location}: empty, '.' and '..' parts in a key are not supported")
    if _CONTROL.search(key):
        raise ParameterError(
            f"{location}: control characters in a key are not supported; rename it"
        )
