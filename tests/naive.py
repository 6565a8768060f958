"""The judge: a slow twin of fanfold, so simple that it is unlikely to be wrong.

It holds the text whole, looks at one line after the other, and counts k-mers one by one. It was
written from DESIGN.md alone and shares no line with the product.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LONGEST_HEADER_BYTES = 1_048_576
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
WHITE_SPACE = b" \t\v\f\r"
COMPLEMENT = str.maketrans("ACGT", "TGCA")


class NaiveError(Exception):
    """Not FASTA: what was found, and the offset in the inflated text."""

    def __init__(self, kind: str, offset_byte: int) -> None:
        super().__init__(f"{kind} at byte {offset_byte}")
        self.kind = kind
        self.offset_byte = offset_byte


@dataclass(frozen=True)
class NaiveReport:
    """The answers: `master` has every key of master.json but source, proof and fanfold."""

    master: dict[str, Any]
    sequences_tsv: bytes
    gaps_bed: bytes
    fai: bytes | None


@dataclass(frozen=True)
class Line:
    """A line without its end: the CRs before the LF belong to the end."""

    start_byte: int
    text: bytes

    @property
    def is_header(self) -> bool:
        return self.text.startswith(b">")

    @property
    def is_comment(self) -> bool:
        return self.text.startswith(b";")


@dataclass(frozen=True)
class Record:
    name: bytes
    start_byte: int
    residues: bytes


@dataclass(frozen=True)
class Fai:
    text: bytes
    records: int
    empty_left_out: int
    repeated_left_out: int


def analyse(text: bytes, ks: Sequence[int], *, canonical: bool = False) -> NaiveReport:
    """All that fanfold must answer for the inflated text of an object."""
    lines = split_lines(text)
    refuse_bad_text(text, lines)
    records = collect_records(lines)
    fai = faidx(text)
    return NaiveReport(
        master=master_report(lines, records, fai, sorted(set(ks)), canonical=canonical),
        sequences_tsv=sequence_rows(records),
        gaps_bed=gap_rows(records),
        fai=None if fai is None else fai.text,
    )


def comparable(master: dict[str, Any]) -> dict[str, Any]:
    """The part of a master.json that this twin can judge.

    The wording of notes is free. Of the one on the `.fai` only whether there is one is compared,
    and only where there is no index (this twin can't foresee that of an inflated archive).
    """
    kept = {key: master[key] for key in master if key not in {"source", "proof", "fanfold"}}
    notes = [(note["kind"], note["count"]) for note in kept["notes"]]
    kept["notes"] = [(kind, count) for kind, count in notes if kind != "archive"]
    sequences = dict(kept["sequences"])
    fai = sequences["fai"]
    has_reason = fai["note"] is not None and not fai["written"]
    sequences["fai"] = {**fai, "note": has_reason}
    return {**kept, "sequences": sequences}


def crc64nvme(object_bytes: bytes) -> str:
    """The object's CRC-64/NVME, in base64 of its 8 big-endian bytes, as S3 gives it."""
    of_a_byte = []
    for byte in range(256):
        remainder = byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (0x9A6C9329AC4BC9B5 if remainder & 1 else 0)
        of_a_byte.append(remainder)
    all_ones = 2**64 - 1
    checksum = all_ones
    for byte in object_bytes:
        checksum = checksum >> 8 ^ of_a_byte[checksum & 0xFF ^ byte]
    return base64.b64encode((checksum ^ all_ones).to_bytes(8, "big")).decode()


# --- the text ---------------------------------------------------------------------------------


def split_lines(text: bytes) -> list[Line]:
    start_byte = len(BYTE_ORDER_MARK) if text.startswith(BYTE_ORDER_MARK) else 0
    lines = []
    for piece in text[start_byte:].split(b"\n"):
        lines.append(Line(start_byte, piece.rstrip(b"\r")))
        start_byte += len(piece) + 1
    return lines


def refuse_bad_text(text: bytes, lines: list[Line]) -> None:
    """Collects every error there is; the leftmost wins."""
    if not text:
        raise NaiveError("empty", 0)
    if text.startswith(UTF_16_MARKS):
        raise NaiveError("utf-16", 0)
    errors: list[tuple[int, str]] = []
    header_seen = False
    for line in lines:
        if b"\r" in line.text:
            errors.append((line.start_byte + line.text.index(b"\r"), "bare-cr"))
        if line.is_header:
            header_seen = True
            if len(line.text) > LONGEST_HEADER_BYTES:
                errors.append((line.start_byte, "header-too-long"))
            if b"\0" in line.text:
                errors.append((line.start_byte + line.text.index(b"\0"), "nul-in-header"))
        elif line.is_comment:
            if len(line.text) > LONGEST_HEADER_BYTES:
                errors.append((line.start_byte, "comment-too-long"))
        else:
            for offset_byte, byte in enumerate(line.text, line.start_byte):
                if byte in b" \t\r":  # a CR in here is a bare one, and was noted above
                    continue
                if not 0x21 <= byte <= 0x7E:
                    errors.append((offset_byte, "invalid-byte"))
                elif not header_seen:
                    kind = "fastq" if byte == ord("@") else "sequence-before-header"
                    errors.append((offset_byte, kind))
    if errors:
        offset_byte, kind = min(errors)
        raise NaiveError(kind, offset_byte)
    if not header_seen:
        raise NaiveError("no-record", 0)


def collect_records(lines: list[Line]) -> list[Record]:
    records: list[Record] = []
    residues: list[bytes] = []
    for line in [*lines, Line(-1, b">")]:  # one more header closes the last record
        if line.is_header:
            if records:
                records[-1] = Record(records[-1].name, records[-1].start_byte, b"".join(residues))
            records.append(Record(name_of(line.text), line.start_byte, b""))
            residues = []
        elif not line.is_comment:
            residues.append(line.text.replace(b" ", b"").replace(b"\t", b""))
    return records[:-1]


def name_of(header: bytes) -> bytes:
    name = header[1:].lstrip(WHITE_SPACE)
    for position, byte in enumerate(name):
        if byte in WHITE_SPACE:
            return name[:position]
    return name


# --- the report -------------------------------------------------------------------------------


def master_report(
    lines: list[Line], records: list[Record], fai: Fai | None, ks: list[int], *, canonical: bool
) -> dict[str, Any]:
    every_residue = "".join(record.residues.decode("ascii") for record in records)
    both_cases = Counter(every_residue.upper())
    count_a, count_c, count_g, count_t = (both_cases[base] for base in "ACGT")
    is_rna = both_cases["U"] > count_t
    bases = count_a + count_c + count_g + count_t
    length = len(every_residue)
    all_gaps = [end - start for record in records for start, end in gaps_of(record)]
    kmers = {k: count_kmers(records, k, canonical=canonical) for k in ks}
    count_cg = count_kmers(records, 2, canonical=False)["CG"]
    return {
        "total_bases": bases,
        "gc_count": count_g + count_c,
        "gc_percent": ratio(100 * (count_g + count_c), bases + both_cases["U"]),
        "composition": {
            "A": count_a,
            "C": count_c,
            "G": count_g,
            "T": count_t,
            "N": both_cases["N"],
            "U": both_cases["U"],
            "iupac": sum(both_cases[code] for code in "RYSWKMBDHV"),
            "gap_characters": both_cases["-"] + both_cases["."],
            "asterisk": both_cases["*"],
            "other": sum(
                count
                for residue, count in both_cases.items()
                if residue not in "ACGTNURYSWKMBDHV-.*"
            ),
            "lowercase": sum(residue.islower() for residue in every_residue),
            "gc_percent_of_length": ratio(100 * (count_g + count_c), length),
            "n_percent": ratio(100 * both_cases["N"], length),
            "soft_masked_percent": ratio(
                100 * sum(residue.islower() for residue in every_residue), length
            ),
        },
        "sequences": sequence_report(lines, records, fai, length - both_cases["N"]),
        "gaps": {
            "count": len(all_gaps),
            "length": sum(all_gaps),
            "longest": max(all_gaps, default=0),
            "mean": ratio(sum(all_gaps), len(all_gaps)),
            "N50": length_and_rank_at(50, all_gaps)[0],
            "all": {"count": len(all_gaps), "length": sum(all_gaps)},
            "thresholds": [gap_threshold(records, min_gap) for min_gap in (1, 10)],
        },
        "cpg": {
            "count": count_cg,
            "observed_expected": None if is_rna else ratio(count_cg * bases, count_c * count_g),
        },
        "parameters": {
            "k": ks,
            "canonical": canonical,
            "view": {"min_gap": 1, "min_length": 0, "genome_size": None},
        },
        "notes": notes_report(lines, records, both_cases, every_residue),
        "kmers": [kmer_report(kmers[k], k, canonical=canonical) for k in ks],
        "kmer_counts": {kmer: kmers[k][kmer] for k in ks for kmer in sorted(kmers[k])},
    }


def notes_report(
    lines: list[Line], records: list[Record], both_cases: Counter[str], every_residue: str
) -> list[dict[str, Any]]:
    names = [record.name for record in records]
    strange = sum(
        count for residue, count in both_cases.items() if residue not in "ACGTNURYSWKMBDHV"
    )
    letters = {residue: count for residue, count in both_cases.items() if residue not in "-.*"}
    nucleotides = sum(count for residue, count in letters.items() if residue in "ACGTUN")
    everything = sum(letters.values())
    is_rna = both_cases["U"] > both_cases["T"]
    counts = {
        "protein": everything - nucleotides if 2 * nucleotides < everything else 0,
        "rna": both_cases["U"] if is_rna else 0,
        "comments": sum(line.is_comment for line in lines),
        "repeated-names": len(names) - len(set(names)),
        "empty-names": names.count(b""),
        "empty-records": sum(not record.residues for record in records),
        "not-nucleotides": strange if 1000 * strange >= len(every_residue) else 0,
        "uracil": 0 if is_rna else both_cases["U"],
        "lowercase": sum(residue.islower() for residue in every_residue),
        "short-records": sum(len(record.residues) < 200 for record in records),
    }
    return [{"kind": kind, "count": count} for kind, count in counts.items() if count]


def gap_threshold(records: list[Record], min_gap: int) -> dict[str, Any]:
    gaps = [end - start for record in records for start, end in gaps_of(record)]
    gaps = [length for length in gaps if length >= min_gap]
    split = b"[Nn]{%d,}" % min_gap
    contigs = [len(each) for record in records for each in re.split(split, record.residues)]
    n50, l50 = length_and_rank_at(50, [length for length in contigs if length])
    return {
        "min_gap": min_gap,
        "gaps": len(gaps),
        "gap_length": sum(gaps),
        "contigs": sum(length > 0 for length in contigs),
        "contig_N50": n50,
        "contig_L50": l50,
    }


def ratio(above: int, below: int) -> float | None:
    """The quotient to 3 decimals, half to even: `round` of a Fraction is exactly that."""
    return None if below == 0 else float(round(Fraction(above, below), 3))


def sequence_report(
    lines: list[Line], records: list[Record], fai: Fai | None, ungapped_length: int
) -> dict[str, Any]:
    contigs = [piece for record in records for piece in re.split(b"[Nn]+", record.residues)]
    lengths = [len(record.residues) for record in records]
    of_records = length_report(lengths)
    of_contigs = length_report([len(contig) for contig in contigs if contig])
    return {
        **of_records,
        "all": {"count": len(lengths), "length": sum(lengths)},
        "at_least": [
            [least, *(f([n for n in lengths if n >= least]) for f in (len, sum))]
            for least in (0, 1_000, 5_000, 10_000, 25_000, 50_000)
        ],
        "ungapped_length": ungapped_length,
        "empty": sum(not record.residues for record in records),
        "duplicate_names": len(records) - len({record.name for record in records}),
        "comment_lines": sum(line.is_comment for line in lines),
        "contigs": of_contigs,
        "fai": {
            "written": fai is not None,
            "records": fai.records if fai else 0,
            "empty_left_out": fai.empty_left_out if fai else 0,
            "repeated_left_out": fai.repeated_left_out if fai else 0,
            "note": None if fai else "samtools faidx refuses this text",
        },
    }


def length_report(lengths: list[int]) -> dict[str, Any]:
    total = sum(lengths)
    n50, l50 = length_and_rank_at(50, lengths)
    n90, l90 = length_and_rank_at(90, lengths)
    return {
        "count": len(lengths),
        "length": total,
        "longest": max(lengths, default=None),
        "shortest": min(lengths, default=None),
        "mean": ratio(total, len(lengths)),
        **{
            name: quartile(lengths, quarter)
            for quarter, name in enumerate(("q1", "median", "q3"), 1)
        },
        "N50": n50,
        "L50": l50,
        "N90": n90,
        "L90": l90,
        "auN": ratio(sum(length * length for length in lengths), total),
        **dict.fromkeys(("NG50", "LG50", "NG90", "LG90", "auNG")),
    }


def quartile(lengths: list[int], quarter: int) -> float | None:
    """Linear between ranks, as R's type 7."""
    if not lengths:
        return None
    ordered = sorted(lengths)
    rank = Fraction((len(ordered) - 1) * quarter, 4)
    below = ordered[int(rank)]
    above = ordered[min(int(rank) + 1, len(ordered) - 1)]
    value = below + (rank - int(rank)) * (above - below)
    return ratio(value.numerator, value.denominator)


def length_and_rank_at(percent: int, lengths: list[int]) -> tuple[int | None, int | None]:
    """The longest sequences that hold so many percent of all: the last one's length and rank."""
    total = sum(lengths)
    so_far = 0
    for rank, length in enumerate(sorted(lengths, reverse=True), 1):
        so_far += length
        if total > 0 and 100 * so_far >= percent * total:
            return length, rank
    return None, None


def kmer_report(counts: Counter[str], k: int, *, canonical: bool) -> dict[str, Any]:
    palindromes = 4 ** (k // 2) if k % 2 == 0 else 0
    observed = sorted(counts.items())  # and sorted() keeps this order among ties
    return {
        "k": k,
        "canonical": canonical,
        "total": counts.total(),
        "distinct": len(counts),
        "possible": (4**k + palindromes) // 2 if canonical else 4**k,
        "singletons": sum(count == 1 for count in counts.values()),
        "max": max(counts.values(), default=0),
        "spectrum": [list(row) for row in sorted(Counter(counts.values()).items())],
        "top": [list(row) for row in sorted(observed, key=lambda row: -row[1])[:10]],
        "bottom": [list(row) for row in sorted(observed, key=lambda row: row[1])[:10]],
        "table": f"kmers.k{k}.tsv",
    }


def count_kmers(records: list[Record], k: int, *, canonical: bool) -> Counter[str]:
    """Every window of k bases of every run of A, C, G, T."""
    given: Counter[str] = Counter()
    for record in records:
        for run in re.findall("[ACGT]+", record.residues.decode("ascii").upper()):
            given.update(run[start : start + k] for start in range(len(run) - k + 1))
    if not canonical:
        return given
    folded: Counter[str] = Counter()
    for kmer, count in given.items():
        folded[min(kmer, kmer.translate(COMPLEMENT)[::-1])] += count
    return folded


# --- the tables -------------------------------------------------------------------------------


def gaps_of(record: Record) -> Iterator[tuple[int, int]]:
    return (match.span() for match in re.finditer(b"[Nn]+", record.residues))


def gap_rows(records: list[Record]) -> bytes:
    return b"".join(
        b"%b\t%d\t%d\n" % (record.name, start_base, end_base)
        for record in records
        for start_base, end_base in gaps_of(record)
    )


def sequence_rows(records: list[Record]) -> bytes:
    rows = [
        "name length A C G T N other lowercase gc_percent start_byte U".replace(" ", "\t").encode()
    ]
    for record in records:
        residues = record.residues.decode("ascii")
        a, c, g, t, n, u = (residues.upper().count(residue) for residue in "ACGTNU")
        length = len(residues)
        lowercase = sum(residue.islower() for residue in residues)
        acgtu = a + c + g + t + u
        gc_percent = three_decimals(Fraction(100 * (g + c), acgtu)) if acgtu else ""
        cells = (length, a, c, g, t, n, length - a - c - g - t - n, lowercase, gc_percent)
        rows.append(
            b"\t".join(
                [record.name, *(str(cell).encode() for cell in (*cells, record.start_byte, u))]
            )
        )
    return b"".join(row + b"\n" for row in rows)


def three_decimals(value: Fraction) -> str:
    thousandths = round(value * 1000)
    return f"{thousandths // 1000}.{thousandths % 1000:03d}"


# --- samtools faidx ---------------------------------------------------------------------------


@dataclass
class Indexed:
    """A record as samtools faidx sees it."""

    name: bytes
    offset_byte: int
    length: int = 0
    line_bases: int = 0
    line_width: int = 0  # with its LF; 0 while it has no sequence line


def faidx(text: bytes) -> Fai | None:
    """What `samtools faidx` 1.16 writes for this text; None where it refuses.

    To it a comment is a sequence line. After an empty line, or one shorter than the record's first,
    only empty lines and the next header may follow; before the first header, only empty lines.
    """
    records: list[Indexed] = []
    only_a_header_may_follow = True
    start_byte = 0
    pieces = text.split(b"\n")
    for number, line in enumerate(pieces, 1):
        has_line_feed = number < len(pieces)
        next_byte = start_byte + len(line) + 1
        if line.startswith(b">"):
            if not has_line_feed and line != b">":
                return None  # the last record has no sequence
            if not has_line_feed:
                # A `>` as the text's very last byte goes unseen: the record before it is the last.
                return index(records, unseen=1)
            records.append(Indexed(name_of(line), next_byte))
            only_a_header_may_follow = False
        elif only_a_header_may_follow:
            if line not in ((b"", b"\r") if has_line_feed else (b"",)):
                return None
        elif line == b"":
            only_a_header_may_follow = True
        else:
            record = records[-1]
            width = len(line) + 1  # a missing last line feed is counted too
            bases = sum(0x21 <= byte <= 0x7E for byte in line)
            if record.line_width == 0:
                record.line_width, record.line_bases = width, bases
            if width > record.line_width:
                return None
            only_a_header_may_follow = width < record.line_width
            record.length += bases
        start_byte = next_byte
    return index(records, unseen=0)


def index(records: list[Indexed], *, unseen: int) -> Fai | None:
    """The rows: none for a record without sequence lines, nor for a name that came before."""
    if not records or records[-1].line_width == 0:
        return None
    rows: dict[bytes, bytes] = {}
    with_lines = [record for record in records if record.line_width]
    for record in with_lines:
        row = b"%b\t%d\t%d\t%d\t%d\n" % (
            record.name,
            record.length,
            record.offset_byte,
            record.line_bases % 2**32,  # samtools keeps 32 bits of these two
            record.line_width % 2**32,
        )
        rows.setdefault(record.name, row)
    return Fai(
        text=b"".join(rows.values()),
        records=len(rows),
        empty_left_out=len(records) - len(with_lines) + unseen,
        repeated_left_out=len(with_lines) - len(rows),
    )
