"""Uploads: a body that is written as it comes, and becomes an object at its end."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from fanfold.api.problems import ApiError
from fanfold.api.types import StoredObject
from fanfold.objects import BLOCK_BYTES
from fanfold.web.bodies import pieces, too_large
from fanfold.web.jobs import Service
from fanfold.web.settings import MOST_UPLOADS
from fanfold.web.upload import Upload


class Uploads:
    """The uploads that are under way.

    Args:
        service: the jobs, whose buckets are written to.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._under_way = 0

    async def receive(
        self, request: Request, bucket: str, key: str, *, replace: bool
    ) -> StoredObject:
        """Store the body of a request, whole or not at all.

        Raises:
            ApiError: it is refused, too large, or shorter than it said.
            ClientDisconnect: the client has left.
        """
        most_bytes = self._service.settings.max_upload_bytes
        length = request.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:19]) > most_bytes:
            raise too_large(most_bytes)
        if request.headers.get("content-encoding", "identity") != "identity":
            raise ApiError(
                415,
                "unsupported-media-type",
                "Unsupported media type",
                "send the file as it is, without Content-Encoding; archives are read as they are",
            )
        if self._under_way >= MOST_UPLOADS:
            raise ApiError(
                429,
                "too-many-uploads",
                "Too many uploads",
                f"{MOST_UPLOADS} uploads are under way, as many as there may be; send it again when"
                " one has ended",
            )
        self._under_way += 1
        try:
            buckets = self._service.buckets
            upload = await run_in_threadpool(buckets.uploading, bucket, key, replace=replace)
            try:
                await _write(request, upload, most_bytes)
                return await run_in_threadpool(upload.commit)
            finally:
                await run_in_threadpool(upload.abort)
        finally:
            self._under_way -= 1


async def _write(request: Request, upload: Upload, most_bytes: int) -> None:
    """Write a body in larger pieces than it comes in."""
    piece = bytearray()
    async for data in pieces(request, most_bytes):
        piece += data
        if len(piece) >= BLOCK_BYTES:
            await run_in_threadpool(upload.write, bytes(piece))
            piece.clear()
    await run_in_threadpool(upload.write, bytes(piece))
