"""Attempts at jobs as processes of their own, forked from one that has loaded everything: cheap enough to kill many.

Chunks and blocks are small, so that small data make many of them.
"""

import json
import multiprocessing
import os
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from climatejobs import footprints
from climatejobs_runner import ingestion
from climatejobs_runner.program import carry_out
from climatejobs_runner.sources import labelled
from climatejobs_runner.stopping import stop_on_signals

OUTPUT_CHUNK_BYTES = 8 * 1024
BLOCK_BYTES = 16 * 1024

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        "tests.integration.runner.attempts",
        "climatejobs_runner.processes.resample",
        "climatejobs_runner.ingestion",
        "climatejobs_runner.sources.netcdf",
    ]
)


def make_chunks_small() -> None:
    """Have this process cut data into much smaller pieces than it would."""
    footprints.OUTPUT_CHUNK_BYTES = OUTPUT_CHUNK_BYTES
    footprints.BLOCK_BYTES = BLOCK_BYTES
    labelled.BLOCK_BYTES = BLOCK_BYTES
    ingestion.PART_BYTES = 2 * BLOCK_BYTES
    ingestion.LEAST_STRIDES = 1


def start(
    data: str, inputs: Mapping[str, Any], job: str, pod: str, result: Path, shard: tuple[int, int] | None = None
) -> BaseProcess:
    """Start an attempt at `resample`."""
    environment = {
        **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
        "CLIMATEJOBS_PROCESS": "resample",
        "CLIMATEJOBS_INPUTS": json.dumps({"start": "1850-01-01", **inputs}),
        "CLIMATEJOBS_DATA": data,
        "CLIMATEJOBS_RESULT": str(result),
        "CLIMATEJOBS_JOB_UID": job,
        "CLIMATEJOBS_POD_UID": pod,
    }
    if shard is not None:
        environment |= {"CLIMATEJOBS_SHARD": str(shard[0]), "CLIMATEJOBS_SHARDS": str(shard[1])}
    return _start(["run"], environment, result.with_suffix(".log"))


def start_import(data: str, arguments: list[str], pod: str, log: Path) -> BaseProcess:
    """Start `import` with these arguments."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return _start(["import", *arguments, "--data", data], {**environment, "CLIMATEJOBS_POD_UID": pod}, log)


def _start(arguments: list[str], environment: dict[str, str], log: Path) -> BaseProcess:
    process = _context.Process(target=_run, args=(arguments, environment, log))
    process.start()
    return process


def _run(arguments: list[str], environment: dict[str, str], log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    make_chunks_small()
    os.environ.update(environment)
    os._exit(carry_out(arguments, environment, stop_on_signals()))
