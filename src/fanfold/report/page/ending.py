"""The end of the page: the checks in words, definitions, parameters, versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from markupsafe import Markup

from fanfold.report.master import Master
from fanfold.report.page.words import counted

_TERMS = (
    ("record", "a header line that starts with >, and the sequence lines that follow it"),
    (
        "residue, base",
        (
            "a printable character of a sequence line, other than space and tab; the"
            " length of a record is the number of its residues"
        ),
    ),
    ("GC", "100·(G+C)/(A+C+G+T+U), in either case; N and other codes don't count"),
    (
        "gap",
        (
            "a maximal run of N or n in one record, of at least min_gap; positions are 0-based,"
            " half open"
        ),
    ),
    ("contig", "what is left of a record when it is split at its gaps; empty pieces don't count"),
    (
        "N50, L50",
        (
            "the longest records that together have half of the length: the length of the"
            " shortest of them, and how many they are. N(x), L(x): the same for x per cent"
        ),
    ),
    (
        "NG50, LG50",
        "the same for half of the genome size; there is none where the records never reach it",
    ),
    ("auN", "Σ length² / Σ length: the area under the Nx curve"),
    ("auNG", "the area under the NG(x) curve, which counts as 0 where it isn't reached"),
    ("soft-masked", "residues in lower case"),
    ("in view", "records of at least min_length"),
    ("k-mer", "k consecutive A, C, G, T of one record, in either case, across line ends"),
    ("canonical", "the lexicographically smaller of a k-mer and its reverse complement"),
    (
        "spectrum",
        (
            "for each number of occurrences, how many different k-mers have it; bars are one"
            " number of occurrences up to 64, an eighth of a doubling beyond"
        ),
    ),
    (
        "strand symmetry",
        (
            "Chargaff's second rule: on one strand of a long sequence, a k-mer and its"
            " reverse complement are about equally frequent"
        ),
    ),
    (
        "chaos-game picture",
        (
            "a square with a corner for each base; a k-mer's last base picks the"
            " quadrant, the one before it the quadrant in that, and so on (Jeffrey 1990)"
        ),
    ),
    ("CpG observed/expected", "CG·(A+C+G+T)/(C·G), on the given strand"),
    (
        "snail plot",
        (
            "once around is the summed length, longest records first, clockwise from the"
            " top; the dark area reaches inwards as far as the record is long, the longest to the"
            " centre;"
            " the line counts records on a log scale from the centre; the ring is the composition"
            " (after BlobToolKit, Challis and others 2020)"
        ),
    ),
    (
        "BUSCO",
        (
            "the share of single-copy genes of a lineage that are complete (single or"
            " duplicated), fragmented or missing"
        ),
    ),
)


def ending(master: Master) -> Markup:
    """What is folded at the bottom."""
    return Markup("\n").join(
        (
            _folded("Checks", Markup("<ul>{}</ul>").format(_items(_checks(master)))),
            _folded("Definitions", _defined(_TERMS)),
            _folded("Parameters", _defined(_parameters(master))),
            _folded("Versions", _defined(_versions(master))),
        )
    )


def _folded(title: str, content: Markup) -> Markup:
    return Markup('<details class="fold"><summary>{}</summary>{}</details>').format(title, content)


def _items(said: Iterable[str]) -> Markup:
    return Markup("").join(Markup("<li>{}</li>").format(each) for each in said)


def _defined(pairs: Iterable[tuple[str, str]]) -> Markup:
    return Markup("<dl>{}</dl>").format(
        Markup("").join(Markup("<dt>{}</dt><dd>{}</dd>").format(*each) for each in pairs)
    )


def _checks(master: Master) -> Iterator[str]:
    proof = master.proof
    for each in proof.kmers:
        yield (
            f"{each.k}-mers: {each.counted:,} were counted one by one, and the runs of bases hold"
            f" {each.in_runs:,} by their lengths."
        )
    yield f"Bases: {proof.bases[0]:,} by composition, and {proof.bases[1]:,} as 1-mers."
    yield (
        f"Residues: {proof.residues[0]:,} by composition, and {proof.residues[1]:,} as the sum of"
        " the records' lengths."
    )
    yield f"N: {proof.gap_residues[0]:,} by composition, and {proof.gap_residues[1]:,} in gaps."
    yield f"The slices tile the text: {counted(proof.text_bytes, 'byte')} were scanned, each once."
    yield (
        "The tables hold what was counted: the columns of sequences.tsv and the gaps of gaps.bed"
        " add up to the composition."
    )
    yield f"CRC-64/NVME of the file: {master.source.crc64nvme}."


def _parameters(master: Master) -> Iterator[tuple[str, str]]:
    asked, view = master.parameters, master.parameters.view
    yield "k", ", ".join(str(each) for each in asked.k) or "none"
    yield "canonical", "yes" if asked.canonical else "no"
    if asked.trailing_garbage != "refuse":
        yield "trailing_garbage", asked.trailing_garbage
    yield "min_gap", f"{view.min_gap:,}"
    yield "min_length", f"{view.min_length:,}"
    yield "genome_size", "not given" if view.genome_size is None else f"{view.genome_size:,}"


def _versions(master: Master) -> Iterator[tuple[str, str]]:
    yield "fanfold", master.fanfold.version
    yield "form of master.json", str(master.fanfold.schema)
