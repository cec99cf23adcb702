"""The inside of a node, from its first process on: `unshare` starts this module in fresh namespaces.

It arranges files and network, then becomes the supervisor of the components. It makes no decisions: what runs, and
how, was written into the cluster's folder by the command outside.
"""

import argparse
import io
import os
import sys
from pathlib import Path

from climatejobs_cluster import cgroups, components, configuration, mounts, network
from climatejobs_cluster.layout import STATE
from climatejobs_cluster.requirements import network_plugins
from climatejobs_cluster.supervisor import Supervisor


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--binaries", type=Path, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--lifeline", type=int, required=True)
    parser.add_argument("--cgroup")
    options = parser.parse_args(arguments)
    full_node = options.cgroup is not None
    os.environ["PATH"] = options.path

    mounts.arrange(options.state, options.binaries, full_node=full_node)
    os.chdir(STATE)
    network.arrange(full_node=full_node)
    if full_node:
        cgroups.create(options.cgroup)
        snapshotter = "overlayfs" if mounts.overlay_works() else "native"
        (STATE / "containerd.toml").write_text(
            configuration.containerd(snapshotter=snapshotter, plugins=network_plugins()), encoding="utf-8"
        )
        print(f"images are unpacked by the snapshotter {snapshotter}", flush=True)
    os.set_inheritable(options.lifeline, False)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    Supervisor(
        components=components.load((STATE / "components.json").read_text(encoding="utf-8")),
        logs=STATE / "logs",
        # Nothing of the person's own: a proxy setting, say, would send calls within the node out of it.
        environment={
            "PATH": options.path,
            "HOME": str(STATE),
            "LANG": "C.UTF-8",
            **components.collect_garbage(memory),
        },
        lifeline=io.FileIO(options.lifeline),
    ).run()
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
