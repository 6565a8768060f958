"""Exact composition, assembly and k-mer statistics of genomes of any size: fan out, fold in.

    import fanfold

    report = fanfold.run("genome.fa.gz", k=[5, 8])
    print(report.master.gc_percent, report.url)

`run` does it all, and `run_many` does it for many; `plan`, `task` and `fold` are its parts, for an
array of tasks. `render` makes the report of a finished run again under another `View`, and `plot`
draws one figure of it. `scan` gives the `Summary` of any bytes of a FASTA text, and summaries of
neighbours merge. Errors are in `fanfold.errors`.
"""

from fanfold._kernel import VERSION, Summary
from fanfold.errors import FanfoldError
from fanfold.flow.look import plot, render
from fanfold.flow.many import Outcome, run_many
from fanfold.flow.plan import Plan
from fanfold.flow.run import run
from fanfold.flow.run_folder import RunFolder
from fanfold.flow.scan import scan
from fanfold.flow.tasks import fold, plan, task
from fanfold.report.finished import Report
from fanfold.report.view import View

__version__ = VERSION

__all__ = [
    "FanfoldError",
    "Outcome",
    "Plan",
    "Report",
    "RunFolder",
    "Summary",
    "View",
    "__version__",
    "fold",
    "plan",
    "plot",
    "render",
    "run",
    "run_many",
    "scan",
    "task",
]
