"""The survey's slow and obvious twin: whole tables in memory, one statement a definition."""

from __future__ import annotations

from itertools import pairwise
from math import isqrt

from fanfold.report.survey import (
    ALL_LISTED,
    LONGEST_LISTED,
    NAME_CHARACTERS,
    STEPS,
    TRACKS,
    AtLeast,
    Cell,
    GapBin,
    GapGroup,
    GapLengths,
    Grid,
    Lengths,
    Neighbours,
    Row,
    SnailStep,
    Step,
    Sums,
    Survey,
    Threshold,
)
from fanfold.report.view import View


class Record:
    """A row of `sequences.tsv`, with its gaps."""

    def __init__(self, row: bytes) -> None:
        self.raw_name, *numbers = row.split(b"\t")
        values = [int(each) for each in numbers[:7]]
        self.length, self.a, self.c, self.g, self.t, self.n, self.other = values
        self.lowercase, self.u = int(numbers[7]), int(numbers[10])
        self.gaps: list[tuple[int, int]] = []

    @property
    def gc(self) -> int:
        return self.g + self.c

    @property
    def acgtu(self) -> int:
        return self.a + self.c + self.g + self.t + self.u

    @property
    def name(self) -> str:
        text = ""
        for character in self.raw_name.decode("utf-8", "surrogateescape"):
            code = ord(character)
            if 0xDC80 <= code <= 0xDCFF:
                text += f"\\x{code - 0xDC00:02x}"
            elif code < 0x20 or 0x7F <= code < 0xA0 or character == "\\":
                text += "".join(f"\\x{byte:02x}" for byte in character.encode())
            else:
                text += character
        return text if len(text) <= NAME_CHARACTERS else f"{text[: NAME_CHARACTERS - 1]}…"


def read_records(sequences_tsv: bytes, gaps_bed: bytes) -> list[Record]:
    records = [Record(row) for row in sequences_tsv.split(b"\n")[1:-1]]
    rows = [row.rsplit(b"\t", 2) for row in gaps_bed.split(b"\n")[:-1]]
    gaps = [(name, int(start), int(end)) for name, start, end in rows]
    for record in records:
        # Names may repeat: a record's gaps are those that make up its N.
        missing = record.n
        while missing:
            name, start, end = gaps.pop(0)
            assert name == record.raw_name
            record.gaps.append((start, end))
            missing -= end - start
        assert missing == 0
    assert not gaps
    return records


def survey(sequences_tsv: bytes, gaps_bed: bytes, view: View) -> Survey:
    everything = read_records(sequences_tsv, gaps_bed)
    records = [each for each in everything if each.length >= view.min_length]
    ordered = sorted(records, key=lambda each: -each.length)
    listed = ordered if len(records) <= ALL_LISTED else ordered[:LONGEST_LISTED]
    lengths = [each.length for each in records]
    gaps = sorted(spans(records, view.min_gap), reverse=True)
    return Survey(
        sums=Sums(
            records=len(everything),
            length=sum(each.length for each in everything),
            A=sum(each.a for each in everything),
            C=sum(each.c for each in everything),
            G=sum(each.g for each in everything),
            T=sum(each.t for each in everything),
            N=sum(each.n for each in everything),
            other=sum(each.other for each in everything),
            lowercase=sum(each.lowercase for each in everything),
            U=sum(each.u for each in everything),
        ),
        all_gaps=gap_lengths(everything, 1),
        below_200=sum(each.length < 200 for each in everything),
        unnamed=sum(each.raw_name == b"" for each in everything),
        at_least=[
            AtLeast(
                least,
                sum(each.length >= least for each in everything),
                sum(each.length for each in everything if each.length >= least),
            )
            for least in (0, 1_000, 5_000, 10_000, 25_000, 50_000)
        ],
        records=statistics(lengths, view.genome_size),
        contigs=statistics(contigs(records, view.min_gap), view.genome_size),
        gaps=gap_lengths(records, view.min_gap),
        gap_n50=n50(gaps),
        thresholds=[threshold(records, min_gap) for min_gap in sorted({1, 10, view.min_gap})],
        snail=snail(ordered),
        gc_histogram=[
            sum(each.length for each in records if each.acgtu and gc_bin(each) == place)
            for place in range(200)
        ],
        grid=grid(records) if len(records) > ALL_LISTED else None,
        listed=[
            Row(each.name, each.length, each.gc, each.acgtu, each.n, each.lowercase)
            for each in listed
        ],
        tracks=[track(each, ordered[0].length, view.min_gap) for each in listed[:TRACKS]],
        gap_lengths=gap_bins(records, view.min_gap),
    )


def contigs(records: list[Record], min_gap: int) -> list[int]:
    found = []
    for record in records:
        at = 0
        for start, end in [*record.gaps, (record.length, record.length + min_gap)]:
            if end - start >= min_gap:
                found.append(start - at)
                at = end
    return [each for each in found if each]


def statistics(lengths: list[int], genome_size: int | None) -> Lengths:
    ordered = sorted(lengths, reverse=True)
    total = sum(ordered)
    area, before = 0, 0
    for length in ordered if genome_size else []:
        area += length * min(length, max(0, (genome_size or 0) - before))
        before += length
    return Lengths(
        count=len(ordered),
        sum=total,
        sum_of_squares=sum(each * each for each in ordered),
        longest=max(ordered, default=0),
        shortest=min(ordered, default=0),
        quarters=[neighbours(ordered[::-1], quarter) for quarter in (1, 2, 3)] if ordered else [],
        steps=[step for step in steps(ordered, total) if step] if total else [],
        ng_steps=steps(ordered, genome_size) if genome_size else [],
        ng_area=area,
    )


def neighbours(ordered: list[int], quarter: int) -> Neighbours:
    rank = (len(ordered) - 1) * quarter // 4
    return Neighbours(ordered[rank], ordered[min(rank + 1, len(ordered) - 1)])


def steps(ordered: list[int], whole: int) -> list[Step | None]:
    """For each share of a whole, where the longest sequences reach it."""
    found: list[Step | None] = []
    count, reached = 0, 0
    for i in range(1, STEPS + 1):
        while reached * STEPS < whole * i and count < len(ordered):
            reached += ordered[count]
            count += 1
        is_there = reached * STEPS >= whole * i
        found.append(Step(ordered[count - 1], count, reached) if is_there else None)
    return found


def n50(ordered: list[int]) -> int:
    at_least = {each: sum(other for other in ordered if other >= each) for each in ordered}
    return max((each for each in at_least if 2 * at_least[each] >= sum(ordered)), default=0)


def gap_lengths(records: list[Record], min_gap: int) -> GapLengths:
    lengths = spans(records, min_gap)
    return GapLengths(len(lengths), sum(lengths), max(lengths, default=0))


def spans(records: list[Record], min_gap: int) -> list[int]:
    lengths = [end - start for each in records for start, end in each.gaps]
    return [each for each in lengths if each >= min_gap]


def threshold(records: list[Record], min_gap: int) -> Threshold:
    lengths = contigs(records, min_gap)
    found = steps(sorted(lengths, reverse=True), sum(lengths)) if lengths else []
    middle = found[STEPS // 2 - 1] if found else None
    return Threshold(
        min_gap=min_gap,
        gaps=gap_lengths(records, min_gap),
        contigs=len(lengths),
        contig_length=sum(lengths),
        contig_n50=middle.n if middle else 0,
        contig_l50=middle.l if middle else 0,
    )


def snail(ordered: list[Record]) -> list[SnailStep]:
    total = sum(each.length for each in ordered)
    found = []
    for i in range(STEPS if total else 0):
        gc = at = n = other = 0
        start = 0
        for each in ordered:
            end = start + each.length
            # Whether [start, end) has a part in [total · i, total · (i + 1)) / STEPS.
            if each.length and start * STEPS < total * (i + 1) and end * STEPS > total * i:
                gc, at = gc + each.gc, at + each.acgtu - each.gc
                n, other = n + each.n, other + each.length - each.acgtu - each.n
            start = end
        found.append(SnailStep(gc, at, n, other))
    return found


def gc_bin(record: Record) -> int:
    return min(record.gc * 200 // record.acgtu, 199)


def edges(parts: int) -> list[int]:
    """floor(2^(i/parts)), for parts that are a power of two, equal ones once."""
    found = set()
    for i in range(63 * parts + 1):
        root = 2**i
        for _ in range(parts.bit_length() - 1):
            root = isqrt(root)
        found.add(root)
    return sorted(found)


def bin_of(edges: list[int], value: int) -> int:
    return max(place for place, edge in enumerate(edges) if edge <= value)


def grid(records: list[Record]) -> Grid:
    with_bases = [each for each in records if each.acgtu]
    all_x, all_y = edges(16), [5 * place for place in range(201)]
    places = [(bin_of(all_x, each.length), gc_bin(each)) for each in with_bases]
    x_edges, first_x, joined_x = cropped(all_x, [x for x, _ in places], 128)
    y_edges, first_y, joined_y = cropped(all_y, [y for _, y in places], 96)
    cells: dict[tuple[int, int], list[int]] = {}
    for (x, y), record in zip(places, with_bases, strict=True):
        cell = x // joined_x - first_x, y // joined_y - first_y
        cells.setdefault(cell, []).append(record.length)
    return Grid(
        x_edges,
        y_edges,
        [Cell(x, y, len(found), sum(found)) for (x, y), found in sorted(cells.items())],
    )


def cropped(edges: list[int], places: list[int], most: int) -> tuple[list[int], int, int]:
    """The edges of the bins in use, the first of these bins, and how many are joined in each."""
    if not places:
        return [], 0, 1
    joined = 1
    while max(places) // joined - min(places) // joined + 1 > most:
        joined *= 2
    first, last = min(places) // joined, max(places) // joined
    at = [min(place * joined, len(edges) - 1) for place in range(first, last + 2)]
    return [edges[place] for place in at], first, joined


def track(record: Record, longest: int, min_gap: int) -> list[GapGroup]:
    cell = max(1, -(-longest // STEPS))
    found: list[GapGroup] = []
    for start, end in record.gaps:
        if end - start < min_gap:
            continue
        if found and start // cell <= (found[-1].end_base - 1) // cell + 1:
            last = found.pop()
            found.append(GapGroup(last.start_base, end, last.count + 1, last.bases + end - start))
        else:
            found.append(GapGroup(start, end, 1, end - start))
    return found


def gap_bins(records: list[Record], min_gap: int) -> list[GapBin]:
    all_edges = [*edges(4), 2**64]
    lengths = spans(records, min_gap)
    found = []
    for low, high in pairwise(all_edges):
        inside = [each for each in lengths if low <= each < high]
        if inside:
            found.append(GapBin(low, high, len(inside), sum(inside)))
    return found
