"""`nx.tsv`: N(x), L(x), NG(x) and LG(x) for x from 1 to 100 per cent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fanfold.report.survey import Step, Survey, step_at

_COLUMNS = (
    "x",
    *(f"sequences_{each}" for each in ("N", "L", "NG", "LG")),
    *(f"contigs_{each}" for each in ("N", "L", "NG", "LG")),
)

_N_COLUMN = _COLUMNS.index("sequences_N")


def nx_table(survey: Survey) -> bytes:
    """The bytes of `nx.tsv`; a value that isn't there is empty."""
    sets = (survey.records, survey.contigs)

    def cells(per_cent: int) -> Iterator[str]:
        yield str(per_cent)
        for lengths in sets:
            yield from _cells(lengths.steps, per_cent)
            yield from _cells(lengths.ng_steps, per_cent)

    rows = [_COLUMNS, *(tuple(cells(per_cent)) for per_cent in range(1, 101))]
    return "".join("\t".join(row) + "\n" for row in rows).encode()


def read_nx(data: bytes) -> list[int]:
    """N(1) to N(100) of the records in an `nx.tsv`; empty where they have no residues.

    Raises:
        ValueError: it is none.
    """
    header, *rows = (line.split("\t") for line in data.decode().splitlines())
    if tuple(header) != _COLUMNS or [row[0] for row in rows] != [str(x) for x in range(1, 101)]:
        raise ValueError("no table of N(x)")
    cells = [row[_N_COLUMN] for row in rows if len(row) == len(_COLUMNS)]
    if not any(cells):
        return []
    nx = [int(cell) for cell in cells]
    if len(nx) != len(rows) or not all(0 < n < 2**63 for n in nx):
        raise ValueError("N(x) that can't be")
    return nx


def _cells(steps: Sequence[Step | None], per_cent: int) -> tuple[str, str]:
    step = step_at(steps, per_cent)
    return ("", "") if step is None else (str(step.n), str(step.l))
