"""What the functions log: JSON lines that name function, request, job and attempt; and metrics."""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from contextvars import ContextVar
from pathlib import PurePath

import msgspec

from fanfold.api.types import Problem
from fanfold.json_log import Facts, log_line

_NAMESPACE, _DIMENSION = "fanfold", "deployment"

_REFUSED = {"input", "source", "parameter", "too-expensive"}
"""Kinds of problems that the input or the request has: nothing for operators to do."""

_SAID_AT_MOST = 500

_UNITS = {"OldestOpenJobSeconds": "Seconds", "Usd": "None"}

_ABOUT = ContextVar[Facts | None]("_ABOUT", default=None)
"""The job that a thread is at."""

_ENCODER = msgspec.json.Encoder()


class _Lines(logging.Handler):
    def __init__(self, invocation: Facts) -> None:
        super().__init__()
        self._invocation = invocation

    def emit(self, record: logging.LogRecord) -> None:
        facts = {**self._invocation, **(_ABOUT.get() or {})}
        message = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            message = f"{message}: {type(error).__name__}: {str(error)[:_SAID_AT_MOST]}"
            frames = traceback.extract_tb(error.__traceback__)
            places = (f"{PurePath(each.filename).name}:{each.lineno}" for each in frames)
            facts["at"] = ", ".join(places)
        _write(log_line(record.levelname, message, facts))


def begin(function: str, context: object) -> None:
    """Have this invocation of a function log JSON lines.

    Args:
        function: its role, such as ``chunker``.
        context: what Lambda tells of the invocation.
    """
    request = str(getattr(context, "aws_request_id", ""))
    log = logging.getLogger("fanfold")
    log.handlers = [_Lines({"function": function, "request": request})]
    log.propagate = False
    log.setLevel(logging.INFO)
    _ABOUT.set(None)


def about(job: str, attempt: int | None = None) -> None:
    """Have the lines of this thread name a job, until it names another."""
    _ABOUT.set({"job": job} if attempt is None else {"job": job, "attempt": attempt})


def count_success(slices: int, usd: float) -> None:
    """Count a job that has its report.

    Args:
        slices: how many were scanned.
        usd: what its containers took, estimated.
    """
    _measure(_ABOUT.get(), JobsSucceeded=1, Slices=slices, Usd=usd)


def count_failure(error: Problem) -> None:
    """Count a job that ended without a report: as refused if the user's input is why."""
    kind = error.type.rpartition(":")[2]
    if kind == "cancelled":
        _measure(_ABOUT.get(), JobsCancelled=1)
    elif kind in _REFUSED:
        _measure(_ABOUT.get(), JobsRefused=1)
    else:
        _measure(_ABOUT.get(), JobsFailed=1)


def measure_open_jobs(count: int, oldest_seconds: float) -> None:
    """Tell how many jobs are open, and for how long the oldest has been; 0 if there is none."""
    _measure(None, OpenJobs=count, OldestOpenJobSeconds=round(oldest_seconds, 1))


def _measure(about: Facts | None, **values: float) -> None:
    """Write metrics into the log, from where CloudWatch takes them.

    The form is that of "Specification: Embedded metric format" (Amazon CloudWatch user guide).
    """
    metrics = [{"Name": name, "Unit": _UNITS.get(name, "Count")} for name in values]
    directive = {"Namespace": _NAMESPACE, "Dimensions": [[_DIMENSION]], "Metrics": metrics}
    document = {
        "_aws": {"Timestamp": round(time.time() * 1000), "CloudWatchMetrics": [directive]},
        _DIMENSION: os.environ.get("FANFOLD_NAME", "fanfold"),
        **(about or {}),
        **values,
    }
    _write(_ENCODER.encode(document).decode())


def _write(line: str) -> None:
    """Write a line to stderr, from where Lambda takes it to CloudWatch."""
    sys.stderr.write(f"{line}\n")
