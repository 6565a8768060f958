"""Genomes for a page over many: small numbers, names of any kind."""

from __future__ import annotations

import random
from itertools import accumulate

from fanfold.report.measures import IndexRow, Measures

HOSTILE_NAMES = [
    "<script>alert(1)<-script>.fa",
    '"><img src=x onerror=alert(1)>.fa',
    "'; alert(1); '.fa",
    "-->]]><style>*{display:none}<svg onload=alert(1)>.fa",
    "javascript:alert(1)",
    "&lt;b&gt;&amp;.fa",
    "\u202egnp.fa\u2066",
    "line\nbreak\ttab\x1b[2J.fa",
    "\u2028\u2029.fa",
    "%2e%2e%2f?a=b#c.fa",
    "été 🧬.fa",
    "x" * 250,
    "{}{name}.fa",
]


def genome(name: str, length: int = 1000, n50: int = 500, gc: int = 500, n: int = 0) -> IndexRow:
    """A genome of two records, one of them as long as N50."""
    measures = Measures(
        length=length,
        sequences=2,
        N50=n50,
        L50=1,
        longest=n50,
        contig_N50=n50,
        gaps=1 if n else 0,
        notes=0,
        gc=gc,
        acgtu=length - n,
        n=n,
        lowercase=0,
        residues=length,
    )
    return IndexRow(name, measures, [n50] * 100)


def thousand_genomes() -> list[IndexRow]:
    draw = random.Random(7)
    rows = []
    for place in range(1000):
        lengths = sorted((draw.randrange(500, 10**6) for _ in range(60)), reverse=True)
        whole = sum(lengths)
        reached = list(accumulate(lengths))
        nx = [
            next(
                length
                for length, sum_ in zip(lengths, reached, strict=True)
                if sum_ * 100 >= whole * x
            )
            for x in range(1, 101)
        ]
        name = f"GCF_{place:09}.1_ASM{place}v1_some_long_name_genomic.fna.gz"
        row = genome(name, whole, nx[49], gc=whole // 2 - draw.randrange(10**5), n=place)
        rows.append(row._replace(nx=nx))
    return rows
