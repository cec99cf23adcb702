"""The operator as a process of its own, and what it costs: read from /proc, so on Linux alone."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import aiohttp

from climatejobs_operator.settings import variable_name

# As in the image: kopf imports the generated client where it is installed, and an environment for development has it.
_PROGRAM = """
import sys
sys.modules["kubernetes"] = sys.modules["kubernetes_asyncio"] = None
from climatejobs_operator.main import main
if len(sys.argv) > 1:
    import cProfile
    cProfile.run("main()", sys.argv[1])
else:
    sys.exit(main())
"""
CALM_SECONDS = 0.5
_TICKS = os.sysconf("SC_CLK_TCK")


def make_environment(namespace: str, **settings: object) -> dict[str, str]:
    """The variables that tell an operator its settings; those that nobody cares for have a value anyway."""
    needed: dict[str, object] = {"runner_image": "runner", "data_claim": "data", **settings}
    return {variable_name(name): str(value) for name, value in {"namespace": namespace, **needed}.items()}


def busy_seconds() -> float:
    """CPU time that the machine has spent on anything so far."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq) / _TICKS


class OperatorProcess:
    """One run of the operator, on the cluster that $KUBECONFIG names."""

    def __init__(self, namespace: str, log: Path, profile: Path | None = None, **settings: object) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = int(probe.getsockname()[1])
        environment = {**os.environ, **make_environment(namespace, probe_port=self._port, **settings)}
        with log.open("wb") as output:
            command = [sys.executable, "-c", _PROGRAM, *([str(profile)] if profile is not None else [])]
            self._process = subprocess.Popen(command, env=environment, stderr=output)
        self.log = log

    @property
    def cpu_seconds(self) -> float:
        """CPU time so far, user and system."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def peak_mebibytes(self) -> float:
        """The most memory that was ever resident."""
        return self._status("VmHWM")

    async def wait_until_steady(self, seconds: float) -> float:
        """Wait until it has compared and nothing is left to be looked at; how long that took it from its Lease on."""
        address = f"http://127.0.0.1:{self._port}/healthz"
        deadline = time.time() + seconds
        leading_at: float | None = None
        calm_since: float | None = None
        async with aiohttp.ClientSession() as session:
            while calm_since is None or time.time() - calm_since < CALM_SECONDS:
                if self._process.poll() is not None:
                    raise RuntimeError(f"the operator ended: {self.log.read_text()[-2000:]}")
                if time.time() > deadline:
                    raise TimeoutError(f"the operator was still busy after {seconds:.0f} s")
                now = time.time()
                if leading_at is None:
                    leading_at = self._find_time("Leading")
                compared = leading_at is not None and self._find_time("Compared with the cluster") is not None
                calm_since = (calm_since or now) if compared and await _is_idle(session, address) else None
                await asyncio.sleep(0.05)
        assert leading_at is not None
        return calm_since - leading_at

    def _find_time(self, message: str) -> float | None:
        """When it first logged a message that begins so, in seconds since 1970."""
        with self.log.open() as lines:
            for line in lines:
                if f'"message": "{message}' in line:
                    return datetime.fromisoformat(json.loads(line)["time"]).timestamp()
        return None

    def kill(self) -> None:
        """As a node that loses power would end it."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """As Kubernetes ends it."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=30)

    def _status(self, field: str) -> float:
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith(f"{field}:"))
        return int(line.split()[1]) / 1024


async def _is_idle(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with session.get(address) as answer:
            body = json.loads(await answer.read())
    except aiohttp.ClientError:
        return False
    return body["queued"] == 0
