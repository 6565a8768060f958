"""fanfold as a Python program uses it: help, inputs that it holds, reprs, progress, and a log."""

from __future__ import annotations

import ast
import gzip
import inspect
import io
import logging
import pydoc
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import fanfold
from fanfold import _kernel
from fanfold.errors import FastaError, OutputError, ParameterError, SourceError

TEXT = b">one first\nACGTNNacgt\n>two\nGGGCC\n"
HIDDEN = "hunter2"
Told = tuple[str | None, str | None]
"""The parameters of a name, and its docstring."""

STUB = Path(fanfold.__file__ or "").with_name("_kernel.pyi")


# --- help


def test_help_lists_and_describes_every_public_name() -> None:
    page = pydoc.plain(pydoc.render_doc(fanfold))

    for name in set(fanfold.__all__) - {"FanfoldError", "__version__"}:
        assert name in page
        assert inspect.getdoc(getattr(fanfold, name)), name
    assert "Analyse a FASTA object" in page
    assert "The summary of a slice of an object" in page


@pytest.mark.parametrize("name", ["run", "stats", "scan", "Summary", "Findings", "Report", "Plan"])
def test_help_shows_a_signature_and_what_a_name_means(name: str) -> None:
    found = getattr(fanfold, name)
    page = pydoc.plain(pydoc.render_doc(found))

    assert (inspect.getdoc(found) or "").splitlines()[0] in page
    assert f"{name}(" in page


def test_the_stub_says_what_the_kernel_says_of_itself() -> None:
    stub = ast.parse(STUB.read_text())

    assert described(stub) == spoken(_kernel)


def described(stub: ast.Module) -> dict[str, Told]:
    """Each public name of a stub, with its parameters and its docstring."""
    found: dict[str, Told] = {"": (None, ast.get_docstring(stub))}
    for node in stub.body:
        match node:
            case ast.FunctionDef():
                found[node.name] = (parameters_of(node), ast.get_docstring(node))
            case ast.ClassDef():
                made = None
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and method.name == "__new__":
                        made = parameters_of(method)
                    elif isinstance(method, ast.FunctionDef):
                        told = (parameters_of(method), ast.get_docstring(method))
                        found[f"{node.name}.{method.name}"] = told
                found[node.name] = (made, ast.get_docstring(node))
            case ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = (None, None)
    return found


def parameters_of(function: ast.FunctionDef) -> str | None:
    """The parameters of a function, without the first of a method; None for a property."""
    decorators = {each.id for each in function.decorator_list if isinstance(each, ast.Name)}
    if "property" in decorators:
        return None
    arguments = function.args
    names = [each.arg for each in arguments.args]
    defaults = [f"={ast.unparse(each)}" for each in arguments.defaults]
    pairs = zip(names, [""] * (len(names) - len(defaults)) + defaults, strict=True)
    return ", ".join(name + default for name, default in pairs if name not in {"self", "cls"})


def spoken(module: ModuleType) -> dict[str, Told]:
    """The same of a module at run time."""
    found: dict[str, Told] = {"": (None, module.__doc__)}
    for name in module.__all__:
        value = getattr(module, name)
        if isinstance(value, type):
            assert value.__module__ == module.__name__
            is_made = "__new__" in vars(value)
            found[name] = (signature_of(value) if is_made else None, inspect.getdoc(value))
            for method, member in vars(value).items():
                if not method.startswith("_"):
                    reached = getattr(value, method)  # of a static method, its function
                    is_property = reached is member and not callable(reached)
                    told = None if is_property else signature_of(reached)
                    found[f"{name}.{method}"] = (told, reached.__doc__)
        elif callable(value):
            found[name] = (signature_of(value), value.__doc__)
        else:
            found[name] = (None, None)
    return found


def signature_of(value: Any) -> str:
    parameters = inspect.signature(value).parameters.values()
    return ", ".join(
        each.name + ("" if each.default is each.empty else f"={each.default!r}")
        for each in parameters
        if each.name != "self"
    )


# --- inputs that the caller holds


def held() -> dict[str, Any]:
    """The same text in everything that can hold it."""
    return {
        "bytes": TEXT,
        "bytearray": bytearray(TEXT),
        "memoryview": memoryview(TEXT),
        "words": memoryview(bytearray(TEXT.ljust(40, b"\n"))).cast("I"),
        "BytesIO": io.BytesIO(TEXT),
        "gzip": gzip.compress(TEXT),
        "gzip file": gzip.open(io.BytesIO(gzip.compress(TEXT))),
        "small reads": SmallReads(TEXT),
    }


class SmallReads:
    """A file with nothing but `read`, that gives fewer bytes than it is asked for."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, 3))


@pytest.mark.parametrize("kind", held())
def test_bytes_and_files_give_the_report_of_a_path(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "toy.fa"
    path.write_bytes(TEXT)
    expected = fanfold.run(path, [2, 3], out=tmp_path / "by_path").master

    report = fanfold.run(held()[kind], [2, 3], out=tmp_path / "held", name="toy.fa")

    assert report.master.composition == expected.composition
    assert report.master.kmer_counts == expected.kmer_counts
    assert report.master.source.name == "toy.fa"
    assert (tmp_path / "held/sequences.tsv").read_bytes() == (
        tmp_path / "by_path/sequences.tsv"
    ).read_bytes()
    assert fanfold.stats(held()[kind]) == fanfold.stats(path)


def test_a_file_is_read_from_where_it_is_and_stays_open(tmp_path: Path) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"not FASTA" + TEXT)
        file.seek(len(b"not FASTA"))

        assert fanfold.stats(file).statistics.length == 15
        assert file.read() == b""
        file.seek(len(b"not FASTA"))
        assert fanfold.run(file, out=tmp_path, name="a").master.sequences.length == 15
        assert not file.closed


def test_a_buffer_is_let_go_when_the_run_is_done(tmp_path: Path) -> None:
    buffer = bytearray(TEXT)
    fanfold.stats(buffer)
    fanfold.run(buffer, out=tmp_path, name="a")

    buffer.clear()  # refuses while a view of it is held


def test_bytes_of_many_blocks_are_all_read(tmp_path: Path) -> None:
    text = b">long\n" + b"ACGTTGCAAC" * 100_000 + b"\n"
    seen: list[tuple[int, int]] = []

    report = fanfold.run(
        text, out=tmp_path, name="long", progress=lambda *told: seen.append(told), workers=2
    )

    assert report.master.sequences.length == 1_000_000
    assert seen[-1] == (len(text), 0), "their size is asked of nobody"


def test_no_bytes_are_no_fasta() -> None:
    for nothing in (b"", io.BytesIO(), memoryview(b"").cast("I")):
        with pytest.raises(FastaError, match="input"):
            fanfold.stats(nothing)


def test_bytes_need_a_name_and_a_place_and_no_executor(tmp_path: Path) -> None:
    for given in (TEXT, io.BytesIO(TEXT)):
        for options in ({}, {"out": tmp_path}, {"name": "toy"}):
            with pytest.raises(ParameterError, match="give name= and out="):
                fanfold.run(given, **options)
        with (
            ThreadPoolExecutor(1) as executor,
            pytest.raises(ParameterError, match="can't be sent to an executor"),
        ):
            fanfold.run(given, out=tmp_path, name="toy", executor=executor)
    assert [*tmp_path.iterdir()] == []


def test_a_run_of_bytes_is_not_taken_up(tmp_path: Path) -> None:
    fanfold.run(TEXT, out=tmp_path, name="toy")

    with pytest.raises(OutputError, match=r"standard input or bytes \(toy\)"):
        fanfold.run(TEXT, out=tmp_path, name="toy")
    assert not fanfold.run(TEXT, out=tmp_path, name="toy", fresh=True).resumed


def test_a_file_of_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "toy.fa"
    path.write_bytes(TEXT)
    with (
        path.open() as text,
        tempfile.NamedTemporaryFile("r", dir=tmp_path) as wrapped,
    ):
        Path(wrapped.name).write_bytes(TEXT)
        for file in (text, io.StringIO(TEXT.decode()), wrapped):
            with pytest.raises(ParameterError, match="open as text; open it with mode 'rb'"):
                fanfold.stats(file)  # type: ignore[arg-type]
            with pytest.raises(ParameterError, match="open as text; open it with mode 'rb'"):
                fanfold.run(file, out=tmp_path / "out", name="toy")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


class Broken:
    """A file whose `read` answers with something that is not bytes, or fails."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def read(self, _size: int, /) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (Broken(OSError("no disk")), SourceError, r"input: .*OSError: no disk"),
        (Broken(EOFError("cut off")), SourceError, "EOFError: cut off"),
        (Broken(ValueError(f"https://me:{HIDDEN}@host/x")), SourceError, "ValueError"),
        (Broken(None), SourceError, "no bytes yet"),
        (Broken([1, 2]), ParameterError, "an object of type list, not bytes"),
        (memoryview(TEXT)[::2], ParameterError, "contiguous"),
        (None, ParameterError, "not an object of type NoneType"),
        (5, ParameterError, "not an object of type int"),
        ([TEXT], ParameterError, "not an object of type list"),
    ],
)
def test_what_is_no_input_is_refused_in_words(
    given: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        fanfold.stats(given)
    assert HIDDEN not in str(caught.value)


def test_a_closed_file_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO(TEXT)
    file.close()
    with pytest.raises(SourceError, match="closed file"):
        fanfold.run(file, out=tmp_path / "out", name="toy")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("many", ["run_many", "stats_many"])
def test_many_inputs_are_a_list_of_paths(many: str, tmp_path: Path) -> None:
    options = {"out": tmp_path} if many == "run_many" else {}
    with pytest.raises(ParameterError, match="a list of paths"):
        getattr(fanfold, many)("genome.fa", **options)
    for given in (TEXT, io.BytesIO(TEXT)):
        with pytest.raises(ParameterError, match="take bytes and open files"):
            getattr(fanfold, many)([given], **options)
    with pytest.raises(ParameterError, match="take bytes and open files"):
        fanfold.plan(TEXT, out=tmp_path)  # type: ignore[arg-type]
    assert [*tmp_path.iterdir()] == []


# --- parameters of the wrong type


@pytest.mark.parametrize("k", ["5", "5,8", 5.0, None, True, ["5"], [5.0], [True], [None], b"5"])
def test_a_k_of_another_type_is_refused_in_words(k: Any, tmp_path: Path) -> None:
    path = tmp_path / "toy.fa"
    path.write_bytes(TEXT)
    wrong = k[0] if isinstance(k, list) else k
    for refused in (
        lambda: fanfold.run(path, k=k, out=tmp_path / "out"),
        lambda: fanfold.run_many([path], k=k, out=tmp_path / "out"),
        lambda: fanfold.plan(path, k=k, out=tmp_path / "out"),
        lambda: fanfold.scan(TEXT, k=k),
    ):
        with pytest.raises(ParameterError) as caught:
            refused()
        assert str(caught.value) == f"k is 5 or [5, 8], not {wrong!r}"
    assert not (tmp_path / "out").exists()


def test_whole_numbers_of_numpy_and_ranges_are_lengths() -> None:
    numpy = pytest.importorskip("numpy")
    for k in (3, numpy.int64(3), numpy.array([2, 3]), range(1, 4), {3}, iter([3])):
        assert fanfold.scan(TEXT, k).k == 3


@pytest.mark.parametrize("option", ["workers", "memory_bytes", "slice_bytes"])
@pytest.mark.parametrize("value", ["4", 4.0, True])
def test_numbers_of_another_type_are_refused_in_words(
    option: str, value: Any, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match=r"must be a whole number, not ('4'|4\.0|True)$"):
        fanfold.run(TEXT, out=tmp_path / "out", name="toy", **{option: value})
    with pytest.raises(ParameterError, match="min_gap must be a whole number"):
        fanfold.stats(TEXT, view=fanfold.View(min_gap=value))


def arguments() -> list[tuple[str, str]]:
    """Every argument of every public function."""
    functions = {name: getattr(fanfold, name) for name in fanfold.__all__}
    return [
        (name, argument)
        for name, function in functions.items()
        if inspect.isfunction(function)
        for argument in inspect.signature(function).parameters
    ]


@pytest.mark.parametrize(("function", "argument"), arguments())
def test_an_argument_of_another_type_is_refused_by_its_name(
    function: str, argument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "toy.fa"
    path.write_bytes(TEXT)
    folder = fanfold.plan(path, out=tmp_path / "plan")
    fanfold.run(path, out=tmp_path / "run")
    before = {*tmp_path.rglob("*")}
    given: dict[str, dict[str, Any]] = {
        "run": {"location": path},
        "run_many": {"locations": [path], "out": "out"},
        "stats": {"location": path},
        "stats_many": {"locations": [path]},
        "compare": {"locations": [path]},
        "plan": {"location": path, "out": "out"},
        "task": {"plan_location": folder.plan_url, "index": 0},
        "fold": {"plan_location": folder.plan_url},
        "reduce": {"plan_location": folder.plan_url, "index": 0},
        "render": {"location": "run"},
        "plot": {"location": "run", "what": "snail"},
        "open_kmers": {"location": "run"},
        "scan": {"data": TEXT},
    }
    good = given[function]
    for value in (object(), 1.5, Strange()):
        with pytest.raises(ParameterError) as caught:
            getattr(fanfold, function)(**(good | {argument: value}))
        told = str(caught.value)
        assert argument in told or "an input is a path" in told or "list of paths" in told
        assert "\n" not in told
    assert {*tmp_path.rglob("*")} == before


class Strange:
    """A path, of a kind that has no text."""

    def __fspath__(self) -> Any:
        return 3


def test_a_path_with_a_nul_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "toy.fa"
    path.write_bytes(TEXT)
    for refused in (
        lambda: fanfold.run("a\0b"),
        lambda: fanfold.stats("a\0b"),
        lambda: fanfold.run_many(["a\0b"], out=tmp_path / "out"),
        lambda: fanfold.run(path, out="a\0b"),
    ):
        with pytest.raises(ParameterError, match="has a NUL"):
            refused()
    with pytest.raises(ParameterError, match="the folder for the results has no name"):
        fanfold.run_many([path], out="")
    with pytest.raises(ParameterError, match="labels must be a list"):
        fanfold.run_many([path], out=tmp_path / "out", labels="x")
    assert [*tmp_path.iterdir()] == [path]


def test_whole_numbers_of_numpy_are_numbers_everywhere(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    view = fanfold.View(numpy.int64(1), numpy.int32(2), numpy.uint8(8))
    report = fanfold.run(
        TEXT,
        out=tmp_path / "out",
        name="toy",
        view=view,
        workers=numpy.int64(1),
        slice_bytes=numpy.int64(3),
        memory_bytes=numpy.int64(2**30),
    )
    assert report.master.parameters.view == fanfold.View(1, 2, 8)
    assert fanfold.stats(TEXT, view=view) == fanfold.stats(TEXT, view=fanfold.View(1, 2, 8))


# --- reprs


def test_reprs_are_short_and_say_what_was_found(tmp_path: Path) -> None:
    report = fanfold.run(TEXT, 2, out=tmp_path / "a\x1b[31m", name="toy.fa")
    summary = fanfold.scan(TEXT, 2)

    assert repr(report) == (
        f"<Report 'toy.fa': sequences=2 length=15 N50=10 in '{tmp_path}/a\\x1b[31m'>"
    )
    assert repr(summary) == f"<Summary k=2 size_bytes={len(TEXT)} total_bases=13 gc_count=9>"
    assert repr(summary.findings()) == "<Findings record_count=2 length=15 gap_length=2>"
    assert repr(fanfold.scan(b"@a\n").findings()) == "<Fault kind='fastq' offset_byte=0 byte=64>"
    assert repr(fanfold.stats(TEXT)) == (
        "<Measured sequences=2 length=15 N50=10 gc_percent=69.231>"
    )


def test_the_repr_of_a_plan_does_not_grow_with_its_slices(tmp_path: Path) -> None:
    path = tmp_path / "toy.fa"
    path.write_bytes(TEXT)
    folder = fanfold.plan(path, 2, out=tmp_path / "out", slice_bytes=1)

    assert repr(folder.plan) == (
        f"<Plan {folder.plan.id} of 'toy.fa': compression=none cut=ranges k=(2,)"
        f" slices={len(TEXT)}>"
    )
    assert repr(folder) == f"<RunFolder {str(tmp_path / 'out')!r}: {folder.plan!r}>"


def test_reprs_show_no_password() -> None:
    location = f"http://me:{HIDDEN}@127.0.0.1:9/genome.fa?token={HIDDEN}"
    (measured,) = fanfold.stats_many([location])
    outcome = fanfold.Outcome(location, "genome.fa", None, measured.error, 0.0)

    for value in (measured, outcome):
        assert "genome.fa" in repr(value)
        assert HIDDEN not in repr(value)


# --- progress


def test_progress_tells_its_units() -> None:
    assert "bytes of the input" in (fanfold.Progress.__doc__ or "")
    assert "units are inputs" in (fanfold.ManyProgress.__doc__ or "")


def test_progress_counts_bytes_and_inputs(tmp_path: Path) -> None:
    paths = [tmp_path / "a.fa", tmp_path / "b.fa"]
    for path in paths:
        path.write_bytes(TEXT)
    by_bytes: list[tuple[int, int]] = []
    by_inputs: list[tuple[int, int]] = []

    def note(done_bytes: int, size_bytes: int) -> None:
        by_bytes.append((done_bytes, size_bytes))

    progress: fanfold.Progress = note
    fanfold.run(paths[0], out=tmp_path / "one", progress=progress, slice_bytes=10)
    fanfold.run_many(paths, out=tmp_path / "many", progress=lambda *told: by_inputs.append(told))

    assert by_bytes[-1] == (len(TEXT), len(TEXT))
    assert by_bytes == sorted(by_bytes)
    assert by_inputs == [(1, 2), (2, 2)]


# --- the log


def test_the_log_tells_the_phases(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, out = tmp_path / "toy.fa", tmp_path / "out"
    path.write_bytes(TEXT)
    with caplog.at_level(logging.INFO, "fanfold"):
        fanfold.run(path, out=out, slice_bytes=20)
        fanfold.run(path, out=out, slice_bytes=20)
        fanfold.stats(io.BytesIO(TEXT), name="held")

    assert caplog.messages == [
        "toy.fa: planned: slices: 2",
        f"toy.fa: scanned: slices: 2, bytes read: {len(TEXT)}",
        "toy.fa: folded: records: 2, residues: 15",
        f"toy.fa: written: {out}",
        f"toy.fa: complete already: {out}",
        "held: planned: cut while it is read",
        f"held: scanned: slices: 1, bytes read: {len(TEXT)}",
        "held: folded: records: 2, residues: 15",
    ]


def test_debug_tells_each_slice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "toy.fa"
    path.write_bytes(TEXT)
    with caplog.at_level(logging.DEBUG, "fanfold"):
        fanfold.run(path, out=tmp_path / "out", slice_bytes=20, workers=1)

    assert "toy.fa: slice 0: bytes 0 to 20 are scanned" in caplog.messages
    assert f"toy.fa: slice 1: bytes 20 to {len(TEXT)} are scanned" in caplog.messages


def test_the_library_is_silent_unless_a_program_asks(tmp_path: Path) -> None:
    program = """
import logging, sys
import fanfold
fanfold.run(b">a\\nAC\\n", out=sys.argv[1], name="a")
fanfold.run(b">a\\nAC\\n", out=sys.argv[1], name="a", fresh=True)  # warns of what it replaces
logging.basicConfig(level=logging.INFO)
fanfold.run(b">a\\nAC\\n", out=sys.argv[1], name="a", fresh=True)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, tmp_path],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert [line.partition(":fanfold:")[0] for line in lines] == ["WARNING", *["INFO"] * 4]
    assert "INFO:fanfold:a: folded: records: 1, residues: 2" in lines


def test_the_command_prints_no_phases(tmp_path: Path) -> None:
    path = tmp_path / "toy.fa"
    path.write_bytes(TEXT)
    done = subprocess.run(
        [sys.executable, "-m", "fanfold", "run", path, "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "planned" not in done.stdout + done.stderr
    assert "folded" not in done.stdout + done.stderr
