"""A witness of `up`: if that command is killed before it is done, this process removes what it has made so far.

It watches the read end of a pipe whose other end only that command holds.
"""

import argparse
import os
import sys
from collections.abc import Mapping

from climatejobs_cluster.console import Console
from climatejobs_cluster.processes import Process, detach
from climatejobs_cluster.state import ClusterPaths, ClusterRecord, read_record
from climatejobs_cluster.surroundings import module_environment


def start(paths: ClusterPaths, record: ClusterRecord, lifeline: int, environment: Mapping[str, str]) -> Process:
    command = [
        *(sys.executable, "-m", "climatejobs_cluster.guard"),
        *("--name", paths.name, "--token", record.token, "--lifeline", str(lifeline)),
    ]
    return detach(
        command,
        log=paths.log("guard"),
        environment=module_environment(environment),
        pass_fds=(lifeline,),
    )


def main(arguments: list[str]) -> int:
    # The lifecycle starts this program, so it can be imported only here.
    from climatejobs_cluster.cli import lifecycle_of  # noqa: PLC0415

    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--lifeline", type=int, required=True)
    options = parser.parse_args(arguments)
    while os.read(options.lifeline, 1):
        pass
    environment = dict(os.environ)
    paths = ClusterPaths.of(options.name, environment)
    record = read_record(paths)
    if record is not None and record.token == options.token and not record.complete:
        lifecycle_of(paths, record.provider, environment, Console()).take_back_unfinished(options.token)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
