"""A finished report that is opened for what lies beside it."""

from __future__ import annotations

import msgspec

from fanfold._kernel import VERSION
from fanfold.errors import PlanError
from fanfold.objects import Place
from fanfold.report.master import Master, check_report, decode_report
from fanfold.report.run_record import MASTER, RUN, Record, RunRecord, decode_run, facts_of


def open_report(place: Place, data: bytes | None = None) -> tuple[Record, Master]:
    """The record of a report, and what its `master.json` says.

    Args:
        place: where the report is.
        data: the bytes of its `master.json` as they were read before; as they are there when None.

    Raises:
        PlanError: there is no report of this version, or it is damaged; with `data`, another report
            is there by now.
    """
    record = read_run(place).record
    try:
        found = place.read(MASTER) if data is None else data
    except FileNotFoundError as error:
        raise incomplete(place) from error
    if facts_of(found) != record.files[MASTER]:
        if data is not None:
            raise PlanError(f"{place.url}: another report is here by now; open it again")
        raise incomplete(place)
    try:
        master = decode_report(found)
        check_report(master)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise not_ours(place, error) from error
    return record, master


def incomplete(place: Place) -> PlanError:
    """The error of a report that lacks a file, or has another one."""
    return PlanError(
        f"{place.url}: its report is not complete; run it again (`fanfold check` says what is"
        " wrong)"
    )


def not_ours(place: Place, how: object) -> PlanError:
    """The error of a `master.json` whose checksum holds, and that fanfold did not write."""
    return PlanError(
        f"{place.where(MASTER)}: not what fanfold wrote ({how}); run again with --fresh"
    )


def read_run(place: Place) -> RunRecord:
    """What `run.json` says of a report of this version.

    Raises:
        PlanError: there is none, or it is damaged.
    """
    try:
        run = decode_run(place.read(RUN))
    except FileNotFoundError as error:
        raise PlanError(
            f"{place.url}: no report is here; give the folder of a finished run"
        ) from error
    if run is None:
        raise PlanError(
            f"{place.where(RUN)}: damaged, or of another version of fanfold; run it again"
        )
    version = run.record.question.version
    if version != VERSION:
        raise PlanError(
            f"{place.url}: its report was made by fanfold {version}, and this is {VERSION}; run it"
            " again"
        )
    return run
