"""Azure Blob Storage on loopback: Azurite, Microsoft's own emulator, on node.

It checks signatures as Azure does. Objects live in its memory.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from urllib.request import Request, urlopen

from node_packages import PackageUnavailableError, node_package

from servers.process import ServerFailedError, ServerUnavailableError, server_process

AZURITE = "3.35.0"
ACCOUNT = "fanfold"
ACCOUNT_KEY = base64.b64encode(b"a key that opens nothing").decode()
API = "2021-08-06"
START_SECONDS = 60


@dataclass(frozen=True)
class AzureServer:
    """Where the account answers, and how a client finds it."""

    url: str
    """Without the account: what a proxy may stand before."""

    def environment(self, url: str | None = None) -> dict[str, str]:
        """The variables by which a client finds the account, or a proxy before it."""
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY,
            "AZURE_STORAGE_ENDPOINT": f"{url or self.url}/{ACCOUNT}",
            "AZURE_ALLOW_HTTP": "true",
        }

    def create_container(self, container: str) -> None:
        date = formatdate(usegmt=True)
        signed = (
            "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{API}\n"
            f"/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
        )
        digest = hmac.digest(base64.b64decode(ACCOUNT_KEY), signed.encode(), hashlib.sha256)
        request = Request(  # noqa: S310
            f"{self.url}/{ACCOUNT}/{container}?restype=container",
            method="PUT",
            headers={
                "x-ms-date": date,
                "x-ms-version": API,
                "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}",
            },
        )
        urlopen(request, timeout=60).close()  # noqa: S310


@contextmanager
def azure_server(folder: Path, packages: Path) -> Iterator[AzureServer]:
    """Start Azurite and wait until it answers; it is installed below `packages` the first time."""
    program = installed(packages)
    options = (
        "--blobHost 127.0.0.1 --blobPort 0 --inMemoryPersistence --disableTelemetry "
        "--skipApiVersionCheck --silent"
    )
    command: list[str | Path] = ["node", program, *options.split()]
    environment = {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{ACCOUNT_KEY}"}
    with server_process(command, folder, environment) as log:
        yield AzureServer(_url_told(log))


def installed(packages: Path) -> Path:
    """Azurite's program for blobs, installed unless it is there."""
    try:
        home = node_package("azurite", AZURITE, packages)
    except PackageUnavailableError as error:
        raise ServerUnavailableError(f"Azurite can't be had: {error}") from error
    return home / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


def _url_told(log: Path) -> str:
    """The URL that Azurite tells when it listens."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        told = log.read_text(errors="replace")
        if match := re.search(r"successfully listens on (http://\S+)", told):
            return match[1]
        time.sleep(0.02)
    raise ServerFailedError(f"Azurite doesn't listen after {START_SECONDS} s: {told[-2000:]}")
