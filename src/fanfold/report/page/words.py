"""Numbers and names in words."""

from __future__ import annotations

from fanfold.shown import escaped

NOTHING = "\N{EN DASH}"
"""What stands where there is no number."""

_NAME_BYTES = 200

_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def counted(count: int, noun: str) -> str:
    """A count of things: ``1 record``, ``1,840 records``."""
    return f"{count:,} {noun if count == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """More than one of a thing."""
    return noun + "s"


def verb(count: int, one: str, many: str) -> str:
    """The form of a verb that fits a count."""
    return one if count == 1 else many


def number(value: float | None) -> str:
    """A number with thousands separators; its decimals, if any, as they are."""
    if value is None:
        return NOTHING
    return f"{int(value):,}" if value == int(value) else f"{value:,}"


def short_bases(length: int) -> str:
    """A length in three digits: 25,989,094 bases are 26.0 Mb."""
    digits, unit = _three_digits(length)
    return f"{digits} {unit}b"


def short_count(count: int) -> str:
    """A count in three digits: 3,729,956 is 3.73M."""
    return "".join(_three_digits(count))


def _three_digits(value: int) -> tuple[str, str]:
    """The digits, rounded half up, and the unit; from 1,000 T more digits."""
    for unit, letter in _UNITS:
        if 2 * value >= 2 * unit - unit // 1000:  # 999,600 is 1.00 M
            decimals = max(0, 3 - len(str(value // unit or 1)))
            scaled = (value * 10**decimals * 2 + unit) // (2 * unit)
            whole, rest = divmod(scaled, 10**decimals)
            return (f"{whole:,}.{rest:0{decimals}d}" if decimals else f"{whole:,}"), letter
    return str(value), ""


def share(part: int, whole: int) -> str:
    """Part of a whole in per cent: two decimals, or three below 1 %. It is rounded once."""
    if whole == 0:
        return NOTHING
    if part in {0, whole}:
        return "100 %" if part else "0 %"
    decimals = 3 if 100 * part < whole else 2
    one = 10**decimals
    scaled, rest = divmod(100 * part * one, whole)
    if 2 * rest > whole or (2 * rest == whole and scaled % 2):
        scaled += 1
    if scaled == 0:
        return "< 0.001 %"
    if scaled == 100 * one:
        return "> 99.99 %"
    return f"{scaled // one}.{scaled % one:0{decimals}} %"


def shown_name(name: str) -> str:
    """A name in one line that changes no other text's direction.

    It is cut where it takes more than 200 bytes in the page's data, and ends with an ellipsis.
    """
    text = escaped(name)
    if len(text) * 12 <= _NAME_BYTES or sum(map(_json_bytes, text)) <= _NAME_BYTES:
        return text
    kept, size = 0, 3
    for character in text:
        size += _json_bytes(character)
        if size > _NAME_BYTES:
            break
        kept += 1
    return text[:kept] + "…"


def _json_bytes(character: str) -> int:
    if character in "<>&":
        return 6
    return 2 if character in '"\\' else len(character.encode())
