"""The files for MultiQC: what they hold, and what MultiQC itself makes of them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fanfold.report.multiqc import multiqc_files, sample_name
from fanfold.report.run_record import RENDERINGS
from fanfold.report.view import View
from report.reports import Report, report_of, report_of_file

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
MULTIQC = ROOT / ".venv-multiqc" / "bin" / "multiqc"

GENOMES = {
    "phiX174": "phiX174.fa",
    "lambda_NC_001416": "lambda_NC_001416.fa",
    "ecoli_K12_GCF_000005845.2": "ecoli_K12_GCF_000005845.2.fna.gz",
}
SECTIONS = ("table", "nx", "lengths")
LEASTS = ("all", *(f"at least {kb} kb" for kb in (1, 5, 10, 25, 50)))

# Three records of 1,200, 60 and 3 residues; N50 is 1,200, and from 96 % on N(x) is 60, then 3.
TEXT = b">a\n" + b"ACGT" * 250 + b"N" * 200 + b"\n>b\n" + b"acgtn" * 12 + b"\n>c\nGGG\n"


class Shown(NamedTuple):
    """What MultiQC made of a folder: its data, and its page."""

    data: dict[str, Any]
    page: str

    def values(self, section: str) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]]
        found = self.data["report_saved_raw_data"][f"multiqc_fanfold_{section}"]
        return found

    def lines(self, section: str) -> dict[str, list[list[Any]]]:
        (dataset,) = self.data["report_plot_data"][f"fanfold_{section}-plot"]["datasets"]
        return {line["name"]: line["pairs"] for line in dataset["lines"]}


def documents(made: Report) -> dict[str, Any]:
    return {
        name: json.loads(data) for name, data in multiqc_files(made.master, made.survey).items()
    }


def run_multiqc(folder: Path, results: Mapping[str, Report]) -> Shown:
    if not MULTIQC.exists():
        pytest.skip(f"MULTIQC IS NOT SHOWN ITS FILES: it takes {MULTIQC}; see make test")
    for name, made in results.items():
        for file, data in multiqc_files(made.master, made.survey).items():
            path = folder / "in" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    done = subprocess.run(
        [MULTIQC, "--no-version-check", "--strict", "--outdir", folder / "out", folder / "in"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    out = folder / "out"
    return Shown(
        json.loads((out / "multiqc_data" / "multiqc_data.json").read_bytes()),
        (out / "multiqc_report.html").read_text(),
    )


@pytest.fixture(scope="module")
def genomes() -> dict[str, Report]:
    return {sample: report_of_file(DATA / name) for sample, name in GENOMES.items()}


@pytest.fixture(scope="module")
def shown(genomes: dict[str, Report], tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return run_multiqc(tmp_path_factory.mktemp("multiqc"), genomes)


def test_multiqc_shows_one_section_for_each_file_of_three_results(shown: Shown) -> None:
    assert set(shown.data["report_plot_data"]) == {f"fanfold_{each}-plot" for each in SECTIONS}
    for each in SECTIONS:
        assert shown.page.count(f'id="mqc-section-wrapper-fanfold_{each}"') == 1
    assert shown.page.count('id="mqc-module-section-fanfold"') == 1


def test_multiqc_has_the_samples_and_the_numbers_of_the_table(
    shown: Shown, genomes: dict[str, Report]
) -> None:
    table = shown.values("table")

    assert set(table) == set(GENOMES)
    assert table["phiX174"] == {
        "length": 5386,
        "sequences": 1,
        "N50": 5386,
        "L50": 1,
        "longest": 5386,
        "contig_N50": 5386,
        "gc_percent": 44.764,
        "n_percent": 0.0,
        "gaps": 0,
        "soft_masked_percent": 0.0,
        "notes": len(genomes["phiX174"].master.notes),
    }
    for sample, (master, _, _) in genomes.items():
        assert table[sample]["length"] == master.sequences.length
        assert table[sample]["gc_percent"] == master.gc_percent


def test_multiqc_draws_each_curve_in_the_order_of_x(
    shown: Shown, genomes: dict[str, Report]
) -> None:
    nx, lengths = shown.lines("nx"), shown.lines("lengths")

    assert set(nx) == set(lengths) == set(GENOMES)
    for sample, (master, survey, _) in genomes.items():
        assert [float(x) for x, _ in nx[sample]] == list(range(1, 101))
        assert [y for _, y in nx[sample]] == [
            survey.records.steps[4 * x - 1].n for x in range(1, 101)
        ]
        assert lengths[sample] == [
            [least, each.sum] for least, each in zip(LEASTS, master.sequences.at_least, strict=True)
        ]


def test_multiqc_takes_no_name_for_html_and_bears_reports_without_residues(tmp_path: Path) -> None:
    names = {
        "<script>alert(1)<-script>.fa": "&lt;script&gt;alert(1)&lt;-script&gt;",
        "\"'><img src=x onerror=alert(1)>.fna": "&#34;&#39;&gt;&lt;img src=x onerror=alert(1)&gt;",
        "tab\there \u202e.fasta.gz": r"tab\x09here \u202e",
        "%{x} {{ 7 * 7 }}.fa": "%{x} {{ 7 * 7 }}",
    }
    results = {str(place): report_of(TEXT, name=name) for place, name in enumerate(names)}
    results["none"] = report_of(b">a\n>b\n", name="none.fa")

    shown = run_multiqc(tmp_path, results)

    assert set(shown.values("table")) == {*names.values(), "none"}
    assert set(shown.values("nx")) == set(names.values())
    assert set(shown.values("lengths")) == {*names.values(), "none"}
    assert "<script>alert(1)" not in shown.page
    assert not re.search(r"<img src=x", shown.page)


def test_the_table_holds_what_the_report_says() -> None:
    made = report_of(TEXT, name="a.fa")

    table = documents(made)["multiqc/fanfold_table_mqc.json"]

    assert table["data"] == {
        "a": {
            "length": 1263,
            "sequences": 3,
            "N50": 1200,
            "L50": 1,
            "longest": 1200,
            "contig_N50": 1000,
            "gc_percent": 50.143,
            "n_percent": 16.785,
            "gaps": 13,
            "soft_masked_percent": 4.751,
            "notes": 2,
        }
    }
    assert list(table["headers"]) == list(table["data"]["a"])


def test_the_curves_hold_what_the_survey_says() -> None:
    files = documents(report_of(TEXT, name="a.fa"))

    nx = files["multiqc/fanfold_nx_mqc.json"]["data"]["a"]
    assert list(nx) == [f"{x:03}" for x in range(1, 101)]
    assert list(nx.values()) == [1200] * 95 + [60] * 4 + [3]
    lengths = files["multiqc/fanfold_lengths_mqc.json"]["data"]["a"]
    assert lengths == dict(zip(LEASTS, [1263, 1200, 0, 0, 0, 0], strict=True))


def test_the_view_changes_what_it_changes_in_the_report() -> None:
    files = documents(report_of(TEXT, name="a.fa", view=View(min_gap=10, min_length=10)))

    row = files["multiqc/fanfold_table_mqc.json"]["data"]["a"]
    assert (row["length"], row["sequences"], row["gaps"]) == (1260, 2, 1)
    assert row["n_percent"] == 16.785
    assert files["multiqc/fanfold_lengths_mqc.json"]["data"]["a"]["all"] == 1263


def test_a_report_without_residues_has_no_curve() -> None:
    files = documents(report_of(b">a\n>b\n", name="none.fa"))

    row = files["multiqc/fanfold_table_mqc.json"]["data"]["none"]
    assert row["length"] == 0
    assert "N50" not in row
    assert "gc_percent" not in row
    assert files["multiqc/fanfold_nx_mqc.json"]["data"] == {}
    assert set(files["multiqc/fanfold_lengths_mqc.json"]["data"]["none"].values()) == {0}


def test_every_report_has_the_files_that_its_record_names() -> None:
    for text in (TEXT, b">a\n"):
        assert set(documents(report_of(text, name="a.fa"))) < {*RENDERINGS}


def test_the_same_report_makes_the_same_bytes() -> None:
    one, other = report_of(TEXT, name="a.fa"), report_of(TEXT, name="a.fa")

    assert multiqc_files(one.master, one.survey) == multiqc_files(other.master, other.survey)


@pytest.mark.parametrize(
    ("name", "sample"),
    [
        ("genome.fa", "genome"),
        ("genome.fna.gz", "genome"),
        ("GCF_000005845.2_ASM584v2_genomic.fna.bz2", "GCF_000005845.2_ASM584v2_genomic"),
        ("Genome.FASTA.GZ", "Genome"),
        ("genome.fas.zst", "genome"),
        ("a.fa.fa", "a.fa"),
        ("genome", "genome"),
        ("genome.v2", "genome.v2"),
        (".fa.gz", ".fa.gz"),
        ("-.fa", "-.fa"),
        ("été 🧬.fa", "été 🧬"),
        ("a&b<c>.fa", "a&amp;b&lt;c&gt;"),
        ("\x1b[2J\u202e.fa", r"\x1b[2J\u202e"),
        ("\udcff.fa", r"\xff"),
    ],
)
def test_a_sample_has_the_name_of_its_file_without_extensions(name: str, sample: str) -> None:
    assert sample_name(name) == sample
