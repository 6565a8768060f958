"""Parts of k-mer tables: the Parquet readers that people use see the rows that were written."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from array import array
from pathlib import Path
from typing import Any

import pytest

from fanfold import _kernel

TOOLS = Path(__file__).parents[1] / ".venv-tables" / "bin" / "python"

PAGE_ROWS = 1 << 14
GROUP_ROWS = 1 << 20
HIGH = 1 << 63
"""Codes from here on are negative to a reader that takes them for signed."""

Rows = tuple["array[int]", "array[int]"]

CASES = {
    "empty": (31, 0),
    "one-row": (31, 1),
    "page": (21, PAGE_ROWS),
    "page-and-a-row": (31, PAGE_ROWS + 1),
    "group": (32, GROUP_ROWS),
    "group-and-a-row": (32, GROUP_ROWS + 1),
    "all-9-mers": (9, 1 << 18),
    "many-counts": (12, 70_000),
}

# Each reads the files that it is given as `paths`, and fills `found`: the types of both columns, a
# digest of each, and the rows with codes from `low` to `high` and counts from 2.
READERS = {
    "pyarrow": """
import pyarrow, pyarrow.parquet as pq
# A plain number is signed to pyarrow, which then can't compare it with 2^63 and above.
low, high, two = (pyarrow.scalar(number, pyarrow.uint64()) for number in (low, high, 2))
for name, path in paths.items():
    table = pq.read_table(path, page_checksum_verification=True)
    chosen = pq.read_table(
        path, filters=[("kmer", ">=", low), ("kmer", "<=", high), ("count", ">=", two)]
    )
    types = [str(column.type) for column in table.columns]
    show(name, types, *(column.to_numpy() for column in table.columns), chosen.to_pylist())
""",
    "pandas": """
import pandas
for name, path in paths.items():
    table = pandas.read_parquet(path)
    chosen = table[(table["kmer"] >= low) & (table["kmer"] <= high) & (table["count"] >= 2)]
    types = [str(table[column].dtype) for column in table]
    rows = chosen.to_dict("records")
    show(name, types, table["kmer"].to_numpy(), table["count"].to_numpy(), rows)
""",
    "polars": """
import polars
for name, path in paths.items():
    table = polars.read_parquet(path)
    chosen = polars.scan_parquet(path).filter(
        polars.col("kmer").is_between(low, high), polars.col("count") >= 2
    ).collect()
    types = [str(dtype).lower() for dtype in table.dtypes]
    show(name, types, table["kmer"].to_numpy(), table["count"].to_numpy(), chosen.to_dicts())
""",
    "duckdb": """
import duckdb
for name, path in paths.items():
    table = duckdb.sql(f"from '{path}'")
    chosen = duckdb.sql(
        f"from '{path}' where kmer between {low} and {high} and count >= 2 order by kmer"
    ).fetchall()
    types = [{"UBIGINT": "uint64"}.get(str(dtype), str(dtype)) for dtype in table.types]
    columns = table.fetchnumpy()
    rows = [{"kmer": kmer, "count": count} for kmer, count in chosen]
    show(name, types, columns["kmer"], columns["count"], rows)
""",
}
SHOWN = """
import hashlib, json, sys
paths, low, high = json.loads(sys.argv[1])
found = {}
def show(name, types, codes, counts, rows):
    digests = [hashlib.sha256(column.astype("uint64").tobytes()).hexdigest()
               for column in (codes, counts)]
    found[name] = [types, digests, [[int(row["kmer"]), int(row["count"])] for row in rows]]
"""


def rows_of(k: int, count: int) -> Rows:
    """Rows from code 0 to 4^k - 1, most with a count of 1; some counts need 64 bits."""
    most = 4**k - 1
    step = most // max(count - 1, 1)
    codes = [row * step for row in range(count)]
    if count > 1:
        codes[-1] = most
    counts = [1 + row if k == 12 else 1 + (row % 97 == 5) for row in range(count)]
    if counts and k == 32:
        counts[7], counts[-2] = HIGH, 2 * HIGH - 1
    return array("Q", codes), array("Q", counts)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Rows]]:
    """The part of each case, and the rows that were written."""
    folder = tmp_path_factory.mktemp("parts")
    made = {}
    for name, (k, count) in CASES.items():
        path, rows = folder / f"{name}.parquet", rows_of(k, count)
        _kernel.write_kmer_part(path, k, True, *rows)
        made[name] = (path, rows)
    return made


def run(tool: str, code: str, argument: object) -> Any:
    """What a program prints in the environment of the readers."""
    if (
        not TOOLS.exists()
        or subprocess.run([TOOLS, "-c", f"import {tool}"], check=False).returncode
    ):
        pytest.skip(f"*** LEFT OUT: READING K-MERS BY {tool}: it takes {TOOLS}; see make test")
    done = subprocess.run(
        [TOOLS, "-W", "error", "-c", code, json.dumps(argument)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("tool", READERS)
def test_readers_see_the_rows_that_were_written(
    tool: str, parts: dict[str, tuple[Path, Rows]]
) -> None:
    low, high = HIGH, HIGH + (1 << 58)
    paths = {name: str(path) for name, (path, _) in parts.items()}
    code = f"{SHOWN}{READERS[tool]}\nprint(json.dumps(found))"

    found = run(tool, code, [paths, low, high])

    chosen_rows = 0
    for name, (_, (codes, counts)) in parts.items():
        types, digests, chosen = found[name]
        assert types == ["uint64", "uint64"], name
        assert digests == [hashlib.sha256(column).hexdigest() for column in (codes, counts)], name
        both = zip(codes, counts, strict=True)
        assert chosen == [[c, n] for c, n in both if low <= c <= high and n >= 2], name
        chosen_rows += len(chosen)
    assert chosen_rows > 100


def test_pyarrow_sees_the_metadata_and_unsigned_statistics(
    parts: dict[str, tuple[Path, Rows]],
) -> None:
    code = """
import json, sys
import pyarrow, pyarrow.dataset as ds, pyarrow.parquet as pq
path = json.loads(sys.argv[1])
file = pq.ParquetFile(path)
meta = file.metadata
columns = [meta.row_group(0).column(index) for index in range(2)]
field = ds.field("kmer")
(fragment,) = ds.dataset(path).get_fragments()
code = lambda number: pyarrow.scalar(number, pyarrow.uint64())
groups = lambda chosen: [group.id for part in fragment.split_by_row_group(chosen)
                         for group in part.row_groups]
print(json.dumps({
    "created_by": meta.created_by,
    "entries": {key.decode(): value.decode() for key, value in meta.metadata.items()},
    "group_rows": [meta.row_group(index).num_rows for index in range(meta.num_row_groups)],
    "names": [column.path_in_schema for column in columns],
    "codecs": [column.compression for column in columns],
    "bounds": [[column.statistics.min, column.statistics.max] for column in columns],
    "indexes": [column.has_column_index and column.has_offset_index for column in columns],
    "sorting": [[order.column_index, order.descending]
                for order in meta.row_group(0).sorting_columns],
    "optional": [file.schema.column(index).max_definition_level for index in range(2)],
    "last": groups(field == code(2**64 - 1)),
    "first": groups(field < code(2**63)),
}))
"""
    path, (codes, counts) = parts["group-and-a-row"]

    found = run("pyarrow", code, str(path))

    checksum = found["entries"].pop("fanfold.tail_crc64nvme")
    assert len(bytes.fromhex(checksum)) == 8
    assert found == {
        "created_by": "fanfold version 1",
        "entries": {
            "fanfold.format": "1",
            "fanfold.k": "32",
            "fanfold.canonical": "true",
            "fanfold.encoding": (
                "2 bits a base, A=0 C=1 G=2 T=3, the first base in the highest bits"
            ),
        },
        "group_rows": [GROUP_ROWS, 1],
        "names": ["kmer", "count"],
        "codecs": ["UNCOMPRESSED", "ZSTD"],
        "bounds": [[0, codes[-2]], [1, max(counts)]],
        "indexes": [True, True],
        "sorting": [[0, False]],
        "optional": [0, 0],
        "last": [1],
        "first": [0],
    }


def test_the_kernel_reads_what_it_wrote(parts: dict[str, tuple[Path, Rows]]) -> None:
    for name, (path, (codes, counts)) in parts.items():
        found = _kernel.read_kmer_part(path)
        assert found == {
            "k": CASES[name][0],
            "canonical": True,
            "rows": len(codes),
            "first_code": codes[0] if codes else None,
            "last_code": codes[-1] if codes else None,
            "codes": codes.tobytes(),
            "counts": counts.tobytes(),
        }


def test_writing_tells_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"

    facts = _kernel.write_kmer_part(
        path, 32, False, array("Q", [0, 2 * HIGH - 1]), array("Q", [HIGH, HIGH])
    )

    assert facts == {
        "rows": 2,
        "total": 2 * HIGH,
        "first_code": 0,
        "last_code": 2 * HIGH - 1,
        "size_bytes": path.stat().st_size,
    }
    assert _kernel.read_kmer_part(path)["canonical"] is False


def opened(path: Path) -> _kernel.KmerPart:
    """A part of which ranges are read."""
    data = path.read_bytes()
    return _kernel.KmerPart(lambda start, end: data[start:end], len(data))


def test_parts_are_read_group_by_group(parts: dict[str, tuple[Path, Rows]]) -> None:
    for name, (path, (codes, counts)) in parts.items():
        part = opened(path)
        groups = [part.read_group(index) for index in range(part.groups)]
        assert (part.k, part.canonical, part.rows) == (CASES[name][0], True, len(codes))
        assert part.first_code == (codes[0] if codes else None)
        assert part.last_code == (codes[-1] if codes else None)
        assert b"".join(group[0] for group in groups) == codes.tobytes()
        assert b"".join(group[1] for group in groups) == counts.tobytes()
        assert part.groups == -(-len(codes) // GROUP_ROWS)
        with pytest.raises(IndexError, match="no row group"):
            part.read_group(part.groups)


def test_counts_are_looked_up_by_code(parts: dict[str, tuple[Path, Rows]]) -> None:
    path, (codes, counts) = parts["group-and-a-row"]
    chosen = [0, 7, 8, GROUP_ROWS - 1, GROUP_ROWS]
    asked = sorted([*(codes[row] for row in chosen), 1, codes[8] + 1])

    found = array("Q", opened(path).get(array("Q", asked)))

    known = {codes[row]: counts[row] for row in chosen}
    assert list(found) == [known.get(code, 0) for code in asked]


def test_of_a_part_only_the_pages_that_may_hold_a_code_are_read(tmp_path: Path) -> None:
    path, chance = tmp_path / "part.parquet", random.Random(5)
    codes = array("Q", sorted({chance.getrandbits(64) for _ in range(20 * PAGE_ROWS)}))
    _kernel.write_kmer_part(path, 32, False, codes, array("Q", [1]) * len(codes))
    data, ranges = path.read_bytes(), []

    def read(start_byte: int, end_byte: int) -> bytes:
        ranges.append((start_byte, end_byte))
        return data[start_byte:end_byte]

    part = _kernel.KmerPart(read, len(data))
    ranges.clear()
    counts = array("Q", part.get(codes[-3:]))

    assert list(counts) == [1, 1, 1]
    assert len(ranges) == 3  # codes, dictionary, counts
    assert sum(end - start for start, end in ranges) < len(data) // 10


def test_what_goes_wrong_while_a_part_is_read_is_passed_on(
    parts: dict[str, tuple[Path, Rows]],
) -> None:
    path, _ = parts["page"]
    data = path.read_bytes()

    def gone(*_: int) -> bytes:
        raise FileNotFoundError("gone")

    with pytest.raises(FileNotFoundError, match="gone"):
        _kernel.KmerPart(gone, len(data))
    with pytest.raises(TypeError):
        _kernel.KmerPart(lambda *_: "text", len(data))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cut off"):
        _kernel.KmerPart(lambda start, end: data[start : end - 1], len(data))


def test_what_is_no_part_is_refused(parts: dict[str, tuple[Path, Rows]], tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    whole = parts["page"][0].read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    with pytest.raises(ValueError, match="not a part of a k-mer table: a file that is not Parquet"):
        _kernel.read_kmer_part(path)
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    with pytest.raises(ValueError, match="a page whose bytes don't match its checksum"):
        _kernel.read_kmer_part(path)
    with pytest.raises(ValueError, match="a page whose bytes don't match its checksum"):
        opened(path).read_group(0)
    with pytest.raises(FileNotFoundError):
        _kernel.read_kmer_part(tmp_path / "absent")
    with pytest.raises(ValueError, match="must be sorted"):
        opened(parts["page"][0]).get(array("Q", [2, 1]))
    with pytest.raises(ValueError, match="must ascend, but 1 follows 2"):
        _kernel.write_kmer_part(path, 9, True, array("Q", [2, 1]), array("Q", [1, 1]))
