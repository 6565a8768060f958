"""What all tests have in common: no shell that starts them matters, and how long they take."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from servers.warm import end_warm_fanfold

TESTS = Path(__file__).parent
FOREIGN = re.compile(
    r"(AWS|AZURE|GOOGLE|SLURM|SBATCH|SQUEUE)_.*|JOB_COMPLETION_INDEX"
    r"|COLUMNS|LINES|FORCE_COLOR|NO_COLOR"
    r"|FANFOLD_(?!BUILD_CACHE$|LAMBDA_PYTHON$).*"  # these two are for the tests
)
"""The variables of a user that change what a command does."""


def _leave_the_shell_behind() -> None:
    """Give the commands under test the same surroundings, whoever starts the tests."""
    # What a shell runs in the background ignores SIGINT, what nohup runs SIGHUP; and so would
    # their children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.umask(0o022)
    for name in filter(FOREIGN.fullmatch, list(os.environ)):
        del os.environ[name]
    # The tests' servers are reached directly; packages may come through a proxy.
    direct = [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1", "localhost"]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(filter(None, direct))


_leave_the_shell_behind()


@pytest.fixture(scope="session", autouse=True)
def _warm_fanfold_ended() -> Iterator[None]:
    yield
    end_warm_fanfold()


# How long an example takes is no property: the machine may be busy.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


class Durations:
    """Counts the tests of each folder, and how long they take."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seconds: dict[str, float] = {}
        self._tests: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        path = self._root / report.nodeid.partition("::")[0]
        folder = "/".join(["tests", *path.relative_to(TESTS).parts[:-1][:1]])
        self._seconds[folder] = self._seconds.get(folder, 0.0) + report.duration
        self._tests[folder] += report.when == "setup"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("test time by folder, summed over the workers")
        for folder in sorted(self._seconds, key=self._seconds.__getitem__, reverse=True):
            terminalreporter.line(
                f"{self._seconds[folder]:7.1f} s {self._tests[folder]:6} tests  {folder}"
            )
        seconds = sum(self._seconds.values())
        terminalreporter.line(f"{seconds:7.1f} s {self._tests.total():6} tests")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Durations(config.rootpath))
