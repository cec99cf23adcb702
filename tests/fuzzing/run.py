"""schemathesis against a running API: every check that applies, a bounded number of examples.

What is expected otherwise of an operation, and why, is in `schemathesis.toml`.
"""

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
    seconds: int = 900,
) -> subprocess.CompletedProcess[str]:
    """Run it; status 0 means that it found nothing. `ids` are those of things that are there, by path parameter.

    Events and logs that are followed may last for as long as a job does; jobs whose ids are given had better have
    ended.
    """
    command = [
        *(str(Path(sys.executable).with_name("st")), "--config-file", str(HERE / "schemathesis.toml"), "run"),
        *("--phases", "examples,coverage,fuzzing,stateful", "--checks", "all"),
        # The first DELETE of a live job dismisses it, and the standard wants a dismissed job to be shown as such.
        *("--exclude-checks", "use_after_free"),
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
