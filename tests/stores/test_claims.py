"""Whose a prefix is: claims, refusals, replacements, and reports that are written in the open.

A store has neither rename nor lock. What another run does meanwhile, the test does behind the
proxy, as one of the run's own requests arrives.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import pytest
from archives import bgzf
from servers.proxy import NO_CONDITIONS, Delay, FaultProxy, Request, Reset, ResetUpload
from servers.s3 import S3Server

import fanfold
from fanfold.errors import OutputError, PlanError, SourceError
from stores.driving import (
    ASKED,
    BUCKET,
    GENOME,
    OPTIONS,
    Bucket,
    assert_told,
    command,
    run,
)

Objects = dict[str, bytes]
"""Objects below a prefix, by name."""

INPUT = f"s3://{BUCKET}/genome.fa"
OTHER = bgzf(GENOME.lower() + b">gaps\nNNACGTNNN\n", 5000)
"""A genome no file of whose report is like one of ours."""


class Question(NamedTuple):
    """What is asked of which input."""

    location: str
    k: int | tuple[int, ...]

    def run(self, out: str, *, fresh: bool = False) -> fanfold.Report:
        return fanfold.run(
            self.location, self.k, out=out, slice_bytes=ASKED.slice_bytes, fresh=fresh
        )

    def plan(self, out: str, *, fresh: bool = False) -> fanfold.RunFolder:
        return fanfold.plan(
            self.location, self.k, out=out, slice_bytes=ASKED.slice_bytes, fresh=fresh
        )


OURS = Question(INPUT, ASKED.k)
OTHERS = {
    "other parameters": Question(INPUT, 2),
    "another input": Question(f"s3://{BUCKET}/other.fa.bgz", 2),
}
every_other = pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)


class Prefix(NamedTuple):
    """A prefix of the bucket, seen from behind the proxy."""

    s3: S3Server
    proxy: FaultProxy
    prefix: str

    @property
    def out(self) -> str:
        return f"s3://{BUCKET}/{self.prefix}"

    def beside(self, name: str) -> Prefix:
        """Another prefix of the same test."""
        return self._replace(prefix=f"{self.prefix}-{name}")

    def objects(self) -> Objects:
        keys = self.s3.keys(BUCKET, f"{self.prefix}/")
        return {key.removeprefix(f"{self.prefix}/"): self.s3.get(BUCKET, key) for key in keys}

    def put(self, objects: Mapping[str, bytes]) -> None:
        for name, data in objects.items():
            self.s3.put(BUCKET, f"{self.prefix}/{name}", data)

    def delete(self, name: str) -> None:
        self.s3.delete(BUCKET, f"{self.prefix}/{name}")

    def report(self) -> Objects:
        """The report, without what is true of one run only."""
        return report_of(self.objects())

    def at(self, method: str, path: str, act: Callable[[], object], number: int = 0) -> None:
        """Do something as a request arrives, before it is passed on."""
        arrived = 0

        def when(_: Request) -> bool:
            nonlocal arrived
            if arrived == number:
                act()
            arrived += 1
            return False

        self.proxy.inject(
            Delay(0), method=method, path=f"/{BUCKET}/{self.prefix}/{path}", when=when
        )


def report_of(objects: Mapping[str, bytes]) -> Objects:
    of_one_run = {"plan.json", "run.json"}
    return {
        name: data
        for name, data in objects.items()
        if name.rpartition("/")[0] in {"", "multiqc"} and name not in of_one_run
    }


@pytest.fixture
def place(s3: S3Server, proxy: FaultProxy, prefix: str) -> Prefix:
    s3.put(BUCKET, "other.fa.bgz", OTHER)
    return Prefix(s3, proxy, prefix)


def made_by(question: Question, place: Prefix) -> Objects:
    """All objects of a finished run."""
    question.run(place.out)
    return place.objects()


@pytest.fixture
def theirs(place: Prefix) -> Objects:
    """The objects of another question's finished run."""
    return made_by(OTHERS["another input"], place.beside("theirs"))


@pytest.fixture
def right(expected: dict[str, Objects]) -> Objects:
    """The report that answers our question."""
    return expected["genome.fa"]


# --- another question -------------------------------------------------------------------------


@every_other
@pytest.mark.parametrize("state", ["finished", "planned", "half done"])
def test_another_question_is_refused_and_nothing_changes(
    other: Question, state: str, place: Prefix
) -> None:
    if state == "finished":
        other.run(place.out)
    else:
        made = other.plan(place.out)
        if state == "half done":
            fanfold.task(made.plan_url, 0)
    before = place.objects()
    place.proxy.clear()

    held = "the report" if state == "finished" else "unfinished work"
    what = "for -k 2" if other.location == INPUT else f"of {other.location}"
    for verb in (OURS.run, OURS.plan):
        with pytest.raises(OutputError, match=f"{place.out}: holds {held} {what}; give another"):
            verb(place.out)

    assert place.objects() == before
    assert place.proxy.log("PUT") == place.proxy.log("POST") == place.proxy.log("DELETE") == []


def test_the_command_ends_with_5_where_another_question_is(place: Prefix, store: Bucket) -> None:
    OTHERS["other parameters"].run(place.out)
    before = place.objects()

    done = command("run", INPUT, "--out", place.out, *OPTIONS, variables=store.variables)

    assert_told(done, 5, place.out, "holds the report for -k 2", "--fresh")
    assert place.objects() == before


@every_other
@pytest.mark.parametrize("state", ["finished", "half done"])
def test_fresh_replaces_another_question_and_its_files_go(
    other: Question, state: str, place: Prefix, right: Objects, caplog: pytest.LogCaptureFixture
) -> None:
    not_fanfolds = {"notes.txt": b"notes", "chunks/notes.txt": b"notes", "below/run.json": b"notes"}
    place.put(not_fanfolds)
    if state == "finished":
        other.run(place.out)
    else:
        fanfold.task(other.plan(place.out).plan_url, 0)

    with caplog.at_level(logging.WARNING, "fanfold"):
        report = OURS.run(place.out, fresh=True)

    assert report.data == right["master.json"]
    found = place.objects()
    assert {name: found.pop(name) for name in not_fanfolds} == not_fanfolds
    assert report_of(found) == right
    (plan,) = {name.split("/")[1] for name in found if name.startswith("chunks/")}
    assert plan.encode() in found["plan.json"]
    assert [record.getMessage() for record in caplog.records if record.name == "fanfold"] == [
        f"{place.out}: replacing the results of {other.location}, -k 2"
    ]


def test_a_report_of_an_input_that_changed_is_replaced(
    place: Prefix, right: Objects, caplog: pytest.LogCaptureFixture
) -> None:
    inputs = place.beside("in")
    question = OURS._replace(location=f"{inputs.out}/genome.fa")
    inputs.put({"genome.fa": GENOME.lower()})
    question.run(place.out)
    inputs.put({"genome.fa": GENOME})

    with caplog.at_level(logging.WARNING, "fanfold"):
        question.run(place.out)

    assert place.report() == right
    assert [record.getMessage() for record in caplog.records if record.name == "fanfold"] == [
        f"{place.out}: replacing the results of the input as it was before it changed"
    ]


@pytest.mark.parametrize("fresh", [False, True], ids=["", "fresh"])
@pytest.mark.parametrize(
    "name",
    [
        "master.json",
        "run.json",
        "plan.json",
        "publish.json",
        "sequences.tsv",
        "gaps.bed",
        "genome.fa.fai",
        "genome.fa.gzi",
        "nx.tsv",
        "kmers.k5.tsv",
        "report.html",
        "multiqc/fanfold_table_mqc.json",
    ],
)
def test_foreign_objects_are_refused_before_anything_is_written(
    name: str, fresh: bool, place: Prefix
) -> None:
    place.put({name: b"theirs"})

    for verb in (OURS.run, OURS.plan):
        with pytest.raises(OutputError, match=f"{name}: in the way, and of no fanfold run"):
            verb(place.out, fresh=fresh)

    assert place.objects() == {name: b"theirs"}
    assert place.proxy.log("PUT") == place.proxy.log("POST") == []


def test_the_input_is_never_replaced_by_its_own_report(place: Prefix) -> None:
    place.put({"sequences.tsv": GENOME})
    question = OURS._replace(location=f"{place.out}/sequences.tsv")

    for fresh in (False, True):
        with pytest.raises(OutputError, match=r"sequences\.tsv"):
            question.run(place.out, fresh=fresh)

    assert place.objects() == {"sequences.tsv": GENOME}


# --- a report that was changed ----------------------------------------------------------------


@pytest.mark.parametrize("change", ["gone", "other bytes", "cut", "empty"])
@pytest.mark.parametrize(
    "name", ["master.json", "sequences.tsv", "gaps.bed", "genome.fa.fai", "run.json"]
)
def test_a_file_that_was_changed_is_found_and_made_again(
    name: str, change: str, place: Prefix
) -> None:
    inputs = place.beside("in")
    inputs.put({"genome.fa": GENOME + b">gaps\nNNACGTNNN\n"})
    question = OURS._replace(location=f"{inputs.out}/genome.fa")
    objects = made_by(question, place)
    kept, right = objects[name], report_of(objects)
    match change:
        case "gone":
            place.delete(name)
        case "other bytes":
            place.put({name: kept[:-2] + bytes([kept[-2] ^ 1]) + kept[-1:]})
        case "cut":
            place.put({name: kept[: len(kept) // 2]})
        case _:
            place.put({name: b""})
    place.proxy.clear()

    report = question.run(place.out)

    assert not report.resumed
    assert report.data == right["master.json"]
    assert place.report() == right
    read = {each.request.path for each in place.proxy.log("GET")}
    assert f"/{BUCKET}/{inputs.prefix}/genome.fa" not in read, "the slices were there"
    assert question.run(place.out).resumed


# --- another run meanwhile --------------------------------------------------------------------


MOMENTS = {
    "the claim": ("PUT", "plan.json"),
    "the first slice": ("PUT", "chunks/*"),
    "the fold": ("GET", "chunks/*"),
    "the first table": ("PUT", "sequences.tsv"),
    "the last table": ("PUT", "genome.fa.fai"),
    "the record": ("PUT", "run.json"),
    "the report": ("PUT", "master.json"),
}
every_moment = pytest.mark.parametrize(("method", "path"), MOMENTS.values(), ids=MOMENTS)


@every_moment
def test_a_claim_that_is_lost_ends_the_run_and_leaves_the_others_work(
    method: str, path: str, place: Prefix, theirs: Objects
) -> None:
    """Another run replaces the claim and finishes: what we have written by then, it removes."""

    def act() -> None:
        for name in report_of(place.objects()).keys() | {"run.json"}:
            place.delete(name)
        place.put(theirs)

    place.at(method, path, act)

    with pytest.raises(OutputError, match=r"other\.fa\.bgz") as caught:
        OURS.run(place.out)

    assert caught.value.exit_code == 5
    found = place.objects()
    assert {name: found.get(name) for name in theirs} == theirs
    others = {name for name in found.keys() - theirs.keys() if not name.startswith("chunks/")}
    assert others <= {"genome.fa.fai"}, "their report has no file of this name"
    assert OTHERS["another input"].run(place.out).resumed


@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.gz"])
def test_a_claim_that_is_lost_before_any_look_at_it_stays_lost(
    name: str, place: Prefix, theirs: Objects, expected: dict[str, Objects]
) -> None:
    """An archive's plan is written twice: it knows its slices only at the end."""
    question = OURS._replace(location=f"s3://{BUCKET}/{name}")
    question.run(place.out)
    looks = [each.request.path for each in place.proxy.log("GET")].count(
        f"/{BUCKET}/{place.prefix}/plan.json"
    )
    assert looks > 4

    for number in range(looks):
        lost = place.beside(f"lost{number}")
        place.proxy.clear()
        lost.at("GET", "plan.json", partial(lost.put, theirs), number)
        with pytest.raises(OutputError):
            question.run(lost.out)
        found = lost.objects()
        assert found["plan.json"] == theirs["plan.json"], number
        wrong = {"master.json": expected[name]["master.json"]}.items() & found.items()
        if number < looks - 1:  # else our report was whole, and they put theirs over it
            assert not wrong
        assert {each: found[each] for each in theirs} == theirs, number


@every_moment
def test_a_plan_that_another_run_put_there_ends_the_run_and_stays(
    method: str, path: str, place: Prefix
) -> None:
    plan = place.beside("theirs")
    OTHERS["other parameters"].plan(plan.out)
    theirs = plan.objects()["plan.json"]
    place.at(method, path, lambda: place.put({"plan.json": theirs}))

    with pytest.raises(OutputError, match=r"plan\.json: another run has replaced it"):
        OURS.run(place.out)

    assert place.objects()["plan.json"] == theirs


def test_a_claim_that_is_lost_while_it_replaces_a_plan_leaves_the_winner(
    place: Prefix, theirs: Objects
) -> None:
    OTHERS["other parameters"].run(place.out)
    place.at("PUT", "plan.json", lambda: place.put({"plan.json": theirs["plan.json"]}))

    with pytest.raises(OutputError, match=r"plan\.json: another run has replaced it"):
        OURS.run(place.out, fresh=True)

    assert place.objects()["plan.json"] == theirs["plan.json"]


def test_a_plan_that_is_gone_ends_the_run(place: Prefix) -> None:
    place.at("GET", "chunks/*", lambda: place.delete("plan.json"))

    with pytest.raises(OutputError, match="it is gone"):
        OURS.run(place.out)

    assert "master.json" not in place.objects()


def test_a_task_of_a_plan_that_was_replaced_writes_nothing(place: Prefix) -> None:
    ours = OURS.plan(place.out)
    OTHERS["other parameters"].plan(place.out, fresh=True)
    before = place.objects()

    with pytest.raises(PlanError, match="another run has replaced the plan"):
        fanfold.task(ours.plan_url, 0, plan_id=ours.plan.id)

    assert place.objects() == before


def test_a_report_that_appears_between_the_decision_and_the_claim_is_not_replaced(
    place: Prefix, theirs: Objects
) -> None:
    appears = {name: data for name, data in theirs.items() if name != "plan.json"}
    place.at("PUT", "plan.json", lambda: place.put(appears))

    with pytest.raises(OutputError, match=r"other\.fa\.bgz has appeared meanwhile"):
        OURS.run(place.out)
    with pytest.raises(OutputError, match="holds the report of"):
        OURS.run(place.out)

    found = place.objects()
    assert {name: found[name] for name in appears} == appears
    assert found.keys() - appears.keys() == {"plan.json"}


def test_two_runs_of_one_question_at_once_both_answer_it(place: Prefix, right: Objects) -> None:
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: OURS.run(place.out), range(3)))

    assert [report.data for report in reports] == [right["master.json"]] * 3
    assert place.report() == right
    assert OURS.run(place.out).resumed


# --- an answer that is lost -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.gz"])
@pytest.mark.parametrize(
    ("path", "skip"),
    [("plan.json", 0), ("plan.json", 1), ("sequences.tsv", 0), ("run.json", 0), ("master.json", 0)],
)
def test_a_write_whose_answer_is_lost_is_not_taken_for_another_runs(
    name: str, path: str, skip: int, place: Prefix, expected: dict[str, Objects]
) -> None:
    """An archive's plan is written twice: it knows its slices only at the end."""
    place.proxy.inject(Reset(), method="PUT", path=f"/{BUCKET}/{place.prefix}/{path}", skip=skip)

    report = run(f"s3://{BUCKET}/{name}", place.out)

    assert report.data == expected[name]["master.json"]
    assert place.report() == expected[name]
    faults = [each for each in place.proxy.log("PUT") if each.fault]
    assert len(faults) == (skip == 0 or name == "genome.fa.gz")


# --- a crash ----------------------------------------------------------------------------------


def is_write(request: Request) -> bool:
    return request.method in {"PUT", "DELETE"} or request.query == "delete"


def crash_after(proxy: FaultProxy, count: int) -> None:
    """Let so many writes pass, and then nothing at all."""
    passed = 0

    def when(request: Request) -> bool:
        nonlocal passed
        if passed >= count:
            return True
        passed += is_write(request)
        return False

    proxy.inject(ResetUpload(), when=when, times=None)


class Start(NamedTuple):
    """What is there before a run that crashes, and how it is run."""

    before: Objects
    question: Question
    fresh: bool


@pytest.fixture(params=["nothing", "another question", "an input that changed", "a changed table"])
def start(request: pytest.FixtureRequest, place: Prefix) -> Start:
    match request.param:
        case "nothing":
            return Start({}, OURS, fresh=False)
        case "another question":
            objects = made_by(OTHERS["another input"], place.beside("before"))
            return Start(objects, OURS, fresh=True)
        case "an input that changed":
            inputs = place.beside("in")
            question = OURS._replace(location=f"{inputs.out}/genome.fa")
            inputs.put({"genome.fa": GENOME.lower()})
            objects = made_by(question, place.beside("before"))
            inputs.put({"genome.fa": GENOME})
            return Start(objects, question, fresh=False)
        case _:
            objects = made_by(OURS, place.beside("before"))
            return Start(objects | {"sequences.tsv": b"changed"}, OURS, fresh=False)


def test_fresh_replaces_what_a_crash_left_of_another_question(
    place: Prefix, right: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No table stands there that nobody owns, wherever the crash came."""
    whole = place.beside("whole")
    place.proxy.clear()
    other = OTHERS["another input"]
    other.run(whole.out)
    writes = [each.request for each in place.proxy.log() if is_write(each.request)]

    for count in range(len(writes)):
        crashed = place.beside(f"crash{count}")
        monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "0.1")
        crash_after(place.proxy, count)
        with pytest.raises((SourceError, OutputError)):
            other.run(crashed.out)
        place.proxy.clear()
        monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "10")

        OURS.run(crashed.out, fresh=True)

        assert crashed.report() == right, count


def test_a_crash_after_any_write_is_mended_by_the_next_run(
    start: Start, place: Prefix, right: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = place.beside("whole")
    whole.put(start.before)
    place.proxy.clear()
    start.question.run(whole.out, fresh=start.fresh)
    writes = [each.request for each in place.proxy.log() if is_write(each.request)]
    names = whole.objects().keys()
    slices = max((at for at, each in enumerate(writes) if "/chunks/" in each.path), default=-1)
    assert whole.report() == right
    assert len(writes) - slices > 3

    for count in range(len(writes)):
        crashed = place.beside(f"crash{count}")
        crashed.put(start.before)
        monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "0.1")
        crash_after(place.proxy, count)
        with pytest.raises((SourceError, OutputError)):
            start.question.run(crashed.out, fresh=start.fresh)
        place.proxy.clear()
        monkeypatch.setenv("FANFOLD_RETRY_TIMEOUT", "10")

        found = crashed.objects()
        is_whole = report_of(found) == right
        is_before = report_of(found) == report_of(start.before)
        # What is mended has the right master.json all along.
        is_mended = report_of(start.before).get("master.json") == right["master.json"]
        assert "master.json" not in found or is_whole or is_before or is_mended, count
        if start.fresh and is_before:  # nothing was done to it yet, and nothing will be
            with pytest.raises(OutputError, match="holds the report"):
                start.question.run(crashed.out)
            assert crashed.objects() == found
            report = start.question.run(crashed.out, fresh=True)
        else:
            report = start.question.run(crashed.out)
            if count > slices:
                read = f"/{BUCKET}/" + start.question.location.removeprefix(f"s3://{BUCKET}/")
                assert read not in {each.request.path for each in place.proxy.log("GET")}, count

        assert report.data == right["master.json"], count
        assert crashed.report() == right, count
        if not report.resumed and not start.fresh:
            assert crashed.objects().keys() == names, count
        assert start.question.run(crashed.out).resumed, count


# --- a store without conditions ---------------------------------------------------------------


@pytest.fixture
def unconditional(place: Prefix) -> Prefix:
    """A store that ignores the conditions of writes."""
    place.proxy.inject(NO_CONDITIONS, method="PUT", times=None)
    return place


def run_afresh(question: Question, place: Prefix) -> fanfold.Report:
    """A fresh run, for which the user removes what is in the way."""
    while True:
        try:
            return question.run(place.out, fresh=True)
        except OutputError as error:
            where, _, said = str(error).partition(": ")
            assert said.startswith("in the way, and of no fanfold run")
            place.delete(where.removeprefix(f"{place.out}/"))


def assert_nothing_is_mistaken(place: Prefix, answers: Mapping[Question, bytes]) -> None:
    """Every question is answered right or refused, and answered right if it is asked afresh.

    Files that a run left behind when it lost its claim are in no record; the user removes them.
    """
    for question, answer in answers.items():
        try:
            report = question.run(place.out)
        except OutputError:
            continue
        assert report.data == answer == place.objects()["master.json"]
    for question, answer in answers.items():
        assert run_afresh(question, place).data == answer
        assert question.run(place.out).resumed
        assert place.objects()["master.json"] == answer


def test_a_store_without_conditions_gets_the_same_report(
    unconditional: Prefix, right: Objects
) -> None:
    assert OURS.run(unconditional.out).data == right["master.json"]
    assert unconditional.report() == right
    assert OURS.run(unconditional.out).resumed
    dropped = [each.request.headers for each in unconditional.proxy.log("PUT") if each.fault]
    assert any("if-none-match" in headers for headers in dropped)


@every_moment
def test_a_store_without_conditions_never_gives_anothers_report_as_an_answer(
    method: str, path: str, place: Prefix, theirs: Objects, right: Objects
) -> None:
    place.at(method, path, lambda: place.put(theirs))
    place.proxy.inject(NO_CONDITIONS, method="PUT", times=None)

    try:
        report = OURS.run(place.out)
    except OutputError:
        pass
    else:
        assert report.data == right["master.json"]
        assert place.report().items() >= right.items()
    place.proxy.clear()
    place.proxy.inject(NO_CONDITIONS, method="PUT", times=None)

    answers = {OURS: right["master.json"], OTHERS["another input"]: theirs["master.json"]}
    assert_nothing_is_mistaken(place, answers)


def test_runs_at_once_in_a_store_without_conditions_are_right_or_refused(
    unconditional: Prefix, theirs: Objects, right: Objects
) -> None:
    place = unconditional
    answers = {OURS: right["master.json"], OTHERS["another input"]: theirs["master.json"]}

    def ask(question: Question) -> bytes | None:
        try:
            return question.run(place.out).data
        except OutputError:
            return None

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(ask, answers))

    for told, answer in zip(found, answers.values(), strict=True):
        assert told in {None, answer}
    assert_nothing_is_mistaken(place, answers)
