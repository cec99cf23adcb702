"""The operator as the process it is in a cluster, against the control plane, for one namespace."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from climatejobs_operator.settings import variable_name
from tests.cluster_objects import Manifest
from tests.integration.conftest import ControlPlane
from tests.integration.operator.identity import write_kubeconfig
from tests.integration.operator.kubelet import Kubelet
from tests.integration.operator.proxy import Proxy

PROGRAM = Path(sys.executable).with_name("climatejobs-operator")


class OperatorProcess:
    """An operator that can be started, stopped and killed."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **settings: object) -> None:
        """`settings` are the operator's, by the names of their fields."""
        given = {variable_name(field): str(value) for field, value in settings.items()}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([PROGRAM], env=self._environment | given, stderr=log)

    def connect_to(self, server: str) -> None:
        """Take that for the API server, from the next start on."""
        config: Manifest = yaml.safe_load(Path(self._environment["KUBECONFIG"]).read_text())
        for cluster in config["clusters"]:
            cluster["cluster"] = {"server": server}
        kubeconfig = self._log.with_suffix(".kubeconfig")
        kubeconfig.write_text(yaml.safe_dump(config))
        self._environment["KUBECONFIG"] = str(kubeconfig)

    def kill(self) -> None:
        """As a node that loses power would end it."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """As Kubernetes ends it; the exit status."""
        return self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """As a machine does that is too busy, or asleep."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on where it was."""
        self._signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    @property
    def log_lines(self) -> list[Manifest]:
        """The log of an operator that was started with `log_format="json"`."""
        whole, _, _ = self.log.rpartition("\n")  # the last line may not be written to its end yet
        return [json.loads(line) for line in whole.splitlines()]

    def _end(self, how: signal.Signals) -> int:
        return self._signal(how).wait(timeout=20)

    def _signal(self, number: signal.Signals) -> subprocess.Popen[bytes]:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process


@contextmanager
def proxy_before(operator: OperatorProcess, control_plane: ControlPlane) -> Generator[Proxy]:
    """A proxy in the way of an operator that has not been started."""
    proxy = Proxy(control_plane.kubeconfig)
    with proxy.run():
        operator.connect_to(f"http://127.0.0.1:{proxy.port}")
        yield proxy
        if operator.running:
            operator.kill()


@pytest.fixture
def stopped_operators(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> Iterator[Callable[[str], OperatorProcess]]:
    """Makes operators for the namespace that have not been started, each with a pod's name."""
    kubeconfig = tmp_path / "kubeconfig"
    write_kubeconfig(control_plane.objects, namespace, control_plane.kubeconfig, kubeconfig)
    environment = {
        **os.environ,
        "KUBECONFIG": str(kubeconfig),
        "CLIMATEJOBS_NAMESPACE": namespace,
        "CLIMATEJOBS_OPERATOR_RUNNER_IMAGE": "runner:test",
        "CLIMATEJOBS_OPERATOR_DATA_CLAIM": "data",
        "CLIMATEJOBS_OPERATOR_PROBE_PORT": "0",
        "CLIMATEJOBS_OPERATOR_REPORT_PORT": "0",
        "CLIMATEJOBS_OPERATOR_SLOW_WRITE_SECONDS": "0",  # so that what is said does not depend on the machine
        "CLIMATEJOBS_OPERATOR_LOG_FORMAT": "text",
    }
    made: list[OperatorProcess] = []

    def make(name: str) -> OperatorProcess:
        given = {**environment, variable_name("identity"): name}
        made.append(OperatorProcess(given, tmp_path / f"{name}.log"))
        return made[-1]

    yield make
    for process in made:
        if process.running:
            process.kill()
        sys.stdout.write(process.log)  # pytest shows it where a test has failed


@pytest.fixture
def stopped_operator(stopped_operators: Callable[[str], OperatorProcess]) -> OperatorProcess:
    """An operator for the namespace that has not been started."""
    return stopped_operators("operator")


@pytest.fixture
def operator(stopped_operator: OperatorProcess) -> OperatorProcess:
    """An operator that serves the namespace."""
    stopped_operator.start()
    return stopped_operator


@pytest.fixture
def kubelet(control_plane: ControlPlane, namespace: str) -> Kubelet:
    return Kubelet(control_plane.objects, namespace)
