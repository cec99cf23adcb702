"""What a cluster holds before anybody installs anything: storage to claim, and rights for the name server. Pure."""

from climatejobs_cluster.api import Object

STORAGE_CLASS = "climatejobs-hostpath"
VOLUMES = 10
MANAGED = {"app.kubernetes.io/managed-by": "climatejobs-cluster"}


def volume_name(number: int) -> str:
    return f"climatejobs-data-{number}"


def volume_path(number: int) -> str:
    return f"/api/v1/persistentvolumes/{volume_name(number)}"


def storage_class() -> tuple[str, Object]:
    """The default class, so that a claim that names none is served, too."""
    return f"/apis/storage.k8s.io/v1/storageclasses/{STORAGE_CLASS}", {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "labels": MANAGED,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "Immediate",
        "reclaimPolicy": "Retain",
    }


def volume(number: int, *, data: str) -> tuple[str, Object]:
    """A folder of the node as a volume; there are several, because each serves one claim."""
    return volume_path(number), {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume_name(number), "labels": MANAGED},
        "spec": {
            "capacity": {"storage": "20Gi"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "volumeMode": "Filesystem",
            "hostPath": {"path": f"{data}/{number}", "type": "Directory"},
        },
    }


def name_server_rights() -> list[tuple[str, Object]]:
    """CoreDNS runs beside the pods here and is a user like any other component."""
    name = "climatejobs-cluster:coredns"
    group = "rbac.authorization.k8s.io"
    return [
        (
            f"/apis/{group}/v1/clusterroles/{name}",
            {
                "apiVersion": f"{group}/v1",
                "kind": "ClusterRole",
                "metadata": {"name": name, "labels": MANAGED},
                "rules": [
                    {
                        "apiGroups": [""],
                        "resources": ["services", "pods", "namespaces"],
                        "verbs": ["list", "watch"],
                    },
                    {
                        "apiGroups": ["discovery.k8s.io"],
                        "resources": ["endpointslices"],
                        "verbs": ["list", "watch"],
                    },
                ],
            },
        ),
        (
            f"/apis/{group}/v1/clusterrolebindings/{name}",
            {
                "apiVersion": f"{group}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": name, "labels": MANAGED},
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
                "subjects": [{"apiGroup": group, "kind": "User", "name": "system:coredns"}],
            },
        ),
    ]
