"""What obstore alone reads: an object by ranges, several at once, thrown away.

    python benchmarks/plain_reads.py s3://bucket/key

The measure for what fanfold reads, which asks for ranges of the same size, as many at once.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from obstore.store import S3Store

RANGE_BYTES = 8 * 1024**2
AT_ONCE = 8


def main() -> None:
    """Read the object that the command line names."""
    bucket, _, key = sys.argv[1].removeprefix("s3://").partition("/")
    store = S3Store(bucket, client_options={"allow_http": True})
    size_bytes = store.head(key)["size"]

    def read(start_byte: int) -> int:
        end_byte = min(start_byte + RANGE_BYTES, size_bytes)
        return len(store.get(key, options={"range": (start_byte, end_byte)}).bytes())

    with ThreadPoolExecutor(AT_ONCE) as pool:
        if sum(pool.map(read, range(0, size_bytes, RANGE_BYTES))) != size_bytes:
            sys.exit("the object came short")


if __name__ == "__main__":
    main()
