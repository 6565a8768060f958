"""Prefixes and globs of stores stand for the objects in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers.s3 import S3Server

import fanfold
from fanfold.errors import ParameterError, SourceError
from fanfold.flow.inputs import Input, find_inputs
from stores.driving import BUCKET, Bucket, command, succeed

TEXT = b">a\nACGT\n"


@pytest.fixture
def prefix(bucket: Bucket, tmp_path: Path) -> str:
    """A prefix with genomes, for one test alone."""
    keys = [
        *("b.fa", "a.fa.gz", "c.FNA", "x.txt", ".h.fa", "a.fa.fai", "é.frn"),
        *("g1/x.fa", "g1/y.fa", "g1/.h.fa", "g2/x.fa", "g2/deep/x.fa", ".g3/x.fa"),
    ]
    for key in keys:
        bucket.put(f"{tmp_path.name}/{key}", TEXT)
    return f"{bucket.url}/{tmp_path.name}"


def found(location: str, prefix: str) -> list[str]:
    """What a location stands for, relative to the prefix."""
    inputs = find_inputs([Input(location)])
    assert find_inputs(inputs) == inputs
    return [each.location.removeprefix(f"{prefix}/") for each in inputs]


def test_a_prefix_stands_for_the_fasta_objects_directly_in_it(prefix: str) -> None:
    assert found(f"{prefix}/", prefix) == ["a.fa.gz", "b.fa", "c.FNA", "é.frn"]
    assert found(f"{prefix}/g1/", prefix) == ["g1/x.fa", "g1/y.fa"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.fa", ["b.fa"]),
        ("*.fa*", ["a.fa.gz", "a.fa.fai", "b.fa"]),
        ("?.fa", ["b.fa"]),
        ("[a-b].fa*", ["a.fa.fai", "a.fa.gz", "b.fa"]),
        ("[!a].*", ["b.fa", "c.FNA", "x.txt", "é.frn"]),
        (".*.fa", [".h.fa"]),
        ("*/x.fa", ["g1/x.fa", "g2/x.fa"]),
        ("g?/*", ["g1/x.fa", "g1/y.fa", "g2/x.fa"]),
        ("*/*/*", ["g2/deep/x.fa"]),
        ("g*/", ["g1/x.fa", "g1/y.fa", "g2/x.fa"]),
    ],
)
def test_a_glob_stands_for_the_objects_that_match(
    pattern: str, expected: list[str], prefix: str
) -> None:
    assert sorted(found(f"{prefix}/{pattern}", prefix)) == sorted(expected)


@pytest.mark.parametrize("pattern", ["*.fasta", "g1/[", "h*/x.fa", "*/nothing.fa", "h*/"])
def test_a_glob_that_matches_nothing_is_an_error(pattern: str, prefix: str) -> None:
    with pytest.raises(SourceError, match="no object matches"):
        find_inputs([Input(f"{prefix}/{pattern}")])


@pytest.mark.parametrize("name", ["nothing/", "g2/deep/x.fa/"])
def test_a_prefix_without_fasta_names_the_suffixes(name: str, prefix: str) -> None:
    with pytest.raises(SourceError, match=r"no FASTA object .*\.fa, \.fasta.*\.gz, \.bgz"):
        find_inputs([Input(f"{prefix}/{name}")])


@pytest.mark.parametrize("name", ["a[1].fa", "a*.fa", "what?.fa"])
def test_a_key_that_is_there_as_it_is_written_is_no_glob(
    name: str, prefix: str, bucket: Bucket
) -> None:
    for each in (name, "a1.fa", "what1.fa"):
        bucket.put(f"{prefix.removeprefix(f'{bucket.url}/')}/{each}", TEXT)

    assert found(f"{prefix}/{name}", prefix) == [name]


def test_results_of_an_earlier_run_are_called_so(prefix: str) -> None:
    fanfold.run(f"{prefix}/b.fa", out=f"{prefix}/out")

    with pytest.raises(SourceError, match="results of an earlier run"):
        find_inputs([Input(f"{prefix}/out/")])


def test_a_listing_has_every_object(s3: S3Server, store: Bucket, tmp_path: Path) -> None:
    """More than the server lists in one answer, and an object that stands for the folder."""
    names = sorted(f"{index}.fa" for index in range(1234))
    s3.put(BUCKET, f"{tmp_path.name}/", b"")
    for name in names:
        s3.put(BUCKET, f"{tmp_path.name}/{name}", TEXT)
    prefix = f"{store.url}/{tmp_path.name}"

    assert found(f"{prefix}/", prefix) == names
    assert found(f"{prefix}/*", prefix) == names


def test_a_bucket_that_is_not_there_is_an_error(store: Bucket) -> None:
    assert store.url == f"s3://{BUCKET}"
    with pytest.raises(SourceError, match="can't be listed"):
        find_inputs([Input("s3://no-such-bucket/x/")])
    with pytest.raises(SourceError, match="can't be listed"):
        find_inputs([Input("s3://no-such-bucket/*.fa")])


@pytest.mark.parametrize("location", ["s3://bucket/a//", "s3://bucket/../", "ftp://host/a/"])
def test_a_prefix_that_can_not_be_is_refused(location: str) -> None:
    with pytest.raises(ParameterError):
        find_inputs([Input(location)])


def test_commands_take_prefixes_and_globs(prefix: str, bucket: Bucket, tmp_path: Path) -> None:
    variables = bucket.variables
    stats = succeed("stats", "--tsv", f"{prefix}/*/x.fa", variables=variables)
    run = succeed(
        "run", "-q", f"{prefix}/g1/", f"{prefix}/g2/", "-o", tmp_path, variables=variables
    )
    none = command("run", f"{prefix}/*.nothing", "-o", tmp_path / "none", variables=variables)

    rows = [line.partition("\t")[0] for line in stats.stdout.splitlines()]
    assert rows == ["file", f"{prefix}/g1/x.fa", f"{prefix}/g2/x.fa"]
    assert run.stdout == f"{tmp_path / 'summary.tsv'}\n"
    rows = [line.partition("\t")[0] for line in (tmp_path / "summary.tsv").read_text().splitlines()]
    assert rows == ["file", "g1_x.fa", "y.fa", "g2_x.fa"]
    assert none.returncode == 4
    assert "no object matches" in none.stderr
    assert not (tmp_path / "none").exists()
