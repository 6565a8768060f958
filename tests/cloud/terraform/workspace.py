"""A scratch copy of the configuration that ships, with Terraform and the provider's double."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from cloud.emulator.cloud import REGION
from cloud.terraform.provider import ProviderDouble

CONFIGURATION = Path(__file__).parents[3] / "deploy" / "terraform"
_GUIDE = "https://developer.hashicorp.com/terraform/install"
_SECONDS_MOST = 300
_JSON_VERBS = {"output", "show"}


class TerraformUnavailableError(Exception):
    """There is no terraform; the message says what to install."""


class TerraformError(Exception):
    """Terraform failed; the message is what it said."""


def find_terraform() -> str:
    """Where Terraform is.

    Raises:
        TerraformUnavailableError: there is none.
    """
    found = shutil.which("terraform")
    if found is None:
        raise TerraformUnavailableError(f"terraform 1.11 or newer is needed on the PATH: {_GUIDE}")
    return found


class TerraformWorkspace:
    """Terraform's verbs on the shipped configuration, from `__enter__` to `__exit__`.

    with TerraformWorkspace(tmp_path / "terraform", "http://127.0.0.1:4566") as workspace:
        workspace.init()
        outputs = workspace.apply({"image": "…@sha256:…", "functions_dir": "/…"})
    """

    def __init__(
        self,
        folder: Path,
        endpoint_url: str | None = None,
        region: str = REGION,
        *,
        root: str = ".",
    ) -> None:
        """Copy the configuration into a folder.

        Args:
            folder: its own.
            endpoint_url: the emulator of AWS; None can only plan.
            region: where resources are made.
            root: the root module, a folder of the configuration: "." or "examples/minimal".

        Raises:
            TerraformUnavailableError: there is no terraform.
        """
        self._terraform = find_terraform()
        self._endpoint_url = endpoint_url
        self._region = region
        self._stack = ExitStack()
        self._environment: dict[str, str] = {}
        self.folder = folder / root
        leftovers = shutil.ignore_patterns(".terraform*", "*.tfstate*")
        shutil.copytree(CONFIGURATION, folder, ignore=leftovers, dirs_exist_ok=True)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            # pytest's folders are too long for the path of a socket.
            short = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tf-")))
            provider = ProviderDouble(short, self._endpoint_url, self._region)
            stack.enter_context(provider)
            own = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
            # Terraform asks no one whether it is the newest.
            self._environment = own | provider.environment | {"CHECKPOINT_DISABLE": "1"}
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def init(self) -> None:
        """Gather the modules; there is nothing to download."""
        self.run("init")

    def validate(self) -> None:
        """Check the configuration against the schema."""
        self.run("validate")

    def plan(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """What an apply would do, as `terraform show -json` tells it."""
        self.run("plan", "-out=plan", *self._with(variables))
        return self._shown("plan")

    def apply(self, variables: Mapping[str, Any], *options: str) -> dict[str, Any]:
        """Make it so; the outputs by name. An option such as -target=… may bound it."""
        self.run("apply", "-auto-approve", *options, *self._with(variables))
        outputs = json.loads(self.run("output", "-json"))
        return {name: output["value"] for name, output in outputs.items()}

    def state(self) -> dict[str, Any]:
        """What there is, as `terraform show -json` tells it."""
        return self._shown()

    def destroy(self, variables: Mapping[str, Any]) -> None:
        """Remove it all."""
        self.run("destroy", "-auto-approve", *self._with(variables))

    def test(self, variables: Mapping[str, Any]) -> str:
        """Run the configuration's own tests; what they say."""
        return self.run("test", *self._with(variables)[:1])

    def run(self, *words: str) -> str:
        """Run Terraform; its output.

        Raises:
            TerraformError: it failed.
        """
        plain = [] if words[0] in _JSON_VERBS else ["-no-color"]
        done = subprocess.run(
            [self._terraform, *words, *plain],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS_MOST,
            check=False,
        )
        if done.returncode:
            raise TerraformError(f"terraform {' '.join(words)}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _shown(self, *plan: str) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.run("show", "-json", *plan))
        return shown

    def _with(self, variables: Mapping[str, Any]) -> list[str]:
        path = self.folder / "workspace.tfvars.json"
        path.write_text(json.dumps(variables))
        return [f"-var-file={path.name}", "-input=false"]
