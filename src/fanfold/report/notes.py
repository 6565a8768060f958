"""What is unusual in an input, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from fanfold.decoding import JsonDecoder
from fanfold.report.ratio import percent

_SHORT_BASES = 200
"""GenBank and others don't take shorter contigs of an assembly."""

_MANY = 1000
"""A note is written if at least one residue in this many is no nucleotide."""


PROTEIN = "protein"
"""The kind of the note that the input is not of nucleotides."""
RNA = "rna"
"""The kind of the note that the input is RNA."""

ARCHIVE = "archive"
"""The kind of the note that the input is an archive: worth knowing, but not unusual."""


class Note(msgspec.Struct, frozen=True):
    """Something unusual.

    Attributes:
        kind: what, for a program: ``archive``, ``trailing-garbage``, ``protein``, ``rna``,
            ``comments``, ``repeated-names``, ``empty-names``, ``empty-records``,
            ``not-nucleotides``, ``uracil``, ``lowercase`` or ``short-records``.
        count: how many lines, records or residues it is of; bytes of text for an archive, and
            bytes that were ignored for trailing garbage.
        text: the same in words.
    """

    kind: str
    count: int
    text: str


class Unusual(msgspec.Struct, frozen=True):
    """The counts that notes are of.

    Attributes:
        compression: the format of the input; ``none`` for plain text.
        text_bytes: the bytes of its text.
        garbage_bytes: the bytes after the archive's end that were ignored.
        records: how many records there are.
        length: their residues.
        comment_lines: lines that start with ``;``.
        repeated_names: records with a name that an earlier one has.
        unnamed: records with an empty name.
        empty: records of length 0.
        gap_characters: ``-`` and ``.`` among the residues.
        asterisks: ``*`` among them.
        other: those that are neither these, nor bases, nor IUPAC codes.
        acgtun: A, C, G, T, U and N among them.
        thymine: T among them.
        uracil: U among them.
        lowercase: residues in lower case.
        below_200: records of fewer than 200 residues.
    """

    compression: str
    text_bytes: int
    garbage_bytes: int
    records: int
    length: int
    comment_lines: int
    repeated_names: int
    unnamed: int
    empty: int
    gap_characters: int
    asterisks: int
    other: int
    acgtun: int
    thymine: int
    uracil: int
    lowercase: int
    below_200: int

    @property
    def letters(self) -> int:
        """Residues but for gap characters and ``*``, which sequences of any kind may have."""
        return self.length - self.gap_characters - self.asterisks

    @property
    def not_nucleotides(self) -> int:
        """Residues that no nucleotide code stands for."""
        return self.gap_characters + self.asterisks + self.other

    @property
    def is_rna(self) -> bool:
        """Whether there is more U than T."""
        return self.uracil > self.thymine


def notes_of(found: Unusual) -> list[Note]:
    """The notes of an input, in a fixed order."""
    return list(_notes(found))


def not_of_dna(notes: Iterable[Note]) -> list[Note]:
    """The notes that say that an input is of something else than DNA."""
    return [each for each in notes if each.kind in {PROTEIN, RNA}]


class _Noted(msgspec.Struct):
    notes: list[Note]


_DECODER = JsonDecoder(_Noted)


def decode_notes(data: bytes) -> list[Note]:
    """The notes in a `master.json`.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _DECODER.decode(data).notes


def _notes(found: Unusual) -> Iterator[Note]:
    def of_length(count: int) -> str:
        return f"{percent(count, found.length):.3f} % of the length"

    if found.compression != "none":
        yield Note(
            ARCHIVE,
            found.text_bytes,
            f"a {found.compression} archive of {found.text_bytes:,} bytes of text",
        )
    if found.garbage_bytes:
        ignored = _counted(found.garbage_bytes, "byte")
        yield Note(
            "trailing-garbage", found.garbage_bytes, f"{ignored} after the archive's end, ignored"
        )
    if 2 * found.acgtun < found.letters:
        yield Note(
            PROTEIN,
            found.letters - found.acgtun,
            f"{found.letters - found.acgtun:,} of {_counted(found.letters, 'residue')} are not A,"
            " C, G, T, U or N: this looks like protein, not DNA",
        )
    if found.is_rna:
        yield Note(
            RNA,
            found.uracil,
            f"more U ({found.uracil:,}) than T ({found.thymine:,}): this looks like RNA; k-mers"
            " are of A, C, G and T alone, and there is no CpG o/e",
        )
    if found.comment_lines:
        lines = _counted(found.comment_lines, "comment line")
        yield Note("comments", found.comment_lines, f"{lines} (they start with ;)")
    if found.repeated_names:
        names = _counted(found.repeated_names, "record")
        yield Note("repeated-names", found.repeated_names, f"{names} with a name used before")
    if found.unnamed:
        yield Note(
            "empty-names", found.unnamed, f"{_counted(found.unnamed, 'record')} without a name"
        )
    if found.empty:
        yield Note("empty-records", found.empty, f"{_counted(found.empty, 'record')} of length 0")
    if found.not_nucleotides * _MANY >= max(found.length, 1):
        yield Note(
            "not-nucleotides",
            found.not_nucleotides,
            f"{_counted(found.not_nucleotides, 'residue')} ({of_length(found.not_nucleotides)})"
            " that no nucleotide code stands for: proteins, or an alignment?",
        )
    if found.uracil and not found.is_rna:
        yield Note("uracil", found.uracil, f"{found.uracil:,} U: RNA?")
    if found.lowercase:
        yield Note(
            "lowercase",
            found.lowercase,
            f"{_counted(found.lowercase, 'residue')} ({of_length(found.lowercase)}) in lower case:"
            " soft-masked?",
        )
    if found.below_200:
        yield Note(
            "short-records",
            found.below_200,
            f"{found.below_200:,} of {_counted(found.records, 'record')} below"
            f" {_SHORT_BASES} residues",
        )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
