"""The calls of the documentation read every table as it is, whatever the names are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / ".venv-tables" / "bin" / "python"
FANFOLD = Path(sys.executable).with_name("fanfold")

NAMES = [
    *('quo"te', '"both"', '"open', "it's", "'", "#hash", "a,b", "back\\slash", "\\N", "=1+1"),
    *("NA", "nan", "null", "TRUE", "007", "1e5", ""),
]
"""What readers take for a quote, a comment, nothing, or a number."""

COLUMNS = {
    "sequences": ["name", "length", "A", "N", "gc_percent", "start_byte"],
    "gaps": ["name", "start", "end"],
    "nx": ["x", "sequences_N", "sequences_L", "sequences_NG"],
    "summary": ["file", "state", "length", "N50", "error"],
}
TEXT = {"name", "file", "state", "error"}

Cell = str | float | None
Rows = list[list[Cell]]

# What follows the calls of the documentation: each prints its tables as JSON.
SHOWN = {
    "pandas": """
import json, sys
tables = {"sequences": sequences, "gaps": gaps, "nx": nx, "summary": summary}
columns = json.loads(sys.argv[1])
found = {name: table[columns[name]].to_json(orient="values") for name, table in tables.items()}
print(json.dumps({name: json.loads(rows) for name, rows in found.items()}))
""",
    "polars": """
import json, sys
tables = {"sequences": sequences, "gaps": gaps, "nx": nx, "summary": summary}
columns = json.loads(sys.argv[1])
found = {name: table.select(columns[name]).rows() for name, table in tables.items()}
print(json.dumps(found))
""",
    "duckdb": """
import json, sys
tables = {"sequences": sequences, "gaps": gaps, "nx": nx, "summary": summary}
columns = json.loads(sys.argv[1])
chosen = {name: ", ".join(f'"{column}"' for column in columns[name]) for name in tables}
found = {name: table.project(chosen[name]).fetchall() for name, table in tables.items()}
print(json.dumps(found))
""",
}
SHOWN_BY_R = """
show <- function(file, table, columns)
  write.table(table[columns], file, sep = "\\t", na = "", quote = FALSE, row.names = FALSE,
              col.names = FALSE)
"""


def calls(language: str, of: str) -> str:
    """The code of docs/outputs.md that calls a tool."""
    document = (ROOT / "docs" / "outputs.md").read_text()
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    (code,) = (block for block in blocks if of in block and "import fanfold" not in block)
    return str(code)


def cell(column: str, text: str) -> Cell:
    if column in TEXT:
        return text
    return float(text) if text else None


def rows(text: str, columns: list[str], header: list[str]) -> Rows:
    """The chosen columns of lines, split at their tabs."""
    lines = [dict(zip(header, line.split("\t"), strict=True)) for line in text.splitlines()]
    return [[cell(column, line[column]) for column in columns] for line in lines]


def truth(folder: Path) -> dict[str, Rows]:
    """The tables, read by splitting them at tabs and line ends."""
    found = {}
    for name in ("sequences", "nx", "summary"):
        header, _, body = (folder / f"{name}.tsv").read_text().partition("\n")
        found[name] = rows(body, COLUMNS[name], header.split("\t"))
    found["gaps"] = rows((folder / "gaps.bed").read_text(), COLUMNS["gaps"], COLUMNS["gaps"])
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of a genome with these names, and of several, of which one failed."""
    work = tmp_path_factory.mktemp("tables")
    records = [f">{name}\nACGTNNAC\n" for name in NAMES]
    # The first hundred rows, which many readers judge by, have no number for GC %.
    unknown = [f">unknown{number}\nNNNN\n" for number in range(150)]
    genome = work / 'a"b.fa'
    genome.write_text("".join([*unknown, *records]))
    done = subprocess.run(
        [FANFOLD, "run", str(genome), 'no"such.fa', "--out", "many", "--quiet"],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 9, done.stderr
    results = work / "many" / genome.name
    shutil.copy(work / "many" / "summary.tsv", results)
    return results


def read_by_python(tool: str, folder: Path) -> dict[str, Rows]:
    if not TOOLS.exists():
        pytest.skip(f"*** LEFT OUT: READING TABLES BY {tool}: it takes {TOOLS}; see make test")
    code = calls("python", f"import {tool}") + SHOWN[tool]
    done = subprocess.run(
        [TOOLS, "-W", "error", "-c", code, json.dumps(COLUMNS)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    # An error that isn't there is empty in the file; a reader may take it for a missing value.
    error = COLUMNS["summary"].index("error")
    for row in found["summary"]:
        row[error] = row[error] or ""
    return found


def read_by_r(folder: Path, out: Path) -> dict[str, Rows]:
    if shutil.which("Rscript") is None:
        pytest.skip("*** LEFT OUT: READING TABLES BY R: no Rscript is here")
    code = calls("r", "read.delim") + SHOWN_BY_R
    for name, columns in COLUMNS.items():
        quoted = ", ".join(f'"{column}"' for column in columns)
        code += f'show("{out}/{name}", {name}, c({quoted}))\n'
    script = out / "read.R"
    # A warning is an error.
    script.write_text("options(warn = 2)\n" + code)
    done = subprocess.run(
        ["Rscript", "--vanilla", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name: rows((out / name).read_text(), COLUMNS[name], COLUMNS[name]) for name in COLUMNS}


@pytest.mark.parametrize("tool", SHOWN)
def test_a_python_package_reads_every_table_as_it_is(tool: str, folder: Path) -> None:
    assert read_by_python(tool, folder) == truth(folder)


def test_r_reads_every_table_as_it_is(folder: Path, tmp_path: Path) -> None:
    assert read_by_r(folder, tmp_path) == truth(folder)


def test_the_tables_hold_what_they_are_read_for(folder: Path) -> None:
    found = truth(folder)

    named = [row[0] for row in found["sequences"]][150:]
    assert named == NAMES
    assert [row[0] for row in found["gaps"]][150:] == NAMES
    assert {row[4] for row in found["sequences"]} == {None, 50.0}
    assert {row[3] for row in found["nx"]} == {None}
    assert [row[0] for row in found["summary"]] == ['a"b.fa', 'no"such.fa']
    assert found["summary"][1][2] is None, "one that failed has no length"


@pytest.mark.parametrize("tool", [*SHOWN, "R"])
def test_a_table_without_gaps_is_read_too(tool: str, folder: Path, tmp_path: Path) -> None:
    results = shutil.copytree(folder, tmp_path / "results")
    (results / "gaps.bed").write_bytes(b"")

    if tool == "R":
        assert read_by_r(results, tmp_path)["gaps"] == []
    else:
        assert read_by_python(tool, results)["gaps"] == []
