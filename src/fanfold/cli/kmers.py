"""`fanfold kmers`: the tables of k-mers of a finished run."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from fanfold.checked_json import encode_indented
from fanfold.cli.options import FILE, FOLDER, STORAGE
from fanfold.cli.streams import show, show_cells, show_json, show_path
from fanfold.cli.tables import Rows, ScreenRows, TsvRows
from fanfold.cli.telling import in_rows
from fanfold.errors import OutputError, SourceError
from fanfold.kmers.finished import all_kmers, open_kmers
from fanfold.kmers.table import MOST_TOP
from fanfold.objects import STDIN, open_place, split_location
from fanfold.objects.local import reason
from fanfold.params import MAX_K
from fanfold.shown import escaped

_Command = TypeVar("_Command", bound=Callable[..., Any])

_COUNT = click.IntRange(min=1)

_AT_ONCE = 1 << 20
"""So many k-mers are looked up together: each look may go through all of a table."""

_LINE_BYTES = 1024
"""The most of a line that is taken at once; no k-mer is so long."""

_K = click.option(
    "-k",
    "k",
    type=click.IntRange(1, MAX_K),
    metavar="N",
    help="The length of the k-mers.  [default: that of the only table]",
)


def _of_a_table(command: _Command) -> _Command:
    """Have a command take the folder of a report, and a k."""
    return click.argument("folder", type=FOLDER, metavar="DIR")(_K(command))


@click.group()
def kmers() -> None:
    """Look into the tables of k-mers of a finished run.

    DIR is what --out of the run was: a folder or a URL. The genome is not needed. A table is read
    piece by piece, in little memory, and proven as far as it is read. Where a k-mer and its reverse
    complement were counted as one (--canonical), either may be asked for, and the smaller one is
    shown in tables.
    """


@kmers.command("list")
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("--tsv", "as_tsv", is_flag=True, help="Print a TSV table.")
@STORAGE
def list_(*, folder: str, as_tsv: bool) -> None:
    """List the tables in DIR: k, strand, k-mers and size."""
    tables = all_kmers(folder)
    columns = ["k", "strand", "distinct", "total", "size_bytes"]
    rows: Rows = (
        TsvRows(columns) if as_tsv else ScreenRows(columns, [str(each.k) for each in tables])
    )
    for table in tables:
        rows.add(
            {
                "k": str(table.k),
                "strand": "canonical" if table.canonical else "given",
                "distinct": table.distinct,
                "total": table.total,
                "size_bytes": table.size_bytes,
            }
        )
    rows.end()


@kmers.command()
@_of_a_table
@click.option("--min", "least", type=_COUNT, default=1, metavar="N", help="Leave rarer ones out.")
@click.option("--max", "most", type=_COUNT, metavar="N", help="Leave more frequent ones out.")
@click.option(
    "--out",
    "-o",
    type=FILE,
    default=STDIN,
    metavar="FILE",
    help="The file to write, which must not be there yet; one called .gz is compressed."
    "  [default: standard output]",
)
@click.option(
    "--fasta", "is_fasta", is_flag=True, help="Write FASTA: the count is the name of the k-mer."
)
@STORAGE
def dump(
    *, folder: str, k: int | None, least: int, most: int | None, out: str, is_fasta: bool
) -> None:
    """Write all k-mers with their counts, sorted.

    A line is a k-mer, a tab, and its count. --fasta writes records such as jellyfish dump does.
    The file appears whole or not at all.
    """
    if most is not None and most < least:
        raise click.UsageError("--max is less than --min")
    text = open_kmers(folder, k).text(fasta=is_fasta, least=least, most=most)
    if out == STDIN:  # a dash is either stream
        for piece in text:
            sys.stdout.buffer.write(piece)
        return
    where, name = split_location(out)
    place = open_place(where)
    if place.kinds([name]):
        raise OutputError(f"{place.where(name)}: in the way; remove it, or give another --out")
    with place.writing(name) as file, _packed(file, name) as packed:
        for piece in text:
            packed.write(piece)
    show_path(place.where(name))


def _packed(file: BinaryIO, name: str) -> Any:
    """The file, or what packs what is written to it; the same bytes at any time."""
    if not name.endswith(".gz"):
        return nullcontext(file)
    from isal.igzip import IGzipFile  # noqa: PLC0415 - for packed dumps alone

    return IGzipFile("", "wb", fileobj=file, mtime=0)  # type: ignore[no-untyped-call]


@kmers.command()
@_of_a_table
@click.argument("given", nargs=-1, metavar="[KMER]...")
@click.option(
    "--from",
    "list_path",
    type=FILE,
    metavar="FILE",
    help="More k-mers, one a line, after the arguments; - is standard input.",
)
@STORAGE
def get(*, folder: str, given: tuple[str, ...], k: int | None, list_path: str | None) -> None:
    """Print the count of each KMER, in the order given; 0 for one that is not there."""
    if not given and list_path is None:
        raise click.UsageError("Missing argument 'KMER...'.")
    table = open_kmers(folder, k)
    asked = itertools.chain(given, () if list_path is None else _listed(list_path))
    while some := [*itertools.islice(asked, _AT_ONCE)]:
        _show_counts(zip(some, table.get(some), strict=True))


@kmers.command()
@_of_a_table
@STORAGE
def hist(*, folder: str, k: int | None) -> None:
    """Print the spectrum: how many k-mers have each count.

    A line is a count, a tab, and how many different k-mers have it: what GenomeScope 2 reads.
    """
    for row in open_kmers(folder, k).hist():
        show_cells([*map(str, row)])


@kmers.command()
@_of_a_table
@click.option(
    "-n",
    "n",
    type=click.IntRange(1, MOST_TOP),
    default=10,
    metavar="N",
    help="How many.  [default: 10]",
)
@STORAGE
def top(*, folder: str, k: int | None, n: int) -> None:
    """Print the most frequent k-mers with their counts; of equals the first by letters."""
    _show_counts(open_kmers(folder, k).top(n))


@kmers.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.argument("other", type=FOLDER, metavar="DIR")
@_K
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@STORAGE
def compare(*, folder: str, other: str, k: int | None, as_json: bool) -> None:
    """Compare the k-mers of two runs: A, the first DIR, and B, the second.

    Prints how many k-mers both have, how many A or B alone, their Jaccard index, how much of each
    is contained in the other, and the cosine of their counts. Both tables are read once.
    """
    found = open_kmers(folder, k).overlap(open_kmers(other, k))
    if as_json:
        show_json(encode_indented(found))
        return

    def ratio(value: float | None) -> str:
        return "none" if value is None else f"{value:.6f}"

    show(
        *in_rows(
            [
                ("k-mers", f"{'canonical ' if found.canonical else ''}{found.k}-mers"),
                ("shared", f"{found.shared:,}"),
                ("only in A", f"{found.only_a:,}"),
                ("only in B", f"{found.only_b:,}"),
                ("Jaccard", ratio(found.jaccard)),
                ("of A in B", ratio(found.containment_of_a)),
                ("of B in A", ratio(found.containment_of_b)),
                ("cosine", ratio(found.cosine)),
            ]
        )
    )


def _show_counts(rows: Iterable[tuple[str, int]]) -> None:
    """Print k-mers, whose letters are known to be some, and their counts."""
    sys.stdout.write("".join(f"{kmer}\t{count}\n" for kmer, count in rows))


def _listed(path: str) -> Iterator[str]:
    """The k-mers of a list, one a line; empty lines are passed over."""
    told = "standard input" if path == STDIN else escaped(path)
    try:
        with nullcontext(sys.stdin.buffer) if path == STDIN else Path(path).open("rb") as file:
            while line := file.readline(_LINE_BYTES):
                if kmer := line.decode("ascii", "backslashreplace").strip():
                    yield kmer
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        said = reason(error) if isinstance(error, OSError) else str(error)
        raise SourceError(f"{told}: can't be read: {said}; check its path") from error
