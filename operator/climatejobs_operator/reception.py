"""Taking reports, while this operator leads: who reports, whether it may, and what becomes of it."""

import asyncio
import logging
from typing import Literal

from pydantic import ValidationError

from climatejobs import names
from climatejobs.model import ClimateJobStatus, Phase
from climatejobs.reports import Report
from climatejobs_operator.acceptance import Refusal, Refused, check
from climatejobs_operator.cache import Cache, pod_job_name
from climatejobs_operator.cluster import CLIMATEJOBS, PODS, Cluster, ClusterError, NotFound
from climatejobs_operator.entries import read_entry
from climatejobs_operator.logs import fields
from climatejobs_operator.pods import Pod
from climatejobs_operator.reports import Reports
from climatejobs_operator.tokens import Bearer, Tokens

WRITE_SECONDS = 5.0
"""How long a runner is kept waiting for its result to be written."""

logger = logging.getLogger(__name__)


class Reception:
    """One leader's."""

    def __init__(self, cluster: Cluster, cache: Cache, reports: Reports, tokens: Tokens, synced: asyncio.Event) -> None:
        self._cluster = cluster
        self._cache = cache
        self._reports = reports
        self._tokens = tokens
        self._synced = synced

    async def take(self, token: str, body: bytes) -> Literal["progress", "result"]:
        """Take a report; returns what it was once progress is noted, or the result is written. Raises `Refused`."""
        if not self._synced.is_set():
            raise Refused(Refusal.UNAVAILABLE, "this operator has just begun to lead; ask again")
        try:
            report = Report.model_validate_json(body)
        except ValidationError as error:
            raise Refused(Refusal.MALFORMED, f"this is not a report: {error}") from None
        pod = await self._find_pod(await self._identify(token))
        name = pod_job_name(pod)
        check(pod, self._cache.observe(name), report)
        if report.progress is not None:
            self._reports.put_progress(name, pod, report.progress)
            return "progress"
        written = self._reports.put_result(name, pod, report)
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                status = await written
        except TimeoutError:
            raise Refused(Refusal.NOT_WRITTEN, "the result could not be written in time; ask again") from None
        if status is None:
            # The watch may tell of the end before the API server has answered our own write of it.
            status = await self._fetch_status(name)
        if status is None or status.phase is not Phase.SUCCEEDED:
            raise Refused(Refusal.JOB_ENDED, "the ClimateJob has ended otherwise")
        logger.info("Took a result", extra=fields(job=name, pod=pod.metadata.name))
        return "result"

    async def _fetch_status(self, name: str) -> ClimateJobStatus | None:
        try:
            return read_entry(await self._cluster.get(CLIMATEJOBS, name)).climatejob.status
        except NotFound:
            return None
        except ClusterError as error:
            raise Refused(Refusal.NOT_WRITTEN, f"the result may not be written yet: {error}") from error

    async def _identify(self, token: str) -> Bearer:
        try:
            bearer = await self._tokens.identify(token)
        except ClusterError as error:
            raise Refused(Refusal.UNAVAILABLE, f"the token cannot be reviewed: {error}") from error
        if bearer is None:
            raise Refused(Refusal.NOT_IDENTIFIED, "the token is not that of a runner, or not made for reports")
        return bearer

    async def _find_pod(self, bearer: Bearer) -> Pod:
        pod = self._cache.pods.get(bearer.pod_name)
        if pod is None or pod.metadata.uid != bearer.pod_uid:
            pod = await self._fetch_pod(bearer)
        if pod is None or pod.metadata.uid != bearer.pod_uid:
            self._tokens.forget({bearer.pod_uid})
            raise Refused(Refusal.NO_SUCH_POD, "the pod of this token is gone")
        return pod

    async def _fetch_pod(self, bearer: Bearer) -> Pod | None:
        """A pod may report before the watch has told of it."""
        try:
            pod = Pod.model_validate(await self._cluster.get(PODS, bearer.pod_name))
        except NotFound:
            return None
        except ClusterError as error:
            raise Refused(Refusal.UNAVAILABLE, f"the pod cannot be read: {error}") from error
        labels = pod.metadata.labels
        if labels.get(names.LABEL_MANAGED_BY) != names.MANAGED_BY or names.LABEL_JOB_UID not in labels:
            raise Refused(Refusal.NOT_ITS_JOB, "the pod is none of a ClimateJob's")
        self._cache.pods.put(pod)
        return pod
