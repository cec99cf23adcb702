"""`up` that does not get to its end leaves nothing behind."""

import os
import signal
import subprocess

import pytest

from climatejobs_cluster.state import ClusterPaths, read_record

from .conftest import Tool, wait_for

pytestmark = pytest.mark.integration

MOMENTS = ["starting the control plane", "the API server answers"]


def read_until(process: "subprocess.Popen[str]", words: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"it ended without saying `{words}`")


def interrupt(tool: Tool, number: signal.Signals, moment: str, tries: int = 3) -> tuple[str, int]:
    """Send `up` a signal; the name of the cluster and the exit status."""
    name = tool.new_name()
    with tool.start(name, "up", "--control-plane") as process:
        read_until(process, moment)
        # To the whole group, as a terminal does on Ctrl-C.
        os.killpg(process.pid, number)
        process.communicate(timeout=60)
    record = read_record(ClusterPaths.of(name, tool.environment))
    if record is not None and record.complete and tries > 1:  # the signal came when everything was there
        tool.run(name, "down")
        return interrupt(tool, number, moment, tries - 1)
    return name, process.returncode


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal(tool: Tool, number: signal.Signals, moment: str):
    name, status = interrupt(tool, number, moment)
    assert status == 128 + number
    assert tool.leftovers(name) == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_being_killed(tool: Tool, moment: str):
    name, _ = interrupt(tool, signal.SIGKILL, moment)
    # Nobody is left to wait for: the guard and the node do it by themselves.
    wait_for(lambda: not tool.leftovers(name) or None, "everything to go")


def test_impatience_does_not_stop_the_cleaning(tool: Tool):
    name = tool.new_name()
    with tool.start(name, "up", "--control-plane") as process:
        read_until(process, "starting the control plane")  # which takes much longer than to read that
        os.killpg(process.pid, signal.SIGINT)
        read_until(process, "taking everything back")
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert tool.leftovers(name) == []


def test_an_interrupted_check_leaves_the_cluster_that_was_there(tool: Tool):
    name = tool.new_name()
    tool.run(name, "up", "--control-plane")
    with tool.start(name, "up", "--control-plane") as process:
        read_until(process, "running already")
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    tool.wait_until_healthy(name)


def test_two_at_once_make_one_cluster(tool: Tool):
    name = tool.new_name()
    both = [tool.start(name, "up", "--control-plane") for _ in range(2)]
    outputs = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("running already" in output for output in outputs) == 1
    tool.wait_until_healthy(name)
