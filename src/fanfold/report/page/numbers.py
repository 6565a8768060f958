"""The numbers at the head of the page, and the same as text."""

from __future__ import annotations

import msgspec
from markupsafe import Markup

from fanfold.report.master import Contiguity, Kmers, Master
from fanfold.report.page.words import (
    NOTHING,
    counted,
    number,
    share,
    short_bases,
    short_count,
)
from fanfold.report.run_record import KMER_TABLES


class _Number(msgspec.Struct, frozen=True):
    """A number: what it is of, as it is shown large, and exactly."""

    term: str
    shown: str
    exact: str


def numbers(master: Master) -> Markup:
    """Six numbers, and a few more."""
    first, more = _six(master), _more(master)
    return Markup(
        '<section id="section-numbers" aria-label="Numbers"><dl class="numbers">{}</dl>'
        '<dl class="numbers more">{}</dl>'
        '<button type="button" id="copy" hidden>Copy as text</button></section>'
    ).format(_listed(first), _listed(more))


def as_text(master: Master) -> str:
    """The numbers as lines of text, each after a tab."""
    lines = [("file", master.source.name), *((term, exact) for term, _, exact in as_rows(master))]
    return "".join(f"{term}\t{exact}\n" for term, exact in lines)


def as_rows(master: Master) -> list[tuple[str, str, str]]:
    """The numbers: what each is of, how it is shown large, and exactly."""
    return [(each.term, each.shown, each.exact) for each in (*_six(master), *_more(master))]


def _listed(found: list[_Number]) -> Markup:
    return Markup("").join(
        Markup("<div><dt>{}</dt><dd>{} <small>{}</small></dd></div>").format(
            each.term, each.shown, each.exact
        )
        if each.shown != each.exact
        else Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(each.term, each.shown)
        for each in found
    )


def _six(master: Master) -> list[_Number]:
    sequences, everything, gaps = master.sequences, master.sequences.all, master.gaps
    in_view = master.parameters.view.min_length > 0
    everywhere = " in all records" if in_view else ""
    length, count = counted(sequences.length, "base"), number(sequences.count)
    if in_view:
        least = counted(master.parameters.view.min_length, "base")
        length += f" in records of {least} or more, of {everything.length:,} in all"
        count += f" of {least} or more, of {everything.count:,} in all"
    acgtu = master.total_bases + master.composition.U
    letters = "A, C, G, T, U" if master.composition.U else "A, C, G, T"
    return [
        _Number("Total length", short_bases(sequences.length), length),
        _Number("Sequences", number(sequences.count), count),
        _n50("N50 (L50)", sequences),
        _longest(sequences),
        _Number(
            "GC",
            share(master.gc_count, acgtu),
            f"{master.gc_count:,} of {counted(acgtu, 'base')} {letters}{everywhere}",
        ),
        _Number(
            "N, gaps",
            f"{share(master.composition.N, everything.length)}, {counted(gaps.count, 'gap')}",
            f"{master.composition.N:,} N{everywhere}; {counted(gaps.count, 'gap')}"
            f"{_gap_view(master)} of {counted(gaps.length, 'base')}",
        ),
    ]


def _gap_view(master: Master) -> str:
    view = master.parameters.view
    if view.min_gap == 1 and view.min_length == 0:
        return ""
    least = "" if view.min_gap == 1 else f" of at least {view.min_gap:,} N each"
    return f"{least} in view (of {counted(master.gaps.all.count, 'run')} of N),"


def _more(master: Master) -> list[_Number]:
    sequences, contigs = master.sequences, master.sequences.contigs
    lowercase = master.composition.lowercase
    found = [
        _n50("Contig N50 (L50)", contigs),
        _Number("Contigs", number(contigs.count), number(contigs.count)),
        _Number(
            "Soft-masked",
            share(lowercase, sequences.all.length),
            f"{counted(lowercase, 'base')} in lower case",
        ),
        _Number("N90 (L90)", *_with_count(sequences.N90, sequences.L90)),
        _area("auN", sequences.auN),
    ]
    if master.parameters.view.genome_size is not None:
        found.append(_Number("NG50 (LG50)", *_with_count(sequences.NG50, sequences.LG50)))
        found.append(_area("auNG", sequences.auNG))
    return [*found, *(number for each in master.kmers for number in _of_large_kmers(each))]


def _of_large_kmers(kmers: Kmers) -> list[_Number]:
    """How many k-mers there are, and are unique; of short ones nearly all that can be there are."""
    if kmers.k in KMER_TABLES:
        return []
    k, kind = kmers.k, "canonical, " if kmers.canonical else ""
    return [
        _Number(
            f"Distinct {k}-mers",
            short_count(kmers.distinct),
            f"{kind}{kmers.distinct:,} of {kmers.total:,} in all"
            f" ({share(kmers.distinct, kmers.total)})",
        ),
        _Number(
            f"Unique {k}-mers",
            share(kmers.singletons, kmers.distinct),
            f"{kmers.singletons:,} of {kmers.distinct:,} distinct occur once",
        ),
    ]


def _n50(term: str, lengths: Contiguity) -> _Number:
    return _Number(term, *_with_count(lengths.N50, lengths.L50))


def _with_count(length: int | None, count: int | None) -> tuple[str, str]:
    """A length such as N50 with its L50; a dash where it is never reached."""
    if length is None or count is None:
        return NOTHING, "not reached"
    return f"{short_bases(length)} ({count:,})", f"{counted(length, 'base')} ({count:,})"


def _longest(lengths: Contiguity) -> _Number:
    longest = lengths.longest
    if longest is None:
        return _Number("Longest", NOTHING, "no record")
    return _Number("Longest", short_bases(longest), counted(longest, "base"))


def _area(term: str, value: float | None) -> _Number:
    if value is None:
        return _Number(term, NOTHING, "no length")
    return _Number(term, short_bases(round(value)), f"{number(value)} bases")
