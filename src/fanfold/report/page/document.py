"""The frame of a page that needs nothing but itself: styles, data, script, and what it may load."""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import sha256
from pathlib import Path

import msgspec
from markupsafe import Markup

_ASSETS = Path(__file__).parent / "assets"

_IN_SCRIPT = (
    (b"<", rb"\u003c"),
    (b">", rb"\u003e"),
    (b"&", rb"\u0026"),
    ("\u2028".encode(), rb"\u2028"),
    ("\u2029".encode(), rb"\u2029"),
)
"""What stands for itself in JSON, and is written as an escape in a page."""


def asset(name: str) -> Markup:
    """A file of the package that is a part of every page, as it stands."""
    return Markup((_ASSETS / name).read_text("utf-8"))  # noqa: S704 - constant, of the package


def json_in_page(data: object) -> Markup:
    """JSON that ends no script element, and is no markup."""
    encoded = msgspec.json.encode(data)
    for character, escape in _IN_SCRIPT:
        encoded = encoded.replace(character, escape)
    return Markup(encoded.decode())  # noqa: S704 - has none of < > & now


def policy(script: Markup) -> str:
    """What a page may load: its own script, styles and pictures, nothing else (CSP level 3)."""
    digest = b2a_base64(sha256(script.encode()).digest(), newline=False).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline';"
        " img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def document(title: str, body: Markup, data: object) -> bytes:
    """A page in one file, which loads nothing and runs no script but its own.

    Args:
        title: its title.
        body: what is in its ``main`` element.
        data: what its script reads, as JSON.
    """
    script = asset("page.js")
    page = Markup(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>{title}</title>\n"
        '<style>{css}</style><style id="plot-style">{plots_css}</style></head>\n'
        "<body><main>{body}</main>\n"
        '<script type="application/json" id="data">{data}</script>'
        "<script>{script}</script></body></html>\n"
    ).format(
        policy=Markup(policy(script)),  # noqa: S704 - constant
        title=title,
        css=asset("page.css"),
        plots_css=asset("plots.css"),
        body=body,
        data=json_in_page(data),
        script=script,
    )
    return page.encode()
