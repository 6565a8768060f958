"""The chaos-game picture of k-mers (Jeffrey 1990, doi:10.1093/nar/18.8.2163).

A square has a corner for each base: A bottom left, C top left, G top right, T bottom right. The
last base of a k-mer picks the quadrant, the one before it the quadrant in that, and so on.
"""

from __future__ import annotations

from binascii import b2a_base64
from bisect import bisect_right
from collections.abc import Sequence
from math import sqrt

from markupsafe import Markup

from fanfold.report.master import Kmers
from fanfold.report.page.png import data_url, png
from fanfold.report.page.svg import WIDTH, Figure, text
from fanfold.report.page.words import share, short_count, verb

LEVELS = 256

_COUNTS_UP_TO_K = 6
"""Up to this k the page's script has the counts; above, it has their levels."""

_LEFT, _TOP, _SIDE = 30, 28, 360
_BAR_LEFT, _BAR_WIDTH = 410, 12
_CORNERS = "ACGT"

_COLOURS = ((255, 255, 255), (222, 235, 247), (107, 174, 214), (33, 113, 181), (4, 30, 66))
"""What the palette runs through: white for none, then light to dark."""


def chaos_figure(kmers: Kmers, counts: Sequence[int]) -> Figure:
    """The picture of the counts of one k.

    Args:
        kmers: the summary of this k.
        counts: 4^k counts by code.
    """
    k = kmers.k
    name, title = f"chaos-k{k}", f"Chaos-game picture, k = {k}"
    if not kmers.total:
        return Figure(name, title, f"No {k}-mer occurs, so there is no picture.")
    if kmers.canonical:
        counts = unfolded(counts, k)
    bounds = level_bounds(counts)
    levels = bytes([bisect_right(bounds, each, 0, LEVELS) - 1 for each in counts])
    data: dict[str, object] = {
        "kind": "chaos",
        "title": title,
        "k": k,
        "canonical": kmers.canonical,
        "square": (_LEFT, _TOP, _SIDE),
    }
    if k <= _COUNTS_UP_TO_K:
        data["counts"] = list(counts)
    else:
        data |= {"levels": b2a_base64(levels, newline=False).decode(), "bounds": bounds}
    return Figure(
        name,
        title,
        _finding(kmers),
        (WIDTH, _TOP + _SIDE + 26),
        _picture(levels, k) + _labels(bounds),
        data,
    )


def places(k: int) -> list[int]:
    """Where each k-mer, by code, is in the picture's pixels, row after row from the top."""
    columns, rows = [0], [0]
    for _ in range(k):
        # One more base in front of the k-mer picks the smallest quadrant.
        columns = [2 * each + (base >> 1) for base in range(4) for each in columns]
        rows = [2 * each + (base in {0, 3}) for base in range(4) for each in rows]
    return [row << k | column for row, column in zip(rows, columns, strict=True)]


def level_bounds(counts: Sequence[int]) -> list[int]:
    """Bounds of levels of a count: level i has those of bounds[i] or more, below bounds[i + 1].

    Level 0 has no count; the others are equal ratios from the least count to the largest.
    """
    least = min(each for each in counts if each)
    end = max(counts) + 1
    ratio = end / least
    for _ in range(8):  # the 256th root
        ratio = sqrt(ratio)
    bounds, bound = [0], float(least)
    for _ in range(LEVELS - 1):
        bounds.append(min(int(bound) + (bound > int(bound)), end))
        bound *= ratio
    bounds[1] = least
    return [*bounds, end]


def reverse_complements(k: int) -> list[int]:
    """The code of the reverse complement of each k-mer, by code."""
    codes = [0]
    for _ in range(k):
        # One more base in front of the k-mer is the last of the reverse complement.
        codes = [each << 2 | 3 - base for base in range(4) for each in codes]
    return codes


def unfolded(counts: Sequence[int], k: int) -> list[int]:
    """Canonical counts, where a k-mer that isn't canonical has its reverse complement's."""
    return [counts[min(each)] for each in enumerate(reverse_complements(k))]


def palette() -> bytes:
    """256 colours, light to dark; the first is for none."""
    colours = [_COLOURS[0]]
    parts = len(_COLOURS) - 2
    for level in range(LEVELS - 1):
        place, within = divmod(level * parts, LEVELS - 1)
        low, high = _COLOURS[1 + place], _COLOURS[min(2 + place, parts + 1)]
        red, green, blue = (
            one + (other - one) * within // (LEVELS - 1)
            for one, other in zip(low, high, strict=True)
        )
        colours.append((red, green, blue))
    return bytes(part for colour in colours for part in colour)


def _picture(levels: bytes, k: int) -> Markup:
    pixels = bytearray(len(levels))
    for place, level in zip(places(k), levels, strict=True):
        pixels[place] = level
    image = Markup(
        '<image x="{}" y="{}" width="{}" height="{}" preserveAspectRatio="none"'
        ' style="image-rendering:pixelated" href="{}"/>'
    )
    colours = palette()
    return (
        image.format(_LEFT, _TOP, _SIDE, _SIDE, data_url(png(2**k, pixels, colours)))
        + image.format(
            _BAR_LEFT,
            _TOP,
            _BAR_WIDTH,
            _SIDE,
            data_url(png(1, range(LEVELS - 1, 0, -1), colours)),
        )
        + Markup('<rect class="frame" x="{}" y="{}" width="{}" height="{}"/>').format(
            _LEFT, _TOP, _SIDE, _SIDE
        )
    )


def _labels(bounds: Sequence[int]) -> Markup:
    right, bottom = _LEFT + _SIDE, _TOP + _SIDE
    drawn = text(_LEFT - 6, bottom + 14, "A", "corner", "end")
    drawn += text(_LEFT - 6, _TOP - 4, "C", "corner", "end")
    drawn += text(right + 6, _TOP - 4, "G", "corner")
    drawn += text(right + 6, bottom + 14, "T", "corner")
    at = _BAR_LEFT + _BAR_WIDTH + 5
    drawn += text(at, _TOP - 4, "count")
    drawn += text(at, _TOP + 10, short_count(bounds[-1] - 1))
    drawn += text(at, bottom, short_count(bounds[1]))
    if bounds[1] < bounds[LEVELS // 2] < bounds[-1] - 1:
        drawn += text(at, _TOP + _SIDE // 2 + 4, short_count(bounds[LEVELS // 2]))
    return Markup('<g class="legend">{}</g>').format(drawn)


def _finding(kmers: Kmers) -> str:
    absent = kmers.possible - kmers.distinct
    if absent:
        said = (
            f"{absent:,} of the {kmers.possible:,} {kmers.k}-mers ({share(absent, kmers.possible)})"
            f" never {verb(absent, 'occurs', 'occur')}: white."
        )
    else:
        said = f"Every one of the {kmers.possible:,} {kmers.k}-mers occurs."
    said += " Darker is more frequent, on a log scale; the last base picks the quadrant."
    if kmers.canonical:
        said += (
            " The picture is folded: a k-mer and its reverse complement were counted as one, so"
            " they show the same count."
        )
    return said
