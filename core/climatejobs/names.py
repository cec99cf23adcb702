"""Every name that crosses a border between the parts: Kubernetes names, environment, exit codes."""

from enum import IntEnum, StrEnum

GROUP = "climatejobs.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "ClimateJob"
PLURAL = "climatejobs"
SINGULAR = "climatejob"
SHORT_NAMES = ("cjob", "cj")
"""kubectl gives `cj` to CronJobs, which are built in; `cjob` is the one to type."""
CATEGORIES = ("all", "climate")

MAX_NAME_LENGTH = 52
"""Leaves room, within the 63 characters of a label, for what the Job controller appends to a Job's name."""
MAX_INPUTS_BYTES = 32 * 1024
"""Size of ``spec.inputs`` as compact JSON in UTF-8."""

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "climatejobs"
LABEL_JOB_NAME = f"{GROUP}/job"
"""On Jobs and pods: the name of their ClimateJob."""
LABEL_JOB_UID = f"{GROUP}/job-uid"
"""On Jobs and pods: the uid of their ClimateJob."""
LABEL_PROCESS = f"{GROUP}/process"
"""On ClimateJobs (when made by the API), Jobs and pods: the process id."""

ANNOTATION_SUBMITTED_AT = f"{GROUP}/submitted-at"
"""On ClimateJobs: the time of submission in microseconds, RFC 3339, for ordering within a second."""
ANNOTATION_REQUEST_ID = f"{GROUP}/request-id"
"""On ClimateJobs made over REST: the X-Request-ID of the request, which the runner's log begins with."""
ANNOTATION_BASE_URL = f"{GROUP}/base-url"
"""On ClimateJobs with a subscriber that were made over REST: where the API is for whoever made it."""
ANNOTATION_REQUEST_DIGEST = f"{GROUP}/request-digest"
"""On ClimateJobs made with an Idempotency-Key: what tells the same request from another under the same key."""

ANNOTATION_ADDRESS = f"{GROUP}/address"
"""On the operator's Lease: where its holder takes reports, as host:port."""

REPORT_AUDIENCE = f"{GROUP}/reports"
"""Whom the tokens are for with which runners report: they are good for nothing else."""
REPORT_PATH = "/reports"

IN_LINE = "Waiting in line, place "
"""How `status.message` begins while a ClimateJob waits for a slot; the number that follows may be out of date."""

RUNNER_CONTAINER = "runner"
DATA_VOLUME = "data"


class Environment(StrEnum):
    """Environment variables that tell the runner in a pod what its command line tells it elsewhere."""

    PROCESS = "CLIMATEJOBS_PROCESS"
    INPUTS = "CLIMATEJOBS_INPUTS"
    """The inputs themselves, as JSON."""
    DATA = "CLIMATEJOBS_DATA"
    RESULT = "CLIMATEJOBS_RESULT"
    """Path of the file that takes the result document; in a pod the termination message."""
    JOB_NAME = "CLIMATEJOBS_JOB_NAME"
    JOB_UID = "CLIMATEJOBS_JOB_UID"
    """The uid of the ClimateJob: the same for every attempt."""
    POD_UID = "CLIMATEJOBS_POD_UID"
    MEMORY_LIMIT = "CLIMATEJOBS_MEMORY_LIMIT"
    """The container's memory limit in bytes."""
    IMAGE = "CLIMATEJOBS_IMAGE"
    REQUEST_ID = "CLIMATEJOBS_REQUEST_ID"
    """What the request that made the job is called in the API's log; absent where there was none."""
    REPORT_URL = "CLIMATEJOBS_REPORT_URL"
    """Where progress and result are reported over HTTP; absent where they are not."""
    REPORT_TOKEN = "CLIMATEJOBS_REPORT_TOKEN"  # noqa: S105 - the name of a variable that holds a path
    """Path of the file with the token that says which pod reports."""
    SHARDS = "CLIMATEJOBS_SHARDS"
    """How many pods share the computation; absent where it is one."""
    SHARD = "CLIMATEJOBS_SHARD"
    """Which of them this is, counted from 0."""


class ExitCode(IntEnum):
    """What the runner's exit status means (the first three as in sysexits.h)."""

    DONE = 0
    PERMANENT = 65
    """The input is at fault: running it again cannot help."""
    TEMPORARY = 75
    """Something outside is at fault: running it again may help."""
    STOPPED = 143
    """Ended by SIGTERM."""


class Reason(StrEnum):
    """Reasons of Kubernetes events and conditions."""

    ACCEPTED = "Accepted"
    INVALID = "Invalid"
    JOB_CREATED = "JobCreated"
    QUEUED = "Queued"
    """Waiting for a slot."""
    STARTED = "Started"
    ATTEMPT_FAILED = "AttemptFailed"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SUSPENDING = "Suspending"
    SUSPENDED = "Suspended"
    RESUMED = "Resumed"
    CANCELLING = "Cancelling"
    CANCELLED = "Cancelled"
    NAME_TAKEN = "NameTaken"
    REFUSED = "Refused"
    """The cluster would not make the Job: a quota, an admission rule."""
    JOB_LOST = "JobLost"
    """The Job vanished by another's hand."""
    RESULT_LOST = "ResultLost"
    """The Job completed, and its pod was gone before the result was read."""
    DISRUPTED = "Disrupted"
    """The pod was evicted or drained, which costs no attempt."""
