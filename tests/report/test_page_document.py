from __future__ import annotations

import msgspec
from markupsafe import Markup

from fanfold.report.page.document import asset, document, json_in_page
from report.pages import Page


def test_data_in_a_page_is_the_same_json_without_markup() -> None:
    data = {"name": "</script><!--<script >&amp;\u2028\u2029\\u003c\"'", "numbers": [1, 0.25, None]}

    written = json_in_page(data)

    assert not set("<>&\u2028\u2029").intersection(written)
    assert msgspec.json.decode(str(written)) == data


def test_a_document_escapes_its_title_and_keeps_its_body() -> None:
    page = Page(document("<b>&", Markup("<p>hello</p>"), {"name": "x"}))

    assert page.texts["title"] == ["<b>&"]
    assert page.texts["p"] == ["hello"]
    assert page.data == {"name": "x"}


def test_what_is_part_of_every_page_ends_no_element() -> None:
    script = asset("page.js").lower()
    styles = (asset("page.css") + asset("plots.css")).lower()

    assert not any(each in script for each in ("</script", "<script", "<!--"))
    assert "</style" not in styles
    assert not any(each in styles for each in ("@import", "http:", "https:", "url("))
