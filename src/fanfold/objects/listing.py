"""Folders, prefixes and globs: the objects that one location stands for.

A folder on disk, or a prefix in a store (its URL ends with a slash), stands for the FASTA objects
directly in it. A glob in the key of a store's URL stands for the objects that match it. Paths have
no globs here: the shell expands them. The web has no listing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from fnmatch import translate
from typing import NamedTuple
from urllib.parse import urlsplit

from fanfold.engine.ahead import map_ahead
from fanfold.errors import OutputError, ParameterError, SourceError, SourceMissingError
from fanfold.objects.local import reason
from fanfold.objects.source import STDIN
from fanfold.objects.urls import is_local, local_path, parse_object, parse_prefix
from fanfold.shown import shown

# ruff: noqa: PLC0415 - object stores are imported where a URL needs them

_TEXT_SUFFIXES = (".fa", ".fasta", ".fna", ".ffn", ".fas", ".faa", ".mpfa", ".frn")
_ARCHIVE_SUFFIXES = (".gz", ".bgz", ".zst", ".bz2", ".xz")

FASTA_SUFFIXES = tuple(
    text + archive for text in _TEXT_SUFFIXES for archive in ("", *_ARCHIVE_SUFFIXES)
)
"""How names of FASTA objects end, in upper or lower case."""

SUFFIXES_IN_WORDS = f"{', '.join(_TEXT_SUFFIXES)}, each also with {', '.join(_ARCHIVE_SUFFIXES)}"

_GLOB = re.compile(r"[*?\[]")

_LISTED_AT_ONCE = 16


class Listing(NamedTuple):
    """What is directly in a folder or under a prefix.

    Attributes:
        location: the folder's path, or the prefix's URL without a slash at the end.
        folders: the names of the folders.
        objects: the names of regular files, links to such, and links to nothing; or of objects.
    """

    location: str
    folders: list[str]
    objects: list[str]

    def where(self, name: str) -> str:
        """The path or URL of what is called `name` there."""
        if is_local(self.location):
            return os.path.join(self.location, name)  # noqa: PTH118 - keeps ./ and the user's words
        return f"{self.location}/{name}"


def is_folder(location: str) -> bool:
    """Whether a location stands for what is in it: a folder on disk, or a prefix in a store.

    Raises:
        ParameterError: it is a folder of the web.
    """
    if location == STDIN:
        return False
    if is_local(location):
        try:
            return os.path.isdir(local_path(location))  # noqa: PTH112 - what can't be read is none
        except ParameterError:
            return False  # reading it tells what is wrong
    web_path = _path_of_web(location)
    is_prefix = (location if web_path is None else web_path).endswith("/")
    if is_prefix and web_path is not None:
        raise _no_listing(location)
    return is_prefix


def list_folder(location: str) -> Listing:
    """What is directly in a folder or under a prefix, each kind sorted by its names' bytes.

    Raises:
        ParameterError: the location can't be one.
        SourceError: it can't be listed.
    """
    return _list_disk(local_path(location)) if is_local(location) else _list_store(location)


def fasta_objects(listing: Listing) -> list[str]:
    """The locations of the FASTA objects of a listing, told by their names; hidden ones are not."""
    return [
        listing.where(name)
        for name in listing.objects
        if not name.startswith(".") and name.lower().endswith(FASTA_SUFFIXES)
    ]


def find_matches(location: str) -> list[str] | None:
    """The objects that match a glob, sorted; None if the location is no glob.

    ``*``, ``?`` and ``[…]`` match within one part of a key, and hidden names only where the pattern
    has their dot, as in a shell. A key that is there as it is written is no glob. With a slash at
    its end, a glob stands for the prefixes that match.

    Raises:
        ParameterError: it is a glob of the web.
        SourceError: nothing matches, or a prefix can't be listed.
    """
    if location == STDIN or is_local(location) or not _GLOB.search(location):
        return None
    web_path = _path_of_web(location)
    if web_path is not None:
        if {"*", "["} & {*web_path}:
            raise _no_listing(location)
        return None  # what follows a ? is a query
    is_prefix = location.endswith("/")
    try:
        url = parse_prefix(location) if is_prefix else parse_object(location)
    except ParameterError:
        return None  # reading it tells what is wrong
    if not _GLOB.search(url.key) or (not is_prefix and _may_be_there(location)):
        return None
    *above, last = url.key.split("/")
    bases = [url.root]
    for part in above:
        bases = _step(bases, part)
    if is_prefix:
        found = [f"{base}/" for base in _step(bases, last)]
    else:
        found = [
            each.where(name) for each in _list_all(bases) for name in _matching(each.objects, last)
        ]
    if not found:
        raise SourceMissingError(f"{shown(location)}: no object matches; check the URL")
    return found


def _step(bases: list[str], part: str) -> list[str]:
    """The prefixes one level deeper that match a part of a key."""
    if not _GLOB.search(part):
        return [f"{base}/{part}" for base in bases]
    return [each.where(name) for each in _list_all(bases) for name in _matching(each.folders, part)]


def _matching(names: list[str], part: str) -> list[str]:
    """The names that match a part of a glob."""
    pattern = re.compile(translate(part))
    shows_hidden = part.startswith(".")
    return [
        name
        for name in names
        if (shows_hidden or not name.startswith(".")) and pattern.match(name) is not None
    ]


def _list_all(bases: list[str]) -> Iterable[Listing]:
    return map_ahead(_list_store, bases, _LISTED_AT_ONCE)


def _may_be_there(location: str) -> bool:
    """Whether a store has an object under a key as it is written, or doesn't tell."""
    from fanfold.objects import remote

    try:
        remote.stat_source(location)
    except SourceMissingError:
        return False
    except SourceError:
        return True  # reading it tells what is wrong
    return True


def _list_store(location: str) -> Listing:
    from fanfold.objects import remote

    place = remote.RemotePlace(parse_prefix(location))
    try:
        folders, objects = place.children()
    except OutputError as error:
        raise SourceError(str(error)) from error
    names = [each.name for each in objects]
    return Listing(place.url, sorted(folders, key=_bytes_of), sorted(names, key=_bytes_of))


def _list_disk(path: str) -> Listing:
    folders, objects = [], []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir():
                    folders.append(entry.name)
                elif entry.is_file() or not os.path.exists(entry.path):  # noqa: PTH110
                    # A link to nothing is an input that is missing, and told of as such.
                    objects.append(entry.name)
    except OSError as error:
        raise SourceError(
            f"{path}: can't be listed: {reason(error)}; check its permissions"
        ) from error
    return Listing(path, sorted(folders, key=_bytes_of), sorted(objects, key=_bytes_of))


def _bytes_of(name: str) -> bytes:
    return name.encode(errors="surrogateescape")


def _path_of_web(location: str) -> str | None:
    """The path of a URL of the web; None for other URLs, and for those that can't be."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return None
    return parts.path if parts.scheme.lower() in {"http", "https"} else None


def _no_listing(location: str) -> ParameterError:
    return ParameterError(
        f"{shown(location)}: a web server can't be asked what it has; give the URL of each file"
        " (a * or [ in a file's name is written %2A or %5B), or a list of them"
    )
