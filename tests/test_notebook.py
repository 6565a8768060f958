"""The example notebook runs from its folder, and shows the report."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import fanfold

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "notebook" / "report.ipynb"
PYTHON = ROOT / ".venv-notebook" / "bin" / "python"

RUN = """
import sys, nbformat
from nbclient import NotebookClient
source, result = sys.argv[1:]
notebook = nbformat.read(source, as_version=4)
NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=".")
nbformat.write(notebook, result)
"""

Outputs = list[dict[str, Any]]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outputs]:
    """The outputs of each cell that has code, by its id."""
    if not PYTHON.with_name("jupyter").exists():
        pytest.skip(f"*** LEFT OUT: THE EXAMPLE NOTEBOOK: it takes {PYTHON}; see make test")
    folder = tmp_path_factory.mktemp("notebook")
    result = folder / "run.ipynb"
    environment = os.environ | {
        "PYTHONPATH": str(Path(fanfold.__file__).parents[1]),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    done = subprocess.run(
        [PYTHON, "-c", RUN, NOTEBOOK, result],
        cwd=NOTEBOOK.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cells = json.loads(result.read_text())["cells"]
    return {cell["id"]: cell["outputs"] for cell in cells if cell["cell_type"] == "code"}


def printed(outputs: Outputs) -> str:
    return "".join(text(each["text"]) for each in outputs if each["output_type"] == "stream")


def text(stored: str | list[str]) -> str:
    """A text of a notebook, which may be stored by line."""
    return "".join(stored)


def test_no_cell_fails_or_warns(outputs: dict[str, Outputs]) -> None:
    found = [each for cell in outputs.values() for each in cell]

    assert not [each for each in found if each["output_type"] == "error"]
    assert not [each for each in found if each.get("name") == "stderr"]


def test_a_report_shows_its_numbers_and_its_plot(outputs: dict[str, Outputs]) -> None:
    (shown,) = outputs["run-ecoli"]

    html = text(shown["data"]["text/html"])
    assert "4,641,652 bases" in html
    assert "2,357,528 of 4,641,652 bases" in html
    assert "data:image/svg+xml;base64," in html


def test_numbers_views_and_plots_are_what_the_cells_say(outputs: dict[str, Outputs]) -> None:
    assert "50.791 % GC" in printed(outputs["numbers-ecoli"])
    (view,) = outputs["view-ecoli"]
    # auNG of one record: its length times itself by the genome size.
    aung = round(4_641_652**2 / 4_700_000, 3)
    assert text(view["data"]["text/plain"]) == f"(4641652, {aung})"
    (plot,) = outputs["plot-ecoli"]
    assert text(plot["data"]["image/svg+xml"]).startswith("<svg")
    many = printed(outputs["many-genomes"])
    assert "phiX174.fa: 5,386 bases" in many
    assert "failed" not in many


def test_no_outputs_are_stored() -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]

    assert cells
    assert not [cell["id"] for cell in cells if cell.get("outputs") or cell.get("execution_count")]
