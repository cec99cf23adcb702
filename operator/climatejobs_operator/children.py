"""What Jobs and pods have in common: labels and an owner."""

from climatejobs import names
from climatejobs.model import KubernetesModel, ObjectMeta

MANAGED = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY},{names.LABEL_JOB_UID}"
"""Label selector of the Jobs and pods that this operator made."""


class OwnerReference(KubernetesModel):
    """A pointer from a dependent object to its owner."""

    kind: str
    name: str
    uid: str
    controller: bool = False


class ChildMeta(ObjectMeta):
    """Metadata of an object that something owns."""

    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()
    deletion_grace_period_seconds: int | None = None

    @property
    def controller_uid(self) -> str | None:
        """Uid of the one owner that manages this object."""
        return next((owner.uid for owner in self.owner_references if owner.controller), None)
