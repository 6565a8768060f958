"""What docs/install.md and the recipe of bioconda say is what the project's files say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

import fanfold

ROOT = Path(__file__).parents[1]
INSTALL = (ROOT / "docs" / "install.md").read_text()
RECIPE = ROOT / "packaging" / "bioconda" / "meta.yaml"
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT: dict[str, Any] = PYPROJECT["project"]
CARGO: dict[str, Any] = tomllib.loads((ROOT / "kernel" / "Cargo.toml").read_text())["package"]

CONDA_NAMES = {"isal": "python-isal"}
"""Packages whose name in conda-forge is another than on PyPI."""

PYTHONS = (310, 311, 313, 314)


# --- docs/install.md ------------------------------------------------------------------------------


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", each, maxsplit=1)[0] for each in requirements}


def test_the_extras_are_those_of_the_project() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", INSTALL, re.MULTILINE)
    documented = {extra: set(packages.split(", ")) for extra, packages in rows}

    extras = PROJECT["optional-dependencies"]
    assert documented == {extra: names(packages) for extra, packages in extras.items()}


def documents() -> Iterator[Path]:
    yield ROOT / "README.md"
    yield from (ROOT / "docs").rglob("*.md")
    yield from (ROOT / "src").rglob("*.py")


def test_every_extra_that_is_named_exists() -> None:
    extra = re.compile(r"(?:fanfold|['\" ]\.)\[([a-z,]+)\]")
    found = {
        name
        for path in documents()
        for listed in extra.findall(path.read_text())
        for name in listed.split(",")
    }

    assert found == set(PROJECT["optional-dependencies"])


def test_the_versions_needed_are_those_of_the_project() -> None:
    assert f"Python {PROJECT['requires-python'].removeprefix('>=')} or newer" in INSTALL
    assert f"Rust {CARGO['rust-version']} or newer" in INSTALL
    (glibc,) = re.findall(
        r'^GLIBC = "manylinux_(\d+_\d+)"',
        (ROOT / "deploy/building/wheels.py").read_text(),
        re.MULTILINE,
    )
    assert f"glibc {glibc.replace('_', '.')} or newer" in INSTALL


# --- The recipe -----------------------------------------------------------------------------------


def holds(selector: str, python: int) -> bool:
    """Whether a selector of conda-build holds on Linux; only those in the recipe are known."""
    facts = {"win": False}
    for each in selector.split(" or "):
        if match := re.fullmatch(r"py < (\d+)", each):
            if python < int(match[1]):
                return True
        elif facts[each]:
            return True
    return False


def recipe(python: int) -> dict[str, Any]:
    """The recipe as conda-build reads it, for a version of Python such as 311.

    Lines whose selector doesn't hold go, then the template is filled in, then it is YAML.
    """
    lines = []
    for line in RECIPE.read_text().splitlines():
        selector = re.search(r"# \[(.+)\]$", line)
        if selector is None or holds(selector[1], python):
            lines.append(line)
    functions = {
        "compiler": "{}_compiler".format,
        "stdlib": "{}_stdlib".format,
        "pin_subpackage": lambda name, **_bounds: name,
        "PYTHON": "python",
    }
    template = jinja2.Template("\n".join(lines), undefined=jinja2.StrictUndefined)
    read: dict[str, Any] = yaml.safe_load(template.render(functions))
    return read


def conda(requirement: str) -> str:
    """A requirement as a recipe writes it: name and version apart, no marker."""
    match = re.fullmatch(r"([\w.-]+)([<>=][^;]*?)( ;.*)?", requirement)
    assert match is not None, requirement
    return f"{CONDA_NAMES.get(match[1], match[1])} {match[2]}"


@pytest.mark.parametrize("python", PYTHONS)
def test_the_recipe_has_the_dependencies_of_the_project(python: int) -> None:
    wanted = {"python"}
    for requirement in PROJECT["dependencies"]:
        marker = re.search(r"; python_version < '3\.(\d+)'$", requirement)
        if marker is None or python < 300 + int(marker[1]):
            wanted.add(conda(requirement))

    assert set(recipe(python)["requirements"]["run"]) == wanted


def test_the_recipe_builds_as_the_project_does() -> None:
    requirements = recipe(313)["requirements"]

    (backend,) = PYPROJECT["build-system"]["requires"]
    assert set(requirements["host"]) == {"python", "pip", conda(backend)}
    assert {"c_compiler", "c_stdlib", "rust_compiler"} <= set(requirements["build"])


def test_the_recipe_is_for_the_pythons_of_the_project() -> None:
    minor = int(PROJECT["requires-python"].removeprefix(">=3."))

    skipped = [python for python in PYTHONS if recipe(python)["build"].get("skip", False)]
    assert skipped == [python for python in PYTHONS if python < 300 + minor]


def test_the_recipe_has_the_version_and_the_licence_of_the_project() -> None:
    read = recipe(313)

    assert read["package"] == {"name": PROJECT["name"], "version": fanfold.__version__}
    assert read["package"]["version"] == CARGO["version"]
    assert read["about"]["license"] == PROJECT["license"] == CARGO["license"]
    assert set(PROJECT["license-files"]) < set(read["about"]["license_file"])
    assert read["about"]["summary"] in PROJECT["description"].replace(":", ".")


def test_the_recipe_has_what_bioconda_demands() -> None:
    read = recipe(313)

    assert read["build"]["number"] == 0
    assert read["build"]["run_exports"] == ["fanfold"]
    assert read["test"]["imports"] == ["fanfold"]
    assert read["test"]["commands"]
    # Until there is a release it builds its checkout, and packaging/README.md says what is missing.
    assert (RECIPE.parent / read["source"]["path"]).resolve() == ROOT
    publishing = (ROOT / "packaging" / "README.md").read_text()
    assert all(word in publishing for word in ("`url`", "`sha256`", "`home`", "recipe-maintainers"))
