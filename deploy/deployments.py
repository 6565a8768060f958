"""A deployment's folder, for deploy.sh: its files, the settings kept in it, its state and plans.

    deployments/123456789012-eu-west-1-fanfold/
        main.tf, variables.tf, module.tf    written here: they pass everything to ../../terraform
        terraform.tfvars                    the user's own settings
        kept.auto.tfvars.json               settings given to deploy.sh by -var, -var-file, TF_VAR_
        built.auto.tfvars.json              what deploy.sh found out or built

Needs nothing but Python's standard library.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
MODULE = HERE / "terraform"
KEPT = "kept.auto.tfvars.json"
BUILT = "built.auto.tfvars.json"
_FOUND_OUT = ("account", "functions_dir", "image")
_IN_THE_NAME = ("name", "region")

_HEADER = (HERE / "deployment/main.tf").read_text().splitlines()[0] + "\n"
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|#.*|//.*|/\*[\s\S]*?\*/|[\[{(]|[\])}]|[\w-]+\s*=(?!=)')
_CREATED = {("create",): "create", ("update",): "change", ("delete",): "remove"}


class RefusedError(Exception):
    """What doesn't fit, and what to do: one or two lines."""


class Deployment(NamedTuple):
    """What a folder of a deployment is named by."""

    account: str
    region: str
    name: str

    def __str__(self) -> str:
        return "-".join(self)


# --- The configuration ----------------------------------------------------------------------------


def configuration() -> dict[str, str]:
    """The files of a root module that passes every variable and output of the module."""
    variables = (MODULE / "variables.tf").read_text()
    outputs = (MODULE / "outputs.tf").read_text()
    modules = (MODULE / "main.tf").read_text()
    arguments = [f"  {name} = var.{name}" for name in _blocks("variable", variables)]
    lines = ['module "fanfold" {', '  source = "../../terraform"', "", *arguments, "}"]
    for name in _blocks("output", outputs):
        lines += ["", f'output "{name}" {{', f"  value = module.fanfold.{name}", "}"]
    lines += ["", "# Earlier versions had no folder for a deployment: the module was the root."]
    for name in _blocks("module", modules):
        moved = (f"  from = module.{name}", f"  to   = module.fanfold.module.{name}")
        lines += ["", "moved {", *moved, "}"]
    return {
        "main.tf": (HERE / "deployment/main.tf").read_text(),
        "variables.tf": _HEADER + "\n" + variables,
        "module.tf": "\n".join([_HEADER, *lines]) + "\n",
    }


def write_configuration(folder: Path) -> None:
    """Writes the root module into `folder`.

    Raises:
        RefusedError: a file of one of the names was not written here.
    """
    files = configuration()
    for name in files:
        path = folder / name
        if path.exists() and not path.read_text().startswith(_HEADER):
            raise RefusedError(f"{path} was not written by deploy.sh: move it away.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def _blocks(kind: str, text: str) -> list[str]:
    return re.findall(rf'^{kind} "(\w+)" {{$', text, re.MULTILINE)


# --- Settings -------------------------------------------------------------------------------------


def own_settings(folder: Path) -> dict[str, Path]:
    """The variables that the user's own files in `folder` set, by name."""
    names = ["terraform.tfvars", "terraform.tfvars.json"]
    automatic = sorted(folder.glob("*.auto.tfvars")) + sorted(folder.glob("*.auto.tfvars.json"))
    paths = [folder / name for name in names] + automatic
    own = [path for path in paths if path.exists() and path.name not in (KEPT, BUILT)]
    return {name: path for path in own for name in _assigned(path)}


def given_settings(arguments: Sequence[str]) -> set[str]:
    """The variables that -var and -var-file set."""
    given: set[str] = set()
    for argument in arguments:
        option, _, value = argument.partition("=")
        if option == "-var-file":
            given |= set(_assigned(Path(value)))
        else:
            given.add(value.partition("=")[0].strip())
    return given


def settings_to_keep(
    folder: Path, values: Mapping[str, Any], arguments: Sequence[str]
) -> dict[str, Any]:
    """What `folder` keeps of `values`: what was given now or earlier. The user's own files win.

    Raises:
        RefusedError: a variable is set in two places, or isn't the user's to set.
    """
    own, given = own_settings(folder), given_settings(arguments)
    for name in sorted(given | own.keys()):
        if name in _FOUND_OUT:
            raise RefusedError(f"deploy.sh sets {name} itself: leave it out.")
        if name in _IN_THE_NAME and name in own:
            raise RefusedError(f"The folder's name says the {name}: leave it out of {own[name]}.")
        if name in given and name in own:
            raise RefusedError(f"{name} is set in {own[name]}: change it there.")
    earlier = _read_json(folder / KEPT)
    kept = (given | earlier.keys()) - own.keys() - set(_IN_THE_NAME)
    return {name: values[name] for name in sorted(kept) if name in values}


def answered(text: str) -> dict[str, Any]:
    """What Terraform's console answered; before it, it may tell that it waits for the state."""
    values: dict[str, Any] = json.loads(json.loads(text.splitlines()[-1]))
    return values


def text_set(path: Path, name: str) -> str:
    """The text that a file of variables sets the variable `name` to; empty if it sets none."""
    value = _assigned(path).get(name)
    return value if isinstance(value, str) else ""


def _assigned(path: Path) -> dict[str, Any]:
    """What a file of variables sets, by name; None for what isn't a text that stands there."""
    if path.suffix == ".json":
        return _read_json(path)
    found: dict[str, Any] = {}
    name, depth = "", 0
    for word in _WORD.findall(path.read_text()):
        if word in "[{(":
            name, depth = "", depth + 1
        elif word in "])}":
            depth -= 1
        elif depth == 0 and word.endswith("="):
            name = word[:-1].strip()
            found[name] = None
        elif depth == 0 and word.startswith('"') and name:
            found[name], name = word[1:-1], ""
    return found


def _read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text())
    except ValueError as error:
        raise RefusedError(f"{path} isn't JSON: {error}") from None
    if not isinstance(values, dict):
        raise RefusedError(f"{path} isn't an object of JSON.")
    return values


# --- State ----------------------------------------------------------------------------------------


def instances(state: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The managed resources of a state: address without instance key, and attributes."""
    for resource in state.get("resources", []):
        if resource["mode"] == "managed":
            parts = (resource.get("module"), resource["type"], resource["name"])
            address = ".".join(filter(None, parts))
            for instance in resource["instances"]:
                yield address.removeprefix("module.fanfold."), instance["attributes"]


def deployments_of(state: Mapping[str, Any]) -> set[Deployment]:
    """The deployments that the registries and queues of a state belong to."""
    found = set()
    for address, attributes in instances(state):
        if address.endswith((".aws_ecr_repository.this", ".aws_batch_job_queue.this")):
            _, _, _, region, account, _ = attributes["arn"].split(":", 5)
            found.add(Deployment(account, region, attributes["name"]))
    return found


def check_folder(folder: Path, deployment: Deployment, state: Mapping[str, Any]) -> None:
    """Raises RefusedError if the settings or the state in `folder` are of another deployment."""
    built = _read_json(folder / BUILT)
    for field, wanted in deployment._asdict().items():
        if built.get(field, wanted) != wanted:
            raise RefusedError(
                f"{folder / BUILT} is of another deployment: its {field} is {built[field]}.\n"
                "    A deployment's folder can't be renamed or copied: move it back."
            )
    for other in deployments_of(state) - {deployment}:
        raise RefusedError(
            f"The state in {folder} is that of another deployment: {other}.\n"
            f"    Move it to {folder.with_name(str(other))}."
        )


def earlier_version(deployments: Path) -> str | None:
    """What to do with files of versions that had no folders; None if there are none."""
    state = MODULE / "terraform.tfstate"
    names = ("terraform.tfstate", "terraform.tfvars", "backend.tf", "backend.hcl")
    there = [name for name in names if (MODULE / name).exists()]
    if there == ["terraform.tfstate"] and not _read_json(state).get("resources"):
        return None
    if not there:
        return None
    of = [str(found) for found in deployments_of(_read_json(state))]
    folder = deployments / (of[0] if of else "ACCOUNT-REGION-NAME")
    return (
        f"An earlier version kept {', '.join(there)} in {MODULE}."
        " A deployment has its own folder now:"
        f"\n    cd {MODULE} && mkdir -p {folder} && mv {' '.join(there)} {folder}"
        "\n    In terraform.tfvars, leave out name and region. Then run it again."
    )


# --- Plans ----------------------------------------------------------------------------------------


def changes(plan: Mapping[str, Any]) -> dict[str, str]:
    """What a plan does to each resource: create, change, replace or remove."""
    found = {}
    for change in plan.get("resource_changes", []):
        actions = tuple(change["change"]["actions"])
        if change["mode"] == "managed" and actions not in (("no-op",), ("forget",)):
            found[change["address"]] = _CREATED.get(actions, "replace")
    return found


def ends_jobs(plan: Mapping[str, Any]) -> bool:
    """Whether a plan removes, or replaces, what the jobs of a deployment run in."""
    runs = (".aws_batch_compute_environment.", ".aws_batch_job_queue.")
    return any(
        verb in {"remove", "replace"} and any(kind in address for kind in runs)
        for address, verb in changes(plan).items()
    )


def summary(plan: Mapping[str, Any]) -> list[str]:
    """A plan in lines: how much it does, what it does to what exists, and the price at rest."""
    done = changes(plan)
    verbs = ("create", "change", "replace", "remove")
    counts = [f"{verb} {list(done.values()).count(verb)}" for verb in verbs]
    lines = [f"The plan: {', '.join(counts)}."]
    if set(done.values()) != {"remove"}:
        lines += [f"    {verb} {name}" for name, verb in sorted(done.items()) if verb != "create"]
    price = plan.get("planned_values", {}).get("outputs", {}).get("at_rest", {}).get("value")
    if price:
        lines.append(
            f"While nothing runs it costs {price['usd_per_month']:.2f} USD a month"
            " (list prices of us-east-1):"
        )
        lines += [f"    {item['usd_per_month']:.2f}  {item['what']}" for item in price["items"]]
    return lines


# --- The command line -----------------------------------------------------------------------------


def main() -> int:
    """Runs one verb for deploy.sh; the exit status."""
    _, verb, *rest = sys.argv
    try:
        return _VERBS[verb](*rest)
    except RefusedError as error:
        sys.stderr.write(f"deploy.sh: {error}\n")
        return 1


def _earlier(deployments: str) -> int:
    advice = earlier_version(Path(deployments))
    if advice:
        raise RefusedError(advice)
    return 0


def _write(folder: str) -> int:
    write_configuration(Path(folder))
    return 0


def _own(folder: str) -> int:
    _print("\n".join(own_settings(Path(folder))))
    return 0


def _expression() -> int:
    """Prints what Terraform's console is asked for: every variable."""
    text = "".join(configuration()[name] for name in ("main.tf", "variables.tf"))
    fields = ", ".join(f"{name} = var.{name}" for name in _blocks("variable", text))
    _print(f"jsonencode({{{fields}}})")
    return 0


def _keep(folder: str, values: str, out: str, *given: str) -> int:
    """Writes what is kept of the console's answer; prints which variables the user set."""
    kept = settings_to_keep(Path(folder), answered(Path(values).read_text()), given)
    Path(out).write_text(json.dumps(kept, indent=2) + "\n")
    _print("\n".join([*own_settings(Path(folder)), *kept]))
    return 0


def _text(path: str, name: str) -> int:
    _print(text_set(Path(path), name))
    return 0


def _value(values: str, name: str) -> int:
    value = answered(Path(values).read_text())[name]
    _print(value if isinstance(value, str) else json.dumps(value))
    return 0


def _check(folder: str, state: str, *deployment: str) -> int:
    check_folder(Path(folder), Deployment(*deployment), _loaded(state))
    return 0


def _attribute(state: str, address: str, name: str) -> int:
    for found, attributes in instances(_loaded(state)):
        if found == address:
            _print(str(attributes[name]))
    return 0


def _summary(plan: str) -> int:
    _print("\n".join(summary(_loaded(plan))))
    return 0


def _ends_jobs(plan: str) -> int:
    """The status says whether a plan ends jobs that run."""
    return 0 if ends_jobs(_loaded(plan)) else 2


def _applyable(plan: str) -> int:
    """Prints whether there is anything to apply: resources or outputs."""
    _print(json.dumps(_loaded(plan)["applyable"]))
    return 0


def _within(plan: str, agreed: str) -> int:
    """The status says whether a plan does nothing beside what an agreed one does."""
    return 0 if changes(_loaded(plan)).items() <= changes(_loaded(agreed)).items() else 2


def _loaded(path: str) -> dict[str, Any]:
    text = Path(path).read_text()
    loaded: dict[str, Any] = json.loads(text) if text.strip() else {}
    return loaded


def _print(text: str) -> None:
    if text:
        sys.stdout.write(text + "\n")


_VERBS: dict[str, Callable[..., int]] = {
    "applyable": _applyable,
    "attribute": _attribute,
    "check": _check,
    "earlier": _earlier,
    "ends-jobs": _ends_jobs,
    "expression": _expression,
    "keep": _keep,
    "own": _own,
    "summary": _summary,
    "text": _text,
    "value": _value,
    "within": _within,
    "write": _write,
}


if __name__ == "__main__":
    sys.exit(main())
