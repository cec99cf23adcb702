"""The commands and their options. What the command line leaves out comes from the environment."""

import argparse
import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from climatejobs.datasets import DatasetOutput
from climatejobs.errors import InvalidInput
from climatejobs.names import Environment
from climatejobs.processes import find_process
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.data_root import DataRoot
from climatejobs_runner.processes import load_compute
from climatejobs_runner.reports import Lines, Tracker
from climatejobs_runner.results import store_large
from climatejobs_runner.stopping import Stop


class Options(argparse.Namespace):
    """The command line, and the environment it is read in."""

    environment: Mapping[str, str]
    command: str
    data: Path | None
    result: Path | None
    process: str | None
    inputs: Path | None
    file: Path
    id: str
    variables: list[str]
    title: str | None
    frequency: str | None
    chunk_steps: int | None
    days: int
    start: date
    size: int

    @property
    def result_files(self) -> list[Path]:
        """Where the result document is to be written; each place once."""
        given = (self.result, self.environment.get(Environment.RESULT))
        return list({Path(place): None for place in given if place})


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Read the command line; a wrong one ends the program with a usage message."""
    options = _parser().parse_args(arguments, namespace=Options())
    options.environment = environment
    return options


def execute(options: Options, stop: Stop) -> dict[str, JsonValue]:
    """Do what the command says and return its outputs; raises what `failures.classify` understands."""
    if options.command == "run":
        return _run(options, stop)
    data = Path(_required(options.data, Environment.DATA, options, "--data DIR"))
    data.mkdir(parents=True, exist_ok=True)
    attempt = _attempt(data, options.environment, stop)
    output = _import(options, attempt) if options.command == "import" else _synthesize(options, attempt)
    return {"dataset": output.model_dump(mode="json")}


def _run(options: Options, stop: Stop) -> dict[str, JsonValue]:
    process = find_process(str(_required(options.process, Environment.PROCESS, options, "--process ID")))
    inputs = process.validate_inputs(_read_inputs(options))
    data = Path(_required(options.data, Environment.DATA, options, "--data DIR"))
    attempt = _attempt(data, options.environment, stop)
    outputs = load_compute(process.id)(inputs, attempt)
    return store_large(outputs.model_dump(mode="json", exclude_unset=True), attempt)


def _import(options: Options, attempt: Attempt) -> DatasetOutput:
    from climatejobs_runner.ingestion import (  # noqa: PLC0415 - brings xarray, which a run does without
        ImportRequest,
        import_file,
    )

    request = ImportRequest(
        file=options.file,
        dataset_id=options.id,
        variables=tuple(options.variables),
        title=options.title,
        frequency=options.frequency,
        chunk_steps=options.chunk_steps,
    )
    return import_file(request, attempt)


def _synthesize(options: Options, attempt: Attempt) -> DatasetOutput:
    from climatejobs_runner.synthesis import (  # noqa: PLC0415 - brings zarr, which echo does without
        SyntheticField,
        synthesize,
    )

    return synthesize(SyntheticField(options.start, options.days, options.size), options.id, attempt)


def _attempt(data: Path, environment: Mapping[str, str], stop: Stop) -> Attempt:
    limit = environment.get(Environment.MEMORY_LIMIT, "")
    return Attempt(
        data=DataRoot(data),
        job_uid=environment.get(Environment.JOB_UID) or str(uuid.uuid4()),
        pod_uid=environment.get(Environment.POD_UID) or str(uuid.uuid4()),
        stop=stop,
        progress=Tracker([Lines()]),
        image=environment.get(Environment.IMAGE) or None,
        memory_limit=int(limit) if limit.isdecimal() and int(limit) else None,
    )


def _read_inputs(options: Options) -> dict[str, JsonValue]:
    if options.inputs is None:
        origin = str(Environment.INPUTS)
        text = str(_required(None, Environment.INPUTS, options, "--inputs FILE.json"))
    else:
        origin = str(options.inputs)
        try:
            text = sys.stdin.read() if origin == "-" else options.inputs.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"the inputs in {origin} cannot be read: {error}") from None
    try:
        inputs = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"the inputs in {origin} are not JSON: {error}") from None
    if not isinstance(inputs, dict):
        raise InvalidInput(f"the inputs in {origin} are not a JSON object", hint='Write {"name": value, ...}.')
    return cast(dict[str, JsonValue], inputs)


def _required(given: str | Path | None, name: Environment, options: Options, option: str) -> str | Path:
    value = given or options.environment.get(name)
    if not value:
        raise InvalidInput(f"{option} is missing", hint=f"Give {option}, or set {name}.")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="climatejobs-runner",
        description="Runs one climate computation, or brings data in for it.",
        epilog="Options that are left out are taken from the environment: "
        + ", ".join((Environment.PROCESS, Environment.INPUTS, Environment.DATA, Environment.RESULT))
        + ".",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="run a process", description="Run one process.")
    run.add_argument("--process", metavar="ID", help="what to run, such as resample")
    run.add_argument("--inputs", metavar="FILE.json", type=Path, help="file with the inputs; - is standard input")

    bring = commands.add_parser(
        "import", help="bring a netCDF file in", description="Bring variables of a netCDF-4 file in as a data set."
    )
    bring.add_argument("file", metavar="FILE.nc", type=Path)
    bring.add_argument("--id", required=True, help="id of the data set")
    bring.add_argument(
        "--variable", metavar="V", dest="variables", action="append", required=True, help="may be given repeatedly"
    )
    bring.add_argument("--title", help="what people call the data set")
    bring.add_argument("--frequency", metavar="F", help="distance of the time steps, where the file does not show it")
    bring.add_argument("--chunk-steps", metavar="N", type=_positive, help="time steps a chunk")

    synthesize = commands.add_parser(
        "synthesize",
        help="make an example data set",
        description="Make a synthetic hourly 2 m temperature: not a measurement, but much like one.",
    )
    synthesize.add_argument("--id", required=True, help="id of the data set")
    synthesize.add_argument("--start", metavar="DATE", type=date.fromisoformat, default=date(2025, 1, 1))
    synthesize.add_argument("--days", metavar="N", type=_positive, default=60)
    synthesize.add_argument("--size", metavar="N", type=_positive, default=40, help="cells along each side")

    for command in (run, bring, synthesize):
        command.add_argument("--data", metavar="DIR", type=Path, help="the data root")
        command.add_argument("--result", metavar="FILE", type=Path, help="file that takes the result document")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number
