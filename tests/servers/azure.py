"""Azure Blob Storage on loopback: Azurite, Microsoft's own emulator, on node.

It checks signatures as Azure does. Objects live in its memory.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from urllib.request import Request, urlopen

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
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise ServerUnavailableError(f"{tool} is needed to run Azurite: install Node.js 20")
    home = packages / f"azurite-{AZURITE}"
    if not home.is_dir():
        packages.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=packages) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            wanted = {"private": True, "dependencies": {"azurite": AZURITE}}
            (made / "package.json").write_text(json.dumps(wanted))
            command = ["npm", "install", "--prefix", str(made), "--no-audit", "--no-fund"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise ServerUnavailableError(f"npm can't install Azurite: {done.stderr[-500:]}")
            try:
                made.rename(home)
            except OSError:
                # Whoever else installed it at this moment made the same.
                if not home.is_dir():
                    raise
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
