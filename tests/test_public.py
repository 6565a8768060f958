"""What users see of the package: its names, its examples, its kernel's manners."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

import fanfold
from fanfold import errors
from fanfold._kernel import VERSION, Fault, Findings, Scanner, Summary, crc64nvme, crc64nvme_combine

ROOT = Path(__file__).parent.parent


def test_the_public_names_are_those_listed() -> None:
    assert fanfold.__all__ == [
        "Comparison",
        "FanfoldError",
        "Findings",
        "KmerTable",
        "ManyProgress",
        "Measured",
        "Outcome",
        "OutcomeOfStats",
        "Plan",
        "Progress",
        "Report",
        "RunFolder",
        "Statistics",
        "Summary",
        "View",
        "__version__",
        "compare",
        "fold",
        "open_kmers",
        "plan",
        "plot",
        "reduce",
        "render",
        "run",
        "run_many",
        "scan",
        "stats",
        "stats_many",
        "task",
    ]
    assert all(hasattr(fanfold, name) for name in fanfold.__all__)
    assert fanfold.__version__ == VERSION
    assert set(fanfold.__all__) <= set(dir(fanfold))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fanfold.nothing


def test_a_plan_is_what_task_and_fold_take(tmp_path: Path) -> None:
    planned = fanfold.plan(ROOT / "tests/data/human_MT.fa", out=tmp_path, slice_bytes=5000)

    for each in planned.slices:
        fanfold.task(planned, each.index)

    assert fanfold.fold(planned).master.sequences.length == 16569
    assert planned.plan_url == str(tmp_path / "plan.json")


def test_the_package_says_that_it_is_typed() -> None:
    assert resources.files(fanfold).joinpath("py.typed").is_file()


def test_every_error_is_in_the_tree_and_has_a_documented_exit_code() -> None:
    documented = (ROOT / "src/fanfold/cli/ending.py").read_text()
    tree = (errors.__doc__ or "").replace("├── ", "").replace("└── ", "")
    raised = [each for each in vars(errors).values() if isinstance(each, type)]
    for error in raised:
        assert issubclass(error, errors.FanfoldError)
        assert error.__name__ in tree
        assert re.search(rf"^  {error.exit_code}\s", documented, re.MULTILINE)


def test_the_example_of_the_readme_runs_as_written(tmp_path: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(examples) == 1
    shutil.copytree(ROOT / "tests/data", tmp_path / "tests/data")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", examples[0]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "44.764 5386\n"


def test_the_examples_of_the_python_page_run_in_one_session(tmp_path: Path) -> None:
    page = (ROOT / "docs/python.md").read_text()
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shutil.copytree(ROOT / "tests/data", tmp_path / "tests/data")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "".join(examples)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["44.764 5386", "5386", "6", "6", "100%"]
    assert "INFO:fanfold:phiX174.fa: folded: records: 1, residues: 5386" in done.stderr


def test_the_scanner_takes_every_contiguous_buffer() -> None:
    text = b">a\nACGTN\n"
    for buffer in (text, bytearray(text), memoryview(text), memoryview(bytearray(text))):
        scanner = Scanner(5)
        scanner.update(buffer)
        findings = scanner.finish().findings()
        assert isinstance(findings, Findings)
        assert findings.length == 5
    with pytest.raises(BufferError):
        Scanner(5).update(memoryview(text)[::2])


def test_a_buffer_is_let_go_when_the_call_returns() -> None:
    buffer = bytearray(b">a\nACGT\n")
    scanner = Scanner(5)
    scanner.update(buffer)
    crc64nvme(buffer)
    buffer.clear()  # refuses while a view of it is held
    buffer += b"TTTT\n"
    scanner.update(buffer)
    findings = scanner.finish().findings()
    assert isinstance(findings, Findings)
    assert findings.composition["T"] == 5


def test_a_finished_scan_takes_no_more() -> None:
    scanner = Scanner(5)
    scanner.finish()
    with pytest.raises(RuntimeError, match="finished"):
        scanner.update(b"A")
    with pytest.raises(RuntimeError, match="finished"):
        scanner.finish()


@pytest.mark.parametrize("k", [0, 9])
def test_the_kernel_refuses_a_k_that_can_not_be(k: int) -> None:
    with pytest.raises(ValueError, match="k must be 1 to 8"):
        Scanner(k)
    with pytest.raises(ValueError, match="k must be 1 to 8"):
        Summary(k)


def test_summaries_of_different_k_do_not_merge() -> None:
    with pytest.raises(ValueError, match="can't be merged"):
        Summary(5).merge(Summary(6))


def test_a_fault_is_a_value_with_its_place() -> None:
    fault = fanfold.scan(b">a\nAC\x07GT\n").findings()
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.offset_byte, fault.byte) == ("invalid-byte", 5, 7)


def test_checksums_combine_and_carry_on() -> None:
    left, right = b"1234", b"56789"
    assert crc64nvme(left + right) == 0xAE8B14860A799888  # the catalogue's check value
    assert crc64nvme(right, crc64nvme(left)) == crc64nvme(left + right)
    assert crc64nvme_combine(crc64nvme(left), crc64nvme(right), 5) == crc64nvme(left + right)


@pytest.mark.parametrize(
    ("state", "counts", "rows"),
    [
        (b"", b"{}", b"\0"),
        (b"{}", b"{}", b"\0"),
        (None, b"[]", b"\0"),
        (None, b'{"ACGTX": 1}', b"\0"),
        (None, b"{}", b""),
        (None, b"{}", b"\x05abc"),
    ],
)
def test_forms_that_are_not_a_summary_s_are_refused(
    state: bytes | None, counts: bytes, rows: bytes
) -> None:
    known = fanfold.scan(b">a\nACGT\n").state_json()
    with pytest.raises(ValueError, match=r"."):
        Summary.from_forms(known if state is None else state, counts, rows)


def test_rows_that_do_not_fit_their_summary_are_refused() -> None:
    summary = fanfold.scan(b"\n>a\nACGT\n>b\nNN\n")
    other = fanfold.scan(b"\n>a\nACGT\n")
    with pytest.raises(ValueError, match="fit"):
        Summary.from_forms(summary.state_json(), summary.kmer_counts_json([5]), other.rows())


def test_summaries_too_large_for_64_bits_do_not_merge() -> None:
    summary = fanfold.scan(b"A")
    crs = 2**56 - 1
    state = summary.state_json().replace(b'"bytes":1', b'"bytes":%d' % (crs + 1))
    state = state.replace(b'"waiting_crs":0', b'"waiting_crs":%d' % crs, 1)
    largest = Summary.from_forms(state, b"{}", b"\0")
    with pytest.raises(ValueError, match="too large"):
        largest.merge(summary)
    with pytest.raises(ValueError, match="fit"):
        Summary.from_forms(state.replace(b'"comments":0', b'"comments":1'), b"{}", b"\0")
