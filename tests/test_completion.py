"""`fanfold completion`: each shell completes commands, options and paths with the script."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from fanfold.cli.commands import cli
from fanfold.cli.completion import SHELLS
from fanfold.cli.options import FILE, FOLDER

BIN = Path(sys.executable).parent
FANFOLD = BIN / "fanfold"

START_OF_LINE, END_OF_LINE = "\x01", "\x05"
READY = "<ready>"

PATIENCE_SECONDS = 300
"""After so long, a shell hangs."""

RC_FILES = {
    # No bell, and a prompt that the test waits for.
    "bash": """
bind 'set bell-style none'
eval "$(fanfold completion bash)"
PS1='<rea''dy>'
""",
    "zsh": """
autoload -Uz compinit && compinit -D -u
bindkey -e
unsetopt beep
eval "$(fanfold completion zsh)"
PS1='<rea''dy>'
""",
}

LINES = {
    "a command": ("fanfold chec", "fanfold check"),
    "an option": ("fanfold run --canon", "fanfold run --canonical"),
    "a value": ("fanfold completion zs", "fanfold completion zsh"),
    "a file": ("fanfold run geno", "fanfold run genome.fa"),
    "a folder": ("fanfold check resu", "fanfold check results"),
    "a file of an option": ("fanfold report results --busco shor", None),
}
"""What is typed before Tab, and what the line is then. None: the file `short.json` is added."""


def typed_and_completed(line: str) -> tuple[str, str]:
    typed, completed = LINES[line]
    return typed, completed or typed + "t.json"


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        shutil.which(shell) is None, reason=f"COMPLETION IS NOT TESTED IN {shell}: it isn't here"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with a genome, results and a summary of BUSCO."""
    work = tmp_path / "work"
    (work / "results").mkdir(parents=True)
    (work / "genome.fa").touch()
    (work / "short.json").touch()
    return work


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder.parent),
        "ZDOTDIR": str(folder.parent),
        "XDG_CONFIG_HOME": str(folder.parent),
        "XDG_DATA_HOME": str(folder.parent),
        "TERM": "dumb",
    }


def line_after_tab(shell: str, typed: str, folder: Path) -> str:
    """What the command line of a shell on a terminal is after `typed` and Tab."""
    home = folder.parent
    (home / ".zshrc").write_text(RC_FILES["zsh"])
    (home / "bashrc").write_text(RC_FILES["bash"])
    command = {
        "bash": ["bash", "--noprofile", "--rcfile", str(home / "bashrc"), "-i"],
        "zsh": ["zsh", "--no-global-rcs", "-i"],
    }[shell]
    kept = home / "line"
    # The keys turn the completed line into: printf %s "LINE" >FILE; exit
    before, after = 'printf %s "', f'" >{shlex.quote(str(kept))}; exit\n'
    keys = f"{typed}\t{START_OF_LINE}{before}{END_OF_LINE}{after}"
    controller, terminal = os.openpty()
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment(folder),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        hang = threading.Timer(PATIENCE_SECONDS, process.kill)
        hang.start()
        shown = b""
        for piece in pieces(controller):
            if READY.encode() in shown:  # the shell reads keys, and none is lost
                shown += piece
                continue
            shown += piece
            if READY.encode() in shown:
                os.write(controller, keys.encode())
        hang.cancel()
        os.close(controller)
    assert process.returncode == 0, shown.decode()
    return kept.read_text()


def pieces(controller: int) -> Iterator[bytes]:
    """What a terminal shows, until nothing is on it any more."""
    with contextlib.suppress(OSError):  # how Linux says that the terminal was closed
        while piece := os.read(controller, 4096):
            yield piece


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("shell", [pytest.param(each, marks=needs(each)) for each in RC_FILES])
def test_a_shell_completes(shell: str, line: str, folder: Path) -> None:
    typed, completed = typed_and_completed(line)
    found = line_after_tab(shell, typed, folder)
    # A space follows what is complete. After a folder zsh takes the slash back, bash leaves it.
    assert found.rstrip(" /") == completed


@needs("fish")
@pytest.mark.parametrize("line", LINES)
def test_fish_completes(line: str, folder: Path) -> None:
    typed, completed = typed_and_completed(line)
    script = f"fanfold completion fish | source; complete --do-complete {shlex.quote(typed)}"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    words = [each.partition("\t")[0] for each in done.stdout.splitlines()]
    assert [word.rstrip("/") for word in words] == [completed.split()[-1]]


def test_another_shell_is_refused_and_those_there_are_named() -> None:
    done = subprocess.run(
        [FANFOLD, "completion", "ksh"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert all(repr(shell) in done.stderr for shell in SHELLS)


PATHS = {"GENOME": FILE, "FILE": FILE, "PLAN": FILE, "DIR": FOLDER}
NO_PATHS = {("submit", "GENOME"), ("serve", "NAME=DIR|URL")}
"""An object of a bucket; a folder after the name of a bucket."""


def commands_of(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """The commands of a group, and those of the groups among them."""
    context = click.Context(group)
    for verb in group.list_commands(context):
        command = group.get_command(context, verb)
        assert command is not None
        yield verb, command
        if isinstance(command, click.Group):
            yield from commands_of(command)


def test_every_path_is_completed_as_one() -> None:
    faults = [
        f"{verb} {metavar}: its type must be FILE or FOLDER of fanfold.cli.options"
        for verb, command in commands_of(cli)
        for parameter in command.params
        if (metavar := parameter.metavar or str(parameter.name).upper())
        and (verb, metavar) not in NO_PATHS
        and (kinds := [PATHS[word] for word in re.findall("[A-Z]+", metavar) if word in PATHS])
        and parameter.type not in kinds
    ]
    assert faults == []
