"""Logarithm and direction, by series: the same digits on every machine."""

from __future__ import annotations

from math import frexp  # exact: it takes a number's bits apart

_LN_2 = 0.6931471805599453
_SQRT_HALF = 0.7071067811865476
_PI = 3.141592653589793
_LOG_TERMS = tuple(1 / (2 * term + 1) for term in reversed(range(12)))
"""1/23, 1/21, … 1/3, 1: computed once, as each point on a log axis needs them."""
_ANGLE_TERMS = 9


def log2(value: float) -> float:
    """The logarithm to base 2 of a number above 0, to 14 digits.

    log(m) = 2 (s + s³/3 + s⁵/5 + …) with s = (m - 1) / (m + 1), for m between √½ and √2.
    """
    mantissa, exponent = frexp(value)
    if mantissa < _SQRT_HALF:
        mantissa, exponent = mantissa * 2, exponent - 1
    s = (mantissa - 1) / (mantissa + 1)
    square = s * s
    total = 0.0
    for term in _LOG_TERMS:
        total = total * square + term
    return exponent + 2 * s * total / _LN_2


def direction(part: int, whole: int) -> tuple[float, float]:
    """Where part/whole of a turn points to, clockwise from 12 o'clock, on a circle of radius 1.

    Returns:
        x to the right and y downwards, as SVG has them.
    """
    eighth, rest = divmod(part * 8, whole)
    # The angle within the eighth, from the nearer axis: at most π/4, where the series are short.
    is_odd = eighth % 2 == 1
    angle = _PI / 4 * ((whole - rest) / whole if is_odd else rest / whole)
    sine, cosine = _sine_and_cosine(angle)
    if is_odd:
        sine, cosine = cosine, sine
    quarter = eighth // 2 % 4
    return ((sine, -cosine), (cosine, sine), (-sine, cosine), (-cosine, -sine))[quarter]


def _sine_and_cosine(angle: float) -> tuple[float, float]:
    square = angle * angle
    sine = cosine = 1.0
    for term in reversed(range(1, _ANGLE_TERMS)):
        sine = 1 - square / (2 * term * (2 * term + 1)) * sine
        cosine = 1 - square / ((2 * term - 1) * 2 * term) * cosine
    return angle * sine, cosine
