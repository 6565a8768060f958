"""Genomes side by side, and how far they are apart: by their reports, or scanned for it."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import msgspec

from fanfold.engine.fan_out import opened
from fanfold.engine.progress import Watch
from fanfold.errors import ParameterError
from fanfold.exhaustion import exhaustion_in_words
from fanfold.flow.collection import read_collection
from fanfold.flow.genome import open_unnamed
from fanfold.flow.look import read_report
from fanfold.flow.memory import divide
from fanfold.flow.stats import analyse
from fanfold.objects import STDIN, is_remote, open_place, paths_of, split_location
from fanfold.objects.urls import is_local, local_path
from fanfold.params import Params
from fanfold.report.distances import LARGEST_K, Distances, common_k, distances_of
from fanfold.report.kmer_counts import counts_of_map
from fanfold.report.master import Composition, Master
from fanfold.report.run_record import MASTER
from fanfold.report.statistics import Statistics, statistics_of
from fanfold.report.view import DEFAULT_VIEW, View, check_view
from fanfold.shown import shown

SATURATED = "saturated"
"""What there is to tell of Jaccard and containment for short k-mers."""

MOST_GENOMES = 5000
"""So many have 25 million distances."""


class Compared(msgspec.Struct, frozen=True):
    """A genome beside others.

    Attributes:
        file: where it, or its report, is, as it was given.
        statistics: the statistics that `stats` gives.
        composition: residues by kind.
        view: how its lengths and gaps were looked at.
    """

    file: str
    statistics: Statistics
    composition: Composition
    view: View


class Comparison(msgspec.Struct, frozen=True):
    """Genomes side by side.

    Attributes:
        genomes: in the order given.
        distances: how far they are apart; None where they have no k up to 6 in common.
        jaccard: the word "saturated": it takes k of 15 or more.
        containment: the same.
    """

    genomes: list[Compared]
    distances: Distances | None
    jaccard: str = SATURATED
    containment: str = SATURATED


class _Found(NamedTuple):
    """A genome, and its counts of k-mers by k: all that is kept of its report."""

    compared: Compared
    counts: Mapping[int, array[int]]


@exhaustion_in_words()
def compare(
    locations: Iterable[str | os.PathLike[str]],
    *,
    view: View = DEFAULT_VIEW,
    workers: int | None = None,
    memory_bytes: int | None = None,
) -> Comparison:
    """Put genomes side by side. Nothing is written.

    Args:
        locations: reports: folders of `run`, of `run_many` (all that are in it), or a
            ``master.json``; or genomes, which are scanned.
        view: how lengths and gaps of genomes are looked at; a report has its own view.
        workers: threads; one a core when None.
        memory_bytes: the most memory to use for a genome; more is refused.

    Raises:
        ParameterError: there are too many, or an argument can't be.
        PlanError: a folder has no complete report of this version.
        FanfoldError: a genome can't be read, or is no FASTA.
    """
    view = check_view(view)
    given = paths_of(locations)
    workers, allowed = divide(memory_bytes, workers, is_remote=any(map(is_remote, given)))
    inputs = [each for location in given for each in _expanded(location)]
    if len(inputs) > MOST_GENOMES:
        raise ParameterError(
            f"{len(inputs):,} genomes: at most {MOST_GENOMES:,} can be compared at once"
        )
    reports = [None if folder is None else _of_report(file, folder) for file, folder in inputs]
    k = common_k(each.counts for each in reports if each is not None)
    parameters = Params(() if k is None else (k,), canonical=True)
    with opened(None, workers) as engine:

        def scan(file: str) -> _Found:
            genome = open_unnamed(file)
            watch = Watch(genome.source.size_bytes, None)
            made = analyse(engine, genome, parameters, view, allowed=allowed, watch=watch)
            counts = {k: array("Q", counted) for k, counted in made.counts.items()}
            return _Found(_compared(file, made.report), counts)

        found = [report or scan(file) for report, (file, _) in zip(reports, inputs, strict=True)]
    return Comparison(
        genomes=[each.compared for each in found],
        distances=None if k is None else distances_of([each.counts[k] for each in found], k),
    )


def _of_report(file: str, folder: str) -> _Found:
    report = read_report(open_place(folder))
    ks = [k for k in report.parameters.k if k <= LARGEST_K]
    return _Found(_compared(file, report), {k: counts_of_map(report.kmer_counts, k) for k in ks})


def _compared(file: str, report: Master) -> Compared:
    return Compared(shown(file), statistics_of(report), report.composition, report.parameters.view)


def _expanded(location: str) -> list[tuple[str, str | None]]:
    """What a location stands for: each with the folder of its report; None for a genome."""
    if location == STDIN:
        return [(location, None)]
    if PurePosixPath(location).name == MASTER:
        return [(location, split_location(location)[0])]
    is_folder = location.endswith("/")
    if is_local(location):
        is_folder = Path(local_path(location)).is_dir()
    if not is_folder:
        return [(location, None)]
    collection = read_collection(open_place(location))
    if collection is None:
        return [(location, location)]
    base = location.rstrip("/")
    return [(f"{base}/{name}", f"{base}/{name}") for name in collection.names]
