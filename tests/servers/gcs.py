"""Google Cloud Storage on loopback: MiniStack's S3, which the XML API of GCS resembles.

Objects are put, read by range with If-Match, listed, copied and deleted as on GCS. It differs from
GCS in that it doesn't know generations: a precondition on one is ignored, so that creating an
object overwrites the one that is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers.s3 import S3Server, ministack


@dataclass(frozen=True)
class GcsServer(S3Server):
    """The same buckets, found by the variables of GCS."""

    def environment(self, endpoint_url: str | None = None) -> dict[str, str]:
        """The variables by which a client finds the server, or a proxy before it.

        Without `disable_oauth` a client would ask the metadata service of the machine for a token,
        which is not on loopback.
        """
        key = {
            "gcs_base_url": endpoint_url or self.endpoint_url,
            "disable_oauth": True,
            "client_email": "",
            "private_key": "",
            "private_key_id": "",
        }
        return {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(key), "GOOGLE_ALLOW_HTTP": "true"}


@contextmanager
def gcs_server(folder: Path) -> Iterator[GcsServer]:
    """Start it and wait until it answers; what it writes besides is in the folder."""
    with ministack(folder) as endpoint_url:
        yield GcsServer(endpoint_url)
