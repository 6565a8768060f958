"""Decoders of JSON that are made when they are first used.

A decoder resolves every annotation of its type, and of the types in it. A command decodes few of
the types that it imports, so making all of their decoders on import is most of its start.
"""

from __future__ import annotations

from threading import Lock
from typing import Generic, TypeVar

import msgspec

_Kind = TypeVar("_Kind")

_MAKING = Lock()
"""Held while a decoder is made: msgspec 0.22 dereferences NULL when one thread decodes a type that
another is still resolving, and decoders have types in common."""


class JsonDecoder(Generic[_Kind]):
    """Decodes JSON as one type. Any thread may use it, the first time too.

    Args:
        kind: the type.
    """

    def __init__(self, kind: type[_Kind]) -> None:
        self._kind = kind
        self._made: msgspec.json.Decoder[_Kind] | None = None

    def decode(self, data: bytes | memoryview | str) -> _Kind:
        """The value in a JSON text.

        Raises:
            msgspec.DecodeError: there is none of this type in it.
        """
        decoder = self._made
        if decoder is None:
            with _MAKING:
                decoder = self._made = self._made or msgspec.json.Decoder(self._kind)
        return decoder.decode(data)
