"""What the user gave as genomes, and the inputs that it stands for, with their names.

A list, a folder, a prefix and a glob each stand for several inputs. An input may have a label. The
results of many inputs are called by names that differ:

    given             a/x.fa   b/x.fa   b/y.fa   c/y.fa, labelled wild
    names             a_x.fa   b_x.fa   y.fa     wild

A name is the label, else the base name. Where names are equal, a folder is put before each, and
another until they differ; labels and names of one part stay when longer ones can change instead.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fanfold.errors import ParameterError, SourceError
from fanfold.objects import (
    STDIN,
    absolute,
    is_name,
    is_remote,
    name_of,
    shown,
)
from fanfold.objects.listing import (
    SUFFIXES_IN_WORDS,
    Listing,
    fasta_objects,
    find_matches,
    is_folder,
    list_folder,
)
from fanfold.objects.local import reason
from fanfold.objects.urls import NAME_BYTES
from fanfold.params import check_texts

_STDIN_NAME = "stdin"

_LINE_BYTES = 64 * 1024
"""The longest line of a list: a path has 4 KiB at most, and the key in a store 1 KiB."""


class Input(NamedTuple):
    """A location that the user gave, or one that it stands for.

    Attributes:
        location: its path or URL, or ``-``.
        label: what the user calls it, if that is not its base name.
    """

    location: str
    label: str | None = None


def read_list(path: str | os.PathLike[str]) -> list[Input]:
    """The inputs of a list: a location a line, and a label after a tab where there is one.

    Empty lines, and those that begin with ``#``, are passed over. A relative path is relative to
    the current folder, wherever the list is.

    Raises:
        SourceError: the list can't be read.
        ParameterError: a line can't be one of a list, or there is none; the error says which.
    """
    path = os.fspath(path)
    found: list[Input] = []
    lines_of_labels: dict[str, int] = {}
    for number, line in enumerate(_read_lines(path), 1):
        where = f"{path}: line {number}"
        each = _parse_line(line, where, is_first=number == 1)
        if each is None:
            continue
        if each.label is not None:
            first = lines_of_labels.setdefault(each.label, number)
            if first != number:
                raise ParameterError(f"{where}: line {first} has the label {each.label!r} too")
        found.append(each)
    if not found:
        raise ParameterError(f"{path}: lists no genome; write a path or URL a line")
    return found


def _read_lines(path: str) -> Iterator[bytes]:
    """The lines of a list; of one that is too long, its begin."""
    try:
        with Path(path).open("rb") as file:
            while line := file.readline(_LINE_BYTES + 1):
                yield line
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        said = reason(error) if isinstance(error, OSError) else str(error)
        raise SourceError(f"{path}: the list can't be read: {said}; check its path") from error


def _parse_line(line: bytes, where: str, *, is_first: bool) -> Input | None:
    """The input of a line; None if it has none."""
    if len(line) > _LINE_BYTES:
        raise ParameterError(
            f"{where}: longer than {_LINE_BYTES} bytes; a list has a path or URL a line"
        )
    if is_first:
        line = line.removeprefix(b"\xef\xbb\xbf")  # a byte order mark
        if line.startswith(b">"):
            raise ParameterError(f"{where}: this is FASTA, and no list; give it as a genome")
    if b"\0" in line:
        raise ParameterError(f"{where}: has a NUL; a list is text, with a path or URL a line")
    try:
        text = line.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ParameterError(
            f"{where}: not UTF-8 from its byte {error.start} on; a list has a path or URL a line"
        ) from None
    if not text.strip() or text.startswith("#"):
        return None
    location, *labels = text.split("\t")
    if not location or len(labels) > 1:
        raise ParameterError(f"{where}: write a path or URL, and a label after one tab if need be")
    label = labels[0] if labels and labels[0] else None
    if label is not None:
        check_label(label, where)
    return Input(location, label)


def labelled(
    locations: Iterable[str | os.PathLike[str]], labels: Iterable[str | None] | None = None
) -> list[Input]:
    """Locations with their labels: as many, or none at all.

    Raises:
        ParameterError: a label can't be one, two are equal, or there are more or fewer.
    """
    places = [os.fspath(each) for each in locations]
    if isinstance(labels, str | bytes) or not isinstance(labels, Iterable | None):
        raise ParameterError(f"labels must be a list of texts, not {repr(labels)[:80]}")
    names = [None] * len(places) if labels is None else list(labels)
    if len(names) != len(places):
        raise ParameterError(
            f"{len(names)} labels for {len(places)} locations; give one for each, or None"
        )
    for location, name in zip(places, names, strict=True):
        if name is not None:
            check_label(name, shown(location))
    for name, count in Counter(names).items():
        if name is not None and count > 1:
            raise ParameterError(f"{count} inputs have the label {name!r}; give each its own")
    return [Input(*each) for each in zip(places, names, strict=True)]


def check_label(label: str, where: str) -> None:
    """Check that results can be called `label`.

    Raises:
        ParameterError: they can't.
    """
    check_texts(label=label)
    if not is_name(label):
        raise ParameterError(
            f"{where}: {label[:NAME_BYTES]!r} is no label: it names a folder, so it is neither"
            f" empty nor . or .., has no slash, and at most {NAME_BYTES} bytes of UTF-8"
        )


def find_inputs(given: Iterable[Input]) -> list[Input]:
    """The inputs that locations stand for, in their order. What was found stands for itself.

    Raises:
        ParameterError: a location can't be one, or one with a label stands for several.
        SourceError: a folder has no FASTA object or can't be listed, or nothing matches a glob.
    """
    found: list[Input] = []
    for each in given:
        locations = _stands_for(each.location)
        if locations is None:
            found.append(each)
            continue
        if each.label is not None:
            raise ParameterError(
                f"{shown(each.location)}: stands for several genomes, and has one label,"
                f" {each.label}; label each of them in a list"
            )
        found += map(Input, locations)
    return found


def _stands_for(location: str) -> list[str] | None:
    """The objects of a folder or a glob; None for a location that is an object's itself."""
    matches = find_matches(location)
    if matches is None:
        return _find_in(list_folder(location)) if is_folder(location) else None
    if not location.endswith("/"):
        return matches
    return [each for folder in matches for each in _find_in(list_folder(folder))]


def _find_in(listing: Listing) -> list[str]:
    """The FASTA objects of a folder.

    Raises:
        SourceError: there is none.
    """
    found = fasta_objects(listing)
    if found:
        return found
    # Imported for an error alone: a command starts without them.
    from fanfold.flow.collection import COLLECTION  # noqa: PLC0415
    from fanfold.flow.run_folder import PLAN  # noqa: PLC0415
    from fanfold.report.run_record import RUN  # noqa: PLC0415

    where = shown(listing.location)
    if RUN in listing.objects or PLAN in listing.objects:
        raise SourceError(
            f"{where}: the results of an earlier run, not a genome; give the genome itself"
        )
    if COLLECTION in listing.objects:
        raise SourceError(
            f"{where}: the results of many genomes, not genomes; give the genomes themselves"
        )
    raise SourceError(f"{where}: no FASTA object is directly in it ({SUFFIXES_IN_WORDS})")


def names_of(inputs: Sequence[Input]) -> list[str]:
    """What the results of each are called: names of folders, no two of them equal.

    They depend on what is given, and not on its order.

    Raises:
        ParameterError: an input is given twice, or names can't be told apart.
    """
    paths = [_path_of(each) for each in inputs]
    depths = [1] * len(inputs)
    names = [path[-1] for path in paths]
    crowded = _crowded(names)
    while crowded:
        for indexes in crowded.values():
            deepest = max(depths[index] for index in indexes)
            longer = [
                index
                for index in indexes
                if depths[index] == deepest and deepest < len(paths[index])
            ]
            for index in longer:
                depths[index] += 1
                names[index] = "_".join(paths[index][-depths[index] :])
            if not longer or any(_is_long(names[index]) for index in longer):
                same = [inputs[index].location for index in indexes]
                raise _same_names(paths[indexes[0]][-1], same)
        crowded = _crowded(names)
    return names


def _path_of(given: Input) -> list[str]:
    """The parts of a location that its name may be made of, the base name last.

    Raises:
        ParameterError: the location can't be one.
    """
    if given.label is not None:
        return [given.label]
    if given.location == STDIN:
        return [_STDIN_NAME]
    name = name_of(given.location)
    if not is_remote(given.location):
        return [*Path(absolute(given.location)).parts[1:-1], name]
    scheme, _, rest = given.location.partition("://")
    scheme = scheme.lower()
    if scheme in {"http", "https"}:
        rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    server, *folders = rest.split("/")[:-1]
    if scheme in {"http", "https"}:
        server = server.rpartition("@")[2]  # a password is in no name
    return [scheme, server, *folders, name]


def _is_long(name: str) -> bool:
    return len(name.encode(errors="surrogateescape")) > NAME_BYTES


def _crowded(names: Sequence[str]) -> dict[str, list[int]]:
    """The names that several inputs have, and which these are."""
    counts = Counter(names)
    found: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        if counts[name] > 1:
            found.setdefault(name, []).append(index)
    return found


def _same_names(name: str, locations: Sequence[str]) -> ParameterError:
    both = ", ".join(shown(each) for each in locations[:3]) + (", …" if len(locations) > 3 else "")
    return ParameterError(
        f"{len(locations)} inputs are called {name}, and their results would mix: {both};"
        " give each once, or label them in a list"
    )
