"""What BUSCO found: the line that each of its short summaries has, JSON and text."""

from __future__ import annotations

import re

import msgspec

from fanfold.errors import ParameterError

_SUMMARY = re.compile(
    r"C:(\d{1,3}(?:\.\d)?)%\[S:(\d{1,3}(?:\.\d)?)%,D:(\d{1,3}(?:\.\d)?)%\],"
    r"F:(\d{1,3}(?:\.\d)?)%,M:(-?\d{1,3}(?:\.\d)?)%,n:(\d{1,9})"
)
_LINEAGE = re.compile(
    r'The lineage dataset is: ([\w.-]{1,60})|"lineage_dataset": *\{[^{}]*?"name": *"([\w.-]{1,60})"'
)


class Busco(msgspec.Struct, frozen=True):
    """The share of single-copy genes that an assembly has, in thousandths.

    Attributes:
        complete_permille: complete ones; single and duplicated.
        single_permille: complete and single-copy.
        duplicated_permille: complete and duplicated.
        fragmented_permille: fragmented.
        missing_permille: missing.
        genes: how many were searched.
        lineage: the lineage dataset; empty if the summary doesn't name it.
    """

    complete_permille: int
    single_permille: int
    duplicated_permille: int
    fragmented_permille: int
    missing_permille: int
    genes: int
    lineage: str

    @property
    def summary(self) -> str:
        """The summary in BUSCO's notation, with the lineage."""
        complete, single, duplicated, fragmented, missing = (
            f"{each // 10}.{each % 10}%"
            for each in (
                self.complete_permille,
                self.single_permille,
                self.duplicated_permille,
                self.fragmented_permille,
                self.missing_permille,
            )
        )
        where = f" ({self.lineage})" if self.lineage else ""
        return (
            f"C:{complete}[S:{single},D:{duplicated}],F:{fragmented},M:{missing},n:{self.genes}"
            + where
        )


def parse_busco(data: bytes) -> Busco:
    """What a BUSCO short summary says.

    Args:
        data: the bytes of ``short_summary.*.json`` or ``.txt``.

    Raises:
        ParameterError: it is none.
    """
    text = data.decode("utf-8", "replace")
    found = _SUMMARY.search(text)
    if found is None:
        raise ParameterError(
            "not a BUSCO short summary: it has no line such as"
            " C:98.9%[S:97.5%,D:1.4%],F:0.5%,M:0.6%,n:255"
        )
    *shares, genes = found.groups()
    complete, single, duplicated, fragmented, missing = map(_permille, shares)
    # BUSCO rounds each share for itself, and takes what is missing as what is left: -0.1 % happens.
    missing = max(0, missing)
    if not (
        abs(complete - single - duplicated) <= 2
        and abs(complete + fragmented + missing - 1000) <= 3
    ):
        raise ParameterError(f"not a BUSCO short summary: the shares of {found[0]} don't add up")
    lineage = _LINEAGE.search(text)
    name = (lineage[1] or lineage[2]) if lineage else ""
    return Busco(complete, single, duplicated, fragmented, missing, int(genes), name)


def _permille(text: str) -> int:
    whole, _, tenth = text.partition(".")
    sign = -1 if whole.startswith("-") else 1
    return sign * (abs(int(whole)) * 10 + int(tenth or 0))
