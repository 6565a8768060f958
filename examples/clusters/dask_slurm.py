"""fanfold on Dask workers that Slurm starts: needs dask-jobqueue beside fanfold.

python dask_slurm.py GENOME OUT [-k N]... [--jobs N] [--partition NAME] [--account NAME]

GENOME and OUT are paths that every node sees, or URLs. The workers run in this environment.
"""

from __future__ import annotations

import argparse

from dask.distributed import Client
from dask_jobqueue import SLURMCluster

import fanfold


def main() -> None:
    """Start workers, run, and end them."""
    parser = argparse.ArgumentParser(description="fanfold on Dask workers that Slurm starts.")
    parser.add_argument("genome")
    parser.add_argument("out")
    parser.add_argument("-k", action="append", type=int, metavar="N", help="default: 5")
    parser.add_argument("--jobs", type=int, default=20, metavar="N", help="default: 20")
    parser.add_argument("--partition", metavar="NAME")
    parser.add_argument("--account", metavar="NAME")
    arguments = parser.parse_args()

    with (
        SLURMCluster(
            cores=1,
            processes=1,
            memory="1GB",
            walltime="01:00:00",
            queue=arguments.partition,
            account=arguments.account,
        ) as cluster,
        Client(cluster) as client,
    ):
        cluster.scale(jobs=arguments.jobs)
        report = fanfold.run(
            arguments.genome,
            k=arguments.k or [5],
            out=arguments.out,
            executor=client.get_executor(retries=2),
        )
    print(report.path)


if __name__ == "__main__":
    main()
