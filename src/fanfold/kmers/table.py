"""A table of k-mers: those of one length, and their counts."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from fanfold._kernel import KmerTop, kmer_codes, kmer_stream, kmer_text
from fanfold.errors import ParameterError
from fanfold.kmers.overlap import Overlap, overlap_of
from fanfold.kmers.rows import Block, Rows
from fanfold.params import check_whole
from fanfold.report.master import Kmers
from fanfold.shown import escaped, shortened, shown

MOST_TOP = 1_000_000
"""The most k-mers that `top` keeps in memory."""

_MAX_COUNT = 2**64 - 1


class KmerTable:
    """The k-mers of one length, and their counts, of a finished report.

    It is got by `Report.kmers` and by `open_kmers`. Rows are in order of codes, which is that of
    letters: a code has 2 bits a base, A=0 C=1 G=2 T=3, the first base in the highest bits. They are
    read when they are asked for, by ranges and in bounded memory, from a disk as from a store, and
    proven as far as they are read: a part that is gone or damaged is an `OutputError`.

    It is an Arrow stream, too, for every library that takes one: `pyarrow.table(table)`,
    `polars.DataFrame(table)`.

    Args:
        kmers: what the report says of it.
        rows: its rows.
        size_bytes: the size of its files.
        url: where the report is.

    Attributes:
        k: the length of the k-mers.
        canonical: whether a k-mer and its reverse complement count as one.
        distinct: different k-mers, which is the number of rows.
        total: the sum of their counts.
        size_bytes: the size of the table's files.
        url: where the report is: the path of a folder, or the URL of a prefix.
    """

    def __init__(self, kmers: Kmers, rows: Rows, size_bytes: int, url: str) -> None:
        self.k = kmers.k
        self.canonical = kmers.canonical
        self.distinct = kmers.distinct
        self.total = kmers.total
        self.size_bytes = size_bytes
        self.url = url
        self._kmers = kmers
        self._rows = rows

    def __repr__(self) -> str:
        canonical = "canonical " if self.canonical else ""
        return (
            f"<KmerTable of {canonical}{self.k}-mers: distinct={self.distinct} total={self.total}"
            f" in {shown(self.url)!r}>"
        )

    def get(self, kmers: Iterable[str]) -> list[int]:
        """The counts of some k-mers, in their order; 0 for those that the table doesn't have.

        Of a table of canonical k-mers, a k-mer has the count of itself and its reverse complement.
        Only what may hold one of them is read.

        Args:
            kmers: k letters A, C, G and T each, in either case.

        Raises:
            ParameterError: one is no such k-mer.
            OutputError: a part is gone or damaged.
        """
        codes = memoryview(self._codes_of(kmers)).cast("Q")
        places = sorted(range(len(codes)), key=codes.__getitem__)
        counts = self._rows.get(array("Q", map(codes.__getitem__, places)))
        found = [0] * len(codes)
        for place, count in zip(places, counts, strict=True):
            found[place] = count
        return found

    def hist(self) -> list[tuple[int, int]]:
        """The spectrum: (multiplicity, how many k-mers have it), ascending, without a cap."""
        return [*self._kmers.spectrum]

    def top(self, n: int) -> list[tuple[str, int]]:
        """The most frequent k-mers with their counts; of equals the first by letters.

        The table is read once. The first few are in the report itself.

        Args:
            n: how many, 1,000,000 at most.

        Raises:
            ParameterError: n can't be.
            OutputError: a part is gone or damaged.
        """
        number = check_whole("n", n) or 0
        if not 0 <= number <= MOST_TOP:
            raise ParameterError(f"n = {number}: give 0 to {MOST_TOP:,}")
        if number <= len(self._kmers.top):
            return self._kmers.top[:number]
        top = KmerTop(number)
        for codes, counts in self.blocks():
            top.push(codes, counts)
        codes, counts = (memoryview(column).cast("Q") for column in top.rows())
        lines = kmer_text(codes, counts, self.k).decode("ascii").splitlines()
        pairs = (line.split("\t") for line in lines)
        return [(kmer, int(count)) for kmer, count in pairs]

    def blocks(self) -> Iterator[Block]:
        """The rows in order, some at a time: their codes and their counts.

        Both are buffers of unsigned 64-bit integers, which NumPy takes without a copy:
        `numpy.asarray(codes)`.

        Raises:
            OutputError: a part is gone or damaged.
        """
        return self._rows.blocks()

    def text(
        self, *, fasta: bool = False, least: int = 1, most: int | None = None
    ) -> Iterator[bytes]:
        r"""The rows in order as text, in pieces: ``ACGT\t5\n``.

        Args:
            fasta: write records with the count as their name instead: ``>5\nACGT\n``, as
                `jellyfish dump` does.
            least: rows with smaller counts are left out.
            most: rows with larger counts are left out.

        Raises:
            ParameterError: an argument can't be.
            OutputError: a part is gone or damaged.
        """
        lowest = min(_count("least", least), _MAX_COUNT)
        highest = _MAX_COUNT if most is None else min(_count("most", most), _MAX_COUNT)
        blocks = self.blocks()
        return (kmer_text(*block, self.k, fasta, lowest, highest) for block in blocks)

    def overlap(self, other: KmerTable) -> Overlap:
        """What this table and another one share: both are read once, side by side.

        Raises:
            ParameterError: the tables are of another k or strand.
            OutputError: a part is gone or damaged.
        """
        if (self.k, self.canonical) != (other.k, other.canonical):
            raise ParameterError(
                f"{shown(self.url)} has {_kind(self)}, and {shown(other.url)} {_kind(other)}: give"
                " two tables of the same k and strand"
            )
        return overlap_of(self.blocks(), other.blocks(), self.k, canonical=self.canonical)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows as a stream of Arrow record batches; it may be taken again and again.

        The columns are ``kmer``, the code, and ``count``, both uint64. The schema's metadata has
        ``fanfold.k`` and ``fanfold.canonical``.

        Args:
            requested_schema: another schema that the caller would like; it isn't used.
        """
        del requested_schema
        return kmer_stream(self.blocks(), self.k, self.canonical)

    def _codes_of(self, kmers: Iterable[str]) -> bytes:
        if isinstance(kmers, str | bytes):  # which are iterable
            raise ParameterError(f"give a list of {self.k}-mers, not one")
        asked = [self._checked(each) for each in kmers]
        try:
            return kmer_codes("".join(asked).encode("ascii"), self.k, self.canonical)
        except ValueError as error:
            wrong = next(each for each in asked if {*each.upper()} - {*"ACGT"})
            raise self._no_kmer(wrong) from error

    def _checked(self, given: object) -> str:
        if isinstance(given, str) and len(given) == self.k and given.isascii():
            return given
        raise self._no_kmer(given)

    def _no_kmer(self, given: object) -> ParameterError:
        said = escaped(given) if isinstance(given, str) else repr(given)
        return ParameterError(
            f"{shortened(said)!r} is no {self.k}-mer: give {self.k} letters A, C, G and T"
        )


def _kind(table: KmerTable) -> str:
    if table.canonical:
        return f"canonical {table.k}-mers"
    return f"{table.k}-mers of the given strand"


def _count(name: str, value: int) -> int:
    count = check_whole(name, value) or 0
    if count < 0:
        raise ParameterError(f"{name} = {count}: a count is 0 or more")
    return count
