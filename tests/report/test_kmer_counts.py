from __future__ import annotations

from itertools import product

from fanfold.report.kmer_counts import counts_of_map
from report.reports import report_of


def test_counts_of_a_map_are_in_the_order_of_codes() -> None:
    text = b">a\nACGTTTGACCAACGTNACGGG\n"
    report = report_of(text, (1, 3))
    mapped = {
        "".join(kmer): count
        for k in (1, 3)
        for kmer, count in zip(product("ACGT", repeat=k), report.counts[k], strict=True)
        if count
    }

    assert counts_of_map(mapped, 3) == report.counts[3]
    assert counts_of_map(mapped, 1) == report.counts[1]
    assert list(counts_of_map(mapped, 2)) == [0] * 16
