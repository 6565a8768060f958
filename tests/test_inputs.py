"""What stands for several genomes, and what their results are called."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fanfold.errors import ParameterError, SourceError
from fanfold.flow.inputs import Input, find_inputs, labelled, names_of, read_list
from fanfold.objects import is_name

TEXT = b">a\nACGT\n"


def names(*locations: str | Path) -> list[str]:
    return names_of(labelled(locations))


# --- lists ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a.fa\nb.fa\n", [("a.fa", None), ("b.fa", None)]),
        (b"a.fa\twild type\nb.fa\t\n", [("a.fa", "wild type"), ("b.fa", None)]),
        (b"\n# comment\n  \na.fa\n\n", [("a.fa", None)]),
        (b"a.fa\tx\r\nb.fa\r\n", [("a.fa", "x"), ("b.fa", None)]),
        (b"\xef\xbb\xbfa.fa", [("a.fa", None)]),
        ("été.fa\tß\n".encode(), [("été.fa", "ß")]),
        (b"s3://b/k.fa\tk\n-\n", [("s3://b/k.fa", "k"), ("-", None)]),
        (b" a .fa \n", [(" a .fa ", None)]),
        (b"a" * 65_535 + b"\n", [("a" * 65_535, None)]),
    ],
)
def test_a_list_has_a_location_a_line_and_a_label_after_a_tab(
    content: bytes, expected: list[tuple[str, str | None]], tmp_path: Path
) -> None:
    (tmp_path / "list").write_bytes(content)

    assert read_list(tmp_path / "list") == [Input(*each) for each in expected]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"a\0.fa\n", "has a NUL"),
        (b"\xff.fa\n", "not UTF-8 from its byte 0 on"),
        (b"a" * 10_000_000, "longer than 65536 bytes"),
        (b"a" * 65_537 + b"\n", "longer than 65536 bytes"),
        (b"a.fa\t../x\n", "'../x' is no label"),
        (b"a.fa\t..\n", "'..' is no label"),
        (b"a.fa\t/etc\n", "'/etc' is no label"),
        (b"a.fa\t" + b"x" * 239 + b"\n", "is no label"),
        (b"a.fa\tfirst\n", "line 2 has the label 'first' too"),
        (b"a.fa\tx\ty\n", "one tab"),
        (b"\tx\n", "write a path or URL"),
    ],
)
def test_a_line_that_can_not_be_is_refused_by_its_number(
    line: bytes, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "list").write_bytes(b"# genomes\nz.fa\tfirst\n" + line)

    with pytest.raises(ParameterError) as found:
        read_list(tmp_path / "list")

    told = str(found.value)
    assert told.startswith(f"{tmp_path / 'list'}: line 3: ")
    assert reason in told
    assert len(told) < 1000


@pytest.mark.parametrize("content", [b"", b"# nothing\n\n"])
def test_a_list_without_a_genome_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(content)

    with pytest.raises(ParameterError, match="lists no genome"):
        read_list(tmp_path / "list")


def test_a_genome_in_place_of_a_list_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_bytes(TEXT)

    with pytest.raises(ParameterError, match="line 1: this is FASTA"):
        read_list(tmp_path / "x.fa")


@pytest.mark.parametrize("name", ["missing", ".", "a\0b"])
def test_a_list_that_can_not_be_read_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="the list can't be read"):
        read_list(tmp_path / name)


# --- labels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["", ".", "..", "a/b", "../x", "a\0b", "x" * 239, "\udcff"])
def test_a_label_that_names_no_folder_is_refused(label: str) -> None:
    with pytest.raises(ParameterError, match="is no label"):
        labelled(["a.fa"], [label])


def test_labels_are_as_many_as_locations_and_all_differ() -> None:
    with pytest.raises(ParameterError, match="1 labels for 2 locations"):
        labelled(["a.fa", "b.fa"], ["x"])
    with pytest.raises(ParameterError, match="2 inputs have the label 'x'"):
        labelled(["a.fa", "b.fa"], ["x", "x"])
    assert labelled(["a.fa", "b.fa"], [None, "x"]) == [Input("a.fa"), Input("b.fa", "x")]


# --- folders ----------------------------------------------------------------------------------


def test_a_folder_stands_for_the_fasta_files_directly_in_it(tmp_path: Path) -> None:
    fasta = ["B.FA.GZ", "a.fa", "b.fna.zst", "c.fasta.bgz", "d.ffn.xz", "e.fas.bz2", "é.frn"]
    for name in (*fasta, ".hidden.fa", "fa", "x.fai", "x.fa.fai", "x.fq", "x.fa.lz4", "notes.txt"):
        (tmp_path / name).write_bytes(TEXT)
    (tmp_path / "below.fa").mkdir()
    (tmp_path / "below.fa" / "x.fa").write_bytes(TEXT)
    os.mkfifo(tmp_path / "pipe.fa")
    (tmp_path / "link.faa").symlink_to("a.fa")
    (tmp_path / "lost.mpfa").symlink_to("nothing")

    found = find_inputs([Input("-"), Input(str(tmp_path)), Input("z.fa", "z")])

    names = sorted([*fasta, "link.faa", "lost.mpfa"], key=os.fsencode)
    expected = [Input(str(tmp_path / name)) for name in names]
    assert found == [Input("-"), *expected, Input("z.fa", "z")]
    assert find_inputs(found) == found
    assert find_inputs([Input(f"file://{tmp_path}")]) == expected


def test_a_folder_without_fasta_names_the_suffixes(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(TEXT)

    with pytest.raises(SourceError, match=r"no FASTA object .*\.fa, \.fasta.*\.gz, \.bgz"):
        find_inputs([Input(str(tmp_path))])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_a_folder_that_can_not_be_listed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)

    with pytest.raises(SourceError, match="can't be listed"):
        find_inputs([Input(str(tmp_path / "closed"))])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("run.json", "results of an earlier run"),
        ("plan.json", "results of an earlier run"),
        ("collection.json", "results of many genomes"),
    ],
)
def test_a_folder_of_results_is_called_so(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()

    with pytest.raises(SourceError, match=said):
        find_inputs([Input(str(tmp_path))])

    (tmp_path / "x.fa").write_bytes(TEXT)  # a folder that has both is one of genomes
    assert find_inputs([Input(str(tmp_path))]) == [Input(str(tmp_path / "x.fa"))]


def test_one_label_can_not_be_that_of_several(tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_bytes(TEXT)

    with pytest.raises(ParameterError, match="one label, wild"):
        find_inputs([Input(str(tmp_path), "wild")])


@pytest.mark.parametrize(
    "location",
    [
        "https://user:SECRET@host/folder/",
        "HTTP://host/*.fa?token=SECRET",
        "https://host/a[1].fa?token=SECRET",
    ],
)
def test_the_web_has_no_folders_and_no_globs(location: str) -> None:
    with pytest.raises(ParameterError, match="a web server can't be asked") as found:
        find_inputs([Input(location)])

    assert "SECRET" not in str(found.value)


@pytest.mark.parametrize(
    "location",
    [
        "missing/",
        "a*.fa",
        "[1].fa",
        "a\0b/",
        "x" * 5000,
        "file://host/x/",
        "https://host/x.fa?a=*&b=[1]/",
        "https://[::1]/x.fa",
        "https://[::1/x.fa",
        "ftp://host/*.fa",
        "s3://bucket",
        "s3:///*.fa",
        "s3://bucket/a//*.fa",
        "s3://bucket/x.fa?X-Amz-Signature=SECRET",
    ],
)
def test_what_is_no_folder_and_no_glob_stands_for_itself(location: str) -> None:
    assert find_inputs([Input(location)]) == [Input(location)]


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locations", "expected"),
    [
        (["/p/a/x.fa", "/p/a/y.fa"], ["x.fa", "y.fa"]),
        (["/p/a/x.fa", "/p/b/x.fa"], ["a_x.fa", "b_x.fa"]),
        (["/p/a/g/x.fa", "/p/b/g/x.fa", "/p/h/x.fa"], ["a_g_x.fa", "b_g_x.fa", "h_x.fa"]),
        (["/x.fa", "/a/x.fa"], ["x.fa", "a_x.fa"]),
        (["/p/a/x.fa", "/p/b/x.fa", "/p/a_x.fa"], ["p_a_x.fa", "b_x.fa", "a_x.fa"]),
        (["s3://b/x.fa", "gs://b/x.fa"], ["s3_b_x.fa", "gs_b_x.fa"]),
        (["s3://b/d/x.fa", "s3://c/d/x.fa"], ["b_d_x.fa", "c_d_x.fa"]),
        (["https://u:p@h/x.fa?q=a/b", "s3://b/x.fa"], ["h_x.fa", "b_x.fa"]),
        (["HTTPS://h/a/x.fa#a/b", "https://h/b/x.fa"], ["a_x.fa", "b_x.fa"]),
        (["az://c/x.fa?y", "/d/x.fa?y"], ["c_x.fa?y", "d_x.fa?y"]),
        (["-", "/d/stdin"], ["stdin", "d_stdin"]),
    ],
)
def test_names_are_told_apart_by_the_shortest_path_that_differs(
    locations: list[str], expected: list[str]
) -> None:
    assert names(*locations) == expected


def test_a_relative_path_is_known_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here" / "a").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")

    assert names("x.fa", "a/../a/x.fa", f"file://{tmp_path}/b/x.fa") == [
        "here_x.fa",
        "a_x.fa",
        "b_x.fa",
    ]


def test_a_label_is_the_name_and_others_give_way() -> None:
    given = [Input("/p/a/x.fa", "y.fa"), Input("/p/a/y.fa"), Input("/p/a/x.fa")]

    assert names_of(given) == ["y.fa", "a_y.fa", "x.fa"]


@pytest.mark.parametrize(
    "locations",
    [
        ["/p/x.fa", "/p/x.fa"],
        ["/p/x.fa", "/p/a/../x.fa"],
        ["/p/x.fa", "file:///p/x.fa"],
        ["-", "-"],
        ["https://h/x.fa?token=SECRET", "https://h/x.fa"],
        [f"/{'a' * 240}/b/x.fa", f"/{'a' * 239}c/b/x.fa"],
        ["/p/a_b/x.fa", "/p/a/b_x.fa", "/q/x.fa", "/q/b_x.fa"],
    ],
)
def test_names_that_can_not_be_told_apart_are_refused(locations: list[str]) -> None:
    with pytest.raises(ParameterError, match="2 inputs are called") as found:
        names(*locations)

    assert "SECRET" not in str(found.value)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no such names")
def test_folders_that_are_not_utf_8_tell_apart_too() -> None:
    one, other = os.fsdecode(b"/p/\xff/x.fa"), os.fsdecode(b"/p/\xfe/x.fa")

    assert [os.fsencode(each) for each in names(one, other)] == [b"\xff_x.fa", b"\xfe_x.fa"]


PARTS = st.sampled_from(["a", "b", "a_b", "_", "__", "b_", "x"])
PATHS = st.lists(PARTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
INPUTS = st.builds(Input, PATHS, st.none() | PARTS)


@given(st.lists(INPUTS, max_size=8), st.randoms())
def test_names_differ_are_plain_and_do_not_depend_on_the_order(
    inputs: list[Input], random: Random
) -> None:
    labels = [each.label for each in inputs if each.label is not None]
    assume(len({*labels}) == len(labels))
    shuffled = random.sample(inputs, len(inputs))
    try:
        found = names_of(inputs)
    except ParameterError:
        with pytest.raises(ParameterError):
            names_of(shuffled)
        return

    assert len({*found}) == len(found)
    assert all(map(is_name, found))
    assert dict(zip(shuffled, names_of(shuffled), strict=True)) == dict(
        zip(inputs, found, strict=True)
    )
    shortest = [each.label or each.location.rpartition("/")[2] for each in inputs]
    for each, short, name in zip(inputs, shortest, found, strict=True):
        if each.label is not None or shortest.count(short) == 1:
            assert name == short
        path = each.location.strip("/").replace("/", "_")
        assert name == each.label or re.search(rf"(^|_){re.escape(name)}$", path)


def test_ten_thousand_genomes_of_one_name_are_told_apart(tmp_path: Path) -> None:
    locations = [f"{tmp_path}/GCF_{index}/data/genomic.fna" for index in range(10_000)]
    (tmp_path / "list").write_text("\n".join(locations))

    found = names_of(find_inputs(read_list(tmp_path / "list")))

    assert found == [f"GCF_{index}_data_genomic.fna" for index in range(10_000)]
