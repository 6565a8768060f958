"""The modules form layers: nothing imports upward, and there is no circle."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src"

LAYERS = (
    {"fanfold.errors", "fanfold.shown", "fanfold.decoding", "fanfold._kernel"},
    {
        "fanfold.params",
        "fanfold.checked_json",
        "fanfold.json_log",
        "fanfold.engine",
        "fanfold.exhaustion",
    },
    {"fanfold.objects"},
    {"fanfold.archives"},
    {"fanfold.report", "fanfold.kmers"},
    {"fanfold.flow"},
    {"fanfold.api", "fanfold.ledger", "fanfold.submitting", "fanfold"},
    {"fanfold.aws", "fanfold.web"},
    {"fanfold.cli"},
    {"fanfold.start"},
    {"fanfold.__main__"},
)
"""Packages and modules, the lowest first."""


def test_nothing_imports_upward() -> None:
    upward = [
        f"{module} imports {imported}"
        for module, imports in graph().items()
        for imported in imports
        if layer_of(imported) > layer_of(module)
    ]

    assert upward == []


def test_no_module_imports_itself_by_others() -> None:
    TopologicalSorter(graph()).prepare()  # raises CycleError


def graph() -> dict[str, set[str]]:
    """The modules that each module imports, wherever the import stands in it."""
    files = {module_of(path): path for path in SOURCE.rglob("*.py")}
    known = {*files, "fanfold._kernel"}
    found = {}
    for module, path in files.items():
        imports = set()
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Import(names=names):
                    imports |= {each.name for each in names}
                case ast.ImportFrom(module=str(package), names=names):
                    inner = {f"{package}.{each.name}" for each in names} & known
                    imports |= inner or {package}
        found[module] = (imports & known) - {module}
    return found


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> int:
    names = [module, ".".join(module.split(".")[:2])]
    return next(place for place, layer in enumerate(LAYERS) if layer.intersection(names))
