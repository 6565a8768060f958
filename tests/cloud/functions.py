"""A function as a process of its own, with its own role and settings, behind a proxy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from servers.proxy import FaultProxy, Request, Stall

from cloud.system import Json, System

RUN = """
import json, sys
from importlib import import_module
class Context:
    def get_remaining_time_in_millis(self):
        return int(sys.argv[3])
event = json.loads(sys.argv[2])
print(json.dumps(import_module(f"fanfold.aws.{sys.argv[1]}").handler(event, Context())))
"""

ASKING = ("/v1/describejobs", "/v1/listjobs")
"""Requests by POST that change nothing."""


def chunk(job: str, attempt: int = 1) -> Json:
    """What its queue gives the chunker."""
    return received({"job": job, "attempt": attempt})


def received(message: Json, **attributes: str) -> Json:
    """What SQS invokes a function with; the message itself is in no queue."""
    attributes = {"ApproximateReceiveCount": "1"} | attributes
    body = json.dumps(message)
    return {"Records": [{"body": body, "receiptHandle": "none", "attributes": attributes}]}


class Killed(Exception):  # noqa: N818 - what was to happen
    """The process was killed after a step."""


def is_step(request: Request) -> bool:
    if request.method == "POST":
        is_logs = request.headers.get("x-amz-target", "").startswith("Logs_")
        return not is_logs and request.path not in ASKING
    return request.method in {"PUT", "DELETE"}


def run(
    system: System,
    proxy: FaultProxy,
    role: str,
    event: Json,
    *,
    kill_after: int = 0,
    of: Callable[[Request], bool] = is_step,
    remaining_ms: int = 600_000,
    prelude: str = "",
    settings: Mapping[str, str] | None = None,
) -> Json:
    """Run a function, to its end or until so many steps are done. The proxy has its rules.

    A step is a request that changes something, or one `of` those that count. So much of its time is
    left as it starts. A prelude is code that runs first; settings are others than the deployed.

    Raises:
        Killed: it was killed.
    """
    if kill_after:
        proxy.clear()
        proxy.inject(Stall(None), when=of, skip=kill_after - 1, times=None)
    function = system.cloud.client("lambda").get_function_configuration(
        FunctionName=system.function(role)
    )
    keys = system.cloud.client("sts").assume_role(
        RoleArn=function["Role"], RoleSessionName="crash"
    )["Credentials"]
    environment = {
        **function["Environment"]["Variables"],
        **system.cloud.environment(keys),
        "AWS_ENDPOINT_URL": proxy.url,
        "PATH": os.environ["PATH"],
        **(settings or {}),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),  # the sources that are tested
    }
    command = [sys.executable, "-c", prelude + RUN, role, json.dumps(event), str(remaining_ms)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            while kill_after and process.poll() is None:
                done = [each for each in proxy.log() if of(each.request) and each.served]
                if len(done) >= kill_after:
                    raise Killed
                time.sleep(0.01)
            out, err = process.communicate()
        finally:
            process.kill()
    assert process.returncode == 0, err
    answer: Json = json.loads(out)
    return answer
