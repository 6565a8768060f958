"""The records and the runs of N of a report, as other programs see them in a stream of Arrow."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from servers.s3 import s3_server

import fanfold
from fanfold.errors import PlanError
from fanfold.objects import open_place
from fanfold.report.row_stream import sequences_of

TOOLS = {
    "newest": Path(__file__).parents[1] / ".venv-tables/bin/python",
    "oldest": Path(__file__).parents[1] / ".venv-tables-oldest/bin/python",
}

HARD = (
    b'>NA one\nACGTNNNNacgtNNAC\n>\nNNNN\n>"quoted",\nACGU\n>none\n>\xff\xc3\xa9\\x\nGGCC\n'
    b">007\n" + b"ACGTACGTNN" * 500 + b"\n"
)
MANY = b"".join(b">record %d of many\nACGTN\n" % index for index in range(60_000))
"""Its table is read in many blocks."""

PATHS = [sysconfig.get_path("purelib"), str(Path(fanfold.__file__ or "").parents[1])]
BEHIND = """
import json, sys
sys.path += json.loads(sys.argv[2])  # behind those of this environment
"""
OPENED = f"""{BEHIND}
import fanfold
report = fanfold.run(sys.argv[1] + "/x.fa", out=sys.argv[1])
sequences, gaps = report.sequences(), report.gaps()
"""
READ = {
    "pyarrow": """
import pyarrow
read = [pyarrow.table(table) for table in (sequences, gaps) * 2]
for each in read:
    each.validate(full=True)
assert [field.name for field in read[0].schema if field.nullable] == ["gc_percent"]
found = [list(zip(*each.to_pydict().values())) for each in read]
""",
    "pandas": """
import pandas
if hasattr(pandas.DataFrame, "from_arrow"):
    frame = pandas.DataFrame.from_arrow
else:
    import pyarrow
    frame = lambda table: pyarrow.table(table).to_pandas()
read = [frame(table) for table in (sequences, gaps) * 2]
found = [
    [[None if value != value else value for value in row] for row in each.values.tolist()]
    for each in read
]
""",
    "polars": """
import polars
read = [polars.DataFrame(table) for table in (sequences, gaps) * 2]
assert read[1].schema == {
    "name": polars.String, "start": polars.UInt64, "end": polars.UInt64
}
assert read[0].schema["gc_percent"] == polars.Float64
found = [each.rows() for each in read]
""",
    "duckdb": """
import duckdb
found = [duckdb.sql(f"from {name}").fetchall() for name in ("sequences", "gaps") * 2]
""",
}


def read_with(age: str, tool: str, code: str, out: str) -> subprocess.CompletedProcess[str]:
    return run_code(age, tool, OPENED + code, out)


def run_code(age: str, tool: str, code: str, place: str) -> subprocess.CompletedProcess[str]:
    python = TOOLS[age]
    has_tool: list[str | Path] = [python, "-c", f"import {tool}"]
    if not python.exists() or subprocess.run(has_tool, check=False).returncode:
        pytest.skip(f"*** LEFT OUT: ROWS AS ARROW IN THE {age} {tool}: it takes {python}")
    return subprocess.run(
        [python, "-c", code, place, json.dumps(PATHS)],
        cwd=None if "://" in place else place,
        capture_output=True,
        text=True,
        check=False,
    )


def report_of(data: bytes, out: Path) -> fanfold.Report:
    out.mkdir()
    (out / "x.fa").write_bytes(data)
    return fanfold.run(out / "x.fa", out=out)


def rows_of(path: Path, *, has_header: bool) -> list[list[Any]]:
    """The rows of a table, taken apart here."""
    rows = [line.split(b"\t") for line in path.read_bytes().split(b"\n")[:-1]]
    names = rows.pop(0) if has_header else [b"name", b"start", b"end"]

    def value(name: bytes, field: bytes) -> str | float | None:
        if name == b"name":
            return field.replace(b"\\", b"\\x5c").decode("utf-8", "backslashreplace")
        if name == b"gc_percent":
            return float(field) if field else None
        return int(field)

    return [[value(*each) for each in zip(names, row, strict=True)] for row in rows]


@pytest.mark.parametrize("age", TOOLS)
@pytest.mark.parametrize("tool", READ)
@pytest.mark.parametrize("data", [HARD, MANY, b">x\nACGT\n"], ids=["hard", "many", "no gaps"])
def test_rows_are_a_stream_again_and_again(
    data: bytes, tool: str, age: str, tmp_path: Path
) -> None:
    out = report_of(data, tmp_path / "out").out

    done = read_with(age, tool, f"{READ[tool]}\nprint(json.dumps(found))", str(out))

    assert done.returncode == 0, done.stderr
    sequences = rows_of(out / "sequences.tsv", has_header=True)
    gaps = rows_of(out / "gaps.bed", has_header=False)
    assert json.loads(done.stdout) == [sequences, gaps] * 2


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("path.write_bytes(data.replace(b'record', b'recorD'))", "not what was written; run again"),
        ("path.write_bytes(data[:data.rindex(b'record')])", "not what was written; run again"),
        ("path.write_bytes(data[:-3])", "not what was written; run again"),
        ("path.write_bytes(data.replace(b'ACGT', b'', 1) + b'x')", "not what was written"),
        ("path.write_bytes(data.replace(b'\\t5', b'\\tfive', 1))", "a line is not one of this"),
        ("path.unlink()", "gone; run again"),
    ],
)
def test_a_damaged_table_ends_the_stream_with_an_error(
    damage: str, said: str, tmp_path: Path
) -> None:
    out = report_of(MANY, tmp_path / "out").out
    code = f"""
import pathlib, pyarrow
path = pathlib.Path(sys.argv[1]) / "sequences.tsv"
data = path.read_bytes()
{damage}
pyarrow.table(sequences)
"""

    done = read_with("newest", "pyarrow", code, str(out))

    assert done.returncode != 0
    assert said in done.stderr.splitlines()[-1]


def test_the_rows_of_a_report_in_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(tmp_path / "s3") as server:
        server.create_bucket("bucket")
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        server.put("bucket", "out/x.fa", MANY)
        code = f"{READ['pyarrow']}\nprint(json.dumps(found))"

        done = read_with("newest", "pyarrow", code, "s3://bucket/out")

    assert done.returncode == 0, done.stderr
    here = report_of(MANY, tmp_path / "out").out
    sequences = rows_of(here / "sequences.tsv", has_header=True)
    gaps = rows_of(here / "gaps.bed", has_header=False)
    assert json.loads(done.stdout) == [sequences, gaps] * 2


def test_the_rows_of_another_report_are_refused(tmp_path: Path) -> None:
    before = report_of(HARD, tmp_path / "out")
    (before.out / "x.fa").write_bytes(b">other\nACGT\n")
    os.utime(before.out / "x.fa", ns=(1, 1))
    after = fanfold.run(before.out / "x.fa", out=before.out, fresh=True)

    for rows in (before.sequences, before.gaps):
        with pytest.raises(PlanError, match="another report is here by now"):
            rows()
    assert repr(after.gaps()) == f"<RowStream of '{after.out}/gaps.bed'>"
    assert after.gaps().columns == ("name", "start", "end")
    assert sequences_of(open_place(after.out), after.data).columns[-1] == "U"


@pytest.mark.parametrize("age", TOOLS)
def test_the_calls_of_the_documentation_read_rows(age: str, tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs/outputs.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (code,) = (block for block in blocks if "import fanfold" in block)
    (tmp_path / "genome.fa").write_bytes(HARD)

    done = run_code(age, "pyarrow", BEHIND + code, str(tmp_path))

    assert done.returncode == 0, done.stderr
    for shown in ("5000", "1000", "start_byte"):
        assert shown in done.stdout
