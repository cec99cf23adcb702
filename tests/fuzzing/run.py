"""schemathesis against a running API: every check it has, a bounded number of examples, the same ones each time."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent


def fuzz(
    url: str,
    definition: str,
    folder: Path,
    ids: Mapping[str, Sequence[str]],
    *,
    examples: int = 15,
    seconds: int = 300,
) -> subprocess.CompletedProcess[str]:
    """Run it; status 0 means that it found nothing. `ids` are those of things that are there, by path parameter.

    Events and logs that are followed may last for as long as a job does; jobs whose ids are given had better have
    ended.
    """
    command = [
        *(str(Path(sys.executable).with_name("st")), "--config-file", str(HERE / "schemathesis.toml"), "run"),
        *("--phases", "examples,coverage,fuzzing,stateful", "--checks", "all"),
        *("--max-examples", str(examples), "--seed", "1", "--no-color", "--request-timeout", "30"),
        f"{url}/{definition}",
    ]
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=seconds,
        cwd=folder,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.fuzzing.hooks",
            "CLIMATEJOBS_FUZZED_IDS": json.dumps(ids),
            "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]),
        },
    )
