"""`kubectl port-forward`, started again whenever it ends, as it does with the pod that it happened to pick."""

import argparse
import signal
import socket
import subprocess
import sys
import time
from types import FrameType

from climatejobs_cluster.commands import die_with_parent
from climatejobs_cluster.provider import Service

PAUSE_SECONDS = 0.5


def command(kubectl: str, *, port: int, service: Service) -> list[str]:
    """The command line of this program."""
    return [
        sys.executable,
        "-m",
        "climatejobs_cluster.portforward",
        "--",
        *kubectl_words(kubectl, port, service),
    ]


def kubectl_words(kubectl: str, port: int, service: Service) -> list[str]:
    return [
        *(kubectl, "--namespace", service.namespace, "port-forward", "--address", "127.0.0.1"),
        *(f"service/{service.name}", f"{port}:{service.port}"),
    ]


def refusal(port: int) -> str | None:
    """Why nobody can connect yet; None when somebody can."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return None
    except OSError as error:
        return str(error)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs="+")
    words = parser.parse_args(arguments).words
    child: subprocess.Popen[bytes] | None = None

    def stop(_number: int, _frame: FrameType | None) -> None:
        if child is not None:
            child.kill()
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    while True:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509 (this program has one thread)
        )
        child.wait()
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
