"""Counts of k-mers as arrays, from the map that `master.json` has."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

_CODES = str.maketrans("ACGT", "0123")


def counts_of_map(kmer_counts: Mapping[str, int], k: int) -> array[int]:
    """The counts of the k-mers of one length, by code: 4^k of them, 0 where there is none.

    A code has 2 bits a base, A=0 C=1 G=2 T=3, the first base in the highest bits.
    """
    counts = array("Q", bytes(8 * 4**k))
    for kmer, count in kmer_counts.items():
        if len(kmer) == k:
            counts[int(kmer.translate(_CODES), 4)] = count
    return counts


def counts_of_table(data: bytes, k: int) -> array[int]:
    """The counts in a ``kmers.k<k>.tsv``, by code, as `counts_of_map` gives them.

    Raises:
        ValueError: it is no such table.
    """
    header, *cells = data.decode("ascii").split()
    if header != "kmer" or cells[:1] != ["count"] or len(cells) % 2 != 1:
        raise ValueError("no table of k-mers")
    kmers = cells[1::2]
    if any(len(kmer) != k or kmer.strip("ACGT") for kmer in kmers):
        raise ValueError(f"no table of {k}-mers")
    try:
        return counts_of_map(dict(zip(kmers, map(int, cells[2::2]), strict=True)), k)
    except OverflowError as error:
        raise ValueError("a count that can't be") from error
