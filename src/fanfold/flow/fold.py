"""The fold: from the slices' results, in order, to one summary of the whole object."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from typing import NamedTuple

from fanfold._kernel import Findings, Summary, crc64nvme_combine
from fanfold.archives.bgzf import gzi, must_rescan
from fanfold.errors import ArchiveError, FastaError, MissingSlicesError, ProofError
from fanfold.flow.plan import Plan, Slice
from fanfold.flow.slice_file import SliceResult


class Folded(NamedTuple):
    """What all slices together show.

    Attributes:
        findings: what the object holds.
        crc64nvme: the CRC-64/NVME of the object's bytes.
        text_bytes: the length of its text.
        gzi: its `.gzi` index, if it is a BGZF file that can have one.
        garbage_bytes: how many bytes after the archive's end were ignored.
    """

    findings: Findings
    crc64nvme: int
    text_bytes: int
    gzi: bytes | None
    garbage_bytes: int


class Fold:
    """A fold in progress: takes the results of all slices of a plan, in order."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._summary = Summary(plan.parameters.dense_k, plan.parameters.packed_k)
        self._crc = 0
        self._position_byte = 0
        self._block_start_bytes = array("Q")
        self._block_text_bytes = array("I")
        self._can_have_gzi = plan.cut == "blocks"
        self._garbage_bytes = 0

    @property
    def position_byte(self) -> int:
        """Where the slices so far end, and the next one has to begin."""
        return self._position_byte

    def must_rescan(self, result: SliceResult) -> bool:
        """Whether the next slice must be scanned again, from `position_byte` on."""
        return self._plan.cut == "blocks" and must_rescan(result, self._position_byte)

    def add(self, result: SliceResult) -> None:
        """Take the next slice.

        Raises:
            ArchiveError: the archive is damaged there.
            ProofError: it doesn't begin where the one before it ended, or can't be merged.
        """
        if result.failure is not None:
            failure = result.failure
            raise ArchiveError(self._plan.source.name, failure.offset_byte, failure.message)
        owned_bytes = result.owned_end_byte - result.owned_start_byte
        if owned_bytes and result.owned_start_byte != self._position_byte:
            raise ProofError(
                f"slice {result.index} begins at byte {result.owned_start_byte}, but the one"
                f" before it ended at {self._position_byte}; please report this"
            )
        self._position_byte += owned_bytes
        self._crc = crc64nvme_combine(self._crc, result.crc64nvme, owned_bytes)
        try:
            self._summary = self._summary.merge(result.summary)
        except ValueError as error:
            raise ProofError(
                f"{self._plan.source.name}: slice {result.index} can't be merged ({error});"
                " please report this"
            ) from error
        self._block_start_bytes += result.block_start_bytes
        self._block_text_bytes += result.block_text_bytes
        self._can_have_gzi &= not result.has_plain_member
        self._garbage_bytes += result.garbage_bytes

    def finish(self) -> Folded:
        """The whole.

        Raises:
            FastaError: its text is not FASTA.
            ProofError: the slices don't reach its end.
        """
        plan = self._plan
        slices = plan.known_slices()
        if self._position_byte != slices[-1].end_byte:
            raise ProofError(
                f"the slices end at byte {self._position_byte} of {slices[-1].end_byte};"
                " please report this"
            )
        findings = self._summary.findings()
        if not isinstance(findings, Findings):
            raise fasta_error(plan.source.name, findings.kind, findings.offset_byte, findings.byte)
        crc = self._crc if plan.object_crc64nvme is None else int(plan.object_crc64nvme, 16)
        return Folded(
            findings=findings,
            crc64nvme=crc,
            text_bytes=self._summary.size_bytes,
            gzi=gzi(self._block_start_bytes, self._block_text_bytes)
            if self._can_have_gzi
            else None,
            garbage_bytes=self._garbage_bytes + plan.garbage_bytes,
        )


def fold_results(
    plan: Plan,
    results: Iterable[tuple[int, SliceResult | None]],
    rescan: Callable[[Slice, int], SliceResult],
) -> Folded:
    """What the results of all slices show together.

    Args:
        plan: the plan.
        results: each slice's index and result, in order; None where there is none.
        rescan: the result of a slice of BGZF blocks that has to begin at another byte.

    Raises:
        MissingSlicesError: results are missing or damaged; names every one.
        ArchiveError: the archive is damaged.
        FastaError: the text is not FASTA.
        ProofError: the results contradict each other.
    """
    folding = Fold(plan)
    missing = []
    for index, result in results:
        if result is None:
            missing.append(index)
        elif not missing:
            is_moved = folding.must_rescan(result)
            each = plan.known_slices()[index]
            folding.add(rescan(each, folding.position_byte) if is_moved else result)
    if missing:
        raise MissingSlicesError(
            tuple(missing),
            f"{plan.source.name}: {len(missing)} of {len(plan.known_slices())} slices have no"
            f" valid result: {', '.join(map(str, missing))}. Run their tasks, then fold again",
        )
    return folding.finish()


def fasta_error(source: str, kind: str, offset_byte: int, byte: int) -> FastaError:
    """The error that a fault of the text is, in words."""
    found = f"{chr(byte)!r}" if 0x20 < byte < 0x7F else f"0x{byte:02x}"
    messages = {
        "utf-16": "UTF-16 text, by its byte order mark; convert it to ASCII (iconv -t ascii)",
        "bare-cr": f"bare CR (old Mac line ends) at byte {offset_byte};"
        " convert the line ends (mac2unix)",
        "invalid-byte": f"byte {found} in a sequence line at byte {offset_byte};"
        " FASTA sequence is printable ASCII: get a fresh copy, or remove it",
        "nul-in-header": f"NUL byte in a header at byte {offset_byte};"
        " not a text: get a fresh copy, or remove it",
        "header-too-long": f"the header at byte {offset_byte} is longer than 1,048,576 bytes;"
        " shorten it (or are the line ends missing?)",
        "comment-too-long": f"the comment at byte {offset_byte} is longer than 1,048,576 bytes;"
        " shorten it (or are the line ends missing?)",
        "sequence-before-header": f"{found} at byte {offset_byte}, before the first header;"
        " a FASTA record starts with a line that starts with '>'",
        "fastq": f"'@' at byte {offset_byte}, where a '>' should be: this looks like FASTQ;"
        " convert it to FASTA (seqtk seq -A)",
        "empty": "empty: there is no FASTA record in 0 bytes of text; check how it was made",
        "no-record": "no FASTA record: no line starts with '>'; is this the right file?",
    }
    return FastaError(source, offset_byte, messages[kind], kind)
