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
from typing import NamedTuple

from fanfold.errors import ParameterError, SourceChangedError
from fanfold.objects import local
from fanfold.objects.folder import STATE, LocalPlace
from fanfold.objects.given import BinaryFile, blocks_of, is_location, path_of, paths_of
from fanfold.objects.local import reason as local_reason
from fanfold.objects.place import DOCUMENT_BYTES, Listed, Place
from fanfold.objects.source import BLOCK_BYTES, STDIN, Source, StoredChecksum
from fanfold.objects.urls import (
    base_name,
    canonical,
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
    "Input",
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
    "is_pipe",
    "is_remote",
    "local_reason",
    "name_of",
    "open_input",
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

_STDIN_NAME = "stdin"


class Input(NamedTuple):
    """An input that was opened.

    Attributes:
        source: it, pinned.
        blocks: all its bytes, in order, if they can be read once alone; else None. A block holds
            until the next is asked for.
    """

    source: Source
    blocks: Iterator[memoryview] | None


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


def open_input(location: str | os.PathLike[str], name: str | None = None) -> Input:
    """The input at a path or URL, pinned as it is now.

    Args:
        location: where it is.
        name: what to call a pipe; see `name_of`.

    Raises:
        ParameterError: the location or the name can't be one.
        SourceError: there is no such input, or it can't be read.
    """
    location = os.fspath(location)
    if is_pipe(location):
        name = name_of(location, name)
        check_name(name, location)
        source = Source(STDIN, name, 0, f"stdin-{os.urandom(8).hex()}")
        return Input(source, local.read_pipe(local_path(location), BLOCK_BYTES))
    name = name_of(location, name)
    if is_local(location):
        source = local.stat_source(local_path(location))
        check_name(name, location)
        return Input(source, None)
    from fanfold.objects import remote

    found = remote.open_input(location)
    return Input(found, None) if isinstance(found, Source) else Input(*found)


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

    A block holds until the next is asked for. Of a stream all bytes come, whatever the range, and
    of standard input only once.

    Raises:
        SourceError: the source can't be read.
        SourceChangedError: it is not, or is no longer, what was pinned.
    """
    if source.url == STDIN:
        return local.read_pipe(STDIN, block_bytes)
    if not source.has_ranges:
        from fanfold.objects import web

        return web.read_stream(source)
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
    if not source.is_stream and stat_source(source.url) != source:
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
    if location == STDIN:
        raise ParameterError(
            "-: results are files in a folder, and standard output is none; give --out DIR (a"
            " folder that is called so is ./-)"
        )
    if is_local(location):
        return LocalPlace(Path(local_path(location)))
    from fanfold.objects import remote

    return remote.RemotePlace(parse_prefix(location))


def is_remote(location: str | os.PathLike[str]) -> bool:
    """Whether what is at a location is read from a store, over a network."""
    location = os.fspath(location)
    return location != STDIN and not is_local(location)


def is_pipe(location: str | os.PathLike[str]) -> bool:
    """Whether what is at a location is a pipe, standard input for one: it has no name of its own.

    Nothing is opened.
    """
    location = os.fspath(location)
    return is_local(location) and local.is_pipe(local_path(location))


def is_any(location: str, others: Iterable[str]) -> bool:
    """Whether the object at a location is one of others: on a disk by identity, else by URL."""
    for other in others:
        if is_remote(location) or is_remote(other):
            if canonical(location) == canonical(other):
                return True
        elif other != STDIN:
            with contextlib.suppress(OSError, ValueError):  # a path with a NUL is a ValueError
                if Path(local_path(location)).samefile(local_path(other)):
                    return True
    return False


def find_below(locations: Iterable[str], folders: Iterable[str]) -> str | None:
    """The first object that is below one of some folders or prefixes, through links too."""
    # Folders are resolved once: a call may have thousands of both.
    known = {folder if is_remote(folder) else Path(folder).resolve() for folder in folders}
    for location in locations:
        if is_remote(location):
            parts = canonical(location).split("/")[:-1]
            above: Iterable[str | Path] = accumulate(parts, "{}/{}".format)
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
    return os.path.abspath(local_path(location)) if is_local(location) else canonical(location)  # noqa: PTH100


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


def name_of(location: str | os.PathLike[str], name: str | None = None) -> str:
    """What an input is called: by its base name, or, if it is a pipe, as the user says.

    Args:
        location: its path or URL.
        name: what the user calls it. Standard input is ``stdin``, and a named pipe by its base
            name, when None.

    Raises:
        ParameterError: the location can't be one, or such a name can't be given to it.
    """
    location = os.fspath(location)
    if name is not None:
        if not is_pipe(location):
            raise ParameterError(
                "a name can be given to standard input or a pipe alone: others have theirs"
            )
        check_name(name, location)
        return name
    if not is_local(location):
        return base_name(location)
    path = local_path(location)
    match local.descriptor_of(path):
        case None:
            return Path(path).name
        case 0:
            return _STDIN_NAME
    raise ParameterError(
        f"{path}: what is piped in has no name there; give it one with --name, such as --name"
        " genome.fa"
    )
