"""A Slurm cluster of one node, on loopback, that lasts as long as its `with` block."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

DEBIAN_PACKAGES = {
    "munged": "munge",
    "sbatch": "slurm-client",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
}
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"  # where daemons are
_ENDED = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"}


def missing_packages() -> list[str]:
    """The Debian packages that bring what isn't here."""
    return [
        package
        for tool, package in DEBIAN_PACKAGES.items()
        if shutil.which(tool, path=_PATH) is None
    ]


class Slurm:
    """A cluster that runs."""

    def __init__(self, conf: Path) -> None:
        # Tests may themselves be run by a Slurm job, whose settings are not this cluster's.
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SLURM_", "SBATCH_", "SQUEUE_"))
        } | {"SLURM_CONF": str(conf)}

    def ask(self, *command: str) -> str:
        """What one of Slurm's commands prints."""
        return subprocess.run(
            command, env=self.environment, check=True, capture_output=True, text=True, timeout=120
        ).stdout

    def state(self, job: str) -> str:
        """The state of a job, such as PENDING."""
        found = re.search(r"JobState=(\w+)", self.ask("scontrol", "show", "job", job, "--oneliner"))
        assert found is not None
        return found[1]

    def wait(self, job: str, timeout_seconds: float = 120) -> str:
        """Wait for a job's end; the state that it ended in."""
        deadline = time.monotonic() + timeout_seconds
        while (state := self.state(job)) not in _ENDED:
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {job} is {state}:\n{self.ask('squeue', '--array')}")
            time.sleep(0.1)
        return state


@contextmanager
def slurm(*, cpus: int, max_array_size: int) -> Iterator[Slurm]:
    """Start a cluster; end its jobs and daemons."""
    with ExitStack() as stack:
        # Not a test's own folder: the path of a socket has at most 107 bytes.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-")))
        folder.chmod(0o711)
        (folder / "state").mkdir()
        (folder / "spool").mkdir(mode=0o755)
        key = folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        conf = folder / "slurm.conf"
        conf.write_text(_conf(folder, cpus=cpus, max_array_size=max_array_size))

        socket_path = folder / "munge.socket"
        its_files = [f"--{kind}-file={folder / f'munge.{kind}'}" for kind in ("pid", "seed", "log")]
        munged = ["munged", "--foreground", f"--socket={socket_path}", f"--key-file={key}"]
        stack.enter_context(_daemon(folder, *munged, *its_files))
        _wait_until(folder, socket_path.exists)
        stack.enter_context(_daemon(folder, "slurmctld", "-D", "-f", str(conf)))
        stack.enter_context(_daemon(folder, "slurmd", "-D", "-N", "node", "-f", str(conf)))
        cluster = Slurm(conf)
        _wait_until(folder, lambda: cluster.ask("sinfo", "--noheader", "--format=%T") == "idle\n")
        stack.callback(_end_jobs, folder, cluster)
        yield cluster


def _conf(folder: Path, *, cpus: int, max_array_size: int) -> str:
    user = pwd.getpwuid(os.getuid()).pw_name
    host = socket.gethostname().split(".")[0]
    controller_port, node_port = _free_ports()
    # No cgroups and no accounting. A requeued job waits until its credential has expired.
    return f"""\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
PlugStackConfig={folder}/none
MailProg=/bin/true
MpiDefault=none
SwitchType=switch/none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=1
MaxArraySize={max_array_size}
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=8000
PartitionName=all Nodes=ALL Default=YES MaxTime=UNLIMITED
"""


def _free_ports() -> tuple[int, int]:
    loopback = ("127.0.0.1", 0)
    with socket.create_server(loopback) as one, socket.create_server(loopback) as two:
        return one.getsockname()[1], two.getsockname()[1]


@contextmanager
def _daemon(folder: Path, *command: str) -> Iterator[None]:
    with (
        (folder / f"{command[0]}.out").open("wb") as output,
        subprocess.Popen(
            command,
            env=os.environ | {"PATH": _PATH},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until(folder: Path, reached: Callable[[], bool], timeout_seconds: float = 120) -> None:
    deadline = time.monotonic() + timeout_seconds
    while True:
        with suppress(subprocess.CalledProcessError):  # it doesn't answer yet
            if reached():
                return
        if time.monotonic() > deadline:
            logs = "\n".join(path.read_text() for path in sorted(folder.glob("*.out")))
            raise TimeoutError(f"Slurm doesn't come to where it should be:\n{logs}")
        time.sleep(0.1)


def _end_jobs(folder: Path, cluster: Slurm) -> None:
    cluster.ask("scancel", "--user", pwd.getpwuid(os.getuid()).pw_name)
    _wait_until(folder, lambda: not cluster.ask("squeue", "--noheader"))
