"""A document of a folder, whatever was done to it, never costs a user a file.

An input is the document's name on a line, then the document, whose checksum is made to hold:

    run.json, publish.json, plan.json   in the folder of a report, which is asked two questions
    collection.json                     in a folder of reports, which is asked for one
    result, blocks-result               the result of a slice, which is folded with its neighbour

What differs from run to run has a placeholder, such as `@JOB@`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec
from archives import bgzf
from summaries import tables

import fanfold
from fanfold import Report
from fanfold._kernel import crc64nvme
from fanfold.archives.bgzf import BgzfSlice
from fanfold.archives.formats import Compression
from fanfold.checked_json import encode_checked
from fanfold.errors import FanfoldError
from fanfold.flow.check import find_faults
from fanfold.flow.contents import Publication
from fanfold.flow.fold import fold_results
from fanfold.flow.plan import Plan, Slice, make_plan
from fanfold.flow.slice_file import DamagedResult, KeptResult, SliceResult, encode_result
from fanfold.objects import Source, open_place
from fanfold.params import Params
from fanfold.report.run_record import FileFacts, RunRecord, decode_run, facts_of
from fuzz.documents import sealed

_TEXT = b">a\nACGTNNAC\n>b\nGATTACA\n"
_K, _OTHER_K = 2, 3
_TOKEN = "0123456789abcdef" * 2
_REPLACED = "0123456789abcdef0123"

_RESULTS: dict[str, Compression] = {"result": "none", "blocks-result": "bgzf"}

_THEIRS = (
    *("theirs.txt", "sub/master.json", "chunks/theirs.txt", f"chunks/{_REPLACED}/theirs.txt"),
    *(".fanfold/theirs.txt", f".fanfold/{_TOKEN}/theirs.txt", f"chunks/{_REPLACED}/x.fai"),
)
"""A user's files in the folder, under names that fanfold never writes."""

_OUTSIDE = ("theirs.txt", "x.fa.fai", "y.fai", "master.json", "plan.json")
"""A user's files beside the folder, under any names."""


class _Stage(NamedTuple):
    """Folders to start from, of one input.

    Attributes:
        root: what all is in: the input `x.fa`, and the folder `all` of the report `x.fa`.
        kept: a copy of `all` as it is before every case.
        values: what stands for each placeholder.
        answers: the reports that answer the questions, by k.
    """

    root: Path
    kept: Path
    values: dict[bytes, bytes]
    answers: dict[int, bytes]


@cache
def _stage() -> _Stage:
    root = Path(tempfile.mkdtemp(prefix="fanfold-fuzz-"))
    genome, everything, kept = root / "x.fa", root / "all", root / "kept"
    out = everything / "x.fa"
    genome.write_bytes(_TEXT)
    other = fanfold.run(genome, _OTHER_K, out=root / "other", workers=1)
    mine = _one_of_many(genome, everything)
    for path in [everything / name for name in _OUTSIDE] + [out / name for name in _THEIRS]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"theirs")
    (out / "link").symlink_to(everything / "theirs.txt")
    record = _run_of(other.out).record
    for name in (*record.files, *record.renderings, "run.json"):
        shutil.copy(other.out / name, _staged(out) / Path(name).name)
    shutil.copytree(everything, kept, symlinks=True)
    values = {b"@ROOT@": str(root).encode()}
    for report, suffix in ((mine, b""), (other, b"-OTHER")):
        run = _run_of(report.out)
        values[b"@JOB%b@" % suffix] = run.job.encode()
        values[b"@PLAN%b@" % suffix] = run.plan.encode()
        values[b"@ETAG@"] = run.source.etag.encode()
    for name, facts in _staged_files(out).items():
        values[_facts_of(name).encode()] = msgspec.json.encode(facts)
    return _Stage(root, kept, values, {_K: mine.data, _OTHER_K: other.data})


def _staged(out: Path) -> Path:
    return out / ".fanfold" / _TOKEN


def _run_of(folder: Path) -> RunRecord:
    run = decode_run((folder / "run.json").read_bytes())
    assert run is not None
    return run


def _staged_files(out: Path) -> dict[str, FileFacts]:
    record = _run_of(_staged(out)).record
    run = facts_of((_staged(out) / "run.json").read_bytes())
    return {**record.files, **record.renderings, "run.json": run}


def _facts_of(name: str) -> str:
    """What stands for the facts of a staged file, quotes included."""
    return f'"@FACTS {name}@"'


def _publication(out: Path) -> bytes:
    """The report of the other question, staged and committed."""
    question = _run_of(_staged(out)).record.question
    goes, replaces = ("x.fa.gzi",), (_REPLACED,)
    return encode_checked(Publication(question, _TOKEN, _staged_files(out), goes, replaces))


def _publication_of_any_time(out: Path) -> bytes:
    """The same; it stays valid when the staged files have other facts."""
    document = json.loads(_publication(out))
    files = {name: json.loads(_facts_of(name)) for name in document["files"]}
    return json.dumps(document | {"files": files}, indent=1).encode()


def seeds() -> list[bytes]:
    stage = _stage()
    out = stage.kept / "x.fa"
    documents = [
        ("run.json", (out / "run.json").read_bytes()),
        ("publish.json", _publication(out)),
        ("publish.json", _publication_of_any_time(out)),
        ("plan.json", (out / "plan.json").read_bytes()),
        ("collection.json", (stage.kept / "collection.json").read_bytes()),
    ]
    seeds = [_seed(kind, document, stage.values) for kind, document in documents]
    for kind in _RESULTS:
        plan, results = _results(kind)
        seeds.append(_seed(kind, encode_result(results[0], plan)[0], _values_of(plan)))
    return seeds


def _seed(kind: str, document: bytes, values: Mapping[bytes, bytes]) -> bytes:
    placeholders = {value: placeholder for placeholder, value in values.items()}
    return f"{kind}\n".encode() + _replaced(document, placeholders)


def _values_of(plan: Plan) -> dict[bytes, bytes]:
    return {
        b"@VERSION@": plan.version.encode(),
        b"@JOB@": plan.job.encode(),
        b"@PLAN@": plan.id.encode(),
    }


def check(data: bytes) -> None:
    name, _, document = data.partition(b"\n")
    kind = name.decode(errors="replace")
    if kind in _RESULTS:
        _check_result(kind, sealed(_replaced(document, _values_of(_results(kind)[0]))))
    elif kind in {"run.json", "publish.json", "plan.json", "collection.json"}:
        stage = _stage()
        _check_folder(kind, sealed(_replaced(document, stage.values)), stage)


def _replaced(document: bytes, values: Mapping[bytes, bytes]) -> bytes:
    for each, by in values.items():
        document = document.replace(each, by)
    return document


def _check_folder(kind: str, document: bytes, stage: _Stage) -> None:
    everything, genome = stage.root / "all", stage.root / "x.fa"
    out = everything / "x.fa"
    shutil.rmtree(everything)
    shutil.copytree(stage.kept, everything, symlinks=True)
    (everything if kind == "collection.json" else out).joinpath(kind).write_bytes(document)
    for place in (everything, out):
        assert all(isinstance(line, str) for line in find_faults(open_place(place)))
    answers = [_answer(lambda: fanfold.run(genome, _K, out=out, workers=1))]
    if kind == "collection.json":
        answers.append(_answer(lambda: _one_of_many(genome, everything)))
    assert {*answers} <= {None, stage.answers[_K]}
    fresh = _answer(lambda: fanfold.run(genome, _OTHER_K, out=out, workers=1, fresh=True))
    assert fresh in {None, stage.answers[_OTHER_K]}
    theirs = [everything / name for name in _OUTSIDE] + [out / name for name in _THEIRS]
    assert {each.read_bytes() for each in theirs} == {b"theirs"}
    assert (out / "link").readlink() == everything / "theirs.txt"
    assert genome.read_bytes() == _TEXT


def _answer(ask: Callable[[], Report]) -> bytes | None:
    """The report; None if it is refused."""
    try:
        return ask().data
    except FanfoldError:
        return None


def _one_of_many(genome: Path, out: Path) -> Report:
    (outcome,) = fanfold.run_many([genome], _K, out=out, workers=1)
    if outcome.report is None:
        assert outcome.error is not None
        raise outcome.error
    return outcome.report


# --- results of slices ------------------------------------------------------------------------


def _check_result(kind: str, document: bytes) -> None:
    plan, results = _results(kind)
    rows = encode_result(results[0], plan).rows
    try:
        kept = KeptResult(document, plan, 0)
        result = kept.result(rows or b"" if kept.rows is not None else b"")
    except DamagedResult:
        return

    def rescan(each: Slice, _: int) -> SliceResult:
        return results[each.index]

    with suppress(FanfoldError):
        tables(fold_results(plan, enumerate([result, *results[1:]]), rescan).findings)


@cache
def _results(kind: str) -> tuple[Plan, tuple[SliceResult, ...]]:
    """A plan of two slices, and their results."""
    compression = _RESULTS[kind]
    data = _TEXT if compression == "none" else bgzf(_TEXT, 8)
    source = Source("/x/x.fa", "x.fa", len(data), "")
    plan = make_plan(source, compression, Params((_K,), canonical=False), -(-len(data) // 2))
    result = _ranges_result if compression == "none" else _blocks_result
    return plan, tuple(result(plan, each, data) for each in plan.known_slices())


def _ranges_result(_: Plan, each: Slice, data: bytes) -> SliceResult:
    text = data[each.start_byte : each.end_byte]
    return SliceResult(
        index=each.index,
        start_byte=each.start_byte,
        end_byte=each.end_byte,
        summary=fanfold.scan(text, _K),
        crc64nvme=crc64nvme(text),
        owned_start_byte=each.start_byte,
        owned_end_byte=each.end_byte,
    )


def _blocks_result(plan: Plan, each: Slice, data: bytes) -> SliceResult:
    def read(start_byte: int, end_byte: int, _: int = 0, /) -> Iterator[memoryview]:
        yield memoryview(data)[start_byte:end_byte]

    blocks = BgzfSlice(plan.source, each.start_byte, each.end_byte, read=read)
    return SliceResult(
        index=each.index,
        start_byte=each.start_byte,
        end_byte=each.end_byte,
        summary=fanfold.scan(b"".join(blocks), _K),
        crc64nvme=blocks.crc64nvme,
        owned_start_byte=blocks.owned_start_byte,
        owned_end_byte=blocks.owned_end_byte,
        block_start_bytes=blocks.block_start_bytes,
        block_text_bytes=blocks.block_text_bytes,
    )
