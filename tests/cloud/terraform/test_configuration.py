"""The files that ship, as they are read: form, types, exceptions, nothing bound to a place."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cloud.terraform.make_schema import types_in_use
from cloud.terraform.provider import KINDS
from cloud.terraform.schema import Schema
from cloud.terraform.workspace import CONFIGURATION, TerraformError, TerraformWorkspace

CHECKOV = CONFIGURATION.parents[1] / ".venv-deploy" / "bin" / "checkov"
FILES = sorted(CONFIGURATION.rglob("*.tf"))
EXCEPTION = re.compile(r"#checkov:skip=(CKV2?_AWS_\d+):(\S.*)$", re.MULTILINE)


def test_every_file_is_formatted(planner: TerraformWorkspace) -> None:
    planner.run("fmt", "-check", "-diff", "-recursive")


def test_the_configuration_holds_against_the_providers_schema(planner: TerraformWorkspace) -> None:
    planner.validate()


@pytest.mark.usefixtures("planner")
def test_a_misspelt_argument_is_told(tmp_path: Path) -> None:
    with TerraformWorkspace(tmp_path / "copy") as workspace:
        main = workspace.folder / "modules" / "storage" / "main.tf"
        main.write_text(main.read_text().replace("force_destroy", "force_destruction"))
        workspace.init()

        with pytest.raises(TerraformError, match="force_destruction"):
            workspace.validate()


def test_its_own_tests_pass(planner: TerraformWorkspace, functions_dir: Path) -> None:
    said = planner.test({"functions_dir": str(functions_dir)})

    assert re.search(r"Success! \d+ passed, 0 failed", said)


def test_the_example_plans_what_the_defaults_are(
    planner: TerraformWorkspace, variables: dict[str, Any], tmp_path: Path
) -> None:
    with TerraformWorkspace(tmp_path / "copy", root="examples/minimal") as example:
        example.init()
        planned = example.plan(variables)

    of_root = planner.plan(variables)["resource_changes"]
    addresses = {change["address"] for change in planned["resource_changes"]}
    assert addresses == {f"module.fanfold.{change['address']}" for change in of_root}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONFIGURATION)))
def test_nothing_is_bound_to_an_account_a_region_or_a_machine(path: Path) -> None:
    code = re.sub(r"(?m)^\s*(#|description\s*=|error_message\s*=).*$", "", path.read_text())

    assert not re.findall(r"\b\d{12}\b", code)
    assert not re.findall(r"\b[a-z]{2}(?:-[a-z]+)+-\d\b", code)
    assert not re.findall(r"arn:aws[a-z-]*:", code)
    assert not re.findall(r'"(?:/home|/root|/tmp|/usr|~/)', code)


def test_the_schema_is_of_the_types_in_use() -> None:
    schema = Schema.load()

    assert sorted(schema.resources) == sorted(KINDS) == types_in_use("resource")
    assert sorted(schema.data_sources) == types_in_use("data")


def test_every_variable_and_output_is_described() -> None:
    for path in FILES:
        for kind, name, body in re.findall(
            r'^(variable|output) "(\w+)" \{\n(.*?)^\}', path.read_text(), re.DOTALL | re.MULTILINE
        ):
            assert re.search(r'description\s*= "\S', body), f"{path}: {kind} {name}"


def test_checkov_finds_nothing() -> None:
    report = scanned(CONFIGURATION)

    assert report["summary"]["passed"] > 100
    assert report["summary"]["parsing_errors"] == 0
    assert not failures(report)


def test_every_exception_from_checkov_is_needed(tmp_path: Path) -> None:
    written = {
        (str(path.relative_to(CONFIGURATION)), check)
        for path in FILES
        for check, _reason in EXCEPTION.findall(path.read_text())
    }
    copy = tmp_path / "terraform"
    shutil.copytree(CONFIGURATION, copy)
    for path in copy.rglob("*.tf"):
        path.write_text(EXCEPTION.sub("", path.read_text()))

    assert failures(scanned(copy)) == written


def scanned(folder: Path) -> dict[str, Any]:
    if not CHECKOV.exists():
        pytest.skip(
            f"CHECKOV IS NOT RUN: {CHECKOV} isn't there; make test installs it, or: "
            "python3 -m venv .venv-deploy && .venv-deploy/bin/pip install checkov"
        )
    done = subprocess.run(
        [CHECKOV, "--directory", folder, "--output", "json", "--soft-fail"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def failures(report: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (check["file_path"].lstrip("/"), check["check_id"])
        for check in report["results"]["failed_checks"]
    }
