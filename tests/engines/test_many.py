"""Many inputs in one call: each as if it were alone, and one table and one page over all."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from archives import bgzf
from servers.proxy import FaultProxy
from servers.s3 import S3Server

import fanfold
from engines.dask_cluster import Cluster
from engines.driving import BUCKET, DATA, GENOMES, command, results, stored_results, succeed, whole
from fanfold.errors import OutputError, ParameterError, SourceError
from fanfold.report.page.index_page import is_index_page

PHIX = (DATA / "phiX174.fa").read_bytes()
LAMBDA = (DATA / "lambda_NC_001416.fa").read_bytes()
MT = (DATA / "human_MT.fa").read_bytes()

STATISTICS = [
    *("sequences", "length", "shortest", "q1", "median", "q3", "mean", "longest"),
    *("N50", "L50", "N90", "auN", "gc_percent", "N", "n_percent"),
    *("gaps", "contig_N50", "lowercase_percent"),
]
HEADER = ["file", *STATISTICS, "state", "seconds", "error"]
MANY = 200

GOOD: dict[str, tuple[bytes, list[str]]] = {
    "mt.fa": (MT, ["1", "16569", "16569", "44.360", "0", "0.006"]),
    "phage.fa.gz": (gzip.compress(LAMBDA), ["1", "48502", "48502", "49.858", "0", "0.000"]),
    "phix.fa.gz": (bgzf(PHIX, 1000), ["1", "5386", "5386", "44.764", "0", "0.000"]),
    "none.fa": (b">a\n>b\n", ["2", "0", "", "", "0", ""]),
    "gap.fa": (b">a\nNNN\n>b\nNN\n", ["2", "5", "3", "", "5", "0.000"]),
}
"""Each with its sequences, length, N50, GC %, N and lowercase %."""
BAD: dict[str, tuple[bytes | None, str]] = {
    "reads.fq": (b"@read\nACGT\n+\nIIII\n", r"reads\.fq: .*FASTQ.*"),
    "cut.fa.gz": (gzip.compress(MT)[:-50], r"cut\.fa\.gz: truncated: .*"),
    "empty.fa": (b"", r"empty\.fa: empty: .*"),
    "late.fa": (MT + b"AC\rGT\n", r"late\.fa: .*CR.*"),
    "missing.fa": (None, r".*missing\.fa: can't be read: .*"),
}
ORDER = [
    "mt.fa",
    "reads.fq",
    "phage.fa.gz",
    "missing.fa",
    "cut.fa.gz",
    "none.fa",
    "empty.fa",
    "phix.fa.gz",
    "late.fa",
    "gap.fa",
]


def contents() -> dict[str, bytes | None]:
    good = {name: content for name, (content, _) in GOOD.items()}
    return good | {name: content for name, (content, _) in BAD.items()}


def table(content: bytes) -> list[list[str]]:
    """The rows of a summary, below its header."""
    text = content.decode()
    assert text.endswith("\n")
    header, *rows = (line.split("\t") for line in text.removesuffix("\n").split("\n"))
    assert header == HEADER
    assert all(len(row) == len(HEADER) for row in rows)
    return rows


def assert_tells_of_all(rows: Sequence[Sequence[str]]) -> None:
    assert [row[0] for row in rows] == ORDER
    for name, *values, state, seconds, error in rows:
        assert re.fullmatch(r"\d+\.\d{3}", seconds)
        if name in GOOD:
            found = dict(zip(STATISTICS, values, strict=True))
            shown = ("sequences", "length", "N50", "gc_percent", "N", "lowercase_percent")
            assert ([found[each] for each in shown], state, error) == (GOOD[name][1], "ok", "")
        else:
            assert (values, state) == ([""] * len(STATISTICS), "failed")
            assert re.fullmatch(BAD[name][1], error)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Good inputs and bad ones, as files."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    for name, content in contents().items():
        if content is not None:
            (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """What a run of each good input alone makes."""
    folder = tmp_path_factory.mktemp("alone")
    made = {}
    for name, (content, _) in GOOD.items():
        (folder / name).write_bytes(content)
        made[name] = whole(folder / name, folder / f"{name}.fanfold")
    return made


def genomes(folder: Path, count: int = MANY) -> list[Path]:
    """Small genomes, no two alike."""
    folder.mkdir()
    paths = [folder / f"{index:03d}.fa" for index in range(count)]
    for index, path in enumerate(paths):
        path.write_bytes(b">%d\n%b\n" % (index, b"ACGTTGCA" * (50 + index)))
    return paths


# --- good and bad ones ------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["one thread", "threads", "pool", "processes", "dask"])
def test_inputs_that_fail_do_not_stop_the_others(
    engine: str,
    folder: Path,
    tmp_path: Path,
    alone: dict[str, dict[str, bytes]],
    request: pytest.FixtureRequest,
) -> None:
    executor: Executor | None = None
    if engine in {"processes", "dask"}:
        executor = request.getfixturevalue(engine)
    elif engine == "pool":
        executor = request.getfixturevalue("threads")
    out = tmp_path / "out"
    told: list[tuple[int, int]] = []

    outcomes = fanfold.run_many(
        [folder / name for name in ORDER],
        out=out,
        executor=executor,
        slice_bytes=3000,
        workers=1 if engine == "one thread" else None,
        progress=lambda done, count: told.append((done, count)),
    )

    assert [outcome.name for outcome in outcomes] == ORDER
    assert [outcome.location for outcome in outcomes] == [str(folder / name) for name in ORDER]
    assert told == [(done, len(ORDER)) for done in range(1, len(ORDER) + 1)]
    assert_tells_of_all(table((out / "summary.tsv").read_bytes()))
    for outcome in outcomes:
        if outcome.name in GOOD:
            assert outcome.error is None
            assert outcome.report is not None
            assert outcome.report.out == out / outcome.name
            assert results(out / outcome.name) == alone[outcome.name]
        else:
            assert outcome.report is None
            with pytest.raises(fanfold.FanfoldError) as single:
                fanfold.run(outcome.location, out=tmp_path / "single" / outcome.name)
            assert type(outcome.error) is type(single.value)
            assert str(outcome.error) == str(single.value)
            assert "master.json" not in results(out / outcome.name)


@pytest.mark.parametrize("engine", ["threads", "dask"])
def test_a_command_on_a_store_tells_of_all_and_ends_with_9(
    engine: str,
    s3: S3Server,
    prefix: str,
    alone: dict[str, dict[str, bytes]],
    request: pytest.FixtureRequest,
) -> None:
    for name, content in contents().items():
        if content is not None:
            s3.put(BUCKET, f"{prefix}/{name}", content)
    words: list[str] = []
    if engine == "dask":
        cluster: Cluster = request.getfixturevalue("cluster")
        words = ["--dask", cluster.address]

    done = command(
        *("run", *(f"s3://{BUCKET}/{prefix}/{name}" for name in ORDER)),
        *("--out", f"s3://{BUCKET}/{prefix}/out/", "--slice-size", "3000", *words),
        variables=s3.environment(),
    )

    assert done.returncode == 9
    assert done.stdout == f"s3://{BUCKET}/{prefix}/out/summary.tsv\n"
    _headings, *lines = done.stderr.splitlines()
    assert [line.split()[0] for line in lines[:5]] == [name for name in ORDER if name in GOOD]
    first, *failures = lines[5:]
    page = f"s3://{BUCKET}/{prefix}/out/index.html"
    assert first == f"  5 of 10 genomes done, side by side in {page}"
    assert is_index_page(s3.get(BUCKET, f"{prefix}/out/index.html"))
    failed = [name for name in ORDER if name in BAD]
    assert len(failures) == len(failed)
    for line, name in zip(failures, failed, strict=True):
        assert re.fullmatch(f"fanfold: {BAD[name][1]}", line)
    assert_tells_of_all(table(s3.get(BUCKET, f"{prefix}/out/summary.tsv")))
    for name, expected in alone.items():
        assert stored_results(s3, f"{prefix}/out/{name}") == expected


def test_a_command_ends_with_0_when_none_failed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    paths = [folder / name for name in GOOD]

    done = succeed("run", *paths, "--out", out)
    quiet = succeed("run", *paths, "--out", out, "--quiet")

    assert done.stdout == quiet.stdout == f"{out / 'summary.tsv'}\n"
    count = len(GOOD)
    said = f"  {count} of {count} genomes done, side by side in {out / 'index.html'}\n"
    headings, *rows, last = done.stderr.splitlines(keepends=True)
    assert headings.split()[:4] == ["file", "sequences", "length", "shortest"]
    assert [row.split()[:3] for row in rows] == [
        [name, GOOD[name][1][0], f"{int(GOOD[name][1][1]):,}"] for name in GOOD
    ]
    assert last == said
    assert quiet.stderr == ""
    assert {path.name for path in out.iterdir()} == {
        *GOOD,
        ".fanfold",
        "collection.json",
        "index.html",
        "summary.tsv",
    }


def test_several_k_and_canonical_hold_for_all(folder: Path, tmp_path: Path) -> None:
    paths = [folder / "mt.fa", folder / "phix.fa.gz"]

    succeed("run", *paths, "--out", tmp_path / "out", "-k", "3", "-k", "8", "--canonical")

    for path in paths:
        alone = whole(path, tmp_path / f"{path.name}.fanfold", (3, 8), canonical=True)
        assert results(tmp_path / "out" / path.name) == alone


def test_no_inputs_make_an_empty_table(tmp_path: Path) -> None:
    assert fanfold.run_many([], out=tmp_path) == []
    assert table((tmp_path / "summary.tsv").read_bytes()) == []


def test_standard_input_may_be_one_of_many(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    succeed("run", folder / "mt.fa", "-", "--out", out, stdin=folder / "phix.fa.gz")

    assert [row[0] for row in table((out / "summary.tsv").read_bytes())] == ["mt.fa", "stdin"]
    stdin = json.loads((out / "stdin" / "master.json").read_bytes())
    assert stdin["source"]["name"] == "stdin"
    assert stdin["sequences"]["length"] == 5386


# --- side by side ----------------------------------------------------------------------------


class Shown(HTMLParser):
    """The links of a page, its texts in order, and its data."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.texts: list[str] = []
        self._script = ""
        self._is_data = False
        self.feed(path.read_text())
        self.data = json.loads(self._script)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_data = (tag, dict(attrs).get("id")) == ("script", "data")
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")

    def handle_data(self, data: str) -> None:
        if self._is_data:
            self._script = data
            self._is_data = False
        self.texts.append(data)

    def curves(self) -> dict[str, list[int]]:
        return {each["name"]: each["y"] for each in self.data["figures"]["nx-all"]["series"]}


def n_of_x(out: Path) -> list[int]:
    header, *rows = ((out / "nx.tsv").read_text()).splitlines()
    column = header.split("\t").index("sequences_N")
    cells = [row.split("\t")[column] for row in rows]
    return [int(cell) for cell in cells if cell]


def test_the_page_over_all_links_every_report_and_has_its_numbers(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    fanfold.run_many([folder / name for name in ORDER], out=out)

    page = Shown(out / "index.html")
    good = [name for name in ORDER if name in GOOD]
    assert [(out / unquote(link)).parent.name for link in page.links] == good
    for link in page.links:
        assert (out / unquote(link)).is_file()
    assert page.curves() == {name: n_of_x(out / name) for name in good if name != "none.fa"}
    for name in good:
        assert GOOD[name][1][0] in {text.replace(",", "") for text in page.texts}
    reasons = [text for text in page.texts if text in BAD]
    assert reasons == [name for name in ORDER if name in BAD]
    assert page.texts.index("reads.fq") < page.texts.index("mt.fa")


def test_failures_of_an_earlier_call_drop_out_of_the_page(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    fanfold.run_many([folder / "mt.fa", folder / "reads.fq"], out=out)

    fanfold.run_many([folder / "gap.fa"], out=out)

    page = Shown(out / "index.html")
    assert page.links == ["./mt.fa/report.html", "./gap.fa/report.html"]
    assert "reads.fq" not in page.texts


def test_a_report_that_is_not_as_written_is_neither_in_the_table_nor_in_the_page(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    fanfold.run_many([folder / "mt.fa", folder / "gap.fa"], out=out)
    nx = out / "mt.fa" / "nx.tsv"
    nx.write_bytes(nx.read_bytes().replace(b"16569", b"16570", 1))

    fanfold.run_many([folder / "gap.fa"], out=out)

    assert [row[0] for row in table((out / "summary.tsv").read_bytes())] == ["gap.fa"]
    assert [*Shown(out / "index.html").curves()] == ["gap.fa"]
    fanfold.run_many([folder / "mt.fa"], out=out)
    assert [*Shown(out / "index.html").curves()] == ["mt.fa", "gap.fa"]


def test_the_page_is_the_same_whatever_ran_before(folder: Path, tmp_path: Path) -> None:
    paths = [folder / name for name in GOOD]
    fanfold.run_many(paths, out=tmp_path / "at once")
    for path in paths:
        fanfold.run_many([path], out=tmp_path / "one by one", slice_bytes=1000)

    pages = [(tmp_path / each / "index.html").read_bytes() for each in ("at once", "one by one")]
    assert pages[0] == pages[1]


@pytest.mark.skipif(not GENOMES.is_dir(), reason="THE LARGER GENOMES ARE NOT HERE")
def test_real_genomes_stand_side_by_side(tmp_path: Path) -> None:
    paths = sorted(
        path
        for path in GENOMES.iterdir()
        if path.suffix not in {".fai", ".gzi", ".md"} and path.stat().st_size < 10**7
    )
    out = tmp_path / "out"

    outcomes = fanfold.run_many(paths, out=out)

    assert [each.error for each in outcomes] == [None] * len(paths)
    page = Shown(out / "index.html")
    assert [unquote(link).split("/")[1] for link in page.links] == [path.name for path in paths]
    assert page.curves() == {path.name: n_of_x(out / path.name) for path in paths}
    assert len((out / "index.html").read_bytes()) < 500_000


# --- taken up ---------------------------------------------------------------------------------


def test_inputs_that_are_complete_are_not_read_again(
    store: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch, threads: Executor
) -> None:
    names = [name for name in ORDER if name != "missing.fa"]
    for name in names:
        store.put(BUCKET, f"{prefix}/{name}", contents()[name] or b"")
    with FaultProxy(store.endpoint_url) as proxy:
        for variable, value in store.environment(proxy.url).items():
            monkeypatch.setenv(variable, value)
        call = partial(
            fanfold.run_many,
            [f"s3://{BUCKET}/{prefix}/{name}" for name in names],
            out=f"s3://{BUCKET}/{prefix}/out",
        )
        first = call()
        rows = table(store.get(BUCKET, f"{prefix}/out/summary.tsv"))
        proxy.clear()
        store.put(BUCKET, f"{prefix}/reads.fq", PHIX)

        again = call(executor=threads)

        read = {each.request.path.rpartition("/")[2] for each in proxy.log("GET")}
    assert read.isdisjoint(name for name in GOOD if GOOD[name][0])
    resumed = {each.name: each.report.resumed for each in again if each.report is not None}
    assert resumed == dict.fromkeys(GOOD, True) | {"reads.fq": False}
    assert [each.name for each in first if each.error] == [
        "reads.fq",
        "cut.fa.gz",
        "empty.fa",
        "late.fa",
    ]
    assert [each.name for each in again if each.error] == ["cut.fa.gz", "empty.fa", "late.fa"]
    good = [row for row in rows if row[-3] == "ok"]
    after = table(store.get(BUCKET, f"{prefix}/out/summary.tsv"))
    assert after[: len(good)] == good, "earlier reports come first, with their runs' seconds"
    others = [name for name in names if name not in GOOD]
    assert [row[0] for row in after[len(good) :]] == others
    assert [row[0] for row in after if row[-3] == "failed"] == others[1:]


def test_fresh_starts_all_over(folder: Path, tmp_path: Path) -> None:
    paths = [folder / name for name in GOOD]
    fanfold.run_many(paths, out=tmp_path / "out")

    outcomes = fanfold.run_many(paths, out=tmp_path / "out", fresh=True)

    assert not any(each.report.resumed for each in outcomes if each.report)


@pytest.mark.parametrize("engine", ["threads", "pool"])
def test_an_interrupt_stops_all_and_can_be_taken_up(
    engine: str, tmp_path: Path, threads: Executor
) -> None:
    paths = genomes(tmp_path / "inputs", 40)
    call: Callable[..., list[fanfold.Outcome]] = partial(
        fanfold.run_many,
        paths,
        out=tmp_path / "out",
        executor=threads if engine == "pool" else None,
    )

    def interrupt(done: int, _count: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(progress=interrupt)
    complete = {path.parent.name for path in (tmp_path / "out").glob("*/master.json")}
    assert 5 <= len(complete) < len(paths)
    assert not (tmp_path / "out" / "summary.tsv").exists()
    outcomes = call()

    assert all(each.report is not None for each in outcomes)
    assert {each.name for each in outcomes if each.report and each.report.resumed} == complete
    assert len(table((tmp_path / "out" / "summary.tsv").read_bytes())) == len(paths)


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{folder}/mt.fa", "{folder}/mt.fa"),
        ("{folder}/mt.fa", "{folder}/../inputs/mt.fa"),
        ("{folder}/mt.fa", "file://{folder}/mt.fa"),
        ("https://127.0.0.1:9/mt.fa?signature=SECRET", "https://127.0.0.1:9/mt.fa"),
        ("-", "-"),
    ],
)
def test_an_input_that_is_given_twice_is_refused_before_anything_is_done(
    one: str, other: str, folder: Path, tmp_path: Path
) -> None:
    locations = [each.format(folder=folder) for each in (one, other)]
    good = folder / "phix.fa.gz"

    with pytest.raises(ParameterError, match=r"2 inputs are called (mt\.fa|stdin)") as found:
        fanfold.run_many([good, *locations], out=tmp_path / "out")
    done = command("run", good, *locations, "--out", tmp_path / "out")

    assert done.returncode == 2
    assert done.stderr == f"fanfold: {found.value}\n"
    assert "SECRET" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["summary.tsv", "index.html", "collection.json"])
def test_an_input_that_is_called_as_a_file_over_all_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=re.escape(name)):
        fanfold.run_many([tmp_path / name, tmp_path / "x.fa"], out=tmp_path / "out")

    assert not (tmp_path / "out").exists()


HOSTILE = [
    "tab\there.fa",
    "new\nline.fa",
    "return\rhere.fa",
    "form\ffeed\vtab\x1c\x1d\x1e.fa",
    "next\x85line\u2028paragraph\u2029.fa",
    "-rf.fa",
    " spaces  here .fa",
    "%2e%2E%2Fx.fa",
    "a?b#c&d;$(e)`f`'g.fa",
    "chunks",
    "plan.json",
    "master.json",
    "été 🧬.fa",
    "x" * 200 + ".fa",
]


def test_no_name_breaks_the_table(tmp_path: Path) -> None:
    folder = tmp_path / "in\tputs\n"
    folder.mkdir()
    for name in HOSTILE:
        (folder / name).write_bytes(PHIX)
    missing = folder / "mis\nsing\tand\rgone.fa"

    outcomes = fanfold.run_many([*(folder / name for name in HOSTILE), missing], out=tmp_path / "o")

    *reports, failed = outcomes
    assert [each.error for each in reports] == [None] * len(HOSTILE)
    content = (tmp_path / "o" / "summary.tsv").read_bytes()
    rows = table(content)
    assert len(rows) == len(content.decode().splitlines()) - 1 == len(outcomes)
    assert [row[0] for row in rows[:5]] == [
        r"tab\x09here.fa",
        r"new\x0aline.fa",
        r"return\x0dhere.fa",
        r"form\x0cfeed\x0btab\x1c\x1d\x1e.fa",
        r"next\x85line\u2028paragraph\u2029.fa",
    ]
    assert [row[0] for row in rows if row[0] in HOSTILE] == HOSTILE[5:]
    assert rows[-1][-3] == "failed"
    assert isinstance(failed.error, SourceError)
    for name in HOSTILE:
        assert json.loads((tmp_path / "o" / name / "master.json").read_bytes())["source"][
            "name"
        ] == (name)
    parsed = csv.reader(content.decode().splitlines(keepends=True), delimiter="\t")
    assert list(parsed) == [HEADER, *rows]


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no such names")
def test_a_name_that_is_not_utf_8_fails_alone(tmp_path: Path) -> None:
    hostile = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.fa")
    Path(hostile).write_bytes(PHIX)
    missing = os.fsdecode(os.fsencode(tmp_path) + b"/\xfe.fa")

    outcomes = fanfold.run_many([hostile, DATA / "human_MT.fa", missing], out=tmp_path / "out")
    rows = table((tmp_path / "out" / "summary.tsv").read_bytes())
    assert [row[0] for row in rows] == ["\\xff.fa", "human_MT.fa", "\\xfe.fa"]
    done = command("run", hostile, DATA / "human_MT.fa", missing, "--out", tmp_path / "out")

    assert [each.error is None for each in outcomes] == [False, True, False]
    assert "not UTF-8" in str(outcomes[0].error)
    assert done.returncode == 9
    rows = table((tmp_path / "out" / "summary.tsv").read_bytes())
    assert [row[0] for row in rows] == ["human_MT.fa", "\\xff.fa", "\\xfe.fa"]


def test_names_of_objects_stay_what_they_are(store: S3Server, prefix: str) -> None:
    names = ["%2e x+y.fa", "a?b#c&d.fa", "été.fa", "=.fa"]
    for name in names:
        store.put(BUCKET, f"{prefix}/{name}", PHIX)

    outcomes = fanfold.run_many(
        [f"s3://{BUCKET}/{prefix}/{name}" for name in names], out=f"s3://{BUCKET}/{prefix}/out"
    )

    assert [each.error for each in outcomes] == [None] * len(names)
    rows = table(store.get(BUCKET, f"{prefix}/out/summary.tsv"))
    assert [row[0] for row in rows] == names
    for name in names:
        assert "master.json" in stored_results(store, f"{prefix}/out/{name}")


# --- where results go -------------------------------------------------------------------------


def test_results_in_the_folder_of_the_inputs_harm_none_of_them(folder: Path) -> None:
    """A file is where a folder would have to be."""

    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    before = files()

    outcomes = fanfold.run_many([folder / "mt.fa", folder / "none.fa"], out=folder)

    assert [type(each.error) for each in outcomes] == [OutputError] * 2
    assert files() == before | {
        name: (folder / name).read_bytes()
        for name in ("collection.json", "index.html", "summary.tsv")
    }
    assert [path for path in folder.iterdir() if path.is_dir()] == [folder / ".fanfold"]


def test_an_output_that_cannot_be_is_told_before_anything_is_done(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match="can't be made"):
        fanfold.run_many([folder / "mt.fa"], out=tmp_path / "file" / "out")


# --- many on few ------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["one worker", "two workers", "a pool of one", "dask"])
def test_hundreds_of_small_genomes_share_few_workers(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    paths = genomes(tmp_path / "inputs")
    call = partial(fanfold.run_many, paths, 3, out=tmp_path / "out", slice_bytes=500)
    match engine:
        case "one worker":
            outcomes = call(workers=1)
        case "two workers":
            outcomes = call(workers=2)
        case "dask":
            outcomes = call(executor=request.getfixturevalue("dask"))
        case _:
            with ThreadPoolExecutor(1) as pool:
                outcomes = call(executor=pool)

    assert [each.name for each in outcomes] == [path.name for path in paths]
    lengths = [
        json.loads(each.report.data)["sequences"]["length"] for each in outcomes if each.report
    ]
    assert lengths == [8 * (50 + index) for index in range(MANY)]


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_inputs_of_many_slices_do_not_starve_each_other(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    paths = []
    for index in range(8):
        paths.append(tmp_path / f"{index}.fa")
        paths[-1].write_bytes(compress(MT))

    outcomes = fanfold.run_many(paths, out=tmp_path / "out", slice_bytes=300, workers=1)

    assert [each.error for each in outcomes] == [None] * len(paths)


# --- memory -----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "2", "8"])
def test_the_least_memory_that_a_run_may_have_is_enough_for_many(
    workers: str, folder: Path, tmp_path: Path
) -> None:
    """Inputs that are under way share it; none is refused that alone would not be."""
    paths = [folder / name for name in GOOD]

    succeed("run", *paths, "--out", tmp_path, "--memory", "120MiB", "--workers", workers)
    succeed("run", *paths, "--out", tmp_path, "--memory", "300MiB", "--workers", workers, "--fresh")


def test_too_little_memory_is_refused_before_anything_is_done(folder: Path, tmp_path: Path) -> None:
    done = command("run", folder / "mt.fa", folder / "gap.fa", "--out", tmp_path, "--memory", "9MB")

    assert done.returncode == 2
    assert "too little" in done.stderr
    assert not (tmp_path / "summary.tsv").exists()


def test_an_input_with_more_records_than_memory_fails_alone(tmp_path: Path) -> None:
    records = b"".join(b">%d\n" % number for number in range(800_000))
    (tmp_path / "many.fa").write_bytes(records)

    done = command(
        *("run", tmp_path / "many.fa", DATA / "phiX174.fa", "--out", tmp_path / "out"),
        *("--memory", "120MiB"),
    )

    assert done.returncode == 9
    (many, phix) = table((tmp_path / "out" / "summary.tsv").read_bytes())
    assert many[-3] == "failed"
    assert "--memory" in many[-1]
    assert phix[-3] == "ok"
