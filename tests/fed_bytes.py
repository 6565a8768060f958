"""How much decompressors are fed."""

from __future__ import annotations

import bz2
import lzma
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from isal import igzip_lib

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class FedBytes:
    """Counts the bytes that decompressors are fed from now on.

    They take a byte, or copy it as unused; a byte that is fed again counts again.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        for module, name in (
            (igzip_lib, "IgzipDecompressor"),
            (zstd, "ZstdDecompressor"),
            (bz2, "BZ2Decompressor"),
            (lzma, "LZMADecompressor"),
        ):
            make = getattr(module, name)
            monkeypatch.setattr(module, name, partial(_Counted, self, make))


class _Counted:
    def __init__(
        self, fed: FedBytes, make: Callable[..., Any], *args: object, **kwargs: object
    ) -> None:
        self._fed = fed
        self._decompressor = make(*args, **kwargs)

    def decompress(self, data: bytes | memoryview, max_length: int) -> object:
        self._fed.count += len(data)
        return self._decompressor.decompress(data, max_length)

    def __getattr__(self, name: str) -> object:
        return getattr(self._decompressor, name)
