"""The settings of stores, which are in the environment, and those of fanfold's own among them."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from fanfold.errors import ParameterError
from fanfold.objects.urls import has_host
from fanfold.shown import shown

READ_TIMEOUT = "FANFOLD_READ_TIMEOUT"
RETRY_TIMEOUT = "FANFOLD_RETRY_TIMEOUT"

CERTIFICATES, CERTIFICATES_OF_S3 = "SSL_CERT_FILE", "AWS_CA_BUNDLE"
"""Files of certificates of authorities: in place of the system's, and besides (S3, the web)."""

_ENDPOINTS = (
    "AWS_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AZURE_STORAGE_ENDPOINT",
    "GOOGLE_BASE_URL",
)

_LONGEST = timedelta(days=1)

_NAMES = ("AWS_", "AZURE_", "GOOGLE_", CERTIFICATES, READ_TIMEOUT, RETRY_TIMEOUT)

Settings = tuple[tuple[str, str], ...]
"""Names and values, sorted: what a store or client is made for, and remembered by."""


def current() -> Settings:
    """All that is set now."""
    return tuple(sorted(each for each in os.environ.items() if each[0].startswith(_NAMES)))


def check_endpoints() -> None:
    """Check that every endpoint that is set can be one: the libraries beneath panic at some.

    Raises:
        ParameterError: one can't.
    """
    for name in _ENDPOINTS:
        endpoint = os.environ.get(name)
        if endpoint and not (endpoint.startswith(("http://", "https://")) and has_host(endpoint)):
            raise ParameterError(
                f"{name}={shown(endpoint)}: not where a store is; write https://host"
            )


def endpoint_of(scheme: str) -> str:
    """Where a kind of store is, as far as the environment tells; empty where it doesn't."""
    prefix = {"s3": "AWS_", "gs": "GOOGLE_"}.get(scheme, "AZURE_")
    found = (os.environ.get(name, "") for name in reversed(_ENDPOINTS) if name.startswith(prefix))
    return next(filter(None, found), "")


def certificates_of_s3() -> bytes | None:
    """The certificates of authorities that S3's may be signed by, besides those that are known.

    The web's may be signed by them too: much of S3 is read by signed URLs.

    Raises:
        ParameterError: their file can't be read, or is none.
    """
    return _certificates(CERTIFICATES_OF_S3)


def check_certificates() -> None:
    """Check that the file of certificates that replace the system's is one, if it is set.

    Raises:
        ParameterError: it isn't.
    """
    _certificates(CERTIFICATES)


def _certificates(name: str) -> bytes | None:
    path = os.environ.get(name)
    if not path:
        return None
    import ssl  # noqa: PLC0415 - only where such a file is set

    try:
        certificates = Path(path).read_bytes()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError as error:
        raise ParameterError(
            f"{name}={path}: holds no certificates that can be read; name a file of"
            " certificates, in PEM"
        ) from error
    except OSError as error:
        raise ParameterError(
            f"{name}={path}: can't be read ({error.strerror}); name a file of certificates"
        ) from error
    return certificates


def read_timeout() -> timedelta:
    """How long a server may send nothing before it is asked again.

    Raises:
        ParameterError: the setting is no time.
    """
    return _time(READ_TIMEOUT, timedelta(seconds=30))


def retry_timeout() -> timedelta:
    """How long what fails for a moment is tried again.

    Raises:
        ParameterError: the setting is no time.
    """
    return _time(RETRY_TIMEOUT, timedelta(minutes=1))


def contact_timeout() -> timedelta:
    """How long a server that was never reached is tried.

    Raises:
        ParameterError: the setting is no time.
    """
    return _time(RETRY_TIMEOUT, timedelta(seconds=10))


def _time(setting: str, default: timedelta) -> timedelta:
    told = os.environ.get(setting)
    if not told:
        return default
    try:
        time = timedelta(seconds=float(told))
    except (ValueError, OverflowError):
        time = timedelta()
    if not timedelta() < time <= _LONGEST:
        raise ParameterError(f"{setting}={told}: give seconds, such as {default.total_seconds():g}")
    return time
