"""From a ClimateJob to the statusInfo of OGC API - Processes, with what this project adds to it. Pure."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from climatejobs.model import ClimateJob, ClimateJobStatus, Phase
from climatejobs.names import IN_LINE
from climatejobs.ogc.documents import Document, Link
from climatejobs.ogc.links import JSON, RELATIONS, Links

type StatusCode = Literal["accepted", "running", "successful", "failed", "dismissed"]

STATUS_OF_PHASE: dict[Phase, StatusCode] = {
    Phase.PENDING: "accepted",
    Phase.SUSPENDED: "accepted",
    Phase.RUNNING: "running",
    Phase.RETRYING: "running",
    Phase.SUCCEEDED: "successful",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "dismissed",
}


class ProgressDetail(Document):
    """How far the computation has come, in its own units."""

    done: int | None = None
    total: int | None = None
    unit: str | None = None
    rate: float | None = None
    message: str | None = None
    time: datetime | None = None


class JobError(Document):
    """Why the job failed, or its latest attempt did."""

    type: str
    title: str
    detail: str
    hint: str | None = None
    exit_code: int | None = None
    attempt: int | None = None


class StatusInfo(Document):
    """The state of a job."""

    job_id: str = Field(serialization_alias="jobID")
    process_id: str = Field(serialization_alias="processID")
    type: Literal["process"] = "process"
    status: StatusCode
    message: str | None = None
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    updated: datetime
    progress: int | None = Field(default=None, ge=0, le=100)
    phase: Phase = Field(description="The state in this project's finer terms.")
    place_in_line: int | None = Field(
        default=None, description="How many jobs start before this one, and itself, while it waits for a slot."
    )
    attempt: int | None = Field(default=None, description="Attempts begun, the current one included.")
    max_attempts: int
    retry_after: datetime | None = Field(default=None, description="When the next attempt is expected to start.")
    progress_detail: ProgressDetail | None = None
    error: JobError | None = None
    links: tuple[Link, ...] = ()


class JobList(Document):
    """A page of jobs, newest first."""

    jobs: tuple[StatusInfo, ...]
    links: tuple[Link, ...]


def status_code(job: ClimateJob) -> StatusCode:
    """The OGC status; a job that is being stopped is dismissed before its pods are gone."""
    return code_of(job.phase, stopping=is_stopping(job))


def code_of(phase: Phase, *, stopping: bool) -> StatusCode:
    """The OGC status of a job in that phase, and asked to stop or not."""
    return "dismissed" if stopping and not phase.terminal else STATUS_OF_PHASE[phase]


def is_stopping(job: ClimateJob) -> bool:
    """Whether the job is to end without having come to its end."""
    return not job.phase.terminal and (job.spec.cancel or job.metadata.deletion_timestamp is not None)


def describe_job(job: ClimateJob, links: Links, place: int | None = None) -> StatusInfo:
    """The state of a job as it is answered; `place` is the one in line that it has now, if it waits for a slot."""
    status, code = job.status, status_code(job)
    return StatusInfo(
        job_id=job.metadata.name,
        process_id=job.spec.process,
        status=code,
        message=_message(job, code, place),
        created=job.submitted_at,
        started=status.started_at,
        finished=status.finished_at,
        updated=_last_change(job),
        progress=_percent(job),
        phase=job.phase,
        place_in_line=place,
        attempt=status.attempts,
        max_attempts=job.spec.max_attempts,
        retry_after=None if job.phase.terminal else status.retry_at,
        progress_detail=_progress_detail(status),
        error=JobError(**status.error.model_dump()) if status.error else None,
        links=_job_links(job, code, links),
    )


def describe_removed(job: ClimateJob, links: Links) -> StatusInfo:
    """The last word on a job whose record has been removed."""
    return describe_job(job, links).model_copy(
        update={
            "status": "dismissed",
            "message": "the record of this job has been removed; data sets that it made stay",
            "links": (_up(links),),
        }
    )


def _message(job: ClimateJob, code: StatusCode, place: int | None) -> str:
    if is_stopping(job):
        return "stopping"
    return f"{IN_LINE}{place}." if place is not None else job.status.message or code


def _percent(job: ClimateJob) -> int | None:
    if job.phase is Phase.SUCCEEDED:
        return 100
    if job.status.progress is not None:
        return job.status.progress.percent
    return 0 if job.phase is Phase.PENDING else None


def _last_change(job: ClimateJob) -> datetime:
    status = job.status
    moments = [job.submitted_at, status.started_at, status.finished_at, status.progress and status.progress.time]
    moments += [condition.last_transition_time for condition in status.conditions]
    return max(moment for moment in moments if moment is not None)


def _progress_detail(status: ClimateJobStatus) -> ProgressDetail | None:
    return ProgressDetail(**status.progress.model_dump(exclude={"percent"})) if status.progress else None


def _job_links(job: ClimateJob, code: StatusCode, links: Links) -> tuple[Link, ...]:
    name = job.metadata.name
    found = [
        Link(href=links.job(name), rel="self", type=JSON, title="State of the job"),
        Link(href=links.job(name), rel="monitor", type=JSON, title="State of the job"),
        Link(
            href=links.events(name), rel="alternate", type="text/event-stream", title="State of the job, as it changes"
        ),
        Link(href=links.log(name), rel=f"{RELATIONS}log", type="text/plain", title="What the job writes"),
        _up(links),
    ]
    if code == "successful":
        found.append(Link(href=links.results(name), rel=f"{RELATIONS}results", type=JSON, title="Results"))
    if code == "failed":
        found.append(Link(href=links.results(name), rel=f"{RELATIONS}exceptions", type=JSON, title="Why it failed"))
    return tuple(found)


def _up(links: Links) -> Link:
    return Link(href=links.to("jobs"), rel="up", type=JSON, title="All jobs")
