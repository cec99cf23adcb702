"""The program: does what the command line or the environment says; its exit status tells what came of it."""

import os
import sys
from collections.abc import Sequence

from climatejobs_runner.loading import modules_loading
from climatejobs_runner.stopping import stop_on_signals


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit."""
    stop = stop_on_signals()
    # Files are for the group too: the API reads them as another user of the same group.
    os.umask(0o002)
    # For what is loaded below: numpy would start a thread for every CPU of the node, though nothing here multiplies
    # matrices, and pydantic would search all packages for plugins.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    with modules_loading():
        from climatejobs_runner.program import carry_out  # noqa: PLC0415 - slow; a stop must be heard by then

    sys.exit(carry_out(sys.argv[1:] if arguments is None else arguments, os.environ, stop))
