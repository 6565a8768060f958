"""A day's work with genomes: the commands that `compared.py` measures, and the mistakes it makes.

A command is as a user types it in the folder of the inputs, where `out` is new for each run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DRAFT, CHROMOSOME, LARGE = "P_knowlesi.fa", "hs37_chr20.fa", "genome.fa"
FOUR_HUNDRED = "many/*.fa"
SIX = "six/*.fa"

Fact = Literal["length", "N50", "auN", "records", "gaps", "5-mers", "8-mers"]


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        command: its words, and globs.
        facts: what of the naive answer must be in what it prints or writes, exactly.
        written: a file that it writes its answer to, in place of stdout.
        remark: what the table says beside the answer.
        runs: how often it is run, if it is too slow for all.
    """

    command: str
    facts: tuple[Fact, ...] = ()
    written: str | None = None
    remark: str = ""
    runs: int | None = None


@dataclass(frozen=True)
class Case:
    """Commands that answer the same question, in turns.

    Attributes:
        name: what `--only` takes.
        asked: what the table calls it.
        source: the input.
    """

    name: str
    asked: str
    source: str
    jobs: tuple[Job, ...]


FIGURES: tuple[Fact, ...] = ("length", "N50")

CASES = (
    Case(
        "draft",
        "statistics of a draft (*P. knowlesi*, 26 Mb, 1,840 records)",
        DRAFT,
        (
            Job(f"fanfold stats {DRAFT}", (*FIGURES, "auN", "gaps")),
            Job(f"seqkit stats -a {DRAFT}", FIGURES, remark="no auN, L50, gaps of N"),
            Job(f"assembly-stats {DRAFT}", (*FIGURES, "gaps"), remark="no GC, auN"),
            Job(
                f"quast.py --fast -m 0 -t 2 -o out {DRAFT}",
                FIGURES,
                "out/report.tsv",
                "no gaps",
            ),
        ),
    ),
    Case(
        "draft-gzip",
        "the same as gzip",
        f"{DRAFT}.gz",
        (
            Job(f"fanfold stats {DRAFT}.gz", (*FIGURES, "auN", "gaps")),
            Job(f"seqkit stats -a {DRAFT}.gz", FIGURES),
            Job(f"assembly-stats {DRAFT}.gz", FIGURES),
            Job(f"quast.py --fast -m 0 -t 2 -o out {DRAFT}.gz", FIGURES, "out/report.tsv"),
        ),
    ),
    Case(
        "large",
        "statistics of a large genome (generated, 1 Gb)",
        LARGE,
        (
            Job(f"fanfold stats {LARGE}", FIGURES),
            Job(f"seqkit stats -a {LARGE}", FIGURES),
            Job(f"assembly-stats {LARGE}", FIGURES),
        ),
    ),
    Case(
        "many",
        "statistics of 400 files (64 kb each)",
        FOUR_HUNDRED,
        (
            Job(f"fanfold stats --tsv {FOUR_HUNDRED}"),
            Job(f"seqkit stats -a -T -j 2 {FOUR_HUNDRED}"),
            Job(f"assembly-stats -t {FOUR_HUNDRED}"),
        ),
    ),
    Case(
        "composition",
        "bases of each record of the draft",
        DRAFT,
        (
            Job(f"fanfold run {DRAFT} -k 0 -q --out out", remark="and the whole report"),
            Job(f"seqtk comp {DRAFT}"),
            Job(f"seqkit fx2tab -n -l -C A -C C -C G -C T -C N {DRAFT}"),
        ),
    ),
    Case(
        "gaps",
        "gaps of human chromosome 20 as BED",
        CHROMOSOME,
        (
            Job(f"fanfold run {CHROMOSOME} -k 0 -q --out out", remark="and the whole report"),
            Job(f"seqtk cutN -g -n 1 {CHROMOSOME}"),
        ),
    ),
    Case(
        "fai",
        "`.fai` of chromosome 20",
        CHROMOSOME,
        (
            Job(f"fanfold run {CHROMOSOME} -k 0 -q --out out", remark="and the whole report"),
            Job(f"samtools faidx --fai-idx out {CHROMOSOME}"),
            Job(f"seqkit faidx -f {CHROMOSOME}"),
        ),
    ),
    Case(
        "k5",
        "5-mers of chromosome 20",
        CHROMOSOME,
        (
            Job(f"fanfold run {CHROMOSOME} -k 5 -q --out out", ("5-mers",), "out/master.json"),
            Job(f"kmc -k5 -fm -b -ci1 -cs4294967295 -t2 {CHROMOSOME} out/db out", ("5-mers",)),
            Job(f"jellyfish count -m 5 -s 1M -t 2 -o out/db {CHROMOSOME}", remark="not read back"),
        ),
    ),
    Case(
        "k8",
        "8-mers of chromosome 20",
        CHROMOSOME,
        (
            Job(f"fanfold run {CHROMOSOME} -k 8 -q --out out", ("8-mers",), "out/master.json"),
            Job(f"kmc -k8 -fm -b -ci1 -cs4294967295 -t2 {CHROMOSOME} out/db out", ("8-mers",)),
            Job(f"jellyfish count -m 8 -s 1M -t 2 -o out/db {CHROMOSOME}", remark="not read back"),
        ),
    ),
    Case(
        "distances",
        "distances of six genomes (3 to 26 Mb)",
        SIX,
        (
            Job(f"fanfold compare --tsv {SIX}", remark="cosine of 5-mers"),
            Job(f"mash triangle -p 2 {SIX}", remark="Mash distance, k=21: finer"),
        ),
    ),
    Case(
        "page",
        "an HTML report of the draft",
        DRAFT,
        (
            Job(f"fanfold run {DRAFT} -q --out out", FIGURES, "out/master.json"),
            Job(f"quast.py -m 0 -t 2 -o out {DRAFT}", FIGURES, "out/report.tsv", runs=3),
        ),
    ),
)

READERS = {
    "fanfold": "fanfold stats --tsv {}",
    "seqkit": "seqkit stats -a -T {}",
    "seqtk": "seqtk comp {}",
    "assembly-stats": "assembly-stats -t {}",
    "QUAST": "quast.py --fast -m 0 -o out {}",
    "samtools": "samtools faidx --fai-idx /dev/stdout {}",
}
"""By tool, the command that is given each mistake."""

MISTAKES = {
    "cut.fa.gz": "gzip, cut off at two thirds",
    "flipped.fa.gz": "gzip with one changed bit",
    "reads.fq": "FASTQ",
    "protein.fa": "protein",
    "page.html": "an HTML page, as a failed download leaves it",
    "utf16.fa": "UTF-16",
    "empty.fa": "an empty file",
    "twice.fa": "two records of one name",
    "-": "the draft from standard input",
}
"""By input, what the table calls it."""
