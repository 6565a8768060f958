"""Reports of texts, made as a run makes them, with the survey's slow twin."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path
from typing import NamedTuple

import naive_survey

import fanfold
from fanfold._kernel import Fault, crc64nvme
from fanfold.params import Params
from fanfold.report.making import counts_of_findings, facts_of_findings, make_report
from fanfold.report.master import Master, SourceFacts, decode_report, encode_report
from fanfold.report.survey import Survey
from fanfold.report.view import DEFAULT_VIEW, View

GZIP = b"\x1f\x8b"


class Made(NamedTuple):
    """A report, and the survey that it was made with."""

    master: Master
    survey: Survey


def report_of(text: bytes, name: str, view: View = DEFAULT_VIEW) -> Made:
    """The report of a text, as if it were a file of a name."""
    findings = fanfold.scan(text, 5).findings()
    assert not isinstance(findings, Fault)
    sequences, gaps = bytearray(), bytearray()
    findings.write_sequences(sequences.extend)
    findings.write_gaps(gaps.extend)
    survey = naive_survey.survey(bytes(sequences), bytes(gaps), view)
    source = SourceFacts(
        name=name,
        size_bytes=len(text),
        compression="none",
        crc64nvme=base64.b64encode(crc64nvme(text).to_bytes(8, "big")).decode(),
    )
    parameters = Params((5,), canonical=False)
    counts = counts_of_findings(findings, parameters)
    facts = facts_of_findings(findings, counts, source, parameters, len(text))
    return Made(decode_report(encode_report(make_report(facts, survey, view))), survey)


def report_of_file(path: Path) -> Made:
    """The report of a file, which may be of gzip."""
    data = path.read_bytes()
    return report_of(gzip.decompress(data) if data.startswith(GZIP) else data, path.name)
