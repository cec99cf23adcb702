"""Volumes for whoever claims one: made once, and made new again when a claim has let go of them."""

from climatejobs_cluster.api import Access, member
from climatejobs_cluster.console import Console, wait_until
from climatejobs_cluster.manifests import VOLUMES, storage_class, volume, volume_path
from climatejobs_cluster.provider import Provider
from climatejobs_cluster.state import ClusterRecord


def is_spent(persistent_volume: object) -> bool:
    """Whether a volume still belongs to a claim that is gone, so that no other can have it. Pure."""
    return member(persistent_volume, "status", "phase") in {"Released", "Failed"}


def ensure_volumes(access: Access, provider: Provider, record: ClusterRecord, console: Console) -> None:
    access.apply(*storage_class())
    for number in range(VOLUMES):
        path = volume_path(number)
        existing = access.find(path)
        if is_spent(existing):
            console.say(f"volume {number} was released by its claim: emptying it")
            # `find` also sees names that begin with a dot.
            provider.run_in_node(record, ["find", f"{provider.data}/{number}", "-mindepth", "1", "-delete"])
            access.request("DELETE", path)
            wait_until(
                lambda path=path: None if access.find(path) is None else "it is still there",
                seconds=30,
                what=f"the end of volume {number}",
                console=console,
            )
            existing = None
        if existing is None:
            access.apply(*volume(number, data=provider.data))
