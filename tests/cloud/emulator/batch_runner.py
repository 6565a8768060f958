"""An attempt of a Batch job as a process of this machine: what Fargate and ECS do for a container.

Otherwise than there: no image is pulled, nothing keeps the process to its vCPUs and memory, and it
sees this machine's files. Its environment is what the definition, the overrides and the image say,
with those that ECS and Batch add. A container has one attempt, and its disk is a folder that goes.

The job role's credentials come by HTTP from AWS_CONTAINER_CREDENTIALS_FULL_URI with the token of
AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE. Fargate names 169.254.170.2 by a relative URI, without a
token: an address this machine doesn't have.
"""

from __future__ import annotations

import math
import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any, TypeAlias

from botocore.exceptions import ClientError as AwsError
from servers.warm import WarmProcess

from cloud.emulator.batch_model import Job, Outcome
from cloud.emulator.batch_scheduler import Attempt, now_ms
from cloud.emulator.clients import Clients
from cloud.emulator.image_pull import PullRefusedError, pull
from cloud.emulator.task_roles import RoleRefusedError, TaskRoles

DEFAULT_LOG_GROUP = "/aws/batch/job"
ESSENTIAL_CONTAINER_EXITED = "Essential container in task exited"
TASK_FAILED_TO_START = "Task failed to start"
TIMED_OUT = "Job attempt duration exceeded timeout"
SPOT_TASK_INTERRUPTED = "Your Spot Task was interrupted."
HOST_TERMINATED = "Host EC2 (instance i-0123456789abcdef0) terminated."
_POLL_SECONDS = 0.02
_LOG_SECONDS = 0.3
_LOG_EVENTS_A_CALL = 1000


Process: TypeAlias = subprocess.Popen[bytes] | WarmProcess


def started(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Process:
    """A process in a folder, without standard input; all that it writes is its stdout."""
    return subprocess.Popen(
        words,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


@dataclass(frozen=True)
class Image:
    """What a container image would bring: its entrypoint and its environment."""

    entrypoint: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict)
    start: Callable[[Sequence[str], Path, Mapping[str, str]], Process] = started
    """How its processes are started."""


@dataclass(frozen=True)
class Interruption:
    """Spot takes the machine back from the attempts that match."""

    job: str = "*"
    """A pattern of the job's name."""
    index: int | None = None
    """A child of an array; None: any, and plain jobs."""
    attempt: int | None = 1
    """From 1; None: every attempt."""
    after_seconds: float | None = 0
    """Seconds from the start; None: when the process has just ended by itself."""
    notice_seconds: float = 0
    """Seconds from SIGTERM to SIGKILL; 0: no SIGTERM."""
    status_reason: str = SPOT_TASK_INTERRUPTED
    """As Fargate words it; HOST_TERMINATED is how Batch words it of EC2."""

    def is_due(self, elapsed_seconds: float) -> bool:
        return self.after_seconds is not None and elapsed_seconds >= self.after_seconds

    def meets(self, attempt: Attempt) -> bool:
        return (
            fnmatchcase(attempt.job.name, self.job)
            and self.index in {None, attempt.job.index}
            and self.attempt in {None, attempt.number}
        )


class Runner:
    """Runs attempts; several at once."""

    def __init__(self, clients: Clients, roles: TaskRoles, folder: Path) -> None:
        self.images: dict[str, Image] = {}
        """Patterns of image names; the first that matches counts."""
        self.interruptions: list[Interruption] = []
        self.grace_seconds: float = 30
        """From SIGTERM to SIGKILL, when a job is terminated or runs out of its time."""
        self.timeout_speed: float = 1
        """Time-outs are this many times shorter than they say, for Batch has none below 60 s."""
        self._clients = clients
        self._roles = roles
        self._folder = folder

    def run(self, attempt: Attempt, runs: Callable[[], None]) -> Outcome:
        """Run an attempt to its end."""
        job, task = attempt.job, uuid.uuid4().hex
        image_name = job.container["image"]
        image = self._image(image_name)
        if image is None:
            reason = f"CannotPullContainerError: {image_name}: not found"
            return Outcome(TASK_FAILED_TO_START, reason=reason)
        folder = self._folder / task
        disk = folder / "disk"
        disk.mkdir(parents=True)
        try:
            stream = self._log_stream(job, task)
            pull(self._roles.client("ecr", job.container["executionRoleArn"]), image_name)
            environment = self._environment(attempt, image, disk)
            words = [str(word) for word in [*image.entrypoint, *job.container["command"]]]
            process = image.start(words, disk, environment)
        except (AwsError, RoleRefusedError) as error:
            shutil.rmtree(folder)
            return Outcome(TASK_FAILED_TO_START, reason=f"ResourceInitializationError: {error}")
        except PullRefusedError as error:
            shutil.rmtree(folder)
            return Outcome(TASK_FAILED_TO_START, reason=f"CannotPullContainerError: {error}")
        except OSError as error:
            shutil.rmtree(folder)
            return Outcome(TASK_FAILED_TO_START, reason=f"CannotStartContainerError: {error}")
        runs()
        assert process.stdout is not None
        with process, _Pump(process.stdout, stream):
            try:
                outcome = self._watch(process, attempt)
            finally:
                _signal(process, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
        exit_code = _exit_code(process.wait())
        return replace(outcome, exit_code=exit_code, log_stream=stream.name)

    def _image(self, name: str) -> Image | None:
        return next((self.images[glob] for glob in self.images if fnmatchcase(name, glob)), None)

    def _log_stream(self, job: Job, task: str) -> LogStream:
        """The stream, made with the execution role, as ECS makes it."""
        options = (job.container.get("logConfiguration") or {}).get("options", {})
        group = options.get("awslogs-group", DEFAULT_LOG_GROUP)
        definition = job.definition_arn.rpartition("/")[2].partition(":")[0]
        name = f"{options.get('awslogs-stream-prefix', definition)}/default/{task}"
        client = self._roles.client("logs", job.container["executionRoleArn"])
        if group == DEFAULT_LOG_GROUP:
            _create_log_group(self._clients.make("logs"), group)
        client.create_log_stream(logGroupName=group, logStreamName=name)
        return LogStream(client, group, name)

    def _environment(self, attempt: Attempt, image: Image, disk: Path) -> dict[str, str]:
        job = attempt.job
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(disk),
            "TMPDIR": str(disk),
            "AWS_ENDPOINT_URL": self._clients.endpoint_url,
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_REGION": self._clients.region,
            "AWS_DEFAULT_REGION": self._clients.region,
        }
        environment |= image.environment
        environment |= {item["name"]: item["value"] for item in job.container["environment"]}
        environment |= {
            "AWS_BATCH_JOB_ID": job.job_id,
            "AWS_BATCH_JOB_ATTEMPT": str(attempt.number),
            "AWS_BATCH_JQ_NAME": job.queue_arn.rpartition("/")[2],
            "AWS_BATCH_CE_NAME": "fargate",
        }
        if job.parent is not None:
            environment["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.index)
            environment["AWS_BATCH_JOB_ARRAY_SIZE"] = str(len(job.parent.children))
        role = job.container.get("jobRoleArn")
        if role is not None:
            token = secrets.token_urlsafe()
            token_file = disk.with_name("authorization-token")
            token_file.write_text(token)
            environment |= {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": self._roles.offer(role, token),
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file),
            }
        return environment

    def _watch(self, process: Process, attempt: Attempt) -> Outcome:
        """Wait for the end, and bring it about when it is time."""
        interruption = next((one for one in self.interruptions if one.meets(attempt)), None)
        started = time.monotonic()
        seconds = attempt.job.timeout_seconds
        time_out = math.inf if seconds is None else seconds
        while process.poll() is None and not attempt.abandoned.is_set():
            elapsed = time.monotonic() - started
            if interruption is not None and interruption.is_due(elapsed):
                self._stop(process, attempt, interruption.notice_seconds)
                return Outcome(interruption.status_reason, interrupted=True)
            if attempt.stopped.is_set():
                self._stop(process, attempt, self.grace_seconds)
            elif elapsed * self.timeout_speed >= time_out:
                self._stop(process, attempt, self.grace_seconds)
                return Outcome(TIMED_OUT, timed_out=True)
            attempt.stopped.wait(_POLL_SECONDS)
        if interruption is not None and interruption.after_seconds is None:
            return Outcome(interruption.status_reason, interrupted=True)
        return Outcome(ESSENTIAL_CONTAINER_EXITED)

    def _stop(self, process: Process, attempt: Attempt, seconds: float) -> None:
        if seconds:
            _signal(process, signal.SIGTERM)
            deadline = time.monotonic() + seconds
            while process.poll() is None and time.monotonic() < deadline:
                if attempt.abandoned.wait(_POLL_SECONDS):
                    break
        _signal(process, signal.SIGKILL)
        process.wait()


class LogStream:
    """A stream of CloudWatch Logs that takes a container's lines."""

    def __init__(self, client: Any, group: str, name: str) -> None:
        self.name = name
        self._client = client
        self._group = group

    def put(self, lines: Sequence[tuple[int, str]]) -> None:
        """Append lines, each with its time in milliseconds; the driver leaves empty ones out."""
        events = [{"timestamp": at, "message": line} for at, line in lines if line]
        for first in range(0, len(events), _LOG_EVENTS_A_CALL):
            self._client.put_log_events(
                logGroupName=self._group,
                logStreamName=self.name,
                logEvents=events[first : first + _LOG_EVENTS_A_CALL],
            )


class _Pump:
    """Carries a process's output into its log, while it runs."""

    def __init__(self, output: IO[bytes], stream: LogStream) -> None:
        self._output = output
        self._stream = stream
        self._lines: list[tuple[int, str]] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._writer = threading.Thread(target=self._write)

    def __enter__(self) -> None:
        self._reader.start()
        self._writer.start()

    def __exit__(self, *_: object) -> None:
        self._reader.join(1)
        self._ended.set()
        self._writer.join()

    def _read(self) -> None:
        for line in self._output:
            with self._lock:
                self._lines.append((now_ms(), line.decode(errors="replace").rstrip("\r\n")))

    def _write(self) -> None:
        ended = False
        while not ended:
            ended = self._ended.wait(_LOG_SECONDS)
            with self._lock:
                lines, self._lines = self._lines, []
            # The job goes on without the lines that the role may not write.
            with suppress(AwsError):
                self._stream.put(lines)


def _create_log_group(client: Any, group: str) -> None:
    try:
        client.create_log_group(logGroupName=group)
    except client.exceptions.ResourceAlreadyExistsException:
        return


def _signal(process: Process, number: signal.Signals) -> None:
    """Signal the process and those it started."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _exit_code(returned: int) -> int:
    """As a container engine tells it: 128 and the signal's number."""
    return 128 - returned if returned < 0 else returned
