"""Who may import what inside the API."""

import ast
from pathlib import Path

import climatejobs_api

ROOT = Path(climatejobs_api.__file__).parent


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def importers(prefix: str) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if any(name == prefix or name.startswith(f"{prefix}.") for name in imports(path))
    }


def test_one_module_talks_to_the_cluster() -> None:
    assert importers("kubernetes") == {"cluster/connection.py"}
    assert importers("aiohttp") == {"auth/keys.py", "cluster/client.py", "cluster/connection.py", "fetching.py"}


def test_only_the_program_knows_which_store_there_is() -> None:
    outside = {path for path in importers("climatejobs_api.cluster") if not path.startswith("cluster/")}
    assert outside == {"main.py"}


def test_the_store_knows_nothing_of_http() -> None:
    for package in ("fastapi", "starlette", "climatejobs_api.problems", "climatejobs_api.routers"):
        assert not {path for path in importers(package) if path.startswith("cluster/") or path == "store.py"}
