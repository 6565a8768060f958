"""``deploy/deployments.py``: what a deployment's folder passes on, keeps and refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from deployments import (
    Deployment,
    RefusedError,
    answered,
    changes,
    check_folder,
    configuration,
    earlier_version,
    own_settings,
    settings_to_keep,
    summary,
    text_set,
)

from cloud.deploy.building import ROOT

MODULE = ROOT / "deploy/terraform"
HERE = Deployment("123456789012", "eu-west-1", "fanfold")


def test_every_variable_and_output_of_the_module_is_passed_on() -> None:
    files = configuration()
    variables = (MODULE / "variables.tf").read_text()
    outputs = (MODULE / "outputs.tf").read_text()
    passed = re.findall(r"^  (\w+) = var\.\1$", files["module.tf"], re.MULTILINE)
    returned = re.findall(r"value = module\.fanfold\.(\w+)", files["module.tf"])
    assert len(passed) == len(re.findall(r"^\s*variable\b", variables, re.MULTILINE)) > 15
    assert len(returned) == len(re.findall(r"^\s*output\b", outputs, re.MULTILINE)) > 5
    # The user sees the module's own messages.
    assert files["variables.tf"].endswith(variables)


def test_the_provider_is_that_of_the_module() -> None:
    for name in ("required_version", "version"):
        pinned = re.compile(rf"^ *{name} += .*", re.MULTILINE)
        (of_module,) = pinned.findall((MODULE / "versions.tf").read_text())
        (of_root,) = pinned.findall(configuration()["main.tf"])
        assert of_root.split() == of_module.split()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("spot = true\nmax_vcpus=8\n", {"spot", "max_vcpus"}),
        ("# spot = true\n// a = 1\n/* b = 2 */\n", set()),
        (
            'source_buckets = [\n  {\n    bucket = "x"\n    kms_key_arn = "y"\n  }\n]\n',
            {"source_buckets"},
        ),
        ('bucket_name = "a = b # c }"\nspot = false\n', {"bucket_name", "spot"}),
        ("prices = {\n  vcpu_hour = 1\n}\nspot = 1 == 1\n", {"prices", "spot"}),
    ],
)
def test_names_in_files_of_settings_are_found(tmp_path: Path, text: str, names: set[str]) -> None:
    (tmp_path / "terraform.tfvars").write_text(text)
    assert set(own_settings(tmp_path)) == names


@pytest.mark.parametrize(
    ("file", "text", "name"),
    [
        ("x.tfvars", 'name = "b"\n', "b"),
        ("x.tfvars", 'tags = {\n  name = "team"\n}\n', ""),
        ("x.tfvars", '# name = "c"\ntags = { name = "team" }\nname = "b" # "d"\n', "b"),
        ("x.tfvars", 'name = null\nbucket_name = "genomes"\n', ""),
        ("x.tfvars.json", '{"name": "b", "tags": {"name": "team"}}', "b"),
        ("x.tfvars.json", '{\n  "tags": {\n    "name": "team"\n  }\n}', ""),
    ],
)
def test_the_name_is_the_files_own_and_none_of_a_tag(
    tmp_path: Path, file: str, text: str, name: str
) -> None:
    (tmp_path / file).write_text(text)
    assert text_set(tmp_path / file, "name") == name


@pytest.mark.parametrize("text", ['{"name": ', "[]"])
def test_a_file_of_settings_that_is_no_json_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.tfvars.json").write_text(text)
    with pytest.raises(RefusedError, match=r"x\.tfvars\.json isn't"):
        text_set(tmp_path / "x.tfvars.json", "name")


def test_what_is_kept_gives_way_to_the_users_own_file(tmp_path: Path) -> None:
    (tmp_path / "kept.auto.tfvars.json").write_text('{"spot": true, "versioning": true}')
    (tmp_path / "built.auto.tfvars.json").write_text('{"max_vcpus": 6}')
    (tmp_path / "terraform.tfvars").write_text("spot = false\n")
    values = {"spot": False, "versioning": True, "max_vcpus": 64, "log_retention_days": 7}
    given = ["-var=log_retention_days=7", "-var=name=fanfold"]
    kept = settings_to_keep(tmp_path, values | {"name": "fanfold"}, given)
    assert kept == {"versioning": True, "log_retention_days": 7}


def test_the_consoles_answer_is_found_behind_what_terraform_says_first() -> None:
    waiting = "Acquiring state lock. This may take a few moments...\n"
    assert answered(waiting + r'"{\"spot\":true}"' + "\n") == {"spot": True}


@pytest.mark.parametrize("name", ["name", "region", "account", "image"])
def test_what_the_folder_says_is_no_setting(tmp_path: Path, name: str) -> None:
    (tmp_path / "terraform.tfvars").write_text(f'{name} = "x"\n')
    with pytest.raises(RefusedError, match=name):
        settings_to_keep(tmp_path, {name: "x"}, [])


def test_a_folder_without_a_state_is_nobody_elses(tmp_path: Path) -> None:
    check_folder(tmp_path, HERE, {})
    assert earlier_version(tmp_path) is None


def test_a_plan_is_counted_and_what_exists_is_named() -> None:
    actions = {
        "a": ["create"],
        "b": ["update"],
        "c": ["delete", "create"],
        "d": ["create", "delete"],
        "e": ["delete"],
        "f": ["no-op"],
    }
    plan = {
        "resource_changes": [
            {"address": name, "mode": "managed", "change": {"actions": done}}
            for name, done in actions.items()
        ]
        + [{"address": "data.g", "mode": "data", "change": {"actions": ["read"]}}]
    }
    assert set(changes(plan)) == set("abcde")
    assert summary(plan) == [
        "The plan: create 1, change 1, replace 2, remove 1.",
        *("    change b", "    replace c", "    replace d", "    remove e"),
    ]
    assert json.dumps(summary({})) == '["The plan: create 0, change 0, replace 0, remove 0."]'
