"""The compiled part: everything that touches every base.

A buffer that is passed in must not be written to until the call returns: the kernel reads it
without holding the interpreter's lock.
"""

# The docstrings are those of kernel/src/lib.rs, which `help` shows; tests/test_python.py compares.

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from typing import Any, final

from typing_extensions import Buffer, CapsuleType

VERSION: str
"""The version of fanfold."""

def crc64nvme(data: Buffer, crc: int = 0) -> int:
    """The CRC-64/NVME of `data`, continued from `crc`, the CRC of what came before it."""

def cosine_distances(counts: Sequence[Buffer], k: int) -> bytes:
    """The distance of each pair of genomes: 1 minus the cosine of their canonical counts.

    The same counts give the same bits on every machine. Of counts that are equal, or proportional,
    it is just 0.

    Args:
        counts: of each genome 4^k counts by code, native unsigned 64-bit integers, of the given
            strand or of canonical k-mers.
        k: the length of the k-mers.

    Returns:
        n times n native doubles, row after row; not a number where a genome has no k-mer.

    Raises:
        ValueError: a genome hasn't 4^k counts.
    """

def clustered_order(distances: Buffer) -> list[int]:
    """An order that puts like beside like: of the leaves of a tree by average linkage (UPGMA).

    Args:
        distances: n times n doubles, row after row.

    Raises:
        ValueError: they are no square.
    """

def crc64nvme_combine(left: int, right: int, right_bytes: int) -> int:
    """The CRC-64/NVME of two runs of bytes in a row, from theirs and the second one's length."""

def write_kmer_part(
    path: str | PathLike[str], k: int, canonical: bool, codes: Buffer, counts: Buffer
) -> dict[str, int | None]:
    """Write k-mers and their counts as a part of a table: a Parquet file, which is replaced.

    The bytes are the same for the same rows, k and strand, on every machine.

    Args:
        path: the file.
        k: the length of the k-mers, 9 to 32.
        canonical: whether the k-mers are canonical.
        codes: native unsigned 64-bit integers that ascend, each below 4^k.
        counts: as many, each from 1.

    Returns:
        ``rows``, ``total`` (the sum of the counts), ``first_code`` and ``last_code`` (None without
        rows) and ``size_bytes``.

    Raises:
        ValueError: k, the codes or the counts are not as above.
        OSError: the file can't be written.
    """

def read_kmer_part(path: str | PathLike[str]) -> dict[str, Any]:
    """Read a part of a table of k-mers, and prove it.

    Returns:
        ``k``, ``canonical``, ``rows``, ``first_code`` and ``last_code`` (None without rows), and
        ``codes`` and ``counts`` as native unsigned 64-bit integers.

    Raises:
        ValueError: the file is not a part that fanfold wrote, or is damaged.
        OSError: the file can't be read.
    """

@final
class KmerPart:
    """A part of a table of k-mers that is open for reading: a Parquet file that fanfold wrote.

    Its footer is proven when it is opened, and every page when it is read.

    Args:
        read: is given the first byte of a range and the one behind the last, and returns these
            bytes of the file. What it raises is passed on.
        size_bytes: the size of the file.

    Attributes:
        k: the length of the k-mers.
        canonical: whether they are canonical.
        rows: how many there are.
        groups: how many row groups there are.
        first_code: the smallest code; None without rows.
        last_code: the largest code; None without rows.

    Raises:
        ValueError: the file is not a part that fanfold wrote, or is damaged.
    """

    def __new__(cls, read: Callable[[int, int], bytes], size_bytes: int) -> KmerPart: ...
    @property
    def k(self) -> int: ...
    @property
    def canonical(self) -> bool: ...
    @property
    def rows(self) -> int: ...
    @property
    def groups(self) -> int: ...
    @property
    def first_code(self) -> int | None: ...
    @property
    def last_code(self) -> int | None: ...
    def read_group(self, index: int) -> tuple[bytes, bytes]:
        """Read the rows of a row group, 1,048,576 or fewer.

        Args:
            index: which, from 0.

        Returns:
            Their codes and their counts, as native unsigned 64-bit integers.

        Raises:
            ValueError: a page is damaged.
            IndexError: there is no such group.
        """

    def get(self, codes: Buffer) -> bytes:
        """The counts of some k-mers, 0 for those that the part doesn't have.

        Only the pages that may hold one of them are read.

        Args:
            codes: native unsigned 64-bit integers, sorted.

        Returns:
            As many native unsigned 64-bit integers.

        Raises:
            ValueError: the codes are not sorted, or a page is damaged.
        """

def kmer_codes(text: bytes, k: int, canonical: bool) -> bytes:
    """The codes of k-mers that stand side by side in a text, in either case.

    Args:
        text: the letters of all of them, without anything between.
        k: the length of the k-mers, 1 to 32.
        canonical: whether a k-mer stands for the smaller of itself and its reverse complement.

    Returns:
        Native unsigned 64-bit integers.

    Raises:
        ValueError: a k-mer has another letter than A, C, G and T, or is cut off.
    """

def kmer_text(
    codes: Buffer,
    counts: Buffer,
    k: int,
    is_fasta: bool = False,
    least: int = 0,
    most: int | None = None,
) -> bytes:
    """Rows of a table as text: a line each of letters, a tab, and the count.

    Args:
        codes: the codes, native unsigned 64-bit integers.
        counts: as many counts.
        k: the length of the k-mers, 1 to 32.
        is_fasta: whether to write a record each instead: the count in the header, and the letters.
        least: rows with smaller counts are left out.
        most: rows with larger counts are left out, unless it is None.

    Raises:
        ValueError: k can't be, or there are not as many counts as codes.
    """

@final
class KmerTop:
    """The most frequent k-mers of a table, whose rows it is given.

    Args:
        most: how many to keep.
    """

    def __new__(cls, most: int) -> KmerTop: ...
    def push(self, codes: Buffer, counts: Buffer) -> None:
        """Take some rows.

        Args:
            codes: their codes, native unsigned 64-bit integers.
            counts: as many counts.

        Raises:
            ValueError: there are not as many counts as codes.
        """

    def rows(self) -> tuple[bytes, bytes]:
        """The codes and the counts of the most frequent rows, of equals the first by code."""

@final
class KmerMerge:
    """A merge of two tables of k-mers, whose rows it is given in order of codes.

    Attributes:
        shared: k-mers that both have.
        distinct: k-mers of each.
        squares: the sum of the squares of the counts of each.
        products: the sum of the products of both counts of each shared k-mer.
    """

    def __new__(cls) -> KmerMerge: ...
    @property
    def shared(self) -> int: ...
    @property
    def distinct(self) -> tuple[int, int]: ...
    @property
    def squares(self) -> tuple[int, int]: ...
    @property
    def products(self) -> int: ...
    def push(
        self, left_codes: Buffer, left_counts: Buffer, right_codes: Buffer, right_counts: Buffer
    ) -> tuple[int, int]:
        """Take the rows of both blocks up to the smaller of their last codes.

        A table has ended when its block has no rows: all rows of the other block are taken.

        Args:
            left_codes: codes of the one table, native unsigned 64-bit integers.
            left_counts: as many counts.
            right_codes: codes of the other table.
            right_counts: as many counts.

        Returns:
            How many rows of each were taken; the next blocks begin behind them.

        Raises:
            ValueError: the codes of a block don't ascend, there are not as many counts, or the
                counts of a table add up to 2^64 or more.
        """

def kmer_stream(blocks: Iterable[tuple[Buffer, Buffer]], k: int, canonical: bool) -> CapsuleType:
    """A table as a capsule with a stream of Arrow record batches, one a block.

    Args:
        blocks: gives the codes and the counts of some rows at a time, as native unsigned 64-bit
            integers. What it raises ends the stream with the same message.
        k: the length of the k-mers, for the schema's metadata.
        canonical: whether they are canonical, likewise.
    """

def table_stream(
    blocks: Iterable[bytes], columns: Sequence[tuple[str, str]], has_header: bool
) -> CapsuleType:
    """A tab-separated table as a capsule with a stream of Arrow record batches, one a block.

    Args:
        blocks: gives the bytes of the table, some at a time. What it raises ends the stream with
            the same message.
        columns: the name of each column, and what it holds: ``text``, ``number`` (unsigned), or
            ``share``, which may be absent.
        has_header: whether the first line has the names of the columns.

    Raises:
        ValueError: there is no such kind of column.
    """

@final
class PackedText:
    """Text that was packed for k-mers from 9 on: the bases of some stretches, in memory.

    Attributes:
        size_bytes: the memory that it takes.
    """

    @staticmethod
    def from_bytes(data: Buffer) -> PackedText:
        """The text that `to_bytes` made these bytes of.

        Raises:
            ValueError: they can't be any text's.
        """

    def to_bytes(self) -> bytes:
        """The bytes of the text, the same for the same text."""

    @property
    def size_bytes(self) -> int: ...

@final
class KmerCount:
    """A count of all k-mers of one length, from 9 to 32.

    Args:
        texts: all text that has k-mers: that of every slice, and that of the findings.
        k: the length of the k-mers; the text was packed for it.
        canonical: whether a k-mer and its reverse complement are counted as one.
        threads: how many to use.
        memory_bytes: the most memory for k-mers, beside the text.
        partition: which of how many ranges of whole parts of the table: (index, count).
    """

    def __new__(
        cls,
        texts: Sequence[PackedText],
        k: int,
        canonical: bool,
        threads: int,
        memory_bytes: int,
        partition: tuple[int, int],
    ) -> KmerCount: ...
    def run(self, folder: str | PathLike[str]) -> dict[str, Any]:
        """Count, and write the partition's parts into a folder: `part-00000.parquet` and so on.

        Returns:
            ``parts``, a list of (name, rows, size_bytes, crc64nvme); ``total``; ``distinct``;
            ``spectrum``, a list of (multiplicity, k-mers that have it), ascending; ``top`` and
            ``bottom``, the 10 most and least frequent as (k-mer, count), ties by k-mer.

        Raises:
            OSError: a part can't be written.
            MemoryError: there is none for the k-mers.
            InterruptedError: `stop` was called.
            RuntimeError: the count contradicts itself.
        """

    def stop(self) -> None:
        """End a count that runs on another thread, soon."""

@final
class Scanner:
    """The scan of one slice, fed in blocks of any size.

    Counts k-mers of length `k` (1 to 8), from which those of every smaller k follow.

    Args:
        k: that length.
        large_k: the least and the largest k, 9 to 32, that text is packed for; None packs none.
    """

    def __new__(cls, k: int, large_k: tuple[int, int] | None = None) -> Scanner: ...
    def update(self, data: Buffer) -> None:
        """Scan the bytes that follow. Never fails on their contents.

        Raises:
            MemoryError: there is none for the rows of records and gaps.
        """

    @property
    def rows_memory_bytes(self) -> int:
        """The most memory that the rows so far take until their fold is done."""

    def finish(self) -> Summary:
        """The summary of all bytes; ends the scan.

        Raises:
            MemoryError: there was none for the rows of records and gaps.
        """

    @property
    def packed(self) -> PackedText:
        """The text that was packed, once the scan is finished.

        Raises:
            RuntimeError: it is not.
        """

@final
class Inflater:
    """Inflates one gzip member, which comes in pieces, and can stop between its deflate blocks.

    Attributes:
        eof: whether the member's last byte was taken.
        needs_input: whether there is no more text without more input.
        unused_data: bytes that were given and not taken; those beyond the member, at its end.
        taken_bytes: how many bytes were taken.
        next_block_bit: where the next block starts, in bits from the first byte that was given,
            if the last call stopped between two blocks; else None.
    """

    def __new__(cls) -> Inflater:
        """A member from its header on, whose checksum and length are verified."""

    @staticmethod
    def inside(window: Buffer, skipped_bits: int) -> Inflater:
        """The rest of a member, from the start of a block on. Its trailer is passed over.

        Args:
            window: the member's text before that block, 32 KiB at most.
            skipped_bits: the bits of the first byte that belong to the block before, 0 to 7.

        Raises:
            ValueError: there are more.
        """

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def taken_bytes(self) -> int: ...
    @property
    def next_block_bit(self) -> int | None: ...
    def window(self) -> bytes:
        """The text before the block that the last call stopped at: 32 KiB, or all that there is."""

    def decompress(
        self, data: Buffer, max_length: int, stops_between_blocks: bool = False
    ) -> bytes:
        """The text that follows, at most `max_length` bytes of it.

        Args:
            data: the bytes that follow what was given before, any number of them.
            max_length: the most text; what is left comes out of the next calls.
            stops_between_blocks: whether to stop where another block of the member begins.

        Raises:
            ValueError: the member is damaged.
            MemoryError: there is not enough memory.
        """

@final
class Summary:
    """The summary of a slice of an object: a value that never changes.

    Summaries are a monoid under `merge`, with ``Summary(k)`` as the empty element: however an
    object is cut into consecutive slices, and in whatever tree neighbours are merged, the summary
    of the whole is the same. Faults of the text are part of the value, found by `findings`.

    Attributes:
        k: the length of the k-mers that are counted; those of smaller lengths follow.
        size_bytes: bytes that were scanned.
        total_bases: A, C, G and T among them, in either case, but for those up to the first line
            end, as long as only what stands before can tell whether they are sequence.
        gc_count: G and C among `total_bases`.
        uracil_count: U of the same lines.
    """

    def __new__(cls, k: int, large_k: tuple[int, int] | None = None) -> Summary: ...
    @property
    def k(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def total_bases(self) -> int: ...
    @property
    def gc_count(self) -> int: ...
    @property
    def uracil_count(self) -> int: ...
    def merge(self, right: Summary) -> Summary:
        """The summary of this one's bytes followed by `right`'s.

        Raises:
            ValueError: the two count different k-mers, or have more than 2^56 bytes together.
        """

    def findings(self) -> Findings | Fault:
        """What the bytes hold when they are a whole object, or its leftmost fault.

        Raises:
            MemoryError: there is none for the names of all records.
        """

    def state_json(self) -> bytes:
        """All that a merge needs, but for the counts of k-mers and the rows, as JSON."""

    def kmer_counts_json(self, ks: Sequence[int]) -> bytes:
        """The observed k-mers of the lengths `ks` and of `k`, as a JSON map in order of codes."""

    def rows(self) -> bytes:
        """The rows of closed records and gaps, about 25 bytes and the name a record.

        Raises:
            MemoryError: there is none for them.
        """

    @staticmethod
    def from_forms(state: Buffer, kmer_counts: Buffer, rows: Buffer) -> Summary:
        """The summary that was kept as `state_json`, `kmer_counts_json` and `rows`.

        What is read merges and reports without a fault, whoever wrote it: no number is more than
        `size_bytes` allows.

        Raises:
            ValueError: they are not what those wrote, or their numbers don't fit each other.
            MemoryError: there is none for the rows.
        """

@final
class Fault:
    """What is wrong with a text.

    Attributes:
        kind: ``utf-16``, ``header-too-long``, ``comment-too-long``, ``bare-cr``,
            ``nul-in-header``, ``invalid-byte``, ``fastq``, ``sequence-before-header``, ``empty``
            or ``no-record``.
        offset_byte: where, in the text.
        byte: the byte that was found there.
    """

    @property
    def kind(self) -> str: ...
    @property
    def offset_byte(self) -> int: ...
    @property
    def byte(self) -> int: ...

@final
class Findings:
    """What a whole object holds.

    Attributes:
        composition: residues by kind, both cases together: A, C, G, T, N, U, iupac,
            gap_characters, asterisk, other; and lowercase across the kinds.
        length: the records' lengths, summed, in residues.
        gap_length: the lengths of the maximal runs of N, summed.
        record_count: how many records there are.
        comment_lines: lines that start with ``;``.
        empty_records: records of length 0.
        repeated_names: records whose name an earlier one bears.
        fai_refusal: why ``samtools faidx`` refuses the text, or None.
        fai_rows: rows of its index.
        fai_lineless: records it leaves out because they have no sequence line.
        fai_repeated: records it leaves out because an earlier row bears their name.
    """

    @property
    def composition(self) -> dict[str, int]: ...
    @property
    def length(self) -> int: ...
    @property
    def gap_length(self) -> int: ...
    @property
    def record_count(self) -> int: ...
    @property
    def comment_lines(self) -> int: ...
    @property
    def empty_records(self) -> int: ...
    @property
    def repeated_names(self) -> int: ...
    @property
    def fai_refusal(self) -> str | None: ...
    @property
    def fai_rows(self) -> int: ...
    @property
    def fai_lineless(self) -> int: ...
    @property
    def fai_repeated(self) -> int: ...
    def kmer_counts(self, k: int, canonical: bool) -> bytes:
        """4^k counts by code, as native unsigned 64-bit integers.

        The code has 2 bits a base, A=0 C=1 G=2 T=3, the first base in the highest bits. Of
        canonical k-mers (the smaller of a k-mer and its reverse complement) only their own slots
        are filled.
        """

    def kmer_counts_json(self, ks: Sequence[int], canonical: bool) -> bytes:
        """The observed k-mers of the lengths `ks`, as one flat JSON map, each in order of codes."""

    @property
    def packed(self) -> PackedText:
        """The packed text that no slice has: of what joins slices."""

    def kmers_in_runs(self, k: int) -> int:
        """The sum of max(0, length - k + 1) over the runs of bases, counted apart from k-mers."""

    def write_kmers(self, k: int, canonical: bool, write: Callable[[bytes], object]) -> None:
        """Write ``kmers.k<k>.tsv`` page by page: the observed k-mers, in order of codes.

        Raises:
            ValueError: k-mers of this length were not counted.
        """

    def write_sequences(self, write: Callable[[bytes], object]) -> None:
        """Write ``sequences.tsv`` page by page."""

    def write_gaps(self, write: Callable[[bytes], object]) -> None:
        """Write ``gaps.bed`` page by page."""

    def write_fai(self, write: Callable[[bytes], object]) -> None:
        """Write the index that ``samtools faidx`` would."""

@final
class Survey:
    """One pass over the tables of a report: everything that lengths and gaps decide, under a view.

    All of ``sequences.tsv`` comes first, then all of ``gaps.bed``. The tables are checked as they
    come, whoever wrote them. A record's gaps are those that follow the last record's until they
    make up its N, so names may repeat or be empty; each gap must bear its record's name. A survey
    that refused its tables has ended.

    It keeps 40 bytes of a record and, for each of the thresholds 1, 10 and `min_gap`, 8 bytes of a
    contig.

    Args:
        min_gap: a run of N of at least this length is a gap, from 1.
        min_length: records shorter than this are left out of lengths and gaps.
        genome_size: what NG(x) and auNG refer to, from 1, or None.

    Raises:
        ValueError: `min_gap` or `genome_size` is 0, or one of them is 2^63 or more.
    """

    def __new__(cls, min_gap: int, min_length: int, genome_size: int | None) -> Survey: ...
    def add_sequences(self, data: Buffer) -> None:
        """Take the next bytes of ``sequences.tsv``, cut anywhere.

        Raises:
            ValueError: they are not what fanfold writes: a line is not the header, a column is
                missing, too many or no number, the numbers of a row contradict each other, the
                lengths add up to 2^63 or more, or a row is longer than a name of 1 MiB allows. The
                message tells the line. Also after `add_gaps`.
            MemoryError: there is none for the records.
            RuntimeError: the survey has ended.
        """

    def add_gaps(self, data: Buffer) -> None:
        """Take the next bytes of ``gaps.bed``, cut anywhere, after all of ``sequences.tsv``.

        Raises:
            ValueError: they are not what fanfold writes, or ``sequences.tsv`` has no header or no
                last line end: a gap is empty, is not behind the one before it, ends behind its
                record, bears another name, or is more than the record has N. The message tells the
                line.
            MemoryError: there is none for the contigs.
            RuntimeError: the survey has ended.
        """

    def finish(self) -> bytes:
        """The JSON of `fanfold.report.survey.Survey`; ends the survey.

        Raises:
            ValueError: a table has no last line end, ``sequences.tsv`` has no header, or gaps of a
                record are missing.
            MemoryError: there is none for the contigs.
            RuntimeError: the survey has ended.
        """
