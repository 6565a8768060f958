"""Objects: inputs that are read by byte ranges, and outputs that appear whole or not at all.

This package alone knows storage. A location is a path, a URL, or ``-`` for standard input. An
input's identity is pinned when it is opened: one that changes under a run is an error, never a
mixture.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path

from fanfold.errors import ParameterError, SourceChangedError
from fanfold.objects import local
from fanfold.objects.folder import STATE, LocalPlace
from fanfold.objects.given import BinaryFile, blocks_of, is_location, path_of, paths_of
from fanfold.objects.place import DOCUMENT_BYTES, Listed, Place
from fanfold.objects.source import BLOCK_BYTES, Source, StoredChecksum
from fanfold.objects.urls import (
    STDIN,
    base_name,
    check_name,
    is_local,
    is_name,
    is_url,
    local_path,
    parse_object,
    parse_prefix,
)
from fanfold.shown import shown

__all__ = [
    "BLOCK_BYTES",
    "DOCUMENT_BYTES",
    "STATE",
    "STDIN",
    "BinaryFile",
    "Listed",
    "LocalPlace",
    "Place",
    "Source",
    "StoredChecksum",
    "absolute",
    "blocks_of",
    "check_name",
    "check_unchanged",
    "copy_range",
    "find_below",
    "is_any",
    "is_listed",
    "is_location",
    "is_name",
    "is_remote",
    "name_of",
    "open_place",
    "path_of",
    "paths_of",
    "read_blocks",
    "read_head",
    "shown",
    "split_location",
    "stat_source",
    "stored_checksum",
]

# ruff: noqa: PLC0415 - object stores are imported where a URL needs them


def stat_source(location: str | os.PathLike[str]) -> Source:
    """The source at a path or URL, pinned as it is now.

    Raises:
        ParameterError: the location can't be one.
        SourceError: there is no such object or regular file, or it can't be pinned.
    """
    location = os.fspath(location)
    if is_local(location):
        return local.stat_source(local_path(location))
    from fanfold.objects import remote

    return remote.stat_source(location)


def is_listed(location: str) -> bool:
    """Whether a bucket of S3 lists an object: for one that can't be read, and may not be there.

    Where that isn't told, it counts as listed.
    """
    from fanfold.objects import s3

    return s3.is_listed(location)


def read_blocks(
    source: Source, start_byte: int, end_byte: int, block_bytes: int = BLOCK_BYTES
) -> Iterator[memoryview]:
    """The bytes [start_byte, end_byte) of a source, in order, in blocks of at most `block_bytes`.

    A block holds until the next is asked for. Of standard input all bytes come, whatever the
    range, and only once.

    Raises:
        SourceError: the source can't be read.
        SourceChangedError: it is not, or is no longer, what was pinned.
    """
    if source.url == STDIN:
        return local.read_stdin(block_bytes)
    if not is_url(source.url):
        return local.read_blocks(source, start_byte, end_byte, block_bytes)
    from fanfold.objects import remote

    return remote.read_blocks(source, start_byte, end_byte, block_bytes)


def read_head(source: Source, count_bytes: int) -> bytes:
    """The first bytes of a source, or all if it has fewer; raises as `read_blocks` does."""
    end_byte = min(count_bytes, source.size_bytes)
    return b"".join(bytes(block) for block in read_blocks(source, 0, end_byte))


def copy_range(source: Source, start_byte: int, end_byte: int, place: Place, name: str) -> None:
    """Copy the bytes [start_byte, end_byte) of a source into an object.

    From bucket to bucket, S3 does it; any other bytes pass through here.

    Raises:
        SourceChangedError: the source is no longer what was pinned.
        SourceError: it can't be copied.
        OutputError: it can't be written.
    """
    if not (source.url.startswith("s3://") and place.url.startswith("s3://")):
        blocks = read_blocks(source, start_byte, end_byte)
        place.write(name, (bytes(block) for block in blocks))
        return
    from fanfold.objects import s3

    s3.copy_range(source, start_byte, end_byte, place.where(name))


def check_unchanged(source: Source) -> None:
    """Check that a source is still what was pinned.

    Raises:
        SourceChangedError: it is not.
        SourceError: it is gone.
    """
    if source.url != STDIN and stat_source(source.url) != source:
        raise SourceChangedError(
            f"{shown(source.url)}: changed while it was being read; nothing was reported."
            " Run again when nothing writes to it"
        )


def stored_checksum(source: Source) -> StoredChecksum:
    """The CRC-64/NVME of the whole object that the store keeps, if it keeps one.

    Raises:
        SourceError: the store doesn't answer.
        SourceChangedError: it is no longer what was pinned.
    """
    if not source.url.startswith("s3://"):
        return StoredChecksum(None, "none is stored")
    from fanfold.objects import s3

    return s3.stored_checksum(source)


def open_place(location: str | os.PathLike[str]) -> Place:
    """The place for results at a path or URL. Nothing is made there yet.

    Raises:
        ParameterError: results can't go there.
    """
    location = os.fspath(location)
    if not location:
        raise ParameterError("the folder for the results has no name: give --out DIR")
    if is_local(location):
        return LocalPlace(Path(local_path(location)))
    from fanfold.objects import remote

    return remote.RemotePlace(parse_prefix(location))


def is_remote(location: str | os.PathLike[str]) -> bool:
    """Whether what is at a location is read from a store, over a network."""
    location = os.fspath(location)
    return location != STDIN and not is_local(location)


def is_any(location: str, others: Iterable[str]) -> bool:
    """Whether the object at a location is one of others: on a disk by identity, else by URL."""
    for other in others:
        if is_remote(location) or is_remote(other):
            if location == other:
                return True
        elif other != STDIN:
            with contextlib.suppress(OSError, ValueError):  # a path with a NUL is a ValueError
                if Path(local_path(location)).samefile(other):
                    return True
    return False


def find_below(locations: Iterable[str], folders: Iterable[str]) -> str | None:
    """The first object that is below one of some folders or prefixes, through links too."""
    # Folders are resolved once: a call may have thousands of both.
    known = {folder if is_remote(folder) else Path(folder).resolve() for folder in folders}
    for location in locations:
        if is_remote(location):
            above: Iterable[str | Path] = accumulate(location.split("/")[:-1], "{}/{}".format)
        elif location != STDIN:
            above = Path(local_path(location)).resolve().parents
        else:
            continue
        if not known.isdisjoint(above):
            return location
    return None


def absolute(location: str | os.PathLike[str]) -> str:
    """The same location, in words that every process of this machine understands."""
    location = os.fspath(location)
    return os.path.abspath(local_path(location)) if is_local(location) else location  # noqa: PTH100


def split_location(location: str | os.PathLike[str]) -> tuple[str, str]:
    """The folder or prefix that an object is in, and its name there.

    Raises:
        ParameterError: the location can't be one.
    """
    location = os.fspath(location)
    if is_local(location):
        path = Path(local_path(location))
        return os.fspath(path.parent), path.name
    url = parse_object(location)
    prefix, _, name = url.key.rpartition("/")
    return f"{url.root}/{prefix}", name


def name_of(location: str | os.PathLike[str]) -> str:
    """The base name of the object at a location.

    Raises:
        ParameterError: the location can't be one.
    """
    location = os.fspath(location)
    return Path(local_path(location)).name if is_local(location) else base_name(location)
