"""The files of examples/clusters: as docs/clusters.md shows them, and fit to be run."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml
from naive_kmers import kmer_files

import fanfold

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "clusters"
PAGE = (ROOT / "docs" / "clusters.md").read_text()
LAMBDA = ROOT / "tests" / "data" / "lambda_NC_001416.fa"
KS = [5, 8]
SCRIPTS = sysconfig.get_path("scripts")
TOOLS_PATH = f"{ROOT / '.venv-workflows' / 'bin'}:{SCRIPTS}:{os.environ.get('PATH', os.defpath)}"
"""Where the tools are, which have an environment of their own."""

PACKAGES = {
    "kubernetes-validate": "PyPI package kubernetes-validate",
    "nextflow": "see https://nextflow.io; no package registry has it",
    "shellcheck": "Debian package shellcheck",
    "snakemake": "PyPI package snakemake",
}


def test_the_page_shows_every_example_as_it_is() -> None:
    shown = re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    files = [path for path in EXAMPLES.iterdir() if path.is_file()]

    assert dict(shown) == {str(path.relative_to(ROOT)): path.read_text() for path in files}


def test_the_pages_python_parses() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

    assert blocks
    for block in blocks:
        ast.parse(block)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.sh")), ids=lambda path: path.name)
def test_shellcheck_finds_nothing_in_the_scripts(path: Path) -> None:
    assert not run_tool("shellcheck", path).stdout


# --- Kubernetes -------------------------------------------------------------------------------


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((EXAMPLES / name).read_text()))


def test_the_jobs_are_what_kubernetes_takes() -> None:
    checked = run_tool("kubernetes-validate", "--strict", EXAMPLES / "kubernetes_job.yaml")

    assert checked.stdout.count("passed for resource") == len(documents("kubernetes_job.yaml"))


def test_the_pods_of_the_dask_job_are_what_kubernetes_takes(tmp_path: Path) -> None:
    (job,) = documents("dask_kubernetes.yaml")
    cluster = job["spec"]["cluster"]["spec"]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "scheduler"},
        "spec": cluster["scheduler"]["service"],
    }
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        for name, spec in {
            "job": job["spec"]["job"]["spec"],
            "scheduler": cluster["scheduler"]["spec"],
            "worker": cluster["worker"]["spec"],
        }.items()
    ]
    path = tmp_path / "pods.yaml"
    path.write_text(yaml.safe_dump_all([*pods, service]))

    checked = run_tool("kubernetes-validate", "--strict", path)

    assert checked.stdout.count("passed for resource") == 4


def test_the_dask_job_calls_the_scheduler_by_the_name_that_its_service_gets() -> None:
    (job,) = documents("dask_kubernetes.yaml")
    name = job["metadata"]["name"]
    scheduler = job["spec"]["cluster"]["spec"]["scheduler"]
    (container,) = job["spec"]["job"]["spec"]["containers"]

    assert container["args"][-2:] == ["--dask", f"tcp://{name}-scheduler:8786"]
    assert scheduler["service"]["selector"]["dask.org/cluster-name"] == name
    assert {port["port"] for port in scheduler["service"]["ports"]} >= {8786}


def test_the_tasks_are_an_indexed_job_that_gives_every_index_its_own_tries() -> None:
    jobs = {each["metadata"]["name"]: each for each in documents("kubernetes_job.yaml")}
    for name in ("fanfold-tasks", "fanfold-counts"):
        tasks = jobs[name]["spec"]

        assert tasks["completionMode"] == "Indexed"
        assert tasks["backoffLimitPerIndex"] >= 1
        # What `podFailurePolicy` and `backoffLimitPerIndex` both demand.
        assert tasks["template"]["spec"]["restartPolicy"] == "Never"


def test_the_lines_in_the_jobs_file_select_every_object_and_set_the_completions() -> None:
    text = (EXAMPLES / "kubernetes_job.yaml").read_text()
    steps = [each["metadata"]["labels"]["step"] for each in documents("kubernetes_job.yaml")]
    (substitution,) = {*re.findall(r'sed "s/(.*)/(.*)/"', text)}
    with_twelve = re.sub(substitution[0], "completions: 12", text, flags=re.MULTILINE)

    assert set(steps) == set(re.findall(r"-l step=(\w+)", text))
    completions = [
        each["spec"]["completions"]
        for each in yaml.safe_load_all(with_twelve)
        if "completions" in each.get("spec", {})
    ]
    assert completions == [12, 12]


# --- Snakemake and Nextflow -------------------------------------------------------------------


@pytest.fixture
def expected(tmp_path: Path) -> bytes:
    """The report of a run without an engine."""
    return report_of_a_run(KS, tmp_path / "expected")


def test_snakemake_gives_the_report_of_a_run_and_does_again_what_is_missing(
    expected: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def snakemake(ks: str, exit_code: int = 0) -> str:
        return run_tool(
            "snakemake", "--snakefile", EXAMPLES / "Snakefile", "--cores", "2", "--config",
            f"genome={LAMBDA}", f"out={out}", f"kmers={ks}", "slice_size=8KiB", cwd=tmp_path,
            exit_code=exit_code,
        ).stderr  # fmt: skip

    said = snakemake("5 8")

    assert (out / "master.json").read_bytes() == expected
    assert said.count("rule task:") == 7
    assert "Nothing to be done" in snakemake("5 8")

    (result,) = out.glob(f"chunks/*/{LAMBDA.name}.chunk0003.json")
    result.unlink()
    (out / "master.json").unlink()
    said = snakemake("5 8")

    assert (out / "master.json").read_bytes() == expected
    assert said.count("rule task:") == 1

    said = snakemake("3", exit_code=1)  # another question, into the same folder

    assert f"{out}: holds the report for -k 5 -k 8" in said
    assert (out / "master.json").read_bytes() == expected


def test_snakemake_counts_kmers_from_9_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    expected = report_of_a_run([5, 11, 31], tmp_path / "expected")

    for _ in range(2):
        said = run_tool(
            "snakemake", "--snakefile", EXAMPLES / "Snakefile", "--cores", "2", "--config",
            f"genome={LAMBDA}", f"out={out}", "kmers=5 11 31", "slice_size=8KiB", cwd=tmp_path,
        ).stderr  # fmt: skip

    assert "Nothing to be done" in said
    assert (out / "master.json").read_bytes() == expected
    assert kmer_files(out) == kmer_files(tmp_path / "expected")


def test_nextflow_gives_the_report_of_a_run(expected: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):  # again, over what is done
        said = run_tool(
            "nextflow", "run", EXAMPLES / "main.nf", "--genome", LAMBDA, "--out", out,
            "--k", " ".join(map(str, KS)), "--slice_size", "8KiB", cwd=tmp_path,
        ).stdout  # fmt: skip

        assert str(out / "master.json") in said
        assert (out / "master.json").read_bytes() == expected
        assert len(list(out.glob("chunks/*/*.json"))) == 7


def report_of_a_run(ks: list[int], out: Path) -> bytes:
    fanfold.run(LAMBDA, k=ks, out=out)
    return (out / "master.json").read_bytes()


def run_tool(
    tool: str, *arguments: str | Path, cwd: Path | None = None, exit_code: int = 0
) -> subprocess.CompletedProcess[str]:
    if shutil.which(tool, path=TOOLS_PATH) is None:
        pytest.skip(f"NOT TRIED WITH {tool.upper()}: no `{tool}` here ({PACKAGES[tool]})")
    caches = {} if cwd is None else {"XDG_CACHE_HOME": str(cwd / "cache")}
    done = subprocess.run(
        [tool, *arguments],
        env=os.environ | caches | {"PATH": TOOLS_PATH},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == exit_code, done.stdout + done.stderr
    return done
