"""A checkout of its own to deploy from, with the tools that deploy.sh calls."""

from __future__ import annotations

import os
import pty
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cloud.deploy.building import CACHE, ROOT

# What the scripts call that any system has.
_SYSTEM = (
    *("awk", "basename", "bash", "cat", "cmp", "cp", "cut", "dirname", "env", "grep", "head"),
    *("ls", "mkdir", "mktemp", "mv", "rm", "sed", "sh", "tail", "tr"),
)
_STUBBED = ("aws", "docker", "sleep", "terraform")
_BUILDERS = ("cargo", "cc", "python3", "rustc", "rustup")


class Answer(NamedTuple):
    """What a stub says to the calls that `call` is found in, once `after` was called.

    Both are extended regular expressions, as in bash.
    """

    call: str
    stdout: str = ""
    status: int = 0
    stderr: str = ""
    after: str = ""
    instead: str = ""


class Checkout:
    """The project's files in `folder`: those that are built in copied, the others linked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        self.bin = folder / "bin"
        self.deploy = self.folder / "deploy"
        generated = shutil.ignore_patterns(
            ".build", ".venv", ".terraform*", "*.tfstate*", "deployments"
        )
        shutil.copytree(ROOT / "deploy", self.deploy, ignore=generated)
        # What a build there would leave behind stays there.
        shutil.copytree(ROOT / "kernel", self.folder / "kernel", ignore=lambda *_: ["target"])
        # maturin packs no files that are behind a link.
        compiled = shutil.ignore_patterns("__pycache__", "*.so")
        shutil.copytree(ROOT / "src", self.folder / "src", ignore=compiled)
        shutil.copytree(ROOT / "packaging", self.folder / "packaging")
        for name in ("LICENSE", "README.md", "pyproject.toml", "scripts"):
            (self.folder / name).symlink_to(ROOT / name)
        self.bin.mkdir()
        shutil.copy(Path(__file__).with_name("stub.sh"), self.bin / "stub.sh")
        for tool in _STUBBED:
            self.bin.joinpath(tool).symlink_to("stub.sh")
        for tool in (*_SYSTEM, *_BUILDERS):
            found = sys.executable if tool == "python3" else shutil.which(tool)
            if found:
                self.bin.joinpath(tool).symlink_to(found)
        self.environment = {
            "PATH": str(self.bin),
            "HOME": os.environ["HOME"],
            "FANFOLD_PYTHON": sys.executable,
            "FANFOLD_BUILD_CACHE": str(CACHE),
            "AWS_REGION": "eu-west-1",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
        } | {name: os.environ[name] for name in ("CARGO_HOME", "PYTHONPATH") if name in os.environ}

    def remove(self, *tools: str) -> None:
        for tool in tools:
            self.bin.joinpath(tool).unlink(missing_ok=True)

    def answer(self, answers: Sequence[Answer]) -> None:
        table = [shlex.join(["answer", *map(str, answer)]) for answer in answers]
        (self.bin / "answers.sh").write_text("\n".join(table) + "\n")

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """deploy.sh, from a folder that isn't its own, without a terminal."""
        return self._started(subprocess.DEVNULL, *arguments, **environment)

    def _started(
        self, stdin: int, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.deploy / "deploy.sh", *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            stdin=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def deploy_unasked(
        self, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return self.run("--yes", *arguments, **environment)

    def answer_question(self, answer: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """deploy.sh with a terminal, on which somebody types `answer`, and then the end (^D)."""
        ours, theirs = pty.openpty()
        try:
            os.write(ours, f"{answer}\n\x04".encode())
            return self._started(theirs, *arguments)
        finally:
            os.close(ours)
            os.close(theirs)

    def deployment(self, account: str, region: str = "eu-west-1", name: str = "fanfold") -> Path:
        """The folder of a deployment."""
        return self.deploy / f"deployments/{account}-{region}-{name}"

    def calls(self) -> list[str]:
        """What was called, in order; forgotten then."""
        path = self.bin / "calls"
        calls = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return calls
