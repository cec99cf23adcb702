"""The commands and their options. What the command line leaves out comes from the environment."""

import argparse
import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from climatejobs.datasets import DatasetOutput
from climatejobs.errors import InvalidInput
from climatejobs.names import Environment
from climatejobs.processes import find_process
from climatejobs.processes.subset import SUBSET, SubsetInputs
from climatejobs.results import ResultDocument, ShardDone
from climatejobs_runner.attempts import Attempt
from climatejobs_runner.data_root import BUCKET, DataRoot
from climatejobs_runner.processes import load_compute
from climatejobs_runner.reports import Lines, Sink, Tracker
from climatejobs_runner.results import store_large
from climatejobs_runner.shards import ALONE, Shard
from climatejobs_runner.stopping import Stop


class Options(argparse.Namespace):
    """The command line, and the environment it is read in."""

    environment: Mapping[str, str]
    command: str
    data: str | None
    result: Path | None
    process: str | None
    inputs: Path | None
    file: Path
    source: str
    endpoint: str | None
    region: str | None
    anonymous: bool
    id: str
    variables: list[str]
    title: str | None
    frequency: str | None
    chunk_steps: int | None
    shard: int | None
    shards: int | None
    job: str | None
    bbox: list[float] | None
    time: list[str] | None
    accumulated: list[str]
    not_accumulated: list[str]
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


def execute(options: Options, stop: Stop, sinks: Sequence[Sink] = ()) -> ResultDocument:
    """Do what the command says and return what came of it; raises what `failures.classify` understands.

    `sinks` are told of the progress, beside the terminal.
    """
    if options.command == "run":
        return _run(options, stop, sinks)
    data = str(_required(options.data, Environment.DATA, options, "--data DIR"))
    if not data.startswith(BUCKET):
        Path(data).mkdir(parents=True, exist_ok=True)
    attempt = _attempt(data, options, stop)
    if options.command == "import-zones":
        return ResultDocument(outputs={"zones": _import_zones(options, attempt)})
    output = _import(options, attempt) if options.command == "import" else _synthesize(options, attempt)
    return ResultDocument(outputs={"dataset": output.model_dump(mode="json")})


def _run(options: Options, stop: Stop, sinks: Sequence[Sink]) -> ResultDocument:
    process = find_process(str(_required(options.process, Environment.PROCESS, options, "--process ID")))
    inputs = process.validate_inputs(_read_inputs(options))
    data = str(_required(options.data, Environment.DATA, options, "--data DIR"))
    attempt = _attempt(data, options, stop, sinks)
    outputs = None
    if process.shareable or attempt.shard.alone:
        outputs = load_compute(process.id)(inputs, attempt)
    elif attempt.shard.index == 0:
        outputs = load_compute(process.id)(inputs, replace(attempt, shard=ALONE))
    else:
        attempt.progress.note(f"Nothing to do: {process.id} is not divided, and shard 0 computes all of it")
    if outputs is None:
        work = attempt.progress
        return ResultDocument(
            shard=ShardDone(index=attempt.shard.index, of=attempt.shard.of, total=work.total, unit=work.unit)
        )
    return ResultDocument(outputs=store_large(outputs.model_dump(mode="json", exclude_unset=True), attempt))


def _import(options: Options, attempt: Attempt) -> DatasetOutput:
    from climatejobs_runner.ingestion import (  # noqa: PLC0415 - brings xarray, which a run does without
        ImportRequest,
        import_source,
    )
    from climatejobs_runner.sources.addresses import Access  # noqa: PLC0415 - brings the client of object stores

    request = ImportRequest(
        source=options.source,
        dataset_id=options.id,
        variables=tuple(options.variables),
        title=options.title,
        frequency=options.frequency,
        chunk_steps=options.chunk_steps,
        accumulated=tuple(options.accumulated),
        not_accumulated=tuple(options.not_accumulated),
        part=_part(options),
        access=Access(options.endpoint, options.region, options.anonymous),
    )
    return import_source(request, attempt)


def _part(options: Options) -> SubsetInputs | None:
    """What `--bbox` and `--time` select, by the rules of the process `subset`; None where all is wanted."""
    selected: dict[str, JsonValue] = {}
    if options.bbox is not None:
        selected["bbox"] = [*options.bbox]
    if options.time is not None:
        selected["start"], selected["end"] = options.time
    if not selected:
        return None
    return cast(SubsetInputs, SUBSET.validate_inputs({"source_dataset_id": options.id, **selected}))


def _import_zones(options: Options, attempt: Attempt) -> dict[str, JsonValue]:
    from climatejobs_runner.zones import import_zones  # noqa: PLC0415 - as heavy as what it serves

    return import_zones(options.file, options.id, attempt)


def _synthesize(options: Options, attempt: Attempt) -> DatasetOutput:
    from climatejobs_runner.synthesis import (  # noqa: PLC0415 - brings zarr, which echo does without
        SyntheticField,
        synthesize,
    )

    return synthesize(SyntheticField(options.start, options.days, options.size), options.id, attempt)


def _attempt(data: str, options: Options, stop: Stop, sinks: Sequence[Sink] = ()) -> Attempt:
    environment = options.environment
    limit = environment.get(Environment.MEMORY_LIMIT, "")
    job_uid = options.job or environment.get(Environment.JOB_UID)
    shard = _shard(options)
    if job_uid is None and not shard.alone:
        raise InvalidInput(
            "shards of one computation must know each other",
            hint="Give every shard the same --job NAME, and a new computation a new one.",
        )
    return Attempt(
        data=DataRoot(data),
        job_uid=job_uid or str(uuid.uuid4()),
        pod_uid=environment.get(Environment.POD_UID) or str(uuid.uuid4()),
        stop=stop,
        progress=Tracker([Lines(), *sinks]),
        image=environment.get(Environment.IMAGE) or None,
        memory_limit=int(limit) if limit.isdecimal() and int(limit) else None,
        shard=shard,
    )


def _shard(options: Options) -> Shard:
    given = {Environment.SHARD: options.shard, Environment.SHARDS: options.shards}
    numbers: dict[Environment, int] = {}
    for name, number in given.items():
        text = options.environment.get(name, "") if number is None else str(number)
        if text and not text.isdecimal():
            raise InvalidInput(f"{name} is {text!r}, which is not a number")
        if text:
            numbers[name] = int(text)
    if len(numbers) == 1:
        raise InvalidInput(
            "--shard and --shards go together", hint="Write --shard 0 --shards 3 for the first of three."
        )
    return Shard(numbers[Environment.SHARD], numbers[Environment.SHARDS]) if numbers else ALONE


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
        + ", ".join(
            (
                Environment.PROCESS,
                Environment.INPUTS,
                Environment.DATA,
                Environment.RESULT,
                Environment.SHARDS,
                Environment.SHARD,
                Environment.JOB_UID,
            )
        )
        + ".",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="run a process", description="Run one process.")
    run.add_argument("--process", metavar="ID", help="what to run, such as resample")
    run.add_argument("--inputs", metavar="FILE.json", type=Path, help="file with the inputs; - is standard input")
    run.add_argument("--shards", metavar="N", type=_positive, help="how many processes share the computation")
    run.add_argument("--shard", metavar="I", type=_natural, help="which of them this is, counted from 0")
    run.add_argument("--job", metavar="UID", help="what they know each other by; a new one for every computation")

    bring = commands.add_parser(
        "import",
        help="bring data in",
        description="Bring variables of a netCDF-4 or GRIB file, a Zarr store or an Icechunk repository in.",
    )
    bring.add_argument(
        "source", metavar="SOURCE", help=f"file or folder; or an address that begins with {BUCKET}, https:// or http://"
    )
    bring.add_argument("--id", required=True, help="id of the data set")
    bring.add_argument(
        "--variable", metavar="V", dest="variables", action="append", required=True, help="may be given repeatedly"
    )
    bring.add_argument("--title", help="what people call the data set")
    bring.add_argument("--frequency", metavar="F", help="distance of the time steps, where the file does not show it")
    bring.add_argument(
        "--bbox", metavar=("W", "S", "E", "N"), nargs=4, type=float, help="cells whose centres lie in that box alone"
    )
    bring.add_argument(
        "--time", metavar=("START", "END"), nargs=2, help="steps from one moment to another alone, both included"
    )
    bring.add_argument("--endpoint", metavar="URL", help="where the source's bucket is, if not at AWS_ENDPOINT_URL")
    bring.add_argument("--region", help="region of the source's bucket, if not AWS_REGION")
    bring.add_argument("--anonymous", action="store_true", help="read the source's bucket without credentials")
    bring.add_argument(
        "--accumulated",
        metavar="V",
        action="append",
        default=[],
        help="variable that counts up from 00 UTC on: it is taken apart into increments",
    )
    bring.add_argument(
        "--not-accumulated",
        metavar="V",
        action="append",
        default=[],
        help="variable that is kept as it is, whatever its description says",
    )
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

    zones = commands.add_parser(
        "import-zones",
        help="bring zones in",
        description="Store the polygons of a GeoJSON file, for zonal_stats to name.",
    )
    zones.add_argument("file", metavar="FILE.geojson", type=Path)
    zones.add_argument("--id", required=True, help="id of the zones")

    parser.set_defaults(shard=None, shards=None, job=None)
    for command in (run, bring, zones, synthesize):
        command.add_argument("--data", metavar="DIR", help=f"the data root; {BUCKET}BUCKET/PREFIX in an object store")
        command.add_argument("--result", metavar="FILE", type=Path, help="file that takes the result document")
    return parser


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number
