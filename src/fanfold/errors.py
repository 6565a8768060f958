"""The errors fanfold raises on purpose.

    FanfoldError
    ├── ParameterError        a parameter that can't be (also a ValueError)
    ├── InputError            the input's bytes are not what they should be
    │   ├── FastaError        not FASTA as fanfold defines it; carries the offset
    │   └── ArchiveError      a truncated or damaged archive; carries the offset
    ├── SourceError           the input can't be read
    │   ├── SourceMissingError    there is none
    │   ├── SourceElsewhereError  its bucket is in another region
    │   ├── SourceChangedError    it changed while it was being read
    │   └── ChecksumError         its store keeps another checksum than its bytes have
    ├── OutputError           the results can't be written
    │   └── FolderBusyError       another process is at work in their folder
    ├── EngineError           the executor lost a task, or can't run one
    ├── PlanError             a plan that can't be used: other version, other parameters, damaged
    │   ├── MissingSlicesError    the fold lacks results of slices; carries their indexes
    │   └── MissingCountsError    the fold lacks counts of k-mers; carries their tasks' indexes
    ├── ProofError            the report contradicts its own checks: a defect of fanfold
    ├── CloudError            the API refused, or a job in the cloud failed
    ├── ExhaustedError        memory, threads or open files ran out
    └── Cancelled             the run was asked to stop

Every message says what was found, where, and what to do, in one or two lines. `exit_code` is what
the command line ends with.
"""

from __future__ import annotations

from typing import ClassVar


class FanfoldError(Exception):
    """The base of every error that fanfold raises on purpose."""

    exit_code: ClassVar[int] = 1


class ParameterError(FanfoldError, ValueError):
    """A parameter that can't be."""

    exit_code = 2


class InputError(FanfoldError):
    """Bytes that are not what they should be.

    Attributes:
        source: the name of the input.
        offset_byte: 0-based position in the input (of the inflated text for `FastaError`, of the
            archive for `ArchiveError`).
    """

    exit_code = 3

    def __init__(self, source: str, offset_byte: int, message: str) -> None:
        super().__init__(f"{source}: {message}")
        self.source = source
        self.offset_byte = offset_byte
        self._message = message

    def __reduce__(self) -> tuple[type[InputError], tuple[object, ...]]:
        # By default an exception is pickled with its text alone; errors come from other processes.
        return type(self), (self.source, self.offset_byte, self._message)


class FastaError(InputError):
    """Text that is not FASTA; `kind` names the finding, such as ``bare-cr``."""

    def __init__(self, source: str, offset_byte: int, message: str, kind: str) -> None:
        super().__init__(source, offset_byte, message)
        self.kind = kind

    def __reduce__(self) -> tuple[type[FastaError], tuple[object, ...]]:
        return type(self), (self.source, self.offset_byte, self._message, self.kind)


class ArchiveError(InputError):
    """An archive that is truncated, damaged, or followed by something else."""


class SourceError(FanfoldError):
    """An input that can't be read."""

    exit_code = 4


class SourceMissingError(SourceError):
    """An input that isn't there."""


class SourceElsewhereError(SourceError):
    """An input whose bucket is in another region."""


class SourceChangedError(SourceError):
    """An input that changed while it was being read."""


class ChecksumError(SourceError):
    """An input whose store keeps another checksum than that of the bytes which came."""


class OutputError(FanfoldError):
    """Results that can't be written."""

    exit_code = 5


class FolderBusyError(OutputError):
    """Another process holds the lock of a folder."""


class PlanError(FanfoldError):
    """A plan that can't be used."""

    exit_code = 6


class MissingSlicesError(PlanError):
    """A fold that lacks the results of some slices: `indexes` are theirs."""

    def __init__(self, indexes: tuple[int, ...], message: str) -> None:
        super().__init__(message)
        self.indexes = indexes

    def __reduce__(self) -> tuple[type[MissingSlicesError], tuple[object, ...]]:
        return type(self), (self.indexes, str(self))


class MissingCountsError(PlanError):
    """A fold that lacks counts of k-mers from 9 on: `indexes` are those of their tasks."""

    def __init__(self, indexes: tuple[int, ...], message: str) -> None:
        super().__init__(message)
        self.indexes = indexes

    def __reduce__(self) -> tuple[type[MissingCountsError], tuple[object, ...]]:
        return type(self), (self.indexes, str(self))


class EngineError(FanfoldError):
    """An executor that lost a task, or can't run one."""

    exit_code = 8


class ProofError(FanfoldError):
    """A report that contradicts its own checks. It is not written."""

    exit_code = 7


class CloudError(FanfoldError):
    """What the API refused, or a job in the cloud that failed.

    Attributes:
        status: the HTTP status, if the API answered.
        problem: the type of the problem document, if there was one.
    """

    exit_code = 10

    def __init__(self, message: str, status: int | None = None, problem: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.problem = problem


class ExhaustedError(FanfoldError):
    """Memory, threads or open files that ran out."""

    exit_code = 11


class Cancelled(FanfoldError):  # noqa: N818 - a request that was met, not a fault
    """The run was asked to stop."""

    exit_code = 130
