"""The renderings: what makes them is loaded when one is made."""

from __future__ import annotations

import subprocess
import sys

import pytest

FUNCTIONS = ("starter", "chunker", "aggregator", "status", "failures", "sweep")

PROGRAM = """
import sys
{imports}
print(*(name for name in sys.modules if name.startswith(("markupsafe", "fanfold.report.page"))))
"""


def pages_loaded_by(imports: str) -> list[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(imports=imports)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


@pytest.mark.parametrize(
    "imports", ["import fanfold", *(f"import fanfold.aws.{name}" for name in FUNCTIONS)]
)
def test_no_page_is_loaded_before_one_is_made(imports: str) -> None:
    assert pages_loaded_by(imports) == []


def test_this_would_see_a_page() -> None:
    assert "markupsafe" in pages_loaded_by("import fanfold.report.page.report_page")
