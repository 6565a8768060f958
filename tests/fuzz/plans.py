"""A plan, whatever was done to it, is refused, or keeps to its folder and tiles its input.

An input is a `plan.json`. Its checksum is made to hold, and so are job and id in a second try:
anyone can compute them.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any

import msgspec

from fanfold.errors import ParameterError, PlanError
from fanfold.flow.plan import Plan, decode_plan, encode_plan, make_plan
from fanfold.objects import Source
from fanfold.params import Params
from fuzz.documents import sealed


def seeds() -> list[bytes]:
    source = Source("/data/x.fa", "x.fa", 1000, "1-2-3")
    asked = Params((2, 5), canonical=False)
    archive = make_plan(source, "gzip", asked, 400)
    whole = msgspec.structs.replace(
        archive,
        slices=make_plan(source, "none", asked, 400).slices,
        text_bytes=1000,
        object_crc64nvme="0123456789abcdef",
        replaces=("0" * 20, "f" * 20),
    )
    plans = [
        make_plan(source, "none", asked, 400),
        make_plan(source, "bgzf", asked, 300, apart=True, nonce="00ff"),
        archive,
        whole,
        make_plan(Source("-", "stdin", 0, "x"), "none", Params((), canonical=True), 7),
        make_plan(Source("s3://b/x.fa", "x.fa", 0, "x"), "none", asked, 7),
    ]
    return list(map(encode_plan, plans))


def check(data: bytes) -> None:
    document = sealed(data)
    tree = _tree(document)
    _check_plan(document)
    if tree is not None:
        _check_plan(_forged(tree))


def _check_plan(document: bytes) -> None:
    try:
        plan = decode_plan(document, "plan.json")
    except PlanError:
        return
    assert decode_plan(encode_plan(plan), "plan.json") == plan
    folder = f"/out/chunks/{plan.id}/"
    slices = plan.slices or ()
    names = [plan.gzi_name]
    for each in slices:
        names += (plan.chunk_name(each.index, suffix) for suffix in ("json", "rows", "fa"))
        if plan.apart:
            assert "/" not in plan.object_name(each.index)
        assert each.object in {None, plan.object_name(each.index)}
    for name in names:
        path = os.path.normpath(f"/out/{name}")
        assert path.startswith(folder), name
        assert "/" not in path.removeprefix(folder), name
        assert len(path.removeprefix(folder).encode()) <= 255, name
        assert "\0" not in name
    end_byte = 0
    for index, each in enumerate(slices):
        assert (each.index, each.start_byte) == (index, end_byte)
        assert each.end_byte >= each.start_byte
        end_byte = each.end_byte
    if slices:
        assert end_byte == (plan.text_bytes if plan.cut == "text" else plan.source.size_bytes)


def _tree(document: bytes) -> dict[str, Any] | None:
    """What a document says, without its checksum; None if it can't be read."""
    try:
        tree = json.loads(document)
    except (ValueError, RecursionError):
        return None
    if not isinstance(tree, dict):
        return None
    return {key: value for key, value in tree.items() if key != "checksum"}


def _forged(tree: dict[str, Any]) -> bytes:
    """A document with version, job and id of what it says, if it says enough."""
    forged: dict[str, Any] = {}
    with suppress(msgspec.ValidationError, ParameterError):
        plan = msgspec.convert({**tree, "slices": None}, Plan)
        made = make_plan(
            plan.source,
            plan.compression,
            plan.parameters,
            plan.slice_bytes,
            apart=plan.apart,
            nonce=plan.nonce,
            grows=plan.grows,
        )
        forged = {"version": made.version, "job": made.job, "id": made.id, "cut": made.cut}
    return sealed(json.dumps(tree | forged).encode())
