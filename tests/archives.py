"""Archives that the tests write themselves."""

from __future__ import annotations

import struct
import zlib


def bgzf(text: bytes, block_bytes: int = 0xFF00, *, level: int = 6, end: bool = True) -> bytes:
    """BGZF by the SAM specification, section 4.1, with or without its end-of-file block."""
    blocks = []
    for start in [*range(0, len(text), block_bytes), *([len(text)] if end else [])]:
        piece = text[start : start + block_bytes]
        deflater = zlib.compressobj(level, zlib.DEFLATED, -15)
        deflated = deflater.compress(piece) + deflater.flush()
        blocks.append(
            bytes.fromhex("1f8b0804 00000000 00ff0600 42430200")
            + struct.pack("<H", len(deflated) + 25)
            + deflated
            + struct.pack("<II", zlib.crc32(piece), len(piece))
        )
    return b"".join(blocks)
