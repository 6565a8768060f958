"""What a wheel must hold to be kept, and to be used again."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from building import archive
from building.messages import BuildError

_ELF_MACHINES = {"x86_64": 62, "aarch64": 183}
_ELF_64_BITS_LITTLE_ENDIAN = b"\x7fELF\x02\x01"


def prove_own(wheels: Iterable[Path], machine: str, modules: Mapping[str, bytes]) -> None:
    """Proves a folder's one wheel of fanfold: its modules are these, its kernel is of `machine`.

    Raises:
        BuildError: they are not.
    """
    wheels = list(wheels)
    if len(wheels) != 1:
        raise BuildError(f"{len(wheels)} wheels of fanfold were built instead of one")
    members = archive.read(wheels[0])
    fault = _record_fault(members) or _modules_fault(members, modules)
    if not fault and not _is_kernel(members, machine):
        fault = f"it has no kernel for {machine}"
    if fault:
        raise BuildError(
            f"the wheel of fanfold is not of this checkout: {fault}\n"
            "    Build again if files changed meanwhile. src must be a folder, no link."
        )


def prove_locked(wheels: Iterable[Path], lock: str) -> None:
    """Proves that there is one wheel of each package in the lock, with a hash that it names.

    Raises:
        BuildError: there is not.
    """
    packages: dict[str, str] = {}
    wanted = []
    for name, hashes in re.findall(r"^(\S+)==((?:.*\\\n)*.*)", lock, re.MULTILINE):
        wanted.append(name)
        packages |= dict.fromkeys(re.findall(r"sha256:([0-9a-f]{64})", hashes), name)
    found = [packages.get(hashlib.sha256(wheel.read_bytes()).hexdigest()) for wheel in wheels]
    if sorted(filter(None, found)) != sorted(wanted) or None in found:
        raise BuildError("the downloaded wheels are not those of the lock: build again")


def _record_fault(members: Mapping[str, bytes]) -> str:
    """What is wrong by the wheel's own RECORD; nothing if it is right."""
    records = [name for name in members if name.endswith(".dist-info/RECORD")]
    if len(records) != 1:
        return "it has no RECORD"
    unlisted = set(members) - set(records)
    for line in members[records[0]].decode(errors="replace").splitlines():
        name, value, _ = [*line.rsplit(",", 2), "", ""][:3]
        if name == records[0]:
            continue
        if name not in members:
            return f"{name} is missing"
        digest = base64.urlsafe_b64encode(hashlib.sha256(members[name]).digest())
        if value != f"sha256={digest.decode().rstrip('=')}":
            return f"{name} is not what its RECORD says"
        unlisted.discard(name)
    return f"its RECORD doesn't name {min(unlisted)}" if unlisted else ""


def _modules_fault(members: Mapping[str, bytes], modules: Mapping[str, bytes]) -> str:
    for name, data in modules.items():
        if members.get(name) != data:
            return f"{name} {'differs' if name in members else 'is missing'}"
    others = (name for name in members if name.endswith(".py") and name not in modules)
    other = next(others, None)
    return f"{other} is of no module" if other else ""


def _is_kernel(members: Mapping[str, bytes], machine: str) -> bool:
    """Whether there is one kernel, an ELF library for `machine`."""
    kernels = [
        data for name, data in members.items() if re.fullmatch(r"fanfold/_kernel\..*so", name)
    ]
    return len(kernels) == 1 and (
        kernels[0].startswith(_ELF_64_BITS_LITTLE_ENDIAN)
        and int.from_bytes(kernels[0][18:20], "little") == _ELF_MACHINES[machine]
    )
