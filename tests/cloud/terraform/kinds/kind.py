"""What the double does for a type of resource."""

# ruff: noqa: ARG002 - the verbs of all kinds take the same

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from cloud.terraform.account import Account

State: TypeAlias = Mapping[str, Any]
Computed: TypeAlias = dict[str, Any]


class Kind:
    """A type of resource that is kept in Terraform's state alone, until a subclass says more.

    Attributes:
        replaced_by: arguments whose change replaces the resource.
        renewed: computed attributes that an update changes.
    """

    replaced_by: ClassVar[frozenset[str]] = frozenset()
    renewed: ClassVar[frozenset[str]] = frozenset()

    def replacing(self, before: State, planned: State) -> set[str]:
        """The arguments by whose change the resource is replaced."""
        return {name for name in self.replaced_by if planned[name] != before[name]}

    def create(self, account: Account, state: State) -> Computed:
        """Make the resource; the computed attributes, as far as they are known."""
        return {}

    def update(self, account: Account, before: State, state: State) -> Computed:
        """Change the resource; most calls of AWS that make a thing also overwrite it."""
        return self.create(account, state)

    def delete(self, account: Account, state: State) -> None:
        """Remove the resource."""

    def exists(self, account: Account, state: State) -> bool:
        """Whether the resource is still there; those that don't look say yes."""
        return True


class Fixed(Kind):
    """A type whose changes in place are Terraform's own matter, or none of the emulator's."""

    def update(self, account: Account, before: State, state: State) -> Computed:
        return {}


def block(blocks: Sequence[State] | None) -> State:
    """The one block of a list of at most one; empty if there is none."""
    return blocks[0] if blocks else {}


def camel(name: str) -> str:
    """The name that AWS gives to an argument: ``max_receive_count`` is ``maxReceiveCount``."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def given(**arguments: Any) -> dict[str, Any]:
    """The arguments that aren't None."""
    return {name: value for name, value in arguments.items() if value is not None}
