"""What MultiQC shows of a report: three files of its custom content.

MultiQC gives each file of custom content one plot, and joins files of many reports by their `id`.
It takes sample names and texts for HTML, so they are escaped here; and it shortens names by rules
of its own, which know some extensions of FASTA files and not others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from markupsafe import escape

from fanfold.checked_json import encode_indented
from fanfold.report.master import Kmers, Master
from fanfold.report.measures import measures_of
from fanfold.report.ratio import percent
from fanfold.report.run_record import KMER_TABLES
from fanfold.report.survey import Survey, step_at
from fanfold.shown import escaped

_ARCHIVE = re.compile(r"\.(?:gz|bgz|bgzf|bz2|xz|zst|zstd)$", re.IGNORECASE)
_FASTA = re.compile(r"\.(?:fa|fasta|fas|fna|ffn|faa|frn|fsa|mfa|seq)$", re.IGNORECASE)


class _Column(NamedTuple):
    """A column of the table: what MultiQC needs to show it."""

    title: str
    description: str
    format: str = "{:,d}"
    suffix: str = ""
    scale: str = "Blues"


_BASES = " bp"

_COLUMNS: Mapping[str, _Column] = {
    "length": _Column("Length", "Summed length of the records", suffix=_BASES),
    "sequences": _Column("Sequences", "Records", scale="Purples"),
    "N50": _Column("N50", "Records of at least this length hold half of the length", suffix=_BASES),
    "L50": _Column("L50", "How many of the longest records hold half of the length"),
    "longest": _Column("Longest", "Length of the longest record", suffix=_BASES),
    "contig_N50": _Column(
        "Contig N50", "N50 of the contigs: records split at their gaps", suffix=_BASES
    ),
    "gc_percent": _Column("GC", "G and C among A, C, G, T and U", "{:,.3f}", "%", "RdYlGn"),
    "n_percent": _Column("N", "N among all residues", "{:,.3f}", "%", "OrRd"),
    "gaps": _Column("Gaps", "Runs of N", scale="OrRd"),
    "soft_masked_percent": _Column(
        "Soft-masked", "Residues in lower case among all residues", "{:,.3f}", "%", "Greys"
    ),
    "notes": _Column("Notes", "What fanfold found unusual; master.json says what", scale="OrRd"),
}


def multiqc_files(master: Master, survey: Survey) -> dict[str, bytes]:
    """The files for MultiQC, by name.

    Args:
        master: the report.
        survey: what its tables hold.
    """
    sample = sample_name(master.source.name)
    files = {
        "table": _table(sample, master),
        "nx": _nx(sample, survey),
        "lengths": _lengths(sample, master),
    }
    return {f"multiqc/fanfold_{key}_mqc.json": encode_indented(each) for key, each in files.items()}


def sample_name(name: str) -> str:
    """The name of a sample, as HTML.

    Args:
        name: the input's base name. The extensions of an archive and of a FASTA file go, unless
            nothing else is left.
    """
    base = _FASTA.sub("", _ARCHIVE.sub("", name))
    return str(escape(escaped(base if base.strip(" ._-:") else name)))


def _table(sample: str, master: Master) -> object:
    measures = measures_of(master)
    values = {key: getattr(measures, key) for key in _COLUMNS}
    columns = {**_COLUMNS}
    for kmers in master.kmers:
        if kmers.k not in KMER_TABLES:  # else nearly all that can be there are
            columns |= _kmer_columns(kmers)
            values[f"k{kmers.k}_distinct"] = kmers.distinct
            values[f"k{kmers.k}_unique_percent"] = percent(kmers.singletons, kmers.distinct)
    headers = {
        key: {
            "title": column.title,
            "description": column.description,
            "format": column.format,
            "suffix": column.suffix,
            "scale": column.scale,
            "min": 0,
            **({"max": 100} if column.suffix == "%" else {}),
        }
        for key, column in columns.items()
    }
    data = {key: value for key, value in values.items() if value is not None}
    return _section(
        "table",
        "Assembly statistics",
        "Exact statistics of each genome. Gaps, contigs and short records are counted as the"
        " report's view says.",
        plot_type="table",
        plot={"title": "fanfold: assembly statistics", "col1_header": "Genome"},
        data={sample: data},
        headers=headers,
    )


def _kmer_columns(kmers: Kmers) -> dict[str, _Column]:
    kind = f"{'canonical ' if kmers.canonical else ''}{kmers.k}-mers"
    return {
        f"k{kmers.k}_distinct": _Column(f"{kmers.k}-mers", f"Different {kind}", scale="Purples"),
        f"k{kmers.k}_unique_percent": _Column(
            f"Unique {kmers.k}-mers",
            f"Those that occur once among the different {kind}",
            "{:,.3f}",
            "%",
            "Greens",
        ),
    }


def _nx(sample: str, survey: Survey) -> object:
    steps = survey.records.steps
    # MultiQC 1.35 sorts x as text, so all have three digits; 1.25 and older take no list of pairs.
    found = ((x, step_at(steps, x)) for x in range(1, 101))
    points = {f"{x:03}": step.n for x, step in found if step is not None}
    return _section(
        "nx",
        "Nx curve",
        "N(x): records of at least this length hold x % of the genome's length.",
        plot_type="linegraph",
        plot={
            "title": "fanfold: Nx",
            "xlab": "x (% of the length)",
            "ylab": "N(x) (bp)",
            "xmin": 0,
            "xmax": 100,
            "logswitch": True,
            "logswitch_active": True,
        },
        # MultiQC fails at a sample without points, and passes over a file without samples.
        data={sample: points} if points else {},
    )


def _lengths(sample: str, master: Master) -> object:
    totals = {_at_least(each.length): each.sum for each in master.sequences.at_least}
    return _section(
        "lengths",
        "Length in long records",
        "Summed length of the records of at least a length. All records count, whatever the view.",
        plot_type="linegraph",
        plot={
            "title": "fanfold: length in long records",
            "xlab": "records",
            "ylab": "summed length (bp)",
            "categories": True,
            "logswitch": True,
            "style": "lines+markers",
        },
        data={sample: totals},
    )


def _at_least(length: int) -> str:
    return f"at least {length // 1000} kb" if length else "all"


def _section(
    key: str,
    name: str,
    description: str,
    *,
    plot_type: str,
    plot: Mapping[str, object],
    data: Mapping[str, object],
    **more: object,
) -> object:
    """A file: one section, with one plot, of the module that all files of fanfold make."""
    section = f"fanfold_{key}"
    return {
        "id": section,
        "parent_id": "fanfold",
        "parent_name": "fanfold",
        "parent_description": "computes exact composition and assembly statistics of genomes.",
        "section_name": name,
        "description": description,
        "plot_type": plot_type,
        "pconfig": {"id": section, **plot},
        **more,
        "data": data,
    }
