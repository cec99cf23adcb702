"""What the tool's own background programs need around them to be found and to leave no traces."""

from collections.abc import Mapping
from pathlib import Path

PACKAGE_FOLDER = Path(__file__).parent.parent


def module_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which `python -m climatejobs_cluster.X` works from anywhere."""
    return {**environment, "PYTHONPATH": str(PACKAGE_FOLDER), "PYTHONDONTWRITEBYTECODE": "1"}
