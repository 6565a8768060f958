"""A Dockerfile, read far enough to hold rules against it and to run its commands without an engine.

Unlike BuildKit it knows no heredocs, no escape directive and no ONBUILD; it substitutes nothing.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction, its continued lines joined."""

    word: str
    arguments: str

    @property
    def listed(self) -> list[str]:
        """The arguments of the exec form."""
        words: list[str] = json.loads(self.arguments)
        return words


class Stage(NamedTuple):
    """What follows a FROM."""

    base: str
    platform: str | None
    name: str | None
    instructions: list[Instruction]

    def all(self, word: str) -> list[Instruction]:
        return [instruction for instruction in self.instructions if instruction.word == word]

    def last(self, word: str) -> Instruction:
        return self.all(word)[-1]

    @property
    def environment(self) -> dict[str, str]:
        """What ENV sets, unexpanded."""
        pairs = [pair for env in self.all("ENV") for pair in shlex.split(env.arguments)]
        return dict(pair.split("=", 1) for pair in pairs)


class Dockerfile(NamedTuple):
    """The ARGs before the first FROM, and the stages."""

    arguments: dict[str, str]
    stages: list[Stage]

    def stage(self, name: str) -> Stage:
        (found,) = (stage for stage in self.stages if stage.name == name)
        return found


def read_dockerfile(path: Path) -> Dockerfile:
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in filter(None, text.splitlines()):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found = re.fullmatch(r"(?:--platform=(\S+) )?(\S+)(?: AS (\S+))?", rest)
            assert found, line
            base = re.sub(r"\$\{(\w+)\}", lambda name: arguments[name[1]], found[2])
            stages.append(Stage(base, found[1], found[3], []))
        elif stages:
            stages[-1].instructions.append(Instruction(word, rest))
        else:
            assert word == "ARG", line
            name, _, value = rest.partition("=")
            arguments[name] = value
    return Dockerfile(arguments, stages)
