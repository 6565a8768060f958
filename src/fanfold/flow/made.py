"""What the fold of a plan's slices makes: the report, before anything of it is written."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from fanfold.errors import ChecksumError, InputError
from fanfold.flow.fold import Folded
from fanfold.flow.plan import Plan
from fanfold.objects import StoredChecksum, shown
from fanfold.params import Alphabet
from fanfold.report.making import counts_of_findings, facts_of_findings, make_report
from fanfold.report.master import Kmers, Master, SourceFacts
from fanfold.report.notes import Note, not_of_dna
from fanfold.report.survey import Survey, survey_of
from fanfold.report.view import View

_NONE: Mapping[int, Kmers] = MappingProxyType({})


class Made(NamedTuple):
    """A report, and what its renderings show beside it.

    Attributes:
        report: it.
        survey: what its tables hold.
        counts: for each k up to 8, 4^k counts of k-mers by code.
    """

    report: Master
    survey: Survey
    counts: Mapping[int, Sequence[int]]


def made_of(plan: Plan, folded: Folded, view: View, large: Mapping[int, Kmers] = _NONE) -> Made:
    """The report of a plan whose slices are folded.

    Args:
        plan: the plan.
        folded: what its slices show together.
        view: how lengths and gaps are looked at.
        large: what is said of the k-mers of each k from 9 on.

    Raises:
        ProofError: it contradicts its own checks.
    """
    source = SourceFacts(
        name=plan.source.name,
        size_bytes=plan.size_bytes,
        compression=plan.compression,
        crc64nvme=base64.b64encode(folded.crc64nvme.to_bytes(8, "big")).decode(),
        garbage_bytes=folded.garbage_bytes,
    )
    findings, parameters = folded.findings, plan.parameters
    counts = counts_of_findings(findings, parameters)
    facts = facts_of_findings(findings, counts, source, parameters, folded.text_bytes, large=large)
    survey = survey_of(view, findings.write_sequences, findings.write_gaps)
    return Made(make_report(facts, survey, view), survey, counts)


def check_notes(name: str, notes: Iterable[Note], alphabet: Alphabet) -> None:
    """Check that an input is of the alphabet that was asked for.

    Args:
        name: the input's.
        notes: those of its report.
        alphabet: what it may be of.

    Raises:
        InputError: it is not DNA, but has to be.
    """
    found = not_of_dna(notes) if alphabet == "dna" else []
    if found:
        raise InputError(
            name,
            0,
            f"{found[0].text}. It is refused, as only DNA was asked for (alphabet: dna)",
        )


def check_checksum(plan: Plan, folded: Folded, stored: StoredChecksum) -> None:
    """Check that the bytes that were scanned are those that the store keeps a checksum of.

    Raises:
        ChecksumError: they aren't.
    """
    if stored.crc64nvme not in {None, folded.crc64nvme}:
        raise ChecksumError(
            f"{shown(plan.source.url)}: its bytes have the CRC-64/NVME {folded.crc64nvme:016x}, but"
            f" the store keeps {stored.crc64nvme:016x}; nothing was reported. Get a fresh copy"
        )
