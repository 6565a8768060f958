"""The compiled part: everything that touches every base."""

from typing_extensions import Buffer

def crc64nvme(data: Buffer, crc: int = 0) -> int:
    """The CRC-64/NVME of `data`, continued from `crc`, the CRC of what came before it."""

def crc64nvme_combine(left: int, right: int, right_bytes: int) -> int:
    """The CRC-64/NVME of two runs of bytes in a row, from theirs and the second one's length."""
