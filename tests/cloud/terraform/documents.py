"""What `terraform show -json` tells, as tests ask for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Document: TypeAlias = Mapping[str, Any]


def resources(shown: Document, kind: str) -> dict[str, dict[str, Any]]:
    """The resources of a type in a state or a plan: their values by address."""
    values = shown.get("values") or shown["planned_values"]
    return {
        resource["address"]: resource["values"] | {"depends_on": resource.get("depends_on", [])}
        for resource in _within(values["root_module"])
        if resource["type"] == kind
    }


def only(shown: Document, kind: str, part: str = "") -> dict[str, Any]:
    """The one resource of a type whose address has a part."""
    found = [value for address, value in resources(shown, kind).items() if part in address]
    assert len(found) == 1, f"{kind} {part}: {len(found)}"
    return found[0]


def statements(shown: Document) -> dict[str, list[dict[str, Any]]]:
    """What every role may do, by the role's name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for policy in resources(shown, "aws_iam_role_policy").values():
        found.setdefault(policy["role"], []).extend(json.loads(policy["policy"])["Statement"])
    return found


def listed(value: str | list[str]) -> list[str]:
    """A policy's member, which is one or many."""
    return [value] if isinstance(value, str) else value


def changes(plan: Document) -> dict[str, tuple[str, ...]]:
    """What a plan would do to what it would touch: actions by address."""
    actions = {
        change["address"]: tuple(change["change"]["actions"]) for change in plan["resource_changes"]
    }
    return {address: done for address, done in actions.items() if done not in _NOTHING}


_NOTHING = {("no-op",), ("read",)}


def _within(module: Document) -> Iterator[dict[str, Any]]:
    yield from module.get("resources", ())
    for child in module.get("child_modules", ()):
        yield from _within(child)
