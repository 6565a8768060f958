"""A page as a browser sees it: its elements, its data, its figures."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import msgspec

SVG = "{http://www.w3.org/2000/svg}"


class Page(HTMLParser):
    """The parsed page.

    Attributes:
        tags: how often there is each element with each set of attributes' names.
        links: the values of attributes that name another resource.
        texts: what stands in each kind of element, in order.
        policy: the content security policy.
    """

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.source = page.decode()
        self.tags: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.links: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.policy = ""
        self._open: list[str] = []
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag, tuple(name for name, _ in attrs)] += 1
        values = dict(attrs)
        self.links += [
            values[name] or "" for name in ("href", "src", "xlink:href") if name in values
        ]
        if "http-equiv" in values:
            self.policy = values["content"] or ""
        self._open.append(tag)
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        for tag in set(self._open):
            self.texts[tag][-1] += data

    @property
    def data(self) -> dict[str, Any]:
        """The data of its script."""
        match = re.search('<script type="application/json" id="data">(.*?)</script>', self.source)
        assert match is not None
        decoded: dict[str, Any] = msgspec.json.decode(match[1])
        return decoded

    @property
    def script(self) -> str:
        return self.source.rpartition("<script>")[2].rpartition("</script>")[0]

    @property
    def text(self) -> str:
        """What a person reads."""
        return " ".join(self.texts["main"][0].split())

    def drawing(self, figure: str) -> ElementTree.Element:
        """The SVG of a figure; it must be well formed."""
        match = re.search(
            f'<figure class="plot" id="{figure}">.*?(<svg.*?</svg>)', self.source, re.DOTALL
        )
        assert match is not None, figure
        return ElementTree.fromstring(match[1].replace("<svg", f'<svg xmlns="{SVG[1:-1]}"', 1))  # noqa: S314 - made here
