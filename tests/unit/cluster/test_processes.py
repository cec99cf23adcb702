"""Identity and end of processes."""

import os
import signal
import subprocess
import sys

import pytest

from climatejobs_cluster import processes
from climatejobs_cluster.processes import Process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def sleeper() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["sleep", "60"])


def test_a_name_with_brackets_and_spaces_does_not_confuse():
    line = "42 (a) b (c) S 7 " + " ".join(str(number) for number in range(5, 23)) + " 99"
    stat = processes.parse_stat(line)
    assert (stat.state, stat.parent, stat.started) == ("S", 7, "22")


def test_the_innermost_process_id_is_the_last():
    assert processes.parse_inner_pid("Name:\tx\nNSpid:\t7419\t12\t1\n") == 1
    assert processes.parse_inner_pid("Name:\tx\n") is None


def test_a_process_is_known_by_its_start_too():
    me = processes.identify(os.getpid())
    assert processes.is_alive(me)
    assert not processes.is_alive(Process(os.getpid(), "another time"))
    assert not processes.is_alive(None)


def test_a_recycled_id_is_never_signalled():
    child = sleeper()
    try:
        processes.send(Process(child.pid, "another time"), signal.SIGKILL)
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_end_waits_until_it_is_gone_even_if_nobody_collects_it():
    child = sleeper()
    process = processes.identify(child.pid)
    assert process is not None
    assert processes.end(process)
    # Only its exit status is left, which counts as gone.
    assert processes.identify(child.pid) is None
    assert child.wait() == -signal.SIGKILL


def test_what_ignores_a_gentle_signal_is_ended_anyway():
    words = "import signal,time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        child.stdout.readline()
    process = processes.identify(child.pid)
    assert process is not None
    assert processes.end_gently(process)
    assert child.wait() == -signal.SIGKILL


def test_processes_are_found_by_whole_words():
    script = "import time; print(flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", script, "asleep", "61.25"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        with child.stdout:
            child.stdout.readline()  # a process has no words for a moment after its start
        assert [found.pid for found in processes.find_by_words("asleep", "61.25")] == [child.pid]
        assert processes.find_by_words("asleep", "61.2") == []
        assert child.pid in [found.pid for found in processes.children(os.getpid())]
    finally:
        child.kill()
        child.wait()
