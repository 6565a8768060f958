"""The table of the longest records, and links to the tables that have all."""

from __future__ import annotations

from markupsafe import Markup

from fanfold.report.master import Master
from fanfold.report.page.words import NOTHING, counted, shown_name
from fanfold.report.ratio import percent
from fanfold.report.run_record import GAPS, SEQUENCES
from fanfold.report.survey import Row, Survey

SHOWN = 50

_IN_SIGHT = 16
"""More rows than this are in a box that scrolls."""

_TALL = Markup(' tall" role="region" aria-label="Longest records" tabindex="0')

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

_COLUMNS = ("#", "Name", "Length", "Of the length (%)", "GC (%)", "N", "Soft-masked (%)")

_HEADER_ATTRIBUTES = {"#": Markup(' aria-sort="ascending"'), "Name": Markup(' class="text"')}


def longest_table(master: Master, survey: Survey) -> Markup:
    """The table, sortable where scripts run."""
    rows = survey.listed[:SHOWN]
    if not rows:
        return Markup("<p>No record is in view.</p>") + _links(master)
    header = Markup("").join(
        Markup('<th scope="col"{}><button type="button">{}</button></th>').format(
            _HEADER_ATTRIBUTES.get(each, Markup("")), each
        )
        for each in _COLUMNS
    )
    body = Markup("\n").join(
        _row(place, each, master.sequences.length) for place, each in enumerate(rows, 1)
    )
    table = Markup(
        '<div class="table{}"><table class="sortable"><caption>{}</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    )
    box = _TALL if len(rows) > _IN_SIGHT else ""
    return table.format(box, _caption(master, len(rows)), header, body) + _links(master)


def _caption(master: Master, shown: int) -> str:
    count = master.sequences.count
    if shown == count:
        return "One record" if count == 1 else f"All {count:,} records, longest first"
    return f"The {shown} longest of {counted(count, 'record')}"


def _row(place: int, row: Row, length: int) -> Markup:
    name = shown_name(row.name)
    return Markup(
        '<tr><td data-value="{place}">{place}</td>'
        '<td class="text" data-value="{name}"><bdi>{name}</bdi></td>'
        '<td data-value="{length}">{length:,}</td>{share}{gc}<td data-value="{n}">{n:,}</td>'
        "{lowercase}</tr>"
    ).format(
        place=place,
        name=name,
        length=row.length,
        share=_ratio_cell(row.length, length),
        gc=_ratio_cell(row.gc, row.acgtu),
        n=row.n,
        lowercase=_ratio_cell(row.lowercase, row.length),
    )


def _ratio_cell(part: int, whole: int) -> Markup:
    value = percent(part, whole)
    if value is None:
        return Markup('<td data-value="">{}</td>').format(NOTHING)
    return Markup('<td data-value="{}">{:.3f}</td>').format(value, value)


def _links(master: Master) -> Markup:
    files = [(SEQUENCES, "every record"), (GAPS, "every run of N"), ("nx.tsv", "the Nx curves")]
    fai = master.sequences.fai
    if fai.written:
        files.append((f"{master.source.name}.fai", fai.note or "the index of samtools faidx"))
    items = Markup("").join(
        Markup('<li><a href="{}"><bdi>{}</bdi></a>: {}</li>').format(
            _relative(name), shown_name(name), words
        )
        for name, words in files
    )
    why = "" if fai.written else Markup("<p>There is no .fai: {}</p>").format(fai.note or "")
    return Markup('<p>Beside this page:</p><ul class="links">{}</ul>{}').format(items, why)


def _relative(name: str) -> str:
    """The URL of a file beside the page: never of another scheme, host or folder."""
    quoted = "".join(
        chr(byte) if byte in _UNRESERVED else f"%{byte:02X}"
        for byte in name.encode("utf-8", "surrogateescape")
    )
    return f"./{quoted}"
