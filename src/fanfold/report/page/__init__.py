"""Renderings for people: `report.html`, and its plots as SVG.

All of it is a pure function of the report and the survey: the same bytes on every machine. So there
is no clock, no compression library, and no sine or logarithm of the C library, whose last digit
differs from one to the next; only + - * / and integers.
"""
