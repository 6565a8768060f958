"""Another look at a finished report: under another view, or to make a lost rendering again.

The input is not needed: master.json has what was counted, and the tables have every record and
every run of N.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence

import msgspec

from fanfold.checked_json import encode_checked
from fanfold.errors import OutputError, ParameterError, PlanError, ProofError, SourceError
from fanfold.exhaustion import exhaustion_in_words
from fanfold.flow.collection import COLLECTION
from fanfold.flow.contents import (
    has_facts,
    read_contents,
    read_finished,
    read_publication,
    read_record,
)
from fanfold.flow.plan import Plan
from fanfold.flow.publication import NewReport, changed_meanwhile
from fanfold.flow.publish import publisher_of
from fanfold.objects import LocalPlace, Place, open_place, path_of, shown, split_location
from fanfold.params import SMALL_K, check_texts, check_whole
from fanfold.report.busco import Busco, parse_busco
from fanfold.report.finished import Report
from fanfold.report.kmer_counts import counts_of_map
from fanfold.report.making import check_kmers, facts_of_report, make_report
from fanfold.report.master import Master, check_report, decode_report, encode_report
from fanfold.report.nx_table import nx_table
from fanfold.report.opened import incomplete, read_run
from fanfold.report.renderings import plot_of, renderings_of
from fanfold.report.run_record import (
    MASTER,
    NX,
    RENDERINGS,
    RUN,
    Question,
    Record,
    RunRecord,
)
from fanfold.report.survey import Survey
from fanfold.report.tables import survey_place
from fanfold.report.view import DEFAULT_VIEW, View, check_view


def look_again(place: Place, question: Question, master: bytes, view: View) -> bytes:
    """The `master.json` of a finished report under a view, with all its renderings.

    Where both are there already, nothing is locked or written. A rendering that can't be written
    does not spoil a report that is complete: it is logged.

    Args:
        place: where the report is.
        question: what it answers.
        master: the bytes of its `master.json`.
        view: the view.

    Raises:
        OutputError: the report under this view can't be written, or another run has replaced it.
    """
    has_view = _decoded(place, master).parameters.view == view
    if has_view and _has_renderings(place):
        return master
    try:
        return make_again(place, view, question=question)
    except OutputError as error:
        if not has_view:
            raise
        logging.getLogger("fanfold").warning("%s (the report itself is complete)", error)
        return master


def make_again(
    place: Place, view: View, busco: Busco | None = None, *, question: Question | None = None
) -> bytes:
    """Make what depends on the view, and the renderings, of a finished report; its `master.json`.

    Args:
        place: where the report is.
        view: the view.
        busco: what BUSCO found in the assembly.
        question: what the report has to answer; whatever it does when None.

    Raises:
        PlanError: there is no complete report of this version.
        OutputError: it can't be written, another run is at work there, or has put the report of
            another question in its place.
    """
    publisher = publisher_of(place)
    with publisher.hold(_location_of_input(place)):
        run, before = _finished(place)
        if question is None:
            question = run.record.question
        elif run.record.question.job != question.job:
            raise changed_meanwhile(place)
        old = _decoded(place, before)
        counts = _counts(place, old)
        survey = _survey(place, view)
        try:
            new = make_report(facts_of_report(old, before), survey, view)
        except ProofError as error:
            raise _damaged(place, error) from error
        master = encode_report(new)
        nx = nx_table(survey)

        def run_json(record: Record) -> bytes:
            return encode_checked(msgspec.structs.replace(run, record=record))

        publisher.publish(
            question,
            NewReport(
                tables=((NX, lambda write: write(nx)),),
                master=master,
                run=run_json,
                renderings=renderings_of(new, survey, counts, busco),
                kept={
                    name: facts
                    for name, facts in run.record.files.items()
                    if name not in {MASTER, NX}
                },
            ),
            _plan_of(place, question.job),
        )
    return master


def read_report(place: Place) -> Master:
    """A finished report.

    Raises:
        PlanError: there is no complete report of this version.
    """
    return _decoded(place, _finished(place)[1])


def survey_again(place: Place) -> tuple[Master, Survey]:
    """A finished report, and the survey of its tables under its own view.

    Raises:
        PlanError: there is no complete report of this version.
    """
    master = _decoded(place, _finished(place)[1])
    return master, _survey(place, master.parameters.view)


@exhaustion_in_words()
def render(
    location: str | os.PathLike[str],
    *,
    view: View = DEFAULT_VIEW,
    busco: str | os.PathLike[str] | None = None,
) -> Report:
    """Make the report of a finished run again under a view, with its renderings.

    The input is not needed. `master.json` and `nx.tsv` are those that `run` would write.

    Args:
        location: the folder or the URL of its files.
        view: how lengths and gaps are looked at.
        busco: the path or URL of a BUSCO short summary in JSON, to be shown in the page.

    Raises:
        ParameterError: the view can't be, or the file is no BUSCO summary.
        PlanError: there is no complete report of this version.
        FanfoldError: see `fanfold.errors`.
    """
    started = time.monotonic()
    view = check_view(view)
    place = open_place(path_of(location, "location"))
    found = None if busco is None else parse_busco(_read_busco(path_of(busco, "busco")))
    master = make_again(place, view, found)
    return Report(place, master, resumed=False, seconds=time.monotonic() - started)


@exhaustion_in_words()
def plot(location: str | os.PathLike[str], what: str, *, k: int | None = None) -> bytes:
    """A plot of a finished run, as an SVG file.

    Args:
        location: the folder or the URL of its files.
        what: ``snail``, ``nx``, ``cumulative``, ``gc``, ``gaps``, ``spectrum`` or ``cgr``.
        k: of which k-mers a spectrum or a chaos-game picture is; the largest with such a
            plot when None.

    Raises:
        ParameterError: there is no such plot, or the run did not count such k-mers.
        PlanError: there is no complete report of this version.
        FanfoldError: see `fanfold.errors`.
    """
    check_texts(what=what)
    k = check_whole("k", k)
    place = open_place(path_of(location, "location"))
    master, survey = survey_again(place)
    return plot_of(what, master, survey, _counts(place, master), k=k)


def _read_busco(location: str) -> bytes:
    where, name = split_location(location)
    try:
        return open_place(where).read(name)
    except (FileNotFoundError, OutputError) as error:
        raise SourceError(f"{shown(location)}: can't be read; check --busco") from error


def _finished(place: Place) -> tuple[RunRecord, bytes]:
    """What `run.json` says of a complete report, and its `master.json`."""
    try:
        run = read_run(place)
    except PlanError as error:
        if place.kinds([COLLECTION, RUN]).keys() == {COLLECTION}:
            raise PlanError(
                f"{place.url}: the reports of many genomes are here; give the folder of one"
            ) from error
        raise
    master = read_finished(place, run.record.question)
    if master is None:
        raise incomplete(place)
    return run, master


def _has_renderings(place: Place) -> bool:
    record = read_record(place)
    if record is None or record.renderings.keys() != {*RENDERINGS}:
        return False
    try:
        return all(has_facts(place, name, facts) for name, facts in record.renderings.items())
    except OutputError:  # it is no regular file
        return False


def _survey(place: Place, view: View) -> Survey:
    try:
        return survey_place(place, view)
    except ValueError as error:
        raise _damaged(place, error) from error


def _damaged(place: Place, error: Exception) -> PlanError:
    # Large tables count as complete by their size alone.
    return PlanError(f"{place.url}: its tables are damaged ({error}); run again with --fresh")


def _location_of_input(place: Place) -> str:
    """Where the input of a report is; of one that was committed and waits to be moved, too."""
    waiting = read_publication(place) if isinstance(place, LocalPlace) else None
    question = _finished(place)[0].record.question if waiting is None else waiting.question
    return question.location


def _decoded(place: Place, data: bytes) -> Master:
    """What a `master.json` says. Its checksum holds, which anyone can compute."""
    try:
        master = decode_report(data)
        check_report(master)
        check_view(master.parameters.view)
    except (msgspec.DecodeError, RecursionError, ParameterError, ValueError) as error:
        raise _not_ours(place, error) from error
    return master


def _counts(place: Place, master: Master) -> dict[int, Sequence[int]]:
    """The counts of k-mers, from which the summaries of k-mers have to follow."""
    try:
        counts: dict[int, Sequence[int]] = {
            k: counts_of_map(master.kmer_counts, k) for k in master.parameters.k if k <= SMALL_K
        }
        check_kmers(master, counts)
    except (ProofError, ValueError, OverflowError) as error:
        raise _not_ours(place, error) from error
    return counts


def _not_ours(place: Place, error: Exception) -> PlanError:
    return PlanError(
        f"{place.where(MASTER)}: not what fanfold wrote ({error}); run again with --fresh"
    )


def _plan_of(place: Place, job: str) -> Plan | None:
    """The plan of a report, which has to stay the one of its place; None if it has none.

    On a disk the lock is held: the plan of another question is of a run that was stopped.

    Raises:
        OutputError: another run has claimed the place.
    """
    contents = read_contents(place)
    if contents.plan is not None and contents.plan.job == job:
        return contents.plan
    if contents.plan_data is None or isinstance(place, LocalPlace):
        return None
    raise OutputError(f"{place.url}: another run is at work here; run again when it is done")
