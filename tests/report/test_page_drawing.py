"""Where marks are drawn: against the standard library, and naive constructions."""

from __future__ import annotations

import math
import random
import re
import struct
import zlib
from base64 import b64decode
from itertools import pairwise, product

import pytest

from fanfold.report.page.chaos import (
    level_bounds,
    palette,
    places,
    reverse_complements,
    unfolded,
)
from fanfold.report.page.png import png
from fanfold.report.page.report_page import report_page
from fanfold.report.page.scale import Axis, linear_domain, log_domain, short, snug_log_domain
from fanfold.report.page.series import direction, log2
from fanfold.report.page.svg import Path, pixels
from report.pages import SVG, Page
from report.reports import report_of


def test_the_logarithm_is_that_of_the_standard_library() -> None:
    draw = random.Random(2)
    numbers = [draw.uniform(1e-3, 10) for _ in range(2000)]
    numbers += [draw.randrange(1, 2 ** draw.randrange(1, 70)) for _ in range(2000)]

    assert all(log2(each) == pytest.approx(math.log2(each), abs=1e-12) for each in numbers)
    assert [log2(2**each) for each in range(64)] == list(range(64))


def test_the_direction_of_a_part_of_a_turn_is_its_sine_and_cosine() -> None:
    for whole in (1, 3, 8, 400, 997):
        for part in range(-whole, 3 * whole + 1):
            x, y = direction(part, whole)
            angle = 2 * math.pi * part / whole
            assert abs(x - math.sin(angle)) < 1e-9
            assert abs(y + math.cos(angle)) < 1e-9


def test_an_axis_puts_equal_differences_or_equal_ratios_equally_far_apart() -> None:
    linear = Axis("", "", False, (20, 120), (50, 450))
    log = Axis("", "", True, (10, 10_000), (300, 0))

    assert [linear.at(each) for each in (20, 70, 120)] == [50, 250, 450]
    assert [log.at(each) for each in (10, 100, 1000, 10_000)] == pytest.approx([300, 200, 100, 0])


@pytest.mark.parametrize("is_log", [False, True])
def test_a_domain_holds_its_values_and_has_a_few_ticks(*, is_log: bool) -> None:
    draw = random.Random(3)
    for _ in range(2000):
        low = draw.randrange(1, 10 ** draw.randrange(1, 12))
        high = low + draw.randrange(10 ** draw.randrange(1, 13))
        domain = (log_domain if is_log else linear_domain)(low, high)
        ticks = Axis("", "", is_log, domain, (0, 100)).ticks()
        assert domain[0] <= low <= high <= domain[1]
        assert domain[0] < domain[1]
        assert 2 <= len(ticks) <= 9
        assert all(domain[0] <= each <= domain[1] for each in ticks)
        assert all(one < other for one, other in pairwise(ticks))


def test_a_snug_domain_has_a_margin_and_two_ticks_or_more() -> None:
    draw = random.Random(4)
    for _ in range(2000):
        low = draw.randrange(1, 10 ** draw.randrange(1, 12))
        high = low + draw.randrange(10 ** draw.randrange(1, 13))
        domain = snug_log_domain(low, high)
        assert domain[0] < low or domain[0] == low == 1
        assert high < domain[1]
        assert 2 <= len(Axis("", "", True, domain, (0, 100)).ticks()) <= 9

    assert snug_log_domain(1000, 1_000_000) == (937, 1_062_501)


def test_ticks_are_short() -> None:
    numbers = (0, 7, 1000, 1_250_000, 20_000_000, 5_000_000_000)

    assert [short(each) for each in numbers] == ["0", "7", "1k", "1.25M", "20M", "5G"]


def test_coordinates_are_rounded_to_tenths_of_a_pixel() -> None:
    assert [pixels(each) for each in (0, 1.25, 1.249, -0.04, -1.26, 12345.67)] == [
        *("0", "1.3", "1.2", "0", "-1.3", "12345.7"),
    ]


def test_a_path_of_many_small_steps_ends_where_it_should() -> None:
    path = Path().move(0, 0)
    for step in range(1, 1001):
        path.line(step * 0.34, step * 0.27)

    x, y = ends_of(str(path.drawn("line")))[-1]

    assert (x, y) == pytest.approx((340, 270), abs=0.05)


def test_each_k_mer_is_where_the_chaos_game_ends() -> None:
    corners = {"A": (0.0, 0.0), "C": (0.0, 1.0), "G": (1.0, 1.0), "T": (1.0, 0.0)}
    for k in range(1, 6):
        side = 2**k
        found = places(k)
        for code, kmer in enumerate(product("ACGT", repeat=k)):
            x = y = 0.5
            for base in kmer:
                x, y = (x + corners[base][0]) / 2, (y + corners[base][1]) / 2
            column, row_from_below = int(x * side), int(y * side)
            assert found[code] == (side - 1 - row_from_below) * side + column


def test_reverse_complements_are_those_of_the_letters() -> None:
    pairs = {"A": "T", "C": "G", "G": "C", "T": "A"}
    kmers = ["".join(each) for each in product("ACGT", repeat=4)]

    assert [kmers[code] for code in reverse_complements(4)] == [
        "".join(pairs[base] for base in reversed(kmer)) for kmer in kmers
    ]


def test_a_folded_picture_has_one_count_for_both_strands() -> None:
    report = report_of(b">a\nACGGTCAGGACTTAC\n", (3,), canonical=True)
    counts = unfolded(report.counts[3], 3)

    assert counts == [counts[other] for other in reverse_complements(3)]
    assert {each for each in counts if each} == {each for each in report.counts[3] if each}


def test_levels_are_equal_ratios_and_the_first_has_none() -> None:
    bounds = level_bounds([0, 5, 10**9, 77])

    assert bounds[:2] == [0, 5]
    assert bounds[-1] == 10**9 + 1
    assert all(one <= other for one, other in pairwise(bounds))
    middle = math.sqrt(5 * 10**9)
    assert bounds[128] == pytest.approx(middle, rel=0.1)


def test_a_picture_is_a_png_of_its_pixels() -> None:
    # More than a block of 65,535 bytes.
    width, height = 300, 250
    places_in_palette = bytes(random.Random(4).randrange(256) for _ in range(width * height))

    assert decoded(png(width, places_in_palette, palette())) == (
        width,
        height,
        places_in_palette,
        palette(),
    )


def test_the_picture_of_a_page_has_the_levels_of_its_data() -> None:
    page = Page(report_page(*report_of(b">a\nACGTTTGACCAACGT\n", (7,))))
    levels = b64decode(page.data["figures"]["chaos-k7"]["levels"])
    image = page.drawing("chaos-k7").find(f"{SVG}image")
    assert image is not None

    width, height, drawn, colours = decoded(b64decode(image.attrib["href"].partition(",")[2]))

    assert (width, height) == (128, 128)
    assert [drawn[place] for place in places(7)] == list(levels)
    assert colours[:3] == b"\xff\xff\xff"


def test_the_nx_curve_is_drawn_at_the_numbers_of_its_data() -> None:
    text = b"".join(b">r%d\n%s\n" % (each, b"ACGT" * each) for each in (9, 5, 4, 1))
    page = Page(report_page(*report_of(text)))
    figure = page.data["figures"]["nx"]
    line = page.drawing("nx").find(f".//{SVG}path[@class='line s0']")
    assert line is not None
    x, y = (
        Axis("", "", axis["scale"] == "log", tuple(axis["domain"]), tuple(axis["range"]))
        for axis in (figure["x"], figure["y"])
    )
    # The curve is level from one share of the length to the next: 36, 20, 16 and 4 of 76.
    # Steps are quarters of a per cent.
    shares = [0, 47.25, 73.5, 94.5, 100]

    drawn = ends_of(line.attrib["d"])

    expected = []
    for (start, end), length in zip(pairwise(shares), (36, 20, 16, 4), strict=True):
        expected += [(x.at(start), y.at(length)), (x.at(end), y.at(length))]
    assert [each for point in drawn for each in point] == pytest.approx(
        [each for point in expected for each in point], abs=0.11
    )


def test_the_longest_record_of_a_snail_reaches_the_centre() -> None:
    text = b">a\n" + b"ACGT" * 30 + b"\n>b\n" + b"ACGT" * 10 + b"\n"
    page = Page(report_page(*report_of(text)))
    centre = page.data["figures"]["snail"]["centre"]
    lengths = page.drawing("snail").find(f".//{SVG}path[@class='snail-lengths']")
    assert lengths is not None

    from_centre = [math.dist(point, centre) for point in ends_of(lengths.attrib["d"])]

    rim = max(from_centre)
    assert min(from_centre) == pytest.approx(0, abs=0.1)
    # The second has a third of the longest's length.
    assert any(each == pytest.approx(rim * 2 / 3, abs=0.2) for each in from_centre)


def ends_of(path: str) -> list[tuple[float, float]]:
    """The points that a path's steps lead to."""
    x = y = 0.0
    points = []
    data = path.partition('d="')[2].partition('"')[0] or path
    for command, numbers in re.findall(r"([MhvlAz])([^MhvlAz]*)", data):
        values = [float(each) for each in re.findall(r"-?[\d.]+", numbers)]
        match command:
            case "M":
                x, y = values
            case "h":
                x += values[0]
            case "v":
                y += values[0]
            case "l":
                x, y = x + values[0], y + values[1]
            case "A":
                x, y = values[-2:]
        if command != "z":
            points.append((x, y))
    return points


def decoded(picture: bytes) -> tuple[int, int, bytes, bytes]:
    """Width, height, pixels and palette of a PNG with a palette and no filter."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    chunks = {}
    at = 8
    while at < len(picture):
        (size,) = struct.unpack(">I", picture[at : at + 4])
        kind, data = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + size]
        assert struct.unpack(">I", picture[at + 8 + size : at + 12 + size])[0] == zlib.crc32(
            kind + data
        )
        chunks[kind] = data
        at += 12 + size
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, colour) == (8, 3)
    lines = zlib.decompress(chunks[b"IDAT"])
    rows = [lines[row * (width + 1) : (row + 1) * (width + 1)] for row in range(height)]
    assert all(row[0] == 0 for row in rows)
    return width, height, b"".join(row[1:] for row in rows), chunks[b"PLTE"]
