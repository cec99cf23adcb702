"""The operator as the process it is in a cluster, against the control plane, for one namespace."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from climatejobs_operator.settings import variable_name
from tests.integration.conftest import ControlPlane
from tests.integration.operator.identity import write_kubeconfig
from tests.integration.operator.kubelet import Kubelet

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

    def _end(self, how: signal.Signals) -> int:
        return self._signal(how).wait(timeout=20)

    def _signal(self, number: signal.Signals) -> subprocess.Popen[bytes]:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process


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
