"""k-mers: their spectrum, the extremes, and the symmetry of the strands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isqrt

from markupsafe import Markup

from fanfold.report.master import Kmers
from fanfold.report.page.chaos import chaos_figure, reverse_complements
from fanfold.report.page.curves import HEIGHT, X_PIXELS, Y_PIXELS
from fanfold.report.page.scale import Axis, linear_domain, log_domain
from fanfold.report.page.svg import WIDTH, Figure, Path, Series, frame, legend
from fanfold.report.page.words import counted, share, verb
from fanfold.report.run_record import KMER_TABLES

SYMMETRY_UP_TO_K = 6

_SINGLE_UP_TO = 64
"""Up to this multiplicity, each has its own bar."""

_BINS_A_DOUBLING = 8


def kmer_figures(kmers: Kmers, counts: Mapping[int, Sequence[int]]) -> list[Figure]:
    """The figures of one k, those that need the counts only where these are given."""
    figures = [spectrum_figure(kmers)]
    found = counts.get(kmers.k)
    if found is not None:
        if kmers.k <= SYMMETRY_UP_TO_K and not kmers.canonical:
            figures.append(symmetry_figure(kmers, found))
        figures.append(chaos_figure(kmers, found))
    return figures


def spectrum_figure(kmers: Kmers) -> Figure:
    """How many k-mers occur how often."""
    name, title = f"spectrum-k{kmers.k}", f"Spectrum, k = {kmers.k}"
    if not kmers.spectrum:
        return Figure(name, title, f"No {kmers.k}-mer occurs, so there is no spectrum.")
    bars = _binned(kmers.spectrum)
    x = Axis(
        "occurrences (log)",
        "multiplicity",
        True,
        log_domain(bars[0][0], bars[-1][1]),
        X_PIXELS,
    )
    most = max(count for _, _, count in bars)
    y = Axis("distinct k-mers (log)", "kmers", True, (0.5, log_domain(1, most)[1]), Y_PIXELS)
    path = Path()
    for start, end, count in bars:
        path.rect(x.at(start), y.at(count), x.at(end), Y_PIXELS[0])
    return Figure(
        name,
        title,
        _spectrum_finding(kmers),
        (WIDTH, HEIGHT),
        frame(name, x, y, [path.drawn("bars s0")], Markup("")),
        {
            "kind": "xy",
            "title": title,
            "x": x.data(),
            "y": y.data(),
            "zoom": "x",
            "series": [
                Series(
                    f"{kmers.k}-mers",
                    "bars",
                    [start for start, _, _ in bars],
                    [count for _, _, count in bars],
                    x_end=[end for _, end, _ in bars],
                )
            ],
        },
    )


def symmetry_figure(kmers: Kmers, counts: Sequence[int]) -> Figure:
    """The count of each k-mer against that of its reverse complement."""
    k = kmers.k
    name, title = f"symmetry-k{k}", f"Strand symmetry, k = {k}"
    pairs = [
        (code, counts[code], counts[other])
        for code, other in enumerate(reverse_complements(k))
        if code < other and (counts[code] or counts[other])
    ]
    if not pairs:
        return Figure(
            name, title, f"No {k}-mer occurs but palindromes: there is nothing to compare."
        )
    values = [count for _, one, other in pairs for count in (one, other)]
    # A count of 0 has no place on a log axis.
    is_log = min(values) > 0
    domain = (log_domain if is_log else linear_domain)(min(values), max(values))
    scale = " (log)" if is_log else ""
    x = Axis(f"count of the k-mer{scale}", "count", is_log, domain, X_PIXELS)
    y = Axis(f"count of its reverse complement{scale}", "count_reverse", is_log, domain, Y_PIXELS)
    dots = Path()
    ones, others = ([pair[place] for pair in pairs] for place in (1, 2))
    for place in zip(x.places(ones), y.places(others), strict=True):
        dots.dot(*place)
    low, high = domain
    diagonal = Path().move(x.at(low), y.at(low)).line(x.at(high), y.at(high))
    return Figure(
        name,
        title,
        _symmetry_finding(k, pairs),
        (WIDTH, HEIGHT),
        frame(
            name,
            x,
            y,
            [diagonal.drawn("guide"), dots.drawn("dots s0")],
            legend(X_PIXELS[0], 18, [("guide", "equal counts")]),
        ),
        {
            "kind": "xy",
            "title": title,
            "x": x.data(),
            "y": y.data(),
            "zoom": "xy",
            "series": [
                Series(
                    "k-mers",
                    "dots",
                    ones,
                    others,
                    names=[kmer(code, k) for code, _, _ in pairs],
                )
            ],
        },
    )


def extremes_table(kmers: Kmers) -> Markup:
    """The most and the least frequent k-mers."""
    rows = Markup("").join(
        Markup(
            "<tr><td>{}</td><td class=text><code>{}</code></td><td>{:,}</td><td>{}</td>"
            "<td class=text><code>{}</code></td><td>{:,}</td></tr>"
        ).format(place, *top, share(top[1], kmers.total), *bottom)
        for place, (top, bottom) in enumerate(zip(kmers.top, kmers.bottom, strict=True), 1)
    )
    return Markup(
        '<div class="table"><table><caption>The most and the least frequent {k}-mers that occur'
        "</caption><thead><tr><th scope=col>#</th><th scope=col class=text>Most frequent</th>"
        "<th scope=col>Count</th><th scope=col>Of all</th>"
        "<th scope=col class=text>Least frequent</th><th scope=col>Count</th>"
        "</tr></thead><tbody>{rows}</tbody></table></div>"
    ).format(k=kmers.k, rows=rows)


def kmer(code: int, k: int) -> str:
    """The k-mer of a code."""
    return "".join("ACGT"[code >> 2 * place & 3] for place in reversed(range(k)))


def _binned(spectrum: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """(first multiplicity, end, k-mers): one multiplicity a bar, or eight bars a doubling."""
    most = spectrum[-1][0]
    if most <= _SINGLE_UP_TO:
        return [(times, times + 1, count) for times, count in spectrum]
    edges = _edges(most)
    bars: list[tuple[int, int, int]] = []
    items = iter(spectrum)
    times, count = next(items)
    for low, high in pairwise(edges):
        inside = 0
        while low <= times < high:
            inside += count
            times, count = next(items, (edges[-1], 0))
        if inside:
            bars.append((low, high, inside))
    return bars


def _edges(most: int) -> list[int]:
    """floor(2^(i/8)) up to beyond a number, each once."""
    edges = [1]
    place = 0
    while edges[-1] <= most:
        place += 1
        # The eighth root of 2^i is the square root of the square root of the square root.
        edge = isqrt(isqrt(isqrt(2**place)))
        if edge > edges[-1]:
            edges.append(edge)
    return edges


def _spectrum_finding(kmers: Kmers) -> str:
    kind = f"canonical {kmers.k}-mer" if kmers.canonical else f"{kmers.k}-mer"
    if kmers.k not in KMER_TABLES:
        return _large_finding(kmers, kind)
    best, times = kmers.top[0]
    once = f" {kmers.singletons:,} only once," if kmers.singletons else ""
    return (
        f"{kmers.distinct:,} of {counted(kmers.possible, f'possible {kind}')}"
        f" {verb(kmers.distinct, 'occurs', 'occur')}, {kmers.total:,} in all;{once}"
        f" {best} most often ({counted(times, 'time')}, {share(times, kmers.total)})."
    )


def _large_finding(kmers: Kmers, kind: str) -> str:
    """Of a k for which hardly any of the possible k-mers occur; and where the rest is."""
    best, times = kmers.top[0]
    said = (
        f"{counted(kmers.distinct, f'different {kind}')} among {kmers.total:,}"
        f" ({share(kmers.distinct, kmers.total)}); {kmers.singletons:,} of them only once"
        f" ({share(kmers.singletons, kmers.distinct)}); {best} most often"
        f" ({counted(times, 'time')}, {share(times, kmers.total)})."
    )
    if kmers.max > _SINGLE_UP_TO:
        said += f" Bars are an eighth of a doubling wide; the whole spectrum is {kmers.table}.hist."
    return said


def _symmetry_finding(k: int, pairs: Sequence[tuple[int, int, int]]) -> str:
    apart = sum(abs(one - other) for _, one, other in pairs)
    total = sum(one + other for _, one, other in pairs)
    code, one, other = max(pairs, key=lambda pair: (abs(pair[1] - pair[2]), -pair[0]))
    said = (
        f"Counts of {k}-mers and their reverse complements differ by {share(apart, total)} of their"
        " sum (Chargaff's second rule: little, over a whole genome)."
    )
    if apart:
        said += (
            f" Most apart: {kmer(code, k)} {one:,},"
            f" {kmer(reverse_complements(k)[code], k)} {other:,}."
        )
    return said
