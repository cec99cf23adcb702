"""What can go wrong, in words for the person at the terminal.

ClusterError: a sentence that says what happened, with a hint and the log to look into where there are any
└── NoSuchCluster: the command needs a cluster that is not there

Interrupted stands beside them: the person, or a signal, ended the command.
"""

import signal
from pathlib import Path


class ClusterError(Exception):
    """A failure that the command line reports and turns into an exit status."""

    exit_status = 1

    def __init__(self, message: str, *, hint: str | None = None, log: Path | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.log = log


class NoSuchCluster(ClusterError):
    exit_status = 3

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no cluster `{name}`.", hint=f"Bring it up with `cluster --name {name} up`.")


class Interrupted(BaseException):
    """A signal asked this command to end. Like KeyboardInterrupt, no handling of mere failures may catch it."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"Interrupted by {number.name}.")
        self.exit_status = 128 + number
