"""PNG files with a palette, in stored blocks: no compressor's version shows in the bytes."""

from __future__ import annotations

from binascii import b2a_base64, crc32
from collections.abc import Sequence
from operator import mul

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_STORED_MAX = 65_535
_ADLER_PRIME = 65_521


def png(width: int, pixels: Sequence[int] | bytes, palette: bytes) -> bytes:
    """A picture.

    Args:
        width: pixels in a row.
        pixels: places in the palette, row after row from the top.
        palette: red, green and blue of up to 256 colours.
    """
    rows = bytes(pixels)
    height = len(rows) // width
    lines = b"".join(b"\0" + rows[row * width : (row + 1) * width] for row in range(height))
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x03\0\0\0"
    return _SIGNATURE + b"".join(
        (
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", palette),
            _chunk(b"IDAT", _stored(lines)),
            _chunk(b"IEND", b""),
        )
    )


def data_url(picture: bytes) -> str:
    """A PNG as a URL that holds it."""
    return "data:image/png;base64," + b2a_base64(picture, newline=False).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + crc32(kind + data).to_bytes(4, "big")


def _stored(data: bytes) -> bytes:
    """A zlib stream (RFC 1950) of stored blocks (RFC 1951)."""
    blocks = []
    for start in range(0, len(data), _STORED_MAX):
        block = data[start : start + _STORED_MAX]
        is_last = start + _STORED_MAX >= len(data)
        size = len(block)
        blocks.append(bytes([is_last]) + size.to_bytes(2, "little"))
        blocks.append((size ^ 0xFFFF).to_bytes(2, "little") + block)
    return b"\x78\x01" + b"".join(blocks) + _adler32(data).to_bytes(4, "big")


def _adler32(data: bytes) -> int:
    """RFC 1950: the sum of the bytes, and the sum of these sums after each byte."""
    size = len(data)
    one: int = 1 + sum(data)
    other: int = size + sum(map(mul, range(size, 0, -1), data))
    return (other % _ADLER_PRIME) << 16 | one % _ADLER_PRIME
