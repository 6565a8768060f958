"""What a compiled library needs of the machine that loads it."""

from __future__ import annotations

from collections.abc import Iterator

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

MACHINES = {"x86_64": "EM_X86_64", "arm64": "EM_AARCH64"}
"""The machine in a library's header, by the architecture that it is built for."""


def needed_glibc(library: ELFFile) -> Iterator[tuple[int, ...]]:
    for section in library.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for _, versions in section.iter_versions():
                for version in versions:
                    if version.name.startswith("GLIBC_2"):
                        yield tuple(map(int, version.name.removeprefix("GLIBC_").split(".")))
