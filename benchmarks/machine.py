"""Where and with what was measured: enough to judge the numbers, nothing that names the machine."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

CORES = 2


def pin_to_cores() -> int:
    """Bind this process, and so all that it starts, to `CORES` cores; how many there are."""
    allowed = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, allowed)
    return len(allowed)


def describe() -> str:
    """The processor, the cores in use, the memory, the system."""
    cpu = first_match(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo"))
    memory = first_match(r"MemTotal:\s*(\d+)", Path("/proc/meminfo"))
    system = first_match(r'PRETTY_NAME="?([^"\n]+)', Path("/etc/os-release"))
    cores = f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} cores in use"
    gib = f"{int(memory) / (1 << 20):.0f} GiB" if memory.isdigit() else memory
    return f"{cpu}, {cores}, {gib}, {system}, Linux {platform.release()}"


def first_match(pattern: str, path: Path) -> str:
    """The first group of the pattern's first match in a file."""
    match = re.search(pattern, path.read_text()) if path.exists() else None
    return match.group(1).strip() if match else "unknown"


def commit(checkout: Path) -> str:
    """The commit that is measured, and whether the checkout has changes on it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    told = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"
