"""From a command to an exit status: everything that can go wrong ends here, in a result document and in words."""

import sys
import traceback
from collections.abc import Mapping, Sequence

from climatejobs.names import Environment, ExitCode
from climatejobs.results import ResultDocument, describe_error
from climatejobs_runner import commands, failures, results
from climatejobs_runner.channel import Channel
from climatejobs_runner.stopping import Stop, Stopped


def carry_out(arguments: Sequence[str], environment: Mapping[str, str], stop: Stop) -> int:
    """Do what is asked and write the result document; returns the exit status."""
    options = commands.parse(arguments, environment)
    channel = Channel.find(environment) if options.command == "run" else None
    origin = _name_origin(environment)
    if origin:
        sys.stderr.write(f"{origin}\n")
        sys.stderr.flush()
    try:
        document = commands.execute(options, stop, [channel] if channel is not None else [])
    except Stopped:
        sys.stderr.write("Stopped, as asked; no half result was left.\n")
        return ExitCode.STOPPED
    except Exception as error:
        failure = failures.classify(error)
        if failure.unexpected:
            traceback.print_exc()
        sys.stderr.write(results.describe_failure(failure.error) + "\n")
        return _report(ResultDocument(error=describe_error(failure.error)), options, failure.exit_code)
    sys.stdout.write(results.describe(document) + "\n")
    status = _report(document, options, ExitCode.DONE)
    if channel is not None and document.outputs is not None and status == ExitCode.DONE:
        channel.deliver(document.outputs)
    elif channel is not None:
        channel.finish()
    return status


def _name_origin(environment: Mapping[str, str]) -> str:
    """What this work is called elsewhere: by Kubernetes, and in the log of the API. Nothing on a laptop."""
    names = {"job": Environment.JOB_NAME, "request": Environment.REQUEST_ID, "shard": Environment.SHARD}
    given = ((label, environment.get(name)) for label, name in names.items())
    # Quoted, so that whoever names the request writes no second line.
    return ", ".join(f"{label} {value if value.isprintable() else ascii(value)}" for label, value in given if value)


def _report(document: ResultDocument, options: commands.Options, status: int) -> int:
    try:
        results.write_result(document, options.result_files)
    except OSError as error:
        # What was computed is there, and the next attempt will find it.
        sys.stderr.write(f"The result document cannot be written: {error}\n")
        return status or ExitCode.TEMPORARY
    return status
