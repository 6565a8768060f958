"""The settings of a server."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fanfold._kernel import VERSION

TOKEN = "FANFOLD_TOKEN"  # noqa: S105 - a variable's name

IMAGE = f"fanfold-serve/{VERSION}"
"""What the ledger has in place of a container's digest: a server takes up no other end's jobs."""
IMAGES = "fanfold-serve/"
"""What the images of every version begin with."""

MOST_STREAMS = 512
"""Streams of events that may be open at once."""
MOST_UPLOADS = 8
"""Uploads that may be under way at once."""
MOST_SILENT_SECONDS = 60.0
"""How long a client may send nothing of a body that it has begun."""
MOST_BODY_BYTES = 64 * 1024
"""The largest body of a request, but for uploads."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a server.

    Attributes:
        root: the folder whose folders are the buckets, or the URL of the one bucket; ledger and
            results are in it.
        buckets: other buckets: their folder or URL, by name.
        jobs: how many jobs are worked on at once.
        threads: the threads of each job; one a core when None.
        memory_bytes: the most memory of each job; any amount when None.
        max_upload_bytes: the largest object that can be uploaded.
        max_open_jobs: how many jobs may wait or run.
    """

    root: str
    buckets: Mapping[str, str] = {}
    jobs: int = 2
    threads: int | None = None
    memory_bytes: int | None = None
    max_upload_bytes: int = 100 * 1024**3
    max_open_jobs: int = 1000
