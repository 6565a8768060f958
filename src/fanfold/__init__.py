"""Exact composition, assembly and k-mer statistics of genomes of any size: fan out, fold in.

    import fanfold

    report = fanfold.run("genome.fa.gz", k=[5, 8])
    print(report.master["gc_percent"], report.out)

`run` does it all; `plan`, `task` and `fold` are its parts, for an array of tasks. `scan` gives the
`Summary` of any bytes of a FASTA text, and summaries of neighbours merge. Errors are in
`fanfold.errors`.
"""

from fanfold._kernel import VERSION, Summary
from fanfold.errors import FanfoldError
from fanfold.plan import Plan
from fanfold.run import Report, fold, plan, run, task
from fanfold.scan import scan

__version__ = VERSION

__all__ = [
    "FanfoldError",
    "Plan",
    "Report",
    "Summary",
    "__version__",
    "fold",
    "plan",
    "run",
    "scan",
    "task",
]
