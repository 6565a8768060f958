"""What the logger `fanfold` tells of a run: its phases at INFO, details at DEBUG."""

from __future__ import annotations

import logging

from fanfold._kernel import Findings
from fanfold.flow.plan import Plan
from fanfold.objects import Place, shown
from fanfold.report.master import Kmers

_log = logging.getLogger("fanfold")


def log_planned(plan: Plan) -> None:
    """Tell how an input is cut."""
    name = plan.source.name
    if plan.slices is None:
        _log.info("%s: planned: cut while it is read", name)
    else:
        _log.info("%s: planned: slices: %d", name, len(plan.slices))
    _log.debug(
        "%s: compression %s, cut %s, slices of %d bytes, k-mers of %s, plan %s",
        name,
        plan.compression,
        plan.cut,
        plan.slice_bytes,
        plan.parameters.k,
        plan.id,
    )


def log_scanned(plan: Plan, read_bytes: int) -> None:
    """Tell that every slice has a result."""
    slices = plan.known_slices()
    _log.info("%s: scanned: slices: %d, bytes read: %d", plan.source.name, len(slices), read_bytes)


def log_folded(plan: Plan, findings: Findings) -> None:
    """Tell what all slices together show."""
    _log.info(
        "%s: folded: records: %d, residues: %d",
        plan.source.name,
        findings.record_count,
        findings.length,
    )


def log_counted(plan: Plan, kmers: Kmers) -> None:
    """Tell that a table of k-mers from 9 on is made."""
    _log.info(
        "%s: counted: %d-mers: %d distinct, %d in all",
        plan.source.name,
        kmers.k,
        kmers.distinct,
        kmers.total,
    )


def log_written(name: str, place: Place) -> None:
    """Tell where the report of an input is."""
    _log.info("%s: written: %s", name, shown(place.url))


def log_finished(name: str, place: Place) -> None:
    """Tell that the report of an input was there already."""
    _log.info("%s: complete already: %s", name, shown(place.url))
