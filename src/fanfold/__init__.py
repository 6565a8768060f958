"""Exact composition, assembly and k-mer statistics of genomes of any size: fan out, fold in.

    import fanfold

    report = fanfold.run("genome.fa.gz", k=[5, 8])
    print(report.master.gc_percent, report.url)

`run` does it all, and `run_many` does it for many; `stats` and `stats_many` give statistics and
write nothing; `plan`, `task` and `fold` are its parts, for an
array of tasks. `render` makes the report of a finished run again under another `View`, and `plot`
draws one figure of it. `scan` gives the `Summary` of any bytes of a FASTA text, and summaries of
neighbours merge; `Findings` is what a summary of a whole text shows. Errors are in
`fanfold.errors`.

The logger `fanfold` tells the phases of a run at INFO, and details at DEBUG; without a handler of
yours it is silent.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

from fanfold.errors import FanfoldError

if TYPE_CHECKING:
    from fanfold._kernel import Findings, Summary
    from fanfold.engine.progress import Progress
    from fanfold.flow.compare import Comparison, compare
    from fanfold.flow.look import plot, render
    from fanfold.flow.many import ManyProgress, Outcome, run_many
    from fanfold.flow.plan import Plan
    from fanfold.flow.run import run
    from fanfold.flow.run_folder import RunFolder
    from fanfold.flow.scan import scan
    from fanfold.flow.stats import Measured, OutcomeOfStats, stats, stats_many
    from fanfold.flow.tasks import fold, plan, reduce, task
    from fanfold.kmers.finished import open_kmers
    from fanfold.kmers.table import KmerTable
    from fanfold.report.finished import Report
    from fanfold.report.statistics import Statistics
    from fanfold.report.view import View

_MODULES = {
    "Comparison": "flow.compare",
    "Findings": "_kernel",
    "KmerTable": "kmers.table",
    "ManyProgress": "flow.many",
    "compare": "flow.compare",
    "Measured": "flow.stats",
    "Outcome": "flow.many",
    "OutcomeOfStats": "flow.stats",
    "Plan": "flow.plan",
    "Progress": "engine.progress",
    "Report": "report.finished",
    "RunFolder": "flow.run_folder",
    "Statistics": "report.statistics",
    "Summary": "_kernel",
    "View": "report.view",
    "fold": "flow.tasks",
    "open_kmers": "kmers.finished",
    "plan": "flow.tasks",
    "plot": "flow.look",
    "reduce": "flow.tasks",
    "render": "flow.look",
    "run": "flow.run",
    "run_many": "flow.many",
    "scan": "flow.scan",
    "stats": "flow.stats",
    "stats_many": "flow.stats",
    "task": "flow.tasks",
}
"""Where each name is. A module is imported when its name is asked for: all of them take a tenth of
a second, and a command needs few."""

__version__: str

# As a library does: what it logs is shown where the program that uses it asks for it.
logging.getLogger("fanfold").addHandler(logging.NullHandler())

__all__ = [
    "Comparison",
    "FanfoldError",
    "Findings",
    "KmerTable",
    "ManyProgress",
    "Measured",
    "Outcome",
    "OutcomeOfStats",
    "Plan",
    "Progress",
    "Report",
    "RunFolder",
    "Statistics",
    "Summary",
    "View",
    "__version__",
    "compare",
    "fold",
    "open_kmers",
    "plan",
    "plot",
    "reduce",
    "render",
    "run",
    "run_many",
    "scan",
    "stats",
    "stats_many",
    "task",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        return import_module("fanfold._kernel").VERSION
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"fanfold.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
