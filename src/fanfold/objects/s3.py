"""What S3 needs beside obstore: profiles and roles, and the checksums that it keeps. By boto3.

boto3 comes with the extra ``aws``. Credentials that are in the environment, and those of containers
and web identities, work without it.
"""

# ruff: noqa: PLC0415 - boto3 is imported where it is needed, if it is installed
from __future__ import annotations

import base64
import os
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from obstore.store import S3Store

from fanfold.errors import ParameterError, SourceChangedError, SourceError
from fanfold.objects.settings import (
    CERTIFICATES,
    CERTIFICATES_OF_S3,
    Settings,
    certificates_of_s3,
    current,
    read_timeout,
)
from fanfold.objects.source import Source, StoredChecksum
from fanfold.shown import without_secrets

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
_NO_RANGES_BYTES = 5 * 1024**2
_PART_BYTES = 5 * 1024**3
"""The most bytes in a part."""

_CONNECTIONS = 32

_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


def make_store(bucket: str, client_options: ClientConfig, retry_config: RetryConfig) -> S3Store:
    """The store of a bucket, with the credentials, region and endpoint that boto3 would take.

    Raises:
        ParameterError: there are no credentials, no such profile, or a setting can't be.
    """
    certificates = certificates_of_s3()
    if certificates is not None:
        client_options = {**client_options, "root_certificate": certificates}
    config: S3Config = {}
    provider = None
    if _asks_profile():
        config, provider = _from_profile(bucket, required=not _has_credentials())
    if config.get("endpoint", "").startswith("http://"):
        client_options = {**client_options, "allow_http": True}
    return S3Store(
        bucket,
        config=config,
        client_options=client_options,
        retry_config=retry_config,
        credential_provider=provider,
    )


def stored_checksum(source: Source) -> StoredChecksum:
    """The CRC-64/NVME of the whole object that S3 keeps, if it keeps one.

    S3 tells it to a HEAD that asks for it (``x-amz-checksum-mode``); it is always that of the whole
    object (S3 user guide, "Checking object integrity").

    Raises:
        SourceError: S3 doesn't answer.
        SourceChangedError: the object is no longer what was pinned.
    """
    try:
        import botocore.exceptions
    except ImportError:
        return StoredChecksum(None, "not asked for: it takes pip install 'fanfold[aws]'")
    bucket, _, key = source.url.removeprefix("s3://").partition("/")
    try:
        head = _client(current()).head_object(
            Bucket=bucket, Key=key, ChecksumMode="ENABLED", IfMatch=source.etag
        )
    except botocore.exceptions.ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status in {404, 412}:
            raise _changed(source) from error
        if 400 <= status < 500 or status == 501:
            return StoredChecksum(None, f"not told: the store answers {status}")
        raise SourceError(
            f"{source.url}: its checksum can't be asked for: {without_secrets(error)}"
        ) from error
    except botocore.exceptions.BotoCoreError as error:
        raise SourceError(
            f"{source.url}: its checksum can't be asked for: {without_secrets(error)}"
        ) from error
    stored = head.get("ChecksumCRC64NVME")
    if stored is None or head.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return StoredChecksum(None, "none is stored")
    try:
        return StoredChecksum(int.from_bytes(base64.b64decode(stored, validate=True), "big"))
    except ValueError as error:
        raise SourceError(f"{source.url}: its checksum {stored!r} is none") from error


def is_listed(url: str) -> bool:
    """Whether a bucket lists an object; true where that isn't told."""
    import botocore.exceptions

    bucket, _, key = url.removeprefix("s3://").partition("/")
    try:
        # A key sorts before all others that begin with it.
        listed = _client(current()).list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
        return True
    return any(each["Key"] == key for each in listed.get("Contents", ()))


def copy_range(source: Source, start_byte: int, end_byte: int, target: str) -> None:
    """Copy the bytes [start_byte, end_byte) of an object into another; S3 does it.

    It is a multipart upload of one part, or of several where they would be too large, that are
    copied (S3 API reference, UploadPartCopy). Of objects of 5 MB or less S3 copies no ranges: they
    are read, and written.

    Raises:
        ParameterError: boto3 is not there.
        SourceChangedError: the object is no longer what was pinned.
        SourceError: it can't be copied.
    """
    try:
        import botocore.exceptions
    except ImportError as error:
        raise ParameterError("copies in S3 take boto3: pip install 'fanfold[aws]'") from error
    to_bucket, _, to_key = target.removeprefix("s3://").partition("/")
    try:
        if source.size_bytes <= _NO_RANGES_BYTES:
            _copy_small(source, start_byte, end_byte, to_bucket, to_key)
        else:
            _copy_parts(source, start_byte, end_byte, to_bucket, to_key)
    except botocore.exceptions.ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status in {404, 412}:
            raise _changed(source) from error
        raise SourceError(
            f"{source.url}: can't be copied to {target}: {without_secrets(error)}"
        ) from error
    except botocore.exceptions.BotoCoreError as error:
        raise SourceError(
            f"{source.url}: can't be copied to {target}: {without_secrets(error)}"
        ) from error


def _copy_small(
    source: Source, start_byte: int, end_byte: int, to_bucket: str, to_key: str
) -> None:
    bucket, _, key = source.url.removeprefix("s3://").partition("/")
    client = _client(current())
    body = b""
    if start_byte < end_byte:
        span = f"bytes={start_byte}-{end_byte - 1}"
        read = client.get_object(Bucket=bucket, Key=key, IfMatch=source.etag, Range=span)
        body = read["Body"].read()
    client.put_object(Bucket=to_bucket, Key=to_key, Body=body)


def _copy_parts(
    source: Source, start_byte: int, end_byte: int, to_bucket: str, to_key: str
) -> None:
    bucket, _, key = source.url.removeprefix("s3://").partition("/")
    client = _client(current())
    target = {"Bucket": to_bucket, "Key": to_key}
    upload = client.create_multipart_upload(**target)["UploadId"]
    try:
        parts = []
        for number, at in enumerate(range(start_byte, end_byte, _PART_BYTES), 1):
            span = f"bytes={at}-{min(at + _PART_BYTES, end_byte) - 1}"
            copied = client.upload_part_copy(
                **target,
                UploadId=upload,
                PartNumber=number,
                CopySource={"Bucket": bucket, "Key": key},
                CopySourceRange=span,
                CopySourceIfMatch=source.etag,
            )
            parts.append({"ETag": copied["CopyPartResult"]["ETag"], "PartNumber": number})
        client.complete_multipart_upload(
            **target, UploadId=upload, MultipartUpload={"Parts": parts}
        )
    except BaseException:
        with suppress(Exception):  # what isn't aborted expires
            client.abort_multipart_upload(**target, UploadId=upload)
        raise


def _changed(source: Source) -> SourceChangedError:
    return SourceChangedError(
        f"{source.url}: changed while it was being read; nothing was reported."
        " Run again when nothing writes to it"
    )


def _from_profile(bucket: str, *, required: bool) -> tuple[S3Config, Any]:
    """What the shared configuration files, SSO or the machine's role say."""
    try:
        import boto3
        import botocore.exceptions
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError as error:
        if required:
            raise ParameterError(
                f"s3://{bucket}: no credentials in the environment (AWS_ACCESS_KEY_ID, ...); public"
                " buckets need --no-sign-request; profiles, SSO and instance roles need pip install"
                " 'fanfold[aws]'"
            ) from error
        return {}, None
    try:
        session = boto3.Session(region_name=_setting(_REGIONS))
        config: S3Config = {}
        if session.region_name:
            config["region"] = session.region_name
        endpoint = session.client("s3", region_name=session.region_name or "us-east-1").meta
        if ".amazonaws.com" not in endpoint.endpoint_url:
            config["endpoint"] = endpoint.endpoint_url
        return config, Boto3CredentialProvider(session) if required else None
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        # What isn't boto3's own says that its session has none.
        reason = (
            f" ({without_secrets(error)})"
            if isinstance(error, botocore.exceptions.BotoCoreError)
            else ""
        )
        raise ParameterError(
            f"s3://{bucket}: no credentials{reason}; set AWS_PROFILE or AWS_ACCESS_KEY_ID and its"
            " secret, or give --no-sign-request for a public bucket"
        ) from error


@lru_cache(maxsize=8)
def _client(_settings: Settings) -> Any:
    """A client for the settings there are; made once for them, for that takes a while."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    endpoint = _setting(_ENDPOINTS)
    session = boto3.Session(region_name=_setting(_REGIONS))
    return session.client(
        "s3",
        region_name=session.region_name or "us-east-1",
        endpoint_url=endpoint,
        verify=_setting((CERTIFICATES_OF_S3, CERTIFICATES)),
        config=Config(
            signature_version=UNSIGNED if _is_anonymous() else None,
            s3={"addressing_style": "path"} if endpoint else None,
            ignore_configured_endpoint_urls=not _asks_profile(),  # type: ignore[call-arg] # its stub lacks it
            retries={"mode": "standard", "total_max_attempts": 6},
            connect_timeout=10,
            read_timeout=read_timeout().total_seconds(),
            max_pool_connections=_CONNECTIONS,
        ),
    )


def _asks_profile() -> bool:
    """Whether the shared configuration files are looked at: not where the environment tells all."""
    if os.environ.get("AWS_PROFILE"):
        return True
    return not (_has_credentials() and _setting(_REGIONS))


def _has_credentials() -> bool:
    return _is_anonymous() or _setting(_CREDENTIALS) is not None


def _is_anonymous() -> bool:
    return os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in {"true", "1", "yes", "on"}


def _setting(names: tuple[str, ...]) -> str | None:
    """The first of some environment variables that is set."""
    return next((os.environ[name] for name in names if os.environ.get(name)), None)
