"""A deployment that is upgraded while jobs are open: they end with the image that they began with.

What is deployed is the new version. The older one is the same code under another version: it runs
as processes here, and in containers of another image.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from servers.proxy import FaultProxy, Request

from cloud.emulator.batch_runner import Image
from cloud.functions import Killed, chunk, run
from cloud.system import Json, System, results_in
from cloud.test_jobs import setting, varied
from fanfold.api.types import PHASES

OLDER = "0.0.1"
DIGEST = "sha256:" + "0d" * 32
PRELUDE = f"""
import importlib.util, sys
from pathlib import Path
(folder,) = importlib.util.find_spec("fanfold").submodule_search_locations
(path,) = Path(folder).glob("_kernel*.so")
spec = importlib.util.spec_from_file_location("fanfold._kernel", path)
kernel = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kernel)
kernel.VERSION = {OLDER!r}
sys.modules["fanfold._kernel"] = kernel
"""
COMMAND = [sys.executable, "-c", f"{PRELUDE}\nfrom fanfold.cli import main\nmain()"]
SOURCES = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
OTHER_PLANS = f"{PRELUDE}\nimport fanfold.flow.plan\nfanfold.flow.plan.PLAN_SCHEMA = 1\n"


@pytest.fixture
def older(system: System) -> Iterator[Mapping[str, str]]:
    """The settings of the older deployment. Its image is the only one that can be pulled."""
    batch = system.cloud.client("batch")
    image = f"{system.outputs['repository_url']}@{DIGEST}"
    settings = {"FANFOLD_IMAGE": image}
    for phase in PHASES:
        (now,) = batch.describe_job_definitions(
            jobDefinitionName=f"{system.name}-{phase}", status="ACTIVE"
        )["jobDefinitions"]
        container = now["containerProperties"] | {"image": image}
        asked = {key: now[key] for key in ("type", "platformCapabilities", "parameters")}
        made = batch.register_job_definition(
            jobDefinitionName=f"{system.name}-{phase}", containerProperties=container, **asked
        )
        settings[f"FANFOLD_{phase.upper()}_DEFINITION"] = made["jobDefinitionArn"]
    system.cloud.batch.images.clear()
    system.cloud.batch.images[f"*{DIGEST}"] = Image(COMMAND, SOURCES)
    yield settings
    for phase in PHASES:
        batch.deregister_job_definition(
            jobDefinition=settings[f"FANFOLD_{phase.upper()}_DEFINITION"]
        )


def posted(system: System, name: str) -> Json:
    asked = {"bucket": system.bucket, "key": f"input/{name}", "slice_bytes": 2500}
    return {"httpMethod": "POST", "resource": "/chunk", "body": json.dumps(asked)}


def results_of_the_older(folder: Path, name: str, data: bytes) -> dict[str, bytes]:
    """What a run of the older version on this machine makes."""
    (folder / name).write_bytes(data)
    out = folder / f"{name}.out"
    command = [*COMMAND, "run", str(folder / name), "-k", "5", "--out", str(out)]
    subprocess.run(command, env=os.environ | SOURCES, check=True, capture_output=True)
    return results_in(out)


def check_older(
    system: System, job: str, older: Mapping[str, str], expected: dict[str, bytes]
) -> None:
    """Check that a job ended as the older version ends it, in its containers alone."""
    assert system.succeed(job) == expected
    assert OLDER.encode() in expected["master.json"]
    assert len(system.batch_jobs(job, "fold")) == 1
    for batch_job in system.batch_jobs(job):
        assert batch_job["jobDefinition"] in older.values()


@pytest.mark.parametrize("kind", ["fa", "fa.gz"])
def test_a_job_without_a_plan_ends_with_the_image_that_it_began_with(
    system: System, proxy: FaultProxy, older: Mapping[str, str], kind: str, tmp_path: Path
) -> None:
    name, data = f"unplanned.{kind}", varied(60)
    if kind == "fa.gz":
        data = gzip.compress(data, mtime=0)
    system.put(f"input/{name}", data)
    proxy.clear()
    with setting(system, "chunker", FANFOLD_INFLATED_HERE_BYTES="100"):
        answer = run(
            system, proxy, "starter", posted(system, name), prelude=PRELUDE, settings=older
        )
        job = json.loads(answer["body"])["job"]
        check_older(system, job, older, results_of_the_older(tmp_path, name, data))
    assert system.post(f"input/{name}", slice_bytes=2500).document["job"] != job


def test_a_job_that_scans_ends_with_the_image_that_it_began_with(
    system: System, proxy: FaultProxy, older: Mapping[str, str], tmp_path: Path
) -> None:
    name, data = "planned.fa", varied(61)
    system.put(f"input/{name}", data)
    job = created_by_the_older(system, proxy, name, older)
    proxy.clear()
    run(system, proxy, "chunker", chunk(job), prelude=PRELUDE, settings=older)

    check_older(system, job, older, results_of_the_older(tmp_path, name, data))


def test_a_job_whose_plans_have_another_form_says_so(
    system: System, proxy: FaultProxy, older: Mapping[str, str]
) -> None:
    name = "other-form.fa"
    system.put(f"input/{name}", varied(62))
    proxy.clear()
    answer = run(
        system, proxy, "starter", posted(system, name), prelude=OTHER_PLANS, settings=older
    )

    error = system.fail(json.loads(answer["body"])["job"], "before an upgrade")
    assert error["detail"].endswith("post it again, which makes another job")


def created_by_the_older(
    system: System, proxy: FaultProxy, name: str, older: Mapping[str, str]
) -> str:
    """A job of the older version that no chunker has heard of: its starter was killed."""

    def sends(request: Request) -> bool:
        return request.method == "PUT" and f"/{system.bucket}/jobs/all/" in request.path

    with pytest.raises(Killed):
        run(
            system,
            proxy,
            "starter",
            posted(system, name),
            kill_after=1,
            of=sends,
            prelude=PRELUDE,
            settings=older,
        )
    newest: str = system.call("GET", "/jobs?limit=1").document["jobs"][0]["job"]
    return newest
